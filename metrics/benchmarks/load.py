"""`python -m metrics.benchmarks.load`: rows a second of the loader, compared with a bare `executemany` loop."""

import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from metrics.benchmarks import inputs, server
from metrics.benchmarks.command import Options, run_benchmark
from metrics.benchmarks.record import Limit, Record
from metrics.measurements.figures import alternately
from xml_extractor.contract.layout import TableLayout
from xml_extractor.documents import MappedDocument, Row
from xml_extractor.processing.insert_queue import MAX_BATCH_DOCUMENTS
from xml_extractor.processing.insert_threads import open_loader
from xml_extractor.processing_log.log_table import LOG_TABLE
from xml_extractor.settings import InsertStrategy, RunSettings
from xml_extractor.targets.registry import open_target

SERVER_SHARE = 8
"""A server loads one in this number of the documents, because it takes longer."""

BARE, BARE_SAME = "bare fast_executemany", "bare fast_executemany, the loader's SQL"

LEAST = Limit(at_least=0.9)
LEAST_ON_SQLITE = Limit(at_least=0.98)

Batch = Sequence[MappedDocument]


class Call(NamedTuple):
    """The rows of one `executemany` call, as the driver takes them."""

    table: TableLayout
    rows: Sequence[Any]


Transactions = Sequence[Sequence[Call]]


class Load(NamedTuple):
    """Mapped documents in batches, and the processing log's rows of each batch."""

    tables: Sequence[TableLayout]
    batches: Sequence[Batch]
    log: Sequence[Sequence[Row]]
    batch_rows: int

    @property
    def rows(self) -> int:
        """The number of rows of all tables, including the processing log."""
        return sum(
            len(log) + sum(sum(map(len, document.rows)) for document in batch)
            for batch, log in zip(self.batches, self.log, strict=True)
        )

    def first(self, documents: int) -> "Load":
        """Return a load of the first documents."""
        batches = [document for batch in self.batches for document in batch][:documents]
        log = [row for rows in self.log for row in rows][:documents]
        parts = (list(inputs.parts(batches, MAX_BATCH_DOCUMENTS)), list(inputs.parts(log, MAX_BATCH_DOCUMENTS)))
        return Load(self.tables, *parts, self.batch_rows)

    def bound(self, address: str) -> "Load":
        """Return the load with rows bound for a target."""
        contract, target = inputs.contract(), open_target(address, inputs.contract())
        (bind,) = target.row_binders([LOG_TABLE])
        return self._replace(
            batches=[inputs.bound(address, contract, batch) for batch in self.batches],
            log=[list(map(bind, rows)) for rows in self.log],
        )

    def transactions(self) -> Transactions:
        """Return the calls and commits that the loader makes."""
        return [
            [
                Call(table, some)
                for table, rows in ((LOG_TABLE, log), *self._rows_by_table(batch))
                for some in inputs.parts(rows, self.batch_rows)
            ]
            for batch, log in zip(self.batches, self.log, strict=True)
        ]

    def _rows_by_table(self, batch: Batch) -> Iterator[tuple[TableLayout, Sequence[Row]]]:
        for index, table in enumerate(self.tables):
            yield table, [row for document in batch for row in document.rows[index]]


