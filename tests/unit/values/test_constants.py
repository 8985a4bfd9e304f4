"""Constants of a contract as values of a column."""

from datetime import date
from decimal import Decimal

import pytest

from xml_extractor.documents import Value
from xml_extractor.values.conversions import CONVERTERS, Constant, constant, converter
from xml_extractor.values.sqltypes import TYPES, Family, InvalidValueError, parse_type

EXAMPLES = {
    Family.BIT: "true",
    Family.INTEGER: "1",
    Family.DECIMAL: "1",
    Family.MONEY: "1.5",
    Family.FLOAT: "1.5",
    Family.TEXT: "a",
    Family.BINARY: "0a",
    Family.DATE: "2024-05-06",
    Family.TIME: "07:08:09",
    Family.DATETIME: "2024-05-06T07:08:00",
    Family.OFFSET: "2024-05-06T07:08:09Z",
    Family.GUID: "0f8fad5b-d9cb-469f-a165-70867728950e",
    Family.XML: "<a/>",
}


@pytest.mark.parametrize(
    ("type_name", "written", "value"),
    [
        ("int", 5, 5),
        ("int", "5", 5),
        ("bit", True, True),
        ("bit", False, False),
        ("bit", 1, True),
        ("bit", "true", True),
        ("decimal(5,2)", 5, Decimal("5.00")),
        ("decimal(5,2)", 0.1, Decimal("0.10")),
        ("decimal(5,2)", Decimal("0.10"), Decimal("0.10")),
        ("decimal(38,20)", 1e-10, Decimal("0.0000000001")),
        ("decimal(38,0)", 1e20, Decimal("1" + "0" * 20)),
        ("float", 0.1, 0.1),
        ("float", 5, 5.0),
        ("float", Decimal("1E+3"), 1000.0),
        ("varchar(5)", "007", "007"),
        ("date", "2024-05-06", date(2024, 5, 6)),
        ("varbinary(5)", "0x0a", b"\n"),
    ],
)
def test_a_constant_becomes_a_value_of_the_type(type_name: str, written: Constant, value: Value) -> None:
    result = constant(parse_type(type_name), written)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("type_name", "written", "code"),
    [
        ("tinyint", 256, "overflow"),
        ("int", 1.5, "not_a_number"),
        ("int", True, "not_a_number"),
        ("bit", 2, "not_a_boolean"),
        ("decimal(5,2)", 0.125, "too_many_decimals"),
        ("decimal(5,2)", float("inf"), "not_a_number"),
        ("decimal(5,2)", Decimal("NaN"), "not_a_number"),
        ("float", float("nan"), "not_a_number"),
        ("varchar(2)", "abc", "too_long"),
        ("varchar(5)", 7, "not_text"),
        ("nvarchar(5)", True, "not_text"),
        ("xml", 1.5, "not_text"),
        ("date", 20240506, "unknown_date_format"),
        ("date", "2024-02-30", "impossible_date"),
        ("datetimeoffset", "2024-02-03", "no_time_zone"),
        ("uniqueidentifier", 5, "not_a_uuid"),
    ],
)
def test_a_constant_is_as_strict_as_a_document(type_name: str, written: Constant, code: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        constant(parse_type(type_name), written)
    assert caught.value.code == code


def test_a_constant_is_checked_against_the_code_page_of_the_contract() -> None:
    assert constant(parse_type("varchar(5)"), "Ż", code_page="cp1250") == "Ż"
    with pytest.raises(InvalidValueError, match="not_in_code_page"):
        constant(parse_type("varchar(5)"), "Ż")


@pytest.mark.parametrize("name", TYPES)
def test_every_type_has_a_converter(name: str) -> None:
    sql_type = parse_type(name)
    text = EXAMPLES[sql_type.family]
    assert sql_type.family in CONVERTERS
    assert converter(sql_type)(text) is not None
    assert constant(sql_type, text) == converter(sql_type)(text)
