from decimal import Decimal
from itertools import permutations

import pytest

from tests.unit.tsql.tsql_evaluation import Inputs, assert_same, evaluated, failure_of, faults_of, type_of
from xml_extractor.documents import Value

CASES: list[tuple[str, Value, str]] = [
    ("CASE WHEN 1 = 1 THEN 'a' ELSE 'bcd' END", "a", "varchar(3)"),
    ("CASE WHEN 1 = 2 THEN 'a' END", None, "varchar(1)"),
    ("CASE WHEN NULL = 1 THEN 'a' ELSE 'b' END", "b", "varchar(1)"),
    ("CASE WHEN 1 = 2 THEN 1 WHEN 1 = 1 THEN 2 ELSE 3 END", 2, "int"),
    ("CASE 2 WHEN 1 THEN 'one' WHEN 2 THEN 'two' END", "two", "varchar(3)"),
    ("CASE 'A ' WHEN 'a' THEN 1 ELSE 0 END", 1, "int"),
    ("CASE NULL WHEN NULL THEN 1 ELSE 0 END", 0, "int"),
    ("CASE '2' WHEN 2 THEN 'yes' END", "yes", "varchar(3)"),
    ("CASE WHEN 1 = 1 THEN 1 ELSE 2.55 END", Decimal("1.00"), "decimal(12,2)"),
    ("CASE WHEN 1 = 1 THEN 1 ELSE 2e0 END", 1.0, "float(53)"),
    ("CASE WHEN 1 = 1 THEN 1.5 ELSE CAST(2 AS decimal(10,4)) END", Decimal("1.5000"), "decimal(10,4)"),
    ("CASE WHEN 1 = 1 THEN 1.5 ELSE 12.25 END", Decimal("1.50"), "numeric(4,2)"),
    ("CASE WHEN 1 = 1 THEN CAST(1 AS money) ELSE 2 END", Decimal("1.0000"), "money"),
    ("CASE WHEN 1 = 1 THEN CAST(1 AS money) ELSE 2.5 END", Decimal("1.0000"), "decimal(19,4)"),
    ("CASE WHEN 1 = 1 THEN 'a' ELSE N'bc' END", "a", "nvarchar(2)"),
    ("CASE WHEN 1 = 1 THEN CAST('a' AS char(2)) ELSE 'bcd' END", "a ", "varchar(3)"),
    ("CASE WHEN 1 = 1 THEN CAST('a' AS char(2)) ELSE CAST('b' AS char(4)) END", "a   ", "char(4)"),
    ("CASE WHEN 1 = 1 THEN '5' ELSE 1 END", 5, "int"),
    ("CASE WHEN 1 = 2 THEN 'x' ELSE 1 END", 1, "int"),
    ("CASE WHEN 1 = 1 THEN NULL ELSE 'a' END", None, "varchar(1)"),
    ("CASE WHEN 1 = 2 THEN 1 / 0 ELSE 1 END", 1, "int"),
    ("CASE WHEN 1 = 1 THEN CASE WHEN 2 = 2 THEN 'x' ELSE 'yy' END ELSE 'zzz' END", "x", "varchar(3)"),
    ("CASE WHEN 1 = 1 THEN 'a' END + CASE 1 WHEN 1 THEN 'b' END", "ab", "varchar(2)"),
    ("IIF(1 = 1, 'a', 'bc')", "a", "varchar(2)"),
    ("IIF(NULL = 1, 'a', 'bc')", "bc", "varchar(2)"),
    ("IIF(1 = 1 AND 2 > 1, 1, NULL)", 1, "int"),
    ("IIF(1 = 1, 1, 2.5)", Decimal("1.0"), "decimal(11,1)"),
    ("IIF(1 = 2, 1, IIF(1 = 1, 2, 3))", 2, "int"),
    ("COALESCE(NULL, NULL, 3)", 3, "int"),
    ("COALESCE(NULL, 'a', 'bcd')", "a", "varchar(3)"),
    ("COALESCE('1', 2)", 1, "int"),
    ("COALESCE(1, 1.5)", Decimal("1.0"), "decimal(11,1)"),
    ("COALESCE(CAST(NULL AS varchar(2)), 'abcdef')", "abcdef", "varchar(6)"),
    ("COALESCE(CAST(NULL AS date), CAST('2024-01-31 10:00' AS datetime))", None, "datetime"),
    ("ISNULL(CAST(NULL AS varchar(2)), 'abcdef')", "ab", "varchar(2)"),
    ("ISNULL('a', 'bcd')", "a", "varchar(1)"),
    ("ISNULL(NULL, 'bcd')", "bcd", "varchar(3)"),
    ("ISNULL(NULL, NULL)", None, "int"),
    ("ISNULL(CAST(NULL AS int), 2.9)", 2, "int"),
    ("ISNULL(CAST(NULL AS decimal(5,2)), 1)", Decimal("1.00"), "decimal(5,2)"),
    ("ISNULL(CAST(NULL AS int), '7')", 7, "int"),
    ("ISNULL(5, 1.5)", 5, "int"),
    ("ISNULL(CAST(NULL AS char(3)), 'a')", "a  ", "char(3)"),
    ("NULLIF(1, 1)", None, "int"),
    ("NULLIF(1, 2)", 1, "int"),
    ("NULLIF('a ', 'A')", None, "varchar(2)"),
    ("NULLIF('', ' ')", None, "varchar(1)"),
    ("NULLIF(1, 1.0)", None, "int"),
    ("NULLIF('1', 1)", None, "varchar(1)"),
    ("NULLIF(1, NULL)", 1, "int"),
]


