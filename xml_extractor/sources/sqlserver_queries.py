"""The queries of a SQL Server source: pages of keys and documents by key; and its key column."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import pyodbc

from xml_extractor.contract.model import SourceTable
from xml_extractor.documents import DocumentKey
from xml_extractor.processing_log.log_keys import UnusableKey, is_text, log_key, source_key
from xml_extractor.processing_log.log_table import CASE_SENSITIVE
from xml_extractor.schema.names import literal, t_sql_name, t_sql_table
from xml_extractor.settings import KeyRange
from xml_extractor.targets.sqlserver.statements import OdbcType, cast_key
from xml_extractor.values.sqltypes import INTEGER_RANGES, MAX, Family, SqlType

DOCUMENTS_IN_QUERY = 32
"""Documents that one query fetches: a chunk. It always has this many parameters, so that the server compiles one
plan."""

_LONGEST_TEXT = 4000
_DIGITS_OF_BIGINT = 18

NATIONAL = "Ü€𝄞"
"""Characters of no single code page, one of them of two code units."""


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """A key column. Keys of integer types are `int`, all others text.

    Attributes:
        name: Its quoted name.
        type: Its type.
        collation: The collation of text; empty for other types.
    """

    name: str
    type: SqlType
    collation: str = ""

    @property
    def is_number(self) -> bool:
        """Whether keys are integers."""
        return self.type.family in (Family.INTEGER, Family.DECIMAL)

    @property
    def is_whole(self) -> bool:
        """Whether all keys fit into a bigint."""
        return self.is_number and (self.type.family is Family.INTEGER or self.type.precision <= _DIGITS_OF_BIGINT)

    @property
    def parameter(self) -> str:
        """The parameter of a key in a statement, cast to the type of the column so that its index can be used."""
        return "?" if self.type.family is Family.INTEGER else cast_key(self.type, self.collation)

    @property
    def odbc_type(self) -> OdbcType:
        """The type of the parameter."""
        match self.type.family:
            case Family.INTEGER:
                return pyodbc.SQL_BIGINT, 0, 0
            case Family.TEXT:
                return pyodbc.SQL_WVARCHAR, min(self.type.length, _LONGEST_TEXT), 0
            case _:
                return pyodbc.SQL_VARCHAR, 40, 0

    @property
    def _is_padded(self) -> bool:
        return self.type.name in ("char", "nchar")

    def log_key(self, value: object) -> DocumentKey:
        """Convert a value of the column, or text as bytes in UTF-16, to a key that the processing log can hold."""
        if self.is_number:
            return int(str(value))
        text = value.decode("utf-16-le", "surrogatepass") if isinstance(value, bytes) else str(value)
        if self.type.family is Family.GUID:
            return text.upper()
        key = log_key(text.rstrip(" ") if self._is_padded else text)
        # Half of a surrogate pair cannot be a parameter.
        return UnusableKey(key, None, key.explanation) if isinstance(key, UnusableKey) and not is_text(text) else key

    def bind(self, key: DocumentKey) -> DocumentKey:
        """Convert a key to the value of its parameter."""
        return key if self.type.family is Family.INTEGER else str(source_key(key))

    def nearest(self, text: str) -> tuple[DocumentKey, int]:
        """Return the value of this type that is nearest to a bound of a range.

        Returns:
            The value, and -1 if the bound is smaller, 1 if it is larger, 0 if it is equal.

        Raises:
            ValueError: The bound is not a key of this kind; its arguments are the bound and what the keys are.
        """
        if self.is_number:
            return self._nearest_number(text)
        if self.type.family is Family.GUID:
            try:
                return str(UUID(text)).upper(), 0
            except ValueError:
                raise ValueError(text, "GUIDs") from None
        fitting = text.encode("utf-16-le")[: 2 * self.type.length].decode("utf-16-le", "ignore")
        return fitting, int(fitting != text)

    def range_conditions(self, key_range: KeyRange) -> tuple[list[str], list[DocumentKey]]:
        """Return the conditions for the keys in a range, and their parameters.

        Raises:
            ValueError: As of `nearest`.
        """
        conditions: list[str] = []
        bounds: list[DocumentKey] = []
        for end, sign, strict_sign, beyond in ((key_range.first, ">=", ">", 1), (key_range.last, "<=", "<", -1)):
            if end:
                nearest, side = self.nearest(end)
                conditions.append(f"{self.name} {strict_sign if side == beyond else sign} {self.parameter}")
                bounds.append(nearest)
        return conditions, bounds

    def _nearest_number(self, text: str) -> tuple[int, int]:
        try:
            number = int(text)
        except ValueError:
            raise ValueError(text, "numbers") from None
        largest = 10**self.type.precision - 1
        smallest, largest = (-largest, largest) if self.type.family is Family.DECIMAL else INTEGER_RANGES["bigint"]
        nearest = max(smallest, min(largest, number))
        return nearest, (number > nearest) - (number < nearest)


def key_column(name: str, sql_type: SqlType | None, collation: str = "") -> KeyColumn | None:
    """Return the key column with this quoted name; None if its type cannot identify documents."""
    if sql_type is None:
        return None
    match sql_type.family:
        case Family.INTEGER | Family.GUID:
            return KeyColumn(name, sql_type)
        case Family.DECIMAL:
            return KeyColumn(name, sql_type) if sql_type.scale == 0 else None
        case Family.TEXT:
            is_long = sql_type.length == MAX or sql_type.name in ("text", "ntext")
            return None if is_long else KeyColumn(name, sql_type, collation)
        case _:
            return None


class Probe(NamedTuple):
    """A query that shows whether the server's functions on national text do what SQL Server's do.

    Attributes:
        query: Returns a row as the query for documents does.
        types: Of its parameters: the largest size, and the document.
        document: The document.
        content: What the query returns of it.
    """

    query: str
    types: list[OdbcType]
    document: str
    content: str


@dataclass(frozen=True)
class SourceQueries:
    """The queries of one source.

    Attributes:
        table: The source as the contract declares it.
        schema: Schema of a table without one; empty for the login's default.
        key: The key column.
        xml_type: The type of the column with documents.
        end_tag: The server truncates text after its first occurrence; empty to fetch whole documents.
    """

    table: SourceTable
    schema: str
    key: KeyColumn
    xml_type: SqlType
    end_tag: str

    def keys(self, conditions: Sequence[str], *, as_bytes: bool = False) -> tuple[str, list[OdbcType]]:
        """Return the query for the first keys that meet the conditions, without NULL.

        Args:
            conditions: Conditions on the table, each with one parameter of the key's type.
            as_bytes: Whether to return texts as bytes, because the driver cannot decode them; each with those of
                `NATIONAL`.

        Returns:
            The query and the types of its parameters: the number of keys, and those of the conditions.
        """
        where = _where([*conditions, *self._condition, f"{self.key.name} IS NOT NULL"])
        key = self.key.name
        listed = f"CONVERT(varbinary(8000), CONVERT(nvarchar(4000), {key}))" if as_bytes else key
        probe = f", CONVERT(varbinary(8000), CONVERT(nvarchar(4000), {literal(NATIONAL)}))" if as_bytes else ""
        query = f"SELECT TOP (?) {listed}{probe} FROM {self._name}{where} ORDER BY {key}"  # noqa: S608 - names are quoted
        return query, [(pyodbc.SQL_INTEGER, 0, 0), *[self.key.odbc_type] * len(conditions)]

    @property
    def nulls(self) -> str:
        """The query for the number of documents whose key is NULL."""
        where = _where([*self._condition, f"{self.key.name} IS NULL"])
        return f"SELECT COUNT(*) FROM {self._name}{where}"  # noqa: S608 - names are quoted

    def extremes(self, conditions: Sequence[str]) -> tuple[str, list[OdbcType]]:
        """Return the query for the smallest and the largest key that meet the conditions, and numbers of rows and keys.

        The condition of the contract is left out: it may be expensive, and the numbers need not be exact.
        """
        key = self._number
        query = f"SELECT MIN({key}), MAX({key}), COUNT(*), COUNT({key}) FROM {self._name}{_where(conditions)}"  # noqa: S608 - names are quoted
        return query, [self.key.odbc_type] * len(conditions)

    def numbers(self, first: int, last: int) -> str:
        """Return the query for the keys from the first to the last, as column `k`."""
        where = _where([f"{self._number} BETWEEN {first} AND {last}", *self._condition])
        return f"SELECT {self._number} AS k FROM {self._name}{where}"  # noqa: S608 - names are quoted

    @property
    def _number(self) -> str:
        key = self.key.name
        return key if self.key.type.name == "bigint" else f"CAST({key} AS bigint)"

    @property
    def _condition(self) -> list[str]:
        return [f"({self.table.where}\n)"] if self.table.where else []

    def documents(self, *, whole: bool) -> tuple[str, list[OdbcType]]:
        """Return the query for documents, ordered by key: key, size, content, whether it was truncated.

        The size is that of the whole document: bytes of binary columns, UTF-16 code units of text. The content is NULL
        if the size is larger than the first parameter. The other parameters are keys.
        """
        keys = ", ".join([self.key.parameter] * DOCUMENTS_IN_QUERY)
        types = [(pyodbc.SQL_BIGINT, 0, 0), *[self.key.odbc_type] * DOCUMENTS_IN_QUERY]
        query = self._documents_of(self._name, whole=whole)
        return f"{query} WHERE s.{self.key.name} IN ({keys}) ORDER BY s.{self.key.name}", types

    @property
    def is_text(self) -> bool:
        """Whether documents are text."""
        return self.xml_type.family is not Family.BINARY

    def probe(self) -> Probe:
        """Return a query for a document that is its parameter, by the same expressions as `documents`.

        With it, the source learns whether the server returns documents unchanged, and truncates them at the right end.
        """
        prefix, _, local = self.end_tag[2:-1].rpartition(":")
        name = f"{prefix}:{local}" if prefix else local or "r"
        other = f"{prefix}:{local.swapcase()}" if prefix else name.swapcase()
        before = f"<{other}>{NATIONAL}</{other}>" if other != name else ""
        begin = f'<x xmlns:{prefix or "p"}="p">{before}<{name}>{NATIONAL * _LONGEST_TEXT}</{name}>'
        convert = "CONVERT(xml, ?)" if self.xml_type.family is Family.XML else "CAST(? AS nvarchar(max))"
        row = f"(SELECT 1 AS {self.key.name}, {convert} AS {t_sql_name(self.table.xml)})"
        types = [(pyodbc.SQL_BIGINT, 0, 0), (pyodbc.SQL_WVARCHAR, 0, 0)]
        document = f"{begin}{NATIONAL}</x>"
        return Probe(self._documents_of(row, whole=False), types, document, begin if self.end_tag else document)

    @property
    def _name(self) -> str:
        """The table, without an alias: the condition of the contract may use its name."""
        return t_sql_table(self.table.table, self.schema)

    def _documents_of(self, rows: str, *, whole: bool) -> str:
        """Return the query for documents, without a condition.

        Args:
            rows: A table, or a query in parentheses.
            whole: Whether to return whole documents.
        """
        xml, key = f"s.{t_sql_name(self.table.xml)}", f"s.{self.key.name}"
        content = f"CONVERT({'nvarchar' if self.is_text else 'varbinary'}(max), {xml})"
        size = f"DATALENGTH({content}){' / 2' if self.is_text else ''}"
        with_content = f"{rows} AS s CROSS APPLY (SELECT {content} AS content, {size} AS size) AS d"
        if whole or not (self.end_tag and self.is_text):
            return f"SELECT {key}, d.size, CASE WHEN d.size <= ? THEN d.content END, 0 FROM {with_content}"  # noqa: S608 - names are quoted
        position = f"CHARINDEX({literal(self.end_tag)} COLLATE {CASE_SENSITIVE}, d.content)"
        end = f"p.position + {len(self.end_tag) - 1}"
        truncated = f"CASE WHEN p.position > 0 THEN LEFT(d.content, {end}) ELSE d.content END"
        return (
            f"SELECT {key}, d.size, CASE WHEN d.size <= ? THEN {truncated} END, "  # noqa: S608 - names are quoted
            f"CASE WHEN p.position > 0 THEN 1 ELSE 0 END "
            f"FROM {with_content} CROSS APPLY (SELECT {position} AS position) AS p"
        )


def _where(conditions: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""
