"""The data path: keys to worker processes, mapped documents to the insert queue, batches to the target.

`ParallelCoordinator.process_xml_batch` shows the way of the keys, `_process_work_item` what a worker does with them.
What happens to a chunk in the queue is in `insert_queue`.
"""

import gc
import logging
import os
import queue
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from contextvars import ContextVar
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from xml_extractor.documents import DocumentKey, Outcome, ProcessedDocument, Replaced, Status
from xml_extractor.errors import RunError, WorkerDiedError
from xml_extractor.processing.held_queue import InsertQueueStats
from xml_extractor.processing.insert_queue import (
    Acknowledgement,
    BackgroundInsertThread,
    InsertQueue,
    InsertQueueItem,
    InsertThreadStats,
)
from xml_extractor.processing.marks import Marks
from xml_extractor.processing.processes import process_context, set_up_child
from xml_extractor.processing.stop_requests import stop_requests
from xml_extractor.processing.work import (
    CHUNKS_PER_WORKER,
    RunContext,
    Window,
    WorkerFailure,
    WorkItem,
    WorkResult,
    chunks,
    select,
)
from xml_extractor.processing.worker import Worker, as_run_error, open_loader
from xml_extractor.processing.worker_pool import NO_MEMORY, DeadWorker, WorkerPool, retire
from xml_extractor.reporting.logs import configure_logging
from xml_extractor.reporting.statistics import RunStatistics
from xml_extractor.sources.interfaces import KeyPage

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.1
"""How often the coordinator looks whether all parts are alive, and whether it was asked to stop."""

Event = WorkResult | Acknowledgement | Exception
"""What the other parts tell the coordinator."""

DEATHS_OF_A_DOCUMENT = 2
"""A document at which so many workers died is rejected."""

MOST_DEATHS_IN_A_ROW = 10
"""How many workers may die before a document is committed again."""

GO_ON_TIP = "what was committed stays; run the same command again to go on"

_worker: ContextVar[Worker | WorkerFailure] = ContextVar("worker")
"""In a worker process: its parts, or why it has none."""


def _init_worker(context: RunContext, insert_queue: InsertQueue | None, marks: Path) -> None:
    set_up_child()
    configure_logging(context.settings.log_level)
    try:
        _worker.set(Worker(context, insert_queue, marks))
    except Exception as error:  # noqa: BLE001 - every failure goes to the coordinator, with the first work item
        _worker.set(WorkerFailure.of(as_run_error(error)))
    # What is compiled now stays for good; the garbage collector need not look at it again for each document.
    gc.collect()
    gc.freeze()


def _process_work_item(item: WorkItem) -> WorkResult:
    """Map the documents of a work item, then queue or load them. What ends the run comes back as data too."""
    worker = _worker.get()
    if isinstance(worker, WorkerFailure):
        return WorkResult(item.sequence, os.getpid(), failure=worker)
    outcomes: Sequence[Outcome] | None = None
    failure = None
    try:
        documents = worker.map_documents(item)
        if worker.insert_queue is None:
            outcomes = [outcome for document in documents for outcome in worker.load([document])]
        else:
            outcomes = _queue_mapped_data(worker.insert_queue, worker, item.sequence, list(documents))
    except MemoryError:
        # As when the system ends a process that needs too much: if it is one document that does, it is found out.
        os._exit(NO_MEMORY)
    except Exception as error:  # noqa: BLE001 - every failure goes to the coordinator, as data
        failure = WorkerFailure.of(as_run_error(error))
    retires = worker.is_grown
    if retires:
        retire()
    return WorkResult(item.sequence, os.getpid(), outcomes, worker.take_seconds(), failure, retires)


def _queue_mapped_data(
    insert_queue: InsertQueue, worker: Worker, sequence: int, documents: Sequence[ProcessedDocument]
) -> list[Outcome] | None:
    """Hand documents to the insert threads, or load them here and now if the queue is full.

    Returns:
        None when they are in the queue; otherwise what became of each, after the commit.
    """
    with worker.timed("enqueue"):
        item = InsertQueueItem.pack(sequence, documents)
        queued = insert_queue.enqueue(item)
    if queued:
        logger.info("Queued insert (documents=%d, rows=%d)", item.documents, item.rows)
        return None
    logger.info("Queue full, falls back to a blocking insert (documents=%d, rows=%d)", item.documents, item.rows)
    return worker.load(documents)


