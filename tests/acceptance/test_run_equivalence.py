"""However a run is set up, interrupted and gone on with, the tables are the same: each document once, and whole."""

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.killing import whoever_is_at_dies
from tests.acceptance.loads import (
    CROSSED,
    DOCUMENTS,
    EMBEDDED,
    REJECTS,
    SERVER,
    Kinds,
    Load,
    good_order,
    on,
    opened,
)
from tests.conftest import posix_only
from xml_extractor.errors import RunError, TargetError, WorkerDiedError
from xml_extractor.processing import parallel_coordinator
from xml_extractor.reporting.result import RunResult
from xml_extractor.settings import (
    DEFAULT_START_METHOD,
    InsertMode,
    KeyRange,
    RejectLimit,
    Shard,
    StartMethod,
)

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


@pytest.fixture(scope="module", params=on(EMBEDDED, SERVER))
def shared_load(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Load]:
    with opened(request.param, tmp_path_factory.mktemp("orders")) as shared:
        yield shared


@pytest.fixture
def load(shared_load: Load) -> Load:
    """Sixty orders, four of them faulty."""
    shared_load.empty_target()
    return shared_load


@pytest.fixture(scope="module", params=on(EMBEDDED, SERVER))
def shared_long_load(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Load]:
    with opened(request.param, tmp_path_factory.mktemp("orders"), 2000, good_order) as shared:
        yield shared


@pytest.fixture
def long_load(shared_long_load: Load) -> Load:
    """Two thousand good orders."""
    shared_long_load.empty_target()
    return shared_long_load


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The tables of an undisturbed run from SQLite to SQLite."""
    return undisturbed(Load(tmp_path_factory.mktemp("expected"), EMBEDDED, ""))


@pytest.fixture(scope="module")
def long_expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The same for the long load."""
    return undisturbed(Load(tmp_path_factory.mktemp("expected"), EMBEDDED, "", 2000, good_order))


def undisturbed(load: Load) -> dict[str, str]:
    load.run()
    return load.hashes()


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


def die_at_start(*_: object) -> None:
    """Take the place of what a worker process does first."""
    os.kill(os.getpid(), signal.SIGKILL)


def assert_no_process_is_left() -> None:
    assert [child.name for child in multiprocessing.active_children()] == []
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("insert-")] == []


class TestEquivalence:
    @pytest.mark.parametrize(("worker_count", "mode", "queue_size", "start_method"), COMBINATIONS)
    def test_all_ways_to_run_give_identical_tables(
        self,
        load: Load,
        expected: dict[str, str],
        worker_count: int,
        mode: InsertMode,
        queue_size: int,
        start_method: StartMethod,
    ) -> None:
        result = load.run(workers=worker_count, insert_mode=mode, queue_size=queue_size, start_method=start_method)
        assert counts(result) == (DOCUMENTS, DOCUMENTS - len(REJECTS), len(REJECTS), 0)
        assert load.hashes() == expected
        assert_no_process_is_left()

    def test_several_insert_threads_and_small_calls_give_identical_tables(
        self, load: Load, expected: dict[str, str]
    ) -> None:
        result = load.run(insert_threads=3, insert_batch_rows=2, batch_size=7)
        assert len(result.insert_threads) == 3
        assert load.hashes() == expected

    def test_shards_side_by_side_give_the_tables_of_one_run(self, load: Load, expected: dict[str, str]) -> None:
        results = [load.run(shard=Shard(number, 3)) for number in (1, 2, 3)]
        assert sum(result.statistics.processed for result in results) == DOCUMENTS
        assert load.hashes() == expected

    def test_ranges_of_keys_give_the_tables_of_one_run(self, load: Load, expected: dict[str, str]) -> None:
        results = [load.run(key_range=key_range) for key_range in (KeyRange("", "20"), KeyRange("21", ""))]
        assert [result.statistics.processed for result in results] == [20, 40]
        assert load.hashes() == expected

    def test_exactly_the_faulty_documents_are_rejected_with_stage_and_reason(self, load: Load) -> None:
        load.run()
        log = load.table("processing_log")
        rejected = load.query(f"SELECT document_key, stage, reason FROM {log} WHERE status = 'rejected'")
        assert {(int(key), stage, reason.split(":")[0].split(" ")[0]) for key, stage, reason in rejected} == REJECTS

    def test_a_run_in_another_thread_than_the_main_one_works_too(self, load: Load, expected: dict[str, str]) -> None:
        thread = threading.Thread(target=load.run)
        thread.start()
        thread.join(60)
        assert load.hashes() == expected


