"""Check the names, parents, keys and references of tables."""

from collections.abc import Iterator

from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import Fault, KeyPath, did_you_mean, one_of
from xml_extractor.contract.model import Column, Input, Table

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
            yield draft.text.fault(place, message, found=found, expected="a name of its own", key=key)
        taken.setdefault(target.casefold(), name)
        parts = target.split(".")
        if parts[-1].casefold() == LOG_TABLE:
            message = "the program keeps its processing log in it"
            yield draft.text.fault(place, message, found=found, expected="another name", key=key)
        if any(len(part) > LONGEST_NAME for part in parts):
            expected = f"at most {LONGEST_NAME} characters in each part"
            yield draft.text.fault(place, found=f"a name of {len(target)} characters", expected=expected, key=key)
        yield from _column_name_faults(draft, path, table)


def _column_name_faults(draft: Draft, path: KeyPath, table: Table) -> Iterator[Fault]:
    taken: dict[str, str] = {}
    for column in table.columns:
        if column.casefold() in taken:
            found = f"the columns '{taken[column.casefold()]}' and '{column}'"
            expected = "names that differ in more than case"
            yield draft.text.fault((*path, "columns", column), found=found, expected=expected, key=True)
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
            yield draft.text.fault(place, found=found, expected=expected, suggestion=did_you_mean(parent, others))
        elif parent == name:
            yield draft.text.fault(place, found="the table itself", expected="another table, or no parent")
        elif cycle := _cycle(draft, name):
            reported.update(cycle)
            found = f"a cycle: {' -> '.join((*cycle, name))}"
            yield draft.text.fault(place, found=found, expected="parents that end at a table without one")
        elif parent in names and names.index(parent) > names.index(name):
            found = f"the table '{parent}', which comes later"
            yield draft.text.fault(place, found=found, expected=f"'{parent}' before '{name}': parents come first")


def _cycle(draft: Draft, name: str) -> tuple[str, ...]:
    above = draft.ancestors(name)
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
                yield draft.text.fault(path, message, expected="a column with key: true", key=True)
            for key in generated:
                message = f"the key is not known before it is inserted, and {by}"
                expected = "a key from the document, or derived: true"
                place = (*path, "columns", key, "generated")
                yield draft.text.fault(place, message, found="generated", expected=expected, key=True)
        if table.on_conflict != "fail":
            place = (*path, "on_conflict")
            if not keys and draft.whole((*path, "columns")):
                message = "without a key there are no conflicts"
                expected = "a column with key: true"
                yield draft.text.fault(place, message, found=table.on_conflict, expected=expected)
            elif generated:
                message = f"the key '{generated[0]}' is always new, so there are no conflicts"
                yield draft.text.fault(place, message, found=table.on_conflict, expected="no such key")


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
                yield draft.unknown_column(place, name, column)
            elif column in table.columns and table.columns[column].generated:
                found = f"the generated column '{column}'"
                expected = "a column whose value is known before it is inserted"
                yield draft.text.fault(place, found=found, expected=expected)


def parent_column_faults(draft: Draft) -> Iterator[Fault]:
    """References to columns of parent rows."""
    for path, table, rule in draft.rules():
        if rule.parent is not None:
            yield from _parent_column_faults(draft, (*path, "parent"), table, rule.parent)


def _parent_column_faults(draft: Draft, place: KeyPath, table: str, reference: str) -> Iterator[Fault]:
    parent, _, column = reference.partition(".")
    names = list(draft.contract.tables)
    earlier = names[: names.index(table)]
    found = draft.contract.tables.get(parent)
    if not draft.has_table(parent):
        meant = did_you_mean(parent, earlier)
        suggestion = f"{meant}.{column}" if meant else ""
        expected = one_of(earlier) or "a table that comes earlier"
        yield draft.text.fault(place, found=f"the unknown table '{parent}'", expected=expected, suggestion=suggestion)
    elif parent == table:
        yield draft.text.fault(place, found=f"the table '{parent}' itself", expected="a column of another table")
    elif parent in names and parent not in earlier:
        shown = f"the table '{parent}', which comes later"
        expected = f"'{parent}' before '{table}': parents come first"
        yield draft.text.fault(place, found=shown, expected=expected)
    elif not draft.has_column(parent, column):
        yield draft.unknown_column(place, parent, column, prefix=f"{parent}.")
    elif found is not None:
        if column in found.columns and found.columns[column].generated:
            shown = f"the generated column '{reference}'"
            expected = "a column whose value is known before it is inserted"
            yield draft.text.fault(place, found=shown, expected=expected)
        if not _is_above(draft, table, parent):
            shown = f"the table '{parent}', which is no parent of '{table}' and may have several rows"
            expected = f"parent: {parent} in table {table}, or a table whose rows are '.'"
            yield draft.text.fault(place, found=shown, expected=expected)


