"""Check that no path needs what comes after the element of `read_until`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from xml_extractor.contract.consistency.paths import parsed, position_within
from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import Fault, KeyPath
from xml_extractor.contract.names import Namespaces, clark_names
from xml_extractor.contract.path_following import PathFollower, Scope
from xml_extractor.contract.xpath import Call, Constant, Expression, Operation, Step, kind_of, walk

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


class _Follower(PathFollower[Nodes]):
    """Follows the paths of a draft. `faults` collects those that need more than the promise."""

    def __init__(self, draft: Draft, promise: Promise) -> None:
        super().__init__(draft.contract, DOCUMENT, parsed, draft.lost, draft.entry_path)
        self.faults: list[Fault] = []
        self._draft = draft
        self._promise = promise
        self._unsafe: list[tuple[str, int]] = []

    def follow_path(
        self,
        key_path: KeyPath,
        text: str,
        scope: Scope[Nodes],
        context: list[Nodes],
        expression: Expression | None = None,
        *,
        for_text: bool = True,
    ) -> list[Nodes]:
        """Return the nodes that a path finds, and add a fault if it is unsafe."""
        self._unsafe.clear()
        try:
            nodes = super().follow_path(key_path, text, scope, context, expression, for_text=for_text)
        except ValueError:  # an undeclared prefix, which `path_faults` reports
            return []
        read_until = self._draft.contract.document.read_until
        for found, offset in self._unsafe[:1]:
            from_root = f"a pattern from the root element, such as /{'/'.join(self._promise.element)}//…, "
            fault = self._draft.text.fault(
                key_path,
                f"document.read_until stops reading at the end of {read_until}",
                found=found,
                expected=f"{from_root if expression is not None else ''}names below {read_until}, "
                "an attribute of the root element, or a child element that document.preceded_by names",
                within=position_within(text, offset),
            )
            self.faults.append(fault)
        return nodes

    def follow_recursive(self, path: KeyPath, text: str, scope: Scope[Nodes]) -> None:
        """Follow a path through some levels of a tree: what it does, it does on each."""
        found = rows = scope.current
        for _ in range(_LEVELS):
            found = self.follow_path(path, text, scope, found, for_text=False)
            rows += found
        rows += [Nodes(node.names, node.deeper or 0) for node in found]

    def taken(self, nodes: list[Nodes], offset: int, *, for_text: bool) -> list[Nodes]:
        """Note an unsafe part if text of the nodes is needed and not read."""
        if for_text and not all(map(self._promise.has_all_of, nodes)):
            self._unsafe.append(("the text of an element that is not read to its end", offset))
        return nodes

    def targets(self, step: Step, nodes: list[Nodes], *, is_slash: bool) -> list[Nodes]:
        """Return where a step leads in what is read; note an unsafe part if it leads elsewhere."""
        found = []
        for target in (target for node in nodes for target in self._targets(step, node)):
            if is_slash or self._promise.reaches(target):
                found.append(target)
            else:
                self._unsafe.append((f"a step to {_shown(step)}", step.offset))
        return found

    def follow_predicates(self, predicates: Iterable[Expression], nodes: list[Nodes]) -> None:
        """Follow predicates, and note one that counts elements of which more may follow."""
        for predicate in predicates:
            if _is_by_position(predicate) and any(map(self._promise.may_be_followed, nodes)):
                found = "a position among elements that may continue after the promised one"
                self._unsafe.append((found, predicate.offset))
            super().follow_predicates((predicate,), nodes)

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
            "following-sibling": beside if self._promise.has_all_of(above) else [ANYWHERE],
            "namespace": [_below(node, "@")],
            "parent": [above],
            "preceding-sibling": beside,
            "self": [node],
        }
        return by_axis.get(step.axis, [ANYWHERE])

    def _test(self, step: Step) -> str:
        if step.test.endswith("*"):
            return "*"
        return step.test if step.test.endswith(")") else clark_names(step.test, self._draft.contract.namespaces)[0]

    def _child(self, node: Nodes, test: str) -> str:
        is_root = node == DOCUMENT and (test in _ANY_NODE or test in self._promise.roots)
        return self._promise.element[0] if is_root else test


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
    follower = _Follower(draft, promise)
    follower.follow_contract([promise.root])
    yield from follower.faults


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
