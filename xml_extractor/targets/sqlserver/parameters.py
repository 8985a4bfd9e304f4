"""How values go to SQL Server as parameters, and come back.

Every parameter is bound with its type and size, so that neither a NULL in the first row nor the first value of a column
decides, and the driver never has to ask the server. Types are those of the contract; that the real columns hold all
their values is what `comparison` has seen to.
"""

import struct
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, NamedTuple

import pyodbc

from xml_extractor.targets.row_conversion import Convert
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


def place_of_key(sql_type: SqlType, collation: str = "") -> str:
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
