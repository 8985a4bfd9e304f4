"""Compile the XPath 1.0 of a contract to closures over nodes.

Most paths of a contract
go to elements, and from there perhaps to an attribute. `split_path` separates the two, so that columns share the search
for the elements. `etree.XPath` evaluates all other expressions.

Source: "XML Path Language (XPath) Version 1.0", W3C Recommendation.
"""

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Final, NamedTuple, NoReturn, TypeVar

from lxml import etree
from lxml.etree import _Element as Element
from lxml.etree import _ElementUnicodeResult as TextWithOwner

from xml_extractor.contract.names import Namespaces, clark_names, is_of_one_namespace
from xml_extractor.contract.xpath import parse_xpath
from xml_extractor.mapping.children import child_path
from xml_extractor.mapping.errors import RuleError
from xml_extractor.mapping.nodes import (
    FindNodes,
    Frame,
    Node,
    ValueNode,
    evaluator,
    evaluator_of_value,
    needs_frame,
)
from xml_extractor.mapping.numbers import FIRST_INEXACT, number_text
from xml_extractor.reasons import Reason
from xml_extractor.values.sqltypes import XML_SPACE

NodeType = TypeVar("NodeType", Element, ValueNode)
FindElements = Callable[[Element], list[Element]]
SharedElements = dict[str, list[Node]]
"""Elements found for several paths from one node, by the part that the paths have in common."""

ReadText = Callable[[Node], str | None]


class SplitPath(NamedTuple):
    """A path of element steps, and the Clark name of the attribute at its end; empty if it ends in elements."""

    elements: str
    attribute: str


_NAME = r"[^\W\d][\w.\-]*"
_AXIS = (
    r"(?:(?:child|parent|self|ancestor|ancestor-or-self|descendant|descendant-or-self|following|following-sibling"
    r"|preceding|preceding-sibling)::)"
)
_ELEMENT_STEP = re.compile(rf"\.\.?|{_AXIS}?(?:\*|{_NAME}(?::(?:{_NAME}|\*))?)")
_OTHER_STEP = re.compile(rf"@(?:\*|{_NAME}(?::(?:{_NAME}|\*))?)|{_AXIS}?(?:node|text)\(\)")
_ATTRIBUTE_NAME = re.compile(rf"@({_NAME}(?::{_NAME})?)")
_SLASH = re.compile("//?")


NIL_NAME = "{http://www.w3.org/2001/XMLSchema-instance}nil"


class _Nil(str):
    """Differs from the empty text also as a key of a dictionary."""

    __slots__ = ()
    __eq__ = object.__eq__
    __hash__ = object.__hash__


NIL: Final = _Nil()
"""The text of an element with `xsi:nil="true"`: NULL, without default."""


def split_path(path: str, namespaces: Namespaces) -> SplitPath | None:
    """Split a path that ends in an attribute or in elements; return None for any other expression."""
    elements, slash, last = path.rpartition("/")
    attribute = _ATTRIBUTE_NAME.fullmatch(last)
    if attribute is None:
        return SplitPath(path, "") if finds_elements(path) else None
    elements = elements if slash else "."
    prefix, _, _ = attribute[1].rpartition(":")
    if not finds_elements(elements) or not is_of_one_namespace(prefix, namespaces):
        return None
    return SplitPath(elements, clark_names(attribute[1], namespaces)[0])


def finds_elements(path: str) -> bool:
    """Whether the path can only find elements."""
    return all(map(_ELEMENT_STEP.fullmatch, _steps(_without_predicates(path))))


def _steps(path: str) -> list[str]:
    """Split a path without predicates; an absolute path loses its slashes."""
    return _SLASH.split(path[_slashes(path) :])


def _slashes(path: str) -> int:
    start = _SLASH.match(path)
    return start.end() if start else 0


def compile_elements(path: str, namespaces: Namespaces, frame: Frame | None = None) -> FindElements:
    """Compile a path of element steps to a search that returns elements in document order."""
    if path == ".":
        return lambda element: [element]
    if path == "..":
        return _parent
    evaluate = evaluator(path, namespaces, frame)
    return child_path(path, namespaces, evaluate) or evaluate


def compile_nodes(path: str, namespaces: Namespaces, frame: Frame | None = None) -> FindNodes:
    """Compile a path to a search that returns nodes in document order, only elements if `finds_elements(path)`."""
    from_element = _nodes_from_element(path, namespaces, frame)
    from_value = cache(lambda: _nodes_from_value(path, namespaces, frame))  # few rows start at attributes or text

    def find(node: Node) -> list[Node]:
        return from_value()(node) if isinstance(node, ValueNode) else from_element(node)

    return find


