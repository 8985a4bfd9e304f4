"""Columns that hold a value of the row that was made from another node: `reference` and `at`.

If the other table is an earlier one, the value is read like any other. Otherwise the row may come later: such a column
is *deferred* until all tables are mapped. Then the rows of a table that refers to itself are ordered so that each comes
after those that it refers to, as a foreign key to the own table needs it.
"""

from collections.abc import Callable, Iterator, Sequence

from xml_extractor.documents import Counted, Value
from xml_extractor.mapping.errors import RULE_ERRORS, MappingError, failure_of
from xml_extractor.mapping.nodes import FindNodes, KeyFinder, Node
from xml_extractor.mapping.plan import DocumentScope, Note, Plan, RowScope, TablePlan
from xml_extractor.mapping.trees import containers


class RowReference:
    """The reference of a column to a row.

    Args:
        find: Finds the node.
        table: The number of the table whose row is meant.
        column: The position of the column whose value is taken.
        keys: The contract's keys.
        note: Notes a reference that leads to no row.

    Attributes:
        found: The row that the last reference led to.
    """

    def __init__(self, find: FindNodes, table: int, column: int, keys: KeyFinder | None, note: Note) -> None:
        self.table = table
        self.found: RowScope | None = None
        self._find = find
        self._column = column
        self._keys = keys
        self._note = note

    def read(self, row: RowScope) -> Value:
        """Return the value from the row that was made from the first node found."""
        keys = self._keys
        if keys is not None:
            keys.was_asked = False
        nodes = self._find(row.node)
        self.found = _row_made_from(nodes[0], self.table, row.document) if nodes else None
        if self.found is not None:
            return self.found.values[self._column]
        if nodes or (keys is not None and keys.was_asked):
            self._note(Counted.DANGLING)
        return None


def _row_made_from(node: Node, table: int, document: DocumentScope) -> RowScope | None:
    """Return the first row of a table that was made from a node, or the equal one that `distinct` keeps."""
    if table not in document.rows_by_node:
        rows = {row.node: row for row in reversed(document.rows[table])}
        document.rows_by_node[table] = {**document.stand_ins[table], **rows}
    return document.rows_by_node[table].get(node)


def resolve(
    plan: Plan, document: DocumentScope, check_required: Callable[[TablePlan, Sequence[RowScope]], None]
) -> None:
    """Compute the deferred columns of a document whose tables are mapped, and order the rows that refer to each other.

    Args:
        plan: The compiled contract.
        document: The document with all its rows.
        check_required: Rejects rows that lack a required value.

    Raises:
        MappingError: A reference cannot be evaluated or converted, or a required one leads to no row.
    """
    for number, table in enumerate(plan.tables):
        if table.deferred:
            rows = document.rows[number]
            referred = [list(_resolve_row(number, table, row)) for row in rows]
            check_required(table, rows)
            document.rows[number] = _in_order(rows, referred)


def _resolve_row(number: int, table: TablePlan, row: RowScope) -> Iterator[RowScope]:
    """Compute the deferred columns of a row, and yield the rows of its own table that must come before it."""
    document = row.document
    if table.frame is not None:
        table.frame.enter(row.node)
    for index, reference in table.deferred:
        column = table.columns[index]
        try:
            row.values[index] = column.compute(row)
        except RULE_ERRORS as error:
            raise MappingError(failure_of(error, column.path, table.name, column.name)) from None
        if reference.table == number and reference.found is not None:
            yield reference.found
    for name, what in document.noted:
        document.counts[table.name, name, what] += 1
    document.noted.clear()
    yield from list(containers(row))[:1]


def _in_order(rows: list[RowScope], referred: Sequence[Sequence[RowScope]]) -> list[RowScope]:
    """Order rows so that each comes after those it refers to, as far as references form no cycle."""
    places = {row: place for place, row in enumerate(rows)}
    before = [[places[other] for other in others if other in places] for others in referred]
    if all(other <= place for place, others in enumerate(before) for other in others):
        return rows
    ordered: dict[int, RowScope] = {}
    begun: set[int] = set()
    for first in range(len(rows)):
        waiting = [first]
        while waiting:
            place = waiting[-1]
            missing = [] if place in begun else [other for other in before[place] if other not in begun]
            begun.add(place)
            if missing:
                waiting += reversed(missing)
            else:
                waiting.pop()
                ordered.setdefault(place, rows[place])
    return list(ordered.values())
