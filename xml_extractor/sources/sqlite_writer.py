"""Writes documents into a table of a SQLite file, from where a run can take them."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from xml_extractor.connections import DatabaseError
from xml_extractor.contract.model import SourceTable
from xml_extractor.documents import DocumentKey
from xml_extractor.errors import TargetError, UsageError
from xml_extractor.reasons import Reason
from xml_extractor.schema.names import sqlite_name
from xml_extractor.sources.interfaces import KeyedContent
from xml_extractor.targets.sqlite.connection import SqliteFile, quoted_table, sqlite_file
from xml_extractor.urls import URL


def open_source_writer(url: URL, table: SourceTable, /) -> "SqliteSourceWriter":
    """What writes documents to this address.

    Raises:
        UsageError: The address is wrong.
    """
    return SqliteSourceWriter(sqlite_file(url), table)


class SqliteSourceWriter:
    """A context manager that writes documents in batches; makes file and table if they are missing.

    Args:
        file: The database.
        table: The table and its columns.
        batch_documents: Documents in a transaction. What was committed stays when a later document is refused.
    """

    takes_bytes = True

    def __init__(self, file: SqliteFile, table: SourceTable, batch_documents: int = 100) -> None:
        self.name = file.name
        self.path = file.path
        self._file = file
        self._key, self._xml, self._into = sqlite_name(table.key), sqlite_name(table.xml), quoted_table(table.table)
        self._batch_documents = batch_documents
        self._documents = 0

    def __enter__(self) -> Self:
        """Open the file.

        Raises:
            TargetError: It cannot be written, or is no database.
        """
        with self._errors_explained():
            self._database = self._file.connect()
            self._database.switch_to_wal()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None and self._database.driver.in_transaction:
                with self._errors_explained():
                    self._database.execute("COMMIT")
        finally:
            self._database.close()

    def write(self, document: KeyedContent) -> None:
        """Write a document.

        Raises:
            UsageError: A document with this key is there already.
            TargetError: The database cannot be written.
        """
        with self._errors_explained(document.key):
            if not self._database.driver.in_transaction:
                self._database.execute("BEGIN IMMEDIATE")
            if self._documents == 0:
                self._make_table(document.key)
            self._database.execute(
                f"INSERT INTO {self._into} ({self._key}, {self._xml}) VALUES (?, ?)",  # noqa: S608 - names are quoted
                (document.key, document.content),
            )
            self._documents += 1
            if self._documents % self._batch_documents == 0:
                self._database.execute("COMMIT")

    def _make_table(self, key: DocumentKey) -> None:
        declared = "INTEGER" if isinstance(key, int) else "TEXT"
        columns = f"{self._key} {declared} NOT NULL PRIMARY KEY, {self._xml} TEXT"
        self._database.execute(f"CREATE TABLE IF NOT EXISTS {self._into} ({columns})")

    @contextmanager
    def _errors_explained(self, key: DocumentKey | None = None) -> Iterator[None]:
        try:
            yield
        except DatabaseError as error:
            if error.code == Reason.DUPLICATE_KEY:
                raise UsageError(
                    f"{self._into} in {self.name} has a document with the key {key} already", "write to a new file"
                ) from None
            raise TargetError(f"{self.name} cannot be written: {error.explanation}", error.tip) from None
