"""Zip and tar archives, recognized by their content. Members are read in place and never extracted.

Members of a compressed tar archive can only be read in sequence. The process that lists the keys decompresses such an
archive once, into a spool directory that exists until its source is closed; other processes read that copy.
"""

import shutil
import stat
import tarfile
import tempfile
import uuid
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import IO, NamedTuple, Self

from xml_extractor.content import Kind, kind_of, office_content, other_content
from xml_extractor.errors import SourceError, system_error
from xml_extractor.escaping import escaped
from xml_extractor.sources.interfaces import Location
from xml_extractor.sources.streams import DAMAGE, decompressed, retried

LARGEST_DIRECTORY = 32 * 2**20
"""Bytes of a zip archive's directory, and a multiple of those of a tar's headers: the memory that its members take."""

MOST_MEMBERS = 500_000
LONGEST_NAME = 2**20
"""Bytes of a tar header's extension, such as a long name."""

KEPT_FREE = 2**30
"""Bytes that stay free on the disk of the temporary directory ..."""
KEPT_SHARE = 10
"""... or this fraction of a small disk: one tenth."""

_TIP = "check that it is complete, and that the temporary directory has free space"
_TOO_MANY = "split it, or extract it and name the directory"
_PIECE = 2**20
_ENCRYPTED = 0x1
_KEPT_OPEN = 4
_LONGEST_COMMENT = 2**16
_EXTENSIONS = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, *tarfile.GNU_TYPES[:2])
_END, _LOCATOR = b"PK\x05\x06", b"PK\x06\x07"


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
    """The files of an archive by their names; and the names that occur again. The first file of a name counts."""

    members: dict[str, Member]
    repeated: list[str]


class SpooledAddress(str):
    """The address of a source, and the directory in which its decompressed archives are."""

    __slots__ = ("spool",)
    spool: str

    def __new__(cls, address: str, spool: str) -> Self:
        """Return the address."""
        made = super().__new__(cls, address)
        made.spool = spool
        return made

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        """Pickle the address with the directory."""
        return type(self), (str(self), self.spool)