class TestResume:
    def test_runs_with_a_limit_go_on_where_the_last_one_ended(self, load: Load, expected: dict[str, str]) -> None:
        limited = [counts(load.run(limit=20)) for _ in range(2)]
        assert limited == [(20, 18, 2, 0), (40, 19, 1, 20)]
        assert counts(load.run()) == (60, 19, 1, 40)
        assert counts(load.run()) == (60, 0, 0, 60)
        assert load.hashes() == expected

    def test_a_limit_is_met_to_the_document(self, load: Load) -> None:
        assert counts(load.run(limit=1, workers=4)) == (1, 1, 0, 0)
        assert counts(load.run(limit=30, workers=4)) == (31, 27, 3, 1)

    @pytest.mark.parametrize("kinds", on(EMBEDDED, SERVER))
    def test_a_source_without_documents_is_nothing_to_do(self, kinds: Kinds, tmp_path: Path) -> None:
        with opened(kinds, tmp_path, 1) as load:
            load.remove_documents()
            assert counts(load.run()) == (0, 0, 0, 0)

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


def order_with_the_id_of_another(number: int) -> str:
    return good_order(number).replace('id="690"', 'id="3"')


class TestOtherDatabase:
    """From one kind of database into another, where the source cannot look into the processing log."""

    @pytest.mark.parametrize("kinds", on(*CROSSED))
    def test_runs_from_one_kind_of_database_into_another_give_identical_tables(
        self, kinds: Kinds, tmp_path: Path, expected: dict[str, str]
    ) -> None:
        with opened(kinds, tmp_path) as load:
            assert counts(load.run(limit=20, insert_mode="blocking")) == (20, 18, 2, 0)
            assert counts(load.run(workers=4, queue_size=1, insert_threads=2)) == (60, 38, 2, 20)
            assert load.hashes() == expected
            assert counts(load.run(workers=1)) == (60, 0, 0, 60)
            load.empty_target()
            assert counts(load.run(workers=4)) == (60, 56, 4, 0)
            assert load.hashes() == expected

    @posix_only("sends signals to processes")
    @pytest.mark.parametrize("kinds", on(*CROSSED))
    def test_an_interrupted_run_and_a_killed_worker_leave_no_trace_there(
        self, kinds: Kinds, tmp_path: Path, long_expected: dict[str, str]
    ) -> None:
        with opened(kinds, tmp_path, 2000, good_order) as load:
            interrupted = load.run(on_progress=once(partial(signal.raise_signal, signal.SIGINT)), batch_size=100)
            assert interrupted.interrupted
            load.run(on_progress=once(lambda: os.kill(workers()[0], signal.SIGKILL), pause=0.002))
            assert load.hashes() == long_expected


class TestOrder:
    @pytest.mark.parametrize("kinds", on(EMBEDDED, SERVER))
    def test_of_two_documents_with_one_key_that_are_far_apart_the_earlier_is_loaded(
        self, kinds: Kinds, tmp_path: Path
    ) -> None:
        with opened(kinds, tmp_path, 700, order_with_the_id_of_another) as load:
            for worker_count in (1, 4):
                load.empty_target()
                assert counts(load.run(workers=worker_count)) == (700, 699, 1, 0)
                log = load.table("processing_log")
                rejected = load.query(f"SELECT document_key, stage FROM {log} WHERE status = 'rejected'")
                assert rejected == [("690", "load")]


class TestFallback:
    def test_workers_load_what_the_full_queue_refuses_and_nothing_is_lost_or_doubled(
        self, load: Load, expected: dict[str, str]
    ) -> None:
        load.run(limit=1)
        with ExitStack() as blocked:
            blocked.enter_context(load.writers_wait())
            # While nobody can write, the thread holds one batch, the queue one item, and the workers have the rest.
            unblock = threading.Timer(5 if load.on_server else 2.5, blocked.close)
            unblock.start()
            result = load.run(workers=4, queue_size=1, batch_size=100)
            unblock.join()
        assert result.queue["refused"] > 0
        assert result.queue["enqueued"] == result.queue["dequeued"] > 0
        assert counts(result) == (DOCUMENTS, DOCUMENTS - 1 - len(REJECTS), len(REJECTS), 1)
        assert load.hashes() == expected


class TestInterruption:
    def test_a_signal_commits_what_is_in_flight_and_the_next_run_completes(
        self, long_load: Load, long_expected: dict[str, str]
    ) -> None:
        before = signal.getsignal(signal.SIGINT)
        for number in (signal.SIGINT, signal.SIGTERM):
            # A short queue: what is in it is loaded all the same, and a slow target would have all of it there.
            stop = once(partial(signal.raise_signal, number))
            result = long_load.run(on_progress=stop, batch_size=100, queue_size=2)
            seen, loaded, *_ = counts(result)
            assert result.interrupted
            assert 0 < loaded < seen <= 2000 or loaded == seen < 2000
            assert_no_process_is_left()
        assert signal.getsignal(signal.SIGINT) is before
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
        assert 0 < long_load.logged() < 2000
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
        assert result.statistics.loaded == long_load.logged()
        assert_no_process_is_left()
        long_load.run()
        assert long_load.hashes() == long_expected


