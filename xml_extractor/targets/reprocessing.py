"""Takes out of the target what a document that is done again has there."""

from collections.abc import Sequence
from typing import NamedTuple

from xml_extractor.documents import Failure, Outcome, ProcessedDocument, Rejection, Status
from xml_extractor.reasons import Reason, Stage
from xml_extractor.targets.document_rows import KeyPlace
from xml_extractor.targets.interfaces import Blame, Connection, LogEntry, Refusal

UNDELETABLE = "the database refuses to delete them"


class OldDocument(NamedTuple):
    """A document that is done again, and its row of the processing log as it was."""

    document: ProcessedDocument
    entry: LogEntry


def delete_old_rows(connection: Connection, places: Sequence[KeyPlace], old: Sequence[OldDocument]) -> Refusal | None:
    """Delete the rows of documents; the transaction is to be rolled back if that does not find just their rows.

    How many there must be is what the processing log says. So when a key has changed, or an older contract filled
    other tables, or somebody else added rows, nothing goes that should stay.

    Returns:
        Why they cannot be replaced, if so.
    """
    keys = [tuple(place.key(it.key, it.replaced.own_key if it.replaced else None) for place in places) for it, _ in old]
    if any(None in key for key in keys):
        return _refused("without the document's key they cannot be found")
    if _names_of_others(connection, old):
        return _refused("the document has the key of another one now")
    for (_, entry), deleted in zip(old, connection.delete_documents(places, keys), strict=True):
        if deleted != entry.row_count:
            return _refused(f"{deleted} are there by the document's key, and {entry.row_count} by the processing log")
    return None


def _names_of_others(connection: Connection, old: Sequence[OldDocument]) -> bool:
    """Whether a document has a key by which the source knows another one: that one's rows would be deleted."""
    others = [
        str(document.replaced.own_key)
        for document, entry in old
        if document.replaced is not None and str(document.replaced.own_key) != entry.document_key
    ]
    return bool(others and connection.logged(old[0].entry.contract, others))


def left_as_it_was(old: OldDocument, why: str) -> Outcome:
    """The outcome of a document that is not replaced, and so stays as it was in tables and processing log."""
    document, entry = old
    staying = f"its old rows stay: {why}"
    failure = Failure(Stage.LOAD, Reason.NOT_REPLACED, staying)
    value = None
    if isinstance(document, Rejection):
        found, value = document.failure, document.value
        explanation = f"{found.explanation}; {staying}"
        failure = Failure(found.stage, found.code, explanation, found.table, found.column, found.path)
    return Outcome(document.key, Status.REJECTED, (), failure, entry.attempts, document.content_hash, value)


def _refused(why: str) -> Refusal:
    return Refusal(Blame.DOCUMENT, Reason.NOT_REPLACED, why)
