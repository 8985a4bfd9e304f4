"""Supervision of the worker processes: hands them chunks, and replaces them when one dies or does not get on."""

import logging
import queue
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from xml_extractor.errors import RunError, SilentTargetError, WorkerDiedError
from xml_extractor.processing import processes
from xml_extractor.processing.chunks import Chunk, ChunkReport, ChunksInFlight, CrashMarker
from xml_extractor.processing.processes import process_context
from xml_extractor.processing.worker import BETWEEN_DOCUMENTS, MARKER, STAGES
from xml_extractor.processing.worker_pool import NO_WORKERS_TIP, DeadWorker, WorkerPool
from xml_extractor.reasons import Stage
from xml_extractor.settings import StartMethod
from xml_extractor.stopping import StopRequests

Event = TypeVar("Event")

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.1
"""How often it is checked that all workers are alive, and whether they are asked to stop."""

TIMEOUT_CHECK_SECONDS = 1.0
"""How often documents that take too long are looked for."""

MOST_INCIDENTS_IN_A_ROW = 10
"""How often workers may die without a chunk being committed in between."""

MOST_HANGS_IN_A_ROW = 1
"""How often workers may hang outside of a document without a chunk being committed in between."""

RESUME_TIP = "what was committed stays; run the same command again to continue"


def silent_target() -> SilentTargetError:
    """Return the error that ends a run whose target does not answer."""
    minutes = processes.LONGEST_LOAD_SECONDS / 60
    return SilentTargetError(
        f"the target has not answered for {minutes:g} minutes",
        f"check the database, its disk and the network; {RESUME_TIP}",
    )


class CrashMarkers:
    """The directory of the workers' crash markers, in the main process.

    Markers are files, because they must survive a process that is killed.
    """

    def __init__(self) -> None:
        self._directory = TemporaryDirectory(prefix="xml_extractor-")
        self.path = Path(self._directory.name)

    def read(self, process_id: int) -> CrashMarker | None:
        """Return what a worker is or was doing; None if it was starting, between documents or loading."""
        try:
            content = (self.path / str(process_id)).read_bytes()
        except FileNotFoundError:
            return None
        if len(content) != MARKER.size:
            return None
        sequence, position, stage, since = MARKER.unpack(content)
        return None if stage == BETWEEN_DOCUMENTS else CrashMarker(sequence, position, STAGES[stage], since)

    def clear(self) -> None:
        """Remove all markers, after all workers have ended. The next worker may have the process id of one of them."""
        for path in self.path.iterdir():
            path.unlink()

    def close(self) -> None:
        """Remove the directory."""
        self._directory.cleanup()


class WorkerSettings(Protocol):
    """The settings of workers."""

    @property
    def workers(self) -> int:
        """The number of worker processes."""
        ...

    @property
    def document_timeout(self) -> int:
        """Seconds that a document may take in a worker; 0 for no limit."""
        ...

    @property
    def start_method(self) -> StartMethod:
        """How they are started."""
        ...


