"""Check that no path needs what comes after the element of `read_until`.

A path is followed through every step, predicate and argument, as far as possible without a document.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import NamedTuple

from xml_extractor.contract.consistency.paths import document_paths, parsed, position_within
from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import Fault, KeyPath
from xml_extractor.contract.model import Column, Table, ValueRule
from xml_extractor.contract.names import Namespaces, clark_names
from xml_extractor.contract.rewriting import anywhere, pattern_faults
from xml_extractor.contract.xpath import Call, Constant, Expression, Operation, Path, Step, kind_of, variable_name, walk

_LOOK_AT_NODES_ONLY = ("boolean", "count", "local-name", "name", "namespace-uri", "not")
_READ_CONTEXT = ("normalize-space", "number", "string", "string-length")
_LOGIC = ("and", "or")
_BASE = ""
"""The name of a table's `base` among its named nodes."""

_LEVELS = 2
"""How many levels of a recursive table are followed one by one."""

_ANY_NODE = ("*", "node()")


class Nodes(NamedTuple):
    """A set of nodes of a document, by the names of the elements on the way to them.

    Attributes:
        names: The root element's name, then one name for each level. `*` is any name, `@` marks an attribute. Empty
            for the document itself.
        deeper: None for nodes at this path, or the smallest number of levels that they may be below it.
    """

    names: tuple[str, ...]
    deeper: int | None = None


DOCUMENT = Nodes(())
ANYWHERE = Nodes(("*",), 0)


@dataclass(frozen=True)
class Promise:
    """The part of a document that is read: all of it up to the end of an element.

    Attributes:
        element: The names on the way to the element, the root's name first.
        before: Names of the root's other children that come before the element.
        roots: Names that the root may have. The first one stands for all of them.

    A name stands for the names in all namespaces of its prefix: it has the first of them.
    """

    element: tuple[str, ...]
    before: frozenset[str]
    roots: frozenset[str]

    @property
    def root(self) -> Nodes:
        """The node of the root element."""
        return Nodes(self.element[:1])

    def has_all_of(self, node: Nodes) -> bool:
        """Return whether the nodes are read with all their content."""
        names = node.names
        is_below = names[: len(self.element)] == self.element
        is_before = len(names) > 1 and names[0] == self.element[0] and names[1] in self.before
        is_attribute = bool(names) and names[-1].startswith("@")
        return is_below or is_before or (is_attribute and self.reaches(Nodes(names[:-1])))

    def reaches(self, node: Nodes) -> bool:
        """Return whether the nodes are read, perhaps without some of their content."""
        is_above = node.names == self.element[: len(node.names)] and node.deeper is None
        return is_above or self.has_all_of(node)

    def may_be_followed(self, node: Nodes) -> bool:
        """Return whether more nodes of the same name may follow what is read, so that positions are unknown."""
        return node.deeper is None and len(node.names) > 1 and node.names == self.element[: len(node.names)]


class UnsafePart(NamedTuple):
    """A part of an expression that may need what is not read, and its offset in the text."""

    found: str
    offset: int


