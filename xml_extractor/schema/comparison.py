"""Compare the tables that a contract needs with those of the database, as its catalog describes them."""

import codecs
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from xml_extractor.contract.faults import shown
from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.documents import Value
from xml_extractor.errors import TablesError, TargetError
from xml_extractor.processing_log.own_tables import identifying_columns, is_own, title_of
from xml_extractor.schema.model import ActualColumn, ActualForeignKey, ActualTable, Difference, Severity
from xml_extractor.schema.rules import rules_beside_the_contract
from xml_extractor.schema.shared_tables import with_common_foreign_keys
from xml_extractor.schema.type_fit import CODE_PAGE_TYPES, affinity_misfit, misfit
from xml_extractor.values.sqltypes import SqlType

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

A_TABLE, NO_TABLE, NO_VISIBLE_TABLE = "a table", "none", "none that this user can see"
"""`Difference.needed` and `Difference.found` of a missing table; a server hides tables without permission."""

NO_COLUMN = "none"
"""`Difference.found` of a missing column."""

MOST_CODES = 10
"""Codes that a difference lists at most."""

_OTHER_FILE = "load into a new file"
_UTF_8 = 65001
"""SQL Server's code page of UTF-8."""

MissingCodes = Callable[[ActualForeignKey, SqlType, Sequence[Value]], Sequence[Value] | None]
"""Returns which of these values of a type are missing in the column that a foreign key references.

None if this user has no permission to read it.
"""


def differences(
    tables: Sequence[TableLayout],
    actual: Mapping[str, ActualTable],
    *,
    dialect_name: str,
    code_page: str = "",
    missing_codes: MissingCodes | None = None,
) -> list[Difference]:
    """Return the differences between the tables of a database and those that a contract needs, errors first.

    Args:
        tables: In load order; includes the processing log if it is to be compared.
        actual: The existing tables, by `TableLayout.table`.
        dialect_name: SQLAlchemy's name of the dialect of remedies, such as `sqlite` or `mssql`.
        code_page: The code page of the contract; empty to skip code pages.
        missing_codes: Finds the constants of the contract that lookup tables lack; None to skip them.
    """
    tables = with_common_foreign_keys(tables, embedded=dialect_name == "sqlite")
    context = _Context(tables, actual, _Remedies(dialect_name), code_page, missing_codes)
    found = [difference for table in tables for difference in _of_table(table, context)]
    return sorted(found, key=lambda difference: difference.severity is not Severity.ERROR)


def raise_errors(name: str, found: Sequence[Difference]) -> None:
    """Check that no difference is an error.

    Args:
        name: Name of the target for messages.
        found: The differences.

    Raises:
        TargetError: Some are. The message lists them, one per line; missing tables alone are listed in one line.
    """
    errors = [difference for difference in found if difference.severity is Severity.ERROR]
    if not errors:
        return
    if all(error.found == NO_VISIBLE_TABLE for error in errors):
        tables = ", ".join(error.database_table for error in errors)
        tip = "create them with `xml-extractor init`, or, if they exist, grant this user permissions on them"
        raise TargetError(f"{name} lacks these tables, or this user has no permission on them: {tables}", tip)
    tip = "change the tables or the contract as described; `xml-extractor init --sql` prints the tables that are needed"
    raise TablesError("\n".join((f"the tables of {name} do not fit the contract", *map(str, errors))), tip)


