"""What the compiler of a table's columns knows of the contract."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from xml_extractor.contract.layout import TableLayout
from xml_extractor.contract.model import Contract
from xml_extractor.mapping.paths import FindElements, compile_elements
from xml_extractor.values.sqltypes import SqlType


@dataclass(frozen=True, slots=True)
class TableContext:
    """One table of a contract while its columns are compiled.

    Attributes:
        name: The table's name in the contract.
        layouts: All tables of the contract, by name.
        elements_only: Whether all nodes that become rows are elements.
        searches: The searches for elements that the columns share, by path; their order is their number.
    """

    contract: Contract
    name: str
    layouts: Mapping[str, TableLayout]
    elements_only: bool
    searches: dict[str, FindElements] = field(default_factory=dict)

    def search(self, path: str) -> int:
        """The number of a shared search, compiled at its first use."""
        if path not in self.searches:
            self.searches[path] = compile_elements(path, self.contract.namespaces)
        return list(self.searches).index(path)

    def column(self, table: str, name: str) -> tuple[int, SqlType]:
        """Where a column's value is in the rows of its table, and its type."""
        for index, column in enumerate(self.layouts[table].columns):
            if column.name == name:
                return index, column.type
        raise KeyError(f"{table}.{name}")

    def table_index(self, table: str) -> int:
        """A table's number in the contract's order."""
        return list(self.layouts).index(table)

    def levels_above(self, table: str) -> int:
        """How many parents lead from this table to that one; 0 if it is not above."""
        levels, above = 1, self.contract.tables[self.name].parent
        while above is not None and above != table:
            levels, above = levels + 1, self.contract.tables[above].parent
        return 0 if above is None else levels
