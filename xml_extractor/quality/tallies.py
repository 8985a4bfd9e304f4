"""What is seen in documents, as numbers with first documents that can be added up in any order."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import compress, count
from typing import Any

from xml_extractor.documents import Value
from xml_extractor.quality.census import Place
from xml_extractor.reasons import Reason, Stage
from xml_extractor.values.sqltypes import Family

Order = tuple[int, int]
"""The place of a document in the order of the source: the number of its chunk, and its place in the chunk."""

FaultKey = tuple[Stage, Reason, str, str, str, str]
"""What a failure says: stage, reason, table, column, path, explanation."""

ColumnKey = tuple[str, str]
"""A table and a column."""

NUMBERS = (Family.INTEGER, Family.DECIMAL, Family.MONEY)
_LENGTHS = (Family.TEXT, Family.BINARY, Family.XML)


@dataclass(slots=True)
class Tally:
    """A number, the first document that counts, and the largest size seen.

    Attributes:
        number: How often it was seen.
        first: The first document, by its place in the order of the source; None if there is none.
        size: The largest number of characters or digits; 0 if sizes do not matter.
        largest: The document with the largest size.
    """

    number: int = 0
    first: tuple[Order, str] | None = None
    size: int = 0
    largest: tuple[Order, str] | None = None

    def add(self, other: "Tally") -> None:
        """Add what another tally has seen."""
        self.number += other.number
        if other.first is not None and (self.first is None or other.first < self.first):
            self.first = other.first
        if other.size > self.size:
            self.size, self.largest = other.size, other.largest
        elif other.size == self.size and other.largest is not None and self.largest is not None:
            self.largest = min(self.largest, other.largest)


@dataclass(slots=True)
class Observed:
    """What was seen in documents. All of it can be added up, in any order.

    Attributes:
        documents: Documents, by outcome: `accepted`, `rejected`, `skipped` or `deleted`.
        faults: The values that are at fault, by fault.
        documents_with: The documents with each fault.
        columns: For each column, what is seen of it: `filled`, `null`, and what was tolerated.
        rows: The rows of each table.
        elements: The elements and attributes at each place.
    """

    documents: Counter[str] = field(default_factory=Counter)
    faults: dict[FaultKey, Tally] = field(default_factory=dict)
    documents_with: Counter[FaultKey] = field(default_factory=Counter)
    columns: dict[tuple[str, str, str], Tally] = field(default_factory=dict)
    rows: dict[str, Tally] = field(default_factory=dict)
    elements: dict[Place, Tally] = field(default_factory=dict)

    def add(self, other: "Observed") -> None:
        """Add what was seen in other documents."""
        self.documents.update(other.documents)
        self.documents_with.update(other.documents_with)
        _add(self.faults, other.faults)
        _add(self.columns, other.columns)
        _add(self.rows, other.rows)
        _add(self.elements, other.elements)


def _add(to: dict[Any, Tally], others: dict[Any, Tally]) -> None:
    for key, tally in others.items():
        known = to.get(key)
        if known is None:
            to[key] = tally
        else:
            known.add(tally)


def tally_column(
    values: Sequence[Value], owners: Sequence[tuple[Order, str]], family: Family, invalid: int, default: Value
) -> dict[str, Tally]:
    """Return what is seen of a column.

    Args:
        values: Its values, by row.
        owners: The documents of the rows.
        family: The kind of its type.
        invalid: How many of the values that are NULL are invalid.
        default: The object that stands for absent values; None if none does.
    """
    present = [value for value in values if value is not None]
    found: dict[str, Tally] = {}
    if default is not None:
        defaulted = [number for number, value in enumerate(values) if value is default]
        if defaulted:
            found["defaulted"] = Tally(len(defaulted), owners[defaulted[0]])
    if present:
        first = owners[next(number for number, value in enumerate(values) if value is not None)]
        found["filled"] = Tally(len(present), first)
        largest = _largest(present, family)
        if largest is not None:
            measure: Callable[[Any], int] = digits if family in NUMBERS else len
            size = measure(largest)
            sizes = (value is not None and measure(value) == size for value in values)
            found["filled"].size, found["filled"].largest = size, owners[next(compress(count(), sizes))]
    nulls = len(values) - len(present) - invalid
    if nulls > 0:
        found["null"] = Tally(nulls, owners[next(number for number, value in enumerate(values) if value is None)])
    if invalid:
        found["invalid"] = Tally(invalid)
    return found


def _largest(present: Sequence[Any], family: Family) -> Any:
    if family in NUMBERS:
        least, most = min(present), max(present)
        return least if -least > most else most
    return max(present, key=len) if family in _LENGTHS else None


def digits(number: Any) -> int:
    """Return the number of digits before the decimal point."""
    return len(str(abs(int(number))))
