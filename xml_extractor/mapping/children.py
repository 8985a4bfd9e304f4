"""Find children by name in generated code: all searches share one look at an element's children, which beats XPath.

A path qualifies if its steps are names of children, each perhaps with one predicate: a position, or comparisons of
attributes with texts. Other paths are evaluated by lxml, as all paths of the interpreted plan are.
"""

from collections.abc import Callable, Mapping
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


@dataclass(frozen=True, slots=True)
class _ChildStep:
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

    steps: tuple[_ChildStep, ...]
    evaluate: Callable[[Element], list[Element]]

    def __call__(self, element: Element) -> list[Element]:
        """Find the elements."""
        return self.evaluate(element)

    def write(self, code: Code, find: str) -> str:
        """Return the expression of the elements found; `find` is that of a function which finds children by name."""
        *above, last = self.steps
        loops: list[str] = []
        for level, step in enumerate(above):
            loops += _loop(code, f"above_{level}", step, find)
            find = f"children[above_{level}].get"
        if not loops and last.test is None:
            return _named(code, last, find)
        return f"[child {' '.join([*loops, *_loop(code, 'child', last, find)])}]"


def _loop(code: Code, variable: str, step: _ChildStep, find: str) -> list[str]:
    loop = f"for {variable} in {_named(code, step, find)}"
    return [loop] if step.test is None else [loop, f"if {step.test(code, variable)}"]


def _named(code: Code, step: _ChildStep, find: str) -> str:
    return f"{find}({code.literal(step.name)}, ()){step.part}"


def child_path(path: str, namespaces: Namespaces, evaluate: Callable[[Element], list[Element]]) -> ChildPath | None:
    """Return a path of steps to children; None for any other path."""
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


def _child_step(step: Step, namespaces: Namespaces) -> _ChildStep | None:
    is_name = step.axis == "child" and not step.test.endswith(("*", ")"))
    names = clark_names(step.test, namespaces) if is_name else ()
    found: _ChildStep | None = None
    if len(names) == 1:
        match step.predicates:
            case ():
                found = _ChildStep(names[0])
            case (Call("last", ()),):
                found = _ChildStep(names[0], "[-1:]")
            case (Constant("number", text),) if text.isdigit() and int(text):
                found = _ChildStep(names[0], f"[{int(text) - 1}:{int(text)}]")
            case (condition,) if test := _test(condition, namespaces):
                found = _ChildStep(names[0], test=test)
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
