"""Find children by name in generated code: all searches share one look at an element's children, which beats XPath.

A path qualifies if its steps are names of children, each perhaps with one predicate: a position, or comparisons of
attributes with texts. Other paths are evaluated by lxml, as all paths of the interpreted plan are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lxml.etree import _Element as Element

from xml_extractor.contract.names import Namespaces, clark_names
from xml_extractor.contract.xpath import Call, Constant, Expression, Path, Step, parse_xpath
from xml_extractor.contract.xpath import Operation as Comparison
from xml_extractor.source_code import Code

_MANY = 500
"""From this number of children on, a search is left to lxml, which makes Python objects only of what it finds."""

WriteTest = Callable[[Code, str], str]
"""Writes a condition on the element of a variable."""


class _ManyChildren:
    """The children of an element with very many."""

    def __init__(self, element: Element) -> None:
        self._element = element

    def get(self, name: str, _default: object) -> list[Element]:
        """Return the children of a name."""
        return list(self._element.iterchildren(name))


class Children(dict[Element, "Mapping[str, list[Element]] | _ManyChildren"]):
    """The children of elements by their Clark names, in document order."""

    def __missing__(self, element: Element) -> "Mapping[str, list[Element]] | _ManyChildren":
        """Look at the children of an element."""
        if len(element) > _MANY:
            self[element] = many = _ManyChildren(element)
            return many
        found: dict[str, list[Element]] = {}
        for child in element:
            name: Any = child.tag  # of a comment, a function
            if name in found:
                found[name].append(child)
            else:
                found[name] = [child]
        self[element] = found
        return found

    def below(self, elements: Sequence[Element], name: str) -> Sequence[Element]:
        """Return the children of a name of several elements."""
        if len(elements) == 1:
            return self[elements[0]].get(name, ())
        return [child for element in elements for child in self[element].get(name, ())]


@dataclass(frozen=True, slots=True)
class ChildStep:
    """A step to children of a name: a slice of them, as source, or those that pass a test."""

    name: str
    part: str = ""
    test: WriteTest | None = None


@dataclass(frozen=True, slots=True)
class ChildPath:
    """A path of steps to children.

    Attributes:
        steps: Its steps.
        evaluate: Evaluates it by lxml.
    """

    steps: tuple[ChildStep, ...]
    evaluate: Callable[[Element], list[Element]]

    def __call__(self, element: Element) -> list[Element]:
        """Find the elements."""
        return self.evaluate(element)

    def write(self, code: Code, find: str, found: dict[tuple[ChildStep, ...], str]) -> str:
        """Write the search, and return the variable of the elements found.

        Args:
            code: Takes the search.
            find: A function of the code that finds children of the start by name.
            found: The variables of searches from the same start, by their steps: paths that begin alike share them.
        """
        for number in range(1, len(self.steps) + 1):
            steps = self.steps[:number]
            if steps not in found:
                names = " ".join(step.name.rpartition("}")[2] for step in steps)
                expression = _children(code, steps[-1], find, found.get(steps[:-1], ""))
                found[steps] = code.kept(expression, f"found {names}")
        return found[self.steps]


def _children(code: Code, step: ChildStep, find: str, above: str) -> str:
    """Return the expression of the children of the start, or of the elements in a variable."""
    name = code.literal(step.name)
    if above and not step.part and step.test is None:
        return f"children.below({above}, {name})"
    children = f"children[above].get({name}, ()){step.part}" if above else f"{find}({name}, ()){step.part}"
    if not above and step.test is None:
        return children
    loop = f"for above in {above} for child in {children}" if above else f"for child in {children}"
    condition = f" if {step.test(code, 'child')}" if step.test else ""
    return f"[child {loop}{condition}]"


def child_path(
    path: str, namespaces: Namespaces, evaluate: Callable[[Element], list[Element]] = list
) -> ChildPath | None:
    """Return a path of steps to children; None for any other path. `evaluate` is for callers that call it."""
    return _child_path(parse_xpath(path), namespaces, evaluate)


def counted_path(path: str, namespaces: Namespaces) -> ChildPath | None:
    """Return the path of steps to children that an XPath counts; None for any other XPath."""
    match parse_xpath(path):
        case Call("count", (counted,)):
            return _child_path(counted, namespaces, list)
    return None


def _child_path(
    expression: Expression, namespaces: Namespaces, evaluate: Callable[[Element], list[Element]]
) -> ChildPath | None:
    match expression:
        case Path("context", (), steps):
            found = [_child_step(step, namespaces) for step in steps]
            known = tuple(step for step in found if step is not None)
            return ChildPath(known, evaluate) if len(known) == len(found) else None
    return None


def _child_step(step: Step, namespaces: Namespaces) -> ChildStep | None:
    is_name = step.axis == "child" and not step.test.endswith(("*", ")"))
    names = clark_names(step.test, namespaces) if is_name else ()
    found: ChildStep | None = None
    if len(names) == 1:
        match step.predicates:
            case ():
                found = ChildStep(names[0])
            case (Call("last", ()),):
                found = ChildStep(names[0], "[-1:]")
            case (Constant("number", text),) if text.isdigit() and int(text):
                found = ChildStep(names[0], f"[{int(text) - 1}:{int(text)}]")
            case (condition,) if test := _test(condition, namespaces):
                found = ChildStep(names[0], test=test)
    return found


def _test(condition: Expression, namespaces: Namespaces) -> WriteTest | None:
    match condition:
        case Comparison("=", (Path("context", (), (Step("attribute", name, ()),)), Constant("text", text))):
            names = () if name.endswith(("*", ")")) else clark_names(name, namespaces)
            return _comparison(names[0], text[1:-1]) if len(names) == 1 else None
        case Comparison("and" | "or" as operator, operands):
            tests = [_test(operand, namespaces) for operand in operands]
            return _combined(operator, [test for test in tests if test is not None]) if all(tests) else None
    return None


def _comparison(name: str, text: str) -> WriteTest:
    return lambda code, element: f"{element}.get({code.literal(name)}) == {code.literal(text)}"


def _combined(operator: str, tests: list[WriteTest]) -> WriteTest:
    return lambda code, element: f"({f' {operator} '.join([test(code, element) for test in tests])})"
