"""What may go wrong in a run although the contract has no fault, and names in paths that are probably written wrong."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from xml_extractor.contract.model import REJECT, Column, Contract, Table
from xml_extractor.contract.xpath import Call, Operation, Path, Step, XPathError, parse_xpath, walk
from xml_extractor.tsql import unqualified_columns


def warnings(contract: Contract) -> Iterator[str]:
    """Yield warnings about a contract without faults, one line each."""
    names = unqualified_columns(contract.source.where or "")
    if names:
        yield (
            f"warning: source.where: a subquery has columns without a table: {', '.join(names)}; write TABLE.COLUMN, "
            "because a column that the subquery's table lacks is silently that of the documents' table, and vice versa"
        )
    yield from doubtful_names(contract)
    yield from _uncounted_references(contract)
    yield from _default_sizes(contract)
    yield from _unlinked_tables(contract)
    for name, table in contract.tables.items():
        keys = [column for column in table.columns.values() if column.key]
        has_source_key = any(_is_source_key(contract, column) for column in keys)
        has_own_key = has_source_key or any(_is_document_key(contract, column) for column in keys)
        if table.on_conflict == "keep" and len(keys) < len(table.columns) and not has_own_key:
            yield (
                f"note: tables.{name}: where documents disagree about a row with the same key, the first one loaded "
                "decides; the run counts such rows as disagreeing"
            )
        if table.on_conflict == "replace" and contract.document.revision is None and not has_source_key:
            yield (
                f"warning: tables.{name}: documents with the same key replace each other's rows in an undefined order "
                "if they are loaded at the same time, and rows that only the earlier one has stay; declare "
                "`document.revision`, load such documents in separate runs, or make the key of the source a part of "
                "the table's key"
            )


def _uncounted_references(contract: Contract) -> Iterator[str]:
    for name, table in contract.tables.items():
        for column_name, column in table.columns.items():
            calls = [part.name for part in walk(parse_xpath(column.at or ".")) if isinstance(part, Call)]
            if "current" in calls and "key" not in calls:
                yield (
                    f"warning: tables.{name}.columns.{column_name}.at: references that find no node are not counted, "
                    "because only key() shows that there was a value to look up; use key()"
                )


def _default_sizes(contract: Contract) -> Iterator[str]:
    """Yield warnings about types whose size is the default of SQL Server, which is rarely meant."""
    for name, table in contract.tables.items():
        for column_name, column in table.columns.items():
            for place, rule in (
                ("", column),
                *((f".inputs.{input_name}", each) for input_name, each in column.inputs.items()),
            ):
                what = _WITHOUT_SIZE.get(rule.type.name) if rule.type is not None and rule.type.is_bare else None
                if what is not None and rule.type is not None:
                    yield (
                        f"warning: tables.{name}.columns.{column_name}{place}: {rule.type.name} without {what[0]} is "
                        f"{rule.type}; write {what[1]}"
                    )


_WITHOUT_SIZE = {
    **{name: ("a length", f"the length, such as {name}(100)") for name in ("varchar", "nvarchar", "varbinary")},
    **{name: ("a scale", f"precision and scale, such as {name}(12,2)") for name in ("decimal", "numeric")},
}
"""What is left out in a type's short form, and what to write, by the type's name."""


def _unlinked_tables(contract: Contract) -> Iterator[str]:
    """Yield warnings about tables whose rows cannot be joined to what they belong to."""
    for name, table in contract.tables.items():
        rules = [rule for column in table.columns.values() for rule in (column, *column.inputs.values())]
        if any(rule.parent is not None or _leads_up(rule.path or "") for rule in rules):
            continue
        if any(column.reference for column in table.columns.values()):
            continue
        parent = contract.tables.get(table.parent or "")
        has_document = any(column.run in ("document_key", "source_key") for column in table.columns.values())
        is_one_a_document = (
            parent is not None and parent.parent is None and all(rule.path == "." for rule in parent.rows)
        )
        if parent is not None and not (has_document and is_one_a_document):
            yield (
                f"warning: tables.{name}: no column says to which row of {table.parent} a row belongs; add a column "
                f"with `parent: {table.parent}.COLUMN`"
            )


def _leads_up(path: str) -> bool:
    """Return whether a path may lead out of the row's node, such as to its parent."""
    return path.startswith("/") or any(part in path for part in ("..", "ancestor", "parent::", "$", "key("))


def _is_source_key(contract: Contract, column: Column) -> bool:
    """Return whether a column holds the key of the source, which no two documents share."""
    if column.parent is not None:
        table, _, name = column.parent.partition(".")
        return _is_source_key(contract, contract.tables[table].columns[name])
    if column.transform or column.lookup or column.on_invalid != REJECT:
        return False
    return column.run == "source_key" or (column.run == "document_key" and contract.document.key is None)


def _is_document_key(contract: Contract, column: Column) -> bool:
    """Return whether a column holds the document's own key."""
    if column.parent is not None:
        table, _, name = column.parent.partition(".")
        return _is_document_key(contract, contract.tables[table].columns[name])
    return column.run == "document_key" or (column.path is not None and column.path == contract.document.key)


class _Name(NamedTuple):
    """The name of an element or, after `@`, of an attribute, with its prefix."""

    text: str

    @property
    def is_attribute(self) -> bool:
        return self.text.startswith("@")

    @property
    def has_prefix(self) -> bool:
        return ":" in self.text


