"""Readers: where the value of a column or input comes from in a row that is being mapped.

A reader is a function from a row to a value, and knows what it reads. The interpreted plan calls it; `generation`
writes code that does the same.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from xml_extractor.contract.model import Contract
from xml_extractor.documents import DocumentKey, RecordKey, RunValues, Value
from xml_extractor.mapping.children import ChildPath
from xml_extractor.mapping.nodes import FindNodes, Node, ValueNode
from xml_extractor.mapping.paths import FindElements, ReadText, first_attribute, first_text, string_value_or_nil
from xml_extractor.mapping.plan import ColumnPlan, Compute, RowScope
from xml_extractor.tsql import Expression
from xml_extractor.values.sqltypes import MAX, Family, SqlType

_KEY_BYTES = 16

SelectValue = Callable[[Sequence[Node]], Value]
"""Selects one of several nodes, or combines them, and returns the value."""


@dataclass(frozen=True, slots=True)
class OwnText:
    """The text of the row's node."""

    def __call__(self, row: RowScope) -> Value:
        """Read the value."""
        node = row.node
        return node.text if isinstance(node, ValueNode) else string_value_or_nil(node)


@dataclass(frozen=True, slots=True)
class OwnAttribute:
    """An attribute of the row's element, by its Clark name."""

    name: str

    def __call__(self, row: RowScope) -> Value:
        """Read the value."""
        return row.element.get(self.name)


@dataclass(frozen=True, slots=True)
class SharedSearch:
    """An attribute or the text of elements that a search finds, which several columns share.

    Attributes:
        number: The number of the search in the table.
        path: Its path.
        find: The search.
        attribute: The Clark name of the attribute; empty for the text.
    """

    number: int
    path: str
    find: FindElements
    attribute: str

    def __call__(self, row: RowScope) -> Value:
        """Read the value."""
        found = row.found[self.number]
        if found is None:
            found = row.found[self.number] = self.find(row.element)
        return first_attribute(found, self.attribute) if self.attribute else first_text(found, string_value_or_nil)


@dataclass(frozen=True, slots=True)
class PathText:
    """The text of what any XPath finds or computes from the row's node.

    Attributes:
        read: Evaluates it.
        counted: What it counts, if it is such a number.
    """

    read: ReadText
    counted: ChildPath | None = None

    def __call__(self, row: RowScope) -> Value:
        """Read the value."""
        return self.read(row.node)


@dataclass(frozen=True, slots=True)
class Selection:
    """What is selected of the nodes that a path finds.

    Attributes:
        find: Finds them.
        select: Selects.
        children: The path, if it finds children.
    """

    find: FindNodes
    select: SelectValue
    children: ChildPath | None

    def __call__(self, row: RowScope) -> Value:
        """Read the value."""
        return self.select(self.find(row.node))


@dataclass(frozen=True, slots=True)
class AncestorColumn:
    """A column of the parent row, or of one above it."""

    index: int
    levels: int

    def __call__(self, row: RowScope) -> Value:
        """Read the value."""
        ancestor = row
        for _ in range(self.levels):
            ancestor = ancestor.parent or ancestor
        return ancestor.values[self.index]


@dataclass(frozen=True, slots=True)
class OnlyRowColumn:
    """A column of the only row of a table, by the number of the table."""

    table: int
    index: int

    def __call__(self, row: RowScope) -> Value:
        """Read the value."""
        rows = row.document.rows[self.table]
        return rows[0].values[self.index] if rows else None


@dataclass(frozen=True, slots=True)
class OwnColumn:
    """An earlier column of the same row."""

    index: int

    def __call__(self, row: RowScope) -> Value:
        """Read the value."""
        return row.values[self.index]


@dataclass(frozen=True, slots=True)
class RunColumn:
    """A value of the run, by its number in `DocumentScope.run`."""

    index: int

    def __call__(self, row: RowScope) -> Value:
        """Read the value."""
        return row.document.run[self.index]


