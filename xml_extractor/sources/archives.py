"""XML files in a zip or tar archive as a source. A document's key is the member's name; members are never extracted.

Members of a compressed tar archive can only be read in sequence. The archive is decompressed once, to a temporary file
that exists until the source is closed; other processes read that file.
"""

import bz2
import gzip
import lzma
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from io import BufferedIOBase
from pathlib import Path
from typing import IO, NamedTuple

from xml_extractor.documents import DocumentKey, Rejection, SourceDocument
from xml_extractor.errors import SourceError
from xml_extractor.processing_log.key_blocks import LoggedKeys
from xml_extractor.processing_log.log_keys import source_key
from xml_extractor.settings import KeyRange
from xml_extractor.sources.document_keys import missing, pages_of_names, too_large, unreadable
from xml_extractor.sources.files import SUFFIX, read_bounded
from xml_extractor.sources.interfaces import KeyPage

_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError)
"""Errors of the libraries for archives and members that are damaged or use an unsupported compression."""

_TIP = "check that it is complete, that its suffix is right, and that the temporary directory has free space"
_TAR_BLOCK = 512
_PIECE = 2**20
KEPT_FREE = 2**30
"""Bytes that stay free on the disk of the temporary directory ..."""
KEPT_SHARE = 10
"""... or this fraction of a small disk: one tenth."""
_ENCRYPTED = 0x1


class Member(NamedTuple):
    """A file in an archive.

    Attributes:
        size: Its length as the archive declares it, which may be wrong.
        open: Opens its content.
        obstacle: Why it cannot be read, if that is known in advance.
    """

    size: int
    open: Callable[[], IO[bytes]]
    obstacle: str = ""


class Opened(NamedTuple):
    """An open archive: the address by which other processes open it, and its files with their names."""

    address: str
    files: list[tuple[str, Member]]


def accepts(address: str) -> bool:
    """Return whether an address is a file with the suffix of an archive."""
    return bool(_suffix(address)) and Path(address).is_file()


class ArchiveSource:
    """The XML files of an archive.

    Args:
        address: The archive; its suffix is a key of `ARCHIVES`.
        max_bytes: Larger members are rejected.

    Raises:
        SourceError: The archive is damaged.
    """

    def __init__(self, address: str, max_bytes: int) -> None:
        self.name = address
        self._max_bytes = max_bytes
        with self._damage_ends_the_run(), ExitStack() as parts:
            self.address, files = ARCHIVES[_suffix(address)](address, parts)
            self._names = [name for name, _ in files if name.lower().endswith(SUFFIX)]
            # Of members with the same name the first one counts.
            self._members = {name: member for name, member in reversed(files) if name.lower().endswith(SUFFIX)}
            self._open_parts = parts.pop_all()

    def key_pages(
        self,
        page_size: int,
        key_range: KeyRange | None = None,
        log: LoggedKeys | None = None,  # noqa: ARG002 - an archive is in no database
    ) -> Iterator[KeyPage]:
        """Yield all keys in ascending order, in pages of at most `page_size`.

        Raises:
            SourceError: There is no XML file.
        """
        if not self._names:
            raise SourceError(f"there are no XML files in {self.name}", f"files are found by their suffix {SUFFIX}")
        yield from pages_of_names(self._names, page_size, key_range)

    def fetch(
        self,
        keys: Sequence[DocumentKey],
        *,
        whole: bool = False,  # noqa: ARG002 - members are always read whole
    ) -> Iterator[SourceDocument | Rejection]:
        """Yield the documents of these keys in this order; one that cannot be read is a rejection."""
        for key in keys:
            member = self._members.get(str(source_key(key)))
            yield missing(key) if member is None else self._read(key, member)

    def open_file(self, key: DocumentKey) -> IO[bytes] | Rejection:
        """Open a member; one that cannot be read is a rejection."""
        member = self._members.get(str(key))
        if member is None:
            return missing(key)
        if member.obstacle:
            return unreadable(key, member.obstacle)
        try:
            return member.open()
        except _DAMAGE as error:
            return unreadable(key, f"the member of the archive is damaged ({type(error).__name__})")

    def close(self) -> None:
        """Close the archive and delete the temporary file."""
        self._open_parts.close()

    def _read(self, key: DocumentKey, member: Member) -> SourceDocument | Rejection:
        if member.size > self._max_bytes:
            return too_large(key, self._max_bytes)
        if member.obstacle:
            return unreadable(key, member.obstacle)
        try:
            with member.open() as file:
                return read_bounded(key, file, self._max_bytes)
        except _DAMAGE as error:
            return unreadable(key, f"the member of the archive is damaged ({type(error).__name__})")

    @contextmanager
    def _damage_ends_the_run(self) -> Iterator[None]:
        try:
            yield
        except _DAMAGE as error:
            raise SourceError(f"{self.name} cannot be read as an archive: {error}", _TIP) from None


