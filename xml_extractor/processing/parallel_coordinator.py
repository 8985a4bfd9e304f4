"""The data path: keys to worker processes, mapped documents to the insert queue, batches to the target.

Read `ParallelCoordinator.process_xml_batch` first. A worker's side is `_process_work_item`; the loader's side is
`BackgroundInsertThread._drain` in `insert_queue`.
"""

import gc
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from multiprocessing.util import Finalize
from pathlib import Path
from types import TracebackType
from typing import Self

from xml_extractor.documents import DocumentKey, Outcome, ProcessedDocument, Replaced, Status
from xml_extractor.errors import (
    RunError,
    StopRequestedError,
    TooManyRejectsError,
    TooManyToleratedError,
    WorkerDiedError,
)
from xml_extractor.processing import processes
from xml_extractor.processing.chunks import (
    LARGE_CHUNK,
    Chunk,
    ChunkReport,
    ChunkResult,
    ChunksInFlight,
    RunContext,
    WorkerFailure,
    as_run_error,
    divide,
    select,
)
from xml_extractor.processing.in_process import InProcessSupervisor
from xml_extractor.processing.insert_queue import (
    MAX_BATCH_DOCUMENTS,
    Acknowledgement,
    InsertQueue,
    InsertQueueItem,
    InsertQueueStats,
    InsertThreadStats,
)
from xml_extractor.processing.insert_threads import InsertThreads, open_loader
from xml_extractor.processing.processes import COLLECTION_THRESHOLDS, rare_collections, set_up_child
from xml_extractor.processing.worker import ChunkWorker, Worker, reported, worker_of_process
from xml_extractor.processing.worker_supervisor import RESUME_TIP, WorkerSupervisor, silent_target
from xml_extractor.reasons import Stage
from xml_extractor.reporting.console import configure_logging
from xml_extractor.reporting.result import RunStatistics, ToleratedValues
from xml_extractor.sources.interfaces import KeyPage
from xml_extractor.stopping import StopRequests, stop_requests
from xml_extractor.targets.interfaces import Target

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.1
"""How often the coordinator checks that all parts are alive, and whether it was asked to stop."""

PATIENCE_SECONDS = 2.0
"""How long insert threads wait for more where each batch makes files."""

WAIT_REPORT_SECONDS = 10.0
"""How long the target may take for what is queued before the wait is reported, and again after each such time."""


def start_worker(make: Callable[..., ChunkWorker], *arguments: object) -> None:
    """Set up a worker process, and make its worker. An error is reported with the first chunk."""
    set_up_child()
    try:
        worker = make(*arguments)
        worker_of_process.set(worker)
        # A Pool's worker exits by os._exit, which runs these finalizers but nothing registered with atexit.
        Finalize(None, worker.close, exitpriority=10)
    except Exception as error:  # noqa: BLE001 - reported to the main process
        worker_of_process.set(WorkerFailure.of(as_run_error(error)))
    # What exists now stays until the process ends.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTION_THRESHOLDS)


def _init_worker(context: RunContext, insert_queue: InsertQueue | None, markers: Path) -> None:
    configure_logging(context.settings.log_level, context.settings.log_format, context.run_id)
    start_worker(Worker, context, insert_queue, markers)


def _process_work_item(chunk: Chunk) -> ChunkReport:
    """Fetch, parse and map the documents of a chunk, then enqueue or load them. Errors are returned as data."""
    return reported(chunk, _processed)


def _processed(worker: Worker, chunk: Chunk) -> ChunkResult:
    if worker.insert_queue is None:
        return worker.result(chunk, worker.load_chunk(chunk))
    documents = list(worker.map_documents(chunk))
    return worker.result(chunk, _queue_mapped_data(worker.insert_queue, worker, chunk.sequence, documents))


def _queue_mapped_data(
    insert_queue: InsertQueue, worker: Worker, sequence: int, documents: Sequence[ProcessedDocument]
) -> list[Outcome] | None:
    """Put documents into the insert queue, or load them right here if it is full: that is the back-pressure.

    Returns:
        None if they are in the queue; otherwise the outcome of each, after the commit.
    """
    with worker.enqueuing(sequence):
        item = InsertQueueItem.pack(sequence, documents)
        queued = insert_queue.enqueue(item)
    if queued:
        logger.info("Queued insert (documents=%d, rows=%d)", item.documents, item.rows)
        return None
    logger.info("Queue full, falls back to a blocking insert (documents=%d, rows=%d)", item.documents, item.rows)
    return worker.load(documents)


Event = ChunkReport | Acknowledgement
"""What workers and insert threads report to the coordinator."""


