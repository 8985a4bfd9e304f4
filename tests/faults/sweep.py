"""The whole sweep, `python -m tests.faults.sweep`: faults at each point, kills at any moment, runs side by side.

What happens in a run is up to `hook/sitecustomize.py`, what must be left of it to `bench.py`. A fault is tried at the
first, second, third … occurrence of its point, until a run has no such occurrence any more; kinds that a run survives,
at all these occurrences in one run. `--share N` takes each N-th fault only, `--parts` some of the parts.
"""

import argparse
import itertools
import os
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from tests.faults.bench import GOOD, Bench, Fault, Launcher, Result
from tests.faults.other_sources import OTHER_SOURCES
from tests.faults.side_by_side import kill_at_a_moment, run_side_by_side
from tests.faults.stops import signal_at_a_moment, stop_behind_a_lock, stop_in_a_hang

LANES = 2
KILLS = 50
RUNS_SIDE_BY_SIDE = 16
STORMS = 25
SIGNALS = 40
LOCKS = 12
KILLS_OF_OTHERS = 6
RUNS_OF_OTHERS = 3
FAULTS_OF_A_STORM = 14
ROLES = ("main", "manager", "worker", "whole pool", "fork-server", "resource tracker")

STATEMENTS = ("connect", "begin", "insert log", "insert orders", "insert line", "insert remark", "commit", "rollback")
RETRIED = ("begin", "insert log", "insert orders", "insert line", "insert remark", "commit", "log keys")
READS = ("list keys", "log keys", "fetch")
STEPS = (
    *("worker start", "work item", "map", "enqueue", "hold", "hand over", "dequeue"),
    *("acknowledge", "count", "metrics"),
)

EVERYWHERE = ("kill", "unexpected")
BEFORE_STATEMENTS = ("locked", "disk full", "cut")
AFTER_STATEMENTS = ("cut", "disk lost")
PASSING = ("cut", "locked", "slow")
"""Kinds that a run survives, so that one run has all of them."""

BLOCKING = ("--insert-mode", "blocking")
FULL_QUEUE = ("--queue-size", "1")
THREADS = ("--insert-threads", "2")
SHORT_LIMIT = ("--document-timeout", "1")
DOCUMENTS = "documents"
MANY_DOCUMENTS = "many documents"
SLOW_DEQUEUE = Fault("dequeue", "before", "slow", 0)


class Task(NamedTuple):
    """A fault to be tried at occurrence after occurrence."""

    point: str
    when: str
    kind: str
    numbers: Sequence[int]
    options: tuple[str, ...] = ()
    others: tuple[Fault, ...] = ()
    bench: str = DOCUMENTS

    @property
    def row(self) -> str:
        """Its row of the table."""
        return f"{'' if self.bench == DOCUMENTS else f'{self.bench}: '}{self.point}, {self.when}"


class Tried(NamedTuple):
    """What came of it."""

    row: str
    kind: str
    results: list[Result]


WIDTH = 52

MANY = (1, 2, 3, 5, 13, 30)
SOME = (1, 4)
ONE = (2,)


def tasks() -> Iterator[Task]:
    """All faults, with the ways to run that lead over other paths."""
    for point in STATEMENTS:
        constraint = ("constraint",) if point.startswith("insert") or point == "commit" else ()
        for kind in (*EVERYWHERE, *BEFORE_STATEMENTS, *constraint):
            yield Task(point, "before", kind, MANY if kind in ("kill", "cut") else SOME)
        for kind in (*EVERYWHERE, *AFTER_STATEMENTS):
            yield Task(point, "after", kind, MANY if kind in ("kill", "cut") else SOME)
        for kind in ("slow", "stop", "stop twice"):
            yield Task(point, "before", kind, ONE)
    for point in READS:
        for kind in (*EVERYWHERE, *BEFORE_STATEMENTS, "slow", "stop"):
            yield Task(point, "before", kind, SOME)
        for kind in EVERYWHERE:
            yield Task(point, "after", kind, SOME)
    for point, when in itertools.product(STEPS, ("before", "after")):
        yield Task(point, when, "kill", MANY)
        yield Task(point, when, "unexpected", SOME)
        yield Task(point, when, "stop", SOME)
        yield Task(point, when, "stop twice", ONE)
        yield Task(point, when, "slow", ONE)
    for point, when in itertools.product(("fetch", "parse", "map", "enqueue"), ("before", "after")):
        yield Task(point, when, "hang", SOME, SHORT_LIMIT)
        yield Task(point, when, "hang", SOME, (*SHORT_LIMIT, *BLOCKING))
    yield from _other_stages()
    yield from _other_paths()


