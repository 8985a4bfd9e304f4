"""A connection that loads into SQL Server: by arrays of rows of one table each, or by one statement as JSON."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

import pyodbc

from xml_extractor.connections import DatabaseError, ErrorClass, row_converter
from xml_extractor.contract.layout import TableLayout
from xml_extractor.documents import Row
from xml_extractor.schema.names import database_name, t_sql_name, t_sql_table
from xml_extractor.schema.type_fit import CODE_PAGE_TYPES
from xml_extractor.settings import InsertStrategy
from xml_extractor.targets.delete_plan import DeletePlan, Dialect, KeyColumn, deletion
from xml_extractor.targets.interfaces import Batch, parts
from xml_extractor.targets.sqlserver.address import SqlServerAddress
from xml_extractor.targets.sqlserver.catalog import read_catalog
from xml_extractor.targets.sqlserver.connection import SqlServerConnection
from xml_extractor.targets.sqlserver.json_batches import JSON, batch_statement, json_rows, reads_any_json
from xml_extractor.targets.sqlserver.statements import (
    IN_TRANSACTION,
    TableStatements,
    cast_key,
    collated_keys,
    parameter,
    table_statements,
)

PARAMETERS_IN_CALL = 500
"""Keys in one call that deletes rows: compiling more statements would take longer than the round trips it saves; SQL
Server allows 2,100."""


class LoadingConnection(SqlServerConnection):
    """A `TargetConnection` to a database on a SQL Server.

    Args:
        address: The database.
        strategy: How rows are sent.

    Raises:
        DatabaseError: The server cannot be reached, or refuses.
    """

    def __init__(self, address: SqlServerAddress, strategy: InsertStrategy = "executemany") -> None:
        self._sends_json = strategy == "json"
        self._reads_any_json = False
        self._collations: dict[str, dict[str, str]] = {}
        self._identity_table = ""
        super().__init__(address, autocommit=False)

    def insert_batch(self, batch: Batch, batch_rows: int = 500) -> list[list[int]]:
        """Insert rows by one statement, or by arrays of at most `batch_rows` rows."""
        if self._sends_json:
            return self._insert_json(batch)
        return [self._insert_arrays(table, rows, batch_rows) for table, rows in batch]

    def delete_documents(self, plan: DeletePlan, keys: Sequence[Row]) -> list[int]:
        """Delete the rows of documents, several documents by one call, and return how many each had."""
        dialect = Dialect(t_sql_name, lambda table: t_sql_table(table, self._address.schema), _bare_name)
        statements = [deletion(column, dialect, self._key_parameter(column)) for column in plan]
        bound = [parameter(column.column.type) for column in plan]
        bind = row_converter([each.bind for each in bound])
        deleted: list[int] = []
        for some in parts(keys, max(1, PARAMETERS_IN_CALL // len(plan))):
            types = [each.odbc_type for _ in some for each in bound]
            deleted += self.last_row(
                _counted_deletions(statements, len(some)), [value for key in some for value in bind(key)], types
            )
        return deleted

    def _connect(self) -> pyodbc.Connection:
        session = super()._connect()
        self._reads_any_json = self._sends_json and reads_any_json(session)
        return session

    def _restore_settings(self) -> None:
        if self._session is not None:
            self._allow_identity(self._session, "")

    def _hang_up(self) -> None:
        self._identity_table = ""
        super()._hang_up()

    def _allow_identity(self, session: pyodbc.Connection, table: str) -> None:
        """Let documents fill the IDENTITY column of this table; a session can allow it for one table at a time."""
        if table == self._identity_table:
            return
        switches = [f"SET IDENTITY_INSERT {self._identity_table} OFF"] if self._identity_table else []
        switches += [f"SET IDENTITY_INSERT {table} ON"] if table else []
        session.execute("; ".join(switches)).close()
        self._identity_table = table

    def _insert_arrays(self, table: TableLayout, rows: Sequence[Row], batch_rows: int) -> list[int]:
        """Insert rows of one table; by several calls if their array would be too large.

        Returns:
            The positions of rows that are there already.
        """
        if not rows:
            return []
        inserted: list[int] = []
        statements = self._statements(table)
        if table.identity:
            with self._session_in_use(table) as session:
                self._allow_identity(session, statements.name)
        for some in parts(rows, min(batch_rows, statements.rows_in_call)):
            for change in statements.changes:
                in_order = len(change.columns) == 1 or change.columns == tuple(range(len(table.columns)))
                types = [statements.parameters[column].odbc_type_for(some, column) for column in change.columns]
                values = list(some) if in_order else list(map(itemgetter(*change.columns), some))
                inserted += self._send_array(change.sql, types, values, table)
        if table.inserts_always:
            return []
        if len(inserted) != len(rows):
            raise DatabaseError(ErrorClass.FATAL, "uncounted", "it does not report which rows it inserted", table=table)
        return [position for position, count in enumerate(inserted) if not count]

    def _insert_json(self, batch: Batch) -> list[list[int]]:
        """Insert rows by one statement, except for those that JSON cannot carry, or not to this server."""
        not_inserted: list[list[int]] = []
        written = [(table, rows, self._as_json(table, rows)) for table, rows in batch]
        for is_json, some in groupby(written, key=lambda each: each[2] is not None):
            if is_json:
                tables, _, texts = zip(*some, strict=True)
                self._send_json(tables, texts)
                not_inserted += [[] for _ in tables]
            else:
                not_inserted += [self._insert_arrays(table, rows, len(rows)) for table, rows, _ in some]
        return not_inserted

    def _as_json(self, table: TableLayout, rows: Sequence[Row]) -> str | None:
        with self._session_in_use(table):  # a value that does not fit is an error of its table
            return json_rows(table, rows, only_plain=not self._reads_any_json)

    def _send_json(self, tables: tuple[TableLayout, ...], texts: Sequence[str]) -> None:
        """Execute the statement of these tables. If it fails, its last result is the position of the table at fault."""
        statement = batch_statement(tables, self._address.schema)
        at_fault: int | None = None
        with self._session_in_use() as session:
            self._allow_identity(session, "")
            cursor = self._prepared_cursor(statement)
            cursor.setinputsizes([JSON] * len(texts))
            try:
                cursor.execute(statement, *texts)
                while True:
                    if cursor.description is not None:
                        at_fault = cursor.fetchval()
                    if not cursor.nextset():
                        break
            except pyodbc.Error:
                if at_fault is None:
                    raise
                table = tables[at_fault]
                self._identity_table = self.table_name(table) if table.identity else ""
                with self._session_in_use(table):
                    raise

    def _statements(self, table: TableLayout) -> TableStatements:
        names = collated_keys(table)
        if not names:
            return table_statements(table, self._address.schema)
        collations = tuple((name, self._collation(table, name)) for name in names)
        return table_statements(table, self._address.schema, collations)

    def _collation(self, table: TableLayout, column: str) -> str:
        """Return the collation that a column has in the database; empty for none."""
        if table.table not in self._collations:
            there = read_catalog(self, [table.table], self._address.schema).get(table.table)
            columns = there.columns if there is not None else ()
            self._collations[table.table] = {found.name.casefold(): found.collation for found in columns}
        return self._collations[table.table].get(column.casefold(), "")

    def _key_parameter(self, column: KeyColumn) -> str:
        sql_type = column.column.type
        if sql_type.name not in CODE_PAGE_TYPES:
            return parameter(sql_type).place
        return cast_key(sql_type, self._collation(column.key_table, column.column.name))


def _counted_deletions(statements: Sequence[str], documents: int) -> str:
    """Return all deletions of some documents; the last result has the number of deleted rows of each."""
    counts = [f"@n{number}" for number in range(documents)]
    declared = ", ".join(f"{name} int = 0" for name in counts)
    deletions = [f"{statement}; SET {name} = {name} + @@ROWCOUNT" for name in counts for statement in statements]
    return "; ".join([f"{IN_TRANSACTION}BEGIN DECLARE {declared}", *deletions, f"SELECT {', '.join(counts)}", "END"])


def _bare_name(table: str) -> str:
    return t_sql_name(database_name(table, embedded=True)[1])
