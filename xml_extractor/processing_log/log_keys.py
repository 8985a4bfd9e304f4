"""Keys that the processing log can hold, keys that stand for those that it cannot, and blocks of keys.

Blocks find the keys of a source that are not in the log without listing all of them. Source and log each digest their
keys block by block, in one statement: the number of keys, and sums that depend on each key. Where digests are equal,
all documents of the block are done. Nothing is stored, so keys that are added late, deleted from the log or marked for
retry are found as well as new ones.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol, Self

from xml_extractor.documents import DocumentKey
from xml_extractor.processing_log.log_table import KEY_LENGTH
from xml_extractor.settings import KeyRange

REPEATED = "another document of the source, which is listed before, has the same key"
"""Why a key stands for one that occurs again."""

_DIGEST_BYTES = 8
_READABLE_LENGTH = KEY_LENGTH - 1 - 2 * _DIGEST_BYTES

_ESCAPED = re.compile(r"[\\\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Escaped in a key that stands for another: what is no text, what terminals obey, and the backslash itself."""

_STANDING_IN = re.compile(f"~[0-9a-f]{{{2 * _DIGEST_BYTES}}}$")


class UnusableKey(str):
    r"""A key that stands for one that the processing log cannot hold. Its document is rejected under it.

    It consists of the source's key, with escapes `\uHHHH` as in JSON, cut if necessary; `~`; and a hash of that key in
    16 hexadecimal digits. An undecodable byte HH of a file name is written `\udcHH`.

    Attributes:
        original: The key by which the source fetches the document; None if it cannot.
        explanation: Why the log cannot hold the source's key.
    """

    __slots__ = ("explanation", "original")

    original: str | None
    explanation: str

    def __new__(cls, text: str, original: str | None, explanation: str) -> Self:
        """Return the key with this text."""
        key = super().__new__(cls, text)
        key.original = original
        key.explanation = explanation
        return key

    def __reduce__(self) -> tuple[type, tuple[str, str | None, str]]:
        """Pickle the attributes too."""
        return UnusableKey, (str(self), self.original, self.explanation)


def log_key(key: object) -> DocumentKey:
    """Return the key under which the processing log has a document: the source's key, or one that stands for it.

    Args:
        key: The source's key. Bytes are text that is not valid UTF-8.
    """
    match key:
        case int():
            return key
        case str():
            return _log_key_of_text(key)
        case bytes():
            text = key.decode("utf-8", "surrogateescape")
            return standing_in(text, None, "its key is not valid text")
        case _:
            return standing_in(str(key), None, "its key is neither a whole number nor text")


def null_key(number: int) -> UnusableKey:
    """Return the key that stands for NULL.

    Args:
        number: Distinguishes the documents whose key is NULL, from 1.
    """
    return UnusableKey(f"NULL~{number:0{2 * _DIGEST_BYTES}x}", None, "its key is NULL")


def standing_in(key: str, original: str | None, explanation: str) -> UnusableKey:
    """Return a key that stands for another."""
    return UnusableKey(_stand_in(key, key), original, explanation)


def repeated_key(key: DocumentKey, number: int | str) -> UnusableKey:
    """Return the key of a document whose key is also that of a document before it.

    Args:
        key: The key.
        number: Distinguishes the documents with this key: 2 for the second one.
    """
    return UnusableKey(_stand_in(str(key), f"{key}#{number}"), None, REPEATED)


def numbered(keys: Sequence[DocumentKey]) -> list[DocumentKey]:
    """Return keys in their order, with another key for each one that has occurred before."""
    if len(set(keys)) == len(keys):
        return list(keys)
    occurrences: Counter[DocumentKey] = Counter()
    found: list[DocumentKey] = []
    for key in keys:
        occurrences[key] += 1
        found.append(key if occurrences[key] == 1 else repeated_key(key, occurrences[key]))
    return found


def source_key(key: DocumentKey) -> DocumentKey:
    """Return the key by which the source fetches a document."""
    return key.original if isinstance(key, UnusableKey) and key.original is not None else key


def stands_for_another(key: str) -> bool:
    """Return whether a key looks like one that stands for another."""
    return _STANDING_IN.search(key) is not None


def is_fetchable(key: DocumentKey) -> bool:
    """Return whether the source can fetch the document with this key."""
    return not isinstance(key, UnusableKey) or key.original is not None


