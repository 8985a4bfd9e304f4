from datetime import UTC, date, datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.tsql.tsql_evaluation import assert_same, evaluated, failure_of
from xml_extractor.documents import Value
from xml_extractor.values.times import parse_datetime, parse_time, with_seventh_digit

DATES = [
    "20240131",
    "240131",
    "2024-01-31",
    "2024/01/31",
    "2024.1.31",
    "01/31/2024",
    "1/31/24",
    "01-31-2024",
    "01.31.2024",
    "01/2024/31",
    "Jan 31 2024",
    "Jan 31, 2024",
    "January 31, 2024",
    "31 Jan 2024",
    "31 january, 2024",
    "31-Jan-2024",
    "31/jan/24",
    "2024 Jan 31",
    "2024 31 Jan",
    "Jan 2024 31",
    "Jan 31 24",
    "  2024-01-31  ",
    "2024-01-31T10:20:30",
    "2024-01-31 10:20",
    "2024-01-31 10:20:30.123",
    "20240131 10PM",
]


@pytest.mark.parametrize("text", DATES)
@pytest.mark.parametrize("data_type", ["date", "datetime", "smalldatetime", "datetime2", "datetimeoffset"])
def test_a_text_is_read_as_a_date(text: str, data_type: str) -> None:
    assert evaluated(f"CAST(CAST('{text}' AS {data_type}) AS date)") == date(2024, 1, 31)


NO_DATES = [
    "2024-31-01",
    "31/01/2024",
    "2024-02-30",
    "20240230",
    "2024-1",
    "2024-013-1",
    "Foo 31 2024",
    "Jan",
    "Jan 15",
    "Jan 31 2024 5",
    "2024-01-31T10:20",
    "2024-01-31T25:00:00",
    "2024-01-31 10:60",
    "2024-01-31 24:00",
    "2024-01-31 0:30PM",
    "2024-01-31 13:00AM",
    "2024-01-31 10:00:00:1234",
    "2024-01-31 +02:00",
    "2024-01-31 10:00 +15:00",
    "2024-01-31 10:00:00.12345678",
    "10",
    "12345",
    "2024-01-3\uff11",
    "x",
]


@pytest.mark.parametrize("text", NO_DATES)
@pytest.mark.parametrize("data_type", ["date", "datetime", "datetime2", "datetimeoffset"])
def test_a_text_that_is_no_date_is_refused(text: str, data_type: str) -> None:
    assert failure_of(f"CAST(N'{text}' AS {data_type})") == "conversion_failed"


TIMES: list[tuple[str, time]] = [
    ("10:20", time(10, 20)),
    ("10:20:30", time(10, 20, 30)),
    ("10:20:30.5", time(10, 20, 30, 500000)),
    ("10:20:30:5", time(10, 20, 30, 5000)),
    ("10:20:30.1234567", parse_time("10:20:30.1234567")),
    ("4PM", time(16)),
    ("4 pm", time(16)),
    ("12AM", time(0)),
    ("12:30 AM", time(0, 30)),
    ("12:30 PM", time(12, 30)),
    ("12:30", time(12, 30)),
    ("13:30 PM", time(13, 30)),
    ("0:30 AM", time(0, 30)),
    ("2024-01-31 10:20", time(10, 20)),
    ("2024-01-31", time(0)),
    ("", time(0)),
    ("10:20:30 +02:00", time(10, 20, 30)),
    ("01:01:01:123AM", time(1, 1, 1, 123000)),
    ("01:01:01.1234567 PM", parse_time("13:01:01.1234567")),
]


@pytest.mark.parametrize(("text", "expected"), TIMES)
def test_a_text_is_read_as_a_time(text: str, expected: time) -> None:
    assert evaluated(f"CAST('{text}' AS time)") == expected


