"""Explanations show the steps of the mapping, and end where the mapping ends."""

from collections.abc import Callable
from datetime import date

import pytest
from lxml import etree

from xml_extractor.documents import RunValues, Value
from xml_extractor.errors import UsageError
from xml_extractor.mapping import MappingError, Plan, map_document
from xml_extractor.mapping.explain import ExplainedStep, explain

PlanOf = Callable[..., Plan]

HEAD = """
document: {root: Doc}
lookups: {grade: {values: {a: 1, b: 2}, blank: 0, ignore_case: true}}
"""
TABLES = """
doc:
  rows: "."
  columns:
    id: {path: "@id", type: int, key: true}
line:
  rows: Line
  when: no <> 2
  columns:
    no: {position: true, key: true}
    doc_id: {parent: doc.id}
    grade: {path: "@grade", type: tinyint, transform: [trim], lookup: grade}
    day: {path: "Day", type: date, default: "2024-01-01"}
    amount: {path: "Amount/@value", type: "decimal(5,2)", transform: [number], on_invalid: truncate}
    half: {type: "decimal(5,2)", inputs: {whole: {column: amount}, size: "@size"}, expression: whole / LEN(size)}
    lines: {path: "count(../Line)", type: int}
    strict: {path: "@strict", type: int}
"""
DOCUMENT = """
<Doc id="7">
  <Line grade=" B " size="xx"><Amount/><Amount value="$12.349"/></Line>
  <Line size="y"><Day>2024-02-29</Day><Amount value="none"/></Line>
</Doc>
"""


def _steps(plan: Plan, run: RunValues, column: str, document: str = DOCUMENT) -> list[tuple[ExplainedStep, ...]]:
    return [value.steps for value in explain(plan, etree.fromstring(document), "key", run, "line", column)]


def test_each_step_shows_its_value(plan_of: PlanOf, run_values: RunValues) -> None:
    assert _steps(plan_of(TABLES, HEAD), run_values, "grade") == [
        (
            ExplainedStep("path @grade", " B ", "1 node"),
            ExplainedStep("blank to NULL", " B "),
            ExplainedStep("transform trim", "B"),
            ExplainedStep("lookup grade", 2),
        ),
        (
            ExplainedStep("path @grade", None, "0 nodes"),
            ExplainedStep("blank to NULL", None),
            ExplainedStep("transform trim", None),
            ExplainedStep("lookup grade", 0),
        ),
    ]


def test_the_default_is_a_step(plan_of: PlanOf, run_values: RunValues) -> None:
    first, second = _steps(plan_of(TABLES, HEAD), run_values, "day")
    assert [step.name for step in first] == ["path Day", "blank to NULL", "convert to date", "default"]
    assert (first[-1].value, second[-1].value) == (date(2024, 1, 1), date(2024, 2, 29))


def test_an_invalid_value_shows_the_reason_and_the_result_of_on_invalid(plan_of: PlanOf, run_values: RunValues) -> None:
    steps = _steps(plan_of(TABLES, HEAD), run_values, "amount")[0]
    assert [(step.name, None if step.value is None else str(step.value)) for step in steps] == [
        ("path Amount/@value", "$12.349"),
        ("blank to NULL", "$12.349"),
        ("transform number", "12.349"),
        ("convert to decimal(5,2)", None),
        ("on_invalid truncate", "12.34"),
    ]
    assert steps[3].note.startswith("too_many_decimals: ")


def test_a_value_that_rejects_ends_with_its_reason(plan_of: PlanOf, run_values: RunValues) -> None:
    steps = _steps(plan_of(TABLES, HEAD), run_values, "amount")[1]
    assert steps[-1].name == "transform number"
    assert steps[-1].value is None
    assert steps[-1].note.startswith("not_a_number: ")


def test_inputs_of_an_expression_are_explained_before_it(plan_of: PlanOf, run_values: RunValues) -> None:
    steps = _steps(plan_of(TABLES, HEAD), run_values, "half")[0]
    assert [step.name for step in steps] == [
        "input whole: column amount",
        "input size: path @size",
        "input size: blank to NULL",
        "input size: convert to nvarchar(4000)",
        "expression whole / LEN(size)",
        "convert to decimal(5,2)",
    ]
    assert str(steps[-1].value) == "6.17"


def test_a_path_that_computes_a_value_counts_no_nodes(plan_of: PlanOf, run_values: RunValues) -> None:
    assert _steps(plan_of(TABLES, HEAD), run_values, "lines")[0][0] == ExplainedStep(
        "path count(../Line)", "2", "a value, not nodes"
    )


