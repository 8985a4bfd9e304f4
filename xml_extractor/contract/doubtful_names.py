"""Names in the paths of a contract that are probably written wrong, as far as the contract alone shows it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from xml_extractor.contract.model import Contract, Table
from xml_extractor.contract.xpath import Step, XPathError, parse_xpath, walk


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
    for table_name, table in contract.tables.items():
        for key, path in _paths(table):
            for name in _names(path):
                count[name] += 1
                places.setdefault(name, f"tables.{table_name}.{key}")
    yield from _without_prefix(contract, places)
    yield from _nearly_equal(places, count)


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
    elements = [name for name in places if not name.is_attribute]
    prefixed = [name for name in elements if name.has_prefix]
    others = [name for name in elements if not name.has_prefix]
    has_both = any("" in uris for uris in contract.namespaces.values())
    if has_both or len(others) >= len(prefixed):
        return
    for name in others:
        yield (
            f"warning: {places[name]}: {name.text} finds only elements without a namespace; "
            f"write a prefix, as in {prefixed[0].text}, if it has one"
        )


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
