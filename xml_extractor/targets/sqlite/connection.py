"""A SQLite database file: its address, connections to it, and the statements that load a table."""

import math
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from xml_extractor.connections import (
    Batch,
    DatabaseError,
    ErrorClass,
    Retrying,
    RowBinder,
    row_converter,
    update_by_key,
)
from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.documents import Row
from xml_extractor.errors import UsageError
from xml_extractor.processing_log.log_table import LOG_TABLE_KEY, log_table
from xml_extractor.schema.names import database_name, sqlite_name
from xml_extractor.targets.delete_plan import DeletePlan, Dialect, deletion
from xml_extractor.targets.interfaces import (
    Insertion,
    KeyPart,
    RowForm,
    TableRows,
    joined,
    keys_of,
    parts,
    whole_insertion,
)
from xml_extractor.targets.sqlite.errors import classify
from xml_extractor.targets.sqlite.values import as_stored, storage
from xml_extractor.urls import URL

DEFAULT_TIMEOUT = 30.0
"""Seconds to wait for another writer."""

PARAMETERS_IN_STATEMENT = 500
"""SQLite before 3.32 takes 999 parameters."""

SWITCH_PAUSE_SECONDS = 0.1
"""The pause between attempts to switch to write-ahead logging, at least; twice as long at most."""


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """A database file, which need not exist yet.

    Attributes:
        timeout: Seconds to wait while another connection writes.
        log_table: The name of the processing log; empty for the default one.
    """

    path: Path
    timeout: float = DEFAULT_TIMEOUT
    log_table: str = ""

    @property
    def name(self) -> str:
        """The address, which never holds a secret."""
        return f"sqlite:///{self.path}"

    def connect(self, *, read_only: bool = False) -> "SqliteConnection":
        """Open a connection.

        Raises:
            DatabaseError: The file cannot be opened, or is no database.
        """
        return SqliteConnection(self, read_only=read_only)


def sqlite_file(url: URL) -> SqliteFile:
    """Return the file that an address such as `sqlite:///loads.db?timeout=5` names.

    Raises:
        UsageError: It names no file, or has an unknown option.
    """
    if url.host or not url.database or url.database == ":memory:":
        raise UsageError("the address names no SQLite file", "write sqlite:///FILE, or sqlite:////DIRECTORY/FILE")
    unknown = set(url.query) - {"timeout", LOG_TABLE_KEY}
    if unknown:
        raise UsageError(f"SQLite has no option '{min(unknown)}'", "the only one is timeout, in seconds")
    try:
        timeout = float(str(url.query.get("timeout", DEFAULT_TIMEOUT)))
    except ValueError:
        raise UsageError("the timeout is not a number", "write it in seconds, such as ?timeout=5") from None
    return SqliteFile(Path(url.database), timeout, str(url.query.get(LOG_TABLE_KEY, "")))


def quoted_table(table: str) -> str:
    """Return the quoted name of a table, without its schema."""
    return sqlite_name(database_name(table, embedded=True)[1])


_DIALECT = Dialect(sqlite_name, quoted_table, quoted_table)


