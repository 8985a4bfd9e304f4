"""Formats of dates and times in a contract."""

import locale
from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from xml_extractor.documents import Value
from xml_extractor.values.conversions import converter
from xml_extractor.values.formats import DIRECTIVES, compile_format, read_format
from xml_extractor.values.sqltypes import InvalidValueError, parse_type


def convert(type_name: str, text: str, *formats: str, time_zone: str | None = None) -> Value:
    return converter(parse_type(type_name), formats=formats, time_zone=time_zone)(text)


def rejection(type_name: str, text: str, *formats: str) -> InvalidValueError:
    with pytest.raises(InvalidValueError) as caught:
        convert(type_name, text, *formats)
    return caught.value


@pytest.mark.parametrize(
    ("form", "text", "value"),
    [
        ("%m/%d/%Y", "03/07/2024", "2024-03-07"),
        ("%m/%d/%Y", "3/7/2024", "2024-03-07"),
        ("%m/%d/%Y", "3/07/2024", "2024-03-07"),
        ("%d.%m.%Y", "07.03.2024", "2024-03-07"),
        ("%Y%m%d", "20240307", "2024-03-07"),
        ("%d%m%Y", "07032024", "2024-03-07"),
        ("%m-%d-%y", "3-7-24", "2024-03-07"),
        ("%y%m%d", "490307", "2049-03-07"),
        ("%y%m%d", "500307", "1950-03-07"),
        ("%y%m%d", "000307", "2000-03-07"),
        ("%y%m%d", "990307", "1999-03-07"),
        ("%d %b %Y", "7 Mar 2024", "2024-03-07"),
        ("%d-%b-%y", "07-MAR-24", "2024-03-07"),
        ("%B %d, %Y", "march 7, 2024", "2024-03-07"),
        ("%B %d, %Y", "May 7, 2024", "2024-05-07"),
        ("%A, %d %B %Y", "Thursday, 07 March 2024", "2024-03-07"),
        ("%a %d %b %Y", "THU 07 mar 2024", "2024-03-07"),
        ("%Y-%j", "2024-067", "2024-03-07"),
        ("%Y-%j", "2024-67", "2024-03-07"),
        ("%Y%j", "2024366", "2024-12-31"),
        ("%Y-%m-%d %H:%M:%S", "2024-03-07 01:02:03", "2024-03-07T01:02:03"),
        ("%Y-%m-%d %H:%M", "2024-03-07 1:2", "2024-03-07T01:02"),
        ("%Y%m%d%H%M%S", "20240307010203", "2024-03-07T01:02:03"),
        ("%Y%m%dT%H%M", "20240307T0102", "2024-03-07T01:02"),
        ("%d/%m/%Y %H:%M:%S.%f", "07/03/2024 01:02:03.5", "2024-03-07T01:02:03.500000"),
        ("%d/%m/%Y %H:%M:%S.%f", "07/03/2024 01:02:03.1234560", "2024-03-07T01:02:03.123456"),
        ("%m/%d/%Y %I:%M %p", "03/07/2024 12:00 AM", "2024-03-07T00:00"),
        ("%m/%d/%Y %I:%M %p", "03/07/2024 12:59 am", "2024-03-07T00:59"),
        ("%m/%d/%Y %I:%M %p", "03/07/2024 12:00 PM", "2024-03-07T12:00"),
        ("%m/%d/%Y %I:%M %p", "3/7/2024 1:05 pm", "2024-03-07T13:05"),
        ("%b %d %Y %I:%M%p", "Mar  7 2024  3:05PM", "2024-03-07T15:05"),
        ("%b %d %Y %I:%M:%S:%f%p", "Mar  7 2024  3:05:06:123PM", "2024-03-07T15:05:06.123000"),
        ("on %d of %m in %Y", "on 7 of 3 in 2024", "2024-03-07"),
        ("100%% %Y-%m-%d", "100% 2024-03-07", "2024-03-07"),
        ("(%Y)[%m].%d*", "(2024)[03].07*", "2024-03-07"),
        ("1%d1%m1%Y1", "10710312024" + "1", "2024-03-07"),
        ("%Y年%m月%d日", "2024年3月7日", "2024-03-07"),
        ("%Y-%m-%d", "0001-01-01", "0001-01-01"),
    ],
)
def test_a_date_is_read_by_its_format(form: str, text: str, value: str) -> None:
    assert convert("datetime2(7)", text, form) == datetime.fromisoformat(value)
    assert convert("datetime2(7)", f"\t{text}\n", form) == datetime.fromisoformat(value)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("%m/%d/%Y", "2024-03-07"),
        ("%m/%d/%Y", "03-07-2024"),
        ("%m/%d/%Y", "03/07/24"),
        ("%m/%d/%Y", "003/07/2024"),
        ("%m/%d/%Y", "03/07/2024x"),
        ("%m/%d/%Y", "03/07/2024 10:00"),
        ("%m/%d/%Y", "+3/07/2024"),
        ("%m/%d/%Y", " 3/ 7/2024"),
        ("%m/%d/%Y", "0_/07/2024"),
        ("%m/%d/%Y", "0\u0663/07/2024"),
        ("%Y%m%d", "2024307"),
        ("%Y%m%d", "202437"),
        ("%Y%m%d", "2024W011"),
        ("%Y%m%d", ""),
        ("%Y-%m-%d", "2024-W1-11"),
        ("%y%m%d", "20240307"),
        ("%Y-%m-%d %H:%M:%S.%f", "2024-03-07 01:02:03."),
        ("%d %b %Y", "7 M\u00e4rz 2024"),
        ("%d %b %Y", "7 March 2024"),
        ("%d %B %Y", "7 Mar 2024"),
        ("%m/%d/%Y %I:%M %p", "03/07/2024 01:00"),
        ("%m/%d/%Y %I:%M %p", "03/07/2024 01:00 XM"),
        ("%m/%d/%Y %I:%M %p", "03/07/2024 01:00PM"),
        ("(%Y).%m.%d", "(2024)x03x07"),
    ],
)
def test_a_date_in_another_format_is_not_guessed(form: str, text: str) -> None:
    assert rejection("datetime2(7)", text, form).code == "unknown_date_format"


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("%m/%d/%Y", "13/07/2024"),
        ("%m/%d/%Y", "02/30/2024"),
        ("%m/%d/%Y", "0/7/2024"),
        ("%m/%d/%Y", "03/07/0000"),
        ("%Y%m%d", "20230229"),
        ("%Y-%j", "2023-366"),
        ("%Y-%j", "2024-367"),
        ("%Y-%j", "2024-000"),
        ("%Y-%j", "0000-001"),
        ("%Y-%j", "9999-366"),
        ("%Y%m%d%H%M%S", "20240307240001"),
        ("%Y%m%d%H%M%S", "20240307235960"),
        ("%m/%d/%Y %I:%M %p", "03/07/2024 13:00 PM"),
        ("%m/%d/%Y %I:%M %p", "03/07/2024 0:30 AM"),
        ("%a %Y-%m-%d", "Fri 2024-03-07"),
        ("%A %Y-%j", "Friday 2024-067"),
    ],
)
def test_a_date_that_no_calendar_has_is_refused_in_any_format(form: str, text: str) -> None:
    assert rejection("datetime2(7)", text, form).code == "impossible_date"


