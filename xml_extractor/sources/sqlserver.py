"""Documents in a table or view of a SQL Server."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pyodbc

from xml_extractor.connections import errors_end_the_run, retrying
from xml_extractor.contract.model import Contract, SourceTable
from xml_extractor.documents import DocumentKey, Rejection, SourceDocument
from xml_extractor.errors import SourceError
from xml_extractor.processing_log.log_table import LogPlace
from xml_extractor.schema.model import ActualTable
from xml_extractor.schema.names import t_sql_name
from xml_extractor.settings import KeyRange
from xml_extractor.sources.document_keys import check_text_key, missing, too_large, unreadable
from xml_extractor.sources.interfaces import KeyPage
from xml_extractor.sources.sqlserver_keys import key_column
from xml_extractor.sources.sqlserver_queries import DOCUMENTS_IN_QUERY, SourceQueries
from xml_extractor.targets.sqlserver.address import SqlServerAddress, read_address
from xml_extractor.targets.sqlserver.catalog import read_catalog
from xml_extractor.targets.sqlserver.connection import SqlServerConnection
from xml_extractor.targets.sqlserver.statements import OdbcType
from xml_extractor.urls import URL
from xml_extractor.values.sqltypes import Family

PAGE_BYTES = 8 * 2**20
"""A query's further documents are left to the next one when there are more bytes than this."""

LARGEST_PAGE = 100_000
"""Keys listed at once, where the log has all keys of the pages before."""

NAME_OTHERS = "name table, key and xml in the contract's `source`"

Fetched = SourceDocument | Rejection
ListedKey = tuple[DocumentKey, bool]
"""A key, and whether the log has it."""


def open_source(url: URL, contract: Contract, max_bytes: int, /) -> "SqlServerSource":
    """The source that an address names.

    Raises:
        UsageError: The address is wrong.
        SourceError: The server cannot be reached, or table or column are missing.
    """
    read_until = contract.document.read_until
    end_tag = f"</{read_until.rpartition('/')[2]}>" if read_until else ""
    address = url.render_as_string(hide_password=False)
    return SqlServerSource(read_address(url), contract.source, address, max_bytes, end_tag)