@pytest.mark.parametrize(("text", "value", "data_type"), CASES)
def test_a_choice_has_the_documented_result_and_type(text: str, value: Value, data_type: str) -> None:
    if value is None and data_type == "datetime":
        assert str(evaluated(text)) == "2024-01-31 10:00:00"
    else:
        assert_same(evaluated(text), value)
    assert type_of(text) == data_type


def test_only_the_result_that_is_chosen_is_evaluated() -> None:
    inputs: Inputs = {"a": ("int", 0), "b": ("varchar(5)", "x")}
    assert evaluated("CASE WHEN a = 0 THEN 0 ELSE 10 / a END", inputs) == 0
    assert evaluated("IIF(a = 0, 0, b)", inputs) == 0
    assert evaluated("COALESCE(a, 1 / 0)", inputs) == 0
    assert failure_of("IIF(a = 1, 0, b)", inputs) == "conversion_failed"


def test_isnull_and_coalesce_differ_in_type() -> None:
    names = {"a": "varchar(3)", "b": "nvarchar(10)"}
    assert type_of("ISNULL(a, b)", names) == "varchar(3)"
    assert type_of("COALESCE(a, b)", names) == "nvarchar(10)"
    inputs: Inputs = {"a": ("varchar(3)", None), "b": ("nvarchar(10)", "Ωmega")}
    assert evaluated("ISNULL(a, b)", inputs) == "?me"
    assert evaluated("COALESCE(a, b)", inputs) == "Ωmega"


PRECEDENCE = [
    ("tinyint", "smallint", "smallint"),
    ("int", "bigint", "bigint"),
    ("bit", "tinyint", "tinyint"),
    ("bigint", "smallmoney", "smallmoney"),
    ("money", "decimal(5,2)", "decimal(19,4)"),
    ("decimal(10,2)", "decimal(8,4)", "decimal(12,4)"),
    ("decimal(38,0)", "decimal(38,10)", "decimal(38,0)"),
    ("int", "decimal(5,2)", "decimal(12,2)"),
    ("decimal(5,2)", "real", "real"),
    ("real", "float", "float(53)"),
    ("float", "datetime", "datetime"),
    ("date", "time", None),
    ("date", "datetime", "datetime"),
    ("date", "datetime2(3)", "datetime2(3)"),
    ("smalldatetime", "datetime", "datetime"),
    ("datetime", "datetime2(0)", "datetime2(3)"),
    ("datetime2(3)", "datetime2(5)", "datetime2(5)"),
    ("datetime2(3)", "datetimeoffset(0)", "datetimeoffset(3)"),
    ("varchar(5)", "nvarchar(3)", "nvarchar(5)"),
    ("varchar(5)", "varchar(max)", "varchar(max)"),
    ("char(5)", "nvarchar(max)", "nvarchar(max)"),
    ("varchar(8000)", "nvarchar(5)", "nvarchar(4000)"),
    ("nchar(5)", "varchar(3)", "nchar(5)"),
    ("varchar(5)", "int", "int"),
    ("varchar(5)", "date", "date"),
    ("varchar(50)", "uniqueidentifier", "uniqueidentifier"),
    ("binary(4)", "varbinary(2)", "varbinary(4)"),
    ("binary(4)", "varchar(2)", "varchar(4)"),
    ("varbinary(max)", "char(2)", "varchar(max)"),
    ("date", "int", None),
    ("varchar(5)", "xml", "xml"),
]


@pytest.mark.parametrize(("first", "second", "expected"), PRECEDENCE)
def test_the_result_has_the_type_with_the_higher_precedence(first: str, second: str, expected: str | None) -> None:
    names = {"a": first, "b": second}
    for text in ("COALESCE(a, b)", "COALESCE(b, a)", "CASE WHEN 1 = 1 THEN a ELSE b END", "IIF(1 = 1, b, a)"):
        if expected is None:
            assert faults_of(text, names)
        else:
            assert type_of(text, names) == expected


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        (("int", "smallmoney", "decimal(5,2)"), "decimal(14,4)"),
        (("time(6)", "date", "datetimeoffset(2)"), "datetimeoffset(6)"),
        (("varchar(8)", "date", "nvarchar(4)"), "date"),
        (("varchar(8)", "nvarchar(4)", "varbinary(9)"), "nvarchar(9)"),
    ],
)
def test_the_order_of_its_results_does_not_change_the_type_of_a_choice(types: tuple[str, ...], expected: str) -> None:
    names = dict(zip("abc", types, strict=True))
    assert {type_of(f"COALESCE({', '.join(order)})", names) for order in permutations("abc")} == {expected}


REFUSED = [
    "CASE WHEN 1 = 1 THEN NULL END",
    "CASE WHEN 1 = 1 THEN NULL ELSE NULL END",
    "IIF(1 = 1, NULL, NULL)",
    "COALESCE(NULL, NULL)",
    "NULLIF(NULL, 1)",
    "ISNULL(CAST('2024-01-31' AS date), 0)",
    "CASE WHEN 1 THEN 1 END",
    "CASE 1 WHEN 1 = 1 THEN 1 END",
    "IIF(1, 2, 3)",
]


@pytest.mark.parametrize("text", REFUSED)
def test_a_choice_without_a_type_or_a_condition_is_a_fault(text: str) -> None:
    assert len(faults_of(text)) == 1
