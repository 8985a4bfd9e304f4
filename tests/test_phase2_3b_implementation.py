"""The insert queue's acceptance suite: what it promises to workers, to the target and to its operators.

Nothing here stands in for the real thing: queues live in their own manager process, producers are processes and
threads, and what the insert thread loads is read back from a SQLite file through a connection of its own.
"""

import json
import logging
import multiprocessing
import os
import pickle
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Self

import pytest

from tests.conftest import posix_only
from xml_extractor.documents import Failure, MappedDocument, Outcome, ProcessedDocument, Rejection, Status
from xml_extractor.errors import RunError, TargetError
from xml_extractor.processing.insert_queue import (
    Acknowledgement,
    BackgroundInsertThread,
    InsertQueue,
    InsertQueueItem,
    LoaderOpener,
)
from xml_extractor.reasons import Reason, Stage
from xml_extractor.settings import DEFAULT_START_METHOD, StartMethod
from xml_extractor.targets.loader import LoadStatistics

START_METHODS: list[StartMethod] = sorted({"spawn", DEFAULT_START_METHOD})
PATIENCE = 90.0


def document(key: int, rows: int = 2) -> MappedDocument:
    return MappedDocument(key, (((key, "parent"),), tuple((key, f"child {n}") for n in range(1, rows))), "0" * 32, 0.1)


def rejection(key: int) -> Rejection:
    return Rejection(key, Failure(Stage.PARSE, Reason.MALFORMED, "it is not well-formed XML"), "0" * 32, 0.1)


def item(sequence: int, documents: int = 2, rows: int = 2) -> InsertQueueItem:
    keys = range(sequence * documents, (sequence + 1) * documents)
    return InsertQueueItem.pack(sequence, [document(key, rows) for key in keys])


def keys_of(items: Sequence[InsertQueueItem]) -> list[int | str]:
    return [document.key for item in items for document in item.unpack()]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def enqueue_range(queue: InsertQueue, first: int, count: int) -> None:
    """What a producer does, in whatever process it runs; waits where the queue is full."""
    for sequence in range(first, first + count):
        while not queue.enqueue(item(sequence)):
            time.sleep(0.001)


def start_producer(start_method: StartMethod, queue: InsertQueue, first: int, count: int) -> BaseProcess:
    producer: BaseProcess
    if start_method == "spawn":
        producer = multiprocessing.get_context("spawn").Process(target=enqueue_range, args=(queue, first, count))
    else:
        producer = multiprocessing.get_context("forkserver").Process(target=enqueue_range, args=(queue, first, count))
    producer.start()
    return producer


