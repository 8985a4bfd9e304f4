"""The start of a document, read before libxml2 sees any of it: encoding, DOCTYPE, name of the root element.

Encoding: SQL Server returns `nvarchar` text as `str`, and files hold the same text as UTF-16 bytes; both may still
declare any encoding. What the bytes show (a byte order mark, zero bytes around the first `<`) takes precedence over the
declaration, as in appendix F of "Extensible Markup Language (XML) 1.0". If a declared UTF-16 contradicts the bytes,
they are read as UTF-8, and invalid bytes reject the document, so that no text is misread.

DOCTYPE: it can name files and declare entities. A prolog that cannot be read to its end rejects the document, so
libxml2 never gets one that has not been checked.
"""

import codecs
import re
from dataclasses import dataclass
from typing import AnyStr, Generic, NamedTuple

from xml_extractor.content import encoding_named, is_unicode
from xml_extractor.parsing.diagnosis import ParseError, parse_error, underlying_error
from xml_extractor.reasons import Reason

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
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


@dataclass(frozen=True)
class _Grammar(Generic[AnyStr]):
    """The patterns of a prolog, for text or for UTF-8 bytes.

    Attributes:
        space: White space.
        misc: One comment or processing instruction, the XML declaration included.
        doctype: The first word of a document type declaration.
        doctype_part: A part that decides where a document type declaration ends, or that is not allowed in it.
        root: The start of the root element's tag; the group is its name. A name is what has no ASCII character that
            names exclude: a list of those compiles much faster than the ranges of Unicode.
    """

    space: re.Pattern[AnyStr]
    misc: re.Pattern[AnyStr]
    doctype: re.Pattern[AnyStr]
    doctype_part: re.Pattern[AnyStr]
    root: re.Pattern[AnyStr]


_SPACE = r"[ \t\r\n]*"
_MISC = r"<!--.*?-->|<\?.*?\?>"
_DOCTYPE = r"<!DOCTYPE"
_DOCTYPE_PART = (
    r"(?P<skipped><!--.*?-->|<\?.*?\?>|\"[^\"]*\"|'[^']*')"
    r"|(?P<entity><!ENTITY|%)|(?P<open>\[)|(?P<close>\])|(?P<end>>)|(?P<broken><!--|<\?|[\"'])"
)
_NO_NAME_START = r"\x00-9;-@\[-\^`{-\x7f"
_NO_NAME = r"\x00-,/;-@\[-\^`{-\x7f"
_ROOT = rf"<([^{_NO_NAME_START}][^{_NO_NAME}]*)(?=([ \t\r\n/>])?)"

_TEXT = _Grammar(
    re.compile(_SPACE),
    re.compile(_MISC, re.DOTALL),
    re.compile(_DOCTYPE),
    re.compile(_DOCTYPE_PART, re.DOTALL),
    re.compile(_ROOT),
)
_BYTES = _Grammar(
    re.compile(_SPACE.encode()),
    re.compile(_MISC.encode(), re.DOTALL),
    re.compile(_DOCTYPE.encode()),
    re.compile(_DOCTYPE_PART.encode(), re.DOTALL),
    re.compile(_ROOT.encode()),
)


_START_TAG = re.compile(rb"(<[^\s\"'<>/][^\"'<>]*(?:(?:\"[^\"<]*\"|'[^'<]*')[^\"'<>]*)*?)/?>")
LONGEST_PROLOG = 2**20
"""Bytes in which the start tag of the root element must end, if other roots are skipped."""


def utf8_or_text(content: bytes | str, encoding: str | None = None, fallback: str | None = None) -> bytes | str:
    """Return the document without byte order mark: UTF-8 as bytes, any other encoding as decoded text.

    Without a fallback, UTF-8 is not validated here; the parser does that while it reads.

    Args:
        content: The document.
        encoding: The encoding that replaces the declared one.
        fallback: The encoding of the document if it is invalid in its own.

    Raises:
        ParseError: `wrong_encoding`: the declared encoding is unknown, or the bytes are invalid in their encoding.
    """
    if isinstance(content, str):
        return content.removeprefix("\ufeff")
    mark, name = encoding_of(content, encoding)
    document = content[mark:]
    try:
        if not name:
            raise parse_error(Reason.WRONG_ENCODING, "the XML declaration names an encoding that is not supported")
        if name == _UTF_8 and fallback is None:
            return document
        text = _decoded(document, name)
    except ParseError:
        if fallback is None:
            raise
        return _decoded(document, encoding_named(fallback))
    return document if name == _UTF_8 else text


def encoding_of(content: bytes, encoding: str | None = None) -> tuple[int, str]:
    """Return the length of the byte order mark, and the encoding by Python's name; empty if it is not supported.

    Args:
        content: The document, or its first 1,024 bytes.
        encoding: The encoding that replaces the declared one.
    """
    mark, found = next(((mark, name) for mark, name in _BYTE_ORDER_MARKS if content.startswith(mark)), (b"", ""))
    found = found or next((name for start, name in _WITHOUT_MARK if content.startswith(start)), "")
    name = found or encoding or _declared_encoding(content)
    return len(mark), name if name == _UTF_8 else encoding_named(name)


def _declared_encoding(content: bytes) -> str:
    declared = _DECLARED.match(content, 0, _DECLARATION_BYTES)
    name = _UTF_8 if declared is None else declared[1].decode("ascii").lower()
    return _UTF_8 if name == _UTF_8 or is_unicode(name) else name


