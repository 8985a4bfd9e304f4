from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.tsql.tsql_evaluation import CLOCK, Inputs, evaluated, failure_of, faults_of, type_of
from xml_extractor.values.times import parse_datetime, parse_time

D2 = "CAST('2007-01-01 13:10:10.1111111' AS datetime2)"

ADDED: list[tuple[str, str]] = [
    (f"DATEADD(year, 1, {D2})", "2008-01-01 13:10:10.1111111"),
    (f"DATEADD(quarter, 1, {D2})", "2007-04-01 13:10:10.1111111"),
    (f"DATEADD(month, 1, {D2})", "2007-02-01 13:10:10.1111111"),
    (f"DATEADD(dayofyear, 1, {D2})", "2007-01-02 13:10:10.1111111"),
    (f"DATEADD(day, 1, {D2})", "2007-01-02 13:10:10.1111111"),
    (f"DATEADD(day, CAST(2.5 AS money), {D2})", "2007-01-03 13:10:10.1111111"),
    (f"DATEADD(day, 2.9, {D2})", "2007-01-03 13:10:10.1111111"),
    (f"DATEADD(week, 1, {D2})", "2007-01-08 13:10:10.1111111"),
    (f"DATEADD(weekday, 1, {D2})", "2007-01-02 13:10:10.1111111"),
    (f"DATEADD(hour, 1, {D2})", "2007-01-01 14:10:10.1111111"),
    (f"DATEADD(minute, 1, {D2})", "2007-01-01 13:11:10.1111111"),
    (f"DATEADD(second, 1, {D2})", "2007-01-01 13:10:11.1111111"),
    (f"DATEADD(millisecond, 1, {D2})", "2007-01-01 13:10:10.1121111"),
    (f"DATEADD(microsecond, 1, {D2})", "2007-01-01 13:10:10.1111121"),
    (f"DATEADD(nanosecond, 2000, {D2})", "2007-01-01 13:10:10.1111131"),
    (f"DATEADD(nanosecond, 49, {D2})", "2007-01-01 13:10:10.1111111"),
    (f"DATEADD(nanosecond, 50, {D2})", "2007-01-01 13:10:10.1111112"),
    (f"DATEADD(nanosecond, 150, {D2})", "2007-01-01 13:10:10.1111113"),
    (f"DATEADD(nanosecond, -200, {D2})", "2007-01-01 13:10:10.1111109"),
    (f"DATEADD(nanosecond, -1200, {D2})", "2007-01-01 13:10:10.1111099"),
    (f"DATEADD(nanosecond, 888888900, {D2})", "2007-01-01 13:10:11"),
    ("DATEADD(nanosecond, 100, CAST('2007-01-01 13:10:10.12345' AS datetime2(5)))", "2007-01-01 13:10:10.12345"),
    (f"DATEADD(quarter, 4, {D2})", "2008-01-01 13:10:10.1111111"),
    (f"DATEADD(month, 13, {D2})", "2008-02-01 13:10:10.1111111"),
    (f"DATEADD(month, -13, {D2})", "2005-12-01 13:10:10.1111111"),
    (f"DATEADD(day, 365, {D2})", "2008-01-01 13:10:10.1111111"),
    (f"DATEADD(hour, 23, {D2})", "2007-01-02 12:10:10.1111111"),
    ("DATEADD(month, 1, '20060830')", "2006-09-30"),
    ("DATEADD(month, 1, '20060831')", "2006-09-30"),
    ("DATEADD(month, 1, '20240131')", "2024-02-29"),
    ("DATEADD(year, 1, '20240229')", "2025-02-28"),
    ("DATEADD(year, -4, '20240229')", "2020-02-29"),
    ("DATEADD(day, 1.9, '20240131')", "2024-02-01"),
    ("DATEADD(day, -1.9, '20240131')", "2024-01-30"),
    ("DATEADD(day, '2', '20240131')", "2024-02-02"),
    ("DATEADD(day, 1, 0)", "1900-01-02"),
    ("DATEADD(millisecond, 2, CAST('2024-01-31' AS datetime))", "2024-01-31 00:00:00.003"),
    ("DATEADD(millisecond, 1, CAST('2024-01-31' AS datetime))", "2024-01-31"),
    ("DATEADD(second, 29, CAST('2024-01-31' AS smalldatetime))", "2024-01-31"),
    ("DATEADD(second, 30, CAST('2024-01-31' AS smalldatetime))", "2024-01-31 00:01"),
    ("DATEADD(second, -30, CAST('2024-01-31' AS smalldatetime))", "2024-01-31"),
    ("DATEADD(second, -31, CAST('2024-01-31' AS smalldatetime))", "2024-01-30 23:59"),
    ("DATEADD(millisecond, 29998, CAST('2024-01-31' AS smalldatetime))", "2024-01-31"),
    ("DATEADD(month, DATEDIFF(month, 0, '2024-05-17'), 0)", "2024-05-01"),
]


