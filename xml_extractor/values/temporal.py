"""Text to `date`, `time`, `datetime` and their kin.

Codes raised: `unknown_date_format`, `impossible_date`, `ambiguous_time`, `no_time_zone`, `unexpected_time_zone`,
`too_many_decimals`, `time_of_day`, `overflow`.
Source: "Date and time data types", "datetime" and "smalldatetime", Microsoft Learn.
"""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo

from xml_extractor.documents import Value
from xml_extractor.reasons import Reason
from xml_extractor.values.formats import Format, compile_format, read_format
from xml_extractor.values.invalid import InvalidValueError
from xml_extractor.values.moments import (
    MICROSECOND_DIGITS,
    Moment,
    MomentParser,
    parse_iso_date_time,
    parse_iso_time,
)
from xml_extractor.values.options import XML_SPACE, ConversionOptions, Converter
from xml_extractor.values.sqltypes import Family, SqlType
from xml_extractor.values.zones import in_zone, localized, parse_time_zone

_MIDNIGHT = time()
_DATETIME_FIRST_YEAR = 1753
_SMALLDATETIME_RANGE = (datetime(1900, 1, 1), datetime(2079, 6, 6, 23, 59))  # noqa: DTZ001 - SQL Server's has no zone
_HALF_MINUTE = 30
_TENTHS_OF_MICROSECOND = 10_000_000
_TICKS_PER_SECOND = 300
_EDGE_YEARS = (1, 9999)

Finisher = Callable[[datetime, int], Value]
"""A moment (see `moments.Moment`) to a value of one type."""


def temporal_converter(sql_type: SqlType, options: ConversionOptions) -> Converter:
    """ISO 8601 or the listed formats, tried in order.

    A zone is honoured or refused, never dropped: a type without zone takes text with one only if `time_zone` says to
    which zone it is converted; `datetimeoffset` takes text without one only if `time_zone` says where it was written.

    Raises:
        ValueError: A format or the time zone cannot be used for the type.
    """
    zone = None if options.time_zone is None else parse_time_zone(options.time_zone)
    parsers = [_checked_parser(sql_type, text, zone) for text in options.formats]
    parse = _any_of(parsers) if parsers else _iso(sql_type)
    finish = _FINISHERS[sql_type.name](sql_type, zone)

    def convert(text: str) -> Value:
        return finish(*parse(text.strip(XML_SPACE)))

    return convert


def _checked_parser(sql_type: SqlType, text: str, zone: tzinfo | None) -> MomentParser:
    form = read_format(text)
    fault = _misfit(sql_type, form, zone)
    if fault:
        raise ValueError(f"the format '{text}' does not fit {sql_type}: {fault}")
    return compile_format(form)


def _misfit(sql_type: SqlType, form: Format, zone: tzinfo | None) -> str:
    if sql_type.family is Family.TIME:
        if form.fields & {"year", "month", "day", "day_of_year", "weekday"}:
            return "it has parts of a date"
        if "hour" not in form.fields:
            return "it has no hour"
    elif not form.has_date:
        return "it has no whole date (year with month and day, or with %j)"
    if zone is None and ("zone" in form.fields) != (sql_type.family is Family.OFFSET):
        if "zone" in form.fields:
            return "it has %z, and no time_zone says what to convert to"
        return "it has no %z, and no time_zone says where texts were written"
    return ""


def _iso(sql_type: SqlType) -> Callable[[str], Moment]:
    is_time = sql_type.family is Family.TIME
    parse = parse_iso_time if is_time else parse_iso_date_time
    explanation = f"not a {'time' if is_time else 'date, or date and time,'} as ISO 8601 writes it"

    def parse_iso(text: str) -> Moment:
        result = parse(text)
        if result is None:
            raise InvalidValueError(Reason.UNKNOWN_DATE_FORMAT, explanation)
        return result

    return parse_iso


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
        raise impossible or InvalidValueError(
            Reason.UNKNOWN_DATE_FORMAT, "written in none of the formats of the column"
        )

    return parse


def _without_zone(sql_type: SqlType, zone: tzinfo | None) -> Callable[[datetime], datetime]:
    def convert(when: datetime) -> datetime:
        if zone is None:
            explanation = f"{sql_type} has no time zone, and no time_zone says what to convert to"
            raise InvalidValueError(Reason.UNEXPECTED_TIME_ZONE, explanation)
        return in_zone(when, zone)

    return convert


