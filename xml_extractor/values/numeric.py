"""Text to `bit`, integers, `decimal`, `money` and `float`.

Codes raised: `not_a_number`, `not_a_boolean`, `overflow`, `too_many_decimals`.
Source: "Data types (Transact-SQL)", Microsoft Learn.
"""

import math
import re
import struct
import sys
from decimal import ROUND_DOWN, Context, Decimal, InvalidOperation

from xml_extractor.documents import Value
from xml_extractor.reasons import Reason
from xml_extractor.values.invalid import InvalidValueError
from xml_extractor.values.options import XML_SPACE, ConversionOptions, Converter
from xml_extractor.values.sqltypes import INTEGER_RANGES, MONEY_LIMITS, SqlType

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}

_MOST_INTEGER_DIGITS = 19
_MONEY_PRECISION = 19
_MONEY_SCALE = 4
_PLAIN_NUMBER = re.compile(r"[+-]?([0-9]*)(?:\.([0-9]*))?")

_REAL_BITS = 24
_SMALLEST_REAL = 2.0**-126
_FLOAT_NUMBER = re.compile(r"[+-]?((?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?:[eE][+-]?[0-9]+)?")


def bit_converter(_sql_type: SqlType, _options: ConversionOptions) -> Converter:
    """`true`, `false`, `1` or `0`, in any case."""

    def convert(text: str) -> Value:
        value = _BOOLEANS.get(text.strip(XML_SPACE).lower())
        if value is None:
            raise InvalidValueError(Reason.NOT_A_BOOLEAN, "a bit is written true, false, 1 or 0")
        return value

    return convert


def integer_converter(sql_type: SqlType, _options: ConversionOptions) -> Converter:
    """An optional sign and digits, within the type's range."""
    smallest, largest = INTEGER_RANGES[sql_type.name]
    digits_of_largest = len(str(largest))

    def convert(text: str) -> Value:
        if len(text) < digits_of_largest and text.isdigit() and text.isascii():
            return int(text)
        number = text.strip(XML_SPACE)
        digits = number[1:] if number.startswith(("-", "+")) else number
        if not (digits.isdigit() and digits.isascii()):
            raise InvalidValueError(Reason.NOT_A_NUMBER, f"{sql_type} takes a sign and digits only")
        if len(digits) > _MOST_INTEGER_DIGITS:
            digits = digits.lstrip("0") or "0"
            if len(digits) > _MOST_INTEGER_DIGITS:
                raise _overflow(sql_type)
            number = f"-{digits}" if number.startswith("-") else digits
        value = int(number)
        if not smallest <= value <= largest:
            raise _overflow(sql_type)
        return value

    return convert


def decimal_converter(sql_type: SqlType, _options: ConversionOptions) -> Converter:
    """Plain notation (sign, digits, point, digits); the result has exactly the type's scale."""
    largest = Decimal(10**sql_type.precision - 1).scaleb(-sql_type.scale, Context(prec=sql_type.precision))
    return _fixed_point(sql_type, sql_type.precision, sql_type.scale, (-largest, largest))


def money_converter(sql_type: SqlType, _options: ConversionOptions) -> Converter:
    """Plain notation; the result has four decimals."""
    limit = MONEY_LIMITS[sql_type.name]
    smallest, largest = (Decimal(units).scaleb(-_MONEY_SCALE) for units in (-limit, limit - 1))
    return _fixed_point(sql_type, _MONEY_PRECISION, _MONEY_SCALE, (smallest, largest))


def _fixed_point(sql_type: SqlType, precision: int, scale: int, limits: tuple[Decimal, Decimal]) -> Converter:
    smallest, largest = limits
    unit = Decimal(1).scaleb(-scale)
    zero = Decimal(0).quantize(unit)
    context = Context(prec=precision, rounding=ROUND_DOWN, traps=[InvalidOperation])
    whole_digits_of_largest = largest.adjusted() + 1

    def convert(text: str) -> Value:
        match = _PLAIN_NUMBER.fullmatch(text.strip(XML_SPACE))
        if match is None or not (match[1] or match[2]):
            raise InvalidValueError(Reason.NOT_A_NUMBER, f"{sql_type} takes a sign, digits and a decimal point only")
        whole, fraction = match.groups("")
        if len(fraction) == scale and len(whole) < whole_digits_of_largest:
            return Decimal(match[0]) or zero
        try:
            value = Decimal(match[0]).quantize(unit, context=context)
        except InvalidOperation:
            raise _overflow(sql_type) from None
        if not smallest <= value <= largest:
            raise _overflow(sql_type)
        if len(fraction) > scale and fraction[scale:].strip("0"):
            explanation = f"the number has more than the {scale} decimals of {sql_type}"
            raise InvalidValueError(Reason.TOO_MANY_DECIMALS, explanation, value or zero)
        return value or zero  # no negative zero: SQL Server has none

    return convert


def float_converter(sql_type: SqlType, _options: ConversionOptions) -> Converter:
    """Plain or exponent notation, rounded to the nearest `float`, or to the nearest `real` up to 24 bits."""
    is_real = sql_type.name == "real" or sql_type.precision <= _REAL_BITS
    smallest = _SMALLEST_REAL if is_real else sys.float_info.min

    def convert(text: str) -> Value:
        match = _FLOAT_NUMBER.fullmatch(text.strip(XML_SPACE))
        if match is None:
            raise InvalidValueError(Reason.NOT_A_NUMBER, f"{sql_type} takes a finite number, plain or with an exponent")
        value = float(match[0])
        if is_real:
            value = _nearest_real(value)
        if not math.isfinite(value):
            raise _overflow(sql_type)
        if abs(value) < smallest and match[1].strip("0."):
            raise InvalidValueError(Reason.OVERFLOW, f"the number is too close to zero for {sql_type}")
        return value or 0.0  # no negative zero: some databases keep its sign, others do not

    return convert


def _nearest_real(value: float) -> float:
    try:
        (rounded,) = struct.unpack("<f", struct.pack("<f", value))
    except OverflowError:
        return math.inf
    return float(rounded)


def _overflow(sql_type: SqlType) -> InvalidValueError:
    return InvalidValueError(Reason.OVERFLOW, f"the number is outside the range of {sql_type}")
