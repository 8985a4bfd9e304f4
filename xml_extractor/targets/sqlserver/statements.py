"""How SQL Server is sent rows: the type of each parameter, and the statements that load a table.

Every parameter is bound with its type and size, so that neither a NULL in the first row nor the first value of a column
decides, and the driver need not ask the server. The types are those of the contract; `schema.comparison` has checked
that the real columns hold all their values.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

import pyodbc

from xml_extractor.connections import Convert, RowBinder, row_converter
from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.schema.names import t_sql_name, t_sql_table
from xml_extractor.schema.type_fit import CODE_PAGE_TYPES
from xml_extractor.targets.sqlserver.errors import TRANSACTION_ENDED
from xml_extractor.values.sqltypes import MAX, Family, SqlType

OdbcType = tuple[int, int, int]
"""An ODBC type, its size and its scale, as `Cursor.setinputsizes` takes them."""

LONGEST_IN_PLACE = {pyodbc.SQL_WVARCHAR: 4000, pyodbc.SQL_VARBINARY: 8000}
"""Code units or bytes that a parameter without `max` can have. Longer values are not copied into the array of rows."""

OFFSET_CODE = -155
"""ODBC's number of the type datetimeoffset, which pyodbc cannot read by itself."""

_TEXT = pyodbc.SQL_WVARCHAR
"""What is sent as text. As SQL_VARCHAR a NULL would be bound as bytes: in the first row it makes pyodbc end the call
where the first text comes, and begin another."""

_MOST_DIGITS = 38

_UNIT_BYTES = {pyodbc.SQL_WVARCHAR: 2}
_FIXED_BYTES = 32
"""What is reserved for a number, a date or a time, with its length indicator."""


class Parameter(NamedTuple):
    """How the values of a type are bound.

    Attributes:
        odbc_type: Size 0 stands for a `max` type.
        place: What stands for the parameter in a statement.
        bind: From a value to what pyodbc binds; None where it takes the value as it is.
    """

    odbc_type: OdbcType
    place: str = "?"
    bind: Convert | None = None

    @property
    def is_long(self) -> bool:
        """Whether values may be longer than what can be bound in place."""
        return self.odbc_type[0] in LONGEST_IN_PLACE and self.odbc_type[1] == 0

    @property
    def reserved_bytes(self) -> int:
        """What the driver reserves for one value in the array of rows; of a long one, while it is short enough."""
        odbc_type, size, _ = self.odbc_type
        longest = LONGEST_IN_PLACE.get(odbc_type, 0)
        return _FIXED_BYTES + (size or longest) * _UNIT_BYTES.get(odbc_type, 1)

    def odbc_type_for(self, rows: Sequence[Sequence[Any]], column: int) -> OdbcType:
        """The type to bind a column of these rows with: a long type's is bound in place while all values are short."""
        if not self.is_long:
            return self.odbc_type
        odbc_type = self.odbc_type[0]
        longest = LONGEST_IN_PLACE[odbc_type]
        units = code_units if odbc_type == pyodbc.SQL_WVARCHAR else len
        if all(row[column] is None or units(row[column]) <= longest for row in rows):
            return odbc_type, longest, 0
        return self.odbc_type


def parameter(sql_type: SqlType) -> Parameter:
    """How values of a type are bound."""
    return _PARAMETERS[sql_type.family](sql_type)


def cast_key(sql_type: SqlType, collation: str = "") -> str:
    """What stands for a key that is compared: of its column's own type, so that an index can be used.

    Args:
        sql_type: The column's.
        collation: The column's. CAST alone would put text into the code page of the database, with question marks for
            what that does not have.
    """
    return f"CAST(?{f' COLLATE {collation}' if collation else ''} AS {sql_type})"


