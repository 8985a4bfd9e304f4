"""`python -m metrics.benchmarks.peers`: documents a minute, against what one would write or pick instead."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

from metrics.benchmarks import inputs, peer_script, server, whole_runs
from metrics.benchmarks.command import Options, run_benchmark
from metrics.benchmarks.record import Limit, Record
from metrics.measurements.figures import alternately

OURS, SCRIPT, PANDAS, XML2DB = "xml_extractor", "script with lxml", "pandas", "xml2db"
XML2ARROW, LEPTRIS, DLT, SPARK = "xml2arrow", "leptris", "dlt", "spark"
PACKAGES = {
    PANDAS: ("pandas", "lxml"),
    XML2DB: ("xml2db",),
    XML2ARROW: ("xml2arrow", "pyarrow"),
    LEPTRIS: ("leptris",),
    DLT: ("dlt",),
    SPARK: ("pyspark",),
}
SHARE = {OURS: 1, SCRIPT: 1, PANDAS: 20, XML2DB: 4, XML2ARROW: 1, LEPTRIS: 1, DLT: 20, SPARK: 1}
"""The number of documents for each one that a slow peer loads; it would take too long, and its start does not count."""

FILL_OUR_TABLES = (OURS, SCRIPT, PANDAS)

MANY = 10
"""The number of documents of the longer load for each one of the other, which shows the work without the start."""

SERVER_SHARE = 4

TIMES_FASTER = {SCRIPT: Limit(at_least=12), PANDAS: Limit(at_least=10), XML2DB: Limit(at_least=6)}


class Peers:
    """Loads from SQLite files into new ones.

    Args:
        directory: For the files.
        documents: How many sample documents.
        with_slow: Whether peers that get only a share of them take part, and rows are counted.
    """

    def __init__(self, directory: Path, documents: int, *, with_slow: bool = True) -> None:
        self.share_of_rows: dict[str, float] = {}
        self._counts_rows = with_slow
        self.modules: dict[str, Any] = {
            name: module for name, module in _modules() if with_slow or SHARE[name] <= SHARE[XML2DB]
        }
        self._directory = directory
        self._contract = inputs.contract()
        self._numbers = count()
        self._documents = {name: max(documents // SHARE[name], 1) for name in (OURS, *self.modules)}
        self._sources = {number: directory / f"source{number}.db" for number in self._documents.values()}
        for number, source in self._sources.items():
            inputs.write_source(inputs.sqlite_address(source), inputs.documents(number))

    def measures(self) -> dict[str, Callable[[], float]]:
        """One for each."""
        return {OURS: self.ours, **{name: partial(self.peer, name, module) for name, module in self.modules.items()}}

    def ours(self) -> float:
        """Documents a minute of a run with default settings."""
        target, documents = self._target(), self._documents[OURS]
        source = inputs.sqlite_address(self._sources[documents])
        settings = whole_runs.settings(inputs.KIND, source, inputs.sqlite_address(target), whole_runs.USUAL)
        rate = whole_runs.documents_a_minute(settings, documents)
        self._count_rows(OURS, target)
        return rate

    def peer(self, name: str, module: Any) -> float:
        """Documents a minute of a peer; the tables, or the schema of which it makes tables, are there before."""
        target, documents = self._target(), self._documents[name]
        if name not in FILL_OUR_TABLES:
            module.prepare(target, inputs.contents(documents))
        else:
            inputs.make_tables(inputs.sqlite_address(target), self._contract)
        began_at = time.perf_counter()
        module.fill(self._sources[documents], target, self._contract)
        seconds = time.perf_counter() - began_at
        if name in FILL_OUR_TABLES:
            self._count_rows(name, target)
        return documents / seconds * 60

    def _target(self) -> Path:
        return self._directory / f"target{next(self._numbers)}.db"

    def _count_rows(self, name: str, target: Path) -> None:
        if name in self.share_of_rows or not self._counts_rows:
            return
        tables = inputs.make_tables(inputs.sqlite_address(target), self._contract)
        mapped = inputs.mapped(self._contract, inputs.contents(self._documents[name]))
        expected = sum(sum(map(len, document.rows)) for document in mapped)
        self.share_of_rows[name] = sum(inputs.row_counts(target, tables).values()) / expected


class ServerPeers:
    """Loads from a SQLite file into a schema on the server: ours and the script with lxml.

    Args:
        directory: For the file.
        schema: Where the tables are made.
        documents: How many sample documents we load; the script has one in `SERVER_SHARE` of them.
    """

    def __init__(self, directory: Path, schema: str, documents: int) -> None:
        self._schema = schema
        self._contract = inputs.contract()
        self._tables = inputs.make_tables(server.near(schema), self._contract)
        self._documents, self._few = documents, max(documents // SERVER_SHARE, 1)
        self._source, self._short_source = directory / "server.db", directory / "server_few.db"
        for path, number in ((self._source, self._documents), (self._short_source, self._few)):
            inputs.write_source(inputs.sqlite_address(path), inputs.documents(number))

    def measures(self) -> dict[str, Callable[[], float]]:
        """One for each."""
        return {OURS: self.ours, SCRIPT: self.script}

    def ours(self) -> float:
        """Documents a minute of a run with default settings."""
        server.empty(self._schema, self._tables)
        source, target = inputs.sqlite_address(self._source), server.near(self._schema)
        settings = whole_runs.settings(inputs.KIND, source, target, whole_runs.USUAL)
        return whole_runs.documents_a_minute(settings, self._documents)

    def script(self) -> float:
        """Documents a minute of the script."""
        server.empty(self._schema, self._tables)
        with closing(server.session()) as session:
            session.autocommit = False
            began_at = time.perf_counter()
            peer_script.fill_database(self._short_source, session, f"[{self._schema}].", self._contract)
            return self._few / (time.perf_counter() - began_at) * 60


def benchmark(options: Options) -> Record:
    """Measure the same documents, and as far as peers can, the same twelve tables with the same rows."""
    with inputs.temporary_directory() as directory:
        peers = Peers(directory, options.documents)
        measures = peers.measures()
        measures[OURS]()
        taken = alternately(measures, options.rounds)
        longer = {} if options.quick else _measure_longer(options)
        on_server = _measure_on_server(directory, options)
    databases = [inputs.sqlite_name(), *([server.name()] if on_server else [])]
    record = Record("peers", options.command, databases, {"documents": options.documents})
    many = f"SQLite, {options.documents * MANY:,} documents"
    for place, figures in (("SQLite", taken), (many, longer), ("SQL Server", on_server)):
        if figures:
            record.group(f"Whole load, {place}", "documents a minute", figures)
        for name, rates in figures.items():
            if name != OURS:
                record.ratio(f"{place}: {OURS} / {name}", figures[OURS], rates, TIMES_FASTER.get(name))
    for name, share in peers.share_of_rows.items():
        record.fact(f"the contract's rows that {name} fills", share * 100, "%")
    for name, packages in PACKAGES.items():
        if name in taken:
            record.with_packages(*packages)
        else:
            record.note(f"Skipped: {name}, because it is not installed: pip install -e '.[bench]'.")
    if not on_server:
        record.note(server.MISSING)
    record.note(
        "All read the same SQLite file and write a new one, without waiting for the disk at each commit. "
        "xml_extractor runs with its defaults, in all its processes; the others run in one process. "
        f"pandas and dlt load one in {SHARE[PANDAS]} of the documents, and xml2db one in {SHARE[XML2DB]}; "
        f"on SQL Server, xml_extractor loads one in {SERVER_SHARE}, and the script one in {SERVER_SHARE**2}.",
        *(module.LESS for module in peers.modules.values()),
    )
    return record


def _measure_longer(options: Options) -> dict[str, list[float]]:
    with inputs.temporary_directory() as directory:
        return alternately(Peers(directory, options.documents * MANY, with_slow=False).measures(), 1)


def _measure_on_server(directory: Path, options: Options) -> dict[str, list[float]]:
    if not server.is_there():
        return {}
    with server.schema() as schema:
        peers = ServerPeers(directory, schema, max(options.documents // SERVER_SHARE, 1))
        return alternately(peers.measures(), options.rounds)


def _modules() -> Iterator[tuple[str, Any]]:
    yield SCRIPT, peer_script
    for name, packages in PACKAGES.items():
        if all(find_spec(package) for package in packages):
            yield name, import_module(f"metrics.benchmarks.peer_{name}")


def main() -> int:
    """Measure as the command line says."""
    return run_benchmark(benchmark, description=__doc__ or "", usual=Options(2000, 3), quick=Options(10, 1, quick=True))


if __name__ == "__main__":
    sys.exit(main())
