"""Rewrite XPath expressions, write them as text, and turn match patterns of XSLT 1.0 into paths.

Source of patterns: "XSL Transformations (XSLT) Version 1.0", W3C Recommendation, section 5.2. They match
elements only, and do not begin with `key()` or `id()`.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

from xml_extractor.contract.xpath import LEVELS, Call, Constant, Expression, Operation, Path, Step, kind_of, walk

NAME_FUNCTIONS = ("local-name", "name", "namespace-uri")
READ_CONTEXT = (*NAME_FUNCTIONS, "normalize-space", "number", "string", "string-length")
"""Functions that take the context node if they have no argument."""

_ABBREVIATED = {"child": "", "attribute": "@"}

Change = Callable[[Expression, bool], Expression]
"""Returns what replaces an expression. The flag says whether its context node is that of the whole expression."""


def changed(expression: Expression, change: Change, *, is_outer: bool = True) -> Expression:
    """Rewrite an expression from the inside to the outside.

    Args:
        expression: The expression.
        change: Called with each part, whose own parts are rewritten already.
        is_outer: Whether the context node is that of the whole expression. In predicates it is another one.
    """

    def predicates(of: tuple[Expression, ...]) -> tuple[Expression, ...]:
        return tuple(changed(predicate, change, is_outer=False) for predicate in of)

    match expression:
        case Path(start, own_predicates, steps):
            first = start if isinstance(start, str) else changed(start, change, is_outer=is_outer)
            new_steps = tuple(replace(step, predicates=predicates(step.predicates)) for step in steps)
            expression = Path(first, predicates(own_predicates), new_steps, expression.offset)
        case Call(name, arguments):
            new = tuple(changed(argument, change, is_outer=is_outer) for argument in arguments)
            expression = Call(name, new, expression.offset)
        case Operation(operator, operands):
            new = tuple(changed(operand, change, is_outer=is_outer) for operand in operands)
            expression = Operation(operator, new, expression.offset)
    return change(expression, is_outer)


def starting_at(expression: Expression, variable: str) -> Expression:
    """Let an expression start at the nodes of a variable instead of the context node."""

    def change(part: Expression, is_outer: bool) -> Expression:  # noqa: FBT001 - the type of `Change`
        start = Constant("variable", f"${variable}", part.offset)
        match part:
            case Path("context", (), steps) if is_outer:
                is_itself = [(step.axis, step.test, step.predicates) for step in steps] == [("self", "node()", ())]
                return start if is_itself else Path(start, (), steps, part.offset)
            case Call(name, ()) if is_outer and name in READ_CONTEXT:
                return Call(name, (start,), part.offset)
        return part

    return changed(expression, change)


def written(
    expression: Expression, argument: Callable[[Call, int, str], str] = lambda _call, _index, text: text
) -> str:
    """Write an expression as XPath.

    Args:
        expression: The expression.
        argument: Returns what is written for an argument of a function: the call, its number from 0, its text.
    """
    match expression:
        case Constant(text=text):
            return text
        case Operation(operator, operands):
            level = _level(expression)
            *left, right = (
                f"({written(operand, argument)})"
                if _level(operand) < level + (operand is operands[-1] and len(operands) > 1)
                else written(operand, argument)
                for operand in operands
            )
            return " ".join((*left, operator, right))
        case Call(name, arguments):
            texts = (argument(expression, index, written(each, argument)) for index, each in enumerate(arguments))
            return f"{name}({', '.join(texts)})"
        case Path(start, own_predicates, steps):
            known = {"context": "", "document": "/"}
            first = known[start] if isinstance(start, str) else f"({written(start, argument)})"
            relative = "/".join(_written_steps(steps, argument))
            slash = "/" if steps and not isinstance(start, str) else ""
            return f"{first}{_written_predicates(own_predicates, argument)}{slash}{relative}"


def _level(expression: Expression) -> int:
    """Return how tightly the operator of an expression binds; what is no operation binds most tightly."""
    if not isinstance(expression, Operation):
        return len(LEVELS) + 2
    if expression.operator == "|":
        return len(LEVELS) + 1
    if len(expression.operands) == 1:
        return len(LEVELS)
    return next(level for level, operators in enumerate(LEVELS) if expression.operator in operators)


def _written_steps(steps: tuple[Step, ...], argument: Callable[[Call, int, str], str]) -> Iterator[str]:
    return (
        f"{_ABBREVIATED.get(step.axis, f'{step.axis}::')}{step.test}{_written_predicates(step.predicates, argument)}"
        for step in steps
    )


def _written_predicates(predicates: tuple[Expression, ...], argument: Callable[[Call, int, str], str]) -> str:
    return "".join(f"[{written(predicate, argument)}]" for predicate in predicates)


_DOWNWARDS = ("attribute", "child", "descendant", "descendant-or-self", "self")
_SLASH = ("descendant-or-self", "node()", ())


class Selection(NamedTuple):
    """How to find the elements that a pattern matches.

    Attributes:
        paths: Paths whose results together are the elements. A single union would take quadratic time in libxml2.
        is_local: Whether it depends only on an element's content, and on names and attributes above it, if it matches.
        tests: If it is local: paths that find the context node itself if it matches.
    """

    paths: tuple[Expression, ...]
    is_local: bool = False
    tests: tuple[Expression, ...] = ()


def pattern_faults(expression: Expression) -> Iterator[int]:
    """Yield the offsets of the parts that a match pattern of elements must not have."""
    for alternative in alternatives(expression):
        match alternative:
            case Path("context" | "document", (), (*_, last) as steps) if last.axis == "child":
                for step in steps:
                    is_slash = (step.axis, step.test, step.predicates) == _SLASH
                    if not is_slash and (step.axis != "child" or step.test.endswith(")")):
                        yield step.offset
            case Path(Call("current" | "key")) | Path(Constant()):
                pass  # reported as a function or variable that has no meaning there
            case _:
                yield alternative.offset


def alternatives(expression: Expression) -> tuple[Expression, ...]:
    """Return the operands of a union, or the only expression."""
    if isinstance(expression, Operation) and expression.operator == "|":
        return tuple(path for operand in expression.operands for path in alternatives(operand))
    return (expression,)


def selection(expression: Expression) -> Selection:
    """Return how to find the elements that a pattern without faults matches."""
    paths = [path for path in alternatives(expression) if isinstance(path, Path)]
    predicates = [predicate for path in paths for step in path.steps for predicate in step.predicates]
    if any(map(_is_positional, predicates)):
        return Selection(tuple(map(_anywhere, paths)))
    is_local = all(looks_down(predicate) for predicate in predicates) and all(
        _reads_attributes(predicate) for path in paths for step in path.steps[:-1] for predicate in step.predicates
    )
    below = [_below(path) for path in paths]
    tests = [Path("context", (), (replace(path.steps[0], axis="self"),), path.offset) for path in below]
    return Selection(tuple(below), is_local, tuple(tests))


def looks_down(expression: Expression) -> bool:
    """Return whether an expression depends only on its context node and what is below it."""
    return all(
        part.axis in _DOWNWARDS if isinstance(part, Step) else not (isinstance(part, Path) and part.start == "document")
        for part in walk(expression)
    )


def anywhere(expression: Expression) -> Expression:
    """Return the path of all elements that a pattern without faults matches."""
    first, *others = [_anywhere(path) for path in alternatives(expression) if isinstance(path, Path)]
    for other in others:
        first = Operation("|", (first, other), expression.offset)
    return first


def _anywhere(path: Path) -> Expression:
    if path.start == "document":
        return path
    return Path("document", (), (Step(*_SLASH, path.offset), *path.steps), path.offset)


def _below(path: Path) -> Path:
    """Return the path of matching elements from above them: `a/b[p]` becomes `descendant-or-self::b[p][parent::a]`."""
    found, is_deep = None, path.start != "document"
    for step in path.steps:
        if (step.axis, step.test, step.predicates) == _SLASH:
            is_deep = True
            continue
        above: tuple[Expression, ...] = ()
        if found is not None:
            found = replace(found, axis="ancestor" if is_deep else "parent")
            above = (Path("context", (), (found,), step.offset),)
        elif not is_deep:
            parent = Path("context", (), (Step("parent", "*", (), step.offset),), step.offset)
            above = (Call("not", (parent,), step.offset),)
        found, is_deep = replace(step, predicates=(*step.predicates, *above)), False
    last = found or Step("self", "*", (), path.offset)
    return Path("context", (), (replace(last, axis="descendant-or-self"),), path.offset)


def _is_positional(predicate: Expression) -> bool:
    calls = (part for part in walk(predicate) if isinstance(part, Call))
    return kind_of(predicate) == "number" or any(call.name in ("last", "position") for call in calls)


def _reads_attributes(predicate: Expression) -> bool:
    return all(part.axis in ("attribute", "self") for part in walk(predicate) if isinstance(part, Step))
