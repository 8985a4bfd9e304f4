"""The interfaces of sources. One suite of tests runs against all of them."""

from collections.abc import Iterator, Sequence
from typing import IO, Literal, NamedTuple, Protocol, runtime_checkable

from xml_extractor.documents import DocumentKey, Rejection, SourceDocument
from xml_extractor.processing_log.log_keys import LoggedKeys
from xml_extractor.settings import KeyRange


class KeyPage(NamedTuple):
    """A page of keys.

    Attributes:
        keys: In ascending order.
        logged: The keys, as text, that are done by the processing log; None if the source did not look.
        done: How many further documents are done, which are not listed.
    """

    keys: list[DocumentKey]
    logged: set[str] | None = None
    done: int = 0


class Source(Protocol):
    """Documents with their keys. Opened once in each process that uses it."""

    name: str
    """Name for messages, without secrets."""

    address: str
    """Address by which other processes of the run open the source while this one is open. It may contain secrets.

    It differs from the user's address if opening is expensive: a compressed tar archive is decompressed once.
    """

    documents: int | None
    """How many documents `key_pages` lists, if that is known before all are listed."""

    def key_pages(
        self, page_size: int, key_range: KeyRange | None = None, log: LoggedKeys | None = None
    ) -> Iterator[KeyPage]:
        """Yield all keys in ascending order, in pages of at most `page_size`, or larger while the log has all keys.

        Args:
            page_size: Keys in a page.
            key_range: Only keys in this range.
            log: The processing log. A source that can hold millions of documents asks it which are done, and need not
                list those.

        Raises:
            SourceError: The documents cannot be listed.
        """
        ...

    def fetch(self, keys: Sequence[DocumentKey], *, whole: bool = False) -> Iterator[SourceDocument | Rejection]:
        """Yield the documents of these keys in this order; one that cannot be read is a rejection.

        Args:
            keys: The keys.
            whole: Whether documents must be complete; otherwise a source may cut them (see `SourceDocument.is_cut`).

        Raises:
            SourceError: The source cannot be read any more.
        """
        ...

    def close(self) -> None:
        """Close files and connections; closing again does nothing."""
        ...


class Location(Protocol):
    """The path of a file or directory: a `pathlib.Path`, or one of a file system that only Spark can read."""

    @property
    def name(self) -> str:
        """The last part."""
        ...

    @property
    def parent(self) -> "Location":
        """The directory that it is in."""
        ...

    def __truediv__(self, name: str, /) -> "Location": ...

    def exists(self) -> bool:
        """Return whether it exists."""
        ...

    def is_dir(self) -> bool:
        """Return whether it is an existing directory."""
        ...

    def is_file(self) -> bool:
        """Return whether it is an existing file."""
        ...

    def open(self, mode: Literal["rb"], /) -> IO[bytes]:
        """Open it."""
        ...


@runtime_checkable
class SourceOfFiles(Protocol):
    """A source whose documents can be read piece by piece."""

    def open_file(self, key: DocumentKey) -> IO[bytes] | Rejection:
        """Open a document as a stream that can seek; one that cannot be read is a rejection.

        Raises:
            SourceError: The source cannot be read any more.
        """
        ...


@runtime_checkable
class ExaminedSource(Protocol):
    """A source that examines its database when it is opened, which takes long on a distant server."""

    @property
    def examined(self) -> object:
        """What it found; can be pickled. Other processes open the source with it, and do not examine it again."""
        ...
