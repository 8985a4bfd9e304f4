from decimal import Decimal

import pytest

from tests.unit.tsql.tsql_evaluation import assert_same, evaluated, failure_of, faults_of, type_of
from xml_extractor.documents import Value

CASES: list[tuple[str, Value, str]] = [
    ("ABS(-1.0)", Decimal("1.0"), "numeric(2,1)"),
    ("ABS(0.0)", Decimal("0.0"), "numeric(1,1)"),
    ("ABS(-5)", 5, "int"),
    ("ABS(CAST(-5 AS smallint))", 5, "smallint"),
    ("ABS(CAST(-5.5 AS money))", Decimal("5.5000"), "money"),
    ("ABS(-1.5e0)", 1.5, "float(53)"),
    ("ABS('-1.5')", 1.5, "float(53)"),
    ("ABS(NULL)", None, "int"),
    ("CEILING(123.45)", Decimal(124), "numeric(5,0)"),
    ("CEILING(-123.45)", Decimal(-123), "numeric(5,0)"),
    ("CEILING(0.0)", Decimal(0), "numeric(1,0)"),
    ("CEILING(9.5)", Decimal(10), "numeric(2,0)"),
    ("CEILING(CAST(123.45 AS money))", Decimal("124.0000"), "money"),
    ("CEILING(CAST(1.5 AS smallmoney))", Decimal("2.0000"), "money"),
    ("CEILING(1.2e0)", 2.0, "float(53)"),
    ("CEILING(CAST(1.5 AS real))", 2.0, "float(53)"),
    ("CEILING(5)", 5, "int"),
    ("CEILING(CAST(5 AS tinyint))", 5, "int"),
    ("CEILING(CAST(5 AS bigint))", 5, "bigint"),
    ("CEILING(CAST(1 AS bit))", 1.0, "float(53)"),
    ("FLOOR(123.45)", Decimal(123), "numeric(5,0)"),
    ("FLOOR(-123.45)", Decimal(-124), "numeric(5,0)"),
    ("FLOOR(CAST(123.45 AS money))", Decimal("123.0000"), "money"),
    ("FLOOR(-1.2e0)", -2.0, "float(53)"),
    ("FLOOR('1.7')", 1.0, "float(53)"),
    ("ROUND(748.58, -1)", Decimal("750.00"), "numeric(5,2)"),
    ("ROUND(748.58, -2)", Decimal("700.00"), "numeric(5,2)"),
    ("ROUND(748.58, -4)", Decimal("0.00"), "numeric(5,2)"),
    ("ROUND(CAST(748.58 AS decimal(6,2)), -3)", Decimal("1000.00"), "decimal(6,2)"),
    ("ROUND(123.9994, 3)", Decimal("123.9990"), "numeric(7,4)"),
    ("ROUND(123.9995, 3)", Decimal("124.0000"), "numeric(7,4)"),
    ("ROUND(123.4545, 2)", Decimal("123.4500"), "numeric(7,4)"),
    ("ROUND(123.45, -2)", Decimal("100.00"), "numeric(5,2)"),
    ("ROUND(150.75, 0)", Decimal("151.00"), "numeric(5,2)"),
    ("ROUND(150.75, 0, 1)", Decimal("150.00"), "numeric(5,2)"),
    ("ROUND(-150.75, 0)", Decimal("-151.00"), "numeric(5,2)"),
    ("ROUND(-150.75, 0, 1)", Decimal("-150.00"), "numeric(5,2)"),
    ("ROUND(150.75, 5)", Decimal("150.75"), "numeric(5,2)"),
    ("ROUND(2.5, 0)", Decimal("3.0"), "numeric(2,1)"),
    ("ROUND(5, -1)", 10, "int"),
    ("ROUND(44, -1)", 40, "int"),
    ("ROUND(CAST(45 AS tinyint), -1)", 50, "int"),
    ("ROUND(5, 3)", 5, "int"),
    ("ROUND(5, -3)", 0, "int"),
    ("ROUND(CAST(1.23456 AS money), 2)", Decimal("1.2300"), "money"),
    ("ROUND(2.5e0, 0)", 3.0, "float(53)"),
    ("ROUND(-2.5e0, 0)", -3.0, "float(53)"),
    ("ROUND(1.005e0, 2)", 1.01, "float(53)"),
    ("ROUND(1234.5e0, -2)", 1200.0, "float(53)"),
    ("ROUND(1e300, 10)", 1e300, "float(53)"),
    ("ROUND('2.345', 2)", 2.35, "float(53)"),
    ("ROUND(1.5, NULL)", None, "numeric(2,1)"),
    ("ROUND(1.25, 1.9)", Decimal("1.30"), "numeric(3,2)"),
]


@pytest.mark.parametrize(("text", "value", "data_type"), CASES)
def test_a_math_function_has_the_documented_result_and_type(text: str, value: Value, data_type: str) -> None:
    assert_same(evaluated(text), value)
    assert type_of(text) == data_type


FAILURES = ["ROUND(748.58, -3)", "ABS(CAST(-2147483648 AS int))", "ROUND(2147483647, -1)", "ROUND(1.7e308, -308)"]


@pytest.mark.parametrize("text", FAILURES)
def test_a_result_that_does_not_fit_its_type_fails_when_it_is_evaluated(text: str) -> None:
    assert failure_of(text) == "overflow"


REFUSED = [
    "ROUND(CAST(1 AS bit), 0)",
    "ABS(CAST(1 AS bit))",
    "ABS(CAST('2024-01-31' AS date))",
    "ROUND(1.5, CAST('<a/>' AS xml))",
]


@pytest.mark.parametrize("text", REFUSED)
def test_a_math_function_takes_only_numbers(text: str) -> None:
    assert len(faults_of(text)) == 1
