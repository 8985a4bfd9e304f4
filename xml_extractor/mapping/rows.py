"""Map a document: a plan and an element tree to rows.

`map_document` is the whole path. For each table, in load order, it finds the nodes that become rows (`found_rows`),
computes their columns (`_compute_row`), leaves out rows that the filters exclude, and checks required values. It calls
closures that `compiler` made.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from copy import deepcopy
from functools import partial
from typing import Any

from lxml.etree import _Element as Element

from xml_extractor.documents import Counted, Counts, DocumentKey, Failure, Row, RunValues, Value
from xml_extractor.mapping.errors import RULE_ERRORS, AnyRuleError, MappingError, RuleError, UnusualError, failure_of
from xml_extractor.mapping.markup import Markup
from xml_extractor.mapping.nodes import Node, ValueNode
from xml_extractor.mapping.paths import SharedElements
from xml_extractor.mapping.plan import (
    ColumnPlan,
    DistinctPlan,
    DocumentScope,
    MapTable,
    Notes,
    Plan,
    RowScope,
    TablePlan,
)
from xml_extractor.mapping.references import resolve
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
    document = document_scope(plan, root, source_key, run)
    try:
        if plan.code is not None:
            try:
                return _mapped(plan, document, plan.code.tables, note_counts)
            except (MappingError, UnusualError, *RULE_ERRORS):
                document = _anew(document)  # the interpreted plan finds the first failure, and explains it
        return _mapped(plan, document, [partial(rows_of, table) for table in plan.tables], note_counts)
    finally:
        for frame in plan.frames:
            frame.leave()
        if plan.keys is not None:
            plan.keys.leave()


def _mapped(
    plan: Plan, document: DocumentScope, tables: Sequence[MapTable], note_counts: Callable[[Counts], object]
) -> tuple[tuple[Row, ...], ...]:
    try:
        for rows_of_table in tables:
            document.rows.append(rows_of_table(document))
        if plan.has_deferred:
            resolve(plan, document, check_required)
        if document.counts:
            note_counts(tuple(document.counts.items()))
        return tuple(map(_as_tuples, document.rows))
    finally:
        # Rows refer to their document: without this, the tree stays in memory until the garbage collector runs.
        collections = document.rows, document.rows_by_node, document.stand_ins, document.starts, document.children
        for collection in collections:
            collection.clear()


def _as_tuples(rows: list[Any]) -> tuple[Row, ...]:
    is_tuple = bool(rows) and type(rows[0]) is tuple
    return tuple(rows) if is_tuple else tuple([tuple(row.values) for row in rows])


def _anew(document: DocumentScope) -> DocumentScope:
    """Return the scope of a document as it was before its first table was mapped."""
    document.noted.clear()
    return DocumentScope(
        document.root, document.key, document.run, document.clock, document.noted, markup=document.markup
    )


def own_key(plan: Plan, root: Element) -> Value:
    """Return the key that the document contains; None if the contract names none, or the document has none."""
    if plan.read_key is None:
        return None
    if plan.has_markup:
        root = deepcopy(root)
        Markup(root)
    try:
        return _document_key(plan, root, "")
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
        key = None if text is None or not text.strip(XML_SPACE) else plan.convert_key(text)
        if key is None:
            raise RuleError(Reason.MISSING_KEY, "the document has no key")
    except RULE_ERRORS as error:
        raise MappingError(failure_of(error, plan.contract.document.key or ""), lambda: text) from None
    return key


def rows_of(table: TablePlan, document: DocumentScope) -> list[RowScope]:
    """Compute a table's rows, filter them by `at_least_one`, `when` and `distinct`, and check required values.

    Raises:
        MappingError: A value of a row is invalid, also of one that a filter would leave out, except for columns that
            `when` does not read in a row that it leaves out; or a row that is kept lacks a required value.
    """
    rows, noted = [], document.noted
    tolerated: dict[RowScope, Notes] = {}
    is_tree, seen = table.recursive is not None, dict[tuple[Value, ...], TreeRow]()
    frame = table.frame
    for row in found_rows(table, document):
        if frame is not None:
            frame.enter(row.node)
        failed = _compute_row(table, row)
        exclusion = _exclusion(table, row) if failed is None else _exclusion_despite(failed, table, row)
        if noted:
            tolerated[row] = noted.copy()
            noted.clear()
        if is_tree and isinstance(row, TreeRow):
            exclusion = exclusion or _repetition(table, row, seen)
            row.is_kept = exclusion is None
        if exclusion is None:
            rows.append(row)
        else:
            leave_out(table, row.node, exclusion, document)
    if table.distinct is not None and not is_tree:
        rows = distinct_rows(table, rows, table.distinct, document)
    if not table.deferred:
        check_required(table, rows)
    if tolerated:
        count_tolerated(table, rows, tolerated)
    if table.parent in document.left_out:
        leave_out_children(table, document)
    return rows


def count_tolerated(table: TablePlan, rows: Sequence[RowScope], tolerated: dict[RowScope, Notes]) -> None:
    """Count what was tolerated in rows that are kept."""
    for row in rows:
        for column, what in tolerated.get(row, ()):
            row.document.counts[table.name, column, what] += 1


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
    start_frame, rules, searches = table.start_frame, table.rules, table.searches
    parents = [None] if table.parent is None else document.rows[table.parent]
    for parent in parents:
        start = document.root if parent is None else parent.node
        starts = document.starts.get(parent, (start,)) if document.starts and parent is not None else (start,)
        position = 0
        for start in starts:
            shared = SharedElements()
            if start_frame is not None:
                start_frame.enter(start)
            for number, rule in enumerate(rules):
                try:
                    nodes = rule.find(start, shared)
                except RULE_ERRORS as error:
                    raise MappingError(failure_of(error, rule.path, table.name)) from None
                for node in nodes:
                    position += 1
                    element = node.owner if isinstance(node, ValueNode) else node
                    yield row_type(document, parent, node, element, number, position, [None] * searches)


def enter_row(table: TablePlan, row: RowScope) -> None:
    """Let the paths of a table refer to a row, also of a document that was left."""
    if table.frame is not None:
        table.frame.enter_again(row.node, row.document.root)


def _exclusion_despite(failed: tuple[ColumnPlan, Failure], table: TablePlan, row: RowScope) -> Counted:
    """Return that `when` leaves out a row that has an invalid value in a column that `when` does not read.

    Raises:
        MappingError: It does not.
    """
    exclusion = _exclusion(table._replace(at_least_one=()), row)
    if exclusion is None:
        column, failure = failed
        raise MappingError(failure, partial(_invalid_value, table, column, row))
    return exclusion


def _compute_row(table: TablePlan, row: RowScope) -> tuple[ColumnPlan, Failure] | None:
    """Compute the columns of a row.

    Returns:
        The first column that `when` does not read and that has an invalid value, with the failure that this is if the
        row stays.

    Raises:
        MappingError: Another column has an invalid value.
    """
    values = row.values
    try:
        for compute in table.computes:
            values.append(compute(row))
    except RULE_ERRORS as error:
        failed = _failed_column(table, row, error)
    else:
        return None
    values.append(None)
    while len(values) < len(table.computes):
        try:
            values.append(table.computes[len(values)](row))
        except RULE_ERRORS as error:
            _failed_column(table, row, error)
            values.append(None)
    return failed


def _failed_column(table: TablePlan, row: RowScope, error: AnyRuleError) -> tuple[ColumnPlan, Failure]:
    """Return the column of a row whose turn it is, and its failure, if `when` can decide without it.

    Raises:
        MappingError: There is no `when`, or it reads the column.
    """
    number = len(row.values)
    column = table.columns[number]
    failure = failure_of(error, column.path, table.name, column.name)
    if table.when is None or number in table.read_by_when:
        raise MappingError(failure, partial(_invalid_value, table, column, row)) from None
    return column, failure


def _exclusion(table: TablePlan, row: RowScope) -> Counted | None:
    """Return which filter of a single row leaves it out; None if it stays."""
    values = row.values
    if table.at_least_one and all(values[column] is None for column in table.at_least_one):
        return Counted.AT_LEAST_ONE
    when = table.when
    if when is None:
        return None
    try:
        return None if when.evaluate(values, row.document.clock) is True else Counted.WHEN
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
        starts = row.document.starts[stays]
        starts += [row.node] if starts else [stays.node, row.node]
    if table.is_referred_to:
        row.document.stand_ins[len(row.document.rows)][row.node] = stays
    return Counted.DISTINCT


def distinct_rows(
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
            if table.is_referred_to:
                document.stand_ins[len(document.rows)][row.node] = stays
            leave_out(table, row.node, Counted.DISTINCT, document)
    return [row for row in rows if kept[_values(row, distinct.columns)] is row]


def leave_out(table: TablePlan, node: Node, why: Counted, document: DocumentScope) -> None:
    """Count a row that is left out, and remember its node for its children."""
    document.counts[table.name, "", why] += 1
    is_attached = why is Counted.DISTINCT and table.distinct is not None and table.distinct.attaches
    if table.has_children and not is_attached:
        document.left_out[len(document.rows)].append(node)


def leave_out_children(table: TablePlan, document: DocumentScope) -> None:
    """Count the nodes that would be rows if their parent rows were not left out."""
    for start in document.left_out[table.parent or 0]:
        shared = SharedElements()
        if table.start_frame is not None:
            table.start_frame.enter(start)
        for rule in table.rules:
            with suppress(*RULE_ERRORS):
                for node in rule.find(start, shared):
                    leave_out(table, node, Counted.PARENT, document)


def _values(row: RowScope, columns: tuple[int, ...]) -> tuple[Value, ...]:
    return tuple([row.values[column] for column in columns])


def check_required(table: TablePlan, rows: Sequence[RowScope]) -> None:
    """Check that rows have all required values.

    Raises:
        MappingError: One has not.
    """
    required = table.required
    for row in rows if required else ():
        values = row.values
        for number in required:
            if values[number] is None:
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
        has_value = not column.inputs and column.origin.reference is None
        return column.origin.read(row) if has_value else None
    except RULE_ERRORS:
        return None


def _is_invalid(column: ColumnPlan, row: RowScope) -> bool:
    try:
        column.compute(row)
    except RULE_ERRORS:
        return True
    return False
