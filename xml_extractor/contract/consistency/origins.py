"""Each value comes from one place, and has no option that would change nothing there."""

from collections.abc import Iterator

from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import Fault, KeyPath, one_of
from xml_extractor.contract.model import Column, Input

_OF_TEXT = ("transform", "lookup", "formats", "time_zone", "encoding", "blank")
_OF_VALUES = ("default", "on_invalid")
_OF_TAKEN_VALUES = (*_OF_TEXT, *_OF_VALUES)
_NEED_TRANSFORM = ("formats", "time_zone", "encoding", "blank")
_OF_KEYS = ("key", "identity", "required")

COLUMN_ORIGINS: dict[str, tuple[str, ...]] = {
    "path": (*_OF_TAKEN_VALUES, *_OF_KEYS),
    "value": _OF_KEYS,
    "parent": (*_OF_TAKEN_VALUES, *_OF_KEYS),
    "run": (*_OF_TAKEN_VALUES, *_OF_KEYS),
    "set": _OF_KEYS,
    "position": ("on_invalid", *_OF_KEYS),
    "expression": (*_OF_TAKEN_VALUES, "inputs", *_OF_KEYS),
    "derived": ("key", "required"),
    "generated": ("key",),
}
"""Where a column's value comes from, and the options that have an effect there, beside `type`."""

INPUT_ORIGINS: dict[str, tuple[str, ...]] = {
    "path": _OF_TAKEN_VALUES,
    "parent": _OF_TAKEN_VALUES,
    "run": _OF_TAKEN_VALUES,
    "column": _OF_TAKEN_VALUES,
}
"""The same for an expression's input."""

WITH_OWN_TYPE = ("parent", "run", "position")
"""Where values have a type already, so that a column needs none."""


def origin_faults(draft: Draft) -> Iterator[Fault]:
    """Columns and inputs without an origin, with several, without a type, or with options that have no effect."""
    for path, _, _, column in draft.columns():
        origins = _given(column, COLUMN_ORIGINS)
        if origins or not column.inputs:
            yield from _count_faults(draft, path, origins, tuple(COLUMN_ORIGINS))
        if len(origins) == 1 and draft.whole(path):
            if column.type is None and origins[0] not in WITH_OWN_TYPE:
                expected = "a SQL Server scalar type"
                yield draft.written.fault(path, "the key is missing", expected=expected, key=True, missing="type")
            yield from _option_faults(draft, path, column, origins[0], COLUMN_ORIGINS[origins[0]])
    for path, _, _, _, rule in draft.inputs():
        origins = _given(rule, INPUT_ORIGINS)
        yield from _count_faults(draft, path, origins, tuple(INPUT_ORIGINS))
        if len(origins) == 1 and draft.whole(path):
            yield from _option_faults(draft, path, rule, origins[0], INPUT_ORIGINS[origins[0]])


def given_keys(rule: Column | Input) -> tuple[str, ...]:
    """The keys that have a value in the contract, by the names in which they are written."""
    fields = type(rule).model_fields
    given = {name for name in rule.model_fields_set if getattr(rule, name) is not None}
    return tuple(field.alias or name for name, field in fields.items() if name in given)


def _given(rule: Column | Input, origins: dict[str, tuple[str, ...]]) -> list[str]:
    given = given_keys(rule)
    return [origin for origin in origins if origin in given]


def _count_faults(draft: Draft, path: KeyPath, origins: list[str], known: tuple[str, ...]) -> Iterator[Fault]:
    if not origins and draft.whole(path):
        yield draft.written.fault(path, "nothing says where the value comes from", expected=one_of(known), key=True)
    if len(origins) > 1:
        found = f"{len(origins)} sources of the value: {', '.join(origins)}"
        yield draft.written.fault(path, found=found, expected=f"only {one_of(origins)}", key=True)


def _option_faults(
    draft: Draft, path: KeyPath, rule: Column | Input, origin: str, effective: tuple[str, ...]
) -> Iterator[Fault]:
    is_read = origin == "path" or bool(rule.transform)
    for key in given_keys(rule):
        if key in (origin, "type"):
            continue
        if key not in effective:
            found = f"{key} together with {origin}"
            expected = "only options that have an effect there: type, " + ", ".join(effective)
            yield draft.written.fault((*path, key), found=found, expected=expected, key=True)
        elif key in _NEED_TRANSFORM and not is_read:
            message = f"{key} is about text, and {origin} gives a value"
            yield draft.written.fault((*path, key), message, expected="a transform too, or no such key", key=True)
        elif key in ("formats", "time_zone", "encoding") and _ends_in_lookup(rule):
            message = f"{key} has no effect where a lookup gives the value"
            yield draft.written.fault((*path, key), message, expected="no such key", key=True)


def _ends_in_lookup(rule: Column | Input) -> bool:
    return rule.lookup is not None or (bool(rule.transform) and rule.transform[-1].name == "lookup")