open_source = ArchiveSource


def _suffix(address: str) -> str:
    """Return the suffix of an archive's name; empty if it is none."""
    return next((suffix for suffix in ARCHIVES if address.lower().endswith(suffix)), "")


def _open_zip(name: str, parts: ExitStack) -> Opened:
    archive = parts.enter_context(zipfile.ZipFile(name))
    files = (info for info in archive.infolist() if not info.is_dir() and not stat.S_ISLNK(info.external_attr >> 16))
    return Opened(name, [(info.filename, _zip_member(archive, info)) for info in files])


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    obstacle = "the member of the archive is encrypted" if info.flag_bits & _ENCRYPTED else ""
    return Member(info.file_size, lambda: archive.open(info), obstacle)


def _open_tar(name: str, parts: ExitStack, path: str = "") -> Opened:
    archive = parts.enter_context(tarfile.TarFile(path or name))
    infos = (info for info in archive.getmembers() if info.isfile())
    files = [(info.name, Member(info.size, partial(_content, archive, info))) for info in infos]
    _check_end(name, path or name, archive.offset)
    return Opened(path or name, files)


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    content = archive.extractfile(info)
    if content is None:
        raise tarfile.ReadError("the member has no content")
    return content


def _check_end(name: str, path: str, offset: int) -> None:
    """Check that a tar archive is complete: a block of zeros ends it, but `tarfile` also stops at a damaged header."""
    with Path(path).open("rb") as file:
        file.seek(offset)
        if file.read(_TAR_BLOCK) != bytes(_TAR_BLOCK):
            raise SourceError(f"{name} is cut off or damaged after {offset} bytes of tar data", _TIP)


def _open_compressed_tar(decompress: Callable[[str], BufferedIOBase], name: str, parts: ExitStack) -> Opened:
    directory = parts.enter_context(tempfile.TemporaryDirectory(prefix="xml_extractor_"))
    plain = Path(directory, "documents.tar")
    with decompress(name) as compressed, plain.open("wb") as file:
        _decompress(name, compressed, file)
    return _open_tar(name, parts, str(plain))


def _decompress(name: str, compressed: BufferedIOBase, file: IO[bytes]) -> None:
    """Decompress, but do not fill the disk: an archive can decompress to a thousand times its size."""
    disk = Path(file.name).parent
    kept = min(KEPT_FREE, shutil.disk_usage(disk).total // KEPT_SHARE)
    while piece := compressed.read(_PIECE):
        if shutil.disk_usage(disk).free - len(piece) < kept:
            raise SourceError(
                f"{name} needs more space than the temporary directory has",
                "set TMPDIR to a directory on a larger disk, or extract the archive and name the directory",
            )
        file.write(piece)


ARCHIVES: dict[str, Callable[[str, ExitStack], Opened]] = {
    ".zip": _open_zip,
    ".tar": _open_tar,
    ".tar.gz": partial(_open_compressed_tar, gzip.GzipFile),
    ".tgz": partial(_open_compressed_tar, gzip.GzipFile),
    ".tar.bz2": partial(_open_compressed_tar, bz2.BZ2File),
    ".tar.xz": partial(_open_compressed_tar, lzma.LZMAFile),
}
"""Functions that open an archive, by the suffix of its name."""
