"""A connection to SQL Server, with the settings that sources and loading rely on."""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import pyodbc

from xml_extractor.connections import DatabaseError, ErrorClass, RowBinder, update_by_key
from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.documents import Row
from xml_extractor.errors import RunError
from xml_extractor.processing_log.log_table import log_table
from xml_extractor.processing_log.own_tables import is_own
from xml_extractor.targets.sqlserver.address import SqlServerAddress, find_driver
from xml_extractor.targets.sqlserver.errors import LOST, classify
from xml_extractor.targets.sqlserver.statements import (
    COUNTED,
    IN_TRANSACTION,
    LONGEST_IN_PLACE,
    OFFSET_CODE,
    OdbcType,
    code_units,
    parameter,
    read_offset,
    row_binder,
    table_statements,
)

LOGIN_TIMEOUT = 15
"""Seconds to wait for the server when connecting."""

STATEMENT_TIMEOUT = 600
"""Seconds to wait for the answer to a statement."""

LOCK_TIMEOUT = 60
"""Seconds to wait for a lock."""

SETTINGS = (
    # With XACT_ABORT ON, an error in the middle of an array of rows would end the transaction at once, and the rows
    # behind the bad one would be executed outside it. With OFF, the client rolls all of it back.
    "SET XACT_ABORT OFF; "
    "SET NOCOUNT ON; "
    "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; "
    f"SET LOCK_TIMEOUT {LOCK_TIMEOUT * 1000}; "
    "SET LANGUAGE us_english"  # `errors` finds column names in the English messages
)

MOST_PREPARED = 64
"""Statements that a session keeps prepared."""

LONGEST_PARAMETER = 2**31 - 1
"""Bytes of a parameter that are sent with its statement. By default, pyodbc sends long texts after it, in parts, and
the driver then prepares the statement anew each time."""

_TEXT = pyodbc.SQL_WVARCHAR
_LONGEST_TEXT = LONGEST_IN_PLACE[_TEXT]
_DATETIME2 = pyodbc.SQL_TYPE_TIMESTAMP, 27, 7