class RowSearch(NamedTuple):
    """Finds the nodes of a row rule. Rules whose paths differ only in the attribute share the elements that they find.

    Attributes:
        path: The path of the elements, or of the nodes.
        attribute: The Clark name of the attribute at its end; empty if the nodes found are the rows.
        find: Finds the nodes of the path from any node.
        find_elements: Finds them from an element; None if they may be other nodes than elements.
    """

    path: str
    attribute: str
    find: FindNodes
    find_elements: FindElements | None

    def __call__(self, node: Node, shared: SharedElements) -> list[Node]:
        """Find the nodes; `shared` keeps elements for other rules that start from the same node."""
        if not self.attribute:
            return self.find(node)
        owners = shared.get(self.path)
        if owners is None:
            owners = shared[self.path] = self.find(node)
        return _attributes(owners, self.attribute)


def compile_rows(path: str, namespaces: Namespaces, frame: Frame | None = None) -> RowSearch:
    """Compile the path of a row rule."""
    elements, attribute = split_path(path, namespaces) or SplitPath("", "")
    path = elements if attribute else path
    find_elements = compile_elements(path, namespaces, frame) if finds_elements(path) else None
    return RowSearch(path, attribute, compile_nodes(path, namespaces, frame), find_elements)


_string_of_descendants = etree.XPath("string()", smart_strings=False)


def string_value(element: Element) -> str:
    """Return an element's string-value: its text and that of all its descendants, without comments."""
    if len(element):
        text: str = _string_of_descendants(element)
        return text
    return element.text or ""


def string_value_or_nil(element: Element) -> str:
    """Return an element's string-value, or `NIL`."""
    if element.keys() and element.get(NIL_NAME, "").strip(XML_SPACE) in ("true", "1"):
        return NIL
    return string_value(element)


class Reading(NamedTuple):
    """How text is made of what a path finds: of an element, and of a number that the path computes."""

    element: Callable[[Element], str] = string_value
    number: Callable[[float], str] = number_text


PLAIN = Reading()


def compile_text(path: str, namespaces: Namespaces, reading: Reading = PLAIN, frame: Frame | None = None) -> ReadText:
    """Compile a path to what XPath's string() returns: the string-value of the first node; None without a node."""
    from_element = _text_from_element(path, namespaces, reading, frame)
    from_value = cache(lambda: _text_from_value(path, namespaces, reading, frame))

    def read(node: Node) -> str | None:
        return from_value()(node) if isinstance(node, ValueNode) else from_element(node)

    return read


def compile_boolean(expression: str, namespaces: Namespaces, frame: Frame | None = None) -> Callable[[Element], object]:
    """Compile an expression to its value as a boolean, as XPath's boolean() gives it."""
    return evaluator(f"boolean({expression})", namespaces, frame)


def _without_predicates(path: str) -> str:
    if "[" not in path:
        return path
    kept: list[str] = []
    depth, quote = 0, ""
    for character in path:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "[":
            depth += 1
            continue
        elif character == "]":
            depth -= 1
            continue
        if not depth:
            kept.append(character)
    return "".join(kept)


def _parent(element: Element) -> list[Element]:
    parent = element.getparent()
    return [] if parent is None else [parent]


def _nodes_from_element(path: str, namespaces: Namespaces, frame: Frame | None) -> Callable[[Element], list[Node]]:
    split = split_path(path, namespaces)
    if split is None:
        return _nodes_of_expression(evaluator(path, namespaces, frame, with_owners=True))
    find, attribute = compile_elements(split.elements, namespaces, frame), split.attribute
    if not attribute:
        return lambda element: [*find(element)]

    return lambda element: _attributes(find(element), attribute)


def _attributes(owners: Iterable[Node], name: str) -> list[Node]:
    return [
        ValueNode(text, owner, name)
        for owner in owners
        if not isinstance(owner, ValueNode) and (text := owner.get(name)) is not None
    ]


def _nodes_of_expression(evaluate: Callable[[NodeType], Any]) -> Callable[[NodeType], list[Node]]:
    def find(node: NodeType) -> list[Node]:
        found = evaluate(node)
        if not isinstance(found, list):
            raise RuleError(Reason.PATH_FAILED, "the XPath returns a value, but nodes are needed")
        return [_as_node(each) for each in found]

    return find


