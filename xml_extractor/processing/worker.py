"""What a worker process does with documents: fetch, parse and map them; load those that the full queue rejects."""

import logging
import os
import struct
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import replace
from hashlib import sha256
from heapq import nlargest
from mmap import mmap
from operator import itemgetter
from pathlib import Path
from typing import Any

from xml_extractor.contract.layout import layouts
from xml_extractor.contract.model import Contract
from xml_extractor.documents import (
    CountKey,
    Deletion,
    DocumentKey,
    Failure,
    MappedDocument,
    Outcome,
    ProcessedDocument,
    Rejection,
    Replaced,
    RunValues,
    Skipped,
    SourceDocument,
    Unchanged,
)
from xml_extractor.mapping import MappingError, Plan, compile_plan, map_document, own_key, read_revision
from xml_extractor.parsing import LONGEST_PROLOG, DocumentParser, OtherRootError, ParseError, parsing_rules
from xml_extractor.processing.chunks import (
    LOADING,
    Chunk,
    ChunkReport,
    ChunkResult,
    RunContext,
    WorkerFailure,
    as_run_error,
    internal_error,
)
from xml_extractor.processing.insert_queue import MAX_BATCH_ROWS, DocumentLoader, InsertQueue
from xml_extractor.processing.insert_threads import open_loader
from xml_extractor.processing.processes import MAX_GROWTH, NO_MEMORY, retire
from xml_extractor.processing_log.log_keys import UnusableKey, is_fetchable
from xml_extractor.quality.unread import unread_counter
from xml_extractor.reasons import Reason, Stage
from xml_extractor.records import open_documents
from xml_extractor.reporting.result import SLOWEST
from xml_extractor.sources.document_keys import unusable_key
from xml_extractor.sources.interfaces import Source, SourceOfFiles
from xml_extractor.sources.streams import DAMAGE
from xml_extractor.targets.registry import open_target

logger = logging.getLogger(__name__)

LONGEST_VALUE = 200
"""Characters of a rejected value that are kept."""

LARGE_BATCH_ROWS = 10 * MAX_BATCH_ROWS
"""Rows of a transaction by which a worker loads a chunk into files: few and large ones."""

MARKER = struct.Struct("<qqbd")
STAGES = (*Stage,)
BETWEEN_DOCUMENTS = -1
"""The stage in a marker's file of a worker that has no document."""

_shared_plans: list[tuple[Contract, Plan]] = []
"""Plans that the fork server compiled; its workers inherit them."""


def share_plan(contract: Contract) -> None:
    """Compile a contract in the fork server, for the workers that it will start."""
    _shared_plans.append((contract, compile_plan(contract)))


class OwnCrashMarker:
    """The crash marker of this process.

    Args:
        directory: `CrashMarkers.path`.
    """

    def __init__(self, directory: Path) -> None:
        self._document, self._since = (0, 0), 0.0
        with (directory / str(os.getpid())).open("w+b", buffering=0) as file:
            file.write(MARKER.pack(*self._document, BETWEEN_DOCUMENTS, self._since))
            self._memory = mmap(file.fileno(), MARKER.size)  # survives a killed process, and takes no system call

    def set(self, sequence: int, position: int, stage: Stage) -> None:
        """Record the document that is being processed."""
        self._document = sequence, position
        self.enter(stage)

    def enter(self, stage: Stage) -> None:
        """Record the next stage of the document. Its clock starts again, except between parsing and mapping."""
        if stage is not Stage.MAP:
            self._since = time.monotonic()
        self._write(STAGES.index(stage))

    def clear(self) -> None:
        """Record that no document is being processed."""
        self._write(BETWEEN_DOCUMENTS)

    def _write(self, stage: int) -> None:
        self._memory[:] = MARKER.pack(*self._document, stage, self._since)

    def close(self) -> None:
        """Close the file; the main process can still read it."""
        self._memory.close()


