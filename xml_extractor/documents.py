"""The values that pass between processes: documents, rejections and outcomes. All are immutable and picklable."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, Self

from xml_extractor.reasons import Reason, Stage

DocumentKey = int | str
"""The source's key of a document: the value of the key column, or the path of a file or archive member."""

Value = int | str | Decimal | float | bytes | date | time | datetime | None
"""A value of a column. `bit` is `bool`; `uniqueidentifier` is upper-case text."""

Row = tuple[Value, ...]
"""Values in the order of `TableLayout.columns`."""


class Status(StrEnum):
    """The outcome of a document.

    `RETRY` exists only in the processing log: a rejected document that is marked for retry, and so is not done.
    `ALREADY_DONE` is never in the log, because the row of another run is there.
    """

    LOADED = "loaded"
    REJECTED = "rejected"
    RETRY = "retry"
    SKIPPED = "skipped"
    SUPERSEDED = "superseded"
    """A revision that is older than the one that remains; nothing of it is in the tables."""
    DELETED = "deleted"
    """A revision that deletes the thing. It is remembered, so that older ones are superseded."""
    ALREADY_DONE = "already_done"


class RecordPlace(NamedTuple):
    """Where a record is.

    Attributes:
        file: The source's key of its file.
        name: The source's key of the file that the record is from; of a rejected record, not its own file's.
        number: The record's number in the file, from 1.
        start, end: Its first byte and the byte after its last one, in the UTF-8 form of a file that is not UTF-8. An
            end of -1 is the end of the file.
        encoding: The encoding of the file.
        envelope: What surrounds it: the bytes, or their ranges if they are many.
        content: The record itself, on its way to a worker, if reading its range would read the file from the start.
        failure: Why it is not loaded, if that is known already.
        is_complete: Whether the key is that of a file that was read to its end. It is no document, unless the
            processing log still has a reject of the file.
    """

    file: DocumentKey
    name: DocumentKey
    number: int
    start: int = 0
    end: int = -1
    encoding: str = "utf-8"
    envelope: "Envelope | EnvelopeRanges | None" = None
    content: bytes | None = None
    failure: "Failure | None" = None
    is_complete: bool = False


class RecordKey(str):
    """The processing log's key of a record, which also knows where the record is."""

    __slots__ = ("place",)
    place: RecordPlace

    def __new__(cls, key: str, place: RecordPlace) -> Self:
        """Make a key."""
        made = super().__new__(cls, key)
        made.place = place
        return made

    def without_content(self) -> "RecordKey":
        """Return the key without the record itself."""
        return self if self.place.content is None else RecordKey(str(self), self.place._replace(content=None))

    def __reduce__(self) -> tuple[type[Self], tuple[str, RecordPlace]]:
        """Pickle the key with its place."""
        return type(self), (str(self), self.place)


class ArchiveKey(RecordKey):
    """The key of an archive among others that is rejected, or that may have been rejected but is complete now.

    `place.failure` says why it is rejected; `place.is_complete` has the same meaning as for a file of records.
    """

    __slots__ = ()


class Envelope(NamedTuple):
    """What surrounds a record in its file, as UTF-8.

    Attributes:
        tags: The start tags of its ancestors.
        start: The same, each followed by the header that stands in the ancestor.
        end: The end tags.
        depth: The number of ancestors.
    """

    tags: bytes
    start: bytes
    end: bytes
    depth: int


class EnvelopeRanges(NamedTuple):
    """Where an envelope is in the file: the ranges of `Envelope.tags` and `Envelope.start`; and the end tags."""

    tags: tuple[tuple[int, int], ...]
    start: tuple[tuple[int, int], ...]
    end: bytes