MOMENTS: list[tuple[str, str, str]] = [
    ("datetime", "10:20", "1900-01-01 10:20:00"),
    ("datetime", "", "1900-01-01 00:00:00"),
    ("datetime", "2024", "2024-01-01 00:00:00"),
    ("datetime", "Feb 2024", "2024-02-01 00:00:00"),
    ("datetime", "2024-01-31T10:00:00Z", "2024-01-31 10:00:00"),
    ("datetime", "1/1/49", "2049-01-01 00:00:00"),
    ("datetime", "1/1/50", "1950-01-01 00:00:00"),
    ("datetime", "01/01/98 23:59:59.999", "1998-01-02 00:00:00"),
    ("datetime", "01/01/98 23:59:59.998", "1998-01-01 23:59:59.997"),
    ("datetime", "01/01/98 23:59:59.995", "1998-01-01 23:59:59.997"),
    ("datetime", "01/01/98 23:59:59.994", "1998-01-01 23:59:59.993"),
    ("datetime", "01/01/98 23:59:59.992", "1998-01-01 23:59:59.993"),
    ("datetime", "01/01/98 23:59:59.991", "1998-01-01 23:59:59.990"),
    ("datetime", "01/01/98 23:59:59.990", "1998-01-01 23:59:59.990"),
    ("datetime", "01/01/98 00:00:00.001", "1998-01-01 00:00:00"),
    ("datetime", "01/01/98 00:00:00.002", "1998-01-01 00:00:00.003"),
    ("smalldatetime", "2007-05-08 12:35:29", "2007-05-08 12:35:00"),
    ("smalldatetime", "2007-05-08 12:35:29.998", "2007-05-08 12:35:00"),
    ("smalldatetime", "2007-05-08 12:35:29.999", "2007-05-08 12:36:00"),
    ("smalldatetime", "2007-05-08 12:35:30", "2007-05-08 12:36:00"),
    ("smalldatetime", "2007-05-08 12:59:59.998", "2007-05-08 13:00:00"),
    ("smalldatetime", "2007-05-09 23:59:59", "2007-05-10 00:00:00"),
    ("datetime2(0)", "2007-05-08 12:35:29.5", "2007-05-08 12:35:30"),
    ("datetime2(3)", "2007-05-08 12:35:29.1235", "2007-05-08 12:35:29.124"),
    ("datetime2(6)", "2007-05-08 12:35:29.1234565", "2007-05-08 12:35:29.123457"),
    ("datetime2(3)", "2007-05-08 12:35:29.9999999", "2007-05-08 12:35:30"),
    ("datetime2(5)", "2007-05-08 12:35:29.1234549", "2007-05-08 12:35:29.12345"),
    ("datetime2", "2007-05-08 12:35:29.1234567", "2007-05-08 12:35:29.1234567"),
    ("datetime2", "2007-05-08 12:35:29.9999999", "2007-05-08 12:35:29.9999999"),
    ("datetime2", "0001-01-01", "0001-01-01 00:00:00"),
    ("datetime2", "2007-05-08 12:35:29 +12:15", "2007-05-08 12:35:29"),
]


@pytest.mark.parametrize(("data_type", "text", "expected"), MOMENTS)
def test_a_moment_is_rounded_to_its_type(data_type: str, text: str, expected: str) -> None:
    assert evaluated(f"CAST('{text}' AS {data_type})") == parse_datetime(expected)


OFFSETS: list[tuple[str, datetime]] = [
    (
        "CAST('2024-01-31 10:00 +02:00' AS datetimeoffset)",
        datetime(2024, 1, 31, 10, tzinfo=timezone(timedelta(hours=2))),
    ),
    ("CAST('2024-01-31T10:00:00-05:30' AS datetimeoffset)", datetime(2024, 1, 31, 15, 30, tzinfo=UTC)),
    ("CAST('2024-01-31T10:00:00Z' AS datetimeoffset)", datetime(2024, 1, 31, 10, tzinfo=UTC)),
    ("CAST('2024-01-31' AS datetimeoffset)", datetime(2024, 1, 31, tzinfo=UTC)),
    ("CAST(CAST('2024-01-31' AS date) AS datetimeoffset(3))", datetime(2024, 1, 31, tzinfo=UTC)),
    ("CAST(CAST('2024-01-31 10:00' AS datetime) AS datetimeoffset)", datetime(2024, 1, 31, 10, tzinfo=UTC)),
    ("CAST(CAST('10:00' AS time) AS datetimeoffset)", datetime(1900, 1, 1, 10, tzinfo=UTC)),
    (
        "CAST(CAST('2024-01-31 10:00:00.6 +02:00' AS datetimeoffset) AS datetimeoffset(0))",
        datetime(2024, 1, 31, 8, 0, 1, tzinfo=UTC),
    ),
]


