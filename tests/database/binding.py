"""Rows as workers bind them, for tests that hand rows to a connection or a loader themselves."""

from collections.abc import Sequence
from typing import TypeVar

from xml_extractor.contract.layout import TableLayout
from xml_extractor.documents import MappedDocument, Rejection, Row
from xml_extractor.targets.interfaces import Connection, RowBinder
from xml_extractor.targets.sqlite import target as sqlite

Document = TypeVar("Document", MappedDocument, Rejection, MappedDocument | Rejection)


def bind(connection: Connection, table: TableLayout, rows: Sequence[Row]) -> tuple[Row, ...]:
    """Rows in the form that this connection inserts."""
    return tuple(map(_binder(connection, table), rows))


def bound(connection: Connection, tables: Sequence[TableLayout], document: Document) -> Document:
    """A document with its rows in that form."""
    if isinstance(document, Rejection):
        return document
    rows = zip(tables, document.rows, strict=True)
    return document._replace(rows=tuple(bind(connection, table, of_table) for table, of_table in rows))


def _binder(connection: Connection, table: TableLayout) -> RowBinder:
    if isinstance(connection, sqlite.SqliteConnection):
        return sqlite.row_binder(table)
    from xml_extractor.targets.sqlserver.statements import row_binder

    return row_binder(table)
