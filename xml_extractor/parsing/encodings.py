"""Which encoding a document is in, whatever its declaration says.

SQL Server hands out `nvarchar` text as `str` and files hold its UTF-16 as bytes; both may still declare any encoding.
What the bytes show (a byte order mark, zero bytes around the first `<`) wins over what the declaration says, as
appendix F of "Extensible Markup Language (XML) 1.0" has it. A declared UTF-16 that the bytes contradict is read as
UTF-8; bytes that are invalid there are refused, so nothing is misread.
"""

import codecs
import re

from xml_extractor.parsing.failures import refused
from xml_extractor.reasons import Reason

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WITHOUT_MARK = (
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)

_DECLARED = re.compile(rb"<\?xml[ \t\r\n][^>]*?encoding[ \t\r\n]*=[ \t\r\n]*[\"']([A-Za-z][\w.\-]*)[\"']")
_DECLARATION_BYTES = 1024

_UTF_8 = "utf-8"
_READ_AS_UTF_8 = frozenset(("utf-8", "ascii", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"))
_UCS_NAME = re.compile(r"(?:csunicode|ucs-?[24]|iso-10646-ucs-[24]|unicode)", re.IGNORECASE)

_ONE_BYTE = (
    *(f"iso8859-{part}" for part in (*range(1, 12), *range(13, 17))),
    *(f"cp{page}" for page in (437, 850, 852, 855, 857, 858, 860, 861, 862, 863, 864, 865, 866, 869, 874)),
    *(f"cp{page}" for page in range(1250, 1259)),
    "koi8-r",
    "koi8-u",
    "mac-roman",
    "tis-620",
)
_MULTI_BYTE = ("big5", "cp932", "cp949", "cp950", "euc_jp", "euc_kr", "gb2312", "gbk", "gb18030", "shift_jis")
_TRANSCODED = frozenset(codecs.lookup(name).name for name in (*_ONE_BYTE, *_MULTI_BYTE))
"""Supersets of ASCII only: Python has codecs too that decompress, unescape or hide a `<`."""


def utf8_or_text(content: bytes | str) -> bytes | str:
    """The document without byte order mark: UTF-8 bytes as they are, everything else as decoded text.

    UTF-8 bytes are not validated here; the parser does that as it reads.

    Raises:
        ParseError: `wrong_encoding`: an unknown encoding is declared, or bytes are invalid in their encoding.
    """
    if isinstance(content, str):
        return content.removeprefix("\ufeff")
    if content.startswith(codecs.BOM_UTF8):
        return content[len(codecs.BOM_UTF8) :]
    for mark, encoding in _BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return _decoded(content[len(mark) :], encoding)
    for start, encoding in _WITHOUT_MARK:
        if content.startswith(start):
            return _decoded(content, encoding)
    encoding = _declared_encoding(content)
    return content if encoding == _UTF_8 else _decoded(content, encoding)


def encoded(text: str) -> bytes:
    """UTF-8 bytes of a text.

    Raises:
        ParseError: `control_character`: a surrogate without its other half.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise refused(Reason.CONTROL_CHARACTER, "a surrogate without its other half") from None


def _declared_encoding(content: bytes) -> str:
    declared = _DECLARED.match(content, 0, _DECLARATION_BYTES)
    if declared is None:
        return _UTF_8
    name = declared[1].decode("ascii")
    if _UCS_NAME.fullmatch(name):
        return _UTF_8
    try:
        encoding = codecs.lookup(name).name
    except LookupError:
        encoding = ""
    if encoding in _READ_AS_UTF_8:
        return _UTF_8
    if encoding not in _TRANSCODED:
        raise refused(Reason.WRONG_ENCODING, "the XML declaration names an encoding that is not supported")
    return encoding


def _decoded(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        explanation = f"bytes that are invalid in {encoding} (byte {error.start + 1})"
        raise refused(Reason.WRONG_ENCODING, explanation) from None
