"""Read the rows that a database holds, by document, to compare them with those that the documents are mapped to."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import groupby
from typing import NamedTuple

from xml_extractor.connections import DatabaseError, ErrorClass
from xml_extractor.contract.layout import ColumnLayout, ForeignKey, TableLayout, layouts
from xml_extractor.contract.model import Contract
from xml_extractor.contract.own_rows import DocumentKeys, KeyColumn, key_columns
from xml_extractor.documents import Row, Value
from xml_extractor.targets.interfaces import ComparingConnection, KeyPart, RowHash

_DOCUMENT = "xml_extractor_document"
"""The name that queries give to the column with the key of a row's document."""


@dataclass(frozen=True, slots=True)
class ComparedTable:
    """A table of the database, which one or several tables of the contract fill.

    Attributes:
        table: Its columns are those of all these tables.
        members: For each of these tables, its number in the contract, and the position in its rows of each column; None
            for a column that it lacks.
        column: The column by which the rows of a document are found; None if they cannot be, or are shared.
        is_shared: Whether documents share rows.
        compared: The positions of the columns that are compared.
        key: The positions of the primary key; empty if there is none that documents fill, or if it is not compared.
    """

    table: TableLayout
    members: Mapping[int, tuple[int | None, ...]]
    column: KeyColumn | None
    is_shared: bool
    compared: tuple[int, ...]
    key: tuple[int, ...]

    @property
    def name(self) -> str:
        """Its name in the contract: that of its first table."""
        return self.table.name

    @property
    def columns(self) -> tuple[ColumnLayout, ...]:
        """The columns."""
        return self.table.columns

    def rows(self, mapped: Sequence[Sequence[Row]]) -> list[Row]:
        """Return the rows that a document has for this table, of those by table of the contract."""
        return [
            tuple(None if position is None else row[position] for position in positions)
            for number, positions in self.members.items()
            for row in mapped[number]
        ]

    def table_of(self, column: ColumnLayout) -> TableLayout:
        """Return the table as if it had only this column."""
        return replace(self.table, columns=(column,))

    def document(self, keys: DocumentKeys) -> Value:
        """Return the key of a document as its rows hold it; None if it is not known."""
        return None if self.column is None else self.column.key(keys)


def compared_tables(
    contract: Contract, connection: ComparingConnection, left_out: Mapping[str, frozenset[str]]
) -> tuple[ComparedTable, ...]:
    """Return the tables of the database that a contract fills.

    Args:
        contract: The contract.
        connection: To the database.
        left_out: Columns that are not compared, by table of the contract; `*` stands for the whole table.
    """
    columns, tables = key_columns(contract), layouts(contract)
    name = {table.name: connection.table_name(table).casefold() for table in tables}
    numbered = sorted(enumerate(tables), key=lambda each: name[each[1].name])
    groups = [list(group) for _, group in groupby(numbered, key=lambda each: name[each[1].name])]
    found = [_compared(group, columns, left_out) for group in groups if "*" not in left_out.get(group[0][1].name, ())]
    return tuple(sorted(found, key=lambda each: min(each.members)))


def _compared(
    group: Sequence[tuple[int, TableLayout]],
    by_table: Mapping[str, KeyColumn | None],
    left_out: Mapping[str, frozenset[str]],
) -> ComparedTable:
    first = group[0][1]
    columns: dict[str, ColumnLayout] = {}
    for _, table in group:
        for column in table.columns:
            columns.setdefault(column.name.casefold(), column)
    names = {column.name.casefold() for _, table in group for column in table.generated}
    merged = tuple(column for name, column in columns.items() if name not in names)
    members = {
        number: tuple(
            next((position for position, own in enumerate(table.columns) if own.name.casefold() == name), None)
            for name in (column.name.casefold() for column in merged)
        )
        for number, table in group
    }
    ignored = {name.casefold() for _, table in group for name in left_out.get(table.name, ())}
    compared = tuple(position for position, column in enumerate(merged) if column.name.casefold() not in ignored)
    key = [name.casefold() for name in first.key]
    positions = tuple(position for position, column in enumerate(merged) if column.name.casefold() in key)
    has_key = len(positions) == len(key) and set(positions) <= set(compared)
    ways = {None if (linked := by_table[table.name]) is None else linked.way for _, table in group}
    return ComparedTable(
        table=replace(first, columns=merged),
        members=members,
        column=by_table[first.name] if len(ways) == 1 else None,
        is_shared=not first.inserts_always,
        compared=compared,
        key=positions if has_key else (),
    )


class HeldRow(NamedTuple):
    """A row of a table.

    Attributes:
        document: The key of its document, as `HeldTable.document_form` returns it; None if its table has no key column,
            or if the rows that lead to its document are gone.
        row: The columns, in the form in which they are compared.
    """

    document: Value
    row: Row