@pytest.mark.parametrize(("text", "expected"), ADDED)
def test_dateadd_adds_parts_of_a_date(text: str, expected: str) -> None:
    assert evaluated(text) == parse_datetime(expected)


def test_dateadd_keeps_the_type_of_its_date() -> None:
    names = {
        "a": "date",
        "b": "datetime",
        "c": "smalldatetime",
        "d": "datetime2(3)",
        "e": "datetimeoffset(0)",
        "f": "time(2)",
        "g": "varchar(30)",
    }
    for name in "abcde":
        assert type_of(f"DATEADD(day, 1, {name})", names) == names[name]
    assert type_of("DATEADD(hour, 1, f)", names) == "time(2)"
    assert type_of("DATEADD(day, 1, g)", names) == "datetime"
    assert evaluated("DATEADD(day, 1, a)", {"a": ("date", date(2024, 2, 28))}) == date(2024, 2, 29)
    assert evaluated("DATEADD(hour, 3, a)", {"a": ("time", time(22, 30))}) == time(1, 30)
    assert evaluated("DATEADD(minute, -1, a)", {"a": ("time", time(0))}) == time(23, 59)
    assert evaluated("DATEADD(nanosecond, -100, a)", {"a": ("time", time(0))}) == parse_time("23:59:59.9999999")
    assert evaluated("DATEADD(hour, 3, a)", {"a": ("time", parse_time("22:30:00.1234567"))}) == parse_time(
        "01:30:00.1234567"
    )
    assert evaluated("DATEADD(day, NULL, '20240131')") is None


NEW_YEAR = ("'2005-12-31 23:59:59.9999999'", "'2006-01-01 00:00:00.0000000'")


@pytest.mark.parametrize(
    "part",
    [
        *(
            "year",
            "quarter",
            "month",
            "dayofyear",
            "day",
            "week",
            "hour",
            "minute",
            "second",
            "millisecond",
            "microsecond",
        )
    ],
)
def test_datediff_counts_each_boundary_at_the_turn_of_a_year(part: str) -> None:
    assert evaluated(f"DATEDIFF({part}, {NEW_YEAR[0]}, {NEW_YEAR[1]})") == 1
    assert evaluated(f"DATEDIFF({part}, {NEW_YEAR[1]}, {NEW_YEAR[0]})") == -1


