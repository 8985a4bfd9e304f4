"""Transforms of text, in the words of a contract."""

import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xml_extractor.documents import Value
from xml_extractor.values.conversions import converter
from xml_extractor.values.sqltypes import InvalidValueError, parse_type
from xml_extractor.values.transforms import TRANSFORMS, lookup_step, transform_step


def transform(name: str, text: str, options: Mapping[str, object] | None = None) -> str:
    return transform_step(name, options)(text)


@pytest.mark.parametrize(
    ("name", "text", "result"),
    [
        ("trim", " \t a b\n", "a b"),
        ("trim", "\xa0a\xa0", "a"),
        ("upper", "aé1", "AÉ1"),
        ("lower", "AÉ1", "aé1"),
        ("digits", "(555) 123-4567", "5551234567"),
        ("digits", "no", ""),
        ("digits", "٣5²", "5"),
        ("collapse", " a \r\n b\tc ", "a b c"),
        ("collapse", "a\xa0 b", "a b"),
    ],
)
def test_a_plain_transform_takes_text_to_text(name: str, text: str, result: str) -> None:
    assert transform(name, text) == result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("5", "5"),
        ("1,234.50", "1234.50"),
        ("$1,234.50", "1234.50"),
        ("$ 1,234,567", "1234567"),
        ("(1,234.50)", "-1234.50"),
        ("($1,234.50)", "-1234.50"),
        ("$(1,234.50)", "-1234.50"),
        ("1,234.50-", "-1234.50"),
        ("5 -", "-5"),
        ("-5", "-5"),
        ("- 5", "-5"),
        ("-$5", "-5"),
        ("$-5", "-5"),
        ("-USD 5", "-5"),
        ("USD -5", "-5"),
        ("\u22125", "-5"),
        ("+5", "5"),
        ("5+", "5"),
        ("12 %", "12"),
        ("-12 %", "-12"),
        ("-5 EUR", "-5"),
        ("EUR -0.01 net", "-0.01"),
        ("12.5%", "12.5"),
        ("€ 5", "5"),
        ("5 EUR", "5"),
        ("about 5 years", "5"),
        (".5", ".5"),
        ("$.50", ".50"),
        ("5.", "5"),
        ("It is 5.", "5"),
        ("007", "007"),
        ("0", "0"),
        ("0.500", "0.500"),
        ("US$ 5", "5"),
        ("C$5", "5"),
        ("approx. 5", "5"),
        ("12,750 kg", "12750"),
    ],
)
def test_a_number_is_found_in_text(text: str, result: str) -> None:
    assert transform("number", text) == result
    assert transform("number", f" {text}\n") == result


@pytest.mark.parametrize(
    "text",
    [
        "",
        "none",
        "$",
        "-",
        "5 6",
        "5-6",
        "1/2",
        "5\u00bd",
        "x\u00b2 5",
        "1,23",
        "1,2345",
        "1234,567",
        ",5",
        "1.234,50",
        "1.2.3",
        "1 234",
        "1e5",
        "2024-05-06",
        "12:30",
        "\u0663",
        "No.5",
        "Suite-5",
        "USD-5",
        "5-year",
        "year-to-date 5",
        "total - 5",
        "--5",
        "-5-",
        "(5",
        "5)",
        "-(5)",
        "(-5)",
        "5 (about)",
        "(about) 5",
        "0,500",
        "00,125",
        "0,500.25",
        "1,,250",
        "1,250,",
        "12,34,567",
        "1\u00a0234",
        "1\u202f234",
        "1'234",
        "1\u2019234",
        "\u20145",
        "5\u2014",
        "\uff15",
        "12.50 DR",
        "7.00 CR",
        "DR 5",
        "1.50M",
        "1.50 m",
        "5k",
        "5K",
        "$5k",
        "k$5",
        "M$ 5",
        "5 MM",
        "5 Mio",
        "5 Mio. EUR",
        "5 bn",
        "5 Mrd.",
        "5 KEUR",
        "5 USDm",
        "5 Tsd",
        "5 lakh",
        "minus 5",
        "5 E",
        "A5",
        "~5",
        ">5",
        "#5",
        "5*",
        "5:",
        "=5",
        "5!",
        "\u00b15",
        "5\u2030",
        "5/",
        ". 5",
        "\u22485",
        "[5]",
        "5\u200b",
    ],
)
def test_text_without_exactly_one_clear_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        transform("number", text)
    assert caught.value.code == "not_a_number"
    assert not text or text not in caught.value.explanation


