from datetime import datetime
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.tsql.tsql_evaluation import Inputs, assert_same, evaluated, failure_of, faults_of, type_of
from xml_extractor.documents import Value

INTEGERS: list[tuple[str, Value, str]] = [
    ("7 + 2", 9, "int"),
    ("7 - 9", -2, "int"),
    ("7 * 2", 14, "int"),
    ("7 / 2", 3, "int"),
    ("-7 / 2", -3, "int"),
    ("7 / -2", -3, "int"),
    ("-7 / -2", 3, "int"),
    ("7 % 3", 1, "int"),
    ("-7 % 3", -1, "int"),
    ("7 % -3", 1, "int"),
    ("2 + 3 * 4", 14, "int"),
    ("(2 + 3) * 4", 20, "int"),
    ("10 - 3 - 2", 5, "int"),
    ("8 / 4 * 2", 4, "int"),
    ("10 % 4 * 2", 4, "int"),
    ("- -3", 3, "int"),
    ("-(2 + 3)", -5, "int"),
    ("CAST(200 AS tinyint) + CAST(55 AS tinyint)", 255, "tinyint"),
    ("CAST(200 AS tinyint) + 100", 300, "int"),
    ("CAST(2 AS smallint) * CAST(3 AS tinyint)", 6, "smallint"),
    ("CAST(1 AS bigint) + 1", 2, "bigint"),
    ("CAST(1 AS bit) + 1", 2, "int"),
    ("CAST(1 AS bit) + CAST(1 AS tinyint)", 2, "tinyint"),
    ("-CAST(5 AS tinyint)", -5, "smallint"),
    ("'5' + 1", 6, "int"),
    ("'10' / 4", 2, "int"),
    ("4 * ' 3 '", 12, "int"),
    ("0x10 + 1", 17, "int"),
    ("NULL + 1", None, "int"),
    ("NULL + NULL", None, "int"),
]

DECIMALS: list[tuple[str, Value, str]] = [
    ("2.0 / 3.0", Decimal("0.666666"), "decimal(8,6)"),
    ("2 / 3.0", Decimal("0.666666"), "decimal(8,6)"),
    ("-2.0 / 3.0", Decimal("-0.666666"), "decimal(8,6)"),
    ("1.0 * 2 / 3", Decimal("0.666666"), "decimal(9,6)"),
    ("12.50 + 1", Decimal("13.50"), "decimal(5,2)"),
    ("12.50 - 0.125", Decimal("12.375"), "decimal(6,3)"),
    ("12.5 * 2", Decimal("25.0"), "decimal(5,1)"),
    ("1.50 * 1.25", Decimal("1.8750"), "decimal(7,4)"),
    ("7.5 % 2", Decimal("1.5"), "decimal(2,1)"),
    ("-7.5 % 2", Decimal("-1.5"), "decimal(2,1)"),
    ("CAST(1 AS decimal(10,2)) + 250", Decimal("251.00"), "decimal(11,2)"),
    ("CAST(1 AS decimal(10,2)) * 250", Decimal("250.00"), "decimal(14,2)"),
    ("CAST(1 AS decimal(10,2)) * CAST(250 AS int)", Decimal("250.00"), "decimal(21,2)"),
    ("CAST(1 AS decimal(10,2)) + CAST(1 AS bigint)", Decimal("2.00"), "decimal(22,2)"),
    (
        "CAST(0.0000009000 AS decimal(30,20)) * CAST(1.0000000000 AS decimal(30,20))",
        Decimal("0.00000090000000000"),
        "decimal(38,17)",
    ),
    (
        "CAST(0.0000009000 AS decimal(30,10)) * CAST(1.0000000000 AS decimal(30,10))",
        Decimal("0.000001"),
        "decimal(38,6)",
    ),
    ("CAST(1 AS decimal(38,10)) + CAST(1 AS decimal(38,10))", Decimal("2.0000000000"), "decimal(38,10)"),
    ("CAST(1 AS decimal(38,0)) + CAST(0.55 AS decimal(38,2))", Decimal(2), "decimal(38,0)"),
    ("CAST(1 AS decimal(38,4)) * CAST(2 AS decimal(38,1))", Decimal("2.00000"), "decimal(38,5)"),
    ("CAST(10 AS decimal(38,0)) / CAST(3 AS decimal(38,0))", Decimal("3.333333"), "decimal(38,6)"),
    ("'2.5' + 1.0", Decimal("3.5"), "decimal(3,1)"),
    ("-CAST(1.5 AS decimal(5,2))", Decimal("-1.50"), "decimal(5,2)"),
    ("-CAST(0 AS decimal(5,2))", Decimal("0.00"), "decimal(5,2)"),
]

