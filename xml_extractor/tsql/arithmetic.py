"""The operators + - * / %, the unary minus, and ABS, CEILING, FLOOR and ROUND.

Sources: "Arithmetic operators", "+ (String concatenation)", "Precision, scale, and length", "money and smallmoney",
"int, bigint, smallint, and tinyint" and "Mathematical functions (Transact-SQL)", Microsoft Learn. CEILING and FLOOR of
a decimal have scale 0, as in the page's examples.
"""

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Any

from xml_extractor.reasons import Reason
from xml_extractor.tsql.collation import to_units
from xml_extractor.tsql.conversion import as_integer, as_number, convert
from xml_extractor.tsql.errors import CompileError, EvaluationError
from xml_extractor.tsql.result_types import (
    LARGE_OBJECTS,
    LEGACY_MOMENTS,
    NUMBERS,
    higher,
    joined_type,
    length_of,
    longest,
    product_type,
    quotient_type,
    remainder_type,
    shape,
    sum_type,
    varying,
)
from xml_extractor.tsql.temporal import BASE, out_of_range, to_datetime, to_smalldatetime
from xml_extractor.tsql.text import from_units
from xml_extractor.tsql.typed import (
    CUT,
    EXACT,
    INT,
    NULL,
    Fitted,
    Function,
    Kernel,
    Typed,
    apply,
    constant,
    constant_value,
    fitter,
    overflow,
)
from xml_extractor.values.sqltypes import MAX, Family, SqlType

_FLOAT = SqlType("float", precision=53)
_MONEY = SqlType("money")
_DECIMALS = frozenset({Family.DECIMAL, Family.MONEY})


@dataclass(frozen=True, slots=True)
class Operator:
    """One arithmetic operator.

    Attributes:
        sign: Its symbol.
        name: Its name in messages.
        decimal_type: Computes the type of its result for two decimals from their precisions and scales.
        exact: The operation on two exact numbers, before rounding.
        integer: The operation on two integers.
        floating: The operation on two floats; None if it does not take them.
    """

    sign: str
    name: str
    decimal_type: Callable[[tuple[int, int], tuple[int, int]], SqlType]
    exact: Callable[[Decimal, Decimal], Decimal]
    integer: Callable[[int, int], int]
    floating: Callable[[float, float], float] | None


