"""Derived keys: equal for the same row of the same document, different for all others."""

from collections.abc import Callable
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from xml_extractor.documents import RunValues, Value
from xml_extractor.mapping import Plan, map_document
from xml_extractor.mapping.origins import derived_origin
from xml_extractor.mapping.plan import DocumentScope, RowScope
from xml_extractor.values.sqltypes import parse_type

PlanOf = Callable[..., Plan]
RUN_TIME = datetime(2024, 2, 29)  # noqa: DTZ001 - the clock of a run is UTC without a zone

TABLES = """
outer:
  rows: Outer
  columns:
    outer_id: {derived: true, type: bigint, key: true}
inner:
  parent: outer
  rows: [{path: Inner}, {path: Other}]
  columns:
    inner_id: {derived: true, type: TYPE, key: true}
    outer_id: {parent: outer.outer_id}
"""
HEAD = 'document: {root: Doc, key: "@id"}'
DOCUMENT = "<Doc id='1'><Outer><Inner/><Inner/><Other/></Outer><Outer><Inner/><Other/></Outer></Doc>"


def _keys(plan: Plan, run: RunValues, document: str = DOCUMENT) -> list[list[Value]]:
    tables = map_document(plan, etree.fromstring(document), "source", run)
    return [[row[0] for row in rows] for rows in tables]


def _tables(sql_type: str) -> str:
    return TABLES.replace("TYPE", f'"{sql_type}"')


@pytest.mark.parametrize("sql_type", ["bigint", "uniqueidentifier", "binary(16)", "varbinary(16)", "char(32)"])
def test_all_rows_of_a_document_have_keys_of_their_own(plan_of: PlanOf, run_values: RunValues, sql_type: str) -> None:
    outer, inner = _keys(plan_of(_tables(sql_type), HEAD), run_values)
    assert (len(set(outer)), len(set(inner))) == (2, 5)


@pytest.mark.parametrize(
    ("sql_type", "key"),
    [
        ("bigint", 2239649723593276995),
        ("uniqueidentifier", "3E29AB1D-6828-7C87-3689-7D764F0F90FB"),
        ("binary(16)", bytes.fromhex("3e29ab1d68287c8736897d764f0f90fb")),
        ("varchar(32)", "3e29ab1d68287c8736897d764f0f90fb"),
    ],
)
def test_a_key_never_changes_between_versions(
    plan_of: PlanOf, run_values: RunValues, sql_type: str, key: Value
) -> None:
    _, inner = _keys(plan_of(_tables(sql_type), HEAD), run_values)
    assert inner[0] == key


def test_another_run_gives_the_same_keys(plan_of: PlanOf, run_values: RunValues) -> None:
    later = RunValues("run-2", run_values.load_time.replace(year=2028), "another source")
    assert _keys(plan_of(_tables("bigint"), HEAD), later) == _keys(plan_of(_tables("bigint"), HEAD), run_values)


def test_other_content_of_the_document_changes_no_key(plan_of: PlanOf, run_values: RunValues) -> None:
    plan = plan_of(_tables("bigint"), HEAD)
    changed = DOCUMENT.replace("<Inner/>", "<Inner new='yes'>text</Inner>").replace("<Outer>", "<New/><Outer>")
    assert _keys(plan, run_values, changed) == _keys(plan, run_values)


@pytest.mark.parametrize(
    ("tables", "head", "name", "document"),
    [
        (TABLES, HEAD, "sample", DOCUMENT.replace("id='1'", "id='2'")),
        (TABLES, HEAD, "another", DOCUMENT),
        (TABLES.replace("inner:", "renamed:"), HEAD, "sample", DOCUMENT),
        (TABLES.replace("path: Inner", "path: ./Inner"), HEAD, "sample", DOCUMENT),
    ],
    ids=["document key", "contract", "table", "path of the row rule"],
)
def test_another_identity_is_another_key(
    plan_of: PlanOf, run_values: RunValues, tables: str, head: str, name: str, document: str
) -> None:
    _, inner = _keys(plan_of(_tables("bigint"), HEAD), run_values)
    _, others = _keys(plan_of(tables.replace("TYPE", "bigint"), head, name), run_values, document)
    assert inner[0] not in others


@given(
    key=st.one_of(st.integers(), st.text()),
    positions=st.lists(st.integers(min_value=1), min_size=1, max_size=4),
)
def test_a_bigint_key_is_never_negative(key: int | str, positions: list[int]) -> None:
    element = etree.Element("Doc")
    document = DocumentScope(element, key, (), RUN_TIME, [])
    row: RowScope | None = None
    for position in positions:
        row = RowScope(document, row, element, element, 0, position, [])
    assert row is not None
    derived = derived_origin(parse_type("bigint"), "contract", "table", ("path",)).read(row)
    assert isinstance(derived, int)
    assert 0 <= derived < 2**63
