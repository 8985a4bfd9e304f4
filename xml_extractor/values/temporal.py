"""Convert text to `date`, `time`, `smalldatetime`, `datetime`, `datetime2` and `datetimeoffset`.

Codes raised: `unknown_date_format`, `impossible_date`, `ambiguous_time`, `no_time_zone`, `unexpected_time_zone`,
`too_many_decimals`, `time_of_day`, `overflow`.
Source: "Date and time data types", "datetime" and "smalldatetime", Microsoft Learn.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from xml_extractor.documents import Value
from xml_extractor.reasons import Reason
from xml_extractor.values.formats import Format, MomentParser, compile_format, read_format
from xml_extractor.values.sqltypes import XML_SPACE, Family, InvalidValueError, SqlType
from xml_extractor.values.times import (
    ISO,
    MICROSECOND_DIGITS,
    OFFSET,
    SECOND,
    Moment,
    UsualFirst,
    later,
    offset_zone,
    parse_iso_date_time,
    parse_iso_time,
    usual_reader,
    with_seventh_digit,
)

_MIDNIGHT = time()
_DATETIME_FIRST_YEAR = 1753
_SMALLDATETIME_RANGE = (datetime(1900, 1, 1), datetime(2079, 6, 6, 23, 59))  # noqa: DTZ001 - SQL Server's has no zone
_HALF_MINUTE = 30
_SECONDS_PER_MINUTE = 60
_MICROSECONDS = 10**MICROSECOND_DIGITS
_TICKS_PER_SECOND = 300
_MOST_DIGITS_OF_TICKS = 1000
_EDGE_YEARS = (1, 9999)
_ZONE_AS_WRITTEN: Final = timezone(timedelta(), "as written")
"""Stands for the zone of each text."""

AS_WRITTEN: Final = "as_written"
"""The `time_zone` of a date that takes the day of the text in the zone that it has."""

Finisher = Callable[[datetime, str], Value]
"""A `Moment` of `formats` to a value of one type."""


def temporal_converter(
    sql_type: SqlType, formats: Sequence[str], time_zone: str | None, partial: str | None = None
) -> Callable[[str], Value]:
    """Build the converter of a date or time type, of ISO 8601 or of the listed formats, tried in order.

    A zone is never dropped. A type without zone accepts text with one only if `time_zone` is the zone to convert to;
    `datetimeoffset` accepts text without one only if `time_zone` is the zone of the text. A `date` with the `time_zone`
    `as_written` takes the day of the text in the zone that it has.

    Raises:
        ValueError: A format or the time zone cannot be used for the type.
    """
    zone = None if time_zone is None else _zone_of_column(sql_type, time_zone)
    parse: Callable[[str], Moment] = parse_iso_time if sql_type.family is Family.TIME else parse_iso_date_time
    if formats:
        parse = _any_of([_checked_parser(sql_type, text, zone, partial) for text in formats])
    finish = _FINISHERS[sql_type.name](sql_type, zone)

    def convert(text: str) -> Value:
        return finish(*parse(text.strip(XML_SPACE)))

    usual = usual_reader(sql_type, formats[0] if formats else ISO, zone)
    return convert if usual is None else UsualFirst(*usual, convert)


def _zone_of_column(sql_type: SqlType, time_zone: str) -> tzinfo:
    if time_zone != AS_WRITTEN:
        return parse_time_zone(time_zone)
    if sql_type.family is not Family.DATE:
        raise ValueError(f"the time_zone {AS_WRITTEN} is for the day of a date, not for {sql_type}")
    return _ZONE_AS_WRITTEN


def _checked_parser(sql_type: SqlType, text: str, zone: tzinfo | None, partial: str | None) -> MomentParser:
    if text == ISO:
        return _iso_parser(parse_iso_time if sql_type.family is Family.TIME else parse_iso_date_time)
    form = read_format(text, partial)
    fault = _misfit(sql_type, form, zone)
    if fault:
        raise ValueError(f"the format '{text}' does not fit {sql_type}: {fault}")
    return compile_format(form)


def check_format(text: str) -> None:
    """Check an entry of `formats` that may be for any type.

    Raises:
        ValueError: It is no format; the message says why.
    """
    if text != ISO:
        read_format(text)


def _iso_parser(parse: Callable[[str], Moment]) -> MomentParser:
    def parse_if_iso(text: str) -> Moment | None:
        try:
            return parse(text)
        except InvalidValueError as error:
            if error.code is Reason.UNKNOWN_DATE_FORMAT:
                return None
            raise

    return parse_if_iso


def _misfit(sql_type: SqlType, form: Format, zone: tzinfo | None) -> str:
    if sql_type.family is Family.TIME:
        if form.fields & {"year", "month", "day", "day_of_year", "weekday"}:
            return "it has parts of a date"
        if "hour" not in form.fields:
            return "it has no hour"
    elif not form.has_date:
        return _incomplete_date(form)
    if zone is None and ("zone" in form.fields) != (sql_type.family is Family.OFFSET):
        if "zone" in form.fields:
            return "it has %z, and no time_zone says what to convert to"
        return "it has no %z, and no time_zone says where texts were written"
    return ""


def _incomplete_date(form: Format) -> str:
    fault = "it has no whole date (year with month and day, or with %j)"
    if not form.partial and form.is_partial:
        return f"{fault}, and no partial says which day it gives"
    return f"{fault}, and partial is for formats of a year, or of a year and a month, alone" if form.partial else fault


def _any_of(parsers: list[MomentParser]) -> Callable[[str], Moment]:
    def parse(text: str) -> Moment:
        impossible: InvalidValueError | None = None
        for parser in parsers:
            try:
                result = parser(text)
            except InvalidValueError as error:
                impossible = impossible or error
            else:
                if result is not None:
                    return result
        raise impossible or InvalidValueError(Reason.UNKNOWN_DATE_FORMAT, "it matches none of the column's formats")

    return parse


def _without_zone(sql_type: SqlType, zone: tzinfo | None) -> Callable[[datetime], datetime]:
    def convert(when: datetime) -> datetime:
        if zone is None:
            explanation = f"{sql_type} has no time zone, and no time_zone says what to convert to"
            raise InvalidValueError(Reason.UNEXPECTED_TIME_ZONE, explanation)
        return _in_zone(when, zone)

    return convert


def _date(sql_type: SqlType, zone: tzinfo | None) -> Finisher:
    naive = _without_zone(sql_type, zone)

    def finish(when: datetime, finer: str) -> Value:
        local = when if when.tzinfo is None else naive(when)
        if finer or local.time() != _MIDNIGHT:
            raise InvalidValueError(Reason.TIME_OF_DAY, "a date has no time of day", local.date())
        return local.date()

    return finish


def _time(sql_type: SqlType, zone: tzinfo | None) -> Finisher:
    if zone is not None and not isinstance(zone, timezone):
        zone = None  # without a date, the offset of a named zone is unknown
    naive, (unit, fine) = _without_zone(sql_type, zone), _fine(sql_type)

    def finish(when: datetime, finer: str) -> Value:
        if when.day != 1:
            explanation = "24:00:00 is the end of a day; as a time of day it would become 00:00:00, the beginning"
            raise InvalidValueError(Reason.IMPOSSIBLE_DATE, explanation)
        local = when if when.tzinfo is None else naive(when)
        return fine(local, finer) if finer or local.microsecond % unit else local.time()

    return finish


def _datetime2(sql_type: SqlType, zone: tzinfo | None) -> Finisher:
    naive, (unit, fine) = _without_zone(sql_type, zone), _fine(sql_type)

    def finish(when: datetime, finer: str) -> Value:
        local = when if when.tzinfo is None else naive(when)
        return fine(local, finer) if finer or local.microsecond % unit else local

    return finish


def _datetimeoffset(sql_type: SqlType, zone: tzinfo | None) -> Finisher:
    unit, fine = _fine(sql_type)

    def finish(when: datetime, finer: str) -> Value:
        if when.tzinfo is None:
            if zone is None:
                explanation = f"{sql_type} needs a time zone, and no time_zone says where the text was written"
                raise InvalidValueError(Reason.NO_TIME_ZONE, explanation)
            when = _localized(when, zone)
        if when.year in _EDGE_YEARS:
            _in_zone(when, UTC)  # SQL Server stores the instant in UTC, which must be in range too
        return fine(when, finer) if finer or when.microsecond % unit else when

    return finish


def _datetime(sql_type: SqlType, zone: tzinfo | None) -> Finisher:
    naive = _without_zone(sql_type, zone)

    def finish(when: datetime, finer: str) -> Value:
        local = when if when.tzinfo is None else naive(when)
        if local.year < _DATETIME_FIRST_YEAR:
            raise _out_of_range(sql_type)
        return _to_ticks(sql_type, local, finer) if local.microsecond or finer else local

    return finish


def _smalldatetime(sql_type: SqlType, zone: tzinfo | None) -> Finisher:
    naive = _without_zone(sql_type, zone)
    first, last = _SMALLDATETIME_RANGE

    def finish(when: datetime, finer: str) -> Value:
        local = when if when.tzinfo is None else naive(when)
        # Through datetime, as SQL Server: 29.998 seconds round down, 29.999 round up.
        local = _to_ticks(sql_type, local, finer)
        minute = local.replace(second=0, microsecond=0)
        if local.second >= _HALF_MINUTE:
            minute = _later(sql_type, minute, timedelta(minutes=1))
        if not first <= minute <= last:
            raise _out_of_range(sql_type)
        return minute

    return finish


def _to_ticks(sql_type: SqlType, when: datetime, finer: str) -> datetime:
    """Round to three-hundredths of a second, which SQL Server shows as .000, .003 and .007."""
    fraction, second = when.microsecond, _MICROSECONDS
    if finer:
        digits = finer[:_MOST_DIGITS_OF_TICKS]
        fraction, second = int(f"{fraction}{digits}"), second * 10 ** len(digits)
    ticks = (fraction * _TICKS_PER_SECOND + second // 2) // second
    milliseconds = (ticks * 10 + 1) // 3
    return _later(sql_type, when.replace(microsecond=0), timedelta(milliseconds=milliseconds))


def _later(sql_type: SqlType, when: datetime, by: timedelta) -> datetime:
    try:
        return when + by
    except OverflowError:
        raise _out_of_range(sql_type) from None


def _fine(sql_type: SqlType) -> tuple[int, Finisher]:
    """Return the microseconds of the last digit that a type keeps, and the function for values that have more digits.

    The function returns a value with a seventh digit. It raises `InvalidValueError` with the truncated value
    (`too_many_decimals`) if the type has fewer digits.
    """
    unit = int(10 ** max(MICROSECOND_DIGITS - sql_type.scale, 0))
    finer_digits = max(sql_type.scale - MICROSECOND_DIGITS, 0)
    is_time = sql_type.family is Family.TIME
    explanation = f"the fraction of the second has more than the {sql_type.scale} digits that {sql_type} keeps"

    def fine(when: datetime, finer: str) -> Value:
        digits = finer[:finer_digits]
        kept = when.replace(microsecond=when.microsecond // unit * unit)
        value = with_seventh_digit(kept.time() if is_time else kept, int(digits or 0))
        if finer_digits and finer == digits:
            return value
        raise InvalidValueError(Reason.TOO_MANY_DECIMALS, explanation, value, rounded(when, finer))

    def rounded(when: datetime, finer: str) -> Value:
        """Round to the nearest value of the type, half up; None where that is another day of a time, or no date."""
        tick = SECOND // 10**sql_type.scale
        fraction = when.microsecond * 10 + int(finer[:1] or 0)
        beyond = fraction % tick * 10 + int(finer[1:2] or 0)
        up = 1 if beyond >= tick * 5 else 0
        try:
            nearest = later(when.replace(microsecond=0), (fraction // tick + up) * tick)
        except OverflowError:
            return None
        if is_time:
            return nearest.time() if nearest.date() == when.date() else None
        return nearest

    return unit, fine


def _in_zone(when: datetime, zone: tzinfo) -> datetime:
    """Return the local time of `zone` at an instant, without its offset.

    Raises:
        InvalidValueError: `overflow`: that is before the year 1 or after 9999.
    """
    if zone is _ZONE_AS_WRITTEN:
        return when.replace(tzinfo=None)
    try:
        return when.astimezone(zone).replace(tzinfo=None)
    except OverflowError:
        raise InvalidValueError(Reason.OVERFLOW, "the date is outside the years 1 to 9999") from None


def _localized(when: datetime, zone: tzinfo) -> datetime:
    """Return the instant at which the local time of `zone` is `when`, with its offset in whole minutes.

    Raises:
        InvalidValueError: The clock never shows it (`impossible_date`) or shows it twice (`ambiguous_time`), or the
            zone had no offset in whole minutes then (`impossible_date`).
    """
    if isinstance(zone, timezone):
        return when.replace(tzinfo=zone)
    offset, later_offset = (when.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    if offset is None or offset.total_seconds() % _SECONDS_PER_MINUTE:
        raise InvalidValueError(Reason.IMPOSSIBLE_DATE, "the time zone had no offset in whole minutes then")
    local = when.replace(tzinfo=timezone(offset))
    if offset != later_offset:
        if _in_zone(local, zone) != when:
            raise InvalidValueError(Reason.IMPOSSIBLE_DATE, "the time does not exist in the time zone")
        raise InvalidValueError(Reason.AMBIGUOUS_TIME, "the time occurred twice in the time zone")
    return local


def parse_time_zone(name: str) -> tzinfo:
    """Parse a contract's `time_zone`: `UTC`, an offset such as `+02:00`, or an IANA name such as `Europe/Berlin`.

    Raises:
        ValueError: It is none of these.
    """
    if name == "UTC":
        return UTC
    if OFFSET.fullmatch(name):
        try:
            return offset_zone(name)
        except InvalidValueError as error:
            raise ValueError(f"'{name}': {error.explanation}") from None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        expected = "UTC, an offset such as +02:00, or a name such as Europe/Berlin"
        raise ValueError(f"'{name}' is not a known time zone; expected {expected}") from None


def _out_of_range(sql_type: SqlType) -> InvalidValueError:
    return InvalidValueError(Reason.OVERFLOW, f"the date is outside the range of {sql_type}")


_FINISHERS: dict[str, Callable[[SqlType, tzinfo | None], Finisher]] = {
    "date": _date,
    "time": _time,
    "smalldatetime": _smalldatetime,
    "datetime": _datetime,
    "datetime2": _datetime2,
    "datetimeoffset": _datetimeoffset,
}
