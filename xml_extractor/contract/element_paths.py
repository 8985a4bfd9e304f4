"""Which elements and attributes of a document the paths of a contract read, by the names on the way to them.

All paths of a contract are followed once, without a document. The result is an automaton over the names of elements: a
state stands for the nodes that a path leads to. Predicates do not matter: what they read counts as read, and what they
exclude too.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from xml_extractor.contract.match_patterns import anywhere
from xml_extractor.contract.model import Column, Contract, Document, Table, ValueRule
from xml_extractor.contract.names import Namespaces, clark_names
from xml_extractor.contract.xpath import Call, Constant, Expression, Operation, Path, Step, parse_xpath, variable_name
from xml_extractor.values.sqltypes import Family

Names = frozenset[str] | None
"""Clark names that match; None for any. `{uri}*` matches all names of a namespace, `*` all names without one."""

TEXT: Names = frozenset()
"""The names of a text node's leaf."""

_LOOK_AT_NODES_ONLY = ("boolean", "count", "local-name", "name", "namespace-uri", "not")
_READ_CONTEXT = ("normalize-space", "number", "string", "string-length")
_BASE = ""


@dataclass(eq=False, slots=True)
class State:
    """Elements of a document that are reached by the same steps.

    Attributes:
        names: Their names.
        parents: The states of the elements above them.
        is_deep: Whether it stands for all elements below its parent, at any depth.
        children: The states of their child elements, by name.
        below: The state of all elements below them; None if no path needs it.
        same: States that the elements of this one have too: the next level of a tree.
        readers: What reads the elements: selects, counts or passes through them.
        text: What takes their text, and so reads all elements in them.
        markup: What takes their markup, and so reads all elements and attributes in them.
        attributes: What reads their attributes, by name.
    """

    names: Names
    parents: list["State"]
    is_deep: bool = False
    children: dict[Names, "State"] = field(default_factory=dict)
    below: "State | None" = None
    same: list["State"] = field(default_factory=list)
    readers: set[str] = field(default_factory=set)
    text: set[str] = field(default_factory=set)
    markup: set[str] = field(default_factory=set)
    attributes: dict[Names, set[str]] = field(default_factory=dict)

    def child(self, names: Names) -> "State":
        """Return the state of child elements with these names."""
        if names not in self.children:
            self.children[names] = State(names, [self])
        return self.children[names]

    def all_below(self) -> "State":
        """Return the state of all elements below."""
        if self.is_deep:
            return self
        if self.below is None:
            self.below = State(None, [self], is_deep=True)
            self.below.parents.append(self.below)
        return self.below

    def above(self, *, or_self: bool) -> list["State"]:
        """Return the states of all ancestors."""
        found, waiting = dict[State, None](), [self] if or_self else list(self.parents)
        while waiting:
            state = waiting.pop()
            if state not in found:
                found[state] = None
                waiting += state.parents
        return list(found)


class Leaf(NamedTuple):
    """The attributes of these names, or the texts, of the elements of a state."""

    owner: State
    names: Names


Node = State | Leaf


class FollowedStep(NamedTuple):
    """A step of a path, as far as it names elements or attributes.

    Attributes:
        reader: What has the path.
        path: The path.
        step: The step.
        names: The Clark names that it finds.
        before: Where it starts.
        found: Where it leads.
    """

    reader: str
    path: str
    step: Step
    names: frozenset[str]
    before: tuple[State, ...]
    found: tuple[Node, ...]


def matches(names: Names, name: str) -> bool:
    """Return whether names of a path match a Clark name."""
    if names is None or name in names:
        return True
    namespace, brace, _ = name.rpartition("}")
    return f"{namespace}{brace}*" in names