def _other_stages() -> Iterator[Task]:
    """A target that does not answer any more, and a disk without space for rejects and metrics."""
    for point, options in itertools.product(("insert log", "insert line", "commit"), ((), BLOCKING)):
        yield Task(point, "before", "hang", (6, 9), options)
    yield Task("reject", "before", "hang", SOME, SHORT_LIMIT)
    for point in ("reject", "write reject", "list reject", "write metrics"):
        for kind in ("kill", "no space", "stop"):
            yield Task(point, "before", kind, SOME)


def tasks_of_others() -> Iterator[Task]:
    """Faults for the other sources: those that may end differently there."""
    for bench in OTHER_SOURCES:
        for point in ("begin", "insert log", "insert line", "commit"):
            for when, kinds in (("before", ("kill", "cut", "disk full")), ("after", ("kill", "cut"))):
                for kind in kinds:
                    yield Task(point, when, kind, SOME if kind == "kill" else ONE, bench=bench)
        for point in ("fetch", "parse", "map", "enqueue", "acknowledge", "count", "reject"):
            yield Task(point, "before", "kill", SOME, bench=bench)
            yield Task(point, "after", "stop", ONE, bench=bench)
        for point in ("fetch", "map"):
            yield Task(point, "before", "hang", ONE, SHORT_LIMIT, bench=bench)
        yield Task("insert line", "before", "constraint", SOME, bench=bench)
        yield Task("list reject", "before", "no space", ONE, bench=bench)
    yield from _tasks_of_files()
    yield from _tasks_of_revisions()


def _tasks_of_files() -> Iterator[Task]:
    for bench in ("records", "containers", "standard input"):
        points = ("open file",) if bench == "containers" else ("open file", "list record")
        for point, kind in itertools.product(points, ("kill", "unexpected", "slow", "stop", "stop twice")):
            yield Task(point, "before", kind, SOME, bench=bench)
        yield Task("open file", "before", "unreadable", (1, 2, 5), bench=bench)


def _tasks_of_revisions() -> Iterator[Task]:
    for point in ("insert processing_log_revisions", "update processing_log_revisions", "delete line"):
        for when, kinds in (("before", ("kill", "locked", "cut", "stop")), ("after", ("kill", "cut"))):
            for kind in kinds:
                yield Task(point, when, kind, SOME, bench="revisions")


def _other_paths() -> Iterator[Task]:
    """Workers that load, several threads that do, an answer that is read from the log, and a target that is slow."""
    for point in ("begin", "insert log", "insert line", "commit"):
        for when, kinds in (("before", ("kill", "locked", "cut", "disk full")), ("after", ("kill", "cut"))):
            for kind in kinds:
                yield Task(point, when, kind, SOME, BLOCKING)
                yield Task(point, when, kind, SOME, FULL_QUEUE, (SLOW_DEQUEUE,))
                yield Task(point, when, kind, ONE, THREADS)
    lost_answer = Fault("commit", "after", "cut", 3)
    for kind in (*EVERYWHERE, *BEFORE_STATEMENTS):
        yield Task("read log", "before", kind, (1,), others=(lost_answer,))
        yield Task("read log", "after", kind, (1,), others=(lost_answer,))
    for point in ("insert line", "commit", "map", "hand over"):
        yield Task(point, "before", "slow target", (0,), others=(lost_answer,))


