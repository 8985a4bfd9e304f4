"""What every target must do, connection by connection."""

from contextlib import closing
from dataclasses import replace
from datetime import datetime
from typing import Literal

import pytest

from tests.database.binding import bind, insert_log, insert_rows, read_log
from tests.database.demo_tables import CONTRACT, LINES, NOTES, ORDERS, TABLES
from xml_extractor.connections import DatabaseError, ErrorClass
from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.documents import Row, Status
from xml_extractor.processing_log.log import ProcessingLog
from xml_extractor.processing_log.log_table import LogEntry
from xml_extractor.targets.interfaces import Target, TargetConnection
from xml_extractor.targets.registry import open_target
from xml_extractor.values.sqltypes import parse_type

WITH_PARQUET = True

OnConflict = Literal["fail", "keep", "replace"]

ENTRY = LogEntry(
    contract="orders",
    document_key="7",
    status=Status.REJECTED,
    stage="map",
    reason="unknown_code at orders.state (@state): the lookup has no such code",
    attempts=1,
    row_count=0,
    seconds=0.25,
    content_hash="0" * 32,
    contract_version=3,
    contract_hash="f" * 64,
    run_id="20260102T030405678-0badcafe",
    started_at=datetime(2026, 1, 2, 3, 4, 5, 678000),  # noqa: DTZ001 - the log has naive UTC
    finished_at=datetime(2026, 1, 2, 3, 4, 6, 1000),  # noqa: DTZ001 - the log has naive UTC
)


def insert(connection: TargetConnection, table: TableLayout, *rows: Row) -> None:
    with connection.transaction():
        insert_rows(connection, table, bind(connection, table, rows))


def rows_of(connection: TargetConnection, table: TableLayout) -> list[Row]:
    return sorted(connection.read_rows(table), key=repr)


def test_rows_that_were_inserted_are_read_again(connection: TargetConnection) -> None:
    insert(connection, ORDERS, (1, "Ada"), (2, None))
    assert rows_of(connection, ORDERS) == [(1, "Ada"), (2, None)]


def test_preparing_again_keeps_the_rows(target: Target, connection: TargetConnection) -> None:
    insert(connection, ORDERS, (1, "Ada"))
    target.prepare(TABLES)
    assert rows_of(connection, ORDERS) == [(1, "Ada")]


def test_a_target_opened_again_has_what_was_committed(target_address: str, connection: TargetConnection) -> None:
    insert(connection, ORDERS, (1, "Ada"))
    with closing(open_target(target_address, CONTRACT).connect()) as other:
        assert rows_of(other, ORDERS) == [(1, "Ada")]


def test_a_transaction_that_raises_leaves_nothing(connection: TargetConnection) -> None:
    def insert_and_stop() -> None:
        with connection.transaction():
            insert_rows(connection, ORDERS, [(1, "Ada")])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        insert_and_stop()
    assert rows_of(connection, ORDERS) == []


def test_a_connection_can_be_used_after_its_transaction_raised(connection: TargetConnection) -> None:
    with pytest.raises(KeyboardInterrupt), connection.transaction():
        raise KeyboardInterrupt
    insert(connection, ORDERS, (1, "Ada"))
    assert rows_of(connection, ORDERS) == [(1, "Ada")]


def test_other_connections_do_not_see_rows_before_the_commit(target: Target, connection: TargetConnection) -> None:
    with closing(target.connect()) as reader:
        with connection.transaction():
            insert_rows(connection, ORDERS, [(1, "Ada")])
            assert rows_of(reader, ORDERS) == []
        assert rows_of(reader, ORDERS) == [(1, "Ada")]


@pytest.mark.constraints
def test_a_call_that_is_refused_in_its_middle_leaves_no_row_behind(connection: TargetConnection) -> None:
    with pytest.raises(DatabaseError):
        insert(connection, ORDERS, (1, "Ada"), (2, "Bob"), (1, "Cyd"))
    assert rows_of(connection, ORDERS) == []


def test_the_database_fills_generated_keys(connection: TargetConnection) -> None:
    insert(connection, ORDERS, (1, "Ada"))
    insert(connection, NOTES, (1, "first"), (1, "second"))
    assert rows_of(connection, NOTES) == [(1, "first"), (1, "second")]


