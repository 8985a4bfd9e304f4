"""What a rule refers to is there: columns of parent rows, earlier columns, constants of row rules, lookups."""

from collections.abc import Iterator

from xml_extractor.contract.consistency.tables import ancestors, unknown_column
from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import Fault, KeyPath, did_you_mean, one_of
from xml_extractor.contract.model import Column, Input


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
        yield draft.written.fault(
            place, found=f"the unknown table '{parent}'", expected=expected, suggestion=suggestion
        )
    elif parent == table:
        yield draft.written.fault(place, found=f"the table '{parent}' itself", expected="a column of another table")
    elif parent in names and parent not in earlier:
        shown = f"the table '{parent}', which comes later"
        expected = f"'{parent}' before '{table}': parents come first"
        yield draft.written.fault(place, found=shown, expected=expected)
    elif not draft.has_column(parent, column):
        yield unknown_column(draft, place, parent, column, shown=f"{parent}.")
    elif found is not None:
        if column in found.columns and found.columns[column].generated:
            shown = f"the generated column '{reference}'"
            expected = "a column whose value is known before it is inserted"
            yield draft.written.fault(place, found=shown, expected=expected)
        if not _is_above(draft, table, parent):
            shown = f"the table '{parent}', which is no parent of '{table}' and may have several rows"
            expected = f"parent: {parent} in table {table}, or a table whose rows are '.'"
            yield draft.written.fault(place, found=shown, expected=expected)


def _is_above(draft: Draft, table: str, parent: str) -> bool:
    """Whether each row of the table has one row of the other: as an ancestor, or because there is only one."""
    path, found = ("tables", parent), draft.contract.tables[parent]
    is_single = found.parent is None and [rule.path for rule in found.rows] == ["."]
    above = ancestors(draft, table)
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
            yield unknown_column(draft, place, table, rule.column)
        elif rule.column in columns and rule.column not in earlier:
            is_itself = rule.column == column_name
            found = "the column itself" if is_itself else f"the column '{rule.column}', which comes later"
            yield draft.written.fault(place, found=found, expected="an earlier column of the table")
        elif rule.column in columns and columns[rule.column].generated:
            found = f"the generated column '{rule.column}'"
            expected = "a column whose value is known before it is inserted"
            yield draft.written.fault(place, found=found, expected=expected)


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
                    yield draft.written.fault(place, found=found, expected=expected, suggestion=meant, key=True)
                elif column not in wanted and draft.whole((*path, "columns", column)):
                    found = f"the column '{column}', which has its value from elsewhere"
                    yield draft.written.fault(place, found=found, expected="set: true in that column", key=True)
            if draft.whole(rule_path):
                for column in wanted:
                    if column not in rule.set_values:
                        message = f"the row rule does not say what '{column}' is"
                        expected = f"set: {{{column}: …}}"
                        yield draft.written.fault(rule_path, message, expected=expected)


def lookup_faults(draft: Draft) -> Iterator[Fault]:
    """Lookups that rules name are there."""
    for path, _, rule in draft.rules():
        for place, name in used_lookups(path, rule):
            if name not in draft.contract.lookups and not draft.lost(("lookups", name)):
                known = tuple(draft.contract.lookups)
                expected = one_of(known) or "a lookup of this contract"
                found, meant = f"the unknown lookup '{name}'", did_you_mean(name, known)
                yield draft.written.fault(place, found=found, expected=expected, suggestion=meant)


def used_lookups(path: KeyPath, rule: Column | Input) -> Iterator[tuple[KeyPath, str]]:
    """The lookups that a rule names, each with the place where it does."""
    for index, transform in enumerate(rule.transform):
        name = (transform.options or {}).get("name")
        if transform.name == "lookup" and isinstance(name, str):
            yield (*path, "transform", index, "lookup"), name
    if rule.lookup is not None:
        yield (*path, "lookup"), rule.lookup
