"""Names of tables and columns in SQL: splitting and quoting."""


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
