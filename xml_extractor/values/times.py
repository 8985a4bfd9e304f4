"""Dates and times of 100 nanoseconds, the resolution of `time(7)`, `datetime2(7)` and `datetimeoffset(7)`.

Python's `datetime` and `time` end at the microsecond. A value whose seventh digit is not 0 is a `FineDatetime` or
`FineTime`; all others are Python's. Both kinds compare, hash, pickle, move in time and change their zone alike, and
`isoformat` writes all digits. Three functions of Python drop the seventh digit: `datetime.combine`, `fromisoformat` and
the difference of two datetimes. Use `combine`, `parse_datetime`, `parse_time` and `fraction_of` instead.

`parse_iso_date_time` and `parse_iso_time` read ISO 8601 as documents write it; what `usual_reader` returns reads usual
texts much faster. In documents, as in XML Schema, 24:00:00 is the end of a day, 00:00:00 of the next. Codes raised:
`impossible_date`, `overflow`, `unknown_date_format`.
"""

import operator
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any, Final, TypeVar, cast

from xml_extractor.documents import Value
from xml_extractor.reasons import Reason
from xml_extractor.values.sqltypes import InvalidValueError, SqlType

MICROSECOND_DIGITS: Final = 6
FRACTION_DIGITS: Final = 7
SECOND: Final = 10**FRACTION_DIGITS
"""A second in units of 100 nanoseconds."""

_MICROSECOND = 10
_TIME_LENGTH = len("23:59:59.123456")
_DATETIME_LENGTH = len("2024-12-31T23:59:59.123456")
_TIME_FIELDS, _DATETIME_FIELDS = 3, 6
"""Fields ahead of the microsecond."""

ISO: Final = "iso"
"""The entry of `formats` that stands for ISO 8601."""

Moment = tuple[datetime, str]
"""A date and time, with a zone if the text has one, and the digits of its fraction of a second behind the microsecond,
without zeros at their end.

A time without a date is on 1900-01-01, a date without a time at midnight.
"""

OFFSET: Final = re.compile(r"([+-])([0-9]{2}):?([0-9]{2})")

ZONE = "Z|[+-][0-9]{2}:?[0-9]{2}"
_DATE = "([0-9]{4})-([0-9]{2})-([0-9]{2})"
_TIME = r"([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?"
_ISO_DATE_TIME = re.compile(f"{_DATE}(?:[T ]{_TIME})?(?: ?({ZONE}))?")
_ISO_TIME = re.compile(f"{_TIME}(?: ?({ZONE}))?")
_DATE_LENGTH = len("2024-12-31")
_SECONDS_LENGTH = len("2024-12-31T23:59:59")
_LARGEST_OFFSET = 14 * 60
_OFFSET_LENGTH = len("+00:00")
_MINUTES = 60
_END_OF_DAY = "24"
_LEAP_SECOND = "60"

_ISO_SECONDS = "%Y-%m-%dT%H:%M:%S"
_USUAL_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_USUAL_SECONDS = f"{_USUAL_DATE}T(?:[01][0-9]|2[0-3]):[0-9]{{2}}:[0-9]{{2}}"
_USUAL_OFFSET = "(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9])"
_NO_EDGE = "(?!0001|9999)"
"""Of the first and the last year, an instant may be out of range in another zone."""

_Clock = TypeVar("_Clock", bound=time | datetime)


def _comparable(fine: type[_Clock]) -> type[_Clock]:
    """Give a subclass comparisons of all digits; the hash stays that of Python's class."""
    for relation in (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge):
        setattr(fine, f"__{relation.__name__}__", _comparison(relation, fine.__mro__[1]))
    return fine


def _comparison(relation: Callable[[Any, Any], bool], plain: type) -> Callable[[Any, object], bool]:
    def compare(self: Any, other: object) -> bool:
        return relation(_parts(self), _parts(other)) if isinstance(other, plain) else relation(self.plain, other)

    return compare


def _parts(value: Any) -> tuple[Any, int]:
    return getattr(value, "plain", value), getattr(value, "seventh_digit", 0)