class ChunkWorker:
    """What a worker process has for all its chunks.

    Args:
        markers: The directory of crash markers.
    """

    def __init__(self, markers: Path) -> None:
        self._marker = OwnCrashMarker(markers)
        self._resident_at_start = resident_bytes()

    @property
    def is_grown(self) -> bool:
        """Whether this process has grown so much that another should replace it."""
        return resident_bytes() - self._resident_at_start > MAX_GROWTH

    def close(self) -> None:
        """Close all that the worker has opened."""
        self._marker.close()


worker_of_process: ContextVar[ChunkWorker | WorkerFailure] = ContextVar("worker")
"""In a worker process: its worker, or why it has none."""


def reported(chunk: Chunk, work: Callable[[Any, Chunk], ChunkReport]) -> ChunkReport:
    """Have the worker of this process work at a chunk, and return its report. Errors are returned as data."""
    worker = worker_of_process.get()
    if isinstance(worker, WorkerFailure):
        return ChunkReport(chunk.sequence, os.getpid(), worker)
    try:
        report = work(worker, chunk)
    except MemoryError:
        # End like a process that the system kills for lack of memory, so that a poison document is found.
        os._exit(NO_MEMORY)
    except Exception as error:  # noqa: BLE001 - reported as data
        report = ChunkReport(chunk.sequence, os.getpid(), WorkerFailure.of(as_run_error(error)))
    if not worker.is_grown:
        return report
    retire()
    return replace(report, retires=True)


