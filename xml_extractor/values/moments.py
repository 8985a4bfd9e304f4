"""Parts of a date and time, put together; and the parser of ISO 8601.

Codes raised: `impossible_date`.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from xml_extractor.reasons import Reason
from xml_extractor.values.invalid import InvalidValueError
from xml_extractor.values.zones import offset_zone

Moment = tuple[datetime, int]
"""A date and time, with a zone if the text has one, and the seventh digit of its fraction of a second.

A time alone is on 1900-01-01, a date alone at midnight.
"""

MomentParser = Callable[[str], Moment | None]
"""Text without surrounding white space to a moment; None if the text is not written that way."""

MICROSECOND_DIGITS: Final = 6
ZONE_PATTERN: Final = "Z|[+-][0-9]{2}:?[0-9]{2}"

_DATE = "([0-9]{4})-([0-9]{2})-([0-9]{2})"
_TIME = r"([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,7}))?)?"
_ISO_DATE_TIME = re.compile(f"{_DATE}(?:[T ]{_TIME})?(?: ?({ZONE_PATTERN}))?")
_ISO_TIME = re.compile(f"{_TIME}(?: ?({ZONE_PATTERN}))?")

_DATE_LENGTH = len("2024-12-31")
_SECONDS_LENGTH = len("2024-12-31T23:59:59")
_MICROSECONDS_LENGTH = len("2024-12-31T23:59:59.123456")


def moment(
    date: tuple[int, int, int], time: tuple[str | None, str | None, str | None, str | None, str | None]
) -> Moment:
    """Put a moment together.

    Args:
        date: Year, month, day.
        time: Digits of hour, minute, second and fraction, and the zone; None where the text has none.

    Raises:
        InvalidValueError: `impossible_date`: no calendar or clock shows that.
    """
    hour, minute, second, fraction, zone = time
    digits = (fraction or "").ljust(MICROSECOND_DIGITS + 1, "0")
    microsecond = int(digits[:MICROSECOND_DIGITS])
    tzinfo = offset_zone(zone) if zone else None
    try:
        when = datetime(*date, int(hour or 0), int(minute or 0), int(second or 0), microsecond, tzinfo=tzinfo)
    except ValueError:
        raise InvalidValueError(Reason.IMPOSSIBLE_DATE, "no calendar or clock shows that date or time") from None
    return when, int(digits[MICROSECOND_DIGITS])


def parse_iso_date_time(text: str) -> Moment | None:
    """ISO 8601: a date, or date and time with `T` or a space between; fraction and zone may follow.

    `datetime.fromisoformat` also reads week dates, hour 24 and more, so it gets only what has the common form.
    """
    length = len(text)
    if length >= _DATE_LENGTH and text[4] == text[7] == "-":
        try:
            if length == _DATE_LENGTH:
                return datetime.fromisoformat(text), 0
            if length >= _SECONDS_LENGTH and _is_date_time(text):
                rest = text[_SECONDS_LENGTH:]
                if not rest or (length <= _MICROSECONDS_LENGTH and rest[0] == "." and _is_digits(rest[1:])):
                    return datetime.fromisoformat(text), 0
                if rest == "Z":
                    return datetime.fromisoformat(text[:_SECONDS_LENGTH]).replace(tzinfo=UTC), 0
        except ValueError:
            pass  # the general way says what is wrong
    match = _ISO_DATE_TIME.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    return moment((int(year), int(month), int(day)), (hour, minute, second, fraction, zone))


def _is_date_time(text: str) -> bool:
    return text[10] in "T " and text[13] == text[16] == ":" and text[11:13] != "24"


def _is_digits(text: str) -> bool:
    return text.isdigit() and text.isascii()


def parse_iso_time(text: str) -> Moment | None:
    """ISO 8601: hours and minutes; seconds, fraction and zone may follow."""
    match = _ISO_TIME.fullmatch(text)
    if match is None:
        return None
    hour, minute, second, fraction, zone = match.groups()
    return moment((1900, 1, 1), (hour, minute, second, fraction, zone))