def _written(plain: str, seventh_digit: int, length: int) -> str:
    return f"{plain[:length]}{seventh_digit}{plain[length:]}"


@_comparable
class FineTime(time):
    """A time of day with a seventh digit; `with_seventh_digit` makes it."""

    __slots__ = ("plain", "seventh_digit")
    plain: time
    seventh_digit: int

    def __reduce_ex__(self, _protocol: object) -> Any:
        return with_seventh_digit, (self.plain, self.seventh_digit)

    def __repr__(self) -> str:
        return f"FineTime({self.isoformat()})"

    def isoformat(self, timespec: str = "auto") -> str:
        """Return the time as Python does, with seven digits unless the unit is coarser than a microsecond."""
        if timespec not in {"auto", "microseconds"}:
            return self.plain.isoformat(timespec)
        return _written(self.plain.isoformat("microseconds"), self.seventh_digit, _TIME_LENGTH)

    def replace(self, *fields: Any, **named: Any) -> Any:
        """Replace fields; a new microsecond is a new fraction, without a seventh digit."""
        plain = self.plain.replace(*fields, **named)
        is_new = "microsecond" in named or len(fields) > _TIME_FIELDS
        return plain if is_new else with_seventh_digit(plain, self.seventh_digit)


@_comparable
class FineDatetime(datetime):
    """A date and time with a seventh digit; `with_seventh_digit` makes it."""

    __slots__ = ("plain", "seventh_digit")
    plain: datetime
    seventh_digit: int

    def __reduce_ex__(self, _protocol: object) -> Any:
        return with_seventh_digit, (self.plain, self.seventh_digit)

    def __repr__(self) -> str:
        return f"FineDatetime({self.isoformat()})"

    def __add__(self, by: timedelta) -> Any:
        return with_seventh_digit(self.plain + by, self.seventh_digit)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self + -other if isinstance(other, timedelta) else self.plain - other

    def astimezone(self, tz: tzinfo | None = None) -> Any:
        """Return the same instant in another zone."""
        return with_seventh_digit(self.plain.astimezone(tz), self.seventh_digit)

    def isoformat(self, sep: str = "T", timespec: str = "auto") -> str:
        """Return the date and time as Python does, with seven digits unless the unit is coarser than a microsecond."""
        if timespec not in {"auto", "microseconds"}:
            return self.plain.isoformat(sep, timespec)
        return _written(self.plain.isoformat(sep, "microseconds"), self.seventh_digit, _DATETIME_LENGTH)

    def replace(self, *fields: Any, **named: Any) -> Any:
        """Replace fields; a new microsecond is a new fraction, without a seventh digit."""
        plain = self.plain.replace(*fields, **named)
        is_new = "microsecond" in named or len(fields) > _DATETIME_FIELDS
        return plain if is_new else with_seventh_digit(plain, self.seventh_digit)

    def time(self) -> time:
        """Return the time of day."""
        return with_seventh_digit(self.plain.time(), self.seventh_digit)


def with_seventh_digit(plain: _Clock, digit: int) -> _Clock:
    """Return a value of Python's with a seventh digit of its fraction; itself if that is 0."""
    if not digit:
        return plain
    fine: Any
    clock = (plain.hour, plain.minute, plain.second, plain.microsecond, plain.tzinfo)
    if isinstance(plain, datetime):
        fine = FineDatetime(plain.year, plain.month, plain.day, *clock, fold=plain.fold)
    else:
        fine = FineTime(*clock, fold=plain.fold)
    fine.plain, fine.seventh_digit = plain, digit
    return cast("_Clock", fine)


def fraction_of(value: time | datetime) -> int:
    """Return the fraction of the second in units of 100 nanoseconds."""
    return value.microsecond * _MICROSECOND + getattr(value, "seventh_digit", 0)


def later(when: datetime, by: int) -> datetime:
    """Return the date and time after a number of units of 100 nanoseconds, which may be negative.

    Raises:
        OverflowError: That is before the year 1 or after 9999.
    """
    plain, seventh_digit = _parts(when)
    microseconds, digit = divmod(seventh_digit + by, _MICROSECOND)
    moved: datetime = plain + timedelta(microseconds=microseconds)
    return with_seventh_digit(moved, digit)


