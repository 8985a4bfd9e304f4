"""Tables have names of their own, parents that come first, and the keys that others need."""

from collections.abc import Iterator

from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import Fault, KeyPath, did_you_mean, one_of
from xml_extractor.contract.model import Table

LOG_TABLE = "processing_log"
"""The table in which the program keeps what became of each document."""

LONGEST_NAME = 128
"""Characters of an identifier ("Database identifiers", Microsoft Learn)."""


def name_faults(draft: Draft) -> Iterator[Fault]:
    """Names that the database cannot tell apart, cannot have or has already."""
    taken: dict[str, str] = {}
    for path, name, table in draft.tables():
        place, key = ((*path, "table"), False) if table.table else (path, True)
        target = table.table or name
        found = f"the table '{target}'"
        if target.casefold() in taken and not draft.lost((*path, "table")):
            message = f"table {taken[target.casefold()]} has the same table in the database"
            yield draft.written.fault(place, message, found=found, expected="a name of its own", key=key)
        taken.setdefault(target.casefold(), name)
        parts = target.split(".")
        if parts[-1].casefold() == LOG_TABLE:
            message = "the program keeps its processing log in it"
            yield draft.written.fault(place, message, found=found, expected="another name", key=key)
        if any(len(part) > LONGEST_NAME for part in parts):
            expected = f"at most {LONGEST_NAME} characters in each part"
            yield draft.written.fault(place, found=f"a name of {len(target)} characters", expected=expected, key=key)
        yield from _column_name_faults(draft, path, table)


def _column_name_faults(draft: Draft, path: KeyPath, table: Table) -> Iterator[Fault]:
    taken: dict[str, str] = {}
    for column in table.columns:
        if column.casefold() in taken:
            found = f"the columns '{taken[column.casefold()]}' and '{column}'"
            expected = "names that differ in more than case"
            yield draft.written.fault((*path, "columns", column), found=found, expected=expected, key=True)
        taken.setdefault(column.casefold(), column)


def parent_faults(draft: Draft) -> Iterator[Fault]:
    """Parents of tables that do not exist, come later or are their own children."""
    names = list(draft.contract.tables)
    reported: set[str] = set()
    for path, name, table in draft.tables():
        parent = table.parent
        if parent is None or name in reported:
            continue
        place = (*path, "parent")
        if not draft.has_table(parent):
            found, others = f"the unknown table '{parent}'", [other for other in names if other != name]
            expected = one_of(others) or "a table of this contract"
            yield draft.written.fault(place, found=found, expected=expected, suggestion=did_you_mean(parent, others))
        elif parent == name:
            yield draft.written.fault(place, found="the table itself", expected="another table, or no parent")
        elif cycle := _cycle(draft, name):
            reported.update(cycle)
            found = f"a cycle: {' -> '.join((*cycle, name))}"
            yield draft.written.fault(place, found=found, expected="parents that end at a table without one")
        elif parent in names and names.index(parent) > names.index(name):
            found = f"the table '{parent}', which comes later"
            yield draft.written.fault(place, found=found, expected=f"'{parent}' before '{name}': parents come first")


def ancestors(draft: Draft, name: str) -> tuple[str, ...]:
    """The table's parent, the parent's parent and so on, as far as they are there; a cycle ends at its start."""
    found: list[str] = []
    table = draft.contract.tables.get(name)
    while table is not None and table.parent is not None and table.parent not in found:
        found.append(table.parent)
        table = draft.contract.tables.get(table.parent)
    return tuple(found)


def _cycle(draft: Draft, name: str) -> tuple[str, ...]:
    above = ancestors(draft, name)
    return (name, *above[: above.index(name)]) if name in above else ()


def key_faults(draft: Draft) -> Iterator[Fault]:
    """Keys that are missing, or cannot serve because the database fills them."""
    referring = _referring_tables(draft)
    for path, name, table in draft.tables():
        keys = [column_name for column_name, column in table.columns.items() if column.key]
        generated = [key for key in keys if table.columns[key].generated]
        if name in referring:
            by = f"table {referring[name]} refers to it"
            if not keys and draft.whole(path):
                message = f"the table has no key, and {by}"
                yield draft.written.fault(path, message, expected="a column with key: true", key=True)
            for key in generated:
                message = f"the key is not known before it is inserted, and {by}"
                expected = "a key from the document, or derived: true"
                place = (*path, "columns", key, "generated")
                yield draft.written.fault(place, message, found="generated", expected=expected, key=True)
        if table.on_conflict != "fail":
            place = (*path, "on_conflict")
            if not keys and draft.whole((*path, "columns")):
                message = "without a key there are no conflicts"
                expected = "a column with key: true"
                yield draft.written.fault(place, message, found=table.on_conflict, expected=expected)
            elif generated:
                message = f"the key '{generated[0]}' is always new, so there are no conflicts"
                yield draft.written.fault(place, message, found=table.on_conflict, expected="no such key")


def _referring_tables(draft: Draft) -> dict[str, str]:
    """For each table that another one refers to, the first that does."""
    referring: dict[str, str] = {}
    for _, name, table in draft.tables():
        if table.parent is not None:
            referring.setdefault(table.parent, name)
    for path, name, rule in draft.rules():
        if rule.parent is not None and path[:2] == ("tables", name):
            referring.setdefault(rule.parent.partition(".")[0], name)
    return {parent: name for parent, name in referring.items() if parent != name}


def column_list_faults(draft: Draft) -> Iterator[Fault]:
    """Columns that `distinct` and `at_least_one` name are there, and known before they are inserted."""
    for path, name, table in draft.tables():
        places: list[tuple[KeyPath, str]] = [
            ((*path, "at_least_one", index), column) for index, column in enumerate(table.at_least_one)
        ]
        if table.distinct is not None:
            places += [((*path, "distinct", "by", index), column) for index, column in enumerate(table.distinct.by)]
        for place, column in places:
            if not draft.has_column(name, column):
                yield unknown_column(draft, place, name, column)
            elif column in table.columns and table.columns[column].generated:
                found = f"the generated column '{column}'"
                expected = "a column whose value is known before it is inserted"
                yield draft.written.fault(place, found=found, expected=expected)


def unknown_column(draft: Draft, place: KeyPath, table: str, column: str, *, shown: str = "") -> Fault:
    """The fault of a reference to a column that the table does not have."""
    columns = draft.contract.tables[table].columns
    meant = did_you_mean(column, columns)
    suggestion = f"{shown}{meant}" if meant else ""
    found = f"the unknown column '{column}'"
    return draft.written.fault(place, found=found, expected=f"a column of table {table}", suggestion=suggestion)
