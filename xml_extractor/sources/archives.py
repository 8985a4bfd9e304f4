"""XML files in a zip or tar archive as a source. A document's key is the member's name; no member is ever extracted.

Members of a compressed tar archive can only be read one after the other. It is decompressed once, to a temporary file
that lives until the source is closed; other processes read that one.
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
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from io import BufferedIOBase
from pathlib import Path
from typing import IO, NamedTuple, TypeVar

from xml_extractor.documents import DocumentKey, Rejection, SourceDocument
from xml_extractor.errors import SourceError
from xml_extractor.processing_log.log_table import LogPlace
from xml_extractor.settings import KeyRange
from xml_extractor.sources.document_keys import check_text_key, missing, name_pages, too_large, unreadable
from xml_extractor.sources.files import SUFFIX, read_bounded
from xml_extractor.sources.interfaces import KeyPage

Info = TypeVar("Info")

_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError)
"""What the libraries raise for archives and members that are damaged, or packed in a way that they do not know."""

_TIP = "see that it is whole and of the kind its ending says, and that there is room for it in the temporary directory"
_TAR_BLOCK = 512
_PIECE = 2**20
KEPT_FREE = 2**30
KEPT_SHARE = 10
"""Bytes that stay free on the disk of the temporary directory, or one in so many of a small disk."""
_ENCRYPTED = 0x1


class Member(NamedTuple):
    """A file in an archive.

    Attributes:
        size: Its length by the archive's word, which may be wrong.
        open: Opens its content.
        obstacle: Why it cannot be read, if that is known from the start.
    """

    size: int
    open: Callable[[], IO[bytes]]
    obstacle: str = ""


class Opened(NamedTuple):
    """An open archive: what other processes open it by, and its XML files by name."""

    address: str
    members: dict[str, Member]


class ArchiveSource:
    """The XML files of an archive.

    Args:
        address: The archive; its ending, a key of `ARCHIVES`, says of what kind.
        max_bytes: Larger members are rejected.

    Raises:
        SourceError: It is no such archive, damaged, or has two members of one name.
    """

    def __init__(self, address: str, max_bytes: int) -> None:
        self.name = address
        self._max_bytes = max_bytes
        with self._damage_ends_the_run(), ExitStack() as parts:
            self.address, self._members = ARCHIVES[archive_suffix(address)](address, parts)
            self._open_parts = parts.pop_all()

    def key_pages(
        self,
        page_size: int,
        key_range: KeyRange | None = None,
        log: LogPlace | None = None,  # noqa: ARG002 - an archive is in no database
    ) -> Iterator[KeyPage]:
        """All keys in ascending order, in pages of at most `page_size`.

        Raises:
            SourceError: There is no XML file, or a name is too long for the log.
        """
        if not self._members:
            raise SourceError(f"there are no XML files in {self.name}", f"files are found by their ending {SUFFIX}")
        for key in self._members:
            check_text_key(key, self.name)
        for page in name_pages(sorted(self._members), page_size, key_range):
            yield KeyPage([*page])

    def fetch(
        self,
        keys: Sequence[DocumentKey],
        *,
        whole: bool = False,  # noqa: ARG002 - nothing is ever cut here
    ) -> Iterator[SourceDocument | Rejection]:
        """The documents of these keys in this order; one that cannot be read, or is not there, is a rejection."""
        for key in keys:
            member = self._members.get(str(key))
            yield missing(key) if member is None else self._read(key, member)

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


def archive_suffix(address: str) -> str:
    """The ending that says of what kind an archive is; empty if it is none."""
    return next((suffix for suffix in ARCHIVES if address.lower().endswith(suffix)), "")


def _open_zip(name: str, parts: ExitStack) -> Opened:
    archive = parts.enter_context(zipfile.ZipFile(name))

    def member(info: zipfile.ZipInfo) -> Member:
        obstacle = "the member of the archive is encrypted" if info.flag_bits & _ENCRYPTED else ""
        return Member(info.file_size, lambda: archive.open(info), obstacle)

    files = ((info.filename, info) for info in archive.infolist() if not info.is_dir() and not _is_link(info))
    return Opened(name, {key: member(info) for key, info in _xml_files(name, files).items()})


def _is_link(info: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(info.external_attr >> 16)


def _open_tar(name: str, parts: ExitStack, path: str = "") -> Opened:
    archive = parts.enter_context(tarfile.TarFile(path or name))

    def member(info: tarfile.TarInfo) -> Member:
        return Member(info.size, lambda: _content(archive, info))

    files = ((info.name, info) for info in archive.getmembers() if info.isfile())
    members = {key: member(info) for key, info in _xml_files(name, files).items()}
    _see_that_end_is_there(name, path or name, archive.offset)
    return Opened(path or name, members)


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    content = archive.extractfile(info)
    if content is None:
        raise tarfile.ReadError("the member has no content")
    return content


def _see_that_end_is_there(name: str, path: str, offset: int) -> None:
    """`tarfile` takes a damaged header for the end of the archive; the true end is a block of zeros."""
    with Path(path).open("rb") as file:
        file.seek(offset)
        if file.read(_TAR_BLOCK) != bytes(_TAR_BLOCK):
            raise SourceError(f"{name} is cut off or damaged after {offset} bytes of tar data", _TIP)


def _open_compressed_tar(decompress: Callable[[str], BufferedIOBase], name: str, parts: ExitStack) -> Opened:
    directory = parts.enter_context(tempfile.TemporaryDirectory(prefix="xml_extractor_"))
    plain = Path(directory, "documents.tar")
    with decompress(name) as compressed, plain.open("wb") as file:
        _unpack(name, compressed, file)
    return _open_tar(name, parts, str(plain))


def _unpack(name: str, compressed: BufferedIOBase, file: IO[bytes]) -> None:
    """Decompress, but leave room on the disk for others: a small file can unpack to a thousand times its size."""
    disk = Path(file.name).parent
    kept = min(KEPT_FREE, shutil.disk_usage(disk).total // KEPT_SHARE)
    while piece := compressed.read(_PIECE):
        if shutil.disk_usage(disk).free - len(piece) < kept:
            raise SourceError(
                f"{name} unpacks to more than there is room for in the temporary directory",
                "let TMPDIR name a directory on a larger disk, or unpack the archive and name the directory",
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
"""How to open an archive, by the ending of its name."""


def _xml_files(archive: str, members: Iterable[tuple[str, Info]]) -> dict[str, Info]:
    found: dict[str, Info] = {}
    for name, info in members:
        if name.lower().endswith(SUFFIX):
            if name in found:
                raise SourceError(f"{archive} has two members with the name {name}", "pack it again with one of them")
            found[name] = info
    return found
