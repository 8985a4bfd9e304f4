"""How a command answers Ctrl-C and SIGTERM, from its first moment to its last.

The first request ends a command, or lets a run finish its documents in flight. The second ends the run at once. A main
thread that waits for a database sees no signal, so a thread of its own counts them too, and ends the process
`PATIENCE_SECONDS` after the second.
"""

import atexit
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from xml_extractor.errors import EXIT_INTERRUPTED

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
PATIENCE_SECONDS = 3.0
CLEANUP_SECONDS = 1.0

pauses_end = threading.Event()
"""Set when this process was asked to stop: pauses before another attempt end at once."""

stops_at_once = threading.Event()
"""Set when a run was asked to stop a second time: nothing waits for documents in flight any more."""


class StopRequests:
    """What Ctrl-C and SIGTERM have asked for.

    Attributes:
        requested: Whether a signal was received.
        is_orderly: Whether the first signal only requests a stop, because documents are in flight.
    """

    def __init__(self, *, is_orderly: bool) -> None:
        self.requested = False
        self.is_orderly = is_orderly
        self._has_interrupted = False
        self._defers = self._is_deferred = False

    def handle(self, _signal: int, _frame: FrameType | None) -> None:
        """Handle a signal.

        Raises:
            KeyboardInterrupt: Once: on the first signal, or on the second if the stop is orderly.
        """
        is_first, self.requested = not self.requested, True
        pauses_end.set()
        if self._has_interrupted or (is_first and self.is_orderly):
            return
        self._has_interrupted = True
        stops_at_once.set()
        if self._defers:
            self._is_deferred = True
            return
        raise KeyboardInterrupt

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Raise the `KeyboardInterrupt` of a signal that arrives in the block at its end, so that it runs as a whole.

        Raises:
            KeyboardInterrupt: A signal arrived in the block.
        """
        self._defers = True
        try:
            yield
        finally:
            self._defers = False
            if self._is_deferred:
                self._is_deferred = False
                raise KeyboardInterrupt


_current: StopRequests | None = None


def answer_signals() -> StopRequests:
    """Handle Ctrl-C and SIGTERM from now on, until the process ends. The first one interrupts the command."""
    global _current  # noqa: PLW0603 - a process has one set of signal handlers
    _current = StopRequests(is_orderly=False)
    for number in STOP_SIGNALS:
        signal.signal(number, _current.handle)
    return _current


def was_requested() -> bool:
    """Return whether this process was asked to stop, so that any error may be a consequence of that."""
    return _current is not None and _current.requested


def ignore_signals() -> None:
    """Ignore Ctrl-C and SIGTERM while the interpreter shuts down, which would answer them in its own way."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def stop_requests(*, is_orderly: bool = True) -> Iterator[StopRequests]:
    """Handle Ctrl-C and SIGTERM in the block. Within another such block, only the way of stopping may become orderly.

    Python allows signal handlers only in the main thread; in other threads signals are left alone.
    """
    global _current  # noqa: PLW0603 - a process has one set of signal handlers
    if threading.current_thread() is not threading.main_thread():
        yield StopRequests(is_orderly=is_orderly)
        return
    if _current is not None:
        _current.is_orderly |= is_orderly
        yield _current
        return
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    requests = answer_signals()
    requests.is_orderly = is_orderly
    try:
        yield requests
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler or signal.SIG_DFL)
        _current = None
        pauses_end.clear()
        stops_at_once.clear()


@contextmanager
def stop_signals_blocked() -> Iterator[None]:
    """Block Ctrl-C and SIGTERM for the processes started in the block, and for this thread until its end.

    Child processes inherit that. It ends in `set_up_child`, when they have handlers of their own.
    """
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def answer_signals_in_child(ignored: Iterable[signal.Signals]) -> None:
    """Ignore these signals in a child process; any other only ends pauses. The main process decides when it ends."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN if number in ignored else lambda *_: pauses_end.set())
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


def end_process_if_stuck() -> None:
    """Start the thread that ends this process after a second signal, whatever the main thread waits for."""
    if sys.platform == "win32":
        return
    receiving, sending = os.pipe()
    os.set_blocking(sending, False)
    signal.set_wakeup_fd(sending, warn_on_full_buffer=False)
    with suppress(RuntimeError):  # the system starts no thread: who needs one reports it
        threading.Thread(target=_count_signals, args=(receiving,), name="stop watch", daemon=True).start()


def _count_signals(receiving: int) -> None:
    requests = 0
    while requests < 2:  # noqa: PLR2004 - the second request ends the process
        requests += sum(number in STOP_SIGNALS for number in os.read(receiving, 1))
    threading.Event().wait(PATIENCE_SECONDS)
    end_process(EXIT_INTERRUPTED)


def end_process(code: int) -> None:
    """End the process now: kill its child processes, remove its temporary files, and leave threads behind."""
    multiprocessing = sys.modules.get("multiprocessing")
    for child in multiprocessing.active_children() if multiprocessing is not None else ():
        child.kill()
    cleanup = threading.Thread(target=atexit._run_exitfuncs, name="cleanup", daemon=True)  # noqa: SLF001
    with suppress(RuntimeError):
        cleanup.start()
        cleanup.join(CLEANUP_SECONDS)
    os._exit(code)
