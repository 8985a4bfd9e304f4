"""Loads documents: whole, exactly once, and one bad document costs one document."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from xml_extractor.connections import Answer, DatabaseError, ErrorClass, Retrying, check_before_commit
from xml_extractor.contract.layout import TableLayout
from xml_extractor.documents import (
    NOT_INSERTED,
    Counts,
    Deletion,
    DocumentKey,
    MappedDocument,
    Outcome,
    ProcessedDocument,
    Rejection,
    Row,
    Skipped,
    Status,
    Superseded,
    Unchanged,
)
from xml_extractor.errors import TargetError
from xml_extractor.processing_log.log import ProcessingLog
from xml_extractor.processing_log.log_keys import source_key
from xml_extractor.processing_log.log_table import LogEntry, log_time, read_counts
from xml_extractor.reasons import Reason
from xml_extractor.targets.delete_plan import DeletePlan
from xml_extractor.targets.interfaces import TargetConnection, parts
from xml_extractor.targets.replacing import Replacing, left_as_it_was, old_documents, rejection_by, rejection_by_log
from xml_extractor.targets.revisions import Decided, Revisions, SendAgainError
from xml_extractor.targets.shared_rows import counts_of, disagreeing, without_repeated

logger = logging.getLogger(__name__)

LEAST_COMMON = 10
"""Documents of a batch that are rejected for the same reason before it is reported."""


@dataclass(frozen=True, slots=True)
class LogIdentity:
    """Contract and run, as the processing log records them."""

    contract: str
    contract_version: int
    contract_hash: str
    run_id: str


@dataclass(slots=True)
class LoadStatistics:
    """What a loader did.

    Attributes:
        transactions: Committed batches, halves and single documents among them.
        retries: Batches retried after transient errors.
        insert_seconds: Time spent on the statements of committed batches.
        commit_seconds: Time spent on their commits.
    """

    transactions: int = 0
    retries: int = 0
    insert_seconds: float = 0.0
    commit_seconds: float = 0.0


class Loader:
    """Loads batches of documents over one connection, in one thread.

    Args:
        connection: The caller closes it.
        tables: The contract's tables, in load order.
        identity: Contract and run, as the processing log records them.
        batch_rows: Rows in one call at most, where a call takes the rows of one table.
        plan: How the rows of documents that are replaced are deleted.
        has_revisions: Whether documents are revisions of things, of which the newest remains.
    """

    def __init__(
        self,
        connection: TargetConnection,
        tables: Sequence[TableLayout],
        identity: LogIdentity,
        batch_rows: int = 500,
        plan: DeletePlan = (),
        *,
        has_revisions: bool = False,
    ) -> None:
        self.statistics = LoadStatistics()
        self._connection = connection
        self._tables = tables
        self._identity = identity
        self._batch_rows = batch_rows
        self._log = log = ProcessingLog(connection)
        name = identity.contract
        self._replacing = Replacing(connection, log, name, tables, plan)
        self._revisions = Revisions(connection, log, name, identity.run_id, tables, plan) if has_revisions else None
        self._decided = self._committed = Decided()
        self._shared = [at for at, table in enumerate(tables) if table.is_shared]
        self._sends_once = True
        self._retrying = Retrying(self._note_retry)
        self._replaced: dict[str, LogEntry] = {}
        self._reported: set[str] = set()

    def load(self, documents: Sequence[ProcessedDocument]) -> list[Outcome]:
        """Load documents, in one transaction if the database accepts them all, and return the outcome of each.

        Returns:
            Outcomes in the order of the documents, all of them committed.

        Raises:
            TargetError: A fatal error, or a transient one that did not pass. Some of the documents may have been
                loaded; the processing log has them.
        """
        self._replaced.clear()
        self._sends_once = True
        by_key: dict[DocumentKey, ProcessedDocument] = {}
        for document in documents:
            if not isinstance(document, Unchanged):
                by_key.setdefault(document.key, document)
        self._note_replaced([document for document in by_key.values() if document.replaced is not None])
        loaded = self._load_isolating(list(by_key.values()))
        outcomes = {outcome.key if outcome.key in by_key else source_key(outcome.key): outcome for outcome in loaded}
        return [
            outcomes[document.key]
            if document is by_key.get(document.key)
            else Outcome(document.key, Status.ALREADY_DONE)
            for document in documents
        ]

    def _load_isolating(self, documents: Sequence[ProcessedDocument], *, is_retried: bool = False) -> list[Outcome]:
        """Load a batch without the documents that the database rejects; these get their rows in the processing log.

        The connection isolates them. Where it cannot, the batch is halved until the bad document is alone.
        """
        try:
            logged = self._attempt(self._load_in_one_transaction, documents) if documents else ()
        except SendAgainError as rejected:
            without = [rejected.rejections.get(position, document) for position, document in enumerate(documents)]
            return self._load_isolating(without, is_retried=True)
        except DatabaseError as error:
            if error.table is self._log.layout:
                return self._load_unlogged(documents)
            if len(documents) == 1:
                return self._reject(documents[0], error)
            if not is_retried and error.code != Reason.NOT_REPLACED:
                return self._load_isolating(documents, is_retried=True)
            middle = len(documents) // 2
            halves = documents[:middle], documents[middle:]
            return [outcome for half in halves for outcome in self._load_isolating(half, is_retried=True)]
        return [self._outcome(document, self._attempts(document)) for document in logged]

    def _reject(self, document: ProcessedDocument, error: DatabaseError) -> list[Outcome]:
        if error.code == Reason.NOT_REPLACED and old_documents([document], self._replaced):
            return self._leave(document, error.explanation)
        return self._load_isolating([rejection_by(document, error)])

    def _load_unlogged(self, documents: Sequence[ProcessedDocument]) -> list[Outcome]:
        """Load those documents of a batch that are not done, after the log refused the batch.

        The log does not have them, or they are to be retried. In the second case their rows are replaced in the
        transaction that loads them; if another run does that first, its rows refuse the batch once more.
        """
        logged = self._attempt(self._read_log, documents)
        if all(self._replaced.get(key) == entry for key, entry in logged.items()):
            return self._load_confusable(documents)
        self._replaced |= {key: entry for key, entry in logged.items() if entry.status is Status.RETRY}
        done = {key: entry for key, entry in logged.items() if self._replaced.get(key) != entry}
        outcomes = [
            self._outcome_by_log(document, done[str(document.key)])
            for document in documents
            if str(document.key) in done
        ]
        return outcomes + self._load_isolating([document for document in documents if str(document.key) not in done])

    def _load_confusable(self, documents: Sequence[ProcessedDocument]) -> list[Outcome]:
        """Load documents of which the log refuses at least one, although it has exactly none of their keys."""
        if len(documents) == 1:
            return self._load_isolating([rejection_by_log(documents[0])])
        middle = len(documents) // 2
        return self._load_isolating(documents[:middle]) + self._load_isolating(documents[middle:])

    def _outcome_by_log(self, document: ProcessedDocument, entry: LogEntry) -> Outcome:
        """Return the outcome of a document that the log has.

        A row of this run is from a commit whose answer was lost, or whose worker ended before it reported.
        """
        if entry.run_id == self._identity.run_id:
            superseded = self._committed.superseded.get(document.key, ())
            if entry.status in (Status.SKIPPED, Status.SUPERSEDED, Status.DELETED):
                return Outcome(document.key, entry.status, superseded=superseded)
            if entry.status is Status.REJECTED:
                return Outcome(document.key, Status.REJECTED, (), entry.failure, entry.attempts, entry.content_hash)
            if isinstance(document, MappedDocument):
                outcome = self._outcome(document._replace(counts=read_counts(entry.counts)))
                return outcome._replace(superseded=superseded)
        return Outcome(document.key, Status.ALREADY_DONE)

    def _load_in_one_transaction(self, documents: Sequence[ProcessedDocument]) -> Sequence[ProcessedDocument]:
        """Load those documents that the database accepts, and return all, with rejections in place of the others."""
        began_at = time.perf_counter()
        with self._connection.transaction():
            logged = self._insert(self._delete_replaced(documents))
            check_before_commit()
            self._committed = self._decided
            inserted_at = time.perf_counter()
        self.statistics.transactions += 1
        self.statistics.insert_seconds += inserted_at - began_at
        self.statistics.commit_seconds += time.perf_counter() - inserted_at
        return logged

    def _insert(self, documents: Sequence[ProcessedDocument]) -> Sequence[ProcessedDocument]:
        """Insert rows of documents. The log comes first: its key holds back what another run has loaded."""
        tables = (self._log.layout, *self._tables)
        no_rows = ((),) * len(self._tables)
        rows = [
            ((entry,), *(document.rows if isinstance(document, MappedDocument) else no_rows))
            for entry, document in zip(self._log_rows(documents), documents, strict=True)
        ]
        sent, repeated = without_repeated(tables, rows) if self._sends_once else (rows, {})
        errors, not_inserted, existing = self._connection.insert_documents(tables, sent, self._batch_rows)
        if errors and repeated:  # a document may need a row that only a rejected one has sent
            self._sends_once = False
            raise SendAgainError({})
        if not_inserted or repeated:
            not_inserted = Counter(not_inserted) + Counter(repeated)
            different = disagreeing(self._connection, tables, rows, not_inserted, existing) if self._shared else {}
            documents = self._with_counts(documents, counts_of(tables, not_inserted, different))
        if not errors:
            return documents
        of_log = [error for error in errors.values() if error.table is self._log.layout]
        if of_log:
            raise of_log[0]
        rejections = {position: rejection_by(documents[position], error) for position, error in errors.items()}
        self._report_common_reason([*rejections.values()], len(documents))
        if self._revisions is not None:
            raise SendAgainError(rejections)
        self._connection.insert_batch([(self._log.layout, self._log_rows([*rejections.values()]))], self._batch_rows)
        return [rejections.get(position, document) for position, document in enumerate(documents)]

    def _with_counts(
        self, documents: Sequence[ProcessedDocument], counts: Mapping[int, Counts]
    ) -> Sequence[ProcessedDocument]:
        """Add counts to those of documents and to the log, by the documents' positions."""
        counted = list(documents)
        for position, added in counts.items():
            document = documents[position]
            if isinstance(document, MappedDocument):
                counted[position] = document._replace(counts=(*document.counts, *added))
        now = log_time(datetime.now(UTC))
        self._log.set_counts([self._entry(counted[position], now) for position in counts])
        return counted

    def _log_rows(self, documents: Sequence[ProcessedDocument]) -> list[Row]:
        now = log_time(datetime.now(UTC))
        return self._log.bound([self._entry(document, now) for document in documents])

    def _report_common_reason(self, rejections: Sequence[Rejection], documents: int) -> None:
        """Log the reason that most documents of a batch are rejected for, once."""
        ((reason, count),) = Counter(rejection.failure.reason for rejection in rejections).most_common(1)
        if count >= LEAST_COMMON and 2 * count > documents and reason not in self._reported:
            self._reported.add(reason)
            logger.warning("%d of %d documents of a batch are rejected: %s", count, documents, reason)

    def _delete_replaced(self, documents: Sequence[ProcessedDocument]) -> Sequence[ProcessedDocument]:
        """Delete the rows in log and tables that the documents replace, and return the documents that remain."""
        if self._revisions is not None:
            self._decided = self._revisions.decide(
                documents, self._replaced, lambda: self._delete_replaced_entries(documents)
            )
            return self._decided.documents
        self._delete_replaced_entries(documents)
        if self._replaced and (old := old_documents(documents, self._replaced)):
            self._replacing.delete_rows(old)
        return documents

    def _delete_replaced_entries(self, documents: Sequence[ProcessedDocument]) -> None:
        keys = (str(document.key) for document in documents)
        entries = [self._replaced[key] for key in keys if key in self._replaced]
        for some in parts(entries, self._batch_rows):
            self._log.delete(some)

    def _note_replaced(self, documents: Sequence[ProcessedDocument]) -> None:
        """Note the rows of the log that documents replace; a row that another run has replaced meanwhile stays."""
        if not documents:
            return
        logged = self._attempt(self._read_log, documents)
        for document in documents:
            entry = logged.get(str(document.key))
            if entry is not None and document.replaced is not None and entry.run_id == document.replaced.run_id:
                self._replaced[entry.document_key] = entry

    def _leave(self, document: ProcessedDocument, why: str) -> list[Outcome]:
        """Leave a document as it was; load it if another run has replaced its old rows meanwhile."""
        (old,) = old_documents([document], self._replaced)
        if self._attempt(self._read_log, [document]).get(old.entry.document_key) != old.entry:
            return self._load_unlogged([document])
        return [left_as_it_was(old, why)]

    def _read_log(self, documents: Sequence[ProcessedDocument]) -> dict[str, LogEntry]:
        with self._connection.transaction():
            return self._log.entries(self._identity.contract, [str(document.key) for document in documents])

    def _entry(self, document: ProcessedDocument, now: datetime) -> LogEntry:
        failure = document.failure if isinstance(document, Rejection) else None
        inserted = () if isinstance(document, Rejection) else self._inserted(document)
        counted = None if isinstance(document, Rejection) else 0
        entry = LogEntry(
            contract=self._identity.contract,
            document_key=str(document.key),
            status=_status(document),
            stage=failure.stage.value if failure else "",
            reason=failure.reason if failure else "",
            attempts=self._attempts(document),
            row_count=sum(inserted),
            seconds=document.seconds,
            content_hash=document.content_hash,
            contract_version=self._identity.contract_version,
            contract_hash=self._identity.contract_hash,
            run_id=self._identity.run_id,
            started_at=now - timedelta(milliseconds=int(document.seconds * 1000)),
            finished_at=now,
            kept_count=counted,
            replaced_count=counted,
            left_out_count=counted,
            tolerated_count=counted,
            shared_count=sum([inserted[at] for at in self._shared]) if inserted and self._shared else counted,
            thing=document.revision.thing if document.revision else None,
        )
        return entry if isinstance(document, Rejection) or not document.counts else entry.with_counts(document.counts)

    def _outcome(self, document: ProcessedDocument, attempts: int = 1) -> Outcome:
        """Return the outcome of a document by the commit of its batch."""
        status = _status(document)
        if isinstance(document, Rejection) and status is Status.REJECTED:
            return Outcome(
                document.key,
                status,
                (),
                document.failure,
                attempts,
                document.content_hash,
                document.value,
                revision=document.revision,
                leaves_older=document.key in self._decided.left,
            )
        if isinstance(document, Rejection) or status is Status.SUPERSEDED:
            return Outcome(document.key, status)
        superseded = self._decided.superseded.get(document.key, ())
        if status is Status.DELETED:
            return Outcome(document.key, status, revision=document.revision, superseded=superseded)
        return Outcome(
            document.key,
            status,
            self._inserted(document),
            counts=document.counts,
            revision=document.revision,
            superseded=superseded,
        )

    def _inserted(self, document: MappedDocument) -> tuple[int, ...]:
        """Return how many rows of a document are inserted into each table, without those kept or replaced."""
        others = {table: number for (table, _, what), number in document.counts if what in NOT_INSERTED}
        if not others:
            return tuple(map(len, document.rows))
        return tuple(
            len(rows) - others.get(table.name, 0) for table, rows in zip(self._tables, document.rows, strict=True)
        )

    def _attempts(self, document: ProcessedDocument) -> int:
        before = self._replaced.get(str(document.key))
        return 1 + (before.attempts if before else 0)

    def _attempt(
        self, action: Callable[[Sequence[ProcessedDocument]], Answer], documents: Sequence[ProcessedDocument]
    ) -> Answer:
        """Retry after transient errors; raise data errors, and end the run for others."""
        try:
            return self._retrying(action, documents)
        except DatabaseError as error:
            if error.error_class is ErrorClass.DATA:
                raise
            tip = error.tip or "what was committed stays; run the same command again to continue"
            raise TargetError(f"the target cannot load: {error.explanation}", tip) from None

    def _note_retry(self) -> None:
        self.statistics.retries += 1


def _status(document: ProcessedDocument) -> Status:
    if isinstance(document, Rejection):
        return Status.SKIPPED if isinstance(document, Skipped) else Status.REJECTED
    if isinstance(document, Deletion):
        return Status.DELETED
    return Status.SUPERSEDED if isinstance(document, Superseded) else Status.LOADED