DIFFERENCES: list[tuple[str, int | None]] = [
    ("DATEDIFF(day, '2036-03-01', '2036-02-28')", -2),
    ("DATEDIFF(day, '2007-05-07 09:53:01.0376635', '2007-05-08 09:53:01.0376635')", 1),
    ("DATEDIFF(year, '2023-12-31', '2024-01-01')", 1),
    ("DATEDIFF(year, '2024-01-01', '2024-12-31')", 0),
    ("DATEDIFF(month, '2024-01-31', '2024-02-01')", 1),
    ("DATEDIFF(month, '2023-11-30', '2024-02-01')", 3),
    ("DATEDIFF(quarter, '2024-03-31', '2024-04-01')", 1),
    ("DATEDIFF(week, '2024-01-06', '2024-01-07')", 1),
    ("DATEDIFF(week, '2024-01-07', '2024-01-13')", 0),
    ("DATEDIFF(week, '2024-01-07', '2024-01-06')", -1),
    ("DATEDIFF(hour, '2024-01-31 10:59', '2024-01-31 11:01')", 1),
    ("DATEDIFF(minute, '10:00:59', '10:01:00')", 1),
    ("DATEDIFF(second, '10:00:00', '10:01:00')", 60),
    ("DATEDIFF(millisecond, '10:00:00', '10:00:00.123')", 123),
    ("DATEDIFF(nanosecond, '10:00:00', '10:00:00.000123')", 123000),
    ("DATEDIFF(nanosecond, '10:00:00', '10:00:00.0001234')", 123400),
    ("DATEDIFF(nanosecond, '10:00:00.0000001', '10:00:00')", -100),
    ("DATEDIFF(microsecond, '10:00:00.0000009', '10:00:00.0000010')", 1),
    ("DATEDIFF(microsecond, '10:00:00.0000001', '10:00:00.0000009')", 0),
    ("DATEDIFF(second, '10:00:00.9999999', '10:00:01')", 1),
    ("DATEDIFF(day, 0, '19000131')", 30),
    ("DATEDIFF(day, CAST('2024-01-31' AS date), CAST('2024-02-01 23:59' AS datetime))", 1),
    ("DATEDIFF(day, CAST('10:00' AS time), CAST('11:00' AS time))", 0),
    ("DATEDIFF(hour, CAST('10:00' AS time), CAST('11:30' AS time))", 1),
    ("DATEDIFF(hour, CAST('2024-01-31 10:00 +02:00' AS datetimeoffset), '2024-01-31 10:00')", 2),
    ("DATEDIFF(day, NULL, '2024-01-31')", None),
    ("DATEDIFF(second, '1970-01-01', '2038-01-19 03:14:07')", 2147483647),
]


@pytest.mark.parametrize(("text", "expected"), DIFFERENCES)
def test_datediff_counts_boundaries(text: str, expected: int | None) -> None:
    assert evaluated(text) == expected
    assert type_of(text) == "int"


MOMENT = "'2007-10-30 12:15:32.1234567 +05:10'"

PARTS: list[tuple[str, int]] = [
    *((f"DATEPART({part}, {MOMENT})", 2007) for part in ("year", "yyyy", "yy", "YEAR")),
    *((f"DATEPART({part}, {MOMENT})", 4) for part in ("quarter", "qq", "q")),
    *((f"DATEPART({part}, {MOMENT})", 10) for part in ("month", "mm", "m")),
    *((f"DATEPART({part}, {MOMENT})", 303) for part in ("dayofyear", "dy", "y")),
    *((f"DATEPART({part}, {MOMENT})", 30) for part in ("day", "dd", "d")),
    *((f"DATEPART({part}, {MOMENT})", 44) for part in ("week", "wk", "ww")),
    *((f"DATEPART({part}, {MOMENT})", 3) for part in ("weekday", "dw")),
    *((f"DATEPART({part}, {MOMENT})", 12) for part in ("hour", "hh")),
    *((f"DATEPART({part}, {MOMENT})", 15) for part in ("minute", "n", "mi")),
    *((f"DATEPART({part}, {MOMENT})", 32) for part in ("second", "ss", "s")),
    *((f"DATEPART({part}, {MOMENT})", 123) for part in ("millisecond", "ms")),
    *((f"DATEPART({part}, {MOMENT})", 123456) for part in ("microsecond", "mcs")),
    *((f"DATEPART({part}, {MOMENT})", 123456700) for part in ("nanosecond", "ns")),
    *((f"DATEPART({part}, {MOMENT})", 310) for part in ("tzoffset", "tz")),
    *((f"DATEPART({part}, {MOMENT})", 44) for part in ("iso_week", "isowk", "isoww")),
    ("DATEPART(week, '2007-04-21 ')", 16),
    ("DATEPART(weekday, '2007-04-21 ')", 7),
    ("DATEPART(weekday, '2024-01-07')", 1),
    ("DATEPART(week, '2024-01-01')", 1),
    ("DATEPART(week, '2024-01-07')", 2),
    ("DATEPART(week, '2023-12-31')", 53),
    ("DATEPART(iso_week, '2003-12-29')", 1),
    ("DATEPART(iso_week, '2024-12-30')", 1),
    ("DATEPART(iso_week, '2021-01-01')", 53),
    ("DATEPART(year, '12:10:30.123')", 1900),
    ("DATEPART(weekday, '12:10:30.123')", 2),
    ("DATEPART(year, 0)", 1900),
    ("DATEPART(day, '12/20/1974')", 20),
    ("DATEPART(second, CAST('2024-01-31 10:20:50' AS smalldatetime))", 0),
    ("YEAR('2024-01-31')", 2024),
    ("MONTH('2024-01-31')", 1),
    ("DAY('2024-01-31')", 31),
    ("YEAR(0)", 1900),
    ("YEAR(CAST('2024-01-31' AS date))", 2024),
    ("DATEPART(hour, CAST('10:20' AS time))", 10),
]


