"""Deleting the rows of documents on SQL Server: those of several documents by one call."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import pyodbc

from xml_extractor.contract.layout import TableLayout
from xml_extractor.documents import Row
from xml_extractor.schema.ddl import database_name, t_sql_name, t_sql_table
from xml_extractor.schema.type_fit import CODE_PAGE_TYPES
from xml_extractor.targets.document_rows import Dialect, KeyPlace, deletion
from xml_extractor.targets.row_conversion import row_converter
from xml_extractor.targets.sqlserver.parameters import parameter, place_of_key
from xml_extractor.targets.sqlserver.statements import IN_TRANSACTION

PARAMETERS_IN_CALL = 500
"""So that compiling the statements of a call does not take longer than the round trips that it saves; SQL Server takes
2100."""


def delete_documents(
    session: pyodbc.Connection,
    schema: str,
    collation: Callable[[TableLayout, str], str],
    places: Sequence[KeyPlace],
    keys: Sequence[Row],
) -> Iterator[int]:
    """Delete the rows of documents; gives how many each had. See `Connection.delete_documents`.

    Args:
        session: In a transaction.
        schema: Of tables without one; empty for the login's.
        collation: Says which a column of a table has.
        places: How the rows are found.
        keys: Of each document.
    """
    dialect = Dialect(t_sql_name, lambda table: t_sql_table(table, schema), _bare)
    statements = [deletion(place, dialect, _given(place, collation)) for place in places]
    bound = [parameter(place.column.type) for place in places]
    bind = row_converter([place.bind for place in bound])
    at_once = max(1, PARAMETERS_IN_CALL // len(places))
    for first in range(0, len(keys), at_once):
        some = keys[first : first + at_once]
        with closing(session.cursor()) as cursor:
            cursor.setinputsizes([place.odbc_type for _ in some for place in bound])
            cursor.execute(_batch(statements, len(some)), [value for key in some for value in bind(key)])
            yield from _last_row(cursor)


def _batch(statements: Sequence[str], documents: int) -> str:
    """All deletions of some documents; the last result has the numbers of rows."""
    counts = [f"@n{number}" for number in range(documents)]
    declared = ", ".join(f"{name} int = 0" for name in counts)
    deletions = [f"{statement}; SET {name} = {name} + @@ROWCOUNT" for name in counts for statement in statements]
    return "; ".join([f"{IN_TRANSACTION}BEGIN DECLARE {declared}", *deletions, f"SELECT {', '.join(counts)}", "END"])


def _last_row(cursor: pyodbc.Cursor) -> Sequence[Any]:
    """The row of the last result; triggers may give others before it."""
    row: Sequence[Any] = ()
    while True:
        if cursor.description is not None:
            row = cursor.fetchone() or ()
        if not cursor.nextset():
            return row


def _given(place: KeyPlace, collation: Callable[[TableLayout, str], str]) -> str:
    sql_type = place.column.type
    if sql_type.name not in CODE_PAGE_TYPES:
        return parameter(sql_type).place
    return place_of_key(sql_type, collation(place.key_table, place.column.name))


def _bare(table: str) -> str:
    return t_sql_name(database_name(table, embedded=True)[1])
