"""Parse a document's bytes or text to lxml's element tree, with all protections on.

libxml2 2.14 as lxml 6.1 uses it limits elements to a depth of 256, a text, attribute, comment or start tag to
10,000,000 bytes, and a name to 50,000. If only these sizes refuse a document, it is parsed again with `huge_tree`,
which raises them to 1,000,000,000 and 10,000,000 bytes.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, AnyStr, Final, NamedTuple

from lxml import etree

from xml_extractor.content import other_content
from xml_extractor.documents import Envelope
from xml_extractor.parsing.cutting import without_elements
from xml_extractor.parsing.diagnosis import OtherRootError, ParseError, parse_error, syntax_error, utf8, wrong_root
from xml_extractor.parsing.entities import with_entities_replaced
from xml_extractor.parsing.prolog import declares_utf_8, read_root_name, root_position, root_start_tag, utf8_or_text
from xml_extractor.parsing.rules import MAX_DEPTH, ParsingRules
from xml_extractor.reasons import Reason

_PIECE = 16 * 1024
_FIRST_PIECE = 256
_MOST_MISSES = 10
"""Documents in a row that could not be cut where `read_until` seems to end, after which no more are."""

_WARNINGS_KEPT = 100
_SMALL_HEADER = 512
"""Bytes of a header that are parsed with each record, because moving the record costs more; a quarter of it as well."""

_CODES_OF_OTHER_CONTENT = (Reason.MALFORMED, Reason.WRONG_ENCODING, Reason.CONTROL_CHARACTER)

_OPTIONS: Final[dict[str, Any]] = {
    "encoding": "utf-8",  # every document is UTF-8 here, whatever its declaration says
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "dtd_validation": False,
    "attribute_defaults": False,
    "huge_tree": False,
    "recover": False,
    "decompress": False,
}


class _SharedEnvelope(NamedTuple):
    """The tree of an envelope with a large header: the parent of its records, and the children before them."""

    envelope: Envelope
    parent: etree._Element
    children: int


class _Part(NamedTuple):
    """The root element of what was read, and the parser's log."""

    root: etree._Element
    log: etree._ListErrorLog


class _NeededPart:
    """Finds and reads what is needed of documents.

    Usually, the first end tag of the last name ends it. The document is cut there, the elements around it are closed,
    and the result is parsed like any other document. If that is not well-formed, or if another element ends there, such
    as one of the same name in a deeper place, the document is fed piece by piece until the element has ended.

    Args:
        roots: The Clark names of the root element.
        path: The Clark names of the elements below it, down to the last one needed.
    """

    def __init__(self, roots: Sequence[str], path: Sequence[Sequence[str]]) -> None:
        self._roots = roots
        self._path = path
        self._path_above = (*reversed(path[:-1]), roots)
        self._locals = [tags[0].rpartition("}")[2] for tags in path]
        self._end = f"{self._locals[-1]}>"
        self._misses = 0

    def cut(self, document: bytes | str, root_name: str) -> bytes | None:
        """Return the document up to the first end tag of the last name, with the elements around it closed.

        Args:
            document: UTF-8 or text, without DOCTYPE.
            root_name: The name of the root element, as it is written.

        Returns:
            None if there is no such tag, or if the last documents did not end there.
        """
        if self._misses > _MOST_MISSES:
            return None
        if isinstance(document, str):
            end, prefix = _first_end(document, self._end, "</", ":")
            part = utf8(document[:end])
        else:
            end, written = _first_end(document, self._end.encode(), b"</", b":")
            part, prefix = document[:end], written.decode(errors="replace")
        closing = "".join(f"</{prefix}{name}>" for name in reversed(self._locals[:-1]))
        return part + f"{closing}</{root_name}>".encode() if end else None

    def is_whole(self, root: etree._Element | None) -> bool:
        """Return whether a document ends where reading may stop: its last element is the only one of the path."""
        last, level = root, [] if root is None or root.tag not in self._roots else [root]
        for tags in self._path:
            last = last[-1] if last is not None and len(last) else None
            level = [child for element in level for child in element.iterchildren(*tags)]
        is_whole = len(level) == 1 and level[0] is last
        self._misses = 0 if is_whole else self._misses + 1
        return is_whole

    def read(self, document: bytes | str, options: dict[str, Any]) -> _Part:
        """Feed the document to a parser with these options until the last needed element has ended.

        Raises:
            ParseError: The document is not well-formed up to there.
        """
        parser: etree.XMLPullParser = etree.XMLPullParser(events=("end",), tag=self._path[-1], **options)
        pieces = _pieces(document, self._end) if isinstance(document, str) else _pieces(document, self._end.encode())
        fed: list[bytes] = []
        try:
            root = self._feed(parser, pieces, fed)
        except etree.XMLSyntaxError:
            root = None
        if root is None:
            raise syntax_error(parser.feed_error_log.filter_from_errors(), b"".join(fed))
        return _Part(root, parser.feed_error_log)

    def _feed(
        self, parser: etree.XMLPullParser, pieces: Iterator[bytes] | Iterator[str], fed: list[bytes]
    ) -> etree._Element | None:
        """Feed pieces until the last needed element has ended; None if the parser logged an error instead."""
        for piece in pieces:
            fed.append(piece if isinstance(piece, bytes) else utf8(piece))
            parser.feed(fed[-1])
            # `feed` does not raise every error; after one that it only logs, it would start another document.
            if parser.feed_error_log.filter_from_errors():
                return None
            for _, element in parser.read_events():
                if self._is_last_needed(element):
                    return element.getroottree().getroot()
        return parser.close()

    def _is_last_needed(self, element: etree._Element) -> bool:
        above = element.getparent()
        for tags in self._path_above:
            if above is None or above.tag not in tags:
                return False
            above = above.getparent()
        return above is None


