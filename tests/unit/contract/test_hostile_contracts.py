"""A contract that nobody would write by hand is answered by a fault with a line, never by an internal error."""

import pytest

from xml_extractor.contract.reading import check_text

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
    "lists in lists": "a: " + "[" * 3000 + "]" * 3000,
    "mappings in mappings": "a: " + "{a: " * 3000 + "1" + "}" * 3000,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_hostile_file_is_a_fault_with_a_line(text: str) -> None:
    contract, faults = check_text("c.yaml", text)
    assert contract is None
    assert faults
    assert all(fault.line >= 1 for fault in faults)
