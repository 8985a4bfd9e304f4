"""The nodes of a document, and what the paths of a table can refer to besides their context node.

lxml knows neither `current()` nor named nodes. Paths are rewritten: `current()` and the names of elements become
variables of XPath, whose nodes a `Frame` gives for the row that is being mapped. A variable of lxml cannot hold
attributes or text nodes, so that the names of those are replaced by their own paths.
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, NamedTuple, Protocol

from lxml import etree
from lxml.etree import _Element as Element

from xml_extractor.contract.names import EXSLT_NAMESPACE, Namespaces, with_all_namespaces
from xml_extractor.contract.rewriting import READ_CONTEXT, changed, starting_at, written
from xml_extractor.contract.xpath import (
    Call,
    Constant,
    Expression,
    Operation,
    Path,
    Step,
    parse_xpath,
    variable_name,
    walk,
)
from xml_extractor.mapping.errors import RuleError
from xml_extractor.mapping.numbers import number_of, text_of_number, with_exact_numbers
from xml_extractor.reasons import Reason

BASE = "_base"
"""The variable of a table's `base`. No name of a contract begins with an underscore."""

VALUE = "_value"
"""The variable of the text of an attribute or text node for which a path is evaluated."""

_CURRENT = "_current"
_OWNER = "_owner"


class ValueNode(NamedTuple):
    """An attribute or text node that a row rule found.

    Attributes:
        text: Its value.
        owner: Its parent in XPath's sense: the element that `..` finds.
        name: The attribute's Clark name; empty for a text node.
    """

    text: str
    owner: Element
    name: str


Node = Element | ValueNode
FindNodes = Callable[[Node], list[Node]]
_MANY = 100
"""From this number of nodes on, a path is evaluated instead of a variable: libxml2 compares each with all before it."""


class KeyFinder(Protocol):
    """The keys of a contract."""

    was_asked: bool
    """Whether a value that is not blank was looked up since this was last set to False."""

    def enter(self, root: Element) -> None:
        """Answer for another document."""

    def find(self, context: object, name: str, value: object) -> list[Element]:
        """Return the elements of a key, as lxml calls the function `key()`."""


class Frame:
    """The node whose row is being mapped, for the paths of its table.

    Args:
        keys: The contract's keys, if it has some.
        only_elements: Whether all nodes of the table's rows are elements.

    Attributes:
        uses: How many compiled paths need the frame, so that `enter` must be called before they are evaluated.
        is_large: Whether a name stands for more nodes than paths should take as a variable.
    """

    def __init__(self, keys: KeyFinder | None = None, *, only_elements: bool = True) -> None:
        self.keys = keys
        self.only_elements = only_elements
        self.uses = 0
        self.is_large = False
        self._paths: dict[str, Expression] = {}
        self._named: dict[str, FindNodes] = {}
        self._values: set[str] = set()
        self._relative: dict[str, Path] = {}
        self._node: Node | None = None
        self._found: dict[str, Any] = {}

    def add(self, name: str, path: str, find: FindNodes) -> None:
        """Give a name to nodes: to what a path, compiled as `find`, finds from the row's node."""
        expression = self.rewritten(parse_xpath(path))
        match self._spelled_out(expression):
            case Path("context", ()) as relative:
                self._relative[name] = relative
        self._named[name] = find
        self._paths[name] = starting_at(expression, _CURRENT)
        if self._finds_values(expression):
            self._values.add(name)

    def spelled_out(self, path: str) -> str:
        """Return a path with the name that it starts with, if any, replaced by the path of that name's nodes."""
        return written(self._spelled_out(parse_xpath(path)))

    def _spelled_out(self, expression: Expression) -> Expression:
        match expression:
            case Constant("variable") if start := self._relative.get(variable_name(expression)):
                return start
            case Path(Constant("variable") as name, (), steps) if start := self._relative.get(variable_name(name)):
                return Path("context", (), (*start.steps, *steps), expression.offset)
        return expression

    def enter(self, node: Node) -> None:
        """Evaluate paths for this node until further notice."""
        if node is not self._node:
            self._node = node
            self._found = {}
            self.is_large = False

    def enter_again(self, node: Node, root: Element) -> None:
        """Evaluate paths for a node of a document that was left."""
        self.enter(node)
        if self.keys is not None:
            self.keys.enter(root)

    def leave(self) -> None:
        """Forget the document."""
        self._node = None
        self._found = {}

    def variables(self, names: Iterable[str]) -> dict[str, Any]:
        """Return the nodes of variables as lxml takes them: lists of elements, or the text of a current value."""
        found = self._found
        for name in names:
            if name not in found:
                found[name] = self._nodes(name)
        return {name: found[name] for name in names}

    def _nodes(self, name: str) -> Any:
        node = self._node
        if node is None:
            return []
        if name == _OWNER:
            parent = node.owner if isinstance(node, ValueNode) else node.getparent()
            return [] if parent is None else [parent]
        if name == _CURRENT:
            return node.text if isinstance(node, ValueNode) else [node]
        nodes = self._named[name](node)
        if nodes and isinstance(nodes[0], ValueNode):  # the row's own node, by `.`
            return nodes[0].text
        if name == BASE:
            return nodes[:1]
        self.is_large = self.is_large or len(nodes) >= _MANY
        return nodes

    def _finds_values(self, expression: Expression) -> bool:
        """Return whether a path may find attributes or text nodes."""
        match expression:
            case Operation("|", operands):
                return any(map(self._finds_values, operands))
            case Constant("variable"):
                return variable_name(expression) in self._values
            case Path(start, _, steps):
                last = next((step for step in reversed(steps) if (step.axis, step.test) != ("self", "node()")), None)
                if last is None:
                    return not isinstance(start, str) and self._finds_values(start)
                return last.axis == "attribute" or (
                    last.test in ("node()", "text()") and last.axis not in ("parent", "ancestor")
                )
        return False

    def rewritten(self, expression: Expression, *, is_value: bool = False, is_large: bool = False) -> Expression:
        """Replace `current()`, and the names of attributes and text nodes.

        Args:
            expression: A path of the table.
            is_value: Whether it is evaluated for an attribute or text node, from the element that owns it.
            is_large: Whether the names of elements are replaced, too.
        """
        replaced = self._paths.keys() - {BASE} if is_large else self._values

        def change(part: Expression, is_outer: bool) -> Expression:  # noqa: FBT001 - the type of `Change`
            match part:
                case Constant("variable") if variable_name(part) in replaced:
                    return self._paths[variable_name(part)]
                case Call("current"):
                    return Constant("variable", f"${_CURRENT}", part.offset)
                case Path(Constant("variable", text), (), (Step("parent", "node()"), *_) as steps) if (
                    not self.only_elements and text == f"${_CURRENT}"
                ):
                    return Path(Constant("variable", f"${_OWNER}", part.offset), (), _after_parent(steps), part.offset)
            return _from_value(part) if is_value and is_outer else part

        return changed(expression, change)


