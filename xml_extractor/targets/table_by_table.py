"""Inserts a batch by calls that take rows of one table each, which is what every database can do."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from xml_extractor.targets.interfaces import Batch, Connection

Item = TypeVar("Item")


def insert_table_by_table(connection: Connection, batch: Batch, batch_rows: int) -> None:
    """Insert rows of the log, and then of the tables, by calls of at most so many rows, each of many documents."""
    for entries in parts(batch.log, batch_rows):
        connection.insert_log(entries)
    for table, rows in batch.rows:
        for some in parts(rows, batch_rows):
            connection.insert_rows(table, some)


def parts(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Cut into pieces of at most so many items."""
    return (items[first : first + size] for first in range(0, len(items), size))