class Counted(StrEnum):
    """What is counted besides inserted rows."""

    NULL = "null"
    """A value that `on_invalid` made NULL."""
    DEFAULT = "default"
    """A value that `on_invalid` replaced by the column's default."""
    TRUNCATED = "truncated"
    """A value that `on_invalid` cut."""
    ROUNDED = "rounded"
    """A value that `on_invalid` rounded."""
    UNKNOWN_CODE = "unknown_code"
    """A code that the lookup does not list, replaced by its `unknown`."""
    DANGLING = "dangling"
    """A reference that leads to no row, made NULL."""
    AT_LEAST_ONE = "at_least_one"
    """A row without a value in any of the columns of `at_least_one`."""
    WHEN = "when"
    """A row for which `when` is not true."""
    DISTINCT = "distinct"
    """A row that equals another one by `distinct`."""
    PARENT = "parent"
    """A row rule's node whose parent row was left out."""
    DISAGREED = "disagreed"
    """A row that was kept out although the one with its key, which documents share, has other values."""
    KEPT = "kept"
    """A row that was not inserted, because `on_conflict: keep` kept the one with its key."""
    REPLACED = "replaced"
    """A row that replaced the one with its key."""

    UNREAD = "unread"
    """An element or attribute that nothing reads; its path takes the place of the column."""


TOLERATED = (
    Counted.NULL,
    Counted.DEFAULT,
    Counted.TRUNCATED,
    Counted.ROUNDED,
    Counted.UNKNOWN_CODE,
    Counted.DANGLING,
)
NOT_INSERTED = (Counted.KEPT, Counted.REPLACED)
LEFT_OUT = (Counted.AT_LEAST_ONE, Counted.WHEN, Counted.DISTINCT, Counted.PARENT)

CountKey = tuple[str, str, Counted]
"""A table, a column (empty for rows), and what is counted there."""

Counts = tuple[tuple[CountKey, int], ...]
"""Numbers that are not 0."""


class SourceDocument(NamedTuple):
    """An XML document as read from its source: bytes, text, or None for SQL NULL.

    Attributes:
        envelope: For a record: what surrounds it. Its content is then UTF-8 bytes.
        is_cut: Whether the source cut the document after the first end tag that may be the last one needed. If it
            cannot be parsed, it may have been cut too early.
        logged_hash: For a document that was copied and is unchanged since then: the hash of what was copied, of which
            the copy may hold more or less. Otherwise empty.
        pieces: For the rest of a file of records that breaks off: what there is instead of a content.
    """

    key: DocumentKey
    content: bytes | str | None
    is_cut: bool = False
    envelope: Envelope | None = None
    logged_hash: str = ""
    pieces: Iterator[bytes] | None = None

    @property
    def whole(self) -> bytes | str | Iterator[bytes] | None:
        """The content; for a record, as a document of its own; for the rest of a file, its pieces."""
        if self.pieces is not None:
            return self.pieces
        if self.envelope is None or not isinstance(self.content, bytes):
            return self.content
        return self.envelope.start + self.content + self.envelope.end


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a document was not loaded. Holds names of tables, columns and paths, never a value of the document.

    Attributes:
        stage: The stage at which it failed.
        code: Why.
        explanation: One sentence for the user, without values of the document.
        table, column, path: The location, as far as it is known; `path` is the XPath of the contract.
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
    """What the processing log holds about a document that is reprocessed.

    Attributes:
        run_id: The run that loaded or rejected it. If another run has reprocessed it since, it is left alone.
        content_hash: The hash of the content that this run read.
        own_key: The key inside the document now, if there is one and it can be read.
        only_if_changed: Whether the document is done if its content is still the same.
    """

    run_id: str
    content_hash: str
    own_key: Value = None
    only_if_changed: bool = False


class Revision(NamedTuple):
    """Which thing a document is about, and how its revision is ordered among the others.

    Attributes:
        thing: The digest of `of`, in hex.
        of: The values of `revision.of`.
        order: The values of `revision.order`: each a kind, and text that `revision_rank` compares by it.
        position: The place in the source's order: the key of the file, and the record's number in it.
        own_key: The key in the document as text, if it has one.
        deletes: Whether the document deletes the thing.
    """

    thing: str
    of: tuple[str, ...]
    order: tuple[tuple[str, str], ...]
    position: tuple[DocumentKey, int]
    own_key: str | None = None
    deletes: bool = False

    @property
    def rank(self) -> "RevisionRank":
        """What the revision is compared by: of two, the one with the greater rank is newer."""
        return revision_rank(self.order), place_rank(self.position)


