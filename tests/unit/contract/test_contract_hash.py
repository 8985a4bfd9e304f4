"""The hash of a contract changes with its meaning, and only with it."""

import re

import pytest

from xml_extractor.contract.reading import check_text, contract_hash

TEXT = """\
contract: cards
version: 1
description: cards
document: {root: Card, key: "@id", key_type: int}
namespaces: {a: urn:a, b: urn:b}
lookups:
  colour: {R: 1, G: 2}
  size: {values: {S: "1", L: "2"}}
tables:
  card:
    rows: .
    columns:
      id: {path: "@id", type: int, key: true}
      colour: {path: "@colour", type: decimal, lookup: colour}
      size: {path: "@size", type: char(1), lookup: size}
      sum: {type: int, inputs: {x: "@x", y: "@y"}, expression: x + y}
      amount: {value: 1.50, type: "decimal(5,2)"}
  part:
    rows: [{path: a, set: {code: A, name: n}}, {path: b, set: {code: B, name: m}}]
    columns:
      code: {set: true, type: char(1)}
      name: {set: true, type: char(1)}
  other:
    rows: c
    columns: {c: {path: ., type: int}}
"""


def hash_of(text: str) -> str:
    contract, faults = check_text("cards.yaml", text)
    assert contract is not None, faults
    return contract_hash(contract)


def changed(old: str, new: str) -> str:
    assert old in TEXT
    return TEXT.replace(old, new)


def test_the_hash_is_a_sha_256_and_the_same_every_time() -> None:
    assert re.fullmatch("[0-9a-f]{64}", hash_of(TEXT))
    assert hash_of(TEXT) == hash_of(TEXT)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("contract: cards\n", "# a comment\ncontract:   cards\n\n"),
        ("description: cards\n", ""),
        ("{a: urn:a, b: urn:b}", "{b: urn:b, a: urn:a}"),
        ("{R: 1, G: 2}", "{G: 2, R: 1}"),
        ("{R: 1, G: 2}", "{values: {R: 1, G: 2}}"),
        ("{R: 1, G: 2}", "{values: {R: 1, G: 2}, ignore_case: false}"),
        ('{x: "@x", y: "@y"}', '{y: {path: "@y"}, x: "@x"}'),
        ("{code: A, name: n}", "{name: n, code: A}"),
        ("rows: .", "rows: [{path: .}]"),
        ("rows: .", "rows: .\n    on_conflict: fail"),
        ("type: decimal,", 'type: "DECIMAL (18, 0)",'),
        ("version: 1\n", "version: 1\ncode_page: cp1252\n"),
    ],
)
def test_how_a_contract_is_written_does_not_change_its_hash(old: str, new: str) -> None:
    assert hash_of(changed(old, new)) == hash_of(TEXT)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version: 1\n", "version: 2\n"),
        ("contract: cards\n", "contract: card\n"),
        ("urn:a", "urn:c"),
        ("{R: 1, G: 2}", "{R: 1, G: 3}"),
        ("{R: 1, G: 2}", "{values: {R: 1, G: 2}, unknown: null}"),
        ('S: "1"', 'S: "3"'),
        ("type: decimal,", 'type: "decimal(17)",'),
        ("type: int, key: true", "type: int, key: true, required: true"),
        ("x + y", "y + x"),
        ("value: 1.50", "value: 1.5"),
        ("value: 1.50", 'value: "1.50"'),
        (
            "      code: {set: true, type: char(1)}\n      name: {set: true, type: char(1)}\n",
            "      name: {set: true, type: char(1)}\n      code: {set: true, type: char(1)}\n",
        ),
        (
            "  other:\n    rows: c\n    columns: {c: {path: ., type: int}}\n",
            "  another:\n    rows: c\n    columns: {c: {path: ., type: int}}\n",
        ),
    ],
)
def test_what_a_contract_means_changes_its_hash(old: str, new: str) -> None:
    assert hash_of(changed(old, new)) != hash_of(TEXT)


def test_the_order_of_tables_changes_the_hash() -> None:
    head, _, tables = TEXT.partition("tables:\n")
    first, second, third = re.split(r"(?m)^(?=  \w)", tables)[1:]
    assert hash_of(f"{head}tables:\n{first}{third}{second}") != hash_of(TEXT)
