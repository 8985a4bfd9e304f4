"""Text read as dates and times, by the rules of `us_english` and the styles of CONVERT.

Text that more than one order of day, month and year would fit, or none, is refused. Two digits of a year mean 1950 to
2049. Sources: the string literal formats in "date", "time", "datetime", "datetime2" and "datetimeoffset (Transact-SQL)"
and the styles in "CAST and CONVERT (Transact-SQL)", Microsoft Learn.
"""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import NamedTuple

from xml_extractor.tsql.numeric import not_a
from xml_extractor.tsql.result_types import LEGACY_MOMENTS
from xml_extractor.tsql.temporal import BASE_DATE, moment_fitter
from xml_extractor.values.sqltypes import Family, SqlType

ANY_ORDER = ""

INPUT_ORDERS: dict[int, str] = {
    **dict.fromkeys((0, 100, 8, 24, 108, 9, 109, 13, 14, 113, 114), ANY_ORDER),
    **dict.fromkeys((1, 101, 10, 110, 22), "mdy"),
    **dict.fromkeys((2, 102, 11, 111, 20, 120, 21, 25, 121, 23, 126, 127), "ymd"),
    **dict.fromkeys((3, 103, 4, 104, 5, 105), "dmy"),
    **dict.fromkeys((6, 106, 7, 107), "month name"),
    **dict.fromkeys((12, 112), "digits"),
}
"""The order of day, month and year that a style asks of a text."""

_SHORT_YEAR_STYLES = frozenset({1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 22})

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?", re.ASCII | re.IGNORECASE
)
_TIME = re.compile(
    r"(?:^|\s)(\d{1,2})(?::(\d{1,2})(?::(\d{1,2})(?:([.:])(\d{1,9}))?)?)?\s*([ap]m)?(?:\s*(Z|[+-]\d\d:\d\d))?$",
    re.ASCII | re.IGNORECASE,
)
_NUMBERS = re.compile(r"(\d{1,4})\s*([/.-])\s*(\d{1,4})\s*\2\s*(\d{1,4})", re.ASCII)
_WORDS = re.compile(r"[\s,/.-]+")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_MONTH_NUMBERS = {name: number for number, word in enumerate(_MONTHS, 1) for name in (word, word[:3])}

_CENTURY_CUTOFF = 49
_LEGACY_FRACTION = 3
_FINEST_FRACTION = 7
_HALF_DAY = 12
_YEAR_DIGITS = 4
_SHORT_DIGITS = 2
_NUMERIC_ORDERS = frozenset({"mdy", "myd", "ymd", "dmy"})
_WIDEST_OFFSET = 14 * 60
_LAST_MINUTE = 59


class _Clock(NamedTuple):
    hour: int
    minute: int
    second: int
    fraction: str
    offset: str


_NO_CLOCK = _Clock(0, 0, 0, "", "")


def moment_of_text(text: str, data_type: SqlType, style: int = 0) -> datetime:
    """A text as a moment, with an offset when the type is `datetimeoffset`, rounded to the type; a `time` has any date.

    Args:
        text: A date, a time, or both.
        data_type: The date or time type to which the text is converted.
        style: A style of CONVERT; 0 stands for the formats that need none.

    Raises:
        EvaluationError: `conversion_failed` or `overflow`.
    """
    try:
        day, clock = _parts(text.strip(" "), style)
        _check_clock(clock, data_type)
        day = BASE_DATE if data_type.family is Family.TIME else day
        moment = datetime.combine(day, time(clock.hour, clock.minute, clock.second))
        rounded = moment + timedelta(microseconds=_microseconds(clock.fraction, data_type))
    except (ValueError, OverflowError):
        raise not_a(data_type) from None
    if data_type.family is Family.OFFSET:
        return rounded.replace(tzinfo=_time_zone(clock.offset, data_type))
    return moment_fitter(data_type)(rounded) if data_type.family is Family.DATETIME else rounded


def date_of_text(text: str, data_type: SqlType, style: int = 0) -> date:
    """The date of a text; its time of day must be right, but falls away."""
    try:
        day, clock = _parts(text.strip(" "), style)
        _check_clock(clock, data_type)
        time(clock.hour, clock.minute, clock.second)
    except ValueError:
        raise not_a(data_type) from None
    return day


def _parts(text: str, style: int) -> tuple[date, _Clock]:
    if not text:
        return BASE_DATE, _NO_CLOCK
    iso = _ISO.fullmatch(text)
    if iso is not None and INPUT_ORDERS[style] in {ANY_ORDER, "ymd"}:
        year, month, day, hour, minute, second, fraction, offset = iso.groups(default="")
        return date(int(year), int(month), int(day)), _Clock(int(hour), int(minute), int(second), fraction, offset)
    clock_found = _TIME.search(text)
    if clock_found is not None and (clock_found[2] or clock_found[6]):
        day_text = text[: clock_found.start()].strip(" ")
        return (_day(day_text, style) if day_text else BASE_DATE), _clock(clock_found)
    return _day(text, style), _NO_CLOCK