def combine(day: date, clock: time) -> datetime:
    """Return the date and time of a day and a time of day."""
    plain, seventh_digit = _parts(clock)
    return with_seventh_digit(datetime.combine(day, plain), seventh_digit)


def parse_datetime(text: str) -> datetime:
    """Parse what `isoformat` writes, with any number of digits up to seven."""
    fraction = text[_DATETIME_LENGTH - MICROSECOND_DIGITS : _DATETIME_LENGTH + 1]
    has_all_digits = len(fraction) == FRACTION_DIGITS and fraction.isdigit()
    return with_seventh_digit(datetime.fromisoformat(text), int(fraction[-1]) if has_all_digits else 0)


def parse_time(text: str) -> time:
    """Parse what `isoformat` writes for a time of day, with any number of digits up to seven."""
    return with_seventh_digit(time.fromisoformat(text), int(text[_TIME_LENGTH:] or 0))


@lru_cache(maxsize=256)
def offset_zone(text: str) -> timezone:
    """Return the zone that `Z`, `+hh:mm` or `+hhmm` stands for.

    Raises:
        InvalidValueError: `impossible_date`: more than 14 hours, SQL Server's limit, or more than 59 minutes.
    """
    match = OFFSET.fullmatch(text)
    if match is None:
        return UTC
    minutes = int(match[2]) * _MINUTES + int(match[3])
    if int(match[3]) >= _MINUTES or minutes > _LARGEST_OFFSET:
        raise InvalidValueError(Reason.IMPOSSIBLE_DATE, "a time zone is from -14:00 to +14:00")
    return timezone(timedelta(minutes=-minutes if match[1] == "-" else minutes))


def new_moment(
    date: tuple[int, int, int], time: tuple[str | None, str | None, str | None, str | None, str | None]
) -> Moment:
    """Build a date and time from its parts.

    Args:
        date: Year, month, day.
        time: Digits of hour, minute, second and fraction, and the zone; None where the text has none.

    Raises:
        InvalidValueError: `impossible_date`: it is not on any calendar or clock. `overflow`: it ends the year 9999.
    """
    hour, minute, second, fraction, zone = time
    digits = fraction or ""
    microsecond = int(digits[:MICROSECOND_DIGITS].ljust(MICROSECOND_DIGITS, "0"))
    tzinfo = offset_zone(zone) if zone else None
    is_end_of_day = hour == _END_OF_DAY and not f"{minute or ''}{second or ''}{digits}".strip("0")
    hours = 0 if is_end_of_day else int(hour or 0)
    try:
        when = datetime(*date, hours, int(minute or 0), int(second or 0), microsecond, tzinfo=tzinfo)
        if is_end_of_day:
            when += timedelta(days=1)
    except ValueError:
        raise InvalidValueError(Reason.IMPOSSIBLE_DATE, _fault(hour, second)) from None
    except OverflowError:
        raise InvalidValueError(Reason.OVERFLOW, "the date is outside the years 1 to 9999") from None
    return when, digits[MICROSECOND_DIGITS:].rstrip("0")


def _fault(hour: str | None, second: str | None) -> str:
    if hour == _END_OF_DAY:
        return "an hour of 24 is only for 24:00:00, the end of a day"
    if second == _LEAP_SECOND:
        return "seconds are from 00 to 59: SQL Server has no leap seconds"
    return "the date or time does not exist"


def _zone_at_end(text: str) -> str:
    """Return the zone at the end of a text in the common format; empty if there is none."""
    zone = text[-_OFFSET_LENGTH:]
    is_offset = zone[:1] in ("+", "-") and zone[3:4] == ":" and is_digits(zone[1:3] + zone[4:])
    return zone if is_offset else text[-1:] if text.endswith("Z") else ""


