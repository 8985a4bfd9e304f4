"""Rows of several tables in one statement: one JSON parameter for each table, which the server parses.

It takes one round trip; arrays of rows take several for each table.
Source: "OPENJSON (Transact-SQL)", Microsoft Learn.
"""

import json
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import cache
from itertools import count
from typing import Any, NamedTuple

import pyodbc

from xml_extractor.connections import Convert, row_converter
from xml_extractor.contract.layout import TableLayout
from xml_extractor.documents import Row
from xml_extractor.schema.names import t_sql_name, t_sql_table
from xml_extractor.targets.sqlserver.errors import TooLongError
from xml_extractor.targets.sqlserver.statements import IN_TRANSACTION_ONLY, LONGEST_IN_PLACE, OdbcType, code_units
from xml_extractor.values.sqltypes import INTEGER_RANGES, MAX, Family, SqlType
from xml_extractor.values.times import FRACTION_DIGITS

JSON: OdbcType = (pyodbc.SQL_WVARCHAR, 0, 0)
"""How the JSON of a table is bound."""

LONGEST_TEXT = LONGEST_IN_PLACE[pyodbc.SQL_WVARCHAR]

_NUL = "\\u0000"

_DIGITS_OF_MONEY = (19, 4)

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


@cache
def batch_statement(tables: tuple[TableLayout, ...], default_schema: str) -> str:
    """Return a statement with one parameter for the rows of each table.

    After an error it selects the table's position, and whether its changes are undone.

    Args:
        tables: The tables, in the order of insertion.
        default_schema: Of a table without one; empty for the login's.
    """
    inserts = "".join(
        f"SET @at = {position}; {_insert(table, t_sql_table(table.table, default_schema))} "
        for position, table in enumerate(tables)
    )
    return (
        f"{IN_TRANSACTION_ONLY}DECLARE @at int; SAVE TRANSACTION documents; BEGIN TRY {inserts}END TRY BEGIN CATCH "
        "DECLARE @is_undone int = CASE WHEN XACT_STATE() = 1 THEN 1 ELSE 0 END; "
        "IF @is_undone = 1 ROLLBACK TRANSACTION documents; SELECT @at, @is_undone; THROW; END CATCH"
    )


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


@cache
def json_columns(table: TableLayout) -> tuple[JsonColumn, ...]:
    """Return how the values of each column are written and read."""
    return tuple(_COLUMNS[column.type.family](column.type) for column in table.columns)


def json_query(table: TableLayout) -> str:
    """Return the query of the rows in one parameter, with the columns' names."""
    columns = list(zip(count(), table.columns, json_columns(table)))
    read = ", ".join(f"{as_json.read.format(f'c{at}')} AS {t_sql_name(column.name)}" for at, column, as_json in columns)
    declared = ", ".join(f"c{at} {as_json.declared} '$[{at}]'" for at, _, as_json in columns)
    return f"SELECT {read} FROM OPENJSON(?) WITH ({declared})"  # noqa: S608 - names are quoted


@cache
def _writer(table: TableLayout) -> Callable[[Row], Row]:
    return row_converter([column.write for column in json_columns(table)])


def _insert(table: TableLayout, name: str) -> str:
    names = ", ".join(t_sql_name(column.name) for column in table.columns)
    insert = f"INSERT INTO {name} ({names}) {json_query(table)};"
    return f"SET IDENTITY_INSERT {name} ON; {insert} SET IDENTITY_INSERT {name} OFF;" if table.identity else insert


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
