"""Compiled parts of an expression: a type, a closure, and what is known about it at compile time.

Also how a number is fitted to its type: rounded, and checked against the limits. Source: "Precision, scale, and length
(Transact-SQL)", Microsoft Learn.
"""

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import Any, NamedTuple

from xml_extractor.documents import Value
from xml_extractor.reasons import Reason
from xml_extractor.tsql.errors import EvaluationError
from xml_extractor.values.sqltypes import INTEGER_RANGES, MONEY_LIMITS, Family, SqlType

Run = Callable[[Sequence[Value], datetime], Value]
"""Compute a value from the values of all names, in their order, and the run's clock."""

Test = Callable[[Sequence[Value], datetime], bool | None]
"""As `Run`; the result is TRUE, FALSE or UNKNOWN (None)."""

Kernel = Callable[..., Value]
"""An operation on values that are not NULL, in the Python classes of their SQL types."""

INT = SqlType("int")
BIGINT = SqlType("bigint")

NO_CLOCK = datetime.combine(date.min, time.min)
"""A placeholder for the clock when a constant is evaluated, which does not read it."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A compiled scalar expression.

    Attributes:
        type: The SQL Server type of its value.
        run: The closure that computes the value.
        constant: Whether the value depends neither on names nor on the clock.
        null: Whether it is the word NULL, which adapts to any type.
        digits: The decimal digits of an integer literal; otherwise 0.
    """

    type: SqlType
    run: Run
    constant: bool = False
    null: bool = False
    digits: int = 0


@dataclass(frozen=True, slots=True)
class Function:
    """An entry of the registries of functions.

    Attributes:
        build: Compiles the call from its compiled arguments; raises `CompileError` for arguments of the wrong types.
        fewest: The smallest number of arguments.
        most: The largest number of arguments; by default the smallest.
        parts: The names of parts of a date, with their abbreviations, by full name, if the first argument must be
            such a name; `build` then gets the full name before the other arguments.
    """

    build: Callable[..., Typed]
    fewest: int
    most: int = 0
    parts: Mapping[str, str] | None = None

    @property
    def counts(self) -> range:
        """The allowed numbers of arguments."""
        return range(self.fewest, max(self.fewest, self.most) + 1)


class Cast(NamedTuple):
    """A conversion between two different types, to be compiled.

    Attributes:
        source, target: The types.
        style: The style of CONVERT, if any.
        strict: Raise for text and binaries that are too long, as INSERT does, instead of truncating them.
    """

    source: SqlType
    target: SqlType
    style: int | None = None
    strict: bool = False


def constant(data_type: SqlType, value: Value, digits: int = 0) -> Typed:
    """Return a constant."""
    return Typed(data_type, lambda _values, _clock: value, constant=True, digits=digits)


NULL = Typed(INT, lambda _values, _clock: None, constant=True, null=True)
"""The word NULL; it is an int where nothing else determines a type."""


def constant_value(part: Typed) -> Value:
    """Return the value of a constant part."""
    return part.run((), NO_CLOCK)


def reader(position: int, data_type: SqlType) -> Run:
    """Return the closure that reads the value at a position; `char` and `nchar` are padded to their length."""
    if data_type.name not in {"char", "nchar"}:
        return lambda values, _clock: values[position]
    length = data_type.length

    def read(values: Sequence[Value], _clock: datetime) -> Value:
        value = values[position]
        return value.ljust(length) if isinstance(value, str) else value

    return read


def unless_null(kernel: Kernel) -> Callable[[Value], Value]:
    """Return a kernel that keeps NULL."""
    return lambda value: None if value is None else kernel(value)


def retyped(part: Typed, data_type: SqlType) -> Typed:
    """Return the part with another type that holds its value unchanged."""
    return replace(part, type=data_type, digits=0, null=False)


def lazily(data_type: SqlType, run: Run, *arguments: Typed) -> Typed:
    """Return a part with its own closure; it is a constant if all its arguments are and it evaluates without error."""
    if not all(argument.constant for argument in arguments):
        return Typed(data_type, run)
    try:
        return constant(data_type, run((), NO_CLOCK))
    except EvaluationError:
        return Typed(data_type, run)


def apply(kernel: Kernel, data_type: SqlType, *arguments: Typed) -> Typed:
    """Apply a kernel to the arguments, all of which are evaluated; the result is NULL if one of them is."""
    return lazily(data_type, _null_propagating(kernel, arguments), *arguments)


def _null_propagating(kernel: Kernel, arguments: Sequence[Typed]) -> Run:
    match len(arguments):
        case 1:
            return _unary(kernel, arguments[0].run)
        case 2 if arguments[1].constant:
            return _with_constant(kernel, arguments[0].run, constant_value(arguments[1]))
        case 2:
            return _binary(kernel, arguments[0].run, arguments[1].run)
        case _:
            return _many(kernel, tuple(argument.run for argument in arguments))