class Worker(ChunkWorker):
    """The parts that one worker process uses for all its documents.

    Args:
        context: What the run knows.
        insert_queue: Where mapped documents go; None if the worker loads all documents itself.
        markers: The directory of crash markers.

    Raises:
        XmlExtractorError: The source cannot be opened.
    """

    def __init__(self, context: RunContext, insert_queue: InsertQueue | None, markers: Path) -> None:
        contract = context.contract
        self.insert_queue = insert_queue
        settings = context.settings
        loads_chunks = settings.engine == "spark" or (settings.in_process and settings.insert_mode == "queue")
        self.slowest: dict[str, float] = {}
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._context = context
        self._parser = DocumentParser(parsing_rules(contract))
        self._plan = next((plan for other, plan in _shared_plans if other == contract), None) or compile_plan(contract)
        target = open_target(settings.target, contract)
        self._binders = target.row_binders(layouts(contract))
        self._batch_rows = (LARGE_BATCH_ROWS if target.only_appends else MAX_BATCH_ROWS) if loads_chunks else 0
        self._unread_of = unread_counter(contract)
        self._run_values = RunValues(context.run_id, context.started_at, context.source_name)
        self._loader: DocumentLoader | None = None
        super().__init__(markers)
        with ExitStack() as parts:
            parts.enter_context(closing(self._marker))
            source = open_documents(context.source_address, contract, examined=context.examined)
            self._source = parts.enter_context(closing(source))
            self._open_parts = parts.pop_all()

    def map_documents(self, chunk: Chunk) -> Iterator[ProcessedDocument]:
        """Fetch, parse and map the documents of a chunk. A document that fails is a rejection.

        Raises:
            SourceError: The source cannot be read any more.
        """
        rejected = rejected_keys(chunk)
        at_fetch = (Stage.FETCH, Reason.WORKER_DIED)
        unread = {key for key, failure in rejected.items() if (failure.stage, failure.code) == at_fetch}
        unread |= {key for key in rejected if not is_fetchable(key)}
        documents = self._source.fetch([key for key in chunk.keys if key not in unread])
        for position, key in enumerate(chunk.keys):
            replaced = chunk.replaced.get(key)
            if key in unread:
                rejection = Rejection(key, rejected[key], content_hash(None), seconds=0.0)
                yield self._process(rejection, time.perf_counter(), replaced)
                continue
            began_at = time.perf_counter()
            self._marker.set(chunk.sequence, position, Stage.FETCH)
            with self.timed("fetch"):
                document = skip_by_root(next(documents), self._source, self._parser)
            processed = self._process(document, began_at, replaced, rejected.get(key))
            # What the caller does with it, such as loading, does not count as the document's time.
            self._marker.clear()
            if len(self.slowest) < SLOWEST or processed.seconds > min(self.slowest.values()):
                seconds = {**self.slowest, str(key): processed.seconds}
                self.slowest = dict(nlargest(SLOWEST, seconds.items(), key=itemgetter(1)))
            # A record that came with its key is written from there if it is rejected: its file may be slow to read.
            yield processed._replace(key=key) if type(processed) is Rejection else processed

    @contextmanager
    def enqueuing(self, chunk_sequence: int) -> Iterator[None]:
        """Measure the time, and mark this process, while the block puts a chunk into the insert queue."""
        self._marker.set(chunk_sequence, 0, Stage.LOAD)
        with self.timed("enqueue"):
            yield
        self._marker.clear()

    def load_chunk(self, chunk: Chunk) -> list[Outcome]:
        """Map and load the documents of a chunk: in transactions of many rows; if inserts are blocking, one by one.

        Raises:
            XmlExtractorError: The source or the target fails for a reason that no document causes.
        """
        outcomes: list[Outcome] = []
        batch: list[ProcessedDocument] = []
        rows = 0
        for document in self.map_documents(chunk):
            batch.append(document)
            rows += sum(map(len, document.rows)) if isinstance(document, MappedDocument) else 0
            if rows >= self._batch_rows:
                outcomes += self.load(batch)
                batch, rows = [], 0
        return [*outcomes, *self.load(batch)] if batch else outcomes

    def load(self, documents: Sequence[ProcessedDocument]) -> list[Outcome]:
        """Load documents over this process's own connection, which is opened on first use.

        Raises:
            TargetError: The target fails for a reason that no document causes.
        """
        self._marker.set(0, LOADING, Stage.LOAD)
        if self._loader is None:
            self._loader = self._open_parts.enter_context(open_loader(self._context))
        loads = self._loader.statistics
        before = replace(loads)
        outcomes = self._loader.load(documents)
        self._marker.clear()
        self._seconds["insert"] += loads.insert_seconds - before.insert_seconds
        self._seconds["commit"] += loads.commit_seconds - before.commit_seconds
        return outcomes

    def close(self) -> None:
        """Close the source, and the connection to the target."""
        self._open_parts.close()

    def result(self, chunk: Chunk, outcomes: Sequence[Outcome] | None) -> ChunkResult:
        """Return the report of a chunk; without outcomes if its documents are in the insert queue."""
        seconds = dict(self._seconds)
        self._seconds.clear()
        return ChunkResult(chunk.sequence, os.getpid(), None, False, outcomes, seconds, self.slowest)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add the duration of the block to a step's seconds."""
        began_at = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[step] += time.perf_counter() - began_at

    def _process(
        self,
        document: SourceDocument | Rejection,
        began_at: float,
        replaced: Replaced | None,
        failure: Failure | None = None,
    ) -> ProcessedDocument:
        """Parse and map a fetched document; one that has failed already is only rejected."""
        if replaced is not None and replaced.only_if_changed and hash_of(document) == replaced.content_hash:
            return Unchanged(document.key, (), replaced.content_hash, time.perf_counter() - began_at)
        if isinstance(document, Rejection):
            return document._replace(replaced=replaced)
        if failure is not None:
            seconds = time.perf_counter() - began_at
            return Rejection(document.key, failure, hash_of(document), seconds, replaced)
        return self._map(document, began_at, replaced)

    def _map(self, document: SourceDocument, began_at: float, replaced: Replaced | None) -> ProcessedDocument:
        stage = Stage.PARSE
        self._marker.enter(stage)
        value = revision = None
        counted: list[tuple[CountKey, int]] = []
        try:
            with self.timed("parse"):
                root = self._parser.parse(document.content, document.envelope)
            stage = Stage.MAP
            self._marker.enter(stage)
            with self.timed("map"):
                if replaced is not None:
                    replaced = replaced._replace(own_key=own_key(self._plan, root))
                if self._plan.revision is not None:
                    revision = read_revision(self._plan, root, document.key, self._run_values)
                if revision is not None and revision.deletes:
                    no_rows, seconds = ((),) * len(self._binders), time.perf_counter() - began_at
                    return Deletion(document.key, no_rows, hash_of(document), seconds, replaced, (), revision)
                counted.extend(self._unread_of(root, document.envelope) if self._unread_of is not None else ())
                mapped = map_document(self._plan, root, document.key, self._run_values, counted.extend)
                rows = tuple(tuple(map(bind, of_table)) for bind, of_table in zip(self._binders, mapped, strict=True))
        except OtherRootError as error:
            seconds = time.perf_counter() - began_at
            return Skipped(document.key, error.failure, hash_of(document), seconds, replaced)
        except (ParseError, MappingError) as error:
            if document.is_cut and stage is Stage.PARSE:
                # The source may have cut it too early, such as in a comment that quotes an end tag.
                self._marker.enter(Stage.FETCH)
                with self.timed("fetch"):
                    uncut = next(self._source.fetch([document.key], whole=True))
                return self._process(uncut, began_at, replaced)
            failure, value = error.failure, self._value_of(error)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - one document must not end the run; it is rejected and logged
            failure = internal_error(error, document.key, stage)
        else:
            seconds = time.perf_counter() - began_at
            hashed = hash_of(document)
            return MappedDocument(document.key, rows, hashed, seconds, replaced, tuple(counted), revision)
        seconds = time.perf_counter() - began_at
        return Rejection(document.key, failure, hash_of(document), seconds, replaced, value, revision)

    def _value_of(self, error: ParseError | MappingError) -> str | None:
        """Return the rejected value, if there is one and the run keeps rejected values."""
        if not self._context.settings.reject_values or not isinstance(error, MappingError):
            return None
        value = error.invalid_value()
        return None if value is None else str(value)[:LONGEST_VALUE]


