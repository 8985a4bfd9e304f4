"""However a run is set up, interrupted and gone on with, the tables are the same: each document once, and whole."""

import multiprocessing
import os
import re
import signal
import sqlite3
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import posix_only
from xml_extractor.contract import read_contract
from xml_extractor.contract.layout import layouts
from xml_extractor.database import open_target
from xml_extractor.database.hashing import table_hashes
from xml_extractor.errors import RunError, TargetError, WorkerDiedError
from xml_extractor.processing.marks import Mark
from xml_extractor.processing.run import run
from xml_extractor.reporting.result import RunResult
from xml_extractor.settings import (
    DEFAULT_START_METHOD,
    InsertMode,
    KeyRange,
    RejectLimit,
    RunSettings,
    Shard,
    StartMethod,
)

CONTRACT = """
contract: orders
version: 1
document:
  root: order
  key: "@id"
  key_type: int
tables:
  orders:
    rows: "."
    columns:
      order_id: {path: "@id", type: int, key: true}
      customer: {path: customer, type: nvarchar(20), required: true}
      placed_at: {path: "@placed", type: date}
  line:
    rows: "line"
    columns:
      order_id: {parent: orders.order_id, key: true}
      line_no: {position: true, key: true}
      quantity: {path: "@quantity", type: smallint}
      price: {path: "@price", type: "decimal(9,2)"}
"""

DOCUMENTS = 60
MALFORMED, OVERFLOW, WITHOUT_CUSTOMER, EMPTY, SAME_KEY = 7, 19, 23, 41, 53
REJECTS = {
    (7, "parse", "malformed"),
    (19, "map", "overflow"),
    (23, "map", "missing_value"),
    (41, "parse", "empty"),
}
"""Faulty documents among the first 60: key, stage, code."""

COMBINATIONS: list[tuple[int, InsertMode, int, StartMethod]] = [
    (1, "queue", 1, "spawn"),
    (1, "blocking", 10_000, DEFAULT_START_METHOD),
    (2, "queue", 10_000, "spawn"),
    (2, "blocking", 1, DEFAULT_START_METHOD),
    (2, "queue", 1, DEFAULT_START_METHOD),
    (4, "queue", 10_000, DEFAULT_START_METHOD),
    (4, "queue", 1, DEFAULT_START_METHOD),
    (4, "blocking", 10_000, "spawn"),
]
"""Each value of each setting, and each pair of them that can matter."""


def order(number: int, *, faulty: bool) -> str | None:
    price = "12345678.90" if faulty and number == OVERFLOW else f"{number}.50"
    customer = "" if faulty and number == WITHOUT_CUSTOMER else f"<customer>Customer {number}</customer>"
    lines = "".join(f'<line quantity="{line}" price="{price}"/>' for line in range(number % 4))
    end = "</order" if faulty and number == MALFORMED else "</order>"
    if faulty and number == EMPTY:
        return None
    return f'<order id="{number}" placed="2026-01-{number % 28 + 1:02d}">{customer}{lines}<line price="{price}"/>{end}'


