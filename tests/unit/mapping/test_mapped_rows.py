"""Row rules and filters in combinations that the golden cases leave out."""

import gc
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from xml_extractor.contract.reading import check_text
from xml_extractor.documents import Row, RunValues
from xml_extractor.mapping import MappingError, Plan, compile_plan, map_document
from xml_extractor.mapping.plan import DocumentScope

PlanOf = Callable[..., Plan]
RUN_TIME = datetime(2024, 2, 29)  # noqa: DTZ001 - the clock of a run is UTC without a zone

CONTRACT = """
contract: sample
version: 1
document: {root: Doc}
tables:
  item:
    rows: [{path: "A"}, {path: "B"}]
    when: amount > 1
    at_least_one: [code, note]
    distinct: {by: [code], keep: KEEP}
    columns:
      no: {position: true, key: true}
      code: {path: "@code", type: varchar(5)}
      note: {path: "@note", type: varchar(5)}
      amount: {path: "@amount", type: int}
"""

items = st.lists(
    st.tuples(
        st.sampled_from(["A", "B", "C"]),
        st.sampled_from([None, "", "x", "y"]),
        st.sampled_from([None, "n"]),
        st.sampled_from([None, 1, 2, 3]),
    ),
    max_size=12,
)


def _plan(keep: str) -> Plan:
    contract, faults = check_text("sample.yaml", CONTRACT.replace("KEEP", keep))
    assert contract is not None, faults
    return compile_plan(contract)


PLANS = {keep: _plan(keep) for keep in ("first", "last")}


def _expected(found: list[tuple[str, str | None, str | None, int | None]], keep: str) -> list[Row]:
    in_order = [item for item in found if item[0] == "A"] + [item for item in found if item[0] == "B"]
    rows = [(number, code or None, note, amount) for number, (_, code, note, amount) in enumerate(in_order, 1)]
    rows = [row for row in rows if (row[1] or row[2]) and row[3] is not None and row[3] > 1]
    codes = [row[1] for row in rows]
    if keep == "first":
        return [row for index, row in enumerate(rows) if row[1] not in codes[:index]]
    return [row for index, row in enumerate(rows) if row[1] not in codes[index + 1 :]]


@settings(max_examples=200)
@given(items, st.sampled_from(["first", "last"]))
def test_filters_apply_in_their_order(found: list[tuple[str, str | None, str | None, int | None]], keep: str) -> None:
    root = etree.Element("Doc")
    for tag, code, note, amount in found:
        values = {"code": code, "note": note, "amount": None if amount is None else str(amount)}
        etree.SubElement(root, tag, {name: value for name, value in values.items() if value is not None})
    run = RunValues("run-1", RUN_TIME, "unit tests")
    (rows,) = map_document(PLANS[keep], root, 1, run)
    assert list(rows) == _expected(found, keep)


def test_mapping_keeps_nothing_of_a_document(plan_of: PlanOf, run_values: RunValues) -> None:
    plan = plan_of('doc: {rows: ".", columns: {first: {path: "A/@x", type: int}, second: {path: "A/@y", type: int}}}')
    one, two = etree.fromstring("<Doc><A x='1' y='2'/></Doc>"), etree.fromstring("<Doc><A x='3'/></Doc>")
    for _ in range(2):
        assert map_document(plan, one, 1, run_values) == (((1, 2),),)
        assert map_document(plan, two, 2, run_values) == (((3, None),),)


def test_mapping_leaves_the_document_as_it_is(plan_of: PlanOf, run_values: RunValues) -> None:
    plan = plan_of('doc: {rows: "A", columns: {markup: {path: ".", type: xml}, x: {path: "@x", type: int}}}')
    root = etree.fromstring("<Doc><A x='1'>text</A>tail</Doc>")
    before = etree.tostring(root)
    map_document(plan, root, 1, run_values)
    assert etree.tostring(root) == before


@pytest.mark.parametrize("amount", ["5", "many"])
def test_a_document_is_freed_once_it_is_mapped_or_rejected(plan_of: PlanOf, run_values: RunValues, amount: str) -> None:
    plan = plan_of(
        """
        doc: {rows: ".", columns: {id: {path: "@id", type: int}}}
        item: {rows: "A", columns: {amount: {path: "@amount", type: int}}}
        """
    )
    root = etree.fromstring(f"<Doc id='1'><A amount='{amount}'/></Doc>")
    gc.collect()
    gc.disable()
    try:
        with suppress(MappingError):
            map_document(plan, root, 1, run_values)
        assert not [found for found in gc.get_objects() if isinstance(found, DocumentScope)]
    finally:
        gc.enable()
