"""Loads documents: whole, exactly once, and one bad document costs one document."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from tenacity import RetryCallState

from xml_extractor.contract.layout import TableLayout
from xml_extractor.documents import (
    DocumentKey,
    Failure,
    MappedDocument,
    Outcome,
    ProcessedDocument,
    Rejection,
    Status,
    Unchanged,
)
from xml_extractor.errors import TargetError
from xml_extractor.processing_log.log_table import LOG_TABLE, log_time, logged_failure
from xml_extractor.reasons import Reason, Stage
from xml_extractor.targets.document_rows import KeyPlace
from xml_extractor.targets.interfaces import Batch, Blame, Connection, LogEntry, Refusal
from xml_extractor.targets.reprocessing import UNDELETABLE, OldDocument, delete_old_rows, left_as_it_was
from xml_extractor.targets.retrying import retrying
from xml_extractor.targets.table_by_table import parts

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class LogIdentity:
    """Who loads, as the processing log keeps it."""

    contract: str
    contract_version: int
    contract_hash: str
    run_id: str


@dataclass(slots=True)
class LoadStatistics:
    """What a loader did.

    Attributes:
        transactions: Batches committed, halves and single documents among them.
        retries: Batches tried again because of a lock, a timeout or a lost connection.
        insert_seconds: Spent on the statements of committed batches.
        commit_seconds: Spent on their commits.
    """

    transactions: int = 0
    retries: int = 0
    insert_seconds: float = 0.0
    commit_seconds: float = 0.0


class _RefusedError(Exception):
    """The database refused a batch."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


class _LogRefusedError(_RefusedError):
    """The processing log has a document of the batch already."""


class _NotReplacedError(_RefusedError):
    """What a document is to replace cannot be taken away."""


