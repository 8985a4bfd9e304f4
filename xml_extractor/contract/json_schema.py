"""The JSON Schema of contracts, for editors: the shape that people write, short forms included."""

import ast
import inspect
from itertools import pairwise
from typing import Any

from pydantic import BaseModel

from xml_extractor.contract import model
from xml_extractor.contract.consistency.columns import COLUMN_ORIGINS, INPUT_ORIGINS, WITH_OWN_TYPE
from xml_extractor.contract.model import Contract
from xml_extractor.contract.run_values import RUN_VALUE_TYPES
from xml_extractor.values.sqltypes import TYPES, Parameters, TypeFacts
from xml_extractor.values.transforms import TRANSFORMS, TransformKind

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_ID = "urn:xml-extractor:contract"

_MAX_FRACTION = 7


def contract_json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a contract's file.

    It describes the shape of a contract. Only the program checks that the parts of a contract fit together.
    """
    generated = Contract.model_json_schema(by_alias=True, mode="validation")
    definitions: dict[str, Any] = generated.pop("$defs")
    texts = _key_texts()
    for name, definition in (("Contract", generated), *definitions.items()):
        _describe_keys(getattr(model, name), definition["properties"], texts)
    definitions["Document"]["properties"]["key_type"]["default"] = str(RUN_VALUE_TYPES["document_key"])
    definitions["Column"]["oneOf"] = [{"required": [origin]} for origin in COLUMN_ORIGINS]
    definitions["Column"]["anyOf"] = [{"required": [key]} for key in ("type", *WITH_OWN_TYPE)]
    definitions["Input"]["oneOf"] = [{"required": [origin]} for origin in INPUT_ORIGINS]
    definitions = _tidied(definitions)
    for name, key in (("Lookup", "blank"), ("Lookup", "unknown"), ("Column", "value")):
        definitions[name]["properties"][key]["type"].append("null")
    definitions["SqlType"] = {
        "type": "string",
        "description": "A SQL Server scalar type.",
        "pattern": type_pattern(),
        "examples": ["int", "decimal(12,2)", "varchar(40)", "datetime2(3)"],
    }
    return {
        "$schema": DIALECT,
        "$id": SCHEMA_ID,
        "title": "xml-extractor contract",
        **_tidied(generated),
        "$defs": definitions,
    }


def _key_texts() -> dict[str, dict[str, str]]:
    """Return the text below each key in the source of the model, by class and key."""
    texts: dict[str, dict[str, str]] = {}
    classes = [part for part in ast.parse(inspect.getsource(model)).body if isinstance(part, ast.ClassDef)]
    for part in classes:
        for key, text in pairwise(part.body):
            match key, text:
                case ast.AnnAssign(target=ast.Name(name)), ast.Expr(value=ast.Constant(str(value))):
                    texts.setdefault(part.name, {})[name] = inspect.cleandoc(value)
    return texts


def _describe_keys(part: type[BaseModel], properties: dict[str, Any], texts: dict[str, dict[str, str]]) -> None:
    for ancestor in reversed(part.__mro__):
        for key, text in texts.get(ancestor.__name__, {}).items():
            properties[part.model_fields[key].alias or key]["description"] = text


def _tidied(part: Any) -> Any:
    """Return a schema without titles and without null for a missing key, with types and transforms filled in."""
    if isinstance(part, list):
        return [_tidied(item) for item in part]
    if not isinstance(part, dict):
        return part
    if "default" in part and part["default"] is None:
        choices = [choice for choice in part["anyOf"] if choice != {"type": "null"}]
        rest = {key: value for key, value in part.items() if key not in ("anyOf", "default")}
        return _tidied({**(choices[0] if len(choices) == 1 else {"anyOf": choices}), **rest})
    if part.get("format") in ("type", "transform"):
        rest = {key: value for key, value in part.items() if key != "format"}
        return {**({"$ref": "#/$defs/SqlType"} if part["format"] == "type" else transform_schema()), **_tidied(rest)}
    return {key: _tidied(value) for key, value in part.items() if not (key == "title" and isinstance(value, str))}


def type_pattern() -> str:
    """Return a pattern that matches exactly the types that `parse_type` reads.

    JSON Schema has no flag for case, so each letter is a character class.
    """
    names = "|".join(_any_case(name) + _parameters(facts) for name, facts in TYPES.items())
    return f"^({names})$"


def transform_schema() -> dict[str, Any]:
    """Return the schema of a transform: its name, or a mapping of its name to its options."""
    plain = [name for name, kind in TRANSFORMS.items() if kind.are_optional or not (kind.options or kind.takes_any)]
    options = {name: _options_schema(kind) for name, kind in TRANSFORMS.items()}
    lookup = {"type": "string", "description": "A name from `lookups`."}
    with_options = {
        "type": "object",
        "properties": {**options, "lookup": lookup},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    return {"anyOf": [{"enum": plain}, with_options]}


def _options_schema(kind: TransformKind) -> dict[str, Any]:
    if kind.takes_any:
        return {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1}
    if not kind.options:
        return {"type": "null"}
    properties = {name: {"type": "string", "description": what} for name, what in kind.options.items()}
    required = {} if kind.are_optional else {"required": list(properties)}
    return {"type": "object", "properties": properties, **required, "additionalProperties": False}


def up_to(largest: int, smallest: int = 1) -> str:
    """Return a pattern that matches the numbers from `smallest` (0 or 1) to `largest`, without leading zeros."""
    digits = str(largest)
    shorter = [f"[1-9][0-9]{{{length - 1}}}" for length in range(1, len(digits))]
    same: list[str] = []
    for index, digit in enumerate(digits):
        first = 1 if index == 0 else 0
        if int(digit) > first:
            rest = len(digits) - index - 1
            same.append(f"{digits[:index]}[{first}-{int(digit) - 1}][0-9]{{{rest}}}")
    return "|".join([*(["0"] if smallest == 0 else []), *shorter, *same, digits])


def _parameters(facts: TypeFacts) -> str:
    match facts.parameters:
        case Parameters.LENGTH:
            inner = up_to(facts.limit)
        case Parameters.LENGTH_OR_MAX:
            inner = f"{up_to(facts.limit)}|{_any_case('max')}"
        case Parameters.PRECISION_SCALE:
            both = [f"{precision}( *, *({up_to(precision, 0)}))?" for precision in range(1, facts.limit + 1)]
            inner = "|".join(both)
        case Parameters.FRACTION:
            inner = f"[0-{_MAX_FRACTION}]"
        case Parameters.MANTISSA:
            inner = up_to(facts.limit)
        case Parameters.NONE:
            return ""
    return rf"( *\( *({inner}) *\))?"


def _any_case(word: str) -> str:
    return "".join(f"[{letter}{letter.upper()}]" if letter.isalpha() else letter for letter in word)
