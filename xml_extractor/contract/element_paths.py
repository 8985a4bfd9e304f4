"""Which elements and attributes of a document the paths of a contract read, by the names on the way to them.

All paths of a contract are followed once, without a document. The result is an automaton over the names of elements: a
state stands for the nodes that a path leads to. Predicates do not matter: what they read counts as read, and what they
exclude too.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from xml_extractor.contract.element_states import TEXT, ChosenNames, Leaf, Names, Node, Position, State
from xml_extractor.contract.faults import KeyPath
from xml_extractor.contract.model import Contract, ValueRule
from xml_extractor.contract.names import Namespaces, clark_names
from xml_extractor.contract.path_following import PathFollower, Scope
from xml_extractor.contract.xpath import Expression, Path, Step, parse_xpath
from xml_extractor.values.sqltypes import Family


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


class ElementPaths(PathFollower[Node]):
    """The automaton of a contract.

    Args:
        contract: A contract whose paths can be parsed, and whose prefixes are declared.

    Attributes:
        root: The state of the document itself, whose children are root elements.
        starts: The states of the elements where paths of the contract start: root elements, or records.
        steps: The steps of all paths that name elements or attributes.
        namespaces: The namespaces of the contract.
    """

    takes_text_of_keys = False

    def __init__(self, contract: Contract) -> None:
        self.root = State(TEXT, [])
        super().__init__(contract, self.root)
        self.steps: list[FollowedStep] = []
        self.namespaces: Namespaces = contract.namespaces
        self._reader = self._path = ""
        roots: list[Node] = []
        for name in contract.document.root:
            state = self.root.child(frozenset(clark_names(name, contract.namespaces)))
            state.readers.add("document.root")
            roots.append(state)
        self.starts = roots
        if contract.document.records is not None:
            key_path, scope = ("document", "records"), Scope(roots)
            found = [
                self.follow_path(key_path, path, scope, roots, for_text=False) for path in contract.document.records
            ]
            self.starts = [node for some in found for node in some]
        self.follow_contract(self.starts)

    def follow_path(
        self,
        key_path: KeyPath,
        text: str,
        scope: Scope[Node],
        context: list[Node],
        expression: Expression | None = None,
        *,
        for_text: bool = True,
    ) -> list[Node]:
        """Return the nodes that a path finds; mark them as read by what has the path."""
        self._reader, self._path = _reader(key_path), text
        return super().follow_path(key_path, text, scope, context, expression, for_text=for_text)

    def follow_rule(self, path: KeyPath, rule: ValueRule, scope: Scope[Node]) -> list[Node]:
        """Follow the paths of a column or input, and mark elements whose markup it takes."""
        found = super().follow_rule(path, rule, scope)
        if rule.each is None and rule.type is not None and rule.type.family is Family.XML:
            for node in found:
                if isinstance(node, State):
                    node.markup.add(_reader(path))
        return found

    def follow_recursive(self, path: KeyPath, text: str, scope: Scope[Node]) -> None:
        """Make the rows of a tree states of the rows that are directly within them."""
        rows = [node for node in scope.current if isinstance(node, State)]
        for state in self.follow_path(path, text, scope, scope.current, for_text=False):
            for row in rows if isinstance(state, State) else ():
                if isinstance(state, State) and row is not state and row not in state.same:
                    state.same.append(row)
                    row.parents += (parent for parent in state.parents if parent not in row.parents)

    def targets(self, step: Step, nodes: list[Node], *, is_slash: bool) -> list[Node]:
        """Return where a step leads, and mark what it reads there."""
        found = list(dict.fromkeys(target for node in nodes for target in self._targets(step, node)))
        if not is_slash:
            self._mark(step, nodes, found)
        return found

    def taken(self, nodes: list[Node], offset: int, *, for_text: bool) -> list[Node]:
        """Mark nodes as read, and their text if it is needed."""
        del offset
        for node in nodes:
            if isinstance(node, State):
                node.readers.add(self._reader)
                if for_text:
                    node.text.add(self._reader)
        return nodes

    def names(self, test: str) -> frozenset[str] | None:
        """Return the Clark names of a name test."""
        return None if test in ("*", "node()") else frozenset(clark_names(test, self.namespaces))

    def _mark(self, step: Step, before: list[Node], found: list[Node]) -> None:
        for node in found:
            if isinstance(node, State):
                node.readers.add(self._reader)
            elif node.names != TEXT:
                node.owner.attributes.setdefault(node.names, set()).add(self._reader)
            else:
                node.owner.readers.add(self._reader)
        if step.axis in ("attribute", "child", "descendant") and not step.test.endswith((")", "*")):
            states = tuple(node for node in before if isinstance(node, State))
            names = self.names(step.test) or frozenset()
            self.steps.append(FollowedStep(self._reader, self._path, step, names, states, tuple(found)))

    def _targets(self, step: Step, node: Node) -> Iterable[Node]:
        if isinstance(node, Leaf):
            return self._from_leaf(step, node)
        if step.test.endswith(")") and step.test != "node()":
            return self._texts(step, node)
        names: Names = self.names(step.test)
        if step.axis != "attribute" and step.test == "*" and step.predicates:
            names = ChosenNames(step.predicates, self.namespaces)
        match step.axis:
            case "attribute" | "child" | "descendant" | "descendant-or-self":
                return _downwards(step.axis, node, names)
            case "self" | "parent" | "ancestor" | "ancestor-or-self":
                return _named(_upwards(step.axis, node), names)
            case "following-sibling" | "preceding-sibling":
                return [parent.child(names) for parent in node.parents]
        return () if step.axis == "namespace" else (self.root.all_below().child(names),)

    def _from_leaf(self, step: Step, leaf: Leaf) -> Iterable[Node]:
        if step.axis == "self":
            return (leaf,)
        above = {"parent": [leaf.owner], "ancestor": leaf.owner.above(or_self=True)}
        return _named(above.get(step.axis.removesuffix("-or-self"), ()), self.names(step.test))

    def _texts(self, step: Step, node: State) -> Iterable[Node]:
        if step.test != "text()":
            return ()
        owners = (node,) if step.axis == "child" else (node, node.all_below())
        return [Leaf(owner, TEXT) for owner in owners]


def _reader(key_path: KeyPath) -> str:
    """Return what has a path, for reports."""
    match key_path:
        case ("tables", table, "columns", column, *_):
            return f"{table}.{column}"
        case ("tables", table, part, *_):
            return f"{table} ({part})"
        case ("keys", name, *_):
            return f"keys.{name}"
    return ".".join(part for part in key_path if isinstance(part, str) and part not in ("path", "each"))


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
    for name, state in zip(document.root, paths.root.children.values(), strict=False):
        yield NamedElement("document.root", name, state)
    for step in paths.steps:
        yield from (NamedElement(step.reader, step.path, node) for node in step.found if isinstance(node, State))
    others = [("document.header", header) for header in document.header or ()]
    others += [("document.read_until", document.read_until)] if document.read_until is not None else []
    for reader, path in others:
        expression, above = parse_xpath(path), list(paths.root.children.values())
        for part in expression.steps if isinstance(expression, Path) else ():
            if part.axis == "child":
                above = [State(paths.names(part.test), above)]
                yield NamedElement(reader, path, above[0])


def start_position(paths: ElementPaths) -> Position:
    """Return the position of the document itself, above its root element."""
    return Position(frozenset([paths.root]), frozenset(), frozenset())
