"""A run that waits for a lock of another session on a SQL Server, and is asked to stop."""

import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests import sqlserver
from tests.acceptance.accounts import write_orders
from tests.tcp_proxy import tcp_proxy
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.reading import read_contract
from xml_extractor.targets.registry import open_target

if sys.platform == "win32":
    pytest.skip("sends signals to process groups", allow_module_level=True)

from tests.acceptance.test_stopping import Started

pytestmark = pytest.mark.mssql

DOCUMENTS = 400
LOCKED = 350
"""The document whose row another session has inserted, but not committed."""

STOP_SECONDS = 5
"""The limit after a second interrupt."""

LOCK_REQUEST_TIME_OUT = 1222
ELSEWHERE = 33557097
"""The number under which a server that is not SQL Server reports a lock's time-out, as every error without a number."""

AS_ON_SQL_SERVER = (
    re.escape(ELSEWHERE.to_bytes(4, "little"))
    + rb"(?=.{4}"
    + re.escape("canceling statement due to lock".encode("utf-16-le"))
    + rb")",
    LOCK_REQUEST_TIME_OUT.to_bytes(4, "little"),
)
"""Replaces that number in an ERROR token: number, state, class, length of the message, message ([MS-TDS] 2.2.7.10)."""

SLOW_START_SECONDS = 120
SETTLED_SECONDS = 4


@pytest.fixture
def schema(tmp_path: Path) -> Iterator[str]:
    write_orders(tmp_path, DOCUMENTS)
    with sqlserver.scratch_schema() as name:
        contract = read_contract(str(tmp_path / "orders.yaml"))
        open_target(sqlserver.in_schema(name), contract).create(layouts(contract))
        yield name


@contextmanager
def waiting_run(directory: Path, schema: str, *options: str, port: int = 0) -> Iterator[Started]:
    """A run that waits for a lock which another session holds until the end of the block."""
    server, variables = sqlserver.options(schema, port)
    with closing(sqlserver.session()) as other, TemporaryDirectory(prefix="stop-") as temporary:
        other.autocommit = False
        other.execute(f"INSERT INTO {schema}.orders (order_id, customer) VALUES ({LOCKED}, N'another')").close()
        run = Started(directory, temporary, (*server, "--insert-batch-rows", "50", *options), variables)
        try:
            wait_until_it_waits(run, schema)
            yield run
        finally:
            other.rollback()
            run.end()


def logged(schema: str) -> int:
    query = f"SELECT COUNT(*) FROM {schema}.processing_log WITH (NOLOCK)"
    return int(sqlserver.administrator().execute(query).fetchval())


def wait_until_it_waits(run: Started, schema: str) -> None:
    """Wait until a session of the run waits: documents were loaded, and some seconds later there are no more."""
    deadline = time.monotonic() + SLOW_START_SECONDS
    before = 0
    while time.monotonic() < deadline and not run.has_ended():
        time.sleep(SETTLED_SECONDS)
        now = logged(schema)
        if 0 < now == before:
            return
        before = now
    if not run.has_ended():
        run.end()
    pytest.fail(f"the run did not wait: {logged(schema)} documents, {run.has_ended()}")


def see_that_the_next_run_loads_the_rest(directory: Path, schema: str) -> None:
    server, variables = sqlserver.options(schema)
    with TemporaryDirectory(prefix="stop-") as temporary:
        run = Started(directory, temporary, tuple(server), variables)
        try:
            deadline = time.monotonic() + SLOW_START_SECONDS
            while not run.has_ended() and time.monotonic() < deadline:
                time.sleep(0.5)
            code, _, errors = run.wait()
        finally:
            run.end()
    assert code == 0, errors
    query = "SELECT COUNT(*), COUNT(DISTINCT order_id), SUM(CASE WHEN customer = N'another' THEN 1 ELSE 0 END)"
    found = sqlserver.administrator().execute(f"{query} FROM {schema}.orders").fetchone()
    assert tuple(found) == (DOCUMENTS, DOCUMENTS, 0)
    assert logged(schema) == DOCUMENTS


@pytest.mark.parametrize("mode", ["queue", "blocking"])
def test_a_second_interrupt_ends_a_run_that_waits_for_a_lock_within_seconds(
    tmp_path: Path, schema: str, mode: str
) -> None:
    with waiting_run(tmp_path, schema, "--insert-mode", mode) as run:
        run.signal(signal.SIGINT)
        time.sleep(1)
        assert mode == "blocking" or not run.has_ended(), "the signal may interrupt the driver of a worker"
        asked_at = time.monotonic()
        run.signal(signal.SIGTERM)
        code, output, errors = run.wait()
        took = time.monotonic() - asked_at
        assert (code, "Traceback" in errors) == (130, False), errors
        assert took <= STOP_SECONDS, took
        assert "Interrupted" in output or errors.count("nterrupted") == 1, (output, errors)
        assert run.left() == []
    see_that_the_next_run_loads_the_rest(tmp_path, schema)


@pytest.mark.parametrize("options", [("--insert-strategy", "json"), ("--insert-mode", "blocking")])
def test_a_first_interrupt_ends_a_run_when_it_has_waited_for_the_lock_at_the_latest(
    tmp_path: Path, schema: str, options: tuple[str, ...]
) -> None:
    """A worker's driver may stop waiting at once, because the signal interrupts it."""
    with (
        tcp_proxy(*sqlserver.place(), replacement=AS_ON_SQL_SERVER) as proxy,
        waiting_run(tmp_path, schema, *options, port=proxy.port) as run,
    ):
        run.signal(signal.SIGINT)
        asked_at = time.monotonic()
        from xml_extractor.targets.sqlserver.connection import LOCK_TIMEOUT  # needs the driver manager

        while not run.has_ended() and time.monotonic() - asked_at < LOCK_TIMEOUT + STOP_SECONDS:
            time.sleep(0.5)
        assert run.has_ended()
        code, output, errors = run.wait()
        assert "Traceback" not in errors
        assert (code, "Interrupted" in output) == (130, True), (output, errors)
        assert run.left() == []
    see_that_the_next_run_loads_the_rest(tmp_path, schema)
