"""ABS, CEILING, FLOOR and ROUND.

Source: "Mathematical functions (Transact-SQL)", Microsoft Learn, and the page of each function. CEILING and FLOOR of a
decimal have no digits behind the point, as in the page's examples.
"""

import math
from collections.abc import Callable, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

from xml_extractor.tsql.arguments import as_integer, as_number
from xml_extractor.tsql.conversion import convert
from xml_extractor.tsql.faults import RefusalError
from xml_extractor.tsql.function import Function
from xml_extractor.tsql.numeric import CUT, EXACT, decimal_fitter, float_fitter, integer_fitter, money_fitter
from xml_extractor.tsql.typed import BIGINT, INT, Kernel, Typed, apply
from xml_extractor.values.sqltypes import Family, SqlType

_FLOAT = SqlType("float", precision=53)
_MONEY = SqlType("money")


def _abs(arguments: Sequence[Typed]) -> Typed:
    part = _number(arguments[0], "ABS")
    match part.type.family:
        case Family.INTEGER:
            fit = integer_fitter(part.type)
            return apply(lambda number: fit(abs(number)), part.type, part)
        case Family.MONEY:
            fit_money = money_fitter(part.type)
            return apply(lambda amount: fit_money(EXACT.abs(amount)), part.type, part)
        case Family.DECIMAL:
            return apply(EXACT.abs, part.type, part)
        case _:
            return apply(abs, part.type, part)


def _number(part: Typed, function: str) -> Typed:
    number = as_number(part)
    if number.type.family is Family.BIT:
        raise RefusalError(f"{function} does not take bit")
    return number


def _widened(data_type: SqlType) -> SqlType:
    """The type of a rounded number: only `int`, `bigint`, `money` and `float` of their kinds."""
    match data_type.family:
        case Family.INTEGER:
            return data_type if data_type.name == "bigint" else INT
        case Family.MONEY:
            return _MONEY
        case Family.FLOAT | Family.BIT:
            return _FLOAT
        case _:
            return data_type


def _to_whole(rounding: str, of_float: Callable[[float], float]) -> Callable[[Sequence[Typed]], Typed]:
    context = Context(prec=EXACT.prec, rounding=rounding)

    def build(arguments: Sequence[Typed]) -> Typed:
        part = as_number(arguments[0])
        result = _widened(part.type)
        match result.family:
            case Family.INTEGER:
                return convert(part, result)
            case Family.FLOAT:
                return apply(lambda number: float(of_float(number)), result, convert(part, result))
            case Family.MONEY:
                fit_money = money_fitter(result)
                return apply(lambda amount: fit_money(context.to_integral_value(amount)), result, part)
            case _:
                whole = SqlType(result.name, precision=result.precision)
                fit = decimal_fitter(whole)
                return apply(lambda number: fit(context.to_integral_value(number)), whole, part)

    return build


def _round(arguments: Sequence[Typed]) -> Typed:
    part = _number(arguments[0], "ROUND")
    result = _widened(part.type)
    lengths = [as_integer(argument) for argument in arguments[1:]]
    return apply(_rounding(result), result, part, *lengths)


def _rounding(result: SqlType) -> Kernel:
    match result.family:
        case Family.INTEGER:
            fit = integer_fitter(INT if result == INT else BIGINT)
            return lambda number, length, cut=0: fit(int(_rounded(Decimal(number), length, cut)))
        case Family.MONEY:
            fit_money = money_fitter(result)
            return lambda amount, length, cut=0: fit_money(_rounded(amount, length, cut))
        case Family.FLOAT:
            fit_float = float_fitter(result)
            return lambda number, length, cut=0: fit_float(float(_rounded(Decimal(repr(number)), length, cut)))
        case _:
            fit_decimal = decimal_fitter(result)
            return lambda number, length, cut=0: fit_decimal(_rounded(number, length, cut))


def _rounded(number: Decimal, length: int, cut: int) -> Decimal:
    """The number to so many digits behind the point, or before it where the length is negative."""
    exponent = number.as_tuple().exponent
    if not number or (isinstance(exponent, int) and length >= -exponent):
        return number
    if -length > number.adjusted() + 1:
        return Decimal(0)
    context = CUT if cut else EXACT
    return context.quantize(number, EXACT.scaleb(Decimal(1), -length))


FUNCTIONS: dict[str, Function] = {
    "ABS": Function(_abs, 1),
    "CEILING": Function(_to_whole(ROUND_CEILING, math.ceil), 1),
    "FLOOR": Function(_to_whole(ROUND_FLOOR, math.floor), 1),
    "ROUND": Function(_round, 2, 3),
}
