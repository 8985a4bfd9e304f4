"""A worker in the main process, for programs that may not start processes, or need not."""

import os
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from xml_extractor.processing.chunks import Chunk, ChunkResult, RunContext, WorkerFailure, as_run_error
from xml_extractor.processing.worker import Worker


class InProcessWorker:
    """Maps and loads chunks where they are submitted, each in one transaction, in place of `WorkerSupervisor`.

    A context manager. A document that takes forever, or kills its process, does so to the main process.

    Args:
        context: What the run knows.

    Raises:
        XmlExtractorError: On entering: the source cannot be opened.
    """

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._parts = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as parts:
            markers = parts.enter_context(TemporaryDirectory(prefix="xml_extractor-"))
            self._worker = parts.enter_context(closing(Worker(self._context, None, Path(markers))))
            self._parts = parts.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._parts.__exit__(kind, error, traceback)

    @property
    def pool(self) -> Self:
        """The worker itself, which has no pool."""
        return self

    def submit(
        self,
        function: Callable[[Chunk], ChunkResult],
        chunk: Chunk,
        on_result: Callable[[ChunkResult], None],
        on_error: Callable[[BaseException], None],
    ) -> None:
        """Process a chunk now. The function is the one of worker processes, and is not called."""
        del function, on_error
        outcomes = failure = None
        try:
            outcomes = self._worker.load(list(self._worker.map_documents(chunk)))
        except Exception as error:  # noqa: BLE001 - reported to the coordinator as data, as by a worker process
            failure = WorkerFailure.of(as_run_error(error))
        seconds, slowest = self._worker.take_seconds(), self._worker.slowest
        on_result(ChunkResult(chunk.sequence, os.getpid(), outcomes, seconds, failure, slowest=slowest))

    def note_result(self, process_id: int, *, retires: bool = False) -> None:
        """Do nothing: this worker is never replaced."""

    def end_pauses(self) -> None:
        """Do nothing: what asks the process to stop ends its pauses."""

    def replace_if_needed(self, *, interrupted: bool) -> bool:
        """Return False: this worker is never replaced."""
        del interrupted
        return False
