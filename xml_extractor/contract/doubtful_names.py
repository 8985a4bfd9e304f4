"""Names in the paths of a contract that are probably written wrong, as far as the contract alone shows it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from xml_extractor.contract.model import Contract, Table
from xml_extractor.contract.xpath import Operation, Path, Step, XPathError, parse_xpath, walk


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
            f"one; write {prefix}:{first.text}, and so on, unless what is below the root has none"
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