class Load:
    """A source of orders, a target, and runs from one to the other."""

    def __init__(self, directory: Path, documents: int = DOCUMENTS, *, faulty: bool = True) -> None:
        self.directory = directory
        self.documents = documents
        self.source = directory / "source.db"
        self.contract = directory / "orders.yaml"
        self.contract.write_text(CONTRACT)
        with closing(sqlite3.connect(self.source)) as database, database:
            database.execute("CREATE TABLE app_xml (app_id INTEGER PRIMARY KEY, xml TEXT)")
            rows = ((number, order(number, faulty=faulty)) for number in range(1, documents + 1))
            database.executemany("INSERT INTO app_xml VALUES (?, ?)", rows)

    def settings(self, target: str = "target.db", **settings: Any) -> RunSettings:
        return RunSettings(
            contract=str(self.contract),
            source=f"sqlite:///{self.source}",
            target=f"sqlite:///{self.directory / target}",
            **{"workers": 2, "batch_size": 25, **settings},
        )

    def run(
        self, target: str = "target.db", on_progress: Callable[[int], None] | None = None, **settings: Any
    ) -> RunResult:
        result = run(self.settings(target, **settings), on_progress or (lambda _: None))
        if result.failure is not None:
            raise result.failure
        return result

    def hashes(self, target: str = "target.db") -> dict[str, str]:
        contract = read_contract(str(self.contract))
        database = open_target(f"sqlite:///{self.directory / target}", contract)
        with closing(database.connect()) as connection:
            return table_hashes(connection, layouts(contract))

    def query(self, statement: str, target: str = "target.db") -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.directory / target)) as database:
            return database.execute(statement).fetchall()

    def undisturbed_hashes(self) -> dict[str, str]:
        self.run("undisturbed.db")
        return self.hashes("undisturbed.db")


@pytest.fixture
def load(tmp_path: Path) -> Load:
    return Load(tmp_path)


@pytest.fixture
def long_load(tmp_path: Path) -> Load:
    return Load(tmp_path, 2000, faulty=False)


@pytest.fixture(scope="module")
def shared_load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    return Load(tmp_path_factory.mktemp("equivalence"))


@pytest.fixture(scope="module")
def expected(shared_load: Load) -> dict[str, str]:
    return shared_load.undisturbed_hashes()


@pytest.fixture(scope="module")
def long_expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return Load(tmp_path_factory.mktemp("long"), 2000, faulty=False).undisturbed_hashes()


def counts(result: RunResult) -> tuple[int, int, int, int]:
    statistics = result.statistics
    assert statistics.seen == statistics.loaded + statistics.rejected + statistics.already_done
    return statistics.seen, statistics.loaded, statistics.rejected, statistics.already_done


def once(action: Callable[[], object], pause: float = 0) -> Callable[[int], None]:
    """As a progress callback: act when the first documents are committed, then pause each time."""
    done: list[bool] = []

    def on_progress(_: int) -> None:
        time.sleep(pause)
        if not done:
            done.append(True)
            action()

    return on_progress


def workers() -> list[int]:
    return [child.pid for child in multiprocessing.active_children() if "PoolWorker" in child.name and child.pid]


def kill_whoever_is_at(directory: Path, place: Mark, done: threading.Event) -> None:
    """Kill each worker that notes in a directory of marks that it is at this place."""
    while not done.wait(0.01):
        for note in directory.glob("xml_extractor-*/*"):
            with suppress(OSError):
                if struct.unpack("<qq", note.read_bytes()) == place:
                    os.kill(int(note.name), signal.SIGKILL)


def assert_no_process_is_left() -> None:
    assert [child.name for child in multiprocessing.active_children()] == []
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("insert-")] == []


