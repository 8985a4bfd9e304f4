"""Numbers put into SQL Server's number types: rounding, limits, and their text.

Sources: "CAST and CONVERT (Transact-SQL)" and "Precision, scale, and length (Transact-SQL)", Microsoft Learn.
"""

import math
import re
import struct
from collections.abc import Callable
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal, DivisionByZero, InvalidOperation, Overflow

from xml_extractor.reasons import Reason
from xml_extractor.tsql.faults import EvaluationError
from xml_extractor.values.sqltypes import INTEGER_RANGES, MONEY_LIMITS, SqlType

EXACT = Context(prec=130, rounding=ROUND_HALF_UP, traps=[InvalidOperation, DivisionByZero, Overflow])
"""Holds every product and quotient of two decimals before it is rounded to its type; rounds half away from zero."""

CUT = Context(prec=130, rounding=ROUND_DOWN, traps=[InvalidOperation, DivisionByZero, Overflow])
"""As `EXACT`, but cuts digits off."""

_MONEY_STEP = Decimal("0.0001")
_ONE = Decimal(1)
_REAL = struct.Struct("<f")


def overflow(data_type: SqlType) -> EvaluationError:
    """The error of a number that its type cannot hold."""
    return EvaluationError(Reason.OVERFLOW, f"the number does not fit {data_type}")


def not_a(data_type: SqlType) -> EvaluationError:
    """The error of a text that says no value of a type."""
    return EvaluationError(Reason.CONVERSION_FAILED, f"the text cannot be converted to {data_type}")


def integer_fitter(data_type: SqlType) -> Callable[[int], int]:
    """A check of an integer type's range."""
    least, most = INTEGER_RANGES[data_type.name]

    def fit(number: int) -> int:
        if least <= number <= most:
            return number
        raise overflow(data_type)

    return fit


def decimal_fitter(data_type: SqlType, context: Context = EXACT) -> Callable[[Decimal], Decimal]:
    """Brings a decimal to the type's scale, and refuses it when its integral part is too long."""
    step = EXACT.scaleb(_ONE, -data_type.scale)
    limit = EXACT.scaleb(_ONE, data_type.precision - data_type.scale)
    least, zero = limit.copy_negate(), EXACT.quantize(Decimal(0), step)
    quantize = context.quantize

    def fit(number: Decimal) -> Decimal:
        if not least < number < limit:
            raise overflow(data_type)
        fitted = quantize(number, step)
        if not fitted:
            return zero
        if not least < fitted < limit:
            raise overflow(data_type)
        return fitted

    return fit


def money_fitter(data_type: SqlType, context: Context = EXACT) -> Callable[[Decimal], Decimal]:
    """Brings a decimal to the four digits of `money` and `smallmoney`, and checks its range."""
    limit = EXACT.multiply(Decimal(MONEY_LIMITS[data_type.name]), _MONEY_STEP)
    least, beyond = limit.copy_negate(), EXACT.add(limit, _ONE)
    zero = EXACT.quantize(Decimal(0), _MONEY_STEP)
    quantize = context.quantize

    def fit(number: Decimal) -> Decimal:
        if not beyond.copy_negate() < number < beyond:
            raise overflow(data_type)
        fitted = quantize(number, _MONEY_STEP) or zero
        if least <= fitted < limit:
            return fitted
        raise overflow(data_type)

    return fit


def float_fitter(data_type: SqlType) -> Callable[[float], float]:
    """Rounds to `real` where the type is that, and refuses what is no finite number."""
    if data_type.name != "real":

        def fit(number: float) -> float:
            if math.isfinite(number):
                return number
            raise overflow(data_type)

        return fit

    def fit_real(number: float) -> float:
        try:
            rounded: float = _REAL.unpack(_REAL.pack(number))[0]
        except OverflowError:
            raise overflow(data_type) from None
        if math.isfinite(rounded):
            return rounded
        raise overflow(data_type)

    return fit_real


def rounded_integer(number: Decimal) -> int:
    """The nearest integer, halves away from zero."""
    return int(EXACT.to_integral_value(number))


def decimal_of_float(number: float) -> Decimal:
    """A float as a decimal, with the 17 significant digits that its conversion keeps."""
    return Decimal(format(number, ".17g"))


_DECIMAL_TEXT = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)", re.ASCII)
_FLOAT_TEXT = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_MONEY_TEXT = re.compile(r"([+-]?) *[$¢£¤¥€]? *([+-]?) *([\d,]*)(\.?\d*)", re.ASCII)


def integer_of_text(text: str, data_type: SqlType) -> int:
    """Digits with an optional sign; an empty text is 0."""
    digits = text.strip(" ")
    unsigned = digits[1:] if digits[:1] in {"+", "-"} else digits
    if unsigned.isascii() and unsigned.isdigit():
        return int(digits)
    if not digits:
        return 0
    raise not_a(data_type)


def decimal_of_text(text: str, data_type: SqlType) -> Decimal:
    """Digits with an optional sign and point; neither an exponent nor an empty text."""
    digits = text.strip(" ")
    if _DECIMAL_TEXT.fullmatch(digits) is None:
        raise not_a(data_type)
    return Decimal(digits)


def float_of_text(text: str, data_type: SqlType) -> float:
    """A number with an optional exponent; an empty text is 0."""
    digits = text.strip(" ")
    if not digits:
        return 0.0
    if _FLOAT_TEXT.fullmatch(digits) is None:
        raise not_a(data_type)
    return float(digits)


def money_of_text(text: str, data_type: SqlType) -> Decimal:
    """An amount with an optional currency sign and commas; an empty text and a sign without digits are 0."""
    found = _MONEY_TEXT.fullmatch(text.strip(" "))
    if found is None or (found[1] and found[2]):
        raise not_a(data_type)
    return Decimal(f"{found[1]}{found[2]}0{found[3].replace(',', '')}{found[4]}")


def bit_of_text(text: str, data_type: SqlType) -> bool:
    """`true`, `false`, or an integer, of which every other one than 0 is 1."""
    word = text.strip(" ").lower()
    if word in {"true", "false"}:
        return word == "true"
    return integer_of_text(text, data_type) != 0


def text_of_float(number: float, style: int, *, real: bool) -> str:
    """A float by the styles of CONVERT: 0 has up to 6 digits; 1, 2 and 3 always an exponent, and 8, 16 or 17 digits."""
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
    """An amount by the styles of CONVERT: two digits, with commas in style 1; four digits in styles 2 and 126."""
    if style in {2, 126}:
        return format(amount, "f")
    cents = EXACT.quantize(amount, Decimal("0.01")) or Decimal("0.00")
    return format(cents, ",f" if style == 1 else "f")
