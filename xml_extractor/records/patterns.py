"""The location paths of `document.records` and `document.header`, matched against start tags while a file is scanned.

A path is followed as a set of states: a state (path, n) of an element says that its ancestors and itself match the
first n steps of the path. So the states of a child follow from those of its parent and its own start tag.

Start tags are read as the file has them: their attributes, and the names in Clark notation.
"""

import re
import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from lxml import etree
from lxml.etree import _Element as Element

from xml_extractor.contract.model import Contract
from xml_extractor.contract.names import clark_names, with_all_namespaces
from xml_extractor.contract.rewriting import written
from xml_extractor.contract.xpath import Expression, Path, Step, parse_xpath

State = tuple[int, int]
States = frozenset[State]

Predicate = Callable[[Element], bool]


class PatternStep(NamedTuple):
    """A step of a path.

    Attributes:
        names: The Clark names that match; None for any. `{uri}*` matches all names of a namespace.
        is_deep: Whether any number of elements may be above it (`//`).
        predicates: Conditions on its attributes.
    """

    names: frozenset[str] | None
    is_deep: bool
    predicates: tuple[Predicate, ...]

    def matches(self, name: str, attributes: Callable[[], Element]) -> bool:
        """Return whether an element of this name with these attributes matches."""
        if self.names is not None and name not in self.names and _any_name(name) not in self.names:
            return False
        return all(predicate(attributes()) for predicate in self.predicates)


class Patterns:
    """The paths of a contract's records and header.

    Args:
        contract: A consistent contract with `document.records`.
    """

    def __init__(self, contract: Contract) -> None:
        records, header = contract.document.records or (), contract.document.header or ()
        self._paths = [compiled(path, contract) for path in (*records, *header)]
        self._records = len(records)
        absolute = [parse_path(path).start == "document" for path in (*records, *header)]
        self._above_root = frozenset((number, 0) for number, is_absolute in enumerate(absolute) if is_absolute)
        self._at_root = frozenset((number, 0) for number, is_absolute in enumerate(absolute) if not is_absolute)
        # A header of one name is a child of any ancestor of a record.
        single = [number for number in range(self._records, len(self._paths)) if len(self._paths[number]) == 1]
        self._in_every_ancestor = frozenset((number, 0) for number in single if (number, 0) in self._at_root)
        self._ignored = len(self._paths)
        for pattern in map(parse_path, contract.ignore or ()):
            first, *others = compiled(written(pattern), contract)
            self._paths.append((first._replace(is_deep=first.is_deep or pattern.start != "document"), *others))
        self._above_root |= {(number, 0) for number in range(self._ignored, len(self._paths))}
        self.has_predicates = any(step.predicates for path in self._paths for step in path)

    def of_root(self, name: str, attributes: Callable[[], Element]) -> States:
        """Return the states of a root element."""
        return self.of_child(self._above_root, name, attributes) | self._at_root

    def of_child(self, parent: States, name: str, attributes: Callable[[], Element]) -> States:
        """Return the states of an element below one with the states `parent`."""
        found: set[State] = set()
        for number, position in parent | self._in_every_ancestor:
            path = self._paths[number]
            if position < len(path):
                step = path[position]
                if step.is_deep:
                    found.add((number, position))
                if step.matches(name, attributes):
                    found.add((number, position + 1))
        is_ignored = any(number >= self._ignored and position == len(self._paths[number]) for number, position in found)
        return frozenset(() if is_ignored else found)

    def is_record(self, states: States) -> bool:
        """Return whether an element with these states is a record."""
        return any(number < self._records and position == len(self._paths[number]) for number, position in states)

    def is_header(self, states: States) -> bool:
        """Return whether an element with these states belongs to the header."""
        return any(
            self._records <= number < self._ignored and position == len(self._paths[number])
            for number, position in states
        )

    def may_contain_records(self, states: States) -> bool:
        """Return whether there may be a record below an element with these states."""
        return any(number < self._records and position < len(self._paths[number]) for number, position in states)


def parse_path(text: str) -> Path:
    """Parse a path that is known to be a location path."""
    path = parse_xpath(text)
    if not isinstance(path, Path):
        raise TypeError(f"'{text}' is no location path")
    return path


