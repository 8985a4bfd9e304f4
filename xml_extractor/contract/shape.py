"""Validate the shape of a contract against the model, and report every ill-formed part."""

import re
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import ANY, Fault, KeyPath, at_path, did_you_mean, one_of, shown
from xml_extractor.contract.model import (
    Column,
    Contract,
    Defaults,
    Distinct,
    Document,
    Input,
    Key,
    Lookup,
    Revision,
    RowRule,
    SourceTable,
    Table,
)
from xml_extractor.contract.yaml_text import Data, YamlText
from xml_extractor.values.sqltypes import TYPES, parse_type

_PLACEHOLDER = "placeholder"
"""A name that replaces an ill-formed one."""

_PLACEHOLDERS: dict[KeyPath, Data] = {
    ("contract",): _PLACEHOLDER,
    ("version",): 1,
    ("document",): {"root": _PLACEHOLDER},
    ("document", "root"): _PLACEHOLDER,
    ("document", "root", ANY): _PLACEHOLDER,
    ("document", "revision", "of"): ".",
    ("document", "revision", "of", ANY): ".",
    ("document", "revision", "order"): "source",
    ("document", "revision", "order", ANY): {},
    ("lookups", ANY): {},
    ("keys", ANY): {"match": _PLACEHOLDER, "use": "."},
    ("keys", ANY, "match"): _PLACEHOLDER,
    ("keys", ANY, "use"): ".",
    ("tables", ANY): {"rows": ".", "columns": {_PLACEHOLDER: {}}},
    ("tables", ANY, "rows"): ".",
    ("tables", ANY, "rows", ANY): ".",
    ("tables", ANY, "rows", ANY, "path"): ".",
    ("tables", ANY, "columns"): {_PLACEHOLDER: {}},
    ("tables", ANY, "columns", ANY): {},
    ("tables", ANY, "columns", ANY, "inputs", ANY): {},
}
"""Required parts and what replaces them if they are ill-formed. Other ill-formed parts are removed."""

_MAX_DEPTH = 12
"""The number of validations after which all ill-formed parts are removed: the levels of the deepest path."""
_MODELS: dict[KeyPath, type[BaseModel]] = {
    (): Contract,
    ("document",): Document,
    ("document", "revision"): Revision,
    ("document", "revision", "order", ANY): Input,
    ("source",): SourceTable,
    ("defaults",): Defaults,
    ("tables", ANY, "defaults"): Defaults,
    ("lookups", ANY): Lookup,
    ("keys", ANY): Key,
    ("tables", ANY): Table,
    ("tables", ANY, "rows", ANY): RowRule,
    ("tables", ANY, "distinct"): Distinct,
    ("tables", ANY, "columns", ANY): Column,
    ("tables", ANY, "columns", ANY, "inputs", ANY): Input,
}
_SCALAR = "a number, text, true or false"
_EXPECTED_KINDS = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "dict_type": "a mapping",
    "tuple_type": "a list",
    "string_too_short": "text that is not empty",
    "string_too_long": "at most {max_length} characters",
    "too_short": "at least one entry",
    "greater_than": "a number greater than {gt}",
    "greater_than_equal": "a number from {ge}",
    "less_than_equal": "a number up to {le}",
}
_EXPECTED_MODELS = {
    "Column": "a mapping with the source and the type of the value",
    "Defaults": "a mapping of keys of columns",
    "Distinct": "a mapping with by and keep",
    "Document": "a mapping with root",
    "Input": "a path, or a mapping",
    "Key": "a mapping with match and use",
    "Lookup": "a mapping of codes to values",
    "Revision": "a mapping with of and order",
    "RowRule": "a path, or a mapping with path and set",
    "SourceTable": "a mapping with table, key and xml",
    "Table": "a mapping with rows and columns",
}
_EXPECTED_KEYS = {
    "contract": "the contract's name",
    "version": "a whole number from 1",
    "document": "a mapping with root",
    "records": "a path, or a list of paths",
    "header": "a path, or a list of paths",
    "root": "the name of the root element, or a list of names",
    "tables": "a mapping of tables",
    "rows": "a path, or a list of paths",
    "match": "a match pattern",
    "use": "a path",
    "path": "a path",
    "columns": "a mapping of columns",
    "by": "a list of columns",
    "of": "a path, or a list of paths",
    "order": "source, or a list of mappings with path and type",
}
_EXPECTED_PATTERNS = {
    "contract": "a name of letters, digits, _ and -, beginning with a letter",
    "nodes": "a name of letters, digits, _, - and ., beginning with a letter",
    "parent": "a column of another table, as table.column",
    "table": "a table's name, with its schema if it needs one",
}
_QUOTES = 'quotes around text with a comma in it, as in "decimal(12,2)"'
_MAY_BE_NULL = ("on_invalid", "blank", "unknown")
_CONSTANTS: dict[KeyPath, Data] = {("tables", ANY, "columns", ANY, "value"): True}
_FLAGS = ("key", "identity", "required", "ignore_case", "trim")
_OTHER_TYPE_NAMES = {
    "integer": "int",
    "long": "bigint",
    "boolean": "bit",
    "bool": "bit",
    "number": "decimal(18,2)",
    "dec": "decimal(18,2)",
    "double": "float",
    "string": "nvarchar(100)",
    "character": "char(1)",
    "timestamp": "datetime2(3)",
    "guid": "uniqueidentifier",
    "uuid": "uniqueidentifier",
    "blob": "varbinary(max)",
    "clob": "nvarchar(max)",
}
"""Type names of other systems, and the type suggested for each."""

