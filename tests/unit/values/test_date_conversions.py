"""ISO 8601 to dates and times of each type; time zones, ranges and rounding."""

from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, timezone
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xml_extractor.documents import Value
from xml_extractor.values import temporal
from xml_extractor.values.conversions import converter
from xml_extractor.values.sqltypes import InvalidValueError, parse_type
from xml_extractor.values.times import parse_datetime, parse_time

ALL_TYPES = ["date", "time", "smalldatetime", "datetime", "datetime2(7)", "datetimeoffset(7)"]
WITHOUT_ZONE = ["smalldatetime", "datetime", "datetime2(7)"]
EAST = timezone(timedelta(hours=2))


def convert(type_name: str, text: str, time_zone: str | None = None) -> Value:
    return converter(parse_type(type_name), time_zone=time_zone)(text)


def rejection(type_name: str, text: str, time_zone: str | None = None) -> InvalidValueError:
    with pytest.raises(InvalidValueError) as caught:
        convert(type_name, text, time_zone)
    return caught.value


def naive(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    "text", ["2024-02-29", " 2024-02-29\n", "2024-02-29T00:00:00", "2024-02-29 00:00", "2024-02-29T00:00:00.0000000"]
)
def test_a_date_may_have_a_midnight(text: str) -> None:
    result = convert("date", text)
    assert result == date(2024, 2, 29)
    assert type(result) is date


@pytest.mark.parametrize("text", ["2024-02-29T00:00:01", "2024-02-29 23:59", "2024-02-29T00:00:00.0000001"])
def test_a_time_of_day_is_not_dropped_from_a_date(text: str) -> None:
    error = rejection("date", text)
    assert (error.code, error.truncated) == ("time_of_day", date(2024, 2, 29))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("07:08", time(7, 8)),
        ("07:08:09", time(7, 8, 9)),
        ("07:08:09.1", time(7, 8, 9, 100_000)),
        ("07:08:09.1234560", time(7, 8, 9, 123_456)),
        (" 23:59:59.999999 ", time(23, 59, 59, 999_999)),
    ],
)
def test_a_time_is_hours_and_minutes_and_what_follows(text: str, value: time) -> None:
    assert convert("time", text) == value


def test_a_date_is_not_dropped_from_a_time() -> None:
    assert rejection("time", "2024-05-06T07:08:09").code == "unknown_date_format"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024-05-06", "2024-05-06"),
        ("2024-05-06T07:08", "2024-05-06T07:08"),
        ("2024-05-06T07:08:09", "2024-05-06T07:08:09"),
        ("2024-05-06 07:08:09", "2024-05-06T07:08:09"),
        ("2024-05-06T07:08:09.1", "2024-05-06T07:08:09.100000"),
        ("2024-05-06T07:08:09.12", "2024-05-06T07:08:09.120000"),
        ("2024-05-06T07:08:09.1234", "2024-05-06T07:08:09.123400"),
        ("2024-05-06T07:08:09.12345", "2024-05-06T07:08:09.123450"),
        ("2024-05-06T07:08:09.123456", "2024-05-06T07:08:09.123456"),
        ("2024-05-06T07:08:09.1234560", "2024-05-06T07:08:09.123456"),
        ("0001-01-01", "0001-01-01"),
        ("9999-12-31T23:59:59.999999", "9999-12-31T23:59:59.999999"),
        ("\t2024-05-06T07:08:09\r\n", "2024-05-06T07:08:09"),
    ],
)
def test_a_date_and_time_is_read_with_any_fraction(text: str, value: str) -> None:
    assert convert("datetime2(7)", text) == naive(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20240506",
        "2024-5-6",
        "2024-05",
        "24-05-06",
        "02024-05-06",
        "2024/05/06",
        "05/06/2024",
        "06.05.2024",
        "2024-W19-1",
        "2024-W19-1T07:08:09",
        "2024-127",
        "2024-05-06T",
        "2024-05-06T07",
        "2024-05-06t07:08:09",
        "2024-05-06_07:08:09",
        "2024-05-06  07:08:09",
        "2024-05-06T070809",
        "2024-05-06T07:08+02",
        "2024-05-06T07:08:09,5",
        "2024-05-06T07:08:09.",
        "2024-05-06T07:08:09.12x",
        "2024-05-06T07:08:09.١٢",
        "2024-05-06T07:08:09 PM",
        "٢٠٢٤-05-06",
        "2024-05-06T0\u0667:08:09",
        "+2024-05-06",
        "now",
        "1715000000",
        "07:08:09",
    ],
)
def test_a_date_in_another_form_is_not_guessed(text: str) -> None:
    for type_name in ("date", "datetime", "datetime2(3)", "datetimeoffset"):
        assert rejection(type_name, text, None).code == "unknown_date_format"