@pytest.mark.constraints
@pytest.mark.parametrize(
    ("table", "row", "code", "column"),
    [
        pytest.param(ORDERS, (1, "Bob"), "duplicate_key", "order_id", id="key that is there"),
        pytest.param(LINES, (1, 1, "ink"), "duplicate_key", "", id="key of two columns that is there"),
        pytest.param(LINES, (99, 1, "ink"), "missing_parent", "", id="no such parent"),
        pytest.param(LINES, (1, 2, None), "missing_value", "article", id="NULL where a value must be"),
        pytest.param(NOTES, (99, "?"), "missing_parent", "", id="no such parent of a row without key"),
    ],
)
def test_a_row_that_a_constraint_refuses_is_its_documents_fault(
    connection: TargetConnection, table: TableLayout, row: Row, code: str, column: str
) -> None:
    insert(connection, ORDERS, (1, "Ada"))
    insert(connection, LINES, (1, 1, "pen"))
    with pytest.raises(DatabaseError) as refused:
        insert(connection, table, row)
    error = refused.value
    assert (error.error_class, error.code, error.column) == (ErrorClass.DATA, code, column)


@pytest.mark.constraints
def test_an_explanation_holds_no_value_of_the_row(connection: TargetConnection) -> None:
    insert(connection, ORDERS, (4711, "Ada Lovelace"))
    with pytest.raises(DatabaseError) as refused:
        insert(connection, ORDERS, (4711, "Ada Lovelace"))
    assert "4711" not in repr(refused.value)
    assert "Ada" not in repr(refused.value)


def test_a_missing_table_is_the_databases_fault_and_has_a_tip(connection: TargetConnection) -> None:
    absent = replace(ORDERS, table="demo_absent")
    with pytest.raises(DatabaseError) as refused:
        insert(connection, absent, (1, "Ada"))
    error = refused.value
    assert error.error_class is ErrorClass.FATAL
    assert error.tip


@pytest.mark.parametrize("error", [RuntimeError("a defect"), KeyError("x"), OSError(5, "no")], ids=repr)
def test_errors_that_are_not_the_databases_pass(connection: TargetConnection, error: Exception) -> None:
    with pytest.raises(type(error)) as raised, connection.transaction():
        raise error
    assert raised.value is error


@pytest.mark.constraints
@pytest.mark.parametrize(
    ("on_conflict", "expected"), [("keep", [(1, "Ada"), (2, "Cyd")]), ("replace", [(1, "Bob"), (2, "Cyd")])]
)
def test_a_row_whose_key_is_there_is_kept_or_replaced(
    connection: TargetConnection, on_conflict: OnConflict, expected: list[Row]
) -> None:
    table = replace(ORDERS, on_conflict=on_conflict)
    insert(connection, table, (1, "Ada"))
    insert(connection, LINES, (1, 1, "pen"))
    insert(connection, table, (1, "Bob"), (2, "Cyd"))
    assert rows_of(connection, ORDERS) == expected
    assert rows_of(connection, LINES) == [(1, 1, "pen")]


@pytest.mark.parametrize("on_conflict", ["fail", "keep", "replace"])
def test_a_transaction_keeps_all_that_was_inserted_before(
    target: Target, connection: TargetConnection, on_conflict: OnConflict
) -> None:
    columns = (ColumnLayout("code", parse_type("varchar(5)"), required=True), ColumnLayout("text", parse_type("xml")))
    codes = TableLayout("codes", "demo_codes", columns, (), ("code",), (), on_conflict)
    target.create([codes])
    with connection.transaction():
        insert_log(connection, [ENTRY])
        insert_rows(connection, ORDERS, [(1, "Ada")])
        insert_rows(connection, codes, [("A", None), ("B", "<b/>")])
        insert_rows(connection, LINES, [(1, 1, "pen")])
    assert list(read_log(connection)) == [ENTRY]
    assert (rows_of(connection, ORDERS), rows_of(connection, LINES)) == ([(1, "Ada")], [(1, 1, "pen")])
    assert [row[0] for row in rows_of(connection, codes)] == ["A", "B"]


@pytest.mark.constraints
@pytest.mark.parametrize("table", [ORDERS, NOTES], ids=["with key", "without key"])
def test_rows_behind_a_refused_one_are_not_inserted(connection: TargetConnection, table: TableLayout) -> None:
    insert(connection, ORDERS, (1, "Ada"))
    bad: Row = (1, "Bob") if table is ORDERS else (99, "no such order")
    with pytest.raises(DatabaseError):
        insert(connection, table, bad, *((number, "behind") for number in range(1, 9)))
    insert(connection, ORDERS, (100, "Cyd"))
    assert rows_of(connection, ORDERS) == [(1, "Ada"), (100, "Cyd")]
    assert rows_of(connection, NOTES) == []


@pytest.mark.constraints
@pytest.mark.parametrize("on_conflict", ["keep", "replace"])
def test_keeping_and_replacing_forgive_no_other_constraint(
    connection: TargetConnection, on_conflict: OnConflict
) -> None:
    with pytest.raises(DatabaseError) as refused:
        insert(connection, replace(LINES, on_conflict=on_conflict), (99, 1, "ink"))
    error = refused.value
    assert error.code == "missing_parent"


