"""`python -m metrics.benchmarks.memory`: memory of each process of a run, its peak and its growth. Linux only."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from math import sqrt
from pathlib import Path
from typing import NamedTuple

from metrics.benchmarks import inputs
from metrics.benchmarks.command import NothingToMeasureError, Options, run_benchmark
from metrics.benchmarks.record import ROOT, Limit, Record
from tests.soak.resident import ROLES, Growth, Sampler
from xml_extractor.processing.processes import MAX_GROWTH
from xml_extractor.samples import Sample

WORKERS = 2
MEGABYTE = 10**6
ROLES_SHOWN = tuple(role for role in ROLES if role != "fork server")


class Load(NamedTuple):
    """Documents of one size.

    Attributes:
        title: The name of the load.
        documents: Their number.
        size: Bytes of each; 0 leaves out everything after the needed part.
        whole: Whether to parse all of each document, without `read_until`.
    """

    title: str
    documents: int
    size: int
    whole: bool = False


class Slope(NamedTuple):
    """The slope of a straight line by least squares, with its standard error."""

    rise: float
    standard_error: float


MOST_MEBIBYTES = {"main": 93, "worker": 81}


def benchmark(options: Options) -> Record:
    """Measure the processes of runs with many small documents, and with few large ones.

    Raises:
        NothingToMeasureError: The system does not report memory in /proc.
    """
    if sys.platform != "linux":
        raise NothingToMeasureError("Memory is read from /proc, which only Linux has.")
    loads = list(_loads(options))
    record = Record(
        "memory",
        options.command,
        [inputs.sqlite_name()],
        {
            "documents": options.documents,
            "workers": WORKERS,
            "large": "; ".join(load.title for load in loads[1:]),
        },
    )
    for load in loads:
        taken = [_run(load) for _ in range(options.rounds)]
        peaks = {role: [growths[role].peak for growths, _ in taken if role in growths] for role in ROLES_SHOWN}
        record.group(f"Peak, {load.title}", "MiB", {role: found for role, found in peaks.items() if found})
        if load is loads[0]:
            for role, most in MOST_MEBIBYTES.items():
                record.fact(f"peak, {role}", max(peaks[role]), "MiB", Limit(at_most=most))
            for role in ROLES_SHOWN:
                slope = _slope(taken[0][1].get(role, []), load.documents)
                record.fact(
                    f"slope, {role}", slope.rise, "MiB in 10,000 documents", standard_error=slope.standard_error
                )
    record.note(
        f"The command with {WORKERS} workers, from one SQLite file into another. The peak is the kernel's "
        "high-water mark of the resident size of one process of the role.",
        "The slope is a least-squares fit of ten samples per second of the role's largest process, without the first "
        "quarter of the run. Consecutive samples are correlated, so the real error is larger than the one shown.",
        f"A worker that has grown by {MAX_GROWTH // 2**20} MiB is replaced.",
    )
    return record


def _loads(options: Options) -> Iterator[Load]:
    yield Load(f"{options.documents:,} documents of 7 KB", options.documents, 0)
    sizes = ((2, 4),) if options.quick else ((2, 150), (50, 6))
    for megabytes, count in sizes:
        yield Load(f"{count} documents of {megabytes} MB", count, megabytes * MEGABYTE)
        yield Load(f"{count} documents of {megabytes} MB, all parsed", count, megabytes * MEGABYTE, whole=True)


def _documents(load: Load) -> Iterator[Sample]:
    return (inputs.resized(sample, load.size) for sample in inputs.documents(load.documents))


def _run(load: Load) -> tuple[dict[str, Growth], dict[str, list[tuple[float, float]]]]:
    """The memory of a run by role, and its samples.

    Raises:
        RuntimeError: The run did not load all documents.
    """
    with inputs.temporary_directory() as directory:
        inputs.write_source(inputs.sqlite_address(directory / "source.db"), _documents(load))
        contract = inputs.contract_file(directory) if load.whole else inputs.KIND
        temporary = directory / "temporary"
        temporary.mkdir()
        command = [sys.executable, str(ROOT / "production_processor.py"), "--no-progress", "--contract", contract]
        command += ["--source", "sqlite:///source.db", "--target", "sqlite:///target.db", "--workers", str(WORKERS)]
        with (
            (directory / "output.txt").open("wb") as output,
            subprocess.Popen(  # noqa: S603 - our own command
                command, cwd=directory, env=_environment(temporary), stdout=output, stderr=output
            ) as run,
            Sampler(run.pid, temporary) as sampler,
        ):
            code = run.wait()
        if code:
            raise RuntimeError((directory / "output.txt").read_text(encoding="utf-8"))
        return sampler.growth(), {role: sampler.samples(role) for role in ROLES_SHOWN}


def _environment(temporary: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XML_EXTRACTOR_")}
    return {**kept, "TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)}


def _slope(samples: Sequence[tuple[float, float]], documents: int) -> Slope:
    """Of megabytes, for 10,000 documents, as if they came evenly over the run."""
    settled = samples[len(samples) // 4 :]
    if len(settled) < 3:  # noqa: PLR2004 - an error needs three points
        return Slope(0.0, 0.0)
    seconds_for_10_000 = (samples[-1][0] - samples[0][0]) / documents * 10_000
    rise, error = least_squares(settled)
    return Slope(rise * seconds_for_10_000, error * seconds_for_10_000)


def least_squares(points: Sequence[tuple[float, float]]) -> Slope:
    """The straight line through at least three points, not all of one x."""
    count = len(points)
    mean_x, mean_y = (sum(values) / count for values in zip(*points, strict=True))
    squares = sum((x - mean_x) ** 2 for x, _ in points)
    rise = sum((x - mean_x) * (y - mean_y) for x, y in points) / squares
    rests = sum((y - mean_y - rise * (x - mean_x)) ** 2 for x, y in points)
    return Slope(rise, sqrt(rests / (count - 2) / squares))


def main() -> int:
    """Measure as the command line says."""
    return run_benchmark(
        benchmark, description=__doc__ or "", usual=Options(50_000, 1), quick=Options(600, 1, quick=True)
    )


if __name__ == "__main__":
    sys.exit(main())