@pytest.mark.parametrize(("text", "expected"), PARTS)
def test_datepart_gives_a_part_of_a_date(text: str, expected: int) -> None:
    assert evaluated(text) == expected
    assert type_of(text) == "int"


DAYS: list[tuple[str, date | None]] = [
    ("DATEFROMPARTS(2024, 2, 29)", date(2024, 2, 29)),
    ("DATEFROMPARTS('2024', 2.9, 28)", date(2024, 2, 28)),
    ("DATEFROMPARTS(2024, NULL, 1)", None),
    ("EOMONTH('2024-02-10')", date(2024, 2, 29)),
    ("EOMONTH('2023-02-10')", date(2023, 2, 28)),
    ("EOMONTH('12/1/2024', 1)", date(2025, 1, 31)),
    ("EOMONTH('2024-01-31', -2)", date(2023, 11, 30)),
    ("EOMONTH(CAST('2024-02-10 11:00' AS datetime))", date(2024, 2, 29)),
    ("EOMONTH('2024-02-10', NULL)", date(2024, 2, 29)),
    ("EOMONTH(NULL)", None),
    ("EOMONTH(NULL, 1)", None),
]


@pytest.mark.parametrize(("text", "expected"), DAYS)
def test_a_date_is_made_of_parts_or_of_the_end_of_a_month(text: str, expected: date | None) -> None:
    assert evaluated(text) == expected
    assert type_of(text) == "date"


def test_the_clock_is_the_runs_own() -> None:
    assert evaluated("SYSUTCDATETIME()") == CLOCK
    assert type_of("SYSUTCDATETIME()") == "datetime2(7)"
    assert evaluated("GETUTCDATE()") == CLOCK.replace(microsecond=123000)
    assert type_of("GETUTCDATE()") == "datetime"
    assert evaluated("DATEDIFF(day, a, GETUTCDATE())", {"a": ("date", date(2024, 5, 1))}) == 5


FAILURES = [
    ("DATEADD(year, 2147483648, '20060731')", "overflow"),
    ("DATEADD(year, 2147483647, '20060731')", "overflow"),
    ("DATEADD(year, -2147483647, '20060731')", "overflow"),
    ("DATEADD(year, -300, '20060731')", "overflow"),
    ("DATEADD(day, 1, CAST('9999-12-31' AS date))", "overflow"),
    ("DATEADD(day, -1, CAST('0001-01-01' AS date))", "overflow"),
    ("DATEADD(hour, 24, '9999-12-31')", "overflow"),
    ("DATEADD(day, 1, 'x')", "conversion_failed"),
    ("DATEADD(day, 1, '2024-01-31 10:00:00.1234')", "conversion_failed"),
    ("DATEADD(day, 1, '2024-01-31 10:00:00 +02:00')", "conversion_failed"),
    ("DATEDIFF(second, '1900-01-01', '2024-01-31')", "overflow"),
    ("DATEDIFF(millisecond, '2024-01-01', '2024-01-31')", "overflow"),
    ("DATEFROMPARTS(2024, 2, 30)", "invalid_argument"),
    ("DATEFROMPARTS(0, 1, 1)", "invalid_argument"),
    ("EOMONTH('9999-12-31', 1)", "overflow"),
]