class SqlServerSource:
    """The documents of a table or view, read only.

    All statements are sent by one thread of its own: while it reads documents, those before them can be mapped.

    Args:
        place: The database.
        table: The table and its columns.
        address: What opens the same source again.
        max_bytes: Larger documents are rejected: bytes of binary columns, UTF-16 code units of text.
        end_tag: Text is cut behind its first occurrence, by the server; empty: documents come whole.

    Raises:
        SourceError: The server cannot be reached, or table or column are missing.
    """

    def __init__(self, place: SqlServerAddress, table: SourceTable, address: str, max_bytes: int, end_tag: str) -> None:
        self.name = place.name
        self.address = address
        self._place = place
        self._max_bytes = max_bytes
        self._shown = f"{table.table} ({table.key}, {table.xml}) in {self.name}"
        self._connection: SqlServerConnection | None = None
        self._thread = ThreadPoolExecutor(1, "source")
        self._is_closed = False
        self._tries = retrying()
        try:
            self._queries = self._thread.submit(self._look_at, table, end_tag).result()
        except BaseException:
            self.close()
            raise

    def key_pages(
        self, page_size: int, key_range: KeyRange | None = None, log: LogPlace | None = None
    ) -> Iterator[KeyPage]:
        """All keys in ascending order, in pages of at most `page_size`; larger ones where the log has all keys so far.

        Raises:
            SourceError: The table cannot be read, or a key is NULL, there twice, or too long.
        """
        shared = log if log is not None and log.database == self._place.database_name else None
        conditions, bounds = self._range(key_range)
        size = page_size
        given: AbstractSet[DocumentKey] = set()
        while True:
            listed, again = self._list_others(given, size + 1, conditions, bounds, shared)
            page = listed[:size]
            logged = {str(key) for key, is_logged in page if is_logged}
            if page:
                yield KeyPage([key for key, _ in page], None if shared is None else logged)
            if len(listed) <= size:
                return
            given = again | {key for key, _ in page}
            conditions, bounds = self._range(key_range)
            conditions.append(f"s.{self._queries.key.name} >= {self._queries.key.place}")
            bounds.append(listed[size][0])
            size = min(2 * size, max(page_size, LARGEST_PAGE)) if len(logged) == size else page_size

    def fetch(self, keys: Sequence[DocumentKey], *, whole: bool = False) -> Iterator[Fetched]:
        """The documents of these keys in this order; one that cannot be read, or is gone, is a rejection.

        Args:
            keys: Which.
            whole: Do not cut them.

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
        """Close the connection, after the statement that is being sent; closing again does nothing."""
        if not self._is_closed:
            self._is_closed = True
            self._thread.submit(self._hang_up)
            self._thread.shutdown()

    def _parts(self, keys: Sequence[DocumentKey], *, whole: bool) -> Iterator[list[Fetched]]:
        remaining = list(keys)
        while remaining:
            with errors_end_the_run(SourceError, f"{self.name} cannot be read"):
                part = self._tries(self._read_part, remaining[:DOCUMENTS_IN_QUERY], whole=whole)
            yield part
            del remaining[: len(part)]

    def _read_part(self, keys: Sequence[DocumentKey], *, whole: bool) -> list[Fetched]:
        """The documents of the first of these keys: of all of them, unless they are too large to be held at once."""
        query, types = self._queries.documents(whole=whole)
        places = [*keys, *[keys[-1]] * (DOCUMENTS_IN_QUERY - len(keys))]
        found: dict[DocumentKey | None, Fetched] = {}
        read_bytes = 0
        try:
            values = [self._max_bytes, *map(self._queries.key.bind, places)]
            with closing(self._connected().query(query, values, types)) as rows:
                for value, size, content, is_cut in rows:
                    key = self._queries.key.read(value)
                    if key in found:
                        raise self._twice(key)
                    found[key] = self._document(key, size, content, is_cut=bool(is_cut))
                    read_bytes += len(content or "")
                    if read_bytes > PAGE_BYTES and keys[0] in found:
                        break
                else:
                    return [found.get(key) or missing(key) for key in keys]
        except UnicodeDecodeError:
            if len(keys) == 1:
                return [unreadable(keys[0], "its text is no valid UTF-16")]
            return self._read_part(keys[:1], whole=whole)
        known = next((number for number, key in enumerate(keys) if key not in found), len(keys))
        return [found[key] for key in keys[:known]]

    def _document(
        self, key: DocumentKey | None, size: int | None, content: str | bytes | None, *, is_cut: bool
    ) -> Fetched:
        if key is None:
            raise AssertionError("a document was found by a key that is NULL")
        if size is not None and size > self._max_bytes:
            return too_large(key, self._max_bytes)
        return SourceDocument(key, content, is_cut=is_cut)

    def _list_others(
        self,
        given: AbstractSet[DocumentKey],
        count: int,
        conditions: Sequence[str],
        bounds: Sequence[DocumentKey],
        log: LogPlace | None,
    ) -> tuple[list[ListedKey], AbstractSet[DocumentKey]]:
        """The first keys that are none of the given ones, and those of the given ones that were listed again.

        Where keys are equal for the column's collation, such as `a` and `A`, the server lists them in any order, and a
        page may end between them: the next one begins with all of them again.
        """
        again: AbstractSet[DocumentKey] = set()
        while True:
            query = self._thread.submit(self._list_keys, count + len(again), conditions, bounds, log)
            listed = query.result()
            repeated = given & {key for key, _ in listed}
            if len(repeated) <= len(again):
                return [each for each in listed if each[0] not in repeated], repeated
            again = repeated

    def _list_keys(
        self, count: int, conditions: Sequence[str], bounds: Sequence[DocumentKey], log: LogPlace | None
    ) -> list[ListedKey]:
        query, types = self._queries.keys(conditions, log)
        of_log = [] if log is None else [log.contract]
        values = [count, *of_log, *map(self._queries.key.bind, bounds)]
        with errors_end_the_run(SourceError, f"{self.name} cannot be read"):
            rows = self._tries(self._read_all, query, types, values)
        listed = [(self._checked(value), bool(is_logged)) for value, is_logged in rows]
        seen: set[DocumentKey] = set()
        for key, _ in listed:
            if key in seen:
                raise self._twice(key)
            seen.add(key)
        return listed

    def _range(self, key_range: KeyRange | None) -> tuple[list[str], list[DocumentKey]]:
        if key_range is None:
            return [], []
        key = self._queries.key
        conditions: list[str] = []
        bounds: list[DocumentKey] = []
        for end, sign, sign_if_beyond, beyond in ((key_range.first, ">=", ">", 1), (key_range.last, "<=", "<", -1)):
            if not end:
                continue
            try:
                nearest, side = key.nearest(end)
            except ValueError as error:
                raise SourceError(f"'{end}' is no key of {self._shown}: {error}") from None
            conditions.append(f"s.{key.name} {sign_if_beyond if side == beyond else sign} {key.place}")
            bounds.append(nearest)
        return conditions, bounds

    def _checked(self, value: object) -> DocumentKey:
        key = self._queries.key.read(value)
        if key is None:
            raise SourceError(f"a key of {self._shown} is NULL", "name another key column in the contract's `source`")
        if isinstance(key, str):
            check_text_key(key, self._shown)
        return key

    def _twice(self, key: DocumentKey | None) -> SourceError:
        tip = "name another key column in the contract's `source`"
        return SourceError(f"the key {key} is there more than once in {self._shown}", tip)

    def _look_at(self, table: SourceTable, end_tag: str) -> SourceQueries:
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
        identifying = key_column(t_sql_name(table.key), key.type, key.collation)
        if identifying is None:
            raise SourceError(f"the key of {self._shown} is {key.declared}: no whole number, text or GUID", NAME_OTHERS)
        if xml.type is None or xml.type.family not in (Family.TEXT, Family.BINARY, Family.XML):
            raise SourceError(
                f"the documents of {self._shown} are {xml.declared}: neither text nor binary", NAME_OTHERS
            )
        return SourceQueries(table, self._place.schema, identifying, xml.type, end_tag)

    def _read_catalog(self, table: str) -> dict[str, ActualTable]:
        return read_catalog(self._connected(), [table], self._place.schema)

    def _read_all(self, query: str, types: Sequence[OdbcType], values: Sequence[object]) -> list[pyodbc.Row]:
        return list(self._connected().query(query, values, types))

    def _connected(self) -> SqlServerConnection:
        if self._connection is None:
            self._connection = SqlServerConnection(self._place)
        return self._connection

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