class ElementPaths:
    """The automaton of a contract.

    Args:
        contract: A contract whose paths can be parsed, and whose prefixes are declared.

    Attributes:
        document: The state of the document itself, whose children are root elements.
        starts: The states of the elements where paths of the contract start: root elements, or records.
        steps: The steps of all paths that name elements or attributes.
    """

    def __init__(self, contract: Contract) -> None:
        self.document = State(TEXT, [])
        self.steps: list[FollowedStep] = []
        self._namespaces: Namespaces = contract.namespaces
        self._keys: dict[str, list[Node]] = {}
        roots: list[Node] = [self._root(contract, name) for name in contract.document.root]
        self.starts = roots if contract.document.records is None else self._records(contract, roots)
        self._scopes = {"": _Scope(self.starts)}
        self._follow(contract)

    def _root(self, contract: Contract, name: str) -> State:
        state = self.document.child(frozenset(clark_names(name, contract.namespaces)))
        state.readers.add("document.root")
        return state

    def _records(self, contract: Contract, roots: list[Node]) -> list[Node]:
        scope = _Scope(roots)
        paths = contract.document.records or ()
        return [found for path in paths for found in self._path("document.records", path, scope, roots, for_text=False)]

    def _follow(self, contract: Contract) -> None:
        self._follow_keys(contract)
        self._follow_document(contract.document)
        for name, table in contract.tables.items():
            self._table(name, table)
        for name, table in contract.tables.items():
            for column_name, column in table.columns.items():
                for value in (column, *column.inputs.values()):
                    self._rule(f"{name}.{column_name}", value, self._scopes[name])

    def _follow_keys(self, contract: Contract) -> None:
        for name, key in contract.keys.items():
            reader, scope = f"keys.{name}", _Scope([])
            pattern = anywhere(parse_xpath(key.match))
            follower = _Follower(self, reader, key.match, scope)
            self._keys[name] = follower.follow(pattern, [self.document], for_text=False)
            self._path(reader, key.use, scope, self._keys[name])

    def _follow_document(self, document: Document) -> None:
        outer = self._scopes[""]
        if document.key is not None:
            self._path("document.key", document.key, outer, self.starts)
        if document.revision is not None:
            for path in document.revision.of:
                self._path("document.revision.of", path, outer, self.starts)
            for rule in document.revision.order:
                self._rule("document.revision.order", rule, outer)
        if document.deleted is not None:
            self._path("document.deleted", document.deleted, outer, self.starts)

    def _table(self, name: str, table: Table) -> None:
        outer = self._scopes[table.parent or ""]
        rows: list[Node] = []
        for rule in table.rows:
            rows += self._path(f"{name} (rows)", rule.path, outer, outer.current, for_text=False)
        scope = self._scopes[name] = _Scope(rows)
        for node_name, path in table.nodes.items():
            scope.named[node_name] = self._path(f"{name} (nodes)", path, scope, rows, for_text=False)
        if table.recursive is not None:
            within = self._path(f"{name} (recursive)", table.recursive, scope, rows, for_text=False)
            for state in [node for node in within if isinstance(node, State)]:
                for row in [node for node in rows if isinstance(node, State)]:
                    if row is not state and row not in state.same:
                        state.same.append(row)
                        row.parents += (parent for parent in state.parents if parent not in row.parents)
        if table.base is not None:
            scope.named[_BASE] = self._path(f"{name} (base)", table.base, scope, rows, for_text=False)

    def _rule(self, reader: str, rule: ValueRule, scope: "_Scope") -> None:
        start = scope.named.get(_BASE, scope.current)
        if isinstance(rule, Column) and rule.at is not None:
            self._path(reader, rule.at, scope, start, for_text=False)
        if rule.path is not None:
            found = self._path(reader, rule.path, scope, start, for_text=rule.each is None)
            if rule.each is not None:
                self._path(reader, rule.each, scope, found)
            elif rule.type is not None and rule.type.family is Family.XML:
                for node in found:
                    if isinstance(node, State):
                        node.markup.add(reader)

    def _path(
        self, reader: str, path: str, scope: "_Scope", context: list[Node], *, for_text: bool = True
    ) -> list[Node]:
        follower = _Follower(self, reader, path, scope)
        return follower.follow(parse_xpath(path), context, for_text=for_text)

    def names(self, test: str) -> Names:
        """Return the Clark names of a name test."""
        return None if test in ("*", "node()") else frozenset(clark_names(test, self._namespaces))

    def key(self, name: str) -> list[Node]:
        """Return the elements of a key."""
        return self._keys.get(name, [])


@dataclass(slots=True)
class _Scope:
    """What the paths of a table can refer to: the nodes of `current()`, and named nodes."""

    current: list[Node]
    named: dict[str, list[Node]] = field(default_factory=dict)


