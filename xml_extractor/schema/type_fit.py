"""Check whether a column of one SQL Server type can hold every value of another type.

Source: "Data types (Transact-SQL)", Microsoft Learn: ranges, sizes and accuracy of each type.
"""

from collections.abc import Callable
from datetime import date
from fractions import Fraction
from typing import NamedTuple

from xml_extractor.schema.model import Severity
from xml_extractor.values.sqltypes import INTEGER_RANGES, MAX, MONEY_LIMITS, Family, SqlType

EXACT_DIGITS = 15
"""Decimal digits that an IEEE 754 double always preserves."""

CODE_PAGE_TYPES = frozenset(("char", "varchar", "text"))
"""Types that can hold only the characters of their collation's code page."""

_PADDED = frozenset(("char", "nchar", "binary", "uniqueidentifier"))
_LONGEST = 2**31
_GUID_LENGTH = 36
_REAL_BITS, _FLOAT_BITS = 24, 53
_DAY, _MINUTE = -2, -1
_COARSE = {_DAY: "which has no time of day", _MINUTE: "which has no seconds"}


class Misfit(NamedTuple):
    """What happens to some values of the needed type.

    Attributes:
        severity: An error if values are rejected or changed.
        reason: A relative clause about the actual type, such as `which is shorter`.
    """

    severity: Severity
    reason: str


def misfit(needed: SqlType, there: SqlType) -> Misfit | None:
    """Return why a column cannot hold all values of a type; None if it can."""
    compare = _COMPARISONS.get((needed.family, there.family))
    if compare is None:
        return Misfit(Severity.ERROR, "which holds another kind of values")
    return None if needed == there else compare(needed, there)


def affinity_misfit(needed: SqlType, declared: str) -> Misfit | None:
    """Return why a column of SQLite changes values that the program stores as text; None if it does not.

    Source: "Datatypes In SQLite", section 3.1, "Determination Of Column Affinity".

    Args:
        needed: The type in the contract.
        declared: The declared type of the column, such as `INTEGER`.
    """
    kind = declared.upper()
    keeps_text = any(part in kind for part in ("CHAR", "CLOB", "TEXT", "BLOB")) or kind in ("", "ANY")
    if keeps_text and "INT" not in kind:
        return None
    if needed.family is Family.TEXT:
        return _error("which changes text that looks like a number")
    if needed.family is Family.MONEY or (needed.family is Family.DECIMAL and needed.precision > EXACT_DIGITS):
        return Misfit(Severity.WARNING, f"which keeps {EXACT_DIGITS} digits")
    return None


def _error(reason: str) -> Misfit:
    return Misfit(Severity.ERROR, reason)


class _Exact(NamedTuple):
    """The range and scale of an exact type."""

    low: Fraction
    high: Fraction
    scale: int


def _exact(sql_type: SqlType) -> _Exact:
    match sql_type.family:
        case Family.BIT:
            return _Exact(Fraction(0), Fraction(1), 0)
        case Family.INTEGER:
            low, high = INTEGER_RANGES[sql_type.name]
            return _Exact(Fraction(low), Fraction(high), 0)
        case Family.MONEY:
            limit = MONEY_LIMITS[sql_type.name]
            return _Exact(Fraction(-limit, 10**4), Fraction(limit - 1, 10**4), 4)
        case _:
            most = Fraction(10**sql_type.precision - 1, 10**sql_type.scale)
            return _Exact(-most, most, sql_type.scale)


def _exact_in_exact(needed: SqlType, there: SqlType) -> Misfit | None:
    wanted, given = _exact(needed), _exact(there)
    if given.scale < wanted.scale:
        return _error("which has fewer decimals")
    if given.low <= wanted.low and wanted.high <= given.high:
        return None
    return _error("which has a smaller range")


def _exact_in_float(needed: SqlType, there: SqlType) -> Misfit | None:
    numbers = _exact(needed)
    is_kept = numbers.scale == 0 and max(-numbers.low, numbers.high) <= 2 ** _bits(there)
    return None if is_kept else _error("which is approximate")


def _float_in_float(needed: SqlType, there: SqlType) -> Misfit | None:
    return _error("which has fewer digits") if _bits(there) < _bits(needed) else None


