"""Compares the tables that a contract needs with those that are there. Knows no database: a catalog has read it."""

import codecs
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from xml_extractor.contract.faults import shown
from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.documents import Value
from xml_extractor.errors import TargetError
from xml_extractor.processing_log.log_table import LOG_TABLE
from xml_extractor.schema.difference import Difference, Severity
from xml_extractor.schema.remedies import Remedies
from xml_extractor.schema.type_fit import CODE_PAGE_TYPES, misfit
from xml_extractor.values.sqltypes import SqlType

A_TABLE, NO_TABLE = "a table", "none"
"""What is needed, and what is found, where a table is missing."""

MOST_CODES = 10
"""How many codes a difference lists at most."""

TableKind = Literal["table", "view", "elsewhere"]

_UTF_8 = 65001
"""SQL Server's number of UTF-8."""


@dataclass(frozen=True, slots=True)
class ActualColumn:
    """A column that is there.

    Attributes:
        type: None where it is no type that a contract can name.
        declared: The type as the database says it.
        identity: Whether the database numbers it by itself; None where that cannot be known.
        computed: Whether the database alone can write it.
        has_default: Whether the database has a value where a row says none.
        code_page: The number of its collation's code page, 65001 for UTF-8; None for types without one.
        collation: Its name; empty for types without one, and where it does not matter.
    """

    name: str
    type: SqlType | None = None
    declared: str = ""
    nullable: bool = True
    identity: bool | None = False
    computed: bool = False
    has_default: bool = False
    code_page: int | None = None
    collation: str = ""


@dataclass(frozen=True, slots=True)
class ActualForeignKey:
    """A foreign key that the database enforces.

    Attributes:
        columns: Its columns, each with its counterpart in `references`.
        schema, table: What it refers to; `table` is empty if this user must not know.
    """

    columns: tuple[str, ...]
    schema: str
    table: str
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ActualTable:
    """A table that is there, or what is used like one.

    Attributes:
        key: The columns of its primary key.
        unique_keys: The columns of its other unique keys that count for every row.
        kind: Of a view, keys, defaults and IDENTITY columns cannot be seen; of what is elsewhere, such as a synonym for
            a table of another database, nothing can.
        typed: Whether the types of its columns are comparable.
        drops_duplicates: Whether a unique key leaves duplicate rows out without an error (IGNORE_DUP_KEY).
    """

    name: str
    columns: tuple[ActualColumn, ...] = ()
    key: tuple[str, ...] = ()
    unique_keys: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[ActualForeignKey, ...] = ()
    schema: str = ""
    kind: TableKind = "table"
    typed: bool = True
    drops_duplicates: bool = False


MissingCodes = Callable[[ActualForeignKey, SqlType, Sequence[Value]], Sequence[Value] | None]
"""Says which of some values of a type a column lacks to which a foreign key refers; None if this user must not know."""


def differences(
    tables: Sequence[TableLayout],
    actual: Mapping[str, ActualTable],
    *,
    dialect_name: str,
    code_page: str = "",
    missing_codes: MissingCodes | None = None,
) -> list[Difference]:
    """All in which the tables that are there are not as a contract needs them, errors first.

    Args:
        tables: In load order; also the processing log, if it is to be compared.
        actual: What is there, by `TableLayout.table`; without those that are missing.
        dialect_name: SQLAlchemy's name of the dialect that remedies are written in.
        code_page: The contract's; empty if code pages are not to be compared.
        missing_codes: Finds out which constants of the contract lookup tables lack; None if that is not to be done.
    """
    context = _Context(tables, actual, Remedies(dialect_name), code_page, missing_codes)
    found = [difference for table in tables for difference in _of_table(table, context)]
    return sorted(found, key=lambda difference: difference.severity is not Severity.ERROR)


def refuse_errors(name: str, found: Sequence[Difference]) -> None:
    """See that no difference is an error.

    Args:
        name: What to call the target in messages.
        found: The differences.

    Raises:
        TargetError: Some are; the message lists all of them, one a line, or in one line if all are missing tables.
    """
    errors = [difference for difference in found if difference.severity is Severity.ERROR]
    if not errors:
        return
    if all((error.column, error.needed, error.found) == ("", A_TABLE, NO_TABLE) for error in errors):
        tables = ", ".join(error.database_table for error in errors)
        tip = "make them with `xml-extractor init`, or, if they are there, grant this user permissions on them"
        raise TargetError(f"{name} lacks these tables: {tables}", tip)
    tip = "change tables or contract as each line says; `xml-extractor init --sql` shows the tables that are needed"
    raise TargetError("\n".join((f"the tables of {name} do not fit the contract", *map(str, errors))), tip)


