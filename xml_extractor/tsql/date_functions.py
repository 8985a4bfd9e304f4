"""Functions on dates and times; weeks start on Sunday, as with `SET DATEFIRST 7`.

A new function is a function here and a line in `FUNCTIONS`. Source: "Date and time data types and functions
(Transact-SQL)", Microsoft Learn, and the page of each function.
"""

from calendar import monthrange
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import partial
from typing import TypeVar

from xml_extractor.reasons import Reason
from xml_extractor.tsql.conversion import as_integer, convert
from xml_extractor.tsql.errors import CompileError, EvaluationError
from xml_extractor.tsql.logic import isnull
from xml_extractor.tsql.result_types import NUMBERS
from xml_extractor.tsql.temporal import (
    BASE_DATE,
    MIDNIGHT,
    moment_fitter,
    out_of_range,
    time_fitter,
    to_datetime,
    to_smalldatetime,
    without_offset,
)
from xml_extractor.tsql.typed import INT, Function, Kernel, Typed, apply, constant, constant_value
from xml_extractor.values.sqltypes import INTEGER_RANGES, Family, SqlType
from xml_extractor.values.times import FRACTION_DIGITS, SECOND, combine, fraction_of, later, with_seventh_digit

_DATE = SqlType("date")
_DATETIME = SqlType("datetime")
_DATETIME2 = SqlType("datetime2", scale=7)
_OFFSET = SqlType("datetimeoffset", scale=7)

_ABBREVIATIONS = {
    "year": ("yy", "yyyy"),
    "quarter": ("qq", "q"),
    "month": ("mm", "m"),
    "dayofyear": ("dy", "y"),
    "day": ("dd", "d"),
    "week": ("wk", "ww"),
    "weekday": ("dw", "w"),
    "hour": ("hh",),
    "minute": ("mi", "n"),
    "second": ("ss", "s"),
    "millisecond": ("ms",),
    "microsecond": ("mcs",),
    "nanosecond": ("ns",),
    "tzoffset": ("tz",),
    "iso_week": ("isowk", "isoww"),
}
_DAY_PARTS = frozenset({"year", "quarter", "month", "dayofyear", "day", "week", "weekday", "iso_week"})
_FINE_PARTS = frozenset({"microsecond", "nanosecond"})
_MONTHS = {"year": 12, "quarter": 3, "month": 1}
_DAYS = {"dayofyear": 1, "day": 1, "weekday": 1, "week": 7}
_UNITS = {
    "hour": 3600 * SECOND,
    "minute": 60 * SECOND,
    "second": SECOND,
    "millisecond": SECOND // 1000,
    "microsecond": SECOND // 1_000_000,
}
"""In units of 100 nanoseconds."""
_DAY_UNITS = 24 * _UNITS["hour"]
_NANOSECONDS = 100
_MILLISECOND_DIGITS = 3
_MINUTES = 60
_MOST_OFFSET_MINUTES = 14 * _MINUTES

_Day = TypeVar("_Day", date, datetime)


def _parts(*left_out: str) -> dict[str, str]:
    return {
        name: part
        for part, abbreviations in _ABBREVIATIONS.items()
        if part not in left_out
        for name in (part, *abbreviations)
    }


def _as_moment(part: Typed, of_text: SqlType) -> Typed:
    """Convert a part to a date or time: text to the given type, numbers to `datetime`."""
    if part.null or part.type.family in NUMBERS:
        return convert(part, _DATETIME)
    return convert(part, of_text) if part.type.family in {Family.TEXT, Family.BINARY} else part


def _check_part(part: str, data_type: SqlType, function: str) -> None:
    wrong = {Family.XML, Family.GUID, Family.TIME if part in _DAY_PARTS else Family.DATE}
    if data_type.family in wrong:
        raise CompileError(f"{function} has no {part} of {data_type}", part)


def _dateadd(part: str, arguments: Sequence[Typed]) -> Typed:
    count, moment = _cut_to_integer(arguments[0]), _as_moment(arguments[1], _DATETIME)
    _check_part(part, moment.type, "DATEADD")
    if part in _FINE_PARTS and moment.type.name in {"datetime", "smalldatetime"}:
        raise CompileError(f"DATEADD has no {part} of {moment.type}", part)
    return apply(_adder(part, moment.type), moment.type, count, moment)


def _cut_to_integer(number: Typed) -> Typed:
    """Truncate a number to int, as DATEADD does; the conversion of money would round it."""
    is_money = number.type.family is Family.MONEY
    return as_integer(convert(number, SqlType("decimal", precision=19, scale=4)) if is_money else number)


def _adder(part: str, data_type: SqlType) -> Kernel:
    add = _months_or_days_adder(part) if part in _MONTHS or part in _DAYS else partial(_add_time, part)
    if data_type.family is Family.TIME:
        fit_time = time_fitter(data_type)
        return lambda count, clock: fit_time(later(combine(BASE_DATE, clock), _units(part, count) % _DAY_UNITS).time())
    fit = moment_fitter(data_type) if data_type.family is not Family.DATE else None

    def kernel(count: int, moment: datetime) -> date:
        try:
            moved = add(count, moment)
        except (ValueError, OverflowError):
            raise out_of_range(data_type) from None
        return moved if fit is None else fit(moved)

    return kernel


