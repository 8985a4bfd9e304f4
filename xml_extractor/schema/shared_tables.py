"""Tables of a contract that fill the same table of the database.

The database table has the columns of all of them, and those of their foreign keys that all of them declare. The
contract has checked that their columns, keys and rules of conflict agree.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from xml_extractor.contract.layout import ColumnLayout, ForeignKey, TableLayout
from xml_extractor.errors import UsageError
from xml_extractor.schema.names import database_name

_Name = tuple[str, str]


def merged_tables(
    tables: Sequence[TableLayout], *, embedded: bool = False, default_schema: str = ""
) -> tuple[TableLayout, ...]:
    """Return one layout for each table of the database, in load order; it has the name of its first table.

    Args:
        tables: In load order.
        embedded: Whether the database has no schemas.
        default_schema: Of tables without one.

    Raises:
        UsageError: Tables of different schemas would become one table of a database without schemas.
    """
    groups: dict[_Name, list[TableLayout]] = {}
    for table in with_common_foreign_keys(tables, embedded=embedded, default_schema=default_schema):
        groups.setdefault(_name(table.table, embedded, default_schema), []).append(table)
    return tuple(_merged(group) for group in groups.values())


def with_common_foreign_keys(
    tables: Sequence[TableLayout], *, embedded: bool = False, default_schema: str = ""
) -> tuple[TableLayout, ...]:
    """Return the tables with those foreign keys that all tables that fill the same database table declare."""
    names = {table.name: _name(table.table, embedded, default_schema) for table in tables}
    declared: dict[_Name, list[set[object]]] = {}
    for table in tables:
        own = {_identity(key, names) for key in table.foreign_keys}
        declared.setdefault(names[table.name], []).append(own)
    return tuple(
        table
        if len(declared[names[table.name]]) == 1
        else replace(
            table,
            foreign_keys=tuple(
                key
                for key in table.foreign_keys
                if all(_identity(key, names) in keys for keys in declared[names[table.name]])
            ),
        )
        for table in tables
    )


def _name(table: str, embedded: bool, default_schema: str) -> _Name:  # noqa: FBT001 - of this module
    schema, name = database_name(table, embedded=embedded)
    return (schema or default_schema).casefold(), name.casefold()


def _identity(key: ForeignKey, names: dict[str, _Name]) -> object:
    pairs = zip(map(str.casefold, key.columns), map(str.casefold, key.references), strict=True)
    return names.get(key.table), frozenset(pairs)


def _merged(tables: Sequence[TableLayout]) -> TableLayout:
    first = tables[0]
    if len(tables) == 1:
        return first
    for other in tables[1:]:
        if other.table.count(".") == first.table.count(".") and other.table.casefold() != first.table.casefold():
            raise UsageError(
                f"the tables {first.table} and {other.table} would be one table in SQLite, which has no schemas",
                "give them names that differ in more than the schema",
            )
    return replace(
        first,
        columns=_merged_columns([table.columns for table in tables]),
        generated=_merged_columns([table.generated for table in tables]),
    )


def _merged_columns(lists: Sequence[Iterable[ColumnLayout]]) -> tuple[ColumnLayout, ...]:
    """Return all columns; one that a table lacks or may leave empty is not required."""
    found: dict[str, list[ColumnLayout]] = {}
    for columns in lists:
        for column in columns:
            found.setdefault(column.name.casefold(), []).append(column)
    return tuple(
        replace(
            columns[0],
            required=len(columns) == len(lists) and all(column.required for column in columns),
            can_be_null=len(columns) < len(lists) or any(column.can_be_null for column in columns),
        )
        for columns in found.values()
    )
