"""What every child process of a run does first, and how such a process is started."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from pathlib import Path

from xml_extractor.settings import StartMethod

PRELOADED = ["xml_extractor.processing.parallel_coordinator"]
"""What a fork server imports once, so that each worker need not."""


def process_context(start_method: StartMethod) -> BaseContext:
    """How the processes of a run are started."""
    context = multiprocessing.get_context(start_method)
    if start_method == "forkserver":
        context.set_forkserver_preload(PRELOADED)
    return context


def set_up_child(ignored: Iterable[signal.Signals] = (signal.SIGINT,)) -> None:
    """Leave signals to the main process, and end when it does.

    Ctrl-C reaches all processes of a terminal, but only the main process knows how to end in order. A main process
    that was killed cannot end its children, so each of them watches it.

    Args:
        ignored: Signals that only the main process answers.
    """
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="parent watch", daemon=True).start()


def resident_bytes() -> int:
    """The memory that this process holds now; 0 where the system does not tell it in /proc."""
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
