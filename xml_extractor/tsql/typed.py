"""Compiled parts of an expression: a type, the Python code that computes it, and what is known at compile time.

Also how a number is fitted to its type: rounded, and checked against the limits. Source: "Precision, scale, and length
(Transact-SQL)", Microsoft Learn.
"""

import math
import operator
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from types import FunctionType
from typing import Any, NamedTuple

from xml_extractor.documents import Value
from xml_extractor.reasons import Reason
from xml_extractor.source_code import Code
from xml_extractor.tsql.errors import EvaluationError
from xml_extractor.values.sqltypes import INTEGER_RANGES, MONEY_LIMITS, Family, SqlType


class Body(NamedTuple):
    """The body of a function in which an expression is written.

    Attributes:
        code: Takes the statements.
        values: The expressions of the values of all names, in their order.
        clock: The expression of the run's clock.
    """

    code: Code
    values: Sequence[str]
    clock: str = "clock"


Write = Callable[[Body], str]
"""Write the statements that compute a value, and return the expression of the value."""

Test = Write
"""As `Write`; the value is TRUE, FALSE or UNKNOWN (None)."""

Kernel = Callable[..., Value]
"""An operation on values that are not NULL, in the Python classes of their SQL types."""

INT = SqlType("int")
BIGINT = SqlType("bigint")

_LOCAL_NAMES = ("values", "clock")


@dataclass(frozen=True, slots=True)
class Typed:
    """A compiled scalar expression.

    Attributes:
        type: The SQL Server type of its value.
        write: Writes the code that computes the value.
        constant: Whether the value depends neither on names nor on the clock.
        value: The value, if it is constant.
        null: Whether it is the word NULL, which adapts to any type.
        digits: The decimal digits of an integer literal; otherwise 0.
    """

    type: SqlType
    write: Write
    constant: bool = False
    value: Value = None
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
    return Typed(data_type, lambda body: body.code.literal(value), constant=True, value=value, digits=digits)


NULL = Typed(INT, lambda _: "None", constant=True, null=True)
"""The word NULL; it is an int where nothing else determines a type."""


def constant_value(part: Typed) -> Value:
    """Return the value of a constant part."""
    return part.value


def evaluator(write: Write, names: int) -> Callable[[Sequence[Value], datetime], Any]:
    """Compile an expression to a function of the values of its names and the run's clock.

    Raises:
        RecursionError: It is nested too deeply.
    """
    code = Code({}, _LOCAL_NAMES)
    name = code.function("evaluate")
    with code.block(f"def {name}(values, clock)"):
        code.line(f"return {write(Body(code, [f'values[{number}]' for number in range(names)]))}")
    evaluate: Callable[[Sequence[Value], datetime], Any] = code.compiled("<expression>")[name]
    return evaluate


def reader(position: int, data_type: SqlType) -> Write:
    """Return what reads the value at a position; `char` and `nchar` are padded to their length."""
    if data_type.name not in {"char", "nchar"}:
        return lambda body: body.values[position]

    def write(body: Body) -> str:
        value = body.code.kept(body.values[position])
        return f"None if {value} is None else {value}.ljust({data_type.length})"

    return write


@dataclass(frozen=True, slots=True)
class UnlessNull:
    """A kernel that keeps NULL."""

    kernel: Kernel

    def __call__(self, value: Value) -> Value:
        """Apply the kernel to a value that is not NULL."""
        return None if value is None else self.kernel(value)


def retyped(part: Typed, data_type: SqlType) -> Typed:
    """Return the part with another type that holds its value unchanged."""
    return replace(part, type=data_type, digits=0, null=False)


def lazily(data_type: SqlType, write: Write, *arguments: Typed) -> Typed:
    """Return a part with its own code; it is a constant if all its arguments are and it evaluates without error."""
    if not all(argument.constant for argument in arguments):
        return Typed(data_type, write)
    try:
        return constant(data_type, evaluator(write, 0)((), _NO_CLOCK))
    except EvaluationError:
        return Typed(data_type, write)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A kernel whose result is rounded to its type; called in the code one after the other."""

    kernel: Kernel
    fit: Kernel


def apply(kernel: Kernel | Fitted, data_type: SqlType, *arguments: Typed) -> Typed:
    """Apply a kernel to the arguments, all of which are evaluated; the result is NULL if one of them is."""

    def write(body: Body) -> str:
        values = [body.code.kept(argument.write(body)) for argument in arguments]
        unknown = [value for value, argument in zip(values, arguments, strict=True) if not argument.constant]
        if any(argument.constant and argument.value is None for argument in arguments):
            return "None"
        call = _call(body.code, kernel, values)
        return f"None if {' or '.join(f'{value} is None' for value in unknown)} else {call}" if unknown else call

    return lazily(data_type, write, *arguments)


def apply_to_nulls(kernel: Kernel, data_type: SqlType, *arguments: Typed) -> Typed:
    """Apply a kernel to the arguments, also if they are NULL."""
    return lazily(
        data_type,
        lambda body: _call(body.code, kernel, [body.code.kept(argument.write(body)) for argument in arguments]),
        *arguments,
    )


def _call(code: Code, kernel: Kernel | Fitted, values: Sequence[str]) -> str:
    if isinstance(kernel, Fitted):
        return _call(code, kernel.fit, [_call(code, kernel.kernel, values)])
    sign = _SIGNS.get(kernel)
    if sign is not None:
        return f"({f' {sign} '.join(values)})"
    name = kernel.__name__ if isinstance(kernel, FunctionType) else type(kernel).__name__
    return f"{code.constant(name, kernel)}({', '.join(values)})"


_SIGNS: dict[Kernel, str] = {operator.add: "+", operator.sub: "-", operator.mul: "*"}
"""Functions that Python has a sign for."""

_NO_CLOCK = datetime.combine(date.min, time.min)
"""A placeholder for the clock when a constant is evaluated, which does not read it."""

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
