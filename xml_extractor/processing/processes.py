"""The processes of a run: how they start, how they answer signals, and the pool of workers."""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext, DefaultContext, Process
from multiprocessing.pool import Pool
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any, NamedTuple, Self, TypeVar

from xml_extractor.errors import RunError, UsageError, WorkerDiedError
from xml_extractor.settings import StartMethod
from xml_extractor.stopping import answer_signals_in_child, stop_signals_blocked

if sys.platform != "win32":
    import resource

Task = TypeVar("Task")
Result = TypeVar("Result")

PRELOADED = "xml_extractor.processing.preloaded"
"""What the fork server imports, compiles and keeps, last of all; the processes that it starts inherit it."""

CHOSEN_BY_ADDRESS = ("xml_extractor.sources.", "xml_extractor.targets.")
"""Packages whose modules are imported on demand. The fork server imports those that the main process needed."""

PRELOAD_VARIABLE = "_XML_EXTRACTOR_PRELOAD"
"""The environment variable that names the fork server's file with the pickled contract to compile."""

TASKS_PER_PROCESS = 200
"""Tasks after which a worker is replaced. libxml2 keeps every name it has seen for as long as the process lives."""

LONGEST_LOAD_SECONDS = 2 * 3600.0
"""How long loading may take without a commit. The timeouts of statements and locks, and all attempts, end before."""

MAX_GROWTH = 80 * 2**20
"""Bytes of memory growth after which a worker is replaced, because documents may consist of nothing but new names."""

GRACE_SECONDS = 1.0
"""How long results may take to arrive after their worker ended."""

NO_MEMORY = 77
"""The exit code of a worker that ran out of memory."""

START_SECONDS = 10.0
"""How long the pool may be without any living worker before the run fails."""
NO_WORKERS_TIP = "check whether the machine is out of memory, and the limit of processes (`ulimit -u`)"

END_SECONDS = 3.0
"""How long idle workers may take to end before they are killed; a worker that is still starting takes longer."""

LATE_SECONDS = 60.0
"""How long a worker may take to start that is killed as soon as it has."""

POLL_SECONDS = 0.05

LONGEST_TEMPORARY_PATH = (104 if sys.platform == "darwin" else 108) - len("/pymp-12345678/listener-12345678\0")
"""Bytes: processes talk by sockets below that directory, and the system limits their paths. Source: unix(7)."""

OPEN_FILES = 64
OPEN_FILES_PER_WORKER = 8
"""What a run opens at most: sockets, pipes, databases and modules that are being imported."""


def process_context(start_method: StartMethod) -> BaseContext:
    """Return the multiprocessing context that starts the processes of a run."""
    context = multiprocessing.get_context(start_method)
    if sys.platform != "win32":
        # Its start unblocks the signals that `stop_signals_blocked` blocks, so it must be running before.
        resource_tracker.ensure_running()
    if start_method == "forkserver":
        on_demand = sorted(name for name in sys.modules if name.startswith(CHOSEN_BY_ADDRESS))
        context.set_forkserver_preload([*on_demand, PRELOADED])
    return context


def check_caller() -> None:
    """Check that this process may start worker processes.

    Raises:
        UsageError: It is a worker process itself that imports the main module, or a daemonic process.
    """
    process = multiprocessing.current_process()
    tip = "use one worker without document_timeout, which is no process"
    if getattr(process, "_inheriting", False):  # as `multiprocessing.spawn` asks
        tip = f'write the call below `if __name__ == "__main__":`, or {tip}'
        raise UsageError("a worker process called run() while it imported the main module", tip)
    if process.daemon:
        raise UsageError("a daemonic process may not start worker processes", tip)


def check_system(workers: int) -> None:
    """Check that the system lets a run start its processes; raise the limit of open files if necessary.

    Args:
        workers: Number of worker processes.

    Raises:
        RunError: The temporary directory cannot hold sockets, there are no semaphores, or too few files may be open.
    """
    tip = "set TMPDIR to a directory that can be written, with a short path"
    try:
        length = len(os.fsencode(gettempdir()))
    except FileNotFoundError:
        raise RunError("there is no temporary directory that can be written", tip) from None
    if sys.platform == "win32":
        return
    if length > LONGEST_TEMPORARY_PATH:
        message = f"the path of the temporary directory is too long for sockets ({length} bytes)"
        raise RunError(message, f"{tip} of at most {LONGEST_TEMPORARY_PATH} bytes")
    try:
        multiprocessing.get_context("fork").Lock()
    except OSError as error:
        tip = "mount a /dev/shm that can be written"
        raise RunError(f"the system has no semaphores for processes: {error.strerror}", tip) from None
    needed = OPEN_FILES + OPEN_FILES_PER_WORKER * workers
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        message = f"a run with {workers} workers needs {needed} open files, and the system allows {hard}"
        raise RunError(message, "raise the limit (`ulimit -n`), or run with fewer workers")
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


_starting_fork_server = threading.Lock()


@contextmanager
def shared_plan(start_method: StartMethod, contract: object, workers: int) -> Iterator[None]:
    """Let the fork server compile a contract once, so that all workers started in the block inherit its plan.

    Does nothing if the fork server is already running, or with another start method: workers then compile it
    themselves.

    Args:
        start_method: How processes are started.
        contract: The contract. It is handed over as a pickle in a private temporary file.
        workers: Number of worker processes that will be started; 0 for none, which needs no fork server.

    Raises:
        RunError: As by `check_system`.
    """
    if workers:
        check_system(workers)
    if not workers or start_method != "forkserver":
        yield
        return
    with TemporaryDirectory(prefix="xml_extractor-plan-") as directory:
        path = Path(directory) / "contract"
        path.write_bytes(pickle.dumps(contract))
        # Several runs in one process share its environment and its fork server.
        with _starting_fork_server:
            os.environ[PRELOAD_VARIABLE] = str(path)
            try:
                process_context(start_method)
                with stop_signals_blocked():
                    forkserver.ensure_running()
            finally:
                del os.environ[PRELOAD_VARIABLE]
        yield


def set_up_child(ignored: Iterable[signal.Signals] = (signal.SIGINT,)) -> None:
    """Set up a child process: leave it to the main process when to end, and end when that ends.

    Signals may reach all processes of a run, but only the main process can end it in order. A main process that is
    killed cannot end its children, so each child watches its parent.

    Args:
        ignored: Signals to ignore. Any other stop signal ends pauses between attempts.
    """
    answer_signals_in_child(ignored)
    threading.Thread(target=_end_with_parent, name="parent watch", daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


_is_retiring = threading.Event()
"""In a worker process: it ends after its current task."""


def retire() -> None:
    """End this worker process after its current task. Pass `retires=True` to `WorkerPool.note_result` for the task."""
    _is_retiring.set()


class _Tasks(int):
    """The number of tasks of a worker. The Pool's loop compares it with the tasks done before it takes another."""

    def __gt__(self, done: int) -> bool:
        return super().__gt__(done) and not _is_retiring.is_set()


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
