"""Rejected documents as files: a directory with each document as it came, and a list of them with their reasons.

The files may hold personal data, so nobody but their owner may read them.
"""

import json
import os
import re
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from xml_extractor.atomic_files import OWNER_ONLY, atomic_write
from xml_extractor.documents import DocumentKey, Outcome
from xml_extractor.errors import RunError

LISTING = "rejects.jsonl"
"""The list: a JSON object for each document, one a line."""

LONGEST_PART_OF_KEY = 80

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


def file_name(key: DocumentKey) -> str:
    """A name for the document's file: harmless and bounded, and another for each key, whatever the file system.

    Of text only letters, digits, `_` and `-` are kept, and a hash of all of it follows.
    """
    if isinstance(key, int):
        return f"{key}.xml"
    readable = _UNSAFE.sub("_", key.removesuffix(".xml"))[:LONGEST_PART_OF_KEY]
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{readable}-{digest}.xml"


def prepare_rejects_directory(directory: Path) -> None:
    """Make the directory for rejected documents and see that it can be written, before a run does hours of work.

    Raises:
        RunError: It cannot be made or written.
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
    """The rejected documents of one run. Directory and list are made with the first of them.

    Args:
        directory: Where they go.
        contract: The contract's name.
        version: Its version.
        with_values: Whether the list has the values that were refused.
    """

    def __init__(self, directory: Path, contract: str, version: int, *, with_values: bool = False) -> None:
        self.directory = directory
        self._contract = contract
        self._version = version
        self._with_values = with_values

    def write(self, reject: Outcome, content: bytes | str | None) -> None:
        """Write a document and its line in the list; the line also where the document itself cannot be written.

        Args:
            reject: A document that was rejected.
            content: The document as it came; None if there is nothing to write.

        Raises:
            OSError: Not all of it could be written.
        """
        self.directory.mkdir(mode=0o700, exist_ok=True)
        name, trouble = None, None
        if content is not None:
            name = file_name(reject.key)
            try:
                self._write_document(self.directory / name, content)
            except OSError as error:
                name, trouble = None, error
        line = json.dumps(self._described(reject, name, is_text=isinstance(content, str)), ensure_ascii=False)
        with open(self.directory / LISTING, "ab", buffering=0, opener=_private) as listing:
            listing.write(f"{line}\n".encode())
        if trouble is not None:
            raise trouble

    def _described(self, reject: Outcome, file: str | None, *, is_text: bool) -> dict[str, Any]:
        failure = reject.failure
        if failure is None:
            raise AssertionError("a document without a failure is no reject")
        value = {"value": reject.value} if self._with_values else {}
        return {
            "key": reject.key,
            "file": file,
            "text": is_text,
            "stage": failure.stage.value,
            "code": failure.code,
            "table": failure.table,
            "column": failure.column,
            "path": failure.path,
            "explanation": failure.explanation,
            **value,
            "attempts": reject.attempts,
            "content_hash": reject.content_hash,
            "contract": self._contract,
            "version": self._version,
        }

    def _write_document(self, path: Path, content: bytes | str) -> None:
        data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        with atomic_write(path, OWNER_ONLY) as file:
            file.write(data)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, mode=OWNER_ONLY)
