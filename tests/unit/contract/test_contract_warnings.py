"""Warnings about contracts that have no fault."""

from pathlib import Path

import pytest

from xml_extractor.contract.model import Contract
from xml_extractor.contract.reading import check_text, read_contract
from xml_extractor.contract.warnings import warnings

ORDERS = """
contract: orders
version: 1
document: {{root: Order{document}}}
source: {{where: "{where}"}}
tables:
  ord:
    rows: "."
    on_conflict: {conflict}
    columns:
      order_id: {{{key}, key: true}}
  line:
    rows: Line
    on_conflict: {conflict}
    columns:
      order_id: {{parent: ord.order_id, key: true}}
      line_no: {{position: true, key: true}}
"""


def contract(
    key: str = 'path: "@no", type: int', conflict: str = "fail", where: str = "x = 1", document: str = ""
) -> Contract:
    checked, faults = check_text(
        "orders.yaml", ORDERS.format(key=key, conflict=conflict, where=where, document=document)
    )
    assert checked is not None, faults
    return checked


def test_documents_that_may_replace_each_others_rows_in_any_order_are_reported() -> None:
    found = list(warnings(contract(conflict="replace")))
    assert [warning.split(":")[1].strip() for warning in found] == ["tables.ord", "tables.line"]
    assert all("replace each other's rows in an undefined order" in warning for warning in found)


def test_documents_that_may_disagree_about_a_row_that_they_share_are_reported() -> None:
    shared = contract(conflict="keep")
    columns = {
        **shared.tables["ord"].columns,
        "name": shared.tables["ord"].columns["order_id"].model_copy(update={"key": False}),
    }
    tables = {**shared.tables, "ord": shared.tables["ord"].model_copy(update={"columns": columns})}
    found = list(warnings(shared.model_copy(update={"tables": tables})))
    assert [note.partition(": where")[0] for note in found] == ["note: tables.ord"]


def test_revisions_replace_each_other_in_a_defined_order() -> None:
    key = ', key: "@no", revision: {of: "@no", order: source}'
    assert list(warnings(contract(conflict="replace", document=key))) == []


@pytest.mark.parametrize(
    ("key", "conflict", "document", "tables"),
    [
        ('path: "@no", type: int', "keep", ', key: "@no"', 0),
        ('path: "@no", type: int', "fail", "", 0),
        ("run: source_key", "replace", "", 0),
        ("run: document_key", "replace", "", 0),
        ("run: document_key", "replace", ', key: "@no"', 2),
        ("run: source_key, transform: [upper]", "replace", "", 2),
    ],
)
def test_a_key_that_no_two_documents_share_is_not_reported(key: str, conflict: str, document: str, tables: int) -> None:
    assert len(list(warnings(contract(key, conflict, document=document)))) == tables


@pytest.mark.parametrize(
    ("where", "columns"),
    [
        ("app_id IN (SELECT app_id FROM ready)", "app_id"),
        ("app_id IN (SELECT r.id FROM ready AS r WHERE open = 1 AND state = 2)", "open, state"),
        ("app_id IN (SELECT r.id FROM ready AS r)", ""),
        ("EXISTS (SELECT * FROM ready WHERE ready.id = app_xml.app_id)", ""),
        ("state = 1 AND app_id > 5", ""),
    ],
)
def test_columns_without_a_table_in_subqueries_of_the_source_are_reported(where: str, columns: str) -> None:
    found = list(warnings(contract(where=where)))
    assert [warning.partition("a table: ")[2].partition(";")[0] for warning in found] == ([columns] if columns else [])


WEATHER = """
contract: weather
version: 1
namespaces: {{w: {namespace}}}
document: {{root: "w:Report"}}
tables:
  report:
    rows: "."
    columns:
      source: {{run: source_key, key: true}}
      wind: {{path: "{wind}", type: "decimal(5,2)"}}
      gust: {{path: "{gust}", type: "decimal(5,2)"}}
      state: {{path: "w:State", type: varchar(9)}}
  reading:
    rows: {rows}
    columns:
      source: {{run: source_key, key: true}}
      at: {{path: "@at", type: date, key: true}}
"""


def doubts(
    wind: str = "w:Wind/@speed",
    gust: str = "w:Wind/@gust",
    rows: str = '"w:Reading"',
    namespace: str = '"urn:example:weather"',
) -> list[str]:
    checked, faults = check_text("weather.yaml", WEATHER.format(wind=wind, gust=gust, rows=rows, namespace=namespace))
    assert checked is not None, faults
    return list(warnings(checked))


