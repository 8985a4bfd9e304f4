"""Explain where the values of a column come from, step by step. `preview` shows this."""

from collections.abc import Iterator
from typing import NamedTuple

from lxml.etree import _Element as Element

from xml_extractor.documents import DocumentKey, RunValues, Value
from xml_extractor.errors import UsageError
from xml_extractor.mapping.errors import RULE_ERRORS, AnyRuleError, MappingError, failure_of
from xml_extractor.mapping.paths import NIL
from xml_extractor.mapping.plan import ColumnPlan, DocumentScope, Plan, RowScope, TablePlan
from xml_extractor.mapping.rows import document_scope, enter_row, found_rows, rows_of
from xml_extractor.mapping.steps import value_for
from xml_extractor.mapping.trees import TreeRow, containers


class ExplainedStep(NamedTuple):
    """What one step made of a value.

    Attributes:
        name: The step, such as `path Address/@zip`, `transform digits` or `convert to int`. Steps of an expression's
            input begin with `input NAME: `.
        value: The value after the step. It comes from the document, so never log it.
        note: How many nodes a path found, or why the step failed; may be empty.
    """

    name: str
    value: Value
    note: str = ""


class ExplainedValue(NamedTuple):
    """How one row gets its value.

    Attributes:
        positions: The positions, from 1, of the row's ancestors, outermost first, and of the row.
        is_kept: Whether the row passes the filters; None if the table cannot be mapped, so that this is unknown.
        steps: The steps in order. The last one has the row's value, or the reason for the rejection.
    """

    positions: tuple[int, ...]
    is_kept: bool | None
    steps: tuple[ExplainedStep, ...]


def explain(
    plan: Plan, root: Element, source_key: DocumentKey, run: RunValues, table: str, column: str
) -> list[ExplainedValue]:
    """Explain a column's value in each row that the row rules find, also in rows that filters leave out.

    Raises:
        UsageError: The contract has no such table or column.
        MappingError: The document has no key, or an earlier table cannot be mapped.
    """
    number, column_number = _numbers(plan, table, column)
    document = document_scope(plan, root, source_key, run)
    for earlier in plan.tables[:number]:
        document.rows.append(rows_of(earlier, document))
    table_plan = plan.tables[number]
    rows = _rows_kept(table_plan, document)
    kept = None if rows is None else {_positions(row) for row in rows}
    attached = {node: _positions(row) for row in rows or () for node in document.starts.get(row, ())}
    if table_plan.deferred:  # rows of this and of later tables may be referred to
        for later in plan.tables[number:]:
            document.rows.append(rows_of(later, document))
    explained = []
    tree_rows: dict[tuple[int, ...], TreeRow] = {}
    for row in found_rows(table_plan, document):
        value = _explain_row(table_plan, column_number, row, kept)
        explained.append(value)
        if isinstance(row, TreeRow):
            tree_rows[value.positions] = row
            row.is_kept = value.is_kept is not False
            row.replaced_by = None if row.is_kept else tree_rows.get(attached.get(row.node, ()))
    return explained


def _numbers(plan: Plan, table: str, column: str) -> tuple[int, int]:
    tables = [table_plan.name for table_plan in plan.tables]
    if table not in tables:
        raise UsageError(f"the contract has no table '{table}'", f"its tables are {', '.join(tables)}")
    number = tables.index(table)
    columns = [column_plan.name for column_plan in plan.tables[number].columns]
    if column not in columns:
        raise UsageError(f"documents give {table}.{column} no value", f"columns with values: {', '.join(columns)}")
    return number, columns.index(column)


def _positions(row: RowScope) -> tuple[int, ...]:
    above = () if row.parent is None else _positions(row.parent)
    containing = reversed([container.position for container in containers(row)])
    return (*above, *containing, row.position)


def _rows_kept(table: TablePlan, document: DocumentScope) -> list[RowScope] | None:
    try:
        return rows_of(table, document)
    except MappingError:
        return None


def _explain_row(table: TablePlan, number: int, row: RowScope, kept: set[tuple[int, ...]] | None) -> ExplainedValue:
    enter_row(table, row)
    for column in table.columns[:number]:
        row.values.append(_value_or_null(column, row))
    positions = _positions(row)
    steps = tuple(_steps(table.columns[number], row))
    for column in table.columns[number:]:  # rows within this one may need them
        row.values.append(_value_or_null(column, row))
    return ExplainedValue(positions, None if kept is None else positions in kept, steps)


def _value_or_null(column: ColumnPlan, row: RowScope) -> Value:
    try:
        return column.compute(row)
    except RULE_ERRORS:
        return None


def _steps(column: ColumnPlan, row: RowScope) -> Iterator[ExplainedStep]:
    for column_input in column.inputs:
        for explained in _steps(column_input, row):
            yield explained._replace(name=f"input {column_input.name}: {explained.name}")
    name = column.origin.name
    try:
        value = column.origin.read(row)
        if value is NIL:
            yield ExplainedStep(name, None, "xsi:nil: NULL without default")
            return
        yield ExplainedStep(name, value, _nodes_found(column, row))
        for step in column.steps:
            name = step.name
            value = step(value)
            yield ExplainedStep(name, value)
    except RULE_ERRORS as error:
        yield from _failed(column, name, error)


def _failed(column: ColumnPlan, name: str, error: AnyRuleError) -> Iterator[ExplainedStep]:
    failure = failure_of(error, column.path)
    yield ExplainedStep(name, None, f"{failure.code}: {failure.explanation}")
    try:
        value, choice = value_for(error, column.on_invalid, column.default)
    except RULE_ERRORS:
        return
    yield ExplainedStep(f"on_invalid {choice}", value)


def _nodes_found(column: ColumnPlan, row: RowScope) -> str:
    if column.origin.find is None:
        return ""
    try:
        number = len(column.origin.find()(row.node))
    except RULE_ERRORS:
        return "a value, not nodes"
    return f"{number} node" if number == 1 else f"{number} nodes"
