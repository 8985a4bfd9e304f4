"""Comparisons, three-valued logic, CASE, IIF, COALESCE, ISNULL and NULLIF.

Sources: "Comparison operators", "IN", "BETWEEN", "NULL and UNKNOWN (Transact-SQL)" and the pages of the functions,
Microsoft Learn.
"""

import operator
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from xml_extractor.documents import Value
from xml_extractor.reasons import Reason
from xml_extractor.tsql.collation import equality_key, matcher, order_key
from xml_extractor.tsql.conversion import as_text, convert
from xml_extractor.tsql.errors import CompileError, EvaluationError
from xml_extractor.tsql.result_types import EXACT_NUMBERS, LARGE_OBJECTS, common_type, common_type_of, is_unicode
from xml_extractor.tsql.typed import NO_CLOCK, NULL, Function, Run, Test, Typed, apply, constant_value, lazily
from xml_extractor.values.sqltypes import Family, SqlType

_EQUALITIES = frozenset({operator.eq, operator.ne})
_LENGTH_DOES_NOT_COUNT = frozenset({Family.TEXT, Family.BINARY})
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
    first, second = left_side.run, right_side.run
    known = constant_value(right_side) if right_side.constant else None
    if known is not None:
        return _comparison_with_constant(relation, first, known)

    def test(values: Sequence[Value], clock: datetime) -> bool | None:
        left, right = first(values, clock), second(values, clock)
        return None if left is None or right is None else relation(left, right)

    return test


def _comparison_with_constant(relation: Callable[[Any, Any], bool], subject: Run, known: Value) -> Test:
    def test(values: Sequence[Value], clock: datetime) -> bool | None:
        value = subject(values, clock)
        return None if value is None else relation(value, known)

    return test


def member(subject: Typed, choices: Sequence[Typed]) -> Test:
    """Compile `IN`: TRUE for an equal choice; UNKNOWN if there is none, but a NULL."""
    sides = [_meeting(subject, choice, equality=True) for choice in choices]
    known = _constant_keys(subject, choices)
    if known is None:
        return any_of([_comparison(operator.eq, first, second) for first, second in sides])
    run, keys, missing = known

    def test(values: Sequence[Value], clock: datetime) -> bool | None:
        value = run(values, clock)
        if value is None:
            return None
        return True if value in keys else missing

    return test


def _constant_keys(subject: Typed, choices: Sequence[Typed]) -> tuple[Run, frozenset[Value], bool | None] | None:
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
    try:
        found = [second.run((), NO_CLOCK) for _, second in sides]
    except EvaluationError:
        return None
    subject_key = next(first for (first, _), choice in zip(sides, choices, strict=True) if not choice.null)
    return subject_key.run, frozenset(key for key in found if key is not None), None if None in found else False


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
        return _constant_like(subject.run, matcher(pattern_text, "".join(escape_text), unicode=unicode))
    runs = tuple(part.run for part in (subject, *others))

    def test(values: Sequence[Value], clock: datetime) -> bool | None:
        found = [run(values, clock) for run in runs]
        if None in found:
            return None
        subject_found, pattern_found, *escape_found = map(str, found)
        if any(len(character) != 1 for character in escape_found):
            raise EvaluationError(Reason.INVALID_ARGUMENT, "the ESCAPE of LIKE must be one character")
        return matcher(pattern_found, "".join(escape_found), unicode=unicode)(subject_found)

    return test


def _constant_like(run: Run, matches: Callable[[str], bool]) -> Test:
    def test(values: Sequence[Value], clock: datetime) -> bool | None:
        subject = run(values, clock)
        return matches(subject) if isinstance(subject, str) else None

    return test


def is_null(part: Typed) -> Test:
    """Compile `IS NULL`, which is never UNKNOWN."""
    run = part.run
    return lambda values, clock: run(values, clock) is None


def negation(test: Test) -> Test:
    """Compile NOT: UNKNOWN stays UNKNOWN."""

    def negated(values: Sequence[Value], clock: datetime) -> bool | None:
        found = test(values, clock)
        return None if found is None else not found

    return negated


def all_of(tests: Sequence[Test]) -> Test:
    """Compile AND: FALSE if one is FALSE, else UNKNOWN if one is UNKNOWN."""
    return _decided_by(tests, decisive=False)


def any_of(tests: Sequence[Test]) -> Test:
    """Compile OR: TRUE if one is TRUE, else UNKNOWN if one is UNKNOWN."""
    return _decided_by(tests, decisive=True)


def _decided_by(tests: Sequence[Test], *, decisive: bool) -> Test:
    def test(values: Sequence[Value], clock: datetime) -> bool | None:
        result: bool | None = not decisive
        for operand in tests:
            found = operand(values, clock)
            if found is decisive:
                return decisive
            if found is None:
                result = None
        return result

    return test


def case(tests: Sequence[Test], results: Sequence[Typed], default: Typed | None, name: str = "CASE") -> Typed:
    """Compile CASE: the result of the first test that is TRUE, in the common type of all results."""
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
    """Compile ISNULL: the first value, or the second if that is NULL, in the type of the first."""
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
        raise CompileError("the first argument of NULLIF must be something other than NULL")
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
