"""Read the catalog of SQL Server, by one statement for all tables.

Source: "Object catalog views", "Metadata functions" and "Metadata visibility configuration", Microsoft Learn. Rows of
objects without permission are omitted, which is why names come from functions.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, groupby, islice, repeat
from operator import attrgetter

import pyodbc

from xml_extractor.connections import DatabaseError
from xml_extractor.documents import Value
from xml_extractor.schema.model import ActualColumn, ActualForeignKey, ActualRule, ActualTable, TableKind
from xml_extractor.schema.names import literal, t_sql_name, t_sql_table
from xml_extractor.targets.sqlserver.connection import SqlServerConnection
from xml_extractor.values.sqltypes import MAX, TYPES, Parameters, SqlType
from xml_extractor.values.times import FRACTION_DIGITS

_OBJECTS = """
SELECT object_id, SCHEMA_NAME(schema_id) AS schema_name, name, RTRIM(type) AS type
FROM sys.objects
WHERE object_id IN ({places}) AND type IN ('U', 'V', 'SN')
"""

_SYNONYMS = """
SELECT object_id, OBJECT_ID(base_object_name) AS base_id
FROM sys.synonyms
WHERE object_id IN ({places}) AND COALESCE(PARSENAME(base_object_name, 3), DB_NAME()) = DB_NAME()
    AND PARSENAME(base_object_name, 4) IS NULL AND OBJECT_ID(base_object_name) IS NOT NULL
"""
"""Synonyms of objects in this database."""

_COLUMNS = """
SELECT object_id, name, max_length, precision, scale, is_nullable, is_identity, is_computed, generated_always_type,
    default_object_id, system_type_id, user_type_id,
    CAST(COLLATIONPROPERTY(collation_name, 'CodePage') AS int) AS code_page, collation_name
FROM sys.columns
WHERE object_id IN ({places})
ORDER BY object_id, column_id
"""

_TYPES = "SELECT user_type_id, name, scale FROM sys.types"
"""A server that keeps fewer digits of a second than SQL Server has them as the scale of the type."""

_UNIQUE_INDEXES = """
SELECT i.object_id, i.index_id, i.name, i.is_primary_key, i.ignore_dup_key, i.has_filter,
    COL_NAME(c.object_id, c.column_id) AS column_name
FROM sys.indexes AS i
JOIN sys.index_columns AS c ON c.object_id = i.object_id AND c.index_id = i.index_id
WHERE i.object_id IN ({places}) AND i.is_unique = 1 AND i.is_disabled = 0 AND i.is_hypothetical = 0
    AND c.key_ordinal > 0
ORDER BY i.object_id, i.index_id, c.key_ordinal
"""

_CHECKS = """
SELECT parent_object_id AS object_id, name
FROM sys.check_constraints
WHERE parent_object_id IN ({places}) AND is_disabled = 0
ORDER BY parent_object_id, name
"""

_TRIGGERS = """
SELECT parent_id AS object_id, name
FROM sys.triggers
WHERE parent_id IN ({places}) AND is_disabled = 0
ORDER BY parent_id, name
"""

_FOREIGN_KEYS = """
SELECT f.parent_object_id AS object_id, f.object_id AS key_id,
    OBJECT_SCHEMA_NAME(f.referenced_object_id) AS schema_name, OBJECT_NAME(f.referenced_object_id) AS name,
    COL_NAME(c.parent_object_id, c.parent_column_id) AS column_name,
    COL_NAME(c.referenced_object_id, c.referenced_column_id) AS reference
FROM sys.foreign_keys AS f
JOIN sys.foreign_key_columns AS c ON c.constraint_object_id = f.object_id
WHERE f.parent_object_id IN ({places}) AND f.is_disabled = 0
ORDER BY f.parent_object_id, f.object_id, c.constraint_column_id
"""

_LACKING = """
SELECT wanted.number
FROM (VALUES {codes}) AS wanted (number, code)
WHERE NOT EXISTS (SELECT * FROM {table} AS there WHERE there.{column} = wanted.code)
"""

_KINDS: dict[str, TableKind] = {"U": "table", "V": "view"}
_MAY_NOT_READ = frozenset(("error_229", "error_230"))
_ROWVERSION = "timestamp"
"""The catalog's name of `rowversion`."""