@pytest.mark.parametrize(
    ("options", "text", "result"),
    [
        ({"decimal": ","}, "0,500", "0.500"),
        ({"decimal": ","}, "12,5 kg", "12.5"),
        ({"decimal": ","}, "1.234,56", "1234.56"),
        ({"decimal": ","}, "1.250", "1250"),
        ({"decimal": ","}, "-1.234.567,5 EUR", "-1234567.5"),
        ({"decimal": ","}, ",5", ".5"),
        ({"decimal": ",", "group": " "}, "1 234,5", "1234.5"),
        ({"decimal": ",", "group": " "}, "1\u202f234\u202f567", "1234567"),
        ({"decimal": ",", "group": " "}, "EUR 1\xa0234,50", "1234.50"),
        ({"group": "'"}, "CHF 1'234.50", "1234.50"),
        ({"group": "'"}, "1\u2019234\u2019567", "1234567"),
        ({"negative": "DR", "positive": "CR"}, "12.50 DR", "-12.50"),
        ({"negative": "DR", "positive": "CR"}, "7.00cr", "7.00"),
        ({"negative": "DR", "positive": "CR"}, "Cr. 7 EUR", "7"),
        ({"negative": "D minus"}, "minus 5", "-5"),
        ({"negative": "S", "positive": "H"}, "5 H", "5"),
        ({}, "1,250", "1250"),
    ],
)
def test_a_contract_says_how_numbers_are_written(options: Mapping[str, object], text: str, result: str) -> None:
    assert transform("number", text, options) == result


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"decimal": ","}, "0.500"),
        ({"decimal": ","}, "1,234.56"),
        ({"decimal": ","}, "1.25"),
        ({"decimal": ",", "group": " "}, "1 23"),
        ({"decimal": ",", "group": " "}, "1 234\xa0567"),
        ({"decimal": ",", "group": " "}, "0 234"),
        ({"negative": "DR"}, "-5 DR"),
        ({"negative": "DR"}, "(5) DR"),
        ({"negative": "DR", "positive": "CR"}, "5 DR CR"),
        ({"negative": "DR"}, "5 CR"),
    ],
)
def test_a_number_that_contradicts_the_contract_is_refused(options: Mapping[str, object], text: str) -> None:
    with pytest.raises(InvalidValueError):
        transform("number", text, options)


@pytest.mark.parametrize(
    "options",
    [
        {"decimal": ";"},
        {"decimal": ",", "group": ","},
        {"group": "x"},
        {"negative": "DR", "positive": "dr"},
        {"point": ","},
    ],
)
def test_contradictory_options_of_number_are_refused(options: Mapping[str, object]) -> None:
    with pytest.raises(ValueError, match=r"number|group|word"):
        transform_step("number", options)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**12), max_value=10**12))
def test_a_number_with_grouped_thousands_comes_back_as_it_was(value: object) -> None:
    to_decimal = converter(parse_type("decimal(20,2)"))
    for text in (f"{value:,.2f}", f"${value:.2f}", f"{value:.2f} EUR"):
        assert to_decimal(transform("number", text)) == value


@given(st.from_regex(r"[ $]{0,2}[0-9]{1,4}(,[0-9]{2,4}){0,2}[.,]?[0-9]{0,3}[ %,-]{0,2}", fullmatch=True))
def test_a_number_is_the_same_beside_any_currency_sign(text: str) -> None:
    def outcome(written: str) -> str:
        try:
            return transform("number", written)
        except InvalidValueError as error:
            return error.code

    assert outcome(text) == outcome(f"€{text}")


