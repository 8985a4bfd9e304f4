"""Numbers: literals, conversions to the number types, and their text.

Sources: "CAST and CONVERT (Transact-SQL)", "Constants (Transact-SQL)" and "Precision, scale, and length
(Transact-SQL)", Microsoft Learn.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from xml_extractor.reasons import Reason
from xml_extractor.tsql.errors import CompileError, EvaluationError
from xml_extractor.tsql.result_types import MOST_DIGITS
from xml_extractor.tsql.typed import EXACT, INT, Cast, Kernel, Typed, constant, fitter
from xml_extractor.values.sqltypes import INTEGER_RANGES, MONEY_LIMITS, Family, SqlType


def not_a(data_type: SqlType) -> EvaluationError:
    """Return the error of a text that is not a value of a type."""
    return EvaluationError(Reason.CONVERSION_FAILED, f"the text cannot be converted to {data_type}")


def rounded_integer(number: Decimal) -> int:
    """Round to the nearest integer, halves away from zero."""
    return int(EXACT.to_integral_value(number))


def decimal_of_float(number: float) -> Decimal:
    """Return a float as a decimal, with the 17 significant digits that SQL Server's conversion keeps."""
    return Decimal(format(number, ".17g"))


_DECIMAL_TEXT = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)", re.ASCII)
_FLOAT_TEXT = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_MONEY_TEXT = re.compile(r"([+-]?) *[$¢£¤¥€]? *([+-]?) *([\d,]*)(\.?\d*)", re.ASCII)


def _integer_of_text(text: str, data_type: SqlType) -> int:
    """Parse digits with an optional sign; an empty text is 0."""
    digits = text.strip(" ")
    unsigned = digits[1:] if digits[:1] in {"+", "-"} else digits
    if unsigned.isascii() and unsigned.isdigit():
        return int(digits)
    if not digits:
        return 0
    raise not_a(data_type)


def _decimal_of_text(text: str, data_type: SqlType) -> Decimal:
    """Parse digits with an optional sign and point; an exponent or an empty text is an error."""
    digits = text.strip(" ")
    if _DECIMAL_TEXT.fullmatch(digits) is None:
        raise not_a(data_type)
    return Decimal(digits)


def _float_of_text(text: str, data_type: SqlType) -> float:
    """Parse a number with an optional exponent; an empty text is 0."""
    digits = text.strip(" ")
    if not digits:
        return 0.0
    if _FLOAT_TEXT.fullmatch(digits) is None:
        raise not_a(data_type)
    return float(digits)


def _money_of_text(text: str, data_type: SqlType) -> Decimal:
    """Parse an amount with an optional currency sign and commas; an empty text or a sign without digits is 0."""
    found = _MONEY_TEXT.fullmatch(text.strip(" "))
    if found is None or (found[1] and found[2]):
        raise not_a(data_type)
    return Decimal(f"{found[1]}{found[2]}0{found[3].replace(',', '')}{found[4]}")


def _bit_of_text(text: str, data_type: SqlType) -> bool:
    """Parse `true`, `false` or an integer, which is 1 unless it is 0."""
    word = text.strip(" ").lower()
    if word in {"true", "false"}:
        return word == "true"
    return _integer_of_text(text, data_type) != 0


def text_of_float(number: float, style: int, *, real: bool) -> str:
    """Format a float by a style of CONVERT: 0 gives up to 6 digits; 1, 2 and 3 an exponent and 8, 16 or 17 digits."""
    match style:
        case 1:
            text = format(number, ".7e")
        case 2:
            text = format(number, ".15e")
        case 3:
            text = format(number, ".8e" if real else ".16e")
        case _:
            text = format(number, ".6g")
    mantissa, mark, exponent = text.partition("e")
    if mark:
        return f"{mantissa}e{exponent[0]}{exponent[1:].zfill(3)}"
    return "0" if mantissa == "-0" else mantissa


def text_of_money(amount: Decimal, style: int) -> str:
    """Format an amount by a style of CONVERT: two digits, with commas in style 1; four digits in styles 2 and 126."""
    if style in {2, 126}:
        return format(amount, "f")
    cents = EXACT.quantize(amount, Decimal("0.01")) or Decimal("0.00")
    return format(cents, ",f" if style == 1 else "f")


