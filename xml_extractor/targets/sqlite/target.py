"""SQLite as a target: a file, no server, no driver.

A commit survives a crash of the program. If the machine loses power, the last commits may be lost (`PRAGMA synchronous
= NORMAL` in WAL mode), but always whole: a document's rows and its row in the log are lost together, so the next run
loads the document again.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import partial

from xml_extractor.connections import RowBinder, errors_end_the_run
from xml_extractor.contract.layout import TableLayout
from xml_extractor.contract.model import Contract
from xml_extractor.errors import TargetError
from xml_extractor.processing_log.log_table import ADDED_COLUMNS, log_table
from xml_extractor.processing_log.own_tables import own_tables
from xml_extractor.schema.comparison import differences, raise_errors
from xml_extractor.schema.model import ActualTable, Difference
from xml_extractor.settings import ChosenStrategy, InsertStrategy
from xml_extractor.targets.interfaces import TargetConnection
from xml_extractor.targets.sqlite.catalog import missing_codes, read_catalog
from xml_extractor.targets.sqlite.connection import SqliteConnection, SqliteFile, quoted_table, row_binder, sqlite_file
from xml_extractor.urls import URL
from xml_extractor.values.sqltypes import Family


def open_target(url: URL, contract: Contract, /) -> "SqliteTarget":
    """Return the target that an address names.

    Raises:
        UsageError: The address is wrong.
    """
    return SqliteTarget(sqlite_file(url), has_revisions=contract.document.revision is not None)


@dataclass(frozen=True, slots=True)
class SqliteTarget:
    """A SQLite file that documents are loaded into.

    Attributes:
        has_revisions: Whether documents are revisions of things.
    """

    file: SqliteFile
    has_revisions: bool = False

    only_appends = False

    @property
    def name(self) -> str:
        """The address, which never holds a secret."""
        return self.file.name

    @property
    def log_table(self) -> TableLayout:
        """The processing log."""
        return log_table(self.file.log_table)

    @property
    def strategies(self) -> tuple[InsertStrategy, ...]:
        """Calls for each table."""
        return ("executemany",)

    @property
    def strategy_in_use(self) -> InsertStrategy:
        """Calls for each table."""
        return "executemany"

    @property
    def is_embedded(self) -> bool:
        """SQLite is a library."""
        return True

    def create_statements(self, tables: Sequence[TableLayout]) -> list[str]:
        """Return the statements that create missing tables and the processing log; each can be repeated."""
        from xml_extractor.schema.ddl import create_statements  # noqa: PLC0415 - imports SQLAlchemy

        return create_statements(tables, "sqlite", own=self._own_tables)

    def create(self, tables: Sequence[TableLayout]) -> None:
        """Create the file, missing tables and the processing log.

        Raises:
            TargetError: The database cannot be written.
        """
        with self._writing() as database:
            self._create(database, tables)

    def differences(self, tables: Sequence[TableLayout]) -> list[Difference]:
        """Return the differences between the tables and the needed ones, errors first. Nothing is created.

        Raises:
            TargetError: The file cannot be read.
        """
        if not self.file.path.exists():
            return differences((*self._own_tables, *tables), {}, dialect_name="sqlite")
        with self._errors_end_the_run(), closing(self.file.connect(read_only=True)) as database:
            return self._differences(database, tables)

    def prepare(self, tables: Sequence[TableLayout], _connection: TargetConnection | None = None) -> None:
        """Create the file, missing tables and the processing log; check that the tables fit.

        Raises:
            TargetError: A table does not fit, or the database cannot be written.
        """
        with self._writing() as database:
            wanted = {table.table for table in (*self._own_tables, *tables)}
            there = read_catalog(database, sorted(wanted))
            if len(there) < len(wanted):
                self._create(database, tables)
            else:
                _complete_log(database, self.log_table, there[self.log_table.table])
            raise_errors(self.name, self._differences(database, tables))

    def settle(self) -> None:
        """Do nothing: a commit is the last step."""

    def row_binders(self, tables: Sequence[TableLayout]) -> tuple[RowBinder, ...]:
        """Return the functions that bind the rows of each table."""
        return tuple(map(row_binder, tables))

    def connect(self, _strategy: ChosenStrategy = "executemany") -> SqliteConnection:
        """Open a connection.

        Raises:
            TargetError: It cannot be opened.
        """
        with self._errors_end_the_run():
            return self.file.connect()

    @property
    def _own_tables(self) -> tuple[TableLayout, ...]:
        return own_tables(self.log_table, has_revisions=self.has_revisions)

    @contextmanager
    def _writing(self) -> Iterator[SqliteConnection]:
        """Open a connection and a transaction; create the file if it is missing."""
        with self._errors_end_the_run(), closing(self.file.connect()) as database:
            database.switch_to_wal()
            with database.transaction():
                yield database

    def _create(self, database: SqliteConnection, tables: Sequence[TableLayout]) -> None:
        for statement in self.create_statements(tables):
            database.execute(statement)
        log = self.log_table
        _complete_log(database, log, read_catalog(database, [log.table])[log.table])

    def _differences(self, database: SqliteConnection, tables: Sequence[TableLayout]) -> list[Difference]:
        wanted = (*self._own_tables, *tables)
        actual = read_catalog(database, [table.table for table in wanted])
        return differences(wanted, actual, dialect_name="sqlite", missing_codes=partial(missing_codes, database))

    def _errors_end_the_run(self) -> AbstractContextManager[None]:
        tip = "stop other programs that write to it, and run the same command again"
        return errors_end_the_run(TargetError, f"{self.name} cannot be used", tip)


def _complete_log(database: SqliteConnection, log: TableLayout, there: ActualTable) -> None:
    """Add the columns that a log of an earlier version lacks; alter no table of another program."""
    names = {column.name for column in there.columns}
    if names >= {column.name for column in log.columns} - {column.name for column in ADDED_COLUMNS}:
        for column in ADDED_COLUMNS:
            if column.name not in names:
                kind = "TEXT" if column.type.family is Family.TEXT else "INTEGER"
                database.execute(f"ALTER TABLE {quoted_table(log.table)} ADD COLUMN {column.name} {kind}")
