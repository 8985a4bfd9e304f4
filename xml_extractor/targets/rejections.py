"""Documents that the target does not accept, and those that cannot be replaced."""

from typing import NamedTuple

from xml_extractor.connections import DatabaseError
from xml_extractor.documents import DocumentKey, Failure, Outcome, ProcessedDocument, Rejection, Status
from xml_extractor.errors import TargetError
from xml_extractor.processing_log.log_keys import UnusableKey, standing_in
from xml_extractor.processing_log.log_table import LogEntry
from xml_extractor.reasons import Reason, Stage


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
