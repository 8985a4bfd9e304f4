"""Check the names, parents, keys and references of tables."""

from collections.abc import Iterator

from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import Fault, KeyPath, did_you_mean, differing_in_case, one_of

LOG_TABLE = "processing_log"
"""The default name of the table that records the outcome of each document."""

MAX_NAME = 128
"""The largest number of characters of an identifier ("Database identifiers", Microsoft Learn)."""


def name_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the names of tables and columns that are duplicates in the database, reserved or too long."""
    taken: dict[str, str] = {}
    for path, name, table in draft.tables():
        key_path, key = ((*path, "table"), False) if table.table else (path, True)
        target = table.table or name
        found = f"the table '{target}'"
        if target.casefold() in taken and not draft.lost((*path, "table")):
            message = f"table {taken[target.casefold()]} already uses this database table"
            yield draft.text.fault(key_path, message, found=found, expected="another name", key=key)
        taken.setdefault(target.casefold(), name)
        parts = target.split(".")
        if parts[-1].casefold() == LOG_TABLE:
            message = "the name is reserved for the processing log"
            yield draft.text.fault(key_path, message, found=found, expected="another name", key=key)
        if any(len(part) > MAX_NAME for part in parts):
            expected = f"at most {MAX_NAME} characters in each part"
            yield draft.text.fault(key_path, found=f"a name of {len(target)} characters", expected=expected, key=key)
        for first, second in differing_in_case(table.columns):
            found, expected = f"the columns '{first}' and '{second}'", "names that differ in more than case"
            yield draft.text.fault((*path, "columns", second), found=found, expected=expected, key=True)


def parent_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the parents that do not exist, come later or form a cycle."""
    names = list(draft.contract.tables)
    reported: set[str] = set()
    for path, name, table in draft.tables():
        parent = table.parent
        if parent is None or name in reported:
            continue
        key_path = (*path, "parent")
        if not draft.has_table(parent):
            found, others = f"the unknown table '{parent}'", [other for other in names if other != name]
            expected = one_of(others) or "a table of this contract"
            yield draft.text.fault(key_path, found=found, expected=expected, suggestion=did_you_mean(parent, others))
        elif parent == name:
            yield draft.text.fault(key_path, found="the table itself", expected="another table, or no parent")
        elif cycle := _cycle(draft, name):
            reported.update(cycle)
            found = f"a cycle: {' -> '.join((*cycle, name))}"
            yield draft.text.fault(key_path, found=found, expected="parents that end at a table without one")
        elif parent in names and names.index(parent) > names.index(name):
            found = f"the table '{parent}', which comes later"
            yield draft.text.fault(key_path, found=found, expected=f"'{parent}' before '{name}': parents come first")


def _cycle(draft: Draft, name: str) -> tuple[str, ...]:
    above = draft.ancestors(name)
    return (name, *above[: above.index(name)]) if name in above else ()


def key_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the keys that are missing or unusable because the database generates them."""
    referring = _referring_tables(draft)
    for path, name, table in draft.tables():
        keys = [column_name for column_name, column in table.columns.items() if column.key]
        generated = [key for key in keys if table.columns[key].generated]
        if name in referring:
            by = f"table {referring[name]} refers to it"
            if not keys and draft.whole(path):
                message = f"the table has no key, but {by}"
                yield draft.text.fault(path, message, expected="a column with key: true", key=True)
            for key in generated:
                message = f"the database generates the key when it inserts the row, but {by}"
                expected = "a key from the document, or derived: true"
                key_path = (*path, "columns", key, "generated")
                yield draft.text.fault(key_path, message, found="generated", expected=expected, key=True)
        if table.on_conflict != "fail":
            key_path = (*path, "on_conflict")
            if not keys and draft.whole((*path, "columns")):
                message = "on_conflict has no effect without a key"
                expected = "a column with key: true"
                yield draft.text.fault(key_path, message, found=table.on_conflict, expected=expected)
            elif generated:
                message = f"on_conflict has no effect, because the database generates the key '{generated[0]}'"
                yield draft.text.fault(key_path, message, found=table.on_conflict, expected="no on_conflict")


def _referring_tables(draft: Draft) -> dict[str, str]:
    """Return, for each table that others refer to, the first table that does."""
    referring: dict[str, str] = {}
    for _, name, table in draft.tables():
        if table.parent is not None:
            referring.setdefault(table.parent, name)
    for path, name, rule in draft.rules():
        if rule.parent is not None and path[:2] == ("tables", name):
            referring.setdefault(rule.parent.partition(".")[0], name)
    return {parent: name for parent, name in referring.items() if parent != name}


def column_list_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the columns of `distinct` and `at_least_one` that do not exist or that the database generates."""
    for path, name, table in draft.tables():
        named: list[tuple[KeyPath, str]] = [
            ((*path, "at_least_one", index), column) for index, column in enumerate(table.at_least_one)
        ]
        if table.distinct is not None:
            named += [((*path, "distinct", "by", index), column) for index, column in enumerate(table.distinct.by)]
        for key_path, column in named:
            yield from draft.column_faults(key_path, name, column)


