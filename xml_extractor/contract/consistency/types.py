"""The types of a contract's rules, as far as an unfinished contract tells them."""

from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import KeyPath
from xml_extractor.contract.model import POSITION_TYPE, RUN_VALUE_TYPES, TEXT_INPUT_TYPE, Column, Input
from xml_extractor.values.sqltypes import SqlType


def type_of(draft: Draft, path: KeyPath, rule: Column | Input) -> SqlType | None:
    """The type of a rule's value; None if that cannot be told, because something is missing or wrong."""
    if rule.type is not None:
        return rule.type
    if draft.lost((*path, "type")):
        return None
    if isinstance(rule, Input) and rule.path is not None:
        return TEXT_INPUT_TYPE
    return source_type(draft, path, rule)


def source_type(draft: Draft, path: KeyPath, rule: Column | Input) -> SqlType | None:
    """The type of the value that a rule takes from elsewhere; None for text of the document and where it is unknown."""
    if isinstance(rule, Input) and rule.column is not None:
        return column_type(draft, str(path[1]), rule.column)
    if rule.parent is not None:
        table, _, column = rule.parent.partition(".")
        is_earlier = _comes_before(draft, table, str(path[1]))
        return column_type(draft, table, column) if is_earlier else None
    if rule.run == "document_key":
        document = draft.contract.document
        has_own_type = document.key is not None and draft.whole(("document",))
        return document.key_type if has_own_type else RUN_VALUE_TYPES["document_key"]
    if rule.run is not None:
        return RUN_VALUE_TYPES[rule.run]
    return POSITION_TYPE if isinstance(rule, Column) and rule.position else None


def column_type(draft: Draft, table: str, column: str) -> SqlType | None:
    """The type of a column by its name; None if there is no such column, or its type cannot be told."""
    path = ("tables", table, "columns", column)
    found = draft.contract.tables.get(table)
    if found is None or column not in found.columns or draft.lost(path):
        return None
    return type_of(draft, path, found.columns[column])


def _comes_before(draft: Draft, first: str, second: str) -> bool:
    order = list(draft.contract.tables)
    return first in order and second in order and order.index(first) < order.index(second)
