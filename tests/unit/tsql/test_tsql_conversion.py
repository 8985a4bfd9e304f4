from datetime import datetime
from decimal import Decimal

import pytest

from tests.unit.tsql.tsql_evaluation import CLOCK, assert_same, evaluated, failure_of, faults_of, type_of
from xml_extractor.documents import Value
from xml_extractor.tsql import EvaluationError, compile_expression
from xml_extractor.values.sqltypes import parse_type

NUMBERS: list[tuple[str, Value]] = [
    ("CAST(10.6496 AS int)", 10),
    ("CAST(-10.6496 AS int)", -10),
    ("CAST(10.6496 AS numeric)", Decimal(11)),
    ("CAST(-10.6496 AS numeric)", Decimal(-11)),
    ("CAST(10.3496847 AS money)", Decimal("10.3497")),
    ("CAST(2.5 AS decimal(1,0))", Decimal(3)),
    ("CAST(-2.5 AS decimal(1,0))", Decimal(-3)),
    ("CAST(-0.4 AS decimal(5,0))", Decimal(0)),
    ("CAST(1.005 AS decimal(5,2))", Decimal("1.01")),
    ("CAST(12.345 AS decimal(10,4))", Decimal("12.3450")),
    ("CAST(CAST(2.5 AS money) AS int)", 3),
    ("CAST(CAST(-2.5 AS money) AS int)", -3),
    ("CAST(CAST(1.23456 AS money) AS decimal(5,2))", Decimal("1.23")),
    ("CAST(2.9e0 AS int)", 2),
    ("CAST(-2.9e0 AS int)", -2),
    ("CAST(2.5e0 AS decimal(5,0))", Decimal(3)),
    ("CAST(0.1e0 AS decimal(38,20))", Decimal("0.10000000000000001000")),
    ("CAST(1.23456e0 AS money)", Decimal("1.2346")),
    ("CAST(300 AS smallint)", 300),
    ("CAST(5 AS decimal(5,2))", Decimal("5.00")),
    ("CAST(5 AS float)", 5.0),
    ("CAST(0.1 AS real)", 0.10000000149011612),
    ("CAST(0.1 AS float(24))", 0.10000000149011612),
    ("CAST(0.1 AS float(53))", 0.1),
    ("CAST(CAST(1 AS bit) AS int)", 1),
    ("CAST(7 AS bit)", True),
    ("CAST(0 AS bit)", False),
    ("CAST(0.5 AS bit)", True),
    ("CAST(-1e-9 AS bit)", True),
    ("CAST(5 AS integer)", 5),
    ("CAST(5 AS dec(4,1))", Decimal("5.0")),
    ("CAST(NULL AS decimal(5,2))", None),
]

NUMBERS_OF_TEXT: list[tuple[str, Value]] = [
    ("CAST('42' AS int)", 42),
    ("CAST('  42  ' AS int)", 42),
    ("CAST('-42' AS int)", -42),
    ("CAST('+42' AS int)", 42),
    ("CAST('' AS int)", 0),
    ("CAST('   ' AS bigint)", 0),
    ("CAST('12.345' AS decimal(5,2))", Decimal("12.35")),
    ("CAST('-12.345' AS decimal(5,2))", Decimal("-12.35")),
    ("CAST('.5' AS decimal(5,2))", Decimal("0.50")),
    ("CAST('5.' AS decimal(5,2))", Decimal("5.00")),
    ("CAST('1e3' AS float)", 1000.0),
    ("CAST(' -1.5E-1 ' AS float)", -0.15),
    ("CAST('' AS float)", 0.0),
    ("CAST('$1,234.56789' AS money)", Decimal("1234.5679")),
    ("CAST('-$5' AS money)", Decimal("-5.0000")),
    ("CAST('$-5' AS money)", Decimal("-5.0000")),
    ("CAST('€ 5' AS money)", Decimal("5.0000")),
    ("CAST('' AS money)", Decimal("0.0000")),
    ("CAST('-' AS money)", Decimal("0.0000")),
    ("CAST('$' AS money)", Decimal("0.0000")),
    ("CAST('.' AS money)", Decimal("0.0000")),
    ("CAST('-,5' AS money)", Decimal("-5.0000")),
    ("CAST('$- 5' AS money)", Decimal("-5.0000")),
    ("CAST('¢.5' AS smallmoney)", Decimal("0.5000")),
    ("CAST('true' AS bit)", True),
    ("CAST('FALSE' AS bit)", False),
    ("CAST('2' AS bit)", True),
    ("CAST('0' AS bit)", False),
]

