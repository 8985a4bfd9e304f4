"""A server that is far away: a batch waits for few answers, and what a run chooses gives the same tables."""

import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests import sqlserver
from tests.acceptance.loads import EMBEDDED, Load
from tests.acceptance.loads import SERVER as ON_SERVER
from tests.database.demo_tables import CONTRACT, TABLES, loader_of, order, order_ids
from tests.tcp_proxy import TcpProxy, tcp_proxy
from xml_extractor.documents import Status
from xml_extractor.pipeline import run
from xml_extractor.processing import run_reporter
from xml_extractor.settings import InsertStrategy
from xml_extractor.targets.registry import open_target

pytestmark = pytest.mark.mssql

ROUND_TRIP = 0.03
START_AND_END = 48
"""Round trips of all sessions of a run with one document; servers that are not Microsoft's are asked more."""
DOCUMENTS = 300
NEW_CONNECTION = 8
"""Round trips; servers that are not Microsoft's may isolate documents only in a session that has inserted nothing."""


@pytest.fixture(scope="module")
def proxy() -> Iterator[TcpProxy]:
    with tcp_proxy(*sqlserver.place(), ROUND_TRIP) as started:
        yield started


def test_a_batch_of_hundreds_of_documents_takes_few_round_trips_as_json(proxy: TcpProxy) -> None:
    with sqlserver.scratch_schema() as schema:
        open_target(sqlserver.in_schema(schema), CONTRACT).create(TABLES)
        target = open_target(sqlserver.through(proxy.port, schema), CONTRACT)
        with closing(target.connect("json")) as connection:
            loader = loader_of(connection)
            for first in (0, DOCUMENTS):
                before = proxy.round_trips()
                outcomes = loader.load([order(number, lines=20) for number in range(first, first + DOCUMENTS)])
                assert {outcome.status for outcome in outcomes} == {Status.LOADED}
                assert proxy.round_trips() - before <= 8


@pytest.mark.parametrize("strategy", ["executemany", "json"])
def test_refused_documents_cost_at_most_as_many_round_trips_again(proxy: TcpProxy, strategy: InsertStrategy) -> None:
    """One, ten and a hundred in a hundred; the keys of the refused ones are loaded already."""
    with sqlserver.scratch_schema() as schema:
        open_target(sqlserver.in_schema(schema), CONTRACT).create(TABLES)
        target = open_target(sqlserver.through(proxy.port, schema), CONTRACT)
        with closing(target.connect(strategy)) as connection:
            loader = loader_of(connection)
            counts = []
            for part, percent in enumerate((0, 0, 1, 1, 10, 100)):
                documents = [
                    order(number, order_id=number % 100 if number % 100 < percent else None)
                    for number in range(100 * part, 100 * part + 100)
                ]
                before = proxy.round_trips()
                outcomes = loader.load(documents)
                counts.append(proxy.round_trips() - before)
                rejected = [outcome for outcome in outcomes if outcome.status is Status.REJECTED]
                assert {outcome.failure.code for outcome in rejected if outcome.failure} <= {"duplicate_key"}
                assert len(rejected) == percent
            assert order_ids(connection) == [
                number
                for number in range(500)
                if number < 200 or number % 100 >= 10 or (number < 400 and number % 100 >= 1)
            ]
    clean, *refused = counts[1:]
    assert max(refused[1:]) <= 2 * clean
    assert refused[0] <= 2 * clean + (0 if sqlserver.is_sql_server() else NEW_CONNECTION)


def test_a_document_that_is_refused_within_one_statement_still_says_its_table_and_column() -> None:
    with sqlserver.scratch_schema() as schema:
        target = open_target(sqlserver.in_schema(schema), CONTRACT)
        target.create(TABLES)
        with closing(target.connect("executemany")) as by_arrays, closing(target.connect("json")) as as_json:
            loader_of(by_arrays).load([order(1, order_id=5)])
            (expected,) = loader_of(by_arrays).load([order(2, order_id=5)])
            good, found = loader_of(as_json).load([order(3), order(4, order_id=5)])
        assert good.status is Status.LOADED
        assert found.failure is not None
        assert (found.failure.table, found.failure.column) == ("orders", "order_id")
        assert found.failure == expected.failure


def test_a_run_finds_out_how_far_its_target_is_and_loads_the_same(
    proxy: TcpProxy, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    knowledge = pytest.importorskip("xml_extractor.targets.sqlserver.knowledge", exc_type=ImportError)
    monkeypatch.setattr(knowledge, "MEASURED_SECONDS", 0.0)
    monkeypatch.setattr(knowledge, "BATCHES_COMPARED", 1)
    (tmp_path / "expected").mkdir()
    expected = Load(tmp_path / "expected", EMBEDDED, "")
    expected.run()
    with sqlserver.scratch_schema() as schema:
        load = Load(tmp_path, ON_SERVER, schema)
        far = sqlserver.through(proxy.port, schema)
        with caplog.at_level(logging.INFO):
            result = run(replace(load.settings(), source=far, target=far))
        assert result.statistics.unaccounted == 0
        assert load.hashes() == expected.hashes()
        assert (result.settings.insert_strategy, result.settings.insert_threads) == ("json", 1)
    assert any(message.startswith("Round trip to the target ") for message in caplog.messages)


def test_a_run_of_one_document_takes_few_sessions_and_round_trips(
    proxy: TcpProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_reporter, "REPORT_SECONDS", 600.0)
    with sqlserver.scratch_schema() as schema:
        load, far = Load(tmp_path, ON_SERVER, schema), sqlserver.through(proxy.port, schema)
        before = proxy.round_trips(), proxy.connections()
        result = run(replace(load.settings(), source=far, target=far, limit=1))
        assert result.statistics.processed == 1
    assert proxy.connections() - before[1] <= 3 + load.settings().workers
    assert proxy.round_trips() - before[0] <= START_AND_END
