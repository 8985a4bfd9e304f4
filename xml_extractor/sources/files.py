"""Files as a source: a directory, a glob pattern, one file or standard input; and the archives among the files.

The key of a file is its path below the directory, that of an archive's member is `ARCHIVE!PATH`.
"""

import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import IO, NamedTuple, TypeVar

from xml_extractor.contract.model import Contract
from xml_extractor.documents import ArchiveKey, DocumentKey, Failure, RecordPlace, Rejection, Skipped, SourceDocument
from xml_extractor.errors import SourceError, UsageError, system_error
from xml_extractor.escaping import escaped
from xml_extractor.processing_log.log_keys import LoggedKeys, log_key, source_key, standing_in
from xml_extractor.reasons import Reason, Stage
from xml_extractor.settings import KeyRange
from xml_extractor.sources.archives import ArchiveError, Archives, Opened, Spool, SpooledAddress
from xml_extractor.sources.document_keys import (
    in_range,
    keys_of_names,
    missing,
    pages_of,
    pages_of_names,
    too_large,
    unreadable,
)
from xml_extractor.sources.interfaces import KeyPage, Location
from xml_extractor.sources.selection import (
    SEPARATOR,
    SUFFIX,
    Role,
    files_at,
    is_archive_name,
    is_ignored,
    is_there,
    location,
    member_role,
    pattern,
    role_of,
    root,
    split,
)
from xml_extractor.sources.streams import DAMAGE, NotADocumentError, damaged, plain, read_bounded, retried

Result = TypeVar("Result")

logger = logging.getLogger(__name__)

STANDARD_INPUT = "-"


def accepts(address: str) -> bool:
    """Return whether an address is standard input, an existing file or directory, or a glob pattern in a directory."""
    return address == STANDARD_INPUT or is_there(address) or bool(split(address)[1])


def open_source(address: str, contract: Contract, max_bytes: int, min_age: int, /) -> "FileSource":
    """Open the source at an address.

    Raises:
        UsageError: Standard input is a terminal.
        SourceError: The only file is an archive that cannot be read.
    """
    return FileSource(address, max_bytes, has_records=contract.document.records is not None, min_age=min_age)


class _Listed(NamedTuple):
    """The files of a source: the names of documents and of archives, and what is left out."""

    documents: list[str]
    archives: list[str]
    unnamed: int = 0