@pytest.mark.parametrize(("text", "expected"), OFFSETS)
def test_a_datetimeoffset_keeps_its_offset(text: str, expected: datetime) -> None:
    assert evaluated(text) == expected


BETWEEN_TYPES: list[tuple[str, Value]] = [
    ("CAST(CAST('2024-01-31 10:20:30' AS datetime) AS date)", date(2024, 1, 31)),
    ("CAST(CAST('2024-01-31 10:20:30' AS datetime) AS time(0))", time(10, 20, 30)),
    ("CAST(CAST('2024-01-31 10:20:30.003' AS datetime) AS time(7))", parse_time("10:20:30.0033333")),
    ("CAST(CAST('2024-01-31 10:20:30.1234567' AS datetime2) AS time)", parse_time("10:20:30.1234567")),
    ("CAST(CAST('2024-01-31 10:20:30.1234567' AS datetime2) AS time(6))", time(10, 20, 30, 123457)),
    ("CAST(CAST('23:59:59.9999999' AS time) AS time(6))", time(0)),
    ("CAST(CAST('2024-01-31 10:20:30.007' AS datetime) AS time(6))", time(10, 20, 30, 6667)),
    ("CAST('9999-12-31 23:59:59.9' AS time(0))", time(0)),
    ("CAST(CAST('2024-01-31 10:20:30.007' AS datetime) AS time(3))", time(10, 20, 30, 7000)),
    ("CAST(CAST('12:34:54.1237' AS time(4)) AS time(3))", time(12, 34, 54, 124000)),
    ("CAST(CAST('23:59:59.9' AS time) AS time(0))", time(0)),
    ("CAST(CAST('2024-01-31 10:00 +02:00' AS datetimeoffset) AS date)", date(2024, 1, 31)),
    ("CAST(CAST('2024-01-31 10:00 +02:00' AS datetimeoffset) AS time)", time(10)),
]


@pytest.mark.parametrize(("text", "expected"), BETWEEN_TYPES)
def test_a_part_of_a_moment_is_taken_over(text: str, expected: Value) -> None:
    assert_same(evaluated(text), expected)


TO_MOMENTS: list[tuple[str, str]] = [
    ("CAST(CAST('2024-01-31' AS date) AS datetime)", "2024-01-31 00:00:00"),
    ("CAST(CAST('10:20' AS time) AS datetime)", "1900-01-01 10:20:00"),
    ("CAST(CAST('12:15:04.1237' AS time(4)) AS datetime)", "1900-01-01 12:15:04.123"),
    ("CAST(CAST('12:15:59.9999' AS time(4)) AS smalldatetime)", "1900-01-01 12:16:00"),
    ("CAST(CAST('12:15:04.1237' AS time(4)) AS datetime2(3))", "1900-01-01 12:15:04.124"),
    ("CAST(CAST('1968-10-23 12:45:37.1237' AS datetime2(4)) AS datetime)", "1968-10-23 12:45:37.123"),
    ("CAST(CAST('2016-10-23 12:45:37.333' AS datetime) AS datetime2)", "2016-10-23 12:45:37.3333333"),
    ("CAST(CAST('2016-10-23 12:45:37.337' AS datetime) AS datetime2)", "2016-10-23 12:45:37.3366667"),
    ("CAST(CAST('10:20:30.1234567' AS time) AS datetime2)", "1900-01-01 10:20:30.1234567"),
    ("CAST(CAST('2024-01-31 10:20:30.1234565' AS datetime2) AS datetime2(6))", "2024-01-31 10:20:30.123457"),
    ("CAST(CAST('2024-01-31 10:20:30.1234567 +02:00' AS datetimeoffset) AS datetime2)", "2024-01-31 10:20:30.1234567"),
    ("CAST(CAST('2024-01-31 10:20:30.0000001' AS datetime2) AS datetime)", "2024-01-31 10:20:30"),
    ("CAST(CAST('2024-01-31 10:20:30.9999999' AS datetime2) AS smalldatetime)", "2024-01-31 10:21"),
    ("CAST(CAST('2016-10-23 12:45:37.337' AS datetime) AS datetime2(6))", "2016-10-23 12:45:37.336667"),
    ("CAST(CAST('2016-10-23 12:45:37.337' AS datetime) AS datetime2(3))", "2016-10-23 12:45:37.337"),
    ("CAST(CAST('1968-10-23 12:45:37.1234 +10:00' AS datetimeoffset(4)) AS datetime)", "1968-10-23 12:45:37.123"),
    ("CAST(CAST('2024-01-31 10:20:30.6' AS datetime2) AS datetime2(0))", "2024-01-31 10:20:31"),
]