def rejected_keys(chunk: Chunk) -> dict[DocumentKey, Failure]:
    """Return the documents of a chunk that are rejected whatever they hold, and why."""
    unusable: dict[DocumentKey, Failure] = {
        key: unusable_key(key) for key in chunk.keys if isinstance(key, UnusableKey)
    }
    return {**unusable, **chunk.rejected}


def skip_by_root(
    document: SourceDocument | Rejection, source: Source, parser: DocumentParser
) -> SourceDocument | Rejection:
    """Skip a document that is too large to be read, but has a root element that the contract skips."""
    is_too_large = isinstance(document, Rejection) and document.failure.code is Reason.TOO_LARGE
    if is_too_large and isinstance(source, SourceOfFiles):
        file = source.open_file(document.key)
        with suppress(*DAMAGE), ExitStack() as parts:
            start = b"" if isinstance(file, Rejection) else parts.enter_context(file).read(LONGEST_PROLOG)
            try:
                parser.skip_other_root(start)
            except OtherRootError as error:
                return Skipped(document.key, error.failure, content_hash(start), seconds=0.0)
    return document


def content_hash(content: bytes | str | None) -> str:
    """Return the first 128 bits of the SHA-256 of a document's bytes, in hex; text counts as UTF-8."""
    if isinstance(content, str):
        content = content.encode("utf-8", "surrogatepass")
    return sha256(content or b"").hexdigest()[:32]


def hash_of(document: SourceDocument | Rejection) -> str:
    """Return the hash by which the processing log recognizes the content of a document."""
    if isinstance(document, Rejection):
        return document.content_hash
    return document.logged_hash or content_hash(document.content)


def resident_bytes() -> int:
    """Return the memory that this process holds now; 0 where the system has no /proc."""
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