def read_offset(raw: bytes) -> datetime:
    """A datetimeoffset as the driver gives it: the structure SQL_SS_TIMESTAMPOFFSET_STRUCT."""
    year, month, day, hour, minute, second, nanoseconds, zone_hours, zone_minutes = struct.unpack("<6hI2h", raw)
    zone = timezone(timedelta(hours=zone_hours, minutes=zone_minutes))
    return datetime(year, month, day, hour, minute, second, nanoseconds // 1000, zone)


def code_units(text: str) -> int:
    """How long a text is in UTF-16."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _as(odbc_type: int, size: int = 0, scale: int = 0) -> Callable[[SqlType], Parameter]:
    return lambda _sql_type: Parameter((odbc_type, size, scale))


def _integer(sql_type: SqlType) -> Parameter:
    return Parameter((_INTEGERS[sql_type.name], 0, 0))


def _decimal(sql_type: SqlType) -> Parameter:
    if sql_type.scale == _MOST_DIGITS:  # of which pyodbc takes a zero for a number of one digit more
        return Parameter((_TEXT, len("-0.") + _MOST_DIGITS, 0), f"CAST(? AS {sql_type})", lambda value: f"{value:f}")
    return Parameter((pyodbc.SQL_DECIMAL, sql_type.precision, sql_type.scale), bind=_plain)


def _plain(value: Decimal) -> Decimal:
    """Without an exponent, and without the sign of a zero, which SQL Server does not keep."""
    return value or abs(value)


def _text(sql_type: SqlType) -> Parameter:
    """As UTF-16: the server puts it into the column's code page, whatever the locale of this process is."""
    longest = LONGEST_IN_PLACE[pyodbc.SQL_WVARCHAR]
    in_place = 0 < sql_type.length <= longest
    return Parameter((pyodbc.SQL_WVARCHAR, sql_type.length if in_place else 0, 0))


def _binary(sql_type: SqlType) -> Parameter:
    return Parameter((pyodbc.SQL_VARBINARY, 0 if sql_type.length == MAX else sql_type.length, 0))


def _datetime(sql_type: SqlType) -> Parameter:
    digits = {"datetime": 3, "smalldatetime": 0}.get(sql_type.name, sql_type.scale)
    whole = len("2026-03-05 09:30:00")
    return Parameter((pyodbc.SQL_TYPE_TIMESTAMP, whole + (1 + digits if digits else 0), digits))


def _as_text(longest: str, separator: str) -> Callable[[SqlType], Parameter]:
    """As ISO 8601 text that the server converts, because pyodbc loses a part of such values."""

    def as_text(sql_type: SqlType) -> Parameter:
        fraction = "microseconds" if sql_type.scale else "seconds"

        def bind(value: Any) -> Any:
            return value.isoformat(separator, fraction) if separator else value.isoformat(fraction)

        return Parameter((_TEXT, len(longest), 0), f"CAST(? AS {sql_type})", bind)

    return as_text


def _xml(_sql_type: SqlType) -> Parameter:
    """Style 1 keeps white space between tags, which the server would leave out."""
    return Parameter((pyodbc.SQL_WVARCHAR, 0, 0), "CONVERT(xml, ?, 1)")


_INTEGERS = {
    "tinyint": pyodbc.SQL_TINYINT,
    "smallint": pyodbc.SQL_SMALLINT,
    "int": pyodbc.SQL_INTEGER,
    "bigint": pyodbc.SQL_BIGINT,
}
_PARAMETERS: dict[Family, Callable[[SqlType], Parameter]] = {
    Family.BIT: _as(pyodbc.SQL_BIT),
    Family.INTEGER: _integer,
    Family.DECIMAL: _decimal,
    Family.MONEY: _as(pyodbc.SQL_DECIMAL, 19, 4),
    Family.FLOAT: _as(pyodbc.SQL_DOUBLE),
    Family.TEXT: _text,
    Family.BINARY: _binary,
    Family.DATE: _as(pyodbc.SQL_TYPE_DATE, len("2026-03-05")),
    Family.TIME: _as_text("09:30:00.123456", ""),
    Family.DATETIME: _datetime,
    Family.OFFSET: _as_text("2026-03-05 09:30:00.123456+14:00", " "),
    Family.GUID: _as(_TEXT, len("6F9619FF-8B86-D011-B42D-00C04FC964FF")),
    Family.XML: _xml,
}


MAX_ARRAY_BYTES = 16 * 2**20
"""What one call may make the driver reserve for its rows, however wide they are."""

IN_TRANSACTION_ONLY = f"IF @@TRANCOUNT = 0 BEGIN; THROW {TRANSACTION_ENDED}, N'the transaction has ended', 1; END "
IN_TRANSACTION = f"{IN_TRANSACTION_ONLY}ELSE "
"""Before a statement: runs it only within the transaction. An error such as a trigger's ROLLBACK ends that amid an
array, and the rows behind would be committed one by one."""


class Change(NamedTuple):
    """A statement that is run with each of a call's rows.

    Attributes:
        sql: With a place for each of these columns.
        columns: Positions in a row of the values that it takes, in its own order.
    """

    sql: str
    columns: tuple[int, ...]


class TableStatements(NamedTuple):
    """What loads one table.

    Attributes:
        name: The table's name, quoted, with its schema.
        changes: To run one after the other with the same rows.
        select: Reads the columns that are inserted.
        parameters: How each column is bound.
        rows_in_call: Rows in one call at most, so that the array of rows stays within `MAX_ARRAY_BYTES`.
    """

    name: str
    changes: tuple[Change, ...]
    select: str
    parameters: tuple[Parameter, ...]
    rows_in_call: int


@cache
def table_statements(
    table: TableLayout, default_schema: str, collations: tuple[tuple[str, str], ...] = ()
) -> TableStatements:
    """The statements of a table; see there.

    Args:
        table: What is loaded.
        default_schema: Of a table without one; empty for the login's.
        collations: Those of `collated_keys`, with their names.
    """
    parameters = tuple(parameter(column.type) for column in table.columns)
    name = t_sql_table(table.table, default_schema)
    row_bytes = sum(bound.reserved_bytes for bound in parameters)
    return TableStatements(
        name=name,
        changes=_changes(table, name, _keyed(table, parameters, dict(collations))),
        select=f"SELECT {_names(table.columns)} FROM {name}",  # noqa: S608 - names are quoted
        parameters=parameters,
        rows_in_call=max(1, MAX_ARRAY_BYTES // max(1, row_bytes)),
    )


@cache
def row_binder(table: TableLayout) -> RowBinder:
    """From a row as it was mapped to what pyodbc binds."""
    return row_converter([parameter(column.type).bind for column in table.columns])


def collated_keys(table: TableLayout) -> list[str]:
    """The key columns that statements compare by values in their own code page, which their collation says."""
    if table.on_conflict == "fail":
        return []
    return [column.name for column in table.columns if column.name in table.key and column.type.name in CODE_PAGE_TYPES]


def _changes(table: TableLayout, name: str, places: Sequence[str]) -> tuple[Change, ...]:
    """Without MERGE, which is known to fail when two sessions merge the same key.

    `keep` inserts where the key is not there, under a lock on the key's place that other writers wait for. `replace`
    does the same and then updates: of several rows with one key the last one stays, as if they came one by one.
    """
    everything = tuple(range(len(table.columns)))
    columns, values = _names(table.columns), ", ".join(places)
    if table.on_conflict == "fail" or not table.key:
        return (_change(f"INSERT INTO {name} ({columns}) VALUES ({values})", everything),)  # noqa: S608 - names are quoted
    same_key = " AND ".join(f"there.{t_sql_name(key)} = given.{t_sql_name(key)}" for key in table.key)
    insert = _change(
        f"INSERT INTO {name} ({columns}) SELECT {columns} FROM (VALUES ({values})) AS given ({columns}) "  # noqa: S608 - names are quoted
        f"WHERE NOT EXISTS (SELECT 1 FROM {name} AS there WITH (UPDLOCK, HOLDLOCK) WHERE {same_key})",
        everything,
    )
    others = [position for position in everything if table.columns[position].name not in table.key]
    if table.on_conflict == "keep" or not others:
        return (insert,)
    keys = [position for position in everything if position not in others]
    assigned = [f"{t_sql_name(column.name)} = {place}" for column, place in zip(table.columns, places, strict=True)]
    new = ", ".join(assigned[position] for position in others)
    key = " AND ".join(assigned[position] for position in keys)
    update = _change(f"UPDATE {name} SET {new} WHERE {key}", (*others, *keys))  # noqa: S608 - names are quoted
    return insert, update


def _change(sql: str, columns: tuple[int, ...]) -> Change:
    return Change(f"{IN_TRANSACTION}{sql}", columns)


def _keyed(table: TableLayout, parameters: Sequence[Parameter], collations: Mapping[str, str]) -> list[str]:
    """What stands for each value: keys that are compared as their columns have them, so that an index can be used.

    All others are converted by the assignment alone, which knows the column's code page and cuts nothing off.
    """
    compared = () if table.on_conflict == "fail" else table.key
    return [
        cast_key(column.type, collations.get(column.name, "")) if column.name in compared else bound.place
        for column, bound in zip(table.columns, parameters, strict=True)
    ]


def _names(columns: Sequence[ColumnLayout]) -> str:
    return ", ".join(t_sql_name(column.name) for column in columns)
