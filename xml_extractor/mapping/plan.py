"""A compiled contract, and the documents and rows that its closures get."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Literal, NamedTuple, Protocol

from lxml.etree import _Element as Element

from xml_extractor.contract.model import Contract, OnInvalid
from xml_extractor.documents import Counted, DocumentKey, RunValues, Value
from xml_extractor.mapping.children import Children
from xml_extractor.mapping.errors import AnyRuleError
from xml_extractor.mapping.keys import Keys
from xml_extractor.mapping.markup import Markup
from xml_extractor.mapping.nodes import FindNodes, Frame, Node
from xml_extractor.mapping.paths import ReadText, RowSearch
from xml_extractor.tsql import Condition
from xml_extractor.values.sqltypes import SqlType


class Reference(Protocol):
    """The reference of a column.

    Attributes:
        table: The number of the table whose row is meant.
        found: The row that the last reference led to.
    """

    table: int
    found: "RowScope | None"

    def read(self, row: "RowScope") -> Value:
        """Return the value from the row that was made from the first node found."""


Notes = list[tuple[str, Counted]]
"""Columns, and what was tolerated in each."""

Note = Callable[[Counted], object]
"""Notes what is tolerated in a column."""


@dataclass(eq=False, slots=True)
class DocumentScope:
    """A document while it is mapped.

    Attributes:
        root: Its root element.
        key: Its key.
        run: The values of the run, in the order of `origins.run_values`.
        clock: The time that expressions use as the current time.
        noted: What the closures of the row's columns tolerated; see `Plan.noted`.
        markup: The markup of elements; None if the contract has no column of type xml.
        rows: The rows of the tables mapped so far, in the contract's order.
        rows_by_node: The rows of the tables that references lead to, by the number of the table.
        stand_ins: The rows that `distinct` keeps in place of others, by the nodes of those, by the number of the table.
        left_out: The nodes of rows that were left out, by the number of their table, if that has child tables.
        starts: The nodes whose children a row takes, if `distinct` attaches those of others.
        counts: Tolerated values, and rows that were left out.
        children: The children of elements, for generated code.
    """

    root: Element
    key: Value
    run: tuple[Value, ...]
    clock: datetime
    noted: Notes
    markup: Markup | None = None
    rows: "list[list[RowScope]]" = field(default_factory=list)
    rows_by_node: "dict[int, dict[Node, RowScope]]" = field(default_factory=dict)
    stand_ins: "defaultdict[int, dict[Node, RowScope]]" = field(default_factory=partial(defaultdict, dict))
    left_out: defaultdict[int, list[Node]] = field(default_factory=partial(defaultdict, list))
    starts: "defaultdict[RowScope, list[Node]]" = field(default_factory=partial(defaultdict, list))
    counts: defaultdict[tuple[str, str, Counted], int] = field(default_factory=partial(defaultdict, int))
    children: Children = field(default_factory=Children)


@dataclass(eq=False, slots=True)
class RowScope:
    """A row while it is computed: what the closures of its columns get.

    Attributes:
        parent: The parent row; None if the table has no parent.
        node: The node that a row rule found.
        element: The node, or the owner of the attribute or text that is the node.
        rule: The number of the row rule that found the node, from 0.
        position: The node's number among those found for the parent row, by all row rules, from 1.
        found: Elements that several columns share, by the number of the search; None until a column needs them.
        values: The values computed so far.
    """

    document: DocumentScope
    parent: "RowScope | None"
    node: Node
    element: Element
    rule: int
    position: int
    found: list[list[Element] | None]
    values: list[Value] = field(default_factory=list)


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
        find: Compiles the search for the nodes of a path, for explanations; None if there is no path.
        reference: What it refers to, if it is a reference.
    """

    read: Compute
    type: SqlType | None
    name: str
    find: Callable[[], FindNodes] | None = None
    reference: Reference | None = None


class ColumnPlan(NamedTuple):
    """The compiled rule of a column, or of an expression's input.

    Attributes:
        path: The contract's XPath, for messages; may be empty.
        inputs: The inputs of an expression.
        convert: The steps as one function.
        tolerate: What `on_invalid` makes of an error; None rejects.
        compute: All of it in one function.
    """

    name: str
    path: str
    type: SqlType
    origin: Origin
    inputs: tuple["ColumnPlan", ...]
    steps: tuple[Step, ...]
    on_invalid: OnInvalid
    default: Value
    convert: Callable[[Any], Value]
    tolerate: Callable[[AnyRuleError], Value] | None
    compute: Compute


