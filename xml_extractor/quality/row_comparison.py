"""Compare the rows that a document is mapped to with those that a table holds of it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from itertools import product
from typing import NamedTuple

from xml_extractor.documents import Row
from xml_extractor.parsing import same_markup
from xml_extractor.quality.differences import Kind
from xml_extractor.targets.held_rows import ComparedTable
from xml_extractor.values.sqltypes import Family

MOST_PAIRS = 10_000
"""Pairs of rows without a common key that are compared to find out which row has changed to which."""


_DIGEST_SIZE = 16


class RowDifference(NamedTuple):
    """A difference in a row.

    Attributes:
        columns: The positions of the columns that differ, in a row that is changed or moved.
        expected: The row by the document; None if it has none.
        held: The row of the table; None if it has none.
    """

    kind: Kind
    columns: tuple[int, ...]
    expected: Row | None
    held: Row | None

    @property
    def row(self) -> Row:
        """The row by which the difference is named."""
        return self.expected or self.held or ()


class RowComparison:
    """Compares rows of one table, all in the form of `HeldTable`.

    Args:
        table: The table.
    """

    def __init__(self, table: ComparedTable) -> None:
        self._key = table.key
        self._compared = table.compared
        placing = {name for key in table.table.foreign_keys for name in key.columns}
        if table.column is not None and not table.column.links:
            placing.add(table.column.column.name)
        self._own = [
            position
            for position in table.compared
            if table.columns[position].name not in placing and table.columns[position].type.family is not Family.XML
        ]
        self._is_whole = len(table.compared) == len(table.columns)
        self._markup = frozenset(
            position for position in table.compared if table.columns[position].type.family is Family.XML
        )

    def differences(
        self, expected: Sequence[Row], held: Sequence[Row], *, are_of_many: bool = False
    ) -> list[RowDifference]:
        """Return the differences between the rows of a document and those of the table.

        Args:
            expected: The rows of the document.
            held: Those of the table.
            are_of_many: Whether the rows are of many documents, so that two rows are one that has changed only if
                nearly all is the same.
        """
        missing, added = _without_equal(expected, held, self._part)
        if not missing and not added:
            return []
        most = len(self._compared) // 2 if are_of_many else (len(self._compared) + 1) // 2
        pairs = self._pairs(missing, added, most)
        found = [RowDifference(Kind.CHANGED, columns, one, other) for one, other, columns in pairs]
        found = [difference for difference in found if difference.columns]
        found += [RowDifference(Kind.MISSING, (), row, None) for row in missing]
        there = {self._part(row) for row in expected}
        for row in added:
            kind = Kind.DUPLICATED if self._part(row) in there else Kind.ADDED
            found.append(RowDifference(kind, (), None, row))
        return found

    def differing(self, expected: Row, held: Row) -> tuple[int, ...]:
        """Return the positions of the compared columns in which two rows differ."""
        return tuple(
            position
            for position in self._compared
            if expected[position] != held[position]
            and not (position in self._markup and same_markup(expected[position], held[position]))
        )

    def key(self, row: Row) -> Row:
        """Return the primary key of a row."""
        return tuple(row[position] for position in self._key)

    def without_markup(self, row: Row) -> Row:
        """Return the compared columns without those of type xml, which databases write in another way."""
        return tuple(row[position] for position in self._compared if position not in self._markup)

    def likeness(self, row: Row) -> bytes:
        """Return the digest of the columns that do not say where a row belongs; empty if it has no such values."""
        values = tuple(row[position] for position in self._own)
        return digest(values) if any(value is not None for value in values) else b""

    def _part(self, row: Row) -> Row:
        return row if self._is_whole else tuple(row[position] for position in self._compared)

    def _pairs(self, missing: list[Row], added: list[Row], most: int) -> Iterator[tuple[Row, Row, tuple[int, ...]]]:
        """Yield rows that have changed, with the columns that differ, and remove them from both lists.

        Rows without a common key of which more than `most` columns differ are not one row that has changed.
        """
        if self._key:
            by_key = defaultdict[Row, list[Row]](list)
            for row in added:
                by_key[self.key(row)].append(row)
            for row in list(missing):
                if same := by_key.get(self.key(row)):
                    yield self._pair(missing, added, row, same.pop(0))
        if missing and added and len(missing) * len(added) <= MOST_PAIRS:
            pairs = [(self.differing(one, other), one, other) for one, other in product(missing, added)]
            for columns, one, other in sorted(pairs, key=lambda pair: len(pair[0])):
                if len(columns) <= most and one in missing and other in added:
                    yield self._pair(missing, added, one, other)

    def _pair(self, missing: list[Row], added: list[Row], one: Row, other: Row) -> tuple[Row, Row, tuple[int, ...]]:
        missing.remove(one)
        added.remove(other)
        return one, other, self.differing(one, other)


def digest(value: object) -> bytes:
    """Return the digest of a value in the form in which rows are compared."""
    return blake2b(repr(value).encode("utf-8", "surrogatepass"), digest_size=_DIGEST_SIZE).digest()


def _without_equal(
    expected: Sequence[Row], held: Sequence[Row], part: Callable[[Row], Row]
) -> tuple[list[Row], list[Row]]:
    """Return the rows of each side that the other does not have as often."""
    if expected == held:
        return [], []
    there = Counter(map(part, held))
    missing = []
    for row in expected:
        compared = part(row)
        if there[compared]:
            there[compared] -= 1
        else:
            missing.append(row)
    added = []
    for row in held:
        compared = part(row)
        if there[compared]:
            there[compared] -= 1
            added.append(row)
    return missing, added