def _date(sql_type: SqlType, zone: tzinfo | None) -> Finisher:
    naive = _without_zone(sql_type, zone)

    def finish(when: datetime, seventh_digit: int) -> Value:
        local = when if when.tzinfo is None else naive(when)
        if seventh_digit or local.time() != _MIDNIGHT:
            raise InvalidValueError(Reason.TIME_OF_DAY, "a date has no time of day", local.date())
        return local.date()

    return finish


def _time(sql_type: SqlType, zone: tzinfo | None) -> Finisher:
    if zone is not None and not isinstance(zone, timezone):
        zone = None  # without a date, the offset of a named zone is unknown
    naive, scaled = _without_zone(sql_type, zone), _to_scale(sql_type, datetime.time)

    def finish(when: datetime, seventh_digit: int) -> Value:
        return scaled(when if when.tzinfo is None else naive(when), seventh_digit)

    return finish


def _datetime2(sql_type: SqlType, zone: tzinfo | None) -> Finisher:
    naive, scaled = _without_zone(sql_type, zone), _to_scale(sql_type, _as_is)

    def finish(when: datetime, seventh_digit: int) -> Value:
        return scaled(when if when.tzinfo is None else naive(when), seventh_digit)

    return finish


def _datetimeoffset(sql_type: SqlType, zone: tzinfo | None) -> Finisher:
    scaled = _to_scale(sql_type, _as_is)

    def finish(when: datetime, seventh_digit: int) -> Value:
        if when.tzinfo is None:
            if zone is None:
                explanation = f"{sql_type} needs a time zone, and no time_zone says where the text was written"
                raise InvalidValueError(Reason.NO_TIME_ZONE, explanation)
            when = localized(when, zone)
        if when.year in _EDGE_YEARS:
            in_zone(when, UTC)  # SQL Server keeps the instant in UTC, which must be in range too
        return scaled(when, seventh_digit)

    return finish


def _datetime(sql_type: SqlType, zone: tzinfo | None) -> Finisher:
    naive = _without_zone(sql_type, zone)

    def finish(when: datetime, seventh_digit: int) -> Value:
        local = when if when.tzinfo is None else naive(when)
        if local.year < _DATETIME_FIRST_YEAR:
            raise _out_of_range(sql_type)
        return _to_ticks(sql_type, local, seventh_digit) if local.microsecond or seventh_digit else local

    return finish


def _smalldatetime(sql_type: SqlType, zone: tzinfo | None) -> Finisher:
    naive = _without_zone(sql_type, zone)
    first, last = _SMALLDATETIME_RANGE

    def finish(when: datetime, seventh_digit: int) -> Value:
        local = when if when.tzinfo is None else naive(when)
        # Through datetime, as SQL Server: 29.998 seconds round down, 29.999 round up.
        local = _to_ticks(sql_type, local, seventh_digit)
        minute = local.replace(second=0, microsecond=0)
        if local.second >= _HALF_MINUTE:
            minute = _later(sql_type, minute, timedelta(minutes=1))
        if not first <= minute <= last:
            raise _out_of_range(sql_type)
        return minute

    return finish


def _to_ticks(sql_type: SqlType, when: datetime, seventh_digit: int) -> datetime:
    """Round to three-hundredths of a second, which SQL Server shows as .000, .003 and .007."""
    tenths = when.microsecond * 10 + seventh_digit
    ticks = (tenths * _TICKS_PER_SECOND + _TENTHS_OF_MICROSECOND // 2) // _TENTHS_OF_MICROSECOND
    milliseconds = (ticks * 10 + 1) // 3
    return _later(sql_type, when.replace(microsecond=0), timedelta(milliseconds=milliseconds))


def _later(sql_type: SqlType, when: datetime, by: timedelta) -> datetime:
    try:
        return when + by
    except OverflowError:
        raise _out_of_range(sql_type) from None


def _to_scale(sql_type: SqlType, result: Callable[[datetime], Value]) -> Finisher:
    unit = 10 ** max(MICROSECOND_DIGITS - sql_type.scale, 0)
    kept = min(sql_type.scale, MICROSECOND_DIGITS)
    explanation = f"the fraction of the second has more than the {kept} digits that {sql_type} keeps"

    def scaled(when: datetime, seventh_digit: int) -> Value:
        excess = when.microsecond % unit
        if excess or seventh_digit:
            cut = when.replace(microsecond=when.microsecond - excess)
            raise InvalidValueError(Reason.TOO_MANY_DECIMALS, explanation, result(cut))
        return result(when)

    return scaled


def _as_is(when: datetime) -> Value:
    return when


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
