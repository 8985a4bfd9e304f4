"""DDL of a contract's tables and the processing log.

Source: "Datatypes In SQLite", sqlite.org.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.processing_log.log_table import ADDED_COLUMNS, CASE_SENSITIVE
from xml_extractor.processing_log.own_tables import is_own, own_tables
from xml_extractor.schema.names import database_name, literal, name_to_read
from xml_extractor.schema.shared_tables import merged_tables
from xml_extractor.schema.type_fit import EXACT_DIGITS
from xml_extractor.values.sqltypes import Family, SqlType

LONGEST_NAME = 128
"""Characters of a name in SQL Server. Source: "Database Identifiers", Microsoft Learn."""

_SQLITE_TYPES = {
    Family.BIT: "INTEGER",
    Family.INTEGER: "INTEGER",
    Family.FLOAT: "REAL",
    Family.BINARY: "BLOB",
}
"""Declared types of columns in SQLite, where they matter by their affinity; those of other families are TEXT."""


def create_statements(
    tables: Sequence[TableLayout],
    dialect_name: str,
    default_schema: str = "",
    own: Sequence[TableLayout] = own_tables(),
) -> list[str]:
    """Return the statements that create what is missing: schemas, the program's own tables and the contract's.

    Args:
        tables: In load order.
        dialect_name: `sqlite` or `mssql`.
        default_schema: Schema of the processing log and of tables without a schema in the contract; empty for the
            default of the database.
        own: The processing log, which comes first, and the tables beside it.

    Raises:
        UsageError: The database has no schemas, and tables of different schemas would become one.
    """
    embedded = dialect_name == "sqlite"
    names = {layout.name: layout.table for layout in tables}
    ddl = _Ddl(dialect_name, embedded, default_schema, names)
    log, *others = (*own, *merged_tables(tables, embedded=embedded, default_schema=default_schema))
    schemas = dict.fromkeys(map(ddl.name, filter(None, (ddl.schema(table.table) for table in (log, *others)))))
    return [
        *(f"IF SCHEMA_ID({literal(schema)}) IS NULL EXEC({literal(f'CREATE SCHEMA {schema}')})" for schema in schemas),
        ddl.create_table(log) + ("" if embedded else ddl.complete_log(log)),
        *map(ddl.create_table, others),
    ]


def type_name(sql_type: SqlType, dialect_name: str) -> str:
    """Return a type as it is declared in a dialect."""
    if dialect_name != "sqlite":
        return str(sql_type)
    if sql_type.family is Family.DECIMAL and sql_type.precision <= EXACT_DIGITS:
        return f"DECIMAL({sql_type.precision}, {sql_type.scale})"
    return _SQLITE_TYPES.get(sql_type.family, "TEXT")


@dataclass(frozen=True, slots=True)
class _Ddl:
    """Writes statements in a dialect.

    Attributes:
        dialect_name: `sqlite` or `mssql`.
        embedded: Whether it is SQLite.
        default_schema: Schema of tables without one.
        names: Tables of the database by the names of the contract.
    """

    dialect_name: str
    embedded: bool
    default_schema: str
    names: Mapping[str, str]

    def name(self, name: str) -> str:
        return name_to_read(name, self.dialect_name)

    def list(self, names: Iterable[str]) -> str:
        return f"({', '.join(map(self.name, names))})"

    def schema(self, table: str) -> str:
        return database_name(table, embedded=self.embedded)[0] or self.default_schema

    def table(self, table: str) -> str:
        return ".".join(map(self.name, filter(None, (self.schema(table), self._last_name(table)))))

    def create_table(self, layout: TableLayout) -> str:
        table = self.table(layout.table)
        key, unique = self._keys(layout)
        columns = (self._column(layout, column, key) for column in (*layout.columns, *layout.generated))
        parts = ",\n\t".join((*columns, *self._constraints(layout, key, unique)))
        if not self.embedded:
            return f"IF OBJECT_ID({literal(table)}) IS NULL\nCREATE TABLE {table} (\n\t{parts}\n)"
        # Without rowid, they need no separate index; wide rows of other tables would take twice the space and time.
        end = " WITHOUT ROWID" if is_own(layout) else ""
        return f"CREATE TABLE IF NOT EXISTS {table} (\n\t{parts}\n){end}"

    def complete_log(self, log: TableLayout) -> str:
        """Return what adds the columns that a log of an earlier version lacks; it alters no table of other programs."""
        name = self.table(log.table)
        has = f"COL_LENGTH({literal(name)}, '{{}}')".format
        added = "\n".join(
            f"IF {has(column.name)} IS NULL ALTER TABLE {name} ADD {column.name} {column.type} NULL"
            for column in ADDED_COLUMNS
        )
        return f"\nELSE IF {has('content_hash')} IS NOT NULL\nBEGIN\n{added}\nEND"

    def _last_name(self, table: str) -> str:
        return database_name(table, embedded=self.embedded)[1]

    def _column(self, layout: TableLayout, column: ColumnLayout, key: Sequence[str]) -> str:
        definition = f"{self.name(column.name)} {type_name(column.type, self.dialect_name)}"
        required = column.required or column.generated
        if self.embedded:
            return f"{definition} NOT NULL" if required else definition
        if is_own(layout) and column.name in layout.key:
            definition += f" COLLATE {CASE_SENSITIVE}"
        if column.identity or column.generated:
            return f"{definition} NOT NULL IDENTITY"
        return f"{definition} {'NOT NULL' if required or column.name in key else 'NULL'}"

    def _keys(self, layout: TableLayout) -> tuple[Sequence[str], Sequence[str]]:
        """Return the columns of the primary key, and those of a unique one beside it.

        In SQLite a generated column becomes the key: only an INTEGER PRIMARY KEY gets its values.
        """
        generated = tuple(column.name for column in layout.generated)
        if not self.embedded or not generated or generated == layout.key:
            return layout.key, ()
        return generated[:1], layout.key

    def _constraints(self, layout: TableLayout, key: Sequence[str], unique: Sequence[str]) -> Iterator[str]:
        table = self._last_name(layout.table)
        if key:
            yield f"{self._constraint(f'pk_{table}')} PRIMARY KEY {self.list(key)}"
        for foreign_key in layout.foreign_keys:
            parent = self.names[foreign_key.table]
            references = f"REFERENCES {self.table(parent)} {self.list(foreign_key.references)}"
            name = self._constraint(f"fk_{table}_{self._last_name(parent)}")
            yield f"{name} FOREIGN KEY{self.list(foreign_key.columns)} {references}"
        if unique:
            yield f"{self._constraint(f'uq_{table}')} UNIQUE {self.list(unique)}"

    def _constraint(self, name: str) -> str:
        """Return the start of a constraint; a name that is too long ends with digits of its hash."""
        if len(name) > LONGEST_NAME and not self.embedded:
            digits = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()[-4:]
            name = f"{name[: LONGEST_NAME - 8]}_{digits}"
        return f"CONSTRAINT {self.name(name)}"