@pytest.mark.parametrize(("text", "expected"), TO_MOMENTS)
def test_a_moment_of_another_type_is_rounded_or_extended(text: str, expected: str) -> None:
    assert evaluated(text) == parse_datetime(expected)


SEVEN_DIGITS: list[tuple[str, Value]] = [
    ("CONVERT(varchar(27), a, 121)", "2024-01-31 10:20:30.1234567"),
    ("CAST(a AS varchar(27))", "2024-01-31 10:20:30.1234567"),
    ("CONVERT(varchar(33), a, 126)", "2024-01-31T10:20:30.1234567"),
    ("CONVERT(varchar(34), CAST(a AS datetimeoffset), 127)", "2024-01-31T10:20:30.1234567Z"),
    ("CONVERT(varchar(16), CAST(a AS time), 114)", "10:20:30.1234567"),
    ("DATEPART(nanosecond, a)", 123456700),
    ("DATEPART(microsecond, a)", 123456),
    ("DATEDIFF(nanosecond, '2024-01-31 10:20:30', a)", 123456700),
    ("IIF(a = '2024-01-31 10:20:30.1234567', 1, 0)", 1),
    ("IIF(a > CAST('2024-01-31 10:20:30.1234566' AS datetime2), 1, 0)", 1),
    ("IIF(a > CAST('2024-01-31 10:20:30.123456' AS datetime2(6)), 1, 0)", 1),
    ("IIF(CAST('2024-01-31 10:20:30.123457' AS datetime2(6)) > a, 1, 0)", 1),
    ("IIF(a IN ('2024-01-31 10:20:30.123456', '2024-01-31 10:20:30.1234567'), 1, 0)", 1),
    ("IIF(a BETWEEN '2024-01-31 10:20:30.1234567' AND '2024-01-31 10:20:30.1234567', 1, 0)", 1),
    ("NULLIF(a, CAST('2024-01-31 10:20:30.1234567' AS datetime2))", None),
    ("CAST(a AS date)", date(2024, 1, 31)),
    ("EOMONTH(a)", date(2024, 1, 31)),
]


@pytest.mark.parametrize(("expression", "expected"), SEVEN_DIGITS)
def test_expressions_know_seven_digits_of_a_second(expression: str, expected: Value) -> None:
    moment = parse_datetime("2024-01-31 10:20:30.1234567")
    assert_same(evaluated(expression, {"a": ("datetime2(7)", moment)}), expected)


OUT_OF_RANGE = [
    "CAST('1752-12-31' AS datetime)",
    "CAST('1899-12-31' AS smalldatetime)",
    "CAST('2079-06-07' AS smalldatetime)",
    "CAST('2079-06-06 23:59:30' AS smalldatetime)",
    "CAST(CAST('1700-01-01' AS date) AS datetime)",
    "CAST(CAST('9999-12-31 23:59:59.9' AS datetime2) AS datetime2(0))",
    "CAST('9999-12-31 23:59:59.999' AS datetime)",
]


@pytest.mark.parametrize("text", OUT_OF_RANGE)
def test_a_date_outside_of_its_types_range_fails(text: str) -> None:
    assert failure_of(text) == "overflow"


