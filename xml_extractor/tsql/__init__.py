"""T-SQL scalar expressions, compiled to Python code. Knows no XML, contract or database.

Types of results, rounding, implicit conversions, comparison of text and NULL follow SQL Server's documentation, for the
collation SQL_Latin1_General_CP1_CI_AS, the language us_english and `SET DATEFIRST 7`. The compiler is imported when the
first expression is compiled: sqlglot is slow to import, and most processes and many contracts do not need it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from xml_extractor.documents import Value
from xml_extractor.source_code import Code
from xml_extractor.tsql.errors import CompileError, EvaluationError, ExpressionError, ExpressionFault
from xml_extractor.values.sqltypes import SqlType

__all__ = [
    "Condition",
    "EvaluationError",
    "Expression",
    "ExpressionError",
    "ExpressionFault",
    "compile_assignment",
    "compile_condition",
    "compile_expression",
    "is_search_condition",
    "unqualified_columns",
]


@dataclass(frozen=True)
class Expression:
    """A compiled scalar expression.

    Attributes:
        type: The type of its value; `int` if the expression is the word NULL.
        names: The names it uses, as given to `compile_expression`, in the order of their first use.
        evaluate: Computes the value from the values of all given names, in their order, and the run's clock (naive,
            UTC). Raises `EvaluationError`.
        write: Writes the statements that do the same into other code: `(code, values, clock)`, with the expressions of
            the values and of the clock. Returns the expression of the value.
    """

    type: SqlType
    names: tuple[str, ...]
    evaluate: Callable[[Sequence[Value], datetime], Value]
    write: Callable[[Code, Sequence[str], str], str]


@dataclass(frozen=True)
class Condition:
    """A compiled search condition.

    Attributes:
        names: As in `Expression`.
        evaluate, write: As in `Expression`; the result is TRUE, FALSE or UNKNOWN (None).
    """

    names: tuple[str, ...]
    evaluate: Callable[[Sequence[Value], datetime], bool | None]
    write: Callable[[Code, Sequence[str], str], str]


def compile_expression(text: str, names: Mapping[str, SqlType]) -> Expression:
    """Compile a T-SQL scalar expression, such as `ISNULL(score, 0) + 1`.

    Args:
        text: The expression.
        names: The names it may use, with the types of their values; a name matches in any case.

    Raises:
        ExpressionError: It cannot be compiled; `faults` has all faults.
    """
    from xml_extractor.tsql.compiler import compiled, scalar
    from xml_extractor.tsql.typed import Body

    part, evaluate, used = compiled(text, names, scalar)
    return Expression(part.type, used, evaluate, lambda *body: part.write(Body(*body)))


def compile_condition(text: str, names: Mapping[str, SqlType]) -> Condition:
    """Compile a T-SQL search condition, such as `score > 0 AND code IN ('A', 'B')`.

    Args:
        text: The condition.
        names: The names it may use, with the types of their values; a name matches in any case.

    Raises:
        ExpressionError: It cannot be compiled; `faults` has all faults.
    """
    from xml_extractor.tsql.compiler import compiled, condition
    from xml_extractor.tsql.typed import Body

    test, evaluate, used = compiled(text, names, condition)
    return Condition(used, evaluate, lambda *body: test(Body(*body)))


def compile_assignment(source: SqlType, target: SqlType) -> Callable[[Value], Value]:
    """Return the function that converts a value for a column of another type, as INSERT does.

    It rounds decimals and fractions of a second. Text that is too long is an error, also the text of a number or date.
    `char`, `nchar` and `binary` are padded to their length. NULL stays NULL.

    Args:
        source: The type of the values.
        target: The column's type.

    Returns:
        A function that raises `EvaluationError` if the column cannot hold the value.

    Raises:
        ExpressionError: There is no implicit conversion between the types.
    """
    from xml_extractor.tsql.conversion import assignment

    try:
        return assignment(source, target)
    except CompileError as error:
        raise ExpressionError((ExpressionFault(error.message, 1, 1, str(source), str(target)),)) from None


def is_search_condition(text: str) -> bool:
    """Return whether a text is one search condition that a database can evaluate; it may contain subqueries."""
    from xml_extractor.tsql import syntax

    return syntax.is_search_condition(text)


def unqualified_columns(condition: str) -> list[str]:
    """Return the columns without a table in the subqueries of a search condition."""
    if "select" not in condition.lower():
        return []
    from xml_extractor.tsql import syntax

    return syntax.unqualified_columns(condition)
