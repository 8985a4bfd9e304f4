"""Kills at random moments, and runs at the same time into one target."""

import os
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path
from random import Random

from tests.faults.bench import (
    ENDED_IN_ORDER,
    OUTCOMES,
    Bench,
    BrokenPromiseError,
    Fault,
    Result,
    Running,
    happenings,
    metrics,
    processes_of,
    query,
    roles,
    see_that_it_ended,
)

LONGEST_WAIT_SECONDS = 1.0
CHECK_SECONDS = 0.01

FAULTS_BESIDE_OTHERS = [
    Fault(point, when, kind, number)
    for point, when, kind in (
        ("commit", "before", "kill"),
        ("commit", "after", "kill"),
        ("commit", "before", "cut"),
        ("commit", "after", "cut"),
        ("insert line", "after", "disk full"),
        ("map", "after", "kill"),
        ("hand over", "after", "kill"),
        ("insert log", "before", "locked"),
        ("count", "before", "stop"),
        ("acknowledge", "before", "stop twice"),
    )
    for number in (1, 2, 3, 5)
]


def kill_at_a_moment(bench: Bench, role: str, chance: Random) -> Result:
    """Kill a process of a run, or the whole pool of workers, at some moment of its life, then resume."""
    place = bench.new_place()
    running = bench.start(place)
    process_id = None
    while process_id is None and processes_of(running.process_id):
        time.sleep(CHECK_SECONDS)
        process_id = _process(running, place, "worker" if role == "whole pool" else role, chance)
    time.sleep(chance.uniform(0, LONGEST_WAIT_SECONDS))
    killed: list[int] = []
    workers = {worker for worker, its_role in roles(place).items() if its_role == "worker"}
    chosen = workers if role == "whole pool" else {process_id or 0}
    for each in chosen.intersection(processes_of(running.process_id)):
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
            killed.append(each)
    ended = running.wait()
    try:
        outcome = bench.judge(place, running, ended, killed)
    except BrokenPromiseError as broken:
        return Result(broken.outcome, len(killed), f"{place.name}: {broken.detail}", ended.seconds)
    shutil.rmtree(place)
    return Result(outcome if killed else "untouched", len(killed), seconds=ended.seconds)


def run_side_by_side(bench: Bench, runs: int, chance: Random) -> Result:
    """Start runs together on the same source and target, with faults in all but the last of them."""
    places = [bench.new_place() for _ in range(runs)]
    faults = [[chance.choice(FAULTS_BESIDE_OTHERS)] for _ in places[1:]]
    running = [bench.start(place, plan, target=places[0]) for place, plan in zip(places, [*faults, []], strict=True)]
    ended = [each.wait() for each in running]
    happened = sum(len(happenings(place)) for place in places)
    longest = max(end.seconds for end in ended)
    try:
        for place, run, end in zip(places, running, ended, strict=True):
            is_killed = any(line.split()[0] == str(run.process_id) for line in _kills(place))
            see_that_it_ended(end, run.process_id, is_killed=is_killed)
            if end.code in ENDED_IN_ORDER:
                _see_that_the_share_is_right(bench, place, places[0])
        bench.see_that_documents_are_whole(places[0])
        is_complete = bench.hashes(places[0]) == bench.expected
        bench.complete(places[0])
    except BrokenPromiseError as broken:
        return Result(broken.outcome, happened, f"{[place.name for place in places]}: {broken.detail}", longest)
    for place in places:
        shutil.rmtree(place)
    return Result("recovered" if is_complete else "resumed", happened, seconds=longest)


def _see_that_the_share_is_right(bench: Bench, place: Path, shared: Path) -> None:
    """See that a run that ended in order accounts for all documents, and as its own for those the log says are."""
    found = metrics(place)
    if found is None:
        raise BrokenPromiseError("no metrics", place.name)
    documents = found["documents"]
    statement = f"SELECT status, count(*) FROM processing_log WHERE run_id = '{found['run_id']}' GROUP BY status"
    own = dict(query(shared / "target.db", statement))
    accounted = sum(documents[outcome] for outcome in (*OUTCOMES, "already_done"))
    # A revision that this run has loaded may be superseded by the other.
    compared = ("rejected",) if bench.has_revisions else OUTCOMES
    if any(documents[outcome] != own.get(outcome, 0) for outcome in compared):
        raise BrokenPromiseError("miscounted", f"{documents} but the log has {own}")
    if accounted != bench.outcomes:
        raise BrokenPromiseError("miscounted", f"{documents} of {bench.outcomes}")


def _kills(place: Path) -> list[str]:
    return [line for line in happenings(place) if line.endswith(" kill")]


def _process(running: Running, place: Path, role: str, chance: Random) -> int | None:
    """A process of a run with this role, as soon as there is one."""
    if role == "main":
        return running.process_id
    if role != "resource tracker":
        found = [process_id for process_id, its_role in roles(place).items() if its_role == role]
        return chance.choice(found) if found else None
    for process_id in processes_of(running.process_id):
        with suppress(OSError):
            if b"resource_tracker" in Path(f"/proc/{process_id}/cmdline").read_bytes():
                return process_id
    return None