def declares_utf_8(content: bytes) -> bool:
    """Return whether bytes without byte order mark are sure to be UTF-8 by their XML declaration, or have none."""
    declaration = content[: content.find(b"?>")] if content.startswith(b"<?xml") else b""
    if b"encoding" not in declaration:
        return not content.startswith(b"<?xml") or bool(declaration)
    declared = _DECLARED.match(declaration)
    return declared is not None and declared[1].lower() == _UTF_8.encode()


def _decoded(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        explanation = f"bytes that are invalid in {encoding} (byte {error.start + 1})"
        raise parse_error(Reason.WRONG_ENCODING, explanation) from None


def root_position(document: str) -> int:
    """Return the position of the root element's start tag; a DOCTYPE before it may declare entities.

    Raises:
        ParseError: `malformed`.
    """
    return _root_position(document, _TEXT, 0, allow_doctype=True, allow_entities=True)


def read_root_name(content: bytes | str, *, allow_doctype: bool) -> str:
    """Read the prolog and return the root element's name as it is written; empty if it cannot be determined.

    Args:
        content: Text, or UTF-8 bytes, without byte order mark.
        allow_doctype: Accept a document type declaration that declares no entity.

    Raises:
        ParseError: `empty`, `doctype`, `entity` or `malformed`.
    """
    if isinstance(content, str):
        return _read(content, _TEXT, allow_doctype=allow_doctype)
    return _read(content, _BYTES, allow_doctype=allow_doctype)


class Prolog(NamedTuple):
    """What comes before the root element: the position of the root's start tag, and whether there is a DOCTYPE."""

    root: int
    has_doctype: bool


def read_prolog(content: bytes) -> Prolog:
    """Read the prolog of UTF-8 bytes, which may begin with a byte order mark; a DOCTYPE is skipped.

    Raises:
        ParseError: `empty` or `malformed`.
    """
    start = len(codecs.BOM_UTF8) if content.startswith(codecs.BOM_UTF8) else 0
    if not content[start:].strip(b" \t\r\n"):
        raise parse_error(Reason.EMPTY, "the document is empty")
    first = _skip_misc(content, _BYTES, start)
    position = _root_position(content, _BYTES, start, allow_doctype=True, allow_entities=True)
    if _BYTES.root.match(content, position) is None:
        raise _without_root(content, _BYTES, position)
    return Prolog(position, position != first)


def root_start_tag(content: bytes | str, encoding: str | None = None) -> bytes:
    """Return the start tag of the root element as an empty element; a DOCTYPE before it is not looked at.

    Args:
        content: The document.
        encoding: The encoding that replaces the declared one.

    Raises:
        ParseError: The prolog or the start tag cannot be read.
    """
    document = content[:LONGEST_PROLOG]
    if isinstance(document, bytes):
        mark, name = encoding_of(document, encoding)
        document = document[mark:] if name == _UTF_8 else document[mark:].decode(name or _UTF_8, "replace")
    if isinstance(document, str):
        document = document.removeprefix("\ufeff").encode("utf-8", "replace")
    position = _root_position(document, _BYTES, 0, allow_doctype=True, allow_entities=True)
    tag = _START_TAG.match(document, position)
    if tag is None:
        raise parse_error(Reason.MALFORMED, "the start tag of the root element is not well-formed")
    return tag[1].removesuffix(b"/") + b"/>"


def start_tag(content: bytes, position: int) -> bytes | None:
    """Return the start tag at a position; None if there is no well-formed one."""
    tag = _START_TAG.match(content, position)
    return None if tag is None else tag[0]


def _root_position(
    content: AnyStr, grammar: _Grammar[AnyStr], start: int, *, allow_doctype: bool, allow_entities: bool = False
) -> int:
    position = _skip_misc(content, grammar, start)
    if grammar.doctype.match(content, position):
        if not allow_doctype:
            raise parse_error(Reason.DOCTYPE, "a document type declaration, which the contract does not allow")
        position = _doctype_end(content, grammar, position, allow_entities=allow_entities)
        position = _skip_misc(content, grammar, position)
    return position


def _read(content: AnyStr, grammar: _Grammar[AnyStr], *, allow_doctype: bool) -> str:
    position = _root_position(content, grammar, 0, allow_doctype=allow_doctype)
    root = grammar.root.match(content, position)
    if root is None:
        raise _without_root(content, grammar, position)
    return _decoded_name(root[1]) if root[2] else ""


def _without_root(content: AnyStr, grammar: _Grammar[AnyStr], position: int) -> ParseError:
    if position == len(content) and grammar.space.fullmatch(content):
        return parse_error(Reason.EMPTY, "the document is empty")
    no_root = parse_error(Reason.MALFORMED, "there is no root element, or something other than XML before it")
    return underlying_error(content) or no_root


def _skip_misc(content: AnyStr, grammar: _Grammar[AnyStr], position: int) -> int:
    while True:
        space = grammar.space.match(content, position)
        position = space.end() if space else position
        misc = grammar.misc.match(content, position)
        if misc is None:
            return position
        position = misc.end()


def _doctype_end(content: AnyStr, grammar: _Grammar[AnyStr], position: int, *, allow_entities: bool) -> int:
    in_subset = False
    for part in grammar.doctype_part.finditer(content, position + len("<!DOCTYPE")):
        match part.lastgroup:
            case "entity" if not allow_entities:
                raise parse_error(Reason.ENTITY, "the document type declaration declares or uses an entity")
            case "open" if not in_subset:
                in_subset = True
            case "close" if in_subset:
                in_subset = False
            case "end" if not in_subset:
                return part.end()
            case "open" | "close" | "broken":
                break
    raise parse_error(Reason.MALFORMED, "the document type declaration is not well-formed")


def _decoded_name(name: bytes | str) -> str:
    try:
        return name if isinstance(name, str) else name.decode()
    except UnicodeDecodeError:
        return ""
