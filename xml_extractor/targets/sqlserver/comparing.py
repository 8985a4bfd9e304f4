"""A connection that reads rows of SQL Server to compare them, or has the server hash them, which is faster.

Mapped rows are hashed in the same way. A hash that differs proves nothing: the rows are then read and compared. So it
does not matter if a server writes a type differently; its tables are only read.
"""

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from xml_extractor.connections import DatabaseError, ErrorClass, row_converter
from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.documents import Row
from xml_extractor.schema.names import database_name, t_sql_name, t_sql_table
from xml_extractor.schema.type_fit import CODE_PAGE_TYPES
from xml_extractor.targets.delete_plan import Dialect
from xml_extractor.targets.interfaces import KeyPart, RowForm, RowHash, parts
from xml_extractor.targets.sqlserver.address import SqlServerAddress
from xml_extractor.targets.sqlserver.connection import SqlServerConnection
from xml_extractor.targets.sqlserver.knowledge import SAMPLES, ServerKnowledge, probed_table
from xml_extractor.targets.sqlserver.statements import (
    cast_key,
    comparable,
    parameter,
    restore_columns,
    row_binder,
    select_columns,
)
from xml_extractor.values.sqltypes import MAX, Family, SqlType, parse_type

_ENCODINGS = ("utf-16-le", "utf-8")
_ENCODED = "€ 𝄞"
_SEPARATOR = "\x1f"
_MOST_ARGUMENTS = 200
"""Arguments of one CONCAT; it takes 254."""

_PARTS = range(1, 17, 4)
"""Where the integers begin of which a hash consists: their sums do not depend on the order of rows."""

AsText = Callable[[SqlType, Any], str]


class HashSupport(NamedTuple):
    """What the server can hash.

    Attributes:
        encoding: How it encodes texts that it hashes; empty if it cannot hash them.
        families: The types that it writes as expected.
    """

    encoding: str
    families: frozenset[Family]


def hash_support(connection: SqlServerConnection) -> HashSupport:
    """Ask the server how it hashes, by one statement.

    Raises:
        DatabaseError: A transient error.
    """
    samples = [(parse_type(name), value) for name, value in SAMPLES]
    known = [(sql_type, value) for sql_type, value in samples if sql_type.family in _TEXTS]
    table, values = probed_table(known)
    bound = [parameter(sql_type) for sql_type, _ in known]
    places = ", ".join(
        f"CAST({each.place} AS {column.type}) AS [{column.name}]"
        for each, column in zip(bound, table.columns, strict=True)
    )
    texts = ", ".join(_text(t_sql_name(column.name), column.type) for column in table.columns)
    hashed = f"HASHBYTES('SHA2_256', CAST(N'{_ENCODED}' AS nvarchar(max)))"
    statement = f"SELECT {hashed}, {texts} FROM (SELECT {places}) AS probed"  # noqa: S608 - constants
    try:
        [[found]] = connection.results(statement, row_binder(table)(values), [each.odbc_type for each in bound])
    except DatabaseError as error:
        if error.error_class is ErrorClass.TRANSIENT:
            raise
        return HashSupport("", frozenset())
    digest, *written = found
    encodings = [name for name in _ENCODINGS if sha256(_ENCODED.encode(name)).digest() == bytes(digest)]
    wrong = {
        sql_type.family
        for (sql_type, value), text in zip(known, written, strict=True)
        if text != _as_text(sql_type)(value)
    }
    return HashSupport(next(iter(encodings), ""), frozenset(_TEXTS) - wrong)