class _Follower(NamedTuple):
    """Follows one path, and marks what it reads."""

    paths: ElementPaths
    reader: str
    path: str
    scope: _Scope

    def follow(self, expression: Expression, context: list[Node], *, for_text: bool) -> list[Node]:
        """Return the nodes of a node-set; none for other values.

        Args:
            expression: What to follow.
            context: The context nodes.
            for_text: Whether the text of the nodes is taken.
        """
        match expression:
            case Path():
                return self._location(expression, context, for_text=for_text)
            case Operation("|", operands):
                return [node for each in operands for node in self.follow(each, context, for_text=for_text)]
            case Operation(operator, operands):
                for operand in operands:
                    self.follow(operand, context, for_text=operator not in ("and", "or"))
            case Call():
                return self._taken(self._called(expression, context), for_text=for_text)
            case Constant("variable"):
                return self._taken(self.scope.named.get(variable_name(expression), []), for_text=for_text)
        return []

    def _called(self, call: Call, context: list[Node]) -> list[Node]:
        if call.name == "current":
            return self.scope.current
        if call.name in _READ_CONTEXT and not call.arguments:
            self._taken(context, for_text=True)
        for argument in call.arguments:
            self.follow(argument, context, for_text=call.name not in _LOOK_AT_NODES_ONLY)
        if call.name == "key" and isinstance(call.arguments[0], Constant):
            return self.paths.key(call.arguments[0].text[1:-1])
        return []

    def _taken(self, nodes: list[Node], *, for_text: bool) -> list[Node]:
        for node in nodes:
            if isinstance(node, State):
                node.readers.add(self.reader)
                if for_text:
                    node.text.add(self.reader)
        return nodes

    def _location(self, path: Path, context: list[Node], *, for_text: bool) -> list[Node]:
        if path.start == "context":
            nodes = context
        elif path.start == "document":
            nodes = [self.paths.document]
        else:
            nodes = self.follow(path.start, context, for_text=for_text and not path.steps)
        self._predicates(path.predicates, nodes)
        for number, step in enumerate(path.steps):
            before = nodes
            nodes = list(dict.fromkeys(target for node in nodes for target in self._targets(step, node)))
            is_slash = (step.axis, step.test) == ("descendant-or-self", "node()") and number < len(path.steps) - 1
            if not is_slash:
                self._mark(step, before, nodes)
            self._predicates(step.predicates, nodes)
        return self._taken(nodes, for_text=for_text) if path.steps or for_text else nodes

    def _mark(self, step: Step, before: list[Node], found: list[Node]) -> None:
        for node in found:
            if isinstance(node, State):
                node.readers.add(self.reader)
            elif node.names != TEXT:
                node.owner.attributes.setdefault(node.names, set()).add(self.reader)
            else:
                node.owner.readers.add(self.reader)
        if step.axis in ("attribute", "child", "descendant") and not step.test.endswith((")", "*")):
            states = tuple(node for node in before if isinstance(node, State))
            names = self.paths.names(step.test) or frozenset()
            self.paths.steps.append(FollowedStep(self.reader, self.path, step, names, states, tuple(found)))

    def _predicates(self, predicates: tuple[Expression, ...], nodes: list[Node]) -> None:
        for predicate in predicates:
            self.follow(predicate, nodes, for_text=False)

    def _targets(self, step: Step, node: Node) -> Iterable[Node]:
        if isinstance(node, Leaf):
            return self._from_leaf(step, node)
        if step.test.endswith(")") and step.test != "node()":
            return self._texts(step, node)
        names = self.paths.names(step.test)
        match step.axis:
            case "attribute" | "child" | "descendant" | "descendant-or-self":
                return _downwards(step.axis, node, names)
            case "self" | "parent" | "ancestor" | "ancestor-or-self":
                return _named(_upwards(step.axis, node), names)
            case "following-sibling" | "preceding-sibling":
                return [parent.child(names) for parent in node.parents]
        return () if step.axis == "namespace" else (self.paths.document.all_below().child(names),)

    def _from_leaf(self, step: Step, leaf: Leaf) -> Iterable[Node]:
        if step.axis == "self":
            return (leaf,)
        above = {"parent": [leaf.owner], "ancestor": leaf.owner.above(or_self=True)}
        return _named(above.get(step.axis.removesuffix("-or-self"), ()), self.paths.names(step.test))

    def _texts(self, step: Step, node: State) -> Iterable[Node]:
        if step.test != "text()":
            return ()
        owners = (node,) if step.axis == "child" else (node, node.all_below())
        return [Leaf(owner, TEXT) for owner in owners]


def _downwards(axis: str, node: State, names: Names) -> tuple[Node, ...]:
    if axis in ("attribute", "child"):
        return (node.child(names) if axis == "child" else Leaf(node, names),)
    below = node.all_below()
    itself = tuple(_named([node], names)) if axis == "descendant-or-self" else ()
    return (*itself, below) if names is None else (*itself, node.child(names), below.child(names))


