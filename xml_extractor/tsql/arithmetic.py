"""The operators + - * / % and the unary minus.

Sources: "Arithmetic operators", "+ (String concatenation)", "Precision, scale, and length", "money and smallmoney" and
"int, bigint, smallint, and tinyint (Transact-SQL)", Microsoft Learn.
"""

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from xml_extractor.documents import Value
from xml_extractor.reasons import Reason
from xml_extractor.tsql.codepage import from_units, to_units
from xml_extractor.tsql.conversion import convert
from xml_extractor.tsql.faults import EvaluationError, RefusalError
from xml_extractor.tsql.numeric import CUT, EXACT, decimal_fitter, float_fitter, integer_fitter, money_fitter
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
from xml_extractor.tsql.typed import NULL, Kernel, Typed, apply, constant, constant_value
from xml_extractor.values.sqltypes import MAX, Family, SqlType


@dataclass(frozen=True, slots=True)
class Operator:
    """One arithmetic operator.

    Attributes:
        sign: As it is written.
        name: As it is called in messages.
        decimal_type: The type of its result for two decimals, of their precisions and scales.
        exact: It on two exact numbers, digits enough.
        integer: It on two integers.
        floating: It on two floats; without it, floats are refused.
    """

    sign: str
    name: str
    decimal_type: Callable[[tuple[int, int], tuple[int, int]], SqlType]
    exact: Callable[[Decimal, Decimal], Decimal]
    integer: Callable[[int, int], int]
    floating: Callable[[float, float], float] | None


def _divided_by_zero() -> EvaluationError:
    return EvaluationError(Reason.DIVIDE_BY_ZERO, "a number is divided by zero")


def _exact_quotient(left: Decimal, right: Decimal) -> Decimal:
    if not right:
        raise _divided_by_zero()
    return CUT.divide(left, right)


def _exact_remainder(left: Decimal, right: Decimal) -> Decimal:
    if not right:
        raise _divided_by_zero()
    return EXACT.subtract(left, EXACT.multiply(CUT.to_integral_value(CUT.divide(left, right)), right))


def _integer_quotient(left: int, right: int) -> int:
    if not right:
        raise _divided_by_zero()
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _integer_remainder(left: int, right: int) -> int:
    if not right:
        raise _divided_by_zero()
    remainder = abs(left) % abs(right)
    return -remainder if left < 0 else remainder


def _float_quotient(left: float, right: float) -> float:
    if not right:
        raise _divided_by_zero()
    return left / right


def _float_product(left: float, right: float) -> float:
    return left * right if left and right else 0.0


PLUS = Operator("+", "addition", sum_type, EXACT.add, operator.add, operator.add)
MINUS = Operator("-", "subtraction", sum_type, EXACT.subtract, operator.sub, operator.sub)
TIMES = Operator("*", "multiplication", product_type, EXACT.multiply, operator.mul, _float_product)
DIVIDED_BY = Operator("/", "division", quotient_type, _exact_quotient, _integer_quotient, _float_quotient)
MODULO = Operator("%", "remainder", remainder_type, _exact_remainder, _integer_remainder, None)


def calculate(sign: Operator, left: Typed, right: Typed) -> Typed:
    """An arithmetic operation, or with `+` a concatenation.

    Raises:
        RefusalError: The operator does not take these types.
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


def _incompatible(sign: Operator, left: SqlType, right: SqlType) -> RefusalError:
    return RefusalError(f"{left} and {right} cannot be used together in {sign.name} ({sign.sign})", sign.sign)


def _joined(left: Typed, right: Typed) -> Typed:
    result = joined_type(left.type, right.type)
    first, second = (_for_joining(side, result) for side in (left, right))
    length = result.length
    if length == MAX or length_of(left.type) + length_of(right.type) <= longest(result.name):
        return apply(operator.add, result, first, second)
    if result.family is Family.BINARY:
        return apply(lambda one, other: (one + other)[:length], result, first, second)

    def join(one: str, other: str) -> str:
        joined = one + other
        return joined if len(joined) * 2 <= length else from_units(to_units(joined)[:length])

    return apply(join, result, first, second)


def _for_joining(side: Typed, result: SqlType) -> Typed:
    if side.type.family is Family.BINARY:
        return side
    return convert(side, varying(result, MAX))


def _calculated(sign: Operator, left: Typed, right: Typed) -> Typed:
    winner = higher(left.type, right.type)
    left, right = (_as_number(side, winner) for side in (left, right))
    match winner.family:
        case Family.FLOAT:
            return _calculated_floats(sign, winner, left, right)
        case Family.DECIMAL:
            return _calculated_decimals(sign, left, right)
        case Family.MONEY:
            fit = money_fitter(winner, CUT if sign is DIVIDED_BY else EXACT)
            return apply(_fitted(sign.exact, fit), winner, _as_decimal(left), _as_decimal(right))
        case Family.INTEGER:
            return _calculated_integers(sign, winner, left, right)
        case _:
            raise _incompatible(sign, left.type, right.type)


def _as_number(side: Typed, winner: SqlType) -> Typed:
    return side if side.type.family in NUMBERS else convert(side, winner)


def _as_decimal(side: Typed) -> Typed:
    """An exact number as a Python decimal; integers of any size are exact."""
    if side.type.family in {Family.DECIMAL, Family.MONEY}:
        return side
    return apply(lambda number: Decimal(int(number)), side.type, side)


def _fitted(kernel: Callable[..., Value], fit: Callable[..., Value]) -> Kernel:
    return lambda left, right: fit(kernel(left, right))


def _calculated_floats(sign: Operator, winner: SqlType, left: Typed, right: Typed) -> Typed:
    if sign.floating is None:
        raise _incompatible(sign, left.type, right.type)
    return apply(_checked_float(sign.floating, winner), winner, convert(left, winner), convert(right, winner))


def _checked_float(kernel: Callable[[float, float], float], data_type: SqlType) -> Kernel:
    fit = float_fitter(data_type)

    def calculated(left: float, right: float) -> float:
        try:
            return fit(kernel(left, right))
        except OverflowError:
            return fit(math.inf)

    return calculated


def _calculated_decimals(sign: Operator, left: Typed, right: Typed) -> Typed:
    result = sign.decimal_type(shape(left), shape(right))
    fit = decimal_fitter(result, CUT if sign is DIVIDED_BY else EXACT)
    return apply(_fitted(sign.exact, fit), result, _as_decimal(left), _as_decimal(right))


def _calculated_integers(sign: Operator, winner: SqlType, left: Typed, right: Typed) -> Typed:
    return apply(_fitted(sign.integer, integer_fitter(winner)), winner, left, right)


def _moved(sign: Operator, left: Typed, right: Typed) -> Typed:
    """`+` and `-` of a `datetime` or `smalldatetime`, which count days since 1900-01-01."""
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
    """The unary minus; a `tinyint` becomes a `smallint`.

    Raises:
        RefusalError: The part is no number.
    """
    if part.null:
        return part
    match part.type.family:
        case Family.INTEGER:
            result = SqlType("smallint") if part.type.name == "tinyint" else part.type
            fit = integer_fitter(result)
            negative = apply(lambda number: fit(-number), result, part)
            return constant(result, constant_value(negative), part.digits) if part.digits else negative
        case Family.DECIMAL:
            return apply(EXACT.minus, part.type, part)
        case Family.MONEY:
            fit_money = money_fitter(part.type)
            return apply(lambda amount: fit_money(EXACT.minus(amount)), part.type, part)
        case Family.FLOAT:
            return apply(operator.neg, part.type, part)
        case _:
            raise RefusalError(f"the minus sign does not take {part.type}", "-")