def compiled(text: str, contract: Contract) -> tuple[PatternStep, ...]:
    """Compile a location path of child steps."""
    steps: list[PatternStep] = []
    is_deep = False
    for step in parse_path(text).steps:
        if step.axis != "child":
            is_deep = is_deep or step.axis == "descendant-or-self"
            continue
        steps.append(PatternStep(_names(step, contract), is_deep, tuple(_predicates(step.predicates, contract))))
        is_deep = False
    return tuple(steps)


def _names(step: Step, contract: Contract) -> frozenset[str] | None:
    return None if step.test == "*" else frozenset(clark_names(step.test, contract.namespaces))


def _any_name(name: str) -> str:
    namespace, brace, _ = name.rpartition("}")
    return f"{namespace}{brace}*"


def _predicates(predicates: Iterable[Expression], contract: Contract) -> Iterable[Predicate]:
    for predicate in predicates:
        path, prefixes = with_all_namespaces(f"boolean(self::node()[{written(predicate)}])", contract.namespaces)
        evaluate = etree.XPath(path, namespaces=prefixes, smart_strings=False)
        yield partial(_holds, evaluate)


def _holds(evaluate: etree.XPath, element: Element) -> bool:
    return evaluate(element) is True


_ATTRIBUTE = re.compile(rb"([^\s=]+)\s*=\s*(\"[^\"]*\"|'[^']*')")
_REFERENCE = re.compile(r"&(?:#x([0-9a-fA-F]{1,6})|#([0-9]{1,7})|(lt|gt|amp|quot|apos));")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}


class BrokenFileError(Exception):
    """The file breaks off, or is not well-formed between records. Its text is for the user."""


def attributes_of(rest: bytes) -> dict[str, str]:
    """Return the attributes of a start tag by their names as written."""
    found = _ATTRIBUTE.findall(rest)
    return {name.decode("utf-8", "replace"): _value(text[1:-1].decode("utf-8", "replace")) for name, text in found}


def attribute_of(tag: bytes, name: bytes) -> str:
    """Return the value of an attribute of a start tag by its name as written; empty if there is none."""
    found = (text for each, text in _ATTRIBUTE.findall(tag) if each == name)
    return _value(next(found, b"  ")[1:-1].decode("utf-8", "replace"))


def declared(above: dict[str, str], attributes: dict[str, str]) -> dict[str, str]:
    """Return the namespaces by prefix inside an element."""
    own = {
        name.removeprefix("xmlns").removeprefix(":"): value
        for name, value in attributes.items()
        if name == "xmlns" or name.startswith("xmlns:")
    }
    return {**above, **own} if own else above


def clark(name: str, namespaces: dict[str, str], *, is_attribute: bool) -> str:
    """Return a name as written in Clark notation; one with an unknown prefix stays as it is."""
    prefix, colon, local = name.rpartition(":")
    if is_attribute and not colon:
        return name
    address = namespaces.get(prefix)
    if address is None:
        return name
    return f"{{{address}}}{local}" if address else local


def _value(text: str) -> str:
    text = re.sub(r"\r\n|[\r\n\t]", " ", text)
    return _REFERENCE.sub(_character, text) if "&" in text else text


def _character(reference: re.Match[str]) -> str:
    hexadecimal, decimal, named = reference.groups()
    if named:
        return _NAMED[named]
    number = int(hexadecimal, 16) if hexadecimal else int(decimal)
    return chr(number) if number <= sys.maxunicode else ""


def start_tag(name: str, attributes: dict[str, str], namespaces: dict[str, str]) -> Element:
    """Return an element that consists of a start tag, for predicates.

    Args:
        name: Its Clark name.
        attributes: Its attributes by their names as written.
        namespaces: The namespaces by prefix inside it.

    Raises:
        BrokenFileError: It is not well-formed.
    """
    plain = {
        clark(key, namespaces, is_attribute=True): value
        for key, value in attributes.items()
        if key != "xmlns" and not key.startswith("xmlns:")
    }
    try:
        return etree.Element(name, plain)
    except ValueError:
        raise BrokenFileError("a start tag with a name or a character that XML does not allow") from None
