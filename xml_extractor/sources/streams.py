"""Files and members as streams of plain bytes: compressed streams are decompressed while they are read."""

import bz2
import errno
import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from io import BufferedIOBase, BytesIO
from typing import IO, TypeVar, cast

from xml_extractor.content import ARCHIVES, HEAD, SHORT_HEAD, Kind, is_compressed, kind_of, other_content
from xml_extractor.documents import DocumentKey, Rejection, SourceDocument
from xml_extractor.sources.document_keys import too_large, unreadable
from xml_extractor.stopping import pauses_end

Answer = TypeVar("Answer")

DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError),
    *(NotImplementedError, RuntimeError),
)
"""Errors of the libraries for archives and streams that are damaged, encrypted or use an unsupported method."""

TRANSIENT_ERRORS = {errno.EIO, errno.EBUSY, errno.ESTALE, errno.ETIMEDOUT, errno.EINTR}
"""Errors of a file that another program holds for a moment, or that lies on a share. Source: errno(3)."""

PAUSES_SECONDS = (0.1, 0.5, 1.0)
"""Before another attempt to read a file after such an error."""


_READERS: dict[Kind, Callable[[IO[bytes]], object]] = {
    Kind.GZIP: lambda file: gzip.GzipFile(fileobj=file),
    Kind.BZIP2: bz2.BZ2File,
    Kind.XZ: lzma.LZMAFile,
}


class Decompressed(BufferedIOBase):
    """A compressed stream, decompressed. Going back reads it anew. Closing it closes the file below it."""

    def __init__(self, file: IO[bytes], kind: Kind) -> None:
        self._file = file
        self._plain = cast("IO[bytes]", _READERS[kind](file))

    def readable(self) -> bool:
        """Return true."""
        return True

    def seekable(self) -> bool:
        """Return true."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Read up to `size` bytes; fewer only at the end."""
        return self._plain.read(-1 if size is None else size)

    def read1(self, size: int = -1, /) -> bytes:
        """Read up to `size` bytes, but none that follow a damage."""
        return cast("BufferedIOBase", self._plain).read1(size)

    def seek(self, position: int, whence: int = 0, /) -> int:
        """Go to a position."""
        return self._plain.seek(position, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._plain.tell()

    def close(self) -> None:
        """Close the stream and the file."""
        if not self.closed:
            self._plain.close()
            self._file.close()
            super().close()


class NotADocumentError(Exception):
    """A content that holds documents, where only a document can be. The message names it."""


def plain(file: IO[bytes]) -> IO[bytes]:
    """Return the stream of a document, decompressed.

    Args:
        file: A file at its start; closed with the stream, or if it is no document.

    Raises:
        NotADocumentError: It is an archive.
    """
    with ExitStack() as unused:
        unused.callback(file.close)
        stream, head = decompressed(file)
        if kind_of(head) in ARCHIVES:
            raise NotADocumentError(f"it is {other_content(head)}, not a document")
        unused.pop_all()
    return stream


def retried(read: Callable[[], Answer]) -> Answer:
    """Call a function that opens and reads a file, several times after transient errors; raise the last one."""
    for pause in PAUSES_SECONDS:
        try:
            return read()
        except OSError as error:
            if error.errno not in TRANSIENT_ERRORS or pauses_end.wait(pause):
                raise
    return read()


def decompressed(file: IO[bytes]) -> tuple[IO[bytes], bytes]:
    """Return the decompressed stream of a file, at its start, and its first bytes."""
    peek = getattr(file, "peek", None)
    head = bytes(peek(HEAD)[:HEAD]) if peek else b""
    if len(head) < SHORT_HEAD:
        head = file.read(HEAD)
        file.seek(0)
    if not is_compressed(head):
        return file, head
    stream = Decompressed(file, kind_of(head) or Kind.GZIP)
    head = _first_bytes(stream)
    stream.seek(0)
    return cast("IO[bytes]", stream), head


def _first_bytes(stream: Decompressed) -> bytes:
    """Return up to `HEAD` bytes of a stream; fewer if it is damaged behind them."""
    head = b""
    while len(head) < HEAD:
        try:
            piece = stream.read1(HEAD - len(head))
        except DAMAGE:
            if not head:
                raise
            break
        if not piece:
            break
        head += piece
    return head


def read_bounded(key: DocumentKey, file: IO[bytes], max_bytes: int) -> SourceDocument | Rejection:
    """Read a document, and at most one byte more than it may have, whatever its declared size."""
    content = file.read(max_bytes + 1)
    return too_large(key, max_bytes) if len(content) > max_bytes else SourceDocument(key, content)


def plain_document(document: SourceDocument, max_bytes: int) -> SourceDocument | Rejection:
    """Return the document of a column, decompressed."""
    content = document.content
    if not isinstance(content, bytes) or not is_compressed(content):
        return document
    try:
        with plain(BytesIO(content)) as stream:
            return read_bounded(document.key, stream, max_bytes)
    except (NotADocumentError, *DAMAGE) as error:
        return damaged(document.key, "the compressed content of the column", error)


def damaged(key: DocumentKey, what: str, error: Exception) -> Rejection:
    """Reject a document that a damaged container holds.

    Args:
        key: Its key.
        what: What is damaged.
        error: The error of the library; its text may quote the content.
    """
    if isinstance(error, NotADocumentError):
        return unreadable(key, str(error))
    if isinstance(error, OSError) and error.errno is not None:
        return unreadable(key, f"{what} cannot be read: {error.strerror}")
    how = "breaks off" if isinstance(error, EOFError) else f"is damaged ({type(error).__name__})"
    return unreadable(key, f"{what} {how}")