@pytest.mark.parametrize(
    "text",
    [
        "2023-02-29",
        "2024-13-01",
        "2024-00-10",
        "2024-04-31",
        "0000-01-01",
        "2024-05-06T24:00:01",
        "2024-05-06 24:01",
        "2024-05-06T24:00:00.0000001",
        "2024-05-06T24:00:00.0000000000001",
        "2024-05-06T24:00:01Z",
        "2024-05-06T25:00:00.5",
        "2024-05-06T07:60:00",
        "2024-05-06T23:59:60",
        "2024-05-06T07:08:09+15:00",
        "2024-05-06T07:08:09+02:60",
    ],
)
def test_a_date_that_no_calendar_has_is_refused(text: str) -> None:
    for type_name in ("date", "datetime", "datetime2(3)", "datetimeoffset"):
        assert rejection(type_name, text).code == "impossible_date"


@pytest.mark.parametrize("text", ["24:00:01", "24:01", "25:00", "23:60", "23:59:60", "12:00Z"])
def test_a_time_that_no_clock_shows_is_refused(text: str) -> None:
    assert rejection("time", text).code == ("unexpected_time_zone" if text.endswith("Z") else "impossible_date")


@pytest.mark.parametrize(
    ("type_name", "text", "truncated"),
    [
        ("datetime2(0)", "2024-05-06T07:08:09.9", naive("2024-05-06T07:08:09")),
        ("datetime2(3)", "2024-05-06T07:08:09.1239", naive("2024-05-06T07:08:09.123")),
        ("datetime2(3)", "2024-05-06T07:08:09.1230001", naive("2024-05-06T07:08:09.123")),
        ("datetime2(6)", "2024-05-06T07:08:09.1234561", naive("2024-05-06T07:08:09.123456")),
        ("datetime2(3)", "2024-05-06T07:08:09.1234567", naive("2024-05-06T07:08:09.123")),
        ("datetime2(3)", "2024-05-06T07:08:09.123000000000000000001", naive("2024-05-06T07:08:09.123")),
        ("datetime2(6)", "2024-05-06T07:08:09.12345600000001", naive("2024-05-06T07:08:09.123456")),
        ("datetime2(7)", "2024-05-06T07:08:09.12345678", parse_datetime("2024-05-06T07:08:09.1234567")),
        ("datetime2(7)", "2024-05-06T07:08:09.12345600000001", naive("2024-05-06T07:08:09.123456")),
        ("datetime2(7)", "2024-05-06T07:08:09." + "9" * 10_000, parse_datetime("2024-05-06T07:08:09.9999999")),
        ("time(2)", "07:08:09.129", time(7, 8, 9, 120_000)),
        ("time(7)", "07:08:09.123456789", parse_time("07:08:09.1234567")),
        ("time(6)", "07:08:09.1234567", time(7, 8, 9, 123_456)),
        ("datetimeoffset(0)", "2024-05-06T07:08:09.9+02:00", datetime(2024, 5, 6, 7, 8, 9, tzinfo=EAST)),
        (
            "datetimeoffset(7)",
            "2024-05-06T07:08:09.123456789+02:00",
            parse_datetime("2024-05-06T07:08:09.1234567+02:00"),
        ),
    ],
)
def test_a_fraction_finer_than_the_type_is_refused(type_name: str, text: str, truncated: Value) -> None:
    error = rejection(type_name, text)
    assert (error.code, error.truncated) == ("too_many_decimals", truncated)


