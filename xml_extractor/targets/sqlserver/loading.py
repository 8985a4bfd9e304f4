"""A connection that loads into SQL Server: by arrays of rows of one table each, or by one statement as JSON."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import Any

import pyodbc

from xml_extractor.connections import Batch, DatabaseError, ErrorClass, row_converter
from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.documents import Row
from xml_extractor.processing_log.log_table import log_table
from xml_extractor.schema.names import database_name, literal, t_sql_name
from xml_extractor.settings import ChosenStrategy, InsertStrategy
from xml_extractor.targets.delete_plan import DeletePlan, deletion
from xml_extractor.targets.interfaces import (
    ExistingRows,
    Insertion,
    TableRows,
    joined,
    keys_of,
    parts,
    whole_insertion,
)
from xml_extractor.targets.sqlserver.address import SqlServerAddress
from xml_extractor.targets.sqlserver.comparing import ComparingServerConnection
from xml_extractor.targets.sqlserver.errors import classify_number
from xml_extractor.targets.sqlserver.isolation import isolating_statement
from xml_extractor.targets.sqlserver.json_batches import JSON, batch_statement, json_rows, update_statement
from xml_extractor.targets.sqlserver.knowledge import ServerKnowledge, json_support
from xml_extractor.targets.sqlserver.statements import (
    IN_TRANSACTION,
    OdbcType,
    TableStatements,
    collated_keys,
    parameter,
    restore_columns,
    row_binder,
    table_statements,
)

PARAMETERS_IN_CALL = 500
"""Keys in one call that deletes rows: compiling more statements would take longer than the round trips it saves; SQL
Server allows 2,100."""

ISOLATED_BATCHES = 8
"""Batches after the last one with rejects that are sent for isolation at once."""

ISOLATION: Sequence[OdbcType] = (JSON, (pyodbc.SQL_INTEGER, 0, 0), (pyodbc.SQL_INTEGER, 0, 0))
"""How the parameters of the isolating statement are bound."""


class LoadingConnection(ComparingServerConnection):
    """A `TargetConnection` to a database on a SQL Server.

    Args:
        address: The database.
        strategy: How rows are sent.
        knowledge: What is known about the server.

    Raises:
        DatabaseError: The server cannot be reached, or refuses.
    """

    def __init__(
        self,
        address: SqlServerAddress,
        strategy: ChosenStrategy = "executemany",
        knowledge: ServerKnowledge | None = None,
    ) -> None:
        self._strategy = strategy
        self._sends_json = strategy != "executemany"
        knowledge = knowledge or ServerKnowledge(address.schema)
        self._isolated_batches = 0
        self._can_isolate = True
        self._is_used = False
        self._is_undone = False
        self._identity_table = ""
        self._has_changes = False
        super().__init__(address, knowledge)
        knowledge.log_table = knowledge.log_table or self._qualified(self.log_table.table)
        self.log_table = log_table(knowledge.log_table)
        if self._sends_json and knowledge.json_support is None:
            knowledge.json_support = json_support(self)

    def insert_batch(self, batch: Batch, batch_rows: int = 500) -> list[list[int]]:
        """Insert rows by one statement, or by arrays of at most `batch_rows` rows."""
        return self._insert(batch, batch_rows)[0]

    def insert_documents(
        self, tables: Sequence[TableLayout], documents: Sequence[TableRows], batch_rows: int = 500
    ) -> Insertion:
        """Insert those documents that the database accepts.

        After a batch with rejects, the next ones are expected to have some, and are sent for isolation at once.
        """
        if not (self._isolated_batches and self._can_isolate):
            batch, began_at = joined(tables, documents), time.perf_counter()
            try:
                inserted = self._insert(batch, batch_rows)
            except DatabaseError as error:
                if error.error_class is not ErrorClass.DATA or error.table is tables[0] or len(documents) == 1:
                    raise
                self._isolated_batches = ISOLATED_BATCHES
                if not (self._is_undone and self._can_isolate):
                    raise
            else:
                self._note_seconds(batch, time.perf_counter() - began_at)
                return whole_insertion(documents, *inserted)
        insertion = self._isolate(tuple(tables), documents)
        if insertion is None:
            insertion = whole_insertion(documents, *self._insert(joined(tables, documents), batch_rows))
        self._isolated_batches = ISOLATED_BATCHES if insertion.errors else self._isolated_batches - 1
        return insertion

    def execute_many(self, statement: str, columns: Sequence[ColumnLayout], rows: Sequence[Row]) -> None:
        """Execute a statement with each of these rows, by one call, within a transaction."""
        self._has_changes = True
        super().execute_many(statement, columns, rows)

    def update_rows(self, table: TableLayout, names: Sequence[str], rows: Sequence[Row]) -> None:
        """Set columns of rows, by one statement if rows are sent as JSON."""
        compared = replace(table, on_conflict="replace")
        text = self._as_json(compared, rows) if self._sends_json else None
        if text is None:
            super().update_rows(table, names, rows)
            return
        (collations,) = self._knowledge.key_collations(self, [compared])
        statement = update_statement(compared, self._address.schema, collations, tuple(names))
        self._send_json(statement, (table,), (text,), (JSON,))

    def existing_rows(self, table: TableLayout, rows: Sequence[Row]) -> Iterator[Row]:
        """Yield the rows of a table, bound, that are there under the keys of these bound rows."""
        statements, bind = table_statements(table, self._address.schema), row_binder(table)
        by_name = {column.name: column for column in table.columns}
        columns = [(name, table, by_name[name]) for name in table.key]
        for row in self._query_bound_keys(f"{statements.select} WHERE", columns, keys_of(table, rows)):
            yield bind(statements.restore(row))

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
        if self._strategy == "auto":
            self._sends_json = self._knowledge.choice.strategy == "json"
        if self._knowledge.json_support is None and self._isolated_batches:
            self._knowledge.json_support = json_support(self)
        with super().transaction():
            yield

    def _note_seconds(self, batch: Batch, seconds: float) -> None:
        """Note how long a batch took, for the choice of a strategy."""
        if self._strategy == "auto":
            filled = [len(rows) for _, rows in batch if rows]
            strategy: InsertStrategy = "json" if self._sends_json else "executemany"
            self._knowledge.choice.note(strategy, len(filled), sum(filled), seconds, self.measure_round_trip)

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

    def _insert(self, batch: Batch, batch_rows: int) -> tuple[list[list[int]], ExistingRows | None]:
        """Insert rows; return the positions of those that are there already, and what is there, if that is returned.

        By JSON it is one statement, except for tables whose rows JSON cannot carry, or not to this server.
        """
        self._is_used = True
        if not self._sends_json:
            return [self._insert_arrays(table, rows, batch_rows) for table, rows in batch], None
        not_inserted: list[list[int]] = []
        existing: dict[int, Sequence[Row]] | None = {}
        written = [(table, rows, self._as_json(table, rows)) for table, rows in batch]
        for is_json, some in groupby(written, key=lambda each: each[2] is not None):
            if is_json:
                tables, _, texts = zip(*some, strict=True)
                positions, there = self._insert_json(tables, texts, is_first=not not_inserted)
                if existing is not None:
                    existing |= {at + len(not_inserted): rows_there for at, rows_there in there.items()}
                not_inserted += positions
            else:
                for table, rows, _ in some:
                    not_inserted.append(self._insert_arrays(table, rows, len(rows)))
                    existing = existing if table.inserts_always else None
        return not_inserted, existing

    def _insert_json(
        self, tables: tuple[TableLayout, ...], texts: Sequence[str], *, is_first: bool
    ) -> tuple[list[list[int]], ExistingRows]:
        """Insert rows by one statement, and return the positions of those that are there already, and what is there."""
        statement = batch_statement(tables, self._address.schema, self._knowledge.key_collations(self, tables))
        results = self._send_json(statement, tables, texts, [JSON] * len(texts), is_first=is_first)
        not_inserted: list[list[int]] = [[] for _ in tables]
        *rows_there, positions = results or [[]]
        for at, position in positions:
            not_inserted[at].append(position)
        shared = [at for at, table in enumerate(tables) if table.is_shared and table.key]
        there: ExistingRows = {
            at: list(map(row_binder(tables[at]), map(restore_columns(tables[at]), found)))
            for at, found in zip(shared, rows_there, strict=True)
        }
        return not_inserted, there

    def _as_json(self, table: TableLayout, rows: Sequence[Row]) -> str | None:
        support = self._knowledge.json_support
        if support is None or not support.carries(table):
            return None
        with self._session_in_use(table):  # a value that does not fit is an error of its table
            return json_rows(table, rows, only_plain=not support.any_text, numbered=not table.inserts_always)

    def _isolate(self, tables: tuple[TableLayout, ...], documents: Sequence[TableRows]) -> Insertion | None:
        """Insert those documents that the server accepts as JSON; return None if JSON cannot carry them."""
        support = self._knowledge.json_support
        if support is None or not support.nested:
            return None
        rejected: dict[int, DatabaseError] = {}
        texts: list[str] = []
        for position, document in enumerate(documents):
            try:
                of_tables = [self._as_json(table, rows) for table, rows in zip(tables, document, strict=True)]
            except DatabaseError as error:
                if error.error_class is not ErrorClass.DATA:
                    raise
                rejected[position] = error
                of_tables = []
            if None in of_tables:
                return None
            texts.append(f"[{','.join(map(str, of_tables))}]")
        statement = isolating_statement(tables, self._address.schema, self._knowledge.key_collations(self, tables))
        values = (f"[{','.join(texts)}]", len(documents), int(not self._has_changes))
        try:
            results = self._send_json(statement, tables, values, ISOLATION)[-1]
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
    ) -> list[list[pyodbc.Row]]:
        """Execute a statement for these tables and return its results.

        If it fails, the last result is the position of the table at fault, and whether its changes are undone: all of
        the batch's, if it is the first statement of a batch.
        """
        results: list[list[pyodbc.Row]] = []
        self._is_undone = False
        with self._session_in_use() as session:
            self._allow_identity(session, "")
            cursor = self._prepared_cursor(statement)
            cursor.setinputsizes(types)
            try:
                cursor.execute(statement, *values)
                while True:
                    if cursor.description is not None:
                        results.append(cursor.fetchall())
                    if not cursor.nextset():
                        break
            except pyodbc.Error:
                if not (results and results[-1]):
                    raise
                at_fault, is_undone = results[-1][0]
                self._is_undone = bool(is_undone) and is_first
                table = tables[at_fault]
                self._identity_table = self.table_name(table) if table.identity else ""
                with self._session_in_use(table):
                    raise
        self._has_changes = True
        return results

    def _statements(self, table: TableLayout) -> TableStatements:
        names = collated_keys(table)
        if not names:
            return table_statements(table, self._address.schema)
        collations = tuple((name, self._knowledge.collation(self, table, name)) for name in names)
        return table_statements(table, self._address.schema, collations)


def _counted_deletions(statements: Sequence[str], documents: int) -> str:
    """Return all deletions of some documents; the last result has the number of deleted rows of each."""
    counts = [f"@n{number}" for number in range(documents)]
    declared = ", ".join(f"{name} int = 0" for name in counts)
    deletions = [f"{statement}; SET {name} = {name} + @@ROWCOUNT" for name in counts for statement in statements]
    return "; ".join([f"{IN_TRANSACTION}BEGIN DECLARE {declared}", *deletions, f"SELECT {', '.join(counts)}", "END"])
