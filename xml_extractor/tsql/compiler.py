"""Compile the syntax tree of an expression to typed parts, which write its code: one function for each kind of node.

A kind of node that is in no registry is a fault that lists what is allowed.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from sqlglot import exp

from xml_extractor.documents import Value
from xml_extractor.tsql import arithmetic, date_functions, logic, text_functions
from xml_extractor.tsql.conversion import Purpose, convert
from xml_extractor.tsql.errors import CompileError, ExpressionError
from xml_extractor.tsql.numeric import number_literal
from xml_extractor.tsql.result_types import normal
from xml_extractor.tsql.scope import AbandonedError, Scope, nearest, scope_of
from xml_extractor.tsql.syntax import Conversion, Trimming, fault_at, parse
from xml_extractor.tsql.text import binary_literal, national_literal, text_literal
from xml_extractor.tsql.typed import INT, NULL, Function, Test, Typed, constant, constant_value, evaluator
from xml_extractor.values.sqltypes import TYPES, Parameters, SqlType, parse_type

_Compiled = TypeVar("_Compiled", Typed, Test)

_FUNCTIONS: dict[str, Function] = {
    **arithmetic.FUNCTIONS,
    **date_functions.FUNCTIONS,
    **logic.FUNCTIONS,
    **text_functions.FUNCTIONS,
}
_OWN_GRAMMAR = ("CAST", "CONVERT", "IIF", "TRIM", "TRY_CAST", "TRY_CONVERT")

ALLOWED_FUNCTIONS: tuple[str, ...] = tuple(sorted((*_FUNCTIONS, *_OWN_GRAMMAR)))
"""The functions that an expression may call."""

_AGGREGATES = frozenset(
    {"AVG", "CHECKSUM_AGG", "COUNT", "COUNT_BIG", "MAX", "MIN", "STDEV", "STDEVP", "STRING_AGG", "SUM", "VAR", "VARP"}
)
_IIF_COUNTS = range(3, 4)
_DEFAULT_LENGTH = 30
_SYNONYMS = {"integer": "int", "dec": "decimal", "character": "char"}

_ALLOWED = "CASE, + - * / %, comparisons, AND, OR, NOT, IN, BETWEEN, LIKE, IS NULL, allowed functions"


def scalar(scope: Scope, node: exp.Expr) -> Typed:
    """Compile a node that must be a value.

    Raises:
        AbandonedError: It has a fault, which is recorded in the scope.
    """
    compile_node = _SCALARS.get(type(node))
    if compile_node is not None:
        return scope.built(node, lambda: compile_node(scope, node))
    if type(node) in _TESTS:
        raise scope.fault(node, "a condition is not a value; use CASE WHEN or IIF", expected="a value")
    raise _unsupported(scope, node)


def _scalars(scope: Scope, nodes: Sequence[exp.Expr]) -> list[Typed]:
    return scope.each(nodes, partial(scalar, scope))


def condition(scope: Scope, node: exp.Expr) -> Test:
    """Compile a node that must be a condition.

    Raises:
        AbandonedError: It has a fault, which is recorded in the scope.
    """
    compile_node = _TESTS.get(type(node))
    if compile_node is not None:
        return scope.built(node, lambda: compile_node(scope, node))
    if type(node) in _SCALARS:
        scalar(scope, node)
        raise scope.fault(node, "a value is not a condition; use a comparison", expected="a condition")
    raise _unsupported(scope, node)


_UNSUPPORTED: tuple[tuple[type[exp.Expr], str], ...] = (
    (exp.Query, "a subquery is not allowed"),
    (exp.Exists, "a subquery is not allowed"),
    (exp.Window, "a window function is not allowed"),
    (exp.Parameter, "a variable is not allowed"),
    (exp.Placeholder, "a parameter is not allowed"),
    (exp.Collate, "COLLATE is not allowed"),
    (exp.Dot, "a qualified name is not allowed"),
    (exp.Concat, "use + or CONCAT to concatenate texts"),
    (exp.Tuple, "a list of values is allowed only after IN"),
)


def _unsupported(scope: Scope, node: exp.Expr) -> AbandonedError:
    for kind, message in _UNSUPPORTED:
        if isinstance(node, kind):
            return scope.fault(node, message, expected=_ALLOWED)
    return scope.fault(node, f"{type(node).__name__} is not allowed in an expression", expected=_ALLOWED)


def _name(scope: Scope, node: exp.Expr) -> Typed:
    if not isinstance(node, exp.Column) or isinstance(node.this, exp.Star):
        raise scope.fault(node, "* is not a value")
    if node.name.casefold() not in scope.names:
        if (node.table or node.name).startswith("$"):
            raise scope.fault(node, "write an amount as a number, or as CAST(number AS money)", expected="a number")
        if node.name == "0x":
            return binary_literal("")
    if node.table:
        names = f"{node.table}.{node.name}"
        raise scope.fault(node, f"'{names}' is a qualified name; use the name alone", names, node.name)
    return scope.name(node, node.name)


def _literal(_scope: Scope, node: exp.Expr) -> Typed:
    return text_literal(node.name) if node.is_string else number_literal(node.name)


def _calculated(sign: arithmetic.Operator, scope: Scope, node: exp.Expr) -> Typed:
    left, right = _scalars(scope, (node.this, node.expression))
    return arithmetic.calculate(sign, left, right)


def _call(scope: Scope, node: exp.Expr) -> Typed:
    name, arguments = node.name.upper(), node.expressions
    if name == "IIF":
        return _iif(scope, node)
    if name in _AGGREGATES:
        raise scope.fault(node, f"{name} is an aggregate function; an expression sees one row", node.name)
    function = _FUNCTIONS.get(name)
    if function is None:
        _record_faults(scope, arguments)
        suggestion = nearest(name, ALLOWED_FUNCTIONS)
        allowed = ", ".join(ALLOWED_FUNCTIONS)
        raise scope.fault(node, f"{name} is not an allowed function", node.name, allowed, suggestion)
    parts = function.parts
    if len(arguments) not in function.counts:
        _record_faults(scope, arguments[1:] if parts else arguments)
        raise _wrong_count(scope, node, function.counts)
    if parts is None:
        return function.build(_scalars(scope, arguments))
    part, others = scope.both(lambda: _datepart(scope, arguments[0], parts), lambda: _scalars(scope, arguments[1:]))
    return function.build(part, others)


def _record_faults(scope: Scope, arguments: Sequence[exp.Expr]) -> None:
    """Compile arguments only to record their own faults."""
    with suppress(AbandonedError):
        _scalars(scope, arguments)


def _wrong_count(scope: Scope, node: exp.Expr, counts: range) -> AbandonedError:
    least, most, found = counts[0], counts[-1], len(node.expressions)
    allowed = f"{least if least == most else f'{least} to {most}'} {'argument' if most == 1 else 'arguments'}"
    return scope.fault(node, f"{node.name.upper()} takes {allowed}, not {found}", str(found), allowed)


def _datepart(scope: Scope, word: exp.Expr, parts: Mapping[str, str]) -> str:
    if isinstance(word, exp.Column) and not word.table and word.name.lower() in parts:
        return parts[word.name.lower()]
    full_names, suggestion = ", ".join(dict.fromkeys(parts.values())), nearest(word.name, parts)
    raise scope.fault(word, f"'{word.name}' is not a part of a date here", word.name, full_names, suggestion)


def _iif(scope: Scope, node: exp.Expr) -> Typed:
    if len(node.expressions) not in _IIF_COUNTS:
        raise _wrong_count(scope, node, _IIF_COUNTS)
    test, *results = node.expressions
    compiled, (outcome, default) = scope.both(lambda: condition(scope, test), lambda: _scalars(scope, results))
    return logic.case((compiled,), (outcome,), default, "IIF")


def _converted(scope: Scope, node: exp.Expr) -> Typed:
    """Compile CAST, CONVERT and their TRY_ forms."""
    type_node, style_node = node.args["to"], node.args.get("style")
    target, (value, *styles) = scope.both(
        lambda: scope.built(type_node, lambda: _data_type(type_node.name)),
        lambda: _scalars(scope, [node.this, *([style_node] if style_node else [])]),
    )
    if styles and styles[0].null:
        return constant(target, None)
    style = _style(styles[0]) if styles else None
    return convert(value, target, Purpose.EXPLICIT, style, safe=node.args["name"].startswith("TRY_"))


def _data_type(text: str) -> SqlType:
    """Parse the type of a CAST; text and binaries without a length have 30."""
    word = text.partition("(")[0].lower()
    name = _SYNONYMS.get(word, word)
    try:
        data_type = parse_type(name + text[len(word) :])
    except ValueError as error:
        if name in TYPES:
            raise CompileError(str(error), text) from None
        raise CompileError(str(error), text, ", ".join(TYPES), nearest(word, TYPES)) from None
    if "(" not in text and TYPES[name].parameters in {Parameters.LENGTH, Parameters.LENGTH_OR_MAX}:
        return SqlType(name, length=_DEFAULT_LENGTH)
    return normal(data_type)


def _style(part: Typed) -> int:
    style = convert(part, INT)
    number = constant_value(style) if style.constant else None
    if isinstance(number, int):
        return number
    raise CompileError("the style of CONVERT must be a constant number")


def _trimmed(scope: Scope, node: exp.Expr) -> Typed:
    characters = node.args.get("characters")
    text, *sets = _scalars(scope, [node.this, *([characters] if characters else [])])
    return text_functions.trimmed(text, sets[0] if sets else None, node.args["side"])


def _case(scope: Scope, node: exp.Expr) -> Typed:
    branches: list[exp.Expr] = node.args["ifs"]
    default = node.args.get("default")
    outcomes = [*(branch.args["true"] for branch in branches), *([default] if default else [])]
    tests, results = scope.both(
        lambda: _branch_tests(scope, node.this, [branch.this for branch in branches]),
        lambda: _scalars(scope, outcomes),
    )
    return logic.case(tests, results[: len(tests)], results[-1] if default else None)


def _branch_tests(scope: Scope, subject: exp.Expr | None, whens: list[exp.Expr]) -> list[Test]:
    """Compile the tests of a CASE: conditions, or comparisons with its subject if it has one."""
    if subject is None:
        return scope.each(whens, partial(condition, scope))
    value, *candidates = _scalars(scope, (subject, *whens))
    return scope.each(
        zip(whens, candidates, strict=True),
        lambda pair: scope.built(pair[0], lambda: logic.compare(operator.eq, value, pair[1])),
    )


def _compared(relation: Callable[[Any, Any], bool], scope: Scope, node: exp.Expr) -> Test:
    left, right = _scalars(scope, (node.this, node.expression))
    return logic.compare(relation, left, right)


def _connected(combine: Callable[[Sequence[Test]], Test], scope: Scope, node: exp.Expr) -> Test:
    """Compile AND or OR of all consecutive conditions."""
    operands: list[exp.Expr] = []
    rest, kind = node, type(node)
    while type(rest) is kind:
        operands.append(rest.expression)
        rest = rest.this
    return combine(scope.each((rest, *reversed(operands)), partial(condition, scope)))


def _is_null(scope: Scope, node: exp.Expr) -> Test:
    if not isinstance(node.expression, exp.Null):
        raise scope.fault(node.expression, "IS takes only NULL and NOT NULL", expected="NULL, NOT NULL")
    return logic.is_null(scalar(scope, node.this))


def _in(scope: Scope, node: exp.Expr) -> Test:
    if not node.expressions:
        raise scope.fault(node, "IN takes a list of values in parentheses", expected="(value, ...)")
    subject, *choices = _scalars(scope, (node.this, *node.expressions))
    return logic.member(subject, choices)


def _between(scope: Scope, node: exp.Expr) -> Test:
    if node.args.get("symmetric") is not None:
        raise scope.fault(node, "BETWEEN takes no SYMMETRIC or ASYMMETRIC")
    subject, low, high = _scalars(scope, (node.this, node.args["low"], node.args["high"]))
    return logic.all_of((logic.compare(operator.ge, subject, low), logic.compare(operator.le, subject, high)))


def _like(scope: Scope, node: exp.Expr) -> Test:
    return _matched(scope, node, [node.this, node.expression])


def _like_with_escape(scope: Scope, node: exp.Expr) -> Test:
    if not isinstance(node.this, exp.Like):
        raise scope.fault(node, "ESCAPE is allowed only after LIKE")
    return _matched(scope, node.this, [node.this.this, node.this.expression, node.expression])


def _matched(scope: Scope, node: exp.Expr, operands: list[exp.Expr]) -> Test:
    text, pattern, *escape = _scalars(scope, operands)
    test = logic.like(text, pattern, escape[0] if escape else None)
    return logic.negation(test) if node.args.get("negate") else test


_SCALARS: dict[type[exp.Expr], Callable[[Scope, exp.Expr], Typed]] = {
    exp.Add: partial(_calculated, arithmetic.PLUS),
    exp.Anonymous: _call,
    exp.Case: _case,
    exp.Column: _name,
    exp.Div: partial(_calculated, arithmetic.DIVIDED_BY),
    exp.HexString: lambda _scope, node: binary_literal(node.name),
    exp.Literal: _literal,
    exp.Mod: partial(_calculated, arithmetic.MODULO),
    exp.Mul: partial(_calculated, arithmetic.TIMES),
    exp.National: lambda _scope, node: national_literal(node.name),
    exp.Neg: lambda scope, node: arithmetic.negated(scalar(scope, node.this)),
    exp.Null: lambda _scope, _node: NULL,
    exp.Paren: lambda scope, node: scalar(scope, node.this),
    exp.Star: _name,
    exp.Sub: partial(_calculated, arithmetic.MINUS),
    Conversion: _converted,
    Trimming: _trimmed,
}

_TESTS: dict[type[exp.Expr], Callable[[Scope, exp.Expr], Test]] = {
    exp.And: partial(_connected, logic.all_of),
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
    exp.Not: lambda scope, node: logic.negation(condition(scope, node.this)),
    exp.Or: partial(_connected, logic.any_of),
    exp.Paren: lambda scope, node: condition(scope, node.this),
}


def compiled(
    text: str, names: Mapping[str, SqlType], compile_node: Callable[[Scope, exp.Expr], _Compiled]
) -> tuple[_Compiled, Callable[[Sequence[Value], datetime], Any], tuple[str, ...]]:
    """Parse and compile a text by `scalar` or `condition`.

    Returns:
        The compiled part, the function that evaluates it, and the names that it uses.

    Raises:
        ExpressionError: It cannot be compiled; `faults` has all faults.
    """
    scope = scope_of(text, names)
    try:
        part = compile_node(scope, parse(text))
        write: Any = part
        if compile_node is scalar:
            write = write.write
        return part, evaluator(write, len(names)), tuple(scope.used)
    except AbandonedError:
        raise scope.error() from None
    except RecursionError:
        raise ExpressionError((fault_at(text, 0, "the expression is nested too deeply"),)) from None
