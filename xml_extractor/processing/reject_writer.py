"""Writes rejected documents to disk as dead letters, in a thread of the main process, during the run."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from itertools import chain, islice, repeat
from typing import Self

from xml_extractor.documents import Outcome, RecordKey, SourceDocument
from xml_extractor.errors import XmlExtractorError
from xml_extractor.processing_log.log_keys import is_fetchable
from xml_extractor.reasons import Reason
from xml_extractor.sources.interfaces import Source
from xml_extractor.sources.rejects import RejectFiles
from xml_extractor.stopping import stops_at_once

logger = logging.getLogger(__name__)

WAITING = 1000
"""Rejects that may wait to be written. A run that rejects documents faster than they can be written slows down."""

FETCHED_AT_ONCE = 16

POLL_SECONDS = 0.05


class RejectWriter:
    """A context manager that fetches rejected documents again and writes them. Its failures are warnings.

    Args:
        files: Where they are written.
        open_source: Opens the run's source for this thread.
        longest: Seconds that fetching and writing a document may take before all others are given up; 0 for no limit.
    """

    def __init__(self, files: RejectFiles, open_source: Callable[[], Source], longest: float = 0) -> None:
        self._files = files
        self._longest = longest
        self._last_progress = time.monotonic()
        self._open_source = open_source
        self._waiting: queue.Queue[Outcome | None] = queue.Queue(WAITING)
        self._is_abandoned = threading.Event()
        self._warned: set[str] = set()
        self._source: Source | None = None
        self._is_source_lost = self._is_busy = False
        # A daemon, so that a run that must stop at once does not wait for a document.
        self._thread = threading.Thread(target=self._run, name="rejects", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write all that is waiting, unless the run must stop at once."""
        if kind is None or issubclass(kind, Exception):
            while self._thread.is_alive() and not stops_at_once.is_set() and not self._is_stuck():
                if self._waiting.empty():
                    self._waiting.put(None)
                self._thread.join(POLL_SECONDS)
        self._is_abandoned.set()
        with suppress(queue.Full):
            self._waiting.put_nowait(None)

    def add(self, reject: Outcome) -> None:
        """Write a document whose rejection is committed. Waits while too many are waiting."""
        while not (self._is_abandoned.is_set() or stops_at_once.is_set() or self._is_stuck()):
            with suppress(queue.Full):
                self._waiting.put(reject, timeout=POLL_SECONDS)
                return

    def _is_stuck(self) -> bool:
        """Return whether the thread is given up, because it takes too long for a document."""
        if self._waiting.empty() and not self._is_busy:
            self._last_progress = time.monotonic()
        elif self._longest and time.monotonic() - self._last_progress > self._longest:
            self._warn(f"fetching or writing one takes more than {self._longest:g} s (--document-timeout)")
            self._is_abandoned.set()
        return self._is_abandoned.is_set()

    def _run(self) -> None:
        with ExitStack() as parts:
            for rejects in self._groups():
                self._is_busy = True
                self._last_progress = time.monotonic()
                try:
                    contents = chain(self._contents(rejects, parts), repeat(None))
                    for reject, content in zip(rejects, contents, strict=False):
                        self._write(reject, content)
                        self._last_progress = time.monotonic()
                except Exception as error:  # noqa: BLE001 - a defect here must not end the run
                    self._warn(f"internal error: {type(error).__name__}")
                self._is_busy = False

    def _groups(self) -> Iterator[Sequence[Outcome]]:
        """Yield rejects in groups of those that are waiting, until there are no more.

        Records are in the order of their files, because going back in an archive means to decompress it anew.
        """
        arriving = iter(self._waiting.get, None)
        for first in arriving:
            if self._is_abandoned.is_set():
                return
            at_once = WAITING if isinstance(first.key, RecordKey) else FETCHED_AT_ONCE
            more = min(self._waiting.qsize(), at_once - 1)
            yield sorted([first, *islice(arriving, more)], key=_place)

    def _contents(self, rejects: Sequence[Outcome], parts: ExitStack) -> Iterator[bytes | str | Iterator[bytes] | None]:
        """Yield the documents while the source can be read; one by one, because they may be large."""
        if self._is_source_lost:
            return
        try:
            if self._source is None:
                self._source = parts.enter_context(closing(self._open_source()))
            fetched = self._source.fetch([reject.key for reject in rejects if not _is_left_out(reject)], whole=True)
            for reject in rejects:
                document = None if _is_left_out(reject) else next(fetched)
                yield document.whole if isinstance(document, SourceDocument) else None
        except XmlExtractorError as error:
            self._is_source_lost = True
            self._warn(error.message)

    def _write(self, reject: Outcome, content: bytes | str | Iterator[bytes] | None) -> None:
        try:
            self._files.write(reject, content)
        except OSError as error:
            self._warn(error.strerror or type(error).__name__)

    def _warn(self, reason: str) -> None:
        """Log a warning, once for each reason."""
        if reason not in self._warned:
            self._warned.add(reason)
            logger.warning("Rejected documents are not written to %s: %s", self._files.directory, reason)


def _place(reject: Outcome) -> tuple[str, int]:
    key = reject.key
    return (str(key.place.file), key.place.start) if isinstance(key, RecordKey) else ("", 0)


def _is_left_out(reject: Outcome) -> bool:
    """Return whether the document is not to be fetched.

    The main process must not die as workers did; and what has no key cannot be fetched.
    """
    is_poison = reject.failure is not None and reject.failure.code == Reason.WORKER_DIED
    return is_poison or not is_fetchable(reject.key)