@pytest.mark.constraints
def test_replacing_a_table_of_keys_only_keeps_the_row(connection: TargetConnection, target: Target) -> None:
    columns = (ColumnLayout("code", parse_type("varchar(5)"), required=True),)
    codes = TableLayout("codes", "demo_codes", columns, (), ("code",), (), "replace")
    target.create([codes])
    insert(connection, codes, ("A",))
    insert(connection, codes, ("A",), ("B",))
    assert rows_of(connection, codes) == [("A",), ("B",)]


@pytest.mark.constraints
def test_names_that_are_words_of_sql_or_have_spaces_are_quoted(connection: TargetConnection, target: Target) -> None:
    columns = tuple(
        ColumnLayout(name, parse_type("int"), required=name == "order")
        for name in ("order", "group by", 'a"b', "Größe")
    )
    table = TableLayout("select", "demo select", columns, (), ("order",), (), "replace")
    target.create([table])
    assert target.differences([*TABLES, table]) == []
    insert(connection, table, (1, 2, 3, 4), (1, 5, 6, 7))
    assert rows_of(connection, table) == [(1, 5, 6, 7)]


@pytest.mark.constraints
@pytest.mark.parametrize("word", ["nothing", "returning", "within", "try_convert", "Select"])
def test_a_table_and_its_key_may_be_called_by_a_reserved_word(
    connection: TargetConnection, target: Target, word: str
) -> None:
    columns = (ColumnLayout(word, parse_type("int"), required=True), ColumnLayout("text", parse_type("varchar(9)")))
    table = TableLayout(word, word, columns, (), (word,), (), "replace")
    target.create([table])
    insert(connection, table, (1, "a"), (1, "b"))
    assert rows_of(connection, table) == [(1, "b")]


def test_log_entries_are_read_as_they_were_written(connection: TargetConnection) -> None:
    with connection.transaction():
        insert_log(connection, [ENTRY, ENTRY._replace(document_key="8", status=Status.LOADED, stage="", reason="")])
    read = {entry.document_key: entry for entry in read_log(connection)}
    assert read["7"] == ENTRY
    assert read["8"].status is Status.LOADED


def test_the_log_refuses_a_document_that_it_has(connection: TargetConnection) -> None:
    with connection.transaction():
        insert_log(connection, [ENTRY])
    with pytest.raises(DatabaseError) as refused, connection.transaction():
        insert_log(connection, [ENTRY._replace(run_id="another")])
    error = refused.value
    assert (error.error_class, error.code) == (ErrorClass.DATA, "duplicate_key")
    assert list(read_log(connection)) == [ENTRY]


def test_the_log_tells_contracts_apart(connection: TargetConnection) -> None:
    with connection.transaction():
        insert_log(connection, [ENTRY, ENTRY._replace(contract="invoices", run_id="another")])
    assert ProcessingLog(connection).entries("orders", ["7"]) == {"7": ENTRY}
    assert ProcessingLog(connection).entries("invoices", ["7"])["7"].run_id == "another"
    assert ProcessingLog(connection).done("receipts", ["7"]) == {}


@pytest.mark.parametrize("key", ["a.xml", "A.xml", "ä.xml", "a.xml ", "x" * 300, "😀.xml", "it's", "100%", "[a]"])
def test_the_log_knows_a_key_by_its_exact_text(target: Target, connection: TargetConnection, key: str) -> None:
    others = {"a.xml", "A.xml", "ä.xml", "b.xml"} - {key}
    if target.name.startswith("mssql"):
        others -= {key.rstrip()}  # a primary key of SQL Server's does not count spaces at the end
    with connection.transaction():
        insert_log(connection, [ENTRY._replace(document_key=other) for other in others])
    assert ProcessingLog(connection).done("orders", [key]) == {}
    with connection.transaction():
        insert_log(connection, [ENTRY._replace(document_key=key)])
    assert set(ProcessingLog(connection).done("orders", [key, "absent"])) == {key}


@pytest.mark.parametrize("asked", [0, 1, 899, 900, 901, 2500])
def test_any_number_of_keys_can_be_looked_up_in_the_log(connection: TargetConnection, asked: int) -> None:
    with connection.transaction():
        insert_log(connection, [ENTRY._replace(document_key=str(number)) for number in range(0, 2500, 2)])
    keys = [str(number) for number in range(asked)]
    assert set(ProcessingLog(connection).done("orders", keys)) == {key for key in keys if int(key) % 2 == 0}
    assert (
        ProcessingLog(connection).entries("orders", keys).keys()
        == ProcessingLog(connection).done("orders", keys).keys()
    )
