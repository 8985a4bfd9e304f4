"""Conversions to dates and times.

Source: the pages of "date", "time", "datetime", "datetime2" and "datetimeoffset (Transact-SQL)", Microsoft Learn.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from xml_extractor.tsql.faults import RefusalError
from xml_extractor.tsql.request import Request
from xml_extractor.tsql.temporal import (
    BASE_DATE,
    MIDNIGHT,
    exact_ticks,
    moment_fitter,
    moment_of_days,
    moment_of_float,
    needs_exact_ticks,
    time_fitter,
    with_offset,
    without_offset,
)
from xml_extractor.tsql.temporal_text import INPUT_ORDERS, date_of_text, moment_of_text
from xml_extractor.tsql.typed import Kernel
from xml_extractor.values.sqltypes import Family


def _number_to_moment(request: Request) -> Kernel:
    target = request.target
    return lambda number: moment_of_days(Decimal(number), target)


def _bit_to_moment(request: Request) -> Kernel:
    target = request.target
    return lambda bit: moment_of_days(Decimal(int(bit)), target)


def _float_to_moment(request: Request) -> Kernel:
    target = request.target
    return lambda number: moment_of_float(number, target)


def _text_to_date(request: Request) -> Kernel:
    target, style = request.target, _input_style(request)
    return lambda text: date_of_text(text, target, style)


def _text_to_time(request: Request) -> Kernel:
    target, style = request.target, _input_style(request)
    return lambda text: moment_of_text(text, target, style).time()


def _text_to_moment(request: Request) -> Kernel:
    target, style = request.target, _input_style(request)
    return lambda text: moment_of_text(text, target, style)


def _input_style(request: Request) -> int:
    style = request.style or 0
    if style not in INPUT_ORDERS:
        raise RefusalError(
            f"style {style} is not a date and time style", str(style), ", ".join(map(str, sorted(INPUT_ORDERS)))
        )
    return style


def _date_to_moment(request: Request) -> Kernel:
    fit = _naive_fitter(request)
    return lambda day: fit(datetime.combine(day, MIDNIGHT))


def _time_to_moment(request: Request) -> Kernel:
    fit = _naive_fitter(request)
    return lambda clock_time: fit(datetime.combine(BASE_DATE, clock_time))


def _moment_to_moment(request: Request) -> Kernel:
    fit, target = _naive_fitter(request), request.target
    if needs_exact_ticks(request.source, target):
        return lambda moment: fit(exact_ticks(moment, target))
    return fit


def _naive_fitter(request: Request) -> Callable[[datetime], datetime]:
    fit = moment_fitter(request.target)
    if request.target.family is Family.OFFSET:
        return lambda moment: fit(with_offset(moment))
    return fit


def _offset_to_moment(request: Request) -> Kernel:
    fit = moment_fitter(request.target)
    return lambda moment: fit(without_offset(moment))


def _offset_to_offset(request: Request) -> Kernel:
    return moment_fitter(request.target)


def _moment_to_date(_request: Request) -> Kernel:
    return datetime.date


def _moment_to_time(request: Request) -> Kernel:
    fit, target = time_fitter(request.target), request.target
    if needs_exact_ticks(request.source, target):
        return lambda moment: fit(exact_ticks(moment, target).time())
    return lambda moment: fit(moment.time())


def _time_to_time(request: Request) -> Kernel:
    return time_fitter(request.target)


_MOMENTS = (Family.DATETIME, Family.OFFSET)

KERNELS: dict[tuple[Family, Family], Callable[[Request], Kernel]] = {
    **{(source, Family.DATETIME): _number_to_moment for source in (Family.INTEGER, Family.DECIMAL, Family.MONEY)},
    (Family.BIT, Family.DATETIME): _bit_to_moment,
    (Family.FLOAT, Family.DATETIME): _float_to_moment,
    (Family.TEXT, Family.DATE): _text_to_date,
    (Family.TEXT, Family.TIME): _text_to_time,
    **{(Family.TEXT, target): _text_to_moment for target in _MOMENTS},
    **{(Family.DATE, target): _date_to_moment for target in _MOMENTS},
    **{(Family.TIME, target): _time_to_moment for target in _MOMENTS},
    **{(Family.DATETIME, target): _moment_to_moment for target in _MOMENTS},
    (Family.OFFSET, Family.DATETIME): _offset_to_moment,
    (Family.OFFSET, Family.OFFSET): _offset_to_offset,
    **{(source, Family.DATE): _moment_to_date for source in _MOMENTS},
    **{(source, Family.TIME): _moment_to_time for source in _MOMENTS},
    (Family.TIME, Family.TIME): _time_to_time,
}
"""Makes the function for a conversion to a date or time."""
