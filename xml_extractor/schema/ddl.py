"""DDL of a contract's tables and the processing log, for any dialect that SQLAlchemy knows and we have types for."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, ForeignKeyConstraint, Identity, MetaData, PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateTable
from sqlalchemy.sql.compiler import IdentifierPreparer
from sqlalchemy.types import UserDefinedType

from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.processing_log.log_table import CASE_SENSITIVE, LOG_TABLE
from xml_extractor.schema.dialects import dialect_named
from xml_extractor.schema.sqlite_types import storage
from xml_extractor.values.sqltypes import SqlType

NAMES = {"pk": "pk_%(table_name)s", "fk": "fk_%(table_name)s_%(referred_table_name)s", "uq": "uq_%(table_name)s"}


_T_SQL: IdentifierPreparer = dialect_named("mssql").identifier_preparer


class ScalarType(UserDefinedType[object]):
    """A SQL Server type in a dialect's words."""

    cache_ok = True

    def __init__(self, sql_type: SqlType, collation: str = "") -> None:
        self.sql_type = sql_type
        self.collation = collation

    def get_col_spec(self, **_options: Any) -> str:
        """The type in T-SQL."""
        return f"{self.sql_type} COLLATE {self.collation}" if self.collation else str(self.sql_type)


@compiles(ScalarType, "sqlite")
def _sqlite_type(scalar: ScalarType, _compiler: object, **_options: Any) -> str:
    return storage(scalar.sql_type).declared


def create_statements(tables: Sequence[TableLayout], dialect_name: str, default_schema: str = "") -> list[str]:
    """The statements that make what is missing: schemas, the processing log, and the tables, in this order.

    Args:
        tables: In load order.
        dialect_name: SQLAlchemy's name of the dialect, such as `sqlite` or `mssql`.
        default_schema: For the processing log, and for tables that the contract gives no schema; empty for the default
            of the database.
    """
    dialect = dialect_named(dialect_name)
    embedded = dialect_name == "sqlite"
    metadata = MetaData(naming_convention=NAMES, schema=default_schema or None)
    names = {layout.name: layout.table for layout in tables}
    made = [_table(metadata, layout, names, embedded=embedded) for layout in (LOG_TABLE, *tables)]
    quote = dialect.identifier_preparer.quote
    schemas = dict.fromkeys(quote(table.schema) for table in made if table.schema)
    return [
        *(f"IF SCHEMA_ID({literal(schema)}) IS NULL EXEC({literal(f'CREATE SCHEMA {schema}')})" for schema in schemas),
        *(_create_table(table, dialect, embedded=embedded) for table in made),
    ]


def needed_permissions(table: TableLayout) -> tuple[str, ...]:
    """What a run's user must be permitted on a table of SQL Server, in T-SQL's words."""
    if table is LOG_TABLE:
        return ("SELECT", "INSERT", "UPDATE", "DELETE")  # `retry` updates rows, and the next run replaces them
    return (
        "SELECT",
        "INSERT",
        *(("UPDATE",) if table.on_conflict == "replace" else ()),
        *(("ALTER",) if table.identity else ()),  # SET IDENTITY_INSERT needs it
    )


def grant_statements(tables: Sequence[TableLayout], source: str, user: str, default_schema: str = "") -> list[str]:
    """The statements that permit a user of SQL Server what runs need, and nothing else.

    Args:
        tables: The contract's tables.
        source: The table with documents. It may be in another database, so the statement about it can be run in both.
        user: The user of the database, or a role.
        default_schema: As for `create_statements`.
    """
    principal = t_sql_name(user)
    grants = [
        f"GRANT {', '.join(needed_permissions(table))} ON {t_sql_table(table.table, default_schema)} TO {principal}"
        for table in (LOG_TABLE, *tables)
    ]
    documents = t_sql_table(source, default_schema)
    return [*grants, f"IF OBJECT_ID({literal(documents)}) IS NOT NULL\nGRANT SELECT ON {documents} TO {principal}"]


def script(statements: Sequence[str], dialect_name: str) -> str:
    """Statements as the tools of a database run them from a file: for SQL Server each in a batch of its own."""
    end = ";\nGO\n" if dialect_name == "mssql" else ";\n"
    return "\n".join(f"{statement}{end}" for statement in statements)


def _create_table(table: Table, dialect: Dialect, *, embedded: bool) -> str:
    statement = str(CreateTable(table, if_not_exists=embedded).compile(dialect=dialect)).strip()
    statement = statement.replace(", \n", ",\n").replace("\n)\n ", "\n) ")
    if embedded:
        return statement
    return f"IF OBJECT_ID({literal(dialect.identifier_preparer.format_table(table))}) IS NULL\n{statement}"


def literal(text: str) -> str:
    """A text in T-SQL."""
    escaped = text.replace("'", "''")
    return f"N'{escaped}'"


def database_name(table: str, *, embedded: bool) -> tuple[str | None, str]:
    """The schema and the name of a table in the database. The embedded database has no schemas."""
    schema, _, name = table.rpartition(".")
    return (None if embedded else schema or None), name


def t_sql_name(name: str) -> str:
    """A name as T-SQL has it."""
    return _T_SQL.quote_identifier(name)


def t_sql_table(table: str, default_schema: str = "") -> str:
    """The name of a table as T-SQL has it, with its schema or else this one."""
    schema, name = database_name(table, embedded=False)
    return ".".join(t_sql_name(part) for part in (schema or default_schema, name) if part)


def _table(metadata: MetaData, layout: TableLayout, names: dict[str, str], *, embedded: bool) -> Table:
    schema, name = database_name(layout.table, embedded=embedded)
    columns = [_column(layout, column) for column in (*layout.columns, *layout.generated)]
    foreign_keys = [
        ForeignKeyConstraint(
            key.columns, [f"{_full_name(names[key.table], embedded=embedded)}.{column}" for column in key.references]
        )
        for key in layout.foreign_keys
    ]
    return Table(
        name,
        metadata,
        *columns,
        *_keys(layout, embedded=embedded),
        *foreign_keys,
        schema=schema,
        # A table without rowid saves the log an index, but takes twice the room and time for rows as wide as others'.
        sqlite_with_rowid=layout is not LOG_TABLE,
    )


def _full_name(table: str, *, embedded: bool) -> str:
    schema, name = database_name(table, embedded=embedded)
    return f"{schema}.{name}" if schema else name


def _column(layout: TableLayout, column: ColumnLayout) -> Column[object]:
    by_database = column.identity or column.generated
    collation = CASE_SENSITIVE if layout is LOG_TABLE and column.name in layout.key else ""
    scalar = ScalarType(column.type, collation)
    required = column.required or column.generated
    if by_database:
        return Column(column.name, scalar, Identity(), nullable=not required)
    return Column(column.name, scalar, nullable=not required, autoincrement=False)


def _keys(layout: TableLayout, *, embedded: bool) -> list[PrimaryKeyConstraint | UniqueConstraint]:
    """The primary key. SQLite generates values only for an INTEGER PRIMARY KEY, so there it is the generated column."""
    generated = tuple(column.name for column in layout.generated)
    if not embedded or not generated or generated == layout.key:
        return [PrimaryKeyConstraint(*layout.key)] if layout.key else []
    primary = PrimaryKeyConstraint(generated[0])
    return [primary, UniqueConstraint(*layout.key)] if layout.key else [primary]
