"""The syntax tree of an expression to typed closures: one function for each kind of node.

A kind of node that is in no registry is a fault that names what is allowed.
"""

import operator
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sqlglot import exp

from xml_extractor.tsql.arithmetic import DIVIDED_BY, MINUS, MODULO, PLUS, TIMES, Operator, calculate, negated
from xml_extractor.tsql.calls import call, conversion
from xml_extractor.tsql.comparison import all_of, any_of, compare, is_null, like, member, negation
from xml_extractor.tsql.conditional import case
from xml_extractor.tsql.literals import binary_literal, national_literal, number_literal, text_literal
from xml_extractor.tsql.scope import AbandonedError, Scope
from xml_extractor.tsql.syntax import Conversion, Trimming
from xml_extractor.tsql.text_functions import trimmed
from xml_extractor.tsql.typed import NULL, Test, Typed

_ALLOWED = "CASE, + - * / %, comparisons, AND, OR, NOT, IN, BETWEEN, LIKE, IS NULL, allowed functions"


def scalar(scope: Scope, node: exp.Expr) -> Typed:
    """Compile a node that must be a value.

    Raises:
        AbandonedError: It has a fault, which the scope has noted.
    """
    compile_node = _SCALARS.get(type(node))
    if compile_node is not None:
        return scope.built(node, lambda: compile_node(scope, node))
    if type(node) in _TESTS:
        raise scope.refused(node, "a condition is no value; CASE WHEN or IIF makes one of it", expected="a value")
    raise _refused_kind(scope, node)


def condition(scope: Scope, node: exp.Expr) -> Test:
    """Compile a node that must be a condition.

    Raises:
        AbandonedError: It has a fault, which the scope has noted.
    """
    compile_node = _TESTS.get(type(node))
    if compile_node is not None:
        return scope.built(node, lambda: compile_node(scope, node))
    if type(node) in _SCALARS:
        scalar(scope, node)
        raise scope.refused(node, "a value is no condition; a comparison makes one of it", expected="a condition")
    raise _refused_kind(scope, node)


_REFUSED: tuple[tuple[type[exp.Expr], str], ...] = (
    (exp.Query, "a subquery is not allowed"),
    (exp.Exists, "a subquery is not allowed"),
    (exp.Window, "a window function is not allowed"),
    (exp.Parameter, "a variable is not allowed"),
    (exp.Placeholder, "a parameter is not allowed"),
    (exp.Collate, "COLLATE is not allowed"),
    (exp.Dot, "a qualified name is not allowed"),
    (exp.Concat, "texts are joined with + or CONCAT"),
    (exp.Tuple, "a list of values is allowed only behind IN"),
)


def _refused_kind(scope: Scope, node: exp.Expr) -> AbandonedError:
    for kind, message in _REFUSED:
        if isinstance(node, kind):
            return scope.refused(node, message, expected=_ALLOWED)
    return scope.refused(node, f"{type(node).__name__} is not allowed in an expression", expected=_ALLOWED)


def _name(scope: Scope, node: exp.Expr) -> Typed:
    if not isinstance(node, exp.Column) or isinstance(node.this, exp.Star):
        raise scope.refused(node, "* is not a value")
    if node.name.casefold() not in scope.names:
        if (node.table or node.name).startswith("$"):
            raise scope.refused(
                node, "an amount is written as a number, or as CAST(number AS money)", expected="a number"
            )
        if node.name == "0x":
            return binary_literal("")
    if node.table:
        names = f"{node.table}.{node.name}"
        raise scope.refused(node, f"'{names}' is a qualified name; a name stands alone", names, node.name)
    return scope.name(node, node.name)


def _literal(_scope: Scope, node: exp.Expr) -> Typed:
    return text_literal(node.name) if node.is_string else number_literal(node.name)


def _national(_scope: Scope, node: exp.Expr) -> Typed:
    return national_literal(node.name)


def _binary(_scope: Scope, node: exp.Expr) -> Typed:
    return binary_literal(node.name)


def _null(_scope: Scope, _node: exp.Expr) -> Typed:
    return NULL


def _parenthesised(scope: Scope, node: exp.Expr) -> Typed:
    return scalar(scope, node.this)


def _negated(scope: Scope, node: exp.Expr) -> Typed:
    return negated(scalar(scope, node.this))


def _calculated(sign: Operator, scope: Scope, node: exp.Expr) -> Typed:
    left, right = scope.each((node.this, node.expression), partial(scalar, scope))
    return calculate(sign, left, right)


def _call(scope: Scope, node: exp.Expr) -> Typed:
    return call(scope, node, partial(scalar, scope), partial(condition, scope))


def _converted(scope: Scope, node: exp.Expr) -> Typed:
    return conversion(scope, node, partial(scalar, scope))


def _trimmed(scope: Scope, node: exp.Expr) -> Typed:
    characters = node.args.get("characters")
    text, *sets = scope.each([node.this, *([characters] if characters else [])], partial(scalar, scope))
    return trimmed(text, sets[0] if sets else None, node.args["side"])


