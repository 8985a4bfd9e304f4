"""Rows as workers bind them, for tests that hand rows to a connection or a loader; and the log as tests read it."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from xml_extractor.contract.layout import TableLayout
from xml_extractor.documents import MappedDocument, Rejection, Row
from xml_extractor.processing_log.log import ProcessingLog
from xml_extractor.processing_log.log_table import LOG_TABLE, LogEntry
from xml_extractor.targets.interfaces import TargetConnection

Document = TypeVar("Document", MappedDocument, Rejection, MappedDocument | Rejection)


def bind(connection: TargetConnection, table: TableLayout, rows: Sequence[Row]) -> tuple[Row, ...]:
    """Rows in the form that this connection inserts."""
    return tuple(map(connection.row_binder(table), rows))


def bound(connection: TargetConnection, tables: Sequence[TableLayout], document: Document) -> Document:
    """A document with its rows in that form."""
    if isinstance(document, Rejection):
        return document
    rows = zip(tables, document.rows, strict=True)
    return document._replace(rows=tuple(bind(connection, table, of_table) for table, of_table in rows))


def insert_rows(connection: TargetConnection, table: TableLayout, rows: Sequence[Row]) -> None:
    """Insert bound rows of one table."""
    connection.insert_batch([(table, rows)])


def insert_log(connection: TargetConnection, entries: Sequence[LogEntry]) -> None:
    """Insert rows into the processing log."""
    connection.insert_batch([(LOG_TABLE, ProcessingLog(connection).bound(entries))])


def read_log(connection: TargetConnection) -> Iterator[LogEntry]:
    """All rows of the processing log."""
    return ProcessingLog(connection).read()
