"""Connections to a SQL Server break; a sample of what `make faults` tries."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import sqlserver
from tests.faults.bench import GOOD, Launcher

pytest.importorskip("pyodbc", reason=sqlserver.NO_DRIVER_MANAGER, exc_type=ImportError)

from tests.faults.server_bench import ServerBench, ServerFault

pytestmark = [
    pytest.mark.mssql,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc"),
]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerBench]:
    with Launcher() as launcher, sqlserver.scratch_schema() as schema:
        yield ServerBench(tmp_path_factory.mktemp("faults"), launcher, schema)


@pytest.mark.parametrize("action", ["cut before", "cut after", "half close"])
def test_a_run_connects_again_when_its_connection_breaks_in_a_commit(bench: ServerBench, action: str) -> None:
    result = bench.try_out([ServerFault("commit", 1, action)])
    assert result[:3] == ("recovered", 1, "")


def test_a_run_waits_for_a_server_that_refuses_a_connection_for_a_moment(bench: ServerBench) -> None:
    result = bench.try_out([ServerFault("connect", number, "refuse") for number in (3, 4)])
    assert result[:3] == ("recovered", 2, "")


def test_a_run_connects_again_when_its_connection_breaks_in_a_statement(bench: ServerBench) -> None:
    result = bench.try_out([ServerFault("request", number, "cut after") for number in (25, 40)])
    assert result.happened == 2
    assert (result.detail, result.outcome in GOOD) == ("", True)
