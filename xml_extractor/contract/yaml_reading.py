"""YAML 1.2 (and so JSON) to plain data that knows where each part was written.

Scalars follow the core schema (YAML 1.2.2, section 10.3): `NO` and dates are text. Two things are stricter than YAML:
mapping keys are text as written, so that the code `01` stays `01`, and only the core schema's tags are accepted.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from xml_extractor.contract.faults import Fault, KeyPath, render_path

Data = bool | int | Decimal | str | list["Data"] | dict[str, "Data"] | None

MOST_PARTS = 100_000
"""Parts that a contract may have once its aliases are expanded: far more than any real one, far less than memory."""

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEAN = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]{1,400}")
_OTHER_INTEGER = re.compile(r"0o[0-7]{1,400}|0x[0-9a-fA-F]{1,400}")
_REAL = re.compile(r"[-+]?(?:\.[0-9]{1,400}|[0-9]{1,400}(?:\.[0-9]{0,400})?)(?:[eE][-+]?[0-9]{1,3})?")
_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq"))
_TEXT_TAG = "tag:yaml.org,2002:str"
_RESOLVED_TAGS = _TAGS | {f"tag:yaml.org,2002:{name}" for name in ("timestamp", "merge", "value")}


class Position(NamedTuple):
    """Where something begins and ends in the file: `line` and `column` from 0, `start` and `end` in characters."""

    line: int
    column: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Part:
    """A value of the file.

    Attributes:
        data: The plain value.
        position: Where it was written; for an alias, where its anchor is.
        style: How a scalar was written: `'`, `"`, `|`, `>`, or empty for a plain one and for collections.
        children: The parts of a collection, each with the position of its key.
        size: How many parts it has in all, aliases expanded.
    """

    data: Data
    position: Position
    style: str = ""
    children: Mapping[str | int, tuple[Position, "Part"]] = field(default_factory=dict)
    size: int = 1


class YamlFault(NamedTuple):
    """What the reader itself has to say, at a line and column from 0."""

    path: KeyPath
    line: int
    column: int
    message: str
    expected: str = ""

    def in_file(self, file: str) -> Fault:
        """The same as a fault of that file."""
        path = render_path(self.path)
        return Fault(file, self.line + 1, self.column + 1, path, self.message, expected=self.expected)


def read_yaml(text: str) -> tuple[Part | None, tuple[YamlFault, ...]]:
    """Read one YAML document.

    Returns:
        Its root and what is wrong with it. Without a root the text cannot be read at all; with one, the faults
        (duplicate keys, tags) are about parts that were left out.
    """
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        return None, (_syntax_fault(error),)
    except ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n"), error.position - (before.rfind("\n") + 1)
        return None, (YamlFault((), line, column, "this is not YAML: a control character", "printable text"),)
    except RecursionError:
        return None, (YamlFault((), 0, 0, "the contract is nested too deeply"),)
    if node is None:
        return None, (YamlFault((), 0, 0, "the contract is empty"),)
    builder = _Builder()
    root = builder.build(node, ())
    if root.size > MOST_PARTS:
        too_many = f"the contract has more than {MOST_PARTS:,} parts when its aliases are expanded"
        return None, (YamlFault((), root.position.line, root.position.column, too_many),)
    return root, tuple(builder.faults)


def _syntax_fault(error: MarkedYAMLError) -> YamlFault:
    mark = error.problem_mark or error.context_mark
    problem = ", ".join(part for part in (error.context, error.problem) if part)
    expected = ""
    if "cannot start any token" in problem:
        expected = "spaces, not tabs" if "\\t" in problem else "quotes around text that begins with this character"
    elif "mapping values are not allowed" in problem:
        expected = "quotes around text with a colon and a space in it"
    return YamlFault((), mark.line if mark else 0, mark.column if mark else 0, f"this is not YAML: {problem}", expected)


class _Builder:
    """Turns ruamel's nodes into parts; a node that aliases share is turned once."""

    def __init__(self) -> None:
        self.faults: list[YamlFault] = []
        self._built: dict[int, Part] = {}
        self._open: set[int] = set()

    def build(self, node: Node, path: KeyPath) -> Part:
        """The part of a node; `path` is the first way to it."""
        known = self._built.get(id(node))
        if known is not None:
            return known
        if id(node) in self._open:
            self._fault(node, path, "an alias stands inside its own anchor")
            return Part(None, _position(node))
        self._open.add(id(node))
        match node:
            case MappingNode():
                part = self._mapping(node, path)
            case SequenceNode():
                part = self._sequence(node, path)
            case ScalarNode():
                part = Part(_scalar(node, self._text(node, path)), _position(node), node.style or "")
            case _:
                raise TypeError(f"{type(node).__name__} is no node of YAML")
        if str(node.tag) not in _RESOLVED_TAGS:
            self._fault(node, path, f"the tag {node.tag} has no meaning here")
        self._open.discard(id(node))
        self._built[id(node)] = part
        return part

    def _mapping(self, node: MappingNode, path: KeyPath) -> Part:
        children: dict[str | int, tuple[Position, Part]] = {}
        merged: dict[str | int, tuple[Position, Part]] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self._fault(key_node, path, "a key is not text", "text before the colon")
            elif key_node.value == "<<" and not key_node.style:
                for part in self._merged(value_node, path):
                    for name, child in part.children.items():
                        merged.setdefault(name, child)
            elif (key := self._text(key_node, path)) in children:
                self._fault(key_node, (*path, key), "the key is there twice", "each key once")
            else:
                part = self.build(value_node, (*path, key))
                children[key] = (_position(key_node), part)
        children |= {name: child for name, child in merged.items() if name not in children}
        data = {str(name): child.data for name, (_, child) in children.items()}
        return Part(data, _position(node), "", children, 1 + sum(child.size for _, child in children.values()))

    def _merged(self, node: Node, path: KeyPath) -> Iterator[Part]:
        sources = node.value if isinstance(node, SequenceNode) else [node]
        for source in sources:
            if isinstance(source, MappingNode):
                yield self.build(source, path)
            else:
                self._fault(source, (*path, "<<"), "only mappings can be merged", "an alias of a mapping")

    def _text(self, node: ScalarNode, path: KeyPath) -> str:
        """The text of a scalar; JSON writes characters beyond U+FFFF as two escapes, which YAML leaves apart."""
        text = str(node.value)
        if text.isascii():
            return text
        units = text.encode("utf-16-le", "surrogatepass")
        try:
            return units.decode("utf-16-le")
        except UnicodeDecodeError:
            self._fault(node, path, "the text has half a character: a surrogate without its other half")
            return units.decode("utf-16-le", "replace")

    def _sequence(self, node: SequenceNode, path: KeyPath) -> Part:
        parts = [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        children: dict[str | int, tuple[Position, Part]] = {
            index: (part.position, part) for index, part in enumerate(parts)
        }
        return Part([part.data for part in parts], _position(node), "", children, 1 + sum(part.size for part in parts))

    def _fault(self, node: Node, path: KeyPath, message: str, expected: str = "") -> None:
        self.faults.append(YamlFault(path, node.start_mark.line, node.start_mark.column, message, expected))


def _position(node: Node) -> Position:
    return Position(node.start_mark.line, node.start_mark.column, node.start_mark.index, node.end_mark.index)


def _scalar(node: ScalarNode, text: str) -> Data:
    if node.style or str(node.tag) == _TEXT_TAG:
        return text
    if text in _NULL:
        return None
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OTHER_INTEGER.fullmatch(text):
        return int(text, 0)
    return Decimal(text) if _REAL.fullmatch(text) else text