def _unless_zero(kernel: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Raise an error for a divisor of zero instead of applying the kernel."""

    def divide(left: Any, right: Any) -> Any:
        if not right:
            raise EvaluationError(Reason.DIVIDE_BY_ZERO, "a number is divided by zero")
        return kernel(left, right)

    return divide


def _exact_remainder(left: Decimal, right: Decimal) -> Decimal:
    return EXACT.subtract(left, EXACT.multiply(CUT.to_integral_value(CUT.divide(left, right)), right))


def _integer_quotient(left: int, right: int) -> int:
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _integer_remainder(left: int, right: int) -> int:
    remainder = abs(left) % abs(right)
    return -remainder if left < 0 else remainder


def _float_product(left: float, right: float) -> float:
    return left * right if left and right else 0.0


PLUS = Operator("+", "addition", sum_type, EXACT.add, operator.add, operator.add)
MINUS = Operator("-", "subtraction", sum_type, EXACT.subtract, operator.sub, operator.sub)
TIMES = Operator("*", "multiplication", product_type, EXACT.multiply, operator.mul, _float_product)
DIVIDED_BY = Operator(
    "/",
    "division",
    quotient_type,
    _unless_zero(CUT.divide),
    _unless_zero(_integer_quotient),
    _unless_zero(operator.truediv),
)
MODULO = Operator(
    "%", "remainder", remainder_type, _unless_zero(_exact_remainder), _unless_zero(_integer_remainder), None
)


def calculate(sign: Operator, left: Typed, right: Typed) -> Typed:
    """Compile an arithmetic operation, or a concatenation with `+`.

    Raises:
        CompileError: The operator does not take these types.
    """
    if left.null and right.null:
        return constant(NULL.type, None)
    if left.null:
        left = constant(right.type, None)
    if right.null:
        right = constant(left.type, None)
    families = {left.type.family, right.type.family}
    if {left.type.name, right.type.name} & LARGE_OBJECTS:
        raise _incompatible(sign, left.type, right.type)
    if sign is PLUS and len(families) == 1 and families <= {Family.TEXT, Family.BINARY}:
        return _joined(left, right)
    if {left.type.name, right.type.name} & LEGACY_MOMENTS:
        return _moved(sign, left, right)
    if not families & NUMBERS or not families <= NUMBERS | {Family.TEXT, Family.BINARY}:
        raise _incompatible(sign, left.type, right.type)
    return _calculated(sign, left, right)


def _incompatible(sign: Operator, left: SqlType, right: SqlType) -> CompileError:
    return CompileError(f"{left} and {right} cannot be used together in {sign.name} ({sign.sign})", sign.sign)


def _joined(left: Typed, right: Typed) -> Typed:
    result = joined_type(left.type, right.type)
    length, is_binary = result.length, result.family is Family.BINARY
    first, second = (side if is_binary else convert(side, varying(result, MAX)) for side in (left, right))
    if length == MAX or length_of(left.type) + length_of(right.type) <= longest(result.name):
        return apply(operator.add, result, first, second)
    if is_binary:
        return apply(lambda one, other: (one + other)[:length], result, first, second)

    def join(one: str, other: str) -> str:
        joined = one + other
        return joined if len(joined) * 2 <= length else from_units(to_units(joined)[:length])

    return apply(join, result, first, second)


def _calculated(sign: Operator, left: Typed, right: Typed) -> Typed:
    winner = higher(left.type, right.type)
    left, right = (side if side.type.family in NUMBERS else convert(side, winner) for side in (left, right))
    match winner.family:
        case Family.FLOAT:
            return _calculated_floats(sign, winner, left, right)
        case Family.INTEGER:
            return apply(Fitted(sign.integer, fitter(winner)), winner, left, right)
        case Family.DECIMAL:
            result = sign.decimal_type(shape(left), shape(right))
        case Family.MONEY:
            result = winner
        case _:
            raise _incompatible(sign, left.type, right.type)
    fit = fitter(result, CUT if sign is DIVIDED_BY else EXACT)
    return apply(Fitted(sign.exact, fit), result, _as_decimal(left), _as_decimal(right))


def _as_decimal(side: Typed) -> Typed:
    """Return an exact number as a Python decimal."""
    if side.type.family in _DECIMALS:
        return side
    return apply(lambda number: Decimal(int(number)), side.type, side)


def _calculated_floats(sign: Operator, winner: SqlType, left: Typed, right: Typed) -> Typed:
    kernel, fit = sign.floating, fitter(winner)
    if kernel is None:
        raise _incompatible(sign, left.type, right.type)

    def calculated(left_value: float, right_value: float) -> Any:
        try:
            return fit(kernel(left_value, right_value))
        except OverflowError:
            raise overflow(winner) from None

    return apply(calculated, winner, convert(left, winner), convert(right, winner))


def _moved(sign: Operator, left: Typed, right: Typed) -> Typed:
    """Compile `+` or `-` of a `datetime` or `smalldatetime`, which count days since 1900-01-01."""
    allowed = NUMBERS | {Family.TEXT, Family.DATETIME}
    winner = higher(left.type, right.type)
    sides = {left.type, right.type}
    if sign not in {PLUS, MINUS} or winner.name not in LEGACY_MOMENTS or {side.family for side in sides} - allowed:
        raise _incompatible(sign, left.type, right.type)
    fit = to_datetime if winner.name == "datetime" else to_smalldatetime
    forward = sign is PLUS

    def move(one: datetime, other: datetime) -> datetime:
        shift: timedelta = other - BASE
        try:
            return fit(one + shift if forward else one - shift)
        except OverflowError:
            raise out_of_range(winner) from None

    return apply(move, winner, convert(left, winner), convert(right, winner))


def negated(part: Typed) -> Typed:
    """Compile the unary minus; a `tinyint` becomes a `smallint`.

    Raises:
        CompileError: The part is not a number.
    """
    if part.null:
        return part
    if part.type.family not in NUMBERS - {Family.BIT}:
        raise CompileError(f"the minus sign does not take {part.type}", "-")
    result = SqlType("smallint") if part.type.name == "tinyint" else part.type
    minus, fit = EXACT.minus if part.type.family in _DECIMALS else operator.neg, fitter(result)
    negative = apply(Fitted(minus, fit), result, part)
    return constant(result, constant_value(negative), part.digits) if part.digits else negative


def _abs(arguments: Sequence[Typed]) -> Typed:
    part = _number(arguments[0], "ABS")
    absolute, fit = EXACT.abs if part.type.family in _DECIMALS else abs, fitter(part.type)
    return apply(Fitted(absolute, fit), part.type, part)


def _number(part: Typed, function: str) -> Typed:
    number = as_number(part)
    if number.type.family is Family.BIT:
        raise CompileError(f"{function} does not take bit")
    return number


def _widened(data_type: SqlType) -> SqlType:
    """Return the type of a rounded number: `int`, `bigint`, `money`, `float` or its own."""
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
            case _:
                whole = replace(result, scale=0)
                fit = fitter(whole)
                return apply(lambda number: fit(context.to_integral_value(number)), whole, part)

    return build


def _round(arguments: Sequence[Typed]) -> Typed:
    part = _number(arguments[0], "ROUND")
    result = _widened(part.type)
    lengths = [as_integer(argument) for argument in arguments[1:]]
    return apply(_rounding(result), result, part, *lengths)


def _rounding(result: SqlType) -> Kernel:
    fit = fitter(result)
    match result.family:
        case Family.INTEGER:
            return lambda number, length, cut=0: fit(int(_rounded(Decimal(number), length, cut)))
        case Family.FLOAT:
            return lambda number, length, cut=0: fit(float(_rounded(Decimal(repr(number)), length, cut)))
        case _:
            return lambda number, length, cut=0: fit(_rounded(number, length, cut))


def _rounded(number: Decimal, length: int, cut: int) -> Decimal:
    """Round a number to a number of digits after the point, or before it if the length is negative."""
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
