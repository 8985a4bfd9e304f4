"""The command line that all benchmarks have, and what becomes of their records."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from metrics.benchmarks import plots, tables
from metrics.benchmarks.record import ROOT, Record, write

RESULTS = ROOT / "metrics" / "benchmarks" / "results"
PLOTS = ROOT / "documentation" / "explanation" / "plots"


@dataclass(frozen=True, slots=True)
class Options:
    """What a benchmark was asked for.

    Attributes:
        documents: How many, as far as the benchmark does not say otherwise.
        rounds: How often each thing is measured.
        quick: As small as can be, to see that it works.
    """

    documents: int
    rounds: int
    quick: bool = False

    @property
    def command(self) -> str:
        """As options of a command line."""
        return f"--documents {self.documents} --rounds {self.rounds}" + (" --quick" if self.quick else "")


class NothingToMeasureError(Exception):
    """What a benchmark needs is not there; the message says what."""


Benchmark = Callable[[Options], Record]
"""Measures, and gives what it found."""


def run_benchmark(
    benchmark: Benchmark,
    *,
    description: str,
    usual: Options,
    quick: Options,
    arguments: Sequence[str] | None = None,
) -> int:
    """Read the command line, measure, show and record.

    Args:
        benchmark: What measures.
        description: What it measures, in a sentence.
        usual: What is asked for without options: some minutes' work.
        quick: What `--quick` stands for: some seconds' work.
        arguments: The command line, if it is not the process's own.

    Returns:
        The exit code: 2 if there is nothing to draw plots with, otherwise 0. What cannot be measured here is skipped.
    """
    options, directory = _read(description, usual, quick, arguments)
    if directory is None and not options.quick and find_spec("matplotlib") is None:
        sys.stderr.write("Recording needs matplotlib: pip install -e '.[bench]'. With --quick nothing is recorded.\n")
        return 2
    try:
        found = benchmark(options).as_json()
    except NothingToMeasureError as nothing:
        print(f"Skipped. {nothing}")
        return 0
    found["inputs"]["rounds"] = options.rounds
    tables.show(found)
    if directory is None and options.quick:
        print("Not recorded, because it was --quick.")
        return 0
    for place in (RESULTS, PLOTS) if directory is None else (directory,):
        place.mkdir(parents=True, exist_ok=True)
    print(f"Recorded in {write(found, directory or RESULTS)}")
    if find_spec("matplotlib") is not None:
        print(f"Drawn in {plots.draw(found, directory or PLOTS)}")
    return 0


def _read(
    description: str, usual: Options, quick: Options, arguments: Sequence[str] | None
) -> tuple[Options, Path | None]:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--documents", type=int, help=f"how many (default {usual.documents}, quick {quick.documents})")
    parser.add_argument("--rounds", type=int, help=f"how often (default {usual.rounds}, quick {quick.rounds})")
    parser.add_argument("--quick", action="store_true", help="take seconds, to see that it works; record nothing")
    parser.add_argument("--to", type=Path, metavar="DIRECTORY", help="write record and plot there")
    given = parser.parse_args(arguments)
    default = quick if given.quick else usual
    documents = default.documents if given.documents is None else given.documents
    rounds = default.rounds if given.rounds is None else given.rounds
    if documents < 1 or rounds < 1:
        parser.error("documents and rounds are at least 1")
    return Options(documents, rounds, given.quick), given.to
