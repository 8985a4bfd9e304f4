"""From plain data to the model, as far as it goes: ill-formed parts are left out and known by their paths."""

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import ANY, Fault, KeyPath, at_path, did_you_mean
from xml_extractor.contract.model import Contract
from xml_extractor.contract.shape_faults import empty_parts, faults_of_shape, keys_at
from xml_extractor.contract.written import Written
from xml_extractor.contract.yaml_reading import Data

PLACEHOLDER = "placeholder"
"""A name that stands for one that could not be read."""

_PLACEHOLDERS: dict[KeyPath, Data] = {
    ("contract",): PLACEHOLDER,
    ("version",): 1,
    ("document",): {"root": PLACEHOLDER},
    ("document", "root"): PLACEHOLDER,
    ("lookups", ANY): {},
    ("tables", ANY): {"rows": ".", "columns": {PLACEHOLDER: {}}},
    ("tables", ANY, "rows"): ".",
    ("tables", ANY, "rows", ANY): ".",
    ("tables", ANY, "rows", ANY, "path"): ".",
    ("tables", ANY, "columns"): {PLACEHOLDER: {}},
    ("tables", ANY, "columns", ANY): {},
    ("tables", ANY, "columns", ANY, "inputs", ANY): {},
}
"""What is needed and can be replaced; the rest is left out."""

_DEEPEST = 12
"""Rounds of leaving parts out: each removes at least one level of the deepest path of a contract."""


def read_shape(written: Written) -> tuple[Draft | None, list[Fault]]:
    """The well-formed parts of a contract, and the faults of the others.

    Returns:
        A draft, or None if not even tables can be told; and every fault of shape.
    """
    data = written.root.data
    if not isinstance(data, dict):
        found = {"list": "a list"}.get(type(data).__name__, "text")
        return None, [written.fault((), found=found, expected="a mapping with contract, version, document and tables")]
    removed = set(empty_parts(written.root))
    faults: list[Fault] | None = None
    for _ in range(_DEEPEST):
        try:
            contract = Contract.model_validate(data)
        except ValidationError as error:
            errors = error.errors(include_url=False, include_input=False)
            if faults is None:
                faults = faults_of_shape(written, errors)
            data = _without(written, data, errors, removed)
        else:
            return Draft(contract, written, frozenset(removed)), faults or faults_of_shape(written, ())
        if "tables" not in data:
            break
    return None, faults or []


def _without(
    written: Written, data: dict[str, Data], errors: list[ErrorDetails], removed: set[KeyPath]
) -> dict[str, Data]:
    removed_now: set[KeyPath] = set()
    for error in errors:
        path = written.path(error["loc"])
        is_key = error["type"] == "extra_forbidden" or error["loc"][-1] == "[key]"
        if error["type"] == "missing":
            path = (*path, error["loc"][-1])
        if error["type"] == "extra_forbidden":
            meant = did_you_mean(str(path[-1]), keys_at(written, path[:-1]))
            removed.add((*path[:-1], meant or path[-1]))
        if any(path[: len(gone)] == gone for gone in removed_now):
            continue
        while path:
            changed = _changed(data, path, None if is_key else at_path(_PLACEHOLDERS, path))
            removed_now.add(path)
            if changed != data:
                data = changed
                break
            path, is_key = path[:-1], False
    removed |= removed_now
    return data


def _changed(data: dict[str, Data], path: KeyPath, placeholder: Data) -> dict[str, Data]:
    """A copy with a placeholder at the path, or without it; the same data if that needs the part above to change."""
    changed = _copy(data, path, placeholder)
    return changed if isinstance(changed, dict) else data


def _copy(data: Data, path: KeyPath, placeholder: Data) -> Data:
    name, rest = path[0], path[1:]
    if isinstance(data, dict) and isinstance(name, str):
        if rest and name in data:
            return {**data, name: _copy(data[name], rest, placeholder)}
        if not rest and placeholder is not None:
            return {**data, name: placeholder}
        return {key: value for key, value in data.items() if key != name}
    if isinstance(data, list) and isinstance(name, int) and name < len(data) and (rest or placeholder is not None):
        changed = _copy(data[name], rest, placeholder) if rest else placeholder
        return [*data[:name], changed, *data[name + 1 :]]
    return data