def row_hash(table: TableLayout, support: HashSupport) -> RowHash | None:
    """Return how rows of a table are hashed; None if the server cannot hash them as expected."""
    if not support.encoding or any(column.type.family not in support.families for column in table.columns):
        return None
    names = [t_sql_name(column.name) for column in table.columns]
    texts = [_text(name, column.type) for name, column in zip(names, table.columns, strict=True)]
    # At the end of the text, to distinguish NULL from empty texts.
    filled = [f"CASE WHEN {name} IS NULL THEN N'0' ELSE N'1' END" for name in names]
    separated = [part for text in texts for part in (text, f"NCHAR({ord(_SEPARATOR)})")]
    hashed = f"HASHBYTES('SHA2_256', CAST({_concatenated([*separated, *filled])} AS nvarchar(max)))"
    sums = [f"SUM(CAST(CAST(SUBSTRING(hashed, {start}, 4) AS int) AS bigint))" for start in _PARTS]
    writers = [_as_text(column.type) for column in table.columns]

    def sums_of(rows: Sequence[Row]) -> tuple[int, ...]:
        digests = [_digest(row, writers, support.encoding) for row in rows]
        return tuple(
            sum(int.from_bytes(digest[start - 1 : start + 3], "big", signed=True) for digest in digests)
            for start in _PARTS
        )

    return RowHash(hashed, ", ".join(sums), sums_of)


def _digest(row: Row, writers: Sequence[Callable[[Any], str]], encoding: str) -> bytes:
    texts = ["" if value is None else write(value) for value, write in zip(row, writers, strict=True)]
    filled = "".join("0" if value is None else "1" for value in row)
    text = "".join(f"{each}{_SEPARATOR}" for each in texts) + filled
    return sha256(text.encode(encoding, "surrogatepass")).digest()


def _concatenated(parts: Sequence[str]) -> str:
    while len(parts) > 1:
        some = [parts[first : first + _MOST_ARGUMENTS] for first in range(0, len(parts), _MOST_ARGUMENTS)]
        parts = [f"CONCAT({', '.join(each)})" if len(each) > 1 else each[0] for each in some]
    return parts[0]


def _text(name: str, sql_type: SqlType) -> str:
    sql, _ = _TEXTS[sql_type.family]
    return sql.format(f"RTRIM({name})" if sql_type.name in ("char", "nchar") else name)


def _as_text(sql_type: SqlType) -> Callable[[Any], str]:
    _, write = _TEXTS[sql_type.family]
    return lambda value: write(sql_type, value)


def _decimal(sql_type: SqlType, value: Any) -> str:
    scale = 4 if sql_type.family is Family.MONEY else sql_type.scale
    return f"{value or abs(value):.{scale}f}"


def _float(_sql_type: SqlType, value: Any) -> str:
    mantissa, _, exponent = f"{float(value) or 0.0:.16e}".partition("e")
    return f"{mantissa}e{exponent[0]}{int(exponent[1:]):03}"


def _characters(sql_type: SqlType, value: Any) -> str:
    return str(value).rstrip(" ") if sql_type.name in ("char", "nchar") else str(value)


def _binary(sql_type: SqlType, value: Any) -> str:
    padded = value.ljust(sql_type.length, b"\0") if sql_type.name == "binary" and sql_type.length != MAX else value
    return bytes(padded).hex().upper()


def _time(sql_type: SqlType, value: Any) -> str:
    return _fraction(value.isoformat("microseconds"), len("09:30:59"), sql_type.scale)


def _datetime(sql_type: SqlType, value: Any) -> str:
    digits = {"datetime": 3, "smalldatetime": 3}.get(sql_type.name, sql_type.scale)
    return _fraction(value.isoformat(" ", "microseconds"), len("2026-03-05 09:30:59"), digits)


def _offset(sql_type: SqlType, value: Any) -> str:
    text = value.isoformat(" ", "microseconds")
    return f"{_fraction(text[:-6], len('2026-03-05 09:30:59'), sql_type.scale)} {text[-6:]}"


def _fraction(text: str, whole: int, digits: int) -> str:
    length = whole + (1 + digits if digits else 0)
    return text.ljust(length, "0")[:length]


