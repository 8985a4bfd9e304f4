"""The statements that load a table of SQL Server, made once for each table."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.processing_log.log_table import LOG_TABLE
from xml_extractor.processing_log.statements import SAME_ROW
from xml_extractor.schema.ddl import t_sql_name, t_sql_table
from xml_extractor.schema.type_fit import CODE_PAGE_TYPES
from xml_extractor.targets.interfaces import RowBinder
from xml_extractor.targets.row_conversion import row_converter
from xml_extractor.targets.sqlserver.errors import TRANSACTION_ENDED
from xml_extractor.targets.sqlserver.parameters import Parameter, parameter, place_of_key

MAX_ARRAY_BYTES = 16 * 2**20
"""What one call may make the driver reserve for its rows, however wide they are."""

IN_TRANSACTION_ONLY = f"IF @@TRANCOUNT = 0 BEGIN; THROW {TRANSACTION_ENDED}, N'the transaction has ended', 1; END "
IN_TRANSACTION = f"{IN_TRANSACTION_ONLY}ELSE "
"""Before a statement: runs it only within the transaction. An error such as a trigger's ROLLBACK ends that amid an
array, and the rows behind would be committed one by one."""


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
        rows_in_call: Rows in one call at most, so that the array of rows stays within `MAX_ARRAY_BYTES`.
    """

    name: str
    changes: tuple[Change, ...]
    select: str
    parameters: tuple[Parameter, ...]
    rows_in_call: int


@cache
def table_statements(
    table: TableLayout, default_schema: str, collations: tuple[tuple[str, str], ...] = ()
) -> TableStatements:
    """The statements of a table; see there.

    Args:
        table: What is loaded.
        default_schema: Of a table without one; empty for the login's.
        collations: Those of `collated_keys`, with their names.
    """
    parameters = tuple(parameter(column.type) for column in table.columns)
    name = t_sql_table(table.table, default_schema)
    row_bytes = sum(bound.reserved_bytes for bound in parameters)
    return TableStatements(
        name=name,
        changes=_changes(table, name, _keyed(table, parameters, dict(collations))),
        select=f"SELECT {_names(table.columns)} FROM {name}",  # noqa: S608 - names are quoted
        parameters=parameters,
        rows_in_call=max(1, MAX_ARRAY_BYTES // max(1, row_bytes)),
    )


@cache
def row_binder(table: TableLayout) -> RowBinder:
    """From a row as it was mapped to what pyodbc binds."""
    return row_converter([parameter(column.type).bind for column in table.columns])


def log_deletion(name: str) -> Change:
    """Deletes rows of the processing log, of this quoted name, as long as nobody has replaced them or put them back."""
    columns = [column.name for column in LOG_TABLE.columns]
    same = " AND ".join(f"{t_sql_name(column)} = ?" for column in SAME_ROW)
    return _change(f"DELETE FROM {name} WHERE {same}", tuple(map(columns.index, SAME_ROW)))  # noqa: S608 - names are quoted


def collated_keys(table: TableLayout) -> list[str]:
    """The key columns that statements compare by values in their own code page, which their collation says."""
    if table.on_conflict == "fail":
        return []
    return [column.name for column in table.columns if column.name in table.key and column.type.name in CODE_PAGE_TYPES]


def _changes(table: TableLayout, name: str, places: Sequence[str]) -> tuple[Change, ...]:
    """Without MERGE, which is known to fail when two sessions merge the same key.

    `keep` inserts where the key is not there, under a lock on the key's place that other writers wait for. `replace`
    does the same and then updates: of several rows with one key the last one stays, as if they came one by one.
    """
    everything = tuple(range(len(table.columns)))
    columns, values = _names(table.columns), ", ".join(places)
    if table.on_conflict == "fail" or not table.key:
        return (_change(f"INSERT INTO {name} ({columns}) VALUES ({values})", everything),)  # noqa: S608 - names are quoted
    same_key = " AND ".join(f"there.{t_sql_name(key)} = given.{t_sql_name(key)}" for key in table.key)
    insert = _change(
        f"INSERT INTO {name} ({columns}) SELECT {columns} FROM (VALUES ({values})) AS given ({columns}) "  # noqa: S608 - names are quoted
        f"WHERE NOT EXISTS (SELECT 1 FROM {name} AS there WITH (UPDLOCK, HOLDLOCK) WHERE {same_key})",
        everything,
    )
    others = [position for position in everything if table.columns[position].name not in table.key]
    if table.on_conflict == "keep" or not others:
        return (insert,)
    keys = [position for position in everything if position not in others]
    assigned = [f"{t_sql_name(column.name)} = {place}" for column, place in zip(table.columns, places, strict=True)]
    new = ", ".join(assigned[position] for position in others)
    key = " AND ".join(assigned[position] for position in keys)
    update = _change(f"UPDATE {name} SET {new} WHERE {key}", (*others, *keys))  # noqa: S608 - names are quoted
    return insert, update


def _change(sql: str, columns: tuple[int, ...]) -> Change:
    return Change(f"{IN_TRANSACTION}{sql}", columns)


def _keyed(table: TableLayout, parameters: Sequence[Parameter], collations: Mapping[str, str]) -> list[str]:
    """What stands for each value: keys that are compared as their columns have them, so that an index can be used.

    All others are converted by the assignment alone, which knows the column's code page and cuts nothing off.
    """
    compared = () if table.on_conflict == "fail" else table.key
    return [
        place_of_key(column.type, collations.get(column.name, "")) if column.name in compared else bound.place
        for column, bound in zip(table.columns, parameters, strict=True)
    ]


def _names(columns: Sequence[ColumnLayout]) -> str:
    return ", ".join(t_sql_name(column.name) for column in columns)