def _unary(kernel: Kernel, argument: Run) -> Run:
    def run(values: Sequence[Value], clock: datetime) -> Value:
        value = argument(values, clock)
        return None if value is None else kernel(value)

    return run


def _with_constant(kernel: Kernel, argument: Run, right: Value) -> Run:
    if right is None:
        return lambda _values, _clock: None

    def run(values: Sequence[Value], clock: datetime) -> Value:
        left = argument(values, clock)
        return None if left is None else kernel(left, right)

    return run


def _binary(kernel: Kernel, first: Run, second: Run) -> Run:
    def run(values: Sequence[Value], clock: datetime) -> Value:
        left, right = first(values, clock), second(values, clock)
        return None if left is None or right is None else kernel(left, right)

    return run


def _many(kernel: Kernel, arguments: Sequence[Run]) -> Run:
    def run(values: Sequence[Value], clock: datetime) -> Value:
        found = [argument(values, clock) for argument in arguments]
        return None if None in found else kernel(*found)

    return run


EXACT = Context(prec=130, rounding=ROUND_HALF_UP, traps=[InvalidOperation, DivisionByZero, Overflow])
"""Holds every product and quotient of two decimals before it is rounded to its type; rounds half away from zero."""

CUT = Context(prec=130, rounding=ROUND_DOWN, traps=[InvalidOperation, DivisionByZero, Overflow])
"""As `EXACT`, but truncates."""

_MONEY_STEP = Decimal("0.0001")
_ONE = Decimal(1)
_REAL = struct.Struct("<f")


def overflow(data_type: SqlType) -> EvaluationError:
    """Return the error of a number outside the range of its type."""
    return EvaluationError(Reason.OVERFLOW, f"the number does not fit {data_type}")


def _integer_fitter(data_type: SqlType, _context: Context) -> Callable[[int], int]:
    """Check the range of an integer type."""
    least, most = INTEGER_RANGES[data_type.name]

    def fit(number: int) -> int:
        if least <= number <= most:
            return number
        raise overflow(data_type)

    return fit


def _decimal_fitter(data_type: SqlType, context: Context) -> Callable[[Decimal], Decimal]:
    """Round a decimal to the type's scale, and check its digits before the point."""
    step = EXACT.scaleb(_ONE, -data_type.scale)
    limit = EXACT.scaleb(_ONE, data_type.precision - data_type.scale)
    least, zero = limit.copy_negate(), EXACT.quantize(Decimal(0), step)
    quantize = context.quantize

    def fit(number: Decimal) -> Decimal:
        if not least < number < limit:
            raise overflow(data_type)
        fitted = quantize(number, step)
        if not fitted:
            return zero
        if not least < fitted < limit:
            raise overflow(data_type)
        return fitted

    return fit


def _money_fitter(data_type: SqlType, context: Context) -> Callable[[Decimal], Decimal]:
    """Round a decimal to the four digits of `money` and `smallmoney`, and check its range."""
    limit = EXACT.multiply(Decimal(MONEY_LIMITS[data_type.name]), _MONEY_STEP)
    least, beyond = limit.copy_negate(), EXACT.add(limit, _ONE)
    zero = EXACT.quantize(Decimal(0), _MONEY_STEP)
    quantize = context.quantize

    def fit(number: Decimal) -> Decimal:
        if not beyond.copy_negate() < number < beyond:
            raise overflow(data_type)
        fitted = quantize(number, _MONEY_STEP) or zero
        if least <= fitted < limit:
            return fitted
        raise overflow(data_type)

    return fit


def _float_fitter(data_type: SqlType, _context: Context) -> Callable[[float], float]:
    """Round to `real` if the type is `real`, and check that the number is finite."""
    if data_type.name != "real":

        def fit(number: float) -> float:
            if math.isfinite(number):
                return number
            raise overflow(data_type)

        return fit

    def fit_real(number: float) -> float:
        try:
            rounded: float = _REAL.unpack(_REAL.pack(number))[0]
        except OverflowError:
            raise overflow(data_type) from None
        if math.isfinite(rounded):
            return rounded
        raise overflow(data_type)

    return fit_real


_FITTERS: dict[Family, Callable[[SqlType, Context], Callable[..., Any]]] = {
    Family.INTEGER: _integer_fitter,
    Family.DECIMAL: _decimal_fitter,
    Family.MONEY: _money_fitter,
    Family.FLOAT: _float_fitter,
}


def fitter(data_type: SqlType, context: Context = EXACT) -> Callable[..., Any]:
    """Return the function that rounds a number to its type and checks the range of the type.

    Args:
        data_type: A number type other than `bit`.
        context: Rounds decimals and amounts of money; `CUT` truncates them.
    """
    return _FITTERS[data_type.family](data_type, context)
