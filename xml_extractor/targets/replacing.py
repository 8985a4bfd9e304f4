"""Documents that cannot be loaded or replaced, and the deletion of the rows of those that are reprocessed."""

from collections.abc import Sequence
from typing import NamedTuple

from xml_extractor.connections import DatabaseError, ErrorClass
from xml_extractor.contract.layout import TableLayout
from xml_extractor.contract.own_rows import DocumentKeys
from xml_extractor.documents import DocumentKey, Failure, Outcome, ProcessedDocument, Rejection, Row, Status
from xml_extractor.errors import TargetError
from xml_extractor.processing_log.log import ProcessingLog
from xml_extractor.processing_log.log_keys import UnusableKey, standing_in
from xml_extractor.processing_log.log_table import LogEntry
from xml_extractor.reasons import Reason, Stage
from xml_extractor.targets.delete_plan import DeletePlan
from xml_extractor.targets.interfaces import TargetConnection


class OldDocument(NamedTuple):
    """A document that is reprocessed, and its row of the processing log as it was read."""

    document: ProcessedDocument
    entry: LogEntry


def left_as_it_was(old: OldDocument, why: str) -> Outcome:
    """Return the outcome of a document that is not replaced, and so stays as it was in tables and processing log."""
    document, entry = old
    staying = f"its old rows stay: {why}"
    failure = Failure(Stage.LOAD, Reason.NOT_REPLACED, staying)
    value = None
    if isinstance(document, Rejection):
        found, value = document.failure, document.value
        explanation = f"{found.explanation}; {staying}"
        failure = Failure(found.stage, found.code, explanation, found.table, found.column, found.path)
    return Outcome(document.key, Status.REJECTED, (), failure, entry.attempts, document.content_hash, value)


def rejection_by(document: ProcessedDocument, error: DatabaseError) -> Rejection:
    """Return the rejection of a document that the database does not accept."""
    return _rejected(document, document.key, _failure(error))


def rejection_by_log(document: ProcessedDocument) -> Rejection:
    """Return the rejection, under another key, of a document that the processing log does not accept.

    The log takes its key for that of another document, because its collation ignores the difference, such as spaces at
    the end.

    Raises:
        TargetError: It does not accept the other key either, or that cannot be the reason.
    """
    if isinstance(document.key, UnusableKey) or not isinstance(document.key, str):
        raise TargetError(
            "the processing log refuses a row that it does not have", "check that no other program writes it"
        )
    key = standing_in(document.key, document.key, "the processing log takes its key for that of another document")
    failure = Failure(Stage.LOAD, Reason.UNUSABLE_KEY, f"{key.explanation}; this one stands for it")
    return _rejected(document, key, failure)


def _rejected(document: ProcessedDocument, key: DocumentKey, failure: Failure) -> Rejection:
    seconds, replaced = document.seconds, document.replaced
    return Rejection(key, failure, document.content_hash, seconds, replaced, revision=document.revision)


def _failure(error: DatabaseError) -> Failure:
    table = error.table
    if table is None:
        return Failure(Stage.LOAD, Reason(error.code), error.explanation)
    name = error.column
    if not name and error.code == Reason.MISSING_PARENT and len(table.foreign_keys) == 1:
        name = table.foreign_keys[0].columns[0]
    for column in table.columns:
        if column.name.casefold() == name.casefold():
            return Failure(Stage.LOAD, Reason(error.code), error.explanation, table.name, column.name, column.path)
    return Failure(Stage.LOAD, Reason(error.code), error.explanation, table.name)


class Replacing:
    """Deletes rows of documents over one connection.

    Args:
        connection: The caller opens the transactions.
        log: The processing log.
        contract: The contract's name.
        tables: The contract's tables.
        plan: How rows are deleted.
    """

    def __init__(
        self,
        connection: TargetConnection,
        log: ProcessingLog,
        contract: str,
        tables: Sequence[TableLayout],
        plan: DeletePlan,
    ) -> None:
        self._connection = connection
        self._log = log
        self._contract = contract
        self._plan = plan
        self._has_shared = any(table.is_shared for table in tables)

    def delete_rows(self, old: Sequence[OldDocument]) -> None:
        """Delete the rows of documents; the transaction must be rolled back after an error.

        The processing log says how many rows each document has. So nothing is deleted that should stay if a key has
        changed, an older contract filled other tables, or somebody else added rows.

        Raises:
            DatabaseError: Of the code `not_replaced` unless exactly their rows are found and can be deleted.
        """
        keys = [tuple(column.key(_keys(document)) for column in self._plan) for document, _ in old]
        if any(None in key for key in keys):
            raise not_replaced("without the document's key they cannot be found")
        if self._have_keys_of_others(old):
            raise not_replaced("the document has the key of another one now")
        deleted = deleted_rows(self._connection, self._plan, keys)
        for (_, entry), found in zip(old, deleted, strict=True):
            is_uncounted = entry.shared_count is None and self._has_shared
            wanted = entry.row_count - (entry.shared_count or 0)
            if found > wanted or (found < wanted and not is_uncounted):
                raise not_replaced(f"{found} are there by the document's key, and {wanted} by the processing log")

    def _have_keys_of_others(self, old: Sequence[OldDocument]) -> bool:
        """Return whether a document has the key of another document of the source, whose rows would be deleted."""
        others = [
            str(document.replaced.own_key)
            for document, entry in old
            if document.replaced is not None and str(document.replaced.own_key) != entry.document_key
        ]
        return bool(others and self._log.entries(self._contract, others))


def old_documents(documents: Sequence[ProcessedDocument], replaced: dict[str, LogEntry]) -> list[OldDocument]:
    """Return those of the documents that have rows to be replaced, by the rows of the log that they replace."""
    entries = ((document, replaced.get(str(document.key))) for document in documents)
    return [OldDocument(document, entry) for document, entry in entries if entry is not None and entry.row_count]


def deleted_rows(connection: TargetConnection, plan: DeletePlan, keys: Sequence[Row]) -> list[int]:
    """Delete the rows of documents, and return how many each had.

    Raises:
        DatabaseError: Of the code `not_replaced` if the database refuses to delete them.
    """
    try:
        return connection.delete_documents(plan, keys) if keys else []
    except DatabaseError as error:
        if error.error_class is not ErrorClass.DATA:
            raise
        raise not_replaced("the database refuses to delete them") from None


def not_replaced(why: str) -> DatabaseError:
    """Return the error that says why rows are not replaced."""
    return DatabaseError(ErrorClass.DATA, Reason.NOT_REPLACED, why)


def _keys(document: ProcessedDocument) -> DocumentKeys:
    return DocumentKeys(document.key, document.replaced.own_key if document.replaced else None)