class DocumentParser:
    """Parse documents by the same rules, one at a time. Not for use by several threads."""

    def __init__(self, rules: ParsingRules) -> None:
        self._rules = rules
        # Without a table of xml:id values, any xml:id is accepted. But switching the table off makes libxml2 read the
        # external subset from disk, so it stays on wherever a DOCTYPE can reach libxml2.
        removes = dict.fromkeys(("remove_comments", "remove_pis"), not rules.keep_comments)
        removes["strip_cdata"] = not rules.keep_comments
        self._options = {**_OPTIONS, **removes, "collect_ids": rules.allow_doctype}
        self._parser: etree.XMLParser = etree.XMLParser(**self._options)
        as_declared = {name: value for name, value in self._options.items() if name != "encoding"}
        self._parser_as_declared: etree.XMLParser = etree.XMLParser(**as_declared)  # takes a tenth less time
        self._needed = _NeededPart(rules.roots, rules.read_until) if rules.read_until else None
        self._root_names = {"", *(root.rpartition("}")[2] for root in rules.roots)}
        self._shared: _SharedEnvelope | None = None
        self._cut = () if rules.keep_comments else tuple(name for ignored in rules.ignored for name in ignored.names)
        self._ignored = [(etree.XPath(path, namespaces=prefixes), names) for path, prefixes, names in rules.ignored]
        self._too_deep = etree.XPath("boolean(" + "/*" * (rules.max_depth + 1) + ")")

    def parse(self, content: bytes | str | None, envelope: Envelope | None = None) -> etree._Element:
        """Parse one document and return its root element; of a record, the record's element.

        With `read_until` the tree ends where reading stopped.

        Args:
            content: The document.
            envelope: What surrounds it, if it is a record. The record is then part of the tree of its ancestors and
                their header, which it may share with the previous record, until the next one is parsed.

        Raises:
            OtherRootError: The document is skipped because of its root element.
            ParseError: The document cannot be read; see `ParseError` for the codes.
        """
        if envelope is not None and isinstance(content, bytes):
            return self._record(content, envelope)
        try:
            return self._document(content)
        except ParseError as error:
            if error.failure.code not in _CODES_OF_OTHER_CONTENT or not (what := other_content(content or b"")):
                raise
            raise parse_error(error.failure.code, f"the document is {what}, not XML") from None

    def _document(self, content: bytes | str | None) -> etree._Element:
        self.skip_other_root(content)
        if content is None:
            raise parse_error(Reason.EMPTY, "there is no document")
        if len(content) > self._rules.max_bytes:
            raise parse_error(Reason.TOO_LARGE, f"the document is larger than {self._rules.max_bytes:,} bytes")
        document = utf8_or_text(content, self._rules.encoding, self._rules.fallback_encoding)
        if self._rules.replace_entities:
            document = self._without_entities(document)
        root_name = read_root_name(document, allow_doctype=self._rules.allow_doctype)
        if (local_name := root_name.rpartition(":")[2]) not in self._root_names:
            raise wrong_root(local_name, self._rules.roots)
        root = self._read_needed(document, root_name)
        if root.tag not in self._rules.roots:
            raise wrong_root(str(root.tag), self._rules.roots)
        return root

    def _read_needed(self, document: bytes | str, root_name: str = "") -> etree._Element:
        """Parse a document without its ignored elements. Those that can be cut out before are not even parsed."""
        if self._cut:
            rest = without_elements(document if isinstance(document, bytes) else utf8(document), self._cut)
            with suppress(ParseError):
                if rest is not None:
                    root = self._read(rest, root_name)
                    self._remove_ignored(root, are_cut=True)
                    return root
        root = self._read(document, root_name)  # also to report errors where they are
        self._remove_ignored(root)
        return root

    def _remove_ignored(self, start: etree._Element, *, are_cut: bool = False) -> None:
        """Remove the ignored elements below an element, as if they had never been there."""
        for find, names in self._ignored:
            for element in () if are_cut and names else find(start):
                above = element.getparent()
                if above is None:
                    continue
                tail, element.tail = element.tail or "", None
                before = element.getprevious()
                if before is not None:
                    before.tail = (before.tail or "") + tail
                else:
                    above.text = (above.text or "") + tail
                above.remove(element)

    def _without_entities(self, document: bytes | str) -> bytes | str:
        """Replace references to entities that a DOCTYPE declares as plain text."""
        declares = b"<!ENTITY" in document if isinstance(document, bytes) else "<!ENTITY" in document
        if not declares:
            return document
        try:
            text = document.decode() if isinstance(document, bytes) else document
        except UnicodeDecodeError:
            return document  # libxml2 says where the bytes are invalid
        return with_entities_replaced(text, root_position(text), self._rules.max_bytes)

    def elements_of(
        self, content: bytes, envelope: Envelope, names: Iterable[str], depth: int
    ) -> Iterator[etree._Element]:
        """Yield the element of a record, without its header, each time an element has ended in it; it may be malformed.

        Args:
            content: The record.
            envelope: What surrounds it.
            names: The Clark names of the elements that count.
            depth: Their depth below the record.
        """
        parser: etree.XMLPullParser = etree.XMLPullParser(events=("end",), tag=tuple(names), **self._options)
        parser.feed(envelope.tags)
        for piece in _growing_pieces(content):
            with suppress(etree.XMLSyntaxError):
                parser.feed(piece)
            for _, element in parser.read_events():
                above = list(element.iterancestors())
                if len(above) == envelope.depth + depth:
                    yield above[depth - 1]

    def _record(self, content: bytes, envelope: Envelope) -> etree._Element:
        """Parse a record. A large header is parsed once, and the record's element moved to it."""
        is_shared = len(envelope.start) - len(envelope.tags) > len(content) // 4 + _SMALL_HEADER
        start = envelope.tags if is_shared else envelope.start
        record = self._innermost(self._read_needed(start + content + envelope.end), envelope.depth)
        if not is_shared or not envelope.depth:
            return record
        if self._shared is None or self._shared.envelope != envelope:
            parent = self._innermost(self._read_needed(envelope.start + envelope.end), envelope.depth - 1)
            self._shared = _SharedEnvelope(envelope, parent, len(parent))
        del self._shared.parent[self._shared.children :]
        self._shared.parent.append(record)
        return record

    def _innermost(self, root: etree._Element, depth: int) -> etree._Element:
        """Return the last child of the last child and so on."""
        for _ in range(depth):
            root = root[-1]
        return root

    def _read(self, document: bytes | str, root_name: str) -> etree._Element:
        read = partial(self._read_part, self._needed) if self._needed else self._read_all
        is_huge = False
        try:
            root = self._read_cut(document, root_name)
            if root is None:
                root = read(document, self._options)
        except ParseError as error:
            if error.failure.code is not Reason.TOO_LARGE:
                raise
            # `max_bytes` limits texts well enough. Without libxml2's limits, only depth and expansion need a check.
            is_huge = True
            root = read(document, {**self._options, "huge_tree": True})
        if (is_huge or self._rules.max_depth < MAX_DEPTH) and self._too_deep(root):
            raise parse_error(Reason.TOO_DEEP, f"elements are nested deeper than {self._rules.max_depth} levels")
        return root

    def skip_other_root(self, content: bytes | str | None) -> None:
        """Look at the start tag of the root element alone; what follows, and a DOCTYPE before it, does not matter.

        Raises:
            OtherRootError: The root element is another one, and the contract skips those documents.
        """
        if not self._rules.skip_other_roots or not content:
            return
        try:
            root = etree.fromstring(root_start_tag(content, self._rules.encoding), self._parser)
        except (ParseError, etree.XMLSyntaxError):
            return  # what is wrong is found again, and then rejects the document
        if root.tag not in self._rules.roots:
            raise OtherRootError(wrong_root(str(root.tag), self._rules.roots).failure)

    def _read_all(self, document: bytes | str, options: dict[str, Any]) -> etree._Element:
        content = document if isinstance(document, bytes) else utf8(document)
        parser: etree.XMLParser = self._parser if options is self._options else etree.XMLParser(**options)
        if parser is self._parser and declares_utf_8(content):
            parser = self._parser_as_declared
        try:
            root = etree.fromstring(content, parser)
        except etree.XMLSyntaxError:
            raise syntax_error(parser.error_log.filter_from_errors(), content) from None
        self._check_doctype(root, parser.error_log)
        return root

    def _read_cut(self, document: bytes | str, root_name: str) -> etree._Element | None:
        """Parse what is needed as if it were a document; None if that is not sure to be the same."""
        if self._needed is None or not root_name or self._rules.allow_doctype:
            return None
        part, root = self._needed.cut(document, root_name), None
        if part is not None:
            with suppress(ParseError):
                root = self._read_all(part, self._options)
        return root if self._needed.is_whole(root) else None

    def _read_part(self, needed: _NeededPart, document: bytes | str, options: dict[str, Any]) -> etree._Element:
        root, log = needed.read(document, options)
        self._check_doctype(root, log)
        return root

    def _check_doctype(self, root: etree._Element, log: etree._ListErrorLog) -> None:
        dtd = root.getroottree().docinfo.internalDTD
        if dtd is None:
            return
        if not self._rules.allow_doctype:
            raise parse_error(Reason.DOCTYPE, "a document type declaration, which the contract does not allow")
        if any(True for _ in dtd.iterentities()):
            raise parse_error(Reason.ENTITY, "the document type declaration declares an entity")
        # libxml2 drops an undeclared entity from attribute values with only a warning, and keeps at most 100 warnings.
        if log.filter_types(etree.ErrorTypes.WAR_UNDECLARED_ENTITY) or next(root.iter(etree.Entity), None) is not None:
            raise parse_error(Reason.ENTITY, "a reference to an entity that the document does not declare")
        if len(log) >= _WARNINGS_KEPT:
            raise parse_error(Reason.MALFORMED, f"libxml2 has {_WARNINGS_KEPT} warnings or more about the document")


def _growing_pieces(content: bytes) -> Iterator[bytes]:
    position, size = 0, _FIRST_PIECE
    while position < len(content):
        yield content[position : position + size]
        position, size = position + size, 2 * size


def _first_end(document: AnyStr, end: AnyStr, opening: AnyStr, colon: AnyStr) -> tuple[int, AnyStr]:
    """Return where the first end tag of a name ends, 0 if there is none, and its prefix with the colon."""
    found = document.find(end)
    while found >= 0:
        begin = document.rfind(opening[:1], 0, found)
        prefix = document[begin + len(opening) : found]
        if begin >= 0 and document.startswith(opening, begin) and prefix[-1:] in colon:
            return found + len(end), prefix
        found = document.find(end, found + 1)
    return 0, document[:0]


def _pieces(document: AnyStr, end_tag: AnyStr) -> Iterator[AnyStr]:
    """Cut the document so that a piece ends with each end tag that may be the last one needed."""
    position = 0
    while position < len(document):
        found = document.find(end_tag, max(position - len(end_tag) + 1, 0), position + _PIECE)
        end = position + _PIECE if found < 0 else found + len(end_tag)
        yield document[position:end]
        position = end
