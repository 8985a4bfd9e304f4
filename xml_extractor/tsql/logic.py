"""Comparisons, three-valued logic, CASE, IIF, COALESCE, ISNULL and NULLIF.

Sources: "Comparison operators", "IN", "BETWEEN", "NULL and UNKNOWN (Transact-SQL)" and the pages of the functions,
Microsoft Learn.
"""

import operator
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import lru_cache
from typing import Any
from uuid import UUID

from xml_extractor.documents import Value
from xml_extractor.reasons import Reason
from xml_extractor.tsql.collation import equality_key, matcher, order_key
from xml_extractor.tsql.conversion import as_text, convert
from xml_extractor.tsql.errors import CompileError, EvaluationError
from xml_extractor.tsql.result_types import EXACT_NUMBERS, LARGE_OBJECTS, common_type, common_type_of, is_unicode
from xml_extractor.tsql.typed import NULL, Body, Function, Test, Typed, apply, constant_value, lazily
from xml_extractor.values.sqltypes import Family, SqlType

_EQUALITIES = frozenset({operator.eq, operator.ne})
_LENGTH_DOES_NOT_COUNT = frozenset({Family.TEXT, Family.BINARY})
_BIT = SqlType("bit")
_SHORT = 40
"""The length of texts up to which LIKE remembers its answers."""

_GUID_BYTE_ORDER = (10, 11, 12, 13, 14, 15, 8, 9, 6, 7, 4, 5, 0, 1, 2, 3)


def compare(relation: Callable[[Any, Any], bool], left: Typed, right: Typed) -> Test:
    """Compile a comparison; it is UNKNOWN if one side is NULL."""
    first, second = _meeting(left, right, equality=relation in _EQUALITIES)
    return _comparison(relation, first, second)


def _meeting(left: Typed, right: Typed, *, equality: bool) -> tuple[Typed, Typed]:
    """Return both sides with values that Python compares as SQL Server does."""
    if left.null or right.null:
        return left, right
    meeting_type = _comparable_type(left.type, right.type)
    if meeting_type is None:
        return left, right
    key = _key(meeting_type, equality=equality)
    sides = [
        side if _keeps_its_length(side.type, meeting_type) else convert(side, meeting_type) for side in (left, right)
    ]
    first, second = sides if key is None else [apply(key, side.type, side) for side in sides]
    return first, second


def _keeps_its_length(data_type: SqlType, meeting_type: SqlType) -> bool:
    return data_type.family is meeting_type.family and data_type.family in _LENGTH_DOES_NOT_COUNT


def _comparable_type(left: SqlType, right: SqlType) -> SqlType | None:
    """Return the type in which two types are compared; None if their Python values compare unchanged."""
    for data_type in (left, right):
        if data_type.name in LARGE_OBJECTS or data_type.family is Family.XML:
            raise CompileError(f"{data_type} cannot be compared")
    if {left.family, right.family} <= EXACT_NUMBERS:
        return None
    return common_type(left, right)


def _key(data_type: SqlType, *, equality: bool) -> Callable[..., Value] | None:
    """Return the function that makes the sort key of a value of the type."""
    match data_type.family:
        case Family.TEXT:
            return equality_key if equality else _order_text
        case Family.BINARY:
            return _without_zeros
        case Family.GUID if not equality:
            return _guid_order
        case _:
            return None


def _order_text(text: str) -> str:
    return "\0\0".join(order_key(text))


def _without_zeros(content: bytes) -> bytes:
    return content.rstrip(b"\0")


def _guid_order(text: str) -> bytes:
    content = UUID(text).bytes_le
    return bytes(content[position] for position in _GUID_BYTE_ORDER)


def _comparison(relation: Callable[[Any, Any], bool], left_side: Typed, right_side: Typed) -> Test:
    def test(body: Body) -> str:
        sides = [body.code.kept(side.write(body)) for side in (left_side, right_side)]
        return f"{_null_if_null(sides)}{f' {_SIGNS[relation]} '.join(sides)}"

    return test


