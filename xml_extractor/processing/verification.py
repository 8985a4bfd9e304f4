"""Map the documents of a source again with worker processes, and compare them with the rows of the target."""

import gc
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.util import Finalize

from xml_extractor.connections import errors_end_the_run
from xml_extractor.contract.model import Contract
from xml_extractor.contract.own_rows import DocumentKeys, key_columns
from xml_extractor.contract.run_columns import run_columns
from xml_extractor.documents import DocumentKey, Failure, Rejection, RunValues, SourceDocument, Status
from xml_extractor.errors import TargetError
from xml_extractor.mapping import MappingError, compile_plan, map_document, own_key, read_revision
from xml_extractor.parsing import DocumentParser, OtherRootError, ParseError, parsing_rules
from xml_extractor.processing.chunk_pool import KeyChunk, LookedAt, for_each_chunk, key_chunks, look_at
from xml_extractor.processing.chunks import WorkerFailure, as_run_error, log_defect
from xml_extractor.processing.processes import set_up_child
from xml_extractor.processing.worker import content_hash, resident_bytes
from xml_extractor.processing_log.log import ProcessingLog
from xml_extractor.processing_log.log_keys import UnusableKey
from xml_extractor.processing_log.log_table import LogEntry
from xml_extractor.quality.differences import (
    DIFFERENT,
    DOCUMENTS,
    NOT_LOADED,
    Difference,
    Kind,
    Seen,
    Verified,
    VerifiedDocument,
)
from xml_extractor.quality.reconciliation import Reconciliation
from xml_extractor.quality.row_comparison import digest
from xml_extractor.quality.seen_things import SeenThings, seen_things
from xml_extractor.quality.verification import Verifier
from xml_extractor.reasons import Reason, Stage
from xml_extractor.records import open_documents
from xml_extractor.settings import KeyRange, StartMethod
from xml_extractor.sources.interfaces import Source
from xml_extractor.targets.registry import open_target

_UNKNOWN_TIME = datetime(1900, 1, 1)  # noqa: DTZ001 - times of runs are naive
ROWS_AT_ONCE = 20_000
"""Mapped rows that a worker compares at once; a single document may have more."""


