"""Check where the values of columns and inputs come from, their constants, and their conversion to a type."""

from collections.abc import Iterator
from functools import reduce

from xml_extractor.content import encoding_named
from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import Fault, KeyPath, did_you_mean, one_of, shown
from xml_extractor.contract.model import Column, Input, Scalar
from xml_extractor.values.conversions import constant
from xml_extractor.values.sqltypes import MAX, Family, InvalidValueError, SqlType, parse_type

_OF_TEXT = ("transform", "lookup", "formats", "partial", "time_zone", "encoding", "blank")
_OF_VALUES = ("default", "on_invalid")
_OF_NODES = ("select", "separator", "each")
_OF_TAKEN_VALUES = (*_OF_TEXT, *_OF_VALUES)
_OF_CONVERSION = ("formats", "partial", "time_zone", "encoding")
_NEED_TRANSFORM = (*_OF_CONVERSION, "blank")
_OF_KEYS = ("key", "identity", "required")

COLUMN_ORIGINS: dict[str, tuple[str, ...]] = {
    "path": (*_OF_NODES, *_OF_TAKEN_VALUES, *_OF_KEYS),
    "value": _OF_KEYS,
    "parent": (*_OF_TAKEN_VALUES, *_OF_KEYS),
    "run": (*_OF_TAKEN_VALUES, *_OF_KEYS),
    "set": _OF_KEYS,
    "position": ("on_invalid", *_OF_KEYS),
    "expression": (*_OF_TAKEN_VALUES, "inputs", *_OF_KEYS),
    "reference": ("at", *_OF_VALUES, *_OF_KEYS),
    "derived": ("key", "required"),
    "generated": ("key",),
}
"""The sources of a column's value, and the options beside `type` that have an effect for each."""

INPUT_ORIGINS: dict[str, tuple[str, ...]] = {
    "path": (*_OF_NODES, *_OF_TAKEN_VALUES),
    "parent": _OF_TAKEN_VALUES,
    "run": _OF_TAKEN_VALUES,
    "column": _OF_TAKEN_VALUES,
}
"""The sources of an input's value, and the options that have an effect for each."""

WITH_OWN_TYPE = ("parent", "run", "position", "reference")
"""The sources that give a typed value, so that a column needs no `type`."""

_WINDOWS_CODE_PAGES = tuple(f"cp{number}" for number in range(1250, 1259))
_KNOWN_CODE_PAGES = (*_WINDOWS_CODE_PAGES, "cp437", "cp850", "cp874", "cp932", "cp936", "cp949", "cp950", "utf-8")
_NEVER_KEYS = ("text", "ntext", "image", "xml")
_MIN_KEY_BYTES = 16


