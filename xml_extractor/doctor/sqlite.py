"""Examine SQLite files."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from tempfile import TemporaryFile

from xml_extractor.connections import errors_end_the_run
from xml_extractor.contract.model import Contract
from xml_extractor.doctor.examination import Finding, Role, State, readable
from xml_extractor.errors import TargetError
from xml_extractor.targets.sqlite.connection import SqliteFile, sqlite_file
from xml_extractor.urls import URL


def examine(url: URL, contract: Contract | None, roles: Sequence[Role], /) -> Iterator[Finding]:
    """Check a SQLite file for use in these roles.

    Raises:
        UsageError: The address is wrong.
        RunError: The file cannot be used.
    """
    file = sqlite_file(url)
    yield Finding(State.OK, f"SQLite {sqlite3.sqlite_version}")
    if "target" in roles:
        yield _writable(file)
    if roles[-1] != "target":
        yield from readable(url.render_as_string(), contract, possible=roles[-1] == "possible source")


def _writable(file: SqliteFile) -> Finding:
    if not file.path.exists():
        return _can_be_created(file)
    tip = "stop other programs that write to it, and try again"
    with errors_end_the_run(TargetError, f"{file.name} cannot be written", tip), closing(file.connect()) as database:
        # Only a change takes the lock that shows whether file and directory can be written.
        database.execute("BEGIN IMMEDIATE")
        database.execute("CREATE TABLE xml_extractor_doctor (x)")
        database.execute("ROLLBACK")
    return Finding(State.OK, f"{file.name} can be written")


def _can_be_created(file: SqliteFile) -> Finding:
    try:
        with TemporaryFile(dir=file.path.absolute().parent):
            pass
    except OSError as error:
        text = f"{file.name} does not exist and cannot be created: {error.strerror}"
        return Finding(State.FAILED, text, "create the directory, or name one that this user can write")
    return Finding(State.OK, f"{file.name} does not exist yet; a run creates it")