@pytest.mark.parametrize(("text", "code"), FAILURES)
def test_a_date_that_does_not_exist_fails_when_it_is_evaluated(text: str, code: str) -> None:
    assert failure_of(text) == code


REFUSED = [
    "DATEADD(hour, 1, CAST('2024-01-31' AS date))",
    "DATEADD(day, 1, CAST('10:00' AS time))",
    "DATEADD(microsecond, 1, CAST('2024-01-31' AS datetime))",
    "DATEADD(nanosecond, 1, CAST('2024-01-31' AS smalldatetime))",
    "DATEADD(iso_week, 1, '2024-01-31')",
    "DATEADD('day', 1, '2024-01-31')",
    "DATEADD(dayy, 1, '2024-01-31')",
    "DATEDIFF(weekday, '2024-01-31', '2024-02-01')",
    "DATEDIFF(day, CAST('<a/>' AS xml), '2024-02-01')",
    "DATEPART(hour, CAST('2024-01-31' AS date))",
    "DATEPART(year, CAST('10:00' AS time))",
    "DATEPART(tzoffset, CAST('2024-01-31' AS date))",
    "EOMONTH(5)",
    "EOMONTH(CAST('10:00' AS time))",
]


@pytest.mark.parametrize("text", REFUSED)
def test_a_part_that_a_type_does_not_have_is_a_fault(text: str) -> None:
    assert len(faults_of(text)) == 1


def test_a_misspelt_part_of_a_date_gets_a_suggestion() -> None:
    (fault,) = faults_of("DATEADD(mnth, 1, '2024-01-31')")
    assert (fault.line, fault.column, fault.found, fault.suggestion) == (1, 9, "mnth", "month")


DATES = st.dates(date(1900, 1, 1), date(2100, 1, 1))


@given(a=DATES, b=DATES)
def test_adding_the_difference_in_days_gives_the_other_date(a: date, b: date) -> None:
    inputs: Inputs = {"a": ("date", a), "b": ("date", b)}
    assert evaluated("DATEADD(day, DATEDIFF(day, a, b), a)", inputs) == b


@given(a=DATES, months=st.integers(-500, 500))
def test_adding_months_crosses_as_many_month_boundaries(a: date, months: int) -> None:
    inputs: Inputs = {"a": ("date", a), "n": ("int", months)}
    assert evaluated("DATEDIFF(month, a, DATEADD(month, n, a))", inputs) == months
    assert evaluated("EOMONTH(a, n)", inputs) == evaluated("EOMONTH(DATEADD(month, n, a))", inputs)


OF_PARTS = [
    ("DATETIME2FROMPARTS(2011, 8, 15, 14, 23, 44, 5, 1)", "2011-08-15 14:23:44.5", "datetime2(1)"),
    ("DATETIME2FROMPARTS(2011, 8, 15, 14, 23, 44, 50, 2)", "2011-08-15 14:23:44.5", "datetime2(2)"),
    ("DATETIME2FROMPARTS(2011, 8, 15, 14, 23, 44, 1234567, 7)", "2011-08-15 14:23:44.1234567", "datetime2(7)"),
    ("DATETIME2FROMPARTS(2011, 8, 15, 14, 23, 44, 0, 0)", "2011-08-15 14:23:44", "datetime2(0)"),
    ("DATETIMEFROMPARTS(2010, 12, 31, 23, 59, 59, 0)", "2010-12-31 23:59:59", "datetime"),
    ("DATETIMEFROMPARTS(2010, 12, 31, 23, 59, 59, 999)", "2011-01-01 00:00:00", "datetime"),
    ("SMALLDATETIMEFROMPARTS(2010, 12, 31, 23, 59)", "2010-12-31 23:59:00", "smalldatetime"),
    (
        "DATETIMEOFFSETFROMPARTS(2010, 12, 31, 14, 23, 23, 1, 12, 30, 7)",
        "2010-12-31 14:23:23.0000001+12:30",
        "datetimeoffset(7)",
    ),
    (
        "DATETIMEOFFSETFROMPARTS(2010, 12, 31, 14, 23, 23, 0, -5, -30, 0)",
        "2010-12-31 14:23:23-05:30",
        "datetimeoffset(0)",
    ),
]


