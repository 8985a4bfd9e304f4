"""Which rows belong to one document alone, and the columns by which they are found.

They are found by the document's key, and by the foreign keys that lead to a table that holds it. Tables with
`on_conflict: keep` have rows that documents share; these belong to none of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

from xml_extractor.contract.defaults import key_rule, text_rule
from xml_extractor.contract.layout import ColumnLayout, ForeignKey, TableLayout, layouts, rule_type
from xml_extractor.contract.model import REJECT, Column, Contract, Transforms
from xml_extractor.documents import DocumentKey, Value
from xml_extractor.values.conversions import Converter, converter
from xml_extractor.values.sqltypes import Family, InvalidValueError, SqlType

KeyKind = Literal["source", "own", "of"]
"""Whose value a column holds: the source's key, the key in the document, or the only value of `revision.of`."""


class DocumentKeys(NamedTuple):
    """The keys of a document by which its rows are found.

    Attributes:
        source: The source's.
        own: The one in the document; None if it is not known.
        of: The values of `revision.of`; empty if they are not known.
    """

    source: DocumentKey
    own: Value = None
    of: tuple[str, ...] = ()


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
        kind: Whose value it holds.
        code_page: That of the column, if it has one.
    """

    table: TableLayout
    links: tuple[Link, ...]
    column: ColumnLayout
    kind: KeyKind
    code_page: str

    @property
    def way(self) -> object:
        """What its statement depends on."""
        links = [(*link.foreign_key.columns, link.parent.table, *link.foreign_key.references) for link in self.links]
        names = (self.table.table, *(name for link in links for name in link), self.column.name)
        return self.kind, tuple(map(str.casefold, names))

    @property
    def key_table(self) -> TableLayout:
        """The table that has the column."""
        return self.links[-1].parent if self.links else self.table

    def key(self, keys: DocumentKeys) -> Value:
        """Return the key as the column holds it; None if it is not known, or if the column cannot hold it."""
        value = {"source": str(keys.source), "own": keys.own, "of": keys.of[0] if keys.of else None}[self.kind]
        if not isinstance(value, str):
            return value
        try:
            return _converter(self.column.type, self.code_page)(value)
        except InvalidValueError:
            return None


class UnreachableRowsError(Exception):
    """The rows of one document cannot be distinguished from those of others.

    Attributes:
        table: The table with the rows.
        explanation: Why.
        tip: What the contract needs.
    """

    def __init__(self, table: str, explanation: str, tip: str) -> None:
        super().__init__(table, explanation, tip)
        self.table = table
        self.explanation = explanation
        self.tip = tip


def own_rows(contract: Contract) -> tuple[KeyColumn, ...]:
    """Return one key column for each database table with rows of single documents, children before parents.

    Several tables of a contract that fill one database table have one in common if their rows are found alike.

    Raises:
        UnreachableRowsError: In some table they cannot be distinguished from rows of others.
    """
    search = _Search(contract)
    found: dict[object, KeyColumn] = {}
    for table in search.tables.values():
        if not table.is_shared:
            column = search.key_column(table)
            found.setdefault(column.way, column)
    return tuple(reversed(found.values()))


def key_columns(contract: Contract) -> dict[str, KeyColumn | None]:
    """Return the key column of each table; None for rows that documents share, or that cannot be distinguished."""
    search = _Search(contract)
    found: dict[str, KeyColumn | None] = {}
    for name, table in search.tables.items():
        try:
            found[name] = search.key_column(table) if table.inserts_always else None
        except UnreachableRowsError:
            found[name] = None
    return found


class _Search:
    """Searches the tables of a contract for columns with the document's key."""

    def __init__(self, contract: Contract) -> None:
        self.tables: Mapping[str, TableLayout] = {table.name: table for table in layouts(contract)}
        self._contract = contract
        revision, own = contract.document.revision, key_rule(contract).transform
        of = own if revision is None else text_rule(contract, revision.of[0]).transform
        # The transforms that the contract's defaults give to a value that the document contains.
        self._transforms: dict[KeyKind, Transforms] = {"source": own, "own": own, "of": of}

    def key_column(self, table: TableLayout) -> KeyColumn:
        """Return the column by which a document's rows are found in a table.

        Raises:
            UnreachableRowsError: They cannot be.
        """
        if table.on_conflict == "replace" and self._contract.document.revision is None:
            raise UnreachableRowsError(
                table.name,
                f"rows of the table {table.name} may belong to several documents, "
                f"because it has `on_conflict: {table.on_conflict}`",
                "give it `on_conflict: fail`, or `keep` if documents share its rows; or declare `document.revision`",
            )
        kinds: tuple[KeyKind, ...] = ("source", "own", "of")
        for kind in kinds:
            for links, column in self._ways(table, kind):
                return KeyColumn(table, links, column, kind, self._contract.code_page)
        raise UnreachableRowsError(
            table.name,
            f"in the table {table.name} the rows of a document cannot be found",
            f"give {table.name} a column with the document's key, such as `source_key: {{run: source_key}}`, or "
            "columns with `parent:` that hold the key of a table that has one",
        )

    def _ways(self, table: TableLayout, kind: KeyKind) -> Iterator[tuple[tuple[Link, ...], ColumnLayout]]:
        """Yield ways from a table to a column that holds the key, the table's own columns first."""
        for column in table.columns:
            if self._holds_key(table.name, column.name, kind):
                yield (), column
        for foreign_key in table.foreign_keys:
            parent = self.tables[foreign_key.table]
            if not parent.is_shared and parent is not table:
                for links, column in self._ways(parent, kind):
                    yield (Link(foreign_key, parent), *links), column

    def _holds_key(self, table: str, name: str, kind: KeyKind) -> bool:
        """Return whether a column holds the document's key unchanged, in a type that can be compared."""
        rule = self._contract.tables[table].columns[name]
        transforms = () if rule.path is None else self._transforms[kind]
        if rule.transform != transforms or rule.lookup or rule.default is not None or rule.on_invalid != REJECT:
            return False
        if rule.parent is not None:
            above, _, column = rule.parent.partition(".")
            if above == table:  # NULL in rows that no other row contains
                return False
            return self._holds_key(above, column, kind) and _alike(
                rule_type(self._contract, self._contract.tables[above].columns[column]),
                rule_type(self._contract, rule),
            )
        if kind == "source":
            return self._is_source_key(rule)
        return self._is_own_key(table, rule) if kind == "own" else self._is_of_key(table, rule)

    def _is_source_key(self, rule: Column) -> bool:
        return rule.run == "source_key" or (rule.run == "document_key" and self._contract.document.key is None)

    def _is_own_key(self, table: str, rule: Column) -> bool:
        document = self._contract.document
        target = rule_type(self._contract, rule)
        if document.key is None:
            return False
        if rule.run == "document_key":
            return _alike(document.key_type, target)
        is_text = document.key_type.family is Family.TEXT
        return self._is_read_at_root(table, rule, document.key) and (is_text or _alike(document.key_type, target))

    def _is_of_key(self, table: str, rule: Column) -> bool:
        """Return whether a column holds the only value of `revision.of`, which is text."""
        revision = self._contract.document.revision
        is_only = revision is not None and len(revision.of) == 1
        has_formats = bool(rule.formats) or rule.time_zone is not None
        return is_only and not has_formats and self._is_read_at_root(table, rule, revision.of[0] if revision else "")

    def _is_read_at_root(self, table: str, rule: Column, path: str) -> bool:
        rows = self._contract.tables[table]
        is_tree = rows.recursive is not None
        starts_at_root = rows.parent is rows.base is None and not is_tree and all(row.path == "." for row in rows.rows)
        return rule.path == path and not rule.selects and starts_at_root


@cache
def _converter(sql_type: SqlType, code_page: str) -> Converter:
    return converter(sql_type, code_page=code_page)


def _alike(one: SqlType, other: SqlType) -> bool:
    """Return whether a value is written alike in both types."""
    return one == other or (one.family is other.family and one.family in (Family.INTEGER, Family.TEXT))
