"""SQL Server's types as Arrow's, which Parquet files keep; and rows as columns.

Source: "Parquet Logical Type Definitions", Apache Parquet; "Data Types and In-Memory Data Model", Apache Arrow.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pyarrow as pa

from xml_extractor.connections import Convert, row_converter
from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.documents import Row
from xml_extractor.values.sqltypes import Family, SqlType, parse_type
from xml_extractor.values.times import FRACTION_DIGITS, fraction_of, with_seventh_digit

TYPE_KEY = b"sql_type"
"""The key of a field's metadata for its type in the contract."""

UNFIT = (pa.ArrowException, OverflowError, UnicodeEncodeError)
"""Errors of values that a column of Parquet cannot hold."""

_SIMPLE: dict[str | Family, pa.DataType] = {
    "tinyint": pa.uint8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "money": pa.decimal128(19, 4),
    "smallmoney": pa.decimal128(10, 4),
    Family.BIT: pa.bool_(),
    Family.TEXT: pa.string(),
    Family.GUID: pa.string(),
    Family.XML: pa.string(),
    Family.BINARY: pa.binary(),
    Family.DATE: pa.date32(),
}
"""Types without parameters, by their name or family."""

_REAL_BITS = 24
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - as values of datetime2
_TICK = timedelta(microseconds=1)
_TIMES = (Family.TIME, Family.DATETIME, Family.OFFSET)
_HUNDRED = 100
"""Nanoseconds of the seventh digit."""


def arrow_type(sql_type: SqlType) -> pa.DataType:
    """Return the type of a column in files.

    `datetimeoffset` becomes an instant in UTC. The seventh digit of a second needs nanoseconds, which end in 2262.
    """
    simple = _SIMPLE.get(sql_type.name) or _SIMPLE.get(sql_type.family)
    if simple is not None:
        return simple
    unit = "ns" if sql_type.scale == FRACTION_DIGITS else "us"
    match sql_type.family:
        case Family.DECIMAL:
            return pa.decimal128(sql_type.precision, sql_type.scale)
        case Family.TIME:
            return pa.time64(unit)
        case Family.FLOAT:
            return pa.float32() if sql_type.precision <= _REAL_BITS else pa.float64()
    return pa.timestamp(unit, "UTC" if sql_type.family is Family.OFFSET else None)


def arrow_schema(table: TableLayout) -> pa.Schema:
    """Return the schema of a table's files; the metadata of each field has the type in the contract."""
    return pa.schema(
        pa.field(column.name, arrow_type(column.type), not column.required, {TYPE_KEY: str(column.type).encode()})
        for column in table.columns
    )


def contract_types(schema: pa.Schema) -> dict[str, SqlType | None]:
    """Return the contract's types of the fields of a schema; None for fields that this program did not write."""
    found: dict[str, SqlType | None] = {}
    for field in schema:
        text = (field.metadata or {}).get(TYPE_KEY)
        found[field.name] = None if text is None else parse_type(text.decode())
    return found


def arrow_table(table: TableLayout, rows: Sequence[Row]) -> pa.Table:
    """Return rows of a table as columns.

    Raises:
        ArrowException, OverflowError, UnicodeEncodeError: A column cannot hold a value; see `unfit_column`.
    """
    columns = zip(*rows, strict=True) if rows else [()] * len(table.columns)
    arrays = [_array(column, values) for column, values in zip(table.columns, columns, strict=True)]
    return pa.table(arrays, schema=arrow_schema(table))


def in_schema(written: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows with all columns of a dataset; those of a table that fills only some of them are NULL."""
    there = dict(zip(map(str.casefold, written.column_names), written.columns, strict=True))
    nulls = (pa.nulls(written.num_rows, field.type) for field in schema)
    return pa.table(
        [there.get(field.name.casefold(), empty) for field, empty in zip(schema, nulls, strict=True)], schema=schema
    )


def unfit_column(table: TableLayout, rows: Sequence[Row]) -> ColumnLayout | None:
    """Return the first column that cannot hold a value of these rows."""
    for column, values in zip(table.columns, zip(*rows, strict=True), strict=False):
        try:
            _array(column, values)
        except UNFIT:
            return column
    return None


def rows_of(table: TableLayout, found: pa.Table) -> Iterator[Row]:
    """Yield rows, with values as documents have them; those of `datetimeoffset` in UTC."""
    restore = row_converter([_restoring(column.type) for column in table.columns])
    columns = []
    for column in table.columns:
        values = found.column(column.name)
        columns.append((values.cast(pa.int64()) if column.type.family in _TIMES else values).to_pylist())
    return map(restore, zip(*columns, strict=True))


def _array(column: ColumnLayout, values: Sequence[Any]) -> pa.Array:
    kind, count = arrow_type(column.type), _counting(column.type)
    if count is None:
        return pa.array(values, kind)
    return pa.array([None if value is None else count(value) for value in values], pa.int64()).cast(kind)


def _counting(sql_type: SqlType) -> Convert | None:
    """Return what counts the nanoseconds of a time with a seventh digit, which Arrow does not take from Python."""
    if sql_type.scale != FRACTION_DIGITS or sql_type.family not in _TIMES:
        return None
    return _nanoseconds_of_day if sql_type.family is Family.TIME else _nanoseconds


def _nanoseconds_of_day(value: time) -> int:
    seconds = (value.hour * 60 + value.minute) * 60 + value.second
    return seconds * 10**9 + fraction_of(value) * _HUNDRED


def _nanoseconds(value: datetime) -> int:
    epoch = _EPOCH if value.tzinfo is None else _EPOCH.replace(tzinfo=UTC)
    return (value - epoch) // _TICK * 1000 + getattr(value, "seventh_digit", 0) * _HUNDRED


def _restoring(sql_type: SqlType) -> Convert | None:
    """Return what makes a value of a count of nanoseconds or microseconds; None for other types."""
    if sql_type.family not in _TIMES:
        return None
    is_fine = sql_type.scale == FRACTION_DIGITS
    epoch = _EPOCH.replace(tzinfo=UTC) if sql_type.family is Family.OFFSET else _EPOCH

    def restore(count: int) -> datetime | time:
        microseconds, rest = divmod(count, 1000) if is_fine else (count, 0)
        found = with_seventh_digit(epoch + microseconds * _TICK, rest // _HUNDRED)
        return found.time() if sql_type.family is Family.TIME else found

    return restore
