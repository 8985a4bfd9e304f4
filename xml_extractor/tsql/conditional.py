"""CASE, IIF, COALESCE, ISNULL and NULLIF.

Sources: the pages of these expressions, Microsoft Learn.
"""

import operator
from collections.abc import Sequence
from datetime import datetime

from xml_extractor.documents import Value
from xml_extractor.tsql.comparison import compare
from xml_extractor.tsql.conversion import convert
from xml_extractor.tsql.faults import RefusalError
from xml_extractor.tsql.function import Function
from xml_extractor.tsql.result_types import common_type_of
from xml_extractor.tsql.typed import NULL, Test, Typed, lazily


def case(tests: Sequence[Test], results: Sequence[Typed], default: Typed | None, name: str = "CASE") -> Typed:
    """The result of the first test that is TRUE, of the type with the highest precedence of all results."""
    other = NULL if default is None else default
    result_type = common_type_of((*results, other), name)
    runs = [convert(result, result_type).run for result in results]
    branches = tuple(zip(tests, runs, strict=True))
    otherwise = convert(other, result_type).run

    def run(values: Sequence[Value], clock: datetime) -> Value:
        for test, result in branches:
            if test(values, clock):
                return result(values, clock)
        return otherwise(values, clock)

    return Typed(result_type, run)


def _coalesce(arguments: Sequence[Typed]) -> Typed:
    result_type = common_type_of(arguments, "COALESCE")
    parts = [convert(argument, result_type) for argument in arguments]
    runs = tuple(part.run for part in parts)

    def run(values: Sequence[Value], clock: datetime) -> Value:
        for part in runs:
            value = part(values, clock)
            if value is not None:
                return value
        return None

    return lazily(result_type, run, *parts)


def isnull(arguments: Sequence[Typed]) -> Typed:
    """`ISNULL`: the first value, or the second where that is NULL, of the first one's type."""
    first, second = arguments
    if first.null:
        return second
    replacement = convert(second, first.type)
    checked, instead = first.run, replacement.run

    def run(values: Sequence[Value], clock: datetime) -> Value:
        value = checked(values, clock)
        return instead(values, clock) if value is None else value

    return lazily(first.type, run, first, replacement)


def _nullif(arguments: Sequence[Typed]) -> Typed:
    first, second = arguments
    if first.null:
        raise RefusalError("the first argument of NULLIF must be something other than NULL")
    equal, value = compare(operator.eq, first, second), first.run

    def run(values: Sequence[Value], clock: datetime) -> Value:
        return None if equal(values, clock) else value(values, clock)

    return lazily(first.type, run, first, second)


_MOST_ARGUMENTS = 1000

FUNCTIONS: dict[str, Function] = {
    "COALESCE": Function(_coalesce, 2, _MOST_ARGUMENTS),
    "ISNULL": Function(isnull, 2),
    "NULLIF": Function(_nullif, 2),
}