def _months_or_days_adder(part: str) -> Callable[[int, datetime], datetime]:
    if part in _MONTHS:
        months = _MONTHS[part]
        return lambda count, moment: _add_months(moment, count * months)
    days = _DAYS[part]
    return lambda count, moment: moment + timedelta(days=count * days)


def _add_months(moment: _Day, months: int) -> _Day:
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    if not date.min.year <= year <= date.max.year:
        raise ValueError(months)
    return moment.replace(year=year, month=month + 1, day=min(moment.day, monthrange(year, month + 1)[1]))


def _add_time(part: str, count: int, moment: datetime) -> datetime:
    return later(moment, _units(part, count))


def _units(part: str, count: int) -> int:
    if part == "nanosecond":
        return (count + _NANOSECONDS // 2) // _NANOSECONDS
    return count * _UNITS[part]


def _datediff(part: str, arguments: Sequence[Typed]) -> Typed:
    first, second = (_in_utc(_as_moment(argument, _DATETIME2)) for argument in arguments)
    count = _COUNTS[part]
    least, most = INTEGER_RANGES["int"]

    def kernel(start: datetime, end: datetime) -> int:
        difference = count(end) - count(start)
        if least <= difference <= most:
            return difference
        raise EvaluationError(Reason.OVERFLOW, f"the difference in {part}s does not fit int")

    return apply(kernel, INT, first, second)


def _in_utc(part: Typed) -> Typed:
    match part.type.family:
        case Family.DATE:
            return apply(lambda day: datetime.combine(day, MIDNIGHT), _DATETIME2, part)
        case Family.TIME:
            return apply(lambda clock: combine(BASE_DATE, clock), _DATETIME2, part)
        case Family.OFFSET:
            return apply(lambda moment: without_offset(moment.astimezone(UTC)), _DATETIME2, part)
        case Family.DATETIME:
            return part
        case _:
            raise CompileError(f"{part.type} is not a date or time")


def _units_of(moment: datetime) -> int:
    clock = (moment.hour * 60 + moment.minute) * 60 + moment.second
    return (moment.toordinal() * 86_400 + clock) * SECOND + fraction_of(moment)


def _counter(part: str) -> Callable[[datetime], int]:
    return lambda moment: _units_of(moment) // _UNITS[part]


_COUNTS: dict[str, Callable[[datetime], int]] = {
    "year": lambda moment: moment.year,
    "quarter": lambda moment: moment.year * 4 + (moment.month - 1) // 3,
    "month": lambda moment: moment.year * 12 + moment.month,
    "dayofyear": datetime.toordinal,
    "day": datetime.toordinal,
    "week": lambda moment: moment.toordinal() // 7,
    **{part: _counter(part) for part in _UNITS},
    "nanosecond": lambda moment: _units_of(moment) * _NANOSECONDS,
}


def _datepart(part: str, arguments: Sequence[Typed]) -> Typed:
    moment = _as_moment(arguments[0], _OFFSET if part == "tzoffset" else _DATETIME2)
    _check_part(part, moment.type, "DATEPART")
    if part == "tzoffset" and moment.type.name not in {"datetimeoffset", "datetime2"}:
        raise CompileError(f"DATEPART has no tzoffset of {moment.type}", part)
    return apply(_EXTRACTORS[part], INT, moment)


def _week_of_year(day: date) -> int:
    before_new_year = date(day.year, 1, 1).isoweekday() % 7
    return (day.timetuple().tm_yday - 1 + before_new_year) // 7 + 1


def _offset_minutes(moment: datetime) -> int:
    offset = moment.utcoffset()
    return 0 if offset is None else int(offset.total_seconds()) // 60


_EXTRACTORS: dict[str, Kernel] = {
    "year": lambda day: day.year,
    "quarter": lambda day: (day.month + 2) // 3,
    "month": lambda day: day.month,
    "dayofyear": lambda day: day.timetuple().tm_yday,
    "day": lambda day: day.day,
    "week": _week_of_year,
    "weekday": lambda day: day.isoweekday() % 7 + 1,
    "hour": lambda clock: clock.hour,
    "minute": lambda clock: clock.minute,
    "second": lambda clock: clock.second,
    "millisecond": lambda clock: clock.microsecond // 1000,
    "microsecond": lambda clock: clock.microsecond,
    "nanosecond": lambda clock: fraction_of(clock) * _NANOSECONDS,
    "tzoffset": _offset_minutes,
    "iso_week": lambda day: day.isocalendar().week,
}


def _date_field(part: str) -> Callable[[Sequence[Typed]], Typed]:
    return lambda arguments: _datepart(part, arguments)


def _from_parts(build: Kernel, data_type: SqlType) -> Callable[[Sequence[Typed]], Typed]:
    return lambda arguments: apply(build, data_type, *(as_integer(argument) for argument in arguments))


def _scaled_from_parts(build: Kernel, name: str) -> Callable[[Sequence[Typed]], Typed]:
    """Return the compiler of a function whose last argument is the number of digits of a second in its type."""

    def compile_call(arguments: Sequence[Typed]) -> Typed:
        *parts, precision = (as_integer(argument) for argument in arguments)
        digits = constant_value(precision) if precision.constant else None
        if not isinstance(digits, int) or not 0 <= digits <= FRACTION_DIGITS:
            raise CompileError(f"the precision of {name} must be a constant number", expected=f"0 to {FRACTION_DIGITS}")
        return apply(partial(build, digits), SqlType(name, scale=digits), *parts)

    return compile_call


def _not_a_moment(what: str = "date") -> EvaluationError:
    return EvaluationError(Reason.INVALID_ARGUMENT, f"the parts are not a {what}")


def _date_of_parts(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except (ValueError, OverflowError):
        raise _not_a_moment() from None


def _time_of_parts(digits: int, hour: int, minute: int, second: int, fraction: int) -> time:
    microsecond, seventh_digit = divmod(fraction * 10 ** (FRACTION_DIGITS - digits), 10)
    try:
        return with_seventh_digit(time(hour, minute, second, microsecond), seventh_digit)
    except (ValueError, OverflowError):
        raise _not_a_moment("time") from None


def _moment_of_parts(digits: int, *parts: int) -> datetime:
    return combine(_date_of_parts(*parts[:3]), _time_of_parts(digits, *parts[3:]))


def _offset_of_parts(digits: int, *parts: int) -> datetime:
    *moment, hours, minutes = parts
    if abs(minutes) >= _MINUTES or hours * minutes < 0 or abs(hours * _MINUTES + minutes) > _MOST_OFFSET_MINUTES:
        raise _not_a_moment("time zone")
    zone = timezone(timedelta(hours=hours, minutes=minutes))
    local = _moment_of_parts(digits, *moment)
    try:
        local.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:
        raise _not_a_moment() from None
    return local.replace(tzinfo=zone)


def _datetime_of_parts(*parts: int) -> datetime:
    return to_datetime(_moment_of_parts(_MILLISECOND_DIGITS, *parts))


def _smalldatetime_of_parts(*parts: int) -> datetime:
    return to_smalldatetime(_moment_of_parts(0, *parts, 0, 0))


def _eomonth(arguments: Sequence[Typed]) -> Typed:
    day = convert(arguments[0], _DATE)
    if len(arguments) == 1:
        return apply(_end_of_month, _DATE, day)
    return apply(_end_of_month, _DATE, day, isnull((as_integer(arguments[1]), constant(INT, 0))))


def _end_of_month(day: date, months: int = 0) -> date:
    try:
        moved = _add_months(day, months)
    except ValueError:
        raise out_of_range(_DATE) from None
    return moved.replace(day=monthrange(moved.year, moved.month)[1])


def _getutcdate(_arguments: Sequence[Typed]) -> Typed:
    return Typed(_DATETIME, lambda body: f"{body.code.constant('to_datetime', to_datetime)}({body.clock})")


def _sysutcdatetime(_arguments: Sequence[Typed]) -> Typed:
    return Typed(_DATETIME2, lambda body: body.clock)


FUNCTIONS: dict[str, Function] = {
    "DATEADD": Function(_dateadd, 3, parts=_parts("tzoffset", "iso_week")),
    "DATEDIFF": Function(_datediff, 3, parts=_parts("tzoffset", "iso_week", "weekday")),
    "DATEFROMPARTS": Function(_from_parts(_date_of_parts, _DATE), 3),
    "DATEPART": Function(_datepart, 2, parts=_parts()),
    "DATETIME2FROMPARTS": Function(_scaled_from_parts(_moment_of_parts, "datetime2"), 8),
    "DATETIMEFROMPARTS": Function(_from_parts(_datetime_of_parts, _DATETIME), 7),
    "DATETIMEOFFSETFROMPARTS": Function(_scaled_from_parts(_offset_of_parts, "datetimeoffset"), 10),
    "DAY": Function(_date_field("day"), 1),
    "EOMONTH": Function(_eomonth, 1, 2),
    "GETUTCDATE": Function(_getutcdate, 0),
    "MONTH": Function(_date_field("month"), 1),
    "SMALLDATETIMEFROMPARTS": Function(_from_parts(_smalldatetime_of_parts, SqlType("smalldatetime")), 5),
    "SYSUTCDATETIME": Function(_sysutcdatetime, 0),
    "TIMEFROMPARTS": Function(_scaled_from_parts(_time_of_parts, "time"), 5),
    "YEAR": Function(_date_field("year"), 1),
}
