"""Hashes of tables compare runs: same rows, same hash, whatever the order and the way they were loaded."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from tests.database.binding import insert_rows
from tests.database.demo_tables import LINES, NOTES, ORDERS, TABLES, loader_of, order, unreadable_order
from tests.table_hashes import table_hashes
from xml_extractor.documents import ProcessedDocument
from xml_extractor.targets.interfaces import Target, TargetConnection

DOCUMENTS: list[ProcessedDocument] = [*(order(number) for number in range(20)), unreadable_order(20)]


def hashes_after(
    connection: TargetConnection, *batches: list[ProcessedDocument], run_id: str = "run 1"
) -> dict[str, str]:
    loader = loader_of(connection, run_id=run_id)
    for batch in batches:
        loader.load(batch)
    return table_hashes(connection, TABLES)


@pytest.fixture
def reference(connection: TargetConnection) -> dict[str, str]:
    """Hashes after the documents were loaded as one batch."""
    return hashes_after(connection, DOCUMENTS)


@pytest.fixture
def other(new_target: Callable[[], Target]) -> Iterator[TargetConnection]:
    """A connection to another target."""
    with closing(new_target().connect()) as opened:
        yield opened


def test_there_is_a_hash_for_each_table_and_the_log(reference: dict[str, str]) -> None:
    assert set(reference) == {"processing_log", "orders", "lines", "notes"}
    assert len(set(reference.values())) == 4


def test_order_batches_and_run_do_not_change_hashes(reference: dict[str, str], other: TargetConnection) -> None:
    backwards = [[document] for document in reversed(DOCUMENTS)]
    assert hashes_after(other, *backwards, run_id="run 2") == reference


def test_keys_made_by_the_database_do_not_count(connection: TargetConnection, other: TargetConnection) -> None:
    for opened, texts in ((connection, ("a", "b")), (other, ("b", "a"))):
        with opened.transaction():
            insert_rows(opened, ORDERS, [(1, "Ada")])
            insert_rows(opened, NOTES, [(1, text) for text in texts])
    assert table_hashes(connection, TABLES) == table_hashes(other, TABLES)


@pytest.mark.parametrize(
    ("document", "changed"),
    [
        (order(20), {"processing_log", "orders", "lines", "notes"}),
        (unreadable_order(21), {"processing_log"}),
        (order(20, lines=0), {"processing_log", "orders", "notes"}),
    ],
)
def test_one_more_document_changes_the_hashes_of_its_tables(
    reference: dict[str, str], other: TargetConnection, document: ProcessedDocument, changed: set[str]
) -> None:
    without_last = DOCUMENTS[:-1]
    after = hashes_after(other, without_last, [document])
    assert {table for table in reference if after[table] != reference[table]} == changed


def test_one_value_changes_the_hash_of_its_table(reference: dict[str, str], other: TargetConnection) -> None:
    after = hashes_after(other, [*DOCUMENTS[:5], order(5, article="ink"), *DOCUMENTS[6:]])
    assert {table for table in reference if after[table] != reference[table]} == {"lines"}


def test_equal_rows_count_as_often_as_they_are_there(connection: TargetConnection, other: TargetConnection) -> None:
    for opened, copies in ((connection, 2), (other, 4)):
        with opened.transaction():
            insert_rows(opened, ORDERS, [(1, "Ada")])
            insert_rows(opened, NOTES, [(1, "same")] * copies)
    assert table_hashes(connection, [NOTES])["notes"] != table_hashes(other, [NOTES])["notes"]


def test_null_and_text_have_different_hashes(connection: TargetConnection, other: TargetConnection) -> None:
    for opened, text in ((connection, None), (other, "None")):
        with opened.transaction():
            insert_rows(opened, ORDERS, [(1, text)])
    assert table_hashes(connection, [ORDERS])["orders"] != table_hashes(other, [ORDERS])["orders"]


def test_columns_can_be_left_out(
    reference: dict[str, str], connection: TargetConnection, other: TargetConnection
) -> None:
    hashes_after(other, [*DOCUMENTS[:5], order(5, article="ink"), *DOCUMENTS[6:]])
    ignore = {"lines.article"}
    assert table_hashes(other, TABLES, ignore) == table_hashes(connection, TABLES, ignore)
    assert table_hashes(connection, TABLES, ignore)["lines"] != reference["lines"]


def test_tables_are_called_by_their_names_in_the_contract(connection: TargetConnection) -> None:
    assert set(table_hashes(connection, [replace(LINES, name="rows_of_orders")])) == {
        "processing_log",
        "rows_of_orders",
    }