MONEYS: list[tuple[str, Value, str]] = [
    ("CAST(100 AS money) / CAST(339 AS money)", Decimal("0.2949"), "money"),
    ("CAST(100 AS money) / CAST(339 AS money) * 10000", Decimal("2949.0000"), "money"),
    ("CAST(1 AS money) / CAST(18.4172 AS money)", Decimal("0.0542"), "money"),
    ("CAST(18.4172 AS money) * CAST(1.1562 AS money)", Decimal("21.2940"), "money"),
    ("CAST(7 AS money) / 2", Decimal("3.5000"), "money"),
    ("CAST(7.5 AS money) % 2", Decimal("1.5000"), "money"),
    ("CAST(1.5 AS money) + 1", Decimal("2.5000"), "money"),
    ("CAST(1.5 AS smallmoney) + CAST(1 AS smallmoney)", Decimal("2.5000"), "smallmoney"),
    ("CAST(1.5 AS smallmoney) + CAST(1 AS money)", Decimal("2.5000"), "money"),
    ("CAST(2 AS money) * 0.5", Decimal("1.00000"), "decimal(21,5)"),
    ("CAST(2 AS money) * 1.5e0", 3.0, "float(53)"),
    ("-CAST(2 AS money)", Decimal("-2.0000"), "money"),
    ("CAST(2 AS money) + '$1,000.50'", Decimal("1002.5000"), "money"),
]

FLOATS: list[tuple[str, Value, str]] = [
    ("1e0 / 4", 0.25, "float(53)"),
    ("1.5e0 + 1.5", 3.0, "float(53)"),
    ("CAST(0.1 AS real) + 1", 1.100000023841858, "real"),
    ("CAST(0.5 AS real) * CAST(2 AS float)", 1.0, "float(53)"),
    ("'1.5e1' * 2e0", 30.0, "float(53)"),
    ("-1.5e0", -1.5, "float(53)"),
    ("0e0 * -1", 0.0, "float(53)"),
]


@pytest.mark.parametrize(("text", "value", "data_type"), INTEGERS + DECIMALS + MONEYS + FLOATS)
def test_arithmetic_has_the_documented_result_and_type(text: str, value: Value, data_type: str) -> None:
    assert_same(evaluated(text), value)
    assert type_of(text) == data_type


TEXTS: list[tuple[str, Value, str]] = [
    ("'a' + 'b'", "ab", "varchar(2)"),
    ("'a' + N'b'", "ab", "nvarchar(2)"),
    ("'a' + NULL", None, "varchar(2)"),
    ("CAST('a' AS char(3)) + 'b'", "a  b", "varchar(4)"),
    ("CAST('a' AS char(3)) + CAST('b' AS char(2))", "a  b ", "char(5)"),
    ("CAST('a' AS varchar(max)) + 'b'", "ab", "varchar(max)"),
    ("CAST('a' AS varchar(8000)) + CAST('b' AS varchar(5))", "ab", "varchar(8000)"),
    ("CAST('a' AS varchar(5000)) + N'b'", "ab", "nvarchar(4000)"),
    ("0x41 + 0x42", b"AB", "varbinary(2)"),
]


@pytest.mark.parametrize(("text", "value", "data_type"), TEXTS)
def test_plus_joins_texts(text: str, value: Value, data_type: str) -> None:
    assert_same(evaluated(text), value)
    assert type_of(text) == data_type


def test_joined_text_is_cut_at_8000_bytes() -> None:
    inputs: Inputs = {"a": ("varchar(8000)", "a" * 8000), "n": ("nvarchar(4000)", "n" * 4000)}
    assert evaluated("a + 'b'", inputs) == "a" * 8000
    assert evaluated("n + 'b'", inputs) == "n" * 4000
    assert evaluated("CAST(a AS varchar(max)) + 'b'", inputs) == "a" * 8000 + "b"


MOMENTS: list[tuple[str, str]] = [
    ("CAST('2024-01-31' AS datetime) + 1", "2024-02-01 00:00:00"),
    ("CAST('2024-01-31' AS datetime) - 0.5", "2024-01-30 12:00:00"),
    ("CAST('2024-01-31' AS datetime) + 1.5e0", "2024-02-01 12:00:00"),
    ("CAST('2024-01-31' AS datetime) + '06:00'", "2024-01-31 06:00:00"),
    ("CAST('2024-01-31' AS datetime) - CAST('2024-01-01' AS datetime)", "1900-01-31 00:00:00"),
    ("CAST('2024-01-31' AS smalldatetime) + 1", "2024-02-01 00:00:00"),
]


@pytest.mark.parametrize(("text", "expected"), MOMENTS)
def test_days_are_added_to_a_datetime(text: str, expected: str) -> None:
    assert evaluated(text) == datetime.fromisoformat(expected)