def benchmark(options: Options) -> Record:
    """Measure the time of loading the same documents into empty tables."""
    with inputs.temporary_directory() as directory:
        load = _load(options.documents, directory)
        databases = [inputs.sqlite_name(), *([server.name()] if server.is_there() else [])]
        given: dict[str, int] = {
            "documents": options.documents,
            "rows": load.rows,
            "documents_in_a_batch": MAX_BATCH_DOCUMENTS,
        }
        record = Record("load", options.command, databases, given)
        taken = alternately(_on_sqlite(load, directory), options.rounds)
        record.group("SQLite", "rows a second", taken)
        record.ratio("SQLite: loader / bare loop", taken["loader"], taken["bare executemany"], LEAST_ON_SQLITE)
        if server.is_there():
            with server.schema() as ours, server.schema() as bare:
                few = load.first(max(options.documents // SERVER_SHARE, 1))
                taken = alternately(_on_sql_server(few, ours, bare), options.rounds)
            record.group("SQL Server", "rows a second", taken)
            for name in [name for name in taken if name.startswith("loader")]:
                record.ratio(f"SQL Server: {name} / {BARE}", taken[name], taken[BARE], LEAST)
                record.ratio(f"SQL Server: {name} / {BARE_SAME}", taken[name], taken[BARE_SAME], LEAST)
        else:
            record.note(server.MISSING)
    record.note(
        f"On SQL Server, one in {SERVER_SHARE} of the documents is loaded.",
        "The bare loop sends plain INSERTs. On SQL Server it also sends the loader's own statements, because the time "
        "that the server takes to describe the parameters depends on the statement.",
        "Both load twelve tables and the processing log, in the same calls of at most 500 rows and with the same "
        "commits.",
        "Both receive rows in the form that the driver needs, as workers bind them. The loader also collects them, "
        "writes rows of the processing log, and can bisect a refused batch.",
    )
    return record


def _load(documents: int, directory: Path) -> Load:
    contract = inputs.contract()
    settings = RunSettings(contract.contract, "", inputs.sqlite_address(directory / "first.db"))
    tables = inputs.make_tables(settings.target, contract)
    batches = list(inputs.parts(inputs.mapped(contract, inputs.contents(documents)), MAX_BATCH_DOCUMENTS))
    with open_loader(inputs.run_context(settings, contract)) as loader:
        for batch in batches:
            loader.load(inputs.bound(settings.target, contract, batch))
    with closing(open_target(settings.target, contract).connect()) as connection:
        log = sorted(connection.read_rows(LOG_TABLE), key=lambda row: int(str(row[1])))
    return Load(tables, batches, list(inputs.parts(log, MAX_BATCH_DOCUMENTS)), settings.insert_batch_rows)


def _on_sqlite(mapped: Load, directory: Path) -> dict[str, Callable[[], float]]:
    load = mapped.bound(inputs.sqlite_address(directory / "unopened.db"))
    transactions = load.transactions()
    numbers = count()

    def new_target() -> str:
        address = inputs.sqlite_address(directory / f"target{next(numbers)}.db")
        inputs.make_tables(address, inputs.contract())
        return address

    def bare() -> float:
        path = new_target().removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("PRAGMA foreign_keys = ON")
            database.execute("PRAGMA synchronous = NORMAL")
            cursor = database.cursor()
            began_at = time.perf_counter()
            for calls in transactions:
                cursor.execute("BEGIN IMMEDIATE")
                for table, rows in calls:
                    cursor.executemany(_insert(table.table, table), rows)
                cursor.execute("COMMIT")
            return load.rows / (time.perf_counter() - began_at)

    return {"loader": lambda: _by_loader(load, new_target(), "executemany"), "bare executemany": bare}


def _on_sql_server(mapped: Load, ours: str, bare_schema: str) -> dict[str, Callable[[], float]]:
    from xml_extractor.targets.sqlserver.statements import table_statements  # noqa: PLC0415 - needs pyodbc

    load = mapped.bound(server.near(ours))
    for schema in (ours, bare_schema):
        inputs.make_tables(server.near(schema), inputs.contract())
    statements = {table.table: table_statements(table, bare_schema) for table in (LOG_TABLE, *load.tables)}
    transactions = load.transactions()
    plain = {
        table.table: _insert(known.name, table, [bound.place for bound in known.parameters])
        for table, known in ((table, statements[table.table]) for table in (LOG_TABLE, *load.tables))
    }
    same = {name: known.changes[0].sql for name, known in statements.items()}

    def with_loader(strategy: InsertStrategy) -> float:
        server.empty(ours, load.tables)
        return _by_loader(load, server.near(ours), strategy)

    def bare(sql: Mapping[str, str]) -> float:
        server.empty(bare_schema, load.tables)
        with closing(server.session()) as session:
            session.autocommit = False
            cursors = {table: session.cursor() for table in statements}
            began_at = time.perf_counter()
            for calls in transactions:
                for table, rows in calls:
                    cursor, known = cursors[table.table], statements[table.table]
                    cursor.fast_executemany = True
                    cursor.setinputsizes(
                        [bound.odbc_type_for(rows, column) for column, bound in enumerate(known.parameters)]
                    )
                    cursor.executemany(sql[table.table], rows)
                session.commit()
            return load.rows / (time.perf_counter() - began_at)

    strategies: tuple[InsertStrategy, ...] = ("executemany", "json")
    loaders = {f"loader, {strategy}": partial(with_loader, strategy) for strategy in strategies}
    return {**loaders, BARE: partial(bare, plain), BARE_SAME: partial(bare, same)}


def _by_loader(load: Load, target: str, strategy: InsertStrategy) -> float:
    """Measure rows a second of the loader as runs use it."""
    contract = inputs.contract()
    settings = RunSettings(contract.contract, "", target, insert_strategy=strategy)
    with open_loader(inputs.run_context(settings, contract)) as loader:
        began_at = time.perf_counter()
        loaded = sum(sum(outcome.rows) + 1 for batch in load.batches for outcome in loader.load(batch))
        seconds = time.perf_counter() - began_at
    if loaded != load.rows:
        raise RuntimeError(f"{loaded} of {load.rows} rows were loaded")
    return loaded / seconds


def _insert(name: str, table: TableLayout, places: Sequence[str] = ()) -> str:
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    values = ", ".join(places or "?" * len(table.columns))
    return f"INSERT INTO {name} ({columns}) VALUES ({values})"  # noqa: S608 - names of a shipped contract


def main() -> int:
    """Measure as the command line says."""
    return run_benchmark(benchmark, description=__doc__ or "", usual=Options(2048, 9), quick=Options(20, 2, quick=True))


if __name__ == "__main__":
    sys.exit(main())
