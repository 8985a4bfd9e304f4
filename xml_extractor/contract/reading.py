"""Read a contract from a file or from the package, and report all its faults; and the hash of what it means."""

import hashlib
import json
import re
from dataclasses import replace
from decimal import Decimal
from functools import cache
from importlib import resources
from pathlib import Path

from pydantic import BaseModel

from xml_extractor.contract.consistency import faults_of_consistency
from xml_extractor.contract.consistency.document import own_row_faults
from xml_extractor.contract.consistency.values import defaults_faults
from xml_extractor.contract.defaults import with_defaults
from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import Fault, did_you_mean
from xml_extractor.contract.model import Contract, Lookup
from xml_extractor.contract.shape import read_shape
from xml_extractor.contract.yaml_text import YamlText
from xml_extractor.errors import ContractError, UsageError
from xml_extractor.stopping import was_requested
from xml_extractor.values.sqltypes import SqlType

MAX_BYTES = 16 * 2**20
"""The largest size of a contract's file. A larger file is probably a document."""

_NAME = re.compile(r"[\w-]+")


def shipped_contracts() -> tuple[str, ...]:
    """Return the names of the contracts that come with the package."""
    folder = resources.files("xml_extractor") / "contracts"
    names = (entry.name for entry in folder.iterdir()) if folder.is_dir() else ()
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def shipped_text(name: str) -> str:
    """Return the text of a shipped contract.

    Raises:
        UsageError: There is no such shipped contract.
    """
    shipped = shipped_contracts()
    if name not in shipped:
        meant = did_you_mean(name, shipped)
        question = f"; did you mean '{meant}'?" if meant else ""
        tip = f"the shipped contracts are {', '.join(shipped)}"
        raise UsageError(f"there is no shipped contract '{name}'{question}", tip)
    return (resources.files("xml_extractor") / "contracts" / f"{name}.yaml").read_text(encoding="utf-8")


def read_contract(path_or_name: str) -> Contract:
    """Read a contract and check it.

    Args:
        path_or_name: A YAML or JSON file, or the name of a shipped contract. A file takes precedence over a name.

    Raises:
        UsageError: There is no such file or shipped contract, or the file cannot be read.
        ContractError: The contract has faults; the message lists all of them, one a line.
    """
    contract, faults = find_faults(path_or_name)
    if faults or contract is None:
        count = "this fault" if len(faults) == 1 else f"these {len(faults)} faults"
        tip = f"correct {count}, then run: xml-extractor check {path_or_name}"
        raise ContractError("\n".join(str(fault) for fault in faults), tip)
    return contract


def find_faults(path_or_name: str) -> tuple[Contract | None, tuple[Fault, ...]]:
    """Read a contract and report all its faults.

    Returns:
        The contract, or None if it has faults; and the faults in the order of the file.

    Raises:
        UsageError: There is no such file or shipped contract, or the file cannot be read.
    """
    file, content = _content(path_or_name)
    if len(content) > MAX_BYTES:
        return None, (Fault(file, 1, 1, "", f"the file has {len(content):,} bytes", expected=f"at most {MAX_BYTES:,}"),)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        return None, (Fault(file, line, column, "", "the file is not UTF-8", expected="a contract saved as UTF-8"),)
    return check_text(file, text.replace("\r\n", "\n").replace("\r", "\n"))


def check_text(file: str, text: str) -> tuple[Contract | None, tuple[Fault, ...]]:
    """Check the text of a contract.

    Args:
        file: The name of the file, for messages.
        text: Its content.

    Returns:
        The contract, or None if it has faults; and the faults in the order of the file.

    Raises:
        KeyboardInterrupt: The process was asked to stop, and the faults may be a consequence.
    """
    yaml = YamlText(file, text)
    faults = list(yaml.faults)
    if not yaml.is_readable:
        return None, tuple(faults)
    draft, shape_faults = read_shape(yaml)
    taken = {(fault.line, fault.column, fault.key_path) for fault in faults}
    faults += [fault for fault in shape_faults if (fault.line, fault.column, fault.key_path) not in taken]
    if draft is not None:
        draft, faults_of_defaults = _with_defaults(draft)
        faults += [*faults_of_defaults, *faults_of_consistency(draft)]
    if not faults and draft is not None:
        faults += own_row_faults(yaml, draft.contract)
    if was_requested() and faults:
        raise KeyboardInterrupt  # pydantic takes one for a text that does not match its pattern
    if faults or draft is None:
        return None, tuple(sorted(set(faults)))
    return draft.contract, ()


def _with_defaults(draft: Draft) -> tuple[Draft, list[Fault]]:
    """Give columns the defaults, unless these have faults, which must not be reported again for each column."""
    faults = list(defaults_faults(draft))
    return (draft if faults else replace(draft, contract=with_defaults(draft.contract))), faults


def _content(path_or_name: str) -> tuple[str, bytes]:
    path = Path(path_or_name)
    shipped = shipped_contracts()
    try:
        if path.is_file():
            return path_or_name, path.read_bytes()
        if path_or_name in shipped:
            entry = resources.files("xml_extractor") / "contracts" / f"{path_or_name}.yaml"
            return f"{path_or_name}.yaml", entry.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"the contract '{path_or_name}' cannot be read: {reason}", "check the file's rights"
        ) from error
    known = f"the shipped contracts are {', '.join(shipped)}"
    if path.is_dir():
        raise UsageError(f"the contract '{path_or_name}' is a directory", f"name the file in it; {known}")
    if not _NAME.fullmatch(path_or_name):
        raise UsageError(f"there is no contract file '{path_or_name}'", f"check the path; {known}")
    meant = did_you_mean(path_or_name, shipped)
    question = f"; did you mean '{meant}'?" if meant else ""
    raise UsageError(f"there is no contract file and no shipped contract '{path_or_name}'{question}", known)


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
    default = _defaults(type(model))[key]
    is_null_for_unknown = key == "unknown" and isinstance(model, Lookup) and key in model.model_fields_set
    is_default = type(value) is type(default) and value == default
    return key not in _WITHOUT_MEANING and (not is_default or is_null_for_unknown)


@cache
def _defaults(model: type[BaseModel]) -> dict[str, object]:
    return {
        key: ... if field.is_required() else field.get_default(call_default_factory=True)
        for key, field in model.model_fields.items()
    }