def _upwards(axis: str, node: State) -> list[State]:
    if axis in ("self", "parent"):
        return [node] if axis == "self" else node.parents
    return node.above(or_self=axis == "ancestor-or-self")


def _named(states: Iterable[State], names: Names) -> list[State]:
    """Return the states that may have elements with these names."""
    return [state for state in states if names is None or state.names is None or _overlap(state.names, names)]


def _overlap(one: frozenset[str], other: frozenset[str]) -> bool:
    return bool(one & other) or any(name.endswith("*") for name in (*one, *other))


class NamedElement(NamedTuple):
    """Elements that a path of a contract names, and the path."""

    reader: str
    path: str
    node: State


def named_elements(contract: Contract) -> Iterator[NamedElement]:
    """Yield what the paths of a contract name, also those of its envelope.

    Raises:
        XPathError, RecursionError, ValueError: A path cannot be parsed, or its prefix is not declared.
    """
    paths, document = ElementPaths(contract), contract.document
    for name, state in zip(document.root, paths.document.children.values(), strict=False):
        yield NamedElement("document.root", name, state)
    for step in paths.steps:
        yield from (NamedElement(step.reader, step.path, node) for node in step.found if isinstance(node, State))
    others = [("document.header", header) for header in document.header or ()]
    others += [("document.read_until", document.read_until)] if document.read_until is not None else []
    for reader, path in others:
        expression, above = parse_xpath(path), list(paths.document.children.values())
        for part in expression.steps if isinstance(expression, Path) else ():
            if part.axis == "child":
                above = [State(paths.names(part.test), above)]
                yield NamedElement(reader, path, above[0])


def is_surely_matched(state: State, pattern: Path, namespaces: Namespaces) -> bool:
    """Return whether a match pattern without predicates matches all elements of a state."""
    *above, last = pattern.steps
    is_slash = (last.axis, last.test) == ("descendant-or-self", "node()")
    if is_slash:
        rest = replace(pattern, steps=tuple(above))
        return any(is_surely_matched(each, rest, namespaces) for each in state.above(or_self=False))
    if state.names == TEXT:
        return False
    if last.test != "*" and (state.names is None or not state.names <= frozenset(clark_names(last.test, namespaces))):
        return False
    if not above:
        return pattern.start == "context" or all(parent.names == TEXT for parent in state.parents)
    rest = replace(pattern, steps=tuple(above))
    if (above[-1].axis, above[-1].test) == ("descendant-or-self", "node()"):
        return not above[:-1] or is_surely_matched(state, rest, namespaces)
    return any(is_surely_matched(each, rest, namespaces) for each in state.parents)


class Position:
    """Where an element of a document is in the automaton.

    Attributes:
        states: Its states.
        readers: What reads the element.
        is_dead: Whether nothing reads anything in it, its attributes included.
    """

    __slots__ = ("_markup", "_next", "_text", "is_dead", "readers", "states")

    def __init__(self, states: frozenset[State], text: frozenset[str], markup: frozenset[str]) -> None:
        self.states = states
        read = (state.readers for state in states)
        self.readers = frozenset(text | markup).union(*read)
        self.is_dead = not states and not text and not markup
        self._text = text.union(*(state.text for state in states))
        self._markup = markup.union(*(state.markup for state in states))
        self._next: dict[str, Position] = {}

    def child(self, name: str) -> "Position":
        """Return the position of a child element with this Clark name."""
        found = self._next.get(name)
        if found is None:
            found = Position(frozenset(_closure(self._children(name))), self._text, self._markup)
            if len(self._next) < _MOST_REMEMBERED:
                self._next[name] = found
        return found

    def _children(self, name: str) -> Iterator[State]:
        for state in self.states:
            if state.is_deep:
                yield state
            if state.below is not None:
                yield state.below
            yield from (child for names, child in state.children.items() if matches(names, name))

    def attribute(self, name: str) -> frozenset[str]:
        """Return what reads an attribute with this Clark name."""
        read = (readers for state in self.states for names, readers in state.attributes.items() if matches(names, name))
        return self._markup.union(*read)


_MOST_REMEMBERED = 1000
"""Names of children that a position remembers: a document may consist of nothing but new names."""


def start_position(paths: ElementPaths) -> Position:
    """Return the position of the document itself, above its root element."""
    return Position(frozenset([paths.document]), frozenset(), frozenset())


def _closure(states: Iterable[State]) -> set[State]:
    found, waiting = set[State](), list(states)
    while waiting:
        state = waiting.pop()
        if state not in found:
            found.add(state)
            waiting += state.same
    return found