class Loader:
    """Loads batches of documents over one connection, in one thread.

    Args:
        connection: The caller closes it.
        tables: The contract's tables, in load order.
        identity: What the processing log is told of contract and run.
        batch_rows: Rows in one call at most, where a call takes the rows of one table.
        places: How rows that are to be replaced are found.
    """

    def __init__(
        self,
        connection: Connection,
        tables: Sequence[TableLayout],
        identity: LogIdentity,
        batch_rows: int = 500,
        places: Sequence[KeyPlace] = (),
    ) -> None:
        self.statistics = LoadStatistics()
        self._connection = connection
        self._tables = tables
        self._identity = identity
        self._batch_rows = batch_rows
        self._places = places
        self._retrying = retrying(_refusal_of, self._note_retry)
        self._put_back: dict[str, LogEntry] = {}

    def load(self, documents: Sequence[ProcessedDocument]) -> list[Outcome]:
        """Load documents, in one transaction if the database takes them all, and say what became of each.

        Returns:
            Outcomes in the order of the documents, all of them committed.

        Raises:
            TargetError: The database refuses for a reason that is no document's fault. Some of the documents may have
                been loaded; the processing log knows which.
        """
        self._put_back.clear()
        by_key: dict[DocumentKey, ProcessedDocument] = {}
        for document in documents:
            if not isinstance(document, Unchanged):
                by_key.setdefault(document.key, document)
        self._note_replaced([document for document in by_key.values() if document.replaced is not None])
        outcomes = {outcome.key: outcome for outcome in self._load_isolating(list(by_key.values()))}
        return [
            outcomes[document.key]
            if document is by_key.get(document.key)
            else Outcome(document.key, Status.ALREADY_DONE)
            for document in documents
        ]

    def _load_isolating(self, documents: Sequence[ProcessedDocument]) -> list[Outcome]:
        """Load a batch; cut a refused one in half until the bad document is alone. Good halves stay committed."""
        if not documents:
            return []
        try:
            self._attempt(self._load_in_one_transaction, documents)
        except _LogRefusedError:
            return self._load_unlogged(documents)
        except _RefusedError as refused:
            if len(documents) == 1 and isinstance(refused, _NotReplacedError):
                return self._leave(documents[0], refused.refusal.explanation)
            if len(documents) == 1:
                return self._load_isolating([_rejection(documents[0], refused.refusal)])
            middle = len(documents) // 2
            return self._load_isolating(documents[:middle]) + self._load_isolating(documents[middle:])
        return [_outcome(document, self._attempts(document)) for document in documents]

    def _load_unlogged(self, documents: Sequence[ProcessedDocument]) -> list[Outcome]:
        """Load those of a batch that the log refused which are not done: it does not have them, or they were put back.

        The rows of those that were put back are replaced in the transaction that loads them. If another run does that
        first, its rows refuse the batch once more.
        """
        logged = self._attempt(self._read_log, documents)
        if all(self._put_back.get(key) == entry for key, entry in logged.items()):
            raise TargetError(
                "the processing log refuses a row that it does not have",
                "see that nobody else writes it, and that no two keys differ only in spaces at their end",
            )
        self._put_back |= {key: entry for key, entry in logged.items() if entry.status is Status.RETRY}
        done = {key: entry for key, entry in logged.items() if self._put_back.get(key) != entry}
        outcomes = [
            self._outcome_by_log(document, done[str(document.key)])
            for document in documents
            if str(document.key) in done
        ]
        return outcomes + self._load_isolating([document for document in documents if str(document.key) not in done])

    def _outcome_by_log(self, document: ProcessedDocument, entry: LogEntry) -> Outcome:
        """A row of this run is from a commit whose answer was lost, or that a worker did not live to report."""
        if entry.run_id == self._identity.run_id:
            if entry.status is Status.REJECTED:
                failure = logged_failure(entry)
                return Outcome(document.key, Status.REJECTED, (), failure, entry.attempts, entry.content_hash)
            if isinstance(document, MappedDocument):
                return _outcome(document)
        return Outcome(document.key, Status.ALREADY_DONE)

    def _load_in_one_transaction(self, documents: Sequence[ProcessedDocument]) -> None:
        began_at = time.perf_counter()
        with self._refusals(), self._connection.transaction():
            self._delete_put_back(documents)
            self._delete_old_rows(self._old(documents))
            self._connection.insert_batch(self._batch(documents), self._batch_rows)
            inserted_at = time.perf_counter()
        self.statistics.transactions += 1
        self.statistics.insert_seconds += inserted_at - began_at
        self.statistics.commit_seconds += time.perf_counter() - inserted_at

    def _delete_put_back(self, documents: Sequence[ProcessedDocument]) -> None:
        keys = (str(document.key) for document in documents)
        put_back = [self._put_back[key] for key in keys if key in self._put_back]
        for some in parts(put_back, self._batch_rows):
            self._connection.delete_log(some)

    def _batch(self, documents: Sequence[ProcessedDocument]) -> Batch:
        """The log comes first: its key is the gate that holds back what another run has loaded."""
        now = log_time(datetime.now(UTC))
        mapped = [document for document in documents if isinstance(document, MappedDocument)]
        rows = [[row for document in mapped for row in document.rows[index]] for index in range(len(self._tables))]
        return Batch(
            [self._entry(document, now) for document in documents],
            list(zip(self._tables, rows, strict=True)),
        )

    def _note_replaced(self, documents: Sequence[ProcessedDocument]) -> None:
        """Note the rows of the log that documents are to replace; one that another run has replaced meanwhile stays."""
        if not documents:
            return
        logged = self._attempt(self._read_log, documents)
        for document in documents:
            entry = logged.get(str(document.key))
            if entry is not None and document.replaced is not None and entry.run_id == document.replaced.run_id:
                self._put_back[entry.document_key] = entry

    def _old(self, documents: Sequence[ProcessedDocument]) -> list[OldDocument]:
        """Those of the documents that have rows to be replaced."""
        entries = ((document, self._put_back.get(str(document.key))) for document in documents)
        return [OldDocument(document, entry) for document, entry in entries if entry is not None and entry.row_count]

    def _leave(self, document: ProcessedDocument, why: str) -> list[Outcome]:
        """Leave a document as it was; unless what was to be replaced is gone, because it was replaced meanwhile."""
        (old,) = self._old([document])
        if self._attempt(self._read_log, [document]).get(old.entry.document_key) != old.entry:
            return self._load_unlogged([document])
        return [left_as_it_was(old, why)]

    def _delete_old_rows(self, old: Sequence[OldDocument]) -> None:
        if not old:
            return
        try:
            with self._refusals():
                refusal = delete_old_rows(self._connection, self._places, old)
        except _RefusedError as refused:
            if refused.refusal.blame is not Blame.DOCUMENT:
                raise
            refusal = replace(refused.refusal, explanation=UNDELETABLE)
        if refusal is not None:
            raise _NotReplacedError(refusal)

    def _read_log(self, documents: Sequence[ProcessedDocument]) -> dict[str, LogEntry]:
        with self._refusals(), self._connection.transaction():
            return self._connection.logged(self._identity.contract, [str(document.key) for document in documents])

    def _entry(self, document: ProcessedDocument, now: datetime) -> LogEntry:
        failure = document.failure if isinstance(document, Rejection) else None
        return LogEntry(
            contract=self._identity.contract,
            document_key=str(document.key),
            status=Status.REJECTED if failure else Status.LOADED,
            stage=failure.stage.value if failure else "",
            reason=failure.reason if failure else "",
            attempts=self._attempts(document),
            row_count=0 if isinstance(document, Rejection) else sum(map(len, document.rows)),
            seconds=document.seconds,
            content_hash=document.content_hash,
            contract_version=self._identity.contract_version,
            contract_hash=self._identity.contract_hash,
            run_id=self._identity.run_id,
            started_at=log_time(now - timedelta(seconds=document.seconds)),
            finished_at=now,
        )

    def _attempts(self, document: ProcessedDocument) -> int:
        before = self._put_back.get(str(document.key))
        return 1 + (before.attempts if before else 0)

    def _attempt(
        self, action: Callable[[Sequence[ProcessedDocument]], Answer], documents: Sequence[ProcessedDocument]
    ) -> Answer:
        """Try again what may pass, and end the run for what is no document's fault."""
        try:
            return self._retrying(action, documents)
        except _RefusedError as refused:
            if refused.refusal.blame is Blame.DOCUMENT:
                raise
            tip = refused.refusal.tip or "what was committed stays; run the same command again to go on"
            raise TargetError(f"the target cannot load: {refused.refusal.explanation}", tip) from None

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Say what the database's errors in the block mean; other errors pass."""
        try:
            yield
        except Exception as error:
            refusal = self._connection.explain(error)
            if refusal is None:
                raise
            if refusal.blame is Blame.DOCUMENT and refusal.table is LOG_TABLE:
                raise _LogRefusedError(refusal) from None
            raise _RefusedError(refusal) from None

    def _note_retry(self, state: RetryCallState) -> None:
        self.statistics.retries += 1
        logger.info("A batch is tried again (attempt %d failed)", state.attempt_number)


