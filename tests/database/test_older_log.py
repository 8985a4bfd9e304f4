"""A processing log that an earlier version created: it lacks columns, which `init` adds. Its rows stay as they are."""

import sqlite3
from contextlib import closing

import pytest

from tests import sqlserver
from tests.database.binding import read_log
from tests.database.demo_tables import CONTRACT, TABLES, loader_of, order, order_ids, unreadable_order
from xml_extractor.documents import Counted, Status
from xml_extractor.errors import TargetError
from xml_extractor.processing_log.log_table import ADDED_COLUMNS, RejectSelection
from xml_extractor.processing_log.own_tables import history_table
from xml_extractor.schema.model import Severity
from xml_extractor.targets.interfaces import Target
from xml_extractor.targets.registry import open_processing_log, open_target
from xml_extractor.urls import parse_url

ADDED = [column.name for column in ADDED_COLUMNS]


def alter(address: str, statement: str) -> None:
    if address.startswith("sqlite"):
        with closing(sqlite3.connect(str(parse_url(address).database), isolation_level=None)) as database:
            database.execute(statement.format(""))
        return
    sqlserver.administrator().execute(statement.format(f"{sqlserver.schema_of(address)}.")).close()


@pytest.fixture
def old_target(target_address: str) -> Target:
    """A target with a loaded document, a rejected one, and the log of an earlier version."""
    target = open_target(target_address, CONTRACT)
    target.create(TABLES)
    with closing(target.connect()) as connection:
        loader_of(connection).load([order(1), unreadable_order(2)])
    for name in ADDED:
        alter(target_address, f"ALTER TABLE {{}}processing_log DROP COLUMN {name}")
    alter(target_address, f"DROP TABLE {{}}{history_table(target.log_table).table}")
    return target


def missing(target: Target) -> set[str]:
    return {each.column for each in target.differences(TABLES) if each.severity is Severity.ERROR}


@pytest.mark.parametrize("there", [0, 2, 4], ids=["none", "some", "most"])
def test_missing_columns_are_added_and_rows_stay(old_target: Target, target_address: str, there: int) -> None:
    for column in ADDED_COLUMNS[:there]:
        alter(target_address, f"ALTER TABLE {{}}processing_log ADD {column.name} {column.type}")
    for _ in range(2):
        old_target.create(TABLES)
        assert missing(old_target) == set()
    old_target.prepare(TABLES)
    with closing(old_target.connect()) as connection:
        loader = loader_of(connection, run_id="run 2")
        counted = order(3)._replace(counts=((("orders", "customer", Counted.TRUNCATED), 4),))
        outcomes = loader.load([order(1), counted, unreadable_order(4)])
        assert [outcome.status for outcome in outcomes] == [Status.ALREADY_DONE, Status.LOADED, Status.REJECTED]
        log = {entry.document_key: entry for entry in read_log(connection)}
        assert order_ids(connection) == [1, 3]
    assert [log["1"].tolerated_count, log["3"].tolerated_count, log["4"].tolerated_count] == [None, 4, None]
    assert (log["1"].counts, log["3"].counts) == (None, "orders.customer truncated=4")
    assert (log["1"].run_id, log["1"].row_count) == ("run 1", 4)


def test_without_them_the_log_can_be_read_and_retried_but_not_loaded_into(
    old_target: Target, target_address: str
) -> None:
    if target_address.startswith("sqlite"):
        pytest.skip("a run adds them itself")
    assert missing(old_target) >= set(ADDED)
    with pytest.raises(TargetError, match="kept_count"):
        old_target.prepare(TABLES)
    with open_processing_log(old_target) as log:
        assert {count.status: count.documents for count in log.counts("orders")} == {"loaded": 1, "rejected": 1}
        (rejected,) = log.rejected(RejectSelection("orders"))
        assert (rejected.document_key, rejected.counts) == ("2", None)
        assert log.retry(RejectSelection("orders"), 5) == (1, 0)


def test_a_table_of_another_program_is_not_altered(target_address: str) -> None:
    alter(target_address, "CREATE TABLE {}processing_log (id int NOT NULL PRIMARY KEY, content varchar(9))")
    target = open_target(target_address, CONTRACT)
    try:
        target.create(TABLES)
    except TargetError:
        assert target_address.startswith("sqlite")
    alter(target_address, "INSERT INTO {}processing_log VALUES (1, 'a')")
    assert any("another program" in each.found for each in target.differences(TABLES))
