"""Several tables of a contract that fill one table of the database, on every target."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.database.binding import bound, read_log
from tests.database.test_loader_guarantees import no_pauses
from xml_extractor.contract.layout import TableLayout, layouts
from xml_extractor.contract.model import Contract
from xml_extractor.contract.reading import read_contract
from xml_extractor.documents import MappedDocument, Outcome, Replaced, Status
from xml_extractor.schema.shared_tables import merged_tables
from xml_extractor.targets.delete_plan import plan_deletion
from xml_extractor.targets.interfaces import TargetConnection
from xml_extractor.targets.loader import Loader, LogIdentity
from xml_extractor.targets.registry import open_target

__all__ = ["no_pauses"]

CONTRACT = read_contract(str(Path("tests/cases/two-tables-fill-one-table-of-the-database/contract.yaml")))
TABLES = layouts(CONTRACT)


def order(number: int, contacts: int = 2, name: str = "Ada", replaced: str = "") -> MappedDocument:
    """A document with a buyer, a supplier, and as many contacts of the supplier."""
    rows = (
        ((number,),),
        ((number, "BUYER", "Bob", "DE1"),),
        ((number, "SUPPLIER", "DE02", name),),
        tuple((number, "SUPPLIER", position, None) for position in range(contacts)),
    )
    return MappedDocument(number, rows, f"{number:032x}", 0.25, Replaced(replaced, "", number) if replaced else None)


def load(
    connection: TargetConnection, *documents: MappedDocument, run: str = "run 1", contract: Contract = CONTRACT
) -> list[Outcome]:
    tables = layouts(contract)
    loader = Loader(connection, tables, LogIdentity("orders", 1, "c0ffee", run), 500, plan_deletion(CONTRACT))
    return loader.load([bound(connection, tables, document) for document in documents])


def parties(connection: TargetConnection) -> list[Any]:
    """The rows of the table that two tables of the contract fill, with all of its columns."""
    (party,) = (table for table in merged_tables(TABLES) if table.table == "party")
    return sorted(connection.read_rows(party), key=repr)


@pytest.fixture
def connection(target_address: str) -> Iterator[TargetConnection]:
    target = open_target(target_address, CONTRACT)
    target.create(TABLES)
    assert target.differences(TABLES) == []
    target.prepare(TABLES)
    with closing(target.connect()) as opened:
        yield opened


def test_a_row_has_null_in_the_columns_that_its_table_of_the_contract_lacks(connection: TargetConnection) -> None:
    outcomes = load(connection, order(1), order(2, contacts=0))
    assert [(outcome.status, outcome.rows) for outcome in outcomes] == [
        (Status.LOADED, (1, 1, 1, 2)),
        (Status.LOADED, (1, 1, 1, 0)),
    ]
    assert parties(connection) == [
        (1, "BUYER", "Bob", "DE1", None),
        (1, "SUPPLIER", "Ada", None, "DE02"),
        (2, "BUYER", "Bob", "DE1", None),
        (2, "SUPPLIER", "Ada", None, "DE02"),
    ]
    assert [entry.row_count for entry in read_log(connection)] == [5, 3]


def test_the_rows_of_a_reprocessed_document_are_replaced_and_its_children_deleted_first(
    connection: TargetConnection,
) -> None:
    load(connection, order(1), order(2))
    again = load(connection, order(1, contacts=1, name="Grace", replaced="run 1"), run="run 2")
    assert [(outcome.status, outcome.rows) for outcome in again] == [(Status.LOADED, (1, 1, 1, 1))]
    assert parties(connection)[:2] == [(1, "BUYER", "Bob", "DE1", None), (1, "SUPPLIER", "Grace", None, "DE02")]
    assert len(parties(connection)) == 4


def test_the_rows_of_both_tables_have_one_key(connection: TargetConnection) -> None:
    bad = order(1)
    bad = bad._replace(rows=(*bad.rows[:2], ((1, "BUYER", "DE02", "Ada"),), ()))
    bad_outcome, good_outcome = load(connection, bad, order(2))
    assert bad_outcome.failure is not None
    assert bad_outcome.failure.reason.startswith("duplicate_key at supplier")
    assert good_outcome.status is Status.LOADED
    assert len(parties(connection)) == 2


@pytest.mark.parametrize("rule", ["keep", "replace"])
def test_conflicts_with_rows_of_the_other_table_follow_the_rule_of_both(
    connection: TargetConnection, rule: str
) -> None:
    tables = {
        name: table.model_copy(update={"on_conflict": rule}) if table.table else table
        for name, table in CONTRACT.tables.items()
    }
    contract = CONTRACT.model_copy(update={"tables": tables})
    document = order(1, contacts=0)
    document = document._replace(rows=(*document.rows[:2], ((1, "BUYER", "DE02", "Ada"),), ()))
    (outcome,) = load(connection, document, contract=contract)
    assert outcome.rows == (1, 1, 0, 0)
    kinds = ["kept", "disagreed"] if rule == "keep" else ["replaced"]
    assert sorted(outcome.counts) == sorted((("supplier", "", kind), 1) for kind in kinds)
    expected = (1, "BUYER", "Bob", "DE1", None) if rule == "keep" else (1, "BUYER", "Ada", "DE1", "DE02")
    assert parties(connection) == [expected]


def foreign_keys(tables: tuple[TableLayout, ...]) -> dict[str, list[tuple[str, ...]]]:
    return {table.table: [key.columns for key in table.foreign_keys] for table in tables}


def test_only_foreign_keys_that_both_tables_declare_are_made() -> None:
    assert foreign_keys(merged_tables(TABLES))["party"] == [("order_id",)]
    columns = CONTRACT.tables["supplier"].columns
    own_key = columns | {"order_id": columns["order_id"].model_copy(update={"parent": None, "run": "document_key"})}
    tables = CONTRACT.tables | {"supplier": CONTRACT.tables["supplier"].model_copy(update={"columns": own_key})}
    changed = layouts(CONTRACT.model_copy(update={"tables": tables}))
    assert foreign_keys(changed)["party"] == []
    assert foreign_keys(merged_tables(changed)) == {"orders": [], "party": [], "contact": [("order_id", "role")]}
