"""What was asked for by a signal happens when it can, and what is committed is counted."""

import os
import signal
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import posix_only
from tests.database.demo_tables import CONTRACT, TABLES, loader_of, order
from xml_extractor.errors import StopRequestedError
from xml_extractor.stopping import StopRequests, stop_requests, stops_at_once
from xml_extractor.targets.registry import open_target


@posix_only("sends itself signals")
def test_the_second_signal_ends_a_block_that_must_run_as_a_whole_only_behind_it() -> None:
    done = []
    with stop_requests() as requests:
        os.kill(os.getpid(), signal.SIGTERM)
        with requests.deferred():
            done.append("first")
        with pytest.raises(KeyboardInterrupt):
            _do_as_a_whole(requests, done)
        with requests.deferred():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("third")
    assert done == ["first", "second", "third"]
    assert not stops_at_once.is_set()


def _do_as_a_whole(requests: StopRequests, done: list[str]) -> None:
    with requests.deferred():
        os.kill(os.getpid(), signal.SIGTERM)
        assert stops_at_once.is_set()
        done.append("second")


def test_nothing_is_committed_any_more_once_a_run_must_stop_at_once(tmp_path: Path) -> None:
    target = open_target(f"sqlite:///{tmp_path / 'target.db'}", CONTRACT)
    target.create(TABLES)
    with closing(target.connect()) as connection:
        loader = loader_of(connection)
        loader.load([order(1)])
        stops_at_once.set()
        try:
            with pytest.raises(StopRequestedError):
                loader.load([order(2)])
        finally:
            stops_at_once.clear()
        assert list(connection.query("SELECT document_key FROM processing_log")) == [("1",)]
        assert list(connection.query("SELECT order_id FROM demo_orders")) == [(1,)]
