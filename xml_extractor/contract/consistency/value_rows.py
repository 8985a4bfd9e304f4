"""Rows made of attributes or text: only a few paths can start from them."""

from collections.abc import Iterator

from xml_extractor.contract.consistency.paths import parsed
from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import Fault, KeyPath, shown
from xml_extractor.contract.model import Table
from xml_extractor.contract.xpath import Call, Expression, Path

_NAME_FUNCTIONS = ("name", "local-name")


def value_row_faults(draft: Draft) -> Iterator[Fault]:
    """Faults of paths that start from an attribute or text as if it were an element."""
    tables = {name for _, name, table in draft.tables() if any(_finds_values(rule.path) for rule in table.rows)}
    for path, name, rule in draft.rules():
        if name in tables and rule.path is not None:
            yield from _fault(draft, (*path, "path"), rule.path)
    for path, _, table in draft.tables():
        if table.parent in tables:
            for key_path, text in _row_paths(path, table):
                yield from _fault(draft, key_path, text)


def _row_paths(path: KeyPath, table: Table) -> Iterator[tuple[KeyPath, str]]:
    for index, rule in enumerate(table.rows):
        yield (*path, "rows", index, "path"), rule.path


def _finds_values(text: str) -> bool:
    match parsed(text):
        case Path(steps=(*_, last)):
            return last.axis == "attribute" or last.test == "text()"
    return False


def _fault(draft: Draft, key_path: KeyPath, text: str) -> Iterator[Fault]:
    expression = parsed(text)
    if expression is not None and not _starts_from_values(expression) and not draft.lost(key_path):
        yield draft.written.fault(
            key_path,
            "the row is an attribute or text",
            found=shown(text),
            expected="., name(), local-name(), or a path that begins with .. or /",
        )


def _starts_from_values(expression: Expression) -> bool:
    match expression:
        case Path(start="document"):
            return True
        case Path(start="context", steps=(first, *others)):
            is_itself = first.axis == "self" and not others and not first.predicates
            return is_itself or first.axis == "parent"
        case Call(name=name, arguments=()):
            return name in _NAME_FUNCTIONS
    return False
