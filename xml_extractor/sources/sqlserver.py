"""Documents in a table or view of a SQL Server: a source, and a writer that creates such a table."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyodbc

from xml_extractor.connections import Retrying, errors_end_the_run
from xml_extractor.content import COMPRESSED
from xml_extractor.contract.model import Contract, SourceTable
from xml_extractor.documents import DocumentKey, Rejection, SourceDocument
from xml_extractor.errors import SourceError
from xml_extractor.processing_log.log_keys import Digest, KeyBlocks, LoggedKeys, is_fetchable, numbered
from xml_extractor.schema.model import ActualTable
from xml_extractor.schema.names import t_sql_name
from xml_extractor.settings import KeyRange
from xml_extractor.sources.document_keys import (
    condition_errors,
    last_end_tag,
    logged_page,
    missing,
    next_size,
    pages_of_nulls,
    pages_of_undone,
    too_large,
    unreadable,
)
from xml_extractor.sources.document_writer import DocumentWriter
from xml_extractor.sources.interfaces import KeyPage
from xml_extractor.sources.sqlserver_queries import DOCUMENTS_IN_QUERY, NATIONAL, SourceQueries, key_column
from xml_extractor.sources.streams import plain_document
from xml_extractor.targets.sqlserver.address import SqlServerAddress, read_address
from xml_extractor.targets.sqlserver.catalog import read_catalog
from xml_extractor.targets.sqlserver.connection import SqlServerConnection
from xml_extractor.targets.sqlserver.statements import OdbcType
from xml_extractor.urls import URL
from xml_extractor.values.sqltypes import Family

PAGE_BYTES = 8 * 2**20
"""Bytes of documents after which the rest of a query is left to the next one."""

_ALL = 2**31 - 1

NAME_OTHERS = "name table, key and xml in the contract's `source`"

Fetched = SourceDocument | Rejection


class Examined(NamedTuple):
    """What the server says about the table of a source.

    Attributes:
        queries: The queries for its documents.
        is_nullable: Whether keys may be NULL.
        is_unique: Whether the key has a unique index.
    """

    queries: SourceQueries
    is_nullable: bool
    is_unique: bool


def open_source(url: URL, contract: Contract, max_bytes: int, examined: object = None, /) -> "SqlServerSource":
    """Open the source at an address.

    Raises:
        UsageError: The address is wrong.
        SourceError: The server cannot be reached, or a table or column is missing.
    """
    address = url.render_as_string(hide_password=False)
    has_records = contract.document.records is not None
    known = examined if isinstance(examined, Examined) else None
    return SqlServerSource(
        read_address(url),
        contract.source,
        address,
        max_bytes,
        last_end_tag(contract),
        has_records=has_records,
        examined=known,
    )


def open_source_writer(url: URL, table: SourceTable, /) -> DocumentWriter:
    """Return a writer of documents to this address.

    Raises:
        UsageError: The address is wrong.
    """
    address = read_address(url)
    path = Path(address.words.get("DATABASE") or table.table)
    return DocumentWriter(address.name, path, lambda: SqlServerConnection(address), table, takes_bytes=False)


class SqlServerSource:
    """The documents of a table or view, read only.

    A thread of its own sends all statements, so that it reads documents while the previous ones are mapped.

    Args:
        database: The database.
        table: The table and its columns.
        address: Opens the same source again.
        max_bytes: Larger documents are rejected: bytes of binary columns, UTF-16 code units of text.
        end_tag: The server truncates text after its first occurrence; empty to fetch whole documents.
        has_records: Whether documents are files of records, which are decompressed while they are scanned.
        examined: What is known of the table; None to examine it now.

    Attributes:
        examined: What is known of the table.

    Raises:
        SourceError: The server cannot be reached, or a table or column is missing.
    """

    def __init__(
        self,
        database: SqlServerAddress,
        table: SourceTable,
        address: str,
        max_bytes: int,
        end_tag: str,
        *,
        has_records: bool,
        examined: Examined | None = None,
    ) -> None:
        self.name = database.name
        self.address = address
        self.documents: int | None = None
        self._database = database
        self._where = table.where
        self._max_bytes = max_bytes
        self._has_records = has_records
        self._title = f"{table.table} ({table.key}, {table.xml}) in {self.name}"
        self._connection: SqlServerConnection | None = None
        self._thread = ThreadPoolExecutor(1, "source")
        self._is_closed = False
        self._tries = Retrying()
        self._checked_queries: SourceQueries | None = None
        try:
            if examined is not None:
                self._thread.submit(self._checked)  # while the caller waits for its first keys; an error comes later
            self.examined = examined or self._thread.submit(self._examine, table, end_tag).result()
        except BaseException:
            self.close()
            raise

    @property
    def _queries(self) -> SourceQueries:
        return self.examined.queries

    def key_pages(
        self, page_size: int, key_range: KeyRange | None = None, log: LoggedKeys | None = None
    ) -> Iterator[KeyPage]:
        """Yield all keys in ascending order, in pages of at most `page_size`, or larger while the log has all keys.

        Raises:
            SourceError: The table cannot be read.
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
        if key_range is None and self.examined.is_nullable:
            ((nulls,),) = self._answer(self._queries.nulls, (), ())
            yield from pages_of_nulls(nulls, page_size)
        conditions, bounds = self._range(key_range)
        size, is_over = page_size, False
        waiting: list[DocumentKey] = []
        while waiting or not is_over:
            while len(waiting) <= size and not is_over:
                listed, is_over = self._list_groups(size + 1 - len(waiting), conditions, bounds)
                waiting += listed
                if not is_over:
                    conditions, bounds = self._range(key_range)
                    conditions.append(f"{self._queries.key.name} > {self._queries.key.parameter}")
                    bounds.append(next(filter(is_fetchable, reversed(listed))))
            page = logged_page(waiting[:size], log)
            if page.keys:
                yield page
            del waiting[:size]
            size = next_size(page, size, page_size)

    def _blocks(self, key_range: KeyRange | None) -> KeyBlocks | None:
        """Return the blocks of keys, if they are whole numbers and many."""
        if not self._queries.key.is_whole:
            return None
        conditions, bounds = self._range(key_range)
        [(smallest, largest, count, keys)] = self._answer(*self._queries.extremes(conditions), bounds)
        self.documents = None if self._where else count
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
        query, types = self._checked().documents(whole=whole)
        padded = [*keys, *[keys[-1]] * (DOCUMENTS_IN_QUERY - len(keys))]
        found: dict[DocumentKey, Fetched] = {}
        read_bytes = 0
        try:
            values = [self._max_bytes, *map(self._queries.key.bind, padded)]
            with closing(self._connected().query(query, values, types)) as rows:
                for value, size, content, is_cut in rows:
                    key = self._queries.key.log_key(value)
                    if key in found:
                        continue  # its key stands for that of another document
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

    def _document(self, key: DocumentKey, size: int | None, content: str | bytes | None, *, is_cut: bool) -> Fetched:
        if size is not None and size > self._max_bytes:
            return too_large(key, self._max_bytes)
        document = SourceDocument(key, content, is_cut=is_cut)
        if isinstance(content, bytes) and content.startswith(COMPRESSED) and not self._has_records:
            return plain_document(document, self._max_bytes)
        return document

    def _list_groups(
        self, count: int, conditions: Sequence[str], bounds: Sequence[DocumentKey]
    ) -> tuple[list[DocumentKey], bool]:
        """List the first keys, together with all that the column's collation compares as equal to the last of them.

        The server lists such keys, for example `a` and `A`, in any order, and may list them in another order next time.

        Returns:
            At least one key that can be a parameter, if there are more; and whether there are no more.
        """
        listed = self._list_keys(count, conditions, bounds)
        while len(listed) == count and not any(map(is_fetchable, listed)):
            count *= 2
            listed = self._list_keys(count, conditions, bounds)
        if len(listed) < count:
            return numbered(listed), True
        while not is_fetchable(listed[-1]):
            listed.pop()
        if not self.examined.is_unique:
            equal = f"{self._queries.key.name} = {self._queries.key.parameter}"
            listed += (Counter(self._list_keys(_ALL, [equal], listed[-1:])) - Counter(listed)).elements()
        return numbered(listed), False

    def _list_keys(self, count: int, conditions: Sequence[str], bounds: Sequence[DocumentKey]) -> list[DocumentKey]:
        values = [count, *map(self._queries.key.bind, bounds)]
        try:
            rows = self._answer(*self._queries.keys(conditions), values)
        except UnicodeDecodeError:
            rows = self._answer(*self._queries.keys(conditions, as_bytes=True), values)
            if any(row[1] != NATIONAL.encode("utf-16-le") for row in rows):
                message = f"{self.name} does not convert text to its bytes"
                raise SourceError(message, "correct the keys that are not valid text") from None
        return [self._queries.key.log_key(row[0]) for row in rows]

    def _range(self, key_range: KeyRange | None) -> tuple[list[str], list[DocumentKey]]:
        try:
            return self._queries.key.range_conditions(key_range) if key_range is not None else ([], [])
        except ValueError as error:
            bound, kind = error.args
            message = f"'{bound}' is not a key of {self._title}: its keys are {kind}"
            raise SourceError(message, "give keys of that kind to --range") from None

    def _examine(self, table: SourceTable, end_tag: str) -> Examined:
        with errors_end_the_run(SourceError, f"{self.name} cannot be read"):
            found = self._tries(self._read_catalog, table.table)
        if table.table not in found:
            message = f"there is no table {table.table} in {self.name}, or this user has no permission on it"
            raise SourceError(message, NAME_OTHERS)
        columns = {column.name.casefold(): column for column in found[table.table].columns}
        absent = " and no column ".join(name for name in (table.key, table.xml) if name.casefold() not in columns)
        if absent:
            raise SourceError(f"the table {table.table} in {self.name} has no column {absent}", NAME_OTHERS)
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
        is_unique = (key.name,) in (found[table.table].key, *found[table.table].unique_keys)
        queries = SourceQueries(table, self._database.schema, key_of_documents, xml.type, end_tag)
        return Examined(queries, key.nullable, is_unique)

    def _checked(self) -> SourceQueries:
        """Return the queries that the server answers as SQL Server does; it is asked before the first document."""
        if self._checked_queries is None:
            queries = self._queries
            if not self._returns_documents(queries):
                queries = replace(queries, end_tag="")
                if not (self._queries.end_tag and self._returns_documents(queries)):
                    message = f"{self.name} does not return documents unchanged"
                    raise SourceError(message, "this server cannot be a source")
            self._checked_queries = queries
        return self._checked_queries

    def _returns_documents(self, queries: SourceQueries) -> bool:
        """Return whether the server returns a document as the queries expect it."""
        if not queries.is_text:
            return True
        probe = queries.probe()
        with errors_end_the_run(SourceError, f"{self.name} cannot be read"):
            ((_, _, content, is_cut),) = self._tries(self._read_all, probe.query, probe.types, (2**31, probe.document))
        return bool(content == probe.content and bool(is_cut) == bool(queries.end_tag))

    def _read_catalog(self, table: str) -> dict[str, ActualTable]:
        return read_catalog(self._connected(), [table], self._database.schema, with_rules=False)

    def _read_all(self, query: str, types: Sequence[OdbcType], values: Sequence[object]) -> list[pyodbc.Row]:
        return list(self._connected().query(query, values, types))

    def _connected(self) -> SqlServerConnection:
        if self._connection is None:
            self._connection = SqlServerConnection(self._database)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
