"""Shared by all sources: pages of keys, where documents may be cut, and documents that cannot be fetched."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby, islice

from xml_extractor.connections import DatabaseError
from xml_extractor.contract.model import Contract
from xml_extractor.documents import DocumentKey, Failure, Rejection
from xml_extractor.errors import SourceError
from xml_extractor.processing_log.log_keys import (
    REPEATED,
    Digest,
    KeyBlocks,
    LoggedKeys,
    UnusableKey,
    log_key,
    null_key,
    numbered,
)
from xml_extractor.reasons import Reason, Stage
from xml_extractor.settings import KeyRange
from xml_extractor.sources.interfaces import KeyPage

LARGEST_PAGE = 100_000
"""Keys of a page while the log has all keys of the previous pages."""


def pages_of_undone(
    blocks: KeyBlocks, listed: Mapping[int, Digest], log: LoggedKeys, pages_of: Callable[[KeyRange], Iterator[KeyPage]]
) -> Iterator[KeyPage]:
    """Yield the pages of the blocks that are not done, and the number of documents in the others.

    Args:
        blocks: The blocks of the source's keys.
        listed: Their digests.
        log: The processing log.
        pages_of: Lists the keys of a range.
    """
    done = log.done_blocks(blocks, listed)
    for is_done, some in groupby(sorted(listed), done.__contains__):
        numbers = list(some)
        if is_done:
            yield KeyPage([], set(), sum(listed[number][0] for number in numbers))
        else:
            yield from pages_of(blocks.key_range(numbers[0], numbers[-1]))


@contextmanager
def condition_errors(where: str | None, source: str) -> Iterator[None]:
    """Raise errors of a query with the condition of the contract as errors of this condition.

    Table and columns of documents were found before, so that an error of the statement is an error of the condition.

    Raises:
        SourceError: It names `source.where`, and quotes the database.
    """
    try:
        yield
    except DatabaseError as error:
        if where is None or not error.server_text:
            raise
        tip = "correct it in the contract; it is a condition on the table of documents, in the SQL of its database"
        raise SourceError(f"source.where is refused by {source}: {error.server_text}", tip) from None


def logged_page(keys: Sequence[DocumentKey], log: LoggedKeys | None) -> KeyPage:
    """Return a page of keys, with those that are done by the processing log."""
    return KeyPage([*keys], None if log is None else log.done([str(key) for key in keys]))


def next_size(page: KeyPage, size: int, page_size: int) -> int:
    """Return how many keys to list next: twice as many while all documents are done, which is fast."""
    is_done = page.logged is not None and len(page.logged) == size
    return min(2 * size, max(page_size, LARGEST_PAGE)) if is_done else page_size


def pages(keys: Sequence[DocumentKey], page_size: int) -> Iterator[KeyPage]:
    """Split sorted keys into pages."""
    for start in range(0, len(keys), page_size):
        yield KeyPage([*keys[start : start + page_size]])


def pages_of(keys: Iterable[DocumentKey], page_size: int) -> Iterator[KeyPage]:
    """Split keys into pages as they come."""
    remaining = iter(keys)
    while page := list(islice(remaining, page_size)):
        yield KeyPage(page)


def in_range(keys: Iterable[DocumentKey], key_range: KeyRange | None) -> Iterable[DocumentKey]:
    """Return the keys of a range, compared as text."""
    if key_range is None:
        return keys
    first, last = key_range.first, key_range.last
    return (key for key in keys if first <= str(key) and (not last or str(key) <= last))


def pages_of_names(names: Iterable[str], page_size: int, key_range: KeyRange | None) -> Iterator[KeyPage]:
    """Sort names and split them into pages. A range of names compares as text.

    A name that occurs again is that of another document.
    """
    return pages(list(in_range(keys_of_names(names), key_range)), page_size)


def keys_of_names(names: Iterable[str]) -> list[DocumentKey]:
    """Return the sorted keys of names."""
    return numbered(sorted(map(log_key, names), key=str))


def pages_of_nulls(count: int, page_size: int) -> Iterator[KeyPage]:
    """Yield keys that stand for NULL, one for each document."""
    return pages([null_key(number) for number in range(1, count + 1)], page_size)


def last_end_tag(contract: Contract) -> str:
    """Return the end tag after which nothing of a document is needed; empty if all of it may be."""
    read_until = contract.document.read_until
    return f"</{read_until.rpartition('/')[2]}>" if read_until else ""


def unusable_key(key: UnusableKey) -> Failure:
    """Return why a document is rejected under a key that stands for its own."""
    code = Reason.DUPLICATE_KEY if key.explanation == REPEATED else Reason.UNUSABLE_KEY
    return Failure(Stage.FETCH, code, f"{key.explanation}; this one stands for it")


def missing(key: DocumentKey) -> Rejection:
    """Reject a document that was listed but no longer exists."""
    return _not_fetched(key, Reason.MISSING, "the source has no document with this key any more")


def too_large(key: DocumentKey, max_bytes: int) -> Rejection:
    """Reject a document that is larger than the contract allows."""
    return _not_fetched(key, Reason.TOO_LARGE, f"the document has more than {max_bytes} bytes (`max_bytes`)")


def unreadable(key: DocumentKey, explanation: str) -> Rejection:
    """Reject a document that exists but cannot be read."""
    return _not_fetched(key, Reason.UNREADABLE, explanation)


def _not_fetched(key: DocumentKey, code: Reason, explanation: str) -> Rejection:
    return Rejection(key, Failure(Stage.FETCH, code, explanation), content_hash="", seconds=0.0)