WRITTEN: list[tuple[int, str]] = [
    (0, "Jan  3 2024  2:05PM"),
    (100, "Jan  3 2024  2:05PM"),
    (1, "01/03/24"),
    (101, "01/03/2024"),
    (2, "24.01.03"),
    (102, "2024.01.03"),
    (3, "03/01/24"),
    (103, "03/01/2024"),
    (4, "03.01.24"),
    (104, "03.01.2024"),
    (5, "03-01-24"),
    (105, "03-01-2024"),
    (6, "03 Jan 24"),
    (106, "03 Jan 2024"),
    (7, "Jan 03, 24"),
    (107, "Jan 03, 2024"),
    (8, "14:05:09"),
    (24, "14:05:09"),
    (108, "14:05:09"),
    (9, "Jan  3 2024  2:05:09:123PM"),
    (109, "Jan  3 2024  2:05:09:123PM"),
    (10, "01-03-24"),
    (110, "01-03-2024"),
    (11, "24/01/03"),
    (111, "2024/01/03"),
    (12, "240103"),
    (112, "20240103"),
    (13, "03 Jan 2024 14:05:09:123"),
    (113, "03 Jan 2024 14:05:09:123"),
    (14, "14:05:09:123"),
    (114, "14:05:09:123"),
    (20, "2024-01-03 14:05:09"),
    (120, "2024-01-03 14:05:09"),
    (21, "2024-01-03 14:05:09.123"),
    (25, "2024-01-03 14:05:09.123"),
    (121, "2024-01-03 14:05:09.123"),
    (22, "01/03/24  2:05:09 PM"),
    (23, "2024-01-03"),
    (126, "2024-01-03T14:05:09.123"),
    (127, "2024-01-03T14:05:09.123"),
]


@pytest.mark.parametrize(("style", "expected"), WRITTEN)
def test_a_datetime_is_written_by_every_style(style: int, expected: str) -> None:
    moment = datetime.fromisoformat("2024-01-03 14:05:09.123")
    assert evaluated(f"CONVERT(varchar(40), a, {style})", {"a": ("datetime", moment)}) == expected


DEFAULTS: list[tuple[str, str]] = [
    ("CAST(CAST('2024-01-03 00:05' AS datetime) AS varchar(30))", "Jan  3 2024 12:05AM"),
    ("CAST(CAST('2024-01-03 12:05' AS smalldatetime) AS varchar(30))", "Jan  3 2024 12:05PM"),
    ("CAST(CAST('2024-01-03' AS date) AS varchar(30))", "2024-01-03"),
    ("CAST(CAST('14:05:09.123' AS time) AS varchar(30))", "14:05:09.1230000"),
    ("CAST(CAST('14:05:09.123' AS time(2)) AS varchar(30))", "14:05:09.12"),
    ("CAST(CAST('14:05:09' AS time(0)) AS varchar(30))", "14:05:09"),
    ("CAST(CAST('2024-01-03 14:05:09.5' AS datetime2(3)) AS varchar(30))", "2024-01-03 14:05:09.500"),
    ("CAST(CAST('2024-01-03 14:05' AS datetime2(0)) AS varchar(30))", "2024-01-03 14:05:00"),
    ("CAST(CAST('2024-01-03 14:05 -08:00' AS datetimeoffset(0)) AS varchar(30))", "2024-01-03 14:05:00 -08:00"),
    ("CONVERT(varchar(40), CAST('2024-01-03 14:05 +02:00' AS datetimeoffset(0)), 126)", "2024-01-03T14:05:00+02:00"),
    ("CONVERT(varchar(40), CAST('2024-01-03 14:05 +02:00' AS datetimeoffset(0)), 127)", "2024-01-03T12:05:00Z"),
    ("CONVERT(varchar(40), CAST('2024-01-03' AS date), 120)", "2024-01-03"),
    ("CONVERT(varchar(40), CAST('2024-01-03' AS date), 0)", "Jan  3 2024"),
    ("CONVERT(varchar(40), CAST('09:05' AS time), 100)", "9:05AM"),
    ("CONVERT(varchar(40), CAST('2024-01-03 14:05' AS datetime), 126)", "2024-01-03T14:05:00"),
    ("CONVERT(varchar(40), CAST('2024-01-03 14:05:09.5' AS datetime2(3)), 109)", "Jan  3 2024  2:05:09.500PM"),
    ("CONVERT(varchar(7), CAST('2024-01-03' AS date), 120)", "2024-01"),
    ("CONVERT(char(10), CAST('2024-01-03 14:05' AS datetime), 120)", "2024-01-03"),
    ("CONVERT(varchar(40), CAST('2024-01-03 14:05' AS smalldatetime), 121)", "2024-01-03 14:05:00.000"),
]