class _Remedies:
    """How to fix differences, in the dialect of the database. A run creates the missing tables of SQLite files."""

    def __init__(self, dialect_name: str) -> None:
        self._dialect_name = dialect_name
        self.creates_tables = dialect_name == "sqlite"

    @cached_property
    def _dialect(self) -> "Dialect":
        from xml_extractor.schema.ddl import dialect_named  # noqa: PLC0415 - imports SQLAlchemy

        return dialect_named(self._dialect_name)

    def name(self, *parts: str) -> str:
        """Quote a name and its schema."""
        return ".".join(self._dialect.identifier_preparer.quote(part) for part in parts if part)

    def names(self, columns: Sequence[str]) -> str:
        """Quote columns and put them in parentheses."""
        return f"({', '.join(map(self.name, columns))})"

    def create_table(self) -> str:
        if self.creates_tables:
            return "the next run creates it"
        return "create it with `xml-extractor init`, or, if it exists, grant this user permissions on it"

    def add_column(self, table: str, column: ColumnLayout) -> str:
        by_database = column.identity or column.generated
        if by_database and self.creates_tables:
            return _OTHER_FILE
        definition = f"{self._type(column)} {'NOT NULL IDENTITY' if by_database else 'NULL'}"
        return f"ALTER TABLE {table} ADD {self.name(column.name)} {definition}"

    def change_type(self, table: str, column: ColumnLayout, *, nullable: bool) -> str:
        return self._alter(table, column, nullable=nullable)

    def allow_null(self, table: str, column: ColumnLayout) -> str:
        in_contract = "set `required: true` or a `default` in the contract"
        return in_contract if self.creates_tables else f"{in_contract}, or {self._alter(table, column, nullable=True)}"

    def add_key(self, table: str, columns: Sequence[str], *, has_primary: bool) -> str:
        if has_primary or self.creates_tables:
            index = self.name(f"ux_{table.rpartition('.')[2].strip('[]')}_key")
            return f"CREATE UNIQUE INDEX {index} ON {table} {self.names(columns)}"
        return f"ALTER TABLE {table} ADD PRIMARY KEY {self.names(columns)}"

    def add_foreign_key(self, table: str, foreign_key: str) -> str:
        return _OTHER_FILE if self.creates_tables else f"ALTER TABLE {table} ADD {foreign_key}"

    def _alter(self, table: str, column: ColumnLayout, *, nullable: bool) -> str:
        null = "NULL" if nullable else "NOT NULL"
        return f"ALTER TABLE {table} ALTER COLUMN {self.name(column.name)} {self._type(column)} {null}"

    def _type(self, column: ColumnLayout) -> str:
        from xml_extractor.schema.ddl import type_name  # noqa: PLC0415 - imports SQLAlchemy

        return type_name(column.type, self._dialect)


@dataclass(frozen=True, slots=True)
class _Context:
    """What the comparison of each table shares."""

    tables: Sequence[TableLayout]
    actual: Mapping[str, ActualTable]
    remedies: _Remedies
    code_page: str
    missing_codes: MissingCodes | None

    def position(self, key: ActualForeignKey) -> int | None:
        """Return the position in load order of the table that a key references; None if the contract has none."""
        wanted = (key.schema.casefold(), key.table.casefold())
        for position, layout in enumerate(self.tables):
            there = self.actual.get(layout.table)
            if there is not None and (there.schema.casefold(), there.name.casefold()) == wanted:
                return position
        return None


@dataclass(frozen=True, slots=True)
class _Pair:
    """A table of the contract and its counterpart in the database."""

    layout: TableLayout
    actual: ActualTable
    context: _Context

    @property
    def name(self) -> str:
        """The quoted name of the table in the database."""
        return self.context.remedies.name(self.actual.schema, self.actual.name)

    def error(self, column: str, needed: str, found: str, remedy: str) -> Difference:
        return self._difference(Severity.ERROR, column, needed, found, remedy)

    def warning(self, column: str, needed: str, found: str, remedy: str) -> Difference:
        return self._difference(Severity.WARNING, column, needed, found, remedy)

    def _difference(self, severity: Severity, column: str, needed: str, found: str, remedy: str) -> Difference:
        name = ".".join(part for part in (self.actual.schema, self.actual.name) if part)
        return Difference(severity, self.layout.name, name, column, needed, found, remedy)


def _of_table(layout: TableLayout, context: _Context) -> Iterator[Difference]:
    there = context.actual.get(layout.table)
    if there is None:
        severity = Severity.WARNING if context.remedies.creates_tables else Severity.ERROR
        remedy = context.remedies.create_table()
        found = NO_TABLE if context.remedies.creates_tables else NO_VISIBLE_TABLE
        yield Difference(severity, layout.name, layout.table, "", A_TABLE, found, remedy)
        return
    pair = _Pair(layout, there, context)
    if there.kind != "table":
        yield _invisible(pair)
    if there.kind == "elsewhere":
        return
    columns = {column.name.casefold(): column for column in there.columns}
    if is_own(layout) and not columns.keys() >= identifying_columns(layout):
        # No advice to alter it: it is somebody else's.
        found, remedy = "a table of another program", "name another table with --log-table"
        yield pair.error("", title_of(layout), found, remedy)
        return
    for column in (*layout.columns, *layout.generated):
        yield from _of_column(pair, column, columns.get(column.name.casefold()))
    yield from _unfilled(pair)
    if there.kind == "table":
        yield from _keys(pair)
        yield from _foreign_keys(pair)
        yield from _load_order(pair)
        yield from _codes(pair)
        yield from _rules(pair)


def _invisible(pair: _Pair) -> Difference:
    if pair.actual.kind == "view":
        found = "a view, whose keys, defaults and IDENTITY columns are not visible"
        return pair.warning("", A_TABLE, found, "compare the underlying table with the contract yourself")
    found = "a synonym for an object of another database"
    return pair.warning("", A_TABLE, found, "compare it with the contract yourself")


