"""A connection that is lost at any statement: a load continues over a new one, and commands report it in one line."""

from collections.abc import Callable, Sequence
from contextlib import closing, suppress

import pytest

from tests import sqlserver
from tests.database.binding import read_log
from tests.database.demo_tables import CONTRACT, LINES, TABLES, loader_of, order, order_ids, unreadable_order
from tests.faults.server_bench import ServerFault, broken_connections
from xml_extractor.documents import ProcessedDocument, Status
from xml_extractor.errors import TargetError
from xml_extractor.processing_log.log_table import RejectSelection
from xml_extractor.settings import InsertStrategy
from xml_extractor.targets.interfaces import Target
from xml_extractor.targets.registry import open_processing_log, open_target
from xml_extractor.targets.sqlserver.address import read_address

pytestmark = pytest.mark.mssql

ACTIONS = ("cut before", "cut after", "half close")
REJECTS = RejectSelection("orders")


def documents() -> Sequence[ProcessedDocument]:
    """Two good documents, one that the database refuses, and one that was rejected before."""
    return [order(1), order(2), order(3, article=None), unreadable_order(4)]


def step() -> int:
    """Return how many requests are passed over: servers that are not Microsoft's may take seconds to connect."""
    return 1 if sqlserver.is_sql_server() else 7


def load(target: Target, strategy: InsertStrategy) -> list[Status]:
    with closing(target.connect(strategy)) as connection:
        return [outcome.status for outcome in loader_of(connection).load(documents())]


def retry(target: Target) -> None:
    with open_processing_log(target) as log:
        log.retry(REJECTS, 5)


def status(target: Target) -> None:
    with open_processing_log(target) as log:
        log.counts("orders")
        log.rejected(REJECTS)


@pytest.mark.parametrize("strategy", ["executemany", "json"])
def test_a_load_survives_the_loss_of_its_connection_at_any_statement(strategy: InsertStrategy) -> None:
    number = happened = 5
    while happened >= number:
        number += step()
        action = ACTIONS[number % len(ACTIONS)]
        with sqlserver.scratch_schema() as schema:
            address = read_address(sqlserver.server_url()).with_schema(schema)
            target = open_target(address.address, CONTRACT)
            target.create(TABLES)
            with closing(sqlserver.session()) as session:
                trigger = f"CREATE TRIGGER [{schema}].speaks ON [{schema}].[{LINES.table}] AFTER INSERT AS SELECT 1"
                session.execute(trigger).close()
            with broken_connections(address, [ServerFault("request", number, action)]) as (broken, happenings):
                found = load(open_target(broken, CONTRACT), strategy)
            happened = number if happenings else 0
            assert found == [Status.LOADED, Status.LOADED, Status.REJECTED, Status.REJECTED], (number, action)
            with closing(target.connect()) as connection:
                assert order_ids(connection) == [1, 2]
                assert sorted(entry.document_key for entry in read_log(connection)) == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    "use", [lambda target: target.create(TABLES), lambda target: target.prepare(TABLES), retry, status]
)
def test_commands_reopen_a_lost_connection_or_report_it(use: Callable[[Target], None]) -> None:
    with sqlserver.scratch_schema() as schema:
        address = read_address(sqlserver.server_url()).with_schema(schema)
        open_target(address.address, CONTRACT).create(TABLES)
        number, is_over = 0, False
        while not is_over:
            number += step()
            fault = ServerFault("request", number, ACTIONS[number % len(ACTIONS)])
            with broken_connections(address, [fault]) as (broken, happenings), suppress(TargetError):
                use(open_target(broken, CONTRACT))
            is_over = not happenings