_TEXTS: dict[Family, tuple[str, AsText]] = {
    Family.BIT: ("CAST({} AS nvarchar(1))", lambda _, value: str(int(value))),
    Family.INTEGER: ("CAST({} AS nvarchar(20))", lambda _, value: str(value)),
    Family.DECIMAL: ("CAST({} AS nvarchar(41))", _decimal),
    Family.MONEY: ("CONVERT(nvarchar(30), {}, 2)", _decimal),
    Family.FLOAT: ("CONVERT(nvarchar(40), CAST({} AS float), 3)", _float),
    Family.TEXT: ("CAST({} AS nvarchar(max))", _characters),
    Family.BINARY: ("CONVERT(nvarchar(max), {}, 2)", _binary),
    Family.DATE: ("CONVERT(nvarchar(10), {}, 23)", lambda _, value: str(value.isoformat())),
    Family.TIME: ("CONVERT(nvarchar(16), {}, 121)", _time),
    Family.DATETIME: ("CONVERT(nvarchar(30), {}, 121)", _datetime),
    Family.OFFSET: ("CONVERT(nvarchar(40), {}, 121)", _offset),
    Family.GUID: ("CONVERT(nvarchar(36), {})", lambda _, value: str(value).upper()),
}
"""How the server writes the values of each type, and how that text is made of a mapped value."""


PARAMETERS_IN_STATEMENT = 250


class ComparingServerConnection(SqlServerConnection):
    """A `ComparingConnection` to a database on a SQL Server, whose transactions commit.

    Args:
        address: The database.
        knowledge: What is known about the server.

    Raises:
        DatabaseError: The server cannot be reached, or refuses.
    """

    def __init__(self, address: SqlServerAddress, knowledge: ServerKnowledge) -> None:
        self._knowledge = knowledge
        self._hash_support: HashSupport | None = None
        super().__init__(address)

    @property
    def names(self) -> Dialect:
        """How names are written in statements."""
        return Dialect(t_sql_name, lambda table: t_sql_table(table, self._address.schema), _bare_name)

    def row_form(self, table: TableLayout) -> RowForm:
        """Return how rows of a table are compared: as they are mapped."""
        restore, form = restore_columns(table), comparable(table)
        return RowForm(select_columns(table), lambda row: form(restore(row)), form)

    def row_hash(self, table: TableLayout) -> RowHash | None:
        """Return how the server hashes rows of a table; None if it cannot."""
        if self._hash_support is None:
            self._hash_support = hash_support(self)
        return row_hash(table, self._hash_support)

    def query_keys(
        self, query: str, columns: Sequence[KeyPart], keys: Sequence[Row], rest: str = ""
    ) -> Iterator[Sequence[Any]]:
        """Execute a query for the rows with these keys, and yield what it returns."""
        bind = row_converter([parameter(column.type).bind for _, _, column in columns])
        return self._query_bound_keys(query, columns, list(map(bind, keys)), rest)

    def _query_bound_keys(
        self, query: str, columns: Sequence[KeyPart], keys: Sequence[Row], rest: str = ""
    ) -> Iterator[Sequence[Any]]:
        bound = [parameter(column.type) for _, _, column in columns]
        names = [t_sql_name(name) for name, _, _ in columns]
        places = [self._key_parameter(table, column) for _, table, column in columns]
        same = " AND ".join(f"{name} = {place}" for name, place in zip(names, places, strict=True))
        for some in parts(keys, max(1, PARAMETERS_IN_STATEMENT // len(columns))):
            if len(columns) == 1:
                condition = f"{names[0]} IN ({', '.join(places * len(some))})"
            else:
                condition = " OR ".join([f"({same})"] * len(some))
            types = [each.odbc_type for _ in some for each in bound]
            yield from self.query(f"{query} ({condition}){rest}", [value for key in some for value in key], types)

    def _key_parameter(self, table: TableLayout, column: ColumnLayout) -> str:
        if column.type.name not in CODE_PAGE_TYPES:
            return parameter(column.type).place
        return cast_key(column.type, self._knowledge.collation(self, table, column.name))


def _bare_name(table: str) -> str:
    return t_sql_name(database_name(table, embedded=True)[1])