@pytest.mark.parametrize("type_name", ["datetime2(0)", "datetime2(3)", "datetime2(6)", "datetime2(7)", "datetime"])
@pytest.mark.parametrize("zeros", [7, 9, 10_000])
def test_zeros_behind_the_fraction_of_the_type_are_no_digits(type_name: str, zeros: int) -> None:
    result = convert(type_name, f"2024-05-06T07:08:09.{'0' * zeros}")
    assert result == naive("2024-05-06T07:08:09")
    assert type(result) is datetime


@pytest.mark.parametrize(
    ("type_name", "text", "time_zone", "value"),
    [
        ("datetime2(7)", "2024-05-20T10:11:12.1234567", None, "2024-05-20T10:11:12.1234567"),
        ("datetime2", "2024-05-20T10:11:12.1234567Z", "UTC", "2024-05-20T10:11:12.1234567"),
        ("datetime2(7)", "2024-05-20T10:11:12.123456700+02:00", "Asia/Kathmandu", "2024-05-20T13:56:12.1234567"),
        ("datetime2(7)", "0001-01-01T00:00:00.0000001", None, "0001-01-01T00:00:00.0000001"),
        ("datetime2(7)", "9999-12-31T23:59:59.9999999", None, "9999-12-31T23:59:59.9999999"),
        ("datetimeoffset(7)", "2024-05-20T10:11:12.1234567+05:45", None, "2024-05-20T10:11:12.1234567+05:45"),
        ("datetimeoffset(7)", "2024-01-20T10:11:12.1234567", "Europe/Berlin", "2024-01-20T10:11:12.1234567+01:00"),
        ("time(7)", "10:11:12.1234567", None, "10:11:12.1234567"),
        ("time(7)", "10:11:12.1234567+02:00", "UTC", "08:11:12.1234567"),
        ("time", " 00:00:00.0000001 ", None, "00:00:00.0000001"),
    ],
)
def test_seven_digits_of_a_second_are_kept(type_name: str, text: str, time_zone: str | None, value: str) -> None:
    result = convert(type_name, text, time_zone)
    assert isinstance(result, datetime | time)
    assert result.isoformat() == value


@pytest.mark.parametrize("text", ["2024-12-31T24:00:00", "2024-12-31 24:00", "2024-12-31T24:00:00.000000000"])
def test_24_00_00_is_the_beginning_of_the_next_day(text: str) -> None:
    for type_name in ("smalldatetime", "datetime", "datetime2(0)", "datetime2(7)"):
        assert convert(type_name, text) == naive("2025-01-01T00:00:00")
    assert convert("date", text) == date(2025, 1, 1)
    assert convert("datetimeoffset", f"{text}+02:00") == datetime(2025, 1, 1, tzinfo=EAST)
    assert convert("datetime2", f"{text}+02:00", "UTC") == naive("2024-12-31T22:00:00")
    assert convert("datetimeoffset", text, "+02:00") == datetime(2025, 1, 1, tzinfo=EAST)


def test_24_00_00_of_the_last_day_is_out_of_range() -> None:
    assert rejection("datetime2", "9999-12-31T24:00:00").code == "overflow"
    assert rejection("date", "9999-12-31T24:00").code == "overflow"


@pytest.mark.parametrize("text", ["24:00", "24:00:00", "24:00:00.000"])
def test_24_00_00_is_no_time_of_day_because_it_would_become_the_beginning_of_the_day(text: str) -> None:
    error = rejection("time", text)
    assert (error.code, error.truncated) == ("impossible_date", None)
    assert "end of a day" in error.explanation


def test_a_refused_hour_and_a_leap_second_are_named() -> None:
    assert "24:00:00" in rejection("datetime2", "2024-05-06T24:00:01").explanation
    assert "leap seconds" in rejection("datetime2", "2016-12-31T23:59:60Z", "UTC").explanation
    assert "leap seconds" in rejection("time", "23:59:60.5").explanation


def test_an_offset_with_seconds_is_not_guessed() -> None:
    assert rejection("datetimeoffset", "2024-05-06T07:08:09+00:53:28").code == "unknown_date_format"


