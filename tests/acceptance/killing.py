"""Kills workers at a given place. In a process of its own: a driver may keep all threads of a run's process waiting."""

import os
import signal
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path


@contextmanager
def whoever_is_at_dies(directory: Path, place: tuple[int, int]) -> Iterator[None]:
    """Until the end of the block, kill each worker that notes in a directory of marks that it is at this place."""
    context = get_context("spawn")
    ready, done = context.Event(), context.Event()
    killer = context.Process(target=_kill, args=(directory, place, ready, done), daemon=True)
    killer.start()
    try:
        ready.wait(60)
        yield
    finally:
        done.set()
        killer.join()


def _kill(directory: Path, place: tuple[int, int], ready: Event, done: Event) -> None:
    ready.set()
    # The note of a dead worker stays, and its number may be given to a process that is none of ours. A worker that is
    # done with a document leaves its place there, at no stage.
    killed: set[str] = set()
    while not done.wait(0.01):
        for note in directory.glob("xml_extractor-*/*"):
            with suppress(OSError, struct.error):
                *noted, stage = struct.unpack_from("<qqb", note.read_bytes())
                if note.name not in killed and tuple(noted) == place and stage >= 0:
                    killed.add(note.name)
                    os.kill(int(note.name), signal.SIGKILL)
