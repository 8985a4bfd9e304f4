"""The origins of columns: XPaths from the root of a document."""

from pathlib import Path

import pytest

from xml_extractor.contract.lineage import ColumnOrigin, Lineage, joined, short
from xml_extractor.contract.reading import check_text, read_contract, shipped_contracts
from xml_extractor.contract.xpath import parse_xpath

CASES = sorted((Path(__file__).parents[2] / "cases").glob("*/contract.yaml"))

CONTRACT = """
contract: shop
version: 1
document: {root: shop, key: "@id", records: sale}
namespaces: {re: "http://exslt.org/regular-expressions"}
lookups: {kinds: {A: 1}}
keys: {people: {match: person, use: "@id"}}
tables:
  sale:
    rows: "."
    base: body
    nodes: {head: header, title: $head/title}
    columns:
      sale_id: {run: document_key, key: true}
      shop: {path: /shop/@name, type: int}
      title: {path: $title, type: varchar(9)}
      kind: {path: "@kind", type: int, lookup: kinds}
      words: {path: "concat(a, ' ', b[@x = 'child::y']/c)", type: varchar(9)}
      total: {path: "sum(line/@price)", type: int}
      buyer: {path: "key('people', @buyer)/name", type: varchar(9)}
      both: {path: "a | ../b", type: varchar(9)}
      price: {type: int, inputs: {net: "@net", kind: {column: kind}}, expression: net + kind}
      fixed: {value: 1, type: int}
      run: {run: run_id}
  line:
    parent: sale
    rows: ["$head//line", {path: body/line, set: {}}]
    columns:
      sale_id: {parent: sale.sale_id, key: true}
      line_no: {position: true, key: true}
      names: {path: name, each: "@lang", select: join, separator: ",", type: varchar(9)}
"""


def identity(*paths: str) -> list[ColumnOrigin]:
    return [ColumnOrigin(path, "IDENTITY") for path in paths]


def transformation(*paths: str) -> list[ColumnOrigin]:
    return [ColumnOrigin(path, "TRANSFORMATION") for path in paths]


@pytest.fixture(scope="module")
def lineage() -> Lineage:
    contract, faults = check_text("shop.yaml", CONTRACT)
    assert contract is not None, faults
    return Lineage(contract)


@pytest.mark.parametrize(
    ("column", "origins"),
    [
        ("sale_id", identity("/shop/sale/@id")),
        ("shop", identity("/shop/@name")),
        ("title", identity("/shop/sale/header/title")),
        ("kind", transformation("/shop/sale/body/@kind")),
        ("words", transformation("/shop/sale/body/a", "/shop/sale/body/b[@x = 'child::y']/c")),
        ("total", [ColumnOrigin("/shop/sale/body/line/@price", "AGGREGATION")]),
        ("buyer", identity("//person/name")),
        ("both", transformation("/shop/sale/body/a", "/shop/sale/body/../b")),
        ("price", transformation("/shop/sale/body/@net", "/shop/sale/body/@kind")),
        ("fixed", []),
        ("run", []),
    ],
)
def test_a_column_has_the_paths_that_its_value_comes_from(
    column: str, origins: list[ColumnOrigin], lineage: Lineage
) -> None:
    assert lineage.origins("sale", column) == origins


def test_rows_of_child_tables_start_at_their_parents_and_at_named_nodes(lineage: Lineage) -> None:
    rows = ["/shop/sale/header//line", "/shop/sale/body/line"]
    assert lineage.rows("line") == rows
    assert lineage.origins("line", "sale_id") == identity("/shop/sale/@id")
    assert lineage.origins("line", "line_no") == transformation(*rows)
    assert lineage.origins("line", "names") == [ColumnOrigin(f"{row}/name/@lang", "AGGREGATION") for row in rows]


@pytest.mark.parametrize(
    ("start", "path", "expected"),
    [
        ("/a", ".", "/a"),
        ("/a", "b", "/a/b"),
        ("/a", "./b", "/a/b"),
        ("/a", ".//b", "/a//b"),
        ("/a", "../b", "/a/../b"),
        ("/a", "//b", "//b"),
        ("/a", "/b", "/b"),
    ],
)
def test_paths_are_joined(start: str, path: str, expected: str) -> None:
    assert joined(start, path) == expected


def test_axes_are_abbreviated_but_not_in_quotes() -> None:
    assert short("child::a/attribute::b[. = 'attribute::b']") == "a/@b[. = 'attribute::b']"


@pytest.mark.parametrize("contract", [*CASES, *shipped_contracts()], ids=str)
def test_each_contract_has_origins_that_are_xpaths(contract: Path | str) -> None:
    checked = read_contract(str(contract))
    lineage = Lineage(checked)
    for name, table in checked.tables.items():
        origins = [origin for column in table.columns for origin in lineage.origins(name, column)]
        for path in (*lineage.rows(name), *(origin.path for origin in origins)):
            assert path.startswith("/")
            parse_xpath(path)
