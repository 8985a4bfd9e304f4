"""Check the references of columns, and that nothing needs the value of one before it is known."""

from collections.abc import Iterator

from xml_extractor.contract.consistency.paths import finds_values, parsed
from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import Fault, KeyPath, did_you_mean, one_of, shown
from xml_extractor.contract.layout import is_deferred
from xml_extractor.contract.model import Column
from xml_extractor.contract.xpath import Call, Path, Step


def reference_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the references to tables and columns that do not exist, and those without `at`."""
    for path, _, _, column in draft.columns():
        if column.reference is None:
            continue
        if column.at is None and draft.whole(path):
            expected = "a path to the node whose row is meant"
            yield draft.text.fault(path, "the key is missing", expected=expected, key=True, missing="at")
        target, _, name = column.reference.partition(".")
        key_path, known = (*path, "reference"), tuple(draft.contract.tables)
        if not draft.has_table(target):
            meant = did_you_mean(target, known)
            suggestion = f"{meant}.{name}" if meant else ""
            found = f"the unknown table '{target}'"
            yield draft.text.fault(key_path, found=found, expected=one_of(known), suggestion=suggestion)
        elif target in draft.contract.tables:
            yield from draft.column_faults(key_path, target, name, prefix=f"{target}.")
            yield from needed_too_early(draft, key_path, target, name, f"{target}.{name}")
            yield from _kind_faults(draft, path, column.at or "", target)


def _kind_faults(draft: Draft, path: KeyPath, at: str, target: str) -> Iterator[Fault]:
    """Yield a path to attributes or text where rows are made from elements, or the reverse: it never finds a row."""
    rules = [rule.path for rule in draft.contract.tables[target].rows]
    if draft.lost((*path, "at")):
        return
    made_from = expected = ""
    if finds_values(at) and all(map(_finds_elements, rules)):
        made_from, expected = "elements", "a path to elements, as key('NAME', @id) is"
    elif _finds_elements(at) and all(map(finds_values, rules)):
        made_from, expected = "attributes or text", "a path to those"
    if made_from:
        message = f"the rows of {target} are made from {made_from}"
        yield draft.text.fault((*path, "at"), message, found=shown(at), expected=expected)


def _finds_elements(text: str) -> bool:
    match parsed(text):
        case Path(steps=(*_, Step("child", test))):
            return test not in ("node()", "text()")
        case Call("key"):
            return True
    return False


def early_use_faults(draft: Draft) -> Iterator[Fault]:
    """Yield what needs the value of a reference that is known last: filters, inputs and other rows."""
    for path, name, table in draft.tables():
        for index, column in enumerate(table.at_least_one):
            yield from needed_too_early(draft, (*path, "at_least_one", index), name, column, column)
        for index, column in enumerate(table.distinct.by if table.distinct else ()):
            yield from needed_too_early(draft, (*path, "distinct", "by", index), name, column, column)
    for path, name, rule in draft.rules():
        if rule.parent is not None:
            above, _, column = rule.parent.partition(".")
            yield from needed_too_early(draft, (*path, "parent"), above, column, rule.parent)
        if not isinstance(rule, Column) and rule.column is not None:
            yield from needed_too_early(draft, (*path, "column"), name, rule.column, rule.column)


def needed_too_early(draft: Draft, key_path: KeyPath, table: str, name: str, shown: str) -> Iterator[Fault]:
    """Yield the fault of a key that needs a column whose value is known last."""
    found = draft.contract.tables.get(table)
    column = found.columns.get(name) if found is not None else None
    if column is None or column.reference is None or column.reference.partition(".")[0] not in draft.contract.tables:
        return
    if is_deferred(draft.contract, table, column):
        yield draft.text.fault(
            key_path,
            "the value of a reference to the same or a later table is known last",
            found=f"the reference '{shown}'",
            expected="a column that is known before, or a reference to an earlier table",
        )
