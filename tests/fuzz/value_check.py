"""Check whether a column of a type can hold a value, without the converters' code.

Source: "Data types (Transact-SQL)", Microsoft Learn.
"""

import math
import re
import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from xml.parsers import expat

from xml_extractor.documents import Value
from xml_extractor.values.sqltypes import SqlType
from xml_extractor.values.times import fraction_of

LONGEST = 2**31 - 1
BITS = {"smallint": 16, "int": 32, "bigint": 64}
MONEY_BITS = {"smallmoney": 32, "money": 64}
EARLIEST = {"datetime": datetime(1753, 1, 1), "smalldatetime": datetime(1900, 1, 1)}  # noqa: DTZ001 - they have no zone
LATEST_SMALL = datetime(2079, 6, 6, 23, 59)  # noqa: DTZ001 - it has no zone
WIDEST_OFFSET = timedelta(hours=14)
GUID = re.compile("[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}")


def fits(value: Value, sql_type: SqlType, code_page: str = "cp1252") -> bool:
    """Whether the value is NULL, or of the type's Python class and within its limits."""
    if value is None:
        return True
    name = sql_type.name
    if name in ("char", "varchar", "text"):
        return isinstance(value, str) and _is_text(value, sql_type, code_page, 1)
    if name in ("nchar", "nvarchar", "ntext"):
        return isinstance(value, str) and _is_text(value, sql_type, "utf-16-le", 2)
    return _CHECKS[name](value, sql_type)


def _is_text(value: str, sql_type: SqlType, encoding: str, unit: int) -> bool:
    try:
        size = len(value.encode(encoding)) // unit
    except UnicodeEncodeError:
        return False
    return _is_length(size, sql_type, is_fixed=sql_type.name in ("char", "nchar"))


def _is_length(size: int, sql_type: SqlType, *, is_fixed: bool) -> bool:
    if sql_type.length > 0:
        return size == sql_type.length if is_fixed else size <= sql_type.length
    return size <= LONGEST


def _is_bit(value: Value, _: SqlType) -> bool:
    return isinstance(value, bool)


def _is_tinyint(value: Value, _: SqlType) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**8


def _is_integer(value: Value, sql_type: SqlType) -> bool:
    half = 2 ** (BITS[sql_type.name] - 1)
    return isinstance(value, int) and not isinstance(value, bool) and -half <= value < half


def _scaled(value: Value, scale: int) -> int | None:
    """Return a decimal number as an integer of its last place; None if it has another number of decimals."""
    if not isinstance(value, Decimal) or not value.is_finite() or (value.is_zero() and value.is_signed()):
        return None
    sign, digits, exponent = value.as_tuple()
    return (-1) ** sign * int("".join(map(str, digits))) if exponent == -scale else None


def _is_decimal(value: Value, sql_type: SqlType) -> bool:
    scaled = _scaled(value, sql_type.scale)
    return scaled is not None and len(str(abs(scaled))) <= sql_type.precision


def _is_money(value: Value, sql_type: SqlType) -> bool:
    half = 2 ** (MONEY_BITS[sql_type.name] - 1)
    scaled = _scaled(value, 4)
    return scaled is not None and -half <= scaled < half


def _is_float(value: Value, sql_type: SqlType) -> bool:
    if not isinstance(value, float) or not math.isfinite(value):
        return False
    if sql_type.name == "real" or sql_type.precision <= 24:
        try:
            is_single = struct.unpack("<f", struct.pack("<f", value)) == (value,)
        except OverflowError:
            return False
        return is_single and (value == 0 or abs(value) >= 2.0**-126)
    return value == 0 or abs(value) >= 2.0**-1022


def _is_bytes(value: Value, sql_type: SqlType) -> bool:
    return isinstance(value, bytes) and _is_length(len(value), sql_type, is_fixed=sql_type.name == "binary")


def _is_date(value: Value, _: SqlType) -> bool:
    return isinstance(value, date) and not isinstance(value, datetime)


def _has_fraction_of(value: time | datetime, scale: int) -> bool:
    return bool(fraction_of(value) % 10 ** (7 - scale) == 0)


def _is_time(value: Value, sql_type: SqlType) -> bool:
    return isinstance(value, time) and value.tzinfo is None and _has_fraction_of(value, sql_type.scale)


def _is_datetime(value: Value, sql_type: SqlType) -> bool:
    if not isinstance(value, datetime) or value.tzinfo is not None or value < EARLIEST.get(sql_type.name, value):
        return False
    match sql_type.name:
        case "smalldatetime":
            return value <= LATEST_SMALL and (value.second, fraction_of(value)) == (0, 0)
        case "datetime":
            return fraction_of(value) % 10_000 == 0 and value.microsecond // 1000 % 10 in (0, 3, 7)
    return _has_fraction_of(value, sql_type.scale)


def _is_offset(value: Value, sql_type: SqlType) -> bool:
    offset = value.utcoffset() if isinstance(value, datetime) else None
    if not isinstance(value, datetime) or offset is None:
        return False
    try:
        value.astimezone(UTC)
    except OverflowError:
        return False
    is_offset = abs(offset) <= WIDEST_OFFSET and offset % timedelta(minutes=1) == timedelta(0)
    return is_offset and _has_fraction_of(value, sql_type.scale)


def _is_guid(value: Value, _: SqlType) -> bool:
    return isinstance(value, str) and GUID.fullmatch(value) is not None


def _is_xml(value: Value, _: SqlType) -> bool:
    """Whether it is content that may stand in an element."""
    if not isinstance(value, str):
        return False
    try:
        expat.ParserCreate("utf-8").Parse(f"<x>{value}</x>".encode(), True)
    except (expat.ExpatError, UnicodeEncodeError):
        return False
    return True


_CHECKS: dict[str, Callable[[Value, SqlType], bool]] = {
    "bit": _is_bit,
    "tinyint": _is_tinyint,
    **dict.fromkeys(BITS, _is_integer),
    **dict.fromkeys(("decimal", "numeric"), _is_decimal),
    **dict.fromkeys(MONEY_BITS, _is_money),
    **dict.fromkeys(("float", "real"), _is_float),
    **dict.fromkeys(("binary", "varbinary", "image"), _is_bytes),
    "date": _is_date,
    "time": _is_time,
    **dict.fromkeys(("smalldatetime", "datetime", "datetime2"), _is_datetime),
    "datetimeoffset": _is_offset,
    "uniqueidentifier": _is_guid,
    "xml": _is_xml,
}
