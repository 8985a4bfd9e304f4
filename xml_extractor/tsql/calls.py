"""Calls of functions, with their names and numbers of arguments checked."""

from collections.abc import Callable, Sequence

from sqlglot import exp

from xml_extractor.tsql import conditional, date_functions, math_functions, text_functions
from xml_extractor.tsql.conversion import Purpose, convert
from xml_extractor.tsql.faults import RefusalError
from xml_extractor.tsql.function import DatepartFunction, Function
from xml_extractor.tsql.result_types import normal
from xml_extractor.tsql.scope import AbandonedError, Scope, nearest
from xml_extractor.tsql.typed import INT, Test, Typed, constant, constant_value
from xml_extractor.values.sqltypes import TYPES, Parameters, SqlType, parse_type

_FUNCTIONS: dict[str, Function] = {
    **conditional.FUNCTIONS,
    **date_functions.FUNCTIONS,
    **math_functions.FUNCTIONS,
    **text_functions.FUNCTIONS,
}
_DATEPART_FUNCTIONS: dict[str, DatepartFunction] = date_functions.DATEPART_FUNCTIONS
_OWN_GRAMMAR = ("CAST", "CONVERT", "IIF", "TRIM", "TRY_CAST", "TRY_CONVERT")

ALLOWED_FUNCTIONS: tuple[str, ...] = tuple(sorted((*_FUNCTIONS, *_DATEPART_FUNCTIONS, *_OWN_GRAMMAR)))
"""The functions an expression may call."""

_AGGREGATES = frozenset(
    {"AVG", "CHECKSUM_AGG", "COUNT", "COUNT_BIG", "MAX", "MIN", "STDEV", "STDEVP", "STRING_AGG", "SUM", "VAR", "VARP"}
)
_IIF_ARGUMENTS = 3
_DEFAULT_LENGTH = 30
_SYNONYMS = {"integer": "int", "dec": "decimal", "character": "char"}

CompileScalar = Callable[[exp.Expr], Typed]
CompileTest = Callable[[exp.Expr], Test]


def call(scope: Scope, node: exp.Expr, compile_scalar: CompileScalar, compile_test: CompileTest) -> Typed:
    """Compile a call `name(arguments)`.

    Raises:
        AbandonedError: The call or one of its arguments has a fault, which the scope has noted.
    """
    name, arguments = node.name.upper(), node.expressions
    if name in _FUNCTIONS:
        function = _FUNCTIONS[name]
        parts = _counted(scope, node, arguments, range(function.fewest, function.limit + 1), compile_scalar)
        return function.build(parts)
    if name in _DATEPART_FUNCTIONS:
        return _datepart_call(scope, node, _DATEPART_FUNCTIONS[name], compile_scalar)
    if name == "IIF":
        return _iif(scope, node, compile_scalar, compile_test)
    if name in _AGGREGATES:
        raise scope.refused(node, f"{name} is an aggregate function; an expression sees one row", node.name)
    _note_faults(scope, arguments, compile_scalar)
    suggestion = nearest(name, ALLOWED_FUNCTIONS)
    raise scope.refused(node, f"{name} is not an allowed function", node.name, ", ".join(ALLOWED_FUNCTIONS), suggestion)


def _counted(
    scope: Scope, node: exp.Expr, arguments: Sequence[exp.Expr], counts: range, compile_scalar: CompileScalar
) -> list[Typed]:
    if len(arguments) in counts:
        return scope.each(arguments, compile_scalar)
    _note_faults(scope, arguments, compile_scalar)
    raise _refused_count(scope, node, counts, len(arguments))


def _refused_count(scope: Scope, node: exp.Expr, counts: range, found: int) -> AbandonedError:
    least, most = counts[0], counts[-1]
    allowed = str(least) if least == most else f"{least} to {most}"
    noun = "argument" if most == 1 else "arguments"
    return scope.refused(
        node, f"{node.name.upper()} takes {allowed} {noun}, not {found}", str(found), f"{allowed} {noun}"
    )


def _note_faults(scope: Scope, arguments: Sequence[exp.Expr], compile_scalar: CompileScalar) -> None:
    """Compile arguments only for the faults that they have themselves."""
    try:
        scope.each(arguments, compile_scalar)
    except AbandonedError:
        return


def _datepart_call(scope: Scope, node: exp.Expr, function: DatepartFunction, compile_scalar: CompileScalar) -> Typed:
    arguments = node.expressions
    if len(arguments) != function.arguments + 1:
        _note_faults(scope, arguments[1:], compile_scalar)
        count = function.arguments + 1
        raise _refused_count(scope, node, range(count, count + 1), len(arguments))
    part, parts = scope.both(
        lambda: _datepart(scope, arguments[0], function), lambda: scope.each(arguments[1:], compile_scalar)
    )
    return function.build(part, parts)


def _datepart(scope: Scope, word: exp.Expr, function: DatepartFunction) -> str:
    if isinstance(word, exp.Column) and not word.table and word.name.lower() in function.parts:
        return function.parts[word.name.lower()]
    full_names = ", ".join(dict.fromkeys(function.parts.values()))
    suggestion = nearest(word.name, function.parts)
    raise scope.refused(word, f"'{word.name}' is not a part of a date here", word.name, full_names, suggestion)


def _iif(scope: Scope, node: exp.Expr, compile_scalar: CompileScalar, compile_test: CompileTest) -> Typed:
    arguments = node.expressions
    if len(arguments) != _IIF_ARGUMENTS:
        raise _refused_count(scope, node, range(_IIF_ARGUMENTS, _IIF_ARGUMENTS + 1), len(arguments))
    test, results = scope.both(lambda: compile_test(arguments[0]), lambda: scope.each(arguments[1:], compile_scalar))
    return conditional.case((test,), results[:1], results[1], "IIF")


def conversion(scope: Scope, node: exp.Expr, compile_scalar: CompileScalar) -> Typed:
    """Compile CAST, CONVERT and their TRY_ forms."""
    type_node = node.args["to"]
    arguments = [node.this, *([node.args["style"]] if node.args.get("style") else [])]
    target, (value, *styles) = scope.both(
        lambda: scope.built(type_node, lambda: _data_type(type_node.name)),
        lambda: scope.each(arguments, compile_scalar),
    )
    if styles and styles[0].null:
        return constant(target, None)
    style = _style(styles[0]) if styles else None
    return convert(value, target, Purpose.EXPLICIT, style, safe=node.args["name"].startswith("TRY_"))


def _data_type(text: str) -> SqlType:
    """A type as CAST takes it: without a length, text and binaries have 30."""
    word = text.partition("(")[0].lower()
    name = _SYNONYMS.get(word, word)
    try:
        data_type = parse_type(name + text[len(word) :])
    except ValueError as error:
        if name in TYPES:
            raise RefusalError(str(error), text) from None
        raise RefusalError(str(error), text, ", ".join(TYPES), nearest(word, TYPES)) from None
    if "(" not in text and TYPES[name].parameters in {Parameters.LENGTH, Parameters.LENGTH_OR_MAX}:
        return SqlType(name, length=_DEFAULT_LENGTH)
    return normal(data_type)


def _style(part: Typed) -> int:
    style = convert(part, INT)
    number = constant_value(style) if style.constant else None
    if isinstance(number, int):
        return number
    raise RefusalError("the style of CONVERT must be a constant number")
