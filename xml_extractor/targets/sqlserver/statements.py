"""The parameters and statements that send rows to SQL Server.

Every parameter is bound with its type and size, so that neither a NULL in the first row nor the first value of a column
determines it, and the driver need not ask the server. The types are those of the contract; `schema.comparison` has
checked that the real columns hold all their values.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any, NamedTuple

import pyodbc

from xml_extractor.connections import Convert, RowBinder, row_converter
from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.documents import Row
from xml_extractor.schema.names import t_sql_name, t_sql_table
from xml_extractor.schema.type_fit import CODE_PAGE_TYPES
from xml_extractor.targets.sqlserver.errors import TRANSACTION_ENDED
from xml_extractor.values.sqltypes import MAX, Family, SqlType
from xml_extractor.values.times import FRACTION_DIGITS, parse_datetime, parse_time

OdbcType = tuple[int, int, int]
"""An ODBC type, its size and its scale, as `Cursor.setinputsizes` takes them."""

LONGEST_IN_PLACE = {pyodbc.SQL_WVARCHAR: 4000, pyodbc.SQL_VARBINARY: 8000}
"""Code units or bytes of a parameter without `max`. Longer values are sent separately from the array of rows."""

OFFSET_CODE = -155
"""ODBC's number of the type datetimeoffset, which pyodbc cannot read."""

_TEXT = pyodbc.SQL_WVARCHAR
"""The type of texts. As SQL_VARCHAR, a NULL in the first row would be bound as bytes, and pyodbc would end the call at
the first text and begin another."""

_MOST_DIGITS = 38
_EXACT = Context(prec=_MOST_DIGITS + 2)
_ZERO = Decimal(0)

_UNIT_BYTES = {pyodbc.SQL_WVARCHAR: 2}
_FIXED_BYTES = 32
"""Bytes reserved for a number, a date or a time, with its length indicator."""


class Parameter(NamedTuple):
    """How the values of a type are bound.

    Attributes:
        odbc_type: Size 0 stands for a `max` type.
        place: The expression of the parameter in a statement.
        bind: Converts a value to what pyodbc binds; None if pyodbc takes it unchanged.
    """

    odbc_type: OdbcType
    place: str = "?"
    bind: Convert | None = None

    @property
    def is_long(self) -> bool:
        """Whether values may be too long for the array of rows."""
        return self.odbc_type[0] in LONGEST_IN_PLACE and self.odbc_type[1] == 0

    @property
    def reserved_bytes(self) -> int:
        """Bytes that the driver reserves for one value in the array of rows."""
        odbc_type, size, _ = self.odbc_type
        longest = LONGEST_IN_PLACE.get(odbc_type, 0)
        return _FIXED_BYTES + (size or longest) * _UNIT_BYTES.get(odbc_type, 1)

    def odbc_type_for(self, rows: Sequence[Sequence[Any]], column: int) -> OdbcType:
        """Return the type to bind a column of these rows with; a long type is shortened if all values are short."""
        if not self.is_long:
            return self.odbc_type
        odbc_type = self.odbc_type[0]
        longest = LONGEST_IN_PLACE[odbc_type]
        units = code_units if odbc_type == pyodbc.SQL_WVARCHAR else len
        if all(row[column] is None or units(row[column]) <= longest for row in rows):
            return odbc_type, longest, 0
        return self.odbc_type


def parameter(sql_type: SqlType) -> Parameter:
    """Return how values of a type are bound."""
    return _PARAMETERS[sql_type.family](sql_type)


def cast_key(sql_type: SqlType, collation: str = "", value: str = "?") -> str:
    """Return the expression of a key that is compared, in its column's own type, so that an index can be used.

    Args:
        sql_type: The column's.
        collation: The column's. CAST alone would convert text to the code page of the database, with question marks for
            characters that it lacks.
        value: The expression of the value.
    """
    return f"CAST({value}{f' COLLATE {collation}' if collation else ''} AS {sql_type})"


