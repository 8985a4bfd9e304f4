"""Which rows a table has in a document: nodes found, columns computed, filters applied."""

from collections.abc import Iterator
from functools import partial

from xml_extractor.documents import Failure, Value
from xml_extractor.mapping.columns import raw_value
from xml_extractor.mapping.failures import REFUSALS, MappingError, failure_of
from xml_extractor.mapping.paths import SharedElements
from xml_extractor.mapping.plan import DistinctPlan, TablePlan
from xml_extractor.mapping.scope import DocumentScope, RowScope
from xml_extractor.reasons import Reason, Stage


def surviving_rows(table: TablePlan, document: DocumentScope) -> list[RowScope]:
    """The table's rows, computed and filtered: `at_least_one`, then `when`, then `distinct`, then what is required.

    Raises:
        MappingError: A value of any row found is refused, or a row that stays lacks a required value.
    """
    rows = []
    for row in found_rows(table, document):
        compute_row(table, row)
        if is_kept(table, row):
            rows.append(row)
    if table.distinct is not None:
        rows = without_duplicates(rows, table.distinct)
    for row in rows:
        _check_required(table, row)
    return rows


def found_rows(table: TablePlan, document: DocumentScope) -> Iterator[RowScope]:
    """A row without values for each node that the row rules find: by parent row, then rule, then document order."""
    parents = [None] if table.parent is None else document.rows[table.parent]
    for parent in parents:
        start = document.root if parent is None else parent.node
        position = 0
        shared = SharedElements()
        for number, rule in enumerate(table.rules):
            try:
                nodes = rule.find(start, shared)
            except REFUSALS as refusal:
                raise MappingError(failure_of(refusal, rule.path, table.name)) from None
            for node in nodes:
                position += 1
                yield RowScope(document, parent, node, number, position, table.searches)


def compute_row(table: TablePlan, row: RowScope) -> None:
    """Compute the row's values, column by column.

    Raises:
        MappingError: A value is refused.
    """
    values = row.values
    try:
        for compute in table.computes:
            values.append(compute(row))
    except REFUSALS as refusal:
        column = table.columns[len(values)]
        failure = failure_of(refusal, column.path, table.name, column.name)
        raise MappingError(failure, partial(raw_value, column, row)) from None


def is_kept(table: TablePlan, row: RowScope) -> bool:
    """Whether a computed row passes `at_least_one` and `when`.

    Raises:
        MappingError: The condition cannot be evaluated.
    """
    values = row.values
    if table.at_least_one and all(values[column] is None for column in table.at_least_one):
        return False
    if table.when is None:
        return True
    try:
        return table.when(row) is True
    except REFUSALS as refusal:
        raise MappingError(failure_of(refusal, "", table.name)) from None


def without_duplicates(rows: list[RowScope], distinct: DistinctPlan) -> list[RowScope]:
    """Of rows that are equal in some columns (NULL equals NULL), the first or the last; order stays as it is."""
    kept: dict[tuple[Value, ...], RowScope] = {}
    for row in rows if distinct.keep == "last" else reversed(rows):
        kept[_values(row, distinct.columns)] = row
    return [row for row in rows if kept[_values(row, distinct.columns)] is row]


def _values(row: RowScope, columns: tuple[int, ...]) -> tuple[Value, ...]:
    return tuple([row.values[column] for column in columns])


def _check_required(table: TablePlan, row: RowScope) -> None:
    for number in table.required:
        if row.values[number] is None:
            column = table.columns[number]
            explanation = "the column is required and the document has no value for it"
            failure = Failure(Stage.MAP, Reason.MISSING_VALUE, explanation, table.name, column.name, column.path)
            raise MappingError(failure, partial(raw_value, column, row))
