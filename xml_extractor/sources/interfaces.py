"""The interface of sources. One suite of tests runs against all of them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from xml_extractor.documents import DocumentKey, Rejection, SourceDocument
from xml_extractor.processing_log.log_table import LogPlace
from xml_extractor.settings import KeyRange


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
