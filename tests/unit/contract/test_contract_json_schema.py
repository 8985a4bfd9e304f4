"""The published JSON Schema accepts what people write, and refuses what an editor can see to be wrong."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from xml_extractor.contract.json_schema import contract_json_schema, type_pattern, up_to
from xml_extractor.contract.reading import check_text, shipped_contracts
from xml_extractor.contract.yaml_text import Data, YamlText
from xml_extractor.values.sqltypes import TYPES, parse_type

SCHEMA = contract_json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def plain(text: str) -> Any:
    def numbers(data: Data) -> Any:
        match data:
            case Decimal():
                return float(data)
            case dict():
                return {key: numbers(value) for key, value in data.items()}
            case list():
                return [numbers(value) for value in data]
        return data

    found = YamlText("c", text)
    assert found.is_readable, found.faults
    return numbers(found.data)


def with_column(column: str, more: str = "") -> str:
    return f"""\
contract: cards
version: 1
document: {{root: Card}}
lookups: {{colour: {{R: 1}}}}
{more}
tables:
  card:
    rows: .
    columns:
      a: {{path: "@a", type: int, key: true}}
      b: {column}
"""


def with_table(table: str) -> str:
    return with_column("{value: 1, type: int}").replace("tables:\n", f"tables:\n  other: {table}\n")


GOOD = [
    *(
        with_column(column)
        for column in (
            '{path: "@b", type: "decimal(12, 2)", transform: [trim, {lookup: colour}]}',
            '{path: "@b", type: NVARCHAR(MAX), transform: [digits, {replace: {pattern: a, with: b}}, {map: {A: B}}]}',
            '{path: "@b", type: datetime2, formats: ["%Y-%m-%d"], time_zone: UTC, on_invalid: null, blank: null}',
            '{path: "@b", type: int, lookup: colour, default: 5, on_invalid: default, required: true}',
            "{run: load_time}",
            "{run: source_key, type: varchar(20), on_invalid: reject}",
            "{value: 1.5, type: float}",
            "{value: 'x', type: char}",
            "{value: true, type: bit}",
            "{position: true}",
            "{derived: true, type: uniqueidentifier}",
            "{generated: true, type: bigint}",
            "{type: int, inputs: {x: '@x', y: {path: '@y', type: int}, z: {column: a}}, expression: x + y + z}",
            '{path: "@b", type: varbinary(20), encoding: base64, on_invalid: truncate, blank: keep}',
        )
    ),
    *(
        with_table(table)
        for table in (
            '{rows: x, columns: {c: {path: "@c", type: int}}}',
            '{rows: [x, {path: y}], columns: {c: {path: "@c", type: int}}}',
            "{rows: [{path: y, set: {c: A}}], table: dbo.x, columns: {c: {set: true, type: char(1)}}}",
            "{rows: x, when: c > 1, at_least_one: [c], distinct: {by: [c]}, columns: {c: {path: c, type: int}}}",
            '{rows: x, on_conflict: replace, columns: {c: {path: "@c", type: int, key: true}}}',
        )
    ),
    with_column("{value: 1, type: int}", "namespaces: {a: urn:a}\ncode_page: cp1250\nsource: {table: dbo.x, key: k}"),
    with_column("{value: 1, type: int}").replace("{R: 1}", "{values: {R: 1}, unknown: null, ignore_case: true}"),
    with_column("{value: 1, type: int}").replace(
        "{root: Card}", "{root: Card, key: '@id', key_type: int, doctype: allow, max_bytes: 1000}"
    ),
]
BAD = [
    *(
        with_column(column)
        for column in (
            '{path: "@b"}',
            "{type: int}",
            '{path: "@b", value: 5, type: int}',
            '{path: "@b", type: itn}',
            '{path: "@b", type: varchar(9000)}',
            '{path: "@b", type: int(4)}',
            '{path: "@b", type: 5}',
            '{path: "@b", typ: int}',
            "{path: 5, type: int}",
            '{path: "", type: int}',
            "{path: null, type: int}",
            '{path: "@b", type: int, key: yes}',
            '{path: "@b", type: int, on_invalid: ignore}',
            '{path: "@b", type: int, transform: digits}',
            '{path: "@b", type: int, transform: [digit]}',
            '{path: "@b", type: int, transform: [replace]}',
            '{path: "@b", type: int, transform: [{replace: {pattern: a}}]}',
            '{path: "@b", type: int, transform: [{trim: , upper: }]}',
            '{path: "@b", type: int, default: [1]}',
            '{path: "@b", type: int, default: null}',
            "{set: false, type: int}",
            "{run: yesterday}",
            "{parent: card}",
            "{type: int, inputs: {x: {column: a, path: b}}, expression: x}",
            '"@b"',
            "null",
        )
    ),
    *(
        with_table(table)
        for table in (
            '{columns: {c: {path: "@c", type: int}}}',
            '{rows: [], columns: {c: {path: "@c", type: int}}}',
            "{rows: x, columns: {}}",
            '{rows: x, table: a.b.c, columns: {c: {path: "@c", type: int}}}',
            '{rows: x, on_conflict: ignore, columns: {c: {path: "@c", type: int}}}',
            '{rows: x, distinct: [c], columns: {c: {path: "@c", type: int}}}',
            '{rows: x, parnt: card, columns: {c: {path: "@c", type: int}}}',
        )
    ),
    with_column("{value: 1, type: int}").replace("version: 1", "version: one"),
    with_column("{value: 1, type: int}").replace("cards", "my cards"),
    with_column("{value: 1, type: int}").replace("{R: 1}", "{values: {R: 1}, unknwon: 2}"),
    with_column("{value: 1, type: int}").replace("{R: 1}", "{R: [1]}"),
    with_column("{value: 1, type: int}").replace("{root: Card}", "{}"),
    "contract: cards\n",
    "[]",
]


def test_the_schema_is_a_schema_of_its_dialect() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["$id"].startswith("urn:")
    assert SCHEMA["title"]
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


@pytest.mark.parametrize("name", shipped_contracts())
def test_shipped_contracts_fit_the_schema(name: str) -> None:
    text = Path("xml_extractor/contracts", f"{name}.yaml").read_text(encoding="utf-8")
    assert list(VALIDATOR.iter_errors(plain(text))) == []


@pytest.mark.parametrize("text", GOOD)
def test_what_the_program_accepts_fits_the_schema(text: str) -> None:
    assert check_text("c", text)[1] == ()
    assert [error.message for error in VALIDATOR.iter_errors(plain(text))] == []


@pytest.mark.parametrize("text", BAD)
def test_what_the_schema_refuses_has_a_fault(text: str) -> None:
    assert not VALIDATOR.is_valid(plain(text))
    assert check_text("c", text)[1] != ()


def test_every_key_is_described() -> None:
    nameless = [
        f"{name}.{key}"
        for name, part in [("Contract", SCHEMA), *SCHEMA["$defs"].items()]
        for key, value in part.get("properties", {}).items()
        if "description" not in value and "description" not in SCHEMA["$defs"].get(value.get("$ref", "")[8:], {})
    ]
    assert nameless == ["Contract.description"]


def test_the_pattern_of_types_matches_exactly_the_types_there_are() -> None:
    types = Draft202012Validator({"pattern": type_pattern()})
    inner = ["", "(0)", "(1)", "(7)", "(8)", "(38)", "(39)", "(53)", "(54)", "(4000)", "(4001)", "(8000)", "(8001)"]
    inner += ["(max)", "(MAX)", "(5,5)", "(5, 6)", "(38,38)", "(38,39)", "(12 , 2)", "( 12,2 )", "()", "(a)", "(,2)"]
    for name in [*TYPES, *(name.upper() for name in TYPES), "itn", "varchr", "rowversion", "sql_variant", ""]:
        for parameters in inner:
            try:
                parse_type(name + parameters)
            except ValueError:
                assert not types.is_valid(name + parameters), name + parameters
            else:
                assert types.is_valid(name + parameters), name + parameters


@settings(deadline=None)
@given(largest=st.integers(1, 9999), number=st.integers(0, 20000), smallest=st.sampled_from([0, 1]))
def test_a_pattern_of_numbers_matches_those_in_its_range(largest: int, number: int, smallest: int) -> None:
    pattern = Draft202012Validator({"pattern": f"^({up_to(largest, smallest)})$"})
    assert pattern.is_valid(str(number)) == (smallest <= number <= largest)
