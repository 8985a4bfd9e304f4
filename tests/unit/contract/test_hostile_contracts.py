"""A contract that nobody would write by hand is answered by a fault with a line, never by an internal error."""

from copy import deepcopy

import pytest

from xml_extractor.contract import shape
from xml_extractor.contract.draft import Draft
from xml_extractor.contract.model import Contract
from xml_extractor.contract.reading import check_text
from xml_extractor.contract.yaml_text import YamlText

CONTRACT = """contract: c
version: 1
document: {{root: R}}
tables:
  t:
    rows: "."
    columns:
      key: {{run: source_key, key: true}}
      {column}
"""

NUMBER = "9" * 20_000


def path(text: str) -> str:
    return f'a: {{path: "{text}", type: int}}'


def expression(text: str) -> str:
    return f'a: {{inputs: {{x: {{path: "@x", type: int}}}}, expression: "{text}", type: int}}'


def pattern(text: str) -> str:
    return f'a: {{path: "@a", type: int, transform: [{{replace: {{pattern: "{text}", with: ""}}}}]}}'


COLUMNS = {
    "an XPath of many terms": path(" + ".join(["@a"] * 20_000)),
    "an XPath of many alternatives": path("|".join(["a"] * 20_000)),
    "an XPath in many brackets": path("(" * 5000 + "@a" + ")" * 5000),
    "an XPath of many predicates": path("a" + "[b" * 3000 + "]" * 3000),
    "an XPath of many signs": path("-" * 5000 + "1"),
    "an XPath of many calls": path("string(" * 2000 + "@a" + ")" * 2000),
    "an expression of many terms": expression(" + ".join(["x"] * 5000)),
    "an expression in many brackets": expression("(" * 5000 + "x" + ")" * 5000),
    "an expression of many cases": expression("CASE WHEN x = 1 THEN " * 500 + "1" + " END" * 500),
    "an expression of many negations": expression(f"CASE WHEN {'NOT ' * 5000} x = 1 THEN 1 END"),
    "a number of many digits": expression(NUMBER),
    "a constant of many digits": f"a: {{value: {NUMBER}, type: int}}",
    "a type of many digits": f'a: {{path: "@a", type: "varchar({NUMBER})"}}',
    "a regular expression in many brackets": pattern("(a" * 3000 + ")" * 3000),
    "a regular expression of too many repetitions": pattern("a{99999999999999999999}"),
    "a name with NUL": '"a\\0b": {path: "@a", type: int}',
    "a name with an escape sequence": '"a\\e[31m": {path: "@a", type: int}',
    "a name with a line separator": '"a\\L": {path: "@a", type: int}',
    "half a character": '"a\\ud800": {path: "@a", type: int}',
}


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
def test_a_hostile_column_is_a_fault_with_its_line(column: str) -> None:
    _, faults = check_text("c.yaml", CONTRACT.format(column=column))
    assert faults
    assert all(str(fault).startswith("c.yaml:") and fault.line in (8, 9) for fault in faults)
    assert all(len(str(fault)) < 1000 for fault in faults)
    assert all(str(fault).isprintable() for fault in faults)


ALIASES = "x0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"x{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 10)}]\n" for number in range(1, 12)
)
TEXTS = {
    "aliases that multiply": ALIASES,
    "an alias of itself": "a: &a [*a]\n",
    "a mapping merged with itself": "a: &a\n  <<: *a\n  b: 1\n",
    "mappings merged with all before": "a0: &a0 {x0: 1}\n"
    + "".join(f"a{number}: &a{number} {{<<: *a{number - 1}, x{number}: 1}}\n" for number in range(1, 1000)),
    "many lists in lists": "a: " + "[" * 100_000,
    "lists in lists": "a: " + "[" * 3000 + "]" * 3000,
    "mappings in mappings": "a: " + "{a: " * 3000 + "1" + "}" * 3000,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_hostile_file_is_a_fault_with_a_line(text: str) -> None:
    contract, faults = check_text("c.yaml", text)
    assert contract is None
    assert faults
    assert all(fault.line >= 1 for fault in faults)


def test_the_cost_of_many_faults_grows_with_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of twice as many wrong columns, no part of the contract is copied more than twice as often."""
    copied: list[int] = []

    def counted(data: object) -> object:
        copied.append(1)
        return deepcopy(data)

    monkeypatch.setattr(shape, "deepcopy", counted)
    counts = []
    for number in (50, 100):
        copied.clear()
        columns = "\n      ".join(f'a{position}: {{path: "@a", typ: int}}' for position in range(number))
        _, faults = check_text("c.yaml", CONTRACT.format(column=columns))
        assert len(faults) == number
        counts.append(len(copied))
    assert counts[0] == counts[1], "the whole contract, once in each round of validation"


def test_parts_that_were_removed_are_known_without_a_search() -> None:
    removed = frozenset({("tables", "a", "columns", "b"), ("lookups", "c")})
    tables = {"t": {"rows": ".", "columns": {"a": {"run": "source_key"}}}}
    contract = Contract.model_validate({"contract": "c", "version": 1, "document": {"root": "R"}, "tables": tables})
    draft = Draft(contract, YamlText("c.yaml", "a: 1"), removed)
    assert draft.lost(("tables", "a", "columns", "b"))
    assert draft.lost(("tables", "a", "columns", "b", "type"))
    assert not draft.lost(("tables", "a", "columns"))
    assert not draft.whole(("tables", "a", "columns"))
    assert not draft.whole(("lookups", "c", "values"))
    assert not draft.whole(())
    assert draft.whole(("tables", "a", "columns", "bb"))
