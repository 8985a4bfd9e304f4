"""Connections to a SQL Server that are lost at any one statement of a load or a command, and what is left."""

from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from typing import TYPE_CHECKING, cast

from tests import sqlserver
from tests.database.binding import read_log
from tests.database.demo_tables import CONTRACT, LINES, TABLES, loader_of, order, order_ids, unreadable_order
from tests.faults.server_bench import ServerFault, broken_connections
from xml_extractor.doctor.sqlserver import examine
from xml_extractor.documents import ProcessedDocument, Replaced, Status
from xml_extractor.errors import XmlExtractorError
from xml_extractor.processing_log.log_table import RejectSelection
from xml_extractor.settings import InsertStrategy
from xml_extractor.targets.interfaces import Target
from xml_extractor.targets.registry import open_processing_log, open_target
from xml_extractor.targets.sqlserver.address import read_address
from xml_extractor.urls import parse_url

if TYPE_CHECKING:
    from xml_extractor.targets.sqlserver.target import SqlServerTarget

ACTIONS = ("cut before", "cut after", "half close")
STRATEGIES: Sequence[InsertStrategy] = ("executemany", "json")
REJECTS = RejectSelection("orders")
EXPECTED = [Status.LOADED, Status.LOADED, Status.REJECTED, Status.REJECTED, Status.LOADED, Status.LOADED]


def documents(earlier_hash: str) -> Sequence[ProcessedDocument]:
    """Two good documents, one that the database refuses, a rejected one, and two that replace rows of the log.

    The fifth was marked for retry, the sixth has changed since it was rejected.
    """
    changed = order(6)._replace(replaced=Replaced("run 0", earlier_hash))
    return [order(1), order(2), order(3, article=None), unreadable_order(4), order(5), changed]


def create(target: Target) -> None:
    """Create what is there already."""
    target.create(TABLES)


def prepare(target: Target) -> None:
    """Check the tables as a run does."""
    target.prepare(TABLES)


def retry(target: Target) -> None:
    """Mark rejected documents for retry."""
    with open_processing_log(target) as log:
        log.retry(REJECTS, 5)


def status(target: Target) -> None:
    """Read the processing log as `status` and `rejects` do."""
    with open_processing_log(target) as log:
        log.counts("orders")
        log.rejected(REJECTS)


def doctor(target: Target) -> None:
    """Examine the database."""
    address = cast("SqlServerTarget", target).address.address
    list(examine(parse_url(address), CONTRACT, ("target",)))


COMMANDS: Sequence[Callable[[Target], None]] = (create, prepare, retry, status, doctor)


class StatementBench:
    """A schema with the demo tables, one of which has a trigger that gives a result ahead of any error."""

    def __init__(self, schema: str) -> None:
        self._schema = schema
        self._address = read_address(sqlserver.server_url()).with_schema(schema)
        self._target = open_target(self._address.address, CONTRACT)
        self._target.create(TABLES)
        trigger = f"CREATE TRIGGER [{schema}].speaks ON [{schema}].[{LINES.table}] AFTER INSERT AS SELECT 1"
        sqlserver.administrator().execute(trigger).close()

    def load(self, number: int, strategy: InsertStrategy) -> bool:
        """Load, lose the connection at a statement, and check what is left.

        Returns:
            Whether there were so many statements.
        """
        action = ACTIONS[number % len(ACTIONS)]
        self._empty()
        with closing(self._target.connect()) as connection:
            early = [unreadable_order(5), unreadable_order(6)]
            loader_of(connection, run_id="run 0").load(early)
        with open_processing_log(self._target) as log:
            log.retry(RejectSelection("orders", ("5",)), 5)
        fault = ServerFault("request", number, action)
        with (
            broken_connections(self._address, [fault]) as (broken, happenings),
            closing(open_target(broken, CONTRACT).connect(strategy)) as connection,
        ):
            outcomes = loader_of(connection).load(documents(early[1].content_hash))
        found = [outcome.status for outcome in outcomes]
        if found != EXPECTED:
            raise AssertionError((number, action, strategy, found))
        with closing(self._target.connect()) as connection:
            there = (order_ids(connection), sorted(entry.document_key for entry in read_log(connection)))
        if there != ([1, 2, 5, 6], ["1", "2", "3", "4", "5", "6"]):
            raise AssertionError((number, action, strategy, there))
        return bool(happenings)

    def use(self, number: int, command: Callable[[Target], None]) -> bool:
        """Lose the connection at a statement of a command, which goes on over a new one, or reports it in one line.

        Returns:
            Whether there were so many statements.
        """
        fault = ServerFault("request", number, ACTIONS[number % len(ACTIONS)])
        with broken_connections(self._address, [fault]) as (broken, happenings), suppress(XmlExtractorError):
            command(open_target(broken, CONTRACT))
        return bool(happenings)

    def _empty(self) -> None:
        for table in (*(table.table for table in reversed(TABLES)), "processing_log"):
            sqlserver.administrator().execute(f"DELETE FROM [{self._schema}].[{table}]").close()


def lose_every_statement() -> int:
    """Lose the connection at each statement of each load and command; return how often that was."""
    lost = 0
    with sqlserver.scratch_schema() as schema:
        bench = StatementBench(schema)
        for strategy in STRATEGIES:
            number = 1
            while bench.load(number, strategy):
                number += 1
            lost += number - 1
        for command in COMMANDS:
            number = 1
            while bench.use(number, command):
                number += 1
            lost += number - 1
    return lost
