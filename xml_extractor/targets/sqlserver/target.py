"""SQL Server as a target: its tables, and connections that load."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from functools import partial

from xml_extractor.connections import Retrying, RowBinder, errors_end_the_run
from xml_extractor.contract.layout import TableLayout
from xml_extractor.contract.model import Contract
from xml_extractor.errors import TargetError
from xml_extractor.processing_log.log_table import log_table
from xml_extractor.processing_log.own_tables import own_tables
from xml_extractor.schema.comparison import differences, raise_errors
from xml_extractor.schema.model import Difference
from xml_extractor.settings import ChosenStrategy, InsertStrategy
from xml_extractor.targets.interfaces import Target, TargetConnection
from xml_extractor.targets.sqlserver.address import SqlServerAddress, read_address
from xml_extractor.targets.sqlserver.catalog import missing_codes, read_catalog
from xml_extractor.targets.sqlserver.connection import SqlServerConnection
from xml_extractor.targets.sqlserver.knowledge import ServerKnowledge, conversion_differences
from xml_extractor.targets.sqlserver.loading import LoadingConnection
from xml_extractor.targets.sqlserver.statements import row_binder
from xml_extractor.urls import URL


def open_target(url: URL, contract: Contract, /) -> "SqlServerTarget":
    """Return the target that an address names.

    Raises:
        UsageError: The address is wrong.
    """
    has_revisions = contract.document.revision is not None
    read = read_address(url)
    return SqlServerTarget(read, contract.code_page, has_revisions, ServerKnowledge(read.schema))


@dataclass(frozen=True, slots=True)
class SqlServerTarget(Target):
    """A database on a SQL Server that documents are loaded into.

    Attributes:
        code_page: The code page that the contract assumes for `char`, `varchar` and `text`.
        has_revisions: Whether documents are revisions of things.
        knowledge: What its connections learn about the server.
    """

    address: SqlServerAddress
    code_page: str
    has_revisions: bool
    knowledge: ServerKnowledge = field(compare=False, repr=False)

    @property
    def name(self) -> str:
        """Server, database and schema, without secrets."""
        return self.address.name

    @property
    def log_table(self) -> TableLayout:
        """The processing log."""
        return log_table(self.address.log_table)

    @property
    def strategies(self) -> tuple[InsertStrategy, ...]:
        """Arrays of one table's rows, which are fast near the server, or JSON of all tables, in one round trip."""
        return ("executemany", "json")

    @property
    def strategy_in_use(self) -> InsertStrategy:
        """JSON, until arrays prove faster."""
        return self.knowledge.choice.chosen

    def create_statements(self, tables: Sequence[TableLayout]) -> list[str]:
        """Return the statements that create missing tables and the processing log; each can be repeated."""
        from xml_extractor.schema.ddl import create_statements  # noqa: PLC0415 - imports SQLAlchemy

        return create_statements(tables, "mssql", self.address.schema, self._own_tables)

    def create(self, tables: Sequence[TableLayout]) -> None:
        """Create missing schemas and tables, and the processing log.

        Raises:
            TargetError: The server cannot be reached, or rejects a statement.
        """
        with self._errors_end_the_run(), closing(SqlServerConnection(self.address)) as connection:
            for statement in self.create_statements(tables):
                connection.execute(statement)

    def differences(self, tables: Sequence[TableLayout]) -> list[Difference]:
        """Return the differences between the tables and the needed ones, errors first.

        Raises:
            TargetError: The server cannot be reached, or its catalog cannot be read.
        """
        with self._errors_end_the_run(), closing(SqlServerConnection(self.address)) as connection:
            return self._differences(connection, tables)

    def prepare(self, tables: Sequence[TableLayout], connection: TargetConnection | None = None) -> None:
        """Check that tables and processing log exist and fit. Nothing is created: a run may lack the permission.

        Raises:
            TargetError: The server cannot be reached, or a table is missing or does not fit.
        """
        if not isinstance(connection, LoadingConnection):
            raise_errors(self.name, self.differences(tables))
            return
        with self._errors_end_the_run():
            raise_errors(self.name, self._differences(connection, tables))

    def row_binders(self, tables: Sequence[TableLayout]) -> tuple[RowBinder, ...]:
        """Return the functions that bind the rows of each table."""
        return tuple(map(row_binder, tables))

    def connect(self, strategy: ChosenStrategy = "executemany") -> LoadingConnection:
        """Open a connection; retry for about a minute after transient errors.

        Raises:
            TargetError: It cannot be opened.
        """
        with self._errors_end_the_run():
            return Retrying()(LoadingConnection, self.address, strategy, self.knowledge)

    def _differences(self, connection: SqlServerConnection, tables: Sequence[TableLayout]) -> list[Difference]:
        wanted = (*self._own_tables, *tables)
        there = read_catalog(connection, [table.table for table in wanted], self.address.schema)
        self.knowledge.note_tables(there)
        found = differences(
            wanted,
            there,
            dialect_name="mssql",
            code_page=self.code_page,
            missing_codes=partial(missing_codes, connection),
        )
        return [*conversion_differences(connection, tables), *found]

    @property
    def _own_tables(self) -> tuple[TableLayout, ...]:
        return own_tables(self.log_table, has_revisions=self.has_revisions)

    def _errors_end_the_run(self) -> AbstractContextManager[None]:
        return errors_end_the_run(TargetError, f"{self.name} cannot be used", "run the same command again")
