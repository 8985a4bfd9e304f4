"""Conversions between SQL Server's values and those that SQLite stores; `schema.ddl` declares the columns.

SQLite has no decimals, dates or UUIDs. Values that it could not store exactly are stored as text, in a form that sorts
and compares and that, for dates, works with SQLite's date functions.
"""

from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from xml_extractor.connections import Convert
from xml_extractor.schema.type_fit import EXACT_DIGITS
from xml_extractor.values.sqltypes import Family, SqlType


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
    write, cut, zeros = _fraction(sql_type)
    return Storage(lambda value: value.isoformat(write)[:cut] + zeros, time.fromisoformat)


def _datetime(sql_type: SqlType) -> Storage:
    write, cut, zeros = _fraction(sql_type)
    if cut is None and not zeros:
        return Storage(lambda value: value.isoformat(" ", write), datetime.fromisoformat)
    return Storage(lambda value: value.isoformat(" ", write)[:cut] + zeros, datetime.fromisoformat)


def _offset(sql_type: SqlType) -> Storage:
    write, cut, zeros = _fraction(sql_type)

    def to_text(value: datetime) -> str:
        text = value.isoformat(" ", write)
        return text[:-6][:cut] + zeros + text[-6:]

    return Storage(to_text, datetime.fromisoformat)


_WRITTEN_BY_ISOFORMAT = {0: "seconds", 3: "milliseconds", 6: "microseconds"}


def _fraction(sql_type: SqlType) -> tuple[str, int | None, str]:
    """Return how to format fractional seconds: `timespec` of isoformat, where to cut the text, and what to append."""
    digits = 3 if sql_type.name == "datetime" else sql_type.scale
    most = 6
    if digits in _WRITTEN_BY_ISOFORMAT:
        return _WRITTEN_BY_ISOFORMAT[digits], None, ""
    if digits <= most:
        return "microseconds", digits - most or None, ""
    return "microseconds", None, "0"


_STORAGES: dict[Family, Callable[[SqlType], Storage]] = {
    Family.BIT: _bit,
    Family.DECIMAL: _decimal,
    Family.MONEY: _money,
    Family.DATE: _date,
    Family.TIME: _time,
    Family.DATETIME: _datetime,
    Family.OFFSET: _offset,
}
