"""Why a document is not usable XML: reason codes and explanations that never quote the document.

libxml2's messages quote names and characters of the document, which may be personal data. So its numeric error codes
are translated here and its messages are dropped. Columns in explanations count bytes of the document's UTF-8 form.
"""

import re
from collections.abc import Collection, Sequence

from lxml import etree

from xml_extractor.documents import Failure
from xml_extractor.escaping import escaped
from xml_extractor.reasons import Reason, Stage

_LONGEST_NAME = 200


class ParseError(Exception):
    """A document that cannot be read; `failure` says why without quoting it.

    Codes: `empty`, `malformed`, `namespace`, `wrong_root`, `doctype`, `entity`, `too_deep`, `too_large`,
    `control_character`, `wrong_encoding`.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure

    def __str__(self) -> str:
        return self.failure.reason


class OtherRootError(ParseError):
    """A document with another root element, which the contract skips."""


def parse_error(code: Reason, explanation: str) -> ParseError:
    """Return a `ParseError` with this code and explanation."""
    return ParseError(Failure(Stage.PARSE, code, explanation))


def utf8(text: str) -> bytes:
    """Encode a text as UTF-8.

    Raises:
        ParseError: `control_character`: a surrogate without its other half.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise parse_error(Reason.CONTROL_CHARACTER, "the text has a surrogate without its other half") from None


_NOT_WELL_FORMED = "the document is not well-formed XML"
_TOO_LONG = "a text, an attribute or a comment of more than 1,000,000,000 bytes"
_NOT_ALLOWED = "a character that XML does not allow"
_NOT_UTF_8 = "bytes that are invalid in UTF-8"

_KNOWN_ERRORS: dict[int, tuple[Reason, str]] = {
    etree.ErrorTypes.ERR_DOCUMENT_EMPTY: (Reason.MALFORMED, "there is no root element"),
    etree.ErrorTypes.ERR_DOCUMENT_END: (Reason.MALFORMED, "something follows the end of the root element"),
    etree.ErrorTypes.ERR_INVALID_CHAR: (Reason.CONTROL_CHARACTER, _NOT_ALLOWED),
    etree.ErrorTypes.ERR_UNDECLARED_ENTITY: (Reason.ENTITY, "a reference to an entity"),
    etree.ErrorTypes.WAR_UNDECLARED_ENTITY: (Reason.ENTITY, "a reference to an entity"),
    etree.ErrorTypes.ERR_ENTITY_LOOP: (Reason.ENTITY, "an entity that refers to itself"),
    etree.ErrorTypes.ERR_UNKNOWN_ENCODING: (Reason.WRONG_ENCODING, "an unknown encoding"),
    etree.ErrorTypes.ERR_UNSUPPORTED_ENCODING: (Reason.WRONG_ENCODING, "an unknown encoding"),
    etree.ErrorTypes.ERR_ENCODING_NAME: (Reason.WRONG_ENCODING, "the declared encoding is not a valid name"),
    etree.ErrorTypes.ERR_INVALID_ENCODING: (Reason.WRONG_ENCODING, _NOT_UTF_8),
    etree.ErrorTypes.ERR_LT_IN_ATTRIBUTE: (Reason.MALFORMED, "a '<' inside an attribute value"),
    etree.ErrorTypes.ERR_ATTRIBUTE_NOT_STARTED: (Reason.MALFORMED, "an attribute value without quotes"),
    etree.ErrorTypes.ERR_ATTRIBUTE_NOT_FINISHED: (Reason.MALFORMED, "an attribute value that is not closed"),
    etree.ErrorTypes.ERR_ATTRIBUTE_WITHOUT_VALUE: (Reason.MALFORMED, "an attribute without a value"),
    etree.ErrorTypes.ERR_ATTRIBUTE_REDEFINED: (Reason.MALFORMED, "the same attribute twice in one element"),
    etree.ErrorTypes.ERR_COMMENT_NOT_FINISHED: (Reason.MALFORMED, "a comment that is not closed"),
    etree.ErrorTypes.ERR_HYPHEN_IN_COMMENT: (Reason.MALFORMED, "a double hyphen inside a comment"),
    etree.ErrorTypes.ERR_PI_NOT_FINISHED: (Reason.MALFORMED, "a processing instruction that is not closed"),
    etree.ErrorTypes.ERR_MISPLACED_CDATA_END: (Reason.MALFORMED, "a ']]>' outside a CDATA section"),
    etree.ErrorTypes.ERR_CDATA_NOT_FINISHED: (Reason.MALFORMED, "a CDATA section that is not closed"),
    etree.ErrorTypes.ERR_RESERVED_XML_NAME: (
        Reason.MALFORMED,
        "an XML declaration that is not at the start of the document",
    ),
    etree.ErrorTypes.ERR_XMLDECL_NOT_FINISHED: (Reason.MALFORMED, "an XML declaration that is not closed"),
    etree.ErrorTypes.ERR_UNKNOWN_VERSION: (Reason.MALFORMED, "a version of XML that is not supported"),
    etree.ErrorTypes.ERR_ENTITYREF_NO_NAME: (Reason.MALFORMED, "an '&' that does not start a reference"),
    etree.ErrorTypes.ERR_ENTITYREF_SEMICOL_MISSING: (Reason.MALFORMED, "an '&' that does not start a reference"),
    etree.ErrorTypes.ERR_NAME_REQUIRED: (Reason.MALFORMED, "a name is missing"),
    etree.ErrorTypes.ERR_GT_REQUIRED: (Reason.MALFORMED, "a tag that is not closed by '>'"),
    etree.ErrorTypes.ERR_TAG_NAME_MISMATCH: (Reason.MALFORMED, "an end tag that does not match its start tag"),
    etree.ErrorTypes.ERR_TAG_NOT_FINISHED: (Reason.MALFORMED, "the document ends inside an element"),
    etree.ErrorTypes.ERR_NAME_TOO_LONG: (Reason.TOO_LARGE, "a name of more than 10,000,000 bytes"),
    etree.ErrorTypes.NS_ERR_XML_NAMESPACE: (Reason.NAMESPACE, "a namespace declaration that is not allowed"),
    etree.ErrorTypes.NS_ERR_UNDEFINED_NAMESPACE: (Reason.NAMESPACE, "a namespace prefix that is not declared"),
    etree.ErrorTypes.NS_ERR_QNAME: (Reason.NAMESPACE, "a name with a misplaced colon"),
    etree.ErrorTypes.NS_ERR_ATTRIBUTE_REDEFINED: (Reason.NAMESPACE, "the same attribute twice in one element"),
    etree.ErrorTypes.NS_ERR_EMPTY: (Reason.NAMESPACE, "a namespace prefix without a name"),
    etree.ErrorTypes.NS_ERR_COLON: (Reason.NAMESPACE, "a name with a misplaced colon"),
    etree.ErrorTypes.WAR_NS_URI: (Reason.NAMESPACE, "a namespace name that is not a URI"),
    etree.ErrorTypes.DTD_XMLID_VALUE: (Reason.MALFORMED, "an xml:id that is not a name"),
    etree.ErrorTypes.DTD_ID_REDEFINED: (Reason.MALFORMED, "the same xml:id twice"),
}

