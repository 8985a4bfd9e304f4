"""Count the elements and attributes of documents by path, and know which of them the contract reads."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from lxml.etree import _Element as Element

from xml_extractor.contract.element_paths import ElementPaths, start_position
from xml_extractor.contract.element_states import Position
from xml_extractor.contract.model import Contract
from xml_extractor.contract.names import XML_NAMESPACE
from xml_extractor.documents import Envelope

MOST_SIGNATURES = 50_000
"""Signatures that are distinguished. Further ones count as `…` below their element."""

REST = "…"

XSI_NAMESPACE = "http://www.w3.org/2001/XMLSchema-instance"
_OF_XML_ITSELF = (f"{{{XML_NAMESPACE}}}", f"{{{XSI_NAMESPACE}}}")


class Place(NamedTuple):
    """The place of elements or attributes.

    Attributes:
        names: Clark names from the root element; that of an attribute begins with `@`.
        start: The number of names above the record; 0 for whole documents and for what surrounds a record.
    """

    names: tuple[str, ...]
    start: int


class Signature:
    """Elements at one place that have the same attributes.

    Attributes:
        node: Where their children are; None if these do not matter.
        attributes: The Clark names of their attributes, without those of XML itself.
        unread: The places at it that nothing reads: the elements, or attributes of them.
        is_read: Whether anything reads the elements or one of the attributes.
        is_passed: Whether nothing reads the elements themselves, but perhaps something in them.
        number: How many were found so far in the document that is being counted.
    """

    __slots__ = ("attributes", "is_passed", "is_read", "node", "number", "place", "unread")

    def __init__(
        self, node: "Node | None", place: Place, attributes: tuple[str, ...], position: Position | None = None
    ) -> None:
        self.node = node
        self.place = place
        self.attributes = attributes
        self.number = 0
        self.is_read = self.is_passed = False
        self.unread: tuple[Place, ...] = ()
        if position is not None:
            unread = [name for name in attributes if not position.attribute(name)]
            self.is_read = bool(position.readers) or len(unread) < len(attributes)
            self.is_passed = not position.readers and not position.is_dead
            self.unread = tuple(Place((*place.names, f"@{name}"), place.start) for name in unread)
            if position.is_dead:
                self.unread = (place,)


class Node:
    """The elements of one place, by their names and attributes.

    Attributes:
        signatures: What was found below them, by the name and the names of the attributes, if there are any.
        children: Their child elements, by name.
    """

    __slots__ = ("children", "place", "position", "signatures")

    def __init__(self, place: Place, position: Position) -> None:
        self.place = place
        self.position = position
        self.signatures: dict[Any, Signature] = {}
        self.children: dict[str, Node] = {}


class Census:
    """Recognizes elements and attributes of one document after the other.

    Args:
        contract: The contract.
        is_whole: Whether to look also into elements in which nothing is read.
    """

    def __init__(self, contract: Contract, *, is_whole: bool) -> None:
        self._has_records = contract.document.records is not None
        self._is_whole = is_whole
        self._signatures = 0
        self._top = Node(Place((), 0), start_position(ElementPaths(contract)))
        self._tops: dict[tuple[str, ...], Node] = {}
        self._envelope: tuple[Envelope, list[Signature]] | None = None

    def counts(self, root: Element, envelope: Envelope | None = None) -> dict[Signature, int]:
        """Count the elements of a document, and of what surrounds a record, by signature, those found first before.

        Args:
            root: Its root element, or the record.
            envelope: What surrounds a record. It counts once for each record.
        """
        if self._signatures > MOST_SIGNATURES:
            self._forget()
        top, found = self._top, list[Signature]()
        try:
            if self._has_records:
                above = tuple(str(element.tag) for element in root.iterancestors())[::-1]
                top = self._tops.get(above) or self._top_of_record(above)
                for signature in self._signatures_around(root, envelope) if above else ():
                    signature.number = 1
                    found.append(signature)
            signature = self._signature(top, root)
            signature.number = 1
            found.append(signature)
            if signature.node is not None:
                self._count_below(root, signature.node, found)
            return {signature: signature.number for signature in found}
        finally:
            for signature in found:
                signature.number = 0

    def _forget(self) -> None:
        """Begin anew: these documents may consist of nothing but new names."""
        self._signatures = 0
        self._tops.clear()
        self._top.signatures.clear()
        self._top.children.clear()
        self._envelope = None

    def _top_of_record(self, above: tuple[str, ...]) -> Node:
        position = self._top.position
        for name in above:
            position = position.child(name)
        top = self._tops[above] = Node(Place(above, len(above)), position)
        return top

    def _signatures_around(self, record: Element, envelope: Envelope | None) -> list[Signature]:
        if self._envelope is None or envelope is None or self._envelope[0] != envelope:
            found = list(dict.fromkeys(self._around(record)))
            self._envelope = (envelope or Envelope(b"", b"", b"", 0), found)
        return self._envelope[1]

    def _around(self, record: Element) -> Iterator[Signature]:
        """Yield the signatures of a record's ancestors, and of what stands before it in them."""
        node: Node | None = self._top
        for element in (*list(record.iterancestors())[::-1], record):
            if node is None:
                return
            for before in element.itersiblings(preceding=True):
                yield from self._signatures_of(before, node)
            if element is not record:
                signature = self._signature(node, element)
                yield signature
                node = signature.node

    def _signatures_of(self, element: Element, node: Node) -> Iterator[Signature]:
        signature = self._signature(node, element)
        yield signature
        for child in element if signature.node is not None else ():
            yield from self._signatures_of(child, signature.node or node)

    def _count_below(self, element: Element, node: Node, found: list[Signature]) -> None:
        known = node.signatures
        for child in element:
            names = child.keys()
            try:
                signature = known[(child.tag, *names) if names else child.tag]
            except KeyError:
                signature = self._signature(node, child)
            if not signature.number:
                found.append(signature)
            signature.number += 1
            if signature.node is not None and len(child):
                self._count_below(child, signature.node, found)

    def _signature(self, node: Node, element: Element) -> Signature:
        names = element.keys()
        key = (element.tag, *names) if names else element.tag
        found = node.signatures.get(key)
        if found is None:
            found = node.signatures[key] = self._new(node, (element.tag, *names))
        return found

    def _new(self, node: Node, names: tuple[Any, ...]) -> Signature:
        """Return the signature of elements with these names of element and attributes."""
        start = node.place.start
        if not isinstance(names[0], str):  # a comment or processing instruction
            return Signature(None, Place((), start), ())
        self._signatures += 1
        if self._signatures > MOST_SIGNATURES and self._is_whole:
            return node.signatures.setdefault(REST, Signature(None, Place((*node.place.names, REST), start), ()))
        below = node.children.get(names[0])
        if below is None:
            place = Place((*node.place.names, names[0]), start)
            below = node.children[names[0]] = Node(place, node.position.child(names[0]))
        attributes = tuple(name for name in names[1:] if not name.startswith(_OF_XML_ITSELF))
        is_left = below.position.is_dead and not self._is_whole
        return Signature(None if is_left else below, below.place, attributes, below.position)


def places_of(signature: Signature) -> Iterator[Place]:
    """Yield the place of elements, and those of their attributes."""
    names, start = signature.place
    if names:
        yield signature.place
        for attribute in signature.attributes:
            yield Place((*names, f"@{attribute}"), start)


class Labels:
    """Writes places as paths with the prefixes of a contract."""

    def __init__(self, contract: Contract) -> None:
        self._prefixes = {
            address: prefix for prefix, addresses in contract.namespaces.items() for address in addresses if address
        }

    def name(self, name: str) -> str:
        """Return a Clark name with the contract's prefix; one of another namespace stays as it is."""
        at = "@" if name.startswith("@") else ""
        address, brace, local = name.removeprefix("@").rpartition("}")
        prefix = self._prefixes.get(address.removeprefix("{"))
        return f"{at}{prefix}:{local}" if brace and prefix else name

    def path(self, place: Place) -> str:
        """Return the path from the record, or from the root element; recursion is collapsed."""
        collapsed: list[str] = []
        for name in place.names[place.start :]:
            if name in collapsed:
                del collapsed[collapsed.index(name) :]
            collapsed.append(name)
        slash = "" if place.start else "/"
        return slash + "/".join(map(self.name, collapsed))
