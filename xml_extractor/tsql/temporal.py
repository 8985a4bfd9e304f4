"""Dates and times: rounding and limits of their types, and conversions between them and with numbers.

Sources: the pages of "date", "time", "datetime", "smalldatetime", "datetime2" and "datetimeoffset (Transact-SQL)",
Microsoft Learn.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from xml_extractor.reasons import Reason
from xml_extractor.tsql.errors import EvaluationError
from xml_extractor.tsql.numeric import decimal_of_float, decimal_of_integer, fitted, rounded_integer
from xml_extractor.tsql.typed import EXACT, Cast, Kernel
from xml_extractor.values.sqltypes import Family, SqlType
from xml_extractor.values.times import FRACTION_DIGITS, SECOND, combine, fraction_of, later

MIDNIGHT = time.min
BASE_DATE = date(1900, 1, 1)
BASE = datetime.combine(BASE_DATE, MIDNIGHT)

_DATETIME_FIRST_YEAR = 1753
_SMALLDATETIME_FIRST = BASE
_SMALLDATETIME_LAST = datetime.combine(date(2079, 6, 6), time(23, 59))
_TICKS_PER_DAY = 300 * 86_400
_MILLISECOND = SECOND // 1000
_HALF_A_MINUTE = 30
_DATETIME_DIGITS = 3


def out_of_range(data_type: SqlType) -> EvaluationError:
    """Return the error of a date and time outside the range of its type."""
    return EvaluationError(Reason.OVERFLOW, f"the date is out of range for {data_type}")


def moment_fitter(data_type: SqlType) -> Callable[[datetime], datetime]:
    """Return the function that rounds a date and time to its type and checks the range of the type."""
    match data_type.name:
        case "datetime":
            return to_datetime
        case "smalldatetime":
            return to_smalldatetime
        case _:
            return _fraction_fitter(data_type)


def to_datetime(moment: datetime) -> datetime:
    """Round to .000, .003 or .007 seconds, as `datetime` does; finer digits are truncated first."""
    if moment.year < _DATETIME_FIRST_YEAR:
        raise out_of_range(SqlType("datetime"))
    fraction = fraction_of(moment)
    if not fraction:
        return moment
    ticks = (fraction // _MILLISECOND * 3 + 5) // 10
    return _with_fraction(moment, (ticks * 10 + 1) // 3 * _MILLISECOND, SqlType("datetime"))


def to_smalldatetime(moment: datetime) -> datetime:
    """Round to the minute, as `smalldatetime` does: up to 29.998 seconds round down."""
    rounded = to_datetime(moment)
    minute = rounded.replace(second=0, microsecond=0)
    if rounded.second >= _HALF_A_MINUTE and minute <= _SMALLDATETIME_LAST:
        minute += timedelta(minutes=1)
    if not _SMALLDATETIME_FIRST <= minute <= _SMALLDATETIME_LAST:
        raise out_of_range(SqlType("smalldatetime"))
    return minute


def _fraction_fitter(data_type: SqlType) -> Callable[[datetime], datetime]:
    if data_type.scale == FRACTION_DIGITS:
        return lambda moment: moment
    step: int = 10 ** (FRACTION_DIGITS - data_type.scale)

    def fit(moment: datetime) -> datetime:
        fraction = fraction_of(moment)
        rounded = (fraction + step // 2) // step * step
        return moment if rounded == fraction else _with_fraction(moment, rounded, data_type)

    return fit


def time_fitter(data_type: SqlType) -> Callable[[time], time]:
    """Return the function that rounds a time of day to its type; it wraps around at midnight."""
    fit = _fraction_fitter(data_type)
    return lambda clock_time: fit(combine(BASE_DATE, clock_time)).time()


def _exact_ticks(moment: datetime) -> datetime:
    """Return a `datetime` with the thirds of a millisecond that .003 and .007 stand for: .0033333 and .0066667."""
    ticks = (moment.microsecond // 1000 * 3 + 5) // 10
    return later(moment, (ticks * SECOND + 150) // 300 - fraction_of(moment)) if ticks else moment


def _with_fraction(moment: datetime, fraction: int, data_type: SqlType) -> datetime:
    try:
        return later(moment, fraction - fraction_of(moment))
    except OverflowError:
        raise out_of_range(data_type) from None


def _needs_exact_ticks(source: SqlType, target: SqlType) -> bool:
    """Return whether the target type shows the thirds of a millisecond of a `datetime`."""
    return source.name == "datetime" and target.scale > _DATETIME_DIGITS


def without_offset(moment: datetime) -> datetime:
    """Return the local date and time of a `datetimeoffset`."""
    return moment.replace(tzinfo=None)


def _moment_of_days(days: Decimal, data_type: SqlType) -> datetime:
    """Convert days since 1900-01-01 00:00 to `datetime` or `smalldatetime`."""
    ticks = int(EXACT.to_integral_value(EXACT.multiply(days, Decimal(_TICKS_PER_DAY))))
    whole_days, rest = divmod(ticks, _TICKS_PER_DAY)
    try:
        moment = BASE + timedelta(days=whole_days, milliseconds=(rest * 10 + 1) // 3)
    except OverflowError:
        raise out_of_range(data_type) from None
    return moment_fitter(data_type)(moment)


def _days_of_moment(moment: datetime) -> Decimal:
    """Convert a `datetime` to days since 1900-01-01 00:00, with all digits of its three-hundredths of a second."""
    since = moment - BASE
    ticks = since.days * _TICKS_PER_DAY + since.seconds * 300 + (since.microseconds // 1000 * 3 + 5) // 10
    return EXACT.divide(Decimal(ticks), Decimal(_TICKS_PER_DAY))


def _days_to_moment(days: Callable[[Any], Decimal]) -> Callable[[Cast], Kernel]:
    def build(cast: Cast) -> Kernel:
        target = cast.target
        return lambda value: _moment_of_days(days(value), target)

    return build


def _naive_fitter(cast: Cast) -> Callable[[datetime], datetime]:
    """Fit a date and time without offset; a `datetimeoffset` gets offset zero."""
    fit = moment_fitter(cast.target)
    if cast.target.family is Family.OFFSET:
        return lambda moment: fit(moment.replace(tzinfo=UTC))
    return fit


def _date_to_moment(cast: Cast) -> Kernel:
    fit = _naive_fitter(cast)
    return lambda day: fit(datetime.combine(day, MIDNIGHT))


def _time_to_moment(cast: Cast) -> Kernel:
    fit = _naive_fitter(cast)
    return lambda clock_time: fit(combine(BASE_DATE, clock_time))


def _moment_to_moment(cast: Cast) -> Kernel:
    fit = _naive_fitter(cast)
    if _needs_exact_ticks(cast.source, cast.target):
        return lambda moment: fit(_exact_ticks(moment))
    return fit


def _offset_to_moment(cast: Cast) -> Kernel:
    fit = moment_fitter(cast.target)
    return lambda moment: fit(without_offset(moment))


def _moment_to_time(cast: Cast) -> Kernel:
    fit = time_fitter(cast.target)
    if _needs_exact_ticks(cast.source, cast.target):
        return lambda moment: fit(_exact_ticks(moment).time())
    return lambda moment: fit(moment.time())


_MOMENTS = (Family.DATETIME, Family.OFFSET)

KERNELS: dict[tuple[Family, Family], Callable[[Cast], Kernel]] = {
    **{(source, Family.DATETIME): _days_to_moment(Decimal) for source in (Family.DECIMAL, Family.MONEY)},
    **{(source, Family.DATETIME): _days_to_moment(decimal_of_integer) for source in (Family.BIT, Family.INTEGER)},
    (Family.FLOAT, Family.DATETIME): _days_to_moment(decimal_of_float),
    (Family.DATETIME, Family.BIT): lambda _cast: lambda moment: bool(_days_of_moment(moment)),
    (Family.DATETIME, Family.INTEGER): fitted(lambda moment: rounded_integer(_days_of_moment(moment))),
    **{(Family.DATETIME, target): fitted(_days_of_moment) for target in (Family.DECIMAL, Family.MONEY)},
    (Family.DATETIME, Family.FLOAT): fitted(lambda moment: float(_days_of_moment(moment))),
    **{(Family.DATE, target): _date_to_moment for target in _MOMENTS},
    **{(Family.TIME, target): _time_to_moment for target in _MOMENTS},
    **{(Family.DATETIME, target): _moment_to_moment for target in _MOMENTS},
    (Family.OFFSET, Family.DATETIME): _offset_to_moment,
    (Family.OFFSET, Family.OFFSET): lambda cast: moment_fitter(cast.target),
    **{(source, Family.DATE): lambda _cast: datetime.date for source in _MOMENTS},
    **{(source, Family.TIME): _moment_to_time for source in _MOMENTS},
    (Family.TIME, Family.TIME): lambda cast: time_fitter(cast.target),
}
"""For each pair of families, the function that compiles a conversion from or to a date or time, except of text."""
