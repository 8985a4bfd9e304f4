"""An automaton over the names of elements: a state stands for the nodes of a document that a path leads to."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from xml_extractor.contract.names import Namespaces, clark_names
from xml_extractor.contract.xpath import Call, Constant, Expression, Operation, Path, Step


@dataclass(frozen=True, slots=True)
class ChosenNames:
    """The names that predicates of `*` choose, such as `*[self::a or starts-with(local-name(), 'b')]`.

    What a predicate says of anything but the name is left open.
    """

    predicates: tuple[Expression, ...]
    namespaces: Namespaces = field(compare=False)

    def may_be(self, name: str) -> bool:
        """Return whether an element with this Clark name may be chosen."""
        return all(self._truth(predicate, name) is not False for predicate in self.predicates)

    def _truth(self, expression: Expression, name: str) -> bool | None:
        match expression:
            case Operation("or" | "and" as operator, operands):
                found = {self._truth(operand, name) for operand in operands}
                decisive = operator == "or"
                return decisive if decisive in found else None if None in found else not decisive
            case Operation("=" | "!=" as operator, (one, other)):
                texts = _text(one, name), _text(other, name)
                return None if None in texts else (texts[0] == texts[1]) is (operator == "=")
            case Call("not", (operand,)):
                truth = self._truth(operand, name)
                return None if truth is None else not truth
            case Call("starts-with", (one, other)):
                text, start = _text(one, name), _text(other, name)
                return None if text is None or start is None else text.startswith(start)
            case Path("context", (), (Step("self", test, predicates),)) if not test.endswith(")"):
                is_it = test == "*" or matches(frozenset(clark_names(test, self.namespaces)), name)
                return None if is_it and predicates else is_it
        return None


def _text(expression: Expression, name: str) -> str | None:
    match expression:
        case Constant("text", text):
            return text[1:-1]
        case Call("local-name", ()):
            return name.rpartition("}")[2]
    return None


Names = frozenset[str] | ChosenNames | None
"""Clark names that match; None for any. `{uri}*` matches all names of a namespace, `*` all names without one."""

TEXT: Names = frozenset()
"""The names of a text node's leaf."""

_MOST_REMEMBERED = 1000
"""Names of children that a position remembers: a document may consist of nothing but new names."""


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


def matches(names: Names, name: str) -> bool:
    """Return whether names of a path match a Clark name."""
    if isinstance(names, ChosenNames):
        return names.may_be(name)
    if names is None or name in names:
        return True
    namespace, brace, _ = name.rpartition("}")
    return f"{namespace}{brace}*" in names


def is_surely_matched(state: State, pattern: Path, namespaces: Namespaces) -> bool:
    """Return whether a match pattern without predicates matches all elements of a state."""
    *above, last = pattern.steps
    is_slash = (last.axis, last.test) == ("descendant-or-self", "node()")
    if is_slash:
        rest = replace(pattern, steps=tuple(above))
        return any(is_surely_matched(each, rest, namespaces) for each in state.above(or_self=False))
    if state.names == TEXT:
        return False
    names = state.names if isinstance(state.names, frozenset) else None
    if last.test != "*" and (names is None or not names <= frozenset(clark_names(last.test, namespaces))):
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


def _closure(states: Iterable[State]) -> set[State]:
    found, waiting = set[State](), list(states)
    while waiting:
        state = waiting.pop()
        if state not in found:
            found.add(state)
            waiting += state.same
    return found