_TYPE_NAME = re.compile(r"\s*(\w+)\s*(.*)", re.DOTALL)
_QUOTED = re.compile(r"'([^']*)'")
_KEY_MARK = "[key]"


def read_shape(text: YamlText) -> tuple[Draft | None, list[Fault]]:
    """Validate a contract against the model.

    Returns:
        The well-formed parts, or None if there are no tables; and the faults of all ill-formed parts.
    """
    data = text.data
    if not isinstance(data, dict):
        found = {"list": "a list"}.get(type(data).__name__, "text")
        return None, [text.fault((), found=found, expected="a mapping with contract, version, document and tables")]
    removed = set(_empty_parts(text.data))
    faults: list[Fault] | None = None
    for _ in range(_MAX_DEPTH):
        try:
            contract = Contract.model_validate(data)
        except ValidationError as error:
            errors = error.errors(include_url=False, include_input=False)
            if faults is None:
                faults = _faults_of_shape(text, errors)
            data = _without(text, data, errors, removed)
        else:
            return Draft(contract, text, frozenset(removed)), faults or _faults_of_shape(text, ())
        if "tables" not in data:
            break
    return None, faults or []


def _without(
    text: YamlText, data: dict[str, Data], errors: list[ErrorDetails], removed: set[KeyPath]
) -> dict[str, Data]:
    """Return a copy of the data in which the ill-formed parts are removed or replaced."""
    data = deepcopy(data)
    removed_now: set[KeyPath] = set()
    for error in errors:
        path = text.path(error["loc"])
        is_key = error["type"] == "extra_forbidden" or error["loc"][-1] == "[key]"
        if error["type"] == "missing":
            path = (*path, error["loc"][-1])
        if error["type"] == "extra_forbidden":
            meant = did_you_mean(str(path[-1]), _keys_at(text, path[:-1]))
            removed.add((*path[:-1], meant or path[-1]))
        if any(path[:length] in removed_now for length in range(len(path) + 1)):
            continue
        while path:
            is_changed = _change(data, path, None if is_key else at_path(_PLACEHOLDERS, path))
            removed_now.add(path)
            if is_changed:
                break
            path, is_key = path[:-1], False
    removed |= removed_now
    return data


def _change(data: Data, path: KeyPath, placeholder: Data) -> bool:
    """Replace the part at the path, or remove it if there is no placeholder; return whether that changed anything."""
    part: Any = data
    for step in path[:-1]:
        if not _has(part, step):
            return False
        part = part[step]
    name = path[-1]
    is_there = _has(part, name)
    if isinstance(part, dict) and isinstance(name, str) and placeholder is None:
        part.pop(name, None)
        return is_there
    if placeholder is None or not (is_there or (isinstance(part, dict) and isinstance(name, str))):
        return False
    is_changed = not is_there or bool(part[name] != placeholder)
    part[name] = deepcopy(placeholder)
    return is_changed


def _has(data: object, name: str | int) -> bool:
    """Return whether data is a mapping or list with a part of this name."""
    if isinstance(data, dict):
        return name in data
    return isinstance(data, list) and isinstance(name, int) and name < len(data)


def _faults_of_shape(text: YamlText, errors: Iterable[ErrorDetails]) -> list[Fault]:
    """Return one fault for each ill-formed part, at its position in the file."""
    unique: dict[KeyPath, ErrorDetails] = {}
    for error in errors:
        unique.setdefault((*text.path(error["loc"]), *_missing_key(error)), error)
    meant = {
        (*path[:-1], did_you_mean(str(path[-1]), _keys_at(text, path[:-1])))
        for path, error in unique.items()
        if error["type"] == "extra_forbidden"
    }
    faults = []
    for path, error in unique.items():
        follows = (error["type"] == "missing" and path in meant) or (
            error["type"] == "too_short" and bool(text.data_at(error["loc"]))
        )
        if not follows:
            faults.append(_fault(text, path, error))
    empty = [path for path in _empty_parts(text.data) if path not in unique]
    faults += [text.fault(path, "the key has no value", expected="a value, or no such key", key=True) for path in empty]
    return faults