def parse_iso_date_time(text: str) -> Moment:
    """Parse an ISO 8601 date, or date and time with `T` or a space between; fraction and zone may follow.

    `datetime.fromisoformat` also reads week dates, hour 24 and more, so it gets only text in the common format.
    """
    length = len(text)
    if length >= _DATE_LENGTH and text[4] == text[7] == "-":
        try:
            if length == _DATE_LENGTH:
                return datetime.fromisoformat(text), ""
            is_time = length >= _SECONDS_LENGTH and text[10] in "T " and text[13] == text[16] == ":"
            if is_time and text[11:13] != "24":
                zone = _zone_at_end(text[_SECONDS_LENGTH:])
                local = text.removesuffix(zone)
                fraction = local[_SECONDS_LENGTH:]
                if not fraction or (len(local) <= _DATETIME_LENGTH and fraction[0] == "." and is_digits(fraction[1:])):
                    when = datetime.fromisoformat(local)
                    return when.replace(tzinfo=offset_zone(zone)) if zone else when, ""
        except ValueError:
            pass  # the general parser says what is wrong
    match = _ISO_DATE_TIME.fullmatch(text)
    if match is None:
        explanation = "not a date, or date and time, as ISO 8601 writes it"
        raise InvalidValueError(Reason.UNKNOWN_DATE_FORMAT, explanation)
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    return new_moment((int(year), int(month), int(day)), (hour, minute, second, fraction, zone))


def is_digits(text: str) -> bool:
    """Return whether a text is of ASCII digits only."""
    return text.isdigit() and text.isascii()


def parse_iso_time(text: str) -> Moment:
    """Parse an ISO 8601 time: hours and minutes; seconds, fraction and zone may follow."""
    match = _ISO_TIME.fullmatch(text)
    if match is None:
        raise InvalidValueError(Reason.UNKNOWN_DATE_FORMAT, "not a time as ISO 8601 writes it")
    hour, minute, second, fraction, zone = match.groups()
    return new_moment((1900, 1, 1), (hour, minute, second, fraction, zone))


@dataclass(frozen=True, slots=True)
class UsualFirst:
    """A converter that reads usual texts faster than others.

    Attributes:
        is_usual: Recognizes them, but not what is wrong in them.
        read: Reads them; raises `ValueError` for wrong ones.
        convert: Converts all texts, and says what is wrong.
    """

    is_usual: Callable[[str], object]
    read: Callable[[str], Value]
    convert: Callable[[str], Value]

    def __call__(self, text: str) -> Value:
        """Convert a text."""
        if self.is_usual(text):
            with suppress(ValueError):
                return self.read(text)
        return self.convert(text)


def usual_reader(
    sql_type: SqlType, form: str, zone: tzinfo | None
) -> tuple[Callable[[str], object], Callable[[str], Value]] | None:
    """Return what recognizes and what reads the usual texts of a column: functions in C, if possible.

    Args:
        sql_type: The column's type.
        form: The first of its `formats`.
        zone: Its time zone.

    Returns:
        None if the format or the type is not usual.
    """
    fraction = rf"\.[0-9]{{1,{min(sql_type.scale, MICROSECOND_DIGITS)}}}" if sql_type.scale else "(?!)"
    pattern = {
        ("date", ISO): _USUAL_DATE,
        ("date", "%Y-%m-%d"): _USUAL_DATE,
        ("datetime2", ISO): f"{_USUAL_SECONDS}(?:{fraction})?",
        ("datetime2", _ISO_SECONDS): _USUAL_SECONDS,
        ("datetime2", f"{_ISO_SECONDS}.%f"): f"{_USUAL_SECONDS}{fraction}",
        ("datetimeoffset", ISO): f"{_NO_EDGE}{_USUAL_SECONDS}(?:{fraction})?{_USUAL_OFFSET}",
    }.get((sql_type.name, form))
    if pattern is None:
        return None
    read: Callable[[str], Value] = date.fromisoformat if sql_type.name == "date" else datetime.fromisoformat
    if (sql_type.name, form) == ("datetime2", ISO) and zone is not None:
        pattern = f"{_NO_EDGE}{pattern}(?:{_USUAL_OFFSET})?"

        def read(text: str) -> Value:
            when = datetime.fromisoformat(text)
            return when if when.tzinfo is None else when.astimezone(zone).replace(tzinfo=None)

    return re.compile(pattern).fullmatch, read