def read_offset(raw: bytes) -> datetime:
    """Read a datetimeoffset from the driver's SQL_SS_TIMESTAMPOFFSET_STRUCT."""
    year, month, day, hour, minute, second, nanoseconds, zone_hours, zone_minutes = struct.unpack("<6hI2h", raw)
    zone = timezone(timedelta(hours=zone_hours, minutes=zone_minutes))
    return datetime(year, month, day, hour, minute, second, nanoseconds // 1000, zone)


def code_units(text: str) -> int:
    """Return the length of a text in UTF-16."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _as(odbc_type: int, size: int = 0, scale: int = 0) -> Callable[[SqlType], Parameter]:
    return lambda _sql_type: Parameter((odbc_type, size, scale))


def _integer(sql_type: SqlType) -> Parameter:
    return Parameter((_INTEGERS[sql_type.name], 0, 0))


def _decimal(sql_type: SqlType) -> Parameter:
    if sql_type.scale == _MOST_DIGITS:  # pyodbc sends a zero of such a type with one digit more
        return Parameter((_TEXT, len("-0.") + _MOST_DIGITS, 0), f"CAST(? AS {sql_type})", lambda value: f"{value:f}")
    return Parameter((pyodbc.SQL_DECIMAL, sql_type.precision, sql_type.scale), bind=_plain)


def _plain(value: Decimal) -> Decimal:
    """Remove the sign of a zero, which SQL Server does not keep."""
    return value or abs(value)


def _text(sql_type: SqlType) -> Parameter:
    """Bind as UTF-16: the server converts it to the column's code page, whatever the locale of this process."""
    longest = LONGEST_IN_PLACE[pyodbc.SQL_WVARCHAR]
    in_place = 0 < sql_type.length <= longest
    return Parameter((pyodbc.SQL_WVARCHAR, sql_type.length if in_place else 0, 0))


def _binary(sql_type: SqlType) -> Parameter:
    return Parameter((pyodbc.SQL_VARBINARY, 0 if sql_type.length == MAX else sql_type.length, 0))


def _datetime(sql_type: SqlType) -> Parameter:
    digits = {"datetime": 3, "smalldatetime": 0}.get(sql_type.name, sql_type.scale)
    if digits == FRACTION_DIGITS:
        return _as_text("2026-03-05T09:30:00.1234567", "T")(sql_type)
    whole = len("2026-03-05 09:30:00")
    return Parameter((pyodbc.SQL_TYPE_TIMESTAMP, whole + (1 + digits if digits else 0), digits))


def _as_text(longest: str, separator: str) -> Callable[[SqlType], Parameter]:
    """Bind as ISO 8601 text that the server converts, because pyodbc loses a part of such values."""

    def as_text(sql_type: SqlType) -> Parameter:
        fraction = "microseconds" if sql_type.scale else "seconds"

        def bind(value: Any) -> Any:
            return value.isoformat(separator, fraction) if separator else value.isoformat(fraction)

        return Parameter((_TEXT, len(longest), 0), f"CAST(? AS {sql_type})", bind)

    return as_text


def _xml(_sql_type: SqlType) -> Parameter:
    """Bind with style 1, which preserves white space between tags."""
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
    Family.TIME: _as_text("09:30:00.1234567", ""),
    Family.DATETIME: _datetime,
    Family.OFFSET: _as_text("2026-03-05 09:30:00.1234567+14:00", " "),
    Family.GUID: _as(_TEXT, len("6F9619FF-8B86-D011-B42D-00C04FC964FF")),
    Family.XML: _xml,
}


MAX_ARRAY_BYTES = 16 * 2**20
"""Bytes that the driver may reserve for the rows of one call, however wide they are."""

IN_TRANSACTION_ONLY = f"IF @@TRANCOUNT = 0 BEGIN; THROW {TRANSACTION_ENDED}, N'the transaction has ended', 1; END "
IN_TRANSACTION = f"{IN_TRANSACTION_ONLY}ELSE "
"""Prefix of a statement that must run within the transaction. An error such as a trigger's ROLLBACK ends the
transaction in the middle of an array, and the rows after it would be committed one by one."""


COUNTED = "xml_extractor_rows"
"""The name of the results that say how many rows each execution of a statement inserted."""

_FIRST_RESULT = "SELECT NULL AS nothing; "
"""pyodbc skips the first result of an array."""


class Change(NamedTuple):
    """A statement that is executed with each row of a call.

    Attributes:
        sql: With a `?` for each of the columns.
        columns: Positions in a row of the statement's parameters, in their order.
    """

    sql: str
    columns: tuple[int, ...]


class TableStatements(NamedTuple):
    """The statements that load one table.

    Attributes:
        name: The table's name, quoted, with its schema.
        changes: Executed one after the other with the same rows.
        select: Reads the columns that are inserted.
        restore: Converts a row that was read.
        parameters: How each column is bound.
        rows_in_call: Rows in one call at most, so that the array of rows stays within `MAX_ARRAY_BYTES`.
    """

    name: str
    changes: tuple[Change, ...]
    select: str
    restore: Callable[[Sequence[Any]], Row]
    parameters: tuple[Parameter, ...]
    rows_in_call: int


