"""Text and binaries: literals, conversions, and how SQL Server counts and stores them.

`varchar` stores bytes of code page 1252, `nvarchar` UTF-16 units. The default collation knows no supplementary
characters: a character above U+FFFF is two units of `nvarchar`, and two question marks in `varchar`. Sources:
"Collation and Unicode support", "Constants (Transact-SQL)", "binary and varbinary (Transact-SQL)" and "CAST and CONVERT
(Transact-SQL)" with its tables of binary styles and of results that are too short to display, Microsoft Learn.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from uuid import UUID

from xml_extractor.reasons import Reason
from xml_extractor.tsql.collation import LAST_PLAIN, to_units
from xml_extractor.tsql.errors import CompileError, EvaluationError
from xml_extractor.tsql.numeric import not_a, text_of_float, text_of_money
from xml_extractor.tsql.result_types import is_unicode, longest, text_type
from xml_extractor.tsql.typed import EXACT, Cast, Kernel, Typed, constant, overflow
from xml_extractor.values.sqltypes import MAX, Family, SqlType

_UNDEFINED_IN_1252 = frozenset("\x81\x8d\x8f\x90\x9d")
_GUID = re.compile(r"\{?([0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12})")
_SIZES = {"bit": 1, "tinyint": 1, "smallint": 2, "int": 4, "bigint": 8, "smallmoney": 4, "money": 8}
_STYLES = frozenset({None, 0, 1, 2})


def in_codepage(text: str) -> str:
    """Replace every UTF-16 unit that code page 1252 does not have by a question mark."""
    if text.isascii():
        return text
    try:
        text.encode("cp1252")
    except UnicodeEncodeError:
        return "".join(map(_in_codepage, text))
    return text


def _in_codepage(character: str) -> str:
    if character in _UNDEFINED_IN_1252:
        return character
    if character > LAST_PLAIN:
        return "??"
    return character.encode("cp1252", "replace").decode("cp1252")


def codepage_bytes(text: str) -> bytes:
    """Return the bytes that `varchar` stores for a text."""
    return b"".join(
        character.encode("latin-1") if character in _UNDEFINED_IN_1252 else character.encode("cp1252")
        for character in in_codepage(text)
    )


def codepage_text(content: bytes) -> str:
    """Return the text of bytes that `varchar` stores."""
    return "".join(
        chr(byte) if chr(byte) in _UNDEFINED_IN_1252 else bytes((byte,)).decode("cp1252") for byte in content
    )


def from_units(units: str) -> str:
    """Join the UTF-16 units of a text, the inverse of `to_units`.

    Raises:
        EvaluationError: `invalid_argument`, a character of two units is split.
    """
    if units.isascii():
        return units
    try:
        return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise EvaluationError(Reason.INVALID_ARGUMENT, "a character beyond U+FFFF was cut in half") from None


def text_fitter(source: SqlType, target: SqlType, *, strict: bool) -> Callable[[str], str]:
    """Return the function that fits a text to a text type.

    Args:
        source: The type of the text.
        target: A text type.
        strict: Raise for text that is too long, unless only spaces are cut off, as INSERT does; CAST truncates it.
    """
    narrow = is_unicode(source) and not is_unicode(target)
    length = target.length
    if length in {MAX, 0}:
        return in_codepage if narrow else str
    padded = target.name in {"char", "nchar"}

    def fit(text: str) -> str:
        if narrow:
            text = in_codepage(text)
        if len(text) == length and text.isascii():
            return text
        units = to_units(text)
        if len(units) > length:
            if strict and units[length:].strip(" "):
                raise EvaluationError(Reason.TRUNCATION, f"the text is longer than {target}")
            return from_units(units[:length])
        return text + " " * (length - len(units)) if padded else text

    return fit


def text_literal(text: str) -> Typed:
    """Compile `'abc'` to a `varchar` of its length."""
    kept = in_codepage(text)
    return constant(_sized("varchar", len(kept)), kept)


def national_literal(text: str) -> Typed:
    """Compile `N'abc'` to an `nvarchar` of its length."""
    return constant(_sized("nvarchar", len(to_units(text))), text)


def binary_literal(digits: str) -> Typed:
    """Compile `0x1F` to a `varbinary` of its length; an odd number of digits gets a leading zero."""
    content = bytes.fromhex(digits.zfill(len(digits) + len(digits) % 2))
    return constant(_sized("varbinary", len(content)), content)


def _sized(name: str, length: int) -> SqlType:
    return text_type(name, MAX if length > longest(name) else max(1, length))


def _text_to_text(cast: Cast) -> Kernel:
    return text_fitter(cast.source, cast.target, strict=cast.strict)


def _text_to_guid(cast: Cast) -> Kernel:
    target = cast.target

    def convert(text: str) -> str:
        found = _GUID.match(text)
        if found is None or (text[0] == "{") != text.startswith("}", found.end()):
            raise not_a(target)
        return found[1].upper()

    return convert


def _written(write: Callable[..., str], cast: Cast, when_too_long: str = "overflow") -> Kernel:
    """Format a value and fit it to the text type; a number that does not fit is an error or, at most 32 bits, `*`."""
    target, length = cast.target, cast.target.length
    fit = text_fitter(target, target, strict=cast.strict)
    stars = when_too_long == "*" and not is_unicode(target) and not cast.strict

    def convert(value: object) -> str:
        text = write(value)
        if length != MAX and len(text) > length:
            if stars:
                return fit("*")
            raise overflow(target)
        return fit(text)

    return convert


def _integer_to_text(cast: Cast) -> Kernel:
    return _written(lambda number: str(int(number)), cast, "overflow" if cast.source.name == "bigint" else "*")


def _money_to_text(cast: Cast) -> Kernel:
    style = cast.style or 0
    return _written(lambda amount: text_of_money(amount, style), cast)


def _float_to_text(cast: Cast) -> Kernel:
    style, real = cast.style or 0, cast.source.name == "real"
    return _written(lambda number: text_of_float(number, style, real=real), cast)


def _text_to_binary(cast: Cast) -> Kernel:
    fit, style = _binary_fitter(cast), _checked_style(cast)
    if style:
        return lambda text: fit(_bytes_of_hex(text, prefixed=style == 1))
    if is_unicode(cast.source):
        return lambda text: fit(text.encode("utf-16-le"))
    return lambda text: fit(codepage_bytes(text))


def _bytes_of_hex(text: str, *, prefixed: bool) -> bytes:
    if prefixed != (text[:2].lower() == "0x"):
        raise not_a(SqlType("varbinary", length=MAX))
    digits = text[2:] if prefixed else text
    try:
        return bytes.fromhex(digits if " " not in digits else "-")
    except ValueError:
        raise not_a(SqlType("varbinary", length=MAX)) from None


def _checked_style(cast: Cast) -> int:
    if cast.style not in _STYLES:
        raise CompileError(f"style {cast.style} is not a binary style", str(cast.style), "0, 1, 2")
    return cast.style or 0


def _binary_to_text(cast: Cast) -> Kernel:
    fit = text_fitter(cast.target, cast.target, strict=cast.strict)
    style = _checked_style(cast)
    if style:
        prefix = "0x" if style == 1 else ""
        return lambda content: fit(prefix + content.hex().upper())
    if is_unicode(cast.target):
        return lambda content: fit((content + b"\0" * (len(content) % 2)).decode("utf-16-le", "replace"))
    return lambda content: fit(codepage_text(content))


def _binary_fitter(cast: Cast) -> Callable[[bytes], bytes]:
    target, length, strict = cast.target, cast.target.length, cast.strict
    padded = target.name == "binary"

    def fit(content: bytes) -> bytes:
        if length not in {MAX, 0} and len(content) > length:
            if strict and content[length:].strip(b"\0"):
                raise EvaluationError(Reason.TRUNCATION, f"the bytes are more than {target} holds")
            return content[:length]
        return content.ljust(length, b"\0") if padded else content

    return fit


def _number_to_binary(cast: Cast) -> Kernel:
    size, length = _SIZES[cast.source.name], cast.target.length
    kept = size if length == MAX else min(size, length)
    width = length if cast.target.name == "binary" else kept

    def convert(number: int | Decimal) -> bytes:
        whole = int(EXACT.scaleb(number, 4)) if isinstance(number, Decimal) else int(number)
        content = (whole % (1 << 8 * size)).to_bytes(size, "big")
        return content[size - kept :].rjust(width, b"\0")

    return convert


def _guid_to_binary(cast: Cast) -> Kernel:
    fit = _binary_fitter(cast)
    return lambda text: fit(UUID(text).bytes_le)


def _guid_of_bytes(content: bytes) -> str:
    return str(UUID(bytes_le=content[:16].ljust(16, b"\0"))).upper()


KERNELS: dict[tuple[Family, Family], Callable[[Cast], Kernel]] = {
    (Family.TEXT, Family.TEXT): _text_to_text,
    (Family.TEXT, Family.GUID): _text_to_guid,
    (Family.TEXT, Family.XML): lambda _cast: str,
    (Family.XML, Family.XML): lambda _cast: str,
    (Family.XML, Family.TEXT): _text_to_text,
    (Family.BIT, Family.TEXT): _integer_to_text,
    (Family.INTEGER, Family.TEXT): _integer_to_text,
    (Family.DECIMAL, Family.TEXT): partial(_written, "{:f}".format),
    (Family.MONEY, Family.TEXT): _money_to_text,
    (Family.FLOAT, Family.TEXT): _float_to_text,
    (Family.GUID, Family.TEXT): partial(_written, str),
    (Family.TEXT, Family.BINARY): _text_to_binary,
    (Family.BINARY, Family.TEXT): _binary_to_text,
    (Family.BINARY, Family.BINARY): _binary_fitter,
    (Family.BIT, Family.BINARY): _number_to_binary,
    (Family.INTEGER, Family.BINARY): _number_to_binary,
    (Family.MONEY, Family.BINARY): _number_to_binary,
    (Family.GUID, Family.BINARY): _guid_to_binary,
    (Family.BINARY, Family.GUID): lambda _cast: _guid_of_bytes,
}
"""For each pair of families, the function that compiles a conversion of or to text or binaries.

`numeric` has those from text or binaries to numbers, `temporal_text` those of dates and times.
"""
