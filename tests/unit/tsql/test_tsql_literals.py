from decimal import Decimal

import pytest

from tests.unit.tsql.tsql_evaluation import assert_same, evaluated, faults_of, type_of
from xml_extractor.documents import Value

LITERALS: list[tuple[str, Value, str]] = [
    ("12", 12, "int"),
    ("0", 0, "int"),
    ("007", 7, "int"),
    ("2147483647", 2147483647, "int"),
    ("2147483648", Decimal(2147483648), "numeric(10,0)"),
    ("-2147483648", Decimal(-2147483648), "numeric(10,0)"),
    ("9223372036854775808", Decimal(9223372036854775808), "numeric(19,0)"),
    ("-5", -5, "int"),
    ("+5", 5, "int"),
    ("12.50", Decimal("12.50"), "numeric(4,2)"),
    ("0.5", Decimal("0.5"), "numeric(1,1)"),
    (".5", Decimal("0.5"), "numeric(1,1)"),
    ("0.01", Decimal("0.01"), "numeric(2,2)"),
    ("0.0", Decimal("0.0"), "numeric(1,1)"),
    ("5.", Decimal(5), "numeric(1,0)"),
    ("-1.5", Decimal("-1.5"), "numeric(2,1)"),
    ("99999999999999999999999999999999999999", Decimal("9" * 38), "numeric(38,0)"),
    ("1e3", 1000.0, "float(53)"),
    ("1E-3", 0.001, "float(53)"),
    ("12.5e0", 12.5, "float(53)"),
    ("'abc'", "abc", "varchar(3)"),
    ("''", "", "varchar(1)"),
    ("'it''s'", "it's", "varchar(4)"),
    ("'-- no comment'", "-- no comment", "varchar(13)"),
    ("'Grüße'", "Grüße", "varchar(5)"),
    ("'Ω'", "?", "varchar(1)"),
    ("'😀'", "??", "varchar(2)"),
    ("N'Ω'", "Ω", "nvarchar(1)"),
    ("n'abc'", "abc", "nvarchar(3)"),
    ("N'😀'", "😀", "nvarchar(2)"),
    ("0xFF", b"\xff", "varbinary(1)"),
    ("0xFFF", b"\x0f\xff", "varbinary(2)"),
    ("0x", b"", "varbinary(1)"),
    ("NULL", None, "int"),
    ("(((7)))", 7, "int"),
    ("/* why */ 7 -- because", 7, "int"),
]


@pytest.mark.parametrize(("text", "value", "data_type"), LITERALS)
def test_a_constant_has_the_documented_value_and_type(text: str, value: Value, data_type: str) -> None:
    assert_same(evaluated(text), value)
    assert type_of(text) == data_type


def test_a_text_of_more_than_8000_bytes_is_varchar_max() -> None:
    assert type_of(f"'{'x' * 8000}'") == "varchar(8000)"
    assert type_of(f"'{'x' * 8001}'") == "varchar(max)"
    assert type_of(f"N'{'x' * 4001}'") == "nvarchar(max)"


def test_a_number_of_more_than_38_digits_is_a_fault() -> None:
    (fault,) = faults_of("1" * 39)
    assert "38 digits" in fault.message


def test_an_amount_with_a_currency_sign_is_a_fault_that_says_how_to_write_it() -> None:
    assert "CAST" in faults_of("$5")[0].message
    assert "CAST" in faults_of("$5.25")[0].message


NAMES: list[tuple[str, str]] = [
    ("score", "score"),
    ("SCORE", "score"),
    ("[score]", "score"),
    ('"Score"', "score"),
    ("[net total]", "net total"),
    ("[a]]b]", "a]b"),
    ("Größe", "Größe"),
    ("date", "date"),
    ("value", "value"),
    ("[select]", "select"),
]


@pytest.mark.parametrize(("written", "name"), NAMES)
def test_a_name_matches_in_any_case_and_in_brackets(written: str, name: str) -> None:
    assert evaluated(written, {"other": ("int", 1), name: ("int", 7)}) == 7


def test_a_char_name_has_its_full_length() -> None:
    assert evaluated("code + '|'", {"code": ("char(4)", "ab")}) == "ab  |"
    assert evaluated("code + '|'", {"code": ("varchar(4)", "ab")}) == "ab|"
    assert evaluated("code", {"code": ("char(4)", None)}) is None


def test_a_float_of_up_to_24_bits_is_a_real() -> None:
    assert type_of("a", {"a": "float(24)"}) == "real"
    assert type_of("a", {"a": "float(25)"}) == "float(53)"
