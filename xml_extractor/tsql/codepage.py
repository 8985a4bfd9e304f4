"""Text as SQL Server counts and keeps it: bytes of code page 1252 in `varchar`, UTF-16 units in `nvarchar`.

The default collation knows no supplementary characters: a character above U+FFFF is two units of `nvarchar`, and two
question marks in `varchar`. Source: "Collation and Unicode support", Microsoft Learn.
"""

from collections.abc import Callable
from functools import partial

from xml_extractor.reasons import Reason
from xml_extractor.tsql.faults import EvaluationError
from xml_extractor.tsql.result_types import is_unicode
from xml_extractor.values.sqltypes import MAX, SqlType

_LAST_PLAIN = "\uffff"
_UNDEFINED_IN_1252 = frozenset("\x81\x8d\x8f\x90\x9d")


def in_codepage(text: str) -> str:
    """The text with a question mark for every UTF-16 unit that code page 1252 does not have."""
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
    if character > _LAST_PLAIN:
        return "??"
    return character.encode("cp1252", "replace").decode("cp1252")


def codepage_bytes(text: str) -> bytes:
    """The bytes that `varchar` keeps of a text."""
    return b"".join(
        character.encode("latin-1") if character in _UNDEFINED_IN_1252 else character.encode("cp1252")
        for character in in_codepage(text)
    )


def codepage_text(content: bytes) -> str:
    """The text that `varchar` makes of bytes."""
    return "".join(
        chr(byte) if chr(byte) in _UNDEFINED_IN_1252 else bytes((byte,)).decode("cp1252") for byte in content
    )


def to_units(text: str) -> str:
    """The text with one Python character for each UTF-16 unit."""
    if text.isascii() or max(text) <= _LAST_PLAIN:
        return text
    content = text.encode("utf-16-le", "surrogatepass")
    return "".join(chr(low | high << 8) for low, high in zip(content[::2], content[1::2], strict=True))


def from_units(units: str) -> str:
    """The text that `to_units` took apart.

    Raises:
        EvaluationError: `invalid_argument`, a character of two units was cut in half.
    """
    if units.isascii():
        return units
    try:
        return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise EvaluationError(Reason.INVALID_ARGUMENT, "a character beyond U+FFFF was cut in half") from None


def text_fitter(source: SqlType, target: SqlType, *, strict: bool) -> Callable[[str], str]:
    """Brings a text into a text type.

    Args:
        source: The type of the text.
        target: A text type.
        strict: Refuse a text that is too long, unless only spaces are cut off, as INSERT does; CAST just cuts it.
    """
    narrow = is_unicode(source) and not is_unicode(target)
    length = target.length
    if length in {MAX, 0}:
        return in_codepage if narrow else _unchanged
    cut = partial(_cut_strictly, data_type=target) if strict else _cut
    padded = target.name in {"char", "nchar"}

    def fit(text: str) -> str:
        if narrow:
            text = in_codepage(text)
        if len(text) == length and text.isascii():
            return text
        units = to_units(text)
        if len(units) > length:
            return from_units(cut(units, length))
        return text + " " * (length - len(units)) if padded else text

    return fit


def _unchanged(text: str) -> str:
    return text


def _cut(units: str, length: int) -> str:
    return units[:length]


def _cut_strictly(units: str, length: int, data_type: SqlType) -> str:
    if units[length:].strip(" "):
        raise EvaluationError(Reason.TRUNCATION, f"the text is longer than {data_type}")
    return units[:length]
