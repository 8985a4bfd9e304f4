"""How rows go to SQL Server: the statements of a table, word by word, and the types that its values are bound with."""

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Literal

import pytest

from tests.database.demo_tables import LINES, NOTES, ORDERS
from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.values.sqltypes import TYPES, parse_type
from xml_extractor.values.times import parse_datetime

pyodbc = pytest.importorskip("pyodbc", reason="pyodbc cannot be loaded: unixODBC is missing", exc_type=ImportError)
statements = pytest.importorskip("xml_extractor.targets.sqlserver.statements", exc_type=ImportError)
json_batches = pytest.importorskip("xml_extractor.targets.sqlserver.json_batches", exc_type=ImportError)

OnConflict = Literal["fail", "keep", "replace"]

GUARD = "IF @@TRANCOUNT = 0 BEGIN; THROW 2147483647, N'the transaction has ended', 1; END ELSE "
PLAIN = "INSERT INTO [dbo].[demo_lines] ([order_id], [line_no], [article]) VALUES (?, ?, ?)"
COUNTED_GUARD = GUARD.removesuffix("ELSE ") + "SELECT NULL AS nothing; "
IF_ABSENT = (
    "INSERT INTO [dbo].[demo_lines] ([order_id], [line_no], [article]) "
    "SELECT [order_id], [line_no], [article] "
    "FROM (VALUES (CAST(? AS int), CAST(? AS smallint), ?)) AS given "
    "([order_id], [line_no], [article]) "
    "WHERE NOT EXISTS (SELECT 1 FROM [dbo].[demo_lines] AS there WITH (UPDLOCK, HOLDLOCK) "
    "WHERE there.[order_id] = given.[order_id] AND there.[line_no] = given.[line_no]); "
    "SELECT @@ROWCOUNT AS xml_extractor_rows"
)
UPDATE = (
    "UPDATE [dbo].[demo_lines] SET [article] = ? WHERE [order_id] = CAST(? AS int) AND [line_no] = CAST(? AS smallint)"
)


@pytest.mark.parametrize(
    ("on_conflict", "changes"),
    [
        ("fail", [(PLAIN, (0, 1, 2))]),
        ("keep", [(IF_ABSENT, (0, 1, 2))]),
        ("replace", [(IF_ABSENT, (0, 1, 2)), (UPDATE, (2, 0, 1))]),
    ],
)
def test_each_way_to_treat_conflicts_has_its_statements_and_none_is_a_merge(
    on_conflict: OnConflict, changes: list[tuple[str, tuple[int, ...]]]
) -> None:
    made = statements.table_statements(replace(LINES, on_conflict=on_conflict), "dbo")
    guarded = [(GUARD + sql if sql != IF_ABSENT else COUNTED_GUARD + sql, columns) for sql, columns in changes]
    assert [tuple(change) for change in made.changes] == guarded


def test_a_table_without_key_in_the_document_is_always_inserted_into() -> None:
    for on_conflict in ("keep", "replace"):
        keyless = replace(NOTES, key=(), on_conflict=on_conflict)
        (change,) = statements.table_statements(keyless, "").changes
        assert change.sql == GUARD + "INSERT INTO [demo_notes] ([order_id], [text]) VALUES (?, ?)"


@pytest.mark.parametrize("on_conflict", ["keep", "replace"])
def test_keys_of_a_code_page_are_compared_in_the_collation_of_their_column(on_conflict: OnConflict) -> None:
    columns = (*ORDERS.columns, ColumnLayout("code", parse_type("varchar(5)")), ColumnLayout("t", parse_type("text")))
    table = replace(ORDERS, columns=columns, key=("order_id", "code"), on_conflict=on_conflict)
    assert statements.collated_keys(table) == ["code"]
    made = statements.table_statements(table, "", (("code", "Cyrillic_General_CI_AS"),))
    for change in made.changes:
        assert change.sql.count("CAST(? COLLATE Cyrillic_General_CI_AS AS varchar(5))") == 1
        assert change.sql.count("COLLATE") == 1


def test_keys_are_not_compared_where_conflicts_fail() -> None:
    columns = (*ORDERS.columns, ColumnLayout("code", parse_type("varchar(5)")))
    assert statements.collated_keys(replace(ORDERS, columns=columns, key=("code",))) == []


def test_white_space_in_xml_is_kept() -> None:
    assert statements.parameter(parse_type("xml")).place == "CONVERT(xml, ?, 1)"


def test_names_are_quoted_and_the_contracts_schema_goes_before_the_addresss() -> None:
    table = replace(ORDERS, table="sales.odd]name")
    assert statements.table_statements(table, "etl").name == "[sales].[odd]]name]"
    assert statements.table_statements(ORDERS, "etl").name == "[etl].[demo_orders]"


@pytest.mark.parametrize("name", TYPES)
def test_every_type_is_bound_with_a_type_of_its_own(name: str) -> None:
    bound = statements.parameter(parse_type(name))
    assert bound.odbc_type[0] != 0
    assert bound.place.count("?") == 1
    assert bound.reserved_bytes > 0


