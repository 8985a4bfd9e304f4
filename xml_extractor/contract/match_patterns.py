"""Match patterns of XSLT 1.0: which elements a pattern matches, as a path that finds them.

Source: "XSL Transformations (XSLT) Version 1.0", W3C Recommendation, section 5.2. Patterns here match elements only,
and do not begin with `key()` or `id()`.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from xml_extractor.contract.xpath import Call, Constant, Expression, Operation, Path, Step, kind_of, walk

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
