"""The JSON Schema of contracts, for editors: the shape that people write, short forms included."""

from typing import Any

from xml_extractor.contract.consistency.columns import COLUMN_ORIGINS, INPUT_ORIGINS, WITH_OWN_TYPE
from xml_extractor.contract.model import RUN_VALUE_TYPES, TYPE_SCHEMA, Contract

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_ID = "urn:xml-extractor:contract"


def contract_json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a contract's file.

    It says what a contract may look like. What must hold between its parts, only the program checks.
    """
    generated = Contract.model_json_schema(by_alias=True, mode="validation")
    definitions: dict[str, Any] = generated.pop("$defs")
    definitions["Document"]["properties"]["key_type"]["default"] = str(RUN_VALUE_TYPES["document_key"])
    definitions["Column"]["oneOf"] = [{"required": [origin]} for origin in COLUMN_ORIGINS]
    definitions["Column"]["anyOf"] = [{"required": [key]} for key in ("type", *WITH_OWN_TYPE)]
    definitions["Input"]["oneOf"] = [{"required": [origin]} for origin in INPUT_ORIGINS]
    definitions = _tidied(definitions)
    for key in ("blank", "unknown"):
        definitions["Lookup"]["properties"][key]["type"].append("null")
    contract = _tidied(generated)
    definitions["SqlType"] = TYPE_SCHEMA
    return {
        "$schema": DIALECT,
        "$id": SCHEMA_ID,
        "title": "xml-extractor contract",
        **contract,
        "$defs": definitions,
    }


def _tidied(part: Any) -> Any:
    """The schema without what pydantic adds for Python: null as "not given", titles, and the same type many times."""
    if isinstance(part, list):
        return [_tidied(item) for item in part]
    if not isinstance(part, dict):
        return part
    if part.get("pattern") == TYPE_SCHEMA["pattern"]:
        rest = {key: value for key, value in part.items() if key not in TYPE_SCHEMA or key == "description"}
        return {"$ref": "#/$defs/SqlType", **rest}
    if "default" in part and part["default"] is None:
        choices = [choice for choice in part["anyOf"] if choice != {"type": "null"}]
        rest = {key: value for key, value in part.items() if key not in ("anyOf", "default")}
        part = {**(choices[0] if len(choices) == 1 else {"anyOf": choices}), **rest}
        return _tidied(part)
    return {key: _tidied(value) for key, value in part.items() if not (key == "title" and isinstance(value, str))}
