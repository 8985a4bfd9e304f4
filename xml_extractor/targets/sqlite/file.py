"""A SQLite database file: its address, how it is opened, and how names are quoted."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import URL
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from xml_extractor.errors import UsageError
from xml_extractor.schema.ddl import database_name, dialect_named
from xml_extractor.targets.interfaces import Blame
from xml_extractor.targets.sqlite.errors import explain

DEFAULT_TIMEOUT = 30.0
"""Seconds to wait for another writer."""

_PREPARER = dialect_named("sqlite").identifier_preparer


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """A database file, which need not exist yet.

    Attributes:
        timeout: Seconds to wait while another connection writes.
    """

    path: Path
    timeout: float = DEFAULT_TIMEOUT

    @property
    def name(self) -> str:
        """Its address, which never holds a secret."""
        return f"sqlite:///{self.path}"

    def open(self, *, read_only: bool = False) -> sqlite3.Connection:
        """Open a connection that begins no transaction by itself.

        Raises:
            sqlite3.Error: The file cannot be opened, or is no database.
        """
        mode = "ro" if read_only else "rwc"
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=self.timeout,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("PRAGMA schema_version").fetchone()
        except sqlite3.Error:
            connection.close()
            raise
        return connection


def sqlite_file(url: URL) -> SqliteFile:
    """The file that an address such as `sqlite:///loads.db?timeout=5` names.

    Raises:
        UsageError: It names no file, or has an unknown option.
    """
    if url.host or not url.database or url.database == ":memory:":
        raise UsageError("the address names no SQLite file", "write sqlite:///FILE, or sqlite:////DIRECTORY/FILE")
    unknown = set(url.query) - {"timeout"}
    if unknown:
        raise UsageError(f"SQLite has no option '{min(unknown)}'", "the only one is timeout, in seconds")
    try:
        return SqliteFile(Path(url.database), float(str(url.query.get("timeout", DEFAULT_TIMEOUT))))
    except ValueError:
        raise UsageError("the timeout is not a number", "write it in seconds, such as ?timeout=5") from None


def quoted(name: str) -> str:
    """A name of a column as SQL has it."""
    return _PREPARER.quote(name)


def quoted_table(table: str) -> str:
    """The name of a table as SQL has it, without its schema."""
    return quoted(database_name(table, embedded=True)[1])


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Take the write lock at once, commit at the end of the block, roll back when it raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def switch_to_wal(database: sqlite3.Connection, timeout: float) -> None:
    """Let readers and a writer work side by side. When two connections switch at once, SQLite itself does not wait."""
    attempts = Retrying(
        retry=retry_if_exception(_is_of_the_moment),
        wait=wait_random(0, 0.1),
        stop=stop_after_delay(timeout),
        reraise=True,
    )
    attempts(database.execute, "PRAGMA journal_mode = WAL")


def _is_of_the_moment(error: BaseException) -> bool:
    refusal = explain(error) if isinstance(error, Exception) else None
    return refusal is not None and refusal.blame is Blame.MOMENT