def _of_column(pair: _Pair, needed: ColumnLayout, there: ActualColumn | None) -> Iterator[Difference]:
    if there is None:
        what = "an IDENTITY column" if needed.identity or needed.generated else "a column"
        remedy = pair.context.remedies.add_column(pair.name, needed)
        yield pair.error(needed.name, f"{what} of type {needed.type}", NO_COLUMN, remedy)
    elif needed.generated:
        yield from _generated(pair, needed, there)
    elif there.computed:
        found = f"{there.declared or 'a computed column'}, which only the database writes"
        yield pair.error(needed.name, "a writable column", found, "remove it from the contract")
    else:
        yield from _identity(pair, needed, there)
        yield from _type(pair, needed, there)
        yield from _code_page(pair, needed, there)
        if needed.can_be_null and not needed.required and not there.nullable:
            found = "NOT NULL, so documents without a value are rejected"
            remedy = pair.context.remedies.allow_null(pair.name, needed)
            yield pair.warning(needed.name, "a nullable column", found, remedy)


def _generated(pair: _Pair, needed: ColumnLayout, there: ActualColumn) -> Iterator[Difference]:
    if not there.identity and not there.has_default and not there.computed and pair.actual.kind == "table":
        found = f"{there.declared or 'a column'} without IDENTITY or default"
        remedy = "give it a value in the contract instead of `generated: true`"
        yield pair.error(needed.name, "a column that the database fills", found, remedy)


def _identity(pair: _Pair, needed: ColumnLayout, there: ActualColumn) -> Iterator[Difference]:
    if there.identity and not needed.identity:
        generated = "unless other tables take its value, let the database generate it with `generated: true`"
        remedy = f"set `identity: true` in the contract; or, {generated}"
        yield pair.error(needed.name, "a column that the contract can fill", "IDENTITY", remedy)
    elif needed.identity and there.identity is False:
        remedy = "remove `identity: true` from the contract"
        yield pair.error(needed.name, "an IDENTITY column", "a column without IDENTITY", remedy)


def _type(pair: _Pair, needed: ColumnLayout, there: ActualColumn) -> Iterator[Difference]:
    if not pair.actual.typed:
        if (unfit := affinity_misfit(needed.type, there.declared)) is not None:
            report = pair.error if unfit.severity is Severity.ERROR else pair.warning
            yield report(needed.name, str(needed.type), f"{there.declared}, {unfit.reason}", _OTHER_FILE)
        return
    if there.type is None:
        found = f"{there.declared}, a type that cannot be compared"
        yield pair.warning(
            needed.name, str(needed.type), found, "test with a few documents whether it takes the values"
        )
        return
    unfit = misfit(needed.type, there.type)
    if unfit is not None:
        in_contract = f"set `type: {there.type}` in the contract"
        alter = pair.context.remedies.change_type(pair.name, needed, nullable=there.nullable)
        remedy = f"{alter}, or {in_contract}" if pair.actual.kind == "table" else in_contract
        found = f"{there.type}, {unfit.reason}"
        report = pair.error if unfit.severity is Severity.ERROR else pair.warning
        yield report(needed.name, str(needed.type), found, remedy)


def _code_page(pair: _Pair, needed: ColumnLayout, there: ActualColumn) -> Iterator[Difference]:
    is_ascii = is_own(pair.layout)
    if not pair.context.code_page or not there.code_page or is_ascii or needed.type.name not in CODE_PAGE_TYPES:
        return
    if there.type is not None and there.type.name not in CODE_PAGE_TYPES:
        return
    name = "utf-8" if there.code_page == _UTF_8 else f"cp{there.code_page}"
    if _codec(name) != _codec(pair.context.code_page):
        remedy = f"set `code_page: {name}` in the contract, or give the column a collation with the other code page"
        yield pair.error(needed.name, f"the code page {pair.context.code_page}", name, remedy)


def _codec(name: str) -> str:
    """Return the canonical name of a code page."""
    try:
        return codecs.lookup(name).name
    except LookupError:
        return name


def _unfilled(pair: _Pair) -> Iterator[Difference]:
    known = _folded(column.name for column in (*pair.layout.columns, *pair.layout.generated))
    for column in pair.actual.columns:
        by_database = column.nullable or column.identity or column.computed or column.has_default
        if by_database or column.name.casefold() in known:
            continue
        found = f"{column.declared} NOT NULL without a default".lstrip()
        remedy = "fill it in the contract, or add a default in the database"
        report = pair.error if pair.actual.kind == "table" else pair.warning
        yield report(column.name, "a column that can be omitted", found, remedy)