POISON = 5


def order_that_takes_long(number: int) -> str:
    """One of them has so many lines that a worker can be killed while it is at it."""
    return f"<order id='{number}'>{'<line/>' * 400_000}</order>" if number == POISON else good_order(number)


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

        assert counts(long_load.run(on_progress=once(kill_all, pause=0.02), workers=12)) == (2000, 2000, 0, 0)
        assert "A worker process ended unexpectedly (signal 9); its documents are handed out again" in caplog.messages
        assert_no_process_is_left()
        assert long_load.hashes() == long_expected

    @posix_only("sends signals to processes")
    @pytest.mark.parametrize("kinds", on(EMBEDDED, SERVER))
    def test_a_document_at_which_two_workers_died_is_rejected_and_the_run_goes_on(
        self, kinds: Kinds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with opened(kinds, tmp_path, 8, order_that_takes_long) as load:
            monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
            with whoever_is_at_dies(tmp_path, (2, 0)):
                result = load.run(workers=1)
            assert counts(result) == (8, 7, 1, 0)
            log = load.table("processing_log")
            ((key, reason),) = load.query(f"SELECT document_key, reason FROM {log} WHERE status = 'rejected'")
        assert key == str(POISON)
        assert reason.startswith("worker_died")
        assert_no_process_is_left()
        assert list(tmp_path.glob("xml_extractor-*")) == []

    @posix_only("sends signals to processes")
    @pytest.mark.parametrize("kinds", on(EMBEDDED, SERVER))
    def test_workers_that_die_again_and_again_end_the_run(
        self, kinds: Kinds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with opened(kinds, tmp_path, 8, good_order) as load:
            with monkeypatch.context() as patch:
                patch.setattr(parallel_coordinator, "_init_worker", die_at_start)
                with pytest.raises(WorkerDiedError) as ended:
                    load.run(workers=4)
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
            long_load.rename("line", "elsewhere")

        with pytest.raises(TargetError):
            long_load.run(on_progress=once(drop_table), insert_mode=mode)
        assert_no_process_is_left()
        assert 0 < long_load.logged() < 2000
        long_load.rename("elsewhere", "line")
        long_load.run()
        assert long_load.hashes() == long_expected

    def test_an_error_of_the_caller_ends_all_parts(self, long_load: Load) -> None:
        def fail() -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            long_load.run(on_progress=once(fail))
        assert_no_process_is_left()


DRIVER = """
import os, sys, time
from xml_extractor.pipeline import run
from xml_extractor.reporting.console import configure_logging
from xml_extractor.settings import RunSettings

def on_progress(documents):
    print(documents, flush=True)
    time.sleep(float(pause))

if __name__ == "__main__":
    contract, start_method, pause = sys.argv[1:]
    source, target = os.environ["SOURCE"], os.environ["TARGET"]
    configure_logging("INFO")
    settings = RunSettings(
        contract, source, target, 2, 25, log_level="INFO", start_method=start_method, rejects_dir=None
    )
    sys.exit(130 if run(settings, on_progress).interrupted else 0)
"""


def start_run(load: Load, start_method: StartMethod = "forkserver", pause: float = 0.02) -> subprocess.Popen[str]:
    """A run in a session of its own, so that its processes can be told from all others."""
    settings = load.settings()
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, settings.contract, start_method, str(pause)],
        env={**os.environ, "SOURCE": settings.source, "TARGET": settings.target},
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
        assert "Stop requested: finishing documents in flight" in lines
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


def cut_order_up_to_100(number: int) -> str:
    return good_order(number) if number > 100 else "<order"


class TestRejectLimit:
    @pytest.mark.parametrize("kinds", on(EMBEDDED, SERVER))
    def test_too_many_rejects_end_the_run_after_what_is_in_flight(self, kinds: Kinds, tmp_path: Path) -> None:
        with opened(kinds, tmp_path, 1500, cut_order_up_to_100) as load:
            with pytest.raises(RunError, match=r"documents were rejected, more than --max-rejects allows"):
                load.run(max_rejects=RejectLimit(count=50))
            logged = load.logged()
            assert 50 < logged < 1500
            assert load.run(max_rejects=RejectLimit(count=50)).statistics.already_done == logged

    def test_as_many_rejects_as_allowed_do_not(self, load: Load) -> None:
        assert counts(load.run(max_rejects=RejectLimit(count=len(REJECTS))))[2] == len(REJECTS)
