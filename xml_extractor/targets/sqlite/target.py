"""SQLite as a target: a file, no server, no driver.

A commit survives a crash of the program, at any moment. When the machine itself loses power, the last commits may be
lost (`PRAGMA synchronous = NORMAL` in WAL mode), but always whole: a document's rows and its row in the log go
together, so the next run loads it again.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, partial
from typing import Any, NamedTuple

from sqlalchemy.engine import URL

from xml_extractor.contract.layout import TableLayout
from xml_extractor.contract.model import Contract
from xml_extractor.documents import Row
from xml_extractor.errors import TargetError
from xml_extractor.processing_log.log_table import LOG_TABLE, log_count, log_entry, log_row
from xml_extractor.processing_log.statements import COUNTED, COUNTS, DONE, PUT_BACK, SAME_ROW, rejects
from xml_extractor.schema.comparison import differences, refuse_errors
from xml_extractor.schema.ddl import create_statements
from xml_extractor.schema.model import Difference
from xml_extractor.settings import InsertStrategy
from xml_extractor.targets.document_rows import Dialect, KeyPlace, deletion
from xml_extractor.targets.interfaces import Batch, LogCount, LogEntry, LogPlace, Refusal, RejectSelection, RowBinder
from xml_extractor.targets.row_conversion import row_converter
from xml_extractor.targets.sqlite.catalog import missing_codes, read_catalog
from xml_extractor.targets.sqlite.errors import errors_end_the_run, explain
from xml_extractor.targets.sqlite.file import SqliteFile, quoted, quoted_table, sqlite_file, switch_to_wal, transaction
from xml_extractor.targets.sqlite.values import storage
from xml_extractor.targets.table_by_table import insert_table_by_table

_DIALECT = Dialect(quoted, quoted_table, quoted_table)

MAX_VARIABLES = 900
"""Parameters in a statement; SQLite before 3.32 allows 999."""


def open_target(url: URL, _contract: Contract, /) -> "SqliteTarget":
    """The target that an address names.

    Raises:
        UsageError: The address is wrong.
    """
    return SqliteTarget(sqlite_file(url))


@dataclass(frozen=True, slots=True)
class SqliteTarget:
    """A SQLite file that documents are loaded into."""

    file: SqliteFile

    @property
    def name(self) -> str:
        """Its address, which never holds a secret."""
        return self.file.name

    @property
    def strategies(self) -> tuple[InsertStrategy, ...]:
        """Calls for each table: they cost nothing here."""
        return ("executemany",)

    def create_statements(self, tables: Sequence[TableLayout]) -> list[str]:
        """The statements that make what is missing of the processing log and the tables; each can be run again."""
        return create_statements(tables, "sqlite")

    def create(self, tables: Sequence[TableLayout]) -> None:
        """Make the file, and what is missing of the processing log and the tables.

        Raises:
            TargetError: The database cannot be written, or refuses.
        """
        with self._writing() as database:
            self._create(database, tables)

    def differences(self, tables: Sequence[TableLayout]) -> list[Difference]:
        """All in which tables and processing log are not as needed, errors first. Nothing is changed or made.

        Raises:
            TargetError: The file cannot be read.
        """
        if not self.file.path.exists():
            return differences((LOG_TABLE, *tables), {}, dialect_name="sqlite")
        with self._refusals_end_the_run(), closing(self.file.open(read_only=True)) as database:
            return self._differences(database, tables)

    def prepare(self, tables: Sequence[TableLayout]) -> None:
        """Make the file and what is missing of tables and processing log; see that the tables fit.

        Raises:
            TargetError: A table does not fit, or the database cannot be written.
        """
        with self._writing() as database:
            self._create(database, tables)
            refuse_errors(self.name, self._differences(database, tables))

    def log_place(self, contract: str) -> LogPlace | None:  # noqa: ARG002 - no source looks there
        """None: the log is near enough to be asked for each page of keys."""
        return None

    def row_binders(self, tables: Sequence[TableLayout]) -> tuple[RowBinder, ...]:
        """For each table, from a row as it was mapped to what connections insert."""
        return tuple(map(row_binder, tables))

    def round_trip(self) -> float:
        """Nothing travels."""
        return 0.0

    def connect(self, _strategy: InsertStrategy = "executemany") -> "SqliteConnection":
        """Open a connection.

        Raises:
            TargetError: It cannot be opened.
        """
        with self._refusals_end_the_run():
            return SqliteConnection(self.file.open())

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction; the file is made if it is missing."""
        with self._refusals_end_the_run(), closing(self.file.open()) as database:
            switch_to_wal(database, self.file.timeout)
            with transaction(database):
                yield database

    def _create(self, database: sqlite3.Connection, tables: Sequence[TableLayout]) -> None:
        for statement in self.create_statements(tables):
            database.execute(statement)

    def _differences(self, database: sqlite3.Connection, tables: Sequence[TableLayout]) -> list[Difference]:
        wanted = (LOG_TABLE, *tables)
        actual = read_catalog(database, [table.table for table in wanted])
        return differences(wanted, actual, dialect_name="sqlite", missing_codes=partial(missing_codes, database))

    def _refusals_end_the_run(self) -> AbstractContextManager[None]:
        tip = "end what else writes to it, and run the same command again"
        return errors_end_the_run(TargetError, f"{self.name} cannot be used", tip)


