"""Comments and processing instructions: part of the markup that columns of type xml take, and of nothing else.

The parser keeps them only for contracts with such columns. Before a document is mapped, they are taken out of its tree,
so that paths find the same nodes under every contract; the markup comes from a copy that still has them.
"""

from copy import deepcopy

from lxml import etree
from lxml.etree import _Element as Element


class Markup:
    """The markup of a document's elements, with comments and processing instructions.

    Args:
        root: The root element. Comments and processing instructions are removed from its tree.
    """

    def __init__(self, root: Element) -> None:
        self._root = root
        parents = {found.getparent() for found in root.iter(etree.Comment, etree.ProcessingInstruction)}
        self._original = deepcopy(root) if parents else root
        self._originals: dict[Element, Element] = {}
        etree.strip_tags(root, etree.Comment, etree.ProcessingInstruction)
        for parent in parents:
            if parent is not None:
                _join_texts(parent)

    def of(self, element: Element) -> str:
        """Return an element of the document as XML text, with the namespaces in scope."""
        if self._original is not self._root and not self._originals:
            self._originals = dict(zip(self._root.iter("*"), self._original.iter("*"), strict=True))
        return etree.tostring(self._originals.get(element, element), encoding="unicode", with_tail=False)


def _join_texts(parent: Element) -> None:
    """Join the texts between which something was removed: XPath would find several text nodes."""
    parent.text = parent.text
    for child in parent:
        child.tail = child.tail
