"""The markup that columns of type xml take: also comments, processing instructions and CDATA sections.

The parser keeps these only for contracts with such columns. Before a document is mapped, they are taken out of its
tree, so that paths find the same nodes under every contract; the markup comes from a copy that still has them.
"""

import re
from copy import deepcopy

from lxml import etree
from lxml.etree import _Element as Element

_BEFORE_COLON = re.compile(r":([\w.\-]+)")
"""A word before a colon in reversed text. Looking ahead from each letter of a long word would take quadratic time."""

_NAME = re.compile(r"[^\W\d].*")
_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_NO_DEFAULT_NAMESPACE = ' xmlns=""'
_CDATA = "<![CDATA["


class Markup:
    """The markup of a document's elements, as it stands.

    Args:
        root: The root element. Comments, processing instructions and the borders of CDATA sections are removed from its
            tree.
    """

    def __init__(self, root: Element) -> None:
        self._root = root
        parents = {found.getparent() for found in root.iter(etree.Comment, etree.ProcessingInstruction)}
        has_cdata = _CDATA in etree.tostring(root, encoding="unicode")
        self._original = deepcopy(root) if parents or has_cdata else root
        self._originals: dict[Element, Element] = {}
        etree.strip_tags(root, etree.Comment, etree.ProcessingInstruction)
        for parent in root.iter() if has_cdata else parents:
            if parent is not None:
                _join_texts(parent)

    def of(self, element: Element) -> str:
        """Return an element of the document as XML text, with the namespaces that it uses."""
        if self._original is not self._root and not self._originals:
            self._originals = dict(zip(self._root.iter("*"), self._original.iter("*"), strict=True))
        return _written(self._originals.get(element, element))


def _join_texts(parent: Element) -> None:
    """Join the texts between which something was removed: XPath would find several text nodes."""
    parent.text = parent.text
    for child in parent:
        child.tail = child.tail


def _prefixes(text: str) -> set[str]:
    """Return the names before colons, in linear time."""
    words = {word[::-1] for word in _BEFORE_COLON.findall(text[::-1])}
    return {found[0] for found in map(_NAME.search, words) if found is not None}


def _written(element: Element) -> str:
    """Write an element with the namespaces of its names, and of the prefixes in its texts and attribute values.

    Content may contain names with a prefix, as `xsi:type="p:T"` or an XPath does. What looks like a prefix counts as
    one.
    """
    copy = deepcopy(element)  # lxml declares the namespaces of all names in it
    copy.tail = None
    text = etree.tostring(copy, encoding="unicode")
    prefixes = _prefixes(text)
    in_scope: dict[str | None, str] = {
        prefix: namespace for prefix, namespace in element.nsmap.items() if prefix in prefixes
    }
    if _NO_DEFAULT_NAMESPACE in text or any(":" not in found.get(_TYPE, ":") for found in copy.iter("*")):
        # cleanup_namespaces would remove xmlns="", and a default namespace that only the value of xsi:type uses.
        is_whole = {**in_scope, None: element.nsmap.get(None)}.items() <= {None: None, **copy.nsmap}.items()
        return text if is_whole else etree.tostring(element, encoding="unicode", with_tail=False)
    etree.cleanup_namespaces(copy, top_nsmap=in_scope, keep_ns_prefixes=prefixes)
    return etree.tostring(copy, encoding="unicode")
