"""Text to numbers and bits."""

import math
import struct
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xml_extractor.documents import Value
from xml_extractor.values.conversions import converter
from xml_extractor.values.sqltypes import INTEGER_RANGES, MONEY_LIMITS, InvalidValueError, parse_type


def convert(type_name: str, text: str) -> Value:
    return converter(parse_type(type_name))(text)


def rejection(type_name: str, text: str) -> InvalidValueError:
    with pytest.raises(InvalidValueError) as caught:
        convert(type_name, text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("0", False), ("true", True), ("False", False), (" TRUE\n", True)]
)
def test_a_bit_is_written_as_a_digit_or_a_word(text: str, *, value: bool) -> None:
    assert convert("bit", text) is value


@pytest.mark.parametrize("text", ["", "2", "yes", "Y", "t", "10", "\xa01", "on"])
def test_other_words_are_no_bit(text: str) -> None:
    assert rejection("bit", text).code == "not_a_boolean"


@pytest.mark.parametrize("type_name", INTEGER_RANGES)
def test_an_integer_is_kept_within_the_range_of_its_type(type_name: str) -> None:
    smallest, largest = INTEGER_RANGES[type_name]
    assert convert(type_name, str(smallest)) == smallest
    assert convert(type_name, f" +{largest}\t") == largest
    assert rejection(type_name, str(smallest - 1)).code == "overflow"
    assert rejection(type_name, str(largest + 1)).code == "overflow"


@pytest.mark.parametrize(
    ("text", "value"), [("007", 7), ("-0", 0), ("+5", 5), ("0" * 6000 + "5", 5), ("-" + "0" * 30 + "5", -5)]
)
def test_leading_zeros_of_an_integer_do_not_count(text: str, value: int) -> None:
    assert convert("bigint", text) == value


def test_an_integer_of_any_length_is_refused_and_not_computed() -> None:
    assert rejection("bigint", "9" * 100_000).code == "overflow"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "+",
        "5.0",
        "5.",
        "1e3",
        "1,000",
        "1_000",
        "0x10",
        "--5",
        "- 5",
        "5-",
        "٣",
        "²",
        "\uff15",
        "\xa05",
        "five",
    ],
)
def test_an_integer_has_a_sign_and_ascii_digits_only(text: str) -> None:
    assert rejection("int", text).code == "not_a_number"


@pytest.mark.parametrize(
    ("type_name", "text", "value"),
    [
        ("decimal(5,2)", "1.5", "1.50"),
        ("decimal(5,2)", "999.99", "999.99"),
        ("decimal(5,2)", "-999.99", "-999.99"),
        ("decimal(5,2)", "+0001.100000", "1.10"),
        ("decimal(5,2)", ".5", "0.50"),
        ("decimal(5,2)", "5.", "5.00"),
        ("decimal(5,2)", "-0.00", "0.00"),
        ("numeric(5)", " 12345 ", "12345"),
        ("decimal(38,0)", "9" * 38, "9" * 38),
        ("decimal(38,38)", "0." + "9" * 38, "0." + "9" * 38),
        ("decimal(38,10)", "-" + "9" * 28 + "." + "9" * 10, "-" + "9" * 28 + "." + "9" * 10),
        ("money", "922337203685477.5807", "922337203685477.5807"),
        ("money", "-922337203685477.5808", "-922337203685477.5808"),
        ("smallmoney", "214748.3647", "214748.3647"),
        ("smallmoney", "1", "1.0000"),
    ],
)
def test_a_decimal_has_exactly_the_decimals_of_its_type(type_name: str, text: str, value: str) -> None:
    assert str(convert(type_name, text)) == value


@pytest.mark.parametrize(
    ("type_name", "text", "truncated"),
    [
        ("decimal(5,2)", "1.555", "1.55"),
        ("decimal(5,2)", "-1.559", "-1.55"),
        ("decimal(5,2)", "-0.001", "0.00"),
        ("decimal(5,2)", "999.999", "999.99"),
        ("decimal(5,0)", "1.5", "1"),
        ("money", "1.00001", "1.0000"),
        ("smallmoney", "214748.36479", "214748.3647"),
    ],
)
def test_a_decimal_with_too_many_digits_behind_the_point_is_refused(type_name: str, text: str, truncated: str) -> None:
    error = rejection(type_name, text)
    assert error.code == "too_many_decimals"
    assert str(error.truncated) == truncated


