"""The insert queue between worker processes and the threads that load what is in it."""

import logging
import os
import pickle
import queue
import signal
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing.managers import BaseManager
from multiprocessing.util import get_temp_dir
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self, TypeVar

from xml_extractor.documents import MappedDocument, Outcome, ProcessedDocument, Status
from xml_extractor.errors import EXIT_FAILED, RunError, system_error
from xml_extractor.processing import processes
from xml_extractor.processing.processes import process_context, set_up_child
from xml_extractor.settings import DEFAULT_START_METHOD, StartMethod
from xml_extractor.stopping import stop_signals_blocked

if TYPE_CHECKING:
    # The process that holds the queue needs nothing of the loader.
    from xml_extractor.targets.loader import LoadStatistics

logger = logging.getLogger(__name__)
Result = TypeVar("Result")

MAX_BATCH_DOCUMENTS, MAX_BATCH_ROWS = 256, 20_000
"""A batch takes no further chunk once it would exceed one of these; a single chunk may."""
MAX_QUEUED_BYTES = 16 * 2**20
"""The queue is full with this many bytes, however few items they are. This bounds the memory of its process."""

POLL_SECONDS = 0.05
ABANDON_SECONDS = 1.0
"""How long an insert thread may take to end its transaction when a run must stop at once."""


@dataclass(frozen=True, slots=True)
class InsertQueueItem:
    """A chunk of whole documents, pickled once by the worker that mapped them.

    Attributes:
        sequence: The number of the chunk.
        documents: Number of documents, including rejections.
        rows: Number of their rows in all tables.
        payload: The pickled list of documents.
    """

    sequence: int
    documents: int
    rows: int
    payload: bytes

    @property
    def size(self) -> int:
        """Bytes of the payload."""
        return len(self.payload)

    @classmethod
    def pack(cls, sequence: int, documents: Sequence[ProcessedDocument]) -> Self:
        """Pickle documents."""
        rows = sum(sum(map(len, document.rows)) for document in documents if isinstance(document, MappedDocument))
        return cls(sequence, len(documents), rows, pickle.dumps(list(documents), protocol=5))

    def unpack(self) -> list[ProcessedDocument]:
        """Unpickle the documents."""
        documents: list[ProcessedDocument] = pickle.loads(self.payload)
        return documents


class InsertQueueStats(NamedTuple):
    """Counts of items, summed over all processes that use the queue.

    Attributes:
        max_size: Items that fit.
        enqueued: Items accepted.
        refused: Items not accepted because the queue was full.
        dequeued: Items handed to insert threads.
        largest: The largest number of items that were in the queue at once.
    """

    max_size: int
    enqueued: int
    refused: int
    dequeued: int
    largest: int


class BoundedQueue(queue.Queue[InsertQueueItem]):
    """A queue bounded by items and bytes, with counts. Lives in the manager process, so counting needs no messages."""

    def __init__(self, maxsize: int, patience: float = 0.0, max_bytes: int = MAX_QUEUED_BYTES) -> None:
        super().__init__(maxsize)
        self._patience = patience
        self._max_bytes = max_bytes
        self._bytes = self._enqueued = self._refused = self._dequeued = self._largest = 0

    def offer(self, item: InsertQueueItem) -> bool:
        """Put an item without waiting; return False when full. An empty queue accepts an item of any size."""
        with self.mutex:
            if self._qsize() >= self.maxsize or (self._bytes and self._bytes + item.size > self._max_bytes):
                self._refused += 1
                return False
            self._put(item)
            self.not_empty.notify()
        return True

    def take(self, max_documents: int, max_rows: int, timeout: float) -> list[InsertQueueItem]:
        """Take items, oldest first: one if any arrives in time, more while they fit, with patience if it may wait."""
        try:
            first = self.get(timeout=timeout)
        except queue.Empty:
            return []
        batch, documents, rows = [first], first.documents, first.rows
        until = time.monotonic() + self._patience * bool(timeout)
        with self.mutex:
            while 2 * self._bytes < self._max_bytes and (left := until - time.monotonic()) > 0:
                self.not_empty.wait(left)
            while self.queue:
                documents += self.queue[0].documents
                rows += self.queue[0].rows
                if not self._patience and (documents > max_documents or rows > max_rows):
                    break
                batch.append(self._get())
        return batch

    def counts(self) -> InsertQueueStats:
        """Return the counts so far."""
        with self.mutex:
            return InsertQueueStats(self.maxsize, self._enqueued, self._refused, self._dequeued, self._largest)

    def _put(self, item: InsertQueueItem) -> None:
        super()._put(item)
        self._bytes += item.size
        self._enqueued += 1
        self._largest = max(self._largest, self._qsize())

    def _get(self) -> InsertQueueItem:
        item = super()._get()
        self._bytes -= item.size
        self._dequeued += 1
        return item


