"""Mapped documents on their way from worker processes to the target: the queue, and the threads that drain it."""

import logging
import pickle
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from xml_extractor.documents import MappedDocument, Outcome, ProcessedDocument, Status
from xml_extractor.errors import RunError
from xml_extractor.processing.held_queue import HeldQueue, InsertQueueStats, QueueManager, start_manager
from xml_extractor.settings import DEFAULT_START_METHOD, StartMethod
from xml_extractor.targets.loader import LoadStatistics

logger = logging.getLogger(__name__)

MAX_BATCH_DOCUMENTS = 256
MAX_BATCH_ROWS = 20_000
"""A transaction takes no further items once it would hold more than this; a single item may."""

POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class InsertQueueItem:
    """A chunk of whole documents, pickled once by the worker that mapped them.

    Attributes:
        sequence: The number of the work item that the documents came from.
        documents: How many documents it holds, rejections among them.
        rows: How many rows they have in all tables.
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
        """Give the documents back."""
        documents: list[ProcessedDocument] = pickle.loads(self.payload)
        return documents


class InsertQueue:
    """A bounded queue of chunks in a manager process of its own; pickled, it is a handle on the same queue.

    Args:
        max_size: Items that fit, if they are not more than `held_queue.MAX_QUEUED_BYTES`.
        start_method: How the manager process is started.
    """

    def __init__(self, max_size: int = 10000, start_method: StartMethod = DEFAULT_START_METHOD) -> None:
        self._manager: QueueManager | None = start_manager(start_method)
        self._held: HeldQueue[InsertQueueItem] = self._manager.held_queue(max_size)
        self.max_size = max_size
        logger.info("Insert queue created (max_size=%d)", max_size)

    def enqueue(self, item: InsertQueueItem) -> bool:
        """Put an item without waiting; False when the queue is full.

        Raises:
            RunError: The process that holds the queue has ended; so do the other methods.
        """
        with _held_elsewhere():
            return self._held.offer(item)

    def dequeue_batch(
        self,
        max_documents: int = MAX_BATCH_DOCUMENTS,
        max_rows: int = MAX_BATCH_ROWS,
        timeout: float = POLL_SECONDS,
    ) -> list[InsertQueueItem]:
        """Take the items of one transaction, oldest first: at least one, and more while they fit.

        Args:
            max_documents: Documents in all items, unless the first alone has more.
            max_rows: Rows in all items, unless the first alone has more.
            timeout: Seconds to wait for the first item; nothing is taken if none comes.
        """
        with _held_elsewhere():
            return self._held.take(max_documents, max_rows, timeout)

    def get_stats(self) -> InsertQueueStats:
        """The counts of all processes and threads that use the queue."""
        with _held_elsewhere():
            return self._held.counts()

    def qsize(self) -> int:
        """Items in the queue now."""
        with _held_elsewhere():
            return self._held.qsize()

    def close(self) -> None:
        """End the manager process; what is still in the queue is dropped. For the process that made the queue."""
        if self._manager is not None:
            self._manager.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_manager": None}


@contextmanager
def _held_elsewhere() -> Iterator[None]:
    try:
        yield
    except (EOFError, OSError) as error:
        raise RunError(
            f"the process that holds the insert queue has ended ({type(error).__name__})",
            "what was committed stays; run the same command again to go on",
        ) from error


class DocumentLoader(Protocol):
    """Loads documents in transactions of its own; used by one thread."""

    @property
    def statistics(self) -> LoadStatistics:
        """What it did so far; the same object, brought up to date."""
        ...

    def load(self, documents: Sequence[ProcessedDocument]) -> list[Outcome]:
        """Load documents and say what became of each, in their order, after the commit."""
        ...


LoaderOpener = Callable[[], AbstractContextManager[DocumentLoader]]
"""Opens a loader on a connection of its own, closed at the end of the block."""


class Acknowledgement(NamedTuple):
    """What became of the documents of one work item, after their transaction committed."""

    sequence: int
    outcomes: Sequence[Outcome]


class InsertThreadStats(NamedTuple):
    """What a background insert thread did.

    Attributes:
        batches: Batches loaded; each was one transaction unless the target refused some of its documents.
        documents: Documents loaded, rejected or found to be done already.
        inserted: Rows inserted into the contract's tables.
        transactions: Tries to commit, those that were refused among them.
        retries: Transactions tried again because of a lock, a timeout or a lost connection.
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
    """A thread of the main process that loads what is in the queue, and acknowledges it after the commit.

    Args:
        insert_queue: Where chunks come from.
        open_loader: Called in the thread, so that it has a connection of its own.
        acknowledge: Called in the thread for each item after the commit.
        fail: Called in the thread with the error that ended it.
        number: Tells several threads apart.
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
        self._abandoned = threading.Event()
        self._batches = self._documents = self._inserted = 0
        self._load_statistics = LoadStatistics()
        self._started_at = 0.0
        self._ended_at = 0.0

    def start(self) -> None:
        """Begin to drain the queue."""
        self._started_at = time.perf_counter()
        self._thread.start()
        logger.info("Background insert thread started")

    def stop(self, *, drain: bool = True) -> None:
        """Load what is in the queue, commit, close the connection and end the thread; returns when it has ended.

        Producers must have ended before. Calling it again, or before `start`, does nothing.

        Args:
            drain: False leaves in the queue what is not yet in a transaction.
        """
        if not drain:
            self._abandoned.set()
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def is_alive(self) -> bool:
        """Whether the thread is running."""
        return self._thread.is_alive()

    def get_stats(self) -> InsertThreadStats:
        """The counts so far."""
        elapsed = (self._ended_at or time.perf_counter()) - self._started_at if self._started_at else 0.0
        loads = self._load_statistics
        return InsertThreadStats(
            batches=self._batches,
            documents=self._documents,
            inserted=self._inserted,
            transactions=loads.transactions,
            retries=loads.retries,
            insert_seconds=loads.insert_seconds,
            commit_seconds=loads.commit_seconds,
            elapsed=elapsed,
        )

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
        while not self._abandoned.is_set():
            nothing_will_come = self._stopping.is_set()
            items = self._queue.dequeue_batch()
            if items:
                self._load(loader, items)
            elif nothing_will_come:
                return

    def _load(self, loader: DocumentLoader, items: Sequence[InsertQueueItem]) -> None:
        outcomes = iter(loader.load([document for item in items for document in item.unpack()]))
        self._batches += 1
        for item in items:
            of_item = list(islice(outcomes, item.documents))
            self._documents += len(of_item)
            self._inserted += sum(sum(outcome.rows) for outcome in of_item if outcome.status is Status.LOADED)
            self._acknowledge(Acknowledgement(item.sequence, of_item))
