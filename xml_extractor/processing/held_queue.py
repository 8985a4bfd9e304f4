"""The insert queue itself, in the manager process that holds it."""

import queue
import signal
from collections.abc import Callable
from multiprocessing.managers import BaseManager
from multiprocessing.util import get_temp_dir
from typing import NamedTuple, Protocol, TypeVar

from xml_extractor.processing.processes import process_context, set_up_child
from xml_extractor.settings import StartMethod

MAX_QUEUED_BYTES = 16 * 2**20
"""The queue is full with this much in it, however few items they are: this bounds the manager process's memory."""


class QueueItem(Protocol):
    """What the queue must know of an item to stay small and to divide items into batches."""

    @property
    def documents(self) -> int:
        """Documents in it."""
        ...

    @property
    def rows(self) -> int:
        """Rows of these documents."""
        ...

    @property
    def size(self) -> int:
        """Bytes."""
        ...


Item = TypeVar("Item", bound=QueueItem)


class InsertQueueStats(NamedTuple):
    """Counts of items, of all processes that use the queue.

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


class HeldQueue(queue.Queue[Item]):
    """A queue bounded by items and bytes that counts: here this costs no message and no lock between processes."""

    def __init__(self, maxsize: int, max_bytes: int = MAX_QUEUED_BYTES) -> None:
        super().__init__(maxsize)
        self._max_bytes = max_bytes
        self._bytes = self._enqueued = self._refused = self._dequeued = self._largest = 0

    def offer(self, item: Item) -> bool:
        """Put an item without waiting; False when the queue is full. An empty queue takes an item of any size."""
        with self.mutex:
            if self._qsize() >= self.maxsize or (self._bytes and self._bytes + item.size > self._max_bytes):
                self._refused += 1
                return False
            self._put(item)
            self.not_empty.notify()
        return True

    def take(self, max_documents: int, max_rows: int, timeout: float) -> list[Item]:
        """Take items, oldest first: one if there is any within the timeout, and more while they fit."""
        try:
            first = self.get(timeout=timeout)
        except queue.Empty:
            return []
        batch, documents, rows = [first], first.documents, first.rows
        with self.mutex:
            while self.queue:
                documents += self.queue[0].documents
                rows += self.queue[0].rows
                if documents > max_documents or rows > max_rows:
                    break
                batch.append(self._get())
        return batch

    def counts(self) -> InsertQueueStats:
        """The counts so far."""
        with self.mutex:
            return InsertQueueStats(self.maxsize, self._enqueued, self._refused, self._dequeued, self._largest)

    def _put(self, item: Item) -> None:
        super()._put(item)
        self._bytes += item.size
        self._enqueued += 1
        self._largest = max(self._largest, self._qsize())

    def _get(self) -> Item:
        item = super()._get()
        self._bytes -= item.size
        self._dequeued += 1
        return item


class QueueManager(BaseManager):
    """The process that holds a queue."""

    held_queue: Callable[[int], HeldQueue[Item]]


QueueManager.register("held_queue", HeldQueue, exposed=("offer", "take", "counts", "qsize"))


def start_manager(start_method: StartMethod) -> QueueManager:
    """Start a process that can hold a queue."""
    # Child processes put their sockets where their parent does, if it knows already where that is; and only the parent
    # lives for certain to tidy up.
    get_temp_dir()
    manager = QueueManager(ctx=process_context(start_method))
    manager.start(_set_up_manager)
    return manager


def _set_up_manager() -> None:
    # A SIGTERM to all processes of the run must not take away what the insert threads have yet to commit.
    set_up_child(ignored=(signal.SIGINT, signal.SIGTERM))
