"""Dates and times at the edges of their types; expected ones are written without zeros at a fraction's end.

The roundings of `datetime` and `smalldatetime` are those of the tables on their pages at Microsoft Learn.
"""

from tests.database.edges import (
    IMPOSSIBLE,
    NO_ZONE,
    OVERFLOW,
    TOO_MANY_DECIMALS,
    UNKNOWN_FORMAT,
    ZONE,
    Edge,
    Refused,
    edge,
)

DAY = "2026-03-05"
LAST_DAY = "9999-12-31"


def fractions(digits: int) -> tuple[str, str, str]:
    """For a type: its smallest fraction, its largest, and one too fine."""
    smallest = f".{'0' * (digits - 1)}1" if digits else ""
    largest = f".{'9' * digits}" if digits else ""
    return smallest, largest, f".{'0' * digits}1"


DATES = {
    "date": edge(
        "date",
        [
            ("0001-01-01", "0001-01-01"),
            (LAST_DAY, LAST_DAY),
            ("2024-02-29", "2024-02-29"),
            (f" {DAY}T00:00:00\n", DAY),
            ("2023-02-29", IMPOSSIBLE),
            ("1900-02-29", IMPOSSIBLE),
            ("2026-13-01", IMPOSSIBLE),
            ("0000-01-01", IMPOSSIBLE),
            ("10000-01-01", UNKNOWN_FORMAT),
            ("2026-3-5", UNKNOWN_FORMAT),
            ("05.03.2026", UNKNOWN_FORMAT),
            ("20260305", UNKNOWN_FORMAT),
            (f"{DAY}T00:00:01", Refused("time_of_day")),
            (f"{DAY}T00:00:00.0000001", Refused("time_of_day")),
            (f"{DAY}T00:00:00.0000000001", Refused("time_of_day")),
            (f"{DAY}T24:00:00", "2026-03-06"),
            (f"{LAST_DAY}T24:00:00", OVERFLOW),
            (f"{DAY}Z", ZONE),
        ],
    ),
}


def _last_second(digits: int) -> str:
    """With seven digits the one before the last, because some servers round them up, and then the hour is 24."""
    return "59" if digits < 7 else "58"


def _time(digits: int) -> Edge:
    smallest, largest, too_fine = fractions(digits)
    last = f"23:59:{_last_second(digits)}"
    return edge(
        f"time({digits})",
        [
            ("00:00", "00:00:00"),
            (f"00:00:00{smallest}",) * 2,
            (f"{last}{largest}",) * 2,
            (f"{last}{largest or '.'}00000", f"{last}{largest}"),
            (f"12:30:00{too_fine}", TOO_MANY_DECIMALS),
            (f"12:30:00{too_fine[:-1]}0000000001", TOO_MANY_DECIMALS),
            ("24:00:00", IMPOSSIBLE),
            ("23:59:60", IMPOSSIBLE),
            ("12:30:00Z", ZONE),
        ],
    )


def _datetime2(digits: int) -> Edge:
    smallest, largest, too_fine = fractions(digits)
    return edge(
        f"datetime2({digits})",
        [
            ("0001-01-01", "0001-01-01 00:00:00"),
            (f"0001-01-01T00:00:00{smallest}", f"0001-01-01 00:00:00{smallest}"),
            (f"{LAST_DAY}T23:59:59{largest}", f"{LAST_DAY} 23:59:59{largest}"),
            (f"{DAY} 09:30", f"{DAY} 09:30:00"),
            (f"{DAY}T09:30:00{too_fine}", TOO_MANY_DECIMALS),
            (f"{LAST_DAY}T23:59:59.99999999", TOO_MANY_DECIMALS),
            (f"{DAY}T09:30:00{smallest or '.'}000000000", f"{DAY} 09:30:00{smallest}"),
            (f"{DAY}T23:59:60", IMPOSSIBLE),
            (f"{DAY}T24:00:00", "2026-03-06 00:00:00"),
            (f"{DAY} 24:00", "2026-03-06 00:00:00"),
            (f"{DAY}T24:00:00.000000000", "2026-03-06 00:00:00"),
            (f"{DAY}T24:00:01", IMPOSSIBLE),
            (f"{DAY}T24:00:00.0000001", IMPOSSIBLE),
            (f"{LAST_DAY}T24:00:00", OVERFLOW),
            (f"{DAY}T09:30:00+01:00", ZONE),
        ],
    )


