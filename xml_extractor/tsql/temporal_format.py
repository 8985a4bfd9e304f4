"""Dates and times written as text, by the styles of CONVERT.

Source: "CAST and CONVERT (Transact-SQL)", Microsoft Learn. The Hijri styles 130 and 131 are not there.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time

from xml_extractor.tsql.faults import RefusalError
from xml_extractor.tsql.result_types import LEGACY_MOMENTS
from xml_extractor.tsql.temporal import BASE_DATE, MIDNIGHT
from xml_extractor.values.sqltypes import Family, SqlType

_MONTHS = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HALF_DAY = 12

_FIELDS: dict[str, Callable[[datetime], str]] = {
    "yyyy": lambda moment: f"{moment.year:04}",
    "yy": lambda moment: f"{moment.year % 100:02}",
    "mm": lambda moment: f"{moment.month:02}",
    "mon": lambda moment: _MONTHS[moment.month],
    "dd": lambda moment: f"{moment.day:02}",
    "d": lambda moment: f"{moment.day:2}",
    "hh": lambda moment: f"{moment.hour:02}",
    "h": lambda moment: f"{(moment.hour - 1) % _HALF_DAY + 1:2}",
    "mi": lambda moment: f"{moment.minute:02}",
    "ss": lambda moment: f"{moment.second:02}",
    "AM": lambda moment: "AM" if moment.hour < _HALF_DAY else "PM",
}

_DATES = {
    **dict.fromkeys((0, 100, 9, 109), "{mon} {d} {yyyy}"),
    1: "{mm}/{dd}/{yy}",
    101: "{mm}/{dd}/{yyyy}",
    2: "{yy}.{mm}.{dd}",
    102: "{yyyy}.{mm}.{dd}",
    3: "{dd}/{mm}/{yy}",
    103: "{dd}/{mm}/{yyyy}",
    4: "{dd}.{mm}.{yy}",
    104: "{dd}.{mm}.{yyyy}",
    5: "{dd}-{mm}-{yy}",
    105: "{dd}-{mm}-{yyyy}",
    6: "{dd} {mon} {yy}",
    106: "{dd} {mon} {yyyy}",
    7: "{mon} {dd}, {yy}",
    107: "{mon} {dd}, {yyyy}",
    10: "{mm}-{dd}-{yy}",
    110: "{mm}-{dd}-{yyyy}",
    11: "{yy}/{mm}/{dd}",
    111: "{yyyy}/{mm}/{dd}",
    12: "{yy}{mm}{dd}",
    112: "{yyyy}{mm}{dd}",
    **dict.fromkeys((13, 113), "{dd} {mon} {yyyy}"),
    22: "{mm}/{dd}/{yy}",
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
_SEPARATORS = {126: "T", 127: "T"}

STYLES = tuple(sorted({*_DATES, *_TIMES}))
"""Styles that can be written."""

_ISO, _ISO_UTC = 126, 127
_PIECE = re.compile(r"\{([^}]*)\}|([^{]+)")


def moment_writer(data_type: SqlType, style: int | None) -> Callable[[date | time | datetime], str]:
    """A function that writes values of a date or time type.

    Args:
        data_type: The type of the values.
        style: A style of CONVERT; without one, `datetime` and `smalldatetime` have style 0 and the others style 121.

    Raises:
        RefusalError: The style is unknown, or shows nothing that the type has.
    """
    if style is None:
        style = 0 if data_type.name in LEGACY_MOMENTS else 121
    template = _template(data_type, style)
    pieces = [_piece(data_type, field, text) for field, text in _PIECE.findall(template)]
    if data_type.family is Family.TIME:
        return lambda value: "".join([piece(_of_time(value)) for piece in pieces]).lstrip(" ")
    if data_type.family is Family.DATE:
        return lambda value: "".join([piece(_of_date(value)) for piece in pieces])
    if data_type.family is Family.OFFSET and style == _ISO_UTC:
        return lambda value: "".join([piece(_in_utc(value)) for piece in pieces]) + "Z"
    return lambda value: "".join([piece(_as_moment(value)) for piece in pieces])


def _template(data_type: SqlType, style: int) -> str:
    day = "" if data_type.family is Family.TIME else _DATES.get(style, "")
    clock = "" if data_type.family is Family.DATE else _TIMES.get(style, "")
    if style not in STYLES:
        known = ", ".join(map(str, STYLES))
        raise RefusalError(f"style {style} is not a date and time style", str(style), known)
    if not day and not clock:
        raise RefusalError(f"style {style} shows no part of {data_type}", str(style))
    joined = day + (_SEPARATORS.get(style, " ") if day and clock else "") + clock
    if data_type.family is not Family.OFFSET or not clock or style == _ISO_UTC:
        return joined
    return joined + ("{offset}" if style == _ISO else " {offset}")


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
    return lambda moment: "." + f"{moment.microsecond:06}0"[:digits]


def _offset(moment: datetime) -> str:
    shift = moment.utcoffset()
    minutes = 0 if shift is None else int(shift.total_seconds()) // 60
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"


def _of_time(value: date | time | datetime) -> datetime:
    return datetime.combine(BASE_DATE, value) if isinstance(value, time) else _as_moment(value)


def _of_date(value: date | time | datetime) -> datetime:
    return datetime.combine(value, MIDNIGHT) if isinstance(value, date) else _of_time(value)


def _as_moment(value: date | time | datetime) -> datetime:
    return value if isinstance(value, datetime) else _of_date(value)


def _in_utc(value: date | time | datetime) -> datetime:
    return _as_moment(value).astimezone(UTC)
