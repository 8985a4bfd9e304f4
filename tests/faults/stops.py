"""Runs that are asked to stop at any moment: by signals to their process group, behind a lock, in a hang."""

import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from random import Random

from tests.faults.bench import (
    SHORT_TIMEOUT,
    Bench,
    BrokenPromiseError,
    Ended,
    Fault,
    Result,
    Running,
    happenings,
    is_running,
)

SIGNALS = (signal.SIGINT, signal.SIGTERM)
LONGEST_START_SECONDS = 2.5
LONGEST_GAP_SECONDS = 0.5
CHECK_SECONDS = 0.01

BOUND_SECONDS = {1: 20.0, 2: 8.0}
"""How long a run may take after the first signal, and after the second: 5 seconds, and what a busy machine needs."""


def signal_at_a_moment(bench: Bench, chance: Random) -> Result:
    """Start a run as a user does, and send signals to its whole process group at random moments from its start on."""
    place = bench.new_place()
    running = bench.start(place, anew=True)
    # Most moments of a run are in its first half second.
    time.sleep(LONGEST_START_SECONDS * chance.random() ** 2)
    times = chance.choice((1, 1, 2, 3))
    had_begun = _handles_signals(running.process_id)
    for number in range(times):
        if number:
            time.sleep(chance.uniform(0, LONGEST_GAP_SECONDS))
        with suppress(ProcessLookupError):
            os.killpg(running.process_id, chance.choice(SIGNALS))
    return _judged(bench, place, running, times, had_begun=had_begun)


def stop_behind_a_lock(bench: Bench, times: int, chance: Random) -> Result:
    """Ask a run to stop while another session holds the lock of its target, from a random moment on."""
    place = bench.new_place()
    running = bench.start(place, [Fault("map", "before", "slow", 0)], target_options=SHORT_TIMEOUT)
    time.sleep(chance.uniform(0.1, LONGEST_START_SECONDS))
    with locked(place / "target.db"):
        time.sleep(chance.uniform(0, 1))
        for _ in range(times):
            with suppress(ProcessLookupError):
                os.kill(running.process_id, chance.choice(SIGNALS))
            time.sleep(LONGEST_GAP_SECONDS)
        ended = _wait_stopped(running, times)
    return _judged(bench, place, running, times, ended)


def stop_in_a_hang(bench: Bench, fault: Fault, options: Sequence[str] = ()) -> Result:
    """Ask a run to stop, twice, when it has come to a point where it hangs."""
    place = bench.new_place()
    running = bench.start(place, [fault], options)
    while not happenings(place) and is_running(running.process_id):
        time.sleep(CHECK_SECONDS)
    for _ in range(2):
        with suppress(ProcessLookupError):
            os.kill(running.process_id, signal.SIGTERM)
        time.sleep(LONGEST_GAP_SECONDS)
    return _judged(bench, place, running, 2)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a database, as another session would."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as database:
        database.execute("BEGIN EXCLUSIVE")
        yield


def _wait_stopped(running: Running, times: int) -> Ended:
    began_at = time.monotonic()
    ended = running.wait(running.seconds + BOUND_SECONDS[min(times, 2)])
    return ended._replace(seconds=time.monotonic() - began_at)


def _judged(
    bench: Bench, place: Path, running: Running, times: int, ended: Ended | None = None, *, had_begun: bool = True
) -> Result:
    ended = ended or _wait_stopped(running, times)
    try:
        outcome = bench.judge(
            place, running, _see_that_it_stopped(place, ended, had_begun=had_begun), exactly=times == 1
        )
    except BrokenPromiseError as broken:
        return Result(broken.outcome, 1, f"{place.name}: {broken.detail}", ended.seconds)
    shutil.rmtree(place)
    return Result(outcome, 1, seconds=ended.seconds)


def _see_that_it_stopped(place: Path, ended: Ended, *, had_begun: bool) -> Ended:
    """See that a run ended as one that was asked to, or had done all before."""
    if not had_begun and ended.code in (-signal.SIGINT, -signal.SIGTERM):
        # Python itself answers until the program has begun.
        return ended._replace(code=130)
    errors = (place / "stderr").read_text()
    if ended.code not in (0, 1, 130, None):
        raise BrokenPromiseError("exit code", f"{ended.code}: {errors}")
    if had_begun and ("Traceback" in errors or "nternal error" in errors):
        raise BrokenPromiseError("traceback", errors)
    return ended


def _handles_signals(process_id: int) -> bool:
    """Whether the program has begun; before, it is Python that answers."""
    try:
        status = Path(f"/proc/{process_id}/status").read_text(encoding="utf-8")
    except OSError:
        return False
    (caught,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")] or ["0"]
    return bool(int(caught, 16) & 1 << signal.SIGTERM - 1)
