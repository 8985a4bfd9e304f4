"""How rows go to SQL Server as JSON: the statement for all tables, and values as JSON."""

import json
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal, DecimalException
from typing import Any, Literal

import pytest

from tests.database.demo_tables import LINES, NOTES, ORDERS
from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.documents import Row
from xml_extractor.values.sqltypes import TYPES, parse_type

pytest.importorskip("pyodbc", reason="pyodbc cannot be loaded: unixODBC is missing", exc_type=ImportError)
errors = pytest.importorskip("xml_extractor.targets.sqlserver.errors", exc_type=ImportError)
json_batches = pytest.importorskip("xml_extractor.targets.sqlserver.json_batches", exc_type=ImportError)


def table_of(type_name: str) -> TableLayout:
    return replace(ORDERS, columns=(ColumnLayout("a", parse_type(type_name)),))


def test_one_statement_inserts_into_all_tables_within_the_transaction_and_says_where_it_fails() -> None:
    assert json_batches.batch_statement((LINES, NOTES), "dbo", ((), ())) == (
        "IF @@TRANCOUNT = 0 BEGIN; THROW 2147483647, N'the transaction has ended', 1; END DECLARE @at int; "
        "SAVE TRANSACTION documents; BEGIN TRY "
        "SET @at = 0; INSERT INTO [dbo].[demo_lines] ([order_id], [line_no], [article]) SELECT c0 AS [order_id], "
        "c1 AS [line_no], c2 AS [article] "
        "FROM OPENJSON(?) WITH (c0 int '$[0]', c1 smallint '$[1]', c2 nvarchar(20) '$[2]'); "
        "SET @at = 1; INSERT INTO [dbo].[demo_notes] ([order_id], [text]) SELECT c0 AS [order_id], c1 AS [text] FROM "
        "OPENJSON(?) WITH (c0 int '$[0]', c1 nvarchar(max) '$[1]'); "
        "END TRY BEGIN CATCH DECLARE @is_undone int = CASE WHEN XACT_STATE() = 1 THEN 1 ELSE 0 END; "
        "IF @is_undone = 1 ROLLBACK TRANSACTION documents; SELECT @at, @is_undone; THROW; END CATCH"
    )


def test_an_identity_column_takes_the_documents_values_for_its_own_insert_only() -> None:
    table = replace(ORDERS, columns=(replace(ORDERS.columns[0], identity=True), *ORDERS.columns[1:]))
    statement = json_batches.batch_statement((table,), "", ((),))
    before, _, after = statement.partition("INSERT INTO [demo_orders]")
    assert before.endswith("SET IDENTITY_INSERT [demo_orders] ON; ")
    assert "SET IDENTITY_INSERT [demo_orders] OFF; END TRY" in after


@pytest.mark.parametrize(
    ("type_name", "value", "written"),
    [
        ("bit", True, 1),
        ("bigint", 2**63 - 1, 2**63 - 1),
        ("decimal(38,10)", Decimal("1E+20"), "100000000000000000000.0000000000"),
        ("decimal(9,7)", Decimal("1E-7"), "0.0000001"),
        ("money", Decimal("-0.0001"), "-0.0001"),
        ("float", 1e-05, 1e-05),
        ("nvarchar(9)", 'a"\\\n€😀', 'a"\\\n€😀'),
        ("varbinary(9)", b"\x00\xff", "00ff"),
        ("date", date(2026, 3, 5), "2026-03-05"),
        ("time(3)", "09:30:00.000000", "09:30:00.000000"),
        ("smalldatetime", datetime.fromisoformat("2026-03-05T09:30:00"), "2026-03-05T09:30:00"),
        ("datetime", datetime.fromisoformat("2026-03-05T09:30:00.003"), "2026-03-05T09:30:00.003"),
        ("datetime2(3)", datetime.fromisoformat("2026-03-05T09:30:00.003"), "2026-03-05T09:30:00.003000"),
        ("datetime2(7)", "2026-03-05T09:30:00.1234567", "2026-03-05T09:30:00.1234567"),
        ("datetimeoffset(0)", "2026-03-05 09:30:00+00:00", "2026-03-05 09:30:00+00:00"),
        ("int", None, None),
    ],
)
def test_values_are_written_so_that_the_server_reads_the_same(type_name: str, value: Any, written: Any) -> None:
    assert json.loads(json_batches.json_rows(table_of(type_name), [(value,)], only_plain=False)) == [[written]]


@pytest.mark.parametrize("name", TYPES)
def test_every_type_of_a_contract_can_be_read_from_json(name: str) -> None:
    statement = json_batches.batch_statement((table_of(name),), "", ((),))
    assert "OPENJSON(?) WITH (c0 " in statement


