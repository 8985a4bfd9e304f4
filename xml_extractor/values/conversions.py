"""Convert the text of a document to a value of a SQL Server type, strictly: a text that does not fit is an error.

`converter` decides everything once and returns a plain function for one column. A new type is a row of `TYPES`
in `sqltypes`, and, if it belongs to a new family, a function here and a line in `CONVERTERS`.

Codes raised: `not_a_number`, `not_a_boolean`, `overflow`, `too_many_decimals`, `too_long`, `not_in_code_page`,
`lone_surrogate`, `not_binary`, `not_a_uuid`, `not_text`.
Source: "Data types (Transact-SQL)" and the pages of the types, Microsoft Learn.
"""

import binascii
import math
import re
import string
import struct
import sys
from collections.abc import Callable, Sequence
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, ROUND_DOWN, ROUND_HALF_UP, Context, Decimal, InvalidOperation
from functools import cache
from typing import NamedTuple

from xml_extractor.documents import Value
from xml_extractor.reasons import Reason
from xml_extractor.values.sqltypes import (
    INTEGER_RANGES,
    MAX,
    MONEY_LIMITS,
    TEMPORAL,
    XML_SPACE,
    Family,
    InvalidValueError,
    SqlType,
)
from xml_extractor.values.temporal import temporal_converter

Constant = str | int | float | bool | Decimal
"""A constant as a contract can write it."""

Converter = Callable[[str], Value]
"""Text of a document to a value of one type; raises `InvalidValueError`."""

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_MOST_INTEGER_DIGITS = 19
_MONEY_PRECISION = 19
_MONEY_SCALE = 4
_PLAIN_NUMBER = re.compile(r"[+-]?([0-9]*)(?:\.([0-9]*))?")
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, rounding=ROUND_HALF_UP)
_REAL_BITS = 24
_SMALLEST_REAL = 2.0**-126
_FLOAT_NUMBER = re.compile(r"[+-]?((?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?:[eE][+-]?[0-9]+)?")
_LONGEST = 2**31 - 1
_UTF_16 = "utf-16-le"
_UTF_16_BYTES = 2
_WITHOUT_SPACE = dict.fromkeys(map(ord, XML_SPACE))
_NATIONAL = frozenset(("nchar", "nvarchar", "ntext"))
_FIXED = frozenset(("char", "nchar", "binary"))
_UUID = re.compile(r"(\{)?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(?(1)\})", re.IGNORECASE)


CAN_BE: dict[str, tuple[Family, ...]] = {
    "truncate": (*TEMPORAL, Family.TEXT, Family.BINARY, Family.DECIMAL, Family.MONEY),
    "round": (Family.INTEGER, Family.DECIMAL, Family.MONEY, Family.TIME, Family.DATETIME, Family.OFFSET),
}
"""The families of types whose values can be truncated or rounded, by the choice of `on_invalid`."""


class _Options(NamedTuple):
    """The options of `converter`."""

    formats: tuple[str, ...]
    time_zone: str | None
    partial: str | None
    encoding: str
    code_page: str


