"""What a column may say about its conversion, and what all conversions share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from xml_extractor.documents import Value

Converter = Callable[[str], Value]
"""Text of a document to a value of one type; raises `InvalidValueError`."""

XML_SPACE: Final = " \t\r\n"
"""What XML calls white space. Python's `str.strip` would take other characters too."""


@dataclass(frozen=True, slots=True)
class ConversionOptions:
    """How the text of a column is written.

    Attributes:
        formats: Directives of dates and times, tried in this order; empty means ISO 8601.
        time_zone: `UTC`, an offset such as `+02:00`, or an IANA name; None means none.
        encoding: How binary values are written: `hex` or `base64`.
        code_page: Python's name of the code page of `char`, `varchar` and `text`.
    """

    formats: tuple[str, ...] = ()
    time_zone: str | None = None
    encoding: str = "hex"
    code_page: str = "cp1252"
