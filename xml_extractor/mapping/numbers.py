"""Numbers that XPath computes, from text and as text.

libxml2 writes numbers in 15 significant digits, and large ones with an exponent. XPath 1.0 wants whole numbers in full,
and as many decimals as distinguish a number from all others. Of texts with many decimals, libxml2 reads one in a
hundred as the double next to the nearest one; `number()` takes the nearest.

Source: "XML Path Language (XPath) Version 1.0", W3C Recommendation, sections 4.2, `string`, and 4.4, `number`.
"""

import math
import re
from collections.abc import Callable, Iterable
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal

from xml_extractor.contract.rewriting import changed, written
from xml_extractor.contract.xpath import MAX_NESTING_REWRITTEN, Call, Expression, Step, kind_of, parse_xpath, walk
from xml_extractor.reasons import Reason
from xml_extractor.values.sqltypes import XML_SPACE, InvalidValueError

EXACT_NUMBERS = "urn:xml-extractor:exact-numbers"
"""The namespace of the function that replaces libxml2's conversion of a number to text."""

FIRST_INEXACT = 2**53
"""The smallest whole number to which a double may have been rounded."""

_XPATH_NUMBER = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
_PREFIX = "_xml-extractor"
_DIGITS_OF_DOUBLE = 15
_TAKE_TEXT = frozenset(
    ("concat", "contains", "lang", "normalize-space", "starts-with", "string", "string-length", "substring-after")
) | {"substring-before", "translate"}


def number_text(number: float) -> str:
    """Write a number as XPath's string() does, which has no exponents."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return str(int(number)) if number.is_integer() else format(Decimal(repr(number)), "f")


def decimal_text(number: float, scale: int) -> str:
    """Write a number for a decimal type.

    A double holds 15 decimal digits for certain. If these reach the last decimal of the type, digits beyond it are
    noise of the binary form, such as in 0.1 + 0.2, and are rounded.

    Raises:
        InvalidValueError: `overflow`: the number is 2^53 or larger, so that digits may be lost already.
    """
    text = number_text(number)
    if not math.isfinite(number):
        return text
    if abs(number) >= FIRST_INEXACT:
        explanation = "XPath computes whole numbers exactly only below 2^53, and this one is not"
        raise InvalidValueError(Reason.OVERFLOW, explanation)
    whole, _, decimals = text.lstrip("-").partition(".")
    if len(decimals) <= scale or len(whole.lstrip("0")) + scale > _DIGITS_OF_DOUBLE:
        return text
    rounded = format(Decimal(f"{number:.{_DIGITS_OF_DOUBLE}g}"), "f")
    return rounded if len(rounded.partition(".")[2]) <= scale else text


def decimal_sum(texts: Iterable[str]) -> str:
    """Add numbers in plain notation exactly; `NaN` if one of the texts is no number, `0` without any."""
    total = Decimal(0)
    for text in texts:
        number = text.strip(XML_SPACE)
        if _NUMBER.fullmatch(number) is None:
            return "NaN"
        total = _EXACT.add(total, Decimal(number))
    return format(total, "f")


def number_of(text: str) -> float:
    """Return the double nearest to a number as XPath writes it, or with an exponent as libxml2 allows; else NaN."""
    number = text.strip(XML_SPACE)
    return float(number) if _XPATH_NUMBER.fullmatch(number) else math.nan


def text_of_number(path: str) -> str | None:
    """Return the path to the text that a path converts to a number; None if it is no call of `number()`."""
    match changed(parse_xpath(path), _with_argument):
        case Call("number", (argument,)) as call if _is_read(call, 0):
            return f"string({written(argument)})"
    return None


def with_exact_numbers(path: str) -> tuple[str, dict[str, str], dict[tuple[str, str], Callable[..., str | float]]]:
    """Rewrite a path so that `number_text` converts the numbers that its functions take as text.

    `number_of` converts what `number()` takes.

    Returns:
        The path, and the namespaces and extension functions that it needs beside those of the contract; the same path
        and nothing where the path converts no numbers.
    """
    expression = changed(parse_xpath(path, MAX_NESTING_REWRITTEN), _with_argument)
    if not any(_converts_number(part) for part in walk(expression)):
        return path, {}, {}
    functions: dict[tuple[str, str], Callable[..., str | float]] = {
        (EXACT_NUMBERS, "text"): lambda _, number: number_text(number),
        (EXACT_NUMBERS, "number"): lambda _, text: number_of(text),
    }
    return written(expression, _argument), {_PREFIX: EXACT_NUMBERS}, functions


def _converts_number(part: Expression | Step) -> bool:
    return isinstance(part, Call) and any(
        _is_converted(part, index) or _is_read(part, index) for index in range(len(part.arguments))
    )


def _is_converted(call: Call, index: int) -> bool:
    takes_text = call.name in _TAKE_TEXT or ":" in call.name or (call.name == "substring" and index == 0)
    return takes_text and kind_of(call.arguments[index]) == "number"


def _is_read(call: Call, index: int) -> bool:
    return call.name == "number" and kind_of(call.arguments[index]) not in ("number", "boolean")


def _with_argument(part: Expression, _: bool) -> Expression:  # noqa: FBT001 - the type of `Change`
    match part:
        case Call("number", ()):
            return Call("number", (Call("string", (), part.offset),), part.offset)
    return part


def _argument(call: Call, index: int, text: str) -> str:
    if _is_read(call, index):
        return f"{_PREFIX}:number(string({text}))"
    return f"{_PREFIX}:text({text})" if _is_converted(call, index) else text