class SqliteConnection:
    """A connection to a SQLite file."""

    def __init__(self, database: sqlite3.Connection) -> None:
        database.execute("PRAGMA foreign_keys = ON")
        database.execute("PRAGMA synchronous = NORMAL")
        self._database = database
        self._inserting: TableLayout | None = None

    def transaction(self) -> AbstractContextManager[None]:
        """Take the write lock, commit at the end of the block, roll back when it raises."""
        self._inserting = None
        return transaction(self._database)

    def insert_batch(self, batch: Batch, batch_rows: int) -> None:
        """Insert rows of the log, and then of the tables, by calls of at most so many rows."""
        insert_table_by_table(self, batch, batch_rows)
        self._inserting = None

    def insert_rows(self, table: TableLayout, rows: Sequence[Row]) -> None:
        """Insert bound rows by one call, with the table's way of treating conflicts."""
        self._inserting = table
        self._database.executemany(_statements(table).insert, rows)

    def insert_log(self, entries: Sequence[LogEntry]) -> None:
        """Insert rows into the processing log; its primary key refuses documents that are there."""
        bind = row_binder(LOG_TABLE)
        self.insert_rows(LOG_TABLE, [bind(log_row(entry)) for entry in entries])

    def delete_log(self, entries: Sequence[LogEntry]) -> None:
        """Delete these rows of the processing log; one that is not as it was read stays."""
        same = " AND ".join(f"{column} = :{column}" for column in SAME_ROW)
        values = ({column: getattr(entry, column) for column in SAME_ROW} for entry in entries)
        self._database.executemany(f"DELETE FROM processing_log WHERE {same}", values)  # noqa: S608 - constants

    def delete_documents(self, places: Sequence[KeyPlace], keys: Sequence[Row]) -> list[int]:
        """Delete the rows of documents, and say how many each had."""
        statements = [(deletion(place, _DIALECT, "?"), storage(place.column.type).to_sqlite) for place in places]
        deleted = []
        for key in keys:
            rows = 0
            for (statement, convert), value in zip(statements, key, strict=True):
                rows += self._database.execute(statement, (convert(value) if convert else value,)).rowcount
            deleted.append(rows)
        return deleted

    def logged_keys(self, contract: str, keys: Sequence[str]) -> set[str]:
        """Those of these document keys that are done: that have a row in the processing log, not to be retried."""
        return {key for (key,) in self._log_rows("SELECT document_key FROM processing_log", contract, keys, DONE)}

    def logged(self, contract: str, keys: Sequence[str]) -> dict[str, LogEntry]:
        """The processing log's rows of these documents, by document key."""
        statements = _statements(LOG_TABLE)
        rows = self._log_rows(statements.select, contract, keys)
        return {entry.document_key: entry for entry in map(log_entry, map(statements.restore, rows))}

    def read_log(self) -> Iterator[LogEntry]:
        """All rows of the processing log, in no particular order."""
        return map(log_entry, self.read_rows(LOG_TABLE))

    def rejected(self, selection: RejectSelection) -> Iterator[LogEntry]:
        """The processing log's rows of rejected documents, in no particular order."""
        statements = _statements(LOG_TABLE)
        for where, values in rejects(selection):
            rows = self._database.execute(f"{statements.select} WHERE {where}", values)
            yield from map(log_entry, map(statements.restore, rows))

    def put_back(self, selection: RejectSelection) -> int:
        """Have rejected documents tried again by the next run, by the status `RETRY`, and say how many."""
        return sum(
            self._database.execute(f"UPDATE processing_log SET {PUT_BACK} WHERE {where}", values).rowcount  # noqa: S608 - constants, values bound
            for where, values in rejects(selection)
        )

    def log_counts(self, contract: str) -> list[LogCount]:
        """How many documents the processing log has, in no particular order."""
        rows = self._database.execute(f"SELECT {COUNTS} FROM processing_log {COUNTED}", (contract,))  # noqa: S608 - constants
        return [log_count((*row, datetime.fromisoformat(last))) for *row, last in rows]

    def read_rows(self, table: TableLayout) -> Iterator[Row]:
        """All rows of a table, in no particular order, with values as they were inserted."""
        statements = _statements(table)
        return map(statements.restore, self._database.execute(statements.select))

    def explain(self, error: Exception) -> Refusal | None:
        """What an exception raised by this connection means; None if it is not the database's."""
        refusal = explain(error)
        return None if refusal is None else replace(refusal, table=self._inserting)

    def close(self) -> None:
        """Close without committing."""
        self._database.close()

    def _log_rows(
        self, select: str, contract: str, keys: Sequence[str], condition: str = "TRUE"
    ) -> Iterator[tuple[Any, ...]]:
        for first in range(0, len(keys), MAX_VARIABLES):
            some = keys[first : first + MAX_VARIABLES]
            places = ", ".join("?" * len(some))
            yield from self._database.execute(
                f"{select} WHERE contract = ? AND document_key IN ({places}) AND {condition}", (contract, *some)
            )


