"""Conversion between types: what is allowed, and the registry of the functions that do it.

A new type needs kernels in the module of its family. Binaries of decimals, floats, dates and times, whose bytes SQL
Server does not document, are not supported. Source: the chart of "Data type conversion (Database Engine)", Microsoft
Learn.
"""

from collections.abc import Callable
from enum import Enum

from xml_extractor.documents import Value
from xml_extractor.tsql import numeric, temporal, temporal_text, text
from xml_extractor.tsql.errors import CompileError, EvaluationError
from xml_extractor.tsql.result_types import (
    LARGE_OBJECTS,
    LEGACY_MOMENTS,
    MOMENTS,
    NUMBERS,
    is_unicode,
    normal,
    written_type,
)
from xml_extractor.tsql.typed import INT, Cast, Kernel, Typed, UnlessNull, apply, constant, retyped
from xml_extractor.values.sqltypes import Family, SqlType


class Purpose(Enum):
    """The purpose of a conversion, which decides what is allowed."""

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

_KERNELS = {**numeric.KERNELS, **temporal.KERNELS, **temporal_text.KERNELS, **text.KERNELS}


def _is_allowed(source: SqlType, target: SqlType, purpose: Purpose) -> bool:
    """Return whether a value of one type may be converted to another."""
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


def _converter(source: SqlType, target: SqlType, purpose: Purpose, style: int | None = None) -> Kernel | None:
    """Return the function that converts values other than NULL; None if they need no conversion.

    Raises:
        CompileError: The conversion is not allowed, or the style does not fit it.
    """
    source, target = normal(source), normal(target)
    if source == target:
        return None
    if not _is_allowed(source, target, purpose):
        if purpose is not Purpose.EXPLICIT and _is_allowed(source, target, Purpose.EXPLICIT):
            raise CompileError(f"{source} becomes {target} only by CAST or CONVERT")
        raise CompileError(f"{source} cannot be converted to {target}")
    cast = Cast(source, target, style, strict=purpose is Purpose.ASSIGNMENT)
    return _KERNELS[source.family, target.family](cast)


def convert(
    part: Typed, target: SqlType, purpose: Purpose = Purpose.IMPLICIT, style: int | None = None, *, safe: bool = False
) -> Typed:
    """Convert a part to another type; with `safe`, to NULL if the value cannot be converted, as TRY_CAST does."""
    if part.null:
        return constant(target, None)
    kernel = _converter(part.type, target, purpose, style)
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


def _unchanged(value: Value) -> Value:
    return value


def assignment(source: SqlType, target: SqlType) -> Callable[[Value], Value]:
    """Return the function that converts a value, or NULL, as INSERT does.

    Raises:
        CompileError: There is no implicit conversion between the types.
    """
    kernel = _converter(source, target, Purpose.ASSIGNMENT)
    return _unchanged if kernel is None else UnlessNull(kernel)


def refuse_large_objects(part: Typed) -> None:
    """Raise `CompileError` for `text`, `ntext` and `image`, which few functions accept."""
    if part.type.name in LARGE_OBJECTS:
        raise CompileError(f"the function does not take {part.type}", expected="varchar(max), nvarchar(max)")


def require_text(part: Typed, function: str, *families: Family) -> None:
    """Raise `CompileError` for types other than text and `families`, for functions that do not convert."""
    if part.null or part.type.family not in {Family.TEXT, *families}:
        found = "the word NULL" if part.null else str(part.type)
        raise CompileError(f"{function} does not take {found}", expected="text")


def as_text(part: Typed) -> Typed:
    """Convert a part to text that is long enough for every value of its type."""
    if part.null:
        return constant(SqlType("varchar", length=1), None)
    return part if part.type.family is Family.TEXT else convert(part, written_type(part.type))


def as_integer(part: Typed) -> Typed:
    """Convert a part to int."""
    return convert(part, INT)


def as_number(part: Typed) -> Typed:
    """Convert a part to a number; text becomes a float."""
    if part.type.family in NUMBERS:
        return part
    return convert(part, SqlType("float", precision=53))
