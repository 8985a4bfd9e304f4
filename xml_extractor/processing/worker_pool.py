"""The pool of worker processes, and what `multiprocessing.Pool` does not do: notice that one of them died.

A Pool replaces a dead worker and waits for ever for the result of its task. If the worker held one of the locks of the
Pool's queues, nothing else gets through either, not even `Pool.terminate`.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext, DefaultContext, Process
from multiprocessing.pool import Pool
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from xml_extractor.errors import WorkerDiedError

Task = TypeVar("Task")
Result = TypeVar("Result")

TASKS_PER_PROCESS = 200
"""A worker is replaced after so many tasks: libxml2 keeps each name that it ever saw, per process."""

GRACE_SECONDS = 1.0
"""How long after a worker's end its last results may still be on their way to the main process."""

MAX_GROWTH = 80 * 2**20
"""A worker is replaced once it holds so many bytes more than at its start: documents may be nothing but new names."""

NO_MEMORY = 77
"""The exit code of a worker that could not get the memory it needed."""

START_SECONDS = 10.0
"""How long there may be no worker at all before the next one is there."""

END_SECONDS = 3.0
"""How long workers without work may take to end in order; those still starting take longer, and are killed."""

POLL_SECONDS = 0.05


_is_retiring = threading.Event()
"""In a worker process: it ends after the task that it is at."""


def retire() -> None:
    """In a worker process: be replaced after this task; `WorkerPool.note_result` must be told."""
    _is_retiring.set()


class _Tasks(int):
    """How many tasks a worker does. Its loop compares, before it takes the next one, what it has done with this."""

    def __gt__(self, done: int) -> bool:
        return super().__gt__(done) and not _is_retiring.is_set()


class DeadWorker(NamedTuple):
    """A worker that ended by itself, and how: by a signal or with an exit code."""

    process_id: int
    exit: str


class WorkerPool:
    """Worker processes, watched. A context manager: they end in order, or at once after an error.

    Args:
        context: How processes are started.
        workers: How many there are at any time.
        initializer: Called first in each of them.
        initargs: Its arguments.
        tasks_per_process: After so many tasks a worker is replaced.
    """

    def __init__(
        self,
        context: BaseContext,
        workers: int,
        initializer: Callable[..., None],
        initargs: tuple[object, ...],
        tasks_per_process: int = TASKS_PER_PROCESS,
    ) -> None:
        self._processes: list[BaseProcess] = []
        self._gone_at: dict[BaseProcess, float] = {}
        self._tasks_done: Counter[int] = Counter()
        self._tasks_per_process = tasks_per_process
        self._is_broken = False
        self._last_alive_at = time.monotonic()
        pool = _pool_that_notes(self._processes)
        self._pool = pool(workers, initializer, initargs, _Tasks(tasks_per_process), context)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self.kill()
            return
        try:
            self.close()
        except BaseException:
            self.kill()
            raise

    def submit(
        self,
        function: Callable[[Task], Result],
        task: Task,
        on_result: Callable[[Result], None],
        on_error: Callable[[BaseException], None],
    ) -> None:
        """Have a worker do a task; `on_result` and `on_error` are called in another thread."""
        self._pool.apply_async(function, (task,), callback=on_result, error_callback=on_error)

    def note_result(self, process_id: int, *, retires: bool = False) -> None:
        """Tell that a task of this worker has come to its end; must be called for each."""
        self._tasks_done[process_id] += self._tasks_per_process if retires else 1

    def find_dead(self) -> list[DeadWorker]:
        """The workers that ended although nobody asked them to.

        Raises:
            WorkerDiedError: None are left, and no other can be started.
        """
        now = time.monotonic()
        living, ended = self._living_and_ended()
        if living:
            self._last_alive_at = now
        dead = []
        for process in ended:
            if self._has_done_its_tasks(process):
                self._forget(process)
            elif now - self._gone_at.setdefault(process, now) > GRACE_SECONDS:
                self._is_broken = True
                dead.append(DeadWorker(process.pid or 0, _exit_of(process)))
        if now - self._last_alive_at > START_SECONDS and not dead:
            self._is_broken = True
            raise WorkerDiedError("no worker process can be started", "see whether memory is short")
        return dead

    def close(self) -> None:
        """End the workers after all their results came back, in order if they can."""
        _, ended = self._living_and_ended()
        if not all(map(self._has_done_its_tasks, ended)):
            self._is_broken = True
        if not self._is_broken:
            self._pool.close()
        if self._is_broken or not _returns_within(END_SECONDS, self._pool.join):
            self.kill()

    def kill(self) -> None:
        """End the workers now, whatever they are doing.

        A thread of the Pool that waits for a lock held by a dead worker is left behind.
        """
        terminate = threading.Thread(target=self._pool.terminate, name="pool terminate", daemon=True)
        terminate.start()
        if not self._is_broken:
            terminate.join(GRACE_SECONDS)
        deadline = time.monotonic() + GRACE_SECONDS
        while self._kill_workers() or (terminate.is_alive() and time.monotonic() < deadline):
            terminate.join(POLL_SECONDS)

    def _has_done_its_tasks(self, process: BaseProcess) -> bool:
        return process.pid is not None and self._tasks_done[process.pid] >= self._tasks_per_process

    def _forget(self, process: BaseProcess) -> None:
        self._processes.remove(process)
        self._gone_at.pop(process, None)
        if process.pid is not None:
            del self._tasks_done[process.pid]

    def _kill_workers(self) -> bool:
        """Kill those that live; False if none does."""
        living, _ = self._living_and_ended()
        for process in living:
            process.kill()
        return bool(living)

    def _living_and_ended(self) -> tuple[list[BaseProcess], list[BaseProcess]]:
        started = [process for process in self._processes if process.pid is not None]
        ended_sentinels = wait([process.sentinel for process in started], timeout=0)
        ended = [process for process in started if process.sentinel in ended_sentinels]
        return [process for process in started if process not in ended], ended


def _pool_that_notes(processes: list[BaseProcess]) -> type[Pool]:
    """A Pool that appends each process to a list before it starts it, so that no death goes unnoticed."""

    class NotingPool(Pool):
        @staticmethod
        def Process(ctx: DefaultContext, *args: Any, **kwds: Any) -> Process:  # noqa: N802 - the name is Pool's
            process = Pool.Process(ctx, *args, **kwds)
            processes.append(process)
            return process

    return NotingPool


def _exit_of(process: BaseProcess) -> str:
    code = process.exitcode
    if code == NO_MEMORY:
        return "no memory left"
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"


def _returns_within(seconds: float, function: Callable[[], None]) -> bool:
    thread = threading.Thread(target=function, name=f"pool {function.__name__}", daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()
