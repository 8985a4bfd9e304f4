"""XML files as a source: a directory, a glob pattern or one file. A file's key is its path below the directory."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from xml_extractor.documents import DocumentKey, Rejection, SourceDocument
from xml_extractor.errors import SourceError
from xml_extractor.processing_log.log_table import LogPlace
from xml_extractor.settings import KeyRange
from xml_extractor.sources.document_keys import check_text_key, missing, name_pages, too_large, unreadable
from xml_extractor.sources.interfaces import KeyPage

SUFFIX = ".xml"
GLOB_CHARACTERS = "*?["


class FileSource:
    """XML files below a directory.

    Args:
        address: A directory (all *.xml files in it and below, in any case of letters), a glob pattern (all files that
            match; `**` stands for any depth) or a file.
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
        log: LogPlace | None = None,  # noqa: ARG002 - files are in no database
    ) -> Iterator[KeyPage]:
        """All keys in ascending order, in pages of at most `page_size`.

        Raises:
            SourceError: There is no XML file, a directory cannot be read, or a path is too long for the log.
        """
        keys = sorted(self._names())
        if not keys:
            raise SourceError(f"there are no XML files in {self.name}", f"files are found by their ending {SUFFIX}")
        for key in keys:
            check_text_key(key, self.name)
        for page in name_pages(keys, page_size, key_range):
            yield KeyPage([*page])

    def fetch(
        self,
        keys: Sequence[DocumentKey],
        *,
        whole: bool = False,  # noqa: ARG002 - nothing is ever cut here
    ) -> Iterator[SourceDocument | Rejection]:
        """The documents of these keys in this order; one that cannot be read, or is gone, is a rejection.

        Raises:
            SourceError: The directory is gone.
        """
        for key in keys:
            try:
                with (self._root / str(key)).open("rb") as file:
                    yield read_bounded(key, file, self._max_bytes)
            except FileNotFoundError:
                self._see_that_directory_is_there()
                yield missing(key)
            except OSError as error:
                self._see_that_directory_is_there()
                yield unreadable(key, f"the file cannot be read: {error.strerror}")

    def close(self) -> None:
        """Nothing is kept open."""

    def _names(self) -> Iterator[str]:
        path = Path(self.name)
        if path.is_dir():
            return _xml_files(path)
        if path.is_file():
            return iter([path.name])
        found = self._root.glob(path.relative_to(self._root).as_posix())
        return (file.relative_to(self._root).as_posix() for file in found if file.is_file())

    def _see_that_directory_is_there(self) -> None:
        if not self._root.is_dir():
            raise SourceError(
                f"the directory {self._root} is gone", "see that its disk or share is there, and run again"
            )


def read_bounded(key: DocumentKey, file: IO[bytes], max_bytes: int) -> SourceDocument | Rejection:
    """Read a document, but never much more than it may have, whatever its size is said to be."""
    content = file.read(max_bytes + 1)
    return too_large(key, max_bytes) if len(content) > max_bytes else SourceDocument(key, content)


def is_pattern(address: str) -> bool:
    """Whether an address is a glob pattern."""
    return any(character in address for character in GLOB_CHARACTERS)


def fixed_part(pattern: str) -> Path:
    """The directory before the first part with a wildcard."""
    plain = Path(pattern)
    while is_pattern(str(plain)):
        plain = plain.parent
    return plain


def _root(address: str) -> Path:
    """The directory that keys are relative to."""
    path = Path(address)
    if path.is_dir():
        return path
    if path.is_file() or not is_pattern(address):
        return path.parent
    return fixed_part(address)


def _xml_files(root: Path) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        raise SourceError(f"the directory {error.filename} cannot be read: {error.strerror}", "see who may read it")

    for folder, _, names in os.walk(root, onerror=refuse):
        below = Path(folder).relative_to(root).as_posix()
        prefix = "" if below == "." else f"{below}/"
        for name in names:
            if name.lower().endswith(SUFFIX) and _is_document(os.path.join(folder, name)):  # noqa: PTH118 - called for each of millions of files
                yield prefix + name


def _is_document(path: str) -> bool:
    """Whether it is a file. A link to nothing is one too, so that it is rejected and not left out silently."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116 - called for each of millions of files
    except FileNotFoundError:
        return True