def _is_above(draft: Draft, table: str, parent: str) -> bool:
    """Whether each row of the table has one row of the other: as an ancestor, or because there is only one."""
    path, found = ("tables", parent), draft.contract.tables[parent]
    is_single = found.parent is None and [rule.path for rule in found.rows] == ["."]
    above = draft.ancestors(table)
    is_unknown = any(draft.lost(("tables", name, "parent")) for name in (table, *above))
    return parent in above or is_single or is_unknown or draft.lost((*path, "rows")) or draft.lost((*path, "parent"))


def input_column_faults(draft: Draft) -> Iterator[Fault]:
    """Inputs that take columns: earlier ones of the same table."""
    for path, table, column_name, _, rule in draft.inputs():
        if rule.column is None:
            continue
        place, columns = (*path, "column"), draft.contract.tables[table].columns
        names = list(columns)
        earlier = names[: names.index(column_name)]
        if not draft.has_column(table, rule.column):
            yield draft.unknown_column(place, table, rule.column)
        elif rule.column in columns and rule.column not in earlier:
            is_itself = rule.column == column_name
            found = "the column itself" if is_itself else f"the column '{rule.column}', which comes later"
            yield draft.text.fault(place, found=found, expected="an earlier column of the table")
        elif rule.column in columns and columns[rule.column].generated:
            found = f"the generated column '{rule.column}'"
            expected = "a column whose value is known before it is inserted"
            yield draft.text.fault(place, found=found, expected=expected)


def set_faults(draft: Draft) -> Iterator[Fault]:
    """Row rules and `set: true` columns: each rule gives each of them a constant, and nothing else."""
    for path, name, table in draft.tables():
        wanted = [column_name for column_name, column in table.columns.items() if column.set_by_rule]
        for index, rule in enumerate(table.rows):
            rule_path = (*path, "rows", index)
            for column in rule.set_values:
                place = (*rule_path, "set", column)
                if not draft.has_column(name, column):
                    meant = did_you_mean(column, wanted)
                    expected = f"a column of table {name} with set: true"
                    found = f"the unknown column '{column}'"
                    yield draft.text.fault(place, found=found, expected=expected, suggestion=meant, key=True)
                elif column not in wanted and draft.whole((*path, "columns", column)):
                    found = f"the column '{column}', which has its value from elsewhere"
                    yield draft.text.fault(place, found=found, expected="set: true in that column", key=True)
            if draft.whole(rule_path):
                for column in wanted:
                    if column not in rule.set_values:
                        message = f"the row rule does not say what '{column}' is"
                        expected = f"set: {{{column}: …}}"
                        yield draft.text.fault(rule_path, message, expected=expected)


def lookup_faults(draft: Draft) -> Iterator[Fault]:
    """Lookups that rules name are there."""
    for path, _, rule in draft.rules():
        for place, name in used_lookups(path, rule):
            if name not in draft.contract.lookups and not draft.lost(("lookups", name)):
                known = tuple(draft.contract.lookups)
                expected = one_of(known) or "a lookup of this contract"
                found, meant = f"the unknown lookup '{name}'", did_you_mean(name, known)
                yield draft.text.fault(place, found=found, expected=expected, suggestion=meant)


def used_lookups(path: KeyPath, rule: Column | Input) -> Iterator[tuple[KeyPath, str]]:
    """The lookups that a rule names, each with the place where it does."""
    for index, transform in enumerate(rule.transform):
        name = (transform.options or {}).get("name")
        if transform.name == "lookup" and isinstance(name, str):
            yield (*path, "transform", index, "lookup"), name
    if rule.lookup is not None:
        yield (*path, "lookup"), rule.lookup