_MOST_PARAMETERS = 2000
"""SQL Server allows 2,100 in a statement."""


def read_catalog(
    connection: SqlServerConnection, tables: Sequence[str], default_schema: str, *, with_rules: bool = True
) -> dict[str, ActualTable]:
    """Return the tables with these names, as statements of this connection would find them.

    Args:
        connection: Used for queries only.
        tables: Names of tables, views or synonyms, with schema or without.
        default_schema: Of names without one; empty for the login's.
        with_rules: Whether to read constraints and triggers, which matter to tables that are loaded.

    Returns:
        The tables by their requested names; without tables that are missing or invisible to this user.

    Raises:
        DatabaseError: The server cannot be reached, or rejects a query.
    """
    if not tables:
        return {}
    places = [f"OBJECT_ID({literal(t_sql_table(table, default_schema))})" for table in tables]
    ids, found = _read_objects(connection, places, with_rules=with_rules)
    synonyms = [str(object_id) for object_id, table in found.items() if table.kind == "elsewhere"]
    if synonyms:
        bases = dict(connection.results(_SYNONYMS.format(places=", ".join(synonyms)))[0])
        _, resolved = (
            _read_objects(connection, list(map(str, bases.values())), with_rules=with_rules) if bases else ((), {})
        )
        found |= {synonym: resolved[base] for synonym, base in bases.items() if base in resolved}
    return {table: found[object_id] for table, object_id in zip(tables, ids, strict=True) if object_id in found}


def missing_codes(
    connection: SqlServerConnection, key: ActualForeignKey, sql_type: SqlType, codes: Sequence[Value]
) -> Sequence[Value] | None:
    """Return the codes that are missing in the column that a foreign key references, by the server's comparison.

    Args:
        connection: Used for queries only.
        key: A foreign key of one column.
        sql_type: The type of the codes.
        codes: Not NULL.

    Returns:
        The missing codes; None if this user has no permission to read the table.

    Raises:
        DatabaseError: The server cannot be reached, or rejects the query for another reason.
    """
    table = ".".join(t_sql_name(part) for part in (key.schema, key.table))
    missing: list[Value] = []
    for first in range(0, len(codes), _MOST_PARAMETERS):
        some = codes[first : first + _MOST_PARAMETERS]
        values = ", ".join(f"({number}, CAST(? AS {sql_type}))" for number in range(len(some)))
        query = _LACKING.format(codes=values, table=table, column=t_sql_name(key.references[0]))
        try:
            numbers = list(connection.query(query, some, types=()))
        except DatabaseError as error:
            if error.code in _MAY_NOT_READ:
                return None
            raise
        missing += [some[number] for (number,) in sorted(numbers)]
    return missing


def _read_objects(
    connection: SqlServerConnection, objects: Sequence[str], *, with_rules: bool
) -> tuple[Sequence[int | None], dict[int, ActualTable]]:
    """Read objects by one statement, without parameters, which would take another round trip to prepare.

    Args:
        connection: Used for queries only.
        objects: Expressions of their ids.
        with_rules: Whether to read constraints and triggers.

    Returns:
        The ids, and the tables, views and synonyms among the objects.
    """
    queries = [_TYPES, _OBJECTS, _COLUMNS, _UNIQUE_INDEXES]
    if with_rules:
        queries += [_CHECKS, _TRIGGERS, _FOREIGN_KEYS]
    names = [f"@o{number}" for number in range(len(objects))]
    declared = ", ".join(f"{name} int = {each}" for name, each in zip(names, objects, strict=True))
    places = ", ".join(names)
    statement = f"DECLARE {declared}; SELECT {places}; {'; '.join(queries).format(places=places)}"
    [ids], of_types, found, *others = connection.results(statement)
    types = {row.user_type_id: row for row in of_types}
    columns, indexes, checks, triggers, foreign_keys = islice(chain(map(_by_object, others), repeat({})), 5)
    tables = {}
    for row in found:
        at, is_view = row.object_id, row.type == "V"
        tables[at] = _table(
            row,
            tuple(_column(column, _type_row(column, types), is_of_view=is_view) for column in columns.get(at, ())),
            indexes.get(at, ()),
            tuple(_foreign_keys(foreign_keys.get(at, ()))),
            (
                *(ActualRule("CHECK constraint", rule.name) for rule in checks.get(at, ())),
                *(ActualRule("trigger", rule.name) for rule in triggers.get(at, ())),
            ),
        )
    return tuple(ids), tables


