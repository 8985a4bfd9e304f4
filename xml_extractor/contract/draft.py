"""A contract that is being checked: what of it could be read, and which parts could not."""

from collections.abc import Iterator
from dataclasses import dataclass

from xml_extractor.contract.faults import KeyPath
from xml_extractor.contract.model import Column, Contract, Input, Table
from xml_extractor.contract.written import Written


@dataclass(frozen=True)
class Draft:
    """What could be read of a contract.

    Attributes:
        contract: The well-formed parts; a part that is needed but ill-formed has a placeholder here.
        written: The file.
        removed: Paths of the ill-formed parts. They have their faults already: what they would have said is unknown,
            so nothing may be called absent where one of them stands.
    """

    contract: Contract
    written: Written
    removed: frozenset[KeyPath]

    def whole(self, path: KeyPath) -> bool:
        """Whether nothing at, above or below this path was ill-formed."""
        return not any(lost[: len(path)] == path or path[: len(lost)] == lost for lost in self.removed)

    def lost(self, path: KeyPath) -> bool:
        """Whether the part at this path, or one that contains it, was ill-formed."""
        return any(path[: len(removed)] == removed for removed in self.removed)

    def has_table(self, name: str) -> bool:
        """Whether the contract names this table, well-formed or not."""
        return name in self.contract.tables or self.lost(("tables", name))

    def has_column(self, table: str, column: str) -> bool:
        """Whether a table that `has_table` knows names this column, well-formed or not."""
        found = self.contract.tables.get(table)
        return found is None or column in found.columns or self.lost(("tables", table, "columns", column))

    def tables(self) -> Iterator[tuple[KeyPath, str, Table]]:
        """Every table that could be read, with its path and name."""
        for name, table in self.contract.tables.items():
            if ("tables", name) not in self.removed:
                yield ("tables", name), name, table

    def columns(self) -> Iterator[tuple[KeyPath, str, str, Column]]:
        """Every column that could be read: its path, its table's name, its own name, and what it says."""
        for path, table_name, table in self.tables():
            for name, column in table.columns.items():
                column_path = (*path, "columns", name)
                if not self.lost(column_path):
                    yield column_path, table_name, name, column

    def inputs(self) -> Iterator[tuple[KeyPath, str, str, str, Input]]:
        """Every input that could be read: its path, the names of table, column and input, and what it says."""
        for path, table, column_name, column in self.columns():
            for name, rule in column.inputs.items():
                input_path = (*path, "inputs", name)
                if not self.lost(input_path):
                    yield input_path, table, column_name, name, rule

    def rules(self) -> Iterator[tuple[KeyPath, str, Column | Input]]:
        """Every column and every input: its path, its table's name, and what it says."""
        for path, table, _, column in self.columns():
            yield path, table, column
        for path, table, _, _, rule in self.inputs():
            yield path, table, rule