class SqlServerConnection:
    """A `Connection` to a database on a SQL Server; opened in the process that uses it.

    A statement outside a transaction commits by itself.

    Args:
        address: The database.

    Raises:
        DatabaseError: The server cannot be reached, or rejects the login.
        RunError: There is no driver.
    """

    dialect = "mssql"

    def __init__(self, address: SqlServerAddress) -> None:
        self._address = address
        self.log_table = log_table(address.log_table)
        self._session: pyodbc.Connection | None = None
        self._was_connected = False
        self._in_transaction = False
        self._prepared: dict[str, pyodbc.Cursor] = {}
        with self._session_in_use():
            pass

    @property
    def driver(self) -> str:
        """Name and version of the ODBC driver."""
        with self._session_in_use() as session:
            return f"{session.getinfo(pyodbc.SQL_DRIVER_NAME)}, version {session.getinfo(pyodbc.SQL_DRIVER_VER)}"

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end of the block, roll back if it raises. Connects again first if the connection was lost."""
        with self._session_in_use() as session:
            _set_autocommit(session, on=False)
            self._in_transaction = True
        try:
            yield
            with self._session_in_use() as session:
                self._restore_settings()
                session.commit()
        except BaseException:
            self._roll_back()
            raise
        finally:
            self._in_transaction = False

    def query(
        self, statement: str, values: Sequence[Any] = (), types: Sequence[OdbcType] | None = None
    ) -> Generator[pyodbc.Row]:
        """Execute a query and yield its rows as the driver reads them.

        Args:
            statement: With a `?` for each parameter.
            values: The parameters.
            types: How they are bound; by default, texts and numbers as their Python types say. Empty leaves it to the
                driver, which asks the server.
        """
        with self._executed(statement, values, types) as cursor:
            yield from cursor

    def execute(self, statement: str, values: Sequence[Any] = (), types: Sequence[OdbcType] | None = None) -> int:
        """Execute a statement and return the number of rows that it changed."""
        return int(self.last_row(f"{statement}; SELECT @@ROWCOUNT", values, types)[0])

    def last_row(
        self, statement: str, values: Sequence[Any] = (), types: Sequence[OdbcType] | None = None
    ) -> Sequence[Any]:
        """Execute statements and return the row of the last result; triggers may give other results before it."""
        found = self.results(statement, values, types)
        return found[-1][0] if found and found[-1] else ()

    def results(
        self, statement: str, values: Sequence[Any] = (), types: Sequence[OdbcType] | None = None
    ) -> list[list[pyodbc.Row]]:
        """Execute statements and return the rows of each result."""
        found: list[list[pyodbc.Row]] = []
        with self._executed(statement, values, types) as cursor:
            while True:
                if cursor.description is not None:
                    found.append(cursor.fetchall())
                if not cursor.nextset():
                    return found

    def execute_many(self, statement: str, columns: Sequence[ColumnLayout], rows: Sequence[Row]) -> None:
        """Execute a statement with each of these rows, by one call, within a transaction."""
        bound = [parameter(column.type) for column in columns]
        types = [each.odbc_type_for(rows, position) for position, each in enumerate(bound)]
        self._send_array(f"{IN_TRANSACTION}{statement}", types, rows)

    def update_rows(self, table: TableLayout, names: Sequence[str], rows: Sequence[Row]) -> None:
        """Set columns of rows, which are found by their keys."""
        self.execute_many(*update_by_key(self.table_name(table), table, names, rows))

    def table_name(self, table: TableLayout) -> str:
        """Return the quoted name of a table, with its schema if it has one."""
        return table_statements(table, self._address.schema).name

    def row_binder(self, table: TableLayout) -> RowBinder:
        """Return the function that binds rows of a table."""
        return row_binder(table)

    def read_rows(self, table: TableLayout, condition: str = "", values: Sequence[Any] = ()) -> Iterator[Row]:
        """Yield rows of a table, in no particular order, with values as they were before they were bound."""
        statements = table_statements(table, self._address.schema)
        select = f"{statements.select} WHERE {condition}" if condition else statements.select
        return map(statements.restore, self.query(select, values))

    def measure_round_trip(self) -> float:
        """Return the seconds of a round trip: the shorter of two."""
        seconds = []
        with self._session_in_use() as session:
            for _ in range(2):
                began_at = time.perf_counter()
                session.execute("SET NOCOUNT ON").close()
                seconds.append(time.perf_counter() - began_at)
        return min(seconds)

    def close(self) -> None:
        """Close without committing; closing again does nothing."""
        if self._session is not None:
            with suppress(pyodbc.Error):
                self._session.rollback()
            self._hang_up()

    @contextmanager
    def _session_in_use(self, table: TableLayout | None = None) -> Iterator[pyodbc.Connection]:
        """Give the driver's connection to one statement; all statements go through here.

        After an error that says that the connection is lost, it is closed: the driver would report that a roll-back on
        it succeeds.

        Args:
            table: The table that the statement inserts into.

        Raises:
            DatabaseError: An error of the driver in the block. Other errors pass.
        """
        try:
            yield self._opened()
        except Exception as error:
            classified = classify(error, table)
            if classified is None:
                raise
            if isinstance(error, pyodbc.Error) and classified.code in LOST:
                self._hang_up()
            raise classified from None

    @contextmanager
    def _executed(
        self, statement: str, values: Sequence[Any], types: Sequence[OdbcType] | None
    ) -> Iterator[pyodbc.Cursor]:
        """Execute a statement, and give the cursor to the block.

        A statement with parameters stays prepared if its results are read to the end: to unprepare it would take
        another round trip.
        """
        with self._session_in_use() as session:
            if not self._in_transaction:
                _set_autocommit(session, on=True)
            cursor = self._prepared_cursor(statement) if values else session.cursor()
            is_kept = False
            try:
                _bind_and_execute(cursor, statement, values, types)
                yield cursor
                is_kept = bool(values) and not cursor.nextset()
            finally:
                if not is_kept:
                    self._prepared.pop(statement, None)
                    with suppress(pyodbc.Error):
                        cursor.close()

    def _send_array(
        self, statement: str, types: Sequence[OdbcType], rows: Sequence[Row], table: TableLayout | None = None
    ) -> list[int]:
        """Execute a statement with all rows by one call; its cursor keeps it prepared.

        A single row of an own table is no array, for which the driver would ask the server about each parameter.
        Where a trigger gives results, an error behind the first of them is raised only when the others are read.

        Returns:
            The values of the results named `COUNTED`.
        """
        counts: list[int] = []
        with self._session_in_use(table):
            cursor = self._prepared_cursor(statement)
            cursor.fast_executemany = len(rows) > 1 or not (table is None or is_own(table))
            cursor.setinputsizes(types)
            cursor.executemany(statement, rows)
            while cursor.nextset():
                if cursor.description is not None and cursor.description[0][0] == COUNTED:
                    counts.append(cursor.fetchval())
        return counts

    def _prepared_cursor(self, statement: str) -> pyodbc.Cursor:
        """Return the cursor that has this statement prepared; within `_session_in_use`."""
        cursor = self._prepared.get(statement)
        if cursor is None:
            if len(self._prepared) >= MOST_PREPARED:
                self._prepared.pop(next(iter(self._prepared))).close()
            cursor = self._prepared[statement] = self._opened().cursor()
        return cursor

    def _opened(self) -> pyodbc.Connection:
        """Return the driver's connection; connect first if there is none and no transaction has lost it."""
        if self._session is None:
            if self._in_transaction:
                raise DatabaseError(ErrorClass.TRANSIENT, "connection_lost", "the connection was lost")
            self._session = self._connect_again() if self._was_connected else self._connect()
            self._was_connected = True
        return self._session

    def _connect(self) -> pyodbc.Connection:
        """Open a connection of the driver."""
        session = open_session(self._address)
        session.maxwrite = LONGEST_PARAMETER
        session.add_output_converter(OFFSET_CODE, read_offset)
        return session

    def _connect_again(self) -> pyodbc.Connection:
        """Open a connection after one was lost. Every error is transient, because it was possible before.

        During a failover, a server may say that the login fails or that the database does not exist.
        """
        try:
            return self._connect()
        except pyodbc.Error as error:
            classified = classify(error)
            if classified is None:
                raise
            raise DatabaseError(ErrorClass.TRANSIENT, "not_ready", classified.explanation, tip=classified.tip) from None

    def _restore_settings(self) -> None:
        """Undo the session's settings that a transaction changed; called before a commit and after a roll-back."""

    def _roll_back(self) -> None:
        """Roll back; a connection that cannot even do that is lost, and its transaction with it."""
        if self._session is None:
            return
        try:
            self._session.rollback()
            self._restore_settings()
            self._session.rollback()
        except (pyodbc.Error, DatabaseError):
            self._hang_up()

    def _hang_up(self) -> None:
        """Close the driver's connection, whatever its state."""
        session, self._session = self._session, None
        if session is not None:
            with suppress(pyodbc.Error):
                session.close()
        # Last: what is prepared ends with the session, without a round trip.
        self._prepared.clear()