class SqliteConnection:
    """A `TargetConnection` to a SQLite file. Outside a transaction each statement commits by itself.

    Args:
        file: The database.
        read_only: Whether statements can only read, and a missing file is an error.

    Attributes:
        driver: The driver's connection, for its settings; statements go through this class.
        log_table: The processing log, under the name that the address gives it.

    Raises:
        DatabaseError: The file cannot be opened, or is no database.
    """

    dialect = "sqlite"
    names = _DIALECT

    def __init__(self, file: SqliteFile, *, read_only: bool = False) -> None:
        self.log_table = log_table(file.log_table)
        self._timeout = file.timeout
        with _classified_errors():
            self.driver = sqlite3.connect(
                f"{file.path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}",
                uri=True,
                timeout=file.timeout,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                self.driver.execute("PRAGMA schema_version").fetchone()
                self.driver.execute("PRAGMA foreign_keys = ON")
                self.driver.execute("PRAGMA synchronous = NORMAL")
            except sqlite3.Error:
                self.driver.close()
                raise

    def switch_to_wal(self) -> None:
        """Let readers and a writer work concurrently. SQLite itself does not wait if two connections switch at once.

        Raises:
            DatabaseError: Another connection has locked the file, or the file cannot be written.
        """
        attempts = math.ceil(self._timeout / SWITCH_PAUSE_SECONDS)
        Retrying(attempts=attempts, longest_pause=SWITCH_PAUSE_SECONDS)(self.execute, "PRAGMA journal_mode = WAL")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Take the write lock at once, commit at the end of the block, roll back if it raises."""
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            if self.driver.in_transaction:
                self.execute("ROLLBACK")
            raise

    def query(self, statement: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Execute a query and yield its rows."""
        with _classified_errors():
            yield from self.driver.execute(statement, values)

    def execute(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Execute a statement and return the number of rows that it changed."""
        with _classified_errors():
            return self.driver.execute(statement, values).rowcount

    def execute_many(
        self,
        statement: str,
        columns: Sequence[ColumnLayout],  # noqa: ARG002 - SQLite takes values of any type
        rows: Sequence[Row],
    ) -> None:
        """Execute a statement with each of these rows, by one call."""
        with _classified_errors():
            self.driver.executemany(statement, rows)

    def update_rows(self, table: TableLayout, names: Sequence[str], rows: Sequence[Row]) -> None:
        """Set columns of rows, which are found by their keys."""
        self.execute_many(*update_by_key(self.table_name(table), table, names, rows))

    def table_name(self, table: TableLayout) -> str:
        """Return the quoted name of a table."""
        return quoted_table(table.table)

    def row_binder(self, table: TableLayout) -> RowBinder:
        """Return the function that binds rows of a table."""
        return row_binder(table)

    def read_rows(self, table: TableLayout, condition: str = "", values: Sequence[Any] = ()) -> Iterator[Row]:
        """Yield rows of a table, in no particular order, with values as they were before they were bound."""
        statements = _statements(table)
        select = f"{statements.select} WHERE {condition}" if condition else statements.select
        return map(statements.restore, self.query(select, values))

    def row_form(self, table: TableLayout) -> RowForm:
        """Return how rows of a table are compared: as they are stored, so that nothing is converted back."""
        statements, stored = _statements(table), as_stored([column.type for column in table.columns])
        return RowForm(statements.columns, stored, lambda row: stored(statements.bind(row)))

    def row_hash(self, _table: TableLayout) -> None:
        """Return None: in this process, rows are read as fast as they are hashed."""

    def query_keys(
        self, query: str, columns: Sequence[KeyPart], keys: Sequence[Row], rest: str = ""
    ) -> Iterator[Sequence[Any]]:
        """Execute a query for the rows with these keys, and yield what it returns."""
        bind = row_converter([storage(column.type).to_sqlite for _, _, column in columns])
        return self._query_bound_keys(query, [name for name, _, _ in columns], list(map(bind, keys)), rest)

    def existing_rows(self, table: TableLayout, rows: Sequence[Row]) -> Iterator[Row]:
        """Yield the rows of a table, bound, that are there under the keys of these bound rows."""
        return map(tuple, self._query_bound_keys(f"{_statements(table).select} WHERE", table.key, keys_of(table, rows)))

    def _query_bound_keys(
        self, query: str, names: Sequence[str], keys: Sequence[Row], rest: str = ""
    ) -> Iterator[Sequence[Any]]:
        key, places = ", ".join(map(sqlite_name, names)), f"({', '.join('?' * len(names))})"
        for some in parts(keys, max(1, PARAMETERS_IN_STATEMENT // len(names))):
            condition = f"({key}) IN (VALUES {', '.join([places] * len(some))})"
            yield from self.query(f"{query} ({condition}){rest}", [value for row in some for value in row])

    def insert_batch(self, batch: Batch, batch_rows: int = 500) -> list[list[int]]:
        """Insert rows by calls of at most `batch_rows` rows of one table, or row by row where rows may be there."""
        return [self._insert(table, rows, batch_rows) for table, rows in batch]

    def _insert(self, table: TableLayout, rows: Sequence[Row], batch_rows: int) -> list[int]:
        statements = _statements(table)
        not_inserted: list[int] = []
        with _classified_errors(table, self._name_unique_index):
            if table.inserts_always:
                for some in parts(rows, batch_rows):
                    self.driver.executemany(statements.insert, some)
                return not_inserted
            cursor = self.driver.cursor()
            for position, row in enumerate(rows):
                if not cursor.execute(statements.insert, row).rowcount:
                    not_inserted.append(position)
                    if statements.replace:
                        cursor.execute(statements.replace, row)
        return not_inserted

    def insert_documents(
        self, tables: Sequence[TableLayout], documents: Sequence[TableRows], batch_rows: int = 500
    ) -> Insertion:
        """Insert those documents that the database accepts: all at once, or one by one after an error."""
        inserted = self._try_to_insert(joined(tables, documents), batch_rows)
        if not isinstance(inserted, DatabaseError):
            return whole_insertion(documents, inserted)
        if inserted.table is tables[0] or len(documents) == 1:
            raise inserted
        errors: dict[int, DatabaseError] = {}
        not_inserted: dict[tuple[int, int], int] = {}
        for position, document in enumerate(documents):
            inserted = self._try_to_insert(joined(tables, [document]), batch_rows)
            if isinstance(inserted, DatabaseError):
                errors[position] = inserted
            else:
                not_inserted |= {(position, index): len(rows) for index, rows in enumerate(inserted) if rows}
        return Insertion(errors, not_inserted)

    def delete_documents(self, plan: DeletePlan, keys: Sequence[Row]) -> list[int]:
        """Delete the rows of documents, and return how many each had."""
        statements = [(deletion(column, _DIALECT, "?"), storage(column.column.type).to_sqlite) for column in plan]
        return [
            sum(
                self.execute(statement, (convert(value) if convert else value,))
                for (statement, convert), value in zip(statements, key, strict=True)
            )
            for key in keys
        ]

    def _try_to_insert(self, batch: Batch, batch_rows: int) -> list[list[int]] | DatabaseError:
        """Return the result of `insert_batch`, or the data error that refuses the rows, after undoing all of them."""
        self.execute("SAVEPOINT documents")
        try:
            return self.insert_batch(batch, batch_rows)
        except DatabaseError as error:
            if error.error_class is not ErrorClass.DATA:
                raise
            self.execute("ROLLBACK TO documents")
            return error
        finally:
            if self.driver.in_transaction:
                self.execute("RELEASE documents")

    def _name_unique_index(self, error: Exception, classified: DatabaseError) -> None:
        """Name the unique index that a row violates: SQLite names only its columns."""
        columns = str(error).partition("UNIQUE constraint failed: ")[2].split(", ")
        if getattr(error, "sqlite_errorname", "") != "SQLITE_CONSTRAINT_UNIQUE" or classified.table is None:
            return
        wanted = [column.rpartition(".")[2] for column in columns]
        for _, name, is_unique, *_ in self.driver.execute(f"PRAGMA index_list({self.table_name(classified.table)})"):
            names = [row[2] for row in self.driver.execute(f"PRAGMA index_info({sqlite_name(name)})")]
            if is_unique and names == wanted:
                shown = f"UNIQUE ({', '.join(names)})" if name.startswith("sqlite_") else f"unique index {name}"
                classified.explanation = f"a row with the same values already exists ({shown})"

    def close(self) -> None:
        """Close without committing."""
        self.driver.close()


@contextmanager
def _classified_errors(
    table: TableLayout | None = None, explain: Callable[[Exception, DatabaseError], None] = lambda _error, _known: None
) -> Iterator[None]:
    """Raise errors of the driver in the block as `DatabaseError`; all statements are executed in such a block."""
    try:
        yield
    except Exception as error:
        classified = classify(error, table)
        if classified is None:
            raise
        explain(error, classified)
        raise classified from None


class _Statements(NamedTuple):
    """The statements of a table, and the conversions of its values to SQLite and back.

    Attributes:
        insert: Does nothing for a row that is there, unless the table's conflicts are errors.
        replace: Replaces a row that is there; empty if it is kept.
        columns: The columns that are inserted.
    """

    insert: str
    replace: str
    columns: str
    select: str
    bind: RowBinder
    restore: Callable[[tuple[Any, ...]], Row]


def row_binder(table: TableLayout) -> RowBinder:
    """Return the function that binds rows of a table for SQLite."""
    return _statements(table).bind


@lru_cache(maxsize=1024)
def _statements(table: TableLayout) -> _Statements:
    name = quoted_table(table.table)
    columns = ", ".join(sqlite_name(column.name) for column in table.columns)
    places = ", ".join("?" * len(table.columns))
    insert = f"INSERT INTO {name} ({columns}) VALUES ({places})"  # noqa: S608 - names are quoted, values bound
    key = ", ".join(map(sqlite_name, table.key))
    others = [sqlite_name(column.name) for column in table.columns if column.name not in table.key]
    update = ", ".join(f"{name} = excluded.{name}" for name in others)
    replaces = table.on_conflict == "replace" and key and others
    return _Statements(
        insert=insert if table.inserts_always else f"{insert} ON CONFLICT ({key}) DO NOTHING",
        replace=f"{insert} ON CONFLICT ({key}) DO UPDATE SET {update}" if replaces else "",
        columns=columns,
        select=f"SELECT {columns} FROM {name}",  # noqa: S608 - names are quoted
        bind=row_converter([storage(column.type).to_sqlite for column in table.columns]),
        restore=row_converter([storage(column.type).from_sqlite for column in table.columns]),
    )
