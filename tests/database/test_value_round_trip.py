"""Every type's values come back from every target as they went in."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal

import pytest

from tests.database.demo_tables import CONTRACT
from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.database import open_target
from xml_extractor.database.interfaces import Connection, Target
from xml_extractor.documents import Row, Value
from xml_extractor.values.sqltypes import TYPES, parse_type

EAST = timezone(timedelta(hours=14))
WEST = timezone(-timedelta(hours=9, minutes=30))
SECOND = datetime(2026, 2, 28, 23, 59, 58)  # noqa: DTZ001 - datetime columns have no zone
FIRST = datetime(1, 1, 1)  # noqa: DTZ001 - datetime columns have no zone
LAST = datetime(9999, 12, 31, 23, 59, 59, 999999)  # noqa: DTZ001 - datetime columns have no zone

VALUES: dict[str, list[Value]] = {
    "bit": [True, False],
    "tinyint": [0, 1, 255],
    "smallint": [-(2**15), 0, 2**15 - 1],
    "int": [-(2**31), 0, 2**31 - 1],
    "bigint": [-(2**63), 2**53 + 1, 2**63 - 1],
    "decimal(1,0)": [Decimal(0), Decimal(-9), Decimal(9)],
    "decimal(12,2)": [Decimal("0.10"), Decimal("-9999999999.99"), Decimal("9999999999.99"), Decimal("7.00")],
    "decimal(15,0)": [Decimal(999999999999999), Decimal(-999999999999999)],
    "decimal(15,2)": [Decimal("9999999999999.99"), Decimal("0.29"), Decimal("4503599627370.49")],
    "decimal(15,15)": [Decimal("0.123456789012345"), Decimal("0.000000000000001"), Decimal("-0.999999999999999")],
    "decimal(16,2)": [Decimal("99999999999999.99"), Decimal("0.10")],
    "decimal(18,0)": [Decimal(999999999999999999)],
    "decimal(38,0)": [Decimal("9" * 38), Decimal("-" + "9" * 38)],
    "decimal(38,18)": [Decimal("9" * 20 + "." + "9" * 18), Decimal("0.000000000000000001"), Decimal("1E+3")],
    "decimal(38,38)": [Decimal("0." + "1234567890" * 3 + "12345678")],
    "numeric(9,4)": [Decimal("12345.6789"), Decimal("-0.0001")],
    "money": [Decimal("922337203685477.5807"), Decimal("-922337203685477.5808"), Decimal("0.0001"), Decimal(5)],
    "smallmoney": [Decimal("214748.3647"), Decimal("-214748.3648")],
    "float": [0.1, -1.7976931348623157e308, 2.2250738585072014e-308, 1e15, 3.0, 0.30000000000000004],
    "float(24)": [0.5, 16777216.0],
    "real": [0.5, -3.4028234663852886e38],
    "char(3)": ["abc", "a  "],
    "varchar(40)": ["", " ", "O'Brien", "100%", "123", "007", "1e5", "NULL", "a\r\n\tb"],
    "varchar(max)": ["x" * 100_000],
    "nchar(2)": ["äß"],
    "nvarchar(40)": ["Größe", "日本語", "😀", "e\u0301", "\u00e9", "trailing  ", "\ufeffmark"],
    "nvarchar(max)": ["ж" * 50_000],
    "text": ["text"],
    "ntext": ["ntext ж"],
    "binary(4)": [b"\x00\x01\xfe\xff"],
    "varbinary(8)": [b"", b"\x00", b"text"],
    "varbinary(max)": [bytes(range(256)) * 400],
    "image": [b"\x89PNG"],
    "date": [date(1, 1, 1), date(2024, 2, 29), date(9999, 12, 31)],
    "time(0)": [time(0, 0), time(23, 59, 59)],
    "time(3)": [time(12, 30, 0, 1000), time(12, 30, 0, 999000)],
    "time(7)": [time(23, 59, 59, 999999), time(0, 0, 0, 1)],
    "smalldatetime": [datetime(1900, 1, 1), datetime(2079, 6, 6, 23, 59)],  # noqa: DTZ001 - it has no zone
    "datetime": [SECOND, SECOND.replace(microsecond=3000), SECOND.replace(microsecond=997000)],
    "datetime2(0)": [FIRST, SECOND],
    "datetime2(1)": [SECOND.replace(microsecond=900000)],
    "datetime2(3)": [SECOND, SECOND.replace(microsecond=1000), LAST.replace(microsecond=999000)],
    "datetime2(5)": [SECOND.replace(microsecond=10)],
    "datetime2(6)": [SECOND.replace(microsecond=1)],
    "datetime2(7)": [FIRST, SECOND, LAST],
    "datetimeoffset(0)": [SECOND.replace(tzinfo=UTC), SECOND.replace(tzinfo=EAST)],
    "datetimeoffset(3)": [SECOND.replace(microsecond=123000, tzinfo=WEST)],
    "datetimeoffset(7)": [LAST.replace(tzinfo=UTC), SECOND.replace(microsecond=1, tzinfo=EAST)],
    "uniqueidentifier": ["6F9619FF-8B86-D011-B42D-00C04FC964FF"],
    "xml": ["<a>ж &amp; <b/></a>"],
}
CASES = [(type_name, value) for type_name, values in VALUES.items() for value in [*values, None]]


def table_of(type_name: str) -> TableLayout:
    column = ColumnLayout("value", parse_type(type_name))
    row_number = ColumnLayout("row_no", parse_type("int"), required=True)
    return TableLayout("values", "demo_values", (row_number, column), (), ("row_no",), (), "fail")


def through(target: Target, table: TableLayout, rows: list[Row]) -> list[Row]:
    target.create([table])
    connection: Connection = target.connect()
    try:
        with connection.transaction():
            connection.insert_rows(table, rows)
        return sorted(connection.read_rows(table), key=repr)
    finally:
        connection.close()


@pytest.mark.parametrize(("type_name", "value"), CASES, ids=lambda part: ascii(part)[:40])
def test_a_value_comes_back_as_it_went_in(target_address: str, type_name: str, value: Value) -> None:
    target = open_target(target_address, CONTRACT)
    ((_, read),) = through(target, table_of(type_name), [(1, value)])
    assert read == value
    assert type(read) is type(value)
    if isinstance(value, datetime) and isinstance(read, datetime):
        assert read.utcoffset() == value.utcoffset()


@pytest.mark.parametrize("type_name", VALUES)
def test_null_and_values_can_follow_each_other_in_one_call(target_address: str, type_name: str) -> None:
    values: list[Value] = [None, *VALUES[type_name], None, *VALUES[type_name]]
    rows: list[Row] = list(enumerate(values))
    target = open_target(target_address, CONTRACT)
    assert through(target, table_of(type_name), rows) == sorted(rows, key=repr)


@pytest.mark.parametrize("name", TYPES)
def test_no_type_is_left_out(name: str) -> None:
    assert any(parse_type(type_name).name == name for type_name in VALUES)


@pytest.mark.parametrize(
    ("type_name", "value", "text"),
    [
        ("decimal(12,2)", Decimal("7.00"), "7.00"),
        ("decimal(12,2)", Decimal("0.10"), "0.10"),
        ("decimal(38,18)", Decimal(1), "1.000000000000000000"),
        ("money", Decimal(5), "5.0000"),
    ],
)
def test_decimals_come_back_with_the_scale_of_their_type(
    target_address: str, type_name: str, value: Value, text: str
) -> None:
    ((_, read),) = through(open_target(target_address, CONTRACT), table_of(type_name), [(1, value)])
    assert str(read) == text


def test_a_row_of_all_types_comes_back_as_it_went_in(target_address: str) -> None:
    columns = tuple(ColumnLayout(f"c{number}", parse_type(name)) for number, name in enumerate(VALUES))
    table = TableLayout("all_types", "demo_all_types", columns, (), (), (), "fail")
    row: Row = tuple(values[0] for values in VALUES.values())
    target = open_target(target_address, CONTRACT)
    assert through(target, table, [row]) == [row]
