"""DDL of a contract's tables and the processing log.

Other modules import this one only to create tables, because SQLAlchemy is slow to import.

Sources: "SQLite Keywords" and "Datatypes In SQLite", sqlite.org; "Reserved Keywords (Transact-SQL)", Microsoft Learn.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, ForeignKeyConstraint, Identity, MetaData, PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.dialects import registry
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateTable
from sqlalchemy.types import UserDefinedType

from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.processing_log.log_table import ADDED_COLUMNS, CASE_SENSITIVE
from xml_extractor.processing_log.own_tables import is_own, own_tables
from xml_extractor.schema.names import database_name, literal
from xml_extractor.schema.shared_tables import merged_tables
from xml_extractor.schema.type_fit import EXACT_DIGITS
from xml_extractor.values.sqltypes import Family, SqlType

NAMES = {"pk": "pk_%(table_name)s", "fk": "fk_%(table_name)s_%(referred_table_name)s", "uq": "uq_%(table_name)s"}
"""Names of constraints."""

_SQLITE_TYPES = {
    Family.BIT: "INTEGER",
    Family.INTEGER: "INTEGER",
    Family.FLOAT: "REAL",
    Family.BINARY: "BLOB",
}
"""Declared types of columns in SQLite, where they matter by their affinity; those of other families are TEXT."""

_RESERVED = {
    "sqlite": {"nothing", "returning"},
    "mssql": {
        "semantickeyphrasetable",
        "semanticsimilaritydetailstable",
        "semanticsimilaritytable",
        "try_convert",
        "within",
    },
}
"""Reserved words that SQLAlchemy does not know."""


def dialect_named(name: str) -> Dialect:
    """Return a dialect by SQLAlchemy's name, such as `sqlite` or `mssql`; its preparer quotes every reserved word."""
    dialect: Dialect = registry.load(name)()
    preparer = dialect.identifier_preparer
    preparer.reserved_words = preparer.reserved_words | _RESERVED.get(name, set())
    return dialect


class ScalarType(UserDefinedType[object]):
    """A SQL Server type, compiled for a dialect."""

    cache_ok = True

    def __init__(self, sql_type: SqlType, collation: str = "") -> None:
        self.sql_type = sql_type
        self.collation = collation

    def get_col_spec(self, **_options: Any) -> str:
        """Return the type in T-SQL."""
        return f"{self.sql_type} COLLATE {self.collation}" if self.collation else str(self.sql_type)


@compiles(ScalarType, "sqlite")
def _sqlite_type(scalar: ScalarType, _compiler: object, **_options: Any) -> str:
    sql_type = scalar.sql_type
    if sql_type.family is Family.DECIMAL and sql_type.precision <= EXACT_DIGITS:
        return f"DECIMAL({sql_type.precision}, {sql_type.scale})"
    return _SQLITE_TYPES.get(sql_type.family, "TEXT")


def create_statements(
    tables: Sequence[TableLayout],
    dialect_name: str,
    default_schema: str = "",
    own: Sequence[TableLayout] = own_tables(),
) -> list[str]:
    """Return the statements that create what is missing: schemas, the program's own tables and the contract's.

    Args:
        tables: In load order.
        dialect_name: SQLAlchemy's name of the dialect, such as `sqlite` or `mssql`.
        default_schema: Schema of the processing log and of tables without a schema in the contract; empty for the
            default of the database.
        own: The processing log, which comes first, and the tables beside it.

    Raises:
        UsageError: The database has no schemas, and tables of different schemas would become one.
    """
    dialect = dialect_named(dialect_name)
    embedded = dialect_name == "sqlite"
    metadata = MetaData(naming_convention=NAMES, schema=default_schema or None)
    names = {layout.name: layout.table for layout in tables}
    merged = merged_tables(tables, embedded=embedded, default_schema=default_schema)
    defined = [_table(metadata, layout, names, embedded=embedded) for layout in (*own, *merged)]
    quote = dialect.identifier_preparer.quote
    schemas = dict.fromkeys(quote(table.schema) for table in defined if table.schema)
    return [
        *(f"IF SCHEMA_ID({literal(schema)}) IS NULL EXEC({literal(f'CREATE SCHEMA {schema}')})" for schema in schemas),
        _create_table(defined[0], dialect, embedded=embedded)
        + ("" if embedded else _complete_log(defined[0], dialect)),
        *(_create_table(table, dialect, embedded=embedded) for table in defined[1:]),
    ]


def _complete_log(log: Table, dialect: Dialect) -> str:
    """Return what adds the columns that a log of an earlier version lacks; it alters no table of other programs."""
    name = dialect.identifier_preparer.format_table(log)
    has = f"COL_LENGTH({literal(name)}, '{{}}')".format
    added = "\n".join(
        f"IF {has(column.name)} IS NULL ALTER TABLE {name} ADD {column.name} {column.type} NULL"
        for column in ADDED_COLUMNS
    )
    return f"\nELSE IF {has('content_hash')} IS NOT NULL\nBEGIN\n{added}\nEND"


def _create_table(table: Table, dialect: Dialect, *, embedded: bool) -> str:
    statement = str(CreateTable(table, if_not_exists=embedded).compile(dialect=dialect)).strip()
    statement = statement.replace(", \n", ",\n").replace("\n)\n ", "\n) ")
    if embedded:
        return statement
    return f"IF OBJECT_ID({literal(dialect.identifier_preparer.format_table(table))}) IS NULL\n{statement}"


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
        # Without rowid, they need no separate index; wide rows of other tables would take twice the space and time.
        sqlite_with_rowid=not is_own(layout),
    )


def _full_name(table: str, *, embedded: bool) -> str:
    schema, name = database_name(table, embedded=embedded)
    return f"{schema}.{name}" if schema else name


def _column(layout: TableLayout, column: ColumnLayout) -> Column[object]:
    by_database = column.identity or column.generated
    collation = CASE_SENSITIVE if is_own(layout) and column.name in layout.key else ""
    scalar = ScalarType(column.type, collation)
    required = column.required or column.generated
    if by_database:
        return Column(column.name, scalar, Identity(), nullable=not required)
    return Column(column.name, scalar, nullable=not required, autoincrement=False)


def _keys(layout: TableLayout, *, embedded: bool) -> list[PrimaryKeyConstraint | UniqueConstraint]:
    """Return the keys. In SQLite a generated column becomes the key: only an INTEGER PRIMARY KEY gets its values."""
    generated = tuple(column.name for column in layout.generated)
    if not embedded or not generated or generated == layout.key:
        return [PrimaryKeyConstraint(*layout.key)] if layout.key else []
    primary = PrimaryKeyConstraint(generated[0])
    return [primary, UniqueConstraint(*layout.key)] if layout.key else [primary]


def type_name(sql_type: SqlType, dialect: Dialect) -> str:
    """Return a type as it is declared in a dialect."""
    return str(ScalarType(sql_type).compile(dialect=dialect))
