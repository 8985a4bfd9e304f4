"""Read a document up to the end of the element that `read_until` names.

Usually, the first end tag of that name ends the element. The document is cut there, the elements around it are closed,
and the result is parsed like any other document. If that is not well-formed, or if another element ends there, such as
one of the same name in a deeper place, the document is fed to the parser piece by piece until the element has ended.
"""

from collections.abc import Iterator, Sequence
from typing import Any, AnyStr, NamedTuple

from lxml import etree

from xml_extractor.parsing.diagnosis import syntax_error, utf8

_PIECE = 16 * 1024
_MOST_MISSES = 10
"""Documents in a row that could not be cut, after which no more are."""


class Part(NamedTuple):
    """The root element of what was read, and the parser's log."""

    root: etree._Element
    log: etree._ListErrorLog


class NeededPart:
    """Finds and reads the needed part of documents.

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

    def read(self, document: bytes | str, options: dict[str, Any]) -> Part:
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
        return Part(root, parser.feed_error_log)

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