@dataclass
class PathFollower:
    """Follows expressions through a document that is read in part. `unsafe` collects the parts that need more.

    Attributes:
        keys: The nodes of each key.
        current: The nodes of `current()`.
        named: The named nodes.
    """

    promise: Promise
    namespaces: Namespaces
    keys: Mapping[str, list[Nodes]] = field(default_factory=dict)
    current: list[Nodes] = field(default_factory=list)
    named: dict[str, list[Nodes]] = field(default_factory=dict)
    unsafe: list[UnsafePart] = field(default_factory=list)

    def follow(self, expression: Expression, context: Iterable[Nodes], *, for_text: bool) -> list[Nodes]:
        """Return the nodes of a node-set; none for other values.

        Args:
            expression: What to follow.
            context: The context nodes.
            for_text: Whether the text of the nodes is needed, not only their existence.
        """
        match expression:
            case Path():
                return self._path(expression, list(context), for_text=for_text)
            case Operation("|", operands):
                found = [self.follow(operand, context, for_text=for_text) for operand in operands]
                return [node for some in found for node in some]
            case Operation(operator, operands):
                for operand in operands:
                    self.follow(operand, context, for_text=operator not in _LOGIC)
            case Call(name):
                self._call(expression, context)
                if name == "current":
                    return self._with_text(self.current, expression.offset, for_text=for_text)
                if name == "key" and isinstance(expression.arguments[0], Constant):
                    nodes = self.keys.get(expression.arguments[0].text[1:-1], [])
                    return self._with_text(nodes, expression.offset, for_text=for_text)
            case Constant("variable"):
                nodes = self.named.get(variable_name(expression), [])
                return self._with_text(nodes, expression.offset, for_text=for_text)
        return []

    def _with_text(self, nodes: list[Nodes], offset: int, *, for_text: bool) -> list[Nodes]:
        if for_text and not all(map(self.promise.has_all_of, nodes)):
            self.unsafe.append(UnsafePart("the text of an element that is not read to its end", offset))
        return nodes

    def _path(self, path: Path, context: list[Nodes], *, for_text: bool) -> list[Nodes]:
        if path.start == "context":
            nodes = context
        elif path.start == "document":
            nodes = [DOCUMENT]
        else:
            nodes = self.follow(path.start, context, for_text=for_text and not path.steps)
        self._check_predicates(path.predicates, nodes)
        for step, following in zip_longest(path.steps, path.steps[1:]):
            nodes = self._step(step, nodes, is_last=following is None)
        return self._with_text(nodes, path.offset, for_text=for_text)

    def _step(self, step: Step, nodes: list[Nodes], *, is_last: bool) -> list[Nodes]:
        found = []
        for node in nodes:
            for target in self._targets(step, node):
                is_slash = not is_last and (step.axis, step.test) == ("descendant-or-self", "node()")
                if is_slash or self.promise.reaches(target):
                    found.append(target)
                else:
                    self.unsafe.append(UnsafePart(f"a step to {_shown(step)}", step.offset))
        self._check_predicates(step.predicates, found)
        return found

    def _targets(self, step: Step, node: Nodes) -> list[Nodes]:
        test, above = self._test(step), _above(node)
        beside = [_below(above, test)]
        by_axis = {
            "ancestor": _ancestors(node, test, or_self=False),
            "ancestor-or-self": _ancestors(node, test, or_self=True),
            "attribute": [_below(node, f"@{test}")],
            "child": [_below(node, self._child(node, test))],
            "descendant": [Nodes(node.names, (node.deeper or 0) + 1)],
            "descendant-or-self": [Nodes(node.names, node.deeper or 0)],
            "following-sibling": beside if self.promise.has_all_of(above) else [ANYWHERE],
            "namespace": [_below(node, "@")],
            "parent": [above],
            "preceding-sibling": beside,
            "self": [node],
        }
        return by_axis.get(step.axis, [ANYWHERE])

    def _test(self, step: Step) -> str:
        if step.test.endswith("*"):
            return "*"
        return step.test if step.test.endswith(")") else clark_names(step.test, self.namespaces)[0]

    def _child(self, node: Nodes, test: str) -> str:
        is_root = node == DOCUMENT and (test in _ANY_NODE or test in self.promise.roots)
        return self.promise.element[0] if is_root else test

    def _call(self, call: Call, context: Iterable[Nodes]) -> None:
        if call.name in _READ_CONTEXT and not call.arguments:
            self._path(Path("context", (), (), call.offset), list(context), for_text=True)
        for argument in call.arguments:
            self.follow(argument, context, for_text=call.name not in _LOOK_AT_NODES_ONLY)

    def _check_predicates(self, predicates: tuple[Expression, ...], nodes: list[Nodes]) -> None:
        for predicate in predicates:
            if _is_by_position(predicate) and any(self.promise.may_be_followed(node) for node in nodes):
                found = "a position among elements that may continue after the promised one"
                self.unsafe.append(UnsafePart(found, predicate.offset))
            self.follow(predicate, nodes, for_text=False)