@given(st.text())
def test_a_number_found_in_any_text_is_written_plainly(text: str) -> None:
    try:
        result = transform("number", text)
    except InvalidValueError:
        return
    assert re.fullmatch(r"-?([0-9]+(\.[0-9]+)?|\.[0-9]+)", result)


@pytest.mark.parametrize(
    ("pattern", "replacement", "text", "result"),
    [
        (r"\s+", "", "a b  c", "abc"),
        (r"(\d+)-(\d+)", r"\2-\1", "12-34", "34-12"),
        (r"(?P<first>\w)\w*", r"\g<first>", "abc", "a"),
        ("x", "", "abc", "abc"),
        ("^", "0", "7", "07"),
        (".*", "", "anything", ""),
        ("é", "e", "café", "cafe"),
    ],
)
def test_a_regular_expression_is_replaced(pattern: str, replacement: str, text: str, result: str) -> None:
    assert transform("replace", text, {"pattern": pattern, "with": replacement}) == result


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [("(", ""), ("[a", ""), ("a", r"\1"), ("(a)", r"\2"), ("a", r"\g<x>"), ("a", r"\q"), ("*", "")],
)
def test_a_wrong_regular_expression_is_a_fault_of_the_contract(pattern: str, replacement: str) -> None:
    with pytest.raises(ValueError, match="is not a regular expression"):
        transform_step("replace", {"pattern": pattern, "with": replacement})


def test_whole_texts_are_mapped_and_others_stay() -> None:
    options = {"Y": "true", "N": "false", "": "false"}
    assert [transform("map", text, options) for text in ("Y", "N", "", "y", "YN")] == [
        "true",
        "false",
        "false",
        "y",
        "YN",
    ]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("trimm", None, "not a transform; known are trim, upper"),
        ("trim", {"x": "y"}, "trim takes no options"),
        ("replace", None, r"pattern \(a regular expression\), with"),
        ("replace", {"pattern": "a"}, "replace takes pattern"),
        ("replace", {"pattern": "a", "with": "b", "flags": "i"}, "replace takes pattern"),
        ("replace", {"pattern": "a", "with": 5}, "'with' in quotes"),
        ("map", None, "takes a table"),
        ("map", {}, "takes a table"),
        ("map", {"Y": True}, "'Y' in quotes"),
        ("lookup", {"name": "x"}, "not a transform"),
    ],
)
def test_wrong_options_are_a_fault_of_the_contract(
    name: str, options: Mapping[str, object] | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        transform_step(name, options)


@pytest.mark.parametrize("name", [name for name, kind in TRANSFORMS.items() if not (kind.options or kind.takes_any)])
def test_every_plain_transform_needs_no_options(name: str) -> None:
    assert isinstance(transform(name, "7"), str)


def test_a_lookup_gives_the_value_of_a_code() -> None:
    lookup = lookup_step({"APPROVE": 50, "NONE": None})
    assert (lookup("APPROVE"), lookup("NONE")) == (50, None)


@pytest.mark.parametrize("code", ["Open", " OPEN", "open\xa0\n", "OPEN"])
def test_codes_are_compared_after_folding(code: str) -> None:
    assert lookup_step({"Open ": 1}, (str.strip, str.casefold))(code) == 1


@pytest.mark.parametrize("code", ["approve", "APPROVE ", "", "secret"])
def test_an_unknown_code_is_refused_and_not_quoted(code: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        lookup_step({"APPROVE": 50})(code)
    assert caught.value.code == "unknown_code"
    assert not code or code not in str(caught.value)


@pytest.mark.parametrize("unknown", [99, None, "x"])
def test_an_unknown_code_may_have_a_value(unknown: Value) -> None:
    assert lookup_step({"APPROVE": 50}, unknown=unknown, has_unknown=True)("x") == unknown
