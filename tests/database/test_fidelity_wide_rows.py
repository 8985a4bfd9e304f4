"""Rows with as many columns, or as many bytes, as SQL Server allows, and with more."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from typing import Literal

import pytest

from tests.database.binding import bind, bound, insert_rows
from tests.database.demo_tables import CONTRACT
from tests.sqlserver import is_sql_server
from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.documents import MappedDocument, Row, Value
from xml_extractor.targets.interfaces import TargetConnection
from xml_extractor.targets.loader import Loader, LogIdentity
from xml_extractor.targets.registry import open_target
from xml_extractor.values.sqltypes import parse_type

OnConflict = Literal["fail", "keep", "replace"]

COLUMNS = 1000
LONG_COLUMNS = 20
ALL = range(LONG_COLUMNS)
ROWS_IN_CALL = 104
"""Of a table with so many long columns, on SQL Server."""

TYPES = ("int", "varchar(20)", "nvarchar(9)", "decimal(9,2)", "datetime2(3)")


VALUES: dict[str, Value] = {
    "int": -(2**31),
    "varchar": "é",
    "nvarchar": "😀",
    "decimal": Decimal("-0.01"),
    "datetime2": datetime(2026, 3, 5, 9, 30, 0, 123000),  # noqa: DTZ001 - datetime columns have no zone
}


def table_of(name: str, types: Sequence[str], mode: OnConflict = "fail") -> TableLayout:
    key = ColumnLayout("no", parse_type("int"), required=True)
    columns = tuple(ColumnLayout(f"c{number}", parse_type(type_name)) for number, type_name in enumerate(types))
    return TableLayout(name, name, (key, *columns), (), ("no",), (), mode)


MANY = table_of("many", [TYPES[number % len(TYPES)] for number in range(COLUMNS - 1)])
FIXED = table_of("fixed", ["char(4000)", "nchar(2000)", "char(48)", "tinyint"])
TEXTS = table_of("texts", ["varchar(20)"] * 999)
VARIABLE = table_of("variable", ["varchar(8000)", "nvarchar(4000)", "varbinary(8000)"])
LONG = {mode: table_of(f"long_{mode}", ["nvarchar(max)"] * LONG_COLUMNS, mode) for mode in ("fail", "replace")}
TABLES = [MANY, FIXED, TEXTS, VARIABLE, *LONG.values()]


@pytest.fixture(scope="module")
def connection(shared_address: str) -> Iterator[TargetConnection]:
    target = open_target(shared_address, CONTRACT)
    target.create(TABLES)
    target.prepare(TABLES)
    with closing(target.connect()) as opened:
        yield opened


def load(connection: TargetConnection, table: TableLayout, *rows: Row) -> list[str]:
    """Load each row as a document, in one batch; says the codes of their rejections."""
    loader = Loader(connection, [table], LogIdentity(table.name, 1, "", "run"))
    documents = [MappedDocument(str(row[0]), ((row,),), "", 0.0) for row in rows]
    outcomes = loader.load([bound(connection, [table], document) for document in documents])
    return [outcome.failure.code if outcome.failure else "" for outcome in outcomes]


def rows_of(connection: TargetConnection, table: TableLayout) -> list[Row]:
    return sorted(connection.read_rows(table), key=lambda row: int(str(row[0])))


def test_rows_of_a_thousand_columns_come_back(connection: TargetConnection) -> None:
    filled = [VALUES[column.type.name] for column in MANY.columns[1:]]
    every_third = [value if number % 3 == 0 else None for number, value in enumerate(filled)]
    rows: list[Row] = [(1, *[None] * len(filled)), (2, *filled), (3, *every_third)]
    assert load(connection, MANY, *rows) == ["", "", ""]
    assert rows_of(connection, MANY) == rows


def test_a_row_of_just_the_bytes_that_a_page_takes_comes_back(connection: TargetConnection) -> None:
    row: Row = (1, "x" * 4000, "ж" * 2000, "y" * 48, 255)
    assert load(connection, FIXED, row, (2, None, None, None, None)) == ["", ""]
    assert rows_of(connection, FIXED) == [row, (2, None, None, None, None)]


def test_a_row_whose_long_columns_leave_the_page_comes_back(connection: TargetConnection) -> None:
    row: Row = (1, "é" * 8000, "😀" * 2000, b"\xff" * 8000)
    assert load(connection, VARIABLE, row, (2, "", "", b"")) == ["", ""]
    assert rows_of(connection, VARIABLE) == [row, (2, "", "", b"")]


def test_a_row_that_no_page_takes_costs_its_document(shared_address: str, connection: TargetConnection) -> None:
    on_server = shared_address.startswith("mssql")
    if on_server and not is_sql_server():
        pytest.skip("this server is no SQL Server and says by no number that a row is too large")
    short, too_large = (["a"] * 999, ["x" * 20] * 999)
    codes = load(connection, TEXTS, (1, *short), (2, *too_large), (3, *short))
    assert codes == ["", "too_large" if on_server else "", ""]
    assert [row[0] for row in rows_of(connection, TEXTS)] == ([1, 3] if on_server else [1, 2, 3])


@pytest.mark.parametrize("mode", ["fail", "replace"])
def test_rows_that_would_make_the_array_of_a_call_too_large_go_in_several_calls(
    connection: TargetConnection, mode: OnConflict
) -> None:
    table = LONG[mode]
    texts = ["", "short", "ж" * 4000, "x" * 4001, None]
    rows: list[Row] = [
        (number, *(texts[(number + column) % len(texts)] if number % 50 in (0, 49) else f"{number}" for column in ALL))
        for number in range(230)
    ]
    assert 2 * ROWS_IN_CALL < len(rows) < 3 * ROWS_IN_CALL
    with connection.transaction():
        insert_rows(connection, table, [(229, *[None] * LONG_COLUMNS)] if mode == "replace" else [])
        insert_rows(connection, table, bind(connection, table, rows))
    assert rows_of(connection, table) == rows