class FileSource:
    """XML files, and those in archives.

    Args:
        address: A directory (its *.xml files at any depth, in upper or lower case; archives and compressed XML files by
            their content), a glob pattern (all matching files; `**` matches any depth), a file, or `-`. After these and
            `!`: a pattern of members, to read only those of archives.
        max_bytes: Larger documents are rejected.
        has_records: Whether documents are records of the files, whose keys always name the archive.
        min_age: Files that changed in this number of seconds are not listed.

    Attributes:
        too_new: How many files were not listed because of `min_age`.

    Raises:
        UsageError: Standard input is a terminal.
        SourceError: The only file is an archive that cannot be read.
    """

    def __init__(self, address: str, max_bytes: int, *, has_records: bool = False, min_age: int = 0) -> None:
        self.name = address
        self.documents: int | None = None
        self.too_new = 0
        self._max_bytes = max_bytes
        self._min_age = min_age
        self._spool = Spool(address)
        if address == STANDARD_INPUT:
            self.name, self._min_age = "standard input", 0
            address = str(_spooled_input(self._spool))
        self.address: str = SpooledAddress(address, str(self._spool.path))
        self._files, members = split(address)
        self._members = pattern(members) if members else None
        self._root = root(self._files)
        self._archives = Archives(self._root, self._spool)
        path = location(self._files)
        self._only = path.name if path.is_file() else ""
        self._is_directory = path.is_dir()
        self._archive = ""
        if self._only and self._role(path, self._only) is Role.ARCHIVE:
            self._archive = self._only
            try:
                self._archives.opened(self._archive)
            except ArchiveError as error:
                self.close()
                raise SourceError(f"{escaped(self.name)} {error.what}", error.tip) from None
        # The members of another archive on standard input are other documents.
        self._has_bare_keys = bool(self._archive) and not has_records and self._root != self._spool.path

    def key_pages(
        self,
        page_size: int,
        key_range: KeyRange | None = None,
        log: LoggedKeys | None = None,  # noqa: ARG002 - files are in no database
    ) -> Iterator[KeyPage]:
        """Yield all keys in ascending order, in pages of at most `page_size`.

        Raises:
            SourceError: A directory cannot be read; or the source is an archive without XML files.
        """
        listed = self._listed()
        if key_range is not None and self._has_bare_keys:
            prefix = self._archive + SEPARATOR
            key_range = KeyRange(key_range.first.removeprefix(prefix), key_range.last.removeprefix(prefix))
        self._report(listed)
        if listed.archives:
            yield from pages_of(in_range(self._keys(listed), key_range), page_size)
        else:
            # A pattern may match a file more than once.
            names = set(listed.documents)
            self.documents = len(names) if key_range is None else None
            yield from pages_of_names(names, page_size, key_range)

    def fetch(
        self,
        keys: Sequence[DocumentKey],
        *,
        whole: bool = False,  # noqa: ARG002 - files are always read whole
    ) -> Iterator[SourceDocument | Rejection]:
        """Yield the documents of these keys in this order; one that cannot be read is a rejection.

        Raises:
            SourceError: The directory does not exist any more.
        """

        def read(key: DocumentKey) -> SourceDocument | Rejection:
            def content(file: IO[bytes]) -> SourceDocument | Rejection:
                with file:
                    return read_bounded(key, file, self._max_bytes)

            return self._opened(key, content, self._max_bytes)

        return map(read, keys)

    def open_file(self, key: DocumentKey) -> IO[bytes] | Rejection:
        """Open a file; one that cannot be read is a rejection.

        Raises:
            SourceError: The directory does not exist any more.
        """
        return self._opened(key, lambda file: file)

    def close(self) -> None:
        """Close the archives, and delete what was decompressed."""
        self._archives.close()
        self._spool.close()

    def _opened(
        self, key: DocumentKey, use: Callable[[IO[bytes]], Result], max_size: int = sys.maxsize
    ) -> Result | Rejection:
        """Open a file or a member and use it."""
        if isinstance(key, ArchiveKey):
            return _of_archive(key)
        archive, path = self._located(str(source_key(key)))
        if archive:
            return self._opened_member(key, archive, path, use, max_size)
        return self._opened_file(key, self._root / path, use)

    def _opened_member(
        self, key: DocumentKey, archive: str, path: str, use: Callable[[IO[bytes]], Result], max_size: int
    ) -> Result | Rejection:
        """Open a member and use it, several times after transient errors."""

        def read() -> Result | Rejection:
            member = self._archives.opened(archive).members.get(path)
            if member is None or member.obstacle:
                return unreadable(key, member.obstacle) if member else missing(key)
            file = plain(member.open())
            if member.size <= max_size:
                return use(file)
            file.close()
            return too_large(key, max_size)

        try:
            return retried(read)
        except ArchiveError as error:
            self._check_directory()
            return unreadable(key, f"its archive {error.what}")
        except NotADocumentError as error:
            return unreadable(key, f"{error}; extract it, because an archive inside an archive is not opened")
        except DAMAGE as error:
            return damaged(key, "the member of the archive", error)

    def _opened_file(self, key: DocumentKey, path: Location, use: Callable[[IO[bytes]], Result]) -> Result | Rejection:
        """Open a file and use it, several times after transient errors."""
        try:
            return retried(lambda: use(plain(path.open("rb"))))
        except FileNotFoundError:
            self._check_directory()
            return missing(key)
        except (NotADocumentError, *DAMAGE) as error:
            if not isinstance(error, OSError) or error.errno is None:
                return damaged(key, "the compressed file", error)
            self._check_directory()
            if (exhausted := system_error(error)) is not None:
                raise exhausted from None
            return unreadable(key, f"the file cannot be read: {error.strerror}")

    def _located(self, key: str) -> tuple[str, str]:
        """Return the archive of a key, empty if it is a file's; and the path of the member or file."""
        if self._has_bare_keys:
            return self._archive, key
        for position in (place for place, character in enumerate(key) if character == SEPARATOR):
            if _is((self._root / key[:position]).is_file) and not _is((self._root / key).exists):
                return key[:position], key[position + 1 :]
        return "", key

    def _listed(self) -> _Listed:
        listed = _Listed([], [])
        self.too_new, unnamed, newest = 0, 0, time.time() - self._min_age
        for name, modified in files_at(self._files, self._root):
            path = self._root / name
            if self._min_age and modified is not None and modified > newest:
                self.too_new += 1
                if self.too_new == 1:
                    message = "Not read yet: %s and maybe others changed less than %d s ago (--min-age)"
                    logger.warning(message, escaped(name), self._min_age)
                continue
            role = Role.DOCUMENT if name.lower().endswith(SUFFIX) and name != self._only else self._role(path, name)
            if role is Role.ARCHIVE:
                listed.archives.append(name)
            elif role is Role.DOCUMENT and self._members is None:
                listed.documents.append(name)
            unnamed += role is Role.UNNAMED
        return listed._replace(unnamed=unnamed)

    def _role(self, path: Location, name: str) -> Role:
        role = role_of(path, name, is_chosen=not self._is_directory)
        if name == self._only and role is not Role.ARCHIVE and (self._members or role is Role.DAMAGED):
            raise SourceError(
                f"{escaped(self.name)} cannot be read as an archive: its content is of another kind",
                "check that it is complete, and that its suffix is right",
            )
        return Role.DOCUMENT if role is Role.DAMAGED else role

    def _report(self, listed: _Listed) -> None:
        if not listed.documents and not listed.archives and not self.too_new:
            where = escaped(self.name)
            logger.warning("There are no XML files in %s; files are found by their suffix %s", where, SUFFIX)
        if listed.unnamed:
            message = "%d files in %s begin like XML, but their names do not end in %s; a pattern such as %s reads them"
            logger.warning(message, listed.unnamed, escaped(self.name), SUFFIX, f"'{escaped(self.name)}/**/*'")

    def _keys(self, listed: _Listed) -> Iterator[DocumentKey]:
        documents = set(listed.documents)
        order: list[tuple[DocumentKey, str]] = [(log_key(name), "") for name in documents]
        order += [(name + SEPARATOR, name) for name in set(listed.archives)]
        for key, archive in sorted(order, key=lambda entry: str(entry[0])):
            if not archive:
                yield key
            elif self._archive:
                yield from self._keys_of_members(archive, documents)
            else:
                yield from self._keys_among_others(archive, documents)

    def _keys_among_others(self, archive: str, documents: set[str]) -> Iterator[DocumentKey]:
        """Yield the keys of an archive's members; and the key of the archive, to reject it or what was rejected."""
        place = RecordPlace(archive, str(log_key(archive)), 0)
        try:
            keys = list(self._keys_of_members(archive, documents))
        except ArchiveError as error:
            if not error.is_other or not self._is_directory or is_archive_name(archive):
                failure = Failure(Stage.FETCH, Reason.UNREADABLE, f"the archive {error.what}")
                yield ArchiveKey(str(place.name), place._replace(failure=failure))
            return
        yield ArchiveKey(str(place.name), place._replace(is_complete=True))
        yield from keys
        if not keys:
            logger.warning("There are no XML files in %s", escaped(str(self._root / archive)))

    def _keys_of_members(self, archive: str, documents: set[str]) -> Iterator[DocumentKey]:
        prefix = "" if self._has_bare_keys else archive + SEPARATOR
        chosen = self._chosen(self._archives.opened(archive))
        if not chosen and self._archive:
            tip = "check the pattern" if self._members else f"files are found by their suffix {SUFFIX}"
            raise SourceError(f"there are no XML files in {escaped(self.name)}", tip)
        for key in keys_of_names(prefix + path for path in chosen):
            yield key if key not in documents else standing_in(str(key), None, "a file has the same key")

    def _chosen(self, opened: Opened) -> list[str]:
        matches = self._members
        named = {path: member for path, member in opened.members.items() if not is_ignored(path)}
        if matches is not None:
            chosen = set(filter(matches, named))
        else:
            chosen = {path for path, member in named.items() if member_role(path, member) is Role.DOCUMENT}
        return [*chosen, *(path for path in opened.repeated if path in chosen)]

    def _check_directory(self) -> None:
        if not self._root.is_dir():
            raise SourceError(
                f"the directory {self._root} does not exist any more", "check its disk or share, and run again"
            )