_SIGNS: dict[Callable[[Any, Any], bool], str] = {
    operator.eq: "==",
    operator.ne: "!=",
    operator.lt: "<",
    operator.le: "<=",
    operator.gt: ">",
    operator.ge: ">=",
}


def _null_if_null(values: Sequence[str]) -> str:
    """Return the start of an expression that is None if one of these names or literals is."""
    names = [value for value in values if value == "None" or (value.isidentifier() and value not in ("True", "False"))]
    return f"None if {' or '.join(f'{name} is None' for name in names)} else " if names else ""


def member(subject: Typed, choices: Sequence[Typed]) -> Test:
    """Compile `IN`: TRUE for an equal choice; UNKNOWN if there is none, but a NULL."""
    sides = [_meeting(subject, choice, equality=True) for choice in choices]
    known = _constant_keys(subject, choices)
    if known is None:
        return any_of([_comparison(operator.eq, first, second) for first, second in sides])
    part, keys, missing = known

    def test(body: Body) -> str:
        value = body.code.kept(part.write(body))
        found = f"{value} in {body.code.constant('choices', keys)}"
        return f"{_null_if_null([value])}{found if missing is False else f'({found} or None)'}"

    return test


def _constant_keys(subject: Typed, choices: Sequence[Typed]) -> tuple[Typed, frozenset[Value], bool | None] | None:
    """Return the choices as a set, if all are constants that are compared with the subject in the same way."""
    if not all(choice.constant for choice in choices) or subject.null:
        return None
    types = [choice.type for choice in choices if not choice.null]
    if not types:
        return None
    kinds = {_comparison_kind(subject.type, data_type) for data_type in types}
    if len(kinds) > 1:
        return None
    sides = [_meeting(subject, choice, equality=True) for choice in choices]
    if not all(second.constant for _, second in sides):  # one of them raises an error
        return None
    found = [second.value for _, second in sides]
    subject_key = next(first for (first, _), choice in zip(sides, choices, strict=True) if not choice.null)
    return subject_key, frozenset(key for key in found if key is not None), None if None in found else False


def _comparison_kind(subject: SqlType, choice: SqlType) -> SqlType | Family | None:
    """Return the same for all types that are compared with the same values of the subject."""
    meeting_type = _comparable_type(subject, choice)
    if meeting_type is not None and _keeps_its_length(subject, meeting_type):
        return meeting_type.family
    return meeting_type


def like(text: Typed, pattern: Typed, escape: Typed | None) -> Test:
    """Compile `text LIKE pattern ESCAPE escape`."""
    parts = (text, pattern, *(() if escape is None else (escape,)))
    unicode = any(is_unicode(part.type) for part in parts)
    subject, *others = [as_text(part) for part in parts]
    if all(part.constant and constant_value(part) is not None for part in others):
        pattern_text, *escape_text = [str(constant_value(part)) for part in others]
        if any(len(character) != 1 for character in escape_text):
            raise CompileError("the ESCAPE of LIKE must be one character")
        matches = matcher(pattern_text, "".join(escape_text), unicode=unicode)
        if 0 < subject.type.length <= _SHORT:
            matches = lru_cache(maxsize=256)(matches)
        return apply(matches, _BIT, subject).write

    def matched(subject_found: str, pattern_found: str, escape_found: str = "") -> bool:
        if escape is not None and len(escape_found) != 1:
            raise EvaluationError(Reason.INVALID_ARGUMENT, "the ESCAPE of LIKE must be one character")
        return matcher(pattern_found, escape_found, unicode=unicode)(subject_found)

    return apply(matched, _BIT, subject, *others).write


def is_null(part: Typed) -> Test:
    """Compile `IS NULL`, which is never UNKNOWN."""
    if part.constant:
        return lambda _: str(part.value is None)
    return lambda body: f"{body.code.kept(part.write(body))} is None"