class Spool:
    """A directory for decompressed archives and for standard input, created when it is needed.

    Args:
        address: The address of the source. If another process has opened the source, it carries the spool.
    """

    def __init__(self, address: str) -> None:
        self._is_own = not isinstance(address, SpooledAddress)
        name = f"xml_extractor_{uuid.uuid4().hex}"
        self.path = Path(address.spool) if isinstance(address, SpooledAddress) else Path(tempfile.gettempdir(), name)

    def file_for(self, name: str) -> Path:
        """Return the path of what is decompressed from the file with this name."""
        return self.path / f"{blake2b(name.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}.tar"

    def write(self, name: str, source: IO[bytes], path: Path) -> None:
        """Write a stream to a file, but do not fill the disk: an archive can decompress to a thousand times its size.

        Args:
            name: The name of the stream in messages.
            source: The stream.
            path: A path in the directory.

        Raises:
            SourceError: The disk has too little space.
        """
        self.path.mkdir(mode=0o700, exist_ok=True)
        kept = min(KEPT_FREE, shutil.disk_usage(self.path).total // KEPT_SHARE)
        with ExitStack() as undone:
            undone.callback(path.unlink, missing_ok=True)
            with path.open("wb") as file:
                while piece := source.read(_PIECE):
                    if shutil.disk_usage(self.path).free - len(piece) < kept:
                        raise SourceError(
                            f"{name} needs more space than the temporary directory has",
                            "set TMPDIR to a directory on a larger disk, or extract the archive and name the directory",
                        )
                    file.write(piece)
            undone.pop_all()

    def close(self) -> None:
        """Delete the directory, if this process created it."""
        if self._is_own:
            shutil.rmtree(self.path, ignore_errors=True)


class ArchiveError(Exception):
    """An archive cannot be read.

    Attributes:
        what: Why, as a predicate whose subject is the archive.
        tip: What to do.
        is_other: Whether it is a file of another format that is a zip archive as well, such as an Excel workbook.
    """

    def __init__(self, what: str, tip: str, *, is_other: bool = False) -> None:
        super().__init__(what)
        self.what = what
        self.tip = tip
        self.is_other = is_other


class Archives:
    """Opens the archives of a source; those opened last stay open.

    Args:
        root: The directory that names of archives are relative to.
        spool: Where compressed archives are decompressed.
    """

    def __init__(self, root: Location, spool: Spool) -> None:
        self._root = root
        self._spool = spool
        self._open: OrderedDict[str, tuple[Opened, ExitStack]] = OrderedDict()

    def opened(self, name: str) -> Opened:
        """Open an archive, unless it is open, and return its files.

        Raises:
            ArchiveError: It is damaged, has too many members, or is no archive.
            RunError: The system, such as the disk of the temporary directory, has no resources left.
        """
        if name not in self._open:
            with ExitStack() as parts:
                try:
                    opened = retried(partial(self._opened, name, parts))
                except DAMAGE as error:
                    if isinstance(error, OSError) and (exhausted := system_error(error)) is not None:
                        raise exhausted from None
                    raise ArchiveError(f"cannot be read as an archive: {escaped(str(error))}", _TIP) from None
                self._open[name] = opened, parts.pop_all()
        self._open.move_to_end(name)
        while len(self._open) > _KEPT_OPEN:
            self._open.popitem(last=False)[1][1].close()
        return self._open[name][0]

    def close(self) -> None:
        """Close all archives."""
        while self._open:
            self._open.popitem()[1][1].close()

    def _opened(self, name: str, parts: ExitStack) -> Opened:
        file = parts.enter_context((self._root / name).open("rb"))
        stream, head = decompressed(file)
        kind = kind_of(head)
        if kind is Kind.TAR and stream is not file:
            copy = self._spool.file_for(name)
            if not copy.exists():
                self._spool.write(escaped(str(self._root / name)), stream, copy)
            stream = parts.enter_context(copy.open("rb"))
        if kind is Kind.TAR:
            return _by_name(_tar_members(stream, parts))
        if kind is Kind.ZIP and stream is file:
            return _by_name(_zip_members(file, parts))
        content = other_content(head) or "of no known kind"
        raise ArchiveError(f"cannot be read as an archive: its content is {content}", _TIP)


def _by_name(members: Iterator[tuple[str, Member]]) -> Opened:
    found: dict[str, Member] = {}
    repeated = []
    for name, member in members:
        if found.setdefault(name, member) is not member:
            repeated.append(name)
    return Opened(found, repeated)


def _zip_members(file: IO[bytes], parts: ExitStack) -> Iterator[tuple[str, Member]]:
    if _directory_bytes(file) > LARGEST_DIRECTORY:
        raise ArchiveError(f"has a directory of more than {LARGEST_DIRECTORY:,} bytes", _TOO_MANY)
    archive = parts.enter_context(zipfile.ZipFile(file))
    content = office_content(archive.namelist())
    if content:
        raise ArchiveError(f"is {content}", "name a source of XML documents", is_other=True)
    for info in archive.infolist():
        if not info.is_dir() and not stat.S_ISLNK(info.external_attr >> 16):
            obstacle = "the member of the archive is encrypted" if info.flag_bits & _ENCRYPTED else ""
            yield info.filename, Member(info.file_size, partial(archive.open, info), obstacle)


def _directory_bytes(file: IO[bytes]) -> int:
    """Return the size of a zip archive's directory as its end declares it, before `zipfile` reads all of it."""
    size = file.seek(0, 2)
    start = max(size - _LONGEST_COMMENT - 22, 0)
    file.seek(start)
    tail = file.read()
    end = tail.rfind(_END)
    if end < 0:
        return 0
    found = int.from_bytes(tail[end + 12 : end + 16], "little")
    if tail[end - 20 : end - 16] == _LOCATOR:
        file.seek(min(int.from_bytes(tail[end - 12 : end - 4], "little"), size))
        found = max(found if found != 2**32 - 1 else 0, int.from_bytes(file.read(56)[40:48], "little"))
    return found


class _Header(tarfile.TarInfo):
    """A header of a tar archive whose extensions are small, because `tarfile` reads them whole."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Return the header of a block.

        Raises:
            tarfile.ReadError: An extension is too long.
        """
        header = super().frombuf(buf, encoding, errors)
        if header.type not in _EXTENSIONS or header.size <= LONGEST_NAME:
            return header
        raise tarfile.ReadError("the extension of a header is too long")


def _tar_members(file: IO[bytes], parts: ExitStack) -> Iterator[tuple[str, Member]]:
    archive = parts.enter_context(tarfile.TarFile(fileobj=file, tarinfo=_Header))
    count = 0
    while (info := archive.next()) is not None:
        archive.members.clear()  # type: ignore[attr-defined] # else it keeps all; its stubs lack the attribute
        count += 1
        if count > MOST_MEMBERS:
            raise ArchiveError(f"has more than {MOST_MEMBERS:,} members", _TOO_MANY)
        if info.isfile():
            yield info.name, Member(info.size, partial(_content, archive, info))
    # A block of zeros ends it, but `tarfile` also stops at a damaged header.
    file.seek(archive.offset)
    if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise ArchiveError(f"is cut off or damaged after {archive.offset} bytes of tar data", _TIP)


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    content = archive.extractfile(info)
    if content is None:
        raise tarfile.ReadError("the member has no content")
    return content
