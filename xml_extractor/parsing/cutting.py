"""Cut ignored elements out of the bytes of a document, so that nothing parses them.

In well-formed XML, every `<` outside of comments, CDATA sections and processing instructions begins a tag. So the tags
of an element can be found by its name as written, if it is known which prefixes stand for its namespace. Where this is
not certain, `without_elements` cuts nothing, and the parser's tree is used instead: a document type declaration,
namespaces declared below the root element, tags that do not match.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

from lxml import etree

from xml_extractor.parsing.diagnosis import ParseError
from xml_extractor.parsing.prolog import read_prolog, start_tag

_BEFORE_NAME_ENDS = b" \t\r\n/>"
_LESS_THAN = ord("<")
_SECTIONS = ((b"<!--", b"-->"), (b"<![CDATA[", b"]]>"), (b"<?", b"?>"))
_END_TAG = re.compile(rb"[ \t\r\n]*>")
_REST_OF_START_TAG = re.compile(
    rb"(?:[ \t\r\n]+[^\s<>\"'=/]+[ \t\r\n]*=[ \t\r\n]*(?:\"[^\"<]*\"|'[^'<]*'))*[ \t\r\n]*(/?)>"
)


class _InexactError(Exception):
    """It is not certain where an element ends."""


def without_elements(document: bytes, names: Sequence[str]) -> bytes | None:
    """Return a document without all elements of some names, as if they had never been there.

    What is cut is not checked: it may be malformed, as long as its tags of the same name match.

    Args:
        document: UTF-8 without byte order mark.
        names: Their Clark names.

    Returns:
        None if this is not certain, or if there are none.
    """
    try:
        prolog = read_prolog(document)
    except ParseError:
        return None
    root = start_tag(document, prolog.root)
    if prolog.has_doctype or root is None:
        return None
    written = _written_names(root, tuple(names))
    is_root = any(root[1:].startswith(name) and root[len(name) + 1 :][:1] in _BEFORE_NAME_ENDS for name in written)
    if is_root or not written:
        return None
    below = prolog.root + len(root)
    try:
        cuts = list(_cuts(document, below, written))
    except _InexactError:
        return None
    if not cuts:
        return None
    begins, ends = [0, *(end for _, end in cuts)], [*(begin for begin, _ in cuts), len(document)]
    kept = [document[begin:end] for begin, end in zip(begins, ends, strict=True) if begin < end]
    joins_line_ends = any(one.endswith(b"\r") and other.startswith(b"\n") for one, other in pairwise(kept))
    rest = b"".join(kept)
    return None if joins_line_ends or rest.find(b"xmlns", below) >= 0 else rest


def _written_names(root: bytes, names: tuple[str, ...]) -> tuple[bytes, ...]:
    """Return names as a document writes them that declares namespaces only in its root element."""
    if b"xmlns" not in root:
        return _names_in_scope(names, ((None, ""),))
    try:
        in_scope = etree.fromstring(root.removesuffix(b">").removesuffix(b"/") + b"/>").nsmap
    except etree.XMLSyntaxError:
        return ()
    return _names_in_scope(names, ((None, ""), *sorted(in_scope.items(), key=lambda item: item[0] or "")))


@lru_cache(maxsize=256)
def _names_in_scope(names: tuple[str, ...], in_scope: tuple[tuple[str | None, str], ...]) -> tuple[bytes, ...]:
    prefixes = dict(in_scope)
    found = [
        f"{prefix}:{local}" if prefix else local
        for namespace, _, local in (name.removeprefix("{").rpartition("}") for name in names)
        for prefix, address in prefixes.items()
        if address == namespace
    ]
    return tuple(name.encode() for name in found)


def _cuts(document: bytes, position: int, names: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """Yield where the outermost elements of these names begin and end."""
    starts = {name: _find_tag(document, b"<" + name, position, len(document)) for name in names}
    while starts:
        name = min(starts, key=starts.__getitem__)
        begin = starts[name]
        if begin == len(document):
            return
        position = _after_sections(document, position, begin)
        if position == begin:
            position = _end_of_element(document, begin, name)
            _check_text_before(document, begin)
            yield begin, position
        for each, found in starts.items():
            if found < position:
                starts[each] = _find_tag(document, b"<" + each, position, len(document))


def _check_text_before(document: bytes, begin: int) -> None:
    """Check that no tag or reference is open before an element, which what follows the element would complete.

    Raises:
        _InexactError: One is.
    """
    text = document[document.rfind(b">", 0, begin) + 1 : begin]
    if b"<" in text or text.rfind(b"&") > text.rfind(b";"):
        raise _InexactError


def _find_tag(document: bytes, tag: bytes, position: int, end: int) -> int:
    """Return the position of the next tag; `end` if there is none before it."""
    while True:
        found = document.find(tag, position, end)
        if found < 0:
            return end
        position = found + len(tag)
        if document[position : position + 1] in _BEFORE_NAME_ENDS:
            return found


def _after_sections(document: bytes, position: int, until: int) -> int:
    """Skip comments, CDATA sections and processing instructions that begin before `until`.

    Returns:
        `until`, or the end of a section that contains it.
    """
    while position < until:
        begin = min(_section(document, sign, position, until) for sign in (b"!", b"?"))
        if begin == until:
            return until
        start, end = next((each for each in _SECTIONS if document.startswith(each[0], begin)), (b"", b""))
        found = document.find(end, begin + len(start)) if end else -1
        if found < 0:
            raise _InexactError
        position = found + len(end)
    return position


def _section(document: bytes, sign: bytes, position: int, until: int) -> int:
    """Return where `<` is followed by a sign. The search for a single rare byte is much faster than for two."""
    found = position
    while True:
        found = document.find(sign, found + 1, until)
        if found < 0:
            return until
        if document[found - 1] == _LESS_THAN:
            return found - 1


def _end_of_element(document: bytes, begin: int, name: bytes) -> int:
    """Return where the element ends that begins at a position."""
    depth, position = 0, begin
    while True:
        start_tag = _REST_OF_START_TAG.match(document, position + 1 + len(name))
        if start_tag is None or b"xmlns" in start_tag[0]:
            raise _InexactError
        position = start_tag.end()
        depth += 0 if start_tag[1] else 1
        while depth:
            end = _find_tag(document, b"</" + name, position, len(document))
            tag = _find_tag(document, b"<" + name, position, end)
            position = _after_sections(document, position, tag)
            if position > tag:
                continue
            if tag < end:
                break
            end_tag = _END_TAG.match(document, end + 2 + len(name))
            if end_tag is None:
                raise _InexactError
            position = end_tag.end()
            depth -= 1
        if not depth:
            return position
