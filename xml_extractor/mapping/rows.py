"""Map a document: a plan and an element tree to rows.

`map_document` is the whole path. For each table, in load order, it finds the nodes that become rows (`found_rows`),
computes their columns (`_compute_row`), leaves out rows that the filters exclude, and checks required values. It calls
closures that `compiler` made.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import datetime
from functools import partial
from typing import Literal, NamedTuple

from lxml.etree import _Element as Element

from xml_extractor.contract.model import Contract, OnInvalid
from xml_extractor.documents import DocumentKey, Failure, Row, RunValues, Value
from xml_extractor.mapping.errors import RULE_ERRORS, MappingError, RuleError, failure_of
from xml_extractor.mapping.markup import Markup
from xml_extractor.mapping.paths import FindRows, Node, ReadText, SharedElements, ValueNode, has_nil
from xml_extractor.reasons import Reason, Stage
from xml_extractor.values.sqltypes import XML_SPACE, SqlType


class DocumentScope:
    """A document while it is mapped.

    Attributes:
        root: Its root element.
        key: Its key.
        run: The values of the run, in the order of `origins.run_values`.
        clock: The time that expressions use as the current time.
        rows: The rows of the tables mapped so far, in the contract's order.
        markup: The markup of elements; None if the contract has no column of type xml.
    """

    __slots__ = ("clock", "key", "markup", "root", "rows", "run")

    def __init__(self, root: Element, key: Value, run: tuple[Value, ...], clock: datetime) -> None:
        self.root = root
        self.key = key
        self.run = run
        self.clock = clock
        self.rows: list[list[RowScope]] = []
        self.markup: Markup | None = None


class RowScope:
    """A row while it is computed: what the closures of its columns get.

    Attributes:
        node: The node that a row rule found.
        element: The node, or the owner of the attribute or text that is the node.
        rule: The number of the row rule that found the node, from 0.
        position: The node's number among those found for the parent row, by all row rules, from 1.
        parent: The parent row; None if the table has no parent.
        values: The values computed so far.
        found: Elements that several columns share, by the number of the search; None until a column needs them.
    """

    __slots__ = ("document", "element", "found", "node", "parent", "position", "rule", "values")

    def __init__(
        self, document: DocumentScope, parent: "RowScope | None", node: Node, rule: int, position: int, searches: int
    ) -> None:
        self.document = document
        self.parent = parent
        self.node = node
        self.element: Element = node.owner if isinstance(node, ValueNode) else node
        self.rule = rule
        self.position = position
        self.values: list[Value] = []
        self.found: list[list[Element] | None] = [None] * searches


Compute = Callable[[RowScope], Value]
"""Compute a value of a row."""


class Step(NamedTuple):
    """One step from a raw value to a column's value.

    Attributes:
        name: What it does, for explanations.
        apply: What it makes of a value that is not NULL; None leaves the value as it is.
        for_null: What it makes of NULL.
    """

    name: str
    apply: Callable[..., Value] | None
    for_null: Value = None

    def __call__(self, value: Value) -> Value:
        """Apply this step alone."""
        if value is None:
            return self.for_null
        return value if self.apply is None else self.apply(value)


class Origin(NamedTuple):
    """Where a value comes from.

    Attributes:
        read: Reads it.
        type: Its type; None for text of the document.
        name: What it is, for explanations.
    """

    read: Compute
    type: SqlType | None
    name: str


class ColumnPlan(NamedTuple):
    """The compiled rule of a column, or of an expression's input.

    Attributes:
        path: The contract's XPath, for messages; may be empty.
        inputs: The inputs of an expression.
        compute: Origin, steps and `on_invalid` in one closure.
    """

    name: str
    path: str
    type: SqlType
    origin: Origin
    inputs: tuple["ColumnPlan", ...]
    steps: tuple[Step, ...]
    on_invalid: OnInvalid
    default: Value
    compute: Compute


class RulePlan(NamedTuple):
    """A compiled row rule."""

    path: str
    find: FindRows


class DistinctPlan(NamedTuple):
    """The columns, by number, in which rows must differ, and which of several equal rows to keep."""

    columns: tuple[int, ...]
    keep: Literal["first", "last"]


class TablePlan(NamedTuple):
    """A compiled table. Numbers of columns are positions in a row.

    Attributes:
        parent: The number of the table from whose rows the row rules start; None for the document's root element.
        computes: The closures of the columns, in the order of a row.
        searches: How many searches for elements the columns share.
        when: Evaluates the condition for keeping a computed row; None keeps all.
    """

    name: str
    parent: int | None
    rules: tuple[RulePlan, ...]
    columns: tuple[ColumnPlan, ...]
    computes: tuple[Compute, ...]
    searches: int
    at_least_one: tuple[int, ...]
    when: Callable[[RowScope], bool | None] | None
    distinct: DistinctPlan | None
    required: tuple[int, ...]


class Plan(NamedTuple):
    """A compiled contract.

    Attributes:
        read_key: Reads the document's key; None if the source's key serves.
        convert_key: Converts the key's text to its type.
        run_values: Returns `DocumentScope.run` for a document's key, the source's key and the run.
        tables: In load order.
        has_markup: Whether a column takes markup.
        nilled: Returns the plan for documents with `xsi:nil`; None if this is it. Others are mapped faster without it.
    """

    contract: Contract
    read_key: ReadText | None
    convert_key: Callable[[str], Value]
    run_values: Callable[[Value, DocumentKey, RunValues], tuple[Value, ...]]
    tables: tuple[TablePlan, ...]
    has_markup: bool
    nilled: "Callable[[], Plan] | None"

    def for_document(self, root: Element) -> "Plan":
        """Return the plan for a document."""
        return self if self.nilled is None or not has_nil(root) else self.nilled()


def map_document(plan: Plan, root: Element, source_key: DocumentKey, run: RunValues) -> tuple[tuple[Row, ...], ...]:
    """Map a document to rows: by table in load order, values in the order of the table's layout.

    Raises:
        MappingError: The document cannot be mapped; its `failure` says why.
    """
    plan = plan.for_document(root)
    document = document_scope(plan, root, source_key, run)
    try:
        for table in plan.tables:
            document.rows.append(rows_of(table, document))
        return tuple([tuple([tuple(row.values) for row in rows]) for rows in document.rows])
    finally:
        # Rows refer to their document: without this, the tree stays in memory until the garbage collector runs.
        document.rows.clear()


def own_key(plan: Plan, root: Element) -> Value:
    """Return the key that the document contains; None if the contract names none, or the document has none."""
    if plan.read_key is None:
        return None
    if plan.has_markup:
        root = deepcopy(root)
        Markup(root)
    try:
        return _document_key(plan.for_document(root), root, "")
    except MappingError:
        return None


def document_scope(plan: Plan, root: Element, source_key: DocumentKey, run: RunValues) -> DocumentScope:
    """Return the scope of a document before its first table is mapped.

    Raises:
        MappingError: The document has no usable key.
    """
    markup = Markup(root) if plan.has_markup else None
    key = _document_key(plan, root, source_key)
    document = DocumentScope(root, key, plan.run_values(key, source_key, run), run.load_time)
    document.markup = markup
    return document


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
    rows = []
    for row in found_rows(table, document):
        _compute_row(table, row)
        if _is_kept(table, row):
            rows.append(row)
    if table.distinct is not None:
        rows = _distinct(rows, table.distinct)
    for row in rows:
        _check_required(table, row)
    return rows


def found_rows(table: TablePlan, document: DocumentScope) -> Iterator[RowScope]:
    """Yield a row without values for each node that the row rules find: by parent row, then rule, then document order.

    Raises:
        MappingError: A row rule cannot be evaluated.
    """
    parents = [None] if table.parent is None else document.rows[table.parent]
    for parent in parents:
        start = document.root if parent is None else parent.node
        position = 0
        shared = SharedElements()
        for number, rule in enumerate(table.rules):
            try:
                nodes = rule.find(start, shared)
            except RULE_ERRORS as error:
                raise MappingError(failure_of(error, rule.path, table.name)) from None
            for node in nodes:
                position += 1
                yield RowScope(document, parent, node, number, position, table.searches)


def _compute_row(table: TablePlan, row: RowScope) -> None:
    values = row.values
    try:
        for compute in table.computes:
            values.append(compute(row))
    except RULE_ERRORS as error:
        column = table.columns[len(values)]
        failure = failure_of(error, column.path, table.name, column.name)
        raise MappingError(failure, partial(_invalid_value, column, row)) from None


def _is_kept(table: TablePlan, row: RowScope) -> bool:
    values = row.values
    if table.at_least_one and all(values[column] is None for column in table.at_least_one):
        return False
    if table.when is None:
        return True
    try:
        return table.when(row) is True
    except RULE_ERRORS as error:
        raise MappingError(failure_of(error, "", table.name)) from None


def _distinct(rows: list[RowScope], distinct: DistinctPlan) -> list[RowScope]:
    """Keep the first or the last of rows that are equal in some columns (NULL equals NULL), in the order of `rows`."""
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
            raise MappingError(failure, partial(_invalid_value, column, row))


def _invalid_value(column: ColumnPlan, row: RowScope) -> Value:
    """Return what the document has for an invalid column, before any step; None if it has nothing.

    For an expression, this is the first invalid input, or else its only input. An expression with several valid inputs
    has no such value.
    """
    only = column.inputs[0] if len(column.inputs) == 1 else None
    invalid = next((rule for rule in column.inputs if _is_invalid(rule, row)), only)
    if invalid is not None:
        return _invalid_value(invalid, row)
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