def is_text(key: str) -> bool:
    """Return whether a key is Unicode text, without halves of surrogate pairs."""
    return not any("\ud800" <= character <= "\udfff" for character in key)


def _stand_in(key: str, hashed: str) -> str:
    readable = _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", key)
    cut = readable.encode("utf-16-le")[: 2 * _READABLE_LENGTH].decode("utf-16-le", "ignore")
    digest = blake2b(hashed.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).hexdigest()
    return f"{cut}~{digest}"


def _log_key_of_text(key: str) -> str:
    if not key:
        return standing_in(key, key, "its key is empty")
    if not key.isascii() and not is_text(key):
        return standing_in(key, key, "its key is not Unicode text")
    length = len(key) if key.isascii() else len(key.encode("utf-16-le")) // 2
    if length > KEY_LENGTH:
        return standing_in(key, key, f"its key has {length} characters; the limit is {KEY_LENGTH}")
    return key


KEYS_IN_BLOCK = 10_000
"""Keys of a block on average."""

MOST_BLOCKS = 1000
LARGEST_KEY = 2**62
"""Blocks of larger numbers, or smaller negative ones, could overflow."""

_PRIMES = (2**31 - 1, 2**31 - 19)
_FACTOR = 1_327_217_885

Digest = tuple[int, ...]
"""The number of keys, and sums of functions of each."""


@dataclass(frozen=True, slots=True)
class KeyBlocks:
    """Blocks of keys that are whole numbers; each has the same width.

    Attributes:
        first, last: The smallest and the largest key.
        width: How many numbers, whether there are such keys or not, a block includes.
    """

    first: int
    last: int
    width: int

    @classmethod
    def of(cls, smallest: object, largest: object, count: int) -> "KeyBlocks | None":
        """Return the blocks of a source's keys; None if these are no whole numbers or too few for blocks."""
        if not isinstance(smallest, int) or not isinstance(largest, int) or count < 2 * KEYS_IN_BLOCK:
            return None
        if max(-smallest, largest) >= LARGEST_KEY:
            return None
        wanted = min(MOST_BLOCKS, count // KEYS_IN_BLOCK)
        return cls(smallest, largest, -(-(largest - smallest + 1) // wanted))

    def key_range(self, first: int, last: int) -> KeyRange:
        """Return the range of the keys in the blocks from `first` to `last`."""
        end = self.first + (last + 1) * self.width - 1
        return KeyRange(str(self.first + first * self.width), str(min(self.last, end)))

    def query(self, keys: str, others: str = "") -> str:
        """Return the query for the digest of each block: its number, the digest, and other columns.

        Args:
            keys: A query for the keys, as column `k`, within the first and the last.
            others: Other columns, each after a comma.
        """
        offset = f"(k - CAST({self.first} AS bigint))"
        sums = [f"SUM({offset} % {_PRIMES[0]})"]
        for prime, other in (_PRIMES, _PRIMES[::-1]):
            # Products by one prime, squared by another: sets of keys with equal sums have other sums of these.
            mixed = f"({offset} % {prime} * {_FACTOR} % {prime})"
            sums.append(f"SUM({mixed} * {mixed} % {other})")
        block = f"{offset} / CAST({self.width} AS bigint)"
        return f"SELECT {block}, COUNT(*), {', '.join(sums)}{others} FROM ({keys}) AS listed GROUP BY {block}"  # noqa: S608 - numbers only

    def text_ranges(self) -> list[tuple[str, str]]:
        """Return the ranges of texts, by code points and each of one length, that include all keys; empty for any text.

        With them, the processing log reads only the part of its index that the source's keys are in.
        """
        if self.first < 0:
            return []
        lengths = range(len(str(self.first)), len(str(self.last)) + 1)
        return [
            (str(max(self.first, 10 ** (length - 1) if length > 1 else 0)), str(min(self.last, 10**length - 1)))
            for length in lengths
        ]


class LoggedKeys(Protocol):
    """The keys of a contract that the processing log has as done, for sources that list keys."""

    def done(self, keys: Sequence[str]) -> set[str]:
        """Return which of these keys are done."""
        ...

    def done_blocks(self, blocks: KeyBlocks, listed: Mapping[int, Digest]) -> set[int]:
        """Return the numbers of the blocks whose documents are all done.

        Args:
            blocks: The blocks.
            listed: The digests of the source.
        """
        ...
