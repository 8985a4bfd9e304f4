"""Keys that the processing log can hold, and keys that stand for those that it cannot."""

import re
from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from typing import Self

from xml_extractor.documents import DocumentKey
from xml_extractor.processing_log.log_table import KEY_LENGTH

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
