"""Readers: where the value of a column or input comes from in a row that is being mapped.

A reader is a function from a row to a value, and knows what it reads. The interpreted plan calls it; `generation` writes
code that does the same.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

from xml_extractor.documents import Value
from xml_extractor.mapping.nodes import ValueNode
from xml_extractor.mapping.paths import FindElements, ReadText, first_attribute, first_text, string_value_or_nil
from xml_extractor.mapping.plan import Compute, RowScope
from xml_extractor.tsql import Expression

_KEY_BYTES = 16


class OwnText(NamedTuple):
    """The text of the row's node."""

    def __call__(self, row: RowScope) -> Value:
        """Read the value."""
        node = row.node
        return node.text if isinstance(node, ValueNode) else string_value_or_nil(node)


class OwnAttribute(NamedTuple):
    """An attribute of the row's element, by its Clark name."""

    name: str

    def __call__(self, row: RowScope) -> Value:
        """Read the value."""
        return row.element.get(self.name)


class SharedSearch(NamedTuple):
    """An attribute or the text of elements that a search finds, which several columns share.

    Attributes:
        number: The number of the search in the table.
        find: The search.
        attribute: The Clark name of the attribute; empty for the text.
    """

    number: int
    find: FindElements
    attribute: str

    def __call__(self, row: RowScope) -> Value:
        """Read the value."""
        found = row.found[self.number]
        if found is None:
            found = row.found[self.number] = self.find(row.element)
        return first_attribute(found, self.attribute) if self.attribute else first_text(found, string_value_or_nil)


class PathText(NamedTuple):
    """The text of what any XPath finds or computes from the row's node."""

    read: ReadText

    def __call__(self, row: RowScope) -> Value:
        """Read the value."""
        return self.read(row.node)


class AncestorColumn(NamedTuple):
    """A column of the parent row, or of one above it."""

    index: int
    levels: int

    def __call__(self, row: RowScope) -> Value:
        """Read the value."""
        ancestor = row
        for _ in range(self.levels):
            ancestor = ancestor.parent or ancestor
        return ancestor.values[self.index]


class OnlyRowColumn(NamedTuple):
    """A column of the only row of a table, by the number of the table."""

    table: int
    index: int

    def __call__(self, row: RowScope) -> Value:
        """Read the value."""
        rows = row.document.rows[self.table]
        return rows[0].values[self.index] if rows else None


class OwnColumn(NamedTuple):
    """An earlier column of the same row."""

    index: int

    def __call__(self, row: RowScope) -> Value:
        """Read the value."""
        return row.values[self.index]


class RunColumn(NamedTuple):
    """A value of the run, by its number in `DocumentScope.run`."""

    index: int

    def __call__(self, row: RowScope) -> Value:
        """Read the value."""
        return row.document.run[self.index]


class Position(NamedTuple):
    """The row's number among those of its parent row."""

    def __call__(self, row: RowScope) -> Value:
        """Read the value."""
        return row.position


class SetByRule(NamedTuple):
    """The value that belongs to the row rule."""

    values: Sequence[Value]

    def __call__(self, row: RowScope) -> Value:
        """Read the value."""
        return self.values[row.rule]


class DerivedKey(NamedTuple):
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
        return self.key(row.rule, row.document.key, *positions)

    def key(self, rule: int, document_key: Value, *positions: str | int) -> Value:
        """Return the key of a row by the positions of the row and of those above it."""
        identity = "\0".join([self.prefixes[rule], str(document_key), *map(str, positions)])
        return self.shape(blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=_KEY_BYTES).digest())


class Computed(NamedTuple):
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


def _positions(row: RowScope) -> list[str]:
    found = [str(row.position)]
    above = row.parent
    while above is not None:
        found.append(str(above.position))
        above = above.parent
    return found
