"""The hash of a contract, which changes with its meaning."""

import hashlib
import json
from decimal import Decimal

from pydantic import BaseModel

from xml_extractor.contract.model import Contract, Lookup
from xml_extractor.values.sqltypes import SqlType

_ORDERED = ("tables", "columns")
"""Mappings whose order has a meaning: tables are loaded, and columns computed, in the order of the contract."""

_ONE_OR_SEVERAL = ("root", "namespaces", "on_invalid")
"""Keys whose values are lists or, if they have one entry, that entry."""

_WITHOUT_MEANING = ("description",)


def contract_hash(contract: Contract) -> str:
    """Return the hash that the processing log keeps of a contract: hex SHA-256 of its meaning.

    Comments, the description, layout, short forms, explicit defaults, and the order of keys do not change it. The order
    of tables and columns does.
    """
    text = json.dumps(_canonical(contract), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: object, name: str = "") -> object:
    match value:
        case BaseModel():
            return {key: _canonical(part, key) for key, part in value if _has_meaning(value, key, part)}
        case SqlType() | Decimal():
            return {type(value).__name__: str(value)}
        case dict() if name in _ORDERED:
            return [[key, _canonical(part)] for key, part in value.items()]
        case dict():
            return {key: _canonical(part, name) for key, part in value.items()}
        case tuple() | list():
            parts = [_canonical(part) for part in value]
            return parts[0] if name in _ONE_OR_SEVERAL and len(parts) == 1 else parts
    return value


def _has_meaning(model: BaseModel, key: str, value: object) -> bool:
    field = type(model).model_fields[key]
    is_null_for_unknown = isinstance(model, Lookup) and key == "unknown" and key in model.model_fields_set
    default = field.get_default(call_default_factory=True) if not field.is_required() else ...
    is_default = value == default and type(value) is type(default)
    return key not in _WITHOUT_MEANING and (not is_default or is_null_for_unknown)