TEXTS: list[tuple[str, Value]] = [
    ("CAST(-42 AS varchar(10))", "-42"),
    ("CAST(42 AS char(5))", "42   "),
    ("CAST(42 AS nvarchar(5))", "42"),
    ("CAST(123456 AS varchar(3))", "*"),
    ("CAST(123456 AS char(3))", "*  "),
    ("CAST(CAST(200 AS tinyint) AS varchar(2))", "*"),
    ("CAST(CAST(1 AS bit) AS varchar(5))", "1"),
    ("CAST(12.50 AS varchar(10))", "12.50"),
    ("CAST(-0.5 AS varchar(10))", "-0.5"),
    ("CAST(1000000000000000000000 AS varchar(30))", "1000000000000000000000"),
    ("CAST(CAST(0.0000001 AS decimal(10,7)) AS varchar(30))", "0.0000001"),
    ("CAST(CAST(4235.9819 AS money) AS varchar(20))", "4235.98"),
    ("CONVERT(varchar(20), CAST(4235.9819 AS money), 0)", "4235.98"),
    ("CONVERT(varchar(20), CAST(3510.915 AS money), 1)", "3,510.92"),
    ("CONVERT(varchar(20), CAST(4235.9819 AS money), 2)", "4235.9819"),
    ("CONVERT(varchar(20), CAST(4235.9819 AS money), 126)", "4235.9819"),
    ("CONVERT(varchar(20), CAST(-0.001 AS money))", "0.00"),
    ("CAST(1.5e0 AS varchar(30))", "1.5"),
    ("CAST(123456.789e0 AS varchar(30))", "123457"),
    ("CAST(1234567e0 AS varchar(30))", "1.23457e+006"),
    ("CAST(0.00001e0 AS varchar(30))", "1e-005"),
    ("CAST(0.0001e0 AS varchar(30))", "0.0001"),
    ("CAST(1e100 AS varchar(30))", "1e+100"),
    ("CAST(0e0 AS varchar(30))", "0"),
    ("CONVERT(varchar(30), 1234.5678e0, 1)", "1.2345678e+003"),
    ("CONVERT(varchar(30), 1234.5678e0, 2)", "1.234567800000000e+003"),
    ("CONVERT(varchar(30), 0.1e0, 3)", "1.0000000000000001e-001"),
    ("CAST('abcdef' AS varchar(3))", "abc"),
    ("CAST('abc' AS char(5))", "abc  "),
    ("CAST('abcdef' AS varchar)", "abcdef"),
    ("CAST('abc' AS nchar(5))", "abc  "),
    ("CAST(N'Ω!' AS varchar(5))", "?!"),
    ("CAST(N'€' AS varchar(5))", "€"),
    ("CAST(N'a😀' AS varchar(9))", "a??"),
    ("CAST('6F9619FF-8B86-D011-B42D-00C04FC964FF' AS varchar(36))", "6F9619FF-8B86-D011-B42D-00C04FC964FF"),
    ("CAST(CAST('<a/>' AS xml) AS nvarchar(max))", "<a/>"),
]

GUIDS: list[tuple[str, Value]] = [
    ("CAST('6f9619ff-8b86-d011-b42d-00c04fc964ff' AS uniqueidentifier)", "6F9619FF-8B86-D011-B42D-00C04FC964FF"),
    ("CAST('{6f9619ff-8b86-d011-b42d-00c04fc964ff}' AS uniqueidentifier)", "6F9619FF-8B86-D011-B42D-00C04FC964FF"),
    (
        "CAST('0E984725-C51C-4BF4-9960-E1C80E27ABA0wrong' AS uniqueidentifier)",
        "0E984725-C51C-4BF4-9960-E1C80E27ABA0",
    ),
    ("CAST(0xFF19966F868B11D0B42D00C04FC964FF AS uniqueidentifier)", "6F9619FF-8B86-D011-B42D-00C04FC964FF"),
    (
        "CAST(CAST('6F9619FF-8B86-D011-B42D-00C04FC964FF' AS uniqueidentifier) AS binary(16))",
        bytes.fromhex("FF19966F868B11D0B42D00C04FC964FF"),
    ),
]

