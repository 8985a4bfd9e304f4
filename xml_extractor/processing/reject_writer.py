"""Writes rejected documents to disk while a run goes on, in a thread of the main process."""

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from itertools import chain, islice, repeat
from types import TracebackType
from typing import Self

from xml_extractor.documents import Outcome, SourceDocument
from xml_extractor.errors import XmlExtractorError
from xml_extractor.processing.worker import DEADLY
from xml_extractor.sources.interfaces import Source
from xml_extractor.sources.rejects import RejectFiles

logger = logging.getLogger(__name__)

WAITING = 1000
"""Rejects that wait to be written at most; a run that rejects faster than they can be fetched again is slowed down."""

FETCHED_AT_ONCE = 16


class RejectWriter:
    """A context manager that fetches rejected documents again and writes them. It never ends a run: it warns.

    Args:
        files: Where they go.
        open_source: Opens the run's source for this thread.
    """

    def __init__(self, files: RejectFiles, open_source: Callable[[], Source]) -> None:
        self._files = files
        self._open_source = open_source
        self._waiting: queue.Queue[Outcome | None] = queue.Queue(WAITING)
        self._is_abandoned = threading.Event()
        self._warned: set[str] = set()
        self._source: Source | None = None
        self._is_source_lost = False
        # A daemon, so that a run that is to stop at once need not wait for a document.
        self._thread = threading.Thread(target=self._run, name="rejects", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Write what still waits, unless the run is to stop at once."""
        if kind is not None and not issubclass(kind, Exception):
            self._is_abandoned.set()
            with suppress(queue.Full):
                self._waiting.put_nowait(None)
            return
        self._waiting.put(None)
        self._thread.join()

    def add(self, reject: Outcome) -> None:
        """Have a document written whose rejection was committed."""
        self._waiting.put(reject)

    def _run(self) -> None:
        with ExitStack() as parts:
            for rejects in self._groups():
                try:
                    contents = chain(self._contents(rejects, parts), repeat(None))
                    for reject, content in zip(rejects, contents, strict=False):
                        self._write(reject, content)
                except Exception as error:  # noqa: BLE001 - a defect here must not keep the run from its end
                    self._warn(f"internal error: {type(error).__name__}")

    def _groups(self) -> Iterator[Sequence[Outcome]]:
        """Rejects that came together, until there will be no more."""
        arriving = iter(self._waiting.get, None)
        for first in arriving:
            if self._is_abandoned.is_set():
                return
            more = min(self._waiting.qsize(), FETCHED_AT_ONCE - 1)
            yield [first, *islice(arriving, more)]

    def _contents(self, rejects: Sequence[Outcome], parts: ExitStack) -> Iterator[bytes | str | None]:
        """The documents as they come, as long as the source gives any; one by one, because they may be large."""
        if self._is_source_lost:
            return
        try:
            if self._source is None:
                self._source = parts.enter_context(closing(self._open_source()))
            fetched = self._source.fetch([reject.key for reject in rejects if not _is_deadly(reject)], whole=True)
            for reject in rejects:
                document = None if _is_deadly(reject) else next(fetched)
                yield document.content if isinstance(document, SourceDocument) else None
        except XmlExtractorError as error:
            self._is_source_lost = True
            self._warn(error.message)

    def _write(self, reject: Outcome, content: bytes | str | None) -> None:
        try:
            self._files.write(reject, content)
        except OSError as error:
            self._warn(error.strerror or type(error).__name__)

    def _warn(self, trouble: str) -> None:
        """Say what is wrong, once for each trouble."""
        if trouble not in self._warned:
            self._warned.add(trouble)
            logger.warning("Rejected documents are not written to %s: %s", self._files.directory, trouble)


def _is_deadly(reject: Outcome) -> bool:
    """Whether worker processes died at the document: the main process, which must not die, does not fetch it."""
    return reject.failure is not None and reject.failure.code == DEADLY.code
