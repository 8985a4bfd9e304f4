"""Text to dates and times and back, by the rules of `us_english` and the styles of CONVERT.

Text that fits more than one order of day, month and year, or none, is an error. Two-digit years mean 1950 to 2049. The
Hijri styles 130 and 131 are not supported. Sources: the string literal formats in "date", "time", "datetime",
"datetime2" and "datetimeoffset (Transact-SQL)" and the styles in "CAST and CONVERT (Transact-SQL)", Microsoft Learn.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any, NamedTuple

from xml_extractor.tsql.errors import CompileError
from xml_extractor.tsql.numeric import not_a
from xml_extractor.tsql.result_types import LEGACY_MOMENTS, MOMENTS
from xml_extractor.tsql.temporal import BASE_DATE, MIDNIGHT, moment_fitter
from xml_extractor.tsql.text import text_fitter
from xml_extractor.tsql.typed import Cast, Kernel
from xml_extractor.values.sqltypes import Family, SqlType
from xml_extractor.values.times import FRACTION_DIGITS, combine, fraction_of, later

_ANY_ORDER = ""

_INPUT_ORDERS: dict[int, str] = {
    **dict.fromkeys((0, 100, 8, 24, 108, 9, 109, 13, 14, 113, 114), _ANY_ORDER),
    **dict.fromkeys((1, 101, 10, 110, 22), "mdy"),
    **dict.fromkeys((2, 102, 11, 111, 20, 120, 21, 25, 121, 23, 126, 127), "ymd"),
    **dict.fromkeys((3, 103, 4, 104, 5, 105), "dmy"),
    **dict.fromkeys((6, 106, 7, 107), "month name"),
    **dict.fromkeys((12, 112), "digits"),
}
"""The order of day, month and year that a style requires."""

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?", re.ASCII | re.IGNORECASE
)
_TIME = re.compile(
    r"(?:^|\s)(\d{1,2})(?::(\d{1,2})(?::(\d{1,2})(?:([.:])(\d{1,9}))?)?)?\s*([ap]m)?(?:\s*(Z|[+-]\d\d:\d\d))?$",
    re.ASCII | re.IGNORECASE,
)
_NUMBERS = re.compile(r"(\d{1,4})\s*([/.-])\s*(\d{1,4})\s*\2\s*(\d{1,4})", re.ASCII)
_WORDS = re.compile(r"[\s,/.-]+")
_MONTH_NAMES = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_MONTH_NUMBERS = {name: number for number, word in enumerate(_MONTH_NAMES, 1) for name in (word, word[:3])}

_CENTURY_CUTOFF = 49
_LEGACY_FRACTION = 3
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


_FIELDS: dict[str, Callable[[datetime], str]] = {
    "yyyy": lambda moment: f"{moment.year:04}",
    "yy": lambda moment: f"{moment.year % 100:02}",
    "mm": lambda moment: f"{moment.month:02}",
    "mon": lambda moment: _MONTH_NAMES[moment.month - 1][:3].title(),
    "dd": lambda moment: f"{moment.day:02}",
    "d": lambda moment: f"{moment.day:2}",
    "hh": lambda moment: f"{moment.hour:02}",
    "h": lambda moment: f"{(moment.hour - 1) % _HALF_DAY + 1:2}",
    "mi": lambda moment: f"{moment.minute:02}",
    "ss": lambda moment: f"{moment.second:02}",
    "AM": lambda moment: "AM" if moment.hour < _HALF_DAY else "PM",
}

_SHORT_DATES = {
    1: "{mm}/{dd}/{yy}",
    2: "{yy}.{mm}.{dd}",
    3: "{dd}/{mm}/{yy}",
    4: "{dd}.{mm}.{yy}",
    5: "{dd}-{mm}-{yy}",
    6: "{dd} {mon} {yy}",
    7: "{mon} {dd}, {yy}",
    10: "{mm}-{dd}-{yy}",
    11: "{yy}/{mm}/{dd}",
    12: "{yy}{mm}{dd}",
}
"""Styles with a two-digit year; the styles with 100 added have a four-digit year."""
_SHORT_STYLES = frozenset({*_SHORT_DATES, 22})

_DATES = {
    **_SHORT_DATES,
    **{style + 100: template.replace("{yy}", "{yyyy}") for style, template in _SHORT_DATES.items()},
    22: _SHORT_DATES[1],
    **dict.fromkeys((0, 100, 9, 109), "{mon} {d} {yyyy}"),
    **dict.fromkeys((13, 113), "{dd} {mon} {yyyy}"),
    **dict.fromkeys((20, 120, 21, 25, 121, 23, 126, 127), "{yyyy}-{mm}-{dd}"),
}
_TIMES = {
    **dict.fromkeys((0, 100), "{h}:{mi}{AM}"),
    **dict.fromkeys((8, 24, 108, 20, 120), "{hh}:{mi}:{ss}"),
    **dict.fromkeys((9, 109), "{h}:{mi}:{ss}{:fraction}{AM}"),
    **dict.fromkeys((13, 113, 14, 114), "{hh}:{mi}:{ss}{:fraction}"),
    **dict.fromkeys((21, 25, 121), "{hh}:{mi}:{ss}{.fraction}"),
    22: "{h}:{mi}:{ss} {AM}",
    **dict.fromkeys((126, 127), "{hh}:{mi}:{ss}{.fraction?}"),
}
_OUTPUT_STYLES = tuple(sorted({*_DATES, *_TIMES}))

_ISO_STYLE, _ISO_UTC_STYLE = 126, 127
_PIECE = re.compile(r"\{([^}]*)\}|([^{]+)")


def _moment_of_text(text: str, data_type: SqlType, style: int) -> datetime:
    """Parse a text as a date and time of a type; a `time` has any date, only a `datetimeoffset` has an offset.

    Args:
        text: A date, a time, or both.
        data_type: The date or time type to which the text is converted.
        style: A style of CONVERT; 0 accepts the formats that need none.

    Raises:
        EvaluationError: `conversion_failed` or `overflow`.
    """
    try:
        day, clock = _parts(text.strip(" "), style)
        _check_clock(clock, data_type)
        day = BASE_DATE if data_type.family is Family.TIME else day
        moment = datetime.combine(day, time(clock.hour, clock.minute, clock.second))
        rounded = later(moment, _rounded_fraction(clock.fraction, data_type))
    except (ValueError, OverflowError):
        raise not_a(data_type) from None
    if data_type.family is Family.OFFSET:
        return rounded.replace(tzinfo=_time_zone(clock.offset, data_type))
    return moment_fitter(data_type)(rounded) if data_type.family is Family.DATETIME else rounded


def _date_of_text(text: str, data_type: SqlType, style: int) -> date:
    """Parse the date of a text; its time of day must be valid, but is dropped."""
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
    if iso is not None and _INPUT_ORDERS[style] in {_ANY_ORDER, "ymd"}:
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
    if len(clock.fraction) > (_LEGACY_FRACTION if legacy else FRACTION_DIGITS):
        raise not_a(data_type)
    _time_zone(clock.offset, data_type)
    if legacy and clock.offset.upper() not in {"", "Z"}:
        raise not_a(data_type)


def _rounded_fraction(digits: str, data_type: SqlType) -> int:
    fraction = int(digits.ljust(FRACTION_DIGITS, "0"))
    if data_type.name in LEGACY_MOMENTS:
        return fraction
    step: int = 10 ** (FRACTION_DIGITS - data_type.scale)
    return (fraction + step // 2) // step * step


def _time_zone(offset: str, data_type: SqlType) -> timezone:
    if offset.upper() in {"", "Z"}:
        return UTC
    minutes = int(offset[1:3]) * 60 + int(offset[4:6])
    if int(offset[4:6]) > _LAST_MINUTE or minutes > _WIDEST_OFFSET:
        raise not_a(data_type)
    return timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))


def _day(text: str, style: int) -> date:
    order = _INPUT_ORDERS[style]
    if text.isascii() and text.isdigit():
        return _day_of_digits(text, style)
    numbers = _NUMBERS.fullmatch(text)
    if numbers is None:
        if order not in {_ANY_ORDER, "month name"}:
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
    if len(digits) == _YEAR_DIGITS and (style == 0 or style not in _SHORT_STYLES):
        return int(digits)
    if len(digits) == _SHORT_DIGITS and (style == 0 or style in _SHORT_STYLES):
        year = int(digits)
        return 2000 + year if year <= _CENTURY_CUTOFF else 1900 + year
    raise ValueError(digits)


def _moment_writer(data_type: SqlType, style: int | None) -> Callable[[Any], str]:
    """Return the function that formats values of a date or time type.

    Args:
        data_type: The type of the values.
        style: A style of CONVERT; the default is 0 for `datetime` and `smalldatetime`, and 121 for the others.

    Raises:
        CompileError: The style is unknown, or shows no part of the type.
    """
    if style is None:
        style = 0 if data_type.name in LEGACY_MOMENTS else 121
    template = _template(data_type, style)
    pieces = [_piece(data_type, field, text) for field, text in _PIECE.findall(template)]
    in_utc = data_type.family is Family.OFFSET and style == _ISO_UTC_STYLE

    def write(value: date | time | datetime) -> str:
        if isinstance(value, time):
            moment = combine(BASE_DATE, value)
        elif isinstance(value, datetime):
            moment = value.astimezone(UTC) if in_utc else value
        else:
            moment = datetime.combine(value, MIDNIGHT)
        return "".join([piece(moment) for piece in pieces]).lstrip(" ")

    return write


def _template(data_type: SqlType, style: int) -> str:
    day = "" if data_type.family is Family.TIME else _DATES.get(style, "")
    clock = "" if data_type.family is Family.DATE else _TIMES.get(style, "")
    if style not in _OUTPUT_STYLES:
        known = ", ".join(map(str, _OUTPUT_STYLES))
        raise CompileError(f"style {style} is not a date and time style", str(style), known)
    if not day and not clock:
        raise CompileError(f"style {style} shows no part of {data_type}", str(style))
    joined = day + ("" if not (day and clock) else "T" if style in {_ISO_STYLE, _ISO_UTC_STYLE} else " ") + clock
    if data_type.family is not Family.OFFSET or (not clock and style != _ISO_UTC_STYLE):
        return joined
    if style == _ISO_UTC_STYLE:
        return joined + "Z"
    return joined + ("{offset}" if style == _ISO_STYLE else " {offset}")


def _piece(data_type: SqlType, field: str, text: str) -> Callable[[datetime], str]:
    if text:
        return lambda _moment: text
    if field in _FIELDS:
        return _FIELDS[field]
    if field == "offset":
        return _offset
    return _fraction(data_type, field)


def _fraction(data_type: SqlType, field: str) -> Callable[[datetime], str]:
    mark, hidden_when_zero = field[0], field.endswith("?")
    if data_type.name in LEGACY_MOMENTS:

        def milliseconds(moment: datetime) -> str:
            if hidden_when_zero and not moment.microsecond:
                return ""
            return f"{mark}{moment.microsecond // 1000:03}"

        return milliseconds
    digits = data_type.scale
    if not digits:
        return lambda _moment: ""
    return lambda moment: "." + f"{fraction_of(moment):07}"[:digits]


def _offset(moment: datetime) -> str:
    shift = moment.utcoffset()
    minutes = 0 if shift is None else int(shift.total_seconds()) // 60
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"


def _input_style(cast: Cast) -> int:
    style = cast.style or 0
    if style not in _INPUT_ORDERS:
        known = ", ".join(map(str, sorted(_INPUT_ORDERS)))
        raise CompileError(f"style {style} is not a date and time style", str(style), known)
    return style


def _parsed(parse: Callable[[str, SqlType, int], Any]) -> Callable[[Cast], Kernel]:
    def build(cast: Cast) -> Kernel:
        target, style = cast.target, _input_style(cast)
        return lambda text: parse(text, target, style)

    return build


def _moment_to_text(cast: Cast) -> Kernel:
    write, fit = _moment_writer(cast.source, cast.style), text_fitter(cast.target, cast.target, strict=cast.strict)
    return lambda moment: fit(write(moment))


KERNELS: dict[tuple[Family, Family], Callable[[Cast], Kernel]] = {
    (Family.TEXT, Family.DATE): _parsed(_date_of_text),
    (Family.TEXT, Family.TIME): _parsed(lambda *arguments: _moment_of_text(*arguments).time()),
    **{(Family.TEXT, target): _parsed(_moment_of_text) for target in (Family.DATETIME, Family.OFFSET)},
    **{(source, Family.TEXT): _moment_to_text for source in MOMENTS},
}
"""For each pair of families, the function that compiles a conversion between text and a date or time."""