@pytest.mark.parametrize(
    ("type_name", "form", "text", "value"),
    [
        ("date", "%m/%d/%Y", "03/07/2024", date(2024, 3, 7)),
        ("date", "%m/%d/%Y %H:%M", "03/07/2024 00:00", date(2024, 3, 7)),
        ("time", "%H%M", "0708", time(7, 8)),
        ("time", "%I:%M:%S %p", "7:08:09 PM", time(19, 8, 9)),
        ("time(3)", "%H:%M:%S.%f", "07:08:09.5", time(7, 8, 9, 500_000)),
        ("time", "%H h", "7 h", time(7)),
        ("datetime", "%d.%m.%Y", "07.03.2024", datetime.fromisoformat("2024-03-07")),
        ("smalldatetime", "%d.%m.%Y %H:%M", "07.03.2024 1:02", datetime.fromisoformat("2024-03-07T01:02")),
        (
            "datetimeoffset",
            "%d.%m.%Y %H:%M%z",
            "07.03.2024 01:02+02:00",
            datetime.fromisoformat("2024-03-07T01:02+02:00"),
        ),
        (
            "datetimeoffset",
            "%d.%m.%Y %H:%M %z",
            "07.03.2024 01:02 -0330",
            datetime.fromisoformat("2024-03-07T01:02-03:30"),
        ),
        ("datetimeoffset", "%Y%m%dT%H%M%S%z", "20240307T010203Z", datetime.fromisoformat("2024-03-07T01:02:03+00:00")),
    ],
)
def test_every_type_has_formats(type_name: str, form: str, text: str, value: Value) -> None:
    assert convert(type_name, text, form) == value


