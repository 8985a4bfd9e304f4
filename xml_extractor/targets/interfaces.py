"""What a source of documents and a target database must be able to do. One suite of tests runs against all of them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol, Self, TypeVar

from xml_extractor.connections import Connection, RowBinder
from xml_extractor.contract.layout import TableLayout
from xml_extractor.documents import DocumentKey, Rejection, Row, SourceDocument
from xml_extractor.processing_log.log_table import LogPlace
from xml_extractor.schema.difference import Difference
from xml_extractor.settings import InsertStrategy, KeyRange
from xml_extractor.targets.delete_plan import DeletePlan

Item = TypeVar("Item")

Batch = Sequence[tuple[TableLayout, Sequence[Row]]]
"""Rows of whole documents by table, in load order, bound. In a load the processing log is the first table: its primary
key holds back documents that another run has loaded."""


class TargetConnection(Connection, Protocol):
    """A connection that loads."""

    def insert_batch(self, batch: Batch, batch_rows: int = 500) -> None:
        """Insert rows, with each table's way of treating conflicts, within a transaction.

        Args:
            batch: What to insert.
            batch_rows: Rows in one call at most, where a call takes the rows of one table.
        """
        ...

    def delete_documents(self, plan: DeletePlan, keys: Sequence[Row]) -> list[int]:
        """Delete the rows of documents, and return how many each had.

        Args:
            plan: How they are found, in the order to delete them in.
            keys: For each document, its key as each column of the plan holds it; never NULL.
        """
        ...


def parts(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Cut a sequence into pieces of at most `size` items."""
    return (items[first : first + size] for first in range(0, len(items), size))


class KeyPage(NamedTuple):
    """Keys of a source.

    Attributes:
        keys: In ascending order.
        logged: Those, as text, that the processing log has; None if the source could not look there.
    """

    keys: list[DocumentKey]
    logged: set[str] | None = None


class Source(Protocol):
    """Documents with their keys. Opened once in each process that uses it."""

    name: str
    """What to call it in messages, without secrets."""

    address: str
    """What other processes of the run open it by, as long as this one is open; may hold secrets.

    It differs from the user's where opening is costly: a compressed tar archive is decompressed once.
    """

    def key_pages(
        self, page_size: int, key_range: KeyRange | None = None, log: LogPlace | None = None
    ) -> Iterator[KeyPage]:
        """All keys in ascending order, in pages of at most `page_size`; of more where the log has all keys so far.

        Args:
            page_size: Keys in a page.
            key_range: Only keys in this range.
            log: Where a source in the same database can look for itself which documents are done.

        Raises:
            SourceError: The documents cannot be listed.
        """
        ...

    def fetch(self, keys: Sequence[DocumentKey], *, whole: bool = False) -> Iterator[SourceDocument | Rejection]:
        """The documents of these keys in this order; one that cannot be read, or is gone, is a rejection.

        Args:
            keys: Which.
            whole: Do not cut documents; where it is left out, a source may cut them (see `SourceDocument.is_cut`).

        Raises:
            SourceError: Nothing can be read from this source any more.
        """
        ...

    def close(self) -> None:
        """Let go of files and connections; closing again does nothing."""
        ...


class KeyedContent(Protocol):
    """A document to write, such as a sample."""

    @property
    def key(self) -> DocumentKey:
        """Its key in the table."""
        ...

    @property
    def content(self) -> bytes | str | None:
        """The XML text; None is NULL."""
        ...


class SourceWriter(Protocol):
    """A context manager that writes documents into a database, from where a source can read them."""

    path: Path
    """What files about the documents go beside: the database's file, or the name of a database on a server."""

    takes_bytes: bool
    """Whether documents may be any bytes, or must be text."""

    def __enter__(self) -> Self:
        """Open the database.

        Raises:
            TargetError: It cannot be written.
        """
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Commit, unless the block raised, and close."""
        ...

    def write(self, document: KeyedContent) -> None:
        """Write a document.

        Raises:
            UsageError: A document with this key is there already.
            TargetError: The database cannot be written.
        """
        ...


class Target(Protocol):
    """A database that documents are loaded into. Connections are opened in the process that uses them."""

    @property
    def name(self) -> str:
        """What to call it in messages, without secrets."""
        ...

    @property
    def strategies(self) -> tuple[InsertStrategy, ...]:
        """The ways in which its connections can send rows, the one of fewest round trips last."""
        ...

    def create_statements(self, tables: Sequence[TableLayout]) -> list[str]:
        """The statements that make what is missing of the processing log and the tables; each can be run again."""
        ...

    def create(self, tables: Sequence[TableLayout]) -> None:
        """Make what is missing of the processing log and the tables.

        Raises:
            TargetError: The database cannot be written, or refuses.
        """
        ...

    def differences(self, tables: Sequence[TableLayout]) -> list[Difference]:
        """All in which tables and processing log are not as needed, errors first. Nothing is changed.

        Raises:
            TargetError: The database cannot be read.
        """
        ...

    def prepare(self, tables: Sequence[TableLayout]) -> None:
        """See that tables and processing log are there and fit; the embedded target makes what is missing.

        Raises:
            TargetError: A table is missing or does not fit, or the database cannot be written.
        """
        ...

    def log_place(self, contract: str) -> LogPlace | None:
        """Where the processing log is, if a source in the same database can look there."""
        ...

    def row_binders(self, tables: Sequence[TableLayout]) -> tuple[RowBinder, ...]:
        """For each table, from a row as it was mapped to what connections insert. No connection is needed."""
        ...

    def round_trip(self) -> float:
        """Seconds until a statement that does nothing is answered; 0 where the database is in this process.

        Raises:
            TargetError: The database cannot be reached.
        """
        ...

    def connect(self, strategy: InsertStrategy = "executemany") -> TargetConnection:
        """Open a connection.

        Args:
            strategy: How it sends rows, where there is a choice.

        Raises:
            TargetError: It cannot be opened.
        """
        ...
