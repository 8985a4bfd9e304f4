"""Find the records of a file by scanning its bytes.

The scanner reads UTF-8 piece by piece and knows comments, CDATA sections, processing instructions and quoted
attributes. Outside records it follows each tag; inside a record it only looks for the record's end, so it is several
times as fast as a parser. Whether a record is well-formed is found when it is parsed.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache, lru_cache, partial
from typing import NamedTuple

from xml_extractor.contract.names import XML_NAMESPACE
from xml_extractor.documents import Envelope, EnvelopeRanges
from xml_extractor.escaping import escaped
from xml_extractor.parsing.checked_stream import CheckedStream
from xml_extractor.parsing.diagnosis import ParseError
from xml_extractor.parsing.prolog import Prolog, read_prolog
from xml_extractor.records.patterns import BrokenFileError, Patterns, States, attributes_of, clark, declared, start_tag
from xml_extractor.records.streams import ByteStream

PIECE = 2**20
_LONGEST_PROLOG = 2**24
_LONGEST_TAG = 10_000_000
_LONGEST_OPENING = len(b"<![CDATA[")

LARGEST_ENVELOPE = 4096
"""Bytes of an envelope up to which it travels with the keys of its records."""

Range = tuple[int, int]
"""Positions of the first byte and of the byte after the last one."""

Piece = tuple[Range, bytes]
"""A range and its bytes."""

_QUOTED = rb"(?:[^<>\"']*+(?:\"[^\"<]*+\"|'[^'<]*+'))*+[^<>\"']*+"
_TOKEN = re.compile(
    rb"<(?:(?P<open>!--|!\[CDATA\[|\?)|/(?P<end>[^\s<>/]+)\s*>|(?P<start>[^\s<>/!?\"'=]++)(?P<rest>" + _QUOTED + rb")>)"
)
_TERMINATORS = {b"!--": b"-->", b"![CDATA[": b"]]>", b"?": b"?>"}


class ScannedRecord(NamedTuple):
    """A record's position: its first byte, the end of its start tag, and its end; and what surrounds it."""

    start: int
    tag_end: int
    end: int
    envelope: Envelope
    place_of_envelope: Envelope | EnvelopeRanges


class _Ancestor:
    """An element that is open, outside records.

    Attributes:
        tag: The range of its start tag, and the tag.
        header: The ranges of its header, up to its first record, and the header.
        is_header: Whether it belongs to the header of its parent, as long as no record is found in it.
        kinds: What is known of children without namespace declarations: name, states, by the name as written.
    """

    __slots__ = ("has_records", "header", "is_header", "kinds", "name", "namespaces", "raw", "states", "tag")

    def __init__(self, raw: bytes, name: str, namespaces: dict[str, str], states: States, tag: Piece) -> None:
        self.raw = raw
        self.name = name
        self.namespaces = namespaces
        self.states = states
        self.tag = tag
        self.header: list[Piece] = []
        self.has_records = False
        self.is_header = False
        self.kinds: dict[bytes, tuple[str, States]] = {}


