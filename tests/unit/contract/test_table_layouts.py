"""What a contract says of its columns without a document: its own values, and whether NULL can come."""

from decimal import Decimal

import pytest

from xml_extractor.contract.layout import ColumnLayout, TableLayout, layouts
from xml_extractor.contract.reading import check_text
from xml_extractor.documents import Value

CONTRACT = """
contract: orders
version: 1
document: {{root: Order, key: "@id", key_type: int}}
lookups:
  state: {{OPEN: 1, SHIPPED: 2, SENT: 2}}
  color: {{values: {{R: red, G: green}}, blank: none, unknown: other}}
  size: {{values: {{S: "1", L: "2.5"}}, blank: "0"}}
  maybe: {{values: {{Y: "yes"}}, blank: "no", unknown: null}}
tables:
  customer_order:
    rows: [{{path: ".", set: {{kind: A}}}}, {{path: Line, set: {{kind: B}}}}]
    columns:
      order_id: {{path: "@id", type: int, key: true}}
      note: {{path: Note, type: varchar(10)}}
      sure: {{path: Sure, type: varchar(10), required: true}}
      kind: {{set: true, type: char(3)}}
      probe: {{{rule}}}
"""


def table(rule: str) -> TableLayout:
    contract, faults = check_text("orders.yaml", CONTRACT.format(rule=rule))
    assert contract is not None, [str(fault) for fault in faults]
    return layouts(contract)[0]


def probe(rule: str) -> ColumnLayout:
    return next(column for column in table(rule).columns if column.name == "probe")


CONSTANTS: list[tuple[str, tuple[Value, ...]]] = [
    ("path: State, type: tinyint, lookup: state", (1, 2)),
    ("path: State, type: tinyint, transform: [{lookup: state}]", (1, 2)),
    ("path: State, type: tinyint, lookup: state, default: 9", (1, 2, 9)),
    ("path: Color, type: char(5), lookup: color", ("red  ", "green", "none ", "other")),
    ('path: Size, type: "decimal(5,2)", lookup: size', (Decimal("1.00"), Decimal("2.50"), Decimal("0.00"))),
    ("path: Color, type: varchar(9), transform: [{lookup: color}, upper]", ()),
    ("path: Note, type: varchar(9), default: none", ("none",)),
    ("value: 7, type: smallint", (7,)),
    ("path: Note, type: varchar(9)", ()),
    ("run: load_time", ()),
]


@pytest.mark.parametrize(("rule", "constants"), CONSTANTS)
def test_values_of_the_contract_itself_are_known_as_the_column_holds_them(
    rule: str, constants: tuple[Value, ...]
) -> None:
    assert probe(rule).constants == constants


def test_constants_of_row_rules_are_values_of_their_column() -> None:
    kind = next(column for column in table("run: run_id").columns if column.name == "kind")
    assert (kind.constants, kind.can_be_null) == (("A  ", "B  "), False)


NEVER_NULL = [
    "path: Note, type: int, required: true",
    "path: Note, type: int, default: 1",
    "path: Note, type: int, default: 1, on_invalid: default",
    "value: 7, type: smallint",
    "run: source_key",
    "position: true",
    "derived: true, type: bigint",
    "path: Color, type: varchar(9), lookup: color",
    "path: Size, type: varchar(9), lookup: size",
]
SOMETIMES_NULL = [
    "path: Note, type: int",
    "path: Note, type: int, default: 1, on_invalid: 'null'",
    "path: State, type: tinyint, lookup: state",
    "path: Sure, type: varchar(9), lookup: maybe",
    "run: source_name, type: varchar(9), transform: [digits]",
    "type: int, inputs: {a: Note}, expression: LEN(a)",
]


@pytest.mark.parametrize("rule", NEVER_NULL)
def test_a_column_that_always_has_a_value_is_known(rule: str) -> None:
    assert not probe(rule).can_be_null


@pytest.mark.parametrize("rule", SOMETIMES_NULL)
def test_a_column_that_may_be_null_is_known(rule: str) -> None:
    assert probe(rule).can_be_null


CHILD = """
  line:
    parent: customer_order
    rows: Line
    columns:
      probe: {{parent: customer_order.{column}}}
"""


@pytest.mark.parametrize(
    ("column", "can_be_null"), [("order_id", False), ("note", True), ("sure", False), ("kind", False)]
)
def test_a_column_of_the_parent_row_is_null_where_that_is(column: str, *, can_be_null: bool) -> None:
    contract, _ = check_text("orders.yaml", CONTRACT.format(rule="run: run_id") + CHILD.format(column=column))
    assert contract is not None
    assert layouts(contract)[1].columns[0].can_be_null is can_be_null