def _clock(found: re.Match[str]) -> _Clock:
    hour_text, minute, second, mark, fraction, half, offset = found.groups(default="")
    hour = int(hour_text)
    if half:
        if not 0 <= hour <= _HALF_DAY if half.lower() == "am" else not 1 <= hour < 2 * _HALF_DAY:
            raise ValueError(half)
        hour = hour % _HALF_DAY if half.lower() == "am" else hour % _HALF_DAY + _HALF_DAY
    if mark == ":":
        if len(fraction) > _LEGACY_FRACTION:
            raise ValueError(mark)
        fraction = fraction.zfill(_LEGACY_FRACTION)
    return _Clock(hour, int(minute or 0), int(second or 0), fraction, offset)


def _check_clock(clock: _Clock, data_type: SqlType) -> None:
    legacy = data_type.name in LEGACY_MOMENTS
    if len(clock.fraction) > (_LEGACY_FRACTION if legacy else _FINEST_FRACTION):
        raise not_a(data_type)
    _time_zone(clock.offset, data_type)
    if legacy and clock.offset.upper() not in {"", "Z"}:
        raise not_a(data_type)


def _microseconds(fraction: str, data_type: SqlType) -> int:
    if not fraction:
        return 0
    ticks = int(fraction.ljust(_FINEST_FRACTION, "0"))
    if data_type.name in LEGACY_MOMENTS or data_type.scale == _FINEST_FRACTION:
        return ticks // 10
    step: int = 10 ** (_FINEST_FRACTION - data_type.scale)
    return (ticks + step // 2) // step * step // 10


def _time_zone(offset: str, data_type: SqlType) -> timezone:
    if offset.upper() in {"", "Z"}:
        return UTC
    minutes = int(offset[1:3]) * 60 + int(offset[4:6])
    if int(offset[4:6]) > _LAST_MINUTE or minutes > _WIDEST_OFFSET:
        raise not_a(data_type)
    return timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))


def _day(text: str, style: int) -> date:
    order = INPUT_ORDERS[style]
    if text.isascii() and text.isdigit():
        return _day_of_digits(text, style)
    numbers = _NUMBERS.fullmatch(text)
    if numbers is None:
        if order not in {ANY_ORDER, "month name"}:
            raise ValueError(order)
        return _day_of_words(text, style)
    first, _, second, third = numbers.groups()
    return _ordered_day(first, second, third, order or _us_order(first, second), style)


def _us_order(first: str, second: str) -> str:
    if len(first) == _YEAR_DIGITS:
        return "ymd"
    return "myd" if len(second) == _YEAR_DIGITS else "mdy"


def _ordered_day(first: str, second: str, third: str, order: str, style: int) -> date:
    if order not in _NUMERIC_ORDERS:
        raise ValueError(order)
    found = dict(zip(order, (first, second, third), strict=True))
    if len(found["m"]) > _SHORT_DIGITS or len(found["d"]) > _SHORT_DIGITS:
        raise ValueError(order)
    return date(_year(found["y"], style), int(found["m"]), int(found["d"]))


def _day_of_digits(text: str, style: int) -> date:
    match len(text):
        case 8:
            return date(int(text[:4]), int(text[4:6]), int(text[6:]))
        case 6:
            return date(_year(text[:2], style), int(text[2:4]), int(text[4:]))
        case 4 if style == 0:
            return date(int(text), 1, 1)
        case _:
            raise ValueError(style)


def _day_of_words(text: str, style: int) -> date:
    words = _WORDS.split(text.lower())
    months = [_MONTH_NUMBERS[word] for word in words if word in _MONTH_NUMBERS]
    numbers = [word for word in words if word.isascii() and word.isdigit()]
    if len(months) != 1 or len(numbers) + 1 != len(words):
        raise ValueError(style)
    years = [number for number in numbers if len(number) == _YEAR_DIGITS]
    match numbers:
        case [_] if years:
            day_text, year_text = "1", years[0]
        case [first, second] if years:
            day_text, year_text = (second if years[0] is first else first), years[0]
        case [day_text, year_text]:
            pass
        case _:
            raise ValueError(style)
    return date(_year(year_text, style), months[0], int(day_text))


def _year(digits: str, style: int) -> int:
    if len(digits) == _YEAR_DIGITS and (style not in _SHORT_YEAR_STYLES or style == 0):
        return int(digits)
    if len(digits) == _SHORT_DIGITS and (style == 0 or style in _SHORT_YEAR_STYLES):
        year = int(digits)
        return 2000 + year if year <= _CENTURY_CUTOFF else 1900 + year
    raise ValueError(digits)
