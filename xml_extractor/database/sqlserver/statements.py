"""The statements that load a table of SQL Server, made once for each table."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.database.log_statements import SAME_ROW
from xml_extractor.database.processing_log import LOG_TABLE
from xml_extractor.database.sqlserver.parameters import Parameter, binder, parameter
from xml_extractor.database.sqlserver.session import quoted, quoted_table
from xml_extractor.documents import Row

MAX_ARRAY_BYTES = 16 * 2**20
"""What one call may make the driver reserve for its rows, however wide they are."""


class Change(NamedTuple):
    """A statement that is run with each of a call's rows.

    Attributes:
        sql: With a place for each of these columns.
        columns: Positions in a row of the values that it takes, in its own order.
    """

    sql: str
    columns: tuple[int, ...]


class TableStatements(NamedTuple):
    """What loads one table.

    Attributes:
        name: The table's name, quoted, with its schema.
        changes: To run one after the other with the same rows.
        select: Reads the columns that are inserted.
        parameters: How each column is bound.
        bind: From a row to what pyodbc binds.
        rows_in_call: Rows in one call at most, so that the array of rows stays within `MAX_ARRAY_BYTES`.
    """

    name: str
    changes: tuple[Change, ...]
    select: str
    parameters: tuple[Parameter, ...]
    bind: Callable[[Row], Sequence[Any]]
    rows_in_call: int


@cache
def table_statements(table: TableLayout, default_schema: str) -> TableStatements:
    """The statements of a table; see there."""
    parameters = tuple(parameter(column.type) for column in table.columns)
    name = quoted_table(table.table, default_schema)
    row_bytes = sum(bound.reserved_bytes for bound in parameters)
    return TableStatements(
        name=name,
        changes=_changes(table, name, parameters),
        select=f"SELECT {_names(table.columns)} FROM {name}",  # noqa: S608 - names are quoted
        parameters=parameters,
        bind=binder(parameters),
        rows_in_call=max(1, MAX_ARRAY_BYTES // max(1, row_bytes)),
    )


def log_deletion(name: str) -> Change:
    """Deletes rows of the processing log, of this quoted name, as long as nobody has replaced them or put them back."""
    columns = [column.name for column in LOG_TABLE.columns]
    same = " AND ".join(f"{quoted(column)} = ?" for column in SAME_ROW)
    return Change(f"DELETE FROM {name} WHERE {same}", tuple(map(columns.index, SAME_ROW)))  # noqa: S608 - names are quoted


def _changes(table: TableLayout, name: str, parameters: Sequence[Parameter]) -> tuple[Change, ...]:
    """Without MERGE, which is known to fail when two sessions merge the same key.

    `keep` inserts where the key is not there, under a lock on the key's place that other writers wait for. `replace`
    does the same and then updates: of several rows with one key the last one stays, as if they came one by one.
    """
    everything = tuple(range(len(table.columns)))
    columns = _names(table.columns)
    if table.on_conflict == "fail" or not table.key:
        places = ", ".join(bound.place for bound in parameters)
        return (Change(f"INSERT INTO {name} ({columns}) VALUES ({places})", everything),)  # noqa: S608 - names are quoted
    typed = ", ".join(map(_typed, table.columns))
    same_key = " AND ".join(f"there.{quoted(key)} = given.{quoted(key)}" for key in table.key)
    insert = (
        f"INSERT INTO {name} ({columns}) SELECT {columns} FROM (VALUES ({typed})) AS given ({columns}) "  # noqa: S608 - names are quoted
        f"WHERE NOT EXISTS (SELECT 1 FROM {name} AS there WITH (UPDLOCK, HOLDLOCK) WHERE {same_key})"
    )
    others = [position for position in everything if table.columns[position].name not in table.key]
    if table.on_conflict == "keep" or not others:
        return (Change(insert, everything),)
    keys = [position for position in everything if position not in others]
    values = ", ".join(map(_assigned, (table.columns[position] for position in others)))
    key = " AND ".join(map(_assigned, (table.columns[position] for position in keys)))
    update = f"UPDATE {name} SET {values} WHERE {key}"  # noqa: S608 - names are quoted
    return Change(insert, everything), Change(update, (*others, *keys))


def _names(columns: Sequence[ColumnLayout]) -> str:
    return ", ".join(quoted(column.name) for column in columns)


def _typed(column: ColumnLayout) -> str:
    """A value as its column has it, so that the index on a key of another type of text can still be used."""
    return f"CAST(? AS {column.type})"


def _assigned(column: ColumnLayout) -> str:
    return f"{quoted(column.name)} = {_typed(column)}"