def negation(test: Test) -> Test:
    """Compile NOT: UNKNOWN stays UNKNOWN."""

    def negated(body: Body) -> str:
        found = body.code.kept(test(body))
        return f"None if {found} is None else not {found}"

    return negated


def all_of(tests: Sequence[Test]) -> Test:
    """Compile AND: FALSE if one is FALSE, else UNKNOWN if one is UNKNOWN."""
    return _decided_by(tests, decisive=False)


def any_of(tests: Sequence[Test]) -> Test:
    """Compile OR: TRUE if one is TRUE, else UNKNOWN if one is UNKNOWN."""
    return _decided_by(tests, decisive=True)


def _decided_by(tests: Sequence[Test], *, decisive: bool) -> Test:
    """Write one test after the other, as long as none is decisive."""

    def test(body: Body) -> str:
        code, result = body.code, body.code.variable("test")
        code.line(f"{result} = {tests[0](body)}")
        for operand in tests[1:]:
            with code.block(f"if {result} is not {decisive}"):
                found = code.kept(operand(body), "test")
                with code.block(f"if {found} is not {not decisive}"):
                    code.line(f"{result} = {found}")
        return result

    return test


def case(tests: Sequence[Test], results: Sequence[Typed], default: Typed | None, name: str = "CASE") -> Typed:
    """Compile CASE: the result of the first test that is TRUE, in the common type of all results."""
    other = NULL if default is None else default
    result_type = common_type_of((*results, other), name)
    outcomes = [convert(result, result_type) for result in results]
    otherwise = convert(other, result_type)

    def write(body: Body) -> str:
        code, value, is_found = body.code, body.code.variable("case"), body.code.variable("is_case")
        for number, (test, outcome) in enumerate(zip(tests, outcomes, strict=True)):
            with code.block(f"if not {is_found}") if number else nullcontext():
                code.line(f"{is_found} = {test(body)}")
                with code.block(f"if {is_found}"):
                    code.line(f"{value} = {outcome.write(body)}")
        with code.block(f"if not {is_found}"):
            code.line(f"{value} = {otherwise.write(body)}")
        return value

    return Typed(result_type, write)


def _coalesce(arguments: Sequence[Typed]) -> Typed:
    result_type = common_type_of(arguments, "COALESCE")
    return _first(result_type, [convert(argument, result_type) for argument in arguments])


def _first(result_type: SqlType, parts: Sequence[Typed]) -> Typed:
    """Write the first value that is not NULL."""

    def write(body: Body) -> str:
        code, value = body.code, body.code.variable("first")
        code.line(f"{value} = {parts[0].write(body)}")
        for part in parts[1:]:
            with code.block(f"if {value} is None"):
                code.line(f"{value} = {part.write(body)}")
        return value

    return lazily(result_type, write, *parts)


def isnull(arguments: Sequence[Typed]) -> Typed:
    """Compile ISNULL: the first value, or the second if that is NULL, in the type of the first."""
    first, second = arguments
    if first.null:
        return second
    return _first(first.type, [first, convert(second, first.type)])


def _nullif(arguments: Sequence[Typed]) -> Typed:
    first, second = arguments
    if first.null:
        raise CompileError("the first argument of NULLIF must be something other than NULL")
    equal = compare(operator.eq, first, second)

    def write(body: Body) -> str:
        is_equal, value = body.code.kept(equal(body)), body.code.variable("value")
        body.code.line(f"{value} = None")
        with body.code.block(f"if not {is_equal}"):
            body.code.line(f"{value} = {first.write(body)}")
        return value

    return lazily(first.type, write, first, second)


_MOST_ARGUMENTS = 1000

FUNCTIONS: dict[str, Function] = {
    "COALESCE": Function(_coalesce, 2, _MOST_ARGUMENTS),
    "ISNULL": Function(isnull, 2),
    "NULLIF": Function(_nullif, 2),
}