@dataclass(frozen=True, slots=True)
class _Context:
    """What the comparison of each table needs to know of the others."""

    tables: Sequence[TableLayout]
    actual: Mapping[str, ActualTable]
    remedies: Remedies
    code_page: str
    missing_codes: MissingCodes | None

    def position(self, key: ActualForeignKey) -> int | None:
        """Where in the load order the table is that a key refers to; None if it is none of the contract's."""
        wanted = (key.schema.casefold(), key.table.casefold())
        for position, layout in enumerate(self.tables):
            there = self.actual.get(layout.table)
            if there is not None and (there.schema.casefold(), there.name.casefold()) == wanted:
                return position
        return None


@dataclass(frozen=True, slots=True)
class _Pair:
    """A table of the contract and the one that is there."""

    layout: TableLayout
    actual: ActualTable
    context: _Context

    @property
    def name(self) -> str:
        """The table that is there, as SQL has it."""
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
        severity = Severity.WARNING if context.remedies.makes_tables else Severity.ERROR
        remedy = context.remedies.make_table()
        yield Difference(severity, layout.name, layout.table, "", A_TABLE, NO_TABLE, remedy)
        return
    pair = _Pair(layout, there, context)
    if there.kind != "table":
        yield _unseen(pair)
    if there.kind == "elsewhere":
        return
    columns = {column.name.casefold(): column for column in there.columns}
    for column in (*layout.columns, *layout.generated):
        yield from _of_column(pair, column, columns.get(column.name.casefold()))
    yield from _unfilled(pair)
    if there.kind == "table":
        yield from _keys(pair)
        yield from _foreign_keys(pair)
        yield from _load_order(pair)
        yield from _codes(pair)


def _unseen(pair: _Pair) -> Difference:
    if pair.actual.kind == "view":
        found = "a view, whose keys, defaults and IDENTITY columns cannot be seen"
        return pair.warning("", A_TABLE, found, "compare the table behind it with the contract yourself")
    found = "a name for something in another database"
    return pair.warning("", A_TABLE, found, "compare it with the contract yourself")


def _of_column(pair: _Pair, needed: ColumnLayout, there: ActualColumn | None) -> Iterator[Difference]:
    if there is None:
        what = "an IDENTITY column" if needed.identity or needed.generated else "a column"
        remedy = pair.context.remedies.add_column(pair.name, needed)
        yield pair.error(needed.name, f"{what} of type {needed.type}", "none", remedy)
    elif needed.generated:
        yield from _generated(pair, needed, there)
    elif there.computed:
        found = f"{there.declared or 'a computed column'}, which only the database writes"
        yield pair.error(needed.name, "a column that can be filled", found, "take it out of the contract")
    else:
        yield from _identity(pair, needed, there)
        yield from _type(pair, needed, there)
        yield from _code_page(pair, needed, there)
        if needed.can_be_null and not needed.required and not there.nullable:
            found = "NOT NULL, so that documents without a value are rejected"
            remedy = pair.context.remedies.allow_null(pair.name, needed)
            yield pair.warning(needed.name, "a column that may be NULL", found, remedy)


def _generated(pair: _Pair, needed: ColumnLayout, there: ActualColumn) -> Iterator[Difference]:
    if not there.identity and not there.has_default and not there.computed and pair.actual.kind == "table":
        found = f"{there.declared or 'a column'} without IDENTITY or default"
        remedy = "give it a value in the contract instead of `generated: true`"
        yield pair.error(needed.name, "a column that the database fills", found, remedy)


def _identity(pair: _Pair, needed: ColumnLayout, there: ActualColumn) -> Iterator[Difference]:
    if there.identity and not needed.identity:
        remedy = "say `identity: true` in the contract, or leave it to the database with `generated: true`"
        yield pair.error(needed.name, "a column that the contract can fill", "IDENTITY", remedy)
    elif needed.identity and there.identity is False:
        remedy = "take `identity: true` out of the contract"
        yield pair.error(needed.name, "an IDENTITY column", "a column without IDENTITY", remedy)


def _type(pair: _Pair, needed: ColumnLayout, there: ActualColumn) -> Iterator[Difference]:
    if not pair.actual.typed:
        return
    if there.type is None:
        found = f"{there.declared}, a type that cannot be compared"
        yield pair.warning(needed.name, str(needed.type), found, "see with a few documents whether it takes the values")
        return
    unfit = misfit(needed.type, there.type)
    if unfit is not None:
        in_contract = f"say `type: {there.type}` in the contract"
        alter = pair.context.remedies.change_type(pair.name, needed, nullable=there.nullable)
        remedy = f"{alter}, or {in_contract}" if pair.actual.kind == "table" else in_contract
        found = f"{there.type}, {unfit.reason}"
        report = pair.error if unfit.severity is Severity.ERROR else pair.warning
        yield report(needed.name, str(needed.type), found, remedy)


def _code_page(pair: _Pair, needed: ColumnLayout, there: ActualColumn) -> Iterator[Difference]:
    is_ascii = pair.layout is LOG_TABLE
    if not pair.context.code_page or not there.code_page or is_ascii or needed.type.name not in CODE_PAGE_TYPES:
        return
    if there.type is not None and there.type.name not in CODE_PAGE_TYPES:
        return
    name = "utf-8" if there.code_page == _UTF_8 else f"cp{there.code_page}"
    if _codec(name) != _codec(pair.context.code_page):
        remedy = f"say `code_page: {name}` in the contract, or give the column a collation of the other code page"
        yield pair.error(needed.name, f"the code page {pair.context.code_page}", name, remedy)


