"""How the documents of a batch are inserted that SQL Server accepts, with the errors of the others."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from tests.database.demo_tables import LINES, ORDERS
from xml_extractor.connections import DatabaseError, ErrorClass
from xml_extractor.contract.layout import TableLayout
from xml_extractor.processing_log.log_table import LOG_TABLE
from xml_extractor.reasons import Reason
from xml_extractor.targets.interfaces import Batch
from xml_extractor.urls import parse_url

pytest.importorskip("pyodbc", reason="pyodbc cannot be loaded: unixODBC is missing", exc_type=ImportError)
errors = pytest.importorskip("xml_extractor.targets.sqlserver.errors", exc_type=ImportError)
isolation = pytest.importorskip("xml_extractor.targets.sqlserver.isolation", exc_type=ImportError)

TABLES = (LOG_TABLE, ORDERS)
DOCUMENTS = 100


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
    assert "ROW_NUMBER() OVER (PARTITION BY [order_id] ORDER BY document_at ASC, row_at ASC)" in statement


def savepoints(bad: Sequence[int], table: TableLayout = ORDERS, *, ends_transaction: bool = False) -> Any:
    """A connection to a server without JSON, that refuses some documents; the first attempt has already failed."""
    from xml_extractor.targets.sqlserver.address import read_address
    from xml_extractor.targets.sqlserver.loading import LoadingConnection

    class Savepoints(LoadingConnection):
        """It keeps what is inserted."""

        inserted: list[int]
        saved = calls = 0

        def _session_in_use(self, _table: TableLayout | None = None) -> Any:
            return nullcontext()

        def _qualified(self, name: str) -> str:
            return name

        def execute(self, statement: str, *_: object) -> int:
            assert statement.startswith("SAVE TRANSACTION")
            self.saved = len(self.inserted)
            return 0

        def last_row(self, statement: str, *_: object) -> Sequence[int]:
            assert "ROLLBACK TRANSACTION documents" in statement
            if ends_transaction:
                return (0,)
            del self.inserted[self.saved :]
            return (1,)

        def insert_batch(self, batch: Batch, _batch_rows: int = 500) -> list[list[int]]:
            keys: list[Any] = [row[0] for row in batch[1][1]]
            self.calls += 1
            if refused := [at for at, key in enumerate(keys) if key in bad]:
                self.inserted += keys[: refused[0]]
                raise DatabaseError(ErrorClass.DATA, Reason.MISSING_VALUE, "refused", table=table)
            self.inserted += keys
            return [[], [at for at, key in enumerate(keys) if key % 10 == 0]]

    connection = Savepoints(read_address(parse_url("mssql+pyodbc://host/db")))
    connection.inserted = []
    with pytest.raises(DatabaseError):
        connection.insert_documents(TABLES, documents(bad), 500)
    connection.inserted.clear()
    connection.calls = 0
    return connection


def documents(keys: Sequence[int] = range(DOCUMENTS)) -> list[Any]:
    return [[[(str(key),)], [(key, "customer")]] for key in [*keys, -1]]


@pytest.mark.parametrize("bad", [(0,), (99,), (33, 34), range(0, 100, 3), range(100)], ids=str)
def test_savepoints_isolate_documents_where_json_cannot(bad: Sequence[int]) -> None:
    connection = savepoints(bad)
    insertion = connection.insert_documents(TABLES, documents(), 500)
    good = [key for key in range(DOCUMENTS) if key not in bad]
    assert sorted(insertion.errors) == list(bad)
    assert connection.inserted == [*good, -1]
    assert insertion.not_inserted == {(key, 1): 1 for key in good if key % 10 == 0}
    assert connection.calls <= 2 * DOCUMENTS.bit_length() * len(bad) + 1


def test_an_error_of_the_log_or_one_that_ends_the_transaction_leaves_the_batch_to_the_loader() -> None:
    for connection in (savepoints([3], LOG_TABLE), savepoints([3], ends_transaction=True)):
        with pytest.raises(DatabaseError):
            connection.insert_documents(TABLES, documents(), 500)
        assert connection.calls == 1