@pytest.mark.parametrize(
    ("digits", "milliseconds"), [("0016666", 0), ("00166666666", 0), ("00166667", 3), ("0049999999", 3), ("0050", 7)]
)
def test_a_datetime_rounds_all_digits_of_the_fraction(digits: str, milliseconds: int) -> None:
    assert convert("datetime", f"2024-05-06T07:08:09.{digits}") == naive(f"2024-05-06T07:08:09.00{milliseconds}")


@pytest.mark.parametrize(
    ("fraction", "milliseconds"),
    [
        *(
            (".000", 0),
            (".001", 0),
            (".002", 3),
            (".003", 3),
            (".004", 3),
            (".005", 7),
            (".006", 7),
            (".007", 7),
            (".008", 7),
        ),
        *((".009", 10), (".99", 990), (".995", 997), (".998", 997), (".0016666", 0), (".0016667", 3), (".001667", 3)),
    ],
)
def test_a_datetime_is_rounded_to_three_hundredths_of_a_second(fraction: str, milliseconds: int) -> None:
    expected = naive("2024-05-06T07:08:09") + timedelta(milliseconds=milliseconds)
    assert convert("datetime", f"2024-05-06T07:08:09{fraction}") == expected


def test_a_datetime_rounds_up_into_the_next_year() -> None:
    assert convert("datetime", "2024-12-31T23:59:59.999") == naive("2025-01-01")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024-05-06T07:08:29.998", "2024-05-06T07:08"),
        ("2024-05-06T07:08:29.999", "2024-05-06T07:09"),
        ("2024-05-06T07:08:30", "2024-05-06T07:09"),
        ("2024-05-06T23:59:59", "2024-05-07T00:00"),
        ("2024-05-06", "2024-05-06T00:00"),
    ],
)
def test_a_smalldatetime_is_rounded_to_the_minute(text: str, value: str) -> None:
    assert convert("smalldatetime", text) == naive(value)


@pytest.mark.parametrize(
    ("type_name", "first", "last"),
    [
        ("datetime", "1753-01-01T00:00:00", "9999-12-31T23:59:59.998"),
        ("smalldatetime", "1900-01-01T00:00:00", "2079-06-06T23:59:29.998"),
        ("date", "0001-01-01", "9999-12-31"),
        ("datetime2(7)", "0001-01-01T00:00:00", "9999-12-31T23:59:59.999999"),
    ],
)
def test_the_first_and_last_moment_of_a_type_are_read(type_name: str, first: str, last: str) -> None:
    assert convert(type_name, first)
    assert convert(type_name, last)


@pytest.mark.parametrize(
    ("type_name", "text"),
    [
        ("datetime", "1752-12-31T23:59:59.999"),
        ("datetime", "9999-12-31T23:59:59.999"),
        ("smalldatetime", "1899-12-31T23:59:00"),
        ("smalldatetime", "2079-06-06T23:59:30"),
        ("smalldatetime", "9999-12-31T23:59:59"),
        ("smalldatetime", "9999-12-31T23:59:59.999"),
        ("datetimeoffset", "0001-01-01T00:00:00+00:01"),
        ("datetimeoffset", "9999-12-31T23:59:59-00:01"),
    ],
)
def test_a_moment_outside_the_range_of_its_type_is_refused(type_name: str, text: str) -> None:
    error = rejection(type_name, text)
    assert (error.code, error.truncated) == ("overflow", None)


@pytest.mark.parametrize("zone", ["Z", "+02:00", "+0200", " +02:00", "-14:00", "+00:00"])
@pytest.mark.parametrize("type_name", ["date", *WITHOUT_ZONE])
def test_a_time_zone_is_not_dropped(type_name: str, zone: str) -> None:
    assert rejection(type_name, f"2024-05-06T00:00:00{zone}").code == "unexpected_time_zone"
    assert rejection(type_name, f"2024-05-06{zone}").code == "unexpected_time_zone"