class WorkerSupervisor(Generic[Event]):
    """Owns the pool of workers, hands them chunks, and handles what they report.

    A context manager: workers end in order, or are killed when the block raises. All workers are replaced at once,
    because a dead one may have held a lock of the Pool's queues. What was queued or loaded meanwhile is not loaded
    twice: the processing log rejects it, and the run takes its outcome from there.

    Args:
        settings: The settings of the workers.
        chunks: The chunks in flight, which count what happens at documents.
        initializer: Called first in each worker, with `initargs` and the directory for its crash marker.
        initargs: The other arguments of the initializer.
        work: What a worker does with a chunk. It returns a `ChunkReport`.
        handle: Called with each event: the workers' reports, and what others put into `events`.
        stop: The requests to stop.
        check: Called several times a second.

    Attributes:
        events: What is to be handled. Exceptions are raised.
        pool: The workers; another pool after they were replaced.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        chunks: ChunksInFlight,
        initializer: Callable[..., Any],
        initargs: tuple[object, ...],
        work: Callable[[Chunk], Event],
        handle: Callable[[Event], None],
        stop: StopRequests,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.events: queue.SimpleQueue[Event | Exception] = queue.SimpleQueue()
        self._settings = settings
        self._chunks = chunks
        self._initializer = initializer
        self._initargs = initargs
        self._work = work
        self._handle = handle
        self._stop = stop
        self._check = check
        self._markers = CrashMarkers()
        self._next_check = self._next_timeout_check = 0.0

    def __enter__(self) -> Self:
        try:
            self.pool = self._start()
        except BaseException:
            self._markers.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.pool.__exit__(kind, error, traceback)
        finally:
            self._markers.close()

    def submit(self, chunk: Chunk) -> None:
        """Hand a chunk to the workers."""
        self.pool.submit(self._work, chunk, self.events.put, self._report_lost_result)

    def poll_until(self, condition: Callable[[], bool]) -> None:
        """Handle events until a condition is met."""
        while not condition():
            self.poll(POLL_SECONDS)

    def poll(self, timeout: float = 0) -> None:
        """Wait for an event and handle it; regularly check that all workers are alive.

        Raises:
            XmlExtractorError: No further document can be processed.
        """
        # What is committed is counted, also when a signal ends the run at that moment.
        with self._stop.deferred(), suppress(queue.Empty):
            self._take(self.events.get(timeout=timeout))
        now = time.monotonic()
        if now >= self._next_check:
            self._next_check = now + POLL_SECONDS
            # A worker that was replaced counts as dead until all its results have been noted.
            self.handle_waiting_events()
            self._check()
            if self._replace_if_needed():
                self.handle_waiting_events()
                for chunk in self._chunks.take_back():
                    self.submit(chunk)

    def handle_waiting_events(self) -> None:
        """Handle what has arrived."""
        with self._stop.deferred():
            while not self.events.empty():
                self._take(self.events.get())

    def _take(self, event: Event | Exception) -> None:
        if isinstance(event, Exception):
            raise event
        if isinstance(event, ChunkReport):
            self._chunks.reported(event.sequence)
            self.pool.note_result(event.worker, retires=event.retires)
            if event.failure is not None:
                raise event.failure.exception()
        self._handle(event)

    def _start(self) -> WorkerPool:
        settings = self._settings
        initargs = (*self._initargs, self._markers.path)
        try:
            return WorkerPool(process_context(settings.start_method), settings.workers, self._initializer, initargs)
        except (EOFError, ConnectionError) as error:
            # The fork server could not start one.
            raise WorkerDiedError("no worker process can be started", NO_WORKERS_TIP) from error

    def _report_lost_result(self, error: BaseException) -> None:
        self.events.put(RunError(f"the result of a worker was lost ({type(error).__name__})", RESUME_TIP))

    def _replace_if_needed(self) -> bool:
        """Replace all workers if one of them died or takes too long; return whether they were replaced.

        Raises:
            WorkerDiedError: Workers keep dying without any progress, or a worker had to be killed or died after the
                run was interrupted.
            RunError: The source or the insert queue does not answer.
        """
        dead = self.pool.find_dead()
        if dead:
            self._record_deaths(dead, interrupted=self._stop.requested)
        elif not self._kill_stuck():
            return False
        elif self._stop.requested:
            raise WorkerDiedError("a worker process was killed", RESUME_TIP)
        self.pool.kill()
        self._markers.clear()
        self.pool = self._start()
        return True

    def _record_deaths(self, dead: Sequence[DeadWorker], *, interrupted: bool) -> None:
        markers = [self._markers.read(worker.process_id) for worker in dead]
        self._chunks.record_deaths(markers, is_whole_pool=len(dead) >= self._settings.workers > 1)
        for worker in dead:
            logger.warning("A worker process ended unexpectedly (%s); its documents are handed out again", worker.exit)
        if interrupted or self._chunks.incidents_in_a_row > MOST_INCIDENTS_IN_A_ROW:
            raise WorkerDiedError(
                f"worker processes end unexpectedly ({dead[0].exit})",
                f"{RESUME_TIP}; if memory is short, with fewer workers",
            )

    def _kill_stuck(self) -> bool:
        """Kill the workers if one of them takes too long; return whether one did."""
        seconds, now = self._settings.document_timeout, time.monotonic()
        if now < self._next_timeout_check:
            return False
        self._next_timeout_check = now + TIMEOUT_CHECK_SECONDS
        markers = {process_id: self._markers.read(process_id) for process_id in self.pool.process_ids()}
        loading = (marker for marker in markers.values() if marker and marker.is_loading)
        if any(now - marker.since > processes.LONGEST_LOAD_SECONDS for marker in loading):
            raise silent_target()
        stuck = {
            number: marker
            for number, marker in markers.items()
            if marker and not marker.is_loading and 0 < seconds < now - marker.since
        }
        if not stuck:
            return False
        self.pool.kill()
        for process_id, marker in stuck.items():
            # A worker that finished the document meanwhile has another marker now; nothing is wrong with the document.
            if (
                self._markers.read(process_id) != marker
                or (key := self._chunks.record_timeout(marker, seconds)) is None
            ):
                continue
            what = "the insert queue" if marker.stage is Stage.LOAD else f"document {key} at stage {marker.stage}"
            message = "A worker process was killed: it took more than %d s for %s"
            logger.warning(message, seconds, what, extra={"document": key, "stage": marker.stage})
            if self._chunks.hangs_in_a_row > MOST_HANGS_IN_A_ROW:
                raise RunError(
                    f"worker processes take more than {seconds} s (--document-timeout) for {what}, again and again",
                    f"check whether the source answers; {RESUME_TIP}",
                )
        return True
