"""Conversions between SQL Server's values and those that SQLite stores; `schema.ddl` declares the columns.

SQLite has no decimals, dates or UUIDs. Values that it could not store exactly are stored as text, in a form that sorts
and compares and that, for dates, works with SQLite's date functions.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

from xml_extractor.connections import Convert, row_converter
from xml_extractor.documents import Row
from xml_extractor.schema.type_fit import EXACT_DIGITS
from xml_extractor.values.sqltypes import Family, SqlType
from xml_extractor.values.times import FRACTION_DIGITS, parse_datetime, parse_time


class Storage(NamedTuple):
    """Conversions of a column's values; None where sqlite3 takes and returns the value unchanged.

    Attributes:
        to_sqlite: Converts a value to one that sqlite3 binds.
        from_sqlite: Converts a value that sqlite3 reads back.
    """

    to_sqlite: Convert | None = None
    from_sqlite: Convert | None = None


def storage(sql_type: SqlType) -> Storage:
    """Return the conversions for a type."""
    convert = _STORAGES.get(sql_type.family)
    return convert(sql_type) if convert else Storage()


def as_stored(types: Sequence[SqlType]) -> Callable[[Sequence[Any]], Row]:
    """Return what gives equal rows to equal numbers: SQLite stores 5.0 in a column of type DECIMAL as 5."""
    return row_converter([_whole if sql_type.family in _NUMBERS else None for sql_type in types])


def _whole(value: object) -> object:
    """Return a whole number as an integer."""
    if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
        return int(value)
    return value


def _bit(_sql_type: SqlType) -> Storage:
    return Storage(None, bool)


def _decimal(sql_type: SqlType) -> Storage:
    exponent = Decimal(1).scaleb(-sql_type.scale)
    if sql_type.precision > EXACT_DIGITS:
        return Storage(partial(_digits, exponent), Decimal)
    return Storage(float if sql_type.scale else int, lambda number: Decimal(repr(number)).quantize(exponent))


def _money(_sql_type: SqlType) -> Storage:
    return Storage(partial(_digits, Decimal("0.0001")), Decimal)


def _digits(exponent: Decimal, value: Decimal) -> str:
    """Format all decimals of the type; a zero has no sign, as in SQL Server."""
    places = -int(exponent.as_tuple().exponent)
    return f"{value or abs(value):.{places}f}"


def _date(_sql_type: SqlType) -> Storage:
    return Storage(date.isoformat, date.fromisoformat)


def _time(sql_type: SqlType) -> Storage:
    write, length = _fraction(sql_type, len("23:59:59"))
    read = parse_time if sql_type.scale == FRACTION_DIGITS else time.fromisoformat
    return Storage(lambda value: value.isoformat(write).ljust(length, "0")[:length], read)


def _datetime(sql_type: SqlType) -> Storage:
    write, length = _fraction(sql_type, len("2024-12-31 23:59:59"))
    return Storage(lambda value: value.isoformat(" ", write).ljust(length, "0")[:length], _reader(sql_type))


def _offset(sql_type: SqlType) -> Storage:
    write, length = _fraction(sql_type, len("2024-12-31 23:59:59"))

    def to_text(value: datetime) -> str:
        text = value.isoformat(" ", write)
        return text[:-6].ljust(length, "0")[:length] + text[-6:]

    return Storage(to_text, _reader(sql_type))


def _reader(sql_type: SqlType) -> Convert:
    return parse_datetime if sql_type.scale == FRACTION_DIGITS else datetime.fromisoformat


def _fraction(sql_type: SqlType, seconds_length: int) -> tuple[str, int]:
    """Return how to format fractional seconds: the `timespec` of isoformat, and the length of the text."""
    digits = 3 if sql_type.name == "datetime" else sql_type.scale
    return "microseconds" if digits else "seconds", seconds_length + (1 + digits if digits else 0)


_NUMBERS = (Family.BIT, Family.INTEGER, Family.DECIMAL, Family.FLOAT)
_STORAGES: dict[Family, Callable[[SqlType], Storage]] = {
    Family.BIT: _bit,
    Family.DECIMAL: _decimal,
    Family.MONEY: _money,
    Family.DATE: _date,
    Family.TIME: _time,
    Family.DATETIME: _datetime,
    Family.OFFSET: _offset,
}
