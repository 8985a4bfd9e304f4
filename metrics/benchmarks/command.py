"""The command line of all benchmarks: measure, show, and write the record and its plot."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metrics.benchmarks.plot import plot
from metrics.benchmarks.record import ROOT, Record, tables, write
from metrics.measurements.tables import show

RESULTS = ROOT / "metrics" / "benchmarks" / "results"
PLOTS = ROOT / "documentation" / "explanation" / "plots"


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a benchmark.

    Attributes:
        documents: The number of documents, unless the benchmark documents another use.
        rounds: How often each thing is measured.
        quick: Whether to run a minimal measurement as a test.
    """

    documents: int
    rounds: int
    quick: bool = False

    @property
    def command(self) -> str:
        """Return the options as a command line."""
        return f"--documents {self.documents} --rounds {self.rounds}" + (" --quick" if self.quick else "")


class NothingToMeasureError(Exception):
    """Something that a benchmark needs is missing; the message says what."""


Benchmark = Callable[[Options], Record]
"""Measures, and returns the record."""


def run_benchmark(
    benchmark: Benchmark,
    *,
    description: str,
    usual: Options,
    quick: Options,
    arguments: Sequence[str] | None = None,
) -> int:
    """Parse the command line, measure, show and record.

    Args:
        benchmark: Measures.
        description: One sentence for the help.
        usual: The default options, for a measurement of some minutes.
        quick: The options of `--quick`, for a measurement of some seconds.
        arguments: The command line; that of the process by default.

    Returns:
        The exit code. A benchmark that cannot run here is skipped.
    """
    options, directory = _read(description, usual, quick, arguments)
    try:
        found = benchmark(options).as_json()
    except NothingToMeasureError as nothing:
        print(f"Skipped. {nothing}")
        return 0
    found["inputs"]["rounds"] = options.rounds
    show(found["command"], tables(found), found["notes"])
    if directory is None and options.quick:
        print("Not recorded, because it was --quick.")
        return 0
    for place in (RESULTS, PLOTS) if directory is None else (directory,):
        place.mkdir(parents=True, exist_ok=True)
    print(f"Recorded in {write(found, directory or RESULTS)}")
    print(f"Drawn in {draw(found, directory or PLOTS)}")
    return 0


def draw(found: Mapping[str, Any], directory: Path) -> Path:
    """Draw the plot `NAME.svg` of a record into a directory."""
    path = directory / f"{found['benchmark']}.svg"
    path.write_text(plot(found), encoding="utf-8")
    return path


def _read(
    description: str, usual: Options, quick: Options, arguments: Sequence[str] | None
) -> tuple[Options, Path | None]:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--documents", type=int, help=f"how many (default {usual.documents}, quick {quick.documents})")
    parser.add_argument("--rounds", type=int, help=f"how often (default {usual.rounds}, quick {quick.rounds})")
    parser.add_argument("--quick", action="store_true", help="check within seconds that it works; record nothing")
    parser.add_argument("--to", type=Path, metavar="DIRECTORY", help="write record and plot there")
    given = parser.parse_args(arguments)
    default = quick if given.quick else usual
    documents = default.documents if given.documents is None else given.documents
    rounds = default.rounds if given.rounds is None else given.rounds
    if documents < 1 or rounds < 1:
        parser.error("documents and rounds are at least 1")
    return Options(documents, rounds, given.quick), given.to
