"""Every kind of fault, in the words and at the place in which the user sees it.

Each file of the directory `faults` is a table: `=== kind: title`, a contract or a part of one, `==>`, and all faults.
A `column` stands in the table `card` of the contract below, a `table` behind it, a `file` alone.
"""

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from xml_extractor.contract.faults import Fault, did_you_mean, one_of, render_path, shown
from xml_extractor.contract.reading import check_text, shipped_contracts

CARD = """\
contract: cards
version: 1
document: {root: Card, read_until: Data, preceded_by: [Head]}
namespaces: {b: 'urn:b', re: 'http://exslt.org/regular-expressions'}
lookups:
  colour: {R: 1, G: 2}
tables:
  card:
    rows: .
    columns:
      card_id: {path: "@id", type: int, key: true}
"""
INDENTS = {"column": 6, "table": 2}

CASES = [
    pytest.param(kind, text, expected, id=f"{file.stem}: {title}")
    for file in sorted((Path(__file__).parent / "faults").glob("*.txt"))
    for case in file.read_text(encoding="utf-8").split("=== ")[1:]
    for heading, _, rest in [case.partition("\n")]
    for kind, _, title in [heading.partition(": ")]
    for text, _, expected in [rest.partition("\n==>\n")]
]


def rendered(text: str) -> list[str]:
    contract, faults = check_text("card.yaml", text)
    assert (contract is None) == bool(faults)
    return [str(fault) for fault in faults]


@pytest.mark.parametrize(("kind", "text", "expected"), CASES)
def test_a_fault_names_its_place_what_was_found_and_what_was_expected(kind: str, text: str, expected: str) -> None:
    if kind in INDENTS:
        text = CARD + "".join(f"{' ' * INDENTS[kind]}{line}\n" for line in text.split("\n"))
    assert rendered(text) == expected.strip().split("\n")


def test_the_contract_of_the_cases_has_no_fault_itself() -> None:
    assert rendered(CARD) == []


@pytest.mark.parametrize("name", shipped_contracts())
def test_a_shipped_contract_has_no_faults(name: str) -> None:
    text = Path("xml_extractor/contracts", f"{name}.yaml").read_text(encoding="utf-8")
    assert rendered(text) == []


TEN_FAULTS = """\
contract: my cards
version: 1
document:
  root: Card
  read_until: Data
lookups:
  colour: {R: 1, G: green}
tables:
  card:
    rows: .
    columns:
      id: {path: "@id", type: int, key: true}
      zip: {path: "Data/@zip", type: varchr(5)}
      colour: {path: "Data/@colour", type: smallint, lookup: colour}
      other: {path: "Data/@other", type: int, lokup: colour}
      bureau: {path: "Bureau/@id", type: int}
      income:
        type: decimal(12,2)
        inputs: {salary: "Data/@salary"}
        expression: salry * 12
  address:
    parent: contact
    rows: Data/Contact/Address
    columns:
      contact_id: {parent: card.di}
      since: {path: "@since", type: date, formats: ["%d.%m.%Q"]}
  contact:
    rows: Data/Contact[
    columns:
      contact_id: {path: "@id", type: int, key: true}
"""


def test_ten_faults_are_reported_at_once_each_with_its_line() -> None:
    faults = rendered(TEN_FAULTS)
    assert [fault.split(": ")[0] for fault in faults] == [
        "card.yaml:1:11",
        "card.yaml:7:21",
        "card.yaml:13:38",
        "card.yaml:15:47",
        "card.yaml:16:23",
        "card.yaml:20:21",
        "card.yaml:22:13",
        "card.yaml:25:28",
        "card.yaml:26:53",
        "card.yaml:28:24",
    ]
    assert faults[2] == (
        "card.yaml:13:38: tables.card.columns.zip.type: found 'varchr(5)', "
        "expected a SQL Server scalar type; did you mean 'varchar(5)'?"
    )


@pytest.mark.parametrize(
    "broken",
    [
        "lookups: {colour: 5}",
        "lookups: [colour]",
        "lookups: {colour: {valuse: {R: 1}, blank: 1}}",
    ],
)
def test_what_refers_to_an_ill_formed_lookup_is_no_second_fault(broken: str) -> None:
    faults = rendered(f"""\
contract: cards
version: 1
document: {{root: Card}}
{broken}
tables: {{card: {{rows: ., columns: {{id: {{path: "@id", type: int, lookup: colour}}}}}}}}
""")
    assert len(faults) == 1


