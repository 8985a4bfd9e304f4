"""The memory of all processes of a run, sampled while it goes on, by what they are for. Linux only: it reads /proc."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from statistics import median, quantiles
from types import TracebackType
from typing import NamedTuple, Self

ROLES = ("main", "manager", "worker", "fork server")
MEGABYTE = 2**20
PAUSE_SECONDS = 0.1
_WINDOWS = 4
"""Parts of a run that are long enough for workers to be replaced in each: between that they do grow."""


class Process(NamedTuple):
    """A process as /proc shows it."""

    number: int
    parent: int
    command: str


class Growth(NamedTuple):
    """How the memory of a role went, in megabytes.

    Attributes:
        samples: How often it was looked at.
        processes: How many processes it had in all.
        peak: The most that one process ever had.
        second_quarter, last_quarter: What nine of ten samples of the role's largest process stay below, in these parts
            of the run. Workers grow until they are replaced, so their median would tell where in that the part ends.
        drift: How much higher the highest samples get over the whole run, by the median of all slopes between those of
            two parts of it (Theil-Sen).
    """

    samples: int
    processes: int
    peak: float
    second_quarter: float
    last_quarter: float
    drift: float


class Sampler:
    """Samples in a thread until the end of its block.

    Args:
        main: The process id of the run's main process.
        temporary: Its temporary directory, in which workers leave notes under their process ids.
    """

    def __init__(self, main: int, temporary: Path) -> None:
        self._main = main
        self._temporary = temporary
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sample_on)
        self._resident: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self._peaks: dict[str, dict[int, float]] = defaultdict(dict)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def growth(self) -> dict[str, Growth]:
        """What was seen of each role."""
        return {
            role: growth_of(self._resident[role], list(self._peaks[role].values()))
            for role in ROLES
            if self._resident[role]
        }

    def samples(self, role: str) -> list[tuple[float, float]]:
        """Moments in seconds, and megabytes of the role's largest process then."""
        return list(self._resident[role])

    def _sample_on(self) -> None:
        while not self._stopped.wait(PAUSE_SECONDS):
            largest: dict[str, float] = {}
            for process in family(self._main):
                role = self._role(process)
                with suppress(OSError, KeyError, ValueError):
                    resident, peak = memory_of(process.number)
                    largest[role] = max(resident, largest.get(role, 0))
                    self._peaks[role][process.number] = peak
            now = time.monotonic()
            for role, resident in largest.items():
                self._resident[role].append((now, resident))

    def _role(self, process: Process) -> str:
        if process.number == self._main:
            return "main"
        if "resource_tracker" in process.command:
            return "resource tracker"
        if process.parent == self._main:
            return "fork server"
        is_worker = any(self._temporary.glob(f"xml_extractor-*/{process.number}"))
        return "worker" if is_worker else self._role_without_note(process)

    def _role_without_note(self, process: Process) -> str:
        """The manager is there before all workers; a worker that starts has left no note yet."""
        first = min(self._peaks["manager"], default=process.number)
        return "manager" if process.number == first else "starting"


def family(main: int) -> Iterator[Process]:
    """A process and all below it."""
    children: dict[int, list[Process]] = defaultdict(list)
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            parent = int((directory / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
            command = (directory / "cmdline").read_bytes().decode(errors="replace")
            children[parent].append(Process(int(directory.name), parent, command))
    waiting = [process for of_parent in children.values() for process in of_parent if process.number == main]
    while waiting:
        process = waiting.pop()
        yield process
        waiting += children[process.number]


def memory_of(process: int) -> tuple[float, float]:
    """Resident memory now and at most, in megabytes."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    sizes = {line.partition(":")[0]: line.split()[1] for line in lines if line.startswith(("VmRSS", "VmHWM"))}
    return int(sizes["VmRSS"]) / 1024, int(sizes["VmHWM"]) / 1024


def growth_of(samples: Sequence[tuple[float, float]], peaks: Sequence[float]) -> Growth:
    """What samples (seconds, megabytes) and the peaks of single processes say about growth."""
    values = [resident for _, resident in samples]
    quarter = max(len(values) // 4, 1)
    return Growth(
        samples=len(values),
        processes=len(peaks),
        peak=max(peaks),
        second_quarter=_ninth_tenth(values[quarter : 2 * quarter]),
        last_quarter=_ninth_tenth(values[-quarter:]),
        drift=_drift(samples),
    )


def _ninth_tenth(values: Sequence[float]) -> float:
    return quantiles(values, n=10, method="inclusive")[-1] if len(values) > 1 else sum(values)


def _drift(samples: Sequence[tuple[float, float]]) -> float:
    """From the second quarter on, because a run has to warm up first; and as if it had gone so from the beginning."""
    settled = samples[len(samples) // 4 :]
    size = max(len(settled) // _WINDOWS, 1)
    windows = [settled[start : start + size] for start in range(0, size * _WINDOWS, size)]
    highest = [max(resident for _, resident in window) for window in windows if window]
    slopes = [(b - a) / (later - now) for (now, a), (later, b) in combinations(enumerate(highest), 2)]
    return median(slopes) * len(samples) / size if slopes else 0.0
