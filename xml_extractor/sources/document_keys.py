"""What all sources have in common: keys that the processing log can hold, pages of them, documents not to be had."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from xml_extractor.documents import Failure, Rejection
from xml_extractor.errors import SourceError
from xml_extractor.processing_log.log_table import KEY_LENGTH
from xml_extractor.reasons import Reason, Stage
from xml_extractor.settings import KeyRange

Key = TypeVar("Key", int, str)


def check_text_key(key: str, source: str) -> None:
    """See that the processing log can hold a key.

    Raises:
        SourceError: It is too long, or no Unicode text.
    """
    try:
        length = len(key.encode("utf-16-le")) // 2
    except UnicodeEncodeError:
        raise SourceError(
            f"{source} has a document whose name is not Unicode text: {key!a}", "rename it and run again"
        ) from None
    if length > KEY_LENGTH:
        raise SourceError(
            f"{source} has a document key of {length} characters; the processing log takes {KEY_LENGTH}: {key[:60]}...",
            "shorten it and run again",
        )


def name_pages(names: Sequence[str], page_size: int, key_range: KeyRange | None) -> Iterator[list[str]]:
    """Pages of sorted names; a range of names compares as text."""
    first, last = (key_range.first, key_range.last) if key_range else ("", "")
    chosen = [name for name in names if first <= name and (not last or name <= last)]
    for start in range(0, len(chosen), page_size):
        yield chosen[start : start + page_size]


def missing(key: int | str) -> Rejection:
    """The document was listed, and is gone."""
    return not_fetched(key, Reason.MISSING, "the source has no document with this key any more")


def too_large(key: int | str, max_bytes: int) -> Rejection:
    """The document is larger than the contract allows."""
    return not_fetched(key, Reason.TOO_LARGE, f"the document has more than {max_bytes} bytes, the contract's max_bytes")


def unreadable(key: int | str, explanation: str) -> Rejection:
    """The document is there but cannot be read."""
    return not_fetched(key, Reason.UNREADABLE, explanation)


def not_fetched(key: int | str, code: Reason, explanation: str) -> Rejection:
    """A document without content."""
    return Rejection(key, Failure(Stage.FETCH, code, explanation), content_hash="", seconds=0.0)
