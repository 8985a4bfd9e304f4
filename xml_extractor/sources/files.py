"""XML files as a source: a directory, a glob pattern or one file. A file's key is its path below the directory."""

import errno
import logging
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, TypeVar

from xml_extractor.documents import DocumentKey, Rejection, SourceDocument
from xml_extractor.errors import SourceError, system_error
from xml_extractor.processing_log.key_blocks import LoggedKeys
from xml_extractor.processing_log.log_keys import source_key
from xml_extractor.settings import KeyRange
from xml_extractor.sources.document_keys import missing, pages_of_names, too_large, unreadable
from xml_extractor.sources.interfaces import KeyPage
from xml_extractor.stopping import pauses_end

Result = TypeVar("Result")

logger = logging.getLogger(__name__)

SUFFIX = ".xml"

TRANSIENT_ERRORS = {errno.EIO, errno.EBUSY, errno.ESTALE, errno.ETIMEDOUT, errno.EINTR}
"""Errors of a file that another program holds for a moment, or that lies on a share. Source: errno(3)."""

PAUSES_SECONDS = (0.1, 0.5, 1.0)
"""Before another attempt to read a file after such an error."""


def accepts(address: str) -> bool:
    """Return whether an address is an existing file or directory, or a glob pattern in an existing directory."""
    return Path(address).exists() or (_is_pattern(address) and _fixed_part(address).is_dir())


class FileSource:
    """XML files below a directory.

    Args:
        address: A directory (its *.xml files at any depth, in upper or lower case), a glob pattern (all matching files;
            `**` matches any depth) or a file.
        max_bytes: Larger files are rejected.
    """

    def __init__(self, address: str, max_bytes: int) -> None:
        self.name = address
        self.address = address
        self._max_bytes = max_bytes
        self._root = _root(address)

    def key_pages(
        self,
        page_size: int,
        key_range: KeyRange | None = None,
        log: LoggedKeys | None = None,  # noqa: ARG002 - files are in no database
    ) -> Iterator[KeyPage]:
        """Yield all keys in ascending order, in pages of at most `page_size`.

        Raises:
            SourceError: A directory cannot be read.
        """
        names = set(self._names())  # a pattern may match a file more than once
        if not names:
            logger.warning("There are no XML files in %s; files are found by their suffix %s", self.name, SUFFIX)
        yield from pages_of_names(names, page_size, key_range)

    def fetch(
        self,
        keys: Sequence[DocumentKey],
        *,
        whole: bool = False,  # noqa: ARG002 - files are always read whole
    ) -> Iterator[SourceDocument | Rejection]:
        """Yield the documents of these keys in this order; one that cannot be read is a rejection.

        Raises:
            SourceError: The directory does not exist any more.
        """

        def read(key: DocumentKey) -> SourceDocument | Rejection:
            def content(file: IO[bytes]) -> SourceDocument | Rejection:
                with file:
                    return read_bounded(key, file, self._max_bytes)

            return self._opened(key, content)

        return map(read, keys)

    def open_file(self, key: DocumentKey) -> IO[bytes] | Rejection:
        """Open a file; one that cannot be read is a rejection.

        Raises:
            SourceError: The directory does not exist any more.
        """
        return self._opened(key, lambda file: file)

    def _opened(self, key: DocumentKey, use: Callable[[IO[bytes]], Result]) -> Result | Rejection:
        """Open a file and use it, several times after transient errors."""
        for pause in (*PAUSES_SECONDS, None):
            try:
                return use((self._root / str(source_key(key))).open("rb"))
            except FileNotFoundError:
                self._check_directory()
                return missing(key)
            except OSError as error:
                self._check_directory()
                if (exhausted := system_error(error)) is not None:
                    raise exhausted from None
                unread = unreadable(key, f"the file cannot be read: {error.strerror}")
                if pause is None or error.errno not in TRANSIENT_ERRORS or pauses_end.wait(pause):
                    break
        return unread

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _names(self) -> Iterator[str]:
        path = Path(self.name)
        if path.is_dir():
            return _xml_files(path)
        if path.is_file():
            return iter([path.name])
        found = self._root.glob(path.relative_to(self._root).as_posix())
        return (file.relative_to(self._root).as_posix() for file in found if file.is_file())

    def _check_directory(self) -> None:
        if not self._root.is_dir():
            raise SourceError(
                f"the directory {self._root} does not exist any more", "check its disk or share, and run again"
            )


open_source = FileSource


def read_bounded(key: DocumentKey, file: IO[bytes], max_bytes: int) -> SourceDocument | Rejection:
    """Read a document, and at most one byte more than it may have, whatever its declared size."""
    content = file.read(max_bytes + 1)
    return too_large(key, max_bytes) if len(content) > max_bytes else SourceDocument(key, content)


def _is_pattern(address: str) -> bool:
    return any(character in address for character in "*?[")


def _fixed_part(pattern: str) -> Path:
    """Return the directory before the first part with a wildcard."""
    plain = Path(pattern)
    while _is_pattern(str(plain)):
        plain = plain.parent
    return plain


def _root(address: str) -> Path:
    """Return the directory that keys are relative to."""
    path = Path(address)
    if path.is_dir():
        return path
    if path.is_file() or not _is_pattern(address):
        return path.parent
    return _fixed_part(address)


def _xml_files(root: Path) -> Iterator[str]:
    def fail(error: OSError) -> None:
        raise SourceError(f"the directory {error.filename} cannot be read: {error.strerror}", "check its permissions")

    for folder, _, names in os.walk(root, onerror=fail):
        below = Path(folder).relative_to(root).as_posix()
        prefix = "" if below == "." else f"{below}/"
        for name in names:
            if name.lower().endswith(SUFFIX) and _is_document(os.path.join(folder, name)):  # noqa: PTH118 - called for each of millions of files
                yield prefix + name


def _is_document(path: str) -> bool:
    """Return whether a path is a file. What cannot be examined counts as one, so that it is rejected.

    Examples are links to nothing or to themselves.
    """
    try:
        return stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116 - called for each of millions of files
    except OSError:
        return True
