"""Compiled parts of an expression: a type, a closure, and what is known about it before any row is seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time

from xml_extractor.documents import Value
from xml_extractor.tsql.faults import EvaluationError
from xml_extractor.values.sqltypes import SqlType

Run = Callable[[Sequence[Value], datetime], Value]
"""The values of all names, in their order, and the run's clock, to a value."""

Test = Callable[[Sequence[Value], datetime], bool | None]
"""As `Run`, to TRUE, FALSE or UNKNOWN (None)."""

Kernel = Callable[..., Value]
"""An operation on values that are not NULL, of the Python classes that its SQL types have."""

INT = SqlType("int")
BIGINT = SqlType("bigint")

NO_CLOCK = datetime.combine(date.min, time.min)
"""Stands for the clock when a constant is evaluated, which reads none."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A scalar expression.

    Attributes:
        type: The SQL Server type of its value.
        run: Its closure.
        constant: It needs neither names nor the clock, and has a value.
        null: It is the word NULL, which takes any type.
        digits: The decimal digits of an integer literal; 0 for everything else.
    """

    type: SqlType
    run: Run
    constant: bool = False
    null: bool = False
    digits: int = 0


def constant(data_type: SqlType, value: Value, digits: int = 0) -> Typed:
    """A value known when the expression is compiled."""
    return Typed(data_type, lambda _values, _clock: value, constant=True, digits=digits)


NULL = Typed(INT, lambda _values, _clock: None, constant=True, null=True)
"""The word NULL; where nothing else says a type, it is an int."""


def constant_value(part: Typed) -> Value:
    """The value of a part whose `constant` is true."""
    return part.run((), NO_CLOCK)


def retyped(part: Typed, data_type: SqlType) -> Typed:
    """The same value under another type that holds it as it is."""
    return replace(part, type=data_type, digits=0, null=False)


def lazily(data_type: SqlType, run: Run, *arguments: Typed) -> Typed:
    """A part with a closure of its own; it becomes a constant when all its arguments are, and it has a value."""
    if not all(argument.constant for argument in arguments):
        return Typed(data_type, run)
    try:
        return constant(data_type, run((), NO_CLOCK))
    except EvaluationError:
        return Typed(data_type, run)


def apply(kernel: Kernel, data_type: SqlType, *arguments: Typed) -> Typed:
    """The kernel's value of the arguments' values, NULL if one of them is NULL; all are evaluated, so each may fail."""
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