BINARIES: list[tuple[str, Value]] = [
    ("CAST('AB' AS varbinary(10))", b"AB"),
    ("CAST(N'AB' AS varbinary(10))", b"A\0B\0"),
    ("CAST('€' AS varbinary(10))", b"\x80"),
    ("CAST('ABC' AS varbinary(2))", b"AB"),
    ("CAST('AB' AS binary(4))", b"AB\0\0"),
    ("CAST(0x4142 AS varchar(10))", "AB"),
    ("CAST(0x80 AS varchar(10))", "€"),
    ("CAST(0x41004200 AS nvarchar(10))", "AB"),
    ("CAST(CAST(0x41 AS nvarchar) AS varbinary)", b"A\0"),
    ("CAST(1 AS varbinary(8))", b"\0\0\0\1"),
    ("CAST(1 AS binary(8))", b"\0\0\0\0\0\0\0\1"),
    ("CAST(258 AS binary(1))", b"\2"),
    ("CAST(-1 AS varbinary(8))", b"\xff\xff\xff\xff"),
    ("CAST(CAST(5 AS tinyint) AS varbinary(8))", b"\5"),
    ("CAST(CAST(1 AS money) AS varbinary(8))", b"\0\0\0\0\0\0\x27\x10"),
    ("CAST(0x0102 AS int)", 258),
    ("CAST(0xFFFFFFFF AS int)", -1),
    ("CAST(0xFF AS tinyint)", 255),
    ("CAST(0x0102030405 AS int)", 0x02030405),
    ("CAST(0x00 AS bit)", False),
    ("CAST(0x2710 AS money)", Decimal("1.0000")),
    ("CONVERT(varchar(10), 0x4E61, 0)", "Na"),
    ("CONVERT(varchar(10), 0x4E61, 1)", "0x4E61"),
    ("CONVERT(varchar(10), 0x4E61, 2)", "4E61"),
    ("CONVERT(varbinary(10), '0x4e61', 1)", b"Na"),
    ("CONVERT(varbinary(10), '4E61', 2)", b"Na"),
    ("CONVERT(varbinary(1), '4E61', 2)", b"N"),
]


@pytest.mark.parametrize(("text", "value"), NUMBERS + NUMBERS_OF_TEXT + TEXTS + GUIDS + BINARIES)
def test_a_conversion_has_the_documented_result(text: str, value: Value) -> None:
    assert_same(evaluated(text), value)


@pytest.mark.parametrize(("text", "value"), NUMBERS + NUMBERS_OF_TEXT + TEXTS + GUIDS + BINARIES)
def test_try_cast_and_try_convert_have_the_same_result(text: str, value: Value) -> None:
    assert_same(evaluated(text.replace("CAST(", "TRY_CAST(").replace("CONVERT(", "TRY_CONVERT(")), value)


