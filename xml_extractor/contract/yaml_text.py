"""Read YAML 1.2 (and so JSON) to plain data, and find the line and column of each of its parts.

Scalars follow the core schema (YAML 1.2.2, section 10.3): `NO` and dates are text. Two rules are stricter than YAML:
mapping keys are text as written, so the code `01` stays `01`, and only the tags of the core schema are accepted.
"""

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal

from yaml.error import MarkedYAMLError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

from xml_extractor.contract.faults import Fault, KeyPath, did_you_mean, one_of, render_path
from xml_extractor.contract.yaml_nodes import TooDeepError, compose

Data = bool | int | Decimal | str | list["Data"] | dict[str, "Data"] | None

MAX_PARTS = 100_000
"""The largest number of values in a contract with all aliases expanded. Real contracts have a few thousand."""

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEAN = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]{1,400}")
_OTHER_INTEGER = re.compile(r"0o[0-7]{1,400}|0x[0-9a-fA-F]{1,400}")
_REAL = re.compile(r"[-+]?(?:\.[0-9]{1,400}|[0-9]{1,400}(?:\.[0-9]{0,400})?)(?:[eE][-+]?[0-9]{1,3})?")
_TAG = "tag:yaml.org,2002:"
_TEXT_TAGS = (_TAG + "str", "!")
_TAGS = {None, *_TEXT_TAGS, *(_TAG + name for name in ("int", "float", "bool", "null", "map", "seq"))}
_LINE_SEPARATOR = re.compile("[\x85\u2028\u2029]")
_ESCAPE_LENGTHS = {"x": 4, "u": 6, "U": 10}
_ESCAPED_SPACE = " \t\nntrvfN_LP"


