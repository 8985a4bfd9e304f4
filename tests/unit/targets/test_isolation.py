"""The statement that inserts the documents of a batch that SQL Server accepts, and returns the errors of the others."""

from dataclasses import replace

import pytest

from tests.database.demo_tables import LINES, ORDERS

pytest.importorskip("pyodbc", reason="pyodbc cannot be loaded: unixODBC is missing", exc_type=ImportError)
errors = pytest.importorskip("xml_extractor.targets.sqlserver.errors", exc_type=ImportError)
isolation = pytest.importorskip("xml_extractor.targets.sqlserver.isolation", exc_type=ImportError)


def test_a_range_of_documents_is_inserted_into_each_table() -> None:
    statement = isolation.isolating_statement((ORDERS, LINES), "dbo", ((), ()))
    assert (
        "SET @at = 1; INSERT INTO [dbo].[demo_lines] ([order_id], [line_no], [article]) SELECT [order_id], [line_no], "
        "[article] FROM (SELECT c0 AS [order_id], c1 AS [line_no], c2 AS [article] FROM @rows AS r CROSS APPLY "
        "OPENJSON(r.r) WITH (c0 int '$[0]', c1 smallint '$[1]', c2 nvarchar(20) '$[2]') "
        "WHERE r.t = 1 AND r.d >= @from AND r.d < @next + @size) AS given;"
    ) in statement


def test_only_data_errors_reject_a_document() -> None:
    statement = isolation.isolating_statement((ORDERS,), "", ((),))
    assert f"IF NOT ({errors.IS_DATA_ERROR})" in statement
    numbers = errors.IS_DATA_ERROR.partition("IN (")[2].partition(")")[0].split(", ")
    assert {"2627", "547", "515", "3609"} <= set(numbers)
    assert not {"1205", "1222", "208", "229", "9002"} & set(numbers)


def test_keys_of_kept_rows_have_type_and_collation_of_their_column() -> None:
    table = replace(ORDERS, on_conflict="keep")
    statement = isolation.isolating_statement((table,), "", ((("order_id", "Latin1_General_BIN2"),),))
    assert "CAST(c0 COLLATE Latin1_General_BIN2 AS int) AS [order_id]" in statement
    assert "ROW_NUMBER() OVER (PARTITION BY [order_id] ORDER BY document_at, row_at)" in statement