class ParallelCoordinator:
    """Hands documents to worker processes and counts what became of them, after the commit.

    A context manager: its block has worker processes, the insert queue and the insert threads; at its end everything
    that was queued is committed, and all of them have ended. After an error workers are killed first.

    Args:
        context: What the run knows.
        statistics: Where documents are counted.
        on_progress: Called with a number of documents each time that so many are committed or rejected.
        on_reject: Called with each document that is rejected, after the commit.
    """

    def __init__(
        self,
        context: RunContext,
        statistics: RunStatistics,
        on_progress: Callable[[int], None] = lambda _: None,
        on_reject: Callable[[Outcome], None] = lambda _: None,
    ) -> None:
        self.statistics = statistics
        self._context = context
        self._settings = context.settings
        self._on_progress = on_progress
        self._on_reject = on_reject
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._window = Window()
        self._awaited: set[int] = set()
        self._insert_queue: InsertQueue | None = None
        self._insert_threads: list[BackgroundInsertThread] = []
        self._next_check = 0.0
        self._too_many_rejects = False
        self._deaths: Counter[DocumentKey] = Counter()
        self._deaths_in_a_row = 0
        self._stop_is_announced = False

    def __enter__(self) -> Self:
        settings = self._settings
        with ExitStack() as parts:
            self._stop = parts.enter_context(stop_requests())
            parts.callback(self._record_late_events)
            if settings.insert_mode == "queue":
                self._insert_queue = parts.enter_context(InsertQueue(settings.queue_size, settings.start_method))
                for number in range(1, self._context.inserts.threads + 1):
                    self._start_insert_thread(self._insert_queue, number, parts)
            self._marks = parts.enter_context(Marks())
            self._pool = self._start_workers()
            parts.push(self._end_workers)
            self._parts = parts.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._parts.__exit__(kind, error, traceback)

    def process_xml_batch(
        self,
        pages: Iterable[KeyPage],
        logged_keys: Callable[[Sequence[str]], set[str]],
        replaced: Callable[[Sequence[DocumentKey]], Mapping[DocumentKey, Replaced]] = lambda _: {},
    ) -> InsertQueueStats | None:
        """Load all documents that the processing log does not have; returns when each of them is accounted for.

        Args:
            pages: The keys of the source.
            logged_keys: Says which keys, as text, the processing log has; asked where the source has not said so.
            replaced: Says which documents are done again, and in place of what.

        Returns:
            The counts of the insert queue; None if there is none.

        Raises:
            RunError: The run cannot go on, or ended with a document missing.
            KeyboardInterrupt: It was asked twice to stop.
        """
        try:
            for item in self._work_items(pages, logged_keys):
                self._wait_until(partial(self._has_room_for, item))
                if self._is_ending:
                    break
                self._hand_out(replace(item, replaced=replaced(item.keys)))
            self._wait_until(lambda: not self._window and not self._awaited)
        except WorkerDiedError:
            # Whoever asked the run to stop may have asked all its processes.
            if not self.interrupted:
                raise
        else:
            self._check_accounts()
        return self._insert_queue.get_stats() if self._insert_queue is not None else None

    @property
    def interrupted(self) -> bool:
        """Whether somebody asked the run to stop."""
        return self._stop.requested

    @property
    def insert_thread_stats(self) -> list[InsertThreadStats]:
        """The counts of each insert thread."""
        return [thread.get_stats() for thread in self._insert_threads]

    @property
    def _is_ending(self) -> bool:
        return self.interrupted or self._too_many_rejects

    def _start_workers(self) -> WorkerPool:
        settings = self._settings
        initargs = (self._context, self._insert_queue, self._marks.path)
        return WorkerPool(process_context(settings.start_method), settings.workers, _init_worker, initargs)

    def _end_workers(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pool.__exit__(kind, error, traceback)

    def _start_insert_thread(self, insert_queue: InsertQueue, number: int, parts: ExitStack) -> None:
        opener = partial(open_loader, self._context)
        thread = BackgroundInsertThread(insert_queue, opener, self._events.put, self._events.put, number)
        self._insert_threads.append(thread)
        thread.start()
        parts.push(lambda kind, _error, _traceback: thread.stop(drain=kind is not KeyboardInterrupt))

    def _work_items(
        self, pages: Iterable[KeyPage], logged_keys: Callable[[Sequence[str]], set[str]]
    ) -> Iterator[WorkItem]:
        settings, sequence = self._settings, count()
        for selection in select(pages, logged_keys, settings.shard, settings.limit):
            self.statistics.skip(selection.done)
            for keys in chunks(selection.keys, settings.workers):
                yield WorkItem(next(sequence), keys)
            self._look_around(timeout=0)
            if self._is_ending:
                return

    def _has_room_for(self, item: WorkItem) -> bool:
        enough_for_workers = CHUNKS_PER_WORKER * self._settings.workers
        return len(self._awaited) < enough_for_workers and self._window.has_room_for(item.sequence)

    def _hand_out(self, item: WorkItem) -> None:
        self.statistics.seen += len(item.keys)
        self._window.open(item)
        self._submit(item)

    def _submit(self, item: WorkItem) -> None:
        self._awaited.add(item.sequence)
        self._pool.submit(_process_work_item, item, self._events.put, self._note_lost_result)

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._look_around(POLL_SECONDS)

    def _look_around(self, timeout: float) -> None:
        """Handle what has happened, waiting a moment for it, and see from time to time that all parts are alive."""
        with suppress(queue.Empty):
            self._handle(self._events.get(timeout=timeout))
        now = time.monotonic()
        if now >= self._next_check:
            self._next_check = now + POLL_SECONDS
            # A worker that was replaced counts as dead as long as not all of its results have been noted.
            self._handle_what_waits()
            self._check_parts()
            size = self._insert_queue.qsize if self._insert_queue is not None else None
            self.statistics.series.sample(self.statistics.processed, size)

    def _handle_what_waits(self) -> None:
        while not self._events.empty():
            self._handle(self._events.get())

    def _handle(self, event: Event) -> None:
        match event:
            case WorkResult():
                self._awaited.discard(event.sequence)
                self._pool.note_result(event.worker, retires=event.retires)
                self.statistics.stage_seconds.update(event.stage_seconds)
                if event.failure is not None:
                    raise event.failure.exception()
                if event.outcomes is not None:
                    self._finish(event.sequence, event.outcomes)
            case Acknowledgement():
                self._finish(event.sequence, event.outcomes)
            case Exception():
                raise event

    def _finish(self, sequence: int, outcomes: Sequence[Outcome]) -> None:
        """Count what became of a work item; only once, even if a death had it handed out twice."""
        if not self._window.close(sequence):
            return
        self._deaths_in_a_row = 0
        for outcome in outcomes:
            self.statistics.record(outcome)
            if outcome.status is Status.REJECTED:
                self._on_reject(outcome)
        self._on_progress(len(outcomes))
        limit = self._settings.max_rejects
        if limit is not None and limit.exceeded(self.statistics.rejected, self.statistics.processed):
            self._too_many_rejects = True

    def _check_parts(self) -> None:
        if self.interrupted and not self._stop_is_announced:
            self._stop_is_announced = True
            logger.warning("Asked to stop: finishing what is in flight; ask again to stop at once")
        dead = self._pool.find_dead()
        if dead:
            self._replace_workers(dead)
        if not all(thread.is_alive for thread in self._insert_threads):
            self._handle_what_waits()
            raise RunError("a background insert thread ended by itself", GO_ON_TIP)

    def _replace_workers(self, dead: Sequence[DeadWorker]) -> None:
        """Start all workers anew, and hand out again what they had.

        All, because a dead one may have held a lock of the Pool's queues. What was queued or loaded meanwhile is not
        loaded twice: the processing log refuses it, and the run takes its outcome from there.

        Raises:
            WorkerDiedError: Workers die, and nothing gets done in between.
        """
        self._deaths_in_a_row += len(dead)
        for worker in dead:
            mark = self._marks.of(worker.process_id)
            item = None if mark is None else self._window.item(mark.sequence)
            if mark is not None and item is not None:
                self._deaths[item.keys[mark.position]] += 1
            logger.warning("A worker process ended by itself (%s); its documents are given to others", worker.exit)
        if self.interrupted or self._deaths_in_a_row > MOST_DEATHS_IN_A_ROW:
            raise WorkerDiedError(
                f"worker processes end by themselves ({dead[0].exit})",
                f"{GO_ON_TIP}; if memory is short, with fewer workers",
            )
        self._pool.kill()
        self._pool = self._start_workers()
        self._handle_what_waits()
        deadly = frozenset(key for key, deaths in self._deaths.items() if deaths >= DEATHS_OF_A_DOCUMENT)
        for sequence in sorted(self._awaited):
            item = self._window.item(sequence)
            if item is None:
                self._awaited.discard(sequence)
            else:
                self._submit(replace(item, deadly=deadly.intersection(item.keys)))

    def _check_accounts(self) -> None:
        counts = self.statistics
        if counts.unaccounted:
            raise RunError(f"{counts.unaccounted} of {counts.seen} documents are not accounted for", GO_ON_TIP)
        if self._too_many_rejects:
            raise RunError(
                f"{counts.rejected} of {counts.processed} documents were rejected, more than --max-rejects allows",
                "the reasons are in the table processing_log; what was loaded stays",
            )

    def _note_lost_result(self, error: BaseException) -> None:
        self._events.put(RunError(f"the result of a worker was lost ({type(error).__name__})", GO_ON_TIP))

    def _record_late_events(self) -> None:
        """Count what was committed after the coordinator had stopped waiting for it."""
        while not self._events.empty():
            event = self._events.get()
            if isinstance(event, Acknowledgement | WorkResult) and event.outcomes is not None:
                self._finish(event.sequence, event.outcomes)
        for stats in self.insert_thread_stats:
            self.statistics.stage_seconds.update({"insert": stats.insert_seconds, "commit": stats.commit_seconds})
