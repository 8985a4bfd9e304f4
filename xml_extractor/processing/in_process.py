"""A worker in the main process, for programs that may not start processes, or need not."""

import os
from collections.abc import Callable
from typing import Any

from xml_extractor.processing.chunks import Chunk, ChunkReport, WorkerFailure, as_run_error
from xml_extractor.processing.worker import Worker
from xml_extractor.processing.worker_pool import DeadWorker, WorkerPool
from xml_extractor.processing.worker_supervisor import Event, WorkerSupervisor


class InProcessPool(WorkerPool):
    """Maps and loads each chunk where it is submitted. It has no process.

    A document that takes forever, or kills its process, does so to the main process.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def submit(
        self,
        function: Callable[[Any], Any],
        task: Any,
        on_result: Callable[[Any], None],
        on_error: Callable[[BaseException], None],
    ) -> None:
        """Process a chunk now. The function is that of worker processes, and is not called."""
        del function, on_error
        chunk: Chunk = task
        report: ChunkReport
        try:
            report = self._worker.result(chunk, self._worker.load_chunk(chunk))
        except Exception as error:  # noqa: BLE001 - reported to the coordinator as data, as by a worker process
            report = ChunkReport(chunk.sequence, os.getpid(), WorkerFailure.of(as_run_error(error)))
        on_result(report)

    def note_result(self, process_id: int, *, retires: bool = False) -> None:
        """Do nothing: this worker is never replaced."""

    def end_pauses(self) -> None:
        """Do nothing: what asks the process to stop ends its pauses."""

    def process_ids(self) -> list[int]:
        """Return no process, so that none is killed."""
        return []

    def find_dead(self) -> list[DeadWorker]:
        """Return no worker."""
        return []

    def close(self) -> None:
        """Close the source, and the connection to the target."""
        self._worker.close()

    def kill(self) -> None:
        """Close the source, and the connection to the target; what is not committed is rolled back."""
        self._worker.close()


class InProcessSupervisor(WorkerSupervisor[Event]):
    """Has one worker, in the main process. The initializer makes it."""

    def _start(self) -> InProcessPool:
        return InProcessPool(self._initializer(*self._initargs, self._markers.path))
