"""The names that random expressions use, with values at the edges of their types."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal

from xml_extractor.documents import Value
from xml_extractor.values.sqltypes import parse_type


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


_INDIA = timezone(timedelta(hours=5, minutes=30))
_WEST = timezone(timedelta(hours=-8))

INPUTS: dict[str, tuple[str, tuple[Value, ...]]] = {
    "i": ("int", (-7, 12, 0, 1, None, 2**31 - 1, -(2**31), 2)),
    "j": ("int", (3, 2024, -1, 100, 0, None)),
    "big": ("bigint", (2**62, 5, 0, -(2**63), 2**63 - 1, None)),
    "short": ("smallint", (-(2**15), 7, 2**15 - 1, 0, None)),
    "tiny": ("tinyint", (200, 0, 1, 255, None)),
    "bit1": ("bit", (True, False, None)),
    "dec0": ("decimal(5,0)", (Decimal(-250), Decimal(99999), Decimal(0), Decimal(2), None)),
    "dec2": (
        "decimal(10,2)",
        (Decimal("-12.35"), Decimal("0.00"), Decimal("99999999.99"), Decimal("2.50"), Decimal("0.01"), None),
    ),
    "num6": ("numeric(9,6)", (Decimal("0.000001"), Decimal("-999.999999"), Decimal("1.500000"), None)),
    "dec38": (
        "decimal(38,10)",
        (Decimal("1234567890123456789012345678.0123456789"), Decimal("-0.0000000001"), Decimal("7.5000000000"), None),
    ),
    "cash": (
        "money",
        (Decimal("-3.1416"), Decimal("922337203685477.5807"), Decimal("0.0050"), Decimal("1234567.8900"), None),
    ),
    "coins": ("smallmoney", (Decimal("2.5000"), Decimal("-214748.3648"), Decimal("0.0000"), None)),
    "ratio": ("float", (1e-7, 0.0, 2.5, -1.5, 123456.789, 1e15, 0.1, 1e300, None)),
    "single": ("real", (0.5, -2.0, 16777216.0, 9.999999974752427e-07, None)),
    "word": ("varchar(12)", ("aBc é ", "", "  x", "a%b_c[d]", "Straße", "€uro", None)),
    "other": ("varchar(12)", ("b", "aB", "ABC É", "%", "-", None)),
    "digits": ("varchar(12)", (" 12.5", "42", "-7", "", "1e5", "+3 ", "99999999999", "$1,234.50", "0x1F", "a", None)),
    "moment": (
        "varchar(40)",
        (
            *("2024-02-29", "20240131", "29/02/2024", "02/29/2024", "Feb 29 2024  3:05PM", "12:30:15", ""),
            *("2024-02-29T23:59:59.997", "2023-02-29", "2024-12-31 10:00:00 +05:30", "29.02.24", None),
        ),
    ),
    "wide": ("nvarchar(12)", ("Ω😀x", "", "aB ", "Łódź", "7", None)),
    "fixed": ("char(6)", ("ab", "", "abcdef", "12", None)),
    "nfixed": ("nchar(4)", ("Ω", "ab", "", None)),
    "long": ("varchar(max)", ("long text", "", None)),
    "nlong": ("nvarchar(max)", ("Łong", "", None)),
    "raw": ("varbinary(8)", (b"\x01\xff", b"", b"\x00\x41\x00", b"\xff" * 8, None)),
    "rawfixed": ("binary(4)", (b"\x00\x00\x01\x02", b"AB\x00\x00", None)),
    "rawlong": ("varbinary(max)", (b"\x01\x02", b"", None)),
    "day1": ("date", (date(2024, 2, 29), date(1, 1, 1), date(9999, 12, 31), date(1900, 1, 1), None)),
    "clock1": ("time(3)", (time(23, 59, 59, 999000), time(0), time(12, 30, 15), None)),
    "clock6": ("time(6)", (time(11, 59, 59, 999999), time(0, 0, 0, 1), None)),
    "old": (
        "datetime",
        (
            *(_moment("2024-02-29 23:59:59.997"), _moment("1753-01-01"), _moment("9999-12-31 23:59:59.997")),
            *(_moment("1900-01-01"), _moment("2023-10-08 12:30:29.003"), None),
        ),
    ),
    "small": (
        "smalldatetime",
        (_moment("2024-02-29 23:59"), _moment("1900-01-01"), _moment("2079-06-06 23:59"), None),
    ),
    "new": (
        "datetime2(6)",
        (_moment("9999-12-31 23:59:59.999999"), _moment("0001-01-01"), _moment("2024-06-30 23:59:59.5"), None),
    ),
    "whole": ("datetime2(0)", (_moment("2024-02-29 12:30:45"), _moment("2000-01-01"), None)),
    "zoned": (
        "datetimeoffset(2)",
        (
            datetime(1, 1, 1, tzinfo=UTC),
            datetime(2024, 2, 29, 23, 59, 59, 990000, tzinfo=_INDIA),
            datetime(2024, 2, 29, 18, 30, tzinfo=_WEST),
            None,
        ),
    ),
    "id": (
        "uniqueidentifier",
        ("6F9619FF-8B86-D011-B42D-00C04FC964FF", "00000000-0000-0000-0000-000000000000", None),
    ),
    "doc": ("xml", ("<a/>", "<a>b</a>", None)),
    "memo": ("text", ("long", "", None)),
    "nmemo": ("ntext", ("Łong", None)),
    "image": ("image", (b"\x01", None)),
    "nothing": ("int", (None,)),
}
TYPES = {name: parse_type(written) for name, (written, _) in INPUTS.items()}

ROWS: tuple[tuple[Value, ...], ...] = tuple(
    tuple(
        choices[(row + row // len(choices) * position) % len(choices)]
        for position, (_, choices) in enumerate(INPUTS.values())
    )
    for row in range(48)
)
"""Rows of values, one for each name: every value is in some row, beside changing others."""