def _refusal_of(error: Exception) -> Refusal | None:
    return error.refusal if isinstance(error, _RefusedError) else None


def _outcome(document: ProcessedDocument, attempts: int = 1) -> Outcome:
    """What becomes of a document by the commit of its batch."""
    if isinstance(document, Rejection):
        return Outcome(
            document.key, Status.REJECTED, (), document.failure, attempts, document.content_hash, document.value
        )
    return Outcome(document.key, Status.LOADED, tuple(map(len, document.rows)))


def _rejection(document: ProcessedDocument, refusal: Refusal) -> Rejection:
    return Rejection(document.key, _failure(refusal), document.content_hash, document.seconds, document.replaced)


def _failure(refusal: Refusal) -> Failure:
    table = refusal.table
    if table is None:
        return Failure(Stage.LOAD, Reason(refusal.code), refusal.explanation)
    name = refusal.column
    if not name and refusal.code == Reason.MISSING_PARENT and len(table.foreign_keys) == 1:
        name = table.foreign_keys[0].columns[0]
    for column in table.columns:
        if column.name.casefold() == name.casefold():
            return Failure(Stage.LOAD, Reason(refusal.code), refusal.explanation, table.name, column.name, column.path)
    return Failure(Stage.LOAD, Reason(refusal.code), refusal.explanation, table.name)
