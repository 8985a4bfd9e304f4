"""What all tests of expressions use: compile, evaluate, and compare value, class and type."""

from collections.abc import Mapping
from datetime import datetime

from xml_extractor.documents import Value
from xml_extractor.tsql import EvaluationError, ExpressionError, ExpressionFault, compile_condition, compile_expression
from xml_extractor.values.sqltypes import parse_type

CLOCK = datetime(2024, 5, 6, 7, 8, 9, 124567)  # noqa: DTZ001 - the run's clock is naive UTC

Inputs = Mapping[str, tuple[str, Value]]
"""Names to their types, as T-SQL writes them, and values."""


def evaluated(expression: str, inputs: Inputs | None = None) -> Value:
    given = inputs or {}
    compiled = compile_expression(expression, {name: parse_type(written) for name, (written, _) in given.items()})
    return compiled.evaluate([value for _, value in given.values()], CLOCK)


def type_of(expression: str, names: Mapping[str, str] | None = None) -> str:
    given = names or {}
    return str(compile_expression(expression, {name: parse_type(written) for name, written in given.items()}).type)


def holds(condition: str, inputs: Inputs | None = None) -> bool | None:
    given = inputs or {}
    compiled = compile_condition(condition, {name: parse_type(written) for name, (written, _) in given.items()})
    return compiled.evaluate([value for _, value in given.values()], CLOCK)


def assert_same(found: Value, expected: Value) -> None:
    """Equal, of the same class, and, for decimals, with the same digits behind the point."""
    assert (found, type(found), str(found)) == (expected, type(expected), str(expected))


def failure_of(expression: str, inputs: Inputs | None = None) -> str:
    """The code of the error that evaluation ends with."""
    try:
        value = evaluated(expression, inputs)
    except EvaluationError as error:
        return error.code
    raise AssertionError(f"{expression} has the value {value!r}")


def faults_of(expression: str, names: Mapping[str, str] | None = None) -> tuple[ExpressionFault, ...]:
    given = {name: parse_type(written) for name, written in (names or {}).items()}
    try:
        compile_expression(expression, given)
    except ExpressionError as error:
        return error.faults
    raise AssertionError(f"{expression} can be compiled")
