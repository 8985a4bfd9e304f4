"""Where a server that speaks TDS, and is not SQL Server, is known not to do what SQL Server's documentation says.

None of this is excused on a SQL Server.
"""

from datetime import date, datetime

from tests.database.edge_texts import REFUSED_XML
from tests.database.edges import Result
from xml_extractor.documents import Value
from xml_extractor.values.fine_times import FineDatetime, FineTime, combine, fraction_of, later
from xml_extractor.values.sqltypes import Family, SqlType

ELSEWHERE: dict[tuple[str, str], Result] = {
    # The text of an xml column is not looked at.
    **{("xml", text): text for text in REFUSED_XML},
}
"""What becomes of a text of a document, by column and text."""


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
