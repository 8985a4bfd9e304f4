"""Where the values of one column come from, step by step: the steps of the mapping itself, taken one at a time."""

from collections.abc import Iterator
from typing import NamedTuple

from lxml.etree import _Element as Element

from xml_extractor.documents import DocumentKey, RunValues, Value
from xml_extractor.errors import UsageError
from xml_extractor.mapping.columns import ColumnPlan, value_for
from xml_extractor.mapping.failures import REFUSALS, MappingError, Refusal, failure_of
from xml_extractor.mapping.mapper import document_scope
from xml_extractor.mapping.paths import compile_nodes
from xml_extractor.mapping.plan import Plan, TablePlan
from xml_extractor.mapping.rows import found_rows, surviving_rows
from xml_extractor.mapping.scope import DocumentScope, RowScope


class ExplainedStep(NamedTuple):
    """What one step made of a value.

    Attributes:
        name: The step, such as `path Address/@zip`, `transform digits` or `convert to int`; before the name of an
            expression's input stands `input`, its name and a colon.
        value: The value after it. It is the document's, so it is for the eyes of whoever asked, never for a log.
        note: How many nodes a path found, or why the step refused the value; may be empty.
    """

    name: str
    value: Value
    note: str = ""


class ExplainedValue(NamedTuple):
    """How one row came to its value.

    Attributes:
        positions: The row's position, from 1, behind those of its parent rows, outermost first.
        is_kept: Whether the row passes the filters; None if that is unknown because the table cannot be mapped.
        steps: In the order taken; the last one has the value that the row gets, or the reason of the rejection.
    """

    positions: tuple[int, ...]
    is_kept: bool | None
    steps: tuple[ExplainedStep, ...]


def explain(
    plan: Plan, root: Element, source_key: DocumentKey, run: RunValues, table: str, column: str
) -> list[ExplainedValue]:
    """Explain a column's value in each row that the table's row rules find, also in those that filters leave out.

    Raises:
        UsageError: The contract has no such table or column.
        MappingError: The document has no key, or a table before this one cannot be mapped.
    """
    number, column_number = _numbers(plan, table, column)
    document = document_scope(plan, root, source_key, run)
    for earlier in plan.tables[:number]:
        document.rows.append(surviving_rows(earlier, document))
    table_plan = plan.tables[number]
    kept = _kept_positions(table_plan, document)
    return [_explain_row(plan, table_plan, column_number, row, kept) for row in found_rows(table_plan, document)]


def _numbers(plan: Plan, table: str, column: str) -> tuple[int, int]:
    tables = [table_plan.name for table_plan in plan.tables]
    if table not in tables:
        raise UsageError(f"the contract has no table '{table}'", f"its tables are {', '.join(tables)}")
    number = tables.index(table)
    columns = [column_plan.name for column_plan in plan.tables[number].columns]
    if column not in columns:
        raise UsageError(f"no value of {table}.{column} comes from documents", f"others do: {', '.join(columns)}")
    return number, columns.index(column)


def _positions(row: RowScope) -> tuple[int, ...]:
    above = () if row.parent is None else _positions(row.parent)
    return (*above, row.position)


def _kept_positions(table: TablePlan, document: DocumentScope) -> set[tuple[int, ...]] | None:
    try:
        return {_positions(row) for row in surviving_rows(table, document)}
    except MappingError:
        return None


def _explain_row(
    plan: Plan, table: TablePlan, number: int, row: RowScope, kept: set[tuple[int, ...]] | None
) -> ExplainedValue:
    for column in table.columns[:number]:
        row.values.append(_value_or_null(column, row))
    positions = _positions(row)
    steps = tuple(_steps(plan, table.columns[number], row))
    return ExplainedValue(positions, None if kept is None else positions in kept, steps)


def _value_or_null(column: ColumnPlan, row: RowScope) -> Value:
    try:
        return column.compute(row)
    except REFUSALS:
        return None


def _steps(plan: Plan, column: ColumnPlan, row: RowScope) -> Iterator[ExplainedStep]:
    for column_input in column.inputs:
        for explained in _steps(plan, column_input, row):
            yield explained._replace(name=f"input {column_input.name}: {explained.name}")
    name = column.source.name
    try:
        value = column.source.origin(row)
        yield ExplainedStep(name, value, _nodes_found(plan, column, row))
        for step in column.steps:
            name = step.name
            value = step(value)
            yield ExplainedStep(name, value)
    except REFUSALS as refusal:
        yield from _refused(column, name, refusal)


def _refused(column: ColumnPlan, name: str, refusal: Refusal) -> Iterator[ExplainedStep]:
    failure = failure_of(refusal, column.path)
    yield ExplainedStep(name, None, f"{failure.code}: {failure.explanation}")
    try:
        value = value_for(refusal, column.on_invalid, column.default)
    except REFUSALS:
        return
    yield ExplainedStep(f"on_invalid {column.on_invalid}", value)


def _nodes_found(plan: Plan, column: ColumnPlan, row: RowScope) -> str:
    if not column.path:
        return ""
    try:
        number = len(compile_nodes(column.path, plan.contract.namespaces)(row.node))
    except REFUSALS:
        return "a value, not nodes"
    return f"{number} node" if number == 1 else f"{number} nodes"
