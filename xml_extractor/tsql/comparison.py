"""Comparisons and three-valued logic.

Sources: "Comparison operators", "IN", "BETWEEN" and "NULL and UNKNOWN (Transact-SQL)", Microsoft Learn.
"""

import operator
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from xml_extractor.documents import Value
from xml_extractor.reasons import Reason
from xml_extractor.tsql.arguments import as_text
from xml_extractor.tsql.collation import equality_key, order_key
from xml_extractor.tsql.conversion import convert
from xml_extractor.tsql.faults import EvaluationError, RefusalError
from xml_extractor.tsql.like import matcher
from xml_extractor.tsql.result_types import (
    EXACT_NUMBERS,
    LARGE_OBJECTS,
    common_type,
    is_unicode,
)
from xml_extractor.tsql.typed import NO_CLOCK, Run, Test, Typed, apply, constant_value
from xml_extractor.values.sqltypes import Family, SqlType

_EQUALITIES = frozenset({operator.eq, operator.ne})
_LENGTH_DOES_NOT_COUNT = frozenset({Family.TEXT, Family.BINARY})
_GUID_BYTE_ORDER = (10, 11, 12, 13, 14, 15, 8, 9, 6, 7, 4, 5, 0, 1, 2, 3)


def compare(relation: Callable[[Any, Any], bool], left: Typed, right: Typed) -> Test:
    """A comparison; UNKNOWN when one side is NULL."""
    first, second = _meeting(left, right, equality=relation in _EQUALITIES)
    return _comparison(relation, first, second)


def _meeting(left: Typed, right: Typed, *, equality: bool) -> tuple[Typed, Typed]:
    """Both sides with values that Python compares as SQL Server does."""
    if left.null or right.null:
        return left, right
    meeting_type = _comparable_type(left.type, right.type)
    if meeting_type is None:
        return left, right
    key = _key(meeting_type, equality=equality)
    sides = [_met(side, meeting_type) for side in (left, right)]
    first, second = sides if key is None else [apply(key, side.type, side) for side in sides]
    return first, second


def _met(side: Typed, meeting_type: SqlType) -> Typed:
    return side if _keeps_its_length(side.type, meeting_type) else convert(side, meeting_type)


def _keeps_its_length(data_type: SqlType, meeting_type: SqlType) -> bool:
    return data_type.family is meeting_type.family and data_type.family in _LENGTH_DOES_NOT_COUNT


def _comparable_type(left: SqlType, right: SqlType) -> SqlType | None:
    """The type in which two types are compared; None when their Python values compare as they are."""
    for data_type in (left, right):
        if data_type.name in LARGE_OBJECTS or data_type.family is Family.XML:
            raise RefusalError(f"{data_type} cannot be compared")
    if {left.family, right.family} <= EXACT_NUMBERS:
        return None
    return common_type(left, right)


def _key(data_type: SqlType, *, equality: bool) -> Callable[..., Value] | None:
    """What stands for a value of the type in a comparison."""
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
    plain, accented = order_key(text)
    return f"{plain}\0\0{accented}"


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
    """`IN`: TRUE for an equal choice; UNKNOWN when there is none, but a NULL."""
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
    """The choices as a set, when all are constants that are compared with the subject in the same way."""
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
    """The same for all types with which a subject is compared by the same values of its own."""
    meeting_type = _comparable_type(subject, choice)
    if meeting_type is not None and _keeps_its_length(subject, meeting_type):
        return meeting_type.family
    return meeting_type


def like(text: Typed, pattern: Typed, escape: Typed | None) -> Test:
    """`text LIKE pattern ESCAPE escape`."""
    parts = (text, pattern, *(() if escape is None else (escape,)))
    unicode = any(is_unicode(part.type) for part in parts)
    subject, *others = [as_text(part) for part in parts]
    if all(part.constant and constant_value(part) is not None for part in others):
        pattern_text, *escape_text = [str(constant_value(part)) for part in others]
        if any(len(character) != 1 for character in escape_text):
            raise RefusalError("the ESCAPE of LIKE must be one character")
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
    """`IS NULL`, which is never UNKNOWN."""
    run = part.run
    return lambda values, clock: run(values, clock) is None


def negation(test: Test) -> Test:
    """NOT: UNKNOWN stays UNKNOWN."""

    def negated(values: Sequence[Value], clock: datetime) -> bool | None:
        found = test(values, clock)
        return None if found is None else not found

    return negated


def all_of(tests: Sequence[Test]) -> Test:
    """AND: FALSE as soon as one is FALSE, else UNKNOWN when one is UNKNOWN."""

    def conjunction(values: Sequence[Value], clock: datetime) -> bool | None:
        result: bool | None = True
        for test in tests:
            found = test(values, clock)
            if found is None:
                result = None
            elif not found:
                return False
        return result

    return conjunction


def any_of(tests: Sequence[Test]) -> Test:
    """OR: TRUE as soon as one is TRUE, else UNKNOWN when one is UNKNOWN."""

    def disjunction(values: Sequence[Value], clock: datetime) -> bool | None:
        result: bool | None = False
        for test in tests:
            found = test(values, clock)
            if found is None:
                result = None
            elif found:
                return True
        return result

    return disjunction
