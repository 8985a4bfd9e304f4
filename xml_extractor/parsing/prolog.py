"""What stands before the root element, read before libxml2 sees anything of the document.

A DOCTYPE can name files and declare entities, so it is found here first. Whatever this module doesn't understand it
refuses: libxml2 never gets a prolog that has not been read to its end.
"""

import re
from dataclasses import dataclass
from typing import AnyStr, Generic

from xml_extractor.parsing.diagnosis import hidden_cause
from xml_extractor.parsing.failures import refused
from xml_extractor.reasons import Reason


@dataclass(frozen=True)
class _Grammar(Generic[AnyStr]):
    """Patterns for text or for UTF-8 bytes.

    Attributes:
        space: White space.
        misc: One comment or processing instruction, the XML declaration included.
        doctype: The first word of a document type declaration.
        doctype_part: What decides where a document type declaration ends, or makes it unwelcome.
        root: The start of the root element's tag; the group is its name.
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
_ROOT = r"<([A-Za-z_:\x80-{last}][A-Za-z0-9_:.\-\x80-{last}]*)(?=([ \t\r\n/>])?)"

_TEXT = _Grammar(
    re.compile(_SPACE),
    re.compile(_MISC, re.DOTALL),
    re.compile(_DOCTYPE),
    re.compile(_DOCTYPE_PART, re.DOTALL),
    re.compile(_ROOT.format(last=r"\U0010ffff")),
)
_BYTES = _Grammar(
    re.compile(_SPACE.encode()),
    re.compile(_MISC.encode(), re.DOTALL),
    re.compile(_DOCTYPE.encode()),
    re.compile(_DOCTYPE_PART.encode(), re.DOTALL),
    re.compile(_ROOT.format(last=r"\xff").encode()),
)


def read_root_name(content: bytes | str, *, allow_doctype: bool) -> str:
    """Read the prolog and return the root element's name without prefix, empty when it is not to be told.

    Args:
        content: Text, or UTF-8 bytes, without byte order mark.
        allow_doctype: Accept a document type declaration that declares no entity.

    Raises:
        ParseError: `empty`, `doctype`, `entity` or `malformed`.
    """
    if isinstance(content, str):
        return _read(content, _TEXT, allow_doctype=allow_doctype)
    return _read(content, _BYTES, allow_doctype=allow_doctype)


def _read(content: AnyStr, grammar: _Grammar[AnyStr], *, allow_doctype: bool) -> str:
    position = _skip_misc(content, grammar, 0)
    if grammar.doctype.match(content, position):
        if not allow_doctype:
            raise refused(Reason.DOCTYPE, "a document type declaration, which the contract does not allow")
        position = _skip_misc(content, grammar, _doctype_end(content, grammar, position))
    root = grammar.root.match(content, position)
    if root is None:
        if position == len(content) and grammar.space.fullmatch(content):
            raise refused(Reason.EMPTY, "the document is empty")
        cause = hidden_cause(content)
        raise cause or refused(Reason.MALFORMED, "there is no root element, or no XML before it")
    return _local_name(root[1]) if root[2] else ""


def _skip_misc(content: AnyStr, grammar: _Grammar[AnyStr], position: int) -> int:
    while True:
        space = grammar.space.match(content, position)
        position = space.end() if space else position
        misc = grammar.misc.match(content, position)
        if misc is None:
            return position
        position = misc.end()


def _doctype_end(content: AnyStr, grammar: _Grammar[AnyStr], position: int) -> int:
    in_subset = False
    for part in grammar.doctype_part.finditer(content, position + len("<!DOCTYPE")):
        match part.lastgroup:
            case "entity":
                raise refused(Reason.ENTITY, "the document type declaration declares or uses an entity")
            case "open" if not in_subset:
                in_subset = True
            case "close" if in_subset:
                in_subset = False
            case "end" if not in_subset:
                return part.end()
            case "open" | "close" | "broken":
                break
    raise refused(Reason.MALFORMED, "the document type declaration is not well-formed")


def _local_name(name: bytes | str) -> str:
    try:
        text = name if isinstance(name, str) else name.decode()
    except UnicodeDecodeError:
        return ""
    return text.rpartition(":")[2]
