"""Names of tables and columns in SQL: splitting and quoting.

Sources: "SQLite Keywords", sqlite.org; "Reserved Keywords (Transact-SQL)", Microsoft Learn.
"""

import re

_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_$]*")

_RESERVED_BY_BOTH = """
    add all alter and as asc begin between by cascade case check collate column commit constraint create
    cross current_date current_time current_timestamp database default delete desc distinct drop else end
    escape except exists for foreign from full group having if in index inner insert intersect into is join
    key left like not null of on or order outer plan primary references restrict right rollback select set
    table then to transaction trigger union unique update values view when where
"""
_RESERVED_BY_SQLITE = """
    after analyze attach autoincrement before cast conflict deferrable deferred detach each exclusive
    explain fail false glob ignore immediate indexed initially instead isnull limit match natural nothing
    notnull offset pragma query raise reindex rename replace returning row temp temporary true using vacuum
    virtual
"""
_RESERVED_BY_T_SQL = """
    any authorization backup break browse bulk checkpoint close clustered coalesce compute contains
    containstable continue convert current current_user cursor dbcc deallocate declare deny disk distributed
    double dump errlvl exec execute exit external fetch file fillfactor freetext freetexttable function goto
    grant holdlock identity identity_insert identitycol kill lineno load merge national nocheck nonclustered
    nullif off offsets open opendatasource openquery openrowset openxml option over percent pivot precision
    print proc procedure public raiserror read readtext reconfigure replication restore return revert revoke
    rowcount rowguidcol rule save schema securityaudit semantickeyphrasetable semanticsimilaritydetailstable
    semanticsimilaritytable session_user setuser shutdown some statistics system_user tablesample textsize
    top tran truncate try_convert tsequal unpivot updatetext use user varying waitfor while with within
    writetext
"""
_RESERVED_WORDS = {
    "sqlite": frozenset(f"{_RESERVED_BY_BOTH} {_RESERVED_BY_SQLITE}".split()),
    "mssql": frozenset(f"{_RESERVED_BY_BOTH} {_RESERVED_BY_T_SQL}".split()),
}


def literal(text: str) -> str:
    """Return a text as a literal of T-SQL."""
    escaped = text.replace("'", "''")
    return f"N'{escaped}'"


def database_name(table: str, *, embedded: bool) -> tuple[str | None, str]:
    """Split a table name into schema and name. The embedded database has no schemas."""
    schema, _, name = table.rpartition(".")
    return (None if embedded else schema or None), name


def t_sql_name(name: str) -> str:
    """Quote a name for T-SQL."""
    return f"[{name.replace(']', ']]')}]"


def t_sql_table(table: str, default_schema: str = "") -> str:
    """Quote the name of a table for T-SQL, with its schema or else `default_schema`."""
    schema, name = database_name(table, embedded=False)
    return ".".join(t_sql_name(part) for part in (schema or default_schema, name) if part)


def sqlite_name(name: str) -> str:
    """Quote a name for SQLite, in backticks: in double quotes, SQLite reads the name of an unknown column as a text."""
    return f"`{name.replace('`', '``')}`"


def name_to_read(name: str, dialect_name: str) -> str:
    """Quote a name in statements that people read: only if it is not plain or is a reserved word.

    Args:
        name: The name.
        dialect_name: `sqlite` or `mssql`.
    """
    if _PLAIN_NAME.fullmatch(name) and name not in _RESERVED_WORDS[dialect_name]:
        return name
    escaped = name.replace('"', '""')
    return f'"{escaped}"' if dialect_name == "sqlite" else t_sql_name(name)
