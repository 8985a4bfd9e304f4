"""Rows of several tables in one statement: one JSON parameter for each table, which the server parses.

It takes one round trip; arrays of rows take several for each table.
Source: "OPENJSON (Transact-SQL)", Microsoft Learn.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import lru_cache
from itertools import count
from typing import Any, NamedTuple

import pyodbc

from xml_extractor.connections import Convert, row_converter
from xml_extractor.contract.layout import TableLayout
from xml_extractor.documents import Row
from xml_extractor.schema.names import t_sql_name, t_sql_table
from xml_extractor.targets.sqlserver.errors import TooLongError
from xml_extractor.targets.sqlserver.statements import (
    IN_TRANSACTION_ONLY,
    LONGEST_IN_PLACE,
    OdbcType,
    cast_key,
    code_units,
    select_columns,
)
from xml_extractor.values.sqltypes import INTEGER_RANGES, MAX, Family, SqlType
from xml_extractor.values.times import FRACTION_DIGITS

JSON: OdbcType = (pyodbc.SQL_WVARCHAR, 0, 0)
"""How the JSON of a table is bound."""

LONGEST_TEXT = LONGEST_IN_PLACE[pyodbc.SQL_WVARCHAR]

_NUL = "\\u0000"

_DIGITS_OF_MONEY = (19, 4)

ROW = "row_at"
"""The column of given rows that has the position of the row."""

Collations = tuple[tuple[str, str], ...]
"""Names and collations of a table's columns."""

MOST_COLUMNS = 98
"""Columns of a table that can be sent as JSON: the number that all servers accept."""


class JsonColumn(NamedTuple):
    """How the values of a type are written and read as JSON.

    Attributes:
        declared: The type in the WITH clause of OPENJSON.
        read: The expression of the column's value, with `{}` for the name.
        write: Converts a bound value to one that JSON can hold.
    """

    declared: str
    read: str = "{}"
    write: Convert | None = None

    @property
    def is_long(self) -> bool:
        """Whether a text may be longer than every server can read."""
        return self.declared == "nvarchar(max)"


@lru_cache(maxsize=64)
def batch_statement(tables: tuple[TableLayout, ...], default_schema: str, collations: tuple[Collations, ...]) -> str:
    """Return a statement with one parameter for the rows of each table.

    If rows of a table may be there already, its parameter has numbered rows. Then there is a result for each table
    whose rows are shared, with the rows that are there in place of those that were kept, and a last one with the
    positions of the table and the row of each that was kept or replaced.

    After an error it selects the table's position, and whether its changes are undone.

    Args:
        tables: The tables, in the order of insertion.
        default_schema: Of a table without one; empty for the login's.
        collations: Of the key columns of each table.
    """
    changes, found = "", ""
    for position, (table, of_table) in enumerate(zip(tables, collations, strict=True)):
        name = t_sql_table(table.table, default_schema)
        if table.inserts_always:
            changes += f"SET @at = {position}; {_insert(table, name)} "
            continue
        rows = f"@rows{position}"
        given = given_query(
            table, dict(of_table), f"OPENJSON({rows})", f"n AS {ROW}", f", n int '$[{len(table.columns)}]'"
        )
        changes += f"DECLARE {rows} nvarchar(max) = ?; SET @at = {position}; "
        changes += conflict_changes(table, name, given, f"SELECT {position}, {ROW}", (ROW,)) + " "
        if table.is_shared:
            noted = f"SELECT 1 FROM ({given}) AS given JOIN @not_inserted AS kept ON kept.d = {ROW} WHERE kept.t = "  # noqa: S608 - names are quoted
            there = f"SELECT {select_columns(table)} FROM {name} AS there"  # noqa: S608 - names are quoted
            found += f"{there} WHERE EXISTS ({noted}{position} AND {same_key(table)}); "
    if len(tables) > sum(table.inserts_always for table in tables):
        changes = f"DECLARE @not_inserted TABLE (t int, d int); {changes}"
        found += "SELECT t, d FROM @not_inserted ORDER BY t, d; "
    return (
        f"{IN_TRANSACTION_ONLY}DECLARE @at int; SAVE TRANSACTION documents; BEGIN TRY {changes}{found}END TRY "
        "BEGIN CATCH DECLARE @is_undone int = CASE WHEN XACT_STATE() = 1 THEN 1 ELSE 0 END; "
        "IF @is_undone = 1 ROLLBACK TRANSACTION documents; SELECT @at, @is_undone; THROW; END CATCH"
    )


