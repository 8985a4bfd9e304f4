"""What the main process can read of a worker that died: which document it was at."""

import os
import signal
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

from tests.conftest import posix_only
from xml_extractor.processing.marks import Mark, Marks, OwnMark


def _mark_and_die(path: Path) -> None:
    mark = OwnMark(path)
    mark.set(Mark(12, 3))
    mark.set(Mark(12, 4))
    os.kill(os.getpid(), signal.SIGKILL)


@posix_only("sends signals to processes")
def test_the_mark_of_a_killed_process_can_be_read() -> None:
    with Marks() as marks:
        process = get_context("spawn").Process(target=_mark_and_die, args=(marks.path,))
        process.start()
        process.join(60)
        assert marks.of(process.pid or 0) == Mark(12, 4)


def test_a_process_that_is_at_no_document_has_no_mark() -> None:
    with Marks() as marks, closing(OwnMark(marks.path)) as own:
        assert marks.of(os.getpid()) is None
        own.set(Mark(0, 0))
        assert marks.of(os.getpid()) == Mark(0, 0)
        own.clear()
        assert marks.of(os.getpid()) is None
        assert marks.of(-1) is None


def test_marks_leave_nothing_behind() -> None:
    with Marks() as marks, closing(OwnMark(marks.path)):
        assert marks.path.is_dir()
    assert not marks.path.exists()
