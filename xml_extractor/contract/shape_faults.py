"""Errors of the model's validation, said as faults of a contract."""

import re
from collections.abc import Iterable, Iterator, Mapping

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from xml_extractor.contract.faults import ANY, Fault, KeyPath, at_path, did_you_mean, one_of, shown
from xml_extractor.contract.model import (
    Column,
    Contract,
    Distinct,
    Document,
    Input,
    Lookup,
    RowRule,
    SourceTable,
    Table,
)
from xml_extractor.contract.written import Written
from xml_extractor.contract.yaml_reading import Part
from xml_extractor.values.sqltypes import TYPES, parse_type

_MODELS: dict[KeyPath, type[BaseModel]] = {
    (): Contract,
    ("document",): Document,
    ("source",): SourceTable,
    ("lookups", ANY): Lookup,
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
    "Column": "a mapping that says where the column's value is",
    "Distinct": "a mapping with by and keep",
    "Document": "a mapping with root",
    "Input": "a path, or a mapping",
    "Lookup": "a mapping of codes to values",
    "RowRule": "a path, or a mapping with path and set",
    "SourceTable": "a mapping with table, key and xml",
    "Table": "a mapping with rows and columns",
}
_EXPECTED_KEYS = {
    "contract": "the contract's name",
    "version": "a whole number from 1",
    "document": "a mapping with root",
    "root": "the name of the root element",
    "tables": "a mapping of tables",
    "rows": "a path, or a list of paths",
    "path": "a path",
    "columns": "a mapping of columns",
    "by": "a list of columns",
}
_EXPECTED_PATTERNS = {
    "contract": "a name of letters, digits, _ and -, beginning with a letter",
    "parent": "a column of another table, as table.column",
    "table": "a table's name, with its schema if it needs one",
}
_QUOTES = 'quotes around text with a comma in it, as in "decimal(12,2)"'
_MAY_BE_NULL = ("on_invalid", "blank", "unknown")
_FLAGS = ("key", "identity", "required", "ignore_case")
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
"""Names in other systems, and what they are here if they have no parameters."""

_TYPE_NAME = re.compile(r"\s*(\w+)\s*(.*)", re.DOTALL)
_QUOTED = re.compile(r"'([^']*)'")
_KEY_MARK = "[key]"


def faults_of_shape(written: Written, errors: Iterable[ErrorDetails]) -> list[Fault]:
    """Say each error once, at what the author wrote."""
    unique: dict[KeyPath, ErrorDetails] = {}
    for error in errors:
        unique.setdefault((*written.path(error["loc"]), *_missing_key(error)), error)
    meant = {
        (*path[:-1], did_you_mean(str(path[-1]), keys_at(written, path[:-1])))
        for path, error in unique.items()
        if error["type"] == "extra_forbidden"
    }
    faults = []
    for path, error in unique.items():
        follows = (error["type"] == "missing" and path in meant) or (
            error["type"] == "too_short" and bool(written.data(error["loc"]))
        )
        if not follows:
            faults.append(_fault(written, path, error))
    empty = [path for path in empty_parts(written.root) if path not in unique]
    faults += [written.fault(path, found="nothing", expected="a value, or no such key", key=True) for path in empty]
    return faults


def keys_of(model: type[BaseModel]) -> tuple[str, ...]:
    """The keys of a mapping that becomes this model."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


def keys_at(written: Written, path: KeyPath) -> tuple[str, ...]:
    """The keys that the part at this path may have; none where its author chooses the names."""
    model = _model_at(written, path)
    return keys_of(model) if model else ()


def _missing_key(error: ErrorDetails) -> KeyPath:
    return error["loc"][-1:] if error["type"] == "missing" else ()


def _model_at(written: Written, path: KeyPath) -> type[BaseModel] | None:
    model = at_path(_MODELS, path)
    if model is Lookup:
        data = written.data(path)
        is_short_form = not (isinstance(data, dict) and isinstance(data.get("values"), dict))
        return None if is_short_form else Lookup
    return model


def _fault(written: Written, path: KeyPath, error: ErrorDetails) -> Fault:
    kind, context = error["type"], error.get("ctx", {})
    data = written.data(path)
    if kind == "missing":
        key = str(path[-1])
        message, expected = "the key is missing", _EXPECTED_KEYS.get(key, "")
        return written.fault(path[:-1], message, expected=expected, key=True, missing=key)
    if kind == "extra_forbidden":
        known = keys_at(written, path[:-1])
        meant = did_you_mean(str(path[-1]), known)
        found = f"the unknown key '{path[-1]}'"
        expected = _QUOTES if data is None and not meant else one_of(known)
        return written.fault(path, found=found, expected=expected, suggestion=meant, key=True)
    if error["loc"][-1] == _KEY_MARK:
        return written.fault(path, found=shown(path[-1]), expected=_expected(path, kind, context, data), key=True)
    expected, suggestion = _expected(path, kind, context, data), ""
    if kind == "literal_error":
        suggestion = did_you_mean(str(data), _QUOTED.findall(str(context["expected"])))
    elif path[-1] in ("type", "key_type") and isinstance(data, str):
        suggestion = _type_meant(data)
    elif kind == "tuple_type" and isinstance(data, str) and path[-1] != "rows":
        suggestion = f"[{data}]"
    elif data in ("yes", "on", "no", "off") and "true" in expected:
        suggestion = "true" if data in ("yes", "on") else "false"
    return written.fault(path, found=shown(data), expected=expected, suggestion=suggestion)


def _expected(path: KeyPath, kind: str, context: Mapping[str, object], data: object) -> str:
    key = str(path[-1])
    if kind == "value_error":
        return _expected_value(path, str(context["error"]), data)
    by_context = {
        "string_pattern_mismatch": _EXPECTED_PATTERNS.get(key),
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


def _type_meant(text: str) -> str:
    """The type that was probably meant, with the parameters that were written if it can have them."""
    parts = _TYPE_NAME.match(text)
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


def empty_parts(part: Part, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Keys without a value: YAML reads `default:` as null, which the model would take for a key left out."""
    for name, (_, child) in part.children.items():
        if child.data is not None:
            yield from empty_parts(child, (*path, name))
        elif name not in _MAY_BE_NULL and "transform" not in path:
            yield (*path, name)
