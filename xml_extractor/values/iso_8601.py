"""Parse ISO 8601 dates and times, and build a date and time from its parts.

As in ISO 8601 and XML Schema, 24:00:00 is the end of a day, which is 00:00:00 of the next.

Codes raised: `impossible_date`, `overflow`, `unknown_date_format`.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

from xml_extractor.reasons import Reason
from xml_extractor.values.fine_times import MICROSECOND_DIGITS
from xml_extractor.values.sqltypes import InvalidValueError

Moment = tuple[datetime, str]
"""A date and time, with a zone if the text has one, and the digits of its fraction of a second behind the microsecond,
without zeros at their end.

A time without a date is on 1900-01-01, a date without a time at midnight.
"""

OFFSET: Final = re.compile(r"([+-])([0-9]{2}):?([0-9]{2})")

ZONE = "Z|[+-][0-9]{2}:?[0-9]{2}"
_DATE = "([0-9]{4})-([0-9]{2})-([0-9]{2})"
_TIME = r"([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?"
_ISO_DATE_TIME = re.compile(f"{_DATE}(?:[T ]{_TIME})?(?: ?({ZONE}))?")
_ISO_TIME = re.compile(f"{_TIME}(?: ?({ZONE}))?")
_DATE_LENGTH = len("2024-12-31")
_SECONDS_LENGTH = len("2024-12-31T23:59:59")
_MICROSECONDS_LENGTH = len("2024-12-31T23:59:59.123456")
_LARGEST_OFFSET = 14 * 60
_MINUTES = 60
_END_OF_DAY = "24"
_LEAP_SECOND = "60"


@lru_cache(maxsize=256)
def offset_zone(text: str) -> timezone:
    """Return the zone that `Z`, `+hh:mm` or `+hhmm` stands for.

    Raises:
        InvalidValueError: `impossible_date`: more than 14 hours, SQL Server's limit, or more than 59 minutes.
    """
    match = OFFSET.fullmatch(text)
    if match is None:
        return UTC
    minutes = int(match[2]) * _MINUTES + int(match[3])
    if int(match[3]) >= _MINUTES or minutes > _LARGEST_OFFSET:
        raise InvalidValueError(Reason.IMPOSSIBLE_DATE, "a time zone is from -14:00 to +14:00")
    return timezone(timedelta(minutes=-minutes if match[1] == "-" else minutes))


def new_moment(
    date: tuple[int, int, int], time: tuple[str | None, str | None, str | None, str | None, str | None]
) -> Moment:
    """Build a date and time from its parts.

    Args:
        date: Year, month, day.
        time: Digits of hour, minute, second and fraction, and the zone; None where the text has none.

    Raises:
        InvalidValueError: `impossible_date`: it is not on any calendar or clock. `overflow`: it ends the year 9999.
    """
    hour, minute, second, fraction, zone = time
    digits = fraction or ""
    microsecond = int(digits[:MICROSECOND_DIGITS].ljust(MICROSECOND_DIGITS, "0"))
    tzinfo = offset_zone(zone) if zone else None
    is_end_of_day = hour == _END_OF_DAY and not f"{minute or ''}{second or ''}{digits}".strip("0")
    hours = 0 if is_end_of_day else int(hour or 0)
    try:
        when = datetime(*date, hours, int(minute or 0), int(second or 0), microsecond, tzinfo=tzinfo)
        if is_end_of_day:
            when += timedelta(days=1)
    except ValueError:
        raise InvalidValueError(Reason.IMPOSSIBLE_DATE, _fault(hour, second)) from None
    except OverflowError:
        raise InvalidValueError(Reason.OVERFLOW, "the date is outside the years 1 to 9999") from None
    return when, digits[MICROSECOND_DIGITS:].rstrip("0")


def _fault(hour: str | None, second: str | None) -> str:
    if hour == _END_OF_DAY:
        return "an hour of 24 is only for 24:00:00, the end of a day"
    if second == _LEAP_SECOND:
        return "seconds are from 00 to 59: SQL Server has no leap seconds"
    return "the date or time does not exist"


def parse_iso_date_time(text: str) -> Moment:
    """Parse an ISO 8601 date, or date and time with `T` or a space between; fraction and zone may follow.

    `datetime.fromisoformat` also reads week dates, hour 24 and more, so it gets only text in the common format.
    """
    length = len(text)
    if length >= _DATE_LENGTH and text[4] == text[7] == "-":
        try:
            if length == _DATE_LENGTH:
                return datetime.fromisoformat(text), ""
            is_time = length >= _SECONDS_LENGTH and text[10] in "T " and text[13] == text[16] == ":"
            if is_time and text[11:13] != "24":
                rest = text[_SECONDS_LENGTH:]
                if not rest or (length <= _MICROSECONDS_LENGTH and rest[0] == "." and is_digits(rest[1:])):
                    return datetime.fromisoformat(text), ""
                if rest == "Z":
                    return datetime.fromisoformat(text[:_SECONDS_LENGTH]).replace(tzinfo=UTC), ""
        except ValueError:
            pass  # the general parser says what is wrong
    match = _ISO_DATE_TIME.fullmatch(text)
    if match is None:
        explanation = "not a date, or date and time, as ISO 8601 writes it"
        raise InvalidValueError(Reason.UNKNOWN_DATE_FORMAT, explanation)
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    return new_moment((int(year), int(month), int(day)), (hour, minute, second, fraction, zone))


def is_digits(text: str) -> bool:
    """Return whether a text is of ASCII digits only."""
    return text.isdigit() and text.isascii()


def parse_iso_time(text: str) -> Moment:
    """Parse an ISO 8601 time: hours and minutes; seconds, fraction and zone may follow."""
    match = _ISO_TIME.fullmatch(text)
    if match is None:
        raise InvalidValueError(Reason.UNKNOWN_DATE_FORMAT, "not a time as ISO 8601 writes it")
    hour, minute, second, fraction, zone = match.groups()
    return new_moment((1900, 1, 1), (hour, minute, second, fraction, zone))