class TestEquivalence:
    @pytest.mark.parametrize(("worker_count", "mode", "queue_size", "start_method"), COMBINATIONS)
    def test_all_ways_to_run_give_identical_tables(
        self,
        shared_load: Load,
        expected: dict[str, str],
        worker_count: int,
        mode: InsertMode,
        queue_size: int,
        start_method: StartMethod,
    ) -> None:
        target = f"{worker_count}-{mode}-{queue_size}-{start_method}.db"
        result = shared_load.run(
            target, workers=worker_count, insert_mode=mode, queue_size=queue_size, start_method=start_method
        )
        assert counts(result) == (DOCUMENTS, DOCUMENTS - len(REJECTS), len(REJECTS), 0)
        assert shared_load.hashes(target) == expected
        assert_no_process_is_left()

    def test_several_insert_threads_and_small_calls_give_identical_tables(
        self, shared_load: Load, expected: dict[str, str]
    ) -> None:
        result = shared_load.run("threads.db", insert_threads=3, insert_batch_rows=2, batch_size=7)
        assert len(result.insert_threads) == 3
        assert shared_load.hashes("threads.db") == expected

    def test_shards_side_by_side_give_the_tables_of_one_run(self, shared_load: Load, expected: dict[str, str]) -> None:
        results = [shared_load.run("shards.db", shard=Shard(number, 3)) for number in (1, 2, 3)]
        assert sum(result.statistics.processed for result in results) == DOCUMENTS
        assert shared_load.hashes("shards.db") == expected

    def test_ranges_of_keys_give_the_tables_of_one_run(self, shared_load: Load, expected: dict[str, str]) -> None:
        results = [
            shared_load.run("ranges.db", key_range=key_range) for key_range in (KeyRange("", "20"), KeyRange("21", ""))
        ]
        assert [result.statistics.processed for result in results] == [20, 40]
        assert shared_load.hashes("ranges.db") == expected

    def test_exactly_the_faulty_documents_are_rejected_with_stage_and_reason(
        self, shared_load: Load, expected: dict[str, str]
    ) -> None:
        rejected = shared_load.query(
            "SELECT document_key, stage, reason FROM processing_log WHERE status = 'rejected'", "undisturbed.db"
        )
        assert {(int(key), stage, reason.split(":")[0].split(" ")[0]) for key, stage, reason in rejected} == REJECTS

    def test_a_run_in_another_thread_than_the_main_one_works_too(
        self, shared_load: Load, expected: dict[str, str]
    ) -> None:
        thread = threading.Thread(target=shared_load.run, args=("thread.db",))
        thread.start()
        thread.join(60)
        assert shared_load.hashes("thread.db") == expected


class TestResume:
    def test_runs_with_a_limit_go_on_where_the_last_one_ended(self, load: Load) -> None:
        limited = [counts(load.run(limit=20)) for _ in range(2)]
        assert limited == [(20, 18, 2, 0), (40, 19, 1, 20)]
        assert counts(load.run()) == (60, 19, 1, 40)
        assert counts(load.run()) == (60, 0, 0, 60)
        assert load.hashes() == load.undisturbed_hashes()

    def test_a_limit_is_met_to_the_document(self, load: Load) -> None:
        assert counts(load.run(limit=1, workers=4)) == (1, 1, 0, 0)
        assert counts(load.run(limit=30, workers=4)) == (31, 27, 3, 1)

    def test_a_source_without_documents_is_nothing_to_do(self, tmp_path: Path) -> None:
        assert counts(Load(tmp_path, 0).run()) == (0, 0, 0, 0)

    def test_another_run_in_between_is_noticed_and_nothing_is_doubled(
        self, long_load: Load, long_expected: dict[str, str]
    ) -> None:
        others: list[RunResult] = []
        first = long_load.run(on_progress=once(lambda: others.append(long_load.run())))
        assert first.statistics.seen == others[0].statistics.seen == 2000
        assert first.statistics.already_done > 0
        assert counts(first)[1] + counts(others[0])[1] == 2000
        assert long_load.hashes() == long_expected

    def test_run_ids_sort_by_time_and_fit_the_log(self, load: Load) -> None:
        first, second = load.run(limit=1), load.run(limit=1)
        assert first.run_id < second.run_id
        assert len(second.run_id) <= 32


class TestOrder:
    def test_of_two_documents_with_one_key_that_are_far_apart_the_earlier_is_loaded(self, tmp_path: Path) -> None:
        load = Load(tmp_path, 700, faulty=False)
        with closing(sqlite3.connect(load.source)) as database, database:
            database.execute("UPDATE app_xml SET xml = replace(xml, 'id=\"690\"', 'id=\"3\"') WHERE app_id = 690")
        for workers in (1, 4):
            target = f"{workers}.db"
            assert counts(load.run(target, workers=workers)) == (700, 699, 1, 0)
            rejected = load.query("SELECT document_key, stage FROM processing_log WHERE status = 'rejected'", target)
            assert rejected == [("690", "load")]


