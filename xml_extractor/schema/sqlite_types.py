"""How SQLite keeps SQL Server's values: the declared type of a column, and values to and from it.

SQLite has no decimals, dates or UUIDs of its own. What it could only keep with loss is kept as text, in a form that
sorts, compares and, for dates, works with SQLite's date functions.
"""

from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

from xml_extractor.values.sqltypes import Family, SqlType

EXACT_DIGITS = 15
"""Decimal digits that an IEEE 754 double keeps for certain."""

Convert = Callable[[Any], Any]
"""From a value to another; never called with None."""


class Storage(NamedTuple):
    """How a column's values are kept; no conversion where SQLite takes and gives the value as it is.

    Attributes:
        declared: The type in CREATE TABLE; its affinity is what matters ("Datatypes In SQLite", section 3.1).
        to_sqlite: From a value to what sqlite3 binds.
        from_sqlite: From what sqlite3 reads to the value.
    """

    declared: str
    to_sqlite: Convert | None = None
    from_sqlite: Convert | None = None


def storage(sql_type: SqlType) -> Storage:
    """How values of a type are kept."""
    return _STORAGES[sql_type.family](sql_type)


def _as_it_is(declared: str) -> Callable[[SqlType], Storage]:
    return lambda _sql_type: Storage(declared)


def _bit(_sql_type: SqlType) -> Storage:
    return Storage("INTEGER", None, bool)


def _decimal(sql_type: SqlType) -> Storage:
    exponent = Decimal(1).scaleb(-sql_type.scale)
    if sql_type.precision > EXACT_DIGITS:
        return Storage("TEXT", partial(_digits, exponent), Decimal)
    declared = f"DECIMAL({sql_type.precision}, {sql_type.scale})"
    return Storage(declared, float if sql_type.scale else int, lambda number: Decimal(repr(number)).quantize(exponent))


def _money(_sql_type: SqlType) -> Storage:
    return Storage("TEXT", partial(_digits, Decimal("0.0001")), Decimal)


def _digits(exponent: Decimal, value: Decimal) -> str:
    """All decimals of the type; a zero has no sign, as SQL Server's has none."""
    places = -int(exponent.as_tuple().exponent)
    return f"{value or abs(value):.{places}f}"


def _date(_sql_type: SqlType) -> Storage:
    return Storage("TEXT", date.isoformat, date.fromisoformat)


def _time(sql_type: SqlType) -> Storage:
    write, cut, zeros = _fraction(sql_type)
    return Storage("TEXT", lambda value: value.isoformat(write)[:cut] + zeros, time.fromisoformat)


def _datetime(sql_type: SqlType) -> Storage:
    write, cut, zeros = _fraction(sql_type)
    if cut is None and not zeros:
        return Storage("TEXT", lambda value: value.isoformat(" ", write), datetime.fromisoformat)
    return Storage("TEXT", lambda value: value.isoformat(" ", write)[:cut] + zeros, datetime.fromisoformat)


def _offset(sql_type: SqlType) -> Storage:
    write, cut, zeros = _fraction(sql_type)

    def to_text(value: datetime) -> str:
        text = value.isoformat(" ", write)
        return text[:-6][:cut] + zeros + text[-6:]

    return Storage("TEXT", to_text, datetime.fromisoformat)


_WRITTEN_BY_ISOFORMAT = {0: "seconds", 3: "milliseconds", 6: "microseconds"}


def _fraction(sql_type: SqlType) -> tuple[str, int | None, str]:
    """How to write fractions of a second: isoformat's `timespec`, where to cut the text, and what to append."""
    digits = 3 if sql_type.name == "datetime" else sql_type.scale
    most = 6
    if digits in _WRITTEN_BY_ISOFORMAT:
        return _WRITTEN_BY_ISOFORMAT[digits], None, ""
    if digits <= most:
        return "microseconds", digits - most or None, ""
    return "microseconds", None, "0"


_STORAGES: dict[Family, Callable[[SqlType], Storage]] = {
    Family.BIT: _bit,
    Family.INTEGER: _as_it_is("INTEGER"),
    Family.DECIMAL: _decimal,
    Family.MONEY: _money,
    Family.FLOAT: _as_it_is("REAL"),
    Family.TEXT: _as_it_is("TEXT"),
    Family.BINARY: _as_it_is("BLOB"),
    Family.DATE: _date,
    Family.TIME: _time,
    Family.DATETIME: _datetime,
    Family.OFFSET: _offset,
    Family.GUID: _as_it_is("TEXT"),
    Family.XML: _as_it_is("TEXT"),
}