RESOURCE_LIMITS = frozenset((int(etree.ErrorTypes.ERR_RESOURCE_LIMIT), int(etree.ErrorTypes.ERR_INTERNAL_ERROR)))
_TOO_BIG = re.compile(r"(?:Comment|PI \S+|CData section) too big found")
"""libxml2 reports these with the code of a comment, processing instruction or CDATA section that is not closed."""

_FORBIDDEN_CHARACTER = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf[\xbe\xbf]")


def syntax_error(entries: Collection[etree._LogEntry], content: bytes) -> ParseError:
    """Translate what libxml2 logged about a document.

    The first entry counts, unless libxml2 hit one of its limits: it logs a limit after the error that the limit caused.

    Args:
        entries: libxml2's errors.
        content: The document in UTF-8.

    Raises:
        MemoryError: libxml2 ran out of memory, which is not the document's fault.
    """
    if any(entry.type == etree.ErrorTypes.ERR_NO_MEMORY for entry in entries):
        raise MemoryError
    limits = (entry for entry in entries if entry.type in RESOURCE_LIMITS)
    entry = next(limits, None) or next(iter(entries), None)
    code, explanation = (Reason.MALFORMED, _NOT_WELL_FORMED) if entry is None else _meaning(entry)
    if code in (Reason.MALFORMED, Reason.CONTROL_CHARACTER):
        cause = underlying_error(content)
        if cause is not None:
            return cause
    if entry is None:
        return parse_error(code, explanation)
    return parse_error(code, f"{explanation} (line {entry.line}, column {entry.column})")


def underlying_error(document: bytes | str) -> ParseError | None:
    """Find bytes that are not UTF-8, or a character that XML does not allow.

    Either one breaks a name, a tag or the start of a document, and the parser then reports that instead.
    """
    try:
        content = utf8(document) if isinstance(document, str) else document
    except ParseError as error:
        return error
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return _error_at(Reason.WRONG_ENCODING, _NOT_UTF_8, content, error.start)
    character = _FORBIDDEN_CHARACTER.search(content)
    if character is not None:
        return _error_at(Reason.CONTROL_CHARACTER, _NOT_ALLOWED, content, character.start())
    return None


def _meaning(entry: etree._LogEntry) -> tuple[Reason, str]:
    if entry.type in RESOURCE_LIMITS:
        # libxml2 has one code for all limits; only the message says which one was hit.
        if "depth" in entry.message:
            return Reason.TOO_DEEP, "elements are nested deeper than 256 levels"
        if "XML_PARSE_HUGE" in entry.message:
            return Reason.TOO_LARGE, _TOO_LONG
        if "amplification" in entry.message:
            return Reason.ENTITY, "entities that expand to far more than the document"
    if _TOO_BIG.match(entry.message):
        return Reason.TOO_LARGE, _TOO_LONG
    return _KNOWN_ERRORS.get(entry.type, (Reason.MALFORMED, _NOT_WELL_FORMED))


def _error_at(code: Reason, explanation: str, content: bytes, position: int) -> ParseError:
    line = content.count(b"\n", 0, position) + 1
    column = position - content.rfind(b"\n", 0, position)
    return parse_error(code, f"{explanation} (line {line}, column {column})")


def wrong_root(found: str, roots: Sequence[str]) -> ParseError:
    """Return the error of a root element that is none of the expected ones."""
    name = found if len(found) <= _LONGEST_NAME else f"{found[:_LONGEST_NAME]}…"
    is_near = found.rpartition("}")[2] in (root.rpartition("}")[2] for root in roots)
    hint = " (only the namespace differs: see `namespaces` of the contract)" if is_near else ""
    return parse_error(Reason.WRONG_ROOT, f"the root element is {escaped(name)}, not {' or '.join(roots)}{hint}")
