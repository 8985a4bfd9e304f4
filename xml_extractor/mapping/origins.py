"""Where a column's value comes from: one function for each kind of origin that a contract can name."""

from collections.abc import Sequence
from typing import NamedTuple

from xml_extractor.contract.model import POSITION_TYPE, Contract, RunValue
from xml_extractor.documents import DocumentKey, RunValues, Value
from xml_extractor.mapping.context import TableContext
from xml_extractor.mapping.paths import ValueNode, compile_markup, compile_text, first_text, split_path, string_value
from xml_extractor.mapping.scope import Origin, RowScope
from xml_extractor.values.sqltypes import Family, SqlType, parse_type


class Source(NamedTuple):
    """An origin, and the type of its values; None if they are text of the document."""

    origin: Origin
    type: SqlType | None
    name: str


_UNLIMITED = parse_type("nvarchar(max)")
_RUN_VALUES: dict[RunValue, SqlType] = {
    "document_key": _UNLIMITED,
    "source_key": _UNLIMITED,
    "run_id": _UNLIMITED,
    "load_time": parse_type("datetime2(6)"),
    "contract": _UNLIMITED,
    "contract_version": parse_type("int"),
    "source_name": _UNLIMITED,
}
"""The types in which `run_values` has them, in its order."""


def run_values(contract: Contract, key: Value, source_key: DocumentKey, run: RunValues) -> tuple[Value, ...]:
    """What the run knows while it maps a document, in one order for all documents."""
    return (
        key,
        str(source_key),
        run.run_id,
        run.load_time,
        contract.contract,
        contract.version,
        run.source_name,
    )


def path_source(path: str, target: SqlType, context: TableContext) -> Source:
    """The text at a path; for a column of type xml, its markup."""
    namespaces = context.contract.namespaces
    if target.family is Family.XML:
        markup = compile_markup(path, namespaces)
        return Source(lambda scope: markup(scope.node), None, f"path {path}")
    if path == ".":
        return Source(_own_text, None, f"path {path}")
    split = split_path(path, namespaces) if context.elements_only else None
    if split is None:
        text = compile_text(path, namespaces)
        return Source(lambda scope: text(scope.node), None, f"path {path}")
    attribute = split.attribute
    if split.elements == ".":
        return Source(lambda scope: scope.element.get(attribute), None, f"path {path}")
    return Source(_shared(context, split.elements, attribute), None, f"path {path}")


def _own_text(scope: RowScope) -> Value:
    node = scope.node
    return node.text if isinstance(node, ValueNode) else string_value(node)


def _shared(context: TableContext, elements: str, attribute: str) -> Origin:
    number = context.search(elements)
    search = context.searches[elements]

    def find_text(scope: RowScope) -> Value:
        found = scope.found[number]
        if found is None:
            found = scope.found[number] = search(scope.element)
        return first_text(found)

    def find_attribute(scope: RowScope) -> Value:
        found = scope.found[number]
        if found is None:
            found = scope.found[number] = search(scope.element)
        for element in found:  # as `first_attribute`, whose call would cost more than it does
            value = element.get(attribute)
            if value is not None:
                return value
        return None

    return find_attribute if attribute else find_text


def parent_source(reference: str, context: TableContext) -> Source:
    """A value of the parent row at some level, or of the one row of a table that has one for each document."""
    table, _, name = reference.partition(".")
    index, column_type = context.column(table, name)
    levels = context.levels_above(table)
    origin = _of_parent(index, levels) if levels else _of_only_row(context.table_index(table), index)
    return Source(origin, column_type, f"parent {reference}")


def _of_parent(index: int, levels: int) -> Origin:
    def take(scope: RowScope) -> Value:
        row = scope
        for _ in range(levels):
            row = row.parent or row
        return row.values[index]

    return take


def _of_only_row(table: int, index: int) -> Origin:
    def take(scope: RowScope) -> Value:
        rows = scope.document.rows[table]
        return rows[0].values[index] if rows else None

    return take


def run_source(name: RunValue, context: TableContext) -> Source:
    """A value that the run knows."""
    index = list(_RUN_VALUES).index(name)
    is_typed_key = name == "document_key" and context.contract.document.key is not None
    value_type = context.contract.document.key_type if is_typed_key else _RUN_VALUES[name]
    return Source(lambda scope: scope.document.run[index], value_type, f"run {name}")


def column_source(name: str, context: TableContext) -> Source:
    """The value of an earlier column of the same row."""
    index, column_type = context.column(context.name, name)
    return Source(lambda scope: scope.values[index], column_type, f"column {name}")


def position_source() -> Source:
    """The row's number among the nodes found for its parent row."""
    return Source(lambda scope: scope.position, POSITION_TYPE, "position")


def constant_source(value: Value, target: SqlType) -> Source:
    """The same value for all rows; it has its column's type already."""
    return Source(lambda _: value, target, "constant")


def set_source(values: Sequence[Value], target: SqlType) -> Source:
    """A constant for each row rule, by the rule's number; they have their column's type already."""
    return Source(lambda scope: values[scope.rule], target, "set by the row rule")
