"""Tables whose rows contain rows of their own: `recursive`, in document order and linear time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

from xml_extractor.documents import Failure, Value
from xml_extractor.mapping.errors import RULE_ERRORS, MappingError, failure_of
from xml_extractor.mapping.nodes import ValueNode
from xml_extractor.mapping.paths import SharedElements
from xml_extractor.mapping.plan import Compute, RowScope, TablePlan
from xml_extractor.reasons import Reason, Stage


@dataclass(eq=False, slots=True)
class TreeRow(RowScope):
    """A row of a recursive table.

    Attributes:
        container: The row that contains it; None at the top.
        below: How many rows it contains.
        is_kept: Whether the filters keep it. Known before the rows below it are found.
        replaced_by: The row that takes those below it if `distinct` leaves it out and attaches children.
        trail: Stands for its position and those of the rows that contain it; empty until a derived key needs it.
    """

    container: "TreeRow | None" = None
    below: int = 0
    is_kept: bool = True
    replaced_by: "TreeRow | None" = None
    trail: str = ""


def with_rows_below(table: TablePlan, tops: Iterable[RowScope]) -> Iterator[TreeRow]:
    """Yield the rows that the row rules found, each followed by the rows below it.

    The caller filters each row before it takes the next one: nothing below a row that is left out is visited.

    Raises:
        MappingError: A node is reached twice, or `recursive` cannot be evaluated.
    """
    visited: set[object] = set()
    waiting = [_tree_rows(tops)]
    while waiting:
        row = next(waiting[-1], None)
        if row is None:
            waiting.pop()
            continue
        node = row.node
        place = (node.owner, node.name) if isinstance(node, ValueNode) else node
        if place in visited:
            explanation = "a node is reached twice, so that its row would stand in two places"
            path = table.recursive.path if table.recursive else ""
            raise MappingError(Failure(Stage.MAP, Reason.CYCLE, explanation, table.name, path=path))
        visited.add(place)
        yield row
        container = row if row.is_kept else row.replaced_by
        if container is not None:
            waiting.append(iter(_rows_below(table, row, container)))


def _tree_rows(rows: Iterable[RowScope]) -> Iterator[TreeRow]:
    return (row for row in rows if isinstance(row, TreeRow))


def _rows_below(table: TablePlan, row: TreeRow, container: TreeRow) -> list[TreeRow]:
    rule = table.recursive
    if rule is None:
        return []
    if table.frame is not None:
        table.frame.enter(row.node)
    try:
        nodes = rule.find(row.node, SharedElements())
    except RULE_ERRORS as error:
        raise MappingError(failure_of(error, rule.path, table.name)) from None
    first = container.below + 1
    container.below += len(nodes)
    document, parent, searches = row.document, row.parent, table.searches
    return [
        TreeRow(document, parent, node, node, row.rule, position, [None] * searches, container=container)
        for position, node in enumerate(nodes, first)
        if not isinstance(node, ValueNode)
    ]


def read_container(index: int) -> Compute:
    """Read a column of the containing row; NULL at the top."""

    def read(row: RowScope) -> Value:
        container = row.container if isinstance(row, TreeRow) else None
        return None if container is None else container.values[index]

    return read


def positions(row: RowScope) -> Iterator[str]:
    """Yield what distinguishes a row from all others of its document: its position and those of the rows above it."""
    above: RowScope | None = row
    while above is not None:
        is_contained = isinstance(above, TreeRow) and above.container is not None
        yield _trail(above) if isinstance(above, TreeRow) and is_contained else str(above.position)
        above = above.parent


def _trail(row: TreeRow) -> str:
    """Return a hash of the positions of a row and of those that contain it, in constant time for each row."""
    unknown: list[TreeRow] = []
    known = row
    while not known.trail and known.container is not None:
        unknown.append(known)
        known = known.container
    trail = known.trail or str(known.position)
    for each in reversed(unknown):
        trail = each.trail = blake2b(f"{trail}\0{each.position}".encode(), digest_size=16).hexdigest()
    return trail


def containers(row: RowScope) -> Iterator[TreeRow]:
    """Yield the rows that contain a row, the outermost last."""
    container = row.container if isinstance(row, TreeRow) else None
    while container is not None:
        yield container
        container = container.container