@lru_cache(maxsize=1024)
def update_statement(table: TableLayout, default_schema: str, collations: Collations, names: tuple[str, ...]) -> str:
    """Return the statement that sets columns of rows, which its parameter has whole.

    Args:
        table: A table whose keys are compared.
        default_schema: Of a table without one; empty for the login's.
        collations: Of the key columns.
        names: The columns to set.
    """
    new = ", ".join(f"{t_sql_name(name)} = given.{t_sql_name(name)}" for name in names)
    given = given_query(table, dict(collations), "OPENJSON(?)")
    there = f"{t_sql_table(table.table, default_schema)} AS there"
    return f"{IN_TRANSACTION_ONLY}UPDATE there SET {new} FROM {there} JOIN ({given}) AS given ON {same_key(table)}"  # noqa: S608 - names are quoted


def conflict_changes(table: TableLayout, name: str, given: str, noted: str, order: Sequence[str]) -> str:
    """Return the statements that keep or replace rows whose keys are there.

    Of several given rows with one key, the first is kept, or the last one replaces the others.

    Args:
        table: The table.
        name: Its quoted name.
        given: The query of the rows, with further columns.
        noted: Selects, of a given row, what `@not_inserted` holds of a row that is kept or replaced.
        order: The further columns that give the order of the rows.
    """
    columns = ", ".join(t_sql_name(column.name) for column in table.columns)
    by = f"PARTITION BY {', '.join(map(t_sql_name, table.key))} ORDER BY"
    first = f"ROW_NUMBER() OVER ({by} {', '.join(order)})"
    choice = first if table.on_conflict == "keep" else f"ROW_NUMBER() OVER ({by} {' DESC, '.join(order)} DESC)"
    chosen = f"(SELECT *, {choice} AS choice FROM ({given}) AS every) AS given"  # noqa: S608 - names are quoted
    there = f"EXISTS (SELECT 1 FROM {name} AS there WITH (UPDLOCK, HOLDLOCK) WHERE {same_key(table)})"  # noqa: S608 - names are quoted
    note = (
        f"INSERT INTO @not_inserted (t, d) {noted} "  # noqa: S608 - names are quoted
        f"FROM (SELECT *, {first} AS choice FROM ({given}) AS every) AS given WHERE choice > 1 OR {there};"
    )
    insert = f"INSERT INTO {name} ({columns}) SELECT {columns} FROM {chosen} WHERE choice = 1 AND NOT {there};"  # noqa: S608 - names are quoted
    others = [t_sql_name(column.name) for column in table.columns if column.name not in table.key]
    if table.on_conflict == "keep" or not others:
        return f"{note} {with_identity(table, name, insert)}"
    new = ", ".join(f"{column} = given.{column}" for column in others)
    update = f"UPDATE there SET {new} FROM {name} AS there JOIN {chosen} ON {same_key(table)} WHERE choice = 1;"  # noqa: S608 - names are quoted
    return f"{note} {with_identity(table, name, insert)} {update}"


def with_identity(table: TableLayout, name: str, insert: str) -> str:
    """Return an INSERT that may fill the IDENTITY column of its table."""
    return f"SET IDENTITY_INSERT {name} ON; {insert} SET IDENTITY_INSERT {name} OFF;" if table.identity else insert


def same_key(table: TableLayout) -> str:
    """Return the condition that a row `given` has the key of the row `there`."""
    return " AND ".join(f"there.{t_sql_name(key)} = given.{t_sql_name(key)}" for key in table.key)


def given_query(
    table: TableLayout, collations: Mapping[str, str], texts: str, further: str = "", declared: str = ""
) -> str:
    """Return the query of the rows in a JSON text; keys that are compared get the type and collation of their column.

    Args:
        table: The table.
        collations: Of its key columns.
        texts: What is read, such as `OPENJSON(?)`.
        further: Expressions of further columns.
        declared: Their declarations, after a comma.
    """
    columns = list(zip(count(), table.columns, json_columns(table)))
    read = []
    for at, column, as_json in columns:
        value = as_json.read.format(f"c{at}")
        if not table.inserts_always and column.name in table.key:
            value = cast_key(column.type, collations.get(column.name, ""), value)
        read.append(f"{value} AS {t_sql_name(column.name)}")
    types = ", ".join(f"c{at} {as_json.declared} '$[{at}]'" for at, _, as_json in columns)
    return f"SELECT {', '.join([*read, further] if further else read)} FROM {texts} WITH ({types}{declared})"  # noqa: S608 - names are quoted


