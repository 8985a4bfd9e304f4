"""Writes documents into a table of a SQL Server, which is created if it is missing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from xml_extractor.connections import DatabaseError
from xml_extractor.contract.layout import ColumnLayout
from xml_extractor.contract.model import SourceTable
from xml_extractor.errors import TargetError, UsageError
from xml_extractor.processing_log.log_table import CASE_SENSITIVE, KEY_LENGTH
from xml_extractor.reasons import Reason
from xml_extractor.schema.names import literal, t_sql_name, t_sql_table
from xml_extractor.sources.interfaces import KeyedContent
from xml_extractor.targets.sqlserver.address import SqlServerAddress, read_address
from xml_extractor.targets.sqlserver.connection import SqlServerConnection
from xml_extractor.urls import URL
from xml_extractor.values.sqltypes import parse_type


def open_source_writer(url: URL, table: SourceTable, /) -> "SqlServerSourceWriter":
    """Return a writer of documents to this address.

    Raises:
        UsageError: The address is wrong.
    """
    return SqlServerSourceWriter(read_address(url), table)


class SqlServerSourceWriter:
    """A context manager that writes documents as `nvarchar(max)` in batches. It creates the table if it is missing.

    Args:
        address: The database.
        table: The table and its columns.
        batch_documents: Documents in a transaction. Committed documents stay if a later one fails.
    """

    takes_bytes = False

    def __init__(self, address: SqlServerAddress, table: SourceTable, batch_documents: int = 100) -> None:
        self.name = address.name
        self.path = Path(address.words.get("DATABASE") or table.table)
        self._address = address
        self._table = table
        self._into = t_sql_table(table.table, address.schema)
        self._batch_documents = batch_documents
        self._waiting: list[tuple[int | str, str | None]] = []
        self._has_table = False

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            TargetError: The server cannot be reached, or rejects the login.
        """
        with self._errors_explained():
            self._connection = SqlServerConnection(self._address, autocommit=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._flush()
        finally:
            self._connection.close()

    def write(self, document: KeyedContent) -> None:
        """Write a document.

        Raises:
            UsageError: A document with this key exists, or a document is not UTF-8 text.
            TargetError: The database cannot be written.
        """
        content = document.content
        try:
            text = content.decode() if isinstance(content, bytes) else content
        except UnicodeDecodeError:
            raise UsageError(f"the document {document.key} is not UTF-8 text", "write it to files instead") from None
        self._waiting.append((document.key, text))
        if len(self._waiting) == self._batch_documents:
            self._flush()

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        is_number = isinstance(waiting[0][0], int)
        key_type = parse_type("bigint" if is_number else f"nvarchar({KEY_LENGTH})")
        into = [ColumnLayout(self._table.key, key_type), ColumnLayout(self._table.xml, parse_type("nvarchar(max)"))]
        with self._errors_explained(), self._connection.transaction():
            self._create_table(is_number=is_number)
            columns = f"{t_sql_name(self._table.key)}, {t_sql_name(self._table.xml)}"
            insert = f"INSERT INTO {self._into} ({columns}) VALUES (?, ?)"  # noqa: S608 - names are quoted
            self._connection.execute_many(insert, into, waiting)

    def _create_table(self, *, is_number: bool) -> None:
        if self._has_table:
            return
        key_type = "bigint" if is_number else f"nvarchar({KEY_LENGTH}) COLLATE {CASE_SENSITIVE}"
        key, xml = t_sql_name(self._table.key), t_sql_name(self._table.xml)
        columns = f"{key} {key_type} NOT NULL PRIMARY KEY, {xml} nvarchar(max)"
        self._connection.execute(f"IF OBJECT_ID({literal(self._into)}) IS NULL CREATE TABLE {self._into} ({columns})")
        self._has_table = True

    @contextmanager
    def _errors_explained(self) -> Iterator[None]:
        try:
            yield
        except DatabaseError as error:
            if error.code == Reason.DUPLICATE_KEY:
                raise UsageError(
                    f"{self._into} in {self.name} already has documents with these keys",
                    "write to another database or --schema, or empty the table",
                ) from None
            raise TargetError(f"{self.name} cannot be written: {error.explanation}", error.tip) from None
