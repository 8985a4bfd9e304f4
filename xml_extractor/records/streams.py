"""The files of records as seekable streams of UTF-8.

A file that is UTF-8 is read as it is, so that any part of it can be read at once. Any other encoding is decoded
forwards from the start; going back begins anew.
"""

import codecs
from io import BufferedReader, BytesIO
from typing import IO, Protocol

from xml_extractor.content import encoding_named, other_content
from xml_extractor.contract.model import Document
from xml_extractor.documents import DocumentKey, Failure, Rejection
from xml_extractor.parsing.prolog import encoding_of
from xml_extractor.reasons import Reason, Stage
from xml_extractor.sources.interfaces import Source, SourceOfFiles
from xml_extractor.sources.streams import DAMAGE, NotADocumentError, damaged, plain

UTF_8 = "utf-8"
PIECE = 2**20
_PIECE = 2**18
_HEAD = 1024


class DamagedError(Exception):
    """A stream that cannot be read to its end, such as a compressed one that was cut."""


UNREADABLE = (OSError, DamagedError)


class ByteStream(Protocol):
    """What is needed of a stream."""

    def read(self, size: int = -1, /) -> bytes:
        """Read up to `size` bytes; fewer only at the end."""
        ...

    def seek(self, position: int, /) -> int:
        """Go to a position."""
        ...

    def close(self) -> None:
        """Close the stream."""
        ...


class LastingStream:
    """A stream of an archive or of compressed data. What comes before a damage is read; then reading raises.

    Args:
        raw: The stream; closed with this one.
    """

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        # `read` would lose what it has read before an error.
        self._read = getattr(raw, "read1", raw.read)
        self._error: DamagedError | None = None

    def read(self, size: int = -1, /) -> bytes:
        """Read up to `size` bytes; fewer only at the end, or before a damage.

        Raises:
            DamagedError: The next bytes cannot be read.
        """
        pieces: list[bytes] = []
        while size and self._error is None:
            try:
                piece: bytes = self._read(size)
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001 - each library for archives has errors of its own
                self._error = DamagedError(type(error).__name__)
                break
            if not piece:
                break
            pieces.append(piece)
            size -= len(piece)
        if not pieces and self._error is not None:
            raise self._error
        return b"".join(pieces)

    def seek(self, position: int, /) -> int:
        """Go to a position; going back may decompress the stream anew.

        Raises:
            DamagedError: The position cannot be reached.
        """
        self._error = None
        try:
            return self._raw.seek(position)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - each library for archives has errors of its own
            raise DamagedError(type(error).__name__) from None

    def close(self) -> None:
        """Close the stream."""
        self._raw.close()


class Utf8Stream:
    """A stream in another encoding, as UTF-8. Bytes before an invalid one are read; then reading raises.

    Args:
        raw: The stream; closed with this one.
        mark: The length of its byte order mark.
        encoding: Its encoding.
    """

    def __init__(self, raw: ByteStream, mark: int, encoding: str) -> None:
        self._raw = raw
        self._mark = mark
        self._encoding = encoding
        self._ahead = b""
        self._position = 0
        self._rewind()

    def read(self, size: int = -1, /) -> bytes:
        """Read up to `size` bytes; fewer only at the end.

        Raises:
            UnicodeDecodeError: The next bytes are invalid.
        """
        while size < 0 or len(self._ahead) < size:
            if self._error is not None and not self._ahead:
                raise self._error
            if self._error is not None or not self._decode():
                break
        size = len(self._ahead) if size < 0 else size
        found, self._ahead = self._ahead[:size], self._ahead[size:]
        self._position += len(found)
        return found

    def seek(self, position: int, /) -> int:
        """Go to a position; going back reads the stream anew."""
        if position < self._position:
            self._rewind()
        while self._position < position and self.read(min(position - self._position, _PIECE)):
            pass
        return self._position

    def close(self) -> None:
        """Close the stream."""
        self._raw.close()

    def _rewind(self) -> None:
        self._raw.seek(self._mark)
        self._decoder = codecs.getincrementaldecoder(self._encoding)()
        self._error: Exception | None = None
        self._ahead = b""
        self._position = 0
        self._at_end = False

    def _decode(self) -> bool:
        if self._at_end:
            return False
        try:
            piece = self._raw.read(_PIECE)
        except UNREADABLE as error:
            self._error = error
            return True
        self._at_end = not piece
        try:
            text = self._decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            self._error = error
            text = error.object[: error.start].decode(self._encoding)
        self._ahead += text.encode("utf-8", "surrogatepass")
        return True