class TestFallback:
    def test_workers_load_what_the_full_queue_refuses_and_nothing_is_lost_or_doubled(self, load: Load) -> None:
        load.run(limit=1)
        blocker = sqlite3.connect(load.directory / "target.db", check_same_thread=False, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        # While nobody can write, the thread holds one batch, the queue one item, and the workers have the rest.
        unblock = threading.Timer(2.5, blocker.execute, ["ROLLBACK"])
        unblock.start()
        result = load.run(workers=4, queue_size=1)
        unblock.join()
        blocker.close()
        assert result.queue["refused"] > 0
        assert result.queue["enqueued"] == result.queue["dequeued"] > 0
        assert counts(result) == (DOCUMENTS, DOCUMENTS - 1 - len(REJECTS), len(REJECTS), 1)
        assert load.hashes() == load.undisturbed_hashes()


class TestInterruption:
    def test_a_signal_commits_what_is_in_flight_and_the_next_run_completes(
        self, long_load: Load, long_expected: dict[str, str]
    ) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            result = long_load.run(on_progress=once(partial(signal.raise_signal, number)), batch_size=100)
            seen, loaded, *_ = counts(result)
            assert result.interrupted
            assert 0 < loaded < seen <= 2000 or loaded == seen < 2000
            assert_no_process_is_left()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert not long_load.run().interrupted
        assert long_load.hashes() == long_expected

    def test_a_second_signal_ends_the_run_at_once_and_the_next_run_completes(
        self, long_load: Load, long_expected: dict[str, str]
    ) -> None:
        def interrupt_twice() -> None:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

        with pytest.raises(KeyboardInterrupt):
            long_load.run(on_progress=once(interrupt_twice))
        assert_no_process_is_left()
        assert 0 < len(long_load.query("SELECT * FROM processing_log")) < 2000
        long_load.run()
        assert long_load.hashes() == long_expected

    @posix_only("sends signals to processes")
    def test_a_signal_to_all_processes_is_an_interruption_and_no_failure(
        self, long_load: Load, long_expected: dict[str, str]
    ) -> None:
        def end_all() -> None:
            for worker in workers():
                os.kill(worker, signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)

        result = long_load.run(on_progress=once(end_all, pause=0.02))
        assert result.interrupted
        assert result.statistics.loaded == len(long_load.query("SELECT * FROM processing_log"))
        assert_no_process_is_left()
        long_load.run()
        assert long_load.hashes() == long_expected


class TestDeath:
    @posix_only("sends signals to processes")
    @pytest.mark.parametrize(("mode", "start_method"), [("queue", "spawn"), ("blocking", "forkserver")])
    def test_what_a_killed_worker_had_is_given_to_others_and_the_run_completes(
        self, long_load: Load, long_expected: dict[str, str], mode: InsertMode, start_method: StartMethod
    ) -> None:
        def kill_one() -> None:
            os.kill(workers()[0], signal.SIGKILL)

        result = long_load.run(on_progress=once(kill_one, pause=0.02), insert_mode=mode, start_method=start_method)
        assert counts(result) == (2000, 2000, 0, 0)
        assert_no_process_is_left()
        assert long_load.hashes() == long_expected

    @posix_only("sends signals to processes")
    def test_all_workers_may_be_killed_and_the_run_completes(
        self, long_load: Load, long_expected: dict[str, str], caplog: pytest.LogCaptureFixture
    ) -> None:
        def kill_all() -> None:
            for worker in workers():
                os.kill(worker, signal.SIGKILL)

        assert counts(long_load.run(on_progress=once(kill_all, pause=0.02), workers=4)) == (2000, 2000, 0, 0)
        assert "A worker process ended by itself (signal 9); its documents are given to others" in caplog.messages
        assert_no_process_is_left()
        assert long_load.hashes() == long_expected

    @posix_only("sends signals to processes")
    def test_a_document_at_which_two_workers_died_is_rejected_and_the_run_goes_on(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        load = Load(tmp_path, 8, faulty=False)
        deadly, long_enough_to_kill = 5, "<line/>" * 400_000
        with closing(sqlite3.connect(load.source)) as database, database:
            xml = f"<order id='5'>{long_enough_to_kill}</order>"
            database.execute("UPDATE app_xml SET xml = ? WHERE app_id = ?", (xml, deadly))
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        done = threading.Event()
        killer = threading.Thread(target=kill_whoever_is_at, args=(tmp_path, Mark(2, 0), done))
        killer.start()
        try:
            result = load.run(workers=1)
        finally:
            done.set()
            killer.join()
        assert counts(result) == (8, 7, 1, 0)
        ((key, reason),) = load.query("SELECT document_key, reason FROM processing_log WHERE status = 'rejected'")
        assert key == str(deadly)
        assert reason.startswith("worker_died")
        assert_no_process_is_left()
        assert list(tmp_path.glob("xml_extractor-*")) == []

    @posix_only("sends signals to processes")
    def test_workers_that_die_again_and_again_end_the_run(self, tmp_path: Path) -> None:
        load = Load(tmp_path, 8, faulty=False)
        done = threading.Event()

        def kill_all() -> None:
            while not done.wait(0.05):
                for worker in workers():
                    with suppress(ProcessLookupError):
                        os.kill(worker, signal.SIGKILL)

        killer = threading.Thread(target=kill_all)
        killer.start()
        try:
            with pytest.raises(WorkerDiedError) as ended:
                load.run(workers=4)
        finally:
            done.set()
            killer.join()
        assert ended.value.tip
        assert_no_process_is_left()
        assert counts(load.run()) == (8, 8, 0, 0)

    @posix_only("sends signals to processes")
    def test_a_killed_queue_ends_the_run_and_the_next_run_completes(
        self, long_load: Load, long_expected: dict[str, str]
    ) -> None:
        def kill_queue() -> None:
            (manager,) = [child for child in multiprocessing.active_children() if "QueueManager" in child.name]
            os.kill(manager.pid or 0, signal.SIGKILL)

        with pytest.raises(RunError, match="process that holds the insert queue has ended"):
            long_load.run(on_progress=once(kill_queue))
        assert_no_process_is_left()
        long_load.run()
        assert long_load.hashes() == long_expected

    @pytest.mark.parametrize("mode", ["queue", "blocking"])
    def test_a_target_that_fails_ends_the_run_and_keeps_what_is_committed(
        self, long_load: Load, long_expected: dict[str, str], mode: InsertMode
    ) -> None:
        def drop_table() -> None:
            long_load.query("ALTER TABLE line RENAME TO elsewhere")

        with pytest.raises(TargetError):
            long_load.run(on_progress=once(drop_table), insert_mode=mode)
        assert_no_process_is_left()
        assert 0 < len(long_load.query("SELECT * FROM processing_log")) < 2000
        long_load.query("ALTER TABLE elsewhere RENAME TO line")
        long_load.run()
        assert long_load.hashes() == long_expected

    def test_an_error_of_the_caller_ends_all_parts(self, long_load: Load) -> None:
        def fail() -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            long_load.run(on_progress=once(fail))
        assert_no_process_is_left()


DRIVER = """
import sys, time
from xml_extractor.processing.marks import Mark
from xml_extractor.processing.run import run
from xml_extractor.reporting.logs import configure_logging
from xml_extractor.settings import RunSettings

def on_progress(documents):
    print(documents, flush=True)
    time.sleep(float(pause))

if __name__ == "__main__":
    contract, source, target, start_method, pause = sys.argv[1:]
    configure_logging("INFO")
    settings = RunSettings(contract, source, target, 2, 25, log_level="INFO", start_method=start_method)
    sys.exit(130 if run(settings, on_progress).interrupted else 0)
"""


def start_run(load: Load, start_method: StartMethod = "forkserver", pause: float = 0.02) -> subprocess.Popen[str]:
    """A run in a session of its own, so that its processes can be told from all others."""
    settings = load.settings()
    arguments = [settings.contract, settings.source, settings.target, start_method, str(pause)]
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def processes_of_session(session: int) -> list[str]:
    """What runs in a session, zombies left out."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            name, _, fields = stat.read_text().rpartition(")")
            state, _, _, its_session, *_ = fields.split()
            if int(its_session) == session and state != "Z":
                found.append(name)
    return found


def assert_session_ends(session: int) -> None:
    deadline = time.monotonic() + 30
    while processes := processes_of_session(session):
        assert time.monotonic() < deadline, processes
        time.sleep(0.05)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
class TestProcessGroup:
    def test_a_run_says_what_it_does_at_level_info(self, load: Load) -> None:
        with start_run(load, pause=0) as process:
            _, lines = process.communicate(timeout=60)
        assert process.returncode == 0
        for message in (
            r"INFO +MainProcess Insert queue created \(max_size=10000\)$",
            r"INFO +MainProcess Background insert thread started$",
            r"INFO +ForkServerPoolWorker-\d+ Queued insert \(documents=\d+, rows=\d+\)$",
            r"INFO +MainProcess Background thread final stats: batches=\d+, inserted=\d+, elapsed=\d+\.\d\d$",
        ):
            assert re.search(message, lines, re.MULTILINE), f"{message} is not in\n{lines}"
        assert "Customer" not in lines, "a value of a document is in the log"

    @pytest.mark.parametrize(
        ("number", "start_method"),
        [(signal.SIGINT, "forkserver"), (signal.SIGTERM, "forkserver"), (signal.SIGINT, "spawn")],
    )
    def test_a_signal_to_the_whole_group_ends_it_in_order_and_the_next_run_completes(
        self, long_load: Load, long_expected: dict[str, str], number: signal.Signals, start_method: StartMethod
    ) -> None:
        with start_run(long_load, start_method) as process:
            assert process.stdout is not None
            process.stdout.readline()
            os.killpg(process.pid, number)
            _, lines = process.communicate(timeout=60)
        assert process.returncode == 130, lines
        assert "Asked to stop: finishing what is in flight" in lines
        if number is signal.SIGINT:
            assert "Traceback" not in lines
        assert_session_ends(process.pid)
        long_load.run()
        assert long_load.hashes() == long_expected

    @pytest.mark.parametrize("start_method", ["spawn", "forkserver"])
    def test_no_process_outlives_a_main_process_that_is_killed_and_the_next_run_completes(
        self, long_load: Load, long_expected: dict[str, str], start_method: StartMethod
    ) -> None:
        with start_run(long_load, start_method) as process:
            assert process.stdout is not None
            process.stdout.readline()
            assert len(processes_of_session(process.pid)) >= 4
            process.kill()
            process.wait(60)
            assert_session_ends(process.pid)
            process.communicate(timeout=60)
        long_load.run()
        assert long_load.hashes() == long_expected


class TestRejectLimit:
    def test_too_many_rejects_end_the_run_after_what_is_in_flight(self, tmp_path: Path) -> None:
        load = Load(tmp_path, 1500, faulty=False)
        with closing(sqlite3.connect(load.source)) as database, database:
            database.execute("UPDATE app_xml SET xml = '<order' WHERE app_id <= 100")
        with pytest.raises(RunError, match=r"documents were rejected, more than --max-rejects allows"):
            load.run(max_rejects=RejectLimit(count=50))
        logged = len(load.query("SELECT * FROM processing_log"))
        assert 50 < logged < 1500
        assert load.run(max_rejects=RejectLimit(count=50)).statistics.already_done == logged

    def test_as_many_rejects_as_allowed_do_not(self, load: Load) -> None:
        assert counts(load.run(max_rejects=RejectLimit(count=len(REJECTS))))[2] == len(REJECTS)
