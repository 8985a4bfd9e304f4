"""Examine databases that are files: SQLite, and directories of Parquet datasets."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryFile

from xml_extractor.connections import errors_end_the_run
from xml_extractor.contract.model import Contract
from xml_extractor.doctor import examination
from xml_extractor.doctor.examination import Finding, Role, State, readable
from xml_extractor.errors import TargetError
from xml_extractor.targets.parquet.address import check_contract, read_address
from xml_extractor.targets.registry import PARQUET
from xml_extractor.targets.sqlite.connection import SqliteFile, sqlite_file
from xml_extractor.urls import URL


def examine(url: URL, contract: Contract | None, roles: Sequence[Role], /) -> Iterator[Finding]:
    """Check a SQLite file or a directory of datasets for use in these roles.

    Raises:
        UsageError: The address is wrong, or the contract needs what files cannot do.
        RunError: A file cannot be used.
    """
    return (_datasets if url.get_backend_name() == PARQUET else _sqlite)(url, contract, roles)


def _sqlite(url: URL, contract: Contract | None, roles: Sequence[Role]) -> Iterator[Finding]:
    file = sqlite_file(url)
    yield Finding(State.OK, f"SQLite {sqlite3.sqlite_version}")
    if "target" in roles:
        yield _writable(file)
    if roles[-1] != "target":
        yield from readable(url.render_as_string(), contract, possible=roles[-1] == "possible source")


def _writable(file: SqliteFile) -> Finding:
    if not file.path.exists():
        reason = _write_error(file.path.absolute().parent)
        if not reason:
            return Finding(State.OK, f"{file.name} does not exist yet; a run creates it")
        text = f"{file.name} does not exist and cannot be created: {reason}"
        return Finding(State.FAILED, text, "create the directory, or name one that this user can write")
    tip = "stop other programs that write to it, and try again"
    with errors_end_the_run(TargetError, f"{file.name} cannot be written", tip), closing(file.connect()) as database:
        # Only a change takes the lock that shows whether file and directory can be written.
        database.execute("BEGIN IMMEDIATE")
        database.execute("CREATE TABLE xml_extractor_doctor (x)")
        database.execute("ROLLBACK")
    return Finding(State.OK, f"{file.name} can be written")


def _datasets(url: URL, contract: Contract | None, _roles: Sequence[Role]) -> Iterator[Finding]:
    """Check a directory and the database of its processing log."""
    address = read_address(url)
    if contract is not None:
        check_contract(contract)
    try:
        yield Finding(State.OK, f"pyarrow {version('pyarrow')}")
    except PackageNotFoundError:
        tip = "install it with pip install 'xml-extractor-etl[parquet]'"
        yield Finding(State.MISSING, "pyarrow is not installed", tip)
    directory = address.directory.absolute()
    there = next(each for each in (directory, *directory.parents) if each.exists())
    reason = _write_error(there)
    if reason:
        text = f"{address.directory} cannot be written: {reason}"
        yield Finding(State.FAILED, text, "name a directory that this user can write")
    else:
        yield Finding(State.OK, f"{address.directory} can be {'written' if there == directory else 'created'}")
    if address.directory.is_dir() or "sqlite" not in address.log_address:
        yield from examination.examine(address.log_address, None, ["target"])


def _write_error(directory: Path) -> str | None:
    """Return why the system refuses to create files in a directory; None if it does not."""
    try:
        with TemporaryFile(dir=directory):
            return None
    except OSError as error:
        return error.strerror or type(error).__name__
