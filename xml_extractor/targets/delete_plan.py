"""The delete plan: how the rows of one document are found and deleted when it is reprocessed.

They are found by the document's key, and by the foreign keys that lead to a table that holds it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from xml_extractor.contract.defaults import key_rule
from xml_extractor.contract.layout import ColumnLayout, ForeignKey, TableLayout, layouts, rule_type
from xml_extractor.contract.model import REJECT, Column, Contract
from xml_extractor.documents import DocumentKey, Value
from xml_extractor.errors import UsageError
from xml_extractor.values.conversions import Converter, converter
from xml_extractor.values.sqltypes import Family, InvalidValueError, SqlType


class Link(NamedTuple):
    """A foreign key, and the table to which it leads."""

    foreign_key: ForeignKey
    parent: TableLayout


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """The column that holds the document's key for the rows of one table.

    Attributes:
        table: The table whose rows are found.
        links: From there to the table of the column, one after the other; often none.
        column: The column.
        by_source_key: Whether it holds the source's key, or the one that stands in the document.
        code_page: That of the column, if it has one.
    """

    table: TableLayout
    links: tuple[Link, ...]
    column: ColumnLayout
    by_source_key: bool
    code_page: str

    @property
    def way(self) -> object:
        """What its statement depends on."""
        links = [(*link.foreign_key.columns, link.parent.table, *link.foreign_key.references) for link in self.links]
        names = (self.table.table, *(name for link in links for name in link), self.column.name)
        return self.by_source_key, tuple(map(str.casefold, names))

    @property
    def key_table(self) -> TableLayout:
        """The table that has the column."""
        return self.links[-1].parent if self.links else self.table

    def key(self, source_key: DocumentKey, own_key: Value) -> Value:
        """Return the key as the column holds it; None if it is not known, or if the column cannot hold it."""
        value = str(source_key) if self.by_source_key else own_key
        if not isinstance(value, str):
            return value
        try:
            return _converter(self.column.type, self.code_page)(value)
        except InvalidValueError:
            return None


DeletePlan = tuple[KeyColumn, ...]
"""One key column for each table, children before parents, which is the order to delete in.

Several tables of a contract that fill one database table, and whose rows are found in the same way, have one in common,
in the place of the first: their rows are deleted together, when the rows of all their children are.
"""


class Dialect(NamedTuple):
    """How names stand in a statement: a column's, a table's with its schema, and a table's alone."""

    column: Callable[[str], str]
    table: Callable[[str], str]
    bare_table: Callable[[str], str]


def plan_deletion(contract: Contract) -> DeletePlan:
    """Return how the rows of a contract's documents are deleted.

    Raises:
        UsageError: In some table, the rows of one document cannot be distinguished from those of others.
    """
    search = _Search(contract)
    found: dict[object, KeyColumn] = {}
    for table in search.tables.values():
        column = search.key_column(table)
        found.setdefault(column.way, column)
    return tuple(reversed(found.values()))


def deletion(column: KeyColumn, dialect: Dialect, parameter: str) -> str:
    """Return the statement that deletes a document's rows from one table.

    Args:
        column: How they are found.
        dialect: How names are written.
        parameter: What stands for the key.
    """
    reference = dialect.bare_table(column.table.table)
    condition = _condition(column.links, 1, reference, f"{dialect.column(column.column.name)} = {parameter}", dialect)
    return f"DELETE FROM {dialect.table(column.table.table)} WHERE {condition}"  # noqa: S608 - names are quoted


def _condition(links: Sequence[Link], depth: int, child: str, at_the_end: str, dialect: Dialect) -> str:
    if not links:
        return at_the_end if depth == 1 else f"p{depth - 1}.{at_the_end}"
    foreign_key, parent = links[0]
    same = " AND ".join(
        f"p{depth}.{dialect.column(there)} = {child}.{dialect.column(here)}"
        for here, there in zip(foreign_key.columns, foreign_key.references, strict=True)
    )
    rest = _condition(links[1:], depth + 1, f"p{depth}", at_the_end, dialect)
    return f"EXISTS (SELECT 1 FROM {dialect.table(parent.table)} AS p{depth} WHERE {same} AND {rest})"  # noqa: S608 - names are quoted