def _keys(pair: _Pair) -> Iterator[Difference]:
    there, wanted, remedies = pair.actual, pair.layout.key, pair.context.remedies
    keys = [key for key in (there.key, *there.unique_keys) if key]
    if wanted and _folded(wanted) not in map(_folded, keys):
        listed = [f"{'PRIMARY KEY' if key is there.key else 'UNIQUE'} {remedies.names(key)}" for key in keys]
        remedy = remedies.add_key(pair.name, wanted, has_primary=bool(there.key))
        needed = f"a primary key or unique index over {remedies.names(wanted)} and no other column"
        # Without it, existing rows would be neither kept nor replaced, and a document could be loaded twice.
        is_relied_on = pair.layout.on_conflict != "fail" or is_own(pair.layout)
        report = pair.error if is_relied_on else pair.warning
        yield report("", needed, ", ".join(listed) or "none", remedy)
    if there.drops_duplicates and pair.layout.on_conflict != "keep":
        remedy = "rebuild the index with IGNORE_DUP_KEY = OFF"
        found = "one with IGNORE_DUP_KEY = ON, which drops them without an error"
        yield pair.error("", "unique indexes that reject duplicate rows", found, remedy)


def _foreign_keys(pair: _Pair) -> Iterator[Difference]:
    """Report foreign keys of the contract that the database does not enforce."""
    context, remedies = pair.context, pair.context.remedies
    names = {layout.name: layout.table for layout in context.tables}
    for key in pair.layout.foreign_keys:
        parent = context.actual.get(names[key.table])
        if parent is None or parent.kind != "table":
            continue
        wanted, place = _pairs(key.columns, key.references), _folded((parent.schema, parent.name))
        there = (other for other in pair.actual.foreign_keys if _folded((other.schema, other.table)) == place)
        if all(_pairs(other.columns, other.references) != wanted for other in there):
            references = f"{remedies.name(parent.schema, parent.name)} {remedies.names(key.references)}"
            foreign_key = f"FOREIGN KEY {remedies.names(key.columns)} REFERENCES {references}"
            remedy = remedies.add_foreign_key(pair.name, foreign_key)
            yield pair.warning("", foreign_key, "none, so rows without a parent are accepted", remedy)


def _load_order(pair: _Pair) -> Iterator[Difference]:
    """Report foreign keys of the database that reference tables that are loaded later."""
    context, remedies = pair.context, pair.context.remedies
    filled = _folded(column.name for column in pair.layout.columns)
    own = [layout.name for layout in context.tables].index(pair.layout.name)
    for key in pair.actual.foreign_keys:
        position = context.position(key)
        if position is None or position <= own or not _folded(key.columns) <= filled:
            continue
        later = context.tables[position].name
        found = f"FOREIGN KEY {remedies.names(key.columns)} REFERENCES {remedies.name(key.schema, key.table)}"
        remedy = f"move table {later} before table {pair.layout.name} in the contract"
        yield pair.error(", ".join(key.columns), "no reference to a table that is loaded later", found, remedy)


def _rules(pair: _Pair) -> Iterator[Difference]:
    """Report rules of the database that may reject rows that the contract accepts."""
    needed, remedy = "no rule that the contract does not know", "documents that violate it are rejected"
    for found in rules_beside_the_contract(pair.layout, pair.actual, pair.context.tables):
        yield pair.warning("", needed, found, remedy)


def _codes(pair: _Pair) -> Iterator[Difference]:
    """Report constants of the contract that the table lacks that their column references."""
    context, remedies = pair.context, pair.context.remedies
    columns = {column.name.casefold(): column for column in pair.layout.columns if column.constants}
    for key in pair.actual.foreign_keys:
        column = columns.get(key.columns[0].casefold()) if len(key.columns) == 1 else None
        if column is None or context.missing_codes is None or not key.table or context.position(key) is not None:
            continue
        parent = f"{remedies.name(key.schema, key.table)} {remedies.names(key.references)}"
        needed = f"all values of the contract in {parent}"
        missing = context.missing_codes(key, column.type, column.constants)
        if missing is None:
            found = "a table that this user has no permission to read"
            yield pair.warning(column.name, needed, found, "grant SELECT on it, and check again")
        elif missing:
            listed = ", ".join([*map(shown, missing[:MOST_CODES]), *(["…"] if len(missing) > MOST_CODES else [])])
            found = f"{len(missing)} of {len(column.constants)} missing: {listed}"
            yield pair.error(column.name, needed, found, "add them to that table, or remove them from the contract")


def _folded(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.casefold() for name in names)


def _pairs(columns: Sequence[str], references: Sequence[str]) -> frozenset[tuple[str, str]]:
    return frozenset(zip(map(str.casefold, columns), map(str.casefold, references), strict=True))