@pytest.mark.parametrize(
    ("type_name", "declared", "read"),
    [
        ("varchar(20)", "nvarchar(20)", "c0"),
        ("varchar(8000)", "nvarchar(max)", "c0"),
        ("text", "nvarchar(max)", "c0"),
        ("varbinary(20)", "nvarchar(40)", "CONVERT(varbinary(20), c0, 2)"),
        ("varbinary(max)", "nvarchar(max)", "CONVERT(varbinary(max), c0, 2)"),
        ("image", "nvarchar(max)", "CONVERT(varbinary(max), c0, 2)"),
        ("xml", "nvarchar(max)", "CONVERT(xml, c0, 1)"),
    ],
)
def test_text_reaches_its_column_as_unicode_and_binaries_as_digits(type_name: str, declared: str, read: str) -> None:
    statement = json_batches.batch_statement((table_of(type_name),), "", ((),))
    assert f"SELECT {read} AS [a] FROM OPENJSON(?) WITH (c0 {declared} '$[0]')" in statement


@pytest.mark.parametrize(
    ("text", "is_plain"), [("plain €", True), ('"', False), ("\\", False), ("\n", False), ("x" * 4000, True)]
)
def test_rows_that_not_every_server_reads_are_known(text: str, *, is_plain: bool) -> None:
    table, rows = table_of("nvarchar(max)"), [(None,), (text,)]
    assert (json_batches.json_rows(table, rows, only_plain=True) is not None) is is_plain
    assert json_batches.json_rows(table, rows, only_plain=False) is not None


def test_texts_too_long_for_some_servers_are_known() -> None:
    for type_name, value in (("nvarchar(max)", "x" * 4001), ("varbinary(max)", b"x" * 2001)):
        assert json_batches.json_rows(table_of(type_name), [(value,)], only_plain=True) is None
        assert json_batches.json_rows(table_of(type_name), [(value,)], only_plain=False) is not None


def test_rows_that_json_cannot_carry_are_not_sent_so() -> None:
    def is_sent(table: TableLayout, row: Row) -> bool:
        return json_batches.json_rows(table, [row], only_plain=False) is not None

    row = (1, "Ada")
    assert is_sent(ORDERS, row)
    assert not is_sent(ORDERS, (1, "a\0b"))
    assert not is_sent(replace(ORDERS, columns=ORDERS.columns * 50), row * 50)


def test_tables_that_keep_or_replace_rows_are_known() -> None:
    assert ORDERS.inserts_always
    assert replace(ORDERS, key=(), on_conflict="replace").inserts_always
    assert not replace(ORDERS, on_conflict="keep").inserts_always
    assert not replace(ORDERS, on_conflict="replace").inserts_always


@pytest.mark.parametrize(
    ("type_name", "value"),
    [
        ("tinyint", -1),
        ("int", 2**31),
        ("bigint", -(2**63) - 1),
        ("decimal(12,2)", Decimal("0.001")),
        ("decimal(4,2)", Decimal(100)),
        ("money", Decimal("0.00001")),
        ("nvarchar(9)", "\ud800"),
        ("nvarchar(9)", "x" * 10),
        ("nvarchar(9)", "😀" * 5),
        ("varbinary(9)", b"x" * 10),
    ],
)
def test_a_value_that_does_not_fit_is_refused_here_where_the_server_might_change_it(type_name: str, value: Any) -> None:
    with pytest.raises((errors.TooLongError, OverflowError, DecimalException, UnicodeEncodeError)) as refused:
        json_batches.json_rows(table_of(type_name), [(value,)], only_plain=False)
    assert errors.classify(refused.value).code in {"overflow", "wrong_type", "too_long"}


@pytest.mark.parametrize("rule", ["keep", "replace"])
def test_rows_that_may_be_there_are_noted_and_then_inserted_or_replaced_under_a_lock(
    rule: Literal["keep", "replace"],
) -> None:
    table = replace(LINES, on_conflict=rule)
    statement = json_batches.batch_statement((NOTES, table), "dbo", ((), (("article", "Latin1_General_BIN2"),)))
    locked = (
        "EXISTS (SELECT 1 FROM [dbo].[demo_lines] AS there WITH (UPDLOCK, HOLDLOCK) WHERE there.[order_id] = given."
    )
    assert statement.count(locked) == 2
    assert "INSERT INTO @not_inserted (t, d) SELECT 1, row_at" in statement
    assert "WHERE choice = 1 AND NOT EXISTS (" in statement
    assert statement.count("?") == 2, "one parameter for each table, however often its rows are read"
    assert ("UPDATE there SET [article] = given.[article]" in statement) == (rule == "replace")
    assert ("FROM [dbo].[demo_lines] AS there WHERE EXISTS (SELECT 1 FROM (" in statement) == (rule == "keep")
    assert "SELECT t, d FROM @not_inserted ORDER BY t, d; END TRY" in statement
