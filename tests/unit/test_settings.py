"""The values of options that are more than a number or a word."""

from fractions import Fraction

import pytest

from xml_extractor.errors import UsageError
from xml_extractor.settings import KeyRange, RejectLimit, Shard, ToleranceLimits


@pytest.mark.parametrize(("text", "shard"), [("1/1", Shard(1, 1)), ("1/4", Shard(1, 4)), ("13/13", Shard(13, 13))])
def test_a_shard_is_written_as_number_and_count(text: str, shard: Shard) -> None:
    assert Shard.parse(text) == shard


@pytest.mark.parametrize(
    "text", ["", "1", "/", "1/", "/2", "0/2", "3/2", "-1/2", "1/0", "1/2/3", "a/b", "1.0/2", "²/3"]
)
def test_what_is_no_share_of_all_documents_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a shard") as error:
        Shard.parse(text)
    assert error.value.tip == "write it as K/N, such as 1/4 for the first of four shares"


@pytest.mark.parametrize(
    ("text", "key_range"),
    [
        ("1:9", KeyRange("1", "9")),
        ("5:", KeyRange("5", "")),
        (":5", KeyRange("", "5")),
        ("a/b.xml:c", KeyRange("a/b.xml", "c")),
        ("a:b:c", KeyRange("a", "b:c")),
    ],
)
def test_either_end_of_a_range_may_be_left_out(text: str, key_range: KeyRange) -> None:
    assert KeyRange.parse(text) == key_range


@pytest.mark.parametrize("text", ["", ":", "5", "1-9"])
def test_a_range_without_any_end_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a range of keys"):
        KeyRange.parse(text)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("0", RejectLimit(count=0)),
        ("100", RejectLimit(count=100)),
        ("2%", RejectLimit(share=Fraction(2, 100))),
        ("0.5%", RejectLimit(share=Fraction(5, 1000))),
        ("100%", RejectLimit(share=Fraction(1))),
        ("0%", RejectLimit(share=Fraction(0))),
    ],
)
def test_a_limit_of_rejects_is_a_count_or_a_share(text: str, limit: RejectLimit) -> None:
    assert RejectLimit.parse(text) == limit


@pytest.mark.parametrize("text", ["", "%", "-1", "-1%", "101%", "2.5", "many", "nan%", "inf%", "1/0%"])
def test_what_is_neither_count_nor_share_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a limit of rejects"):
        RejectLimit.parse(text)


@pytest.mark.parametrize(
    ("limit", "rejected", "processed", "exceeded"),
    [
        ("3", 3, 3, False),
        ("3", 4, 4, True),
        ("0", 0, 1, False),
        ("0", 1, 1, True),
        ("2%", 99, 99, False),
        ("2%", 2, 100, False),
        ("2%", 3, 100, True),
        ("2%", 3, 150, False),
        ("0%", 1, 100, True),
        ("100%", 500, 500, False),
    ],
)
def test_a_limit_of_rejects_is_exceeded_by_more_than_it_says_and_a_share_counts_from_a_hundred_documents(
    limit: str, rejected: int, processed: int, *, exceeded: bool
) -> None:
    assert RejectLimit.parse(limit).exceeded(rejected, processed) is exceeded


def test_limits_of_tolerated_values_hold_for_a_column_or_for_all_others() -> None:
    limits = ToleranceLimits.parse(" 1% , customer.email=20%,dbo.orders.amount=0")
    assert limits.of("customer", "email") == RejectLimit(share=Fraction(1, 5))
    assert limits.of("dbo.orders", "amount") == RejectLimit(count=0)
    assert limits.of("customer", "name") == RejectLimit(share=Fraction(1, 100))
    assert ToleranceLimits.parse("a.b=1").of("a", "c") is None
    assert str(limits) == "1%,customer.email=20%,dbo.orders.amount=0"
    assert ToleranceLimits.parse(str(limits)) == limits


@pytest.mark.parametrize("text", ["", "x", "=1", "a=1", ".b=1", "a.=1", "a.b=", "a.b=x", "1,2", "a.b=1,a.b=2", "1%,"])
def test_limits_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        ToleranceLimits.parse(text)
