"""Check the tables of a contract: their names, parents, keys, and references between them and their columns."""

from collections.abc import Iterator

from xml_extractor.contract.consistency.paths import finds_values, parsed
from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import Fault, KeyPath, did_you_mean, differing_in_case, shown
from xml_extractor.contract.layout import is_deferred
from xml_extractor.contract.model import Column, Input, Table
from xml_extractor.contract.xpath import Call, Path, Step

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
        other = taken.setdefault(target.casefold(), name)
        if other != name and not table.table and not draft.contract.tables[other].table:
            message = f"table {other} already uses this database table"
            expected = "another name; or, if both fill the same table of the database, `table` in one of them"
            yield draft.text.fault(key_path, message, found=found, expected=expected, key=key)
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


def shared_table_faults(draft: Draft) -> Iterator[Fault]:
    """Yield what tables that fill the same table of the database do not agree on."""
    first: dict[str, str] = {}
    for path, name, table in draft.tables():
        other = first.setdefault((table.table or name).casefold(), name)
        if other == name or draft.lost((*path, "table")) or draft.lost(("tables", other, "table")):
            continue
        message, known = f"table {other} fills the same table of the database", draft.contract.tables[other]
        if not table.table and not known.table:  # `name_faults` reports names that differ only in case
            continue
        for column_path, column_name, here, there in _shared_columns(draft, path, table, other):
            own_type, other_type = draft.type_of(column_path, here), draft.column_type(other, column_name)
            if own_type is not None and other_type is not None and own_type != other_type:
                yield draft.text.fault((*column_path, "type"), message, found=str(own_type), expected=str(other_type))
            for key in ("identity", "generated"):
                if bool(getattr(here, key)) != bool(getattr(there, key)):
                    expected = f"{key}: {'true' if getattr(there, key) else 'false'}, as there"
                    yield draft.text.fault((*column_path, key), message, expected=expected)
        keys_are_known = draft.whole((*path, "columns")) and draft.whole(("tables", other, "columns"))
        if keys_are_known and {*map(str.casefold, _key_of(table))} != {*map(str.casefold, _key_of(known))}:
            found, expected = (f"the key ({', '.join(_key_of(each))})" for each in (table, known))
            yield draft.text.fault(path, message, found=found, expected=expected, key=True)
        if table.on_conflict != known.on_conflict and not draft.lost(("tables", other, "on_conflict")):
            found, expected = (f"on_conflict: {each.on_conflict}" for each in (table, known))
            yield draft.text.fault((*path, "on_conflict"), message, found=found, expected=expected)


def _shared_columns(
    draft: Draft, path: KeyPath, table: Table, other: str
) -> Iterator[tuple[KeyPath, str, Column, Column]]:
    """Yield path, name there, and both declarations of the columns that a table has in common with another one."""
    there = {name.casefold(): name for name in draft.contract.tables[other].columns}
    for name, column in table.columns.items():
        known, column_path = there.get(name.casefold()), (*path, "columns", name)
        if known is not None and not draft.lost(column_path) and not draft.lost(("tables", other, "columns", known)):
            yield column_path, known, column, draft.contract.tables[other].columns[known]


def _key_of(table: Table) -> list[str]:
    return [name for name, column in table.columns.items() if column.key]


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
            yield draft.text.unknown(key_path, "table", parent, [other for other in names if other != name])
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
    """Yield the keys that are missing, and rules of conflict that have no effect."""
    referring = _referring_tables(draft)
    for path, name, table in draft.tables():
        keys = [column_name for column_name, column in table.columns.items() if column.key]
        generated = [key for key in keys if table.columns[key].generated]
        if name in referring and not keys and draft.whole(path):
            message = f"the table has no key, but table {referring[name]} refers to it"
            yield draft.text.fault(path, message, expected="a column with key: true", key=True)
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
            yield from _containing_column_faults(draft, path, table, rule)


def _parent_column_faults(draft: Draft, key_path: KeyPath, table: str, reference: str) -> Iterator[Fault]:
    parent, _, column = reference.partition(".")
    names = list(draft.contract.tables)
    earlier = names[: names.index(table)]
    if not draft.has_table(parent):
        yield draft.text.unknown(key_path, "table", parent, earlier, "a table that comes earlier", column=column)
    elif parent == table:
        if draft.contract.tables[table].recursive is not None or draft.lost(("tables", table, "recursive")):
            yield from draft.column_faults(key_path, table, column, prefix=f"{table}.")
        else:
            expected = "a column of another table, or a table with recursive"
            yield draft.text.fault(key_path, found=f"the table '{parent}' itself", expected=expected)
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


def _containing_column_faults(draft: Draft, path: KeyPath, table: str, rule: Column | Input) -> Iterator[Fault]:
    """Yield the fault of a column that takes its type from a column of the containing row that has none of its own."""
    above, _, name = (rule.parent or "").partition(".")
    taken = draft.contract.tables[table].columns.get(name)
    is_untyped = taken is not None and taken.type is None and (taken.parent or "").startswith(f"{table}.")
    if above == table and rule.type is None and is_untyped and not draft.lost((*path, "type")):
        yield draft.text.without_key(path, "type")


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
                yield draft.text.unknown(key_path, "lookup", name, known)


def reference_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the references to tables and columns that do not exist, and those without `at`."""
    for path, _, _, column in draft.columns():
        if column.reference is None:
            continue
        if column.at is None and draft.whole(path):
            yield draft.text.without_key(path, "at", "a path to the node whose row is meant")
        target, _, name = column.reference.partition(".")
        key_path, known = (*path, "reference"), tuple(draft.contract.tables)
        if not draft.has_table(target):
            yield draft.text.unknown(key_path, "table", target, known, column=name)
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