def _by_object(rows: Sequence[pyodbc.Row]) -> dict[int, list[pyodbc.Row]]:
    return {object_id: list(group) for object_id, group in groupby(rows, attrgetter("object_id"))}


def _table(
    row: pyodbc.Row,
    columns: tuple[ActualColumn, ...],
    indexes: Sequence[pyodbc.Row],
    foreign_keys: tuple[ActualForeignKey, ...],
    rules: tuple[ActualRule, ...],
) -> ActualTable:
    kind = _KINDS.get(row.type, "elsewhere")
    keys = [list(group) for _, group in groupby(indexes, attrgetter("index_id"))]
    primary = [key for key in keys if key[0].is_primary_key]
    return ActualTable(
        name=row.name,
        columns=columns,
        key=_names(primary[0]) if primary else (),
        unique_keys=tuple(_names(key) for key in keys if key not in primary and not key[0].has_filter),
        rules=(*(_unique_index(key) for key in keys if key not in primary), *rules),
        foreign_keys=foreign_keys,
        schema=row.schema_name,
        kind=kind,
        drops_duplicates=any(key[0].ignore_dup_key for key in keys),
    )


def _unique_index(key: Sequence[pyodbc.Row]) -> ActualRule:
    kind = "filtered unique index" if key[0].has_filter else "unique index"
    return ActualRule(kind, key[0].name, _names(key))


def _names(key: Sequence[pyodbc.Row]) -> tuple[str, ...]:
    return tuple(row.column_name for row in key)


def _type_row(column: pyodbc.Row, types: Mapping[int, pyodbc.Row]) -> pyodbc.Row | None:
    """Return the type of a column: that behind an alias type; only CLR types have none."""
    return types.get(column.system_type_id) or types.get(column.user_type_id)


def _column(row: pyodbc.Row, type_row: pyodbc.Row | None, *, is_of_view: bool) -> ActualColumn:
    type_name = type_row.name if type_row else ""
    sql_type = _sql_type(row, type_row) if type_row else None
    is_rowversion = type_name == _ROWVERSION
    declared = "rowversion" if is_rowversion else str(sql_type or type_name or "a type of the user")
    is_period = bool(row.generated_always_type)
    return ActualColumn(
        name=row.name,
        type=sql_type,
        declared=f"the computed column {row.name}" if row.is_computed else declared,
        nullable=row.is_nullable,
        identity=None if is_of_view else row.is_identity,
        computed=row.is_computed or is_rowversion or is_period,
        has_default=bool(row.default_object_id),
        code_page=row.code_page,
        collation=row.collation_name or "",
    )


def _sql_type(row: pyodbc.Row, type_row: pyodbc.Row) -> SqlType | None:
    """Return the type of a column; None for types that a contract cannot name, such as `sql_variant`."""
    name, max_length = type_row.name, row.max_length
    if name not in TYPES:
        return None
    match TYPES[name].parameters:
        case Parameters.LENGTH | Parameters.LENGTH_OR_MAX:
            bytes_each = 2 if name.startswith("n") else 1
            return SqlType(name, length=MAX if max_length == MAX else max_length // bytes_each)
        case Parameters.PRECISION_SCALE:
            return SqlType(name, precision=row.precision, scale=row.scale)
        case Parameters.FRACTION:
            return SqlType(name, scale=FRACTION_DIGITS if row.scale == type_row.scale else row.scale)
        case Parameters.MANTISSA:
            return SqlType(name, precision=row.precision)
        case _:
            return SqlType(name)


def _foreign_keys(rows: Sequence[pyodbc.Row]) -> Iterator[ActualForeignKey]:
    for _, group in groupby(rows, attrgetter("key_id")):
        columns = list(group)
        yield ActualForeignKey(
            columns=tuple(row.column_name for row in columns),
            schema=columns[0].schema_name or "",
            table=columns[0].name or "",
            references=tuple(row.reference or "" for row in columns),
        )
