"""SQLite as a target: a file, no server, no driver.

A commit survives a crash of the program, at any moment. When the machine itself loses power, the last commits may be
lost (`PRAGMA synchronous = NORMAL` in WAL mode), but always whole: a document's rows and its row in the log go
together, so the next run loads it again.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import partial

from sqlalchemy.engine import URL

from xml_extractor.connections import RowBinder, errors_end_the_run
from xml_extractor.contract.layout import TableLayout
from xml_extractor.contract.model import Contract
from xml_extractor.errors import TargetError
from xml_extractor.processing_log.log_table import LOG_TABLE, LogLocation
from xml_extractor.schema.comparison import differences, raise_errors
from xml_extractor.schema.ddl import create_statements
from xml_extractor.schema.model import Difference
from xml_extractor.settings import InsertStrategy
from xml_extractor.targets.sqlite.catalog import missing_codes, read_catalog
from xml_extractor.targets.sqlite.connection import SqliteConnection, SqliteFile, row_binder, sqlite_file


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
        with self._errors_end_the_run(), closing(self.file.connect(read_only=True)) as database:
            return self._differences(database, tables)

    def prepare(self, tables: Sequence[TableLayout]) -> None:
        """Make the file and what is missing of tables and processing log; see that the tables fit.

        Raises:
            TargetError: A table does not fit, or the database cannot be written.
        """
        with self._writing() as database:
            self._create(database, tables)
            raise_errors(self.name, self._differences(database, tables))

    def log_location(self, contract: str) -> LogLocation | None:  # noqa: ARG002 - no source looks there
        """None: the log is near enough to be asked for each page of keys."""
        return None

    def row_binders(self, tables: Sequence[TableLayout]) -> tuple[RowBinder, ...]:
        """For each table, from a row as it was mapped to what connections insert."""
        return tuple(map(row_binder, tables))

    def round_trip(self) -> float:
        """Nothing travels."""
        return 0.0

    def connect(self, _strategy: InsertStrategy = "executemany") -> SqliteConnection:
        """Open a connection.

        Raises:
            TargetError: It cannot be opened.
        """
        with self._errors_end_the_run():
            return self.file.connect()

    @contextmanager
    def _writing(self) -> Iterator[SqliteConnection]:
        """One transaction; the file is made if it is missing."""
        with self._errors_end_the_run(), closing(self.file.connect()) as database:
            database.switch_to_wal()
            with database.transaction():
                yield database

    def _create(self, database: SqliteConnection, tables: Sequence[TableLayout]) -> None:
        for statement in self.create_statements(tables):
            database.execute(statement)

    def _differences(self, database: SqliteConnection, tables: Sequence[TableLayout]) -> list[Difference]:
        wanted = (LOG_TABLE, *tables)
        actual = read_catalog(database, [table.table for table in wanted])
        return differences(wanted, actual, dialect_name="sqlite", missing_codes=partial(missing_codes, database))

    def _errors_end_the_run(self) -> AbstractContextManager[None]:
        tip = "end what else writes to it, and run the same command again"
        return errors_end_the_run(TargetError, f"{self.name} cannot be used", tip)
