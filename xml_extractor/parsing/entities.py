"""Replace references to internal entities by their text, before libxml2 sees the document.

Only general entities whose value is plain text are accepted. Since a value contains no reference and no markup, nothing
nests, and the size of the result is known before it is made. Source: "Extensible Markup Language (XML) 1.0", sections
4.2 and 4.4.
"""

import re
from html import escape

from xml_extractor.parsing.diagnosis import parse_error
from xml_extractor.reasons import Reason

_NAME = r"[^\x00-,/;-@\[-^`{-\x7f]+"
_DECLARATION = re.compile(rf"<!ENTITY[ \t\r\n]+({_NAME})[ \t\r\n]+(?:\"([^\"]*)\"|'([^']*)')[ \t\r\n]*>")
_IN_SUBSET = re.compile(r"<!--.*?-->|<\?.*?\?>|<!ENTITY|%|<![A-Z]+(?:[^\"'<>%]|\"[^\"]*\"|'[^']*')*>", re.DOTALL)
_CHARACTER = re.compile(r"&#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}));")
_IN_DOCUMENT = re.compile(rf"<!--.*?-->|<\?.*?\?>|<!\[CDATA\[.*?\]\]>|&({_NAME});", re.DOTALL)
_PREDEFINED = frozenset(("amp", "lt", "gt", "quot", "apos"))
_LAST_CHARACTER = 0x10FFFF


def with_entities_replaced(text: str, root: int, most_characters: int) -> str:
    """Return a document without entity declarations, in which references to entities are replaced by their text.

    Args:
        text: The document.
        root: The position of the start tag of its root element.
        most_characters: The largest size of the result.

    Raises:
        ParseError: `entity`: an entity is external, is a parameter entity, or its value is not plain text. `too_large`:
            the result would be larger.
    """
    prolog, entities = _declared(text[:root])
    if not entities:
        return text
    content, size = text[root:], len(prolog)
    pieces: list[str] = []
    position = 0
    for found in _IN_DOCUMENT.finditer(content):
        value = entities.get(found[1]) if found[1] else None
        if value is None:
            continue  # libxml2 refuses the reference if the entity is not declared
        pieces += (content[position : found.start()], value)
        size += len(pieces[-1]) + len(pieces[-2])
        position = found.end()
        if size > most_characters:
            raise parse_error(Reason.TOO_LARGE, f"with its entities the document is larger than {most_characters:,}")
    return "".join((prolog, *pieces, content[position:]))


def _declared(prolog: str) -> tuple[str, dict[str, str]]:
    """Return the prolog without declarations of entities, and the escaped text of each entity; the first one counts."""
    entities: dict[str, str] = {}
    kept: list[str] = []
    start = prolog.find("[", max(prolog.find("<!DOCTYPE"), 0))
    position = 0
    while start >= 0 and (part := _IN_SUBSET.search(prolog, start)) is not None:
        start = part.end()
        if part[0] == "%":
            raise parse_error(Reason.ENTITY, "the document type declaration uses a parameter entity")
        if part[0] != "<!ENTITY":
            continue
        declaration = _DECLARATION.match(prolog, part.start())
        if declaration is None:
            raise parse_error(
                Reason.ENTITY, "the document type declaration declares an entity other than internal text"
            )
        value = declaration[2] if declaration[2] is not None else declaration[3]
        if declaration[1] not in _PREDEFINED:
            entities.setdefault(declaration[1], _plain(value))
        kept.append(prolog[position : part.start()])
        position = start = declaration.end()
    return "".join((*kept, prolog[position:])), entities


def _plain(value: str) -> str:
    """Return the value of an entity, escaped so that it is text wherever it stands."""
    text = _CHARACTER.sub(_character, value)
    if "%" in value or "<" in text or "&" in text:
        raise parse_error(Reason.ENTITY, "the value of an entity is not plain text")
    return escape(text).replace("\r", "&#13;")


def _character(reference: re.Match[str]) -> str:
    code = int(reference[1], 16) if reference[1] else int(reference[2])
    return chr(code) if 0 < code <= _LAST_CHARACTER else "&"
