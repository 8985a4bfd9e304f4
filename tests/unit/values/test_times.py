"""Dates and times of 100 nanoseconds behave as Python's own, with a digit more."""

import copy
import operator
import pickle
from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xml_extractor.values.times import (
    combine,
    fraction_of,
    later,
    parse_datetime,
    parse_time,
    with_seventh_digit,
)

EAST = timezone(timedelta(hours=5, minutes=45))
FINE = parse_datetime("2024-05-20T10:11:12.1234567")
FINE_TIME = parse_time("10:11:12.1234567")
NAIVE = st.builds(with_seventh_digit, st.datetimes(), st.integers(0, 9))
TIMES = st.builds(with_seventh_digit, st.times(), st.integers(0, 9))
RELATIONS = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]


def units(value: datetime) -> int:
    return (value.toordinal() * 86_400 + value.hour * 3600 + value.minute * 60 + value.second) * 10**7 + fraction_of(
        value
    )


def test_a_value_without_a_seventh_digit_is_pythons_own() -> None:
    plain = datetime.fromisoformat("2024-05-20T10:11:12.123456")
    assert with_seventh_digit(plain, 0) is plain
    assert type(parse_datetime("2024-05-20T10:11:12.1234560")) is datetime
    assert type(parse_time("10:11:12.1234560")) is time
    assert type(parse_time("10:11:12")) is time


@given(NAIVE, NAIVE)
def test_datetimes_compare_by_all_digits(one: datetime, other: datetime) -> None:
    for relation in RELATIONS:
        assert relation(one, other) is relation(units(one), units(other))
        near = with_seventh_digit(getattr(one, "plain", one), 5)
        assert relation(one, near) is relation(units(one), units(near))
        assert relation(near, one) is relation(units(near), units(one))


@given(TIMES, TIMES)
def test_times_compare_by_all_digits(one: time, other: time) -> None:
    day = date(2024, 5, 20)
    for relation in RELATIONS:
        assert relation(one, other) is relation(units(combine(day, one)), units(combine(day, other)))


@given(NAIVE | TIMES)
def test_what_is_written_pickled_or_copied_comes_back(value: datetime | time) -> None:
    parse = parse_datetime if isinstance(value, datetime) else parse_time
    assert parse(value.isoformat()) == value
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        found = pickle.loads(pickle.dumps(value, protocol))
        assert (found, type(found), hash(found)) == (value, type(value), hash(value))
    assert copy.copy(value) == copy.deepcopy(value) == value
    assert {value: 1}[copy.deepcopy(value)] == 1


@given(NAIVE, st.integers(-(10**12), 10**12))
def test_any_number_of_units_can_be_added(value: datetime, by: int) -> None:
    try:
        moved = later(value, by)
    except OverflowError:
        return
    assert units(moved) == units(value) + by


def test_a_seventh_digit_makes_another_key() -> None:
    plain = datetime.fromisoformat("2024-05-20T10:11:12.123456")
    assert len({plain, FINE, with_seventh_digit(plain, 6), parse_datetime("2024-05-20T10:11:12.1234567")}) == 3
    assert FINE.date() != FINE
    assert FINE != "2024-05-20T10:11:12.1234567"


def test_the_seventh_digit_survives_whatever_does_not_change_the_fraction() -> None:
    assert (FINE + timedelta(days=1, microseconds=1)).isoformat() == "2024-05-21T10:11:12.1234577"
    assert (timedelta(days=1) + FINE - timedelta(days=2)).isoformat() == "2024-05-19T10:11:12.1234567"
    assert FINE.replace(year=2025).isoformat() == "2025-05-20T10:11:12.1234567"
    assert FINE.replace(tzinfo=EAST).isoformat() == "2024-05-20T10:11:12.1234567+05:45"
    assert FINE.replace(tzinfo=EAST).astimezone(UTC).isoformat() == "2024-05-20T04:26:12.1234567+00:00"
    assert (
        FINE.replace(tzinfo=UTC).astimezone(ZoneInfo("Asia/Tokyo")).isoformat() == "2024-05-20T19:11:12.1234567+09:00"
    )
    assert FINE.replace(tzinfo=EAST) == FINE.replace(tzinfo=EAST).astimezone(UTC)
    assert (FINE.time(), FINE.date()) == (FINE_TIME, date(2024, 5, 20))
    assert combine(date(2024, 5, 20), FINE_TIME) == FINE
    assert FINE_TIME.replace(hour=0).isoformat() == "00:11:12.1234567"
    assert (str(FINE), str(FINE_TIME)) == ("2024-05-20 10:11:12.1234567", "10:11:12.1234567")
    assert repr(FINE) != repr(FINE + timedelta(microseconds=1))


def test_a_new_microsecond_is_a_new_fraction() -> None:
    assert FINE.replace(microsecond=5).isoformat() == "2024-05-20T10:11:12.000005"
    assert FINE_TIME.replace(microsecond=0).isoformat() == "10:11:12"
    assert FINE.replace(2024, 5, 20, 10, 11, 12, 5).isoformat() == "2024-05-20T10:11:12.000005"
    assert FINE_TIME.replace(10, 11, 12, 0).isoformat() == "10:11:12"


@pytest.mark.parametrize(("timespec", "text"), [("seconds", "12"), ("milliseconds", "12.123"), ("auto", "12.1234567")])
def test_the_unit_of_isoformat_counts(timespec: str, text: str) -> None:
    assert FINE.isoformat(" ", timespec) == f"2024-05-20 10:11:{text}"
    assert FINE_TIME.isoformat(timespec) == f"10:11:{text}"


def test_the_difference_of_datetimes_is_in_microseconds() -> None:
    assert FINE - FINE.replace(microsecond=0) == timedelta(microseconds=123_456)
    assert timedelta(0) == FINE - FINE


@pytest.mark.parametrize("digits", ["", ".1", ".12", ".123", ".1234", ".12345", ".123456", ".1234567"])
@pytest.mark.parametrize("offset", ["", "+10:00", "-09:30"])
def test_any_number_of_digits_is_read(digits: str, offset: str) -> None:
    units_read = int(digits[1:].ljust(7, "0"))
    assert fraction_of(parse_datetime(f"2024-05-20 10:11:12{digits}{offset}")) == units_read
    assert fraction_of(parse_time(f"10:11:12{digits}")) == units_read
