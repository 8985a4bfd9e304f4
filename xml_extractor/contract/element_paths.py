"""Which elements and attributes of a document the paths of a contract read, by the names on the way to them.

All paths of a contract are followed once, without a document. The result is an automaton over the names of elements: a
state stands for the nodes that a path leads to. Predicates do not matter: what they read counts as read, and what they
exclude too.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from xml_extractor.contract.element_states import TEXT, ChosenNames, Leaf, Names, Node, Position, State
from xml_extractor.contract.model import Column, Contract, Document, Table, ValueRule
from xml_extractor.contract.names import Namespaces, clark_names
from xml_extractor.contract.rewriting import anywhere
from xml_extractor.contract.xpath import Call, Constant, Expression, Operation, Path, Step, parse_xpath, variable_name
from xml_extractor.values.sqltypes import Family

_LOOK_AT_NODES_ONLY = ("boolean", "count", "local-name", "name", "namespace-uri", "not")
_READ_CONTEXT = ("normalize-space", "number", "string", "string-length")
_BASE = ""


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


class ElementPaths:
    """The automaton of a contract.

    Args:
        contract: A contract whose paths can be parsed, and whose prefixes are declared.

    Attributes:
        document: The state of the document itself, whose children are root elements.
        starts: The states of the elements where paths of the contract start: root elements, or records.
        steps: The steps of all paths that name elements or attributes.
        namespaces: The namespaces of the contract.
    """

    def __init__(self, contract: Contract) -> None:
        self.document = State(TEXT, [])
        self.steps: list[FollowedStep] = []
        self.namespaces: Namespaces = contract.namespaces
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

    def names(self, test: str) -> frozenset[str] | None:
        """Return the Clark names of a name test."""
        return None if test in ("*", "node()") else frozenset(clark_names(test, self.namespaces))

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
        names: Names = self.paths.names(step.test)
        if step.axis != "attribute" and step.test == "*" and step.predicates:
            names = ChosenNames(step.predicates, self.paths.namespaces)
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
    """Return the states of those elements that have one of these names."""
    found: dict[State, None] = {}
    for state in states:
        if names is None:
            found[state] = None
        elif not isinstance(state.names, frozenset):
            found |= dict.fromkeys(parent.child(names) for parent in state.parents)
        elif _overlap(state.names, names):
            found[state] = None
    return list(found)


def _overlap(one: frozenset[str], other: frozenset[str] | ChosenNames) -> bool:
    if isinstance(other, ChosenNames):
        return any(name.endswith("*") or other.may_be(name) for name in one)
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


def start_position(paths: ElementPaths) -> Position:
    """Return the position of the document itself, above its root element."""
    return Position(frozenset([paths.document]), frozenset(), frozenset())
