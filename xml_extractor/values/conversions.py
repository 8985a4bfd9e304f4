"""Text of a document to a value of a SQL Server type, strictly: what does not fit is refused, never changed.

Everything is chosen once: `converter` returns a plain function for one column.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import cache

from xml_extractor.documents import Value
from xml_extractor.reasons import Reason
from xml_extractor.values import numeric, temporal, text
from xml_extractor.values.invalid import InvalidValueError
from xml_extractor.values.options import ConversionOptions, Converter
from xml_extractor.values.sqltypes import Family, SqlType

__all__ = ["Constant", "Converter", "InvalidValueError", "constant", "converter"]

Constant = str | int | float | bool | Decimal
"""What a contract can write as a value."""

CONVERTERS: dict[Family, Callable[[SqlType, ConversionOptions], Converter]] = {
    Family.BIT: numeric.bit_converter,
    Family.INTEGER: numeric.integer_converter,
    Family.DECIMAL: numeric.decimal_converter,
    Family.MONEY: numeric.money_converter,
    Family.FLOAT: numeric.float_converter,
    Family.TEXT: text.text_converter,
    Family.BINARY: text.binary_converter,
    Family.DATE: temporal.temporal_converter,
    Family.TIME: temporal.temporal_converter,
    Family.DATETIME: temporal.temporal_converter,
    Family.OFFSET: temporal.temporal_converter,
    Family.GUID: text.uuid_converter,
    Family.XML: text.xml_converter,
}
"""For each family, what builds the converter of one of its types."""

_TEMPORAL = frozenset((Family.DATE, Family.TIME, Family.DATETIME, Family.OFFSET))
_TEXTUAL = frozenset((Family.TEXT, Family.XML))


def converter(
    sql_type: SqlType,
    *,
    formats: Sequence[str] = (),
    time_zone: str | None = None,
    encoding: str = "hex",
    code_page: str = "cp1252",
) -> Converter:
    """Build the function that converts a column's text; it raises `InvalidValueError`.

    Types other than text ignore white space around a value. Python's types: `bit` bool, integers int, `decimal` and
    `money` Decimal with all decimals of the type, `float` float, text, `xml` and `uniqueidentifier` str, `binary`
    bytes, dates and times those of `datetime`, aware for `datetimeoffset`.

    Two roundings belong to the types themselves and are no fault: `datetime` to .000, .003 or .007 seconds,
    `smalldatetime` to the minute. Fractions finer than a microsecond cannot be kept and are refused.

    Args:
        sql_type: The column's type.
        formats: How dates and times are written (see `formats`), tried in order; ISO 8601 if empty.
        time_zone: `UTC`, an offset such as `+02:00` or an IANA name: the zone of text without one in a
            `datetimeoffset`, and the zone to which other types convert text that has one.
        encoding: How binary values are written: `hex` or `base64`.
        code_page: Python's name of the code page of `char`, `varchar` and `text`.

    Raises:
        ValueError: An option cannot be used for the type; the message says what is expected.
    """
    if sql_type.family not in _TEMPORAL:
        for option, is_given in (("formats", bool(formats)), ("time_zone", time_zone is not None)):
            if is_given:
                raise ValueError(f"{option} is for dates and times, not for {sql_type}")
    return _built(sql_type, ConversionOptions(tuple(formats), time_zone, encoding, code_page))


@cache
def _built(sql_type: SqlType, options: ConversionOptions) -> Converter:
    """Columns of one kind share a converter: what is called more often stays nearer to the processor."""
    return CONVERTERS[sql_type.family](sql_type, options)


def constant(sql_type: SqlType, value: Constant, *, code_page: str = "cp1252") -> Value:
    """A constant of a contract as a value of a column's type, as strictly as text of a document.

    Text needs quotes in the contract: YAML reads an unquoted 007 as the number 7.

    Raises:
        InvalidValueError: It is no value of the type; `Reason.NOT_TEXT` for a number where the type is text.
    """
    if not isinstance(value, str) and sql_type.family in _TEXTUAL:
        raise InvalidValueError(Reason.NOT_TEXT, f"a constant of {sql_type} is written in quotes")
    return converter(sql_type, code_page=code_page)(_written(value, sql_type))


def _written(value: Constant, sql_type: SqlType) -> str:
    if isinstance(value, str | bool | int) or sql_type.family is Family.FLOAT:
        return str(value)
    return format(Decimal(str(value)), "f")
