"""Map the documents of a source again with worker processes, and compare them with the rows of the target."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from xml_extractor.connections import errors_end_the_run
from xml_extractor.contract.layout import run_columns
from xml_extractor.contract.model import Contract
from xml_extractor.contract.own_rows import DocumentKeys, key_columns
from xml_extractor.documents import DocumentKey, Failure, Rejection, Row, RunValues, SourceDocument, Status
from xml_extractor.errors import TargetError, UsageError
from xml_extractor.mapping import MappingError, compile_plan, map_document, own_key, read_revision
from xml_extractor.parsing import DocumentParser, ParseError, parsing_rules
from xml_extractor.processing.looking import LookingContext, LookingWorker, for_each_chunk, key_chunks
from xml_extractor.processing.worker import hash_of, skip_by_root
from xml_extractor.processing_log.log import ProcessingLog
from xml_extractor.processing_log.log_table import LogEntry
from xml_extractor.quality.database_comparison import DatabaseComparison, Side
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
from xml_extractor.reasons import Stage
from xml_extractor.records import open_documents
from xml_extractor.settings import KeyRange
from xml_extractor.sources.interfaces import Source
from xml_extractor.targets.interfaces import Target, connect_to_database
from xml_extractor.targets.registry import open_target

_UNKNOWN_TIME = datetime(1900, 1, 1)  # noqa: DTZ001 - times of runs are naive
ROWS_AT_ONCE = 20_000
"""Mapped rows that a worker compares at once; a single document may have more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationContext(LookingContext):
    """What all processes know. Addresses may hold secrets.

    Attributes:
        contract_hash: Of the contract.
        target: The address of the database that is compared.
        sources: The names of the sources of runs, by run, as far as they are known.
        left_out: Columns that are not compared, by table; `*` stands for the whole table.
        key_range: Documents to compare; None for all.
        run: Compare the documents of this run; empty for those of all runs.
    """

    contract_hash: str
    target: str
    sources: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, frozenset[str]] = field(default_factory=dict)
    key_range: KeyRange | None = None
    run: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether all documents of the source, or of a run, are compared."""
        return self.key_range is None and self.sample is None


class VerifyingWorker(LookingWorker):
    """Compares documents with their rows, those of a chunk at once."""

    def __init__(self, context: VerificationContext, markers: Path) -> None:
        contract = context.contract
        super().__init__(open_documents(context.source_address, contract), markers)
        self._context = context
        self._connection = connection = connect_to_database(open_target(context.target, contract))
        self._plan = compile_plan(contract)
        self._parser = DocumentParser(parsing_rules(contract))
        self._log = ProcessingLog(connection)
        of_runs = run_columns(contract)
        self._verifier = Verifier(contract, context.contract_hash, connection, context.left_out, of_runs)
        self._needs_own_key = any(found is not None and found.kind == "own" for found in key_columns(contract).values())
        self._uses_source_name = any(run_columns(contract, {"source_name"}).values())
        self._entries: dict[str, LogEntry] = {}
        self._verified = Verified()
        self._waiting: list[VerifiedDocument] = []
        self._rows = 0

    def left_out(self, keys: Sequence[DocumentKey]) -> Collection[DocumentKey]:
        """Return the documents that have no rows by the processing log, and note why."""
        self._entries = self._log.find(self._context.contract.contract, list(map(str, keys)))
        if self._context.is_whole:
            self._verified.seen += [Seen(DOCUMENTS, digest(str(key)), "") for key in keys]
        return {key for key in keys if not self._is_expected(self._entries.get(str(key)))}

    def _is_expected(self, entry: LogEntry | None) -> bool:
        run = self._context.run
        if run and (entry is None or entry.run_id != run):
            return False
        if entry is None or entry.status is Status.LOADED:
            return True
        self._verified.documents[entry.status.value] += 1
        return False

    def look_at(self, document: SourceDocument | Rejection, order: tuple[int, int]) -> None:
        """Map a document with the values of the run that loaded it."""
        document = skip_by_root(document, self.source, self._parser)
        if isinstance(document, Rejection):
            self.reject(document.key, document.failure, order)
            return
        entry = self._entries.get(str(document.key))
        started_at = _start_of(entry.run_id) if entry is not None else None
        source_name = self._context.sources.get(entry.run_id) if entry is not None else None
        run = RunValues(
            entry.run_id if entry is not None else "",
            started_at or _UNKNOWN_TIME,
            source_name or self._context.source_name,
        )
        try:
            keys, rows = self._mapped(document, run)
        except (ParseError, MappingError) as error:
            if document.is_cut:
                self.look_at(next(self.source.fetch([document.key], whole=True)), order)
            else:
                self.reject(document.key, error.failure, order)
            return
        is_changed = entry is not None and hash_of(document) != entry.content_hash
        is_known = started_at is not None and (source_name is not None or not self._uses_source_name)
        self._waiting.append(
            VerifiedDocument(str(document.key), keys, entry, rows, is_changed, is_known or entry is None)
        )
        self._rows += sum(map(len, rows))
        if self._rows > ROWS_AT_ONCE:
            self._marker.clear()  # reading the rows does not count as the document's time
            self._compare()

    def _mapped(self, document: SourceDocument, run: RunValues) -> tuple[DocumentKeys, tuple[tuple[Row, ...], ...]]:
        """Return the keys and the rows of a document.

        Raises:
            ParseError, MappingError: It has none.
        """
        self.enter(Stage.PARSE)
        root = self._parser.parse(document.content, document.envelope)
        self.enter(Stage.MAP)
        key = own_key(self._plan, root) if self._needs_own_key else None
        revision = None
        if self._plan.revision is not None:
            revision = read_revision(self._plan, root, document.key, run)
        rows = map_document(self._plan, root, document.key, run)
        return DocumentKeys(document.key, key, () if revision is None else revision.of), rows

    def reject(self, key: DocumentKey, failure: Failure, order: tuple[int, int]) -> None:
        """Take note of a document that the processing log does not reject, but that cannot be mapped now."""
        del order
        is_loaded = str(key) in self._entries
        self._verified.documents[DIFFERENT if is_loaded else NOT_LOADED] += 1
        kind = Kind.NOT_MAPPED if is_loaded else Kind.NOT_LOADED
        self._verified.note(Difference(kind, str(key), detail=f"it cannot be mapped now: {failure.reason}"))

    def take(self) -> Verified:
        """Return what was found since the last call."""
        self._compare()
        verified, self._verified = self._verified, Verified()
        return verified

    def close(self) -> None:
        """Close source, target and crash marker."""
        super().close()
        self._connection.close()

    def _compare(self) -> None:
        """Compare the documents that were mapped with their rows."""
        documents, self._waiting, self._rows = self._waiting, [], 0
        keeps_seen = self._context.is_whole and not self._context.run
        with errors_end_the_run(TargetError, "the tables of the target cannot be read"):
            self._verified.add(self._verifier.compare(documents, keeps_seen=keeps_seen))


def verify_source(
    context: VerificationContext, source: Source, on_progress: Callable[[int], None] = lambda _: None
) -> tuple[Verified, bool]:
    """Compare the documents of a source with the rows of the target.

    Args:
        context: What to compare.
        source: The source, already open.
        on_progress: Called with the number of documents that are compared so far.

    Returns:
        What was found, and whether the command was asked to stop before all documents were compared.

    Raises:
        XmlExtractorError: The databases cannot be compared.
    """
    with seen_things() as things:
        verified = Verified()

        def add(found: Verified) -> None:
            things.add(found.seen)
            found.seen.clear()
            verified.add(found)
            on_progress(sum(verified.documents.values()))

        pages = (page.keys for page in source.key_pages(context.batch_size, context.key_range))
        chunks = key_chunks(pages, context.workers, sample=context.sample)
        interrupted = for_each_chunk(context, VerifyingWorker, chunks, add)
        if context.is_whole and not interrupted:
            reconcile(context, things, verified)
        return verified, interrupted


def reconcile(context: VerificationContext, things: SeenThings, verified: Verified) -> None:
    """Add what belongs to no document, once all documents were compared.

    Raises:
        TargetError: The target cannot be read.
    """
    contract = context.contract
    target = open_target(context.target, contract)
    with (
        errors_end_the_run(TargetError, "the tables of the target cannot be read"),
        closing(connect_to_database(target)) as connection,
        closing(connect_to_database(target)) as other,
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


def verify_databases(
    contract: Contract,
    expected: Target,
    held: Target,
    left_out: Mapping[str, frozenset[str]],
    on_progress: Callable[[int], None] = lambda _: None,
) -> Verified:
    """Compare the tables of a contract in two databases.

    Args:
        contract: The contract.
        expected: The database whose rows are expected.
        held: The database whose rows are compared with these.
        left_out: As in `VerificationContext`.
        on_progress: Called with the number of documents that are compared so far.

    Raises:
        UsageError: The databases are of different kinds.
        TargetError: One of them cannot be read.
    """
    with ExitStack() as parts:
        one, other = (
            Side(*(parts.enter_context(closing(connect_to_database(target))) for _ in range(2)))
            for target in (expected, held)
        )
        if one.connection.dialect != other.connection.dialect:
            message = "a database and one of another kind write values differently, and cannot be compared"
            raise UsageError(message, "compare each of them with the documents")
        things = parts.enter_context(seen_things())
        with errors_end_the_run(TargetError, "the tables cannot be read"):
            return DatabaseComparison(contract, one, other, left_out, things, on_progress).compare()


def _start_of(run_id: str) -> datetime | None:
    """Return when a run started, which its id says; None for an id of another program."""
    try:
        return datetime.strptime(run_id[:18], "%Y%m%dT%H%M%S%f")  # noqa: DTZ007 - naive UTC, as in the log
    except ValueError:
        return None
