"""Addresses of files: what a directory, a glob pattern or a path names, and which members of archives."""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from xml_extractor.errors import SourceError
from xml_extractor.sources.selection import SUFFIX, is_ignored

SEPARATOR = "!"
"""Between an archive and the path of a member or a pattern of such paths."""

_SEPARATOR = re.compile(r"(?<=[^\[])!(?=.)", re.DOTALL)
"""In an address; `[!…]` is a wildcard."""


def split(address: str) -> tuple[str, str]:
    """Split an address into files and a pattern of members, which is empty if there is none."""
    if not Path(address).exists():
        for found in _SEPARATOR.finditer(address):
            files, members = address[: found.start()], address[found.end() :]
            if is_there(files):
                return files, members
    return str(address), ""


def is_there(address: str) -> bool:
    """Return whether an address is an existing file or directory, or a glob pattern in an existing directory."""
    return Path(address).exists() or (_is_pattern(address) and _fixed_part(address).is_dir())


def _is_pattern(address: str) -> bool:
    return any(character in address for character in "*?[")


def _fixed_part(files: str) -> Path:
    """Return the directory before the first part with a wildcard."""
    plain_part = Path(files)
    while _is_pattern(str(plain_part)):
        plain_part = plain_part.parent
    return plain_part


def root(address: str) -> Path:
    """Return the directory that keys are relative to."""
    path = Path(address)
    if path.is_dir():
        return path
    if path.is_file() or not _is_pattern(address):
        return path.parent
    return _fixed_part(address)


def files_below(root: Path) -> Iterator[tuple[str, os.stat_result | None]]:
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
                yield prefix + name, found