def json_rows(table: TableLayout, rows: Sequence[Row], *, only_plain: bool, numbered: bool = False) -> str | None:
    """Write bound rows of a table as an array of arrays.

    Args:
        table: The table.
        rows: Bound rows.
        only_plain: Whether the server cannot read escapes and long texts; see `probes.JsonSupport`.
        numbered: Whether the last value of each row is its position.

    Returns:
        The JSON; None if it cannot carry the rows: a text has a NUL, or there are too many columns.

    Raises:
        TooLongError, OverflowError, DecimalException, UnicodeEncodeError: A value does not fit its type.
    """
    if len(table.columns) > MOST_COLUMNS:
        return None
    written: list[tuple[Any, ...]] = list(map(_writer(table), rows))
    if numbered:
        written = [(*row, position) for position, row in enumerate(written)]
    text = json.dumps(written, ensure_ascii=False, separators=(",", ":"))
    if not text.isascii():
        text.encode()
    if _NUL in text or (only_plain and ("\\" in text or _has_long_text(table, written))):
        return None
    return text


def _has_long_text(table: TableLayout, written: Sequence[Sequence[Any]]) -> bool:
    long_columns = [position for position, column in enumerate(json_columns(table)) if column.is_long]
    return any(code_units(row[at] or "") > LONGEST_TEXT for at in long_columns for row in written)


@lru_cache(maxsize=1024)
def json_columns(table: TableLayout) -> tuple[JsonColumn, ...]:
    """Return how the values of each column are written and read."""
    return tuple(_COLUMNS[column.type.family](column.type) for column in table.columns)


@lru_cache(maxsize=1024)
def _writer(table: TableLayout) -> Callable[[Row], Row]:
    return row_converter([column.write for column in json_columns(table)])


def _insert(table: TableLayout, name: str) -> str:
    names = ", ".join(t_sql_name(column.name) for column in table.columns)
    return with_identity(table, name, f"INSERT INTO {name} ({names}) {given_query(table, {}, 'OPENJSON(?)')};")


def _text(length: int) -> str:
    """Declare Unicode for every type of text: the assignment converts it to the column's code page."""
    return f"nvarchar({length if 0 < length <= LONGEST_TEXT else 'max'})"


def _not_longer_than(length: int, measure: Callable[[Any], int], write: Convert) -> Convert:
    """Check the length, because OPENJSON would truncate silently."""

    def write_checked(value: Any) -> Any:
        if measure(value) > length:
            raise TooLongError
        return write(value)

    return write_checked if length > 0 else write


def _unicode(sql_type: SqlType) -> JsonColumn:
    return JsonColumn(_text(sql_type.length), write=_not_longer_than(sql_type.length, code_units, str))


def _whole_number(sql_type: SqlType) -> JsonColumn:
    least, largest = INTEGER_RANGES[sql_type.name]

    def write(value: int) -> int:
        if not least <= value <= largest:
            raise OverflowError
        return value

    return JsonColumn(str(sql_type), write=write)


def _decimal(sql_type: SqlType) -> JsonColumn:
    """Check the digits, because the server would round."""
    precision, scale = (sql_type.precision, sql_type.scale) if sql_type.precision else _DIGITS_OF_MONEY
    unit, exactly = Decimal(1).scaleb(-scale), Context(prec=precision, traps=[Inexact, InvalidOperation])
    return JsonColumn(str(sql_type), write=lambda value: f"{exactly.quantize(Decimal(value), unit):f}")


def _binary(sql_type: SqlType) -> JsonColumn:
    """Write hexadecimal digits."""
    length = sql_type.length
    binary = "varbinary(max)" if sql_type.name == "image" else sql_type
    digits = _text(2 * length if length > 0 else MAX)
    return JsonColumn(digits, f"CONVERT({binary}, {{}}, 2)", _not_longer_than(length, len, bytes.hex))


def _moment(sql_type: SqlType) -> JsonColumn:
    """`datetime` takes no more than three digits of a second; values of seven digits are bound as text."""
    if sql_type.scale == FRACTION_DIGITS:
        return JsonColumn(str(sql_type))
    fraction = {"datetime": "milliseconds", "smalldatetime": "seconds"}.get(sql_type.name, "microseconds")
    return JsonColumn(str(sql_type), write=lambda value: value.isoformat(timespec=fraction))


def _as_itself(write: Convert | None = None) -> Callable[[SqlType], JsonColumn]:
    return lambda sql_type: JsonColumn(str(sql_type), write=write)


_COLUMNS: dict[Family, Callable[[SqlType], JsonColumn]] = {
    Family.BIT: _as_itself(int),
    Family.INTEGER: _whole_number,
    Family.DECIMAL: _decimal,
    Family.MONEY: _decimal,
    Family.FLOAT: _as_itself(),
    Family.TEXT: _unicode,
    Family.BINARY: _binary,
    Family.DATE: _as_itself(date.isoformat),
    Family.TIME: _as_itself(),
    Family.DATETIME: _moment,
    Family.OFFSET: _as_itself(),
    Family.GUID: _as_itself(),
    Family.XML: lambda _sql_type: JsonColumn(_text(MAX), "CONVERT(xml, {}, 1)"),
}
