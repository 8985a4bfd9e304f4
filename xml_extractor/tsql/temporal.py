"""Moments put into SQL Server's date and time types: rounding and limits.

A microsecond is the finest that is kept: the seventh digit of `time(7)`, `datetime2(7)` and `datetimeoffset(7)` is cut
off. Sources: "datetime", "smalldatetime", "datetime2", "time" and "datetimeoffset (Transact-SQL)", Microsoft Learn.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from xml_extractor.reasons import Reason
from xml_extractor.tsql.faults import EvaluationError
from xml_extractor.tsql.numeric import EXACT, decimal_of_float
from xml_extractor.values.sqltypes import SqlType

MIDNIGHT = time.min
BASE_DATE = date(1900, 1, 1)
BASE = datetime.combine(BASE_DATE, MIDNIGHT)

_DATETIME_FIRST_YEAR = 1753
_SMALLDATETIME_FIRST = BASE
_SMALLDATETIME_LAST = datetime.combine(date(2079, 6, 6), time(23, 59))
_TICKS_PER_DAY = 300 * 86_400
_KEPT_DIGITS = 6
_HALF_A_MINUTE = 30
_DATETIME_DIGITS = 3


def out_of_range(data_type: SqlType) -> EvaluationError:
    """The error of a moment that its type cannot hold."""
    return EvaluationError(Reason.OVERFLOW, f"the date is out of range for {data_type}")


def moment_fitter(data_type: SqlType) -> Callable[[datetime], datetime]:
    """Rounds a moment as `datetime`, `smalldatetime` or a type with digits of a second does, and checks its range."""
    match data_type.name:
        case "datetime":
            return to_datetime
        case "smalldatetime":
            return to_smalldatetime
        case _:
            return fraction_fitter(data_type)


def to_datetime(moment: datetime) -> datetime:
    """Milliseconds rounded to .000, .003 and .007; finer digits are cut off first."""
    if moment.year < _DATETIME_FIRST_YEAR:
        raise out_of_range(SqlType("datetime"))
    microsecond = moment.microsecond
    if not microsecond:
        return moment
    ticks = (microsecond // 1000 * 3 + 5) // 10
    return _moved(moment, (ticks * 10 + 1) // 3 * 1000, SqlType("datetime"))


def to_smalldatetime(moment: datetime) -> datetime:
    """Rounded to the minute: 29.998 seconds and less fall away."""
    rounded = to_datetime(moment)
    minute = rounded.replace(second=0, microsecond=0)
    if rounded.second >= _HALF_A_MINUTE and minute <= _SMALLDATETIME_LAST:
        minute += timedelta(minutes=1)
    if not _SMALLDATETIME_FIRST <= minute <= _SMALLDATETIME_LAST:
        raise out_of_range(SqlType("smalldatetime"))
    return minute


def fraction_fitter(data_type: SqlType) -> Callable[[datetime], datetime]:
    """Rounds to the type's digits of a second."""
    if data_type.scale >= _KEPT_DIGITS:
        return _unchanged
    step: int = 10 ** (_KEPT_DIGITS - data_type.scale)

    def fit(moment: datetime) -> datetime:
        microsecond = moment.microsecond
        rounded = (microsecond + step // 2) // step * step
        return moment if rounded == microsecond else _moved(moment, rounded, data_type)

    return fit


def time_fitter(data_type: SqlType) -> Callable[[time], time]:
    """Rounds a time of day to the type's digits of a second; past midnight it starts again."""
    fit = fraction_fitter(data_type)
    return lambda clock_time: fit(datetime.combine(BASE_DATE, clock_time)).time()


def exact_ticks(moment: datetime, data_type: SqlType) -> datetime:
    """A `datetime` with the thirds of a millisecond that its .003 and .007 stand for, as the type rounds them."""
    microsecond = moment.microsecond
    if not microsecond:
        return moment
    thirds = (microsecond // 1000 * 3 + 5) // 10 * 10_000
    return moment.replace(microsecond=(thirds + 1) // 3 if data_type.scale == _KEPT_DIGITS else thirds // 3)


def _unchanged(moment: datetime) -> datetime:
    return moment


def _moved(moment: datetime, microseconds: int, data_type: SqlType) -> datetime:
    try:
        return moment.replace(microsecond=0) + timedelta(microseconds=microseconds)
    except OverflowError:
        raise out_of_range(data_type) from None


def needs_exact_ticks(source: SqlType, target: SqlType) -> bool:
    """Whether thirds of a millisecond show when a `datetime` becomes the target."""
    return source.name == "datetime" and target.scale > _DATETIME_DIGITS


def with_offset(moment: datetime) -> datetime:
    """A moment without offset as `datetimeoffset` takes it: offset zero."""
    return moment.replace(tzinfo=UTC)


def without_offset(moment: datetime) -> datetime:
    """The local date and time of a `datetimeoffset`."""
    return moment.replace(tzinfo=None)


def moment_of_days(days: Decimal, data_type: SqlType) -> datetime:
    """Days since 1900-01-01 00:00 as `datetime` or `smalldatetime`."""
    ticks = int(EXACT.to_integral_value(EXACT.multiply(days, Decimal(_TICKS_PER_DAY))))
    whole_days, rest = divmod(ticks, _TICKS_PER_DAY)
    try:
        moment = BASE + timedelta(days=whole_days, milliseconds=(rest * 10 + 1) // 3)
    except OverflowError:
        raise out_of_range(data_type) from None
    return moment_fitter(data_type)(moment)


def moment_of_float(days: float, data_type: SqlType) -> datetime:
    """As `moment_of_days`, for a float."""
    return moment_of_days(decimal_of_float(days), data_type)


def days_of_moment(moment: datetime) -> Decimal:
    """A `datetime` as days since 1900-01-01 00:00, with all digits that its three-hundredths of a second need."""
    since = moment - BASE
    ticks = since.days * _TICKS_PER_DAY + since.seconds * 300 + (since.microseconds // 1000 * 3 + 5) // 10
    return EXACT.divide(Decimal(ticks), Decimal(_TICKS_PER_DAY))