def _bits(sql_type: SqlType) -> int:
    """Return the precision. SQL Server treats float(1) to float(24) as real, others as float(53)."""
    is_real = sql_type.name == "real" or sql_type.precision <= _REAL_BITS
    return _REAL_BITS if is_real else _FLOAT_BITS


def _text_in_text(needed: SqlType, there: SqlType) -> Misfit | None:
    is_ascii = needed.family is Family.GUID
    if there.name in CODE_PAGE_TYPES and needed.name not in CODE_PAGE_TYPES and not is_ascii:
        return _error("which holds only the characters of its code page")
    if _length(there) < _length(needed):
        return _error("which is shorter")
    if _is_padded_further(needed, there):
        return Misfit(Severity.WARNING, "which pads values with spaces")
    return None


def _binary_in_binary(needed: SqlType, there: SqlType) -> Misfit | None:
    if _length(there) < _length(needed):
        return _error("which is shorter")
    return _error("which pads values with zero bytes") if _is_padded_further(needed, there) else None


def _length(sql_type: SqlType) -> int:
    if sql_type.family is Family.GUID:
        return _GUID_LENGTH
    return _LONGEST if sql_type.length in (0, MAX) else sql_type.length


def _is_padded_further(needed: SqlType, there: SqlType) -> bool:
    return there.name in _PADDED and not (needed.name in _PADDED and _length(needed) == _length(there))


class _Calendar(NamedTuple):
    """The range and resolution of a date or time type.

    Attributes:
        digits: Digits of a fractional second; `_MINUTE` and `_DAY` for types without seconds.
    """

    first: date
    last: date
    digits: int


def _calendar(sql_type: SqlType) -> _Calendar:
    match sql_type.name:
        case "date":
            return _Calendar(date.min, date.max, _DAY)
        case "smalldatetime":
            return _Calendar(date(1900, 1, 1), date(2079, 6, 6), _MINUTE)
        case "datetime":
            return _Calendar(date(1753, 1, 1), date.max, 3)
        case _:
            return _Calendar(date.min, date.max, sql_type.scale)


def _datetime_in_datetime(needed: SqlType, there: SqlType) -> Misfit | None:
    has_zone = there.family is Family.OFFSET
    if needed.family is Family.OFFSET and not has_zone:
        return _error("which has no time zone")
    wanted, given = _calendar(needed), _calendar(there)
    if given.digits < wanted.digits:
        return _error(_COARSE.get(given.digits, "which has fewer digits of fractional seconds"))
    if there.name == "datetime" and needed.name != "datetime" and wanted.digits > 0:
        return _error("which rounds to .000, .003 or .007 seconds")
    if wanted.first < given.first or given.last < wanted.last:
        return _error(f"which holds only days from {given.first} to {given.last}")
    if has_zone and needed.family is not Family.OFFSET:
        return Misfit(Severity.WARNING, "which treats the values as UTC")
    return None


def _time_in_time(needed: SqlType, there: SqlType) -> Misfit | None:
    is_finer = needed.scale > there.scale
    return _error("which has fewer digits of fractional seconds") if is_finer else None


def _always(_needed: SqlType, _there: SqlType) -> None:
    """Accept all values."""


_EXACT = (Family.BIT, Family.INTEGER, Family.DECIMAL, Family.MONEY)
_DATETIMES = (Family.DATE, Family.DATETIME, Family.OFFSET)

_COMPARISONS: dict[tuple[Family, Family], Callable[[SqlType, SqlType], Misfit | None]] = {
    **{(needed, there): _exact_in_exact for needed in _EXACT for there in _EXACT},
    **{(needed, Family.FLOAT): _exact_in_float for needed in _EXACT},
    (Family.FLOAT, Family.FLOAT): _float_in_float,
    **{(needed, Family.TEXT): _text_in_text for needed in (Family.TEXT, Family.GUID, Family.XML)},
    (Family.BINARY, Family.BINARY): _binary_in_binary,
    **{(needed, there): _datetime_in_datetime for needed in _DATETIMES for there in _DATETIMES},
    (Family.TIME, Family.TIME): _time_in_time,
    (Family.GUID, Family.GUID): _always,
    (Family.XML, Family.XML): _always,
}
"""Comparisons by the families of the needed and the actual type; other families do not match."""