class _Lane:
    """What a process of the sweep keeps from task to task."""

    directory: Path
    launcher: Launcher
    benches: ClassVar[dict[str, Bench]] = {}


def _open_lane(directory: str) -> None:
    _Lane.directory = Path(directory)
    _Lane.launcher = ExitStack().enter_context(Launcher())


def _bench(name: str) -> Bench:
    if name not in _Lane.benches:
        place = _Lane.directory / f"{name.replace(' ', '-')}-{os.getpid()}"
        place.mkdir()
        documents = 300 if name == MANY_DOCUMENTS else 40
        _Lane.benches[name] = OTHER_SOURCES.get(name, Bench)(place, _Lane.launcher, documents)
    return _Lane.benches[name]


def _sweep(task: Task) -> Tried:
    bench = _bench(task.bench)
    results = []
    if task.kind in PASSING:
        faults = [Fault(task.point, task.when, task.kind, number) for number in task.numbers]
        return Tried(task.row, task.kind, [bench.try_out([*task.others, *faults], task.options)])
    for number in task.numbers:
        faults = [*task.others, Fault(task.point, task.when, task.kind, number)]
        result = bench.try_out(faults, task.options)
        results.append(result)
        if result.happened < 1 + len([fault for fault in task.others if fault.number]):
            break
    return Tried(task.row, task.kind, results)


def _kill(seed: int, name: str = MANY_DOCUMENTS) -> Tried:
    role = ROLES[seed % len(ROLES)]
    row = f"{'' if name == MANY_DOCUMENTS else f'{name}: '}{role}, any moment"
    return Tried(row, "kill", [kill_at_a_moment(_bench(name), role, random.Random(seed))])


def _storm(seed: int) -> Tried:
    """Many faults in one run, all of kinds that it should survive."""
    chance = random.Random(seed)
    possible = [
        *((point, "before", kind) for point in RETRIED for kind in ("cut", "locked")),
        *((point, "after", "cut") for point in RETRIED),
        *((point, "before", "slow") for point in STEPS[1:]),
    ]
    faults = {Fault(*chance.choice(possible), chance.randint(1, 6)) for _ in range(FAULTS_OF_A_STORM)}
    options = chance.choice(((), BLOCKING, FULL_QUEUE, THREADS))
    return Tried("many points", "passing ones", [_bench(DOCUMENTS).try_out(sorted(faults), options)])


def _side_by_side(seed: int, name: str = DOCUMENTS) -> Tried:
    chance = random.Random(seed)
    runs = chance.choice((2, 3))
    row = f"{'' if name == DOCUMENTS else f'{name}: '}{runs} runs at once"
    return Tried(row, "any", [run_side_by_side(_bench(name), runs, chance)])


def _signal(seed: int) -> Tried:
    result = signal_at_a_moment(_bench(MANY_DOCUMENTS), random.Random(seed))
    return Tried("process group, any moment", "signals", [result])


def _lock(seed: int) -> Tried:
    times = 1 + seed % 2
    result = stop_behind_a_lock(_bench(DOCUMENTS), times, random.Random(seed))
    return Tried("lock of another session", "stop" if times == 1 else "stop twice", [result])


def _hang(point: str, options: tuple[str, ...]) -> Tried:
    fault = Fault(point, "before", "hang", 6 if point.startswith(("insert", "commit")) else 2)
    return Tried(f"hang, {point}", "stop twice", [stop_in_a_hang(_bench(DOCUMENTS), fault, options)])


HANGS = ("fetch", "parse", "map", "enqueue", "insert log", "insert line", "commit", "reject")

Trial = tuple[Callable[..., Tried], tuple[Any, ...]]


