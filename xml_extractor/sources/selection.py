"""Which files of a directory and which members of an archive are documents, and which files are archives."""

import re
from collections.abc import Callable
from enum import Enum, auto
from typing import IO

from xml_extractor.content import ARCHIVES, Kind, kind_of, other_content
from xml_extractor.sources.archives import Member
from xml_extractor.sources.interfaces import Location
from xml_extractor.sources.streams import DAMAGE, decompressed, retried

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