def _from_value(part: Expression) -> Expression:
    """Let a part of a path start at an attribute or text node, if it starts at the context node."""
    value = Constant("variable", f"${VALUE}", part.offset)
    match part:
        case Path("context", (), (Step("self", "node()"),)):
            return value
        case Path("context", (), steps):
            return Path("context", (), _after_parent(steps), part.offset)
        case Call(name, ()) if name in READ_CONTEXT:
            return Call(name, (value,), part.offset)
    return part


def _after_parent(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return steps from the parent, which is the owner of an attribute or text node, instead of from the node."""
    first, *others = steps
    if (first.axis, first.test) != ("parent", "node()"):
        raise RuleError(Reason.PATH_FAILED, "a path from an attribute or text must be '.' or begin with '..' or '/'")
    return (Step("self", "node()", first.predicates, first.offset), *others)


def needs_frame(expression: Expression) -> bool:
    """Return whether an expression refers to more than its context node: `current()`, `key()` or a variable."""
    return any(
        (isinstance(part, Call) and part.name in ("current", "key"))
        or (isinstance(part, Constant) and part.kind == "variable")
        for part in walk(expression)
    )


def evaluator(
    path: str, namespaces: Namespaces, frame: Frame | None = None, *, with_owners: bool = False
) -> Callable[[Element], Any]:
    """Compile an XPath to a function from an element to lxml's result.

    Args:
        path: The XPath.
        namespaces: The contract's prefixes.
        frame: What it can refer to besides its context node.
        with_owners: Whether attributes and text nodes of the result know their elements.
    """
    if frame is None or not needs_frame(parse_xpath(path)):
        return _compiled(path, namespaces, with_owners=with_owners)
    evaluate = _in_frame(path, namespaces, frame, with_owners=with_owners)
    return lambda element: evaluate(element, {})


def evaluator_of_value(
    path: str, namespaces: Namespaces, frame: Frame, *, with_owners: bool = False
) -> Callable[[ValueNode], Any]:
    """Compile a path that refers to other nodes than its context node, which is an attribute or text node."""
    evaluate = _in_frame(path, namespaces, frame, with_owners=with_owners, is_value=True)
    return lambda node: evaluate(node.owner, {VALUE: node.text})


def _in_frame(
    path: str, namespaces: Namespaces, frame: Frame, *, with_owners: bool, is_value: bool = False
) -> Callable[[Element, dict[str, Any]], Any]:
    frame.uses += 1

    @cache
    def variant(*, is_large: bool) -> tuple[Callable[..., Any], tuple[str, ...]]:
        expression = frame.rewritten(parse_xpath(path), is_value=is_value, is_large=is_large)
        constants = [part for part in walk(expression) if isinstance(part, Constant) and part.kind == "variable"]
        names = dict.fromkeys(name for part in constants if (name := variable_name(part)) != VALUE)
        compiled = _compiled(written(expression), namespaces, frame.keys, with_owners=with_owners)
        return compiled, tuple(names)

    compiled, names = variant(is_large=False)

    def evaluate(element: Element, values: dict[str, Any]) -> Any:
        variables = frame.variables(names)
        if frame.is_large:
            compiled_large, others = variant(is_large=True)
            return compiled_large(element, **values, **frame.variables(others))
        return compiled(element, **values, **variables)

    return evaluate


def _compiled(
    path: str, namespaces: Namespaces, keys: KeyFinder | None = None, *, with_owners: bool
) -> Callable[..., Any]:
    text = text_of_number(path)
    if text is not None:  # faster than the function of `with_exact_numbers`
        read = _compiled(text, namespaces, keys, with_owners=False)
        return lambda *arguments, **variables: number_of(read(*arguments, **variables))
    # By default, lxml registers EXSLT's functions at each evaluation, which takes a third of its time.
    uses_exslt = (EXSLT_NAMESPACE,) in namespaces.values()
    in_all_namespaces, prefixes = with_all_namespaces(path, namespaces)
    exact, names, functions = with_exact_numbers(in_all_namespaces)
    extensions: dict[tuple[str | None, str], Callable[..., Any]] = dict(functions.items())
    if keys is not None and "key(" in path:
        extensions[None, "key"] = keys.find
    return etree.XPath(
        exact,
        namespaces={**prefixes, **names},
        extensions=extensions or None,
        regexp=uses_exslt,
        smart_strings=with_owners,
    )