@dataclass(frozen=True, slots=True)
class VerificationContext:
    """What all processes know. Addresses may hold secrets.

    Attributes:
        contract_hash: Of the contract.
        target: The address of the database that is compared.
        sources: The names of the sources of runs, by run, as far as they are known.
        left_out: Columns that are not compared, by table; `*` stands for the whole table.
        key_range: Documents to compare; None for all.
        sample: Documents to compare at most, evenly from all; None for all.
        run: Compare the documents of this run; empty for those of all runs.
    """

    contract: Contract
    contract_hash: str
    source_name: str
    source_address: str
    target: str
    workers: int
    batch_size: int
    start_method: StartMethod
    sources: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, frozenset[str]] = field(default_factory=dict)
    key_range: KeyRange | None = None
    sample: int | None = None
    run: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether all documents of the source, or of a run, are compared."""
        return self.key_range is None and self.sample is None


class _Worker:
    """The parts that one worker process uses for all its documents."""

    def __init__(self, context: VerificationContext) -> None:
        contract = context.contract
        self.context = context
        self.resident_at_start = resident_bytes()
        self._parts = ExitStack()
        Finalize(None, self._parts.close, exitpriority=10)
        self._plan = compile_plan(contract)
        self._parser = DocumentParser(parsing_rules(contract))
        self._source = self._parts.enter_context(closing(open_documents(context.source_address, contract)))
        connection = self._parts.enter_context(closing(open_target(context.target, contract).connect()))
        self._log = ProcessingLog(connection)
        of_runs = run_columns(contract)
        self._verifier = Verifier(contract, context.contract_hash, connection, context.left_out, of_runs)
        self._needs_own_key = any(
            column is not None and column.kind == "own" for column in key_columns(contract).values()
        )
        self._uses_source_name = any(run_columns(contract, {"source_name"}).values())

    def verify(self, chunk: KeyChunk) -> Verified:
        """Compare the documents of a chunk with their rows."""
        verified = Verified()
        entries = self._log.find(self.context.contract.contract, list(map(str, chunk.keys)))
        if self.context.is_whole:
            verified.seen += [Seen(DOCUMENTS, digest(str(key)), "") for key in chunk.keys]
        loaded = [key for key in chunk.keys if self._is_loaded(key, entries.get(str(key)), verified)]
        waiting: list[VerifiedDocument] = []
        rows = 0
        for key, document in zip(loaded, self._source.fetch(loaded), strict=True):
            mapped = self._mapped(document, entries.get(str(key)), verified)
            if mapped is not None:
                waiting.append(mapped)
                rows += sum(map(len, mapped.rows))
            if rows > ROWS_AT_ONCE:
                verified.add(self._compare(waiting))
                waiting, rows = [], 0
        verified.add(self._compare(waiting))
        return verified

    def _compare(self, documents: Sequence[VerifiedDocument]) -> Verified:
        keeps_seen = self.context.is_whole and not self.context.run
        with errors_end_the_run(TargetError, "the tables of the target cannot be read"):
            return self._verifier.compare(documents, keeps_seen=keeps_seen)

    def _is_loaded(self, key: DocumentKey, entry: LogEntry | None, verified: Verified) -> bool:
        """Return whether a document should have rows; note what is known of the others."""
        if self.context.run and (entry is None or entry.run_id != self.context.run):
            return False
        if entry is not None and entry.status is not Status.LOADED:
            verified.documents[entry.status.value] += 1
            return False
        if isinstance(key, UnusableKey):  # no run loads it
            verified.documents[NOT_LOADED] += 1
            verified.note(Difference(Kind.NOT_LOADED, str(key), detail=key.explanation))
            return False
        return True

    def _mapped(
        self, document: SourceDocument | Rejection, entry: LogEntry | None, verified: Verified
    ) -> VerifiedDocument | None:
        """Map a document with the values of the run that loaded it."""
        if isinstance(document, Rejection):
            self._fail(document, entry, document.failure, verified)
            return None
        run_id = entry.run_id if entry is not None else ""
        started_at = _start_of(run_id)
        source_name = self.context.sources.get(run_id)
        run = RunValues(run_id, started_at or _UNKNOWN_TIME, source_name or self.context.source_name)
        of: tuple[str, ...] = ()
        try:
            root = self._parser.parse(document.content, document.envelope)
            key = own_key(self._plan, root) if self._needs_own_key else None
            if self._plan.revision is not None:
                revision = read_revision(self._plan, root, document.key, run)
                of = () if revision is None else revision.of
            rows = map_document(self._plan, root, document.key, run)
        except OtherRootError as error:
            self._fail(document, entry, error.failure, verified)
            return None
        except (ParseError, MappingError) as error:
            if document.is_cut:
                return self._mapped(next(self._source.fetch([document.key], whole=True)), entry, verified)
            self._fail(document, entry, error.failure, verified)
            return None
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - one document must not end the command
            log_defect(error, f"document {document.key} was mapped", document.key, Stage.MAP)
            explanation = f"a defect of this program ({type(error).__name__})"
            self._fail(document, entry, Failure(Stage.MAP, Reason.INTERNAL_ERROR, explanation), verified)
            return None
        return VerifiedDocument(
            str(document.key),
            DocumentKeys(document.key, key, of),
            entry,
            rows,
            entry is not None and (document.logged_hash or content_hash(document.content)) != entry.content_hash,
            entry is None or (started_at is not None and (source_name is not None or not self._uses_source_name)),
        )

    def _fail(
        self, document: SourceDocument | Rejection, entry: LogEntry | None, failure: Failure, verified: Verified
    ) -> None:
        verified.documents[NOT_LOADED if entry is None else DIFFERENT] += 1
        kind = Kind.NOT_LOADED if entry is None else Kind.NOT_MAPPED
        verified.note(Difference(kind, str(document.key), detail=f"it cannot be mapped now: {failure.reason}"))


_worker: ContextVar[_Worker | WorkerFailure] = ContextVar("verifying_worker")


def _init_worker(context: VerificationContext) -> None:
    set_up_child()
    try:
        _worker.set(_Worker(context))
    except Exception as error:  # noqa: BLE001 - reported with the first chunk
        _worker.set(WorkerFailure.of(as_run_error(error)))
    gc.collect()
    gc.freeze()


def _verify_chunk(chunk: KeyChunk) -> LookedAt:
    worker = _worker.get()
    if isinstance(worker, WorkerFailure):
        return LookedAt(os.getpid(), 0, None, worker)
    return look_at(worker.verify, chunk, worker.resident_at_start)


def verify_source(
    context: VerificationContext, source: Source, on_progress: Callable[[int], None] = lambda _: None
) -> tuple[Verified, bool]:
    """Compare the documents of a source with the rows of the target.

    Args:
        context: What to compare.
        source: The source, already open.
        on_progress: Called with the number of documents that were compared since the last call.

    Returns:
        What was found, and whether the command was asked to stop before all documents were compared.

    Raises:
        XmlExtractorError: The databases cannot be compared.
    """
    with seen_things() as things:
        verified = Verified()

        def add(result: LookedAt) -> None:
            things.add(result.found.seen)
            result.found.seen.clear()
            verified.add(result.found)
            on_progress(result.documents)

        pages = (page.keys for page in source.key_pages(context.batch_size, context.key_range))
        chunks = key_chunks(pages, context.workers, sample=context.sample)
        interrupted = for_each_chunk(context, _init_worker, _verify_chunk, chunks, add)
        if context.is_whole and not interrupted:
            _reconcile(context, things, verified)
        return verified, interrupted


def _reconcile(context: VerificationContext, things: SeenThings, verified: Verified) -> None:
    contract = context.contract
    target = open_target(context.target, contract)
    with (
        errors_end_the_run(TargetError, "the tables of the target cannot be read"),
        closing(target.connect()) as connection,
        closing(target.connect()) as other,
    ):
        verifier = Verifier(contract, context.contract_hash, connection, context.left_out, run_columns(contract))
        Reconciliation(
            verifier,
            things,
            ProcessingLog(other, target.name),
            contract.contract,
            context.run,
            has_changing_rows=contract.document.revision is not None,
        ).add_to(verified)


def _start_of(run_id: str) -> datetime | None:
    """Return when a run started, which its id says; None for an id of another program."""
    try:
        return datetime.strptime(run_id[:18], "%Y%m%dT%H%M%S%f")  # noqa: DTZ007 - naive UTC, as in the log
    except ValueError:
        return None