class QueueManager(BaseManager):
    """The process that holds the queue."""

    bounded_queue: Callable[[int, float], BoundedQueue]


QueueManager.register("bounded_queue", BoundedQueue, exposed=("offer", "take", "counts", "qsize"))


def _start_manager(start_method: StartMethod) -> QueueManager:
    # Child processes put their sockets into the parent's directory if it exists. Only the parent is certain to live
    # long enough to remove it.
    get_temp_dir()
    manager = QueueManager(ctx=process_context(start_method))
    with stop_signals_blocked():
        manager.start(_set_up_manager)
    return manager


def _set_up_manager() -> None:
    # A SIGTERM to all processes of the run must not destroy what the insert threads have yet to commit.
    set_up_child(ignored=(signal.SIGINT, signal.SIGTERM))
    threading.excepthook = _end_manager


def _end_manager(error: threading.ExceptHookArgs) -> None:
    """End the process when a thread of it fails: without the one that accepts connections, clients wait forever."""
    if error.exc_type is not SystemExit:
        os._exit(EXIT_FAILED)


class InsertQueue:
    """The queue of mapped chunks, held by a manager process. A pickled copy is a handle on the same queue.

    Args:
        max_size: Items that fit, unless they have more than `MAX_QUEUED_BYTES`.
        start_method: How the manager process is started.
        patience: Seconds to wait for more, so that batches are large; 0 to take what is there.
    """

    def __init__(
        self, max_size: int = 10000, start_method: StartMethod = DEFAULT_START_METHOD, patience: float = 0
    ) -> None:
        self._manager: QueueManager | None = _call(_start_manager, start_method)
        self._proxy = _call(self._manager.bounded_queue, max_size, patience)
        self.max_size = max_size
        logger.info("Insert queue created (max_size=%d)", max_size)

    def enqueue(self, item: InsertQueueItem) -> bool:
        """Put an item without waiting; return False when the queue is full.

        Raises:
            RunError: The process that holds the queue has ended. All other methods raise it too.
        """
        return _call(self._proxy.offer, item)

    def dequeue_batch(
        self,
        max_documents: int = MAX_BATCH_DOCUMENTS,
        max_rows: int = MAX_BATCH_ROWS,
        timeout: float = POLL_SECONDS,
    ) -> list[InsertQueueItem]:
        """Take the items of one batch, oldest first: at least one, and more while they fit.

        Args:
            max_documents: Documents in all items at most, unless the first item alone has more.
            max_rows: Rows in all items at most, unless the first item alone has more.
            timeout: Seconds to wait for the first item; the result is empty if none arrives.
        """
        return _call(self._proxy.take, max_documents, max_rows, timeout)

    def get_stats(self) -> InsertQueueStats:
        """Return the counts of all processes and threads that use the queue."""
        return _call(self._proxy.counts)

    def qsize(self) -> int:
        """Return the number of items in the queue."""
        return _call(self._proxy.qsize)

    def close(self) -> None:
        """End the manager process and drop what is in the queue. Only for the process that created the queue."""
        if self._manager is not None:
            self._manager.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_manager": None}


def _call(method: Callable[..., Result], *arguments: object) -> Result:
    try:
        return method(*arguments)
    except (EOFError, OSError) as error:
        # The frames of `Connection.send` hold a BytesIO and its buffer. CPython 3.12 and 3.13 cannot collect the two
        # as part of a reference cycle, and the traceback of an exception easily is one (gh-111049).
        traceback.clear_frames(error.__traceback__)
        message = f"the process that holds the insert queue has ended ({type(error).__name__})"
        tip = "what was committed stays; check memory and `ulimit -u`, and run the same command again to continue"
        raise system_error(error) or RunError(message, tip) from error


class DocumentLoader(Protocol):
    """Loads documents in transactions of its own; used by one thread."""

    @property
    def statistics(self) -> "LoadStatistics":
        """Return its counts so far: always the same object, which it updates."""
        ...

    def load(self, documents: Sequence[ProcessedDocument]) -> list[Outcome]:
        """Load documents, commit, and return the outcome of each, in their order."""
        ...


LoaderOpener = Callable[[], AbstractContextManager[DocumentLoader]]
"""Opens a loader with its own connection, which is closed at the end of the block."""


class Acknowledgement(NamedTuple):
    """The outcomes of the documents of one chunk, after their transaction committed."""

    sequence: int
    outcomes: Sequence[Outcome]