FAILURES = [
    ("2147483647 + 1", "overflow"),
    ("-CAST(-2147483648 AS int)", "overflow"),
    ("CAST(-2147483648 AS int) / -1", "overflow"),
    ("CAST(9223372036854775807 AS bigint) + 1", "overflow"),
    ("CAST(200 AS tinyint) + CAST(56 AS tinyint)", "overflow"),
    ("CAST(1 AS tinyint) - CAST(2 AS tinyint)", "overflow"),
    ("CAST(32767 AS smallint) * CAST(2 AS smallint)", "overflow"),
    ("CAST(99999999999999999999999999999999999999 AS decimal(38,0)) + 1.0", "overflow"),
    ("CAST(922337203685477.5807 AS money) + 1", "overflow"),
    ("CAST(214748 AS smallmoney) * CAST(2 AS smallmoney)", "overflow"),
    ("1e308 * 10", "overflow"),
    ("CAST(3e38 AS real) * CAST(10 AS real)", "overflow"),
    ("'12.34' + 1.0", "overflow"),
    ("1 / 0", "divide_by_zero"),
    ("1 % 0", "divide_by_zero"),
    ("1.0 / 0", "divide_by_zero"),
    ("1.0 % 0", "divide_by_zero"),
    ("1e0 / 0", "divide_by_zero"),
    ("CAST(1 AS money) / 0", "divide_by_zero"),
    ("'x' + 1", "conversion_failed"),
    ("'1.5' + 1", "conversion_failed"),
    ("1 - 'x'", "conversion_failed"),
    ("CAST('9999-12-31' AS datetime) + 1", "overflow"),
    ("CAST('1753-01-01' AS datetime) - 1", "overflow"),
]


@pytest.mark.parametrize(("text", "code"), FAILURES)
def test_arithmetic_that_sql_server_refuses_fails_when_it_is_evaluated(text: str, code: str) -> None:
    assert failure_of(text) == code


REFUSED = [
    "'a' - 'b'",
    "'a' * 'b'",
    "-'a'",
    "CAST(1 AS bit) + CAST(1 AS bit)",
    "-CAST(1 AS bit)",
    "1.5e0 % 2",
    "5 % 1e0",
    "CAST('2024-01-31' AS date) + 1",
    "CAST('2024-01-31' AS datetime2) + 1",
    "CAST('2024-01-31' AS date) - CAST('2024-01-30' AS date)",
    "CAST('2024-01-31' AS datetime) * 2",
    "CAST('2024-01-31' AS datetime) + CAST('10:00' AS time)",
    "'a' + 0x41",
    "1 + CAST('6F9619FF-8B86-D011-B42D-00C04FC964FF' AS uniqueidentifier)",
    "CAST('a' AS text) + 'b'",
    "CAST('<a/>' AS xml) + 'b'",
]


@pytest.mark.parametrize("text", REFUSED)
def test_an_operator_refuses_types_that_it_does_not_take(text: str) -> None:
    assert len(faults_of(text)) == 1


@given(
    p1=st.integers(1, 38),
    s1=st.integers(0, 38),
    p2=st.integers(1, 38),
    s2=st.integers(0, 38),
    sign=st.sampled_from("+-*/%"),
)
def test_the_type_of_a_decimal_result_is_always_a_valid_decimal(p1: int, s1: int, p2: int, s2: int, sign: str) -> None:
    names = {"a": f"decimal({p1},{min(s1, p1)})", "b": f"decimal({p2},{min(s2, p2)})"}
    written = type_of(f"a {sign} b", names)
    precision, scale = map(int, written.removeprefix("decimal(").removesuffix(")").split(","))
    assert 0 <= scale <= precision <= 38


@given(a=st.decimals(-9999, 9999, places=2), b=st.decimals(-9999, 9999, places=3))
def test_sums_and_products_of_decimals_are_exact(a: Decimal, b: Decimal) -> None:
    inputs: Inputs = {"a": ("decimal(6,2)", a), "b": ("decimal(7,3)", b)}
    assert evaluated("a + b", inputs) == a + b
    assert evaluated("a - b", inputs) == a - b
    assert evaluated("a * b", inputs) == a * b


@given(a=st.integers(-(2**31), 2**31 - 1), b=st.integers(-(2**31), 2**31 - 1).filter(bool))
def test_quotient_and_remainder_of_integers_belong_together(a: int, b: int) -> None:
    inputs: Inputs = {"a": ("bigint", a), "b": ("bigint", b)}
    quotient, remainder = evaluated("a / b", inputs), evaluated("a % b", inputs)
    assert isinstance(quotient, int)
    assert isinstance(remainder, int)
    assert quotient * b + remainder == a
    assert abs(remainder) < abs(b)
    assert remainder == 0 or (remainder < 0) == (a < 0)


def test_the_callers_decimal_context_does_not_matter() -> None:
    with localcontext() as context:
        context.prec = 3
        assert_same(evaluated("123456.789 + 1"), Decimal("123457.789"))
        assert_same(
            evaluated("a * b", {"a": ("decimal(10,2)", Decimal("12345678.25")), "b": ("int", 2)}),
            Decimal("24691356.50"),
        )
        assert_same(evaluated("CAST(12345.6789 AS money)"), Decimal("12345.6789"))