def origin_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the columns and inputs without one source of their value, without a type, or with unused options."""
    for path, _, _, column in draft.columns():
        origins = origins_of(column)
        if origins or not column.inputs:
            yield from _count_faults(draft, path, origins, tuple(COLUMN_ORIGINS))
        if len(origins) == 1 and draft.whole(path):
            if column.type is None and origins[0] not in WITH_OWN_TYPE:
                yield draft.text.without_key(path, "type")
            yield from _option_faults(draft, path, column, origins[0], COLUMN_ORIGINS[origins[0]])
    for path, _, _, _, rule in draft.inputs():
        origins = origins_of(rule)
        yield from _count_faults(draft, path, origins, tuple(INPUT_ORIGINS))
        if len(origins) == 1 and draft.whole(path):
            yield from _option_faults(draft, path, rule, origins[0], INPUT_ORIGINS[origins[0]])
    for path, rule in draft.order():
        if rule.path is not None and draft.whole(path):
            yield from _option_faults(draft, path, rule, "path", INPUT_ORIGINS["path"])


def origins_of(rule: Column | Input) -> list[str]:
    """Return the keys of a column or input that are a source of its value; exactly one in a consistent contract."""
    given = _given_keys(rule)
    return [origin for origin in (COLUMN_ORIGINS if isinstance(rule, Column) else INPUT_ORIGINS) if origin in given]


def _given_keys(rule: Column | Input) -> tuple[str, ...]:
    """Return the keys that have a value in the contract, as contracts spell them."""
    fields = type(rule).model_fields
    given = {name for name in rule.model_fields_set if name == "value" or getattr(rule, name) is not None}
    return tuple(field.alias or name for name, field in fields.items() if name in given)


def _count_faults(draft: Draft, path: KeyPath, origins: list[str], known: tuple[str, ...]) -> Iterator[Fault]:
    if not origins and draft.whole(path):
        yield draft.text.fault(path, "the source of the value is missing", expected=one_of(known), key=True)
    if len(origins) > 1:
        found = f"{len(origins)} sources of the value: {', '.join(origins)}"
        yield draft.text.fault(path, found=found, expected=f"only {one_of(origins)}", key=True)


def _option_faults(
    draft: Draft, path: KeyPath, rule: Column | Input, origin: str, effective: tuple[str, ...]
) -> Iterator[Fault]:
    is_read = origin == "path" or bool(rule.transform)
    for key in _given_keys(rule):
        if key in (origin, "type"):
            continue
        if key not in effective:
            found = f"{key} together with {origin}"
            expected = "only options that have an effect there: type, " + ", ".join(effective)
            yield draft.text.fault((*path, key), found=found, expected=expected, key=True)
        elif key in _NEED_TRANSFORM and not is_read:
            message = f"{key} applies to text, but {origin} gives a typed value"
            yield draft.text.fault((*path, key), message, expected=f"a transform, or no {key}", key=True)
        elif key in _OF_CONVERSION and _ends_in_lookup(rule):
            message = f"{key} has no effect where a lookup gives the value"
            yield draft.text.fault((*path, key), message, expected=f"no {key}", key=True)


def _ends_in_lookup(rule: Column | Input) -> bool:
    return rule.lookup is not None or (bool(rule.transform) and rule.transform[-1].name == "lookup")


def constant_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the constants of columns, inputs and row rules that do not fit their type."""
    for path, rule in draft.values():
        target = draft.type_of(path, rule)
        if target is not None:
            if rule.default is not None:
                yield from _value_faults(draft, (*path, "default"), target, rule.default)
            if isinstance(rule, Column) and rule.value is not None:
                yield from _value_faults(draft, (*path, "value"), target, rule.value)
    for path, name, table in draft.tables():
        for index, row_rule in enumerate(table.rows):
            for column, value in row_rule.set_values.items():
                target = draft.column_type(name, column)
                if target is not None:
                    yield from _value_faults(draft, (*path, "rows", index, "set", column), target, value)


def lookup_value_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the values of lookups that do not fit the type of a column that uses them."""
    checked: set[tuple[str, SqlType]] = set()
    for path, rule in draft.values():
        name, target = rule.last_lookup, draft.type_of(path, rule)
        lookup = draft.contract.lookups.get(name or "")
        if name is None or lookup is None or target is None or (name, target) in checked:
            continue
        checked.add((name, target))
        key_path = ("lookups", name)
        values: list[tuple[KeyPath, Scalar | None]] = [
            *(((*key_path, "values", code), value) for code, value in lookup.values.items()),
            ((*key_path, "blank"), lookup.blank),
            ((*key_path, "unknown"), lookup.unknown),
        ]
        for value_path, value in values:
            if value is not None:
                yield from _value_faults(draft, value_path, target, value, used_by=path)


def lookup_code_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the codes of a lookup that are equal as `trim` and `ignore_case` compare them."""
    for name, lookup in draft.contract.lookups.items():
        first: dict[str, str] = {}
        for code in lookup.values:
            same = first.setdefault(reduce(lambda folded, fold: fold(folded), lookup.folds, code), code)
            if same != code:
                found = f"the codes '{same}' and '{code}'"
                is_case = same.strip() != code.strip()
                difference = "case, or no ignore_case" if is_case else "spaces at their ends, or trim: false"
                expected = f"codes that differ in more than {difference}"
                yield draft.text.fault(("lookups", name, "values", code), found=found, expected=expected, key=True)


