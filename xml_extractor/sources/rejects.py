"""The rejected documents of a run as a source: they have the keys that they had, so that mended ones can be loaded."""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from xml_extractor.documents import DocumentKey, Rejection, SourceDocument
from xml_extractor.errors import SourceError
from xml_extractor.processing_log.log_table import LogPlace
from xml_extractor.settings import KeyRange
from xml_extractor.sources.document_keys import check_text_key, missing, name_pages, unreadable
from xml_extractor.sources.files import read_bounded
from xml_extractor.sources.interfaces import KeyPage
from xml_extractor.sources.reject_files import LISTING


class Listed(NamedTuple):
    """A document of the list.

    Attributes:
        file: The name of its file; empty if it has none.
        is_text: Whether the document was text, and the file is its UTF-8, whatever encoding its XML declares.
    """

    file: str
    is_text: bool


class RejectsSource:
    """The documents of a directory with a list of rejects.

    Args:
        address: The directory.
        max_bytes: Larger documents are rejected.

    Raises:
        SourceError: The list cannot be read.
    """

    def __init__(self, address: str, max_bytes: int) -> None:
        self.name = address
        self.address = address
        self._directory = Path(address)
        self._max_bytes = max_bytes
        self._listed = _read_listing(self._directory / LISTING)

    def key_pages(
        self,
        page_size: int,
        key_range: KeyRange | None = None,
        log: LogPlace | None = None,  # noqa: ARG002 - files are in no database
    ) -> Iterator[KeyPage]:
        """All keys in ascending order, in pages of at most `page_size`.

        Raises:
            SourceError: There is no document, a key is too long for the log, or an end of the range is no such key.
        """
        numbers = sorted(key for key in self._listed if isinstance(key, int))
        names = sorted(key for key in self._listed if isinstance(key, str))
        if (numbers and names) or not self._listed:
            what = "keys of two kinds" if self._listed else "no documents"
            raise SourceError(f"{self._directory / LISTING} has {what}", "name the directory of one run's rejects")
        for key in names:
            check_text_key(key, self.name)
        if names:
            for page in name_pages(names, page_size, key_range):
                yield KeyPage([*page])
        else:
            chosen = self._in_range(numbers, key_range)
            for start in range(0, len(chosen), page_size):
                yield KeyPage([*chosen[start : start + page_size]])

    def fetch(
        self,
        keys: Sequence[DocumentKey],
        *,
        whole: bool = False,  # noqa: ARG002 - nothing is ever cut here
    ) -> Iterator[SourceDocument | Rejection]:
        """The documents of these keys in this order; one that cannot be read, or has no file, is a rejection."""
        for key in keys:
            listed = self._listed.get(key)
            yield self._read(key, listed) if listed and listed.file else missing(key)

    def close(self) -> None:
        """Nothing is kept open."""

    def _read(self, key: DocumentKey, listed: Listed) -> SourceDocument | Rejection:
        try:
            with (self._directory / listed.file).open("rb") as file:
                document = read_bounded(key, file, self._max_bytes)
        except FileNotFoundError:
            return missing(key)
        except OSError as error:
            return unreadable(key, f"the file cannot be read: {error.strerror}")
        if isinstance(document, Rejection) or not listed.is_text or not isinstance(document.content, bytes):
            return document
        try:
            return SourceDocument(key, document.content.decode("utf-8", "surrogatepass"))
        except UnicodeDecodeError:
            return unreadable(key, "its file is no valid UTF-8")

    def _in_range(self, keys: Sequence[int], key_range: KeyRange | None) -> Sequence[int]:
        if key_range is None:
            return keys
        first = bisect_left(keys, self._number(key_range.first)) if key_range.first else 0
        last = bisect_right(keys, self._number(key_range.last)) if key_range.last else len(keys)
        return keys[first:last]

    def _number(self, end: str) -> int:
        try:
            return int(end)
        except ValueError:
            raise SourceError(f"'{end}' is no key of {self.name}: its keys are numbers") from None


def _read_listing(path: Path) -> dict[DocumentKey, Listed]:
    listed: dict[DocumentKey, Listed] = {}
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                key, document = _read_line(path, number, line)
                if key in listed:
                    raise _bad_line(path, number, f"lists the document {key} again")
                listed[key] = document
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}", "see who may read it") from None
    return listed


def _read_line(path: Path, number: int, line: bytes) -> tuple[DocumentKey, Listed]:
    try:
        value: Any = json.loads(line)
    except ValueError:
        value = None
    match value:
        case {"key": int() | str() as key, "file": str() | None as file, **others} if not isinstance(key, bool):
            if file and (Path(file).name != file or "\\" in file or file == ".."):
                raise _bad_line(path, number, "names a file that is not in this directory")
            return key, Listed(file or "", others.get("text") is True)
    raise _bad_line(path, number, "is no JSON object with `key` and `file`")


def _bad_line(path: Path, number: int, what: str) -> SourceError:
    return SourceError(f"line {number} of {path} {what}", "mend the line, or delete it")