def converter(
    sql_type: SqlType,
    *,
    formats: Sequence[str] = (),
    time_zone: str | None = None,
    partial: str | None = None,
    encoding: str = "hex",
    code_page: str = "cp1252",
) -> Converter:
    """Build the function that converts a column's text; it raises `InvalidValueError`.

    Types other than text ignore white space around a value. The results are Python's types: `bit` bool, integers int,
    `decimal` and `money` Decimal with all decimals of the type, `float` float, text, `xml` and `uniqueidentifier` str,
    `binary` bytes, dates and times those of `datetime` or `times`, aware for `datetimeoffset`.

    Two roundings are part of the types themselves and are not errors: `datetime` rounds to .000, .003 or .007 seconds,
    `smalldatetime` to the minute.

    Args:
        sql_type: The column's type.
        formats: Formats of dates and times (see `formats`), tried in order; ISO 8601 if empty.
        time_zone: `UTC`, an offset such as `+02:00` or an IANA name: the zone of text without one in a
            `datetimeoffset`, and the zone to which other types convert text that has one. For a `date`, `as_written`
            takes the day in the text's own zone.
        partial: `first` or `last`: the day that formats without day, or without month and day, give.
        encoding: The encoding of binary values: `hex` or `base64`.
        code_page: Python's name of the code page of `char`, `varchar` and `text`.

    Raises:
        ValueError: An option cannot be used for the type; the message says what is expected.
    """
    if CONVERTERS[sql_type.family] is not _temporal_converter:
        given = {"formats": bool(formats), "time_zone": time_zone is not None, "partial": partial is not None}
        for option, is_given in given.items():
            if is_given:
                raise ValueError(f"{option} is for dates and times, not for {sql_type}")
    return _built(sql_type, _Options(tuple(formats), time_zone, partial, encoding, code_page))


@cache
def _built(sql_type: SqlType, options: _Options) -> Converter:
    """Build a converter; columns with the same type and options share it, which keeps it in the processor's cache."""
    return CONVERTERS[sql_type.family](sql_type, options)


def constant(sql_type: SqlType, value: Constant, *, code_page: str = "cp1252") -> Value:
    """Convert a constant of a contract to a column's type, as strictly as text of a document.

    Text needs quotes in the contract: YAML reads an unquoted 007 as the number 7.

    Raises:
        InvalidValueError: It is not a value of the type; `Reason.NOT_TEXT` for a number where the type is text.
    """
    if isinstance(value, str | bool | int) or sql_type.family is Family.FLOAT:
        text = str(value)
    else:
        text = format(Decimal(str(value)), "f")
    if not isinstance(value, str) and sql_type.family in {Family.TEXT, Family.XML}:
        raise InvalidValueError(Reason.NOT_TEXT, f"a constant of {sql_type} is written in quotes")
    return converter(sql_type, code_page=code_page)(text)


def _bit_converter(_sql_type: SqlType, _options: _Options) -> Converter:
    """Convert `true`, `false`, `1` or `0`, in any case."""

    def convert(text: str) -> Value:
        value = _BOOLEANS.get(text.strip(XML_SPACE).lower())
        if value is None:
            raise InvalidValueError(Reason.NOT_A_BOOLEAN, "a bit is written true, false, 1 or 0")
        return value

    return convert


def _integer_converter(sql_type: SqlType, _options: _Options) -> Converter:
    """Convert an optional sign and digits, within the type's range."""
    smallest, largest = INTEGER_RANGES[sql_type.name]
    digits_of_largest = len(str(largest))
    explanation = f"{sql_type} takes a sign and digits only"

    def convert(text: str) -> Value:
        if len(text) < digits_of_largest and text.isdigit() and text.isascii():
            return int(text)
        number = text.strip(XML_SPACE)
        digits = number[1:] if number.startswith(("-", "+")) else number
        if not (digits.isdigit() and digits.isascii()):
            raise InvalidValueError(
                Reason.NOT_A_NUMBER, explanation, rounded=_rounded_integer(number, smallest, largest)
            )
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


def _rounded_integer(number: str, smallest: int, largest: int) -> int | None:
    """Round a number in plain notation, halves away from zero; None if it is no such number, or out of range."""
    match = _PLAIN_NUMBER.fullmatch(number)
    if match is None or not (match[1] or match[2]):
        return None
    rounded = int(_EXACT.quantize(Decimal(number), Decimal(1)))
    return rounded if smallest <= rounded <= largest else None


def _decimal_converter(sql_type: SqlType, _options: _Options) -> Converter:
    """Convert plain notation (sign, digits, point, digits); the result has exactly the type's scale."""
    largest = Decimal(10**sql_type.precision - 1).scaleb(-sql_type.scale, Context(prec=sql_type.precision))
    return _fixed_point(sql_type, sql_type.precision, sql_type.scale, (-largest, largest))


