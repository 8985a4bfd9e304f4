"""Differences between source and target, and what else workers report about the documents that they compare."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from xml_extractor.contract.own_rows import DocumentKeys
from xml_extractor.documents import Row, Value
from xml_extractor.processing_log.log_table import LogEntry

DOCUMENTS = 0
"""The space of the processing log's keys of the source's documents; those of rows follow."""

MOST_KEPT = 20_000
"""Differences of which details are kept; all are counted."""

MOST_OF_A_TABLE = 1000
"""Differences of one document in one table of which details are kept; all are counted."""

Identity = tuple[str, bytes]
"""A table, and the digest of what names one of its rows."""


class Kind(StrEnum):
    """What differs between source and target."""

    CHANGED = "changed"
    """A row has other values."""
    MISSING = "missing"
    """A row is not there."""
    ADDED = "added"
    """A row is there that the document does not have."""
    DUPLICATED = "duplicated"
    """A row is there more often than in the document."""
    MOVED = "moved"
    """A row belongs to another document."""
    ORPHANED = "orphaned"
    """The row that a row belongs to is gone."""
    UNKNOWN_ROW = "unknown_row"
    """A row belongs to no document that is loaded."""
    NOT_LOADED = "not_loaded"
    """The processing log does not have a document of the source."""
    NOT_IN_SOURCE = "not_in_source"
    """A document that the processing log has as loaded is not in the source."""
    NOT_MAPPED = "not_mapped"
    """A document that is loaded cannot be mapped now."""
    OTHER_CONTRACT = "other_contract"
    """A document that another content of the contract loaded has other rows by the contract."""


class Difference(NamedTuple):
    """A difference between source and target. Only `key`, `expected` and `held` hold values of documents.

    Attributes:
        document: The processing log's key of the document, or the key that a row holds; empty if it is not known.
        table: The table's name in the contract; empty for a document as a whole.
        key: Names and values of the row's primary key; empty if it has none.
        columns: The columns that differ.
        detail: What else is known, such as why a document cannot be mapped.
        names: All columns that are compared.
        expected, held: The values of the columns that differ, or else of all, by the document and in the table.
        identities: What names the row, by the document and in the table, to recognize it elsewhere.
        likeness: The digest of the columns that say nothing about where the row belongs.
    """

    kind: Kind
    document: str
    table: str = ""
    key: tuple[tuple[str, Value], ...] = ()
    columns: tuple[str, ...] = ()
    detail: str = ""
    names: tuple[str, ...] = ()
    expected: Row = ()
    held: Row = ()
    identities: tuple[bytes, ...] = ()
    likeness: bytes = b""


class Seen(NamedTuple):
    """What identifies rows of the target, or a document of the source.

    Attributes:
        space: What kind of thing it is; see `Verifier.space`.
        digest: Its digest.
        document: The processing log's key of a document that has it.
        number: How often it was seen; of a shared row, whether a document agrees with it.
        doubt: For a shared row with which the document disagrees: the difference.
        row: The row, if nothing else identifies it.
    """

    space: int
    digest: bytes
    document: str
    number: int = 1
    doubt: Difference | None = None
    row: Row | None = None


class VerifiedDocument(NamedTuple):
    """A document that is to be compared.

    Attributes:
        key: The processing log's key.
        keys: The keys by which its rows are found.
        entry: Its row in the processing log; None where two databases are compared.
        rows: Its mapped rows, by table of the contract.
        is_changed: Whether the document has changed at the source since it was loaded.
        has_known_run: Whether the values of the run that loaded it are known.
    """

    key: str
    keys: DocumentKeys
    entry: LogEntry | None
    rows: tuple[tuple[Row, ...], ...]
    is_changed: bool = False
    has_known_run: bool = True


@dataclass(slots=True)
class Verified:
    """What was found out about some documents. All of it can be added up, in any order.

    Attributes:
        documents: Documents, by `equal`, `different`, or why they are not compared.
        rows: Rows of the target that were compared, by table.
        kinds: Differences by kind.
        counts: The same by kind, table and column; a row counts for each column that differs.
        differences: The details of differences, as far as they are kept.
        uncompared: What was not compared, with a number.
        seen: What identifies rows and documents.
        attempted_again: Whether a document was loaded more than once, so that shared rows may be from its earlier self.
    """

    documents: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    kinds: Counter[Kind] = field(default_factory=Counter)
    counts: Counter[tuple[Kind, str, str]] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)
    uncompared: Counter[str] = field(default_factory=Counter)
    seen: list[Seen] = field(default_factory=list)
    attempted_again: bool = False

    def add(self, other: "Verified") -> None:
        """Add what was found in other documents."""
        self.documents.update(other.documents)
        self.rows.update(other.rows)
        self.kinds.update(other.kinds)
        self.counts.update(other.counts)
        self.uncompared.update(other.uncompared)
        self.differences += other.differences[: max(0, MOST_KEPT - len(self.differences))]
        self.seen += other.seen
        self.attempted_again |= other.attempted_again

    def note(self, difference: Difference) -> None:
        """Count a difference, and keep its details unless there are too many."""
        self.count(difference)
        if len(self.differences) < MOST_KEPT:
            self.differences.append(difference)

    def count(self, difference: Difference) -> None:
        """Count a difference without its details."""
        self.kinds[difference.kind] += 1
        for column in (difference.columns if difference.table else ()) or ("",):
            self.counts[difference.kind, difference.table, column] += 1


EQUAL, DIFFERENT, NOT_LOADED = "equal", "different", "not loaded"
"""Documents in `Verified.documents`, besides the statuses of the processing log."""

UNCOMPARED_RUN = "values of runs that the run history does not have"
UNCOMPARED_SHARED = "values of rows that documents share"
UNCOMPARED_ROWS = "rows that cannot be found by document or key"
UNCOMPARED_KEYS = "rows of documents whose key the column cannot hold"


def key_text(key: Value) -> str:
    """Return the key of a document in messages; empty if it is not known."""
    return "" if key is None else key.hex() if isinstance(key, bytes) else str(key)
