"""Writes documents into a table of a SQLite file or a SQL Server, from where a run can read them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from xml_extractor.connections import DatabaseError
from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.contract.model import SourceTable
from xml_extractor.documents import DocumentKey
from xml_extractor.errors import TargetError, UsageError
from xml_extractor.processing_log.log_table import CASE_SENSITIVE, KEY_LENGTH
from xml_extractor.reasons import Reason
from xml_extractor.schema.names import literal, sqlite_name, t_sql_name
from xml_extractor.values.sqltypes import parse_type

if TYPE_CHECKING:
    from xml_extractor.targets.sqlite.connection import SqliteConnection
    from xml_extractor.targets.sqlserver.connection import SqlServerConnection

DOCUMENTS_IN_TRANSACTION = 100
"""Committed documents stay if a later one fails."""


class KeyedContent(Protocol):
    """A document to write, such as a sample."""

    @property
    def key(self) -> DocumentKey:
        """Its key in the table."""
        ...

    @property
    def content(self) -> bytes | str | None:
        """The XML text; None for NULL."""
        ...


class DocumentWriter:
    """A context manager that writes documents in batches. It creates the table if it is missing.

    Args:
        name: The name of the database for messages, without secrets.
        path: Path that names of related files derive from: the file of the database, or its name on a server.
        connect: Opens the database.
        table: The table and its columns.
        takes_bytes: Whether documents can be arbitrary bytes; otherwise they must be text.
    """

    def __init__(
        self,
        name: str,
        path: Path,
        connect: "Callable[[], SqliteConnection | SqlServerConnection]",
        table: SourceTable,
        *,
        takes_bytes: bool,
    ) -> None:
        self.path = path
        self.takes_bytes = takes_bytes
        self._name = name
        self._connect = connect
        self._table = table
        self._waiting: list[tuple[DocumentKey, bytes | str | None]] = []

    def __enter__(self) -> Self:
        """Open the database.

        Raises:
            TargetError: It cannot be opened or written.
        """
        with self._errors_explained():
            self._connection = self._connect()
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        """Commit, unless the block raised, and close."""
        try:
            if error is None:
                self._flush()
        finally:
            self._connection.close()

    def write(self, document: KeyedContent) -> None:
        """Write a document.

        Raises:
            UsageError: A document with this key exists, or a server cannot hold a document that is not UTF-8 text.
            TargetError: The database cannot be written.
        """
        content = document.content
        if isinstance(content, bytes) and not self.takes_bytes:
            try:
                content = content.decode()
            except UnicodeDecodeError:
                message = f"the document {document.key} is not UTF-8 text"
                raise UsageError(message, "write it to files instead") from None
        self._waiting.append((document.key, content))
        if len(self._waiting) == DOCUMENTS_IN_TRANSACTION:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        is_number, is_server = isinstance(self._waiting[0][0], int), self._connection.dialect == "mssql"
        key_type, text_type = "bigint" if is_number else f"nvarchar({KEY_LENGTH})", "nvarchar(max)"
        columns = (
            ColumnLayout(self._table.key, parse_type(key_type)),
            ColumnLayout(self._table.xml, parse_type(text_type)),
        )
        layout = TableLayout("documents", self._table.table, columns, (), (self._table.key,), (), "fail")
        into = self._connection.table_name(layout)
        key, xml = (t_sql_name(each.name) if is_server else sqlite_name(each.name) for each in columns)
        if is_server:
            collation = "" if is_number else f" COLLATE {CASE_SENSITIVE}"
            declared = f"{key} {key_type}{collation} NOT NULL PRIMARY KEY, {xml} {text_type}"
            create = f"IF OBJECT_ID({literal(into)}) IS NULL CREATE TABLE {into} ({declared})"
        else:
            declared = f"{key} {'INTEGER' if is_number else 'TEXT'} NOT NULL PRIMARY KEY, {xml} TEXT"
            create = f"CREATE TABLE IF NOT EXISTS {into} ({declared})"
        with self._errors_explained(), self._connection.transaction():
            self._connection.execute(create)
            insert = f"INSERT INTO {into} ({key}, {xml}) VALUES (?, ?)"  # noqa: S608 - names are quoted
            self._connection.execute_many(insert, columns, self._waiting)
        self._waiting.clear()

    @contextmanager
    def _errors_explained(self) -> Iterator[None]:
        try:
            yield
        except DatabaseError as error:
            if error.code == Reason.DUPLICATE_KEY:
                first, last = self._waiting[0][0], self._waiting[-1][0]
                message = f"{self._table.table} in {self._name} already has some of the keys from {first} to {last}"
                raise UsageError(message, "write to another database, or empty the table") from None
            raise TargetError(f"{self._name} cannot be written: {error.explanation}", error.tip) from None
