"""Which files an address names, which of them and of the members of archives are documents, and which are archives."""

import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path
from typing import IO

from xml_extractor.content import ARCHIVES, Kind, kind_of, other_content
from xml_extractor.documents import DocumentKey, RecordKey
from xml_extractor.errors import SourceError
from xml_extractor.processing_log.log_keys import source_key
from xml_extractor.sources.archives import Member
from xml_extractor.sources.hadoop import HadoopPath
from xml_extractor.sources.interfaces import Location
from xml_extractor.sources.streams import DAMAGE, decompressed, retried

SEPARATOR = "!"
"""Between an archive and the path of a member or a pattern of such paths."""

_SEPARATOR = re.compile(r"(?<=[^\[])!(?=.)", re.DOTALL)
"""In an address; `[!…]` is a wildcard."""


def location(address: str) -> Location:
    """Return the path at an address without wildcards."""
    return HadoopPath(address) if "://" in address else Path(address)


def split(address: str) -> tuple[str, str]:
    """Split an address into files and a pattern of members, which is empty if there is none."""
    if not location(address).exists():
        for found in _SEPARATOR.finditer(address):
            files, members = address[: found.start()], address[found.end() :]
            if is_there(files):
                return files, members
    return str(address), ""


def is_there(address: str) -> bool:
    """Return whether an address is an existing file or directory, or a glob pattern in an existing directory."""
    return location(address).exists() or (_is_pattern(address) and _fixed_part(address).is_dir())


def _is_pattern(address: str) -> bool:
    return any(character in address for character in "*?[")


def _fixed_part(files: str) -> Location:
    """Return the directory before the first part with a wildcard."""
    plain_part = location(files)
    while _is_pattern(str(plain_part)) and plain_part.name:
        plain_part = plain_part.parent
    return plain_part


def root(address: str) -> Location:
    """Return the directory that keys are relative to."""
    path = location(address)
    if path.is_dir():
        return path
    if path.is_file() or not _is_pattern(address):
        return path.parent
    return _fixed_part(address)


def files_at(address: str, root: Location) -> Iterator[tuple[str, float | None]]:
    """Yield the names of the files at an address, and when they were modified, if that is known.

    Args:
        address: A directory, a pattern or a file.
        root: The directory that names are relative to.
    """
    path = location(address)
    if isinstance(root, HadoopPath):
        wanted = "**" if path.is_dir() else address.removeprefix(str(root)).lstrip("/")
        found_there = root.files(pattern(wanted), is_recursive="/" in wanted or "**" in wanted)
        yield from (found for found in found_there if not is_ignored(found[0]))
    elif path.is_dir():
        yield from _files_below(Path(address))
    else:
        found = [Path(address)] if path.is_file() else Path(str(root)).glob(os.path.relpath(address, str(root)))
        for file in found:
            name = file.relative_to(str(root)).as_posix()
            with suppress(FileNotFoundError):
                if path.is_file() or (file.is_file() and not is_ignored(name)):
                    yield name, file.stat().st_mtime


class FilesOfKeys:
    """Knows which file at an address of Hadoop holds a document, without a look at each document.

    Args:
        address: The address of a source of files.

    Attributes:
        root: The directory that names of files are relative to.
        only: The name of the file that is the whole source; empty if it can have several.
    """

    def __init__(self, address: str) -> None:
        files, _ = split(address)
        path = HadoopPath(files)
        self.root = HadoopPath(str(root(files)))
        self.only = path.name if path.is_file() else ""
        self._archive = SEPARATOR

    def file_of(self, key: DocumentKey) -> str:
        """Return the name of the file of a document; keys of the same archive are asked for one after the other."""
        name = str(source_key(key.place.file if isinstance(key, RecordKey) else key))
        if self.only or SEPARATOR not in name:
            return self.only or name
        if not name.startswith(self._archive + SEPARATOR):
            ends = [place for place, character in enumerate(name) if character == SEPARATOR]
            self._archive = next((name[:end] for end in ends if (self.root / name[:end]).is_file()), name)
        return self._archive


def _files_below(root: Path) -> Iterator[tuple[str, float | None]]:
    """Yield the files below a directory. What cannot be examined counts as a file, so that it is rejected.

    Examples are links to nothing or to themselves.
    """

    def fail(error: OSError) -> None:
        raise SourceError(f"the directory {error.filename} cannot be read: {error.strerror}", "check its permissions")

    for folder, folders, names in os.walk(root, onerror=fail):
        folders[:] = [name for name in folders if not is_ignored(name)]
        below = Path(folder).relative_to(root).as_posix()
        prefix = "" if below == "." else f"{below}/"
        for name in names:
            try:
                found = os.stat(os.path.join(folder, name))  # noqa: PTH116, PTH118 - for each of millions of files
            except OSError:
                if name.lower().endswith(SUFFIX):
                    yield prefix + name, None
                continue
            if stat.S_ISREG(found.st_mode) and not is_ignored(name):
                yield prefix + name, found.st_mtime