def _shown(step: Step) -> str:
    if step.axis == "child":
        return f"'{step.test}'"
    abbreviations = {("self", "node()"): ".", ("parent", "node()"): "..", ("descendant-or-self", "node()"): "//"}
    name = "@" + step.test if step.axis == "attribute" else f"{step.axis}::{step.test}"
    return f"'{abbreviations.get((step.axis, step.test), name)}'"


def _below(node: Nodes, name: str) -> Nodes:
    if node.deeper is None:
        return Nodes((*node.names, name))
    return Nodes(node.names, node.deeper + 1)


def _above(node: Nodes) -> Nodes:
    if node.deeper:
        return Nodes(node.names, node.deeper - 1)
    return Nodes(node.names[:-1], node.deeper)


def _ancestors(node: Nodes, test: str, *, or_self: bool) -> list[Nodes]:
    last = len(node.names) + (1 if or_self or node.deeper is not None else 0)
    known = [Nodes(node.names[:length]) for length in range(1, last)]
    found = [each for each in known if test in _ANY_NODE or each.names[-1] in (test, "*")]
    return [*found, Nodes(node.names, 0)] if node.deeper is not None else found


def _is_by_position(predicate: Expression) -> bool:
    """Return whether a predicate selects by a position other than the first."""
    match predicate:
        case Constant("number", "1"):
            return False
        case Operation("=", (Call("position"), Constant("number", "1"))):
            return False
    uses_position = any(isinstance(part, Call) and part.name in ("position", "last") for part in walk(predicate))
    return uses_position or kind_of(predicate) == "number"


def read_until_faults(draft: Draft) -> Iterator[Fault]:
    """Yield the faults of paths that need, or may need, what comes after the end of the `read_until` element."""
    document = draft.contract.document
    if document.preceded_by and document.read_until is None and not draft.lost(("document", "read_until")):
        message = "preceded_by has no effect without read_until"
        expected = "read_until, or no preceded_by"
        yield draft.text.fault(("document", "preceded_by"), message, expected=expected, key=True)
    promise = _promise(draft)
    if promise is None:
        return
    reader = _Reader(draft, promise)
    reader.follow_keys()
    for path, text in document_paths(draft):
        reader.follow_from_root(path, text)
    for path, rule in draft.order():
        reader.follow_rule(path, "", rule)
    for path, name, table in draft.tables():
        reader.follow_table(path, name, table)
    for path, name, value_rule in draft.rules():
        reader.follow_rule(path, name, value_rule)
    yield from reader.faults