def test_names_that_are_probably_wrong_are_reported_where_the_contract_shows_it() -> None:
    assert doubts() == []
    (prefix,) = doubts(rows="Reading")
    assert prefix == (
        "warning: tables.reading.rows: Reading finds only elements without a namespace; "
        "write a prefix, as in w:Wind, if it has one"
    )
    (case,) = doubts(gust="w:Wind/@Speed")
    assert case.startswith(
        "warning: tables.report.columns.gust: @Speed is nearly @speed (tables.report.columns.wind); "
    )
    (order,) = doubts(wind="w:Wnid/@speed")
    assert order.startswith(
        "warning: tables.report.columns.gust: w:Wind is nearly w:Wnid (tables.report.columns.wind); "
    )


@pytest.mark.parametrize(
    "written",
    [
        {"rows": "Reading", "namespace": '["urn:example:weather", ""]'},
        {"wind": "w:Line1", "gust": "w:Line2"},
        {"wind": "w:Form", "gust": "@Form"},
        {"wind": "w:North", "gust": "w:Thorn"},
        {"rows": '"*"'},
    ],
)
def test_names_that_may_well_be_right_are_not_reported(written: dict[str, str]) -> None:
    assert doubts(**written) == []


PARTS = """
contract: orders
version: 1
namespaces: {{o: "urn:orders"}}
document: {{root: "{root}", key: "@id", key_type: int}}
tables:
  orders:
    rows: "."
    columns:
      id: {{run: document_key, key: true}}
      name: {{path: "{name}", type: "{type}"}}
  line:
    parent: orders
    rows: "{rows}"
    columns:
      line_id: {{derived: true, type: bigint, key: true}}
      link: {{{link}}}
      qty: {{path: "{qty}", type: int}}
  part:
    parent: line
    rows: Part
    columns:
      link: {{{part}}}
"""


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ""),
        (
            {"root": "o:Order"},
            "tables.orders.columns.name: Name finds only elements without a namespace, but the root o:",
        ),
        (
            {"root": "o:Order", "name": "o:Name", "rows": "o:Line", "part": "parent: line.line_id"},
            "tables.part.rows: Part finds only",
        ),
        (
            {"type": "varchar"},
            "tables.orders.columns.name: varchar without a length is varchar(1); write the length, such as",
        ),
        ({"type": "nvarchar"}, "tables.orders.columns.name: nvarchar without a length is nvarchar(1)"),
        ({"type": "decimal"}, "tables.orders.columns.name: decimal without a scale is decimal(18,0); write precision"),
        ({"type": "varchar(1)"}, ""),
        ({"type": "varchar(max)"}, ""),
        ({"type": "decimal(18)"}, ""),
        ({"type": "char"}, ""),
        ({"type": "datetime2"}, ""),
        ({"link": "run: document_key"}, ""),
        ({"link": "path: '../@id', type: int"}, ""),
        (
            {"link": "path: '@no', type: int"},
            "tables.line: no column says to which row of orders a row belongs; add a column",
        ),
        ({"part": "run: document_key"}, "tables.part: no column says to which row of line a row belongs"),
        ({"part": "path: '@no', type: int"}, "tables.part: no column says to which row of line a row belongs"),
        ({"part": "inputs: {a: {parent: line.line_id}}, expression: a, type: bigint"}, ""),
        (
            {"rows": "Order/Line"},
            "tables.line.rows: the path starts at an element Order and looks for another one in it",
        ),
        ({"name": "Order/Name"}, "tables.orders.columns.name: the path starts at an element Order"),
        ({"name": "/Order/Name"}, ""),
        ({"qty": "Line/@qty"}, "tables.line.columns.qty: the path starts at an element Line"),
        (
            {"qty": "Line/@qty", "rows": "Lines/Line | Line"},
            "tables.line.columns.qty: the path starts at an element Line",
        ),
        ({"qty": "self::Line/@qty"}, ""),
        ({"qty": "@Line"}, ""),
    ],
)
def test_what_the_contract_alone_reveals_is_a_warning_with_a_hint(change: dict[str, str], expected: str) -> None:
    given = {
        "root": "Order",
        "name": "Name",
        "type": "nvarchar(20)",
        "rows": "Line",
        "link": "parent: orders.id",
        "qty": "@qty",
        "part": "parent: line.line_id",
    }
    checked, faults = check_text("orders.yaml", PARTS.format(**given | change))
    assert checked is not None, faults
    found = list(warnings(checked))
    assert len(found) == bool(expected), found
    assert not expected or expected.rsplit("|", maxsplit=1)[-1] in found[0]


def test_shipped_contracts_and_golden_cases_give_no_false_alarm() -> None:
    root = Path(__file__).parents[3]
    files = [*root.glob("tests/cases/*/contract.yaml"), *root.glob("xml_extractor/contracts/*.yaml")]
    found = {file.parent.name for file in files for _ in warnings(read_contract(str(file)))}
    assert found == {
        "on-conflict-keep-is-left-to-the-target",
        "on-conflict-replace-is-left-to-the-target",
        # What these show is what the warnings are about.
        "children-of-an-attribute-row-start-at-the-attribute",
        "default-namespace-needs-a-prefix-in-paths",
    }
