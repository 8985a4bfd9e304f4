"""A schema of a SQL Server as a scratch database."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from env_prep.baseline.scratch import Kind, Row
from xml_extractor.connections import errors_end_the_run
from xml_extractor.errors import TargetError, UsageError
from xml_extractor.schema.names import literal, t_sql_name, t_sql_table
from xml_extractor.targets.sqlserver.address import SqlServerAddress, read_address
from xml_extractor.targets.sqlserver.connection import SqlServerConnection
from xml_extractor.urls import URL


def open_scratch_database(url: URL, /) -> "SqlServerScratch":
    """Return the scratch database of an address.

    Raises:
        UsageError: The address is wrong, or names no schema.
    """
    address = read_address(url)
    if not address.schema:
        raise UsageError("the address has no schema", "name one that does not exist with --schema")
    return SqlServerScratch(address)


@dataclass(frozen=True, slots=True)
class SqlServerScratch:
    """A schema; see `scratch.ScratchDatabase`."""

    server: SqlServerAddress

    @property
    def kind(self) -> Kind:
        """`mssql`."""
        return "mssql"

    @property
    def name(self) -> str:
        """Server, database and schema, without secrets."""
        return self.server.name

    @property
    def address(self) -> str:
        """The URL of the schema; may contain secrets."""
        return self.server.address

    def names(self) -> frozenset[str]:
        """Return the names of all objects of the schema, except those that belong to a table, such as keys."""
        schema = literal(self.server.schema)
        rows = self.read(
            f"SELECT name FROM sys.objects WHERE schema_id = SCHEMA_ID({schema}) AND parent_object_id = 0"  # noqa: S608 - quoted
        )
        return frozenset(str(name) for (name,) in rows)

    def create(self) -> bool:
        """Create the schema if it does not exist."""
        schema = self.server.schema
        if self.read(f"SELECT SCHEMA_ID({literal(schema)})") != [(None,)]:
            return False
        self.change([(f"CREATE SCHEMA {t_sql_name(schema)}", [()])])
        return True

    def remove(self) -> None:
        """Drop the schema."""
        self.change([(f"DROP SCHEMA {t_sql_name(self.server.schema)}", [()])])

    def quoted(self, table: str) -> str:
        """Quote the name of a table, with its schema."""
        return t_sql_table(table, self.server.schema)

    def read(self, statement: str) -> list[Row]:
        """Return the rows of a query."""
        with self._opened() as connection:
            return [tuple(row) for row in connection.query(statement)]

    def change(self, statements: Sequence[tuple[str, Sequence[Row]]]) -> None:
        """Execute each statement once for each of its rows of parameters."""
        with self._opened() as connection:
            for statement, rows in statements:
                for row in rows:
                    connection.last_row(statement, row, types=())

    def compact(self) -> None:
        """Do nothing: the server frees the space of dropped tables itself."""

    @contextmanager
    def _opened(self) -> Iterator[SqlServerConnection]:
        with (
            errors_end_the_run(TargetError, f"{self.name} cannot be used", "run the same command again"),
            closing(SqlServerConnection(self.server)) as connection,
        ):
            yield connection
