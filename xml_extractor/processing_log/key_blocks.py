"""Blocks of document keys: find the keys of a source that are not in the processing log without listing all of them.

Source and log each digest their keys block by block, in one statement: the number of keys, and sums that depend on each
key. Where digests are equal, all documents of the block are done. Nothing is stored, so keys that are added late,
deleted from the log or marked for retry are found as well as new ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from xml_extractor.settings import KeyRange

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