class _Search:
    """Searches the tables of a contract for columns with the document's key."""

    def __init__(self, contract: Contract) -> None:
        self.tables: Mapping[str, TableLayout] = {table.name: table for table in layouts(contract)}
        self._contract = contract

    def key_column(self, table: TableLayout) -> KeyColumn:
        """Return the column by which a document's rows are found in a table.

        Raises:
            UsageError: They cannot be.
        """
        if table.on_conflict != "fail":
            raise UsageError(
                f"documents cannot be reprocessed: rows of the table {table.name} may belong to several documents, "
                f"because it has `on_conflict: {table.on_conflict}`",
                "give it `on_conflict: fail`, or delete rows of documents and of the processing log yourself",
            )
        for by_source_key in (True, False):
            for links, column in self._ways(table, by_source_key=by_source_key):
                return KeyColumn(table, links, column, by_source_key, self._contract.code_page)
        raise UsageError(
            f"documents cannot be reprocessed: in the table {table.name} the rows of a document cannot be found",
            f"give {table.name} a column with the document's key, such as `source_key: {{run: source_key}}`, or "
            "columns with `parent:` that hold the key of a table that has one",
        )

    def _ways(self, table: TableLayout, *, by_source_key: bool) -> Iterator[tuple[tuple[Link, ...], ColumnLayout]]:
        """Yield ways from a table to a column that holds the key, the table's own columns first."""
        for column in table.columns:
            if self._holds_key(table.name, column.name, by_source_key=by_source_key):
                yield (), column
        for foreign_key in table.foreign_keys:
            if foreign_key.table == table.name:
                continue
            parent = self.tables[foreign_key.table]
            for links, column in self._ways(parent, by_source_key=by_source_key):
                yield (Link(foreign_key, parent), *links), column

    def _holds_key(self, table: str, name: str, *, by_source_key: bool) -> bool:
        """Return whether a column holds the document's key unchanged, in a type that can be compared."""
        rule = self._contract.tables[table].columns[name]
        transforms = () if rule.path is None else key_rule(self._contract).transform
        if rule.transform != transforms or rule.lookup or rule.default is not None or rule.on_invalid != REJECT:
            return False
        if rule.parent is not None:
            above, _, column = rule.parent.partition(".")
            if above == table:  # NULL in rows that no other row contains
                return False
            return self._holds_key(above, column, by_source_key=by_source_key) and _alike(
                rule_type(self._contract, self._contract.tables[above].columns[column]),
                rule_type(self._contract, rule),
            )
        return self._is_source_key(rule) if by_source_key else self._is_own_key(table, rule)

    def _is_source_key(self, rule: Column) -> bool:
        return rule.run == "source_key" or (rule.run == "document_key" and self._contract.document.key is None)

    def _is_own_key(self, table: str, rule: Column) -> bool:
        document, rows = self._contract.document, self._contract.tables[table]
        target = rule_type(self._contract, rule)
        if document.key is None:
            return False
        if rule.run == "document_key":
            return _alike(document.key_type, target)
        starts_at_root = rows.parent is None and rows.base is None and all(row.path == "." for row in rows.rows)
        is_text = document.key_type.family is Family.TEXT
        return (
            rule.path == document.key
            and not rule.selects
            and starts_at_root
            and (is_text or _alike(document.key_type, target))
        )


@cache
def _converter(sql_type: SqlType, code_page: str) -> Converter:
    return converter(sql_type, code_page=code_page)


def _alike(one: SqlType, other: SqlType) -> bool:
    """Return whether a value is written alike in both types."""
    return one == other or (one.family is other.family and one.family in (Family.INTEGER, Family.TEXT))