class _Statements(NamedTuple):
    """What is prepared once for a table: its SQL, and the way of values to SQLite and back."""

    insert: str
    select: str
    bind: RowBinder
    restore: Callable[[tuple[Any, ...]], Row]


def row_binder(table: TableLayout) -> RowBinder:
    """From a row as it was mapped to what SQLite keeps."""
    return _statements(table).bind


@cache
def _statements(table: TableLayout) -> _Statements:
    name = quoted_table(table.table)
    columns = ", ".join(quoted(column.name) for column in table.columns)
    places = ", ".join("?" * len(table.columns))
    return _Statements(
        insert=f"INSERT INTO {name} ({columns}) VALUES ({places}){_on_conflict(table)}",  # noqa: S608 - names are quoted, values bound
        select=f"SELECT {columns} FROM {name}",  # noqa: S608 - names are quoted
        bind=row_converter([storage(column.type).to_sqlite for column in table.columns]),
        restore=row_converter([storage(column.type).from_sqlite for column in table.columns]),
    )


def _on_conflict(table: TableLayout) -> str:
    if table.on_conflict == "fail" or not table.key:
        return ""
    key = ", ".join(map(quoted, table.key))
    others = [quoted(column.name) for column in table.columns if column.name not in table.key]
    if table.on_conflict == "keep" or not others:
        return f" ON CONFLICT ({key}) DO NOTHING"
    return f" ON CONFLICT ({key}) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in others)}"