@pytest.mark.parametrize(("text", "expected", "data_type"), OF_PARTS)
def test_a_moment_is_made_of_its_parts(text: str, expected: str, data_type: str) -> None:
    assert evaluated(text) == parse_datetime(expected)
    assert type_of(text) == data_type


def test_a_time_is_made_of_its_parts() -> None:
    assert evaluated("TIMEFROMPARTS(14, 23, 44, 500, 3)") == parse_time("14:23:44.5")
    assert evaluated("TIMEFROMPARTS(23, 59, 59, 9999999, 7)") == parse_time("23:59:59.9999999")
    assert type_of("TIMEFROMPARTS(14, 23, 44, 500, 3)") == "time(3)"


def test_a_part_that_is_null_makes_null() -> None:
    assert evaluated("DATETIME2FROMPARTS(2011, 8, NULL, 14, 23, 44, 5, 1)") is None
    assert evaluated("DATETIMEFROMPARTS(2011, 8, m, 14, 23, 44, 5)", {"m": ("int", None)}) is None


NO_MOMENTS = [
    "DATETIME2FROMPARTS(2011, 2, 30, 0, 0, 0, 0, 0)",
    "DATETIME2FROMPARTS(2011, 2, 1, 24, 0, 0, 0, 0)",
    "DATETIME2FROMPARTS(2011, 2, 1, 0, 0, 60, 0, 0)",
    "DATETIME2FROMPARTS(2011, 2, 1, 0, 0, 0, 10, 1)",
    "DATETIME2FROMPARTS(2011, 2, 1, 0, 0, 0, 1, 0)",
    "DATETIME2FROMPARTS(2011, 2, 1, 0, 0, 0, -1, 7)",
    "TIMEFROMPARTS(-1, 0, 0, 0, 0)",
    "DATETIMEFROMPARTS(2011, 2, 1, 0, 0, 0, 1000)",
    "SMALLDATETIMEFROMPARTS(2011, 2, 1, 0, 60)",
    "DATETIMEOFFSETFROMPARTS(2011, 2, 1, 0, 0, 0, 0, 14, 1, 0)",
    "DATETIMEOFFSETFROMPARTS(2011, 2, 1, 0, 0, 0, 0, 1, -30, 0)",
    "DATETIMEOFFSETFROMPARTS(1, 1, 1, 0, 0, 0, 0, 2, 0, 0)",
]


@pytest.mark.parametrize("text", NO_MOMENTS)
def test_parts_that_make_no_moment_fail(text: str) -> None:
    assert failure_of(text) == "invalid_argument"


def test_a_moment_of_parts_has_the_range_of_its_type() -> None:
    assert failure_of("DATETIMEFROMPARTS(1752, 1, 1, 0, 0, 0, 0)") == "overflow"
    assert failure_of("SMALLDATETIMEFROMPARTS(2079, 6, 7, 0, 0)") == "overflow"


@pytest.mark.parametrize("precision", ["n", "8", "-1", "NULL"])
def test_the_precision_of_a_moment_is_a_constant(precision: str) -> None:
    (fault,) = faults_of(f"DATETIME2FROMPARTS(2011, 8, 15, 14, 23, 44, 5, {precision})", {"n": "int"})
    assert fault.expected == "0 to 7"
