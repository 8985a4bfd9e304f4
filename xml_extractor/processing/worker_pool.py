"""The pool of worker processes, which notices when one of them dies."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext, DefaultContext, Process
from multiprocessing.pool import Pool
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple, Self, TypeVar

from xml_extractor.errors import WorkerDiedError
from xml_extractor.processing.processes import NO_MEMORY, is_retiring
from xml_extractor.stopping import stop_signals_blocked

Task = TypeVar("Task")
Result = TypeVar("Result")

TASKS_PER_PROCESS = 1000
"""Tasks after which a worker is replaced. libxml2 keeps every name it has seen for as long as the process lives."""

GRACE_SECONDS = 1.0
"""How long results may take to arrive after their worker ended."""

START_SECONDS = 10.0
"""How long the pool may be without any living worker before the run fails."""

NO_WORKERS_TIP = "check whether the machine is out of memory, and the limit of processes (`ulimit -u`)"

END_SECONDS = 3.0
"""How long idle workers may take to end before they are killed; a worker that is still starting takes longer."""

LATE_SECONDS = 60.0
"""How long a worker may take to start that is killed as soon as it has."""

POLL_SECONDS = 0.05


class _Tasks(int):
    """The number of tasks of a worker. The Pool's loop compares it with the tasks done before it takes another."""

    def __gt__(self, done: int) -> bool:
        return super().__gt__(done) and not is_retiring.is_set()


class DeadWorker(NamedTuple):
    """A worker that ended unexpectedly, and how: by a signal or with an exit code."""

    process_id: int
    exit: str


class WorkerPool:
    """A pool of worker processes that notices when one dies.

    `multiprocessing.Pool` replaces a dead worker, but waits forever for the result of its task. If the dead worker held
    a lock of the Pool's queues, no other task gets through either, and even `Pool.terminate` hangs.

    A context manager: workers end in order, or are killed when the block raises.

    Args:
        context: How processes are started.
        workers: Number of processes.
        initializer: Called first in each process.
        initargs: Arguments of the initializer.
        tasks_per_process: Tasks after which a worker is replaced.
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
        pool = _recording_pool(self._processes)
        # The Pool's threads, which start the workers' successors, inherit this too.
        with stop_signals_blocked():
            self._pool = pool(workers, initializer, initargs, _Tasks(tasks_per_process), context)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
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
        """Run a task in a worker. `on_result` or `on_error` is called in a thread of the Pool."""
        self._pool.apply_async(function, (task,), callback=on_result, error_callback=on_error)

    def note_result(self, process_id: int, *, retires: bool = False) -> None:
        """Record that a worker finished a task. Must be called once for each result."""
        self._tasks_done[process_id] += self._tasks_per_process if retires else 1

    def end_pauses(self) -> None:
        """End the workers' pauses between attempts, and let them finish what they are doing."""
        for process in self._living_and_ended()[0]:
            process.terminate()

    def process_ids(self) -> list[int]:
        """Return the process ids of the living workers."""
        living, _ = self._living_and_ended()
        return [process.pid for process in living if process.pid is not None]

    def find_dead(self) -> list[DeadWorker]:
        """Return the workers that ended unexpectedly.

        Raises:
            WorkerDiedError: No worker is left, and no new one starts.
        """
        now = time.monotonic()
        living, ended = self._living_and_ended()
        if living:
            self._last_alive_at = now
        for process in [process for process in ended if self._has_done_its_tasks(process)]:
            self._forget(process)
            ended.remove(process)
        # What ends at the same time is reported at the same time.
        dead: list[DeadWorker] = []
        if any(now - self._gone_at.setdefault(process, now) > GRACE_SECONDS for process in ended):
            self._is_broken = True
            dead += [DeadWorker(process.pid or 0, _exit_of(process)) for process in ended]
        if now - self._last_alive_at > START_SECONDS and not dead:
            self._is_broken = True
            raise WorkerDiedError("no worker process can be started", NO_WORKERS_TIP)
        return dead

    def close(self) -> None:
        """End the workers after all results have arrived; kill those that do not end in time."""
        _, ended = self._living_and_ended()
        if not all(map(self._has_done_its_tasks, ended)):
            self._is_broken = True
        if not self._is_broken:
            self._pool.close()
        if self._is_broken or not _returns_in_time(self._pool.join):
            self.kill()

    def kill(self) -> None:
        """Kill the workers now, whatever they do. A thread that waits for a lock of a dead worker is abandoned."""
        terminate = threading.Thread(target=self._pool.terminate, name="pool terminate", daemon=True)
        terminate.start()
        if not self._is_broken:
            terminate.join(GRACE_SECONDS)
        deadline = time.monotonic() + GRACE_SECONDS
        while self._kill_workers() or (terminate.is_alive() and time.monotonic() < deadline):
            terminate.join(POLL_SECONDS)
        if terminate.is_alive():
            threading.Thread(target=self._kill_late_workers, args=(terminate,), name="pool kill", daemon=True).start()

    def _kill_late_workers(self, terminate: threading.Thread) -> None:
        """Kill the workers that the Pool is still starting: if it needs a new fork server, that takes seconds.

        They do not end by themselves, and the interpreter waits for them when it exits.
        """
        deadline = time.monotonic() + LATE_SECONDS
        while terminate.is_alive() and time.monotonic() < deadline:
            terminate.join(POLL_SECONDS)
            self._kill_workers()
        self._kill_workers()

    def _has_done_its_tasks(self, process: BaseProcess) -> bool:
        return process.pid is not None and self._tasks_done[process.pid] >= self._tasks_per_process

    def _forget(self, process: BaseProcess) -> None:
        self._processes.remove(process)
        self._gone_at.pop(process, None)
        if process.pid is not None:
            del self._tasks_done[process.pid]

    def _kill_workers(self) -> bool:
        """Kill the living workers; return whether there were any."""
        living, _ = self._living_and_ended()
        for process in living:
            process.kill()
        return bool(living)

    def _living_and_ended(self) -> tuple[list[BaseProcess], list[BaseProcess]]:
        started = [process for process in self._processes if process.pid is not None]
        ended_sentinels = wait([process.sentinel for process in started], timeout=0)
        ended = [process for process in started if process.sentinel in ended_sentinels]
        return [process for process in started if process not in ended], ended


def _recording_pool(processes: list[BaseProcess]) -> type[Pool]:
    """Return a Pool class that adds each process to a list before starting it, so that no death goes unnoticed."""

    class RecordingPool(Pool):
        @staticmethod
        def Process(ctx: DefaultContext, *args: Any, **kwds: Any) -> Process:  # noqa: N802 - the name is Pool's
            process = Pool.Process(ctx, *args, **kwds)
            processes.append(process)
            return process

        def _get_sentinels(self) -> list[object]:
            # Without the results: until their thread reads one, the thread that replaces workers would spin.
            return super()._get_sentinels()[1:]  # type: ignore[misc, no-any-return]

    return RecordingPool


def _exit_of(process: BaseProcess) -> str:
    code = process.exitcode
    if code == NO_MEMORY:
        return "no memory left"
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"


def _returns_in_time(function: Callable[[], None]) -> bool:
    thread = threading.Thread(target=function, name=f"pool {function.__name__}", daemon=True)
    thread.start()
    thread.join(END_SECONDS)
    return not thread.is_alive()