class Scanner:
    """Scans one file.

    Args:
        stream: The file as UTF-8.
        patterns: What the records are.
        limit: Bytes of an element that are kept in memory; a longer one is still scanned.
    """

    def __init__(self, stream: ByteStream, patterns: Patterns, limit: int) -> None:
        self._stream = CheckedStream(stream)
        self._patterns = patterns
        self._limit = max(limit, PIECE)
        self._data = b""
        self._base = 0
        self._keep = 0
        self._at_end = False
        self._holds = False
        self._header: int | None = None
        self._skipped_root = False
        self._skipped_to = 0
        self._open: list[_Ancestor] = []
        self._envelope: tuple[Envelope, Envelope | EnvelopeRanges] | None = None
        self.position = 0
        """The end of the last record, or of what was last read outside records."""
        self._before_end: tuple[int, Envelope] | None = None
        self.begun: bytes | None = None
        """The start tag of the record whose end is looked for."""

    def content(self, first: int, last: int) -> bytes | None:
        """Return bytes of the element that was yielded last; None if they were too many to keep."""
        return self._data[first - self._base : last - self._base] if first >= self._base else None

    def envelope(self) -> tuple[Envelope, Envelope | EnvelopeRanges]:
        """Return the envelope of a record at this position, and what of it travels with the record's key."""
        if self._envelope is None:
            pieces = [piece for ancestor in self._open for piece in (ancestor.tag, *ancestor.header)]
            tags = [ancestor.tag for ancestor in self._open]
            end = b"".join(b"</" + ancestor.raw + b">" for ancestor in reversed(self._open))
            envelope = Envelope(_joined(tags), _joined(pieces), end, len(tags))
            ranges = EnvelopeRanges(tuple(place for place, _ in tags), tuple(place for place, _ in pieces), end)
            self._envelope = envelope, envelope if len(envelope.start) <= LARGEST_ENVELOPE else ranges
        return self._envelope

    def rest(self) -> tuple[int, Envelope]:
        """Return where the rest of a file that breaks off begins, and what surrounds it. It has the root's end tag."""
        return self._before_end or (self.position, self.envelope()[0])

    def prolog(self) -> Prolog:
        """Read what comes before the root element.

        Raises:
            ParseError: It is not well-formed, or the file is empty.
        """
        found = None
        while found is None and self._more(0) and len(self._data) < _LONGEST_PROLOG:
            with suppress(ParseError):
                found = read_prolog(self._data)
                found = found if _TOKEN.match(self._data, found.root) else None
        found = found or read_prolog(self._data)
        self._stream.start(found)
        return found

    def root_name(self, position: int) -> str:
        """Return the Clark name of the root element.

        Raises:
            BrokenFileError: Its start tag is not well-formed.
        """
        token = self._token(position)
        return self._kind(None, token["start"] or b"", token["rest"] or b"")[0]

    def records(self, start: int) -> Iterator[ScannedRecord]:
        """Yield the records from the root's start tag on.

        Raises:
            BrokenFileError: The file breaks off.
            ParseError: It is not well-formed after `position`.
        """
        position = start
        while True:
            self.position = position
            self._header = next((ancestor.tag[0][0] for ancestor in self._open if ancestor.is_header), None)
            self._keep = position if self._header is None else self._header
            self._holds = not self._open or self._header is not None
            found = self._find(b"<", position)
            if found < 0:
                break
            token = self._token(found)
            position = self._base + token.end()
            if token["open"]:
                position = self._after(_TERMINATORS[token["open"]], position)
            self._stream.check(position)
            if token["end"]:
                self._close(token["end"], position)
            elif token["start"]:
                record = self._element(token["start"], token["rest"], (found, position))
                if record is not None:
                    yield record
                    self.begun = None
                position = self._skipped_to
        if self._open:
            raise BrokenFileError(f"the file ends inside the element {_shown(self._open[-1].name)}")
        self._stream.end()

    def _element(self, raw: bytes, rest: bytes, tag: Range) -> ScannedRecord | None:
        """Enter or skip an element; return it if it is a record. Scanning continues at `_skipped_to`."""
        self._skipped_to = tag[1]
        parent = self._open[-1] if self._open else None
        if parent is None and self._skipped_root:
            raise BrokenFileError("something follows the end of the root element")
        name, namespaces, states = self._kind(parent, raw, rest)
        is_empty = rest.endswith(b"/")
        if self._patterns.is_record(states):
            for ancestor in self._open:
                ancestor.has_records, ancestor.is_header = True, False
            self.begun = self.content(*tag)
            self._skipped_to = tag[1] if is_empty else self._end_of(raw, tag[1], tag[0])
            if parent is None:
                self._skipped_root = True
            return ScannedRecord(tag[0], tag[1], self._skipped_to, *self.envelope())
        is_header = parent is not None and not parent.has_records and self._patterns.is_header(states)
        if not is_empty and (parent is None or self._patterns.may_contain_records(states)):
            opened = _Ancestor(raw, name, namespaces, states, (tag, self.content(*tag) or b""))
            opened.is_header = is_header
            self._open.append(opened)
            self._envelope = None
        elif is_header and parent is not None:
            self._skipped_to = tag[1] if is_empty else self._end_of(raw, tag[1], tag[0])
            self._add_header(parent, (tag[0], self._skipped_to))
        elif is_empty:
            self._skipped_root = self._skipped_root or parent is None
        else:
            self._skipped_to = self._end_of(raw, tag[1], None)
        return None

    def _kind(self, parent: _Ancestor | None, raw: bytes, rest: bytes) -> tuple[str, dict[str, str], States]:
        is_plain = b"xmlns" not in rest and not self._patterns.has_predicates
        if is_plain and parent is not None and raw in parent.kinds:
            name, states = parent.kinds[raw]
            return name, parent.namespaces, states
        above = parent.namespaces if parent is not None else {"": "", "xml": XML_NAMESPACE}
        attributes = attributes_of(rest) if b"=" in rest else {}
        namespaces = declared(above, attributes)
        name = clark(raw.decode("utf-8", "replace"), namespaces, is_attribute=False)
        element = cache(partial(start_tag, name, attributes, namespaces))
        if parent is None:
            states = self._patterns.of_root(name, element)
        else:
            states = self._patterns.of_child(parent.states, name, element)
            if is_plain:
                parent.kinds[raw] = name, states
        return name, namespaces, states

    def _add_header(self, parent: _Ancestor, found: Range) -> None:
        """Add an element to a header; only white space between it and the previous one joins the two ranges."""
        self._envelope = None
        text = self.content(*found)
        if text is None:
            raise BrokenFileError("the header is larger than `max_bytes`")
        if parent.header:
            (start, end), before = parent.header[-1]
            between = self.content(end, found[0])
            if between is not None and not between.strip():
                parent.header[-1] = (start, found[1]), before + between + text
                return
        parent.header.append((found, text))

    def _close(self, raw: bytes, end: int) -> None:
        if not self._open or self._open[-1].raw != raw:
            raise BrokenFileError("an end tag that does not match its start tag")
        if len(self._open) == 1:
            self._before_end = self.position, self.envelope()[0]
        closed = self._open.pop()
        if closed.is_header:
            self._add_header(self._open[-1], (closed.tag[0][0], end))
        self._envelope = None
        self._skipped_root = not self._open

    def _token(self, position: int) -> re.Match[bytes]:
        """Return the token that begins at a `<`."""
        while True:
            index = position - self._base
            token = _TOKEN.match(self._data, index)
            if token is not None:
                return token
            is_malformed = self._data.find(b"<", index + 1) >= 0 or len(self._data) - index > _LONGEST_TAG
            if is_malformed or not self._more(position):
                what = "a tag that is not well-formed" if is_malformed else "the file ends inside a tag"
                raise BrokenFileError(what)

    def _end_of(self, raw: bytes, position: int, keep: int | None) -> int:
        """Return the end of an element, whose start tag ends at a position; its content is kept from `keep` on."""
        keep = keep if self._header is None else self._header
        self._keep = position if keep is None else keep
        self._holds = keep is not None
        depth = 1
        pattern = _same_name(raw)
        while True:
            found = pattern.search(self._data, position - self._base)
            if found is None:
                position = max(position, self._base + len(self._data) - len(raw) - _LONGEST_OPENING)
                if not self._more(position):
                    raise BrokenFileError("the file ends inside an element")
                continue
            start = self._base + found.start()
            if found["open"]:
                position = self._after(_TERMINATORS[found["open"]], self._base + found.end())
                continue
            token = self._token(start)
            position = self._base + token.end()
            if token["end"]:
                depth -= 1
                if depth == 0:
                    self._stream.check(position)
                    return position
            elif not token["rest"].endswith(b"/"):
                depth += 1

    def _after(self, terminator: bytes, position: int) -> int:
        found = self._find(terminator, position)
        if found < 0:
            raise BrokenFileError("the file ends inside a comment, CDATA section or instruction")
        return found + len(terminator)

    def _find(self, wanted: bytes, position: int) -> int:
        """Return the position of the next occurrence; -1 if there is none up to the end of the file."""
        while True:
            index = self._data.find(wanted, position - self._base)
            if index >= 0:
                return self._base + index
            position = max(position, self._base + len(self._data) - len(wanted) + 1)
            if not self._more(position):
                return -1

    def _more(self, position: int) -> bool:
        """Read on. What is before `_keep` is dropped; what is before the position too, unless it is held."""
        if self._at_end:
            return False
        if not self._holds or len(self._data) > self._limit:
            self._keep = max(self._keep, position)
        drop = min(max(self._keep - self._base, 0), len(self._data))
        piece = self._stream.read(PIECE + min(len(self._data) - drop, 3 * PIECE))
        self._at_end = not piece
        self._data = self._data[drop:] + piece
        self._base += drop
        return bool(piece)


def _joined(pieces: Iterable[Piece]) -> bytes:
    return b"".join(text for _, text in pieces)


@lru_cache(maxsize=256)
def _same_name(raw: bytes) -> re.Pattern[bytes]:
    """Return the pattern of what matters inside an element: tags of the same name, and what may hide them."""
    return re.compile(rb"<(?:(?P<open>!--|!\[CDATA\[|\?)|/?" + re.escape(raw) + rb"(?=[\s/>]))")


def _shown(name: str) -> str:
    return escaped(name.rpartition("}")[2][:80])