@pytest.mark.parametrize(
    "broken",
    [
        "card: 5",
        "card: {rows: [5], columns: {id: {path: '@id', type: int, key: true}}}",
        "card: {columns: {id: {path: '@id', type: int, key: true}}}",
        "card: {rows: ., columns: 5}",
        "card: {rows: ., columns: {id: 5}}",
        "card: {rows: ., columns: {id: {path: '@id', type: it, key: true}}}",
        "card: {rows: ., columns: {id: {path: '@id', type: int, keey: true}}}",
        "card: {rows: ., parnt: x, columns: {id: {path: '@id', type: int, key: true}}}",
        "card: {rows: ., columns: {id: {path: '@id', type: 'int', kye: true}}}",
    ],
)
def test_what_refers_to_an_ill_formed_table_or_column_is_no_second_fault(broken: str) -> None:
    faults = rendered(f"""\
contract: cards
version: 1
document: {{root: Card}}
tables:
  {broken}
  address:
    parent: card
    rows: Address
    distinct: {{by: [card_id]}}
    when: card_id > 1
    columns:
      card_id: {{parent: card.id}}
      next_id: {{type: int, inputs: {{id: {{column: card_id}}}}, expression: id + 1}}
""")
    assert len(faults) == 1


def test_faults_of_shape_do_not_hide_faults_between_the_other_parts() -> None:
    faults = rendered(CARD.replace("version: 1", "versoin: 1") + "      b: {path: '@b', type: int, lookup: color}\n")
    assert [fault.split(": ")[1] for fault in faults] == ["versoin", "tables.card.columns.b.lookup"]


def test_a_fault_in_an_anchor_is_reported_where_it_was_written_for_each_of_its_uses() -> None:
    faults = rendered(CARD + "      b: &b {path: '@b', type: itn}\n      c: *b\n      d: {<<: *b, path: '@d'}\n")
    assert [fault.split(", ")[0] for fault in faults] == [
        f"card.yaml:12:32: tables.card.columns.{column}.type: found 'itn'" for column in "bcd"
    ]


def test_faults_are_sorted_by_their_place_and_cannot_be_changed() -> None:
    late, early = Fault("a.yaml", 10, 2, "x"), Fault("a.yaml", 9, 30, "y")
    assert sorted([late, early]) == [early, late]
    with pytest.raises(FrozenInstanceError):
        late.line = 1  # type: ignore[misc]  # what mypy refuses is what is tested


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault("c.yaml", 1, 2, "a.b", "it is wrong"), "c.yaml:1:2: a.b: it is wrong"),
        (Fault("c.yaml", 1, 2, "", "it is wrong"), "c.yaml:1:2: it is wrong"),
        (Fault("c.yaml", 1, 2, "a", found="x", expected="y"), "c.yaml:1:2: a: found x, expected y"),
        (
            Fault("c.yaml", 1, 2, "a", "bad", "x", "y", "z"),
            "c.yaml:1:2: a: bad, found x, expected y; did you mean 'z'?",
        ),
    ],
)
def test_a_fault_is_one_line(fault: Fault, expected: str) -> None:
    assert str(fault) == expected


def test_key_paths_are_written_as_people_write_them() -> None:
    assert render_path(("tables", "score", "rows", 1, "set")) == "tables.score.rows[1].set"
    assert render_path(("lookups", "codes", "a b")) == "lookups.codes['a b']"
    assert render_path(()) == ""


def test_suggestions_ignore_case_and_stay_away_from_what_is_not_alike() -> None:
    assert did_you_mean("PARNT", ["path", "parent"]) == "parent"
    assert did_you_mean("di", ["id", "name"]) == "id"
    assert did_you_mean("colour", ["path", "parent"]) == ""
    assert did_you_mean("x", []) == ""


def test_choices_are_listed_only_where_there_is_a_choice() -> None:
    assert one_of(["a", "b"]) == "one of a, b"
    assert one_of(["a"]) == "a"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "nothing"),
        (True, "true"),
        (5, "5"),
        ("two\n lines", "'two lines'"),
        ("x" * 70, f"'{'x' * 60}…'"),
        ({"a": 1}, "a mapping"),
        ([], "an empty list"),
    ],
)
def test_what_was_found_is_shown_in_short(value: object, expected: str) -> None:
    assert shown(value) == expected
