"""Where a server that speaks TDS, and is not SQL Server, is known not to do what SQL Server's documentation says.

None of this is excused on a SQL Server.
"""

import re
from datetime import date, datetime

from tests.database.edge_texts import REFUSED_XML
from tests.database.edges import Result
from xml_extractor.documents import Value
from xml_extractor.values.sqltypes import Family, SqlType
from xml_extractor.values.times import (
    FRACTION_DIGITS,
    FineDatetime,
    FineTime,
    combine,
    fraction_of,
    later,
    parse_datetime,
    parse_time,
)

ELSEWHERE: dict[tuple[str, str], Result] = {
    # The text of an xml column is not looked at.
    **{("xml", text): text for text in REFUSED_XML},
    # The last microsecond cannot be rounded up.
    ("datetime2_7", "9999-12-31T23:59:59.9999999"): "9999-12-31 23:59:59.999999",
}
"""What becomes of a text of a document, by column and text."""


LOSES_NAMES = True
"""Whether, after several refused arrays with long texts, it looks for the tables of a trigger under another name."""

NOT_FOUND_AGAIN = ("decimal(38,0)", "decimal(38,10)", "decimal(38,18)", "decimal(38,38)")
"""Types whose values of 38 digits are not equal to themselves there: see `as_found_elsewhere`."""


def as_found_elsewhere(text: str | None, sql_type: SqlType) -> str | None:
    """A value as that server's CONVERT shows it, without what no value of the type can have.

    Of a parameter of 38 digits it keeps some digits behind those of the type's scale, which its driver never sent. It
    fills `nchar` up to a number of characters, not of UTF-16 code units.
    """
    if text is not None and sql_type.family is Family.DECIMAL:
        whole, point, decimals = text.partition(".")
        return f"{whole}{point}{decimals[: sql_type.scale]}".rstrip(".")
    if text is not None and sql_type.name == "nchar":
        return text.encode("utf-16-le")[: 2 * sql_type.length].decode("utf-16-le")
    return text


def counted_elsewhere(text: str, sql_type: SqlType) -> int:
    """What that server's DATALENGTH says of text: bytes of UTF-8 for all types."""
    return len(text.ljust(sql_type.length).encode() if sql_type.name == "nchar" else text.encode())


def as_kept_elsewhere(value: Value) -> Value:
    """A value as that server keeps it: it rounds the seventh digit of a second."""
    match value:
        case FineDatetime():
            return later(value, (fraction_of(value) + 5) // 10 * 10 - fraction_of(value))
        case FineTime():
            moment = as_kept_elsewhere(combine(date.min, value))
            return moment.time() if isinstance(moment, datetime) else moment
        case _:
            return value


def is_kept_elsewhere(value: Value) -> bool:
    """Whether that server can keep a seventh digit: halves are rounded either way, and the day may end at 24:00:00."""
    if not isinstance(value, FineDatetime | FineTime):
        return True
    return value.seventh_digit != 5 and fraction_of(value) < 9_999_995


def expected_elsewhere(expected: Result, sql_type: SqlType) -> Result:
    """What that server keeps of an expected value."""
    if not isinstance(expected, str) or sql_type.scale != FRACTION_DIGITS:
        return expected
    match sql_type.family:
        case Family.TIME:
            return str(as_kept_elsewhere(parse_time(expected)))
        case Family.DATETIME | Family.OFFSET:
            return str(as_kept_elsewhere(parse_datetime(re.sub(r" (?=[+-]\d\d:)", "", expected))))
        case _:
            return expected
