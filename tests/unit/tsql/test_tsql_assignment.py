from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest

from tests.unit.tsql.tsql_evaluation import assert_same
from xml_extractor.documents import Value
from xml_extractor.tsql import EvaluationError, ExpressionError, compile_assignment
from xml_extractor.values.sqltypes import parse_type

ASSIGNED: list[tuple[str, str, Value, Value]] = [
    ("int", "int", 5, 5),
    ("int", "int", None, None),
    ("int", "bigint", 5, 5),
    ("int", "decimal(10,2)", 5, Decimal("5.00")),
    ("int", "varchar(10)", 42, "42"),
    ("int", "float", 5, 5.0),
    ("int", "bit", 7, True),
    ("bit", "int", True, 1),
    ("decimal(10,4)", "decimal(10,2)", Decimal("1.2350"), Decimal("1.24")),
    ("decimal(10,4)", "int", Decimal("1.9999"), 1),
    ("decimal(10,4)", "varchar(20)", Decimal("1.5000"), "1.5000"),
    ("decimal(19,6)", "money", Decimal("1.234567"), Decimal("1.2346")),
    ("money", "decimal(10,2)", Decimal("1.2350"), Decimal("1.24")),
    ("float", "decimal(10,2)", 1.125, Decimal("1.13")),
    ("varchar(10)", "varchar(3)", "abc   ", "abc"),
    ("varchar(10)", "varchar(3)", "abc", "abc"),
    ("varchar(10)", "nvarchar(10)", "abc", "abc"),
    ("nvarchar(10)", "varchar(10)", "Ωa", "?a"),
    ("varchar(10)", "char(5)", "ab", "ab   "),
    ("varchar(10)", "int", "42", 42),
    ("varchar(10)", "date", "20240131", date(2024, 1, 31)),
    ("varchar(40)", "uniqueidentifier", "6f9619ff-8b86-d011-b42d-00c04fc964ff", "6F9619FF-8B86-D011-B42D-00C04FC964FF"),
    ("varchar(40)", "xml", "<a/>", "<a/>"),
    ("varchar(40)", "text", "abc", "abc"),
    ("varbinary(4)", "binary(4)", b"a", b"a\0\0\0"),
    ("varbinary(4)", "varbinary(1)", b"a\0", b"a"),
    ("date", "datetime2", date(2024, 1, 31), datetime.fromisoformat("2024-01-31")),
    ("date", "varchar(10)", date(2024, 1, 31), "2024-01-31"),
    (
        "datetime2",
        "datetime2(0)",
        datetime.fromisoformat("2024-01-31 10:00:00.5"),
        datetime.fromisoformat("2024-01-31 10:00:01"),
    ),
    ("datetime2", "date", datetime.fromisoformat("2024-01-31 10:00"), date(2024, 1, 31)),
    ("datetime2", "datetimeoffset", datetime.fromisoformat("2024-01-31 10:00"), datetime(2024, 1, 31, 10, tzinfo=UTC)),
    ("time", "time(0)", time(10, 0, 0, 500000), time(10, 0, 1)),
    ("datetime", "varchar(30)", datetime.fromisoformat("2024-01-31 10:00"), "Jan 31 2024 10:00AM"),
]


@pytest.mark.parametrize(("source", "target", "value", "expected"), ASSIGNED)
def test_a_value_is_assigned_as_insert_does_it(source: str, target: str, value: Value, expected: Value) -> None:
    assign = compile_assignment(parse_type(source), parse_type(target))
    assert_same(assign(value), expected)
    assert assign(None) is None


FAILURES: list[tuple[str, str, Value, str]] = [
    ("varchar(10)", "varchar(3)", "abcd", "truncation"),
    ("varchar(10)", "char(3)", "abcd", "truncation"),
    ("nvarchar(10)", "nvarchar(3)", "ab😀", "truncation"),
    ("varbinary(10)", "varbinary(3)", b"abcd", "truncation"),
    ("date", "varchar(4)", date(2024, 1, 31), "truncation"),
    ("int", "varchar(2)", 1234, "overflow"),
    ("int", "tinyint", 256, "overflow"),
    ("decimal(10,2)", "decimal(4,2)", Decimal("100.00"), "overflow"),
    ("decimal(10,2)", "varchar(3)", Decimal("100.00"), "overflow"),
    ("float", "int", 1e10, "overflow"),
    ("varchar(10)", "int", "secret", "conversion_failed"),
    ("varchar(10)", "date", "2024-31-01", "conversion_failed"),
    ("date", "smalldatetime", date(1800, 1, 1), "overflow"),
]


@pytest.mark.parametrize(("source", "target", "value", "code"), FAILURES)
def test_a_value_that_a_column_cannot_hold_is_refused(source: str, target: str, value: Value, code: str) -> None:
    assign = compile_assignment(parse_type(source), parse_type(target))
    with pytest.raises(EvaluationError) as caught:
        assign(value)
    assert caught.value.code == code
    assert str(value) not in caught.value.explanation


NO_ASSIGNMENT = [
    ("money", "varchar(20)"),
    ("varchar(20)", "varbinary(20)"),
    ("datetime", "int"),
    ("date", "int"),
    ("int", "date"),
    ("time", "date"),
    ("xml", "varchar(20)"),
    ("uniqueidentifier", "int"),
    ("int", "text"),
    ("float", "varbinary(8)"),
]


@pytest.mark.parametrize(("source", "target"), NO_ASSIGNMENT)
def test_types_without_an_implicit_conversion_are_a_fault(source: str, target: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_assignment(parse_type(source), parse_type(target))
    (fault,) = caught.value.faults
    assert (fault.found, fault.expected) == (str(parse_type(source)), str(parse_type(target)))


def test_a_conversion_that_needs_cast_says_so() -> None:
    with pytest.raises(ExpressionError, match="only by CAST"):
        compile_assignment(parse_type("money"), parse_type("varchar(20)"))
