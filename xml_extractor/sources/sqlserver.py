"""Documents in a table or view of a SQL Server: a source, and a writer that creates such a table."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import pyodbc

from xml_extractor.connections import DatabaseError, Retrying, errors_end_the_run
from xml_extractor.contract.layout import ColumnLayout
from xml_extractor.contract.model import Contract, SourceTable
from xml_extractor.documents import DocumentKey, Rejection, SourceDocument
from xml_extractor.errors import SourceError, TargetError, UsageError
from xml_extractor.processing_log.key_blocks import Digest, KeyBlocks, LoggedKeys
from xml_extractor.processing_log.log_table import CASE_SENSITIVE, KEY_LENGTH
from xml_extractor.reasons import Reason
from xml_extractor.schema.model import ActualTable
from xml_extractor.schema.names import literal, t_sql_name, t_sql_table
from xml_extractor.settings import KeyRange
from xml_extractor.sources.document_keys import (
    check_text_key,
    condition_errors,
    logged_page,
    missing,
    next_size,
    pages_of_undone,
    too_large,
    unreadable,
)
from xml_extractor.sources.interfaces import KeyedContent, KeyPage
from xml_extractor.sources.sqlserver_queries import DOCUMENTS_IN_QUERY, SourceQueries, key_column
from xml_extractor.targets.sqlserver.address import SqlServerAddress, read_address
from xml_extractor.targets.sqlserver.catalog import read_catalog
from xml_extractor.targets.sqlserver.connection import SqlServerConnection
from xml_extractor.targets.sqlserver.statements import OdbcType
from xml_extractor.urls import URL
from xml_extractor.values.sqltypes import Family, parse_type

PAGE_BYTES = 8 * 2**20
"""Bytes of documents after which the rest of a query is left to the next one."""

NAME_OTHERS = "name table, key and xml in the contract's `source`"

Fetched = SourceDocument | Rejection


def open_source(url: URL, contract: Contract, max_bytes: int, /) -> "SqlServerSource":
    """Open the source at an address.

    Raises:
        UsageError: The address is wrong.
        SourceError: The server cannot be reached, or a table or column is missing.
    """
    read_until = contract.document.read_until
    end_tag = f"</{read_until.rpartition('/')[2]}>" if read_until else ""
    address = url.render_as_string(hide_password=False)
    return SqlServerSource(read_address(url), contract.source, address, max_bytes, end_tag)


class SqlServerSource:
    """The documents of a table or view, read only.

    A thread of its own sends all statements, so that it reads documents while the previous ones are mapped.

    Args:
        database: The database.
        table: The table and its columns.
        address: Opens the same source again.
        max_bytes: Larger documents are rejected: bytes of binary columns, UTF-16 code units of text.
        end_tag: The server truncates text after its first occurrence; empty to fetch whole documents.

    Raises:
        SourceError: The server cannot be reached, or a table or column is missing.
    """

    def __init__(
        self, database: SqlServerAddress, table: SourceTable, address: str, max_bytes: int, end_tag: str
    ) -> None:
        self.name = database.name
        self.address = address
        self._database = database
        self._where = table.where
        self._max_bytes = max_bytes
        self._title = f"{table.table} ({table.key}, {table.xml}) in {self.name}"
        self._connection: SqlServerConnection | None = None
        self._thread = ThreadPoolExecutor(1, "source")
        self._is_closed = False
        self._tries = Retrying()
        try:
            self._queries = self._thread.submit(self._prepare, table, end_tag).result()
        except BaseException:
            self.close()
            raise

    def key_pages(
        self, page_size: int, key_range: KeyRange | None = None, log: LoggedKeys | None = None
    ) -> Iterator[KeyPage]:
        """Yield all keys in ascending order, in pages of at most `page_size`, or larger while the log has all keys.

        Raises:
            SourceError: The table cannot be read, or a key is NULL, not unique, or too long.
        """
        blocks = None if log is None else self._blocks(key_range)
        if log is None or blocks is None:
            yield from self._pages(page_size, log, key_range)
        else:
            yield from pages_of_undone(blocks, self._digests(blocks), log, partial(self._pages, page_size, log))

    def fetch(self, keys: Sequence[DocumentKey], *, whole: bool = False) -> Iterator[Fetched]:
        """Yield the documents of these keys in this order; one that cannot be read is a rejection.

        Args:
            keys: The keys.
            whole: Whether to fetch documents that could be truncated as a whole.

        Raises:
            SourceError: The table cannot be read any more.
        """
        parts = self._parts(keys, whole=whole)
        part = self._thread.submit(next, parts, None).result()
        while part is not None:
            upcoming = self._thread.submit(next, parts, None)
            yield from part
            part = upcoming.result()

    def close(self) -> None:
        """Close the connection when its current statement ends; closing again does nothing."""
        if not self._is_closed:
            self._is_closed = True
            self._thread.submit(self._disconnect)
            self._thread.shutdown()

    def _pages(self, page_size: int, log: LoggedKeys | None, key_range: KeyRange | None) -> Iterator[KeyPage]:
        conditions, bounds = self._range(key_range)
        size = page_size
        seen: AbstractSet[DocumentKey] = set()
        while True:
            listed, repeated = self._list_others(seen, size + 1, conditions, bounds)
            page = logged_page(listed[:size], log)
            if page.keys:
                yield page
            if len(listed) <= size:
                return
            seen = repeated | set(page.keys)
            conditions, bounds = self._range(key_range)
            conditions.append(f"{self._queries.key.name} >= {self._queries.key.parameter}")
            bounds.append(listed[size])
            size = next_size(page, size, page_size)

    def _blocks(self, key_range: KeyRange | None) -> KeyBlocks | None:
        """Return the blocks of keys, if they are whole numbers and many."""
        if not self._queries.key.is_whole:
            return None
        conditions, bounds = self._range(key_range)
        ((smallest, largest, count, keys),) = self._answer(*self._queries.extremes(conditions), bounds)
        return KeyBlocks.of(smallest, largest, count) if count == keys else None

    def _digests(self, blocks: KeyBlocks) -> dict[int, Digest]:
        rows = self._answer(blocks.query(self._queries.numbers(blocks.first, blocks.last)), (), ())
        return {block: tuple(digest) for block, *digest in rows}

    def _answer(self, query: str, types: Sequence[OdbcType], values: Sequence[object]) -> list[pyodbc.Row]:
        """Execute a query in the thread of the source, again after transient errors."""
        with errors_end_the_run(SourceError, f"{self.name} cannot be read"), condition_errors(self._where, self.name):
            return self._thread.submit(lambda: self._tries(self._read_all, query, types, values)).result()

    def _parts(self, keys: Sequence[DocumentKey], *, whole: bool) -> Iterator[list[Fetched]]:
        remaining = list(keys)
        while remaining:
            with errors_end_the_run(SourceError, f"{self.name} cannot be read"):
                part = self._tries(self._read_part, remaining[:DOCUMENTS_IN_QUERY], whole=whole)
            yield part
            del remaining[: len(part)]

    def _read_part(self, keys: Sequence[DocumentKey], *, whole: bool) -> list[Fetched]:
        """Fetch the documents of these keys, or of the first of them if all would exceed `PAGE_BYTES`."""
        query, types = self._queries.documents(whole=whole)
        padded = [*keys, *[keys[-1]] * (DOCUMENTS_IN_QUERY - len(keys))]
        found: dict[DocumentKey | None, Fetched] = {}
        read_bytes = 0
        try:
            values = [self._max_bytes, *map(self._queries.key.bind, padded)]
            with closing(self._connected().query(query, values, types)) as rows:
                for value, size, content, is_cut in rows:
                    key = self._queries.key.read(value)
                    if key in found:
                        raise self._not_unique(key)
                    found[key] = self._document(key, size, content, is_cut=bool(is_cut))
                    read_bytes += len(content or "")
                    if read_bytes > PAGE_BYTES and keys[0] in found:
                        break
                else:
                    return [found.get(key) or missing(key) for key in keys]
        except UnicodeDecodeError:
            if len(keys) == 1:
                return [unreadable(keys[0], "its text is not valid UTF-16")]
            return self._read_part(keys[:1], whole=whole)
        complete = next((number for number, key in enumerate(keys) if key not in found), len(keys))
        return [found[key] for key in keys[:complete]]

    def _document(
        self, key: DocumentKey | None, size: int | None, content: str | bytes | None, *, is_cut: bool
    ) -> Fetched:
        if key is None:
            raise AssertionError("a document was found by a NULL key")
        if size is not None and size > self._max_bytes:
            return too_large(key, self._max_bytes)
        return SourceDocument(key, content, is_cut=is_cut)

    def _list_others(
        self,
        seen: AbstractSet[DocumentKey],
        count: int,
        conditions: Sequence[str],
        bounds: Sequence[DocumentKey],
    ) -> tuple[list[DocumentKey], AbstractSet[DocumentKey]]:
        """List the first keys that were not seen, and the seen keys that were listed again.

        If keys are equal by the column's collation, such as `a` and `A`, the server lists them in any order, and a page
        may end between them. The next page therefore starts with all of them again.
        """
        again: AbstractSet[DocumentKey] = set()
        while True:
            listed = self._list_keys(count + len(again), conditions, bounds)
            repeated = seen & set(listed)
            if len(repeated) <= len(again):
                return [key for key in listed if key not in repeated], repeated
            again = repeated

    def _list_keys(self, count: int, conditions: Sequence[str], bounds: Sequence[DocumentKey]) -> list[DocumentKey]:
        query, types = self._queries.keys(conditions)
        rows = self._answer(query, types, [count, *map(self._queries.key.bind, bounds)])
        listed = [self._checked(value) for (value,) in rows]
        seen: set[DocumentKey] = set()
        for key in listed:
            if key in seen:
                raise self._not_unique(key)
            seen.add(key)
        return listed

    def _range(self, key_range: KeyRange | None) -> tuple[list[str], list[DocumentKey]]:
        try:
            return self._queries.key.range_conditions(key_range) if key_range is not None else ([], [])
        except ValueError as error:
            bound, kind = error.args
            raise SourceError(f"'{bound}' is not a key of {self._title}: its keys are {kind}") from None

    def _checked(self, value: object) -> DocumentKey:
        key = self._queries.key.read(value)
        if key is None:
            raise SourceError(f"a key of {self._title} is NULL", "name another key column in the contract's `source`")
        if isinstance(key, str):
            check_text_key(key, self._title)
        return key

    def _not_unique(self, key: DocumentKey | None) -> SourceError:
        tip = "name another key column in the contract's `source`"
        return SourceError(f"the key {key} occurs more than once in {self._title}", tip)

    def _prepare(self, table: SourceTable, end_tag: str) -> SourceQueries:
        with errors_end_the_run(SourceError, f"{self.name} cannot be read"):
            found = self._tries(self._read_catalog, table.table)
        if table.table not in found:
            raise SourceError(f"there is no table {table.table} in {self.name}", NAME_OTHERS)
        columns = {column.name.casefold(): column for column in found[table.table].columns}
        absent = [name for name in (table.key, table.xml) if name.casefold() not in columns]
        if absent:
            names = " and no column ".join(absent)
            raise SourceError(f"the table {table.table} in {self.name} has no column {names}", NAME_OTHERS)
        key, xml = (columns[name.casefold()] for name in (table.key, table.xml))
        key_of_documents = key_column(t_sql_name(table.key), key.type, key.collation)
        if key_of_documents is None:
            raise SourceError(
                f"the key of {self._title} is {key.declared}: neither an integer, text nor a GUID", NAME_OTHERS
            )
        if xml.type is None or xml.type.family not in (Family.TEXT, Family.BINARY, Family.XML):
            raise SourceError(
                f"the documents of {self._title} are {xml.declared}: neither text nor binary", NAME_OTHERS
            )
        return SourceQueries(table, self._database.schema, key_of_documents, xml.type, end_tag)

    def _read_catalog(self, table: str) -> dict[str, ActualTable]:
        return read_catalog(self._connected(), [table], self._database.schema)

    def _read_all(self, query: str, types: Sequence[OdbcType], values: Sequence[object]) -> list[pyodbc.Row]:
        return list(self._connected().query(query, values, types))

    def _connected(self) -> SqlServerConnection:
        if self._connection is None:
            self._connection = SqlServerConnection(self._database)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()


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