def _case(scope: Scope, node: exp.Expr) -> Typed:
    branches: list[exp.Expr] = node.args["ifs"]
    default = node.args.get("default")
    outcomes = [*(branch.args["true"] for branch in branches), *([default] if default else [])]
    tests, results = scope.both(
        lambda: _branch_tests(scope, node.this, [branch.this for branch in branches]),
        lambda: scope.each(outcomes, partial(scalar, scope)),
    )
    return case(tests, results[: len(tests)], results[-1] if default else None)


def _branch_tests(scope: Scope, subject: exp.Expr | None, whens: list[exp.Expr]) -> list[Test]:
    """The tests of a CASE: conditions, or, where it has a subject, comparisons with it."""
    if subject is None:
        return scope.each(whens, partial(condition, scope))
    value, *candidates = scope.each((subject, *whens), partial(scalar, scope))
    return scope.each(
        zip(whens, candidates, strict=True),
        lambda pair: scope.built(pair[0], lambda: compare(operator.eq, value, pair[1])),
    )


def _compared(relation: Callable[[Any, Any], bool], scope: Scope, node: exp.Expr) -> Test:
    left, right = scope.each((node.this, node.expression), partial(scalar, scope))
    return compare(relation, left, right)


def _connected(combine: Callable[[Sequence[Test]], Test], scope: Scope, node: exp.Expr) -> Test:
    """AND or OR of as many conditions as there are in a row."""
    operands: list[exp.Expr] = []
    rest, kind = node, type(node)
    while type(rest) is kind:
        operands.append(rest.expression)
        rest = rest.this
    return combine(scope.each((rest, *reversed(operands)), partial(condition, scope)))


def _not(scope: Scope, node: exp.Expr) -> Test:
    return negation(condition(scope, node.this))


def _parenthesised_condition(scope: Scope, node: exp.Expr) -> Test:
    return condition(scope, node.this)


def _is_null(scope: Scope, node: exp.Expr) -> Test:
    if not isinstance(node.expression, exp.Null):
        raise scope.refused(node.expression, "IS takes only NULL and NOT NULL", expected="NULL, NOT NULL")
    return is_null(scalar(scope, node.this))


def _in(scope: Scope, node: exp.Expr) -> Test:
    if not node.expressions:
        raise scope.refused(node, "IN takes a list of values in parentheses", expected="(value, ...)")
    subject, *choices = scope.each((node.this, *node.expressions), partial(scalar, scope))
    return member(subject, choices)


def _between(scope: Scope, node: exp.Expr) -> Test:
    if node.args.get("symmetric") is not None:
        raise scope.refused(node, "BETWEEN takes no SYMMETRIC or ASYMMETRIC")
    subject, low, high = scope.each((node.this, node.args["low"], node.args["high"]), partial(scalar, scope))
    return all_of((compare(operator.ge, subject, low), compare(operator.le, subject, high)))


def _like(scope: Scope, node: exp.Expr) -> Test:
    return _matched(scope, node, [node.this, node.expression])


def _like_with_escape(scope: Scope, node: exp.Expr) -> Test:
    if not isinstance(node.this, exp.Like):
        raise scope.refused(node, "ESCAPE stands only behind LIKE")
    return _matched(scope, node.this, [node.this.this, node.this.expression, node.expression])


def _matched(scope: Scope, node: exp.Expr, operands: list[exp.Expr]) -> Test:
    text, pattern, *escape = scope.each(operands, partial(scalar, scope))
    test = like(text, pattern, escape[0] if escape else None)
    return negation(test) if node.args.get("negate") else test


_SCALARS: dict[type[exp.Expr], Callable[[Scope, exp.Expr], Typed]] = {
    exp.Add: partial(_calculated, PLUS),
    exp.Anonymous: _call,
    exp.Case: _case,
    exp.Column: _name,
    exp.Div: partial(_calculated, DIVIDED_BY),
    exp.HexString: _binary,
    exp.Literal: _literal,
    exp.Mod: partial(_calculated, MODULO),
    exp.Mul: partial(_calculated, TIMES),
    exp.National: _national,
    exp.Neg: _negated,
    exp.Null: _null,
    exp.Paren: _parenthesised,
    exp.Star: _name,
    exp.Sub: partial(_calculated, MINUS),
    Conversion: _converted,
    Trimming: _trimmed,
}

_TESTS: dict[type[exp.Expr], Callable[[Scope, exp.Expr], Test]] = {
    exp.And: partial(_connected, all_of),
    exp.Between: _between,
    exp.EQ: partial(_compared, operator.eq),
    exp.Escape: _like_with_escape,
    exp.GT: partial(_compared, operator.gt),
    exp.GTE: partial(_compared, operator.ge),
    exp.In: _in,
    exp.Is: _is_null,
    exp.LT: partial(_compared, operator.lt),
    exp.LTE: partial(_compared, operator.le),
    exp.Like: _like,
    exp.NEQ: partial(_compared, operator.ne),
    exp.Not: _not,
    exp.Or: partial(_connected, any_of),
    exp.Paren: _parenthesised_condition,
}