def open_session(address: SqlServerAddress) -> pyodbc.Connection:
    """Open a connection of the driver; each statement commits by itself until `autocommit` is switched off.

    Raises:
        pyodbc.Error: The server cannot be reached, or rejects the login.
        RunError: There is no driver.
    """
    pyodbc.pooling = False
    driver = find_driver(pyodbc.drivers())
    if not driver and not {"DRIVER", "DSN"} & set(address.words):
        raise RunError(
            "no ODBC driver for SQL Server is installed", "`xml-extractor doctor` reports how to install one"
        )
    connection = pyodbc.connect(address.connection_string(driver), timeout=LOGIN_TIMEOUT, autocommit=True)
    try:
        connection.timeout = STATEMENT_TIMEOUT
        # As UTF-16 from the driver, so that the locale of this process does not matter.
        connection.setdecoding(pyodbc.SQL_CHAR, encoding="utf-16le", ctype=pyodbc.SQL_WCHAR)
        connection.execute(SETTINGS).close()
    except BaseException:
        connection.close()
        raise
    return connection


def _set_autocommit(session: pyodbc.Connection, *, on: bool) -> None:
    """Switch between statements that commit by themselves and transactions; that takes a round trip if it changes."""
    if session.autocommit is not on:
        session.autocommit = on


def _bind_and_execute(
    cursor: pyodbc.Cursor, statement: str, values: Sequence[Any], types: Sequence[OdbcType] | None
) -> None:
    if types is None:
        types = list(map(_type_of, values))
    if types:
        cursor.setinputsizes(types)
    cursor.execute(statement, *values)


def _type_of(value: object) -> OdbcType:
    """Return how a parameter is bound whose column is not known; texts alike, so that a statement has one plan."""
    match value:
        case str():
            return _TEXT, _LONGEST_TEXT if code_units(value) <= _LONGEST_TEXT else 0, 0
        case int():
            return pyodbc.SQL_BIGINT, 0, 0
        case datetime():
            return _DATETIME2
        case _:
            raise TypeError(f"a parameter is {type(value).__name__}")
