"""The processes of a run: how they start, how they answer signals, and what a process says about itself."""

import gc
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

from xml_extractor.atomic_files import OWNER_ONLY, atomic_write
from xml_extractor.errors import RunError, UsageError
from xml_extractor.settings import StartMethod
from xml_extractor.stopping import answer_signals_in_child, stop_signals_blocked

if sys.platform != "win32":
    import resource

PRELOADED = "xml_extractor.processing.preloaded"
"""What the fork server imports, compiles and keeps; the processes that it starts inherit it."""

CHOSEN_BY_ADDRESS = ("xml_extractor.sources.", "xml_extractor.targets.")
"""Packages whose modules are imported on demand. The fork server imports those that the main process needed."""

PRELOAD_VARIABLE = "_XML_EXTRACTOR_PRELOAD"
"""The environment variable that names the file in which the fork server will find the contract to compile."""

HAND_OVER_POLL_SECONDS = 0.005
HAND_OVER_SECONDS = 10.0
"""How long the fork server waits for that file at most: another run in the same process may wait for the server."""

LONGEST_LOAD_SECONDS = 2 * 3600.0
"""How long loading may take without a commit. The timeouts of statements and locks, and all attempts, end before."""

MAX_GROWTH = 80 * 2**20
"""Bytes of memory growth after which a worker is replaced, because documents may consist of nothing but new names."""

NO_MEMORY = 77
"""The exit code of a worker that ran out of memory."""

COLLECTION_THRESHOLDS = (50_000, 20, 100)
"""Of the garbage collector: new objects, and collections of younger generations."""

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
        context.set_forkserver_preload([PRELOADED])
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
def fork_server(start_method: StartMethod, workers: int) -> Iterator[Callable[[object], None]]:
    """Start the fork server, which imports what workers need, and yield the function that hands it the contract.

    It compiles the contract once, and all workers that are started later in the block inherit the plan. Nothing happens
    if the fork server is already running, or with another start method: then workers compile the contract themselves.

    Args:
        start_method: How processes are started.
        workers: Number of worker processes that will be started; 0 for none, which needs no fork server.

    Raises:
        RunError: As by `check_system`.
    """
    if workers:
        check_system(workers)
    if not workers or start_method != "forkserver":
        yield lambda _: None
        return
    with TemporaryDirectory(prefix="xml_extractor-plan-") as directory:
        path = Path(directory) / str(os.getpid())
        # Several runs in one process share its environment and its fork server.
        with _starting_fork_server:
            os.environ[PRELOAD_VARIABLE] = str(path)
            try:
                process_context(start_method)
                with stop_signals_blocked():
                    forkserver.ensure_running()
            finally:
                del os.environ[PRELOAD_VARIABLE]
        yield partial(_hand_over, path)


def _hand_over(path: Path, contract: object) -> None:
    on_demand = sorted(name for name in sys.modules if name.startswith(CHOSEN_BY_ADDRESS))
    with atomic_write(path, OWNER_ONLY) as file:
        pickle.dump((on_demand, contract), file)


def take_over(path: Path) -> Any:
    """In the fork server, wait for the contract, import what the main process has imported on demand, and return it.

    Args:
        path: The file of the contract, which is named after the main process.

    Raises:
        FileNotFoundError: The main process has ended, needs no plan any more, or takes too long.
    """
    until = time.monotonic() + HAND_OVER_SECONDS
    while not path.exists() and path.parent.exists() and os.getppid() == int(path.name) and time.monotonic() < until:
        time.sleep(HAND_OVER_POLL_SECONDS)
    on_demand, contract = pickle.loads(path.read_bytes())
    for name in on_demand:
        import_module(name)
    return contract


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


is_retiring = threading.Event()
"""In a worker process: it ends after its current task."""


def retire() -> None:
    """End this worker process after its current task. Pass `retires=True` to `WorkerPool.note_result` for the task."""
    is_retiring.set()


@contextmanager
def rare_collections() -> Iterator[None]:
    """Have the garbage collector skip what exists now, and look rarely at documents and rows, which have no cycles."""
    thresholds = gc.get_threshold()
    if thresholds[0] >= COLLECTION_THRESHOLDS[0]:
        yield  # the command has set them, or a run in another thread, which resets them
        return
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTION_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