class HeldTable:
    """A table of a database as it is read.

    Args:
        connection: To the database. The caller closes it.
        compared: The table.
    """

    def __init__(self, connection: ComparingConnection, compared: ComparedTable) -> None:
        self.compared = compared
        self._connection = connection
        self._names = connection.names
        table, column = compared.table, compared.column
        self._form = connection.row_form(table)
        self._document = None if column is None else replace(column.column, name=_DOCUMENT)
        self._document_form = None if self._document is None else connection.row_form(compared.table_of(self._document))
        layout = table if self._document is None else replace(table, columns=(*table.columns, self._document))
        self._whole = connection.row_form(layout)
        hashed = replace(table, columns=tuple(table.columns[position] for position in compared.compared))
        self._hash: Callable[[], RowHash | None] = cache(partial(connection.row_hash, hashed))
        self._from = self._source(column)
        self._select = f"SELECT {self._whole.select} FROM {self._from}"  # noqa: S608 - names are quoted

    def expected(self, row: Row) -> Row:
        """Convert a mapped row to the form in which rows are compared."""
        return self._form.expected(row)

    def document_form(self, key: Value) -> Value:
        """Convert the key of a document to the form in which rows have it."""
        return key if self._document_form is None or key is None else self._document_form.expected((key,))[0]

    def of_documents(self, keys: Sequence[Value]) -> Iterator[HeldRow]:
        """Yield the rows of the documents with these keys, and perhaps others."""
        column = self.compared.column
        if column is not None and self._document is not None:
            yield from self._found([(_DOCUMENT, column.key_table, column.column)], [(key,) for key in keys])

    def equal_documents(self, documents: Mapping[Value, Sequence[Row]]) -> set[Value]:
        """Return those documents of which the table has exactly these mapped rows, by hashes in the database.

        Args:
            documents: The rows of each document, by its key. A document that is not returned may be equal, too.
        """
        column, document_form = self.compared.column, self._document_form
        if column is None or document_form is None or not documents or (hashing := self._hash()) is None:
            return set()
        document = self._names.column(_DOCUMENT)
        rows = f"SELECT {document} AS document, {hashing.row} AS hashed FROM {self._from} WHERE"  # noqa: S608 - names are quoted
        try:
            found = list(
                self._connection.query_keys(
                    f"SELECT document, COUNT(*), {hashing.sums} FROM ({rows}",  # noqa: S608 - names are quoted
                    [(_DOCUMENT, column.key_table, column.column)],
                    [(key,) for key in documents],
                    ") AS rows_of_documents GROUP BY document",
                )
            )
        except DatabaseError as error:
            if error.error_class is ErrorClass.TRANSIENT:
                raise
            self._hash = lambda: None  # such as a server that hashes no long texts
            return set()
        sums = {document_form.held((key,))[0]: (number, *map(int, sums)) for key, number, *sums in found}
        positions, form = self.compared.compared, self.document_form
        equal = set()
        for key, rows_of_document in documents.items():
            compared = [tuple(row[position] for position in positions) for row in rows_of_document]
            expected = (len(compared), *hashing.sums_of(compared)) if compared else None
            if sums.get(form(key)) == expected:
                equal.add(key)
        return equal

    def with_keys(self, rows: Sequence[Row]) -> Iterator[HeldRow]:
        """Yield the rows that have the primary keys of these mapped rows."""
        table = self.compared.table
        columns = [(table.columns[position].name, table, table.columns[position]) for position in self.compared.key]
        keys = [tuple(row[position] for position in self.compared.key) for row in rows]
        return self._found(columns, keys) if columns else iter(())

    def all(self) -> Iterator[HeldRow]:
        """Yield all rows."""
        return self._read(self._select)

    def count(self) -> int:
        """Return the number of rows."""
        ((number,),) = self._connection.query(f"SELECT COUNT(*) FROM {self._table(self.compared.table)}")  # noqa: S608 - names are quoted
        return int(number)

    def orphans(self, foreign_key: ForeignKey, parent: TableLayout) -> Iterator[HeldRow]:
        """Yield the rows whose parent row is gone."""
        column = self._names.column
        pairs = list(zip(foreign_key.columns, foreign_key.references, strict=True))
        filled = " AND ".join(f"held.{column(here)} IS NOT NULL" for here, _ in pairs)
        same = " AND ".join(f"above.{column(there)} = held.{column(here)}" for here, there in pairs)
        above = f"SELECT 1 FROM {self._table(parent)} AS above WHERE {same}"  # noqa: S608 - names are quoted
        return self._read(f"{self._select} WHERE {filled} AND NOT EXISTS ({above})")

    def _found(self, columns: Sequence[KeyPart], keys: Sequence[Row]) -> Iterator[HeldRow]:
        unique = list(dict.fromkeys(key for key in keys if None not in key))
        rows = self._connection.query_keys(f"{self._select} WHERE", columns, unique)
        return map(self._row, rows) if unique else iter(())

    def _read(self, query: str) -> Iterator[HeldRow]:
        return map(self._row, self._connection.query(query))

    def _row(self, raw: Sequence[object]) -> HeldRow:
        values = self._whole.held(raw)
        return HeldRow(None, values) if self._document is None else HeldRow(values[-1], values[:-1])

    def _table(self, table: TableLayout) -> str:
        return self._names.table(table.table)

    def _source(self, column: KeyColumn | None) -> str:
        """Return what stands behind FROM: the table with the key of each row's document, under the name `held`."""
        quoted = self._names.column
        if column is None:
            return f"{self._table(self.compared.table)} AS held"
        joins, child = [], "p0"
        for number, (foreign_key, parent) in enumerate(column.links, 1):
            same = " AND ".join(
                f"p{number}.{quoted(there)} = {child}.{quoted(here)}"
                for here, there in zip(foreign_key.columns, foreign_key.references, strict=True)
            )
            child = f"p{number}"
            joins.append(f" LEFT JOIN {self._table(parent)} AS {child} ON {same}")
        document = f"{child}.{quoted(column.column.name)} AS {quoted(_DOCUMENT)}"
        return f"(SELECT p0.*, {document} FROM {self._table(self.compared.table)} AS p0{''.join(joins)}) AS held"  # noqa: S608 - names are quoted