@lru_cache(maxsize=1024)
def table_statements(
    table: TableLayout, default_schema: str, collations: tuple[tuple[str, str], ...] = ()
) -> TableStatements:
    """Return the statements of a table.

    Args:
        table: The table.
        default_schema: Of a table without one; empty for the login's.
        collations: Names and collations of the columns of `collated_keys`.
    """
    parameters = tuple(parameter(column.type) for column in table.columns)
    name = t_sql_table(table.table, default_schema)
    row_bytes = sum(bound.reserved_bytes for bound in parameters)
    return TableStatements(
        name=name,
        changes=_changes(table, name, _keyed(table, parameters, dict(collations))),
        select=f"SELECT {select_columns(table)} FROM {name}",  # noqa: S608 - names are quoted
        restore=restore_columns(table),
        parameters=parameters,
        rows_in_call=max(1, MAX_ARRAY_BYTES // max(1, row_bytes)),
    )


@lru_cache(maxsize=1024)
def row_binder(table: TableLayout) -> RowBinder:
    """Return the function that binds rows of a table for pyodbc."""
    return row_converter([parameter(column.type).bind for column in table.columns])


def select_columns(table: TableLayout) -> str:
    """Return the expressions that read the columns of a table, for `restore_columns`."""
    return ", ".join(map(_selected, table.columns))


def restore_columns(table: TableLayout) -> Callable[[Sequence[Any]], Row]:
    """Return the function that converts a row that was read to values as they were before they were bound."""
    return row_converter([_reader(column.type) for column in table.columns])


def comparable(table: TableLayout) -> Callable[[Sequence[Any]], Row]:
    """Return what gives equal rows to equal mapped rows and rows that were restored: without padding, with zones."""
    return row_converter([_unpadded(column.type) for column in table.columns])


def _unpadded(sql_type: SqlType) -> Convert | None:
    match sql_type.name:
        case "char" | "nchar":
            return lambda text: text.rstrip(" ")
        case "binary":
            return lambda raw: bytes(raw).rstrip(b"\0")
        case "uniqueidentifier":
            return lambda text: str(text).upper()
        case "datetimeoffset":  # values of different zones are equal otherwise
            return lambda moment: moment.isoformat()
        case "decimal" | "numeric" | "money" | "smallmoney":
            return _shortest
    return None


def _shortest(number: Decimal) -> Decimal:
    """Return a number without zeros at its end: the scale of the column may be larger than the contract's."""
    return number.normalize(_EXACT) if number else _ZERO


def collated_keys(table: TableLayout) -> list[str]:
    """Return the key columns whose values are compared in the code page of their collation."""
    if table.on_conflict == "fail":
        return []
    return [column.name for column in table.columns if column.name in table.key and column.type.name in CODE_PAGE_TYPES]


def _changes(table: TableLayout, name: str, places: Sequence[str]) -> tuple[Change, ...]:
    """Return the statements that insert rows. MERGE is not used: it can fail if two sessions merge the same key.

    `keep` inserts rows whose key does not exist, under a lock on the key that other writers wait for, and says how
    many. `replace` does the same and then updates: of several rows with one key, the last one remains.
    """
    everything = tuple(range(len(table.columns)))
    columns, values = _names(table.columns), ", ".join(places)
    if table.inserts_always:
        return (_change(f"INSERT INTO {name} ({columns}) VALUES ({values})", everything),)  # noqa: S608 - names are quoted
    same_key = " AND ".join(f"there.{t_sql_name(key)} = given.{t_sql_name(key)}" for key in table.key)
    insert = Change(
        f"{IN_TRANSACTION_ONLY}{_FIRST_RESULT}"  # noqa: S608 - names are quoted
        f"INSERT INTO {name} ({columns}) SELECT {columns} FROM (VALUES ({values})) AS given ({columns}) "
        f"WHERE NOT EXISTS (SELECT 1 FROM {name} AS there WITH (UPDLOCK, HOLDLOCK) WHERE {same_key}); "
        f"SELECT @@ROWCOUNT AS {COUNTED}",
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
    """Return the expression of each value; keys that are compared get their column's type, so that indexes are used.

    The others are converted by the assignment, which knows the column's code page and truncates nothing.
    """
    compared = () if table.on_conflict == "fail" else table.key
    return [
        cast_key(column.type, collations.get(column.name, "")) if column.name in compared else bound.place
        for column, bound in zip(table.columns, parameters, strict=True)
    ]


def _selected(column: ColumnLayout) -> str:
    """Return the expression that reads a column: text for seven digits of a second, because pyodbc drops one."""
    name = t_sql_name(column.name)
    return f"CONVERT(varchar(34), {name}, 121)" if _reader(column.type) else name


def _reader(sql_type: SqlType) -> Convert | None:
    if sql_type.scale != FRACTION_DIGITS:
        return None
    return {Family.TIME: parse_time, Family.DATETIME: _read_text, Family.OFFSET: _read_text}.get(sql_type.family)


def _read_text(text: str) -> datetime:
    """Read what style 121 writes, with a space ahead of an offset."""
    day, clock, *offset = text.split(" ")
    return parse_datetime(f"{day} {clock}{''.join(offset)}")


def _names(columns: Sequence[ColumnLayout]) -> str:
    return ", ".join(t_sql_name(column.name) for column in columns)