class InsertThreadStats(NamedTuple):
    """What a background insert thread did.

    Attributes:
        batches: Batches loaded. Each is one transaction, unless the target rejected some of its documents.
        documents: Documents loaded, rejected or found to be already done.
        inserted: Rows inserted into the contract's tables.
        transactions: Transactions committed.
        retries: Transactions retried after a lock, a timeout or a lost connection.
        insert_seconds: Time spent on statements.
        commit_seconds: Time spent on commits.
        elapsed: Seconds from start to end, or until now.
    """

    batches: int
    documents: int
    inserted: int
    transactions: int
    retries: int
    insert_seconds: float
    commit_seconds: float
    elapsed: float


class BackgroundInsertThread:
    """A thread of the main process that drains the queue in batches, loads them, and acknowledges after the commit.

    Args:
        insert_queue: Where chunks come from.
        open_loader: Opens the thread's own loader and connection; called in the thread.
        acknowledge: Called in the thread for each item after the commit.
        fail: Called in the thread with the error that ended it.
        number: Distinguishes several threads.
    """

    def __init__(
        self,
        insert_queue: InsertQueue,
        open_loader: LoaderOpener,
        acknowledge: Callable[[Acknowledgement], None],
        fail: Callable[[Exception], None],
        number: int = 1,
    ) -> None:
        self._queue = insert_queue
        self._open_loader = open_loader
        self._acknowledge = acknowledge
        self._fail = fail
        # Not a daemon: the interpreter must not end in the middle of a transaction.
        self._thread = threading.Thread(target=self._run, name=f"insert-{number}", daemon=False)
        self._stopping = threading.Event()
        self.abandoned = threading.Event()  # set it to end the thread after its current batch
        self._batches = self._documents = self._inserted = 0
        self._load_statistics: LoadStatistics | None = None
        self._started_at = 0.0
        self._ended_at = 0.0

    def start(self) -> None:
        """Start to drain the queue."""
        self._started_at = time.perf_counter()
        self._thread.start()
        logger.info("Background insert thread started")

    def stop(self, *, drain: bool = True) -> None:
        """Load what is in the queue, commit, close the connection, and wait for the thread to end.

        Producers must have ended before. Does nothing before `start` or when called again.

        Args:
            drain: False leaves everything in the queue that is not yet in a transaction, and waits for the thread
                `ABANDON_SECONDS` at most, whatever the database does.
        """
        if not drain:
            self.abandoned.set()
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(processes.LONGEST_LOAD_SECONDS if drain else ABANDON_SECONDS)

    @property
    def is_alive(self) -> bool:
        """Whether the thread is running."""
        return self._thread.is_alive()

    def get_stats(self) -> InsertThreadStats:
        """Return the counts so far."""
        elapsed = (self._ended_at or time.perf_counter()) - self._started_at if self._started_at else 0.0
        counts: tuple[int, int, float, float] = (0, 0, 0.0, 0.0)
        if (loads := self._load_statistics) is not None:
            counts = loads.transactions, loads.retries, loads.insert_seconds, loads.commit_seconds
        return InsertThreadStats(self._batches, self._documents, self._inserted, *counts, elapsed)

    def _run(self) -> None:
        try:
            with self._open_loader() as loader:
                self._load_statistics = loader.statistics
                self._drain(loader)
        except Exception as error:  # noqa: BLE001 - handed to the main thread, which ends the run with it
            self._fail(error)
        finally:
            self._ended_at = time.perf_counter()
            stats = self.get_stats()
            message = "Background thread final stats: batches=%d, inserted=%d, elapsed=%.2f"
            logger.info(message, stats.batches, stats.inserted, stats.elapsed)

    def _drain(self, loader: DocumentLoader) -> None:
        """Load batches until the queue is empty and nothing more will come; acknowledge each after its commit."""
        while not self.abandoned.is_set():
            is_last_look = self._stopping.is_set()
            items = self._queue.dequeue_batch(timeout=0.0 if is_last_look else POLL_SECONDS)
            if not items and is_last_look:
                return
            if not items:
                continue
            began_at = time.perf_counter()
            outcomes = loader.load([document for item in items for document in item.unpack()])
            self._batches += 1
            message = "Committed a batch (chunks=%d, documents=%d, seconds=%.3f)"
            logger.debug(message, len(items), len(outcomes), time.perf_counter() - began_at)
            for item in items:
                of_item, outcomes = outcomes[: item.documents], outcomes[item.documents :]
                self._documents += len(of_item)
                self._inserted += sum(sum(outcome.rows) for outcome in of_item if outcome.status is Status.LOADED)
                self._acknowledge(Acknowledgement(item.sequence, of_item))