def _codec(name: str) -> str:
    """One name for all names of a code page."""
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
        remedy = "fill it in the contract, or give it a default in the database"
        report = pair.error if pair.actual.kind == "table" else pair.warning
        yield report(column.name, "a column that may be left out", found, remedy)


def _keys(pair: _Pair) -> Iterator[Difference]:
    there, wanted, remedies = pair.actual, pair.layout.key, pair.context.remedies
    keys = [key for key in (there.key, *there.unique_keys) if key]
    if wanted and _folded(wanted) not in map(_folded, keys):
        listed = [f"{'PRIMARY KEY' if key is there.key else 'UNIQUE'} {remedies.names(key)}" for key in keys]
        remedy = remedies.add_key(pair.name, wanted, has_primary=bool(there.key))
        needed = f"a primary key or unique index over {remedies.names(wanted)} and no other column"
        # Without it, rows that are there already would be neither kept nor replaced, and a document loaded twice.
        is_relied_on = pair.layout.on_conflict != "fail" or pair.layout is LOG_TABLE
        report = pair.error if is_relied_on else pair.warning
        yield report("", needed, ", ".join(listed) or "none", remedy)
    if there.drops_duplicates and pair.layout.on_conflict != "keep":
        remedy = "rebuild the index with IGNORE_DUP_KEY = OFF"
        found = "one with IGNORE_DUP_KEY = ON, which drops them without an error"
        yield pair.error("", "unique indexes that refuse duplicate rows", found, remedy)


def _foreign_keys(pair: _Pair) -> Iterator[Difference]:
    """Foreign keys of the contract that the database does not enforce."""
    context, remedies = pair.context, pair.context.remedies
    positions = {layout.name: position for position, layout in enumerate(context.tables)}
    for key in pair.layout.foreign_keys:
        position = positions[key.table]
        parent = context.actual.get(context.tables[position].table)
        if parent is None or parent.kind != "table":
            continue
        wanted = _pairs(key.columns, key.references)
        there = (other for other in pair.actual.foreign_keys if context.position(other) == position)
        if all(_pairs(other.columns, other.references) != wanted for other in there):
            references = f"{remedies.name(parent.schema, parent.name)} {remedies.names(key.references)}"
            foreign_key = f"FOREIGN KEY {remedies.names(key.columns)} REFERENCES {references}"
            remedy = remedies.add_foreign_key(pair.name, foreign_key)
            yield pair.warning("", foreign_key, "none, so that rows without a parent are not refused", remedy)


def _load_order(pair: _Pair) -> Iterator[Difference]:
    """Foreign keys of the database to tables that are loaded later."""
    context, remedies = pair.context, pair.context.remedies
    filled = _folded(column.name for column in pair.layout.columns)
    own = [layout.name for layout in context.tables].index(pair.layout.name)
    for key in pair.actual.foreign_keys:
        position = context.position(key)
        if position is None or position <= own or not _folded(key.columns) <= filled:
            continue
        later = context.tables[position].name
        found = f"FOREIGN KEY {remedies.names(key.columns)} REFERENCES {remedies.name(key.schema, key.table)}"
        remedy = f"put table {later} before table {pair.layout.name} in the contract"
        yield pair.error(", ".join(key.columns), "no reference to a table that is loaded later", found, remedy)


def _codes(pair: _Pair) -> Iterator[Difference]:
    """Constants of the contract that the table lacks to which their column refers."""
    context, remedies = pair.context, pair.context.remedies
    columns = {column.name.casefold(): column for column in pair.layout.columns if column.constants}
    for key in pair.actual.foreign_keys:
        column = columns.get(key.columns[0].casefold()) if len(key.columns) == 1 else None
        if column is None or context.missing_codes is None or not key.table or context.position(key) is not None:
            continue
        place = f"{remedies.name(key.schema, key.table)} {remedies.names(key.references)}"
        needed = f"all values that the contract gives it in {place}"
        missing = context.missing_codes(key, column.type, column.constants)
        if missing is None:
            found = "a table that this user must not read"
            yield pair.warning(column.name, needed, found, "grant SELECT on it, and check again")
        elif missing:
            listed = ", ".join([*map(shown, missing[:MOST_CODES]), *(["…"] if len(missing) > MOST_CODES else [])])
            found = f"{len(missing)} of {len(column.constants)} missing: {listed}"
            yield pair.error(column.name, needed, found, "add them to that table, or take them out of the contract")


def _folded(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.casefold() for name in names)


def _pairs(columns: Sequence[str], references: Sequence[str]) -> frozenset[tuple[str, str]]:
    return frozenset(zip(map(str.casefold, columns), map(str.casefold, references), strict=True))