def _as_node(found: object) -> Node:
    if isinstance(found, Element):
        return found
    if isinstance(found, TextWithOwner):
        parent = found.getparent()
        owner = parent.getparent() if parent is not None and found.is_tail else parent
        if owner is not None:
            return ValueNode(str(found), owner, str(found.attrname or ""))
    raise RuleError(Reason.PATH_FAILED, "the XPath finds nodes other than elements, attributes and text")


def _text_from_element(
    path: str, namespaces: Namespaces, reading: Reading, frame: Frame | None
) -> Callable[[Element], str | None]:
    split = split_path(path, namespaces)
    if split is None:
        evaluate = evaluator(path, namespaces, frame)
        return lambda element: _as_text(evaluate(element), reading)
    find = compile_elements(split.elements, namespaces, frame)
    if split.attribute:
        return lambda element: first_attribute(find(element), split.attribute)
    return lambda element: first_text(find(element), reading.element)


def first_attribute(elements: list[Element], name: str) -> str | None:
    """Return the attribute of the first element that has it."""
    for element in elements:
        value = element.get(name)
        if value is not None:
            return value
    return None


def getter(found: list[Element]) -> Callable[[str], str | None]:
    """Return the function that gives an attribute of the first element that has it."""
    if len(found) == 1:
        return found[0].get
    return lambda name: first_attribute(found, name)


def own_text(node: Node) -> str:
    """Return the text of a node."""
    return node.text if isinstance(node, ValueNode) else string_value_or_nil(node)


def first_text(elements: list[Element], text_of: Callable[[Element], str]) -> str | None:
    """Return the text of the first element."""
    return text_of(elements[0]) if elements else None


def _as_text(found: object, reading: Reading) -> str | None:
    if isinstance(found, list):
        return _as_text(found[0], reading) if found else None
    if isinstance(found, str):
        return found
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, float):
        return (
            str(int(found)) if -FIRST_INEXACT < found < FIRST_INEXACT and found.is_integer() else reading.number(found)
        )
    if isinstance(found, Element):
        return reading.element(found)
    raise RuleError(Reason.PATH_FAILED, "the XPath finds nodes that have no text, such as namespaces")


def _text_from_value(
    path: str, namespaces: Namespaces, reading: Reading, frame: Frame | None
) -> Callable[[ValueNode], str | None]:
    if path == ".":
        return lambda node: node.text
    if path in _NAMES:
        return _NAMES[path]
    from_owner = _path_from_owner(path)
    if frame is not None and (from_owner is None or needs_frame(parse_xpath(path))):
        evaluate = evaluator_of_value(path, namespaces, frame)
        return lambda node: _as_text(evaluate(node), reading)
    if from_owner is None:
        return _raise_path_failed
    read = _text_from_element(from_owner, namespaces, reading, frame)
    return lambda node: read(node.owner)


def _nodes_from_value(path: str, namespaces: Namespaces, frame: Frame | None) -> Callable[[ValueNode], list[Node]]:
    if path == ".":
        return lambda node: [node]
    from_owner = _path_from_owner(path)
    if frame is not None and (from_owner is None or needs_frame(parse_xpath(path))):
        return _nodes_of_expression(evaluator_of_value(path, namespaces, frame, with_owners=True))
    if from_owner is None:
        return _raise_path_failed
    find = _nodes_from_element(from_owner, namespaces, frame)
    return lambda node: find(node.owner)


def _path_from_owner(path: str) -> str | None:
    """Rewrite a path from an attribute or text node to one from the element that owns it, if it leads there."""
    bare = _without_predicates(path)
    if bare not in ("/", ".."):
        relative = bare.removeprefix("..")
        slashes = _slashes(relative)
        if not slashes or not all(
            _ELEMENT_STEP.fullmatch(step) or _OTHER_STEP.fullmatch(step) for step in _steps(relative)
        ):
            return None
    return path if path.startswith("/") else f".{path.removeprefix('..')}"


def _raise_path_failed(_: ValueNode) -> NoReturn:
    raise RuleError(
        Reason.PATH_FAILED,
        "the row is an attribute or text; paths from it must be '.' or 'name()', or begin with '..' or '/'",
    )


def _local_name(node: ValueNode) -> str:
    return node.name.rpartition("}")[2]


def _qualified_name(node: ValueNode) -> str:
    namespace = node.name.rpartition("}")[0].removeprefix("{")
    prefixes = [prefix for prefix, name in node.owner.nsmap.items() if prefix and name == namespace]
    return f"{prefixes[0]}:{_local_name(node)}" if prefixes else _local_name(node)


_NAMES: dict[str, Callable[[ValueNode], str]] = {"name()": _qualified_name, "local-name()": _local_name}
