"""Documents in a table of a SQLite file: a source, and a writer that creates such a table."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import groupby
from typing import Any

from xml_extractor.connections import DatabaseError, ErrorClass, errors_end_the_run
from xml_extractor.content import COMPRESSED
from xml_extractor.contract.model import Contract, SourceTable
from xml_extractor.documents import DocumentKey, Rejection, SourceDocument
from xml_extractor.errors import SourceError
from xml_extractor.processing_log.log_keys import Digest, KeyBlocks, LoggedKeys, UnusableKey, log_key, repeated_key
from xml_extractor.reasons import Reason
from xml_extractor.schema.names import database_name, sqlite_name
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
from xml_extractor.sources.streams import plain_document
from xml_extractor.targets.sqlite.connection import SqliteConnection, SqliteFile, quoted_table, sqlite_file
from xml_extractor.urls import URL

_SMALLEST_LIMIT = 1_000_000
_LARGEST_LIMIT = 2**31 - 1
"""Limits of SQLITE_LIMIT_LENGTH in bytes: keys must fit, and SQLite allows no more."""

_MOST_BYTES_OF_A_CHARACTER = 4
"""In UTF-8."""

_LARGE = 32 * 1024
"""Bytes of a BLOB from which on it may be read in part."""

_PIECE = 16 * 1024
_MOST_MISSES = 10
"""Documents in a row without the end tag, after which documents are read whole."""

_MOST_DIGITS = 20
"""Characters of a 64-bit number."""

CREATE_SAMPLES = "create sample documents with `xml-extractor sample card_application 1000 --to {}`"


def open_source(url: URL, contract: Contract, max_bytes: int, _examined: object = None, /) -> "SqliteSource":
    """Open the source at an address.

    Raises:
        UsageError: The address is wrong.
        SourceError: The file, table or a column is missing.
    """
    has_records, end_tag = contract.document.records is not None, last_end_tag(contract)
    address = url.render_as_string()
    return SqliteSource(sqlite_file(url), contract.source, address, max_bytes, end_tag, has_records=has_records)


class SqliteSource:
    """The documents of a table, read only.

    Args:
        file: The database.
        table: The table and its columns.
        address: Opens the same source again.
        max_bytes: Larger documents are rejected.
        end_tag: Large documents are not read beyond its first occurrence; empty to read whole documents.
        has_records: Whether documents are files of records, which are decompressed while they are scanned.
    """

    def __init__(
        self, file: SqliteFile, table: SourceTable, address: str, max_bytes: int, end_tag: str, *, has_records: bool
    ) -> None:
        self.name = file.name
        self.address = address
        self.documents: int | None = None
        self._max_bytes = max_bytes
        self._has_records = has_records
        self._end_tag = end_tag.encode()
        self._misses = 0
        self._name, self._column = database_name(table.table, embedded=True)[1], table.xml
        self._table = f"{table.table} ({table.key}, {table.xml}) in {file.name}"
        self._condition = table.where
        self._where = [f"({table.where}\n)"] if table.where else []
        self._key, self._xml, self._from = sqlite_name(table.key), sqlite_name(table.xml), quoted_table(table.table)
        if not file.path.is_file():
            raise SourceError(f"there is no file {file.path}", CREATE_SAMPLES.format(file.name))
        with self._errors_end_the_run():
            self._database = file.connect(read_only=True)
        self._database.driver.text_factory = _text_or_bytes
        # SQLite does not read longer values.
        self._database.driver.setlimit(
            sqlite3.SQLITE_LIMIT_LENGTH, min(max(max_bytes, _SMALLEST_LIMIT), _LARGEST_LIMIT)
        )
        self._exact = self._collated = f"{self._key} COLLATE BINARY"
        try:
            self._row_id = self._find_row_id(self._check_table(table))
            if self._knows_collation():
                self._collated = self._key
        except BaseException:
            self.close()
            raise

    def key_pages(
        self,
        page_size: int,
        key_range: KeyRange | None = None,
        log: LoggedKeys | None = None,
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

    def _pages(self, page_size: int, log: LoggedKeys | None, key_range: KeyRange | None) -> Iterator[KeyPage]:
        if key_range is None:
            yield from pages_of_nulls(self._count_nulls(), page_size)
        conditions, bounds = self._range(key_range)
        size = page_size
        order = f"{self._collated}, {self._exact}"
        while True:
            where = _where((*conditions, *self._where, f"{self._key} IS NOT NULL"))
            select = f"SELECT {self._key}, typeof({self._key}) FROM {self._from}{where} ORDER BY {order} LIMIT ?"  # noqa: S608 - names are quoted
            with self._errors_end_the_run(), condition_errors(self._condition, self.name):
                rows = list(self._database.query(select, (*bounds, size + 1)))
            keys = self._distinct(rows[:size])
            if len(rows) > size and rows[size][0] == rows[size - 1][0]:
                keys += self._repeated([row for row in rows[:size] if row[0] == rows[size][0]])
            page = logged_page(keys, log)
            if keys:
                yield page
            if len(rows) <= size:
                return
            conditions, bounds = self._range(key_range)
            # By the column's collation, so that its index is used, and exactly among keys that are equal by it.
            last, bound = rows[size - 1][0], _bound_to(rows[size - 1])
            conditions.append(
                f"{self._collated} >= {bound} AND ({self._collated} > {bound} OR {self._exact} > {bound})"
            )
            bounds += [last] * 3
            size = next_size(page, size, page_size)

    def _blocks(self, key_range: KeyRange | None) -> KeyBlocks | None:
        """Return the blocks of keys, if they are whole numbers and many."""
        conditions, bounds = self._range(key_range)
        key = self._exact
        select = f"SELECT min({key}), max({key}), count(*), count({key}) FROM {self._from}{_where(conditions)}"  # noqa: S608 - names are quoted
        with self._errors_end_the_run():
            smallest, largest, count, keys = next(self._database.query(select, bounds))
        self.documents = None if self._where else count
        return KeyBlocks.of(smallest, largest, count) if count == keys else None

    def _digests(self, blocks: KeyBlocks) -> dict[int, Digest]:
        within = f"{self._key} BETWEEN {blocks.first} AND {blocks.last}"
        keys = f"SELECT {self._key} AS k FROM {self._from}{_where((within, *self._where))}"  # noqa: S608 - names are quoted
        with self._errors_end_the_run(), condition_errors(self._condition, self.name):
            return {block: tuple(digest) for block, *digest in self._database.query(blocks.query(keys))}

    def fetch(self, keys: Sequence[DocumentKey], *, whole: bool = False) -> Iterator[SourceDocument | Rejection]:
        """Yield the documents of these keys in this order; one that cannot be read is a rejection.

        Args:
            keys: The keys.
            whole: Whether to read large documents to their end.

        Raises:
            SourceError: The table cannot be read any more.
        """
        for key in keys:
            yield self._document(key, cuts=not whole and self._row_id != "" and self._misses < _MOST_MISSES)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _document(self, key: DocumentKey, *, cuts: bool) -> SourceDocument | Rejection:
        with self._errors_end_the_run():
            try:
                found = self._value(key, cuts=cuts)
            except DatabaseError as error:
                if error.code == Reason.TOO_LARGE:  # the value is longer than the limit of the connection
                    return too_large(key, self._max_bytes)
                raise
        if found is None:
            return missing(key)
        content, is_cut = found
        if content is not None and not isinstance(content, str | bytes):
            return unreadable(key, "the column holds a number, not a document")
        if content is not None and self._is_too_large(content):
            return too_large(key, self._max_bytes)
        document = SourceDocument(key, content, is_cut)
        if isinstance(content, bytes) and content.startswith(COMPRESSED) and not self._has_records:
            return plain_document(document, self._max_bytes)
        return document

    def _value(self, key: DocumentKey, *, cuts: bool) -> tuple[object, bool] | None:
        """Return the value of a document, and whether it is cut; None if there is no row."""
        columns = self._xml
        if cuts:  # SQLite knows the length of a BLOB without reading it
            is_large = f"typeof({self._xml}) = 'text' OR length({self._xml}) > {_LARGE}"
            columns = f"CASE WHEN {is_large} THEN NULL ELSE {self._xml} END, {self._row_id}, typeof({self._xml})"
        select = f"SELECT {columns} FROM {self._from} WHERE {self._collated} = ? AND {self._exact} = ?"  # noqa: S608 - names are quoted
        own = key.original if isinstance(key, UnusableKey) else key
        row = next(self._database.query(select, (own, own)), None)
        if row is None:
            return None
        if not cuts or row[0] is not None or row[2] == "null":
            return row[0], False
        begin = self._begin(row[1], is_text=row[2] == "text")
        return self._value(key, cuts=False) if begin is None else (begin, True)

    def _begin(self, row_id: int, *, is_text: bool) -> str | bytes | None:
        """Return a document up to the first end tag that may be the last one needed; None if it must be read whole."""
        begin, end = b"", -1
        try:
            with self._database.driver.blobopen(self._name, self._column, row_id, readonly=True) as value:
                if len(value) > self._max_bytes:
                    return None
                while end < 0 and not begin.startswith(COMPRESSED) and (piece := value.read(max(_PIECE, len(begin)))):
                    searched = max(len(begin) - len(self._end_tag), 0)
                    begin += piece
                    end = begin.find(self._end_tag, searched)
        except sqlite3.Error:
            return None  # the row has changed meanwhile, or reading it as a whole says what is wrong
        if begin.startswith(COMPRESSED):
            return None
        self._misses = self._misses + 1 if end < 0 else 0
        if end < 0:
            return None
        begin = begin[: end + len(self._end_tag)]
        return _text_or_bytes(begin) if is_text else begin

    def _is_too_large(self, content: str | bytes) -> bool:
        if isinstance(content, str) and len(content) * _MOST_BYTES_OF_A_CHARACTER > self._max_bytes:
            content = content.encode()
        return len(content) > self._max_bytes

    def _range(self, key_range: KeyRange | None) -> tuple[list[str], list[DocumentKey]]:
        if key_range is None:
            return [], []
        ends = [
            (f"{self._exact} {sign} ?", end) for sign, end in ((">=", key_range.first), ("<=", key_range.last)) if end
        ]
        return [condition for condition, _ in ends], [self._bound(end) for _, end in ends]

    def _bound(self, end: str) -> DocumentKey:
        """Convert a bound of a range to the type of the keys; in a column of numbers and texts, by how it looks."""
        first, last = self._extreme("min"), self._extreme("max")
        if not isinstance(first, int):
            return end
        try:
            return int(end)
        except ValueError:
            if isinstance(last, str):
                return end
            message = f"'{end}' is not a key of {self._table}: its keys are numbers"
            raise SourceError(message, "give numbers to --range") from None

    def _extreme(self, function: str) -> object:
        """Return the smallest or largest key; numbers sort before texts."""
        with self._errors_end_the_run():
            return next(self._database.query(f"SELECT {function}({self._exact}) FROM {self._from}"))[0]  # noqa: S608 - names are quoted

    def _count_nulls(self) -> int:
        where = _where((*self._where, f"{self._key} IS NULL"))
        with self._errors_end_the_run(), condition_errors(self._condition, self.name):
            count: int = next(self._database.query(f"SELECT count(*) FROM {self._from}{where}"))[0]  # noqa: S608 - names are quoted
        return count

    def _distinct(self, rows: Sequence[Sequence[Any]]) -> list[DocumentKey]:
        """Return the keys of listed rows, with other keys for those that occur again, as text or as number."""
        keys: list[DocumentKey] = []
        for value, same in groupby(row[0] for row in rows):
            key = log_key(value)
            is_again = isinstance(key, str) and self._is_number_too(key)
            for number, _ in enumerate(same, 1):
                # The processing log holds keys as text.
                again = f"text {number}" if is_again else number
                keys.append(key if again == 1 else repeated_key(key, again))
        return keys

    def _repeated(self, listed: Sequence[Sequence[Any]]) -> list[DocumentKey]:
        """Return the keys of the rows that have the same key as the listed ones, and are not listed."""
        value, bound = listed[0][0], _bound_to(listed[0])
        where = _where((*self._where, f"{self._collated} = {bound} AND {self._exact} = {bound}"))
        with self._errors_end_the_run(), condition_errors(self._condition, self.name):
            (count,) = next(self._database.query(f"SELECT count(*) FROM {self._from}{where}", (value, value)))  # noqa: S608 - names are quoted
        return self._distinct([listed[0]] * count)[len(listed) :]

    def _is_number_too(self, key: str) -> bool:
        if not key.lstrip("-").isdecimal() or not key.isascii() or str(int(key)) != key or len(key) > _MOST_DIGITS:
            return False
        with self._errors_end_the_run():
            query = f"SELECT 1 FROM {self._from} WHERE {self._collated} = {key} AND typeof({self._key}) = 'integer'"  # noqa: S608 - digits
            return next(self._database.query(query), None) is not None

    def _knows_collation(self) -> bool:
        """Return whether SQLite can compare keys as their column declares; other programs may define collations."""
        try:
            next(self._database.query(f"SELECT 1 FROM {self._from} WHERE {self._key} = ''"), None)  # noqa: S608 - names are quoted
        except DatabaseError as error:
            if error.error_class is not ErrorClass.FATAL:
                raise
            return False
        return True

    def _check_table(self, table: SourceTable) -> set[str]:
        """Return the names of the columns in lower case."""
        with self._errors_end_the_run():
            columns = {row[1].casefold() for row in self._database.query(f"PRAGMA table_xinfo({self._from})")}
        if not columns:
            raise SourceError(f"there is no table {table.table} in {self.name}", CREATE_SAMPLES.format(self.name))
        absent = [column for column in (table.key, table.xml) if column.casefold() not in columns]
        if absent:
            raise SourceError(
                f"the table {table.table} in {self.name} has no column {' and no column '.join(absent)}",
                "name the columns in the contract's `source`: table, key, xml",
            )
        return columns

    def _find_row_id(self, columns: set[str]) -> str:
        """Return the name of the rowid, by which documents can be read in part; empty if they cannot."""
        name = next((name for name in ("rowid", "_rowid_", "oid") if name not in columns), "")
        if not self._end_tag or not name:
            return ""
        try:
            (encoding,) = next(self._database.query("PRAGMA encoding"))
            query = f"SELECT {name} FROM {self._from} WHERE typeof({self._xml}) IN ('text', 'blob') LIMIT 1"  # noqa: S608 - names are quoted
            (row_id,) = next(self._database.query(query), (None,))
            self._database.driver.blobopen(self._name, self._column, row_id, readonly=True).close()
        except (DatabaseError, sqlite3.Error, TypeError):  # a view, or a table without rowid or documents
            return ""
        return name if encoding == "UTF-8" else ""

    def _errors_end_the_run(self) -> AbstractContextManager[None]:
        return errors_end_the_run(SourceError, f"{self.name} cannot be read")


def _bound_to(row: Sequence[Any]) -> str:
    """Return the parameter for the key of a listed row: its value and type."""
    return "CAST(? AS TEXT)" if row[1] == "text" and isinstance(row[0], bytes) else "?"


def _where(conditions: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _text_or_bytes(raw: bytes) -> str | bytes:
    """Keep text that is not UTF-8 as bytes: the parser can read it by its encoding declaration."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def open_source_writer(url: URL, table: SourceTable, /) -> DocumentWriter:
    """Return a writer of documents to this address.

    Raises:
        UsageError: The address is wrong.
    """
    file = sqlite_file(url)

    def connect() -> SqliteConnection:
        connection = file.connect()
        connection.switch_to_wal()
        return connection

    return DocumentWriter(file.name, file.path, connect, table, takes_bytes=True)
