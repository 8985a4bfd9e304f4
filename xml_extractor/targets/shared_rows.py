"""Rows that documents share: sent once in a batch, and compared with those that are there."""

from collections import Counter
from collections.abc import Mapping, Sequence

from xml_extractor.contract.layout import TableLayout
from xml_extractor.documents import Counted, Counts, Row
from xml_extractor.targets.interfaces import ExistingRows, TableRows, TargetConnection, keys_of
from xml_extractor.values.sqltypes import Family

RowCounts = Mapping[tuple[int, int], int]
"""Numbers of rows by the positions of the document and of the table."""

_COMPARED_BY_THEIR_TEXT = frozenset(Family) - {Family.XML, Family.FLOAT}
"""Databases write other values in another way than they got them."""


def without_repeated(
    tables: Sequence[TableLayout], documents: Sequence[TableRows]
) -> tuple[Sequence[TableRows], RowCounts]:
    """Return the rows of documents without shared rows that an earlier one has too, and how many these are."""
    shared = [index for index, table in enumerate(tables) if table.is_shared and table.key]
    repeated: Counter[tuple[int, int]] = Counter()
    if not shared or len(documents) < 2:  # noqa: PLR2004 - of one document nothing repeats
        return documents, repeated
    seen: dict[int, set[Row]] = {index: set() for index in shared}
    sent: list[TableRows] = []
    for position, document in enumerate(documents):
        rows = list(document)
        for index in shared:
            rows[index] = [row for row in document[index] if row not in seen[index]]
            if len(rows[index]) < len(document[index]):
                repeated[position, index] += len(document[index]) - len(rows[index])
            seen[index].update(document[index])
        sent.append(rows)
    return sent, repeated


def disagreeing(
    connection: TargetConnection,
    tables: Sequence[TableLayout],
    documents: Sequence[TableRows],
    kept: RowCounts,
    existing: ExistingRows | None = None,
) -> RowCounts:
    """Return how many rows of documents differ from those with the same keys that are there.

    Args:
        connection: Within the transaction that inserted them.
        tables: In load order.
        documents: The rows of each document, by table.
        kept: How many of these rows were not inserted.
        existing: The rows that are there in place of those that were kept; read if they are not given.
    """
    found: Counter[tuple[int, int]] = Counter()
    for index in sorted({index for _, index in kept if tables[index].is_shared}):
        table, positions = tables[index], sorted(position for position, of in kept if of == index)
        if existing is None:
            asked = list(dict.fromkeys(row for position in positions for row in documents[position][index]))
            found_rows: Sequence[Row] = list(connection.existing_rows(table, asked))
        else:
            found_rows = existing.get(index, ())
        there: dict[Row, Row] = {}
        for key, row in zip(keys_of(table, found_rows), found_rows, strict=True):
            there[key] = row
            there.setdefault(_as_compared_by_collations(key), row)
        for position in positions:
            rows = documents[position][index]
            for key, row in zip(keys_of(table, rows), rows, strict=True):
                other = there.get(key) or there.get(_as_compared_by_collations(key))
                found[position, index] += other is not None and _compared(table, other) != _compared(table, row)
    return +found


def counts_of(tables: Sequence[TableLayout], not_inserted: RowCounts, different: RowCounts) -> dict[int, Counts]:
    """Return what is counted of each document, by its position.

    Args:
        tables: In load order.
        not_inserted: How many rows were kept or replaced.
        different: How many of those that were kept differ from those that are there.
    """
    counts: dict[int, Counts] = {}
    for (position, index), number in not_inserted.items():
        table = tables[index]
        what = Counted.KEPT if table.is_shared else Counted.REPLACED
        counts[position] = (*counts.get(position, ()), ((table.name, "", what), number))
        if disagreeing_rows := different.get((position, index)):
            counts[position] = (*counts[position], ((table.name, "", Counted.DISAGREED), disagreeing_rows))
    return counts


def _as_compared_by_collations(key: Row) -> Row:
    """Return a key without what most collations ignore: case, and the spaces at its end."""
    return tuple(value.rstrip(" ").casefold() if isinstance(value, str) else value for value in key)


def _compared(table: TableLayout, row: Row) -> Row:
    return tuple(
        value
        for column, value in zip(table.columns, row, strict=True)
        if column.name not in table.key and column.type.family in _COMPARED_BY_THEIR_TEXT
    )
