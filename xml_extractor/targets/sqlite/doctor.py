"""Examines SQLite files before a run."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from tempfile import TemporaryFile

from sqlalchemy.engine import URL

from xml_extractor.contract.model import Contract
from xml_extractor.errors import TargetError
from xml_extractor.targets.doctor import readable
from xml_extractor.targets.findings import Finding, Role, failed, ok
from xml_extractor.targets.sqlite.errors import errors_end_the_run
from xml_extractor.targets.sqlite.file import SqliteFile, sqlite_file


def examine(url: URL, contract: Contract, roles: Sequence[Role], /) -> Iterator[Finding]:
    """Look at a SQLite file that is to be used in these roles.

    Raises:
        UsageError: The address is wrong.
        RunError: The file cannot be used.
    """
    file = sqlite_file(url)
    yield ok(f"SQLite {sqlite3.sqlite_version}")
    if "target" in roles:
        yield _writable(file)
    if "source" in roles:
        yield readable(url.render_as_string(), contract)


def _writable(file: SqliteFile) -> Finding:
    if not file.path.exists():
        return _can_be_made(file)
    tip = "end what else writes to it, and try again"
    with errors_end_the_run(TargetError, f"{file.name} cannot be written", tip), closing(file.open()) as database:
        # Only a change takes the lock that shows whether file and directory can be written.
        database.execute("BEGIN IMMEDIATE")
        database.execute("CREATE TABLE xml_extractor_doctor (x)")
        database.execute("ROLLBACK")
    return ok(f"{file.name} can be written")


def _can_be_made(file: SqliteFile) -> Finding:
    try:
        with TemporaryFile(dir=file.path.absolute().parent):
            pass
    except OSError as error:
        tip = "make the directory, or name another that this user can write"
        return failed(f"{file.name} is not there and cannot be made: {error.strerror}", tip)
    return ok(f"{file.name} is not there yet; a run makes it")
