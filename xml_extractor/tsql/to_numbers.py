"""Conversions to `bit`, integers, decimals, money and floats.

Source: "CAST and CONVERT (Transact-SQL)", Microsoft Learn, with its table of what is rounded and what is cut off.
"""

from collections.abc import Callable
from decimal import Decimal

from xml_extractor.tsql.numeric import (
    EXACT,
    bit_of_text,
    decimal_fitter,
    decimal_of_float,
    decimal_of_text,
    float_fitter,
    float_of_text,
    integer_fitter,
    integer_of_text,
    money_fitter,
    money_of_text,
    rounded_integer,
)
from xml_extractor.tsql.request import Request
from xml_extractor.tsql.temporal import days_of_moment
from xml_extractor.tsql.typed import Kernel
from xml_extractor.values.sqltypes import INTEGER_RANGES, MONEY_LIMITS, Family, SqlType


def _to_bit(_request: Request) -> Kernel:
    return bool


def _integer_to_integer(request: Request) -> Kernel:
    fit = integer_fitter(request.target)
    return fit if request.source.family is Family.INTEGER else int


def _decimal_to_integer(request: Request) -> Kernel:
    fit = integer_fitter(request.target)
    return lambda number: fit(int(number))


def _money_to_integer(request: Request) -> Kernel:
    fit = integer_fitter(request.target)
    return lambda amount: fit(rounded_integer(amount))


def _integer_to_decimal(request: Request) -> Kernel:
    fit = _exact_fitter(request.target)
    return lambda number: fit(Decimal(int(number)))


def _decimal_to_decimal(request: Request) -> Kernel:
    return _exact_fitter(request.target)


def _float_to_decimal(request: Request) -> Kernel:
    fit = _exact_fitter(request.target)
    return lambda number: fit(decimal_of_float(number))


def _to_float(request: Request) -> Kernel:
    fit = float_fitter(request.target)
    return lambda number: fit(float(number))


def _exact_fitter(data_type: SqlType) -> Callable[[Decimal], Decimal]:
    return money_fitter(data_type) if data_type.family is Family.MONEY else decimal_fitter(data_type)


def _moment_to_number(request: Request) -> Kernel:
    match request.target.family:
        case Family.BIT:
            return lambda moment: bool(days_of_moment(moment))
        case Family.INTEGER:
            fit = integer_fitter(request.target)
            return lambda moment: fit(rounded_integer(days_of_moment(moment)))
        case Family.FLOAT:
            fit_float = float_fitter(request.target)
            return lambda moment: fit_float(float(days_of_moment(moment)))
        case _:
            fit_exact = _exact_fitter(request.target)
            return lambda moment: fit_exact(days_of_moment(moment))


def _text_to_bit(request: Request) -> Kernel:
    target = request.target
    return lambda text: bit_of_text(text, target)


def _text_to_integer(request: Request) -> Kernel:
    target, fit = request.target, integer_fitter(request.target)
    return lambda text: fit(integer_of_text(text, target))


def _text_to_decimal(request: Request) -> Kernel:
    target, fit = request.target, decimal_fitter(request.target)
    return lambda text: fit(decimal_of_text(text, target))


def _text_to_money(request: Request) -> Kernel:
    target, fit = request.target, money_fitter(request.target)
    return lambda text: fit(money_of_text(text, target))


def _text_to_float(request: Request) -> Kernel:
    target, fit = request.target, float_fitter(request.target)
    return lambda text: fit(float_of_text(text, target))


def _binary_to_integer(request: Request) -> Kernel:
    least, most = INTEGER_RANGES[request.target.name]
    size = (most - least).bit_length() // 8
    return lambda content: int.from_bytes(content[-size:], "big", signed=least < 0 and len(content) >= size)


def _binary_to_bit(_request: Request) -> Kernel:
    return any


def _binary_to_money(request: Request) -> Kernel:
    size = MONEY_LIMITS[request.target.name].bit_length() // 8

    def convert(content: bytes) -> Decimal:
        number = int.from_bytes(content[-size:], "big", signed=len(content) >= size)
        return EXACT.scaleb(Decimal(number), -4)

    return convert


_WHOLE = (Family.BIT, Family.INTEGER)
_EXACT = (Family.DECIMAL, Family.MONEY)

KERNELS: dict[tuple[Family, Family], Callable[[Request], Kernel]] = {
    **{(source, Family.BIT): _to_bit for source in (*_WHOLE, *_EXACT, Family.FLOAT)},
    **{(source, Family.INTEGER): _integer_to_integer for source in _WHOLE},
    (Family.DECIMAL, Family.INTEGER): _decimal_to_integer,
    (Family.MONEY, Family.INTEGER): _money_to_integer,
    (Family.FLOAT, Family.INTEGER): _decimal_to_integer,
    **{(source, target): _integer_to_decimal for source in _WHOLE for target in _EXACT},
    **{(source, target): _decimal_to_decimal for source in _EXACT for target in _EXACT},
    **{(Family.FLOAT, target): _float_to_decimal for target in _EXACT},
    **{(source, Family.FLOAT): _to_float for source in (*_WHOLE, *_EXACT, Family.FLOAT)},
    **{(Family.DATETIME, target): _moment_to_number for target in (*_WHOLE, *_EXACT, Family.FLOAT)},
    (Family.TEXT, Family.BIT): _text_to_bit,
    (Family.TEXT, Family.INTEGER): _text_to_integer,
    (Family.TEXT, Family.DECIMAL): _text_to_decimal,
    (Family.TEXT, Family.MONEY): _text_to_money,
    (Family.TEXT, Family.FLOAT): _text_to_float,
    (Family.BINARY, Family.INTEGER): _binary_to_integer,
    (Family.BINARY, Family.BIT): _binary_to_bit,
    (Family.BINARY, Family.MONEY): _binary_to_money,
}
"""Makes the function for a conversion to a number."""