def keys_of(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the keys that a mapping of this model may have, as contracts spell them."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


def _keys_at(text: YamlText, path: KeyPath) -> tuple[str, ...]:
    """Return the keys that the part at this path may have; none where the author of the contract chooses names."""
    model = _model_at(text, path)
    return keys_of(model) if model else ()


def _missing_key(error: ErrorDetails) -> KeyPath:
    return error["loc"][-1:] if error["type"] == "missing" else ()


def _model_at(text: YamlText, path: KeyPath) -> type[BaseModel] | None:
    model = at_path(_MODELS, path)
    if model is Lookup:
        data = text.data_at(path)
        is_short_form = not (isinstance(data, dict) and isinstance(data.get("values"), dict))
        return None if is_short_form else Lookup
    return model


def _fault(text: YamlText, path: KeyPath, error: ErrorDetails) -> Fault:
    kind, context = error["type"], error.get("ctx", {})
    data = text.data_at(path)
    if kind == "missing":
        key = str(path[-1])
        message, expected = "the key is missing", _EXPECTED_KEYS.get(key, "")
        return text.fault(path[:-1], message, expected=expected, key=True, missing=key)
    if kind == "extra_forbidden":
        known = _keys_at(text, path[:-1])
        meant = did_you_mean(str(path[-1]), known)
        found = f"the unknown key '{path[-1]}'"
        expected = _QUOTES if data is None and not meant else one_of(known)
        return text.fault(path, found=found, expected=expected, suggestion=meant, key=True)
    if error["loc"][-1] == _KEY_MARK:
        return text.fault(path, found=shown(path[-1]), expected=_expected(path, kind, context, data), key=True)
    expected, suggestion = _expected(path, kind, context, data), ""
    if kind == "literal_error":
        suggestion = did_you_mean(str(data), _QUOTED.findall(str(context["expected"])))
    elif path[-1] in ("type", "key_type") and isinstance(data, str):
        suggestion = _type_meant(data)
    elif kind == "tuple_type" and isinstance(data, str) and path[-1] != "rows":
        suggestion = f"[{data}]"
    elif data in ("yes", "on", "no", "off") and "true" in expected:
        suggestion = "true" if data in ("yes", "on") else "false"
    return text.fault(path, found=shown(data), expected=expected, suggestion=suggestion)


def _expected(path: KeyPath, kind: str, context: Mapping[str, object], data: object) -> str:
    key = str(path[-1])
    if kind == "value_error":
        return _expected_value(path, str(context["error"]), data)
    by_context = {
        "string_pattern_mismatch": _EXPECTED_PATTERNS.get(
            "nodes" if "nodes" in path[:-1] else key, "printable characters"
        ),
        "model_type": _EXPECTED_MODELS.get(str(context.get("class_name"))),
        "literal_error": str(context.get("expected")).replace("'", ""),
        "tuple_type": _EXPECTED_KEYS.get(key),
        "bool_type": None if key in _FLAGS else _SCALAR,
    }
    return by_context.get(kind) or _EXPECTED_KINDS[kind].format(**context)


def _expected_value(path: KeyPath, explanation: str, data: object) -> str:
    if path[-1] not in ("type", "key_type"):
        return explanation
    known = _TYPE_NAME.match(str(data))
    if isinstance(data, str) and data.count("(") > data.count(")"):
        return _QUOTES
    is_named = known is not None and known[1].lower() in TYPES and "is not a SQL Server scalar type" not in explanation
    return f"a SQL Server scalar type ({explanation})" if is_named else "a SQL Server scalar type"


def _type_meant(name: str) -> str:
    """Return the type that was probably meant, with the parameters of the file if it can have them."""
    parts = _TYPE_NAME.match(name)
    if parts is None or parts[1].lower() in TYPES:
        return ""
    meant = _OTHER_TYPE_NAMES.get(parts[1].lower()) or did_you_mean(parts[1], TYPES)
    with_parameters = meant.partition("(")[0] + parts[2].strip()
    for candidate in (with_parameters, meant) if parts[2] else (meant,):
        try:
            parse_type(candidate)
        except ValueError:
            continue
        return candidate
    return ""


def _empty_parts(data: Data, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Yield the keys without a value. YAML reads `default:` as null, which the model would take for a missing key."""
    parts = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for name, part in parts:
        if part is not None:
            yield from _empty_parts(part, (*path, name))
        elif not _may_be_null((*path, name)):
            yield (*path, name)


def _may_be_null(path: KeyPath) -> bool:
    is_constant = at_path(_CONSTANTS, path) is not None
    return is_constant or path[-1] in _MAY_BE_NULL or path[-2:-1] == ("on_invalid",) or "transform" in path