def _datetimeoffset(digits: int) -> Edge:
    smallest, largest, too_fine = fractions(digits)
    last = _last_second(digits)
    zones = ("+14:00", "-14:00", "+05:45", "-00:30", "-09:30", "+00:00")
    return edge(
        f"datetimeoffset({digits})",
        [
            *[(f"{DAY}T23:59:59{largest}{zone}", f"{DAY} 23:59:59{largest} {zone}") for zone in zones],
            (f"{DAY}T09:30:00{smallest}Z", f"{DAY} 09:30:00{smallest} +00:00"),
            (f"{DAY}T09:30:00+0200", f"{DAY} 09:30:00 +02:00"),
            ("0001-01-01T00:00:00Z", "0001-01-01 00:00:00 +00:00"),
            ("0001-01-01T14:00:00+14:00", "0001-01-01 14:00:00 +14:00"),
            (f"{LAST_DAY}T09:59:{last}{largest}-14:00", f"{LAST_DAY} 09:59:{last}{largest} -14:00"),
            ("0001-01-01T13:59:59+14:00", OVERFLOW),
            (f"{LAST_DAY}T10:00:00-14:00", OVERFLOW),
            (f"{DAY}T09:30:00+14:01", IMPOSSIBLE),
            (f"{DAY}T09:30:00-15:00", IMPOSSIBLE),
            (f"{DAY}T09:30:00{too_fine}Z", TOO_MANY_DECIMALS),
            (f"{DAY}T24:00:00-05:30", "2026-03-06 00:00:00 -05:30"),
            (f"{DAY}T24:00:01Z", IMPOSSIBLE),
            (f"{DAY}T23:59:60Z", IMPOSSIBLE),
            (f"{DAY}T09:30:00+00:53:28", UNKNOWN_FORMAT),
            (f"{DAY}T09:30:00", NO_ZONE),
        ],
    )


TIMES = {f"time_{digits}": _time(digits) for digits in range(8)}
NEW_MOMENTS = {f"datetime2_{digits}": _datetime2(digits) for digits in range(8)}
OFFSETS = {f"datetimeoffset_{digits}": _datetimeoffset(digits) for digits in range(8)}

OLD_MOMENTS = {
    "datetime": edge(
        "datetime",
        [
            ("1753-01-01", "1753-01-01 00:00:00"),
            ("1752-12-31T23:59:59.998", OVERFLOW),
            (f"{LAST_DAY}T23:59:59.997", f"{LAST_DAY} 23:59:59.997"),
            (f"{LAST_DAY}T23:59:59.998", f"{LAST_DAY} 23:59:59.997"),
            (f"{LAST_DAY}T23:59:59.999", OVERFLOW),
            ("1998-01-01T23:59:59.990", "1998-01-01 23:59:59.99"),
            ("1998-01-01T23:59:59.991", "1998-01-01 23:59:59.99"),
            ("1998-01-01T23:59:59.992", "1998-01-01 23:59:59.993"),
            ("1998-01-01T23:59:59.993", "1998-01-01 23:59:59.993"),
            ("1998-01-01T23:59:59.994", "1998-01-01 23:59:59.993"),
            ("1998-01-01T23:59:59.995", "1998-01-01 23:59:59.997"),
            ("1998-01-01T23:59:59.996", "1998-01-01 23:59:59.997"),
            ("1998-01-01T23:59:59.997", "1998-01-01 23:59:59.997"),
            ("1998-01-01T23:59:59.998", "1998-01-01 23:59:59.997"),
            ("1998-01-01T23:59:59.999", "1998-01-02 00:00:00"),
            (f"{DAY}T09:30:00.0016", f"{DAY} 09:30:00"),
            (f"{DAY}T09:30:00.0017", f"{DAY} 09:30:00.003"),
            (f"{DAY}T09:30:00.00166666666", f"{DAY} 09:30:00"),
            (f"{DAY}T09:30:00.00166666667", f"{DAY} 09:30:00.003"),
            (f"{DAY}T24:00:00", "2026-03-06 00:00:00"),
            (f"{DAY}T09:30:00Z", ZONE),
        ],
    ),
    "smalldatetime": edge(
        "smalldatetime",
        [
            ("1900-01-01", "1900-01-01 00:00:00"),
            ("1899-12-31T23:59:29", OVERFLOW),
            ("2079-06-06T23:59:29.998", "2079-06-06 23:59:00"),
            ("2079-06-06T23:59:29.999", OVERFLOW),
            ("2007-05-08T12:35:29.998", "2007-05-08 12:35:00"),
            ("2007-05-08T12:35:29.999", "2007-05-08 12:36:00"),
            ("2007-05-08T12:35:30", "2007-05-08 12:36:00"),
            ("2007-05-08T12:59:59.998", "2007-05-08 13:00:00"),
            ("2007-12-31T23:59:59", "2008-01-01 00:00:00"),
            ("2007-12-31T24:00:00", "2008-01-01 00:00:00"),
        ],
    ),
}
