"""The nouns that cross a process border: frozen, picklable, without behaviour of their own."""

from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from xml_extractor.reasons import Reason, Stage

DocumentKey = int | str
"""What the source calls a document: the key column's value, or the path of a file or archive member."""

Value = int | str | Decimal | float | bytes | date | time | datetime | None
"""A value as a column holds it. `bit` is `bool`; `uniqueidentifier` is its upper-case text."""

Row = tuple[Value, ...]
"""Values in the order of the table's `TableLayout.columns`."""


class Status(StrEnum):
    """What became of a document.

    `RETRY` is only in the processing log: a rejected document that somebody put back, which is not done. `ALREADY_DONE`
    is never in the log: another run's row is there.
    """

    LOADED = "loaded"
    REJECTED = "rejected"
    RETRY = "retry"
    ALREADY_DONE = "already_done"


class SourceDocument(NamedTuple):
    """One XML text as its source gave it: bytes, text, or nothing at all (SQL NULL).

    Attributes:
        is_cut: Whether the source left out what is behind the first end tag that may be the last one needed. If the
            document cannot be read, it may have been cut too early.
    """

    key: DocumentKey
    content: bytes | str | None
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a document was not loaded. Holds names of tables, columns and paths, never a value of the document.

    Attributes:
        stage: Where it happened.
        code: Why.
        explanation: One sentence for a person, without values of the document.
        table, column, path: Where, as far as it is known; `path` is the contract's XPath.
    """

    stage: Stage
    code: Reason
    explanation: str
    table: str = ""
    column: str = ""
    path: str = ""

    @property
    def reason(self) -> str:
        """The failure in one line, as the processing log keeps it: `code at table.column (path): explanation`."""
        place = f"{self.table}.{self.column}" if self.column else self.table
        where = f" at {place}" if place else ""
        path = f" ({self.path})" if self.path else ""
        return f"{self.code}{where}{path}: {self.explanation}"


class Replaced(NamedTuple):
    """What the processing log has of a document that is done and is to be done again.

    Attributes:
        run_id: The run that did it. If another has done it meanwhile, the document stays as that left it.
        content_hash: Of what that run read.
        own_key: The key that stands in the document now, if there is one and it can be read.
    """

    run_id: str
    content_hash: str
    own_key: Value = None


class MappedDocument(NamedTuple):
    """A document's rows, ready to insert.

    Attributes:
        key: The source's key of the document.
        rows: For each table of the contract, in the contract's order, its rows, in the target's own form.
        content_hash: The first 128 bits of the SHA-256 of the bytes that were read, in hex.
        seconds: Time spent on fetching, parsing and mapping it.
        replaced: What it takes the place of; None for a document that is not done yet.
    """

    key: DocumentKey
    rows: tuple[tuple[Row, ...], ...]
    content_hash: str
    seconds: float
    replaced: Replaced | None = None


class Rejection(NamedTuple):
    """A document that cannot be mapped; it still gets its row in the processing log.

    Attributes:
        replaced: As of a `MappedDocument`.
        value: What the document has where it failed, for `rejects.jsonl` alone; None unless the run is to keep it.
    """

    key: DocumentKey
    failure: Failure
    content_hash: str
    seconds: float
    replaced: Replaced | None = None
    value: str | None = None


class Unchanged(MappedDocument):
    """A document that would have been done again, but is as it was: it has nothing to insert."""

    __slots__ = ()


ProcessedDocument = MappedDocument | Rejection


class Outcome(NamedTuple):
    """What became of one document, said only after its transaction committed.

    Attributes:
        rows: For each table of the contract, how many rows were inserted; empty unless loaded.
        failure: Set exactly when the status is `REJECTED`.
        attempts, content_hash: As the processing log has them, of a document that is `REJECTED`.
        value: `Rejection.value`.
    """

    key: DocumentKey
    status: Status
    rows: tuple[int, ...] = ()
    failure: Failure | None = None
    attempts: int = 1
    content_hash: str = ""
    value: str | None = None


@dataclass(frozen=True, slots=True)
class RunValues:
    """What a run knows, the same for all its documents.

    Attributes:
        run_id: The run's name in the processing log.
        load_time: When the run began, in UTC without a zone; also the clock of expressions.
        source_name: What the documents come from, without secrets.
    """

    run_id: str
    load_time: datetime
    source_name: str
