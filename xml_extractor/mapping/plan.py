"""A compiled contract, and the documents and rows that its closures get."""

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import Literal, NamedTuple

from lxml.etree import _Element as Element

from xml_extractor.contract.model import Contract, OnInvalid
from xml_extractor.documents import Counted, DocumentKey, RunValues, Value
from xml_extractor.mapping.markup import Markup
from xml_extractor.mapping.paths import FindRows, Node, ReadText, ValueNode, has_nil
from xml_extractor.values.sqltypes import SqlType


class DocumentScope:
    """A document while it is mapped.

    Attributes:
        root: Its root element.
        key: Its key.
        run: The values of the run, in the order of `origins.run_values`.
        clock: The time that expressions use as the current time.
        markup: The markup of elements; None if the contract has no column of type xml.
        noted: What the closures of the row's columns tolerated; see `Plan.noted`.
        rows: The rows of the tables mapped so far, in the contract's order.
        left_out: The nodes of rows that were left out, by the number of their table, if that has child tables.
        starts: The nodes whose children a row takes, if `distinct` attaches those of others.
        counts: Tolerated values, and rows that were left out.
    """

    __slots__ = ("clock", "counts", "key", "left_out", "markup", "noted", "root", "rows", "run", "starts")

    def __init__(
        self,
        root: Element,
        key: Value,
        run: tuple[Value, ...],
        clock: datetime,
        noted: "Notes",
        markup: Markup | None = None,
    ) -> None:
        self.root = root
        self.key = key
        self.run = run
        self.clock = clock
        self.markup = markup
        self.noted = noted
        self.rows: list[list[RowScope]] = []
        self.left_out: defaultdict[int, list[Node]] = defaultdict(list)
        self.starts: defaultdict[RowScope, list[Node]] = defaultdict(list)
        self.counts: defaultdict[tuple[str, str, Counted], int] = defaultdict(int)


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


Notes = list[tuple[str, Counted]]
"""Columns, and what was tolerated in each."""

Note = Callable[[Counted], object]
"""Notes what is tolerated in a column."""

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
    """The columns, by number, in which rows must differ, and which of several equal rows to keep.

    Attributes:
        attaches: Whether the kept row takes the children of the others.
    """

    columns: tuple[int, ...]
    keep: Literal["first", "last"]
    attaches: bool


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
    has_children: bool
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
        noted: Closures add to it what they tolerate in the row that is being computed.
    """

    contract: Contract
    read_key: ReadText | None
    convert_key: Callable[[str], Value]
    run_values: Callable[[Value, DocumentKey, RunValues], tuple[Value, ...]]
    tables: tuple[TablePlan, ...]
    has_markup: bool
    nilled: "Callable[[], Plan] | None"
    noted: Notes

    def for_document(self, root: Element) -> "Plan":
        """Return the plan for a document."""
        return self if self.nilled is None or not has_nil(root) else self.nilled()
