"""`base`, named nodes and `current()`: rewritten paths find what the same paths find where they start."""

from collections.abc import Callable

import pytest
from lxml import etree

from xml_extractor.documents import Row, RunValues
from xml_extractor.mapping import MappingError, Plan, map_document

PlanOf = Callable[..., Plan]

DOCUMENT = """
<Doc xmlns:p="urn:p" id="D">
  <Row id="r1"><In code="x"><A n="1">one</A><A n="2"> two <B k="b"/></A><p:A n="3">three</p:A></In></Row>
  <Row id="r2"><In code="y" n="9">text</In><In code="z"/></Row>
</Doc>
"""

PATHS = [
    ".",
    "@code",
    "A",
    "A/@n",
    "A[2]",
    "A[last()]/@n",
    "A[@n = '2']/B/@k",
    "p:A",
    "*[3]/@n",
    "//A[2]/@n",
    ".//B/@k",
    "descendant::B/@k",
    "..",
    "../@id",
    "../../@id",
    "/Doc/@id",
    "/",
    "self::In/@code",
    "self::Other",
    "count(A)",
    "count(A | p:A | //Row)",
    "sum(A/@n)",
    "string()",
    "string-length()",
    "normalize-space(A[2])",
    "name()",
    "local-name()",
    "concat(@code, '-', A, '-', ../@id)",
    "boolean(A[B])",
    "A = 'one'",
    "not(@n)",
    "A/text()",
    "(A | p:A)[3]/@n",
    "A[count(preceding-sibling::A) = 1]/@n",
    "A/..//B/@k",
    "-A/@n + 1",
    "'constant'",
    "translate(@code, 'xyz', 'abc')",
]

HEAD = "document: {root: Doc}\nnamespaces: {p: 'urn:p'}"


def values(plan: Plan, run_values: RunValues, document: str = DOCUMENT) -> list[Row]:
    (rows,) = map_document(plan, etree.fromstring(document), "k", run_values)
    return list(rows)


def table(path: str, more: str) -> str:
    quoted = path.replace("'", "''")
    return f"t:\n  {more}\n  columns:\n    v: {{path: '{quoted}', type: nvarchar(max)}}"


@pytest.mark.parametrize("path", PATHS)
def test_a_path_finds_the_same_from_a_base_as_from_a_row(plan_of: PlanOf, run_values: RunValues, path: str) -> None:
    direct = values(plan_of(table(path, 'rows: "Row/In[1]"'), HEAD), run_values)
    assert values(plan_of(table(path, 'rows: Row\n  base: "In"'), HEAD), run_values) == direct
    assert values(plan_of(table(path, 'rows: Row\n  nodes: {in: In}\n  base: "$in"'), HEAD), run_values) == direct


@pytest.mark.parametrize("path", [path for path in PATHS if path[0] in "@Ap" and "position" not in path])
def test_a_path_behind_a_name_finds_what_it_finds_behind_the_path(
    plan_of: PlanOf, run_values: RunValues, path: str
) -> None:
    in_full = values(plan_of(table(f"In/{path}", "rows: Row"), HEAD), run_values)
    assert values(plan_of(table(f"$in/{path}", "rows: Row\n  nodes: {in: In}"), HEAD), run_values) == in_full
    assert values(plan_of(table(f"current()/In/{path}", "rows: Row"), HEAD), run_values) == in_full


@pytest.mark.parametrize("number", [1, 99, 100, 101, 400])
def test_names_of_many_nodes_are_like_names_of_few(plan_of: PlanOf, run_values: RunValues, number: int) -> None:
    items = "".join(f"<Item n='{index % 7}'><Part/></Item>" for index in range(number))
    tables = """
    t:
      rows: .
      nodes: {items: "Item[@n]", last: "$items[last()]"}
      columns:
        a: {path: "count($items/Part)", type: int}
        b: {path: "count($items[@n = $last/@n])", type: int}
        c: {path: "count(*[@n = $items/@n])", type: int}
        d: {path: "sum($items/@n)", type: int}
        e: {path: "$last/@n", type: int}
    """
    last = (number - 1) % 7
    same = sum(1 for index in range(number) if index % 7 == last)
    expected = (number, same, number, sum(index % 7 for index in range(number)), last)
    assert values(plan_of(tables, "document: {root: Doc}"), run_values, f"<Doc>{items}</Doc>") == [expected]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".", ["x", "y", "z"]),
        ("concat('<', ., '>')", ["<x>", "<y>", "<z>"]),
        ("string-length()", ["1", "1", "1"]),
        ("concat(../@n, .)", ["x", "9y", "z"]),
        ("../../@id", ["r1", "r2", "r2"]),
        ("/Doc/Row/In[@code = current()]/@n", [None, "9", None]),
        ("current()/../@n", [None, "9", None]),
        ("count(current()/../A)", ["2", "0", "0"]),
        ("$same/@id", ["r1", "r2", "r2"]),
        (". = 'y'", ["false", "true", "false"]),
        ("key('in', .)/../@id", ["r1", "r2", "r2"]),
        ("key('in', current())[A]/A", ["one", None, None]),
    ],
)
def test_paths_of_attribute_rows_may_be_expressions(
    plan_of: PlanOf, run_values: RunValues, path: str, expected: list[str | None]
) -> None:
    head = f"{HEAD}\nkeys: {{in: {{match: In, use: '@code'}}}}"
    tables = table(path, 'rows: "Row/In/@code"\n  nodes: {same: "../.."}')
    assert [row[0] for row in values(plan_of(tables, head), run_values)] == expected


def test_an_invalid_value_behind_a_name_is_looked_up_after_the_document_was_left(
    plan_of: PlanOf, run_values: RunValues
) -> None:
    head = f"{HEAD}\nkeys: {{in: {{match: In, use: '@code'}}}}"
    tables = """
    t:
      rows: Row
      nodes: {in: "In"}
      columns:
        v: {path: "key('in', $in/@code)/A[$in/@code = 'x']", type: int}
    """
    with pytest.raises(MappingError) as caught:
        values(plan_of(tables, head), run_values)
    assert caught.value.failure.code == "not_a_number"
    assert caught.value.invalid_value() == "one"


@pytest.mark.parametrize("operator", ["|", "+", "or"])
def test_long_expressions_with_names_and_a_base_compile(plan_of: PlanOf, run_values: RunValues, operator: str) -> None:
    path = f" {operator} ".join(["$in/@code", *["A/@n"] * 190])
    quoted = path if operator != "|" else f"count({path})"
    tables = table(quoted, 'rows: Row\n  nodes: {in: In}\n  base: "$in"')
    assert len(values(plan_of(tables, HEAD), run_values)) == 2
