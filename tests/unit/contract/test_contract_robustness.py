"""Whatever stands in a contract's file, the answer is a contract or faults in words of our own."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xml_extractor.contract import shipped_contracts
from xml_extractor.contract.reading import check_text
from xml_extractor.contract.yaml_reading import Data, read_yaml

SCALARS = st.none() | st.booleans() | st.integers(-5, 10**12) | st.text(max_size=8)
WORDS = st.sampled_from(
    [
        "",
        ".",
        "a/b",
        "@id",
        "//x",
        "a[",
        "int",
        "varchar(5)",
        "varchr(5)",
        "card.id",
        "application.app_id",
        "path",
        "a.b.c",
    ]
)
JUNK = st.recursive(
    SCALARS | WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=5
)
PYDANTIC_WORDS = (
    "Input should",
    "validation error",
    "pydantic",
    "Value error",
    "function-before",
    "None",
    "Extra inputs",
)


def shipped(name: str) -> Data:
    root, _ = read_yaml(Path("xml_extractor/contracts", f"{name}.yaml").read_text(encoding="utf-8"))
    assert root is not None
    return root.data


CONTRACTS = [shipped(name) for name in shipped_contracts()]


def paths(data: Data, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield above
    if isinstance(data, dict):
        for key, value in data.items():
            yield from paths(value, (*above, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from paths(value, (*above, index))


PATHS = [(number, path) for number, contract in enumerate(CONTRACTS) for path in paths(contract)]


def with_junk(data: Any, path: tuple[str | int, ...], junk: Any) -> Any:
    if not path:
        return junk
    copy = data.copy()
    copy[path[0]] = with_junk(data[path[0]], path[1:], junk)
    return copy


def with_key(data: Any, path: tuple[str | int, ...], key: str, junk: Any) -> Any:
    if not path:
        return {**data, key: junk} if isinstance(data, dict) else [*data, junk] if isinstance(data, list) else junk
    copy = data.copy()
    copy[path[0]] = with_key(data[path[0]], path[1:], key, junk)
    return copy


def check(data: Any) -> None:
    text = json.dumps(data, indent=1, default=lambda number: float(number) if isinstance(number, Decimal) else None)
    contract, faults = check_text("c.json", text)
    assert (contract is None) == bool(faults)
    for fault in faults:
        assert fault.line >= 1
        assert fault.column >= 1
        assert fault.message or fault.expected
        assert "\n" not in str(fault)
        assert not any(word in fault.message + fault.expected for word in PYDANTIC_WORDS), str(fault)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from(PATHS), junk=JUNK, key=WORDS)
def test_junk_anywhere_in_a_contract_is_answered_by_faults(
    place: tuple[int, tuple[str | int, ...]], junk: Any, key: str
) -> None:
    number, path = place
    check(with_junk(CONTRACTS[number], path, junk))
    check(with_key(CONTRACTS[number], path, key, junk))


@settings(max_examples=300, deadline=None)
@given(JUNK)
def test_junk_alone_is_answered_by_faults(junk: Any) -> None:
    check(junk)
    check({"contract": "a", "version": 1, "document": {"root": "a"}, "tables": junk})
    check({"contract": "a", "version": 1, "document": junk, "tables": {"a": junk}})
    check({"contract": "a", "version": 1, "document": {"root": "a"}, "tables": {"a": {"rows": ".", "columns": junk}}})


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_answered_by_faults(text: str) -> None:
    contract, faults = check_text("c.yaml", text)
    assert contract is None
    assert faults


@pytest.mark.parametrize("name", shipped_contracts())
def test_leaving_out_any_part_of_a_table_never_fails_by_an_exception(name: str) -> None:
    data: Any = shipped(name)
    for table in data["tables"]:
        tables = {other: part for other, part in data["tables"].items() if other != table}
        check({**data, "tables": tables})