@pytest.mark.parametrize(("text", "expected"), DEFAULTS)
def test_a_date_or_time_is_written_by_its_types_default_or_a_style(text: str, expected: str) -> None:
    assert evaluated(text) == expected


READ: list[tuple[int, str]] = [
    (101, "01/31/2024"),
    (1, "01/31/24"),
    (102, "2024.01.31"),
    (103, "31/01/2024"),
    (3, "31/01/24"),
    (104, "31.01.2024"),
    (105, "31-01-2024"),
    (106, "31 Jan 2024"),
    (6, "31 Jan 24"),
    (107, "Jan 31, 2024"),
    (110, "01-31-2024"),
    (111, "2024/01/31"),
    (112, "20240131"),
    (12, "240131"),
    (120, "2024-01-31 10:20:30"),
    (121, "2024-01-31 10:20:30.123"),
    (23, "2024-01-31"),
    (126, "2024-01-31T10:20:30.123"),
    (127, "2024-01-31T10:20:30Z"),
    (113, "31 Jan 2024 10:20:30:123"),
    (0, "Jan 31 2024 10:20AM"),
    (103, "20240131"),
]


@pytest.mark.parametrize(("style", "text"), READ)
def test_a_text_is_read_by_the_order_of_its_style(style: int, text: str) -> None:
    assert evaluated(f"CONVERT(date, '{text}', {style})") == date(2024, 1, 31)


MISREAD: list[tuple[int, str]] = [
    (103, "01/31/2024"),
    (103, "31/01/24"),
    (3, "31/01/2024"),
    (101, "31/01/2024"),
    (103, "2024-01-31"),
    (120, "31/01/2024"),
    (112, "2024-01-31"),
    (112, "240131"),
    (106, "31/01/2024"),
    (104, "Jan 31 2024"),
]


@pytest.mark.parametrize(("style", "text"), MISREAD)
def test_a_text_in_another_order_than_its_style_is_refused(style: int, text: str) -> None:
    assert failure_of(f"CONVERT(date, '{text}', {style})") == "conversion_failed"
    assert evaluated(f"TRY_CONVERT(date, '{text}', {style})") is None


@given(st.datetimes(datetime(1753, 1, 1), datetime(9999, 12, 30)))  # noqa: DTZ001 - SQL Server's datetime is naive
def test_a_datetime_is_within_two_milliseconds_and_stays_what_it_is(moment: datetime) -> None:
    once = evaluated("CAST(a AS datetime)", {"a": ("datetime2", moment)})
    assert isinstance(once, datetime)
    assert abs(once - moment) < timedelta(milliseconds=3)
    assert once.microsecond // 1000 % 10 in {0, 3, 7}
    assert evaluated("CAST(CAST(a AS datetime2(3)) AS datetime)", {"a": ("datetime", once)}) == once
    assert evaluated("CAST(CAST(a AS datetime2) AS datetime)", {"a": ("datetime", once)}) == once


@given(st.builds(with_seventh_digit, st.datetimes(datetime(1, 1, 1)), st.integers(0, 9)))  # noqa: DTZ001 - it is naive
def test_a_written_datetime2_is_read_back(moment: datetime) -> None:
    assert evaluated("CAST(CAST(a AS varchar(30)) AS datetime2)", {"a": ("datetime2", moment)}) == moment
    assert evaluated("CONVERT(datetime2, CONVERT(varchar(30), a, 126), 126)", {"a": ("datetime2", moment)}) == moment