def _money_converter(sql_type: SqlType, _options: _Options) -> Converter:
    """Convert plain notation; the result has four decimals."""
    limit = MONEY_LIMITS[sql_type.name]
    smallest, largest = (Decimal(units).scaleb(-_MONEY_SCALE) for units in (-limit, limit - 1))
    return _fixed_point(sql_type, _MONEY_PRECISION, _MONEY_SCALE, (smallest, largest))


def _fixed_point(sql_type: SqlType, precision: int, scale: int, limits: tuple[Decimal, Decimal]) -> Converter:
    smallest, largest = limits
    unit = Decimal(1).scaleb(-scale)
    zero = Decimal(0).quantize(unit)
    context = Context(prec=precision, rounding=ROUND_DOWN, traps=[InvalidOperation])
    whole_digits_of_largest = largest.adjusted() + 1
    too_fine = f"the number has more than the {scale} decimals of {sql_type}"

    def convert(text: str) -> Value:
        whole, point, fraction = text.partition(".")
        has_digits = whole.isdigit() and (fraction.isdigit() or not point) and text.isascii()
        if has_digits and len(fraction) == scale and len(whole) < whole_digits_of_largest:
            return Decimal(text)
        match = _PLAIN_NUMBER.fullmatch(text.strip(XML_SPACE))
        if match is None or not (match[1] or match[2]):
            raise InvalidValueError(Reason.NOT_A_NUMBER, f"{sql_type} takes a sign, digits and a decimal point only")
        fraction = match[2] or ""
        try:
            value = Decimal(match[0]).quantize(unit, context=context)
        except InvalidOperation:
            raise _overflow(sql_type) from None
        if not smallest <= value <= largest:
            raise _overflow(sql_type)
        if len(fraction) > scale and fraction[scale:].strip("0"):
            rounded = _EXACT.quantize(Decimal(match[0]), unit)
            is_in_range = smallest <= rounded <= largest
            raise InvalidValueError(
                Reason.TOO_MANY_DECIMALS, too_fine, value or zero, (rounded or zero) if is_in_range else None
            )
        return value or zero  # SQL Server has no negative zero

    return convert


def _float_converter(sql_type: SqlType, _options: _Options) -> Converter:
    """Convert plain or exponent notation, rounded to the nearest `float`, or to the nearest `real` up to 24 bits."""
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
        return value or 0.0  # databases differ in keeping the sign of a negative zero

    return convert


def _nearest_real(value: float) -> float:
    try:
        (rounded,) = struct.unpack("<f", struct.pack("<f", value))
    except OverflowError:
        return math.inf
    return float(rounded)


def _overflow(sql_type: SqlType) -> InvalidValueError:
    return InvalidValueError(Reason.OVERFLOW, f"the number is outside the range of {sql_type}")


def _text_converter(sql_type: SqlType, options: _Options) -> Converter:
    """Return the text unchanged if it fits: `n` types count UTF-16 code units, the others bytes of the code page.

    `char(n)` and `nchar(n)` are padded with spaces, as SQL Server stores and returns them.
    """
    limit = sql_type.length if sql_type.length not in (0, MAX) else _LONGEST
    if sql_type.name in _NATIONAL:
        explanation = "the text holds a surrogate without its other half"
        return _within(sql_type, limit, _UTF_16, _UTF_16_BYTES, (Reason.LONE_SURROGATE, explanation))
    code_page = _checked_code_page(options.code_page)
    explanation = f"the text holds a character that the code page {code_page} does not have"
    return _within(sql_type, limit, code_page, 1, (Reason.NOT_IN_CODE_PAGE, explanation))


def _checked_code_page(name: str) -> str:
    try:
        is_superset = string.printable.encode(name) == string.printable.encode("ascii")
    except (LookupError, UnicodeError):
        is_superset = False
    if not is_superset:
        raise ValueError(f"'{name}' is not a code page; expected Python's name of one, such as cp1252 or utf-8")
    return name


