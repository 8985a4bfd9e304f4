"""Read the catalog of a SQLite file. Source: "PRAGMA Statements", sqlite.org.

A column of SQLite takes values of any type, and no column is an IDENTITY that would reject them.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import NamedTuple

from xml_extractor.documents import Value
from xml_extractor.schema.model import ActualColumn, ActualForeignKey, ActualRule, ActualTable
from xml_extractor.schema.names import database_name, sqlite_name
from xml_extractor.targets.sqlite.connection import SqliteConnection
from xml_extractor.targets.sqlite.values import storage
from xml_extractor.values.sqltypes import SqlType

_VIRTUAL_OR_STORED = (2, 3)
"""`hidden` of generated columns in PRAGMA table_xinfo."""


_CHECK = re.compile(r"""(?:\bCONSTRAINT\s+(?P<name>"[^"]+"|`[^`]+`|\[[^]]+\]|\w+)\s+)?\bCHECK\s*\(""", re.IGNORECASE)
"""No pragma describes CHECK constraints; one in a comment or a text only causes a warning."""


class _Column(NamedTuple):
    """A row of PRAGMA table_xinfo; `key` is its number in the primary key, from 1."""

    number: int
    name: str
    declared: str
    not_null: int
    default: str | None
    key: int
    hidden: int


def read_catalog(database: SqliteConnection, tables: Sequence[str]) -> dict[str, ActualTable]:
    """Return the tables with these names; a schema in a name is ignored.

    Returns:
        The tables by their requested names, without missing ones.

    Raises:
        DatabaseError: The file cannot be read.
    """
    found = {table: _table(database, database_name(table, embedded=True)[1]) for table in tables}
    return {name: table for name, table in found.items() if table is not None}


def missing_codes(
    database: SqliteConnection, key: ActualForeignKey, sql_type: SqlType, codes: Sequence[Value]
) -> Sequence[Value]:
    """Return the codes that are missing in the column that a foreign key of one column references.

    Raises:
        DatabaseError: The file cannot be read.
    """
    convert = storage(sql_type).to_sqlite
    query = f"SELECT 1 FROM {sqlite_name(key.table)} WHERE {sqlite_name(key.references[0])} = ?"  # noqa: S608 - names are quoted
    return [code for code in codes if next(database.query(query, (convert(code) if convert else code,)), None) is None]


def _table(database: SqliteConnection, wanted: str) -> ActualTable | None:
    select = "SELECT name, type FROM sqlite_schema WHERE name = ? COLLATE NOCASE AND type IN ('table', 'view')"
    found = next(database.query(select, (wanted,)), None)
    if found is None:
        return None
    name, kind = found
    columns, indexes = _columns(database, name), list(_unique_indexes(database, name))
    key = _primary_key(columns)
    # A key without an index is the rowid itself, which SQLite numbers.
    numbered = key[0] if len(key) == 1 and all(origin != "pk" for origin, _ in indexes) else None
    return ActualTable(
        name=name,
        columns=tuple(_column(column, is_numbered=column.name == numbered) for column in columns),
        key=key,
        unique_keys=tuple(names for origin, names in indexes if origin != "pk"),
        rules=tuple(_rules(database, name)),
        foreign_keys=tuple(_foreign_keys(database, name)),
        kind=kind,
        typed=False,
    )


def _columns(database: SqliteConnection, table: str) -> list[_Column]:
    return [_Column(*row) for row in database.query(f"PRAGMA table_xinfo({sqlite_name(table)})")]


def _primary_key(columns: Sequence[_Column]) -> tuple[str, ...]:
    return tuple(column.name for column in sorted(columns, key=attrgetter("key")) if column.key)


def _column(column: _Column, *, is_numbered: bool) -> ActualColumn:
    is_generated = column.hidden in _VIRTUAL_OR_STORED
    return ActualColumn(
        name=column.name,
        declared=f"the generated column {column.name}" if is_generated else column.declared,
        nullable=not column.not_null or is_numbered,
        identity=None,
        computed=is_generated,
        has_default=column.default is not None or is_numbered,
    )


def _unique_indexes(database: SqliteConnection, table: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield origin and columns of each unique index over all rows; the origin of the primary key's is `pk`."""
    for _, index, is_unique, origin, is_partial in list(database.query(f"PRAGMA index_list({sqlite_name(table)})")):
        names = tuple(name for _, _, name in database.query(f"PRAGMA index_info({sqlite_name(index)})"))
        if is_unique and not is_partial and None not in names:
            yield origin, names


def _rules(database: SqliteConnection, table: str) -> Iterator[ActualRule]:
    for _, index, is_unique, origin, is_partial in list(database.query(f"PRAGMA index_list({sqlite_name(table)})")):
        if is_unique and origin != "pk":
            columns = [name for _, _, name in database.query(f"PRAGMA index_info({sqlite_name(index)})")]
            kind = f"{'filtered ' if is_partial else ''}unique index"
            yield ActualRule(kind, index, tuple(name or "an expression" for name in columns) if all(columns) else ())
    select = "SELECT name, sql FROM sqlite_schema WHERE type = ? AND tbl_name = ? COLLATE NOCASE"
    for _, sql in database.query(select, ("table", table)):
        for check in _CHECK.finditer(sql):
            yield ActualRule("CHECK constraint", (check["name"] or "").strip('`"[]'))
    for name, _ in database.query(select, ("trigger", table)):
        yield ActualRule("trigger", name)


def _foreign_keys(database: SqliteConnection, table: str) -> Iterator[ActualForeignKey]:
    rows = list(database.query(f"PRAGMA foreign_key_list({sqlite_name(table)})"))
    for _, group in groupby(sorted(rows, key=itemgetter(0, 1)), itemgetter(0)):
        columns = list(group)
        parent = columns[0][2]
        references = tuple(row[4] for row in columns)
        if None in references:
            references = _primary_key(_columns(database, parent))
        if len(references) == len(columns):
            yield ActualForeignKey(tuple(row[3] for row in columns), "", parent, references)