def doubtful_names(contract: Contract) -> Iterator[str]:
    """Yield a warning for each name without the prefix of others, and for each that is nearly another name."""
    places: dict[_Name, str] = {}
    count: Counter[_Name] = Counter()
    document = contract.document
    paths = [("document.key", document.key or "."), *(("document.records", path) for path in document.records or ())]
    paths += [(f"tables.{name}.{key}", path) for name, table in contract.tables.items() for key, path in _paths(table)]
    for place, path in paths:
        for name in _names(path):
            count[name] += 1
            places.setdefault(name, place)
    yield from _without_prefix(contract, places)
    yield from _nearly_equal(places, count)
    yield from _repeated_starts(contract)


def _paths(table: Table) -> Iterator[tuple[str, str]]:
    for rule in table.rows:
        yield "rows", rule.path
    for name, path in table.nodes.items():
        yield f"nodes.{name}", path
    for key in ("base", "recursive"):
        if (path := getattr(table, key)) is not None:
            yield key, path
    for name, column in table.columns.items():
        for value in (column, *column.inputs.values()):
            for text in (value.path, value.each):
                if text is not None:
                    yield f"columns.{name}", text


def _names(path: str) -> Iterator[_Name]:
    with suppress(XPathError, RecursionError):
        for step in walk(parse_xpath(path)):
            if isinstance(step, Step) and "*" not in step.test and "(" not in step.test:
                yield _Name(f"@{step.test}" if step.axis == "attribute" else step.test)


def _without_prefix(contract: Contract, places: dict[_Name, str]) -> Iterator[str]:
    """Yield warnings about elements without a prefix where most have one."""
    elements = [name for name in places if not name.is_attribute and name.text not in contract.document.root]
    prefixed = [name for name in elements if name.has_prefix]
    others = [name for name in elements if not name.has_prefix]
    if any("" in uris for uris in contract.namespaces.values()) or not others:
        return
    if len(others) < len(prefixed):
        for name in others:
            yield (
                f"warning: {places[name]}: {name.text} finds only elements without a namespace; "
                f"write a prefix, as in {prefixed[0].text}, if it has one"
            )
    elif all(":" in root for root in contract.document.root):
        root, first = contract.document.root[0], others[0]
        prefix = root.partition(":")[0]
        yield (
            f"warning: {places[first]}: {first.text} finds only elements without a namespace, but the root {root} has "
            f"one; write {prefix}:{first.text}, and prefix other names too, unless elements below the root have none"
        )


def _repeated_starts(contract: Contract) -> Iterator[str]:
    """Yield warnings about paths whose first step is the element where they start."""
    document = contract.document
    top = {name for path in document.records or () for name in _last_names(path)} or {*document.root}
    outer = {"": top} | {name: _row_names(contract, table, top) for name, table in contract.tables.items()}
    for name, table in contract.tables.items():
        starts = [(f"tables.{name}.{key}", path, outer[name]) for key, path in _paths(table) if key != "rows"]
        starts += [(f"tables.{name}.rows", rule.path, outer[table.parent or ""]) for rule in table.rows]
        for place, path, names in starts if table.recursive is None and table.base is None else ():
            for step in _first_steps(path):
                if step in names:
                    yield (
                        f"warning: {place}: the path starts at an element {step} and looks for another one in it; "
                        f"leave the first step of {path} out, unless {step} contains {step}"
                    )


def _row_names(contract: Contract, table: Table, top: set[str]) -> set[str]:
    """Return the names of the elements that the rows of a table are from, as far as its paths show them."""
    if all(rule.path == "." for rule in table.rows):
        parent = contract.tables.get(table.parent or "")
        return top if parent is None else _row_names(contract, parent, top)
    return {name for rule in table.rows for name in _last_names(rule.path)}


def _last_names(path: str) -> set[str]:
    return {branch.steps[-1].test for branch in _branches(path) if branch.steps and branch.steps[-1].axis == "child"}


def _first_steps(path: str) -> list[str]:
    firsts = [branch.steps[0] for branch in _branches(path) if branch.start == "context" and branch.steps]
    return [step.test for step in firsts if step.axis == "child" and not step.test.endswith(("*", ")"))]


def _branches(path: str) -> list[Path]:
    """Return the location paths of which a path is the union; none for other expressions."""
    with suppress(XPathError, RecursionError):
        expression = parse_xpath(path)
        operands = expression.operands if isinstance(expression, Operation) and expression.operator == "|" else None
        return [branch for branch in operands or (expression,) if isinstance(branch, Path)]
    return []


def _nearly_equal(places: dict[_Name, str], count: Counter[_Name]) -> Iterator[str]:
    """Yield warnings about names that differ from another one only in case, or in the order of two letters."""
    alike: dict[str, list[_Name]] = {}
    for name in places:
        alike.setdefault("".join(sorted(name.text.casefold())), []).append(name)
    for names in alike.values():
        for position, name in enumerate(names):
            for other in names[:position]:
                if _differ_little(name.text, other.text):
                    rare, common = sorted((name, other), key=lambda each: count[each])
                    yield (
                        f"warning: {places[rare]}: {rare.text} is nearly {common.text} ({places[common]}); names must "
                        "be written as in the documents, in upper and lower case"
                    )


def _differ_little(one: str, other: str) -> bool:
    if one.casefold() == other.casefold():
        return True
    different = [index for index, pair in enumerate(zip(one, other, strict=True)) if pair[0] != pair[1]]
    first, last = different[0], different[-1]
    return last == first + 1 and one[first] == other[last] and one[last] == other[first]
