"""Whatever stands in a contract's file, the answer is a contract or faults in words of our own."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xml_extractor.contract.reading import check_text
from xml_extractor.contract.yaml_text import Data, YamlText

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


EVERYTHING = """\
contract: cards
version: 1
description: everything that a contract can say
document: {root: "c:Card", key: "@id", key_type: int, read_until: "c:Data", preceded_by: [Head], doctype: allow}
source: {table: dbo.app_xml, key: app_id, xml: xml}
namespaces: {c: urn:cards}
code_page: cp1250
lookups:
  colour: {R: 1, G: 2}
  size: {values: {S: small}, blank: none, unknown: null, ignore_case: true}
tables:
  card:
    table: dbo.card
    rows: .
    when: card_id > 0
    at_least_one: [card_id]
    on_conflict: replace
    columns:
      card_id: {path: "@id", type: int, key: true, identity: true}
      loaded_at: {run: load_time, type: datetime2(3), required: true}
      kind: {value: A, type: char(1)}
      since: {path: "c:Data/@since", type: date, formats: ["%d.%m.%Y"], time_zone: UTC}
      until: {path: "c:Data/@until", type: date, on_invalid: default, default: 2000-01-01}
      picture: {path: "c:Data/Picture", type: varbinary(max), encoding: base64, on_invalid: truncate}
      colour: {path: "c:Data/@c", type: smallint, transform: [trim, {replace: {pattern: x, with: y}}], lookup: colour}
      size: {path: "c:Data/@size", type: varchar(5), transform: [{map: {a: b}}, {lookup: size}], blank: null}
      total:
        type: "decimal(12,2)"
        inputs: {a: "c:Data/@a", b: {path: "c:Data/@b", type: int}, c: {column: colour}, d: {run: contract_version}}
        expression: CASE WHEN a = 'x' THEN b * 12 ELSE c + d END
  part:
    rows: c:Data/Part
    distinct: {by: [part_id], keep: last}
    columns:
      part_id: {derived: true, type: bigint, key: true}
      card_id: {parent: card.card_id}
      number: {position: true}
  code:
    parent: part
    rows: [{path: "@a", set: {code: A}}, {path: "@b", set: {code: B}}]
    columns:
      id: {generated: true, type: int, key: true}
      part_id: {parent: part.part_id}
      code: {set: true, type: char(1)}
      value: {path: ., type: int, on_invalid: null}
"""


def plain(text: str) -> Data:
    found = YamlText("c", text)
    assert found.is_readable, found.faults
    return found.data


def paths(data: Data, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield above
    if isinstance(data, dict):
        for key, value in data.items():
            yield from paths(value, (*above, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from paths(value, (*above, index))


CONTRACT = plain(EVERYTHING)
PATHS = list(paths(CONTRACT))


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


def without(data: Any, path: tuple[str | int, ...]) -> Any:
    copy = data.copy()
    if path[1:]:
        copy[path[0]] = without(data[path[0]], path[1:])
    else:
        del copy[path[0]]
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


def test_the_contract_of_these_tests_has_no_fault_itself() -> None:
    assert check_text("c", EVERYTHING)[1] == ()


@settings(max_examples=30, deadline=None)
@given(path=st.sampled_from(PATHS), junk=JUNK, key=WORDS)
def test_junk_anywhere_in_a_contract_is_answered_by_faults(path: tuple[str | int, ...], junk: Any, key: str) -> None:
    check(with_junk(CONTRACT, path, junk))
    check(with_key(CONTRACT, path, key, junk))


@pytest.mark.parametrize("path", PATHS[1:], ids=str)
def test_a_contract_without_one_of_its_parts_is_a_contract_or_has_faults(path: tuple[str | int, ...]) -> None:
    check(without(CONTRACT, path))


@settings(max_examples=60, deadline=None)
@given(JUNK)
def test_junk_alone_is_answered_by_faults(junk: Any) -> None:
    check(junk)
    check({"contract": "a", "version": 1, "document": {"root": "a"}, "tables": junk})
    check({"contract": "a", "version": 1, "document": junk, "tables": {"a": junk}})
    check({"contract": "a", "version": 1, "document": {"root": "a"}, "tables": {"a": {"rows": ".", "columns": junk}}})


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_answered_by_faults(text: str) -> None:
    contract, faults = check_text("c.yaml", text)
    assert contract is None
    assert faults