@dataclass(frozen=True, slots=True)
class Position:
    """The row's number among those of its parent row."""

    def __call__(self, row: RowScope) -> Value:
        """Read the value."""
        return row.position


@dataclass(frozen=True, slots=True)
class SetByRule:
    """The value that belongs to the row rule."""

    values: Sequence[Value]

    def __call__(self, row: RowScope) -> Value:
        """Read the value."""
        return self.values[row.rule]


@dataclass(frozen=True, slots=True)
class DerivedKey:
    """A key that is computed from the identity of the row.

    Attributes:
        shape: Makes a value of the column's type of 16 bytes.
        prefixes: What distinguishes the row rules of all contracts, by the number of the rule.
        positions: Returns the positions of a row and of those above it; None for those of rows without trees.
    """

    shape: Callable[[bytes], Value]
    prefixes: Sequence[str]
    positions: Callable[[RowScope], Iterable[str]] | None

    def __call__(self, row: RowScope) -> Value:
        """Read the value."""
        positions = _positions(row) if self.positions is None else self.positions(row)
        return self.key("\0".join((self.prefixes[row.rule], str(row.document.key), *positions)))

    def key(self, identity: str) -> Value:
        """Return the key of a row by its identity: the prefix of its rule, the document's key, and the positions."""
        return self.shape(blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=_KEY_BYTES).digest())


@dataclass(frozen=True, slots=True)
class Computed:
    """The value of a T-SQL expression.

    Attributes:
        expression: The compiled expression.
        inputs: Compute its inputs. Their errors name their own paths.
    """

    expression: Expression
    inputs: tuple[Compute, ...]

    def __call__(self, row: RowScope) -> Value:
        """Read the value."""
        return self.expression.evaluate([compute(row) for compute in self.inputs], row.document.clock)


_KNOWN: tuple[type[object], ...] = (
    *(AncestorColumn, Computed, DerivedKey, OnlyRowColumn, OwnAttribute, OwnColumn, OwnText, PathText, Position),
    *(RunColumn, Selection, SetByRule, SharedSearch),
)
"""The readers whose values the code reads in line."""


def reads_row(column: ColumnPlan) -> bool:
    """Return whether a column is computed from the row as an object, as the interpreted plan does it."""
    read = column.origin.read
    is_in_tree = isinstance(read, DerivedKey) and read.positions is not None
    return is_in_tree or not isinstance(read, _KNOWN) or any(map(reads_row, column.inputs))


def run_values(contract: Contract, key: Value, source_key: DocumentKey, run: RunValues) -> tuple[Value, ...]:
    """Return the values of a run for one document, in a fixed order."""
    place = source_key.place if isinstance(source_key, RecordKey) else None
    return (
        key,
        str(source_key),
        str(place.name if place else source_key),
        place.number if place else None,
        run.run_id,
        run.load_time,
        contract.contract,
        contract.version,
        run.source_name,
    )


def _positions(row: RowScope) -> list[str]:
    found = [str(row.position)]
    above = row.parent
    while above is not None:
        found.append(str(above.position))
        above = above.parent
    return found


def _bigint(_: SqlType, digest: bytes) -> Value:
    return int.from_bytes(digest[:8], "big") >> 1


def _uniqueidentifier(_: SqlType, digest: bytes) -> Value:
    digits = digest.hex().upper()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _binary(target: SqlType, digest: bytes) -> Value:
    return digest if target.length == MAX else digest[: target.length]


def _hexadecimal(target: SqlType, digest: bytes) -> Value:
    return digest.hex() if target.length == MAX else digest.hex()[: target.length]


KEY_SHAPES: dict[Family, Callable[[SqlType, bytes], Value]] = {
    Family.INTEGER: _bigint,
    Family.GUID: _uniqueidentifier,
    Family.BINARY: _binary,
    Family.TEXT: _hexadecimal,
}
"""The function from a type and 16 bytes to a derived key, by family."""
