"""Check that `read_until` does not cut off what a path needs.

A path is followed through every step, predicate and argument, as far as possible without a document.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import NamedTuple

from xml_extractor.contract.consistency.paths import parsed, place_within
from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import Fault, KeyPath
from xml_extractor.contract.model import Table
from xml_extractor.contract.names import clark_name
from xml_extractor.contract.xpath import Call, Constant, Expression, Operation, Path, Step, walk
from xml_extractor.contract.xpath_functions import kind_of

_LOOK_AT_NODES_ONLY = ("boolean", "count", "local-name", "name", "namespace-uri", "not")
_READ_CONTEXT = ("normalize-space", "number", "string", "string-length")
_LOGIC = ("and", "or")
_ANY_NODE = ("*", "node()")


class Place(NamedTuple):
    """Nodes of a document.

    Attributes:
        names: The way to them: the root element's name, then one name for each level; `*` is any name, `@` marks an
            attribute. Empty is the document itself.
        deeper: None for nodes right there, or the fewest levels that they may be below it.
    """

    names: tuple[str, ...]
    deeper: int | None = None


DOCUMENT = Place(())
ANYWHERE = Place(("*",), 0)


@dataclass(frozen=True)
class Promise:
    """What is read of a document: all up to the end of an element.

    Attributes:
        element: The way to it, the root's name first.
        before: Names of the root's other children that come before it.
    """

    element: tuple[str, ...]
    before: frozenset[str]

    @property
    def root(self) -> Place:
        """The root element."""
        return Place(self.element[:1])

    def has_all_of(self, place: Place) -> bool:
        """Whether the nodes and all that is in them are read."""
        names = place.names
        is_below = names[: len(self.element)] == self.element
        is_before = len(names) > 1 and names[0] == self.element[0] and names[1] in self.before
        is_attribute = bool(names) and names[-1].startswith("@")
        return is_below or is_before or (is_attribute and self.reaches(Place(names[:-1])))

    def reaches(self, place: Place) -> bool:
        """Whether the nodes are read, though perhaps not all that is in them."""
        is_above = place.names == self.element[: len(place.names)] and place.deeper is None
        return is_above or self.has_all_of(place)

    def may_be_followed(self, place: Place) -> bool:
        """Whether nodes of the same name may come after what is read: no position among them can be told."""
        return place.deeper is None and len(place.names) > 1 and place.names == self.element[: len(place.names)]


class Doubt(NamedTuple):
    """A part of an expression that may need what is not read: what was found, and where in the text."""

    found: str
    offset: int


@dataclass
class PlaceFinder:
    """Follows expressions through a document of which only a part is read; `doubts` collects what is not safe."""

    promise: Promise
    namespaces: Mapping[str, str]
    doubts: list[Doubt] = field(default_factory=list)

    def follow(self, expression: Expression, context: Iterable[Place], *, for_text: bool) -> list[Place]:
        """The places of a node-set, from the places of the context nodes; none for other values.

        Args:
            expression: What to follow.
            context: Where the context nodes are.
            for_text: Whether the text of the nodes is needed, not only that they are there.
        """
        match expression:
            case Path():
                return self._path(expression, list(context), for_text=for_text)
            case Operation("|", operands):
                places = [self.follow(operand, context, for_text=for_text) for operand in operands]
                return [place for some in places for place in some]
            case Operation(operator, operands):
                for operand in operands:
                    self.follow(operand, context, for_text=operator not in _LOGIC)
            case Call():
                self._call(expression, context)
            case Constant():
                pass
        return []

    def _path(self, path: Path, context: list[Place], *, for_text: bool) -> list[Place]:
        if path.start == "context":
            places = context
        elif path.start == "document":
            places = [DOCUMENT]
        else:
            places = self.follow(path.start, context, for_text=for_text and not path.steps)
        self._check_predicates(path.predicates, places)
        for step, following in zip_longest(path.steps, path.steps[1:]):
            places = self._step(step, places, is_last=following is None)
        if for_text:
            for place in places:
                if not self.promise.has_all_of(place):
                    self.doubts.append(Doubt("the text of an element that is not read to its end", path.offset))
        return places

    def _step(self, step: Step, places: list[Place], *, is_last: bool) -> list[Place]:
        found = []
        for place in places:
            for target in self._targets(step, place):
                is_slash = not is_last and (step.axis, step.test) == ("descendant-or-self", "node()")
                if is_slash or self.promise.reaches(target):
                    found.append(target)
                else:
                    self.doubts.append(Doubt(f"a step to {_shown(step)}", step.offset))
        self._check_predicates(step.predicates, found)
        return found

    def _targets(self, step: Step, place: Place) -> list[Place]:
        test, above = self._test(step), _above(place)
        beside = [_below(above, test)]
        by_axis = {
            "ancestor": _ancestors(place, test, or_self=False),
            "ancestor-or-self": _ancestors(place, test, or_self=True),
            "attribute": [_below(place, f"@{test}")],
            "child": [_below(place, self._child(place, test))],
            "descendant": [Place(place.names, (place.deeper or 0) + 1)],
            "descendant-or-self": [Place(place.names, place.deeper or 0)],
            "following-sibling": beside if self.promise.has_all_of(above) else [ANYWHERE],
            "namespace": [_below(place, "@")],
            "parent": [above],
            "preceding-sibling": beside,
            "self": [place],
        }
        return by_axis.get(step.axis, [ANYWHERE])

    def _test(self, step: Step) -> str:
        if step.test.endswith("*"):
            return "*"
        return step.test if step.test.endswith(")") else clark_name(step.test, self.namespaces)

    def _child(self, place: Place, test: str) -> str:
        is_root = place == DOCUMENT and test in _ANY_NODE
        return self.promise.element[0] if is_root else test

    def _call(self, call: Call, context: Iterable[Place]) -> None:
        if call.name == "id":
            self.doubts.append(Doubt("the function id(), which searches the whole document", call.offset))
        if call.name in _READ_CONTEXT and not call.arguments:
            self._path(Path("context", (), (), call.offset), list(context), for_text=True)
        for argument in call.arguments:
            self.follow(argument, context, for_text=call.name not in _LOOK_AT_NODES_ONLY)

    def _check_predicates(self, predicates: tuple[Expression, ...], places: list[Place]) -> None:
        for predicate in predicates:
            if _is_by_position(predicate) and any(self.promise.may_be_followed(place) for place in places):
                found = "a position among elements that may go on after the promised one"
                self.doubts.append(Doubt(found, predicate.offset))
            self.follow(predicate, places, for_text=False)


def _shown(step: Step) -> str:
    if step.axis == "child":
        return f"'{step.test}'"
    abbreviations = {("self", "node()"): ".", ("parent", "node()"): "..", ("descendant-or-self", "node()"): "//"}
    name = "@" + step.test if step.axis == "attribute" else f"{step.axis}::{step.test}"
    return f"'{abbreviations.get((step.axis, step.test), name)}'"


def _below(place: Place, name: str) -> Place:
    if place.deeper is None:
        return Place((*place.names, name))
    return Place(place.names, place.deeper + 1)


def _above(place: Place) -> Place:
    if place.deeper:
        return Place(place.names, place.deeper - 1)
    return Place(place.names[:-1], place.deeper)


def _ancestors(place: Place, test: str, *, or_self: bool) -> list[Place]:
    last = len(place.names) + (1 if or_self or place.deeper is not None else 0)
    known = [Place(place.names[:length]) for length in range(1, last)]
    found = [each for each in known if test in _ANY_NODE or each.names[-1] in (test, "*")]
    return [*found, Place(place.names, 0)] if place.deeper is not None else found


def _is_by_position(predicate: Expression) -> bool:
    """Whether a predicate chooses by position, other than the first of all."""
    match predicate:
        case Constant("number", "1"):
            return False
        case Operation("=", (Call("position"), Constant("number", "1"))):
            return False
    uses_position = any(isinstance(part, Call) and part.name in ("position", "last") for part in walk(predicate))
    return uses_position or kind_of(predicate) == "number"


def read_until_faults(draft: Draft) -> Iterator[Fault]:
    """Paths that lead, or may lead, behind the end of the promised element."""
    document = draft.contract.document
    if document.preceded_by and document.read_until is None and not draft.lost(("document", "read_until")):
        message = "nothing is cut off without read_until"
        yield draft.text.fault(
            ("document", "preceded_by"), message, expected="read_until too, or no such key", key=True
        )
    promise = _promise(draft)
    if promise is None:
        return
    if document.key is not None:
        yield from _Check(draft, promise).path_faults(("document", "key"), document.key, [promise.root])
    rows: dict[str, list[Place]] = {}
    for path, name, table in draft.tables():
        check = _Check(draft, promise)
        context = [promise.root] if table.parent is None else rows.get(table.parent, [])
        if draft.lost((*path, "parent")):
            context = []
        rows[name] = check.row_places(path, table, context)
        yield from check.faults
        yield from check.column_faults(path, table, rows[name])


class _Check:
    """The paths of one table, or of the document."""

    def __init__(self, draft: Draft, promise: Promise) -> None:
        self._draft = draft
        self._promise = promise
        self.faults: list[Fault] = []

    def row_places(self, path: KeyPath, table: Table, context: list[Place]) -> list[Place]:
        """Where the table's rows are; `faults` has what is wrong with their paths."""
        places = []
        for index, rule in enumerate(table.rows):
            rule_path = (*path, "rows", index, "path")
            if not self._draft.lost(rule_path):
                places += self._follow(rule_path, rule.path, context, for_text=False)
        return places

    def column_faults(self, path: KeyPath, table: Table, context: list[Place]) -> Iterator[Fault]:
        """What is wrong with the paths of the table's columns and their inputs."""
        for name, column in table.columns.items():
            column_path = (*path, "columns", name)
            if column.path is not None:
                yield from self.path_faults((*column_path, "path"), column.path, context)
            for input_name, rule in column.inputs.items():
                if rule.path is not None:
                    yield from self.path_faults((*column_path, "inputs", input_name, "path"), rule.path, context)

    def path_faults(self, key_path: KeyPath, text: str, context: list[Place]) -> list[Fault]:
        """What is wrong with a path to a value."""
        self.faults = []
        self._follow(key_path, text, context, for_text=True)
        return self.faults

    def _follow(self, key_path: KeyPath, text: str, context: list[Place], *, for_text: bool) -> list[Place]:
        expression = parsed(text)
        if expression is None:
            return []
        finder = PlaceFinder(self._promise, self._draft.contract.namespaces)
        try:
            places = finder.follow(expression, context, for_text=for_text)
        except ValueError:  # a prefix that nobody declared: a fault of the path itself
            return []
        document = self._draft.contract.document
        for doubt in finder.doubts[:1]:
            self.faults.append(
                self._draft.text.fault(
                    key_path,
                    f"document.read_until stops reading at the end of {document.read_until}",
                    found=doubt.found,
                    expected=f"names below {document.read_until}, an attribute of the root element, "
                    "or a child element that document.preceded_by names",
                    within=place_within(text, doubt.offset),
                )
            )
        return places


def _promise(draft: Draft) -> Promise | None:
    document, namespaces = draft.contract.document, draft.contract.namespaces
    if document.read_until is None or not draft.whole(("document",)):
        return None
    names = [_clark_name(name, namespaces) for name in (document.root, *document.read_until.split("/"))]
    before = [_clark_name(name, namespaces) for name in document.preceded_by]
    known = tuple(name for name in names if name)
    return Promise(known, frozenset(name for name in before if name)) if len(known) == len(names) else None


def _clark_name(name: str, namespaces: Mapping[str, str]) -> str | None:
    try:
        return clark_name(name, namespaces)
    except ValueError:  # a prefix that nobody declared: a fault of the name itself
        return None
