"""Rejected documents on disk (dead letters): a directory with the documents and a list of reasons, written by a run.

The directory is also a source: its documents keep their keys, so that fixed ones can be loaded. The files may hold
personal data, so only their owner can read them.
"""

import json
import os
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import partial
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, NamedTuple

from xml_extractor.atomic_files import OWNER_ONLY, atomic_write
from xml_extractor.contract.model import Contract
from xml_extractor.documents import (
    DocumentKey,
    Outcome,
    RecordKey,
    RecordPlace,
    Rejection,
    SourceDocument,
)
from xml_extractor.errors import RunError, SourceError
from xml_extractor.escaping import escaped
from xml_extractor.processing_log.log_keys import LoggedKeys, repeated_key, source_key, stands_for_another
from xml_extractor.reasons import Reason
from xml_extractor.settings import KeyRange
from xml_extractor.sources.document_keys import missing, pages, pages_of_names, unreadable
from xml_extractor.sources.interfaces import KeyPage
from xml_extractor.sources.streams import DAMAGE, NotADocumentError, damaged, plain, read_bounded

LISTING = "rejects.jsonl"
"""The list: a JSON object per document, one per line."""

LONGEST_PART_OF_KEY = 80
"""Characters of a key in the name of its file."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


def file_name(key: DocumentKey) -> str:
    """Return the name of a document's file: safe, bounded and unique on every file system.

    It consists of the letters, digits, `_` and `-` of the key, followed by a hash of the key.
    """
    if isinstance(key, int):
        return f"{key}.xml"
    readable = _UNSAFE.sub("_", key.removesuffix(".xml"))[:LONGEST_PART_OF_KEY]
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{readable}-{digest}.xml"


def file_names(log_key: str) -> Iterator[str]:
    """Yield the names that the file of a document may have by the key in the processing log, where numbers are text."""
    if log_key.removeprefix("-").isdecimal():
        yield file_name(int(log_key))
    yield file_name(log_key)


def prepare_rejects_directory(directory: Path) -> None:
    """Create the directory for rejected documents and check that it can be written, before the run starts.

    Raises:
        RunError: It cannot be created or written.
    """
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir(mode=0o700, exist_ok=True)
        with TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise RunError(
            f"rejected documents cannot be written to {directory}: {error.strerror}",
            "nothing was loaded; name a writable directory with --rejects-dir",
        ) from error


class RejectFiles:
    """Writes the rejected documents of one run. The first of them creates the directory and the list.

    Args:
        directory: Where to write.
        contract: The name of the contract.
        version: The version of the contract.
        with_values: Whether the list includes the rejected values.
    """

    def __init__(self, directory: Path, contract: str, version: int, *, with_values: bool = False) -> None:
        self.directory = directory
        self._contract = contract
        self._version = version
        self._with_values = with_values

    def write(self, reject: Outcome, content: bytes | str | Iterator[bytes] | None) -> None:
        """Write a document and its line in the list. The line is written even if the document cannot be.

        Args:
            reject: The outcome of a rejected document.
            content: The document as it was fetched, or its pieces; None if it has no content.

        Raises:
            OSError: The document or the line could not be written.
        """
        self.directory.mkdir(mode=0o700, exist_ok=True)
        file: dict[str, Any] = {"file": None, "text": isinstance(content, str), "file_hash": None}
        failed = None
        if content is not None:
            name = file_name(reject.key)
            try:
                file |= {"file": name, "file_hash": self._write_document(self.directory / name, content)}
            except OSError as error:
                failed = error
        described = self._described(reject) | file
        line = escaped(json.dumps(described, ensure_ascii=False))
        _append(self.directory / LISTING, f"{line}\n".encode(errors="backslashreplace"))
        if failed is not None:
            raise failed

    def _described(self, reject: Outcome) -> dict[str, Any]:
        failure = reject.failure
        if failure is None:
            raise AssertionError("a document without a failure is no reject")
        value = {"value": reject.value} if self._with_values else {}
        place = reject.key.place if isinstance(reject.key, RecordKey) else None
        record = {} if place is None else {"source_file": place.name, "record": place.number}
        return {
            "key": reject.key,
            "stage": failure.stage.value,
            "code": failure.code,
            "table": failure.table,
            "column": failure.column,
            "path": failure.path,
            "explanation": failure.explanation,
            **value,
            **record,
            "attempts": reject.attempts,
            "content_hash": reject.content_hash,
            "contract": self._contract,
            "version": self._version,
        }

    def _write_document(self, path: Path, content: bytes | str | Iterator[bytes]) -> str:
        """Write a document and return the hash of its file."""
        data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        digest = _file_hash()
        with atomic_write(path, OWNER_ONLY) as file:
            for piece in [data] if isinstance(data, bytes) else data:
                digest.update(piece)
                file.write(piece)
        return digest.hexdigest()


_file_hash = partial(blake2b, digest_size=16)


def _append(path: Path, line: bytes) -> None:
    """Append a line. If a full disk takes only its beginning, remove that.

    Raises:
        OSError: It could not be written.
    """
    with open(path, "ab", buffering=0, opener=_private) as file:
        end = file.seek(0, os.SEEK_END)
        try:
            while line:
                line = line[file.write(line) :]
        except OSError:
            file.truncate(end)
            raise


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, mode=OWNER_ONLY)


def accepts(address: str) -> bool:
    """Return whether an address is a directory of rejected documents."""
    return Path(address, LISTING).is_file()


class Listed(NamedTuple):
    """A document of the list.

    Attributes:
        file: The name of its file; empty if it has none.
        is_text: Whether the document was text, so that the file is UTF-8 whatever encoding its XML declares.
        file_hash: The hash of the file as it was written; empty if it is unknown.
        content_hash: The hash by which the processing log recognizes the document; empty if it is unknown.
        is_null: Whether the document was NULL.
    """

    file: str
    is_text: bool = False
    file_hash: str = ""
    content_hash: str = ""
    is_null: bool = False


class RejectsSource:
    """The documents of a directory of rejects.

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
        self.documents: int | None = None
        self._listed = _read_listing(self._directory / LISTING)

    def key_pages(
        self,
        page_size: int,
        key_range: KeyRange | None = None,
        log: LoggedKeys | None = None,  # noqa: ARG002 - files are in no database
    ) -> Iterator[KeyPage]:
        """Yield all keys in ascending order, in pages of at most `page_size`.

        Raises:
            SourceError: There is no document, or a bound of the range is not a key.
        """
        numbers = [key for key in self._listed if isinstance(key, int)]
        names = [key for key in self._listed if isinstance(key, str)]
        if (numbers and not all(map(stands_for_another, names))) or not self._listed:
            what = "both numbers and texts as keys" if self._listed else "no documents"
            raise SourceError(f"{self._directory / LISTING} has {what}", "name the directory of one run's rejects")
        if not numbers:
            yield from pages_of_names(names, page_size, key_range)
            return
        yield from pages(self._in_range(numbers, key_range), page_size)
        if key_range is None:
            yield from pages_of_names(names, page_size, key_range)

    def fetch(
        self,
        keys: Sequence[DocumentKey],
        *,
        whole: bool = False,  # noqa: ARG002 - files are always read whole
    ) -> Iterator[SourceDocument | Rejection]:
        """Yield the documents of these keys in this order; one that cannot be read is a rejection."""
        for key in keys:
            listed = self._listed.get(source_key(key))
            yield self._read(key, listed) if listed is not None else missing(key)

    def open_file(self, key: DocumentKey) -> IO[bytes] | Rejection:
        """Open a document's file; one that cannot be read is a rejection."""
        listed = self._listed.get(source_key(key))
        if listed is None or not listed.file:
            return missing(key)
        try:
            return plain((self._directory / listed.file).open("rb"))
        except FileNotFoundError:
            return missing(key)
        except (NotADocumentError, *DAMAGE) as error:
            return damaged(key, "the file", error)

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _read(self, key: DocumentKey, listed: Listed) -> SourceDocument | Rejection:
        """Read a document. If it was not copied, or the copy is unchanged, it has the hash that the log has."""
        if listed.is_null:
            return SourceDocument(key, None)
        if not listed.file:
            return missing(key)._replace(content_hash=listed.content_hash)
        opened = self.open_file(key)
        return opened if isinstance(opened, Rejection) else self._read_file(key, listed, opened)

    def _read_file(self, key: DocumentKey, listed: Listed, opened: IO[bytes]) -> SourceDocument | Rejection:
        try:
            with opened as file:
                document = read_bounded(key, file, self._max_bytes)
        except DAMAGE as error:
            return damaged(key, "the file", error)
        if isinstance(document, Rejection) or not isinstance(document.content, bytes):
            return document
        logged_hash = listed.content_hash if _file_hash(document.content).hexdigest() == listed.file_hash else ""
        if not listed.is_text:
            return document._replace(logged_hash=logged_hash)
        try:
            return SourceDocument(key, document.content.decode("utf-8", "surrogatepass"), logged_hash=logged_hash)
        except UnicodeDecodeError:
            return unreadable(key, "its file is not valid UTF-8")

    def _in_range(self, numbers: Sequence[int], key_range: KeyRange | None) -> Sequence[int]:
        keys = sorted(numbers)
        if key_range is None:
            return keys
        first = bisect_left(keys, self._number(key_range.first)) if key_range.first else 0
        last = bisect_right(keys, self._number(key_range.last)) if key_range.last else len(keys)
        return keys[first:last]

    def _number(self, end: str) -> int:
        try:
            return int(end)
        except ValueError:
            message = f"'{end}' is not a key of {self.name}: its keys are numbers"
            raise SourceError(message, "give numbers to --range") from None


def open_source(address: str, _contract: Contract, max_bytes: int, _min_age: int, /) -> RejectsSource:
    """Open the source at an address.

    Raises:
        SourceError: The list cannot be read.
    """
    return RejectsSource(address, max_bytes)


def _read_listing(path: Path) -> dict[DocumentKey, Listed]:
    listed: dict[DocumentKey, Listed] = {}
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                key, document = _read_line(path, number, line)
                listed[key if key not in listed else repeated_key(key, number)] = document
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}", "check its permissions") from None
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
            match others:
                case {"source_file": str() | int() as name, "record": int(record)}:
                    key = RecordKey(str(key), RecordPlace(str(key), name, record))
            is_null = not file and others.get("code") == Reason.EMPTY
            file_hash, logged = (str(others.get(name) or "") for name in ("file_hash", "content_hash"))
            return key, Listed(file or "", others.get("text") is True, file_hash, logged, is_null)
    raise _bad_line(path, number, "is not a JSON object with `key` and `file`")


def _bad_line(path: Path, number: int, what: str) -> SourceError:
    return SourceError(f"line {number} of {path} {what}", "fix the line, or delete it")
