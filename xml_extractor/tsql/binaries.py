"""Conversions from text, integers, money and `uniqueidentifier` to binaries, and back to text.

Sources: "binary and varbinary (Transact-SQL)", and the binary styles in "CAST and CONVERT (Transact-SQL)".
"""

from collections.abc import Callable
from decimal import Decimal
from uuid import UUID

from xml_extractor.reasons import Reason
from xml_extractor.tsql.codepage import codepage_bytes, codepage_text, text_fitter
from xml_extractor.tsql.faults import EvaluationError, RefusalError
from xml_extractor.tsql.numeric import EXACT, not_a
from xml_extractor.tsql.request import Request
from xml_extractor.tsql.result_types import is_unicode
from xml_extractor.tsql.typed import Kernel
from xml_extractor.values.sqltypes import MAX, Family, SqlType

_SIZES = {"bit": 1, "tinyint": 1, "smallint": 2, "int": 4, "bigint": 8, "smallmoney": 4, "money": 8}
_STYLES = frozenset({None, 0, 1, 2})


def _text_to_binary(request: Request) -> Kernel:
    fit, style = _binary_fitter(request), _checked_style(request)
    if style:
        return lambda text: fit(_bytes_of_hex(text, prefixed=style == 1))
    if is_unicode(request.source):
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


def _checked_style(request: Request) -> int:
    if request.style not in _STYLES:
        raise RefusalError(f"style {request.style} is not a binary style", str(request.style), "0, 1, 2")
    return request.style or 0


def _binary_to_text(request: Request) -> Kernel:
    fit = text_fitter(request.target, request.target, strict=request.strict)
    style = _checked_style(request)
    if style:
        prefix = "0x" if style == 1 else ""
        return lambda content: fit(prefix + content.hex().upper())
    if is_unicode(request.target):
        return lambda content: fit((content + b"\0" * (len(content) % 2)).decode("utf-16-le", "replace"))
    return lambda content: fit(codepage_text(content))


def _binary_fitter(request: Request) -> Callable[[bytes], bytes]:
    target, length, strict = request.target, request.target.length, request.strict
    padded = target.name == "binary"

    def fit(content: bytes) -> bytes:
        if length not in {MAX, 0} and len(content) > length:
            if strict and content[length:].strip(b"\0"):
                raise EvaluationError(Reason.TRUNCATION, f"the bytes are more than {target} holds")
            return content[:length]
        return content.ljust(length, b"\0") if padded else content

    return fit


def _binary_to_binary(request: Request) -> Kernel:
    return _binary_fitter(request)


def _number_to_binary(request: Request) -> Kernel:
    size, length = _SIZES[request.source.name], request.target.length
    kept = size if length == MAX else min(size, length)
    width = length if request.target.name == "binary" else kept

    def convert(number: int | Decimal) -> bytes:
        whole = int(EXACT.scaleb(number, 4)) if isinstance(number, Decimal) else int(number)
        content = (whole % (1 << 8 * size)).to_bytes(size, "big")
        return content[size - kept :].rjust(width, b"\0")

    return convert


def _guid_to_binary(request: Request) -> Kernel:
    fit = _binary_fitter(request)
    return lambda text: fit(UUID(text).bytes_le)


def _binary_to_guid(_request: Request) -> Kernel:
    return lambda content: str(UUID(bytes_le=content[:16].ljust(16, b"\0"))).upper()


KERNELS: dict[tuple[Family, Family], Callable[[Request], Kernel]] = {
    (Family.TEXT, Family.BINARY): _text_to_binary,
    (Family.BINARY, Family.TEXT): _binary_to_text,
    (Family.BINARY, Family.BINARY): _binary_to_binary,
    (Family.BIT, Family.BINARY): _number_to_binary,
    (Family.INTEGER, Family.BINARY): _number_to_binary,
    (Family.MONEY, Family.BINARY): _number_to_binary,
    (Family.GUID, Family.BINARY): _guid_to_binary,
    (Family.BINARY, Family.GUID): _binary_to_guid,
}
"""Makes the function for a conversion from or to binaries, but for those to numbers."""