SUFFIX = ".xml"
"""Of names whose files are documents whatever they contain, and are not examined when they are listed."""

_ARCHIVE_NAME = re.compile(r"\.(?:zip|tar|tar\.\w+|tgz|tbz2?|txz)$", re.IGNORECASE)
_COMPRESSED_NAME = re.compile(r"\.xml\.(?:gz|bz2|xz)$", re.IGNORECASE)
_WILDCARDS = re.compile(r"\*\*/|\*\*|\*|\?|\[!?[^\]]+\]")
_OF_MACOS = "__MACOSX"
_FORK_OF_MACOS = "._"


class Role(Enum):
    """What a file is to its source."""

    DOCUMENT = auto()
    ARCHIVE = auto()
    DAMAGED = auto()
    """An archive by its name, but not by its content."""
    UNNAMED = auto()
    """XML by its content, but not by its name, in a directory."""
    NONE = auto()


def is_archive_name(name: str) -> bool:
    """Return whether the name of a file is that of an archive."""
    return _ARCHIVE_NAME.search(name) is not None


def is_ignored(name: str) -> bool:
    """Return whether a path is one of those that macOS adds to directories and archives."""
    *folders, file = name.split("/")
    return file.startswith(_FORK_OF_MACOS) or _OF_MACOS in (*folders, file)


def role_of(path: Location, name: str, *, is_chosen: bool) -> Role:
    """Return the role of a file by its content.

    Args:
        path: The file.
        name: Its name.
        is_chosen: Whether the user named it, or a pattern of its name.
    """
    is_named = is_archive_name(name) or _COMPRESSED_NAME.search(name) is not None
    try:
        kind, is_compressed, _ = retried(lambda: _kind(path.open("rb")))
    except DAMAGE as error:
        is_unreadable = isinstance(error, OSError) and error.errno is not None
        if is_archive_name(name) and not is_unreadable:
            return Role.DAMAGED
        return Role.DOCUMENT if is_chosen or is_named or not is_unreadable else Role.NONE
    if kind is Kind.TAR or (kind is Kind.ZIP and not is_compressed):
        return Role.ARCHIVE
    if kind is Kind.XML and not (is_compressed or is_chosen or is_named):
        return Role.UNNAMED
    if is_archive_name(name) and kind is not Kind.XML:
        return Role.DAMAGED
    is_document = is_chosen or is_named or (is_compressed and kind is Kind.XML)
    return Role.DOCUMENT if is_document else Role.NONE


def _kind(file: IO[bytes]) -> tuple[Kind | None, bool, bytes]:
    """Return what a file holds, whether it is compressed, and its first bytes; close it."""
    with file:
        stream, head = decompressed(file)
        with stream:
            return kind_of(head), stream is not file, head


def member_role(path: str, member: Member) -> Role:
    """Return the role of a member. Archives inside archives are documents, so that they are rejected."""
    if path.lower().endswith(SUFFIX):
        return Role.DOCUMENT
    is_named = is_archive_name(path) or _COMPRESSED_NAME.search(path) is not None
    if member.obstacle:
        return Role.DOCUMENT if is_named else Role.NONE
    try:
        kind, is_compressed, head = retried(lambda: _kind(member.open()))
    except DAMAGE:
        return Role.DOCUMENT if is_named else Role.NONE
    is_archive = kind in ARCHIVES and other_content(head) == kind
    return Role.DOCUMENT if is_named or is_archive or (is_compressed and kind is Kind.XML) else Role.NONE


def pattern(text: str) -> Callable[[str], bool]:
    """Return whether a path matches a pattern: `*`, `?` and `[…]` within a folder, `**` across folders.

    Args:
        text: The pattern, or exactly a path.
    """
    expression = re.compile(_expression(text), re.DOTALL)
    return lambda path: path == text or expression.fullmatch(path) is not None


def _expression(text: str) -> str:
    found, position = [], 0
    for wildcard in _WILDCARDS.finditer(text):
        found.append(re.escape(text[position : wildcard.start()]))
        position = wildcard.end()
        match wildcard[0]:
            case "**/":
                found.append("(?:.*/)?")
            case "**":
                found.append(".*")
            case "*":
                found.append("[^/]*")
            case "?":
                found.append("[^/]")
            case characters:
                inner = characters[1:-1]
                is_not = inner.startswith("!")
                escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", inner[1:] if is_not else inner)
                found.append(f"[{'^/' if is_not else ''}{escaped}]")
    return "".join(found) + re.escape(text[position:])