@pytest.mark.parametrize("type_name", WITHOUT_ZONE)
@pytest.mark.parametrize(
    ("time_zone", "text", "value"),
    [
        ("UTC", "2024-05-06T00:30:00+02:00", "2024-05-05T22:30"),
        ("+02:00", "2024-05-06T00:30:00Z", "2024-05-06T02:30"),
        ("-0330", "2024-05-06T00:30:00Z", "2024-05-05T21:00"),
        ("Europe/Berlin", "2024-05-06T00:30:00Z", "2024-05-06T02:30"),
        ("Europe/Berlin", "2024-01-06T00:30:00Z", "2024-01-06T01:30"),
        ("America/New_York", "2024-11-03T06:30:00Z", "2024-11-03T01:30"),
        ("Europe/Berlin", "2024-05-06T00:30:00", "2024-05-06T00:30"),
    ],
)
def test_a_type_without_zone_gets_the_clock_of_its_time_zone(
    type_name: str, time_zone: str, text: str, value: str
) -> None:
    assert convert(type_name, text, time_zone) == naive(value)


def test_a_date_with_a_zone_is_converted_if_it_stays_a_date() -> None:
    assert convert("date", "2024-05-06T22:00:00Z", "+02:00") == date(2024, 5, 7)
    assert convert("date", "2024-05-06+02:00", "+02:00") == date(2024, 5, 6)
    error = rejection("date", "2024-05-06Z", "+02:00")
    assert (error.code, error.truncated) == ("time_of_day", date(2024, 5, 6))


def test_a_time_with_a_zone_is_converted_only_to_a_fixed_offset() -> None:
    assert convert("time", "23:30:00Z", "+02:00") == time(1, 30)
    assert convert("time", "23:30", "Europe/Berlin") == time(23, 30)
    assert rejection("time", "23:30:00Z", "Europe/Berlin").code == "unexpected_time_zone"


def test_a_conversion_out_of_the_calendar_is_refused() -> None:
    assert rejection("datetime2(7)", "0001-01-01T00:00:00Z", "-01:00").code == "overflow"
    assert rejection("datetime2(7)", "9999-12-31T23:59:59Z", "+01:00").code == "overflow"


@pytest.mark.parametrize(
    ("text", "offset"),
    [("Z", 0), ("+02:00", 120), ("-0530", -330), (" +14:00", 840), ("-14:00", -840), ("+00:00", 0)],
)
def test_an_offset_is_kept_as_the_text_has_it(text: str, offset: int) -> None:
    for time_zone in (None, "+05:00"):
        result = convert("datetimeoffset(7)", f"2024-05-06T07:08:09.5{text}", time_zone)
        assert isinstance(result, datetime)
        assert result.replace(tzinfo=None) == naive("2024-05-06T07:08:09.5")
        assert result.utcoffset() == timedelta(minutes=offset)


def test_a_missing_offset_is_not_guessed() -> None:
    assert rejection("datetimeoffset(7)", "2024-05-06T07:08:09").code == "no_time_zone"
    assert rejection("datetimeoffset(7)", "2024-05-06").code == "no_time_zone"


@pytest.mark.parametrize(
    ("time_zone", "text", "offset"),
    [
        ("UTC", "2024-05-06T07:08:09", 0),
        ("+05:30", "2024-05-06T07:08:09", 330),
        ("Europe/Berlin", "2024-05-06T07:08:09", 120),
        ("Europe/Berlin", "2024-01-06T07:08:09", 60),
        ("Europe/Berlin", "2024-03-31T01:59:59", 60),
        ("Europe/Berlin", "2024-03-31T03:00:00", 120),
        ("Europe/Berlin", "2024-10-27T01:59:59", 120),
        ("Europe/Berlin", "2024-10-27T03:00:00", 60),
    ],
)
def test_a_missing_offset_comes_from_the_time_zone(time_zone: str, text: str, offset: int) -> None:
    result = convert("datetimeoffset(7)", text, time_zone)
    assert isinstance(result, datetime)
    assert result.utcoffset() == timedelta(minutes=offset)
    assert isinstance(result.tzinfo, timezone)


def test_a_time_that_the_clock_skipped_or_showed_twice_is_refused() -> None:
    assert rejection("datetimeoffset(7)", "2024-03-31T02:30:00", "Europe/Berlin").code == "impossible_date"
    assert rejection("datetimeoffset(7)", "2024-10-27T02:30:00", "Europe/Berlin").code == "ambiguous_time"