class Opened:
    """A file that is open.

    Attributes:
        raw: Its content.
        stream: The same as UTF-8.
        encoding: Its encoding.
        is_direct: Whether any part of it can be read at once.
    """

    def __init__(self, key: DocumentKey, raw: ByteStream, mark: int, encoding: str, *, is_direct: bool) -> None:
        self.key = key
        self.raw = raw
        self.stream = raw if encoding == UTF_8 else Utf8Stream(raw, mark, encoding)
        self.encoding = encoding
        self.is_direct = is_direct and encoding == UTF_8

    def range(self, start: int, end: int) -> bytes:
        """Read a range of bytes; fewer if the file ends earlier."""
        self.stream.seek(start)
        return self.stream.read(end - start)


class Streams:
    """Opens the files of a source; the one that was opened last stays open.

    Args:
        files: The source of the files.
        document: What the contract says about encodings.
    """

    def __init__(self, files: Source, document: Document) -> None:
        self._files = files
        self._document = document
        self._last: Opened | None = None

    def open(self, key: DocumentKey, encoding: str = "") -> Opened | Rejection:
        """Open a file at an unknown position.

        Args:
            key: The key of the file.
            encoding: Its encoding, if that is known.
        """
        if self._last is not None and self._last.key == key and encoding:
            return self._last
        self.close()
        opened = self._raw(key)
        if isinstance(opened, Rejection):
            return opened
        raw = opened if type(opened) in (BufferedReader, BytesIO) else LastingStream(opened)
        try:
            head = raw.read(_HEAD)
            mark, declared = encoding_of(head, self._document.encoding)
            encoding = encoding or self._chosen(raw, mark, declared)
            raw.seek(0)
        except UNREADABLE as error:
            raw.close()
            return _rejected(key, Stage.FETCH, Reason.UNREADABLE, f"it cannot be read ({type(error).__name__})")
        if what := other_content(head):
            raw.close()
            return _rejected(key, Stage.PARSE, Reason.MALFORMED, f"the file is {what}, not XML")
        if not encoding:
            raw.close()
            explanation = "the XML declaration names an encoding that is not supported"
            return _rejected(key, Stage.PARSE, Reason.WRONG_ENCODING, explanation)
        self._last = Opened(key, raw, mark, encoding, is_direct=isinstance(opened, BufferedReader))
        return self._last

    def close(self) -> None:
        """Close the file that is open, if any."""
        if self._last is not None:
            self._last.stream.close()
            self._last = None

    def _raw(self, key: DocumentKey) -> IO[bytes] | Rejection:
        if isinstance(self._files, SourceOfFiles):
            return self._files.open_file(key)
        document = next(self._files.fetch([key], whole=True))
        if isinstance(document, Rejection):
            return document
        content = document.content
        if isinstance(content, str):
            # The mark takes precedence over the encoding that the text declares.
            content = codecs.BOM_UTF8 + content.removeprefix("\ufeff").encode("utf-8", "surrogatepass")
        try:
            return plain(BytesIO(content or b""))
        except (NotADocumentError, *DAMAGE) as error:
            return damaged(key, "the compressed content of the column", error)

    def _chosen(self, raw: ByteStream, mark: int, encoding: str) -> str:
        """Return the encoding, or the fallback of a file that is invalid in its own."""
        fallback = self._document.fallback_encoding
        if fallback is None:
            return encoding
        if encoding:
            checked = Utf8Stream(raw, mark, encoding)
            try:
                while checked.read(_PIECE):
                    pass
            except UnicodeDecodeError:
                pass
            else:
                return encoding
        return encoding_named(fallback)


def _rejected(key: DocumentKey, stage: Stage, code: Reason, explanation: str) -> Rejection:
    return Rejection(key, Failure(stage, code, explanation), content_hash="", seconds=0.0)