FAILURES = [
    ("CAST('x' AS int)", "conversion_failed"),
    ("CAST('1.5' AS int)", "conversion_failed"),
    ("CAST('1,000' AS int)", "conversion_failed"),
    ("CAST('1 2' AS int)", "conversion_failed"),
    ("CAST('-' AS int)", "conversion_failed"),
    ("CAST(N'٣' AS int)", "conversion_failed"),
    ("CAST('' AS decimal(5,2))", "conversion_failed"),
    ("CAST('1e3' AS decimal(5,2))", "conversion_failed"),
    ("CAST('x' AS float)", "conversion_failed"),
    ("CAST('nan' AS float)", "conversion_failed"),
    ("CAST('--5' AS money)", "conversion_failed"),
    ("CAST('yes' AS bit)", "conversion_failed"),
    ("CAST('not a guid' AS uniqueidentifier)", "conversion_failed"),
    ("CAST('{6f9619ff-8b86-d011-b42d-00c04fc964ff' AS uniqueidentifier)", "conversion_failed"),
    ("CONVERT(varbinary(4), 'ABC', 2)", "conversion_failed"),
    ("CONVERT(varbinary(4), 'ABCD', 1)", "conversion_failed"),
    ("CONVERT(varbinary(4), '0xXY', 1)", "conversion_failed"),
    ("CAST('3000000000' AS int)", "overflow"),
    ("CAST(300 AS tinyint)", "overflow"),
    ("CAST(-1 AS tinyint)", "overflow"),
    ("CAST(1e10 AS int)", "overflow"),
    ("CAST(3000000000.5 AS int)", "overflow"),
    ("CAST(1000 AS decimal(5,2))", "overflow"),
    ("CAST(999.995 AS decimal(5,2))", "overflow"),
    ("CAST(1e300 AS decimal(38,0))", "overflow"),
    ("CAST('1000' AS decimal(5,2))", "overflow"),
    ("CAST(300000 AS smallmoney)", "overflow"),
    ("CAST(1e39 AS real)", "overflow"),
    ("CAST(123456 AS nvarchar(3))", "overflow"),
    ("CAST(123456 AS nchar(3))", "overflow"),
    ("CAST(CAST(123456 AS bigint) AS varchar(3))", "overflow"),
    ("CAST(12.50 AS varchar(3))", "overflow"),
    ("CAST(CAST(12.5 AS money) AS varchar(3))", "overflow"),
    ("CAST(12.25e0 AS varchar(3))", "overflow"),
    ("CAST(CAST('6F9619FF-8B86-D011-B42D-00C04FC964FF' AS uniqueidentifier) AS varchar(20))", "overflow"),
    ("CAST(N'a😀' AS nvarchar(2))", "invalid_argument"),
]


@pytest.mark.parametrize(("text", "code"), FAILURES)
def test_a_value_that_cannot_be_converted_fails_when_it_is_evaluated(text: str, code: str) -> None:
    assert failure_of(text) == code


@pytest.mark.parametrize(("text", "_code"), FAILURES)
def test_try_gives_null_for_a_value_that_cannot_be_converted(text: str, _code: str) -> None:
    outermost = text.replace("CAST(", "TRY_CAST(", 1) if text.startswith("CAST(") else f"TRY_{text}"
    assert evaluated(outermost) is None


def test_try_does_not_hide_a_failure_of_its_argument() -> None:
    assert failure_of("TRY_CAST(1 / 0 AS varchar(10))") == "divide_by_zero"
    assert failure_of("TRY_CONVERT(int, CAST('x' AS int))") == "conversion_failed"


TYPES = [
    ("CAST('a' AS varchar)", "varchar(30)"),
    ("CAST('a' AS char)", "char(30)"),
    ("CAST('a' AS nvarchar)", "nvarchar(30)"),
    ("CONVERT(nchar, 'a')", "nchar(30)"),
    ("CAST('a' AS varbinary)", "varbinary(30)"),
    ("CAST('a' AS varchar(MAX))", "varchar(max)"),
    ("CAST(1 AS decimal)", "decimal(18,0)"),
    ("CAST(1 AS decimal(5))", "decimal(5,0)"),
    ("CAST(1 AS numeric( 5 , 2 ))", "numeric(5,2)"),
    ("CAST('20240131' AS datetime2)", "datetime2(7)"),
    ("CAST('10:00' AS time(3))", "time(3)"),
    ("CAST(1 AS [int])", "int"),
    ("TRY_CAST('x' AS int)", "int"),
    ("TRY_CONVERT(date, '20240131', 112)", "date"),
    ("CONVERT(date, NULL, 112)", "date"),
    ("CONVERT(date, '20240131', NULL)", "date"),
]


@pytest.mark.parametrize(("text", "data_type"), TYPES)
def test_a_conversion_has_the_type_it_names(text: str, data_type: str) -> None:
    assert type_of(text) == data_type


def test_cast_without_a_length_keeps_30_characters() -> None:
    assert evaluated(f"CAST('{'x' * 40}' AS varchar)") == "x" * 30


PARAMETERS = [
    "varchar(0)",
    "varchar(8001)",
    "nvarchar(4001)",
    "decimal(39,2)",
    "decimal(5,6)",
    "time(8)",
    "int(5)",
    "float(54)",
]


@pytest.mark.parametrize("data_type", PARAMETERS)
def test_a_parameter_of_a_type_that_is_out_of_range_is_a_fault(data_type: str) -> None:
    (fault,) = faults_of(f"CAST(1 AS {data_type})")
    assert (fault.column, fault.found, fault.suggestion) == (11, data_type, "")


