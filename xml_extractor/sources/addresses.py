"""Addresses of files: what a directory, a glob pattern or a path names, and which members of archives."""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from xml_extractor.documents import DocumentKey, RecordKey
from xml_extractor.errors import SourceError
from xml_extractor.processing_log.log_keys import source_key
from xml_extractor.sources.hadoop import HadoopPath
from xml_extractor.sources.interfaces import Location
from xml_extractor.sources.selection import SUFFIX, is_ignored

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
        yield from ((name, modified) for name, modified in root.files(wanted) if not is_ignored(name))
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