def test_an_offset_of_odd_seconds_is_refused() -> None:
    assert rejection("datetimeoffset(7)", "1880-01-01T00:00:00", "Europe/Berlin").code == "impossible_date"


@pytest.mark.parametrize(
    "time_zone", ["Berlin", "+2", "+15:00", "+02:99", "../etc/passwd", "/etc/localtime", "", "Europe", "Z "]
)
def test_an_unknown_time_zone_is_a_fault_of_the_contract(time_zone: str) -> None:
    for type_name in ALL_TYPES:
        with pytest.raises(ValueError, match="time zone"):
            converter(parse_type(type_name), time_zone=time_zone)


@pytest.mark.parametrize("type_name", ["int", "varchar(20)", "xml", "bit"])
def test_options_of_dates_are_a_fault_on_other_types(type_name: str) -> None:
    with pytest.raises(ValueError, match="formats"):
        converter(parse_type(type_name), formats=["%Y"])
    with pytest.raises(ValueError, match="time_zone"):
        converter(parse_type(type_name), time_zone="UTC")


@given(st.datetimes())
def test_every_datetime_comes_back_as_it_was(value: datetime) -> None:
    assert convert("datetime2(7)", value.isoformat()) == value
    assert convert("datetime2(7)", value.isoformat(" ")) == value
    assert convert("time", value.time().isoformat()) == value.time()
    assert convert("date", value.date().isoformat()) == value.date()


@given(st.datetimes(min_value=naive("0002-01-01"), max_value=naive("9998-12-31")), st.integers(-840, 840))
def test_every_offset_comes_back_as_it_was(value: datetime, minutes: int) -> None:
    aware = value.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    result = convert("datetimeoffset(7)", aware.isoformat())
    assert isinstance(result, datetime)
    assert (result, result.utcoffset()) == (aware, aware.utcoffset())
    assert convert("datetime2(7)", aware.isoformat(), "UTC") == aware.astimezone(UTC).replace(tzinfo=None)


@given(st.datetimes(min_value=naive("1753-01-01"), max_value=naive("9999-12-31")))
def test_a_datetime_is_never_more_than_half_a_tick_away(value: datetime) -> None:
    result = convert("datetime", value.isoformat())
    assert isinstance(result, datetime)
    assert abs(result - value) <= timedelta(microseconds=2001)
    assert result.microsecond // 1000 % 10 in (0, 3, 7)


@given(st.text(max_size=30) | st.from_regex(r"\A\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,8})?)?(Z|[+-]\d\d:?\d\d)?\Z"))
def test_any_text_is_a_value_or_is_refused(text: str) -> None:
    for type_name in ALL_TYPES:
        with suppress(InvalidValueError):
            assert convert(type_name, text, "Europe/Berlin") is not None


PIECES = [
    *("2024-02-29", "0001-01-01", "2023-02-29", "9999-12-31", "T", " ", "23:59:59", "24:00:00", "12:30", "12:30:60"),
    *(".5", ".1234567", ".123456", ".", "Z", "+02:00", "\u0663", ",5"),
]
FORMS = ((), ("iso",), ("%Y-%m-%d",), ("%Y-%m-%dT%H:%M:%S",), ("%Y-%m-%dT%H:%M:%S.%f", "iso"))


@given(
    kind=st.sampled_from(["date", "datetime2(0)", "datetime2(3)", "datetime2(7)", "datetimeoffset(3)"]),
    text=st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("".join),
    zone=st.sampled_from([None, "UTC", "Europe/Berlin", "-03:30"]),
)
def test_usual_texts_are_read_as_all_others(kind: str, text: str, zone: str | None) -> None:
    def outcome(formats: tuple[str, ...]) -> str:
        try:
            return repr(temporal.temporal_converter(parse_type(kind), formats, zone)(text))
        except InvalidValueError as error:
            return repr((error.code, error.truncated, error.rounded))
        except ValueError:
            return "the format does not fit the type"

    for formats in FORMS:
        with patch.object(temporal, "usual_reader", lambda *_: None):
            expected = outcome(formats)
        assert outcome(formats) == expected