RevisionRank = tuple[tuple[tuple[str, Decimal | str], ...], tuple[int, int | str, int]]


def place_rank(position: tuple[DocumentKey, int]) -> tuple[int, int | str, int]:
    """Return what positions are compared by: numbers before text, text by code points as UTF-8 bytes are."""
    key, number = position
    return (0, key, number) if isinstance(key, int) else (1, str(key), number)


def position_of(key: DocumentKey) -> tuple[DocumentKey, int]:
    """Return the place of a document in the source's order."""
    return (key.place.name, key.place.number) if isinstance(key, RecordKey) else (key, 0)


def revision_rank(order: Sequence[Sequence[str]]) -> tuple[tuple[str, Decimal | str], ...]:
    """Return what orders are compared by: numbers as numbers, text by code points as UTF-8 sorts it."""
    return tuple((kind, Decimal(text) if kind == "number" else text) for kind, text in order)


class MappedDocument(NamedTuple):
    """A document's rows, ready to insert.

    Attributes:
        key: The source's key of the document.
        rows: The rows of each table, in the order of the contract's tables, with values converted for the target.
        content_hash: The first 128 bits of the SHA-256 of the bytes that were read, in hex.
        seconds: Time spent on fetching, parsing and mapping.
        replaced: What the document replaces; None for a document that is not done yet.
        counts: Tolerated values, and rows that were left out.
        revision: Of which thing it is a revision; None in a contract without revisions.
    """

    key: DocumentKey
    rows: tuple[tuple[Row, ...], ...]
    content_hash: str
    seconds: float
    replaced: Replaced | None = None
    counts: Counts = ()
    revision: Revision | None = None


class Rejection(NamedTuple):
    """A document that cannot be mapped. It still gets a row in the processing log.

    Attributes:
        replaced: As for `MappedDocument`.
        value: The rejected value, for `rejects.jsonl` only; None unless the run keeps rejected values.
        revision: As for `MappedDocument`; None if it is not known.
    """

    key: DocumentKey
    failure: Failure
    content_hash: str
    seconds: float
    replaced: Replaced | None = None
    value: str | None = None
    revision: Revision | None = None


class Skipped(Rejection):
    """A document that the contract skips because of its root element, which its row in the processing log names."""

    __slots__ = ()


class Unchanged(MappedDocument):
    """A document that would be reprocessed, but has not changed: there is nothing to insert."""

    __slots__ = ()


class Deletion(MappedDocument):
    """A revision that deletes the thing; it has no rows."""

    __slots__ = ()


class Superseded(MappedDocument):
    """A revision that is older than the one that remains; its rows are left out."""

    __slots__ = ()


ProcessedDocument = MappedDocument | Rejection


class Outcome(NamedTuple):
    """The outcome of one document, known only after its transaction committed.

    Attributes:
        rows: Number of rows inserted into each table of the contract, without those of `counts`; empty unless loaded.
        failure: Set exactly if the status is `REJECTED`.
        attempts, content_hash: As in the processing log, for a document that is `REJECTED`.
        value: `Rejection.value`.
        counts: `MappedDocument.counts`, and rows that were kept or replaced; empty unless loaded.
        revision: As for `MappedDocument`, of a document that is loaded, deleted or rejected.
        superseded: The statuses of those documents of this run that it superseded after they had been committed.
        leaves_older: Whether the document is rejected and an older revision of the thing stays.
    """

    key: DocumentKey
    status: Status
    rows: tuple[int, ...] = ()
    failure: Failure | None = None
    attempts: int = 1
    content_hash: str = ""
    value: str | None = None
    counts: Counts = ()
    revision: Revision | None = None
    superseded: tuple[Status, ...] = ()
    leaves_older: bool = False


@dataclass(frozen=True, slots=True)
class RunValues:
    """Values of the run that contracts can use, the same for all its documents.

    Attributes:
        run_id: The id of the run in the processing log.
        load_time: The start of the run, as naive UTC; also the clock of expressions.
        source_name: The name of the source, without secrets.
    """

    run_id: str
    load_time: datetime
    source_name: str
