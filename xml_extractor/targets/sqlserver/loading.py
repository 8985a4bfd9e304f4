"""A connection that loads into SQL Server: by arrays of rows of one table each, or by one statement as JSON."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from typing import Any

import pyodbc

from xml_extractor.connections import DatabaseError, ErrorClass, row_converter
from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.documents import Row
from xml_extractor.processing_log.log_table import log_table
from xml_extractor.schema.names import database_name, literal, t_sql_name, t_sql_table
from xml_extractor.schema.type_fit import CODE_PAGE_TYPES
from xml_extractor.settings import InsertStrategy
from xml_extractor.targets.delete_plan import DeletePlan, Dialect, deletion
from xml_extractor.targets.interfaces import (
    Batch,
    Insertion,
    KeyPart,
    RowForm,
    RowHash,
    TableRows,
    joined,
    parts,
    whole_insertion,
)
from xml_extractor.targets.sqlserver.address import SqlServerAddress
from xml_extractor.targets.sqlserver.catalog import read_catalog
from xml_extractor.targets.sqlserver.connection import SqlServerConnection
from xml_extractor.targets.sqlserver.errors import classify_number
from xml_extractor.targets.sqlserver.hashing import HashSupport, hash_support, row_hash
from xml_extractor.targets.sqlserver.isolation import isolating_statement
from xml_extractor.targets.sqlserver.json_batches import JSON, batch_statement, json_rows
from xml_extractor.targets.sqlserver.probes import JsonSupport, json_support
from xml_extractor.targets.sqlserver.statements import (
    IN_TRANSACTION,
    OdbcType,
    TableStatements,
    cast_key,
    collated_keys,
    comparable,
    parameter,
    restore_columns,
    select_columns,
    table_statements,
)

PARAMETERS_IN_CALL = 500
"""Keys in one call that deletes rows: compiling more statements would take longer than the round trips it saves; SQL
Server allows 2,100."""

ISOLATED_BATCHES = 8
"""Batches after the last one with rejects that are sent for isolation at once."""

ISOLATION: Sequence[OdbcType] = (JSON, (pyodbc.SQL_INTEGER, 0, 0), (pyodbc.SQL_INTEGER, 0, 0))
"""How the parameters of the isolating statement are bound."""


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
        self._json_support: JsonSupport | None = None
        self._hash_support: HashSupport | None = None
        self._isolated_batches = 0
        self._can_isolate = True
        self._is_used = False
        self._is_undone = False
        self._collations: dict[str, dict[str, str]] = {}
        self._identity_table = ""
        self._has_changes = False
        super().__init__(address, autocommit=False)
        self.log_table = log_table(self._qualified(self.log_table.table))

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
        bound = [parameter(column.type) for _, _, column in columns]
        names = [t_sql_name(name) for name, _, _ in columns]
        places = [self._key_parameter(table, column) for _, table, column in columns]
        bind = row_converter([each.bind for each in bound])
        same = " AND ".join(f"{name} = {place}" for name, place in zip(names, places, strict=True))
        for some in parts(keys, max(1, PARAMETERS_IN_CALL // (2 * len(columns)))):
            if len(columns) == 1:
                condition = f"{names[0]} IN ({', '.join(places * len(some))})"
            else:
                condition = " OR ".join([f"({same})"] * len(some))
            types = [each.odbc_type for _ in some for each in bound]
            yield from self.query(f"{query} ({condition}){rest}", [value for key in some for value in bind(key)], types)

    def insert_batch(self, batch: Batch, batch_rows: int = 500) -> list[list[int]]:
        """Insert rows by one statement, or by arrays of at most `batch_rows` rows."""
        self._is_used = True
        if self._sends_json:
            return self._insert_json(batch)
        return [self._insert_arrays(table, rows, batch_rows) for table, rows in batch]

    def insert_documents(
        self, tables: Sequence[TableLayout], documents: Sequence[TableRows], batch_rows: int = 500
    ) -> Insertion:
        """Insert those documents that the database accepts.

        After a batch with rejects, the next ones are expected to have some, and are sent for isolation at once.
        """
        if not (self._isolated_batches and self._can_isolate):
            try:
                inserted = self.insert_batch(joined(tables, documents), batch_rows)
            except DatabaseError as error:
                if error.error_class is not ErrorClass.DATA or error.table is tables[0] or len(documents) == 1:
                    raise
                self._isolated_batches = ISOLATED_BATCHES
                if not (self._is_undone and self._can_isolate):
                    raise
            else:
                return whole_insertion(documents, inserted)
        insertion = self._isolate(tuple(tables), documents)
        if insertion is None:
            insertion = whole_insertion(documents, self.insert_batch(joined(tables, documents), batch_rows))
        self._isolated_batches = ISOLATED_BATCHES if insertion.errors else self._isolated_batches - 1
        return insertion

    def execute_many(self, statement: str, columns: Sequence[ColumnLayout], rows: Sequence[Row]) -> None:
        """Execute a statement with each of these rows, by one call, within a transaction."""
        self._has_changes = True
        super().execute_many(statement, columns, rows)

    def delete_documents(self, plan: DeletePlan, keys: Sequence[Row]) -> list[int]:
        """Delete the rows of documents, several documents by one call, and return how many each had."""
        self._has_changes = True
        statements = [deletion(each, self.names, self._key_parameter(each.key_table, each.column)) for each in plan]
        bound = [parameter(column.column.type) for column in plan]
        bind = row_converter([each.bind for each in bound])
        deleted: list[int] = []
        for some in parts(keys, max(1, PARAMETERS_IN_CALL // len(plan))):
            types = [each.odbc_type for _ in some for each in bound]
            deleted += self.last_row(
                _counted_deletions(statements, len(some)), [value for key in some for value in bind(key)], types
            )
        return deleted

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end of the block, roll back if it raises. Connects again first if the connection was lost."""
        self._has_changes = False
        if self._json_support is None and (self._sends_json or self._isolated_batches):
            self._json_support = json_support(self)
        with super().transaction():
            yield

    def _qualified(self, name: str) -> str:
        """Return the name of a table with its schema: the given one, that of the table, or the default of the login.

        Other logins may have another default, and a table that is created later in the default schema would be found
        instead of one in dbo.
        """
        schema: str | None = self._address.schema
        if not database_name(name, embedded=False)[0] and not schema:
            table = literal(t_sql_name(name))
            (schema,) = self.last_row(f"SELECT COALESCE(OBJECT_SCHEMA_NAME(OBJECT_ID({table})), SCHEMA_NAME())")
        return name if "." in name or not schema else f"{schema}.{name}"

    def _restore_settings(self) -> None:
        if self._session is not None:
            self._allow_identity(self._session, "")

    def _hang_up(self) -> None:
        self._identity_table = ""
        self._is_used = False
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
        self._has_changes = True
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
        written = [(table, rows, self._as_json(table, rows) if table.inserts_always else None) for table, rows in batch]
        for is_json, some in groupby(written, key=lambda each: each[2] is not None):
            if is_json:
                tables, _, texts = zip(*some, strict=True)
                statement = batch_statement(tables, self._address.schema)
                self._send_json(statement, tables, texts, [JSON] * len(texts), is_first=not not_inserted)
                not_inserted += [[] for _ in tables]
            else:
                not_inserted += [self._insert_arrays(table, rows, len(rows)) for table, rows, _ in some]
        return not_inserted

    def _as_json(self, table: TableLayout, rows: Sequence[Row], *, numbered: bool = False) -> str | None:
        support = self._json_support
        if support is None or not support.carries(table):
            return None
        with self._session_in_use(table):  # a value that does not fit is an error of its table
            return json_rows(table, rows, only_plain=not support.any_text, numbered=numbered)

    def _isolate(self, tables: tuple[TableLayout, ...], documents: Sequence[TableRows]) -> Insertion | None:
        """Insert those documents that the server accepts as JSON; return None if JSON cannot carry them."""
        if self._json_support is None or not self._json_support.nested:
            return None
        rejected: dict[int, DatabaseError] = {}
        texts: list[str] = []
        for position, document in enumerate(documents):
            try:
                of_tables = [
                    self._as_json(table, rows, numbered=not table.inserts_always)
                    for table, rows in zip(tables, document, strict=True)
                ]
            except DatabaseError as error:
                if error.error_class is not ErrorClass.DATA:
                    raise
                rejected[position] = error
                of_tables = []
            if None in of_tables:
                return None
            texts.append(f"[{','.join(map(str, of_tables))}]")
        collations = tuple(
            tuple((key, self._collation(table, key)) for key in table.key) if not table.inserts_always else ()
            for table in tables
        )
        statement = isolating_statement(tables, self._address.schema, collations)
        values = (f"[{','.join(texts)}]", len(documents), int(not self._has_changes))
        try:
            results = self._send_json(statement, tables, values, ISOLATION)
        except DatabaseError as error:
            if error.error_class is not ErrorClass.FATAL:
                raise
            # Some servers execute the statement only in a session that has inserted nothing before.
            self._can_isolate = self._is_used
            self._hang_up()
            raise DatabaseError(ErrorClass.TRANSIENT, error.code, error.explanation, tip=error.tip) from None
        not_inserted: dict[tuple[int, int], int] = {}
        for position, at, number, message in results:
            if message is None:
                not_inserted[position, at] = number
            else:
                rejected[position] = classify_number(number, message, tables[at])
        return Insertion(rejected, {key: rows for key, rows in not_inserted.items() if key[0] not in rejected})

    def _send_json(
        self,
        statement: str,
        tables: tuple[TableLayout, ...],
        values: Sequence[Any],
        types: Sequence[OdbcType],
        *,
        is_first: bool = True,
    ) -> list[Sequence[Any]]:
        """Execute a statement for these tables and return its last result.

        If it fails, the last result is the position of the table at fault, and whether its changes are undone: all of
        the batch's, if it is the first statement of a batch.
        """
        last: list[Sequence[Any]] = []
        self._is_undone = False
        with self._session_in_use() as session:
            self._allow_identity(session, "")
            cursor = self._prepared_cursor(statement)
            cursor.setinputsizes(types)
            try:
                cursor.execute(statement, *values)
                while True:
                    if cursor.description is not None:
                        last = cursor.fetchall()
                    if not cursor.nextset():
                        break
            except pyodbc.Error:
                if not last:
                    raise
                at_fault, is_undone = last[0]
                self._is_undone = bool(is_undone) and is_first
                table = tables[at_fault]
                self._identity_table = self.table_name(table) if table.identity else ""
                with self._session_in_use(table):
                    raise
        self._has_changes = True
        return last

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

    def _key_parameter(self, table: TableLayout, column: ColumnLayout) -> str:
        if column.type.name not in CODE_PAGE_TYPES:
            return parameter(column.type).place
        return cast_key(column.type, self._collation(table, column.name))


def _counted_deletions(statements: Sequence[str], documents: int) -> str:
    """Return all deletions of some documents; the last result has the number of deleted rows of each."""
    counts = [f"@n{number}" for number in range(documents)]
    declared = ", ".join(f"{name} int = 0" for name in counts)
    deletions = [f"{statement}; SET {name} = {name} + @@ROWCOUNT" for name in counts for statement in statements]
    return "; ".join([f"{IN_TRANSACTION}BEGIN DECLARE {declared}", *deletions, f"SELECT {', '.join(counts)}", "END"])


def _bare_name(table: str) -> str:
    return t_sql_name(database_name(table, embedded=True)[1])
