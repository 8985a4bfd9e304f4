"""Reads what a target holds without the product: with a session of pyodbc or sqlite3 of its own, each value as text."""

import re
import sqlite3
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from decimal import Decimal
from typing import Any, NamedTuple

from lxml import etree

from tests import sqlserver
from xml_extractor.targets.sqlserver.address import SCHEMA
from xml_extractor.urls import parse_url
from xml_extractor.values.sqltypes import Family, SqlType

_MOMENTS = frozenset((Family.DATE, Family.TIME, Family.DATETIME, Family.OFFSET))
_MOMENT = re.compile(r"(.*?)(\.\d+)? ?([+-]\d\d:\d\d)?")
_TIME_OF_DAY = re.compile(r".*\d\d:\d\d:\d\d.*")


class Found(NamedTuple):
    """What a column holds: its text, as `plain` has it, and the bytes that SQL Server counts (0 in a file)."""

    text: str | None
    length: int = 0


Rows = dict[int, dict[str, Found]]
"""By the number that is the first column, what the others hold, by their names."""


def plain(text: str | None, sql_type: SqlType) -> str | None:
    """A value's text in its plainest form: moments without zeros at the end, XML in canonical form."""
    if text is None:
        return None
    if sql_type.family in _MOMENTS and _TIME_OF_DAY.fullmatch(text):
        return _plain_moment(text)
    return canonical(text) if sql_type.family is Family.XML else text


def _plain_moment(text: str) -> str:
    parts = _MOMENT.fullmatch(text)
    assert parts is not None
    fraction = (parts[2] or "").rstrip("0").rstrip(".")
    return f"{parts[1]}{fraction}{f' {parts[3]}' if parts[3] else ''}"


def canonical(text: str) -> str:
    """An XML fragment in canonical form; text that is none as it is."""
    body = re.sub(r"^<\?xml[^>]*\?>", "", text)
    try:
        root = etree.fromstring(f"<fragment>{body}</fragment>")
    except etree.XMLSyntaxError:
        return text
    return etree.tostring(root, method="c14n", with_comments=True).decode()


def read(address: str, table: str, columns: Sequence[tuple[str, SqlType]]) -> Rows:
    """Everything that a table holds.

    Args:
        address: Of the target.
        table: Its name in the database; its first column is `no`.
        columns: The others.
    """
    if address.startswith("sqlite"):
        return dict(_of_file(parse_url(address).database or "", table, columns))
    return dict(_of_server(address, table, columns))


def _of_server(
    address: str, table: str, columns: Sequence[tuple[str, SqlType]]
) -> Iterator[tuple[int, dict[str, Found]]]:
    schema = parse_url(address).query[SCHEMA]
    parts = ", ".join(
        f"{_AS_TEXT[sql_type.family].format(f'[{name}]')}, DATALENGTH([{name}])" for name, sql_type in columns
    )
    import pyodbc

    with closing(pyodbc.connect(sqlserver.connection_string(), autocommit=True)) as session:
        for no, *values in session.execute(f"SELECT no, {parts} FROM [{schema}].[{table}]"):
            pairs = zip(columns, values[::2], values[1::2], strict=True)
            yield no, {name: Found(_text(value, sql_type), length) for (name, sql_type), value, length in pairs}


_AS_TEXT: dict[Family, str] = {
    **dict.fromkeys((Family.BIT, Family.INTEGER, Family.DECIMAL), "CONVERT(varchar(60), {})"),
    Family.MONEY: "CONVERT(varchar(60), CONVERT(decimal(19,4), {}))",
    Family.FLOAT: "CONVERT(varbinary(8), CONVERT(float, {}))",
    **dict.fromkeys((Family.TEXT, Family.XML), "CONVERT(nvarchar(max), {})"),
    Family.BINARY: "CONVERT(varbinary(max), {})",
    **dict.fromkeys(_MOMENTS, "CONVERT(varchar(60), {}, 121)"),
    Family.GUID: "CONVERT(varchar(60), {})",
}


def _text(value: Any, sql_type: SqlType) -> str | None:
    if isinstance(value, bytes):
        return number_text(*struct.unpack(">d", value)) if sql_type.family is Family.FLOAT else value.hex()
    return plain(value, sql_type)


def number_text(value: float) -> str:
    """The shortest text of a float; a negative zero shows."""
    return repr(value)


def _of_file(path: str, table: str, columns: Sequence[tuple[str, SqlType]]) -> Iterator[tuple[int, dict[str, Found]]]:
    names = ", ".join(f'"{name}"' for name, _ in columns)
    with closing(sqlite3.connect(path)) as database:
        for no, *values in database.execute(f'SELECT no, {names} FROM "{table}"'):
            pairs = zip(columns, values, strict=True)
            yield no, {name: Found(_of_sqlite(value, sql_type)) for (name, sql_type), value in pairs}


def _of_sqlite(value: Any, sql_type: SqlType) -> str | None:
    """The text of a value as the page on types says that SQLite keeps it; another kind of value is shown as such."""
    if value is None:
        return None
    kinds, show = _IN_SQLITE.get(sql_type.family, ((str,), str))
    if sql_type.family is Family.DECIMAL and sql_type.precision <= 15:
        kinds, show = (int, float), lambda number: format(Decimal(repr(number)), f".{sql_type.scale}f")
    if not isinstance(value, kinds):
        return f"{type(value).__name__} {value!r}"
    return plain(show(value), sql_type)


_IN_SQLITE: dict[Family, tuple[tuple[type, ...], Callable[[Any], str]]] = {
    Family.BIT: ((int,), str),
    Family.INTEGER: ((int,), str),
    Family.FLOAT: ((float,), number_text),
    Family.BINARY: ((bytes,), bytes.hex),
}