def parent_column_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the references to columns of parent rows that cannot be resolved."""
    for path, table, rule in draft.rules():
        if rule.parent is not None:
            yield from _parent_column_faults(draft, (*path, "parent"), table, rule.parent)


def _parent_column_faults(draft: Draft, key_path: KeyPath, table: str, reference: str) -> Iterator[Fault]:
    parent, _, column = reference.partition(".")
    names = list(draft.contract.tables)
    earlier = names[: names.index(table)]
    if not draft.has_table(parent):
        meant = did_you_mean(parent, earlier)
        suggestion = f"{meant}.{column}" if meant else ""
        expected = one_of(earlier) or "a table that comes earlier"
        yield draft.text.fault(
            key_path, found=f"the unknown table '{parent}'", expected=expected, suggestion=suggestion
        )
    elif parent == table:
        yield draft.text.fault(key_path, found=f"the table '{parent}' itself", expected="a column of another table")
    elif parent in names and parent not in earlier:
        shown = f"the table '{parent}', which comes later"
        expected = f"'{parent}' before '{table}': parents come first"
        yield draft.text.fault(key_path, found=shown, expected=expected)
    else:
        yield from draft.column_faults(key_path, parent, column, prefix=f"{parent}.")
        if parent in names and draft.has_column(parent, column) and not _is_above(draft, table, parent):
            shown = f"the table '{parent}', which is not a parent of '{table}' and may have several rows"
            expected = f"parent: {parent} in table {table}, or a table whose rows are '.'"
            yield draft.text.fault(key_path, found=shown, expected=expected)


def _is_above(draft: Draft, table: str, parent: str) -> bool:
    """Return whether each row of the table belongs to one row of the other: an ancestor, or its only row."""
    path, found = ("tables", parent), draft.contract.tables[parent]
    is_single = found.parent is None and [rule.path for rule in found.rows] == ["."]
    above = draft.ancestors(table)
    is_unknown = any(draft.lost(("tables", name, "parent")) for name in (table, *above))
    return parent in above or is_single or is_unknown or draft.lost((*path, "rows")) or draft.lost((*path, "parent"))


def input_column_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the inputs whose column does not exist, is not an earlier one or is generated."""
    for path, table, column_name, _, rule in draft.inputs():
        if rule.column is None:
            continue
        key_path, columns = (*path, "column"), draft.contract.tables[table].columns
        names = list(columns)
        earlier = names[: names.index(column_name)]
        if rule.column in columns and rule.column not in earlier:
            is_itself = rule.column == column_name
            found = "the column itself" if is_itself else f"the column '{rule.column}', which comes later"
            yield draft.text.fault(key_path, found=found, expected="an earlier column of the table")
        else:
            yield from draft.column_faults(key_path, table, rule.column)


def set_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the differences between the `set` of a row rule and the columns with `set: true`."""
    for path, name, table in draft.tables():
        wanted = [column_name for column_name, column in table.columns.items() if column.set_by_rule]
        for index, rule in enumerate(table.rows):
            rule_path = (*path, "rows", index)
            for column in rule.set_values:
                key_path = (*rule_path, "set", column)
                if not draft.has_column(name, column):
                    meant = did_you_mean(column, wanted)
                    expected = f"a column of table {name} with set: true"
                    found = f"the unknown column '{column}'"
                    yield draft.text.fault(key_path, found=found, expected=expected, suggestion=meant, key=True)
                elif column not in wanted and draft.whole((*path, "columns", column)):
                    found = f"the column '{column}', which does not take its value from set"
                    yield draft.text.fault(key_path, found=found, expected="set: true in that column", key=True)
            if draft.whole(rule_path):
                for column in wanted:
                    if column not in rule.set_values:
                        message = f"the row rule has no value for '{column}'"
                        expected = f"set: {{{column}: …}}"
                        yield draft.text.fault(rule_path, message, expected=expected)


def lookup_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the lookups that columns and inputs name but the contract does not declare."""
    known = tuple(draft.contract.lookups)
    for path, rule in draft.values():
        used: list[tuple[KeyPath, object]] = [
            ((*path, "transform", index, "lookup"), (transform.options or {}).get("name"))
            for index, transform in enumerate(rule.transform)
            if transform.name == "lookup"
        ]
        for key_path, name in [*used, ((*path, "lookup"), rule.lookup)]:
            if isinstance(name, str) and name not in known and not draft.lost(("lookups", name)):
                found, expected = f"the unknown lookup '{name}'", one_of(known) or "a lookup of this contract"
                yield draft.text.fault(key_path, found=found, expected=expected, suggestion=did_you_mean(name, known))