def number_literal(text: str) -> Typed:
    """Compile `12` to an int, `12.50` and integers beyond int to a `numeric` of their digits, `1e3` to a float.

    Raises:
        CompileError: It has more than 38 digits, or is not a number in T-SQL.
    """
    if "e" in text.lower():
        return _float_literal(text)
    integral, point, fraction = text.partition(".")
    if not (integral + fraction).isdigit():
        raise CompileError(f"'{text}' is not a number", text)
    integral = integral.lstrip("0")
    if not point and len(integral) <= MOST_DIGITS and int(text) <= INTEGER_RANGES["int"][1]:
        return constant(INT, int(text), digits=max(1, len(integral)))
    precision = max(1, len(integral) + len(fraction))
    if precision > MOST_DIGITS:
        raise CompileError(f"a number has at most {MOST_DIGITS} digits", text[:MOST_DIGITS])
    return constant(
        SqlType("numeric", precision=precision, scale=len(fraction)), Decimal(f"{integral or 0}.{fraction}")
    )


def _float_literal(text: str) -> Typed:
    try:
        number = float(text)
    except ValueError:
        raise CompileError(f"'{text}' is not a number", text) from None
    if number in {float("inf"), float("-inf")}:
        raise CompileError(f"{text} does not fit float", text)
    return constant(SqlType("float", precision=53), number)


def fitted(coerce: Callable[[Any], Any]) -> Callable[[Cast], Kernel]:
    """Convert by `coerce`, then fit the result to the target type."""

    def build(cast: Cast) -> Kernel:
        fit = fitter(cast.target)
        return lambda value: fit(coerce(value))

    return build


def _parsed(parse: Callable[[str, SqlType], Any]) -> Callable[[Cast], Kernel]:
    """Parse a text, then fit the result to the target type."""

    def build(cast: Cast) -> Kernel:
        target, fit = cast.target, fitter(cast.target)
        return lambda text: fit(parse(text, target))

    return build


def decimal_of_integer(number: int) -> Decimal:
    """Return an integer or bit as a decimal."""
    return Decimal(int(number))


def _text_to_bit(cast: Cast) -> Kernel:
    target = cast.target
    return lambda text: _bit_of_text(text, target)


def _binary_to_integer(cast: Cast) -> Kernel:
    least, most = INTEGER_RANGES[cast.target.name]
    size = (most - least).bit_length() // 8
    return lambda content: int.from_bytes(content[-size:], "big", signed=least < 0 and len(content) >= size)


def _binary_to_money(cast: Cast) -> Kernel:
    size = MONEY_LIMITS[cast.target.name].bit_length() // 8

    def amount(content: bytes) -> Decimal:
        number = int.from_bytes(content[-size:], "big", signed=len(content) >= size)
        return EXACT.scaleb(Decimal(number), -4)

    return amount


_WHOLE = (Family.BIT, Family.INTEGER)
_EXACT = (Family.DECIMAL, Family.MONEY)

KERNELS: dict[tuple[Family, Family], Callable[[Cast], Kernel]] = {
    **{(source, Family.BIT): lambda _cast: bool for source in (*_WHOLE, *_EXACT, Family.FLOAT)},
    (Family.BIT, Family.INTEGER): lambda _cast: int,
    (Family.INTEGER, Family.INTEGER): lambda cast: fitter(cast.target),
    (Family.DECIMAL, Family.INTEGER): fitted(int),
    (Family.MONEY, Family.INTEGER): fitted(rounded_integer),
    (Family.FLOAT, Family.INTEGER): fitted(int),
    **{(source, target): fitted(decimal_of_integer) for source in _WHOLE for target in _EXACT},
    **{(source, target): lambda cast: fitter(cast.target) for source in _EXACT for target in _EXACT},
    **{(Family.FLOAT, target): fitted(decimal_of_float) for target in _EXACT},
    **{(source, Family.FLOAT): fitted(float) for source in (*_WHOLE, *_EXACT, Family.FLOAT)},
    (Family.TEXT, Family.BIT): _text_to_bit,
    (Family.TEXT, Family.INTEGER): _parsed(_integer_of_text),
    (Family.TEXT, Family.DECIMAL): _parsed(_decimal_of_text),
    (Family.TEXT, Family.MONEY): _parsed(_money_of_text),
    (Family.TEXT, Family.FLOAT): _parsed(_float_of_text),
    (Family.BINARY, Family.INTEGER): _binary_to_integer,
    (Family.BINARY, Family.BIT): lambda _cast: any,
    (Family.BINARY, Family.MONEY): _binary_to_money,
}
"""For each pair of families, the function that compiles a conversion to a number; `temporal` has those of dates."""
