"""Read the catalog of SQL Server, by two statements for all tables.

Source: "Object catalog views", "Metadata functions" and "Metadata visibility configuration", Microsoft Learn. Rows of
objects without permission are omitted, which is why names come from functions and outer joins.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
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
SELECT wanted.number, COALESCE(base.object_id, found.object_id) AS object_id,
    SCHEMA_NAME(COALESCE(base.schema_id, found.schema_id)) AS schema_name, COALESCE(base.name, found.name) AS name,
    RTRIM(COALESCE(base.type, found.type)) AS type
FROM (VALUES {places}) AS wanted (number, object_id)
JOIN sys.objects AS found ON found.object_id = wanted.object_id
LEFT JOIN sys.synonyms AS synonym ON synonym.object_id = found.object_id
LEFT JOIN sys.objects AS base ON base.object_id = OBJECT_ID(synonym.base_object_name)
    AND COALESCE(PARSENAME(synonym.base_object_name, 3), DB_NAME()) = DB_NAME()
    AND PARSENAME(synonym.base_object_name, 4) IS NULL
WHERE found.type IN ('U', 'V', 'SN')
"""
"""A synonym is resolved, if its object is in this database."""

_COLUMNS = """
SELECT object_id, name, max_length, precision, scale, is_nullable, is_identity, is_computed, generated_always_type,
    default_object_id, COALESCE(TYPE_NAME(system_type_id), TYPE_NAME(user_type_id)) AS type,
    CAST(COLLATIONPROPERTY(collation_name, 'CodePage') AS int) AS code_page, collation_name,
    (SELECT t.scale FROM sys.types AS t WHERE t.user_type_id = sys.columns.system_type_id) AS most_digits
FROM sys.columns
WHERE object_id IN ({places})
ORDER BY object_id, column_id
"""
"""An alias type is resolved to its system type; only CLR types have none. A server that keeps fewer digits of a second
than SQL Server shows them for a column with seven."""

_UNIQUE_INDEXES = """
SELECT i.object_id, i.index_id, i.name, i.is_primary_key, i.ignore_dup_key, i.has_filter,
    COL_NAME(c.object_id, c.column_id) AS column_name
FROM sys.indexes AS i
JOIN sys.index_columns AS c ON c.object_id = i.object_id AND c.index_id = i.index_id
WHERE i.object_id IN ({places}) AND i.is_unique = 1 AND i.is_disabled = 0 AND i.is_hypothetical = 0
    AND c.key_ordinal > 0
ORDER BY i.object_id, i.index_id, c.key_ordinal
"""

_RULES = """
SELECT r.object_id, r.kind, r.name
FROM (
    SELECT parent_object_id AS object_id, N'CHECK constraint' AS kind, name
    FROM sys.check_constraints WHERE is_disabled = 0
    UNION ALL SELECT parent_id, N'trigger', name FROM sys.triggers WHERE is_disabled = 0
) AS r
WHERE r.object_id IN ({places})
ORDER BY r.object_id, r.kind, r.name
"""

_FOREIGN_KEYS = """
SELECT f.parent_object_id AS object_id, f.object_id AS key_id, SCHEMA_NAME(t.schema_id) AS schema_name, t.name,
    COL_NAME(c.parent_object_id, c.parent_column_id) AS column_name, r.name AS reference
FROM sys.foreign_keys AS f
JOIN sys.foreign_key_columns AS c ON c.constraint_object_id = f.object_id
LEFT JOIN sys.objects AS t ON t.object_id = f.referenced_object_id
LEFT JOIN sys.columns AS r ON r.object_id = c.referenced_object_id AND r.column_id = c.referenced_column_id
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


def read_catalog(connection: SqlServerConnection, tables: Sequence[str], default_schema: str) -> dict[str, ActualTable]:
    """Return the tables with these names, as statements of this connection would find them.

    Args:
        connection: Used for queries only.
        tables: Names of tables, views or synonyms, with schema or without.
        default_schema: Of names without one; empty for the login's.

    Returns:
        The tables by their requested names; without tables that are missing or invisible to this user.

    Raises:
        DatabaseError: The server cannot be reached, or rejects a query.
    """
    # Without parameters, which would take another round trip to unprepare the statement.
    places = ", ".join(
        f"({number}, OBJECT_ID({literal(t_sql_table(table, default_schema))}))" for number, table in enumerate(tables)
    )
    found = list(connection.query(_OBJECTS.format(places=places))) if places else []
    ids = sorted({row.object_id for row in found if row.type in _KINDS})
    columns, indexes, foreign_keys, rules = _rows_by_object(connection, ids)
    return {
        tables[row.number]: _table(
            row,
            columns[row.object_id],
            indexes[row.object_id],
            tuple(_foreign_keys(foreign_keys[row.object_id])),
            tuple(ActualRule(rule.kind, rule.name) for rule in rules[row.object_id]),
        )
        for row in found
    }


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


def _rows_by_object(connection: SqlServerConnection, ids: Sequence[int]) -> list[dict[int, list[pyodbc.Row]]]:
    """Return columns, unique indexes, foreign keys and rules by object."""
    queries = (_COLUMNS, _UNIQUE_INDEXES, _FOREIGN_KEYS, _RULES)
    found: list[dict[int, list[pyodbc.Row]]] = [defaultdict(list) for _ in queries]
    if ids:
        statement = "; ".join(queries).format(places=", ".join(map(str, ids)))
        for by_object, rows in zip(found, connection.results(statement), strict=True):
            for row in rows:
                by_object[row.object_id].append(row)
    return found


def _table(
    row: pyodbc.Row,
    columns: Sequence[pyodbc.Row],
    indexes: Sequence[pyodbc.Row],
    foreign_keys: tuple[ActualForeignKey, ...],
    rules: tuple[ActualRule, ...],
) -> ActualTable:
    kind = _KINDS.get(row.type, "elsewhere")
    keys = [list(group) for _, group in groupby(indexes, attrgetter("index_id"))]
    primary = [key for key in keys if key[0].is_primary_key]
    return ActualTable(
        name=row.name,
        columns=tuple(_column(column, is_of_view=kind == "view") for column in columns),
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


def _column(row: pyodbc.Row, *, is_of_view: bool) -> ActualColumn:
    sql_type = _sql_type(row)
    is_rowversion = row.type == _ROWVERSION
    declared = "rowversion" if is_rowversion else str(sql_type or row.type or "a type of the user")
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


def _sql_type(row: pyodbc.Row) -> SqlType | None:
    """Return the type of a column; None for types that a contract cannot name, such as `sql_variant`."""
    name, max_length = row.type or "", row.max_length
    if name not in TYPES:
        return None
    match TYPES[name].parameters:
        case Parameters.LENGTH | Parameters.LENGTH_OR_MAX:
            bytes_each = 2 if name.startswith("n") else 1
            return SqlType(name, length=MAX if max_length == MAX else max_length // bytes_each)
        case Parameters.PRECISION_SCALE:
            return SqlType(name, precision=row.precision, scale=row.scale)
        case Parameters.FRACTION:
            return SqlType(name, scale=FRACTION_DIGITS if row.scale == row.most_digits else row.scale)
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
