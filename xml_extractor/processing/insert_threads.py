"""The background insert threads of a run: a fixed number, or as many as make loading faster."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Literal, Self

from xml_extractor.contract.layout import layouts
from xml_extractor.contract.model import Contract
from xml_extractor.errors import SilentTargetError
from xml_extractor.processing.chunks import RunContext
from xml_extractor.processing.insert_queue import (
    Acknowledgement,
    BackgroundInsertThread,
    InsertQueue,
    InsertThreadStats,
    LoaderOpener,
)
from xml_extractor.settings import RunSettings
from xml_extractor.targets.delete_plan import DeletePlan, plan_deletion
from xml_extractor.targets.interfaces import Target
from xml_extractor.targets.loader import Loader, LogIdentity
from xml_extractor.targets.registry import open_target

logger = logging.getLogger(__name__)

MOST_THREADS = 4
"""Threads that `auto` starts at most."""

BACKLOG = 16
"""Chunks for each thread from which on the threads, not the workers, limit the speed: a batch, and one that waits."""

WINDOW_SECONDS = 5.0
"""How long the speed of a number of threads is measured, with a backlog all the time."""

LEAST_GAIN = 1.1
"""By how much another thread must raise the speed to stay."""


def delete_plan(contract: Contract, settings: RunSettings) -> DeletePlan:
    """Return how the run finds the rows of documents that it replaces; empty if none of them can have rows.

    Raises:
        UsageError: In some table they cannot be found.
    """
    replaces = contract.document.revision is not None or settings.reprocess not in (None, "rejected")
    return plan_deletion(contract) if replaces else ()


@contextmanager
def open_loader(context: RunContext, target: Target | None = None) -> Iterator[Loader]:
    """Open a loader on a connection of its own.

    Args:
        context: What the run knows.
        target: The run's target, whose connections share what they know; by default, it is opened.

    Raises:
        TargetError: The target cannot be opened.
    """
    contract, settings = context.contract, context.settings
    identity = LogIdentity(contract.contract, contract.version, context.contract_hash, context.run_id)
    target = target or open_target(settings.target, contract)
    plan = delete_plan(contract, settings)
    with closing(target.connect(settings.insert_strategy)) as connection:
        has_revisions = contract.document.revision is not None
        batch_rows = settings.insert_batch_rows
        yield Loader(connection, layouts(contract), identity, batch_rows, plan, has_revisions=has_revisions)


class InsertThreads:
    """The insert threads; a context manager that ends them in order, or at once if the run must stop at once.

    With `auto`, it starts with one thread. While there is a backlog, it measures the speed, adds a thread, measures
    again, and ends the added thread if that did not help: a thread needs a session, and leaves smaller batches to the
    others.

    Args:
        insert_queue: The queue.
        open_loader: Opens a loader; called in each thread.
        put: Takes acknowledgements, and errors that ended a thread.
        number: Of threads.
    """

    def __init__(
        self,
        insert_queue: InsertQueue,
        open_loader: LoaderOpener,
        put: Callable[[Acknowledgement | Exception], None],
        number: int | Literal["auto"],
    ) -> None:
        self._queue = insert_queue
        self._open_loader = open_loader
        self._put = put
        self._number = 1 if number == "auto" else number
        self._is_settled = number != "auto"
        self._threads: list[BackgroundInsertThread] = []
        self._retired: set[BackgroundInsertThread] = set()
        self._window = (0.0, 0)
        self._speed_before = 0.0

    def __enter__(self) -> Self:
        for _ in range(self._number):
            self._start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for thread in reversed(self._threads):
            thread.stop(drain=kind not in (KeyboardInterrupt, SilentTargetError))

    @property
    def stats(self) -> list[InsertThreadStats]:
        """The counts of each thread."""
        return [thread.get_stats() for thread in self._threads]

    @property
    def number(self) -> int:
        """The number of threads that load."""
        return len(self._threads) - len(self._retired)

    @property
    def are_alive(self) -> bool:
        """Whether all threads run that have not been ended."""
        return all(thread.is_alive for thread in self._threads if thread not in self._retired)

    def adjust(self, queued: int, committed: int) -> None:
        """Add or end a thread by the measured speed; called several times a second.

        Args:
            queued: Chunks that wait for their commit.
            committed: Documents committed or rejected so far.
        """
        if self._is_settled:
            return
        now = time.monotonic()
        since, before = self._window
        has_backlog = queued >= BACKLOG * len(self._threads) and all(stats.transactions for stats in self.stats)
        if not (has_backlog and since):
            self._window = (now, committed) if has_backlog else (0.0, 0)
        elif now - since >= WINDOW_SECONDS:
            self._compare((committed - before) / (now - since))
            self._window = (0.0, 0)

    def _compare(self, speed: float) -> None:
        if speed < LEAST_GAIN * self._speed_before:
            thread = self._threads[-1]
            thread.abandoned.set()
            self._retired.add(thread)
        self._is_settled = bool(self._retired) or len(self._threads) == MOST_THREADS
        if self._is_settled:
            logger.info("Insert threads: %d load fastest", self.number)
            return
        self._speed_before = speed
        self._start()

    def _start(self) -> None:
        thread = BackgroundInsertThread(self._queue, self._open_loader, self._put, self._put, len(self._threads) + 1)
        self._threads.append(thread)
        thread.start()
