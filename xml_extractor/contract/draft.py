"""The well-formed parts of a contract while its consistency is checked."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from xml_extractor.contract.faults import Fault, KeyPath, did_you_mean
from xml_extractor.contract.model import (
    POSITION_TYPE,
    TEXT_INPUT_TYPE,
    Column,
    Contract,
    Input,
    Table,
)
from xml_extractor.contract.run_values import RUN_VALUE_TYPES
from xml_extractor.contract.yaml_text import YamlText
from xml_extractor.values.sqltypes import SqlType


@dataclass(frozen=True)
class Draft:
    """A contract whose ill-formed parts are removed or replaced by placeholders.

    Attributes:
        contract: The well-formed parts.
        text: The file.
        removed: Paths of the ill-formed parts. Their faults are reported already. Their content is unknown, so no
            check may report that something is missing there.
    """

    contract: Contract
    text: YamlText
    removed: frozenset[KeyPath]

    def whole(self, path: KeyPath) -> bool:
        """Return whether no part at, above or below this path was removed."""
        return not self.removed or (path not in self._above_removed and not self.lost(path))

    def lost(self, path: KeyPath) -> bool:
        """Return whether the part at this path, or one that contains it, was removed."""
        return bool(self.removed) and any(path[:length] in self.removed for length in range(len(path) + 1))

    @cached_property
    def _above_removed(self) -> frozenset[KeyPath]:
        """The paths of parts that contain a removed one."""
        return frozenset(path[:length] for path in self.removed for length in range(len(path)))

    def entry_path(self, path: KeyPath, index: int) -> KeyPath:
        """Return the key path of an entry of a list that may also be written as its only entry."""
        return (*path, index) if isinstance(self.text.data_at(path), list) else path

    def has_table(self, name: str) -> bool:
        """Return whether the contract names this table, well-formed or not."""
        return name in self.contract.tables or self.lost(("tables", name))

    def has_column(self, table: str, column: str) -> bool:
        """Return whether a table that `has_table` knows names this column, well-formed or not."""
        found = self.contract.tables.get(table)
        return found is None or column in found.columns or self.lost(("tables", table, "columns", column))

    def tables(self) -> Iterator[tuple[KeyPath, str, Table]]:
        """Yield the path, name and content of every table that could be read."""
        for name, table in self.contract.tables.items():
            if ("tables", name) not in self.removed:
                yield ("tables", name), name, table

    def columns(self) -> Iterator[tuple[KeyPath, str, str, Column]]:
        """Yield the path, the names of table and column, and the content of every column that could be read."""
        for path, table_name, table in self.tables():
            for name, column in table.columns.items():
                column_path = (*path, "columns", name)
                if not self.lost(column_path):
                    yield column_path, table_name, name, column

    def inputs(self) -> Iterator[tuple[KeyPath, str, str, str, Input]]:
        """Yield the path, the names of table, column and input, and the content of every input that could be read."""
        for path, table, column_name, column in self.columns():
            for name, rule in column.inputs.items():
                input_path = (*path, "inputs", name)
                if not self.lost(input_path):
                    yield input_path, table, column_name, name, rule

    def rules(self) -> Iterator[tuple[KeyPath, str, Column | Input]]:
        """Yield the path, the table's name and the content of every column and input that could be read."""
        for path, table, _, column in self.columns():
            yield path, table, column
        for path, table, _, _, rule in self.inputs():
            yield path, table, rule

    def order(self) -> Iterator[tuple[KeyPath, Input]]:
        """Yield the path and the content of every rule of `document.revision.order` that could be read."""
        revision = self.contract.document.revision
        for index, rule in enumerate(revision.order if revision is not None else ()):
            path: KeyPath = ("document", "revision", "order", index)
            if not self.lost(path):
                yield path, rule

    def values(self) -> Iterator[tuple[KeyPath, Column | Input]]:
        """Yield the path and the content of everything that reads a typed value."""
        for path, _, rule in self.rules():
            yield path, rule
        yield from self.order()

    def ancestors(self, name: str) -> tuple[str, ...]:
        """Return the table's parent, the parent's parent and so on, as far as they exist; a cycle ends at its start."""
        found: list[str] = []
        table = self.contract.tables.get(name)
        while table is not None and table.parent is not None and table.parent not in found:
            found.append(table.parent)
            table = self.contract.tables.get(table.parent)
        return tuple(found)

    def column_faults(self, path: KeyPath, table: str, column: str, *, prefix: str = "") -> Iterator[Fault]:
        """Yield the fault of a reference at `path` to a column that does not exist or that the database generates."""
        found = self.contract.tables.get(table)
        if found is not None and not self.has_column(table, column):
            meant, unknown = did_you_mean(column, found.columns), f"the unknown column '{column}'"
            suggestion = f"{prefix}{meant}" if meant else ""
            yield self.text.fault(path, found=unknown, expected=f"a column of table {table}", suggestion=suggestion)
        elif found is not None and column in found.columns and found.columns[column].generated:
            expected = "a column whose value is known before the row is inserted"
            if prefix:
                expected += ": a key from the document, or one with derived: true"
            yield self.text.fault(path, found=f"the generated column '{prefix}{column}'", expected=expected)

    def type_of(self, path: KeyPath, rule: Column | Input) -> SqlType | None:
        """Return the type of a rule's value, or None if it is missing or ill-formed."""
        if rule.type is not None:
            return rule.type
        if self.lost((*path, "type")):
            return None
        if isinstance(rule, Input) and rule.path is not None:
            return TEXT_INPUT_TYPE
        return self.source_type(path, rule)

    def source_type(self, path: KeyPath, rule: Column | Input) -> SqlType | None:
        """Return the type of a value that is not text of the document, or None if it is unknown."""
        if isinstance(rule, Input) and rule.column is not None:
            return self.column_type(str(path[1]), rule.column)
        if rule.parent is not None:
            table, _, column = rule.parent.partition(".")
            order = list(self.contract.tables)
            own = str(path[1])
            contains_own = table == own and self.contract.tables[own].recursive is not None
            taken = self.contract.tables[own].columns.get(column) if contains_own else None
            is_known = taken is not None and (taken.type is not None or not (taken.parent or "").startswith(f"{own}."))
            is_earlier = table in order[: order.index(own)]
            return self.column_type(table, column) if is_earlier or is_known else None
        if isinstance(rule, Column) and rule.reference is not None:
            table, _, column = rule.reference.partition(".")
            taken = self.contract.tables[table].columns.get(column) if table in self.contract.tables else None
            is_known = taken is not None and (taken.type is not None or taken.reference is None)
            return self.column_type(table, column) if is_known else None
        if rule.run == "document_key":
            document = self.contract.document
            has_own_type = document.key is not None and self.whole(("document",))
            return document.key_type if has_own_type else RUN_VALUE_TYPES["document_key"]
        if rule.run is not None:
            return RUN_VALUE_TYPES[rule.run]
        return POSITION_TYPE if isinstance(rule, Column) and rule.position else None

    def column_type(self, table: str, column: str) -> SqlType | None:
        """Return the type of a column by its name, or None if there is no such column or its type is unknown."""
        path = ("tables", table, "columns", column)
        found = self.contract.tables.get(table)
        if found is None or column not in found.columns or self.lost(path):
            return None
        return self.type_of(path, found.columns[column])
