"""A connection that loads: a batch is one transaction, sent by arrays of rows or as JSON."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import Any

import pyodbc

from xml_extractor.contract.layout import TableLayout
from xml_extractor.documents import Row
from xml_extractor.processing_log.log_table import LOG_TABLE, REASON_LENGTH, log_count, log_entry, log_row
from xml_extractor.processing_log.statements import COUNTED, COUNTS, DONE, PUT_BACK, rejects
from xml_extractor.schema.ddl import CASE_SENSITIVE
from xml_extractor.settings import InsertStrategy
from xml_extractor.targets.document_rows import KeyPlace
from xml_extractor.targets.interfaces import Batch, LogCount, LogEntry, Refusal, RejectSelection
from xml_extractor.targets.sqlserver.address import SqlServerAddress
from xml_extractor.targets.sqlserver.catalog import read_catalog
from xml_extractor.targets.sqlserver.deletions import delete_documents
from xml_extractor.targets.sqlserver.errors import explain, is_lost
from xml_extractor.targets.sqlserver.json_batches import (
    JSON,
    batch_statement,
    json_rows,
    reads_any_json,
)
from xml_extractor.targets.sqlserver.parameters import OFFSET_CODE, Parameter, read_offset
from xml_extractor.targets.sqlserver.session import open_session
from xml_extractor.targets.sqlserver.statements import (
    Change,
    TableStatements,
    collated_keys,
    log_deletion,
    row_binder,
    table_statements,
)
from xml_extractor.targets.table_by_table import insert_table_by_table, parts


class SqlServerConnection:
    """A connection to a database on a SQL Server, opened again by the next transaction after it was lost.

    Args:
        address: Where to.
        strategy: How rows are sent.

    Raises:
        pyodbc.Error: The server cannot be reached, or refuses.
    """

    def __init__(self, address: SqlServerAddress, strategy: InsertStrategy = "executemany") -> None:
        self._address = address
        self._strategy = strategy
        self._reads_any_json = False
        self._session: pyodbc.Connection | None = None
        self._cursors: dict[str, pyodbc.Cursor] = {}
        self._collations: dict[str, dict[str, str]] = {}
        self._identity_table = ""
        self._in_transaction = False
        self._inserting: TableLayout | None = None
        self._open()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end of the block, roll back when it raises. Connects again first if the connection was lost."""
        session = self._open()
        self._inserting, self._in_transaction = None, True
        try:
            yield
            self._allow_identity("")
            with self._noticing_loss():
                session.commit()
        except BaseException:
            self._roll_back(session)
            raise
        finally:
            self._in_transaction = False

    def insert_batch(self, batch: Batch, batch_rows: int) -> None:
        """Insert rows of the log and then of the tables, by one statement, or by arrays of at most so many rows."""
        if self._strategy == "json":
            self._insert_as_json([(LOG_TABLE, _bound_log(batch.log)), *batch.rows])
        else:
            insert_table_by_table(self, batch, batch_rows)
        self._inserting = None

    def insert_rows(self, table: TableLayout, rows: Sequence[Row]) -> None:
        """Insert bound rows, with the table's way of treating conflicts."""
        if self._strategy == "json":
            self._insert_as_json([(table, rows)])
        else:
            self._insert_arrays(table, rows)

    def insert_log(self, entries: Sequence[LogEntry]) -> None:
        """Insert rows into the processing log; its primary key refuses documents that are there."""
        self.insert_rows(LOG_TABLE, _bound_log(entries))

    def delete_log(self, entries: Sequence[LogEntry]) -> None:
        """Delete these rows of the processing log; one that is not as it was read stays."""
        statements = table_statements(LOG_TABLE, self._address.schema)
        self._inserting = None
        self._execute_many(log_deletion(statements.name), statements.parameters, _bound_log(entries))

    def delete_documents(self, places: Sequence[KeyPlace], keys: Sequence[Row]) -> list[int]:
        """Delete the rows of documents, and say how many each had."""
        self._inserting = None
        with self._noticing_loss():
            return list(delete_documents(self._open(), self._address.schema, self._collation, places, keys))

    def logged_keys(self, contract: str, keys: Sequence[str]) -> set[str]:
        """Those of these document keys that are done: that have a row in the processing log, not to be retried."""
        rows = self._log_rows(f"SELECT document_key FROM {self._log}", contract, keys, DONE)  # noqa: S608 - names are quoted
        return {key for (key,) in rows} & set(keys)

    def logged(self, contract: str, keys: Sequence[str]) -> dict[str, LogEntry]:
        """The processing log's rows of these documents, by document key."""
        rows = self._log_rows(table_statements(LOG_TABLE, self._address.schema).select, contract, keys)
        entries = {entry.document_key: entry for entry in map(log_entry, map(tuple, rows))}
        return {key: entries[key] for key in keys if key in entries}

    def read_log(self) -> Iterator[LogEntry]:
        """All rows of the processing log, in no particular order."""
        return map(log_entry, self.read_rows(LOG_TABLE))

    def rejected(self, selection: RejectSelection) -> Iterator[LogEntry]:
        """The processing log's rows of rejected documents, in no particular order."""
        select = table_statements(LOG_TABLE, self._address.schema).select
        for where, values in rejects(selection):
            with self._reading() as cursor:
                _execute(cursor, f"{select} WHERE {where}", values)
                yield from map(log_entry, map(tuple, cursor))

    def put_back(self, selection: RejectSelection) -> int:
        """Have rejected documents tried again by the next run, by the status `RETRY`, and say how many."""
        changed = 0
        for where, values in rejects(selection):
            with closing(self._open().cursor()) as cursor:
                _execute(cursor, f"UPDATE {self._log} SET {PUT_BACK} WHERE {where}; SELECT @@ROWCOUNT", values)  # noqa: S608 - names are quoted
                changed += cursor.fetchval()
        return changed

    def log_counts(self, contract: str) -> list[LogCount]:
        """How many documents the processing log has, in no particular order."""
        with self._reading() as cursor:
            _execute(cursor, f"SELECT {COUNTS} FROM {self._log} {COUNTED}", (contract,))  # noqa: S608 - names are quoted
            return [log_count(tuple(row)) for row in cursor]

    def read_rows(self, table: TableLayout) -> Iterator[Row]:
        """All rows of a table, in no particular order, with values as they were inserted."""
        with self._reading() as cursor:
            yield from map(tuple, cursor.execute(table_statements(table, self._address.schema).select))

    def explain(self, error: Exception) -> Refusal | None:
        """What an exception raised by this connection means; None if it is not the database's."""
        refusal = explain(error, self._inserting)
        return None if refusal is None else replace(refusal, table=self._inserting)

    def close(self) -> None:
        """Close without committing."""
        if self._session is not None:
            with suppress(pyodbc.Error):
                self._session.rollback()
            self._abandon()

    @property
    def _log(self) -> str:
        return table_statements(LOG_TABLE, self._address.schema).name

    def _open(self) -> pyodbc.Connection:
        if self._session is None:
            session = open_session(self._address)
            session.add_output_converter(OFFSET_CODE, read_offset)
            self._reads_any_json = self._strategy == "json" and reads_any_json(session)
            session.autocommit = False
            self._session = session
        return self._session

    @contextmanager
    def _reading(self) -> Iterator[pyodbc.Cursor]:
        """A cursor; what it reads outside a transaction leaves none open."""
        session = self._open()
        try:
            with self._noticing_loss(), closing(session.cursor()) as cursor:
                yield cursor
        finally:
            if not self._in_transaction:
                self._roll_back(session)

    @contextmanager
    def _noticing_loss(self) -> Iterator[None]:
        """Give up a connection that the block finds lost: the driver says of any roll-back on it that it succeeded."""
        try:
            yield
        except pyodbc.Error as error:
            if is_lost(error):
                self._abandon()
            raise

    def _roll_back(self, session: pyodbc.Connection) -> None:
        """Roll back; a connection that cannot even do that is lost, and what it had begun with it."""
        try:
            session.rollback()
            self._allow_identity("")
            session.rollback()
        except pyodbc.Error:
            self._abandon()

    def _abandon(self) -> None:
        session, self._session, self._identity_table = self._session, None, ""
        self._cursors.clear()
        if session is not None:
            with suppress(pyodbc.Error):
                session.close()

    def _statements(self, table: TableLayout) -> TableStatements:
        names = collated_keys(table)
        if not names:
            return table_statements(table, self._address.schema)
        collations = tuple((name, self._collation(table, name)) for name in names)
        return table_statements(table, self._address.schema, collations)

    def _collation(self, table: TableLayout, column: str) -> str:
        """The collation that a column has in the database; empty for none."""
        if table.table not in self._collations:
            there = read_catalog(self._open(), [table.table], self._address.schema).get(table.table)
            columns = there.columns if there is not None else ()
            self._collations[table.table] = {found.name.casefold(): found.collation for found in columns}
        return self._collations[table.table].get(column.casefold(), "")

    def _allow_identity(self, table: str) -> None:
        """Let documents fill the IDENTITY column of this table; a session can allow it for one table at a time."""
        if table == self._identity_table:
            return
        switches = [f"SET IDENTITY_INSERT {self._identity_table} OFF"] if self._identity_table else []
        switches += [f"SET IDENTITY_INSERT {table} ON"] if table else []
        self._open().execute("; ".join(switches)).close()
        self._identity_table = table

    def _insert_as_json(self, tables: Sequence[tuple[TableLayout, Sequence[Row]]]) -> None:
        """Insert rows by one statement, but for those that JSON cannot carry, or not to this server."""
        written = []
        for table, rows in tables:
            self._inserting = table
            written.append((table, rows, json_rows(table, rows, only_plain=not self._reads_any_json)))
        for as_json, some in groupby(written, key=lambda each: each[2] is not None):
            if as_json:
                together, _, texts = zip(*some, strict=True)
                self._execute_json(together, texts)
            else:
                for table, rows, _ in some:
                    self._insert_arrays(table, rows)

    def _execute_json(self, tables: tuple[TableLayout, ...], texts: Sequence[str]) -> None:
        """Run the statement of these tables; where it fails, it selects last which table it was at."""
        statement = batch_statement(tables, self._address.schema)
        cursor = self._cursors.get(statement)
        if cursor is None:
            cursor = self._cursors[statement] = self._open().cursor()
        at = None
        self._inserting = None
        with self._noticing_loss():
            self._allow_identity("")
            try:
                cursor.setinputsizes([JSON] * len(texts))
                cursor.execute(statement, *texts)
                while True:
                    if cursor.description is not None:
                        at = cursor.fetchval()
                    if not cursor.nextset():
                        break
            except pyodbc.Error:
                if at is not None:
                    self._inserting = tables[at]
                    self._identity_table = self._statements(tables[at]).name if tables[at].identity else ""
                raise

    def _insert_arrays(self, table: TableLayout, rows: Sequence[Row]) -> None:
        """Insert rows of one table; by several calls if their array were too large."""
        statements = self._statements(table)
        self._inserting = table
        with self._noticing_loss():
            if table.identity:
                self._allow_identity(statements.name)
            for some in parts(rows, statements.rows_in_call):
                for change in statements.changes:
                    self._execute_many(change, statements.parameters, some)

    def _execute_many(self, change: Change, parameters: Sequence[Parameter], rows: Sequence[Row]) -> None:
        """Run a statement with all rows by one call. Its cursor keeps it prepared.

        Where a trigger gives results, an error behind the first of them is told only to those who ask for the others.
        """
        cursor = self._cursors.get(change.sql)
        if cursor is None:
            cursor = self._cursors[change.sql] = self._open().cursor()
            cursor.fast_executemany = True
        in_order = len(change.columns) == 1 or change.columns == tuple(range(len(parameters)))
        cursor.setinputsizes([parameters[column].odbc_type_for(rows, column) for column in change.columns])
        cursor.executemany(change.sql, list(rows) if in_order else list(map(itemgetter(*change.columns), rows)))
        while cursor.nextset():
            pass

    def _log_rows(self, select: str, contract: str, keys: Sequence[str], condition: str = "1 = 1") -> list[Any]:
        if not keys:
            return []
        asked = f"SELECT value COLLATE {CASE_SENSITIVE} FROM OPENJSON(?)"  # noqa: S608 - constants
        with self._reading() as cursor:
            cursor.setinputsizes([(pyodbc.SQL_WVARCHAR, 100, 0), (pyodbc.SQL_WVARCHAR, 0, 0)])
            cursor.execute(
                f"{select} WHERE contract = ? AND document_key IN ({asked}) AND {condition}",
                contract,
                json.dumps(list(keys)),
            )
            return list(cursor)


def _bound_log(entries: Sequence[LogEntry]) -> list[Row]:
    bind = row_binder(LOG_TABLE)
    return [bind(log_row(entry)) for entry in entries]


def _execute(cursor: pyodbc.Cursor, statement: str, values: Sequence[str | int]) -> None:
    """Run a statement on the processing log; texts are no longer than its columns."""
    text = (pyodbc.SQL_WVARCHAR, REASON_LENGTH, 0)
    cursor.setinputsizes([text if isinstance(value, str) else (pyodbc.SQL_INTEGER, 0, 0) for value in values])
    cursor.execute(statement, *values)
