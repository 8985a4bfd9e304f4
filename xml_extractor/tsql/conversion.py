"""Conversion from type to type: what is allowed, and the registry of the functions that do it.

Not there, though SQL Server has it: binaries of decimals, floats, dates and times, whose bytes are its own affair.
Source: the chart of "Data type conversion (Database Engine)", Microsoft Learn.
"""

from collections.abc import Callable
from enum import Enum

from xml_extractor.documents import Value
from xml_extractor.tsql import binaries, to_moments, to_numbers, to_text
from xml_extractor.tsql.faults import EvaluationError, ExpressionError, ExpressionFault, RefusalError
from xml_extractor.tsql.request import Request
from xml_extractor.tsql.result_types import LARGE_OBJECTS, LEGACY_MOMENTS, MOMENTS, NUMBERS, is_unicode, normal
from xml_extractor.tsql.typed import Kernel, Typed, apply, constant, retyped
from xml_extractor.values.sqltypes import Family, SqlType


class Purpose(Enum):
    """Why a value is converted."""

    IMPLICIT = "implicit"
    EXPLICIT = "explicit"
    ASSIGNMENT = "assignment"


_NUMBERS_AND_LEGACY = NUMBERS | {Family.DATETIME}

_IMPLICIT: dict[Family, frozenset[Family]] = {
    Family.BIT: _NUMBERS_AND_LEGACY | {Family.TEXT, Family.BINARY},
    Family.INTEGER: _NUMBERS_AND_LEGACY | {Family.TEXT, Family.BINARY},
    Family.DECIMAL: _NUMBERS_AND_LEGACY | {Family.TEXT},
    Family.MONEY: _NUMBERS_AND_LEGACY | {Family.BINARY},
    Family.FLOAT: _NUMBERS_AND_LEGACY | {Family.TEXT},
    Family.TEXT: NUMBERS | MOMENTS | {Family.TEXT, Family.GUID, Family.XML},
    Family.BINARY: frozenset({Family.BIT, Family.INTEGER, Family.MONEY, Family.TEXT, Family.BINARY, Family.GUID}),
    Family.DATE: frozenset({Family.TEXT, Family.DATE, Family.DATETIME, Family.OFFSET}),
    Family.TIME: frozenset({Family.TEXT, Family.TIME, Family.DATETIME, Family.OFFSET}),
    Family.DATETIME: MOMENTS | {Family.TEXT},
    Family.OFFSET: MOMENTS | {Family.TEXT},
    Family.GUID: frozenset({Family.TEXT, Family.BINARY, Family.GUID}),
    Family.XML: frozenset({Family.XML}),
}
_EXPLICIT_ONLY: dict[Family, frozenset[Family]] = {
    Family.MONEY: frozenset({Family.TEXT}),
    Family.TEXT: frozenset({Family.BINARY}),
    Family.DATETIME: NUMBERS,
    Family.XML: frozenset({Family.TEXT}),
}

_KERNELS = {**to_numbers.KERNELS, **to_moments.KERNELS, **to_text.KERNELS, **binaries.KERNELS}


def is_allowed(source: SqlType, target: SqlType, purpose: Purpose) -> bool:
    """Whether a value of one type may become one of another."""
    if LARGE_OBJECTS & {source.name, target.name} and not _is_allowed_for_large_objects(source, target):
        return False
    if _is_number_and_new_moment(source, target):
        return False
    implicit = target.family in _IMPLICIT[source.family]
    return implicit or (purpose is Purpose.EXPLICIT and target.family in _EXPLICIT_ONLY.get(source.family, frozenset()))


def _is_allowed_for_large_objects(source: SqlType, target: SqlType) -> bool:
    if source.family is not target.family:
        return False
    return (
        "image" in {source.name, target.name} or is_unicode(source) == is_unicode(target) or "text" not in source.name
    )


def _is_number_and_new_moment(source: SqlType, target: SqlType) -> bool:
    pairs = ((source, target), (target, source))
    return any(
        left.family in NUMBERS and right.family is Family.DATETIME and right.name not in LEGACY_MOMENTS
        for left, right in pairs
    )


def converter(source: SqlType, target: SqlType, purpose: Purpose, style: int | None = None) -> Kernel | None:
    """The function that makes a value of one type, which is not NULL, one of another; None when nothing is to do.

    Raises:
        RefusalError: The types do not go together, or the style does not go with them.
    """
    source, target = normal(source), normal(target)
    if source == target:
        return None
    if not is_allowed(source, target, purpose):
        raise RefusalError(_refusal(source, target, purpose))
    request = Request(source, target, style, strict=purpose is Purpose.ASSIGNMENT)
    return _KERNELS[source.family, target.family](request)


def _refusal(source: SqlType, target: SqlType, purpose: Purpose) -> str:
    if purpose is not Purpose.EXPLICIT and is_allowed(source, target, Purpose.EXPLICIT):
        return f"{source} becomes {target} only by CAST or CONVERT"
    return f"{source} cannot be converted to {target}"


def convert(
    part: Typed, target: SqlType, purpose: Purpose = Purpose.IMPLICIT, style: int | None = None, *, safe: bool = False
) -> Typed:
    """A part converted to another type; with `safe`, NULL where the value cannot be converted, as TRY_CAST gives it."""
    if part.null:
        return constant(target, None)
    kernel = converter(part.type, target, purpose, style)
    if kernel is None:
        return retyped(part, target)
    return apply(_null_on_failure(kernel) if safe else kernel, target, part)


def _null_on_failure(kernel: Kernel) -> Kernel:
    def attempt(value: Value) -> Value:
        try:
            return kernel(value)
        except EvaluationError:
            return None

    return attempt


def compile_assignment(source: SqlType, target: SqlType) -> Callable[[Value], Value]:
    """What INSERT does with a value of one type for a column of another.

    Decimals and fractions of a second are rounded. Text that is too long is refused, and so is the text of a number or
    date. `char`, `nchar` and `binary` are filled up to their length. NULL stays NULL.

    Args:
        source: The type of the values.
        target: The column's type.

    Returns:
        A function that raises `EvaluationError` when the column cannot hold the value.

    Raises:
        ExpressionError: There is no implicit conversion between the types.
    """
    try:
        kernel = converter(source, target, Purpose.ASSIGNMENT)
    except RefusalError as refusal:
        raise ExpressionError((ExpressionFault(refusal.message, 1, 1, str(source), str(target)),)) from None
    if kernel is None:
        return _as_it_is
    return lambda value: None if value is None else kernel(value)


def _as_it_is(value: Value) -> Value:
    return value
