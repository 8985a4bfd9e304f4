"""What documents may say at the edges of every type, and what becomes of it: written down by hand.

Judged by SQL Server's documentation ("Data types (Transact-SQL)", Microsoft Learn) and by our page on types.
"""

from typing import Any, NamedTuple

from xml_extractor.reasons import Stage


class Refused(NamedTuple):
    """The document is rejected."""

    code: str
    stage: Stage = Stage.MAP


class ByTarget(NamedTuple):
    """Targets do not treat it alike."""

    server: "Result"
    file: "Result"


Result = str | None | Refused | ByTarget
"""The value that is stored, as text in its plainest form; NULL; or a rejection. Binary values in hexadecimal digits."""

Cases = list[tuple[str, Result]]
"""Texts of documents, and what becomes of them."""


class Edge(NamedTuple):
    """A column and its cases."""

    rule: dict[str, Any]
    cases: Cases


NOT_A_NUMBER = Refused("not_a_number")
OVERFLOW = Refused("overflow")
TOO_MANY_DECIMALS = Refused("too_many_decimals")
TOO_LONG = Refused("too_long")
NOT_IN_CODE_PAGE = Refused("not_in_code_page")
NOT_BINARY = Refused("not_binary")
IMPOSSIBLE = Refused("impossible_date")
UNKNOWN_FORMAT = Refused("unknown_date_format")
ZONE = Refused("unexpected_time_zone")
NO_ZONE = Refused("no_time_zone")
BLANK: Cases = [("", None), (" ", None), (" \t\r\n ", None)]


def edge(type_name: str, cases: Cases, **options: str) -> Edge:
    """A column of a type; blank text is NULL unless its options say otherwise."""
    return Edge({"type": type_name, **options}, cases if "blank" in options else [*cases, *BLANK])
