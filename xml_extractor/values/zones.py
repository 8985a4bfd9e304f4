"""Time zones of documents and contracts.

Codes raised: `impossible_date`, `ambiguous_time`, `overflow`.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from xml_extractor.reasons import Reason
from xml_extractor.values.invalid import InvalidValueError

_OFFSET = re.compile(r"([+-])([0-9]{2}):?([0-9]{2})")
_LARGEST_OFFSET = 14 * 60
_MINUTES = 60


def parse_time_zone(name: str) -> tzinfo:
    """A contract's `time_zone`: `UTC`, an offset such as `+02:00`, or an IANA name such as `Europe/Berlin`.

    Raises:
        ValueError: It is none of these.
    """
    if name == "UTC":
        return UTC
    if _OFFSET.fullmatch(name):
        try:
            return offset_zone(name)
        except InvalidValueError as error:
            raise ValueError(f"'{name}': {error.explanation}") from None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        expected = "UTC, an offset such as +02:00, or a name such as Europe/Berlin"
        raise ValueError(f"'{name}' is not a known time zone; expected {expected}") from None


@lru_cache(maxsize=256)
def offset_zone(text: str) -> timezone:
    """The zone that `Z`, `+hh:mm` or `+hhmm` means.

    Raises:
        InvalidValueError: `impossible_date`: more than 14 hours, SQL Server's limit, or more than 59 minutes.
    """
    match = _OFFSET.fullmatch(text)
    if match is None:
        return UTC
    minutes = int(match[2]) * _MINUTES + int(match[3])
    if int(match[3]) >= _MINUTES or minutes > _LARGEST_OFFSET:
        raise InvalidValueError(Reason.IMPOSSIBLE_DATE, "a time zone is from -14:00 to +14:00")
    return timezone(timedelta(minutes=-minutes if match[1] == "-" else minutes))


def in_zone(when: datetime, zone: tzinfo) -> datetime:
    """The clock of `zone` at an instant, without its offset.

    Raises:
        InvalidValueError: `overflow`: that is before the year 1 or after 9999.
    """
    try:
        return when.astimezone(zone).replace(tzinfo=None)
    except OverflowError:
        raise InvalidValueError(Reason.OVERFLOW, "the date is outside the years 1 to 9999") from None


def localized(when: datetime, zone: tzinfo) -> datetime:
    """The instant at which the clock of `zone` shows `when`, with its offset in whole minutes.

    Raises:
        InvalidValueError: The clock never shows it (`impossible_date`) or shows it twice (`ambiguous_time`), or the
            zone had no offset in whole minutes then (`impossible_date`).
    """
    if isinstance(zone, timezone):
        return when.replace(tzinfo=zone)
    offset, later_offset = (when.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    if offset is None or offset.total_seconds() % _MINUTES:
        raise InvalidValueError(Reason.IMPOSSIBLE_DATE, "the time zone had no offset in whole minutes then")
    local = when.replace(tzinfo=timezone(offset))
    if offset != later_offset:
        if in_zone(local, zone) != when:
            raise InvalidValueError(Reason.IMPOSSIBLE_DATE, "the clock of the time zone skipped that time")
        raise InvalidValueError(Reason.AMBIGUOUS_TIME, "the clock of the time zone showed that time twice")
    return local
