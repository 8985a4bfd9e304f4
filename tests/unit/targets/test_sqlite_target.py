"""What is SQLite's own in the embedded target: files, locks, storage classes, messages."""

import os
import sqlite3
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path
from typing import Self

import pytest

from tests.database.binding import bind, insert_rows
from tests.database.demo_tables import CONTRACT, NOTES, ORDERS, TABLES, loader_of, order, order_ids
from xml_extractor.connections import ErrorClass
from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.documents import Status, Value
from xml_extractor.errors import TargetError, UsageError
from xml_extractor.targets.interfaces import Target
from xml_extractor.targets.registry import open_target
from xml_extractor.targets.sqlite.connection import SqliteConnection
from xml_extractor.targets.sqlite.errors import classify
from xml_extractor.values.sqltypes import parse_type
from xml_extractor.values.times import parse_datetime, parse_time


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "target.db"


def target_at(path: Path, options: str = "") -> Target:
    return open_target(f"sqlite:///{path}{options}", CONTRACT)


@pytest.fixture
def target(path: Path) -> Target:
    opened = target_at(path)
    opened.prepare(TABLES)
    return opened


@pytest.fixture
def database(path: Path, target: Target) -> Iterator[sqlite3.Connection]:
    """A connection that knows nothing of the product."""
    with closing(sqlite3.connect(path, isolation_level=None)) as opened:
        yield opened


def test_preparing_makes_a_file_in_wal_mode_with_all_tables(database: sqlite3.Connection) -> None:
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert tables == {"processing_log", "processing_log_runs", "demo_orders", "demo_lines", "demo_notes"}
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def _prepare(address: str) -> str:
    try:
        open_target(address, CONTRACT).prepare(TABLES)
    except TargetError as error:
        return str(error)
    return ""


def test_several_processes_can_prepare_a_new_file_at_once(tmp_path: Path) -> None:
    with get_context("spawn").Pool(4) as pool:
        for number in range(10):
            addresses = [f"sqlite:///{tmp_path / f'{number}.db'}"] * 4
            assert pool.map(_prepare, addresses, chunksize=1) == [""] * 4


def test_names_of_schemas_are_dropped(path: Path) -> None:
    table = replace(ORDERS, table="sales.orders")
    target = target_at(path)
    target.prepare([table])
    with closing(target.connect()) as connection:
        with connection.transaction():
            insert_rows(connection, table, [(1, "Ada")])
        assert list(connection.read_rows(table)) == [(1, "Ada")]
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT * FROM orders").fetchall() == [(1, "Ada")]


