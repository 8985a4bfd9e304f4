"""Dates and times of 100 nanoseconds, the resolution of `time(7)`, `datetime2(7)` and `datetimeoffset(7)`.

Python's `datetime` and `time` end at the microsecond. A value whose seventh digit is not 0 is a `FineDatetime` or
`FineTime`; all others are Python's. Both kinds compare, hash, pickle, move in time and change their zone alike, and
`isoformat` writes all digits. Three functions of Python drop the seventh digit: `datetime.combine`, `fromisoformat` and
the difference of two datetimes. Use `combine`, `parse_datetime`, `parse_time` and `fraction_of` instead.
"""

import operator
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any, Final, TypeVar

MICROSECOND_DIGITS: Final = 6
FRACTION_DIGITS: Final = 7
SECOND: Final = 10**FRACTION_DIGITS
"""A second in units of 100 nanoseconds."""

_MICROSECOND = 10
_TIME_LENGTH = len("23:59:59.123456")
_DATETIME_LENGTH = len("2024-12-31T23:59:59.123456")
_TIME_FIELDS, _DATETIME_FIELDS = 3, 6
"""Fields ahead of the microsecond."""

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
    return fine  # type: ignore[no-any-return]


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
