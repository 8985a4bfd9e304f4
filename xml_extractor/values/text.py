"""Text to character types, binary types, `uniqueidentifier` and `xml`.

Codes raised: `too_long`, `not_in_code_page`, `lone_surrogate`, `not_binary`, `not_a_uuid`.
Source: "char and varchar", "nchar and nvarchar", "binary and varbinary" and "uniqueidentifier", Microsoft Learn.
"""

import binascii
import re
import string
from collections.abc import Callable

from xml_extractor.documents import Value
from xml_extractor.reasons import Reason
from xml_extractor.values.invalid import InvalidValueError
from xml_extractor.values.options import XML_SPACE, ConversionOptions, Converter
from xml_extractor.values.sqltypes import MAX, SqlType

_LONGEST = 2**31 - 1
_UTF_16 = "utf-16-le"
_UTF_16_BYTES = 2
_WITHOUT_SPACE = dict.fromkeys(map(ord, XML_SPACE))
_NATIONAL = frozenset(("nchar", "nvarchar", "ntext"))
_FIXED = frozenset(("char", "nchar", "binary"))
_UUID = re.compile(r"(\{)?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(?(1)\})", re.IGNORECASE)


def text_converter(sql_type: SqlType, options: ConversionOptions) -> Converter:
    """Text as it is, if it fits: `n` types count UTF-16 code units, the others bytes of the code page.

    `char(n)` and `nchar(n)` are filled up with spaces, as SQL Server stores and returns them.
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


def _within(sql_type: SqlType, limit: int, encoding: str, unit: int, refusal: tuple[Reason, str]) -> Converter:
    width = limit if sql_type.name in _FIXED else 0

    def convert(text: str) -> str:
        if text.isascii():
            if len(text) <= limit:
                return text.ljust(width)
            raise _too_long(sql_type, text[:limit])
        try:
            encoded = text.encode(encoding)
        except UnicodeEncodeError:
            raise InvalidValueError(*refusal) from None
        if len(encoded) > limit * unit:
            # A character cut in two at the end is left out.
            raise _too_long(sql_type, convert(encoded[: limit * unit].decode(encoding, "ignore")))
        return text + " " * (width - len(encoded) // unit)

    return convert


def xml_converter(_sql_type: SqlType, _options: ConversionOptions) -> Converter:
    """Text as it is."""

    def convert(text: str) -> Value:
        return text

    return convert


def binary_converter(sql_type: SqlType, options: ConversionOptions) -> Converter:
    """Hexadecimal digits, with or without `0x`, or base64, which may hold white space.

    `binary(n)` is filled up with zero bytes, as SQL Server stores and returns it.
    """
    decode = _BINARY_ENCODINGS.get(options.encoding)
    if decode is None:
        raise ValueError(f"'{options.encoding}' is not an encoding of binary values; expected hex or base64")
    limit = sql_type.length if sql_type.length not in (0, MAX) else _LONGEST
    width = limit if sql_type.name in _FIXED else 0
    explanation = f"{sql_type} takes bytes written as {options.encoding}"

    def convert(text: str) -> Value:
        try:
            value = decode(text)
        except ValueError:
            raise InvalidValueError(Reason.NOT_BINARY, explanation) from None
        if len(value) > limit:
            raise _too_long(sql_type, value[:limit])
        return value.ljust(width, b"\0")

    return convert


def _from_hex(text: str) -> bytes:
    digits = text.strip(XML_SPACE)
    return binascii.unhexlify(digits[2:] if digits.startswith(("0x", "0X")) else digits)


def _from_base64(text: str) -> bytes:
    return binascii.a2b_base64(text.translate(_WITHOUT_SPACE), strict_mode=True)


_BINARY_ENCODINGS: dict[str, Callable[[str], bytes]] = {"hex": _from_hex, "base64": _from_base64}


def uuid_converter(_sql_type: SqlType, _options: ConversionOptions) -> Converter:
    """Five groups of hexadecimal digits, with or without braces; the result is upper-case, as SQL Server shows it."""

    def convert(text: str) -> Value:
        match = _UUID.fullmatch(text.strip(XML_SPACE))
        if match is None:
            raise InvalidValueError(Reason.NOT_A_UUID, "a uniqueidentifier is 8-4-4-4-12 hexadecimal digits")
        return match[2].upper()

    return convert


def _too_long(sql_type: SqlType, truncated: str | bytes) -> InvalidValueError:
    return InvalidValueError(Reason.TOO_LONG, f"the value is longer than {sql_type}", truncated)
