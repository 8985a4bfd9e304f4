"""Ctrl-C and SIGTERM: once to end in order, twice to end at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequests:
    """Whether somebody asked the run to stop."""

    def __init__(self) -> None:
        self.requested = False

    def note(self, _signal: int, _frame: FrameType | None) -> None:
        """Answer a signal: note the first one.

        Raises:
            KeyboardInterrupt: It is not the first.
        """
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


@contextmanager
def stop_requests() -> Iterator[StopRequests]:
    """Answer signals while the block runs. Python lets only the main thread do so; elsewhere nothing is changed."""
    requests = StopRequests()
    if threading.current_thread() is not threading.main_thread():
        yield requests
        return
    handlers = {number: signal.signal(number, requests.note) for number in SIGNALS}
    try:
        yield requests
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler or signal.SIG_DFL)
