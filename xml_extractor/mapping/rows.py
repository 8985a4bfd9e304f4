"""Map a document: a plan and an element tree to rows.

`map_document` is the whole path. For each table, in load order, it finds the nodes that become rows (`found_rows`),
computes their columns (`_compute_row`), leaves out rows that the filters exclude, and checks required values. It calls
closures that `compiler` made.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from functools import partial

from lxml.etree import _Element as Element

from xml_extractor.documents import Counted, Counts, DocumentKey, Failure, Row, RunValues, Value
from xml_extractor.mapping.errors import RULE_ERRORS, MappingError, RuleError, failure_of
from xml_extractor.mapping.markup import Markup
from xml_extractor.mapping.nodes import Node, ValueNode
from xml_extractor.mapping.paths import SharedElements, has_nil
from xml_extractor.mapping.plan import ColumnPlan, DistinctPlan, DocumentScope, Notes, Plan, RowScope, TablePlan
from xml_extractor.mapping.trees import TreeRow, with_rows_below
from xml_extractor.reasons import Reason, Stage
from xml_extractor.values.sqltypes import XML_SPACE


def map_document(
    plan: Plan,
    root: Element,
    source_key: DocumentKey,
    run: RunValues,
    note_counts: Callable[[Counts], object] = lambda _: None,
) -> tuple[tuple[Row, ...], ...]:
    """Map a document to rows: by table in load order, values in the order of the table's layout.

    Args:
        plan: The compiled contract.
        root: The document's root element.
        source_key: The source's key of the document.
        run: The values of the run.
        note_counts: Called with tolerated values and left-out rows, if there are any.

    Raises:
        MappingError: The document cannot be mapped; its `failure` says why.
    """
    plan = plan_for(plan, root)
    document = document_scope(plan, root, source_key, run)
    try:
        for table in plan.tables:
            document.rows.append(rows_of(table, document))
        if document.counts:
            note_counts(tuple(document.counts.items()))
        return tuple([tuple([tuple(row.values) for row in rows]) for rows in document.rows])
    finally:
        # Rows refer to their document: without this, the tree stays in memory until the garbage collector runs.
        document.rows.clear()
        document.starts.clear()
        for frame in plan.frames:
            frame.leave()
        if plan.keys is not None:
            plan.keys.leave()


def plan_for(plan: Plan, root: Element) -> Plan:
    """Return the plan for a document, which depends on whether it has `xsi:nil`."""
    return plan if plan.nilled is None or not has_nil(root) else plan.nilled()


def own_key(plan: Plan, root: Element) -> Value:
    """Return the key that the document contains; None if the contract names none, or the document has none."""
    if plan.read_key is None:
        return None
    if plan.has_markup:
        root = deepcopy(root)
        Markup(root)
    try:
        return _document_key(plan_for(plan, root), root, "")
    except MappingError:
        return None


def document_scope(plan: Plan, root: Element, source_key: DocumentKey, run: RunValues) -> DocumentScope:
    """Return the scope of a document before its first table is mapped.

    Raises:
        MappingError: The document has no usable key.
    """
    markup = Markup(root) if plan.has_markup else None
    if plan.keys is not None:
        plan.keys.enter(root)
    key = _document_key(plan, root, source_key)
    plan.noted.clear()
    run_values = plan.run_values(key, source_key, run)
    return DocumentScope(root, key, run_values, run.load_time, plan.noted, markup)


def _document_key(plan: Plan, root: Element, source_key: DocumentKey) -> Value:
    if plan.read_key is None:
        return str(source_key)
    text: str | None = None
    try:
        text = plan.read_key(root)
        if text is None or not text.strip(XML_SPACE):
            raise RuleError(Reason.MISSING_KEY, "the document has no key")
        return plan.convert_key(text)
    except RULE_ERRORS as error:
        raise MappingError(failure_of(error, plan.contract.document.key or ""), lambda: text) from None


def rows_of(table: TablePlan, document: DocumentScope) -> list[RowScope]:
    """Compute a table's rows, filter them by `at_least_one`, `when` and `distinct`, and check required values.

    Raises:
        MappingError: A value of any row is invalid, also of one that a filter would leave out; or a row that is kept
            lacks a required value.
    """
    rows, noted = [], document.noted
    tolerated: dict[RowScope, Notes] = {}
    seen: dict[tuple[Value, ...], TreeRow] = {}
    for row in found_rows(table, document):
        _compute_row(table, row)
        if noted:
            tolerated[row] = noted.copy()
            noted.clear()
        exclusion = _exclusion(table, row)
        if isinstance(row, TreeRow):
            exclusion = exclusion or _repetition(table, row, seen)
            row.is_kept = exclusion is None
        if exclusion is None:
            rows.append(row)
        else:
            is_attached = isinstance(row, TreeRow) and row.replaced_by is not None
            _leave_out(table, row.node, exclusion, document, with_children=not is_attached)
    if table.distinct is not None and table.recursive is None:
        rows = _distinct(table, rows, table.distinct, document)
    for row in rows:
        _check_required(table, row)
        if tolerated:
            for column, what in tolerated.get(row, ()):
                document.counts[table.name, column, what] += 1
    if table.parent in document.left_out:
        _leave_out_children(table, document)
    return rows


def found_rows(table: TablePlan, document: DocumentScope) -> Iterator[RowScope]:
    """Yield a row without values for each node that the row rules find: by parent row, then rule, then document order.

    A row of a recursive table is followed by those below it, unless the caller has it left out. If `distinct` attaches
    children, the nodes of equal rows come one after the other in place of the parent row's.

    Raises:
        MappingError: A row rule cannot be evaluated.
    """
    found = _rows_of_rules(table, document)
    return found if table.recursive is None else with_rows_below(table, found)


def _rows_of_rules(table: TablePlan, document: DocumentScope) -> Iterator[RowScope]:
    row_type = RowScope if table.recursive is None else TreeRow
    parents = [None] if table.parent is None else document.rows[table.parent]
    for parent in parents:
        start = document.root if parent is None else parent.node
        starts = document.starts.get(parent, (start,)) if document.starts and parent is not None else (start,)
        position = 0
        for start in starts:
            shared = SharedElements()
            if table.start_frame is not None:
                table.start_frame.enter(start)
            for number, rule in enumerate(table.rules):
                try:
                    nodes = rule.find(start, shared)
                except RULE_ERRORS as error:
                    raise MappingError(failure_of(error, rule.path, table.name)) from None
                for node in nodes:
                    position += 1
                    element = node.owner if isinstance(node, ValueNode) else node
                    yield row_type(document, parent, node, element, number, position, [None] * table.searches)


def enter_row(table: TablePlan, row: RowScope) -> None:
    """Let the paths of a table refer to a row, also of a document that was left."""
    if table.frame is not None:
        table.frame.enter_again(row.node, row.document.root)


def _compute_row(table: TablePlan, row: RowScope) -> None:
    values = row.values
    if table.frame is not None:
        table.frame.enter(row.node)
    try:
        for compute in table.computes:
            values.append(compute(row))
    except RULE_ERRORS as error:
        column = table.columns[len(values)]
        failure = failure_of(error, column.path, table.name, column.name)
        raise MappingError(failure, partial(_invalid_value, table, column, row)) from None


def _exclusion(table: TablePlan, row: RowScope) -> Counted | None:
    """Return which filter of a single row leaves it out; None if it stays."""
    values = row.values
    if table.at_least_one and all(values[column] is None for column in table.at_least_one):
        return Counted.AT_LEAST_ONE
    if table.when is None:
        return None
    try:
        return None if table.when(row) is True else Counted.WHEN
    except RULE_ERRORS as error:
        raise MappingError(failure_of(error, "", table.name)) from None


def _repetition(table: TablePlan, row: TreeRow, seen: dict[tuple[Value, ...], TreeRow]) -> Counted | None:
    """Return whether a row of a tree repeats an earlier one by `distinct`, before the rows below it are found."""
    if table.distinct is None:
        return None
    stays = seen.setdefault(_values(row, table.distinct.columns), row)
    if stays is row:
        return None
    if table.distinct.attaches:
        row.replaced_by = stays
        row.document.starts[stays] = [*(row.document.starts[stays] or [stays.node]), row.node]
    return Counted.DISTINCT


def _distinct(
    table: TablePlan, rows: list[RowScope], distinct: DistinctPlan, document: DocumentScope
) -> list[RowScope]:
    """Keep the first or the last of rows that are equal in some columns (NULL equals NULL), in the order of `rows`."""
    kept: dict[tuple[Value, ...], RowScope] = {}
    for row in rows if distinct.keep == "last" else reversed(rows):
        kept[_values(row, distinct.columns)] = row
    if len(kept) == len(rows):
        return rows
    for row in rows:
        stays = kept[_values(row, distinct.columns)]
        if distinct.attaches:
            document.starts[stays].append(row.node)
        if stays is not row:
            _leave_out(table, row.node, Counted.DISTINCT, document, with_children=not distinct.attaches)
    return [row for row in rows if kept[_values(row, distinct.columns)] is row]


def _leave_out(
    table: TablePlan, node: Node, why: Counted, document: DocumentScope, *, with_children: bool = True
) -> None:
    document.counts[table.name, "", why] += 1
    if with_children and table.has_children:
        document.left_out[len(document.rows)].append(node)


def _leave_out_children(table: TablePlan, document: DocumentScope) -> None:
    """Count the nodes that would be rows if their parent rows were not left out."""
    for start in document.left_out[table.parent or 0]:
        shared = SharedElements()
        if table.start_frame is not None:
            table.start_frame.enter(start)
        for rule in table.rules:
            with suppress(*RULE_ERRORS):
                for node in rule.find(start, shared):
                    _leave_out(table, node, Counted.PARENT, document)


def _values(row: RowScope, columns: tuple[int, ...]) -> tuple[Value, ...]:
    return tuple([row.values[column] for column in columns])


def _check_required(table: TablePlan, row: RowScope) -> None:
    for number in table.required:
        if row.values[number] is None:
            column = table.columns[number]
            explanation = "the column is required and the document has no value for it"
            failure = Failure(Stage.MAP, Reason.MISSING_VALUE, explanation, table.name, column.name, column.path)
            raise MappingError(failure, partial(_invalid_value, table, column, row))


def _invalid_value(table: TablePlan, column: ColumnPlan, row: RowScope) -> Value:
    """Return what the document has for an invalid column, before any step; None if it has nothing.

    For an expression, this is the first invalid input, or else its only input. An expression with several valid inputs
    has no such value.
    """
    enter_row(table, row)
    only = column.inputs[0] if len(column.inputs) == 1 else None
    invalid = next((rule for rule in column.inputs if _is_invalid(rule, row)), only)
    if invalid is not None:
        return _invalid_value(table, invalid, row)
    try:
        return None if column.inputs else column.origin.read(row)
    except RULE_ERRORS:
        return None


def _is_invalid(column: ColumnPlan, row: RowScope) -> bool:
    try:
        column.compute(row)
    except RULE_ERRORS:
        return True
    return False
