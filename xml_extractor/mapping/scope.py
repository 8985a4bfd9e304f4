"""What the rules of a column see of a document and a row while they are computed."""

from collections.abc import Callable
from datetime import datetime

from lxml.etree import _Element as Element

from xml_extractor.documents import Value
from xml_extractor.mapping.paths import Node, ValueNode


class DocumentScope:
    """One document: its root, its key, the values of the run, and the surviving rows of the tables mapped so far."""

    __slots__ = ("clock", "key", "root", "rows", "run")

    def __init__(self, root: Element, key: Value, run: tuple[Value, ...], clock: datetime) -> None:
        self.root = root
        self.key = key
        self.run = run
        self.clock = clock
        self.rows: list[list[RowScope]] = []


class RowScope:
    """One node that a row rule found, and the values of its row as far as they are computed.

    Attributes:
        element: The node, or the owner of the attribute or text that is the node.
        rule: Which of the table's row rules found it, from 0.
        position: Its number among the nodes found for its parent row, by all rules, from 1.
        parent: The parent row; None where the table has none.
        found: Results of searches for elements that several columns share, by the search's number.
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


Origin = Callable[[RowScope], Value]
"""Where a value comes from: the raw text of a path, or a value that has its type already."""