class YamlText:
    """One YAML document: its plain data, its faults, and the position of each part.

    Args:
        file: The name of the file, for messages.
        text: Its content.

    Attributes:
        data: The plain data, without the parts that have a fault. None if the text is not YAML.
        is_readable: Whether the text is YAML at all. If not, `faults` says why.
        faults: Syntax errors, duplicate keys, unknown tags and other faults of the text itself.
    """

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self.faults: list[Fault] = []
        self.data: Data = None
        self._entries: dict[int, dict[str, tuple[Node, Node]]] = {}
        self._built: dict[int, tuple[Data, int]] = {}
        self._open: set[int] = set()
        self._merged = 0
        self._root = self._compose()
        self.is_readable = self._root is not None
        if self._root is not None:
            self.data, parts = self._build(self._root, ())
            if max(parts, self._merged) > MAX_PARTS:
                message = f"the contract has more than {MAX_PARTS:,} parts when its aliases are expanded"
                self.faults, self.data, self.is_readable = [], None, False
                self._add_fault(self._root, (), message)

    def path(self, path: KeyPath) -> KeyPath:
        """Return the part of a path of the model that the file has; short forms leave keys out."""
        return tuple(name for name, _, _ in self._walk(path))

    def data_at(self, path: KeyPath) -> Data:
        """Return the plain data at a path, or at the nearest part above it that the file has."""
        steps = list(self._walk(path))
        return self._built[id(steps[-1][2])][0] if steps else self.data

    def fault(
        self,
        path: KeyPath,
        message: str = "",
        *,
        found: str = "",
        expected: str = "",
        suggestion: str = "",
        key: bool = False,
        within: tuple[int, int] | None = None,
        missing: str = "",
    ) -> Fault:
        """Return a fault of the part at this path.

        Args:
            path: The part, in terms of the model; keys that a short form leaves out are skipped.
            message: What is wrong, unless `found` and `expected` say it.
            found: What is there.
            expected: What should be there.
            suggestion: What was probably meant.
            key: Point to the key instead of the value. An empty value always has the position of its key.
            within: Line and column, from 1, inside the text of the value.
            missing: The name of a missing key, appended to the path.
        """
        steps = list(self._walk(path))
        line, column = 0, 0
        if steps:
            _, key_node, node = steps[-1]
            is_empty = isinstance(node, ScalarNode) and node.start_mark.index == node.end_mark.index
            mark = (key_node if key or is_empty else node).start_mark
            line, column = mark.line, mark.column
            if within is not None and isinstance(node, ScalarNode):
                line, column = self._inside(node, *within)
        elif self._root is not None:
            line, column = self._root.start_mark.line, self._root.start_mark.column
        name = render_path((*(step for step, _, _ in steps), *([missing] if missing else [])))
        return Fault(self.file, line + 1, column + 1, name, message, found, expected, suggestion)

    def unknown(
        self,
        path: KeyPath,
        what: str,
        name: str,
        known: Iterable[str],
        otherwise: str = "",
        *,
        column: str = "",
        within: tuple[int, int] | None = None,
    ) -> Fault:
        """Return the fault of a name that is none of those known; `column` follows the name of a table and a point."""
        names, found = tuple(known), f"the unknown {what} '{name}'"
        expected, meant = one_of(names) or otherwise or f"a {what} of this contract", did_you_mean(name, names)
        meant = f"{meant}.{column}" if meant and column else meant
        return self.fault(path, found=found, expected=expected, suggestion=meant, within=within)

    def without_key(self, path: KeyPath, key: str, expected: str = "a SQL Server scalar type") -> Fault:
        """Return the fault of a part that lacks a key."""
        return self.fault(path, "the key is missing", expected=expected, key=True, missing=key)

    def _walk(self, path: KeyPath) -> Iterator[tuple[str | int, Node, Node]]:
        """For each part on the path: its name, the node of its key, the node of its value."""
        node = self._root
        for name in path:
            if isinstance(name, int):
                if isinstance(node, SequenceNode) and name < len(node.value):
                    node = node.value[name]
                    yield name, node, node
            elif name in self._entries.get(id(node), {}):
                key_node, node = self._entries[id(node)][name]
                yield name, key_node, node

    def _inside(self, node: ScalarNode, line: int, column: int) -> tuple[int, int]:
        """Return line and column in the file, from 0, of a line and column, from 1, of a scalar's text.

        Folding changes only white space, so the n-th other character of the text is the n-th one of the file.
        """
        lines = str(node.value).split("\n")
        before = "\n".join(lines[: line - 1]) + "\n" + lines[min(line, len(lines)) - 1][: column - 1]
        wanted = sum(not character.isspace() for character in before)
        indexes = list(self._characters(node))
        after = indexes[-1] + 1 if indexes else node.start_mark.index
        return self._line_and_column(indexes[wanted] if wanted < len(indexes) else after)

    def _characters(self, node: ScalarNode) -> Iterator[int]:
        """Yield the index in the file of each character of a scalar, except white space."""
        index, end = node.start_mark.index, node.end_mark.index
        if node.style in ("|", ">"):
            index = self.text.find("\n", index, end) + 1 or end
        elif node.style:
            index, end = index + 1, end - 1
        while index < end:
            length, is_space = 1, self.text[index].isspace()
            if node.style == "'" and self.text.startswith("''", index):
                length = 2
            elif node.style == '"' and self.text[index] == "\\":
                length = _ESCAPE_LENGTHS.get(self.text[index + 1], 2)
                is_space = self.text[index + 1] in _ESCAPED_SPACE
            if not is_space:
                yield index
            index += length

    def _line_and_column(self, index: int) -> tuple[int, int]:
        return self.text.count("\n", 0, index), index - self.text.rfind("\n", 0, index) - 1

    def _compose(self) -> Node | None:
        # YAML 1.2 has them as text, YAML 1.1 as the ends of lines: then neither text nor lines were as written.
        if separator := _LINE_SEPARATOR.search(self.text):
            expected = f"an escape between double quotes: \\u{ord(separator[0]):04x}"
            self._add_syntax_fault(self._line_and_column(separator.start()), "a separator of lines", expected)
            return None
        try:
            node = compose(self.text)
        except TooDeepError as error:
            line, column = error.mark.line, error.mark.column
            self.faults.append(Fault(self.file, line + 1, column + 1, "", "the contract is nested too deeply"))
        except MarkedYAMLError as error:
            self._add_syntax_fault(*_problem(error))
        except ReaderError as error:
            self._add_syntax_fault(self._line_and_column(error.position), "a control character", "printable text")
        else:
            if node is None:
                self.faults.append(Fault(self.file, 1, 1, "", "the contract is empty"))
            return node
        return None

    def _add_syntax_fault(self, position: tuple[int, int], problem: str, expected: str) -> None:
        line, column = position
        self.faults.append(
            Fault(self.file, line + 1, column + 1, "", f"this is not YAML: {problem}", expected=expected)
        )

    def _build(self, node: Node, path: KeyPath) -> tuple[Data, int]:
        """Return the data of a node and the number of its parts. A node that aliases share is built once."""
        if id(node) in self._built:
            return self._built[id(node)]
        if id(node) in self._open:
            self._add_fault(node, path, "an alias stands inside its own anchor")
            return None, 1
        self._open.add(id(node))
        parts = 1
        data: Data
        if isinstance(node, MappingNode):
            data = {}
            for key, (_, value_node) in self._mapping(node, path).items():
                data[key], size = self._build(value_node, (*path, key))
                parts += size
        elif isinstance(node, SequenceNode):
            data = []
            for index, item_node in enumerate(node.value):
                item, size = self._build(item_node, (*path, index))
                data.append(item)
                parts += size
        elif isinstance(node, ScalarNode):
            data = _scalar(node, self._scalar_text(node, path))
        else:
            raise TypeError(f"{type(node).__name__} is not a node of YAML")
        if node.tag not in _TAGS:
            self._add_fault(node, path, f"the tag {node.tag} is not supported", "no tag")
        self._open.discard(id(node))
        self._built[id(node)] = data, parts
        return data, parts

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, tuple[Node, Node]]:
        """Return the nodes of keys and values by key, those of merge keys (`<<`) last."""
        entries: dict[str, tuple[Node, Node]] = {}
        merged: dict[str, tuple[Node, Node]] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self._add_fault(key_node, path, "a key is not text", "text before the colon")
            elif key_node.value == "<<" and not key_node.style:
                for source in value_node.value if isinstance(value_node, SequenceNode) else [value_node]:
                    if isinstance(source, MappingNode):
                        if self._merged > MAX_PARTS:
                            break
                        self._build(source, path)
                        self._merged += len(self._entries.get(id(source), {}))
                        for name, entry in self._entries.get(id(source), {}).items():
                            merged.setdefault(name, entry)
                    else:
                        self._add_fault(source, (*path, "<<"), "only mappings can be merged", "an alias of a mapping")
            elif (key := self._scalar_text(key_node, path)) in entries:
                self._add_fault(key_node, (*path, key), "the key is duplicated", "each key once")
            else:
                entries[key] = key_node, value_node
        entries |= {name: entry for name, entry in merged.items() if name not in entries}
        self._entries[id(node)] = entries
        return entries

    def _scalar_text(self, node: ScalarNode, path: KeyPath) -> str:
        """Return the text of a scalar. YAML leaves the two escapes of JSON for a character beyond U+FFFF apart."""
        text = str(node.value)
        if text.isascii():
            return text
        units = text.encode("utf-16-le", "surrogatepass")
        try:
            return units.decode("utf-16-le")
        except UnicodeDecodeError:
            self._add_fault(node, path, "the text has half a character: a surrogate without its other half")
            return units.decode("utf-16-le", "replace")

    def _add_fault(self, node: Node, path: KeyPath, message: str, expected: str = "") -> None:
        mark = node.start_mark
        fault = Fault(self.file, mark.line + 1, mark.column + 1, render_path(path), message, expected=expected)
        self.faults.append(fault)


def _problem(error: MarkedYAMLError) -> tuple[tuple[int, int], str, str]:
    """Return the position of a syntax error, from 0, what it is, and what is expected instead."""
    mark = error.problem_mark or error.context_mark
    problem = ", ".join(part for part in (error.context, error.problem) if part)
    expected = ""
    if "cannot start any token" in problem:
        expected = "spaces, not tabs" if "\\t" in problem else "quotes around text that begins with this character"
    elif "mapping values are not allowed" in problem:
        expected = "quotes around text with a colon and a space in it"
    return ((mark.line, mark.column) if mark else (0, 0)), problem, expected


def _scalar(node: ScalarNode, text: str) -> Data:
    if node.style or node.tag in _TEXT_TAGS:
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
