"""A connection that reads rows of SQL Server to compare them."""

from collections.abc import Iterator, Sequence
from typing import Any

from xml_extractor.connections import row_converter
from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.documents import Row
from xml_extractor.schema.names import database_name, t_sql_name, t_sql_table
from xml_extractor.schema.type_fit import CODE_PAGE_TYPES
from xml_extractor.targets.delete_plan import Dialect
from xml_extractor.targets.interfaces import KeyPart, RowForm, RowHash, parts
from xml_extractor.targets.sqlserver.address import SqlServerAddress
from xml_extractor.targets.sqlserver.connection import SqlServerConnection
from xml_extractor.targets.sqlserver.hashing import HashSupport, hash_support, row_hash
from xml_extractor.targets.sqlserver.knowledge import ServerKnowledge
from xml_extractor.targets.sqlserver.statements import (
    cast_key,
    comparable,
    parameter,
    restore_columns,
    select_columns,
)

PARAMETERS_IN_STATEMENT = 250


class ComparingServerConnection(SqlServerConnection):
    """A `ComparingConnection` to a database on a SQL Server, whose transactions commit.

    Args:
        address: The database.
        knowledge: What is known about the server.

    Raises:
        DatabaseError: The server cannot be reached, or refuses.
    """

    def __init__(self, address: SqlServerAddress, knowledge: ServerKnowledge) -> None:
        self._knowledge = knowledge
        self._hash_support: HashSupport | None = None
        super().__init__(address, autocommit=False)

    @property
    def names(self) -> Dialect:
        """How names are written in statements."""
        return Dialect(t_sql_name, lambda table: t_sql_table(table, self._address.schema), _bare_name)

    def row_form(self, table: TableLayout) -> RowForm:
        """Return how rows of a table are compared: as they are mapped."""
        restore, form = restore_columns(table), comparable(table)
        return RowForm(select_columns(table), lambda row: form(restore(row)), form)

    def row_hash(self, table: TableLayout) -> RowHash | None:
        """Return how the server hashes rows of a table; None if it cannot."""
        if self._hash_support is None:
            self._hash_support = hash_support(self)
        return row_hash(table, self._hash_support)

    def query_keys(
        self, query: str, columns: Sequence[KeyPart], keys: Sequence[Row], rest: str = ""
    ) -> Iterator[Sequence[Any]]:
        """Execute a query for the rows with these keys, and yield what it returns."""
        bind = row_converter([parameter(column.type).bind for _, _, column in columns])
        return self._query_bound_keys(query, columns, list(map(bind, keys)), rest)

    def _query_bound_keys(
        self, query: str, columns: Sequence[KeyPart], keys: Sequence[Row], rest: str = ""
    ) -> Iterator[Sequence[Any]]:
        bound = [parameter(column.type) for _, _, column in columns]
        names = [t_sql_name(name) for name, _, _ in columns]
        places = [self._key_parameter(table, column) for _, table, column in columns]
        same = " AND ".join(f"{name} = {place}" for name, place in zip(names, places, strict=True))
        for some in parts(keys, max(1, PARAMETERS_IN_STATEMENT // len(columns))):
            if len(columns) == 1:
                condition = f"{names[0]} IN ({', '.join(places * len(some))})"
            else:
                condition = " OR ".join([f"({same})"] * len(some))
            types = [each.odbc_type for _ in some for each in bound]
            yield from self.query(f"{query} ({condition}){rest}", [value for key in some for value in key], types)

    def _key_parameter(self, table: TableLayout, column: ColumnLayout) -> str:
        if column.type.name not in CODE_PAGE_TYPES:
            return parameter(column.type).place
        return cast_key(column.type, self._knowledge.collation(self, table, column.name))


def _bare_name(table: str) -> str:
    return t_sql_name(database_name(table, embedded=True)[1])
