"""`python -m metrics.benchmarks.peers`: documents a minute of a whole run, against what one would write or pick instead."""

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

from metrics.benchmarks import inputs, peer_script, whole_runs
from metrics.benchmarks.command import Options, run_benchmark
from metrics.benchmarks.record import Limit, Record
from xml_extractor.contract import Contract
from xml_extractor.reporting.measuring import alternately

OURS, SCRIPT, PANDAS, XML2DB = "xml_extractor", "script with lxml", "pandas", "xml2db"
PACKAGES = {PANDAS: ("pandas", "lxml"), XML2DB: ("xml2db",)}
TIMES_FASTER = Limit(at_least=10)


class Peers:
    """Loads from one SQLite file into new ones.

    Args:
        directory: For the files.
        documents: How many sample documents.
    """

    def __init__(self, directory: Path, documents: int) -> None:
        self.rows: dict[str, int] = {}
        self.modules: dict[str, Any] = dict(_modules())
        self._directory = directory
        self._documents = documents
        self._contract: Contract = inputs.contract()
        self._source = directory / "source.db"
        self._numbers = count()
        inputs.write_source(inputs.sqlite_address(self._source), inputs.documents(documents))

    def measures(self) -> dict[str, Callable[[], float]]:
        """One for us and one for each peer."""
        return {OURS: self.ours, **{name: partial(self.peer, name, module) for name, module in self.modules.items()}}

    def ours(self) -> float:
        """Documents a minute of a run with default settings."""
        target = self._target()
        settings = whole_runs.settings(
            inputs.KIND, inputs.sqlite_address(self._source), inputs.sqlite_address(target), whole_runs.USUAL
        )
        rate = whole_runs.documents_a_minute(settings, self._documents)
        self._count_rows(OURS, target)
        return rate

    def peer(self, name: str, module: Any) -> float:
        """Documents a minute of a peer; the tables, or the schema of which it makes tables, are there before."""
        target = self._target()
        if name == XML2DB:
            module.prepare(target, inputs.contents(self._documents))
        else:
            inputs.make_tables(inputs.sqlite_address(target), self._contract)
        began_at = time.perf_counter()
        module.fill(self._source, target, self._contract)
        seconds = time.perf_counter() - began_at
        if name != XML2DB:
            self._count_rows(name, target)
        return self._documents / seconds * 60

    def _target(self) -> Path:
        return self._directory / f"target{next(self._numbers)}.db"

    def _count_rows(self, name: str, target: Path) -> None:
        tables = inputs.make_tables(inputs.sqlite_address(target), self._contract)
        self.rows[name] = sum(inputs.row_counts(target, tables).values())


def benchmark(options: Options) -> Record:
    """Measure the same documents, and as far as peers can, the same twelve tables with the same rows."""
    with inputs.temporary_directory() as directory:
        peers = Peers(directory, options.documents)
        measures = peers.measures()
        measures[OURS]()
        taken = alternately(measures, options.rounds)
    record = Record("peers", options.command, [inputs.sqlite_name()], {"documents": options.documents})
    record.group("Whole load", "documents a minute", taken)
    for name, rates in taken.items():
        if name != OURS:
            record.ratio(f"{OURS} / {name}", taken[OURS], rates, TIMES_FASTER)
    for name, rows in peers.rows.items():
        record.fact(f"rows in the contract's tables, {name}", rows, "rows")
    for name, packages in PACKAGES.items():
        if name in taken:
            record.with_packages(*packages)
        else:
            record.note(f"Skipped: {name}, because it is not installed: pip install -e '.[bench]'.")
    record.note(
        "All read the same SQLite file and write a new one, without waiting for the disk at each commit. "
        "xml_extractor runs with its defaults, in all its processes; peers run in one.",
        *(module.LESS for module in peers.modules.values()),
    )
    return record


def _modules() -> Iterator[tuple[str, Any]]:
    yield SCRIPT, peer_script
    for name, packages in PACKAGES.items():
        if all(find_spec(package) for package in packages):
            yield name, import_module(f"metrics.benchmarks.peer_{name}")


def main() -> int:
    """Measure as the command line says."""
    return run_benchmark(
        benchmark, description=__doc__ or "", usual=Options(500, 3), quick=Options(10, 1, quick=True)
    )


if __name__ == "__main__":
    sys.exit(main())