def _within(sql_type: SqlType, limit: int, encoding: str, unit: int, error: tuple[Reason, str]) -> Converter:
    width = limit if sql_type.name in _FIXED else 0
    too_long = f"the value is longer than {sql_type}"

    def convert(text: str) -> str:
        if text.isascii():
            if len(text) <= limit:
                return text.ljust(width)
            raise InvalidValueError(Reason.TOO_LONG, too_long, text[:limit])
        try:
            encoded = text.encode(encoding)
        except UnicodeEncodeError:
            raise InvalidValueError(*error) from None
        if len(encoded) > limit * unit:
            # A character that the cut splits is dropped.
            cut = convert(encoded[: limit * unit].decode(encoding, "ignore"))
            raise InvalidValueError(Reason.TOO_LONG, too_long, cut)
        return text + " " * (width - len(encoded) // unit)

    return convert


def _xml_converter(_sql_type: SqlType, _options: _Options) -> Converter:
    """Return the text unchanged."""
    return lambda text: text


def _binary_converter(sql_type: SqlType, options: _Options) -> Converter:
    """Convert hexadecimal digits, with or without `0x`, or base64, which may contain white space.

    `binary(n)` is padded with zero bytes, as SQL Server stores and returns it.
    """
    decode = _BINARY_ENCODINGS.get(options.encoding)
    if decode is None:
        raise ValueError(f"'{options.encoding}' is not an encoding of binary values; expected hex or base64")
    limit = sql_type.length if sql_type.length not in (0, MAX) else _LONGEST
    width = limit if sql_type.name in _FIXED else 0
    too_long = f"the value is longer than {sql_type}"
    explanation = f"{sql_type} takes bytes written as {options.encoding}"

    def convert(text: str) -> Value:
        try:
            value = decode(text)
        except ValueError:
            raise InvalidValueError(Reason.NOT_BINARY, explanation) from None
        if len(value) > limit:
            raise InvalidValueError(Reason.TOO_LONG, too_long, value[:limit])
        return value.ljust(width, b"\0")

    return convert


def _from_hex(text: str) -> bytes:
    digits = text.strip(XML_SPACE)
    return binascii.unhexlify(digits[2:] if digits.startswith(("0x", "0X")) else digits)


def _from_base64(text: str) -> bytes:
    return binascii.a2b_base64(text.translate(_WITHOUT_SPACE), strict_mode=True)


_BINARY_ENCODINGS: dict[str, Callable[[str], bytes]] = {"hex": _from_hex, "base64": _from_base64}


def _uuid_converter(_sql_type: SqlType, _options: _Options) -> Converter:
    """Convert five groups of hexadecimal digits, with or without braces, to upper case, as SQL Server shows it."""

    def convert(text: str) -> Value:
        match = _UUID.fullmatch(text.strip(XML_SPACE))
        if match is None:
            raise InvalidValueError(Reason.NOT_A_UUID, "a uniqueidentifier is 8-4-4-4-12 hexadecimal digits")
        return match[2].upper()

    return convert


def _temporal_converter(sql_type: SqlType, options: _Options) -> Converter:
    return temporal_converter(sql_type, options.formats, options.time_zone, options.partial)


CONVERTERS: dict[Family, Callable[[SqlType, _Options], Converter]] = {
    Family.BIT: _bit_converter,
    Family.INTEGER: _integer_converter,
    Family.DECIMAL: _decimal_converter,
    Family.MONEY: _money_converter,
    Family.FLOAT: _float_converter,
    Family.TEXT: _text_converter,
    Family.BINARY: _binary_converter,
    Family.DATE: _temporal_converter,
    Family.TIME: _temporal_converter,
    Family.DATETIME: _temporal_converter,
    Family.OFFSET: _temporal_converter,
    Family.GUID: _uuid_converter,
    Family.XML: _xml_converter,
}
"""For each family, the function that builds the converter of one of its types."""
