"""The keys of a contract: elements by the values that `use` gives for them.

A key is indexed when `key()` is first evaluated for a document, in time that grows with the number of its elements. A
record is searched with its ancestors and header. Where many records share the tree of their header, the header stays
indexed, and only the record and its ancestors are indexed anew.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from lxml.etree import _Element as Element

from xml_extractor.contract.model import Key
from xml_extractor.contract.names import Namespaces
from xml_extractor.contract.rewriting import looks_down, selection, written
from xml_extractor.contract.xpath import kind_of, parse_xpath
from xml_extractor.mapping.nodes import ValueNode, evaluator
from xml_extractor.mapping.numbers import number_text
from xml_extractor.mapping.paths import compile_nodes, compile_text, string_value
from xml_extractor.values.sqltypes import XML_SPACE

Index = dict[str, list[tuple[int, Element]]]
"""Elements by value, with numbers in document order."""


_FIRST_OF_RECORD = 2**62
"""The number of a record's first element: those of its header and its ancestors are smaller."""


class _Header(NamedTuple):
    """What records with the same header share: the index of the header, and their ancestors with their numbers."""

    by_value: Index
    ancestors: dict[Element, int]


class _KeyRule:
    """A compiled key."""

    def __init__(self, key: Key, namespaces: Namespaces) -> None:
        selected = selection(parse_xpath(key.match))
        self.is_local = selected.is_local and looks_down(parse_xpath(key.use))
        self._finds = [evaluator(written(path), namespaces) for path in selected.paths]
        self._tests = [evaluator(f"boolean({written(path)})", namespaces) for path in selected.tests]
        self._values = _values(key.use, namespaces)

    def elements(self, start: Element) -> list[Element]:
        """Return the matching elements at or below an element, in document order."""
        first, *others = [find(start) for find in self._finds]
        if not others:
            return list(first)
        found = set(first).union(*others)
        return [element for element in start.iter("*") if element in found] if found else []

    def matches(self, element: Element) -> bool:
        """Return whether an element matches, if the rule is local."""
        return any(test(element) for test in self._tests)

    def add(self, index: Index, element: Element, number: int) -> None:
        """Add a matching element to an index."""
        for value in dict.fromkeys(self._values(element)):
            if value.strip(XML_SPACE):
                index[value].append((number, element))


def _values(use: str, namespaces: Namespaces) -> Callable[[Element], Iterable[str]]:
    if kind_of(parse_xpath(use)) == "node-set":
        find = compile_nodes(use, namespaces)
        return lambda element: (
            node.text if isinstance(node, ValueNode) else string_value(node) for node in find(element)
        )
    read = compile_text(use, namespaces)
    return lambda element: (read(element) or "",)


class Keys:
    """The keys of a contract for one document after the other.

    Args:
        keys: The keys by name.
        namespaces: The contract's prefixes.

    Attributes:
        was_asked: Whether a value that is not blank was looked up since this was last set to False.
    """

    def __init__(self, keys: Mapping[str, Key], namespaces: Namespaces) -> None:
        self.was_asked = False
        self._rules = {name: _KeyRule(key, namespaces) for name, key in keys.items()}
        self._root: Element | None = None
        self._top: Element | None = None
        self._indexes: dict[str, Index] = {}
        self._headers: dict[str, _Header] = {}

    def enter(self, root: Element) -> None:
        """Answer for another document."""
        if root is self._root:
            return
        top = _ancestors(root)[-1]
        if top is not self._top or top is root:
            self._headers = {}
        self._root, self._top, self._indexes = root, top, {}

    def leave(self) -> None:
        """Forget the document, but not the header that the next record may share."""
        is_record = self._top is not self._root
        self._root, self._indexes = None, {}
        if not is_record:
            self._top = None

    def find(self, _: object, name: str, value: object) -> list[Element]:
        """Return the elements of a key for one value or the values of several nodes, as XSLT's `key()`.

        Raises:
            RuleError: The value of an element cannot be computed.
        """
        texts = [text for text in _texts(value) if text.strip(XML_SPACE)]
        if not texts:
            return []
        self.was_asked = True
        index = self.index_of(name)
        indexes = [index, self._headers[name].by_value] if name in self._headers else [index]
        found = [entry for text in texts for each in indexes for entry in each.get(text, ())]
        if len(texts) == len(indexes) == 1:
            return [element for _, element in found]
        return [element for _, element in sorted(dict(found).items())]

    def index_of(self, name: str) -> Index:
        """Return the index of a key, without the header that records share."""
        index = self._indexes.get(name)
        if index is None:
            index = self._indexes[name] = self._index(name)
        return index

    def _index(self, name: str) -> Index:
        rule, root, top = self._rules[name], self._root, self._top
        index: Index = defaultdict(list)
        if root is None or top is None:
            return index
        if root is top or not rule.is_local:
            for number, element in enumerate(rule.elements(top)):
                rule.add(index, element, number)
            return index
        if name not in self._headers:
            self._headers[name] = _index_header(rule, root, top)
        for element, number in self._headers[name].ancestors.items():
            if rule.matches(element):
                rule.add(index, element, number)
        for number, element in enumerate(rule.elements(root), _FIRST_OF_RECORD):
            rule.add(index, element, number)
        return index


def _index_header(rule: _KeyRule, root: Element, top: Element) -> _Header:
    above, record, matching = _ancestors(root)[1:], set(root.iter("*")), set(rule.elements(top))
    index, ancestors = defaultdict[str, list[tuple[int, Element]]](list), dict[Element, int]()
    for number, element in enumerate(top.iter("*")):
        if element in above:
            ancestors[element] = number
        elif element in matching and element not in record:
            rule.add(index, element, number)
    return _Header(index, ancestors)


def _ancestors(element: Element) -> list[Element]:
    """Return an element and all elements above it, the root element last."""
    return [element, *element.iterancestors()]


def _texts(value: object) -> list[str]:
    if isinstance(value, list):
        return list(dict.fromkeys(string_value(node) if isinstance(node, Element) else str(node) for node in value))
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [number_text(value) if isinstance(value, float) else str(value)]