def _faults() -> Iterator[Trial]:
    yield from ((_side_by_side, (seed,)) for seed in range(RUNS_SIDE_BY_SIDE))
    yield from ((_sweep, (task,)) for task in tasks())
    yield from ((_storm, (seed,)) for seed in range(STORMS))
    yield from ((_kill, (seed,)) for seed in range(KILLS))


def _stops() -> Iterator[Trial]:
    yield from ((_hang, (point, options)) for point, options in itertools.product(HANGS, ((), BLOCKING)))
    yield from ((_lock, (seed,)) for seed in range(LOCKS))
    yield from ((_signal, (seed,)) for seed in range(SIGNALS))


def _others() -> Iterator[Trial]:
    yield from ((_sweep, (task,)) for task in tasks_of_others())
    for name in OTHER_SOURCES:
        yield from ((_kill, (seed, name)) for seed in range(KILLS_OF_OTHERS))
        yield from ((_side_by_side, (seed, name)) for seed in range(RUNS_OF_OTHERS))


PARTS = {"faults": _faults, "stops": _stops, "others": _others}


def sweep(directory: Path, share: int, parts: Sequence[str]) -> list[Tried]:
    """Try everything of these parts, or each n-th trial."""
    tried = []
    chosen = [trial for part in parts for trial in PARTS[part]()]
    random.Random(1).shuffle(chosen)
    with ProcessPoolExecutor(LANES, get_context("spawn"), _open_lane, (str(directory),)) as lanes:
        waiting = [lanes.submit(function, *arguments) for function, arguments in chosen[::share]]
        for number, done in enumerate(as_completed(waiting), 1):
            tried.append(done.result())
            for result in tried[-1].results:
                if result.outcome not in GOOD:
                    print(tried[-1].row, tried[-1].kind, result, flush=True)
            if number % 25 == 0:
                print(f"{number} of {len(waiting)} trials", file=sys.stderr, flush=True)
                (directory / "table.txt").write_text(report(tried))
    return tried


def report(tried: Sequence[Tried]) -> str:
    """A table of points, kinds and outcomes, and sums."""
    cells: defaultdict[str, defaultdict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    outcomes: Counter[str] = Counter()
    for row, kind, results in tried:
        for result in results:
            if result.outcome != "untouched":
                cells[row][kind][result.outcome] += 1
                outcomes[result.outcome] += 1
    kinds = sorted({kind for columns in cells.values() for kind in columns})
    lines = ["recovered by itself / resumed by the next run / rejected and loaded when tried again"]
    lines.append(f"{'point':{WIDTH}}" + "".join(f"{kind:>13}" for kind in kinds))
    for row, columns in sorted(cells.items()):
        shown = (
            "/".join(str(columns[kind][outcome]) for outcome in GOOD[:3]) if kind in columns else "" for kind in kinds
        )
        lines.append(f"{row:{WIDTH}}" + "".join(f"{cell:>13}" for cell in shown))
    bad = {outcome: number for outcome, number in outcomes.items() if outcome not in GOOD}
    results = [result for each in tried for result in each.results]
    lines.append(f"{sum(result.happened for result in results)} faults in {len(results)} runs; {dict(outcomes)}")
    lines.append(f"longest run with faults: {max(result.seconds for result in results):.1f} s")
    lines.append(f"broken promises: {bad or 'none'}")
    return "\n".join(lines)


def main() -> int:
    """Run the sweep and print its table; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.sweep", description=__doc__)
    parser.add_argument("--share", type=int, default=1, help="take each N-th trial only")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    given = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="faults-"))
    began_at = time.monotonic()
    tried = sweep(directory, given.share, given.parts)
    print(report(tried))
    print(f"took {time.monotonic() - began_at:.0f} s; what is left of broken runs is in {directory}")
    return int(any(result.outcome not in GOOD for each in tried for result in each.results))


if __name__ == "__main__":
    sys.exit(main())