class ParallelCoordinator:
    """Hands documents to worker processes and counts their outcomes after the commit.

    A context manager. In the block there are worker processes, the insert queue and the insert threads. At its end,
    everything queued is committed and all of them have ended; after an error, workers are killed first.

    Args:
        context: What the run knows.
        target: Where the documents go.
        statistics: Counts documents.
        on_progress: Called with the number of documents that were committed or rejected since the last call.
        on_reject: Called with each rejected document after the commit.
        on_poll: Called several times a second.
    """

    def __init__(
        self,
        context: RunContext,
        target: Target,
        statistics: RunStatistics,
        on_progress: Callable[[int], None] = lambda _: None,
        on_reject: Callable[[Outcome], None] = lambda _: None,
        on_poll: Callable[[], None] = lambda: None,
    ) -> None:
        self.statistics = statistics
        self._context = context
        self._settings = context.settings
        self._on_progress = on_progress
        self._on_reject = on_reject
        self._on_poll = on_poll
        self._chunks = ChunksInFlight(context.settings.workers)
        self._target = target
        on_spark = context.settings.engine == "spark"
        makes_files = target.only_appends and (on_spark or context.settings.in_process)
        self._chunk_size = LARGE_CHUNK if makes_files else MAX_BATCH_DOCUMENTS if on_spark else None
        self._insert_queue: InsertQueue | None = None
        self._insert_threads: InsertThreads | None = None
        self._too_many_rejects = False
        self._too_many_tolerated: ToleratedValues | None = None
        self._stop_is_announced = False
        self._waiting_since = self._reported_wait_at = time.monotonic()
        self._stop = StopRequests(is_orderly=False)

    def process_xml_batch(
        self,
        pages: Iterable[KeyPage],
        logged_keys: Callable[[Sequence[str]], set[str]],
        replaced: Callable[[Sequence[DocumentKey]], Mapping[DocumentKey, Replaced]] = lambda _: {},
        is_retried: Callable[[DocumentKey], bool] = lambda _: False,
    ) -> InsertQueueStats | None:
        """Load all documents that are not done yet; return when each of them is committed or rejected.

        Args:
            pages: The keys of the source, page by page.
            logged_keys: Returns which of the given keys, as text, are done; called for pages without this
                information.
            replaced: Returns what the processing log has of those of the given documents that are reprocessed.
            is_retried: Returns whether a document was rejected before, and is done unless it has changed.

        Returns:
            The counts of the insert queue; None if there is none.

        Raises:
            RunError: The run cannot continue, or a document is missing at its end.
            KeyboardInterrupt: The run was asked to stop twice. The coordinator's block ends with it.
        """
        try:
            # 1. List key pages, and drop the keys that are already done.
            for keys in self._keys_to_do(pages, logged_keys, is_retried):
                # 2. Hand chunks to the workers, never more than they and the queue should hold.
                self._workers.poll_until(self._chunks.has_room)
                if self._is_ending:
                    break
                self.statistics.seen += len(keys)
                # 3. A worker fetches, parses and maps the documents, then enqueues or loads them.
                self._workers.submit(self._chunks.hand_out(keys, replaced(keys)))
            # 4. Insert threads drain the queue in batches (`BackgroundInsertThread._drain`).
            # 5. Each chunk is acknowledged after its commit, and only then counted (`_finish`).
            self._workers.poll_until(self._chunks.are_all_finished)
        except (WorkerDiedError, StopRequestedError):
            # A signal that asks the run to stop may have reached all its processes.
            if not self.interrupted:
                raise
        else:
            self._check_accounts()
        return self._insert_queue.get_stats() if self._insert_queue is not None else None

    def __enter__(self) -> Self:
        settings = self._settings
        with ExitStack() as parts:
            self._stop = parts.enter_context(stop_requests())
            parts.enter_context(rare_collections())
            if settings.in_process:
                self._enter_workers(InProcessSupervisor[Event], Worker, parts)
            else:
                if settings.insert_mode == "queue":
                    patience = PATIENCE_SECONDS if self._target.only_appends else 0.0
                    queue = InsertQueue(settings.queue_size, settings.start_method, patience)
                    self._insert_queue = parts.enter_context(queue)
                self._enter_workers(WorkerSupervisor[Event], _init_worker, parts)
            self._parts = parts.pop_all()
        return self

    def _enter_workers(
        self, supervisor: type[WorkerSupervisor[Event]], initializer: Callable[..., object], parts: ExitStack
    ) -> None:
        initargs = (self._context, self._insert_queue)
        parts_of_workers = (self._chunks, initializer, initargs, _process_work_item, self._handle)
        self._workers = supervisor(self._settings, *parts_of_workers, self._stop, self._check_parts)
        parts.callback(self._count_late_commits)
        if self._insert_queue is not None:
            opener = partial(open_loader, self._context, self._target)
            is_one = self._settings.insert_threads == "auto" and self._target.is_embedded
            number = 1 if is_one else self._settings.insert_threads
            threads = InsertThreads(self._insert_queue, opener, self._workers.events.put, number)
            self._insert_threads = parts.enter_context(threads)
        parts.enter_context(self._workers)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """End all parts. A second request to stop abandons what is in flight, and is no error."""
        self._parts.__exit__(kind, error, traceback)
        return kind is KeyboardInterrupt and self.interrupted

    @property
    def interrupted(self) -> bool:
        """Whether the run was asked to stop."""
        return self._stop.requested

    @property
    def insert_thread_stats(self) -> list[InsertThreadStats]:
        """The counts of each insert thread."""
        return self._insert_threads.stats if self._insert_threads is not None else []

    @property
    def _is_ending(self) -> bool:
        return self.interrupted or self._too_many_rejects or self._too_many_tolerated is not None

    def _keys_to_do(
        self,
        pages: Iterable[KeyPage],
        logged_keys: Callable[[Sequence[str]], set[str]],
        is_retried: Callable[[DocumentKey], bool],
    ) -> Iterator[tuple[DocumentKey, ...]]:
        """Yield the keys of each chunk; those that are already done are counted and left out."""
        settings = self._settings
        for selection in select(pages, logged_keys, settings.shard, settings.limit, is_retried):
            self.statistics.skip(selection.done)
            logger.debug("Listed %d documents to process, %d already done", len(selection.keys), selection.done)
            yield from divide(selection.keys, settings.workers, self._chunk_size)
            self._workers.poll()
            if self._is_ending:
                return

    def _handle(self, event: Event) -> None:
        if isinstance(event, ChunkResult):
            self.statistics.stage_seconds.update(event.stage_seconds)
            self.statistics.note_slow(event.slowest)
        if isinstance(event, ChunkResult | Acknowledgement) and event.outcomes is not None:
            self._finish(event.sequence, event.outcomes)

    def _finish(self, sequence: int, outcomes: Sequence[Outcome]) -> None:
        """Count the outcomes of a chunk, once even if it was handed out twice because workers died."""
        self._waiting_since = time.monotonic()
        if not self._chunks.acknowledge(sequence):
            return
        for outcome in outcomes:
            self.statistics.record(outcome)
            if logger.isEnabledFor(logging.DEBUG):
                _log_outcome(outcome)
            if outcome.status is Status.REJECTED:
                self._on_reject(outcome)
        self._on_progress(len(outcomes))
        statistics, settings = self.statistics, self._settings
        if settings.max_rejects.exceeded(statistics.rejected, statistics.processed):
            self._too_many_rejects = True
        if settings.max_tolerated is not None and self._too_many_tolerated is None:
            self._too_many_tolerated = statistics.tolerated(settings.max_tolerated)

    def _check_parts(self) -> None:
        if self.interrupted and not self._stop_is_announced:
            self._stop_is_announced = True
            logger.warning("Stop requested: finishing documents in flight; a second signal stops at once")
            self._workers.pool.end_pauses()
        self._report_wait()
        if self._insert_threads is not None:
            self._insert_threads.adjust(self._chunks.waiting_for_commit(), self.statistics.processed)
            self.statistics.insert_threads = self._insert_threads.number
        if self._insert_threads is not None and not self._insert_threads.are_alive:
            self._workers.handle_waiting_events()
            raise RunError("a background insert thread ended unexpectedly", RESUME_TIP)
        size = self._insert_queue.qsize if self._insert_queue is not None else None
        self.statistics.series.sample(self.statistics.processed, size)
        self._on_poll()

    def _report_wait(self) -> None:
        """Report that the target keeps mapped documents waiting, for example for a lock of another session.

        Raises:
            SilentTargetError: It has for so long that no timeout or retry can still end the wait.
        """
        now = time.monotonic()
        if not self._chunks.waiting_for_commit():
            self._waiting_since = self._reported_wait_at = now
            return
        if now - max(self._waiting_since, self._reported_wait_at) > WAIT_REPORT_SECONDS:
            self._reported_wait_at = now
            logger.warning("Waiting for the target: nothing was committed in the last %d s", WAIT_REPORT_SECONDS)
        if now - self._waiting_since > processes.LONGEST_LOAD_SECONDS:
            raise silent_target()

    def _check_accounts(self) -> None:
        counts = self.statistics
        if counts.unaccounted:
            raise RunError(f"{counts.unaccounted} of {counts.seen} documents are not accounted for", RESUME_TIP)
        if self._too_many_rejects:
            raise TooManyRejectsError(
                f"{counts.rejected} of {counts.processed} documents were rejected, more than --max-rejects allows",
                "the reasons are in the processing log; what was loaded stays",
            )
        if self._too_many_tolerated is not None:
            column, tolerated, rows = self._too_many_tolerated
            raise TooManyToleratedError(
                f"{tolerated} of {rows} values of {column} were tolerated, more than --max-tolerated allows",
                "`xml-extractor coverage` shows what documents have there; what was loaded stays",
            )

    def _count_late_commits(self) -> None:
        """Count what was committed after the coordinator had stopped waiting for it."""
        events = self._workers.events
        while not events.empty():
            event = events.get()
            if isinstance(event, Acknowledgement | ChunkResult) and event.outcomes is not None:
                self._finish(event.sequence, event.outcomes)
        for stats in self.insert_thread_stats:
            self.statistics.stage_seconds.update({"insert": stats.insert_seconds, "commit": stats.commit_seconds})


def _log_outcome(outcome: Outcome) -> None:
    failure = outcome.failure
    what = f"rows={sum(outcome.rows)}" if failure is None else f"reason={failure.code}"
    extra = {"document": outcome.key, "stage": Stage.LOAD if failure is None else failure.stage}
    logger.debug("Document %s: %s (%s)", outcome.key, outcome.status, what, extra=extra)