@pytest.mark.parametrize(
    ("type_name", "text"),
    [
        ("decimal(5,2)", "1000"),
        ("decimal(5,2)", "-1000.00"),
        ("decimal(5,2)", "1000.001"),
        ("decimal(5,5)", "1"),
        ("decimal(38,0)", "1" + "0" * 38),
        ("decimal(38,0)", "9" * 100_000),
        ("money", "922337203685477.5808"),
        ("money", "-922337203685477.5809"),
        ("money", "1" + "0" * 30),
        ("smallmoney", "214748.3648"),
        ("smallmoney", "-214748.3649"),
    ],
)
def test_a_decimal_too_large_for_its_type_is_refused_and_cannot_be_cut(type_name: str, text: str) -> None:
    error = rejection(type_name, text)
    assert (error.code, error.truncated) == ("overflow", None)


@pytest.mark.parametrize(
    "text", ["", ".", "-", "-.", "1e5", "NaN", "Infinity", "1,5", "1_0.0", "$5", "٣.٣", "1.2.3", "1 2", "0x1"]
)
def test_a_decimal_is_written_plainly(text: str) -> None:
    assert rejection("decimal(10,2)", text).code == "not_a_number"
    assert rejection("money", text).code == "not_a_number"


def test_the_precision_of_the_caller_does_not_matter() -> None:
    with localcontext() as context:
        context.prec = 3
        assert convert("decimal(38,2)", "1" * 36 + ".11") == Decimal("1" * 36 + ".11")


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**10), max_value=10**10))
def test_every_decimal_that_fits_comes_back_as_it_was(value: Decimal) -> None:
    assert convert("decimal(20,6)", format(value, "f")) == value


@pytest.mark.parametrize("type_name", MONEY_LIMITS)
def test_money_has_the_range_that_microsoft_documents(type_name: str) -> None:
    limit = Decimal(MONEY_LIMITS[type_name]) / 10_000
    assert convert(type_name, str(-limit)) == -limit
    assert rejection(type_name, str(limit)).code == "overflow"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.5", 1.5),
        ("-1E-3", -0.001),
        ("+1e+3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("0e9", 0.0),
        (" 1 ", 1.0),
        ("1.79e308", 1.79e308),
    ],
)
def test_a_float_is_read_plain_or_with_an_exponent(text: str, value: float) -> None:
    assert convert("float", text) == value


@pytest.mark.parametrize("text", ["-0", "-0.0", "-.0e5"])
@pytest.mark.parametrize("type_name", ["float", "real"])
def test_a_zero_has_no_sign(type_name: str, text: str) -> None:
    assert str(convert(type_name, text)) == "0.0"


@pytest.mark.parametrize(
    "text", ["", "nan", "NaN", "inf", "-Infinity", "INF", "1e", "e5", "1_0", "0x1p3", "٣", ".", "1,5"]
)
def test_a_float_is_a_finite_number(text: str) -> None:
    assert rejection("float", text).code == "not_a_number"


@pytest.mark.parametrize(
    ("type_name", "text"),
    [
        ("float", "1e400"),
        ("float(53)", "-1e309"),
        ("float", "1e-400"),
        ("float", "1e-310"),
        ("real", "3.5e38"),
        ("real", "1e400"),
        ("real", "-1e-39"),
        ("float(24)", "3.5e38"),
        ("float(1)", "1e-50"),
    ],
)
def test_a_float_outside_the_range_of_its_type_is_refused(type_name: str, text: str) -> None:
    assert rejection(type_name, text).code == "overflow"


@pytest.mark.parametrize("type_name", ["real", "float(24)", "float(1)"])
def test_a_float_of_up_to_24_bits_has_single_precision(type_name: str) -> None:
    assert convert(type_name, "0.1") == struct.unpack("<f", struct.pack("<f", 0.1))[0]
    assert convert(type_name, "3.4028234e38") == pytest.approx(3.4028234e38)


def test_a_float_of_more_bits_has_double_precision() -> None:
    assert convert("float(25)", "0.1") == 0.1


@given(st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False))
def test_every_float_comes_back_as_it_was(value: float) -> None:
    result = convert("float", repr(value))
    assert isinstance(result, float)
    assert result == value
    assert value == 0 or math.copysign(1, result) == math.copysign(1, value)


@pytest.mark.parametrize("type_name", ["bit", "int", "decimal(5,2)", "money", "float"])
def test_no_rejection_of_a_number_quotes_it(type_name: str) -> None:
    assert "4711x" not in str(rejection(type_name, "4711x"))