def test_convert_with_a_null_style_is_null() -> None:
    assert evaluated("CONVERT(date, '20240131', NULL)") is None


NOT_ALLOWED = [
    "CAST(CAST('2024-01-31' AS date) AS int)",
    "CAST(CAST('2024-01-31' AS date) AS time)",
    "CAST(CAST('10:00' AS time) AS date)",
    "CAST(CAST('2024-01-31' AS datetime2) AS float)",
    "CAST(1 AS date)",
    "CAST(1 AS datetime2)",
    "CAST(1 AS uniqueidentifier)",
    "CAST(1.5e0 AS varbinary(8))",
    "CAST(0x01 AS float)",
    "CAST(1 AS text)",
    "CAST(CAST('a' AS text) AS int)",
    "CAST(CAST('<a/>' AS xml) AS int)",
    "TRY_CAST(1 AS date)",
]


@pytest.mark.parametrize("text", NOT_ALLOWED)
def test_a_conversion_that_does_not_exist_is_a_fault(text: str) -> None:
    (fault,) = faults_of(text)
    assert "cannot be converted" in fault.message


def test_large_text_becomes_text_and_nothing_else() -> None:
    assert evaluated("CAST(a AS varchar(3))", {"a": ("text", "abcdef")}) == "abc"
    assert evaluated("CAST(a AS nvarchar(3))", {"a": ("ntext", "Ωbcdef")}) == "Ωbc"
    assert evaluated("CAST(a AS varbinary(1))", {"a": ("image", b"ab")}) == b"a"


STYLES = [
    "CONVERT(varchar(10), CAST('2024-01-31' AS date), 99)",
    "CONVERT(date, '2024-01-31', 99)",
    "CONVERT(varchar(10), CAST('2024-01-31' AS date), 108)",
    "CONVERT(varchar(10), CAST('10:00' AS time), 101)",
    "CONVERT(varchar(10), CAST('2024-01-31' AS date), 131)",
    "CONVERT(varbinary(10), 'AB', 5)",
    "CONVERT(varchar(10), 0x41, 5)",
]


@pytest.mark.parametrize("text", STYLES)
def test_a_style_that_does_not_go_with_the_types_is_a_fault(text: str) -> None:
    (fault,) = faults_of(text)
    assert "style" in fault.message


def test_the_style_must_be_a_constant() -> None:
    assert "constant" in faults_of("CONVERT(varchar(10), a, b)", {"a": "date", "b": "int"})[0].message
    assert "constant" in faults_of("CONVERT(varchar(10), a, 'x')", {"a": "date"})[0].message
    assert evaluated("CONVERT(varchar(10), a, 100 + 12)", {"a": ("date", CLOCK.date())}) == "20240506"


def test_an_error_never_shows_the_value() -> None:
    compiled = compile_expression("CAST(a AS int)", {"a": parse_type("varchar(20)")})
    with pytest.raises(EvaluationError) as caught:
        compiled.evaluate(["secret"], CLOCK)
    assert "secret" not in str(caught.value)
    assert caught.value.explanation


def test_numbers_and_datetimes_are_days_since_1900() -> None:
    assert evaluated("CAST(0 AS datetime)") == datetime.fromisoformat("1900-01-01")
    assert evaluated("CAST(45320 AS datetime)") == datetime.fromisoformat("2024-01-31")
    assert evaluated("CAST(45320.25 AS datetime)") == datetime.fromisoformat("2024-01-31 06:00")
    assert evaluated("CAST(-1.5e0 AS datetime)") == datetime.fromisoformat("1899-12-30 12:00")
    assert evaluated("CAST(CAST('2024-01-31 11:59' AS datetime) AS int)") == 45320
    assert evaluated("CAST(CAST('2024-01-31 12:00' AS datetime) AS int)") == 45321
    assert evaluated("CAST(CAST('2024-01-31 06:00' AS datetime) AS float)") == 45320.25
    assert_same(evaluated("CAST(CAST('2024-01-31 06:00' AS datetime) AS decimal(10,2))"), Decimal("45320.25"))
    assert failure_of("CAST(-100000 AS datetime)") == "overflow"
    assert failure_of("CAST(99999999 AS datetime)") == "overflow"