class FileLoader:
    """Loads keys and numbers of rows into a SQLite file, a transaction a batch."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.statistics = LoadStatistics()

    def load(self, documents: Sequence[ProcessedDocument]) -> list[Outcome]:
        outcomes = [self._insert(document) for document in documents]
        self.connection.commit()
        self.statistics.transactions += 1
        return outcomes

    def _insert(self, document: ProcessedDocument) -> Outcome:
        if isinstance(document, Rejection):
            self.connection.execute("INSERT INTO loaded VALUES (?, 0)", (document.key,))
            return Outcome(document.key, Status.REJECTED, failure=document.failure)
        rows = tuple(map(len, document.rows))
        self.connection.execute("INSERT INTO loaded VALUES (?, ?)", (document.key, sum(rows)))
        return Outcome(document.key, Status.LOADED, rows)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "target.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE loaded (key INTEGER PRIMARY KEY, row_count INTEGER)")
    return path


@pytest.fixture
def queue() -> Iterator[InsertQueue]:
    with InsertQueue(max_size=100) as queue:
        yield queue


def opener(path: Path) -> LoaderOpener:
    @contextmanager
    def open_loader() -> Iterator[FileLoader]:
        with closing(sqlite3.connect(path)) as connection:
            yield FileLoader(connection)

    return open_loader


def committed(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [key for (key,) in connection.execute("SELECT key FROM loaded ORDER BY key")]


class Parts:
    """An insert thread with what it told the coordinator."""

    def __init__(self, queue: InsertQueue, open_loader: LoaderOpener) -> None:
        self.acknowledged: list[Acknowledgement] = []
        self.failures: list[Exception] = []
        self.thread = BackgroundInsertThread(queue, open_loader, self.acknowledged.append, self.failures.append)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.thread.stop()


class TestInsertQueue:
    def test_items_leave_in_the_order_in_which_they_came(self, queue: InsertQueue) -> None:
        for sequence in range(5):
            assert queue.enqueue(item(sequence))
        assert [taken.sequence for taken in queue.dequeue_batch()] == [0, 1, 2, 3, 4]

    def test_a_full_queue_refuses_at_once_and_keeps_what_it_has(self) -> None:
        with InsertQueue(max_size=2) as queue:
            assert [queue.enqueue(item(sequence)) for sequence in range(4)] == [True, True, False, False]
            assert queue.qsize() == 2
            assert [taken.sequence for taken in queue.dequeue_batch()] == [0, 1]

    def test_a_queue_that_was_full_accepts_again_after_a_batch_was_taken(self) -> None:
        with InsertQueue(max_size=1) as queue:
            assert queue.enqueue(item(0))
            assert not queue.enqueue(item(1))
            queue.dequeue_batch()
            assert queue.enqueue(item(1))

    def test_an_empty_queue_gives_an_empty_batch_after_the_timeout(self, queue: InsertQueue) -> None:
        assert queue.dequeue_batch(timeout=0.01) == []

    def test_a_batch_holds_whole_items_up_to_a_number_of_documents(self, queue: InsertQueue) -> None:
        for sequence in range(5):
            queue.enqueue(item(sequence, documents=10))
        assert [len(queue.dequeue_batch(max_documents=25, timeout=0.01)) for _ in range(4)] == [2, 2, 1, 0]

    def test_a_batch_holds_whole_items_up_to_a_number_of_rows(self, queue: InsertQueue) -> None:
        for sequence in range(4):
            queue.enqueue(item(sequence, documents=1, rows=100))
        assert [len(queue.dequeue_batch(max_rows=300, timeout=0.01)) for _ in range(3)] == [3, 1, 0]

    def test_an_item_larger_than_a_batch_is_a_batch_of_its_own(self, queue: InsertQueue) -> None:
        queue.enqueue(item(0, documents=50))
        queue.enqueue(item(1, documents=1))
        assert [taken.sequence for taken in queue.dequeue_batch(max_documents=10)] == [0]

    def test_its_counts_are_those_of_all_users(self) -> None:
        with InsertQueue(max_size=3) as queue:
            for sequence in range(5):
                queue.enqueue(item(sequence))
            queue.dequeue_batch(max_documents=4)
            assert queue.get_stats()._asdict() == {
                "max_size": 3,
                "enqueued": 3,
                "refused": 2,
                "dequeued": 2,
                "largest": 3,
            }
            assert queue.qsize() == 1

    @pytest.mark.parametrize("start_method", START_METHODS)
    def test_it_says_that_it_was_created(self, start_method: StartMethod, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "xml_extractor")
        with InsertQueue(start_method=start_method) as queue:
            assert queue.get_stats().max_size == 10000
        assert "Insert queue created (max_size=10000)" in caplog.messages

    def test_a_pickled_queue_outlives_neither_close_nor_its_process(self, queue: InsertQueue) -> None:
        queue.close()
        with pytest.raises(RunError, match="process that holds the insert queue has ended"):
            queue.enqueue(item(0))

    @posix_only("sends signals to processes")
    def test_the_death_of_its_process_is_an_error_and_no_endless_wait(self, queue: InsertQueue) -> None:
        (manager,) = [child for child in multiprocessing.active_children() if "QueueManager" in child.name]
        assert manager.pid
        queue.enqueue(item(0))
        os.kill(manager.pid, signal.SIGKILL)
        manager.join(PATIENCE)
        for use in (lambda: queue.enqueue(item(1)), queue.dequeue_batch, queue.get_stats, queue.qsize):
            with pytest.raises(RunError, match="process that holds the insert queue has ended"):
                use()

    @posix_only("sends signals to processes")
    def test_signals_to_all_processes_of_a_run_do_not_end_it(self, queue: InsertQueue) -> None:
        (manager,) = [child for child in multiprocessing.active_children() if "QueueManager" in child.name]
        assert manager.pid
        os.kill(manager.pid, signal.SIGINT)
        os.kill(manager.pid, signal.SIGTERM)
        assert queue.enqueue(item(0))
        assert queue.qsize() == 1


class TestInsertQueueItem:
    def test_documents_and_rejections_come_back_as_they_were(self) -> None:
        documents: list[ProcessedDocument] = [document(1), rejection(2), document(3, rows=5)]
        assert InsertQueueItem.pack(7, documents).unpack() == documents

    def test_it_knows_its_number_its_documents_and_its_rows(self) -> None:
        packed = InsertQueueItem.pack(7, [document(1, rows=4), rejection(2), document(3, rows=5)])
        assert (packed.sequence, packed.documents, packed.rows) == (7, 3, 9)

    def test_its_payload_is_bytes_so_that_the_queue_never_unpickles_a_document(self) -> None:
        packed = item(1)
        assert isinstance(packed.payload, bytes)
        assert pickle.loads(packed.payload) == packed.unpack()

    def test_it_cannot_be_changed(self) -> None:
        with pytest.raises(AttributeError):
            item(1).sequence = 2  # type: ignore[misc]  # the assignment that must fail

    def test_it_survives_the_way_through_the_queue(self, queue: InsertQueue) -> None:
        sent = item(3, documents=32)
        queue.enqueue(sent)
        assert queue.dequeue_batch() == [sent]


class TestBackgroundInsertThreadInterface:
    def test_what_is_acknowledged_is_committed(self, queue: InsertQueue, database: Path) -> None:
        with Parts(queue, opener(database)) as parts:
            enqueue_range(queue, 0, 10)
            seen: set[int | str] = set()
            while len(seen) < 20:
                wait_until(lambda: len(parts.acknowledged) > 0)
                acknowledgement = parts.acknowledged.pop()
                seen |= {outcome.key for outcome in acknowledgement.outcomes}
                assert seen <= set(committed(database))

    def test_each_item_is_acknowledged_once_with_the_outcome_of_each_document(
        self, queue: InsertQueue, database: Path
    ) -> None:
        queue.enqueue(InsertQueueItem.pack(4, [document(1), rejection(2)]))
        queue.enqueue(InsertQueueItem.pack(5, [document(3)]))
        with Parts(queue, opener(database)) as parts:
            pass
        outcomes = {acknowledged.sequence: list(acknowledged.outcomes) for acknowledged in parts.acknowledged}
        assert outcomes == {
            4: [Outcome(1, Status.LOADED, (1, 1)), Outcome(2, Status.REJECTED, failure=rejection(2).failure)],
            5: [Outcome(3, Status.LOADED, (1, 1))],
        }

    def test_stopping_loads_and_commits_all_that_is_queued(self, queue: InsertQueue, database: Path) -> None:
        parts = Parts(queue, opener(database))
        enqueue_range(queue, 0, 50)
        parts.thread.start()
        parts.thread.stop()
        assert committed(database) == list(range(100))
        assert queue.qsize() == 0
        assert not parts.thread.is_alive

    def test_several_items_share_a_transaction(self, queue: InsertQueue, database: Path) -> None:
        enqueue_range(queue, 0, 50)
        with Parts(queue, opener(database)) as parts:
            pass
        stats = parts.thread.get_stats()
        assert (stats.batches, stats.transactions, stats.documents, stats.inserted) == (1, 1, 100, 200)
        assert stats.elapsed > 0

    def test_the_interpreter_waits_for_it(self, queue: InsertQueue, database: Path) -> None:
        with Parts(queue, opener(database)):
            (thread,) = [thread for thread in threading.enumerate() if thread.name == "insert-1"]
            assert not thread.daemon

    def test_stopping_twice_or_before_the_start_does_nothing(self, queue: InsertQueue, database: Path) -> None:
        parts = Parts(queue, opener(database))
        parts.thread.stop()
        with Parts(queue, opener(database)) as parts:
            parts.thread.stop()
        assert parts.thread.get_stats().batches == 0

    def test_stopping_without_draining_leaves_whole_items_in_the_queue(
        self, queue: InsertQueue, database: Path
    ) -> None:
        parts = Parts(queue, opener(database))
        enqueue_range(queue, 0, 10)
        parts.thread.stop(drain=False)
        parts.thread.start()
        parts.thread.stop()
        assert committed(database) == []
        assert queue.qsize() == 10

    def test_an_error_of_the_target_ends_it_and_is_handed_over(self, queue: InsertQueue) -> None:
        class RefusingLoader:
            statistics = LoadStatistics()

            def load(self, documents: Sequence[ProcessedDocument]) -> list[Outcome]:
                raise TargetError("the disk is full")

        @contextmanager
        def open_loader() -> Iterator[RefusingLoader]:
            yield RefusingLoader()

        with Parts(queue, open_loader) as parts:
            queue.enqueue(item(0))
            wait_until(lambda: not parts.thread.is_alive)
        assert [str(failure) for failure in parts.failures] == ["the disk is full"]
        assert parts.acknowledged == []

    def test_a_target_that_cannot_be_opened_ends_it_and_is_handed_over(self, queue: InsertQueue) -> None:
        def open_loader() -> AbstractContextManager[FileLoader]:
            raise TargetError("there is no such database")

        with Parts(queue, open_loader) as parts:
            wait_until(lambda: not parts.thread.is_alive)
        assert [type(failure) for failure in parts.failures] == [TargetError]

    def test_the_death_of_the_queue_ends_it_and_is_handed_over(self, queue: InsertQueue, database: Path) -> None:
        with Parts(queue, opener(database)) as parts:
            queue.close()
            wait_until(lambda: not parts.thread.is_alive)
        assert [type(failure) for failure in parts.failures] == [RunError]

    def test_it_logs_its_start_and_its_final_stats(
        self, queue: InsertQueue, database: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, "xml_extractor")
        with Parts(queue, opener(database)):
            enqueue_range(queue, 0, 3)
        assert "Background insert thread started" in caplog.messages
        (line,) = [line for line in caplog.messages if line.startswith("Background thread final stats: ")]
        counts = dict(part.split("=") for part in line.removeprefix("Background thread final stats: ").split(", "))
        assert list(counts) == ["batches", "inserted", "elapsed"]
        assert counts["inserted"] == "12"


class TestPerformanceCharacteristics:
    """Reports what the queue costs here and now; a clock decides nothing."""

    @pytest.mark.parametrize("documents", [1, 32])
    def test_the_cost_of_enqueueing_is_measured_and_reported(
        self, documents: int, record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]
    ) -> None:
        items = [item(sequence, documents=documents, rows=40) for sequence in range(200)]
        with InsertQueue(max_size=len(items)) as queue:
            began_at = time.perf_counter()
            accepted = sum(queue.enqueue(each) for each in items)
            per_document = (time.perf_counter() - began_at) / len(items) / documents * 1000
            record_property("enqueue_ms_per_document", round(per_document, 4))
            with capsys.disabled():
                sys.stdout.write(f"[enqueue, {documents} documents an item: {per_document:.4f} ms a document]")
            assert accepted == len(items) == queue.qsize()

    def test_a_full_queue_answers_without_waiting_for_room(
        self, record_property: Callable[[str, object], None]
    ) -> None:
        with InsertQueue(max_size=1) as queue:
            queue.enqueue(item(0))
            began_at = time.perf_counter()
            refused = sum(not queue.enqueue(item(1)) for _ in range(100))
            record_property("refused_ms", round((time.perf_counter() - began_at) * 10, 4))
            assert refused == queue.get_stats().refused == 100

    def test_a_batch_is_fetched_by_one_message_whatever_the_number_of_its_items(
        self, queue: InsertQueue, record_property: Callable[[str, object], None]
    ) -> None:
        enqueue_range(queue, 0, 100)
        began_at = time.perf_counter()
        batch = queue.dequeue_batch(max_documents=1000)
        record_property("dequeue_ms_per_batch_of_100_items", round((time.perf_counter() - began_at) * 1000, 3))
        assert keys_of(batch) == list(range(200))


class TestThreadSafety:
    @pytest.mark.parametrize("start_method", START_METHODS)
    def test_concurrent_producer_processes_lose_and_double_nothing(self, start_method: StartMethod) -> None:
        with InsertQueue(max_size=10, start_method=start_method) as queue:
            producers = [start_producer(start_method, queue, start, 50) for start in (0, 50, 100)]
            taken: list[int | str] = []
            deadline = time.monotonic() + PATIENCE
            while len(taken) < 300 and time.monotonic() < deadline:
                taken += keys_of(queue.dequeue_batch(max_documents=6))
            for producer in producers:
                producer.join(PATIENCE)
            assert [producer.exitcode for producer in producers] == [0, 0, 0]
            assert sorted(taken, key=int) == list(range(300))
            assert queue.get_stats().enqueued == queue.get_stats().dequeued == 150
            assert queue.get_stats().largest <= 10

    def test_concurrent_producer_threads_lose_and_double_nothing(self, queue: InsertQueue, database: Path) -> None:
        with Parts(queue, opener(database)), ThreadPoolExecutor(8) as threads:
            for first in range(0, 400, 50):
                threads.submit(enqueue_range, queue, first, 50)
        assert committed(database) == list(range(800))

    def test_producer_processes_and_several_insert_threads_commit_everything_once(
        self, queue: InsertQueue, database: Path
    ) -> None:
        with Parts(queue, opener(database)) as first, Parts(queue, opener(database)) as second:
            producers = [start_producer("spawn", queue, start, 100) for start in (0, 100)]
            for producer in producers:
                producer.join(PATIENCE)
        assert first.failures == second.failures == []
        assert committed(database) == list(range(400))
        acknowledged = [each.sequence for each in first.acknowledged + second.acknowledged]
        assert sorted(acknowledged) == list(range(200))

    def test_a_producer_killed_between_two_items_leaves_the_queue_usable(self, queue: InsertQueue) -> None:
        producer = start_producer("spawn", queue, 0, 10_000)
        wait_until(lambda: queue.qsize() > 10)
        producer.kill()
        producer.join(PATIENCE)
        taken = keys_of(queue.dequeue_batch(max_documents=100_000))
        assert taken == list(range(len(taken)))
        assert queue.enqueue(item(0))

    def test_stats_can_be_read_while_others_work(self, queue: InsertQueue) -> None:
        with ThreadPoolExecutor(2) as threads:
            producing = threads.submit(enqueue_range, queue, 0, 100)
            while not producing.done():
                stats = queue.get_stats()
                assert stats.dequeued <= stats.enqueued
                assert json.dumps(stats._asdict())