def _is(check: Callable[[], bool]) -> bool:
    """Return what a check says; no if the path of a member is no possible path of a file."""
    try:
        return check()
    except OSError:
        return False


def _of_archive(key: ArchiveKey) -> Rejection:
    failure = key.place.failure
    explanation = "the archive is complete now, and its members are documents of their own"
    found = failure or Failure(Stage.FETCH, Reason.MISSING, explanation)
    # The hash stands for that of a content: the archive is rejected again once it differs.
    digest = blake2b(found.reason.encode(), digest_size=16).hexdigest()
    return (Rejection if failure else Skipped)(key, found, digest, seconds=0.0)


def _spooled_input(spool: Spool) -> Path:
    """Write standard input to the spool, and return the path: its name is a hash of the content."""
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("standard input is a terminal", "pipe a document into the command, or name another --source")
    path = spool.path / STANDARD_INPUT
    try:
        spool.write("standard input", sys.stdin.buffer, path)
        digest = blake2b(digest_size=8)
        with path.open("rb") as file:
            while piece := file.read(2**20):
                digest.update(piece)
        return path.rename(spool.path / f"stdin-{digest.hexdigest()}")
    except OSError as error:
        spool.close()
        message = f"standard input cannot be copied to {spool.path.parent}: {error.strerror}"
        raise SourceError(message, "free space there, or set TMPDIR to a directory on a larger disk") from None
    except BaseException:
        spool.close()
        raise