@pytest.mark.parametrize("name", TYPES)
def test_a_null_in_the_first_row_is_bound_as_the_values_behind_it(name: str) -> None:
    assert statements.parameter(parse_type(name)).odbc_type[0] not in (pyodbc.SQL_VARCHAR, pyodbc.SQL_CHAR)


@pytest.mark.parametrize(
    ("type_name", "expected"),
    [
        ("int", ("SQL_INTEGER", 0, 0)),
        ("decimal(12,2)", ("SQL_DECIMAL", 12, 2)),
        ("money", ("SQL_DECIMAL", 19, 4)),
        ("varchar(40)", ("SQL_WVARCHAR", 40, 0)),
        ("nvarchar(4000)", ("SQL_WVARCHAR", 4000, 0)),
        ("varchar(8000)", ("SQL_WVARCHAR", 0, 0)),
        ("varbinary(8000)", ("SQL_VARBINARY", 8000, 0)),
        ("datetime2(0)", ("SQL_TYPE_TIMESTAMP", 19, 0)),
        ("datetime2(3)", ("SQL_TYPE_TIMESTAMP", 23, 3)),
        ("datetime", ("SQL_TYPE_TIMESTAMP", 23, 3)),
        ("smalldatetime", ("SQL_TYPE_TIMESTAMP", 19, 0)),
        ("datetime2(6)", ("SQL_TYPE_TIMESTAMP", 26, 6)),
        ("datetime2(7)", ("SQL_WVARCHAR", 27, 0)),
        ("time(7)", ("SQL_WVARCHAR", 16, 0)),
        ("datetimeoffset(7)", ("SQL_WVARCHAR", 33, 0)),
    ],
)
def test_sizes_and_scales_are_those_of_the_type(type_name: str, expected: tuple[str, int, int]) -> None:
    name, size, scale = expected
    assert statements.parameter(parse_type(type_name)).odbc_type == (getattr(pyodbc, name), size, scale)


@pytest.mark.parametrize(
    ("type_name", "values", "size"),
    [
        ("nvarchar(max)", [None, "x" * 4000], 4000),
        ("nvarchar(max)", [None, "x" * 4001], 0),
        ("nvarchar(max)", ["\U0001f600" * 2000], 4000),
        ("nvarchar(max)", ["\U0001f600" * 2001], 0),
        ("varbinary(max)", [b"x" * 8000], 8000),
        ("varbinary(max)", [b"x" * 8001, None], 0),
        ("xml", ["<a/>"], 4000),
    ],
)
def test_long_types_are_bound_in_place_only_while_all_values_are_short(
    type_name: str, values: list[object], size: int
) -> None:
    bound = statements.parameter(parse_type(type_name))
    assert bound.odbc_type_for([(value,) for value in values], 0)[1] == size


def test_rows_of_wide_tables_go_in_several_calls_so_that_their_array_stays_small() -> None:
    columns = tuple(ColumnLayout(f"c{number}", parse_type("nvarchar(max)")) for number in range(20))
    wide = statements.table_statements(TableLayout("w", "w", columns, (), (), (), "fail"), "")
    row_bytes = sum(bound.reserved_bytes for bound in wide.parameters)
    assert row_bytes > 20 * 8000
    assert wide.rows_in_call == statements.MAX_ARRAY_BYTES // row_bytes
    assert statements.table_statements(LINES, "").rows_in_call > 100_000


def test_seven_digits_of_a_second_are_sent_and_read_as_text() -> None:
    """pyodbc's dates and times have six digits."""
    names = ("time(7)", "datetime2(7)", "datetimeoffset(7)")
    columns = tuple(ColumnLayout(name[:-3], parse_type(name)) for name in names)
    table = TableLayout("t", "t", columns, (), (), (), "fail")
    moment = parse_datetime("2026-03-05T09:30:00.1234567")
    row = (moment.time(), moment, moment.replace(tzinfo=timezone(timedelta(hours=-5, minutes=-30))))
    bound = ("09:30:00.1234567", "2026-03-05T09:30:00.1234567", "2026-03-05 09:30:00.1234567-05:30")
    found = statements.table_statements(table, "")
    assert statements.row_binder(table)(row) == bound
    assert found.changes[0].sql.endswith(
        "VALUES (CAST(? AS time(7)), CAST(? AS datetime2(7)), CAST(? AS datetimeoffset(7)))"
    )
    assert all(len(text) <= parameter.odbc_type[1] for text, parameter in zip(bound, found.parameters, strict=True))
    assert json_batches.json_rows(table, [bound], only_plain=False) == json.dumps([bound], separators=(",", ":"))
    assert "WITH (c0 time(7) '$[0]', c1 datetime2(7) '$[1]', c2 datetimeoffset(7) '$[2]')" in (
        json_batches.batch_statement((table,), "", ((),))
    )
    assert found.select.startswith("SELECT CONVERT(varchar(34), [time], 121), CONVERT(varchar(34), [datetime2], 121), ")
    assert found.restore((bound[0], bound[1].replace("T", " "), "2026-03-05 09:30:00.1234567 -05:30")) == row
    plain = datetime.fromisoformat("2026-03-05T09:30:00.000001")
    assert statements.row_binder(table)((None, plain, None)) == (None, "2026-03-05T09:30:00.000001", None)
