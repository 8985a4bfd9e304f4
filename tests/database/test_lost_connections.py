"""A connection that is lost at any statement: a load continues over a new one, and commands report it in one line.

Some statements, chosen by a seed; `make faults` tries all of them.
"""

import random
from collections.abc import Callable, Iterator

import pytest

from tests import sqlserver
from tests.faults.lost_statements import COMMANDS, STRATEGIES, StatementBench
from xml_extractor.settings import InsertStrategy
from xml_extractor.targets.interfaces import Target

pytestmark = pytest.mark.mssql

LOGIN = 5
"""Requests that connect. A connection that cannot be opened ends a command."""

REQUESTS_OF_A_LOAD = range(LOGIN, 45)
REQUESTS_OF_A_COMMAND = range(LOGIN, 20)
LOADS, USES = 4, 1


@pytest.fixture(scope="module")
def bench() -> Iterator[StatementBench]:
    with sqlserver.scratch_schema() as schema:
        yield StatementBench(schema)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_load_survives_the_loss_of_its_connection_at_any_statement(
    bench: StatementBench, strategy: InsertStrategy
) -> None:
    numbers = random.Random(strategy).sample(REQUESTS_OF_A_LOAD, LOADS)
    happened = [bench.load(number, strategy) for number in numbers]
    assert any(happened), numbers


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.__name__)
def test_commands_reopen_a_lost_connection_or_report_it(
    bench: StatementBench, command: Callable[[Target], None]
) -> None:
    for number in random.Random(command.__name__).sample(REQUESTS_OF_A_COMMAND, USES):
        bench.use(number, command)