def code_page_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the fault of an unknown code page."""
    name = draft.contract.code_page
    try:
        is_code_page = "a".encode(name) == b"a"
    except (LookupError, ValueError):
        is_code_page = False
    if not is_code_page:
        meant = did_you_mean(name, _KNOWN_CODE_PAGES)
        expected = "a code page, such as cp1252"
        yield draft.text.fault(("code_page",), found=shown(name), expected=expected, suggestion=meant)


def encoding_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the encodings of documents that are unknown."""
    for key in ("encoding", "fallback_encoding"):
        name = getattr(draft.contract.document, key)
        if name is not None and not encoding_named(name) and not draft.lost(("document", key)):
            expected = "an encoding of documents, such as windows-1252 or utf-8"
            yield draft.text.fault(("document", key), found=shown(name), expected=expected)


def _value_faults(
    draft: Draft, path: KeyPath, target: SqlType, value: Scalar, *, used_by: KeyPath = ()
) -> Iterator[Fault]:
    try:
        constant(target, value, code_page=draft.contract.code_page)
    except InvalidValueError as error:
        user = f", as {'.'.join(str(part) for part in used_by[1:])} uses it" if used_by else ""
        expected = f"a constant of type {target}{user} ({error.explanation})"
        yield draft.text.fault(path, found=shown(value), expected=expected)
    except (ValueError, LookupError):  # `code_page_faults` reports the code page
        pass


def key_type_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the types that a key, derived, generated or IDENTITY column cannot have."""
    document = draft.contract.document
    if document.key is None and "key_type" in document.model_fields_set and draft.whole(("document",)):
        message = "key_type has no effect without key"
        yield draft.text.fault(("document", "key_type"), message, expected="key, or no key_type", key=True)
    if document.key_type.name in _NEVER_KEYS or document.key_type.length == MAX:
        found = str(document.key_type)
        expected = "a type that a key can have"
        yield draft.text.fault(("document", "key_type"), found=found, expected=expected)
    for path, _, _, column in draft.columns():
        target, key_path = draft.type_of(path, column), (*path, "type")
        if target is None or draft.lost(key_path):
            continue
        if column.derived and not _can_be_derived(target):
            expected = "bigint, uniqueidentifier, binary(16), char(32) or longer for a derived key"
            yield draft.text.fault(key_path, found=str(target), expected=expected)
        elif (column.generated or column.identity) and not _can_be_identity(target):
            expected = "tinyint, smallint, int, bigint or decimal without decimals for an IDENTITY column"
            yield draft.text.fault(key_path, found=str(target), expected=expected)
        elif column.key and (target.name in _NEVER_KEYS or target.length == MAX):
            yield draft.text.fault(key_path, found=str(target), expected="a type that a key can have")


def identity_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the IDENTITY columns beyond the first of a table, and those that an upsert would have to update."""
    for path, _, table in draft.tables():
        found = [name for name, column in table.columns.items() if column.identity or column.generated]
        for name, column in table.columns.items():
            if column.identity and not column.key and table.on_conflict == "replace":
                message = f"the IDENTITY column '{name}' cannot be updated, because it is not part of the key"
                key_path = (*path, "on_conflict")
                yield draft.text.fault(key_path, message, found="replace", expected="fail or keep")
        for name in found[1:]:
            message = f"the table already has the IDENTITY column '{found[0]}'"
            expected = "at most one identity or generated column in a table"
            key = "generated" if table.columns[name].generated else "identity"
            yield draft.text.fault((*path, "columns", name, key), message, expected=expected, key=True)


def _can_be_derived(target: SqlType) -> bool:
    is_long = target.length == MAX or target.length >= _MIN_KEY_BYTES
    is_long_text = target.length == MAX or target.length >= 2 * _MIN_KEY_BYTES
    return (
        target in (parse_type("bigint"), parse_type("uniqueidentifier"), parse_type("binary(16)"))
        or (target.name == "varbinary" and is_long)
        or (target.name in ("char", "varchar", "nchar", "nvarchar") and is_long_text)
    )


def _can_be_identity(target: SqlType) -> bool:
    is_whole_decimal = target.family is Family.DECIMAL and target.scale == 0
    return target.family is Family.INTEGER or is_whole_decimal
