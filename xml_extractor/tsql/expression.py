"""Expressions and conditions as the rest of the product uses them: compiled once, evaluated for each row."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlglot import exp

from xml_extractor.documents import Value
from xml_extractor.tsql.compiler import condition, scalar
from xml_extractor.tsql.faults import ExpressionError
from xml_extractor.tsql.scope import AbandonedError, Scope, scope_of
from xml_extractor.tsql.syntax import fault_at, parse
from xml_extractor.values.sqltypes import SqlType

_Compiled = TypeVar("_Compiled")


@dataclass(frozen=True)
class Expression:
    """A compiled scalar expression.

    Attributes:
        type: The type of its value; `int` where the expression is the word NULL.
        names: The names it uses, as they were given to `compile_expression`, in the order of their first use.
        evaluate: The values of all names that were given, in their order, and the run's clock (naive, UTC) to the
            value. Raises `EvaluationError`.
    """

    type: SqlType
    names: tuple[str, ...]
    evaluate: Callable[[Sequence[Value], datetime], Value]


@dataclass(frozen=True)
class Condition:
    """A compiled search condition.

    Attributes:
        names: As those of `Expression`.
        evaluate: As that of `Expression`, to TRUE, FALSE or UNKNOWN (None).
    """

    names: tuple[str, ...]
    evaluate: Callable[[Sequence[Value], datetime], bool | None]


def compile_expression(text: str, names: Mapping[str, SqlType]) -> Expression:
    """Compile a T-SQL scalar expression, such as `ISNULL(score, 0) + 1`.

    Args:
        text: The expression.
        names: What it may use, with the types of the values; a name matches in any case.

    Raises:
        ExpressionError: It cannot be compiled; its `faults` are all that were found.
    """
    part, scope = _compiled(text, names, scalar)
    return Expression(part.type, tuple(scope.used), part.run)


def compile_condition(text: str, names: Mapping[str, SqlType]) -> Condition:
    """Compile a T-SQL search condition, such as `score > 0 AND code IN ('A', 'B')`.

    Args:
        text: The condition.
        names: What it may use, with the types of the values; a name matches in any case.

    Raises:
        ExpressionError: It cannot be compiled; its `faults` are all that were found.
    """
    test, scope = _compiled(text, names, condition)
    return Condition(tuple(scope.used), test)


def _compiled(
    text: str, names: Mapping[str, SqlType], compile_node: Callable[[Scope, exp.Expr], _Compiled]
) -> tuple[_Compiled, Scope]:
    scope = scope_of(text, names)
    try:
        compiled = compile_node(scope, parse(text))
    except AbandonedError:
        raise scope.error() from None
    except RecursionError:
        raise ExpressionError((fault_at(text, 0, "the expression is nested too deeply"),)) from None
    return compiled, scope