def test_all_that_a_table_lacks_is_named_when_a_run_prepares(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE demo_lines (ORDER_ID INTEGER, extra TEXT NOT NULL)")
    with pytest.raises(TargetError, match=r"the tables of sqlite:///.* do not fit the contract") as refused:
        target_at(path).prepare(TABLES)
    assert [line.partition(":")[2].partition(" in ")[0] for line in refused.value.message.splitlines()[1:]] == [
        " lines.line_no",
        " lines.article",
        " lines.extra",
    ]
    assert "init --sql" in refused.value.tip


def test_a_file_that_does_not_fit_is_left_as_it_was(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE demo_lines (order_id INTEGER)")
        with pytest.raises(TargetError):
            target_at(path).prepare(TABLES)
        assert database.execute("SELECT name FROM sqlite_schema").fetchall() == [("demo_lines",)]


def test_tables_with_more_columns_than_the_contract_are_used(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute(
            "CREATE TABLE demo_orders (Order_Id INTEGER PRIMARY KEY, Customer TEXT, extra TEXT DEFAULT 'x')"
        )
    target = target_at(path)
    target.prepare(TABLES)
    with closing(target.connect()) as connection:
        assert loader_of(connection).load([order(1)])[0].status is Status.LOADED


@pytest.mark.parametrize("action", ["prepare", "connect"])
def test_a_directory_that_is_not_there_ends_the_run_with_a_tip(tmp_path: Path, action: str) -> None:
    with pytest.raises(TargetError, match="cannot be opened") as refused:
        getattr(target_at(tmp_path / "absent" / "target.db"), action)(*([TABLES] if action == "prepare" else []))
    assert "directory" in refused.value.tip


def test_a_directory_instead_of_a_file_ends_the_run_with_a_tip(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="cannot be opened") as refused:
        target_at(tmp_path).prepare(TABLES)
    assert refused.value.tip


def test_a_file_that_is_no_database_ends_the_run_with_a_tip(path: Path) -> None:
    path.write_text("<order/>" * 1000)
    with pytest.raises(TargetError, match="not a SQLite database") as refused:
        target_at(path).prepare(TABLES)
    assert refused.value.tip
    assert path.read_text() == "<order/>" * 1000


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everything")
def test_a_file_that_cannot_be_written_ends_the_run_with_a_tip(path: Path) -> None:
    path.touch()
    path.chmod(stat.S_IRUSR)
    with pytest.raises(TargetError, match="cannot be written") as refused:
        target_at(path).prepare(TABLES)
    assert "writable" in refused.value.tip


@pytest.mark.parametrize("address", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite://host/file.db"])
def test_an_address_without_a_file_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="names no SQLite file") as refused:
        open_target(address, CONTRACT)
    assert "sqlite:///FILE" in refused.value.tip


@pytest.mark.parametrize(("options", "said"), [("?timeout=soon", "not a number"), ("?mode=ro", "no option 'mode'")])
def test_options_that_sqlite_does_not_have_are_refused(path: Path, options: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        target_at(path, options)


class LockHolder:
    """A thread that keeps the write lock until it is told to release it."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._held, self.release = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._hold)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._held.wait(30)
        return self

    def __exit__(self, *_error: object) -> None:
        self.release.set()
        self._thread.join()

    def _hold(self) -> None:
        with closing(self._target.connect()) as connection, connection.transaction():
            self._held.set()
            self.release.wait(30)


def test_a_loader_waits_for_another_writer(target: Target) -> None:
    with closing(target.connect()) as connection, LockHolder(target) as holder:
        threading.Timer(0.2, holder.release.set).start()
        loader = loader_of(connection)
        assert loader.load([order(1)])[0].status is Status.LOADED
        assert loader.statistics.retries == 0


def test_a_loader_tries_again_after_waiting_in_vain(path: Path, target: Target) -> None:
    impatient = target_at(path, "?timeout=0.01")
    with closing(impatient.connect()) as connection, LockHolder(target) as holder:
        threading.Timer(0.2, holder.release.set).start()
        loader = loader_of(connection)
        assert loader.load([order(1)])[0].status is Status.LOADED
        assert order_ids(connection) == [1]


def test_a_lock_that_is_never_released_ends_the_run(
    path: Path, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xml_extractor.connections.pauses_end.wait", lambda _seconds: False)
    impatient = target_at(path, "?timeout=0.01")
    with (
        closing(impatient.connect()) as connection,
        LockHolder(target),
        pytest.raises(TargetError, match="locked") as ended,
    ):
        loader_of(connection).load([order(1)])
    assert "run the same command again" in ended.value.tip


def test_a_full_disk_ends_the_run_and_rejects_nothing(target: Target) -> None:
    connection = target.connect()
    assert isinstance(connection, SqliteConnection)
    with closing(connection):
        connection.execute("PRAGMA max_page_count = 20")
        loader = loader_of(connection)
        with pytest.raises(TargetError, match="the disk is full") as ended:
            loader.load([order(number, lines=500) for number in range(1, 20)])
        assert "free space" in ended.value.tip
        connection.execute("PRAGMA max_page_count = 100000")
        assert order_ids(connection) == []
        assert loader.load([order(1)])[0].status is Status.LOADED


Statements = Sequence[str]


def error_of(database: sqlite3.Connection, *statements: str) -> sqlite3.Error:
    for statement in statements[:-1]:
        database.execute(statement)
    with pytest.raises(sqlite3.Error) as raised:
        database.execute(statements[-1])
    return raised.value


MEMORY_CASES = [
    (["CREATE TABLE t (a CHECK (a < 5))", "INSERT INTO t VALUES (77)"], ErrorClass.DATA, "check_failed"),
    (["CREATE TABLE t (a INTEGER PRIMARY KEY)", "INSERT INTO t VALUES ('secret')"], ErrorClass.DATA, "wrong_type"),
    (["CREATE TABLE t (a UNIQUE)", "INSERT INTO t VALUES (77), (77)"], ErrorClass.DATA, "duplicate_key"),
    (["CREATE TABLE t (a)", "INSERT INTO t VALUES (zeroblob(2000000000))"], ErrorClass.DATA, "too_large"),
    (
        [
            "CREATE TABLE t (a)",
            "CREATE TRIGGER r BEFORE INSERT ON t BEGIN SELECT RAISE(ABORT, 'no secret 77'); END",
            "INSERT INTO t VALUES (77)",
        ],
        ErrorClass.DATA,
        "constraint",
    ),
    (["INSERT INTO absent VALUES (77)"], ErrorClass.FATAL, "SQLITE_ERROR"),
    (["CREATE TABLE t (a)", "PRAGMA query_only = 1", "INSERT INTO t VALUES (77)"], ErrorClass.FATAL, "SQLITE_READONLY"),
]


@pytest.mark.parametrize(("statements", "error_class", "code"), MEMORY_CASES, ids=[case[2] for case in MEMORY_CASES])
def test_sqlites_errors_are_explained_without_values(
    statements: Statements, error_class: ErrorClass, code: str
) -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        classified = classify(error_of(database, *statements))
    assert classified is not None
    assert (classified.error_class, classified.code) == (error_class, code)
    assert classified.explanation
    assert "77" not in repr(classified)
    assert "secret" not in repr(classified)
    assert bool(classified.tip) == (error_class is ErrorClass.FATAL)


def test_a_damaged_file_is_the_databases_fault(path: Path, target: Target) -> None:
    with closing(target.connect()) as connection:
        loader_of(connection).load([order(number, lines=20) for number in range(500)])
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xaa" * (len(content) - 4096)
    path.write_bytes(content)
    with closing(sqlite3.connect(path)) as database:
        classified = classify(error_of(database, "SELECT * FROM demo_lines"))
    assert classified is not None
    assert (classified.error_class, classified.code) == (ErrorClass.FATAL, "SQLITE_CORRUPT")
    assert "damaged" in classified.explanation


@pytest.mark.parametrize(
    ("value", "code"),
    [(2**63, "overflow"), ("\ud800", "wrong_type")],
    ids=["integer beyond 64 bits", "lone surrogate"],
)
def test_a_value_that_sqlite_cannot_hold_rejects_its_document_only(target: Target, value: Value, code: str) -> None:
    bad = order(1)._replace(rows=(((1, value),), (), ()))
    with closing(target.connect()) as connection:
        outcomes = loader_of(connection).load([order(2), bad, order(3)])
    assert [outcome.status for outcome in outcomes] == [Status.LOADED, Status.REJECTED, Status.LOADED]
    assert outcomes[1].failure is not None
    assert (outcomes[1].failure.code, outcomes[1].failure.table) == (code, "orders")


@pytest.mark.parametrize("error", [sqlite3.ProgrammingError("closed"), ValueError("x")], ids=repr)
def test_defects_are_not_taken_for_the_databases_errors(error: Exception) -> None:
    assert classify(error) is None


def test_deadlocks_and_locks_are_of_the_moment(target: Target, path: Path) -> None:
    with LockHolder(target), closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as database:
        error = classify(error_of(database, "BEGIN IMMEDIATE"))
    assert error is not None
    assert (error.error_class, error.code) == (ErrorClass.TRANSIENT, "locked")
    assert error.explanation == "another program has locked the database"


STORED: list[tuple[str, Value, str, object]] = [
    ("bit", True, "integer", 1),
    ("int", 7, "integer", 7),
    ("decimal(12,2)", Decimal("0.10"), "real", 0.1),
    ("decimal(12,2)", Decimal("7.00"), "integer", 7),
    ("decimal(16,2)", Decimal("0.10"), "text", "0.10"),
    ("decimal(38,20)", Decimal(1), "text", "1.00000000000000000000"),
    ("money", Decimal("1.5"), "text", "1.5000"),
    ("float", 1.0, "real", 1.0),
    ("varchar(5)", "007", "text", "007"),
    ("varbinary(5)", b"\x00\x01", "blob", b"\x00\x01"),
    ("uniqueidentifier", "6F9619FF-8B86-D011-B42D-00C04FC964FF", "text", "6F9619FF-8B86-D011-B42D-00C04FC964FF"),
    ("date", date(2026, 1, 2), "text", "2026-01-02"),
    ("time(0)", time(3, 4, 5), "text", "03:04:05"),
    ("time(7)", time(3, 4, 5, 6), "text", "03:04:05.0000060"),
    ("time(7)", parse_time("03:04:05.1234567"), "text", "03:04:05.1234567"),
    ("smalldatetime", datetime(2026, 1, 2, 3, 4), "text", "2026-01-02 03:04:00"),  # noqa: DTZ001 - it has no zone
    ("datetime", datetime(2026, 1, 2, 3, 4, 5), "text", "2026-01-02 03:04:05.000"),  # noqa: DTZ001 - it has no zone
    ("datetime2(0)", datetime(2026, 1, 2, 3, 4, 5), "text", "2026-01-02 03:04:05"),  # noqa: DTZ001 - it has no zone
    ("datetime2(1)", datetime(2026, 1, 2, 3, 4, 5, 600000), "text", "2026-01-02 03:04:05.6"),  # noqa: DTZ001 - it has no zone
    ("datetime2(6)", datetime(2026, 1, 2, 3, 4, 5, 6), "text", "2026-01-02 03:04:05.000006"),  # noqa: DTZ001 - it has no zone
    ("datetime2(7)", datetime(2026, 1, 2, 3, 4, 5, 6), "text", "2026-01-02 03:04:05.0000060"),  # noqa: DTZ001 - it has no zone
    ("datetime2(7)", parse_datetime("2026-01-02 03:04:05.1234567"), "text", "2026-01-02 03:04:05.1234567"),
    ("datetimeoffset(0)", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "text", "2026-01-02 03:04:05+00:00"),
    ("datetimeoffset(3)", datetime(2026, 1, 2, 3, 4, 5, 6000, UTC), "text", "2026-01-02 03:04:05.006+00:00"),
    ("datetimeoffset(7)", datetime(2026, 1, 2, 3, 4, 5, 6, UTC), "text", "2026-01-02 03:04:05.0000060+00:00"),
    (
        "datetimeoffset(7)",
        parse_datetime("2026-01-02 03:04:05.1234567-05:30"),
        "text",
        "2026-01-02 03:04:05.1234567-05:30",
    ),
]


@pytest.mark.parametrize(("type_name", "value", "storage_class", "stored"), STORED)
def test_values_are_stored_so_that_sql_can_work_with_them(
    path: Path, type_name: str, value: Value, storage_class: str, stored: object
) -> None:
    table = TableLayout("t", "t", (ColumnLayout("v", parse_type(type_name)),), (), (), (), "fail")
    target = target_at(path)
    target.prepare([table])
    with closing(target.connect()) as connection, connection.transaction():
        insert_rows(connection, table, bind(connection, table, [(value,)]))
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT typeof(v), v FROM t").fetchall() == [(storage_class, stored)]


def test_dates_work_with_sqlites_date_functions(path: Path) -> None:
    columns = tuple(
        ColumnLayout(name.split("(")[0], parse_type(name)) for name in ("datetime2(7)", "datetimeoffset(7)")
    )
    table = TableLayout("t", "t", columns, (), (), (), "fail")
    target = target_at(path)
    target.prepare([table])
    when = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001 - datetime2 has no zone
    with closing(target.connect()) as connection, connection.transaction():
        insert_rows(connection, table, bind(connection, table, [(when, when.replace(tzinfo=UTC))]))
    with closing(sqlite3.connect(path)) as database:
        found = database.execute("SELECT datetime(datetime2, '+1 day'), datetime(datetimeoffset) FROM t").fetchone()
    assert found == ("2026-01-03 03:04:05", "2026-01-02 03:04:05")


def test_a_generated_column_beside_a_key_is_filled_by_the_database(path: Path) -> None:
    table = replace(NOTES, key=("order_id",), foreign_keys=(), on_conflict="keep")
    target = target_at(path)
    target.prepare([table])
    with closing(target.connect()) as connection, connection.transaction():
        insert_rows(connection, table, [(5, "first"), (5, "second"), (6, "third")])
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT order_id, text, note_id > 0 FROM demo_notes ORDER BY 1").fetchall() == [
            (5, "first", 1),
            (6, "third", 1),
        ]