class RulePlan(NamedTuple):
    """A compiled row rule."""

    path: str
    find: RowSearch


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
        recursive: Finds the rows directly within a row; None if rows contain none.
        computes: The closures of the columns, in the order of a row.
        searches: How many searches for elements the columns share.
        start_frame: The frame of the row rules: that of the parent table; None if they need none.
        frame: The frame of the columns; None if they need none.
        is_referred_to: Whether a reference leads to its rows.
        deferred: The columns, by number, that refer to rows that may come later, and their references.
        when: The condition for keeping a computed row, over its values; None keeps all.
        read_by_when: The numbers of the columns that it reads, and of those from which they are computed.
    """

    name: str
    parent: int | None
    rules: tuple[RulePlan, ...]
    recursive: RulePlan | None
    columns: tuple[ColumnPlan, ...]
    computes: tuple[Compute, ...]
    searches: int
    start_frame: Frame | None
    frame: Frame | None
    at_least_one: tuple[int, ...]
    when: Condition | None
    read_by_when: frozenset[int]
    distinct: DistinctPlan | None
    has_children: bool
    is_referred_to: bool
    deferred: tuple[tuple[int, "Reference"], ...]
    required: tuple[int, ...]


MapTable = Callable[[DocumentScope], list[Any]]
"""Computes and filters the rows of a table: each a `RowScope`, or already the tuple of its values."""


class GeneratedCode(NamedTuple):
    """The code that was generated for a plan.

    Attributes:
        source: The source of its functions.
        tables: The function of each table, in load order; for some tables, one that interprets the plan.
    """

    source: str
    tables: tuple[MapTable, ...]


class RevisionPlan(NamedTuple):
    """The compiled rules of `document.revision` and `document.deleted`.

    Attributes:
        of: The paths of `of`, and what reads each.
        order: The compiled rules of `order`; empty for the order of the source.
        deletes: The path of `deleted`, and its XPath as a boolean; None if nothing deletes.
        searches: How many searches for elements the rules of `order` share.
        noted: As in `Plan`.
        frame: What their paths can refer to besides the root element.
    """

    of: tuple[tuple[str, ReadText], ...]
    order: tuple[ColumnPlan, ...]
    deletes: tuple[str, Callable[[Element], object]] | None
    searches: int
    noted: Notes
    frame: Frame


class Plan(NamedTuple):
    """A compiled contract.

    Attributes:
        read_key: Reads the document's key; None if the source's key serves.
        convert_key: Converts the key's text to its type.
        run_values: Returns `DocumentScope.run` for a document's key, the source's key and the run.
        tables: In load order.
        has_markup: Whether a column takes markup.
        noted: Closures add to it what they tolerate in the row that is being computed.
        keys: The elements that `key()` finds; None if the contract has no keys.
        frames: The frames of all tables that need one.
        has_deferred: Whether a column refers to rows that may come later.
        revision: How revisions are distinguished; None if the contract has none.
        code: The code that maps usual documents; None if the plan interprets all.
    """

    contract: Contract
    read_key: ReadText | None
    convert_key: Callable[[str], Value]
    run_values: Callable[[Value, DocumentKey, RunValues], tuple[Value, ...]]
    tables: tuple[TablePlan, ...]
    has_markup: bool
    noted: Notes
    keys: Keys | None
    frames: tuple[Frame, ...]
    has_deferred: bool
    revision: RevisionPlan | None = None
    code: GeneratedCode | None = None


def rules_of(table: TablePlan) -> Iterator[ColumnPlan]:
    """Yield the columns of a table and their inputs."""
    for column in table.columns:
        yield from (column, *column.inputs)


def is_interpreted(table: TablePlan, tables: tuple[TablePlan, ...]) -> bool:
    """Return whether a table has rows within rows, or may start from nodes of other rows than its parent's."""
    starts_elsewhere = table.parent is not None and _attaches(tables[table.parent])
    return table.recursive is not None or _attaches(table) or starts_elsewhere


def _attaches(table: TablePlan) -> bool:
    return table.distinct is not None and table.distinct.attaches


def starts_at_elements(table: TablePlan, tables: tuple[TablePlan, ...]) -> bool:
    """Return whether the row rules of a table start from elements only."""
    if table.parent is None:
        return True
    parent = tables[table.parent]
    return all(
        rule.find.find_elements is not None
        and not rule.find.attribute
        and (rule.find.path != "." or starts_at_elements(parent, tables))
        for rule in parent.rules
    )
