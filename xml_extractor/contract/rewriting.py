"""Rewrite XPath expressions: other starting points, values for functions and variables, and the result as text."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from xml_extractor.contract.xpath import LEVELS, Call, Constant, Expression, Operation, Path, Step

NAME_FUNCTIONS = ("local-name", "name", "namespace-uri")
READ_CONTEXT = (*NAME_FUNCTIONS, "normalize-space", "number", "string", "string-length")
"""Functions that take the context node if they have no argument."""

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
    return (f"{step.axis}::{step.test}{_written_predicates(step.predicates, argument)}" for step in steps)


def _written_predicates(predicates: tuple[Expression, ...], argument: Callable[[Call, int, str], str]) -> str:
    return "".join(f"[{written(predicate, argument)}]" for predicate in predicates)
