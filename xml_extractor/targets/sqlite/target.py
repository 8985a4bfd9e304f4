"""SQLite as a target: a file, no server, no driver; and its catalog.

A commit survives a crash of the program. If the machine loses power, the last commits may be lost (`PRAGMA synchronous
= NORMAL` in WAL mode), but always whole: a document's rows and its row in the log are lost together, so the next run
loads the document again.

A column of SQLite takes values of any type, and no column is an IDENTITY that would reject them. Source: "PRAGMA
Statements", sqlite.org.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import NamedTuple

from xml_extractor.connections import RowBinder, errors_end_the_run
from xml_extractor.contract.layout import TableLayout
from xml_extractor.contract.model import Contract
from xml_extractor.documents import Value
from xml_extractor.errors import TargetError
from xml_extractor.processing_log.log_table import ADDED_COLUMNS, log_table
from xml_extractor.processing_log.own_tables import own_tables
from xml_extractor.schema.comparison import differences, raise_errors
from xml_extractor.schema.model import ActualColumn, ActualForeignKey, ActualRule, ActualTable, Difference
from xml_extractor.schema.names import database_name, sqlite_name
from xml_extractor.settings import ChosenStrategy
from xml_extractor.targets.interfaces import Target, TargetConnection
from xml_extractor.targets.sqlite.connection import SqliteConnection, SqliteFile, quoted_table, row_binder, sqlite_file
from xml_extractor.targets.sqlite.values import storage
from xml_extractor.urls import URL
from xml_extractor.values.sqltypes import Family, SqlType

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


def open_target(url: URL, contract: Contract, /) -> "SqliteTarget":
    """Return the target that an address names.

    Raises:
        UsageError: The address is wrong.
    """
    return SqliteTarget(sqlite_file(url), has_revisions=contract.document.revision is not None)


@dataclass(frozen=True, slots=True)
class SqliteTarget(Target):
    """A SQLite file that documents are loaded into.

    Attributes:
        has_revisions: Whether documents are revisions of things.
    """

    file: SqliteFile
    has_revisions: bool = False

    is_embedded = True

    @property
    def name(self) -> str:
        """The address, which never holds a secret."""
        return self.file.name

    @property
    def log_table(self) -> TableLayout:
        """The processing log."""
        return log_table(self.file.log_table)

    def create_statements(self, tables: Sequence[TableLayout]) -> list[str]:
        """Return the statements that create missing tables and the processing log; each can be repeated."""
        from xml_extractor.schema.ddl import create_statements  # noqa: PLC0415 - imports SQLAlchemy

        return create_statements(tables, "sqlite", own=self._own_tables)

    def create(self, tables: Sequence[TableLayout]) -> None:
        """Create the file, missing tables and the processing log.

        Raises:
            TargetError: The database cannot be written.
        """
        with self._writing() as database:
            self._create(database, tables)

    def differences(self, tables: Sequence[TableLayout]) -> list[Difference]:
        """Return the differences between the tables and the needed ones, errors first. Nothing is created.

        Raises:
            TargetError: The file cannot be read.
        """
        if not self.file.path.exists():
            return differences((*self._own_tables, *tables), {}, dialect_name="sqlite")
        with self._errors_end_the_run(), closing(self.file.connect(read_only=True)) as database:
            return self._differences(database, tables)

    def prepare(self, tables: Sequence[TableLayout], _connection: TargetConnection | None = None) -> None:
        """Create the file, missing tables and the processing log; check that the tables fit.

        Raises:
            TargetError: A table does not fit, or the database cannot be written.
        """
        with self._writing() as database:
            wanted = {table.table for table in (*self._own_tables, *tables)}
            there = read_catalog(database, sorted(wanted))
            if len(there) < len(wanted):
                self._create(database, tables)
            else:
                _complete_log(database, self.log_table, there[self.log_table.table])
            raise_errors(self.name, self._differences(database, tables))

    def row_binders(self, tables: Sequence[TableLayout]) -> tuple[RowBinder, ...]:
        """Return the functions that bind the rows of each table."""
        return tuple(map(row_binder, tables))

    def connect(self, _strategy: ChosenStrategy = "executemany") -> SqliteConnection:
        """Open a connection.

        Raises:
            TargetError: It cannot be opened.
        """
        with self._errors_end_the_run():
            return self.file.connect()

    @property
    def _own_tables(self) -> tuple[TableLayout, ...]:
        return own_tables(self.log_table, has_revisions=self.has_revisions)

    @contextmanager
    def _writing(self) -> Iterator[SqliteConnection]:
        """Open a connection and a transaction; create the file if it is missing."""
        with self._errors_end_the_run(), closing(self.file.connect()) as database:
            database.switch_to_wal()
            with database.transaction():
                yield database

    def _create(self, database: SqliteConnection, tables: Sequence[TableLayout]) -> None:
        for statement in self.create_statements(tables):
            database.execute(statement)
        log = self.log_table
        _complete_log(database, log, read_catalog(database, [log.table])[log.table])

    def _differences(self, database: SqliteConnection, tables: Sequence[TableLayout]) -> list[Difference]:
        wanted = (*self._own_tables, *tables)
        actual = read_catalog(database, [table.table for table in wanted])
        return differences(wanted, actual, dialect_name="sqlite", missing_codes=partial(missing_codes, database))

    def _errors_end_the_run(self) -> AbstractContextManager[None]:
        tip = "stop other programs that write to it, and run the same command again"
        return errors_end_the_run(TargetError, f"{self.name} cannot be used", tip)


def _complete_log(database: SqliteConnection, log: TableLayout, there: ActualTable) -> None:
    """Add the columns that a log of an earlier version lacks; alter no table of another program."""
    names = {column.name for column in there.columns}
    if names >= {column.name for column in log.columns} - {column.name for column in ADDED_COLUMNS}:
        for column in ADDED_COLUMNS:
            if column.name not in names:
                kind = "TEXT" if column.type.family is Family.TEXT else "INTEGER"
                database.execute(f"ALTER TABLE {quoted_table(log.table)} ADD COLUMN {column.name} {kind}")