class _Reader:
    """Follows all paths of a contract. `faults` collects those that need more than the promise."""

    def __init__(self, draft: Draft, promise: Promise) -> None:
        self.faults: list[Fault] = []
        self._draft = draft
        self._promise = promise
        self._keys: dict[str, list[Nodes]] = {}
        self._followers = {"": self._follower([promise.root])}

    def follow_keys(self) -> None:
        """Follow the patterns of keys from the document, because they are compared with all elements that are read."""
        for name, key in self._draft.contract.keys.items():
            pattern = parsed(key.match)
            if pattern is None or any(pattern_faults(pattern)):
                continue
            found = self.follow(("keys", name, "match"), key.match, self._follower([]), [DOCUMENT], anywhere(pattern))
            self._keys[name] = found
            self.follow(("keys", name, "use"), key.use, self._follower([]), found)

    def follow_from_root(self, path: KeyPath, text: str) -> None:
        """Follow a path from the root element."""
        follower = self._followers[""]
        self.follow(path, text, follower, follower.current)

    def follow_table(self, path: KeyPath, name: str, table: Table) -> None:
        """Follow the paths to the rows of a table, and those of its named nodes."""
        outer = self._followers.get(table.parent or "", self._follower([]))
        if self._draft.lost((*path, "parent")):
            outer = self._follower([])
        rows: list[Nodes] = []
        for index, rule in enumerate(table.rows):
            rule_path = (*path, "rows", index, "path")
            if not self._draft.lost(rule_path):
                rows += self.follow(rule_path, rule.path, outer, outer.current, for_text=False)
        follower = self._followers[name] = self._follower(rows)
        for node_name, text in table.nodes.items():
            key_path = (*path, "nodes", node_name)
            follower.named[node_name] = self.follow(key_path, text, follower, rows, for_text=False)
        if table.recursive is not None:
            found = rows
            for _ in range(_LEVELS):  # what the path does, it does on each level
                found = self.follow((*path, "recursive"), table.recursive, follower, found, for_text=False)
                follower.current += found
            follower.current += [Nodes(node.names, node.deeper or 0) for node in found]
        if table.base is not None:
            follower.named[_BASE] = self.follow((*path, "base"), table.base, follower, rows, for_text=False)

    def follow_rule(self, path: KeyPath, table: str, rule: ValueRule) -> None:
        """Follow the paths of a column or input; those of no table start from the root element."""
        follower = self._followers[table]
        start = follower.named.get(_BASE, follower.current)
        if isinstance(rule, Column) and rule.at is not None:
            self.follow((*path, "at"), rule.at, follower, start, for_text=False)
        if rule.path is not None:
            found = self.follow((*path, "path"), rule.path, follower, start, for_text=rule.each is None)
            if rule.each is not None:
                self.follow((*path, "each"), rule.each, follower, found)

    def _follower(self, current: list[Nodes]) -> PathFollower:
        return PathFollower(self._promise, self._draft.contract.namespaces, self._keys, current)

    def follow(
        self,
        key_path: KeyPath,
        text: str,
        follower: PathFollower,
        context: list[Nodes],
        expression: Expression | None = None,
        *,
        for_text: bool = True,
    ) -> list[Nodes]:
        """Return the nodes that a path finds, and add a fault if it is unsafe.

        Args:
            key_path: The path's key path.
            text: The path.
            follower: What it can refer to.
            context: Where it starts.
            expression: What is followed instead of the path itself.
            for_text: Whether the text of the nodes is needed.
        """
        expression = expression or parsed(text)
        if expression is None:
            return []
        follower.unsafe.clear()
        try:
            nodes = follower.follow(expression, context, for_text=for_text)
        except ValueError:  # an undeclared prefix, which `path_faults` reports
            return []
        read_until = self._draft.contract.document.read_until
        for unsafe in follower.unsafe[:1]:
            is_pattern = key_path[0] == "keys" and key_path[-1] == "match"
            from_root = f"a pattern from the root element, such as /{'/'.join(self._promise.element)}//…, "
            fault = self._draft.text.fault(
                key_path,
                f"document.read_until stops reading at the end of {read_until}",
                found=unsafe.found,
                expected=f"{from_root if is_pattern else ''}names below {read_until}, "
                "an attribute of the root element, or a child element that document.preceded_by names",
                within=position_within(text, unsafe.offset),
            )
            self.faults.append(fault)
        return nodes


def _promise(draft: Draft) -> Promise | None:
    document, namespaces = draft.contract.document, draft.contract.namespaces
    if document.read_until is None or not draft.whole(("document",)):
        return None
    roots = [_clark_name(name, namespaces) for name in document.root]
    names = [roots[0], *(_clark_name(name, namespaces) for name in document.read_until.split("/"))]
    before = [_clark_name(name, namespaces) for name in document.preceded_by]
    known = tuple(name for name in names if name)
    if len(known) != len(names):
        return None
    return Promise(known, frozenset(name for name in before if name), frozenset(name for name in roots if name))


def _clark_name(name: str, namespaces: Namespaces) -> str | None:
    try:
        return clark_names(name, namespaces)[0]
    except ValueError:  # an undeclared prefix, which `name_faults` reports
        return None