def test_rows_that_filters_leave_out_are_explained_too(plan_of: PlanOf, run_values: RunValues) -> None:
    document = etree.fromstring(DOCUMENT.replace("none", "1"))
    values = explain(plan_of(TABLES, HEAD), document, "key", run_values, "line", "no")
    assert [(value.positions, value.is_kept) for value in values] == [((1,), True), ((2,), False)]


def test_it_is_unknown_which_rows_are_kept_if_the_table_cannot_be_mapped(
    plan_of: PlanOf, run_values: RunValues
) -> None:
    document = etree.fromstring(DOCUMENT.replace("$12.349", "none"))
    values = explain(plan_of(TABLES, HEAD), document, "key", run_values, "line", "no")
    assert [value.is_kept for value in values] == [None, None]


@pytest.mark.parametrize("number", range(8))
def test_the_last_step_has_the_value_of_the_row(plan_of: PlanOf, run_values: RunValues, number: int) -> None:
    plan = plan_of(TABLES.replace("when: no <> 2", ""), HEAD)
    root = etree.fromstring(DOCUMENT.replace("none", "1"))
    column = plan.tables[1].columns[number].name
    mapped: list[Value] = [row[number] for row in map_document(plan, root, "key", run_values)[1]]
    explained = explain(plan, root, "key", run_values, "line", column)
    assert [value.steps[-1].value for value in explained] == mapped


def test_a_row_below_others_shows_all_their_positions(plan_of: PlanOf, run_values: RunValues) -> None:
    plan = plan_of(
        """
        outer: {rows: Outer, columns: {no: {position: true, key: true}}}
        inner: {parent: outer, rows: Inner, columns: {name: {path: ".", type: varchar(5)}}}
        """
    )
    root = etree.fromstring("<Doc><Outer><Inner>a</Inner></Outer><Outer><Inner>b</Inner><Inner>c</Inner></Outer></Doc>")
    values = explain(plan, root, "key", run_values, "inner", "name")
    assert [(value.positions, value.steps[-1].value) for value in values] == [
        ((1, 1), "a"),
        ((2, 1), "b"),
        ((2, 2), "c"),
    ]


@pytest.mark.parametrize(("table", "column"), [("lines", "no"), ("line", "number")])
def test_an_unknown_table_or_column_is_a_usage_error(
    plan_of: PlanOf, run_values: RunValues, table: str, column: str
) -> None:
    with pytest.raises(UsageError) as caught:
        explain(plan_of(TABLES, HEAD), etree.fromstring(DOCUMENT), "key", run_values, table, column)
    assert "line" in str(caught.value) or "line" in caught.value.tip


def test_an_earlier_table_that_cannot_be_mapped_is_reported(plan_of: PlanOf, run_values: RunValues) -> None:
    with pytest.raises(MappingError) as caught:
        _steps(plan_of(TABLES, HEAD), run_values, "no", DOCUMENT.replace('id="7"', 'id="x"'))
    assert caught.value.failure.column == "id"


def test_rows_within_rows_take_later_columns_of_the_row_that_contains_them(
    plan_of: PlanOf, run_values: RunValues
) -> None:
    plan = plan_of(
        """
        section:
          rows: Section
          recursive: Section
          columns:
            depth: {inputs: {above: {parent: section.depth}}, expression: "ISNULL(above, 0) + 1", type: int}
            within: {parent: section.id}
            id: {path: "@id", type: int, key: true}
        """
    )
    root = etree.fromstring('<Doc><Section id="1"><Section id="2"/></Section></Doc>')

    def last_values(column: str) -> list[Value]:
        return [value.steps[-1].value for value in explain(plan, root, "key", run_values, "section", column)]

    assert last_values("depth") == [1, 2]
    assert last_values("within") == [None, 1]


def test_rows_within_an_equal_row_of_a_tree_are_explained_as_rows_of_the_one_that_stays(
    plan_of: PlanOf, run_values: RunValues
) -> None:
    plan = plan_of(
        """
        section:
          rows: Section
          recursive: Section
          distinct: {by: [title], children: attach}
          columns:
            title: {path: "@title", type: char(1), key: true}
            within: {parent: section.title}
        """
    )
    root = etree.fromstring('<Doc><Section title="a"/><Section title="a"><Section title="b"/></Section></Doc>')
    explained = explain(plan, root, "key", run_values, "section", "within")
    assert [(value.positions, value.is_kept, value.steps[-1].value) for value in explained] == [
        ((1,), True, None),
        ((2,), False, None),
        ((1, 1), True, "a"),
    ]