def test_a_zone_read_by_a_format_is_converted() -> None:
    result = convert("datetime2(0)", "20240307T010203Z", "%Y%m%dT%H%M%S%z", time_zone="+02:00")
    assert result == datetime.fromisoformat("2024-03-07T03:02:03")


def test_a_fraction_finer_than_the_type_is_refused_in_any_format() -> None:
    error = rejection("time(2)", "07:08:09.1299999", "%H:%M:%S.%f")
    assert (error.code, error.truncated) == ("too_many_decimals", time(7, 8, 9, 120_000))


def test_several_formats_are_tried_in_order() -> None:
    formats = ("%m/%d/%Y", "%d/%m/%Y", "%Y-%m-%d")
    assert convert("date", "03/07/2024", *formats) == date(2024, 3, 7)
    assert convert("date", "25/12/2024", *formats) == date(2024, 12, 25)
    assert convert("date", "2024-12-25", *formats) == date(2024, 12, 25)
    assert rejection("date", "25/13/2024", *formats).code == "impossible_date"
    assert rejection("date", "25.12.2024", *formats).code == "unknown_date_format"


def test_with_formats_iso_8601_is_no_longer_read() -> None:
    assert rejection("date", "2024-12-25", "%d.%m.%Y").code == "unknown_date_format"


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("", "no directive"),
        ("abc", "no directive"),
        ("%%", "no directive"),
        ("%Y-%m-%d %", "unknown directive"),
        ("%Y-%m-%d %Q", "unknown directive '%Q'.*%Y %y"),
        ("%-m/%d/%Y", "unknown directive '%-'"),
        ("%Y-%m-%d %y", "the year twice"),
        ("%Y-%m-%d %b", "the month twice"),
        ("%Y-%m-%d %H %I", "the hour twice"),
        ("%Y-%m-%d %d", "the day twice"),
        ("%Y-%j %d", "%j beside"),
        ("%Y-%m-%d %I:%M", "%I without %p"),
        ("%Y-%m-%d %H:%M %p", "%p without %I"),
        ("%Y-%m-%d %M", "minutes without hours"),
        ("%Y-%m-%d %H %S", "seconds without minutes"),
        ("%Y-%m-%d %H:%M.%f", "fraction without seconds"),
        ("%H%M%S%f%Y%m%d", "digits after %f"),
        ("%Y%m%d%H%M%S%f0", "digits after %f"),
    ],
)
def test_a_wrong_format_is_a_fault_of_the_contract(form: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        converter(parse_type("datetime2(7)"), formats=["%Y-%m-%d", form])


@pytest.mark.parametrize(
    ("type_name", "form", "message"),
    [
        ("date", "%H:%M", "no whole date"),
        ("date", "%Y-%m", "no whole date"),
        ("datetime", "%m/%d", "no whole date"),
        ("datetime2(7)", "%Y", "no whole date"),
        ("datetimeoffset", "%H:%M%z", "no whole date"),
        ("time", "%Y-%m-%d %H:%M", "parts of a date"),
        ("time", "%A %H:%M", "parts of a date"),
        ("date", "%Y-%m-%d%z", "has %z, and no time_zone"),
        ("datetime2(7)", "%Y-%m-%d %H:%M%z", "has %z, and no time_zone"),
        ("datetimeoffset", "%Y-%m-%d %H:%M", "no %z, and no time_zone"),
    ],
)
def test_a_format_that_does_not_fit_its_type_is_a_fault_of_the_contract(
    type_name: str, form: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        converter(parse_type(type_name), formats=[form])


def test_a_missing_zone_in_a_format_is_no_fault_with_a_time_zone() -> None:
    result = convert("datetimeoffset", "2024-07-01 12:00", "%Y-%m-%d %H:%M", time_zone="Europe/Berlin")
    assert isinstance(result, datetime)
    assert result.utcoffset() == timedelta(hours=2)


def test_names_do_not_depend_on_the_locale() -> None:
    before = locale.setlocale(locale.LC_TIME)
    try:
        for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "C.UTF-8", "C"):
            try:
                locale.setlocale(locale.LC_TIME, name)
            except locale.Error:
                continue
            assert convert("date", "7 October 2024", "%d %B %Y") == date(2024, 10, 7)
    finally:
        locale.setlocale(locale.LC_TIME, before)


@pytest.mark.parametrize("month", range(1, 13))
def test_every_month_and_day_has_its_english_name(month: int) -> None:
    for day in range(1, 8):
        value = datetime.fromisoformat(f"2024-{month:02}-{day:02}")
        for form in ("%d %b %Y", "%B %d %Y", "%a %d %m %Y", "%A %Y-%j"):
            assert convert("datetime2(0)", value.strftime(form), form) == value


@given(
    st.datetimes(min_value=datetime.fromisoformat("1000-01-01")),
    st.sampled_from(
        ["%Y-%m-%d %H:%M:%S.%f", "%d.%m.%Y %H:%M:%S,%f", "%b %d %Y %I:%M:%S.%f %p", "%A %j %Y %H %M %S %f"]
    ),
)
def test_what_a_format_writes_it_reads(value: datetime, form: str) -> None:
    assert convert("datetime2(7)", value.strftime(form), form) == value


@given(
    st.datetimes(min_value=datetime.fromisoformat("1000-01-01")).map(lambda value: value.replace(microsecond=0)),
    st.sampled_from(
        [
            "%Y-%m-%d %H:%M:%S",
            "%Y%m%d%H%M%S",
            "%S%M%H%d%m%Y",
            "%H:%M:%S on %m/%d/%Y",
            "%m/%d/%Y %I:%M:%S %p",
            "%p%I%M%S %Y%m%d",
            "%Y-%m-%dT%H:%M:%S.%f",
        ]
    ),
)
def test_what_a_format_of_fixed_width_writes_it_reads(value: datetime, form: str) -> None:
    assert convert("datetime2(0)", value.strftime(form), form) == value


@st.composite
def nearly_written(draw: st.DrawFn) -> tuple[str, str]:
    """A format, and a text written in it of which some characters were left out, added or changed."""
    forms = ["%m/%d/%Y", "%Y%m%d", "%m/%d/%Y %H:%M", "%Y-%m-%dT%H:%M:%S.%f", "%d.%m.%Y %I:%M:%S %p", "%I%M%p %Y%m%d"]
    form = draw(st.sampled_from(forms))
    text = draw(st.datetimes(min_value=datetime.fromisoformat("1000-01-01"))).strftime(form)
    for _ in range(draw(st.integers(0, 3))):
        position = draw(st.integers(0, len(text)))
        new = draw(st.text(alphabet="0123456789/:. -+TZAPMapm\u0663", max_size=2))
        text = text[:position] + new + text[position + draw(st.integers(0, 2)) :]
    return text, form


@settings(max_examples=500)
@given(nearly_written())
@example(("2024-03-04T05:06:07.1Z", "%Y-%m-%dT%H:%M:%S.%f"))
@example(("2024-03-04T05:06:07.1+0500", "%Y-%m-%dT%H:%M:%S.%f"))
@example(("04.03.2024 00:06:07 AM", "%d.%m.%Y %I:%M:%S %p"))
def test_the_fast_way_reads_no_more_than_the_general_way(written: tuple[str, str]) -> None:
    text, form = written
    # A directive without fixed width switches the fast way off; directly behind digits it would change their width.
    slow = compile_format(read_format(form + "|%z"))
    fast = compile_format(read_format(form))

    def outcome(parse_text: str, *, is_fast: bool) -> object:
        try:
            found = (fast if is_fast else slow)(parse_text)
        except InvalidValueError as error:
            return error.code
        return found and found[0].replace(tzinfo=None)

    assert outcome(text, is_fast=True) == outcome(text + "|Z", is_fast=False)


def test_every_directive_is_documented() -> None:
    import xml_extractor.values.formats as module

    assert all(f"%{letter} " in (module.__doc__ or "") for letter in DIRECTIVES)
