"""Write the function that converts the text of a column: its steps one after the other, the usual cases in line.

It gives what `steps.conversion` gives for the same steps.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from functools import cache, partial

from xml_extractor.mapping.plan import ColumnPlan, Notes, Step
from xml_extractor.mapping.steps import Emptying, Values, fuse, keep_blank
from xml_extractor.source_code import Code
from xml_extractor.values.sqltypes import INTEGER_RANGES, MAX, Family, InvalidValueError, SqlType
from xml_extractor.values.times import UsualFirst

_IS_BLANK = r"not text or (text.isspace() and not text.strip(' \t\r\n'))"
_METHODS: dict[Callable[..., str], str] = {str.strip: "strip", str.upper: "upper", str.lower: "lower"}


_PLAIN = "1.5"
_SHORT = 10
"""The length of a text type up to which a column remembers its texts, if they are transformed."""


def write_conversion(code: Code, column: ColumnPlan, noted: Notes) -> str:
    """Write the function of a column or input that is read from text.

    Args:
        code: Takes the function.
        column: The column or input.
        noted: What conversions tolerate.

    Returns:
        The expression of a value, with `{}` for the text: it calls the function, or looks in the values that are known.
    """
    name = code.shared_function(f"to {column.type}", "text", partial(_write_body, code, column))
    if not _is_remembered(column):
        return f"{name}({{}})"
    known = code.later(f"{name} known", lambda module: Values(module[name], noted))
    return f"{known}[{{}}]"


def _is_remembered(column: ColumnPlan) -> bool:
    """Return whether a column has few different texts, so that their values are worth to be remembered."""
    target, steps = column.type, [step.name.partition(" ")[0] for step in column.steps]
    is_short = target.family is Family.TEXT and 0 < target.length <= _SHORT and len(steps) > len(("blank", "convert"))
    return "lookup" in steps or target.family is Family.BIT or target.name == "tinyint" or is_short


def _write_body(code: Code, column: ColumnPlan) -> None:
    first, *steps = column.steps
    null = code.literal(fuse(steps).null)
    if plain := _plain_decimals(column):
        with code.block(f"if text and {code.constant('is plain number', plain)}(text)"):
            code.line(f"return {code.constant('Decimal', Decimal)}(text)")
    if steps:
        _write_usual(code, column.type, steps[0])  # before the text is known not to be blank, which it is rarely
    with code.block("if text is None or text is NIL" if first.apply is keep_blank else f"if {_IS_BLANK}"):
        code.line("return None" if null == "None" else f"return None if text is NIL else {null}")
    for number, step in enumerate(steps):
        if step.apply is not None:
            if number:
                _write_usual(code, column.type, step)
            rest = fuse(steps[number + 1 :])
            _write_step(code, column.type, step, rest.null, is_last=rest.apply is None)
    if fuse(steps).apply is None:
        code.line("return text")


def _write_usual(code: Code, target: SqlType, step: Step) -> None:
    """Write the conversion of usual numbers and times; others are left to the converter of the type."""
    if isinstance(step.apply, UsualFirst):
        with code.block(f"if text and {code.constant(f'is usual {target.name}', step.apply.is_usual)}(text)"):
            with code.block("try"):
                code.line(f"return {code.constant(f'read {target.name}', step.apply.read)}(text)")
            with code.block("except ValueError"):
                code.line("pass")
    elif step.name.startswith("convert") and target.family is Family.INTEGER:
        digits = len(str(INTEGER_RANGES[target.name][1]))
        with code.block(f"if text and len(text) < {digits} and text.isdigit() and text.isascii()"):
            code.line("return int(text)")


def _write_step(code: Code, target: SqlType, step: Step, null: object, *, is_last: bool) -> None:
    """Write a step; `null` is what becomes of a NULL that it gives."""
    apply = step.apply.convert if isinstance(step.apply, UsualFirst) else step.apply
    if isinstance(apply, Emptying):
        method = _METHODS.get(apply.transform)
        call = f"text.{method}()" if method else f"{code.constant(step.name, apply.transform)}(text)"
        code.line(f"text = {call}")
        with code.block(f"if {_IS_BLANK}"):
            code.line(f"return {code.literal(null)}")
    else:
        if step.name.startswith("convert") and target.name in ("varchar", "nvarchar"):
            is_short = f"len(text) <= {target.length} and " if target.length not in (0, MAX) else ""
            with code.block(f"if {is_short}text.isascii()"):
                code.line("return text")
        call = f"{code.constant(step.name, apply)}(text)"
        if is_last and null is None:
            code.line(f"return {call}")
            return
        code.line(f"text = {call}")
        if null is not None:
            with code.block("if text is None"):
                code.line(f"return {code.literal(null)}")
    if is_last:
        code.line("return text")


def _plain_decimals(column: ColumnPlan) -> Callable[[str], object] | None:
    """Return what recognizes texts of digits and a point that are the value of a column as they are."""
    transforms = [step for step in column.steps if isinstance(step.apply, Emptying)]
    is_plain = all(step.name == "transform number" and _keeps(step, _PLAIN) for step in transforms)
    has_lookup = any(step.name.startswith("lookup") for step in column.steps)
    whole = column.type.precision - column.type.scale - 1
    if column.type.family is not Family.DECIMAL or has_lookup or not is_plain or whole < 1 or not column.type.scale:
        return None
    return _digits(whole, column.type.scale)


def _keeps(step: Step, text: str) -> bool:
    with suppress(InvalidValueError):
        return step(text) == text
    return False


@cache
def _digits(whole: int, scale: int) -> Callable[[str], object]:
    return re.compile(rf"[0-9]{{1,{whole}}}\.[0-9]{{{scale}}}").fullmatch
