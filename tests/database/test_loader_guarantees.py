"""What loading guarantees, on every target: whole documents, exactly once, and one bad document costs one document."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import combinations
from multiprocessing import get_context
from typing import Any, Literal

import pytest

from tests.database.binding import insert_log, insert_rows, read_log
from tests.database.demo_tables import (
    CONTRACT,
    LINES,
    NOTES,
    ORDERS,
    TABLES,
    loader_of,
    order,
    order_ids,
    unreadable_order,
)
from xml_extractor.connections import Batch, DatabaseError, ErrorClass, RowBinder
from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.documents import MappedDocument, Outcome, ProcessedDocument, Row, Status
from xml_extractor.errors import TargetError
from xml_extractor.processing_log.log_table import LogEntry
from xml_extractor.reasons import Stage
from xml_extractor.targets.delete_plan import DeletePlan
from xml_extractor.targets.interfaces import (
    Insertion,
    TableRows,
    Target,
    TargetConnection,
    joined,
    parts,
    whole_insertion,
)
from xml_extractor.targets.registry import open_target

WITH_PARQUET = True

OnConflict = Literal["fail", "keep", "replace"]

BATCH = 6
BAD_POSITIONS = [bad for count in (1, 2, 3) for bad in combinations(range(BATCH), count)]


LOST = DatabaseError(ErrorClass.TRANSIENT, "connection_lost", "the connection was lost")
DENIED = DatabaseError(ErrorClass.FATAL, "denied", "this user may not insert", tip="grant it")


class Watched:
    """A connection that notes what is inserted, and can be told to fail; the real one does the work."""

    def __init__(self, connection: TargetConnection) -> None:
        self._connection = connection
        self.calls: list[tuple[str, int]] = []
        self.transactions = 0
        self.isolates = False
        self.errors_before_begin: list[Exception] = []
        self.errors_after_commit: list[Exception] = []

    @property
    def dialect(self) -> str:
        return self._connection.dialect

    @property
    def log_table(self) -> TableLayout:
        return self._connection.log_table

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self.errors_before_begin:
            raise self.errors_before_begin.pop()
        with self._connection.transaction():
            yield
        self.transactions += 1
        if self.errors_after_commit:
            raise self.errors_after_commit.pop()

    def insert_batch(self, batch: Batch, batch_rows: int = 500) -> list[list[int]]:
        for table, rows in batch:
            for some in parts(rows, batch_rows):
                self.calls.append(("log" if table is self.log_table else table.name, len(some)))
        return self._connection.insert_batch(batch, batch_rows)

    def insert_documents(
        self, tables: Sequence[TableLayout], documents: Sequence[TableRows], batch_rows: int = 500
    ) -> Insertion:
        batch = joined(tables, documents)
        if self.isolates:
            self.calls.append(("documents", len(documents)))
            return self._connection.insert_documents(tables, documents, batch_rows)
        return whole_insertion(documents, self.insert_batch(batch, batch_rows))

    def existing_rows(self, table: TableLayout, rows: Sequence[Row]) -> Iterator[Row]:
        return self._connection.existing_rows(table, rows)

    def delete_documents(self, plan: DeletePlan, keys: Sequence[Row]) -> list[int]:
        self.calls.append(("deletion", len(keys)))
        return self._connection.delete_documents(plan, keys)

    def query(self, statement: str, values: Sequence[Any] = ()) -> Iterator[Sequence[Any]]:
        return self._connection.query(statement, values)

    def execute(self, statement: str, values: Sequence[Any] = ()) -> int:
        return self._connection.execute(statement, values)

    def execute_many(self, statement: str, columns: Sequence[ColumnLayout], rows: Sequence[Row]) -> None:
        self.calls.append(("log deletion", len(rows)))
        self._connection.execute_many(statement, columns, rows)

    def update_rows(self, table: TableLayout, names: Sequence[str], rows: Sequence[Row]) -> None:
        self._connection.update_rows(table, names, rows)

    def table_name(self, table: TableLayout) -> str:
        return self._connection.table_name(table)

    def row_binder(self, table: TableLayout) -> RowBinder:
        return self._connection.row_binder(table)

    def read_rows(self, table: TableLayout, condition: str = "", values: Sequence[Any] = ()) -> Iterator[Row]:
        return self._connection.read_rows(table, condition, values)

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def watched(connection: TargetConnection) -> Watched:
    return Watched(connection)


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xml_extractor.connections.pauses_end.wait", lambda _seconds: False)


def statuses(outcomes: Sequence[Outcome]) -> list[str]:
    return [outcome.status.value for outcome in outcomes]


def logged(connection: TargetConnection) -> dict[str, str]:
    return {entry.document_key: entry.status.value for entry in read_log(connection)}


def count(connection: TargetConnection, table: TableLayout) -> int:
    return sum(1 for _ in connection.read_rows(table))


def bad_order(number: int) -> MappedDocument:
    """Its last table refuses it: the line has no article."""
    return order(number, article=None)


def test_documents_are_loaded_with_all_their_rows(connection: TargetConnection) -> None:
    outcomes = loader_of(connection).load([order(1, lines=3), order(2, lines=0)])
    assert outcomes == [Outcome(1, Status.LOADED, (1, 3, 1)), Outcome(2, Status.LOADED, (1, 0, 1))]
    assert order_ids(connection) == [1, 2]
    assert (count(connection, LINES), count(connection, NOTES)) == (3, 2)


def test_keys_that_differ_only_in_what_a_log_may_ignore_cost_one_document_at_most(connection: TargetConnection) -> None:
    keys = ["a", "A", "a ", "b", "b ", "ä", "a\u0308"]
    documents = [order(number)._replace(key=key) for number, key in enumerate(keys, 1)]
    outcomes = loader_of(connection).load(documents)
    logged = {entry.document_key: entry.status for entry in read_log(connection)}
    assert [logged[str(outcome.key)] for outcome in outcomes] == [outcome.status for outcome in outcomes]
    assert len(logged) == len(keys)
    spaces = {keys[number]: outcome for number, outcome in enumerate(outcomes) if keys[number].endswith(" ")}
    for key, outcome in spaces.items():
        if outcome.status is Status.REJECTED:  # SQL Server ignores spaces at the end, whatever the collation
            assert str(outcome.key).startswith(f"{key}~")
            assert outcome.failure is not None
            assert outcome.failure.code == "unusable_key"
    assert [outcome.status for outcome in outcomes if outcome not in spaces.values()] == [Status.LOADED] * 5
    again = loader_of(connection, run_id="run 2").load(documents)
    assert [outcome.status for outcome in again] == [Status.ALREADY_DONE] * len(keys)


def test_loading_nothing_does_nothing(watched: Watched) -> None:
    assert loader_of(watched).load([]) == []
    assert watched.transactions == 0


def test_the_log_says_what_was_loaded_and_by_whom(connection: TargetConnection) -> None:
    loader_of(connection).load([order(1, lines=3)])
    (entry,) = read_log(connection)
    assert (entry.contract, entry.document_key, entry.status) == ("orders", "1", Status.LOADED)
    assert (entry.contract_version, entry.contract_hash, entry.run_id) == (3, "c0ffee", "run 1")
    assert (entry.stage, entry.reason, entry.attempts, entry.row_count) == ("", "", 1, 5)
    assert (entry.seconds, entry.content_hash) == (0.25, f"{1:032x}")
    assert (entry.finished_at - entry.started_at).total_seconds() == pytest.approx(0.25, abs=0.002)


def test_a_rejection_gets_its_row_in_the_log_and_nothing_else(connection: TargetConnection) -> None:
    (outcome,) = loader_of(connection).load([unreadable_order(4)])
    assert outcome.status is Status.REJECTED
    assert outcome.failure == unreadable_order(4).failure
    (entry,) = read_log(connection)
    assert (entry.status, entry.stage, entry.row_count) == (Status.REJECTED, "parse", 0)
    assert entry.reason == "malformed: the document is not well-formed"
    assert order_ids(connection) == []


def test_a_batch_of_good_and_rejected_documents_is_one_transaction(watched: Watched) -> None:
    outcomes = loader_of(watched).load([order(1), unreadable_order(2), order(3)])
    assert statuses(outcomes) == ["loaded", "rejected", "loaded"]
    assert watched.transactions == 1


def test_the_log_comes_first_and_parents_come_before_children(watched: Watched) -> None:
    loader_of(watched).load([order(number) for number in range(1, 4)])
    assert watched.calls == [("log", 3), ("orders", 3), ("lines", 6), ("notes", 3)]


def test_a_table_without_rows_takes_no_call(watched: Watched) -> None:
    loader_of(watched).load([order(1, lines=0)])
    assert [name for name, _ in watched.calls] == ["log", "orders", "notes"]


@pytest.mark.parametrize(
    ("batch_rows", "calls"),
    [(500, [500, 500, 200]), (1200, [1200]), (5000, [1200]), (499, [499, 499, 202]), (1, [1] * 1200)],
)
def test_no_call_has_more_rows_than_asked_for(watched: Watched, batch_rows: int, calls: list[int]) -> None:
    loader_of(watched, batch_rows=batch_rows).load([order(number, lines=12) for number in range(1, 101)])
    assert [rows for name, rows in watched.calls if name == "lines"] == calls
    assert max(rows for _, rows in watched.calls) <= batch_rows
    assert watched.transactions == 1
    assert count(watched, LINES) == 1200


@pytest.mark.constraints
@pytest.mark.parametrize("bad", BAD_POSITIONS, ids=lambda bad: "-".join(map(str, bad)))
def test_bad_documents_are_rejected_and_all_others_loaded(connection: TargetConnection, bad: tuple[int, ...]) -> None:
    documents = [bad_order(number) if number in bad else order(number) for number in range(BATCH)]
    outcomes = loader_of(connection).load(documents)
    good = [number for number in range(BATCH) if number not in bad]
    assert [outcome.key for outcome in outcomes] == list(range(BATCH))
    assert [outcome.key for outcome in outcomes if outcome.status is Status.REJECTED] == list(bad)
    assert order_ids(connection) == good
    assert (count(connection, LINES), count(connection, NOTES)) == (2 * len(good), len(good))
    assert logged(connection) == {str(n): "rejected" if n in bad else "loaded" for n in range(BATCH)}


def test_a_batch_of_bad_documents_only_is_rejected(connection: TargetConnection) -> None:
    outcomes = loader_of(connection).load([bad_order(number) for number in range(5)])
    assert statuses(outcomes) == ["rejected"] * 5
    assert order_ids(connection) == []


@pytest.mark.parametrize("bad", [1, 10, 100])
def test_bad_documents_of_a_batch_are_rejected_in_the_transaction_that_loads_the_others(
    watched: Watched, bad: int
) -> None:
    watched.isolates = True
    documents = [bad_order(number) if number % 100 < bad else order(number) for number in range(100)]
    outcomes = loader_of(watched).load(documents)
    assert statuses(outcomes).count("rejected") == bad
    assert watched.transactions == 1
    assert [name for name, _ in watched.calls].count("documents") <= 3


def test_a_reason_for_which_most_documents_of_a_batch_are_rejected_is_logged_once(
    connection: TargetConnection, caplog: pytest.LogCaptureFixture
) -> None:
    loader = loader_of(connection)
    for first in range(0, 80, 20):
        loader.load([bad_order(number) if number % 10 else order(number) for number in range(first, first + 20)])
    # A server may also fail for a moment, which the connection logs.
    (message,) = [each.message for each in caplog.records if each.name == "xml_extractor.targets.loader"]
    assert message.startswith("18 of 20 documents of a batch are rejected: missing_value at lines.article")


@pytest.mark.parametrize("size", [64, 100])
def test_a_document_that_a_connection_cannot_isolate_costs_two_transactions_for_each_halving(
    watched: Watched, size: int
) -> None:
    documents = [order(number) for number in range(size)]
    documents[size // 3] = bad_order(size // 3)
    loader = loader_of(watched)
    loader.load(documents)
    halvings = size.bit_length()
    assert watched.transactions <= halvings + 1
    assert len([name for name, _ in watched.calls if name == "log"]) <= 2 * halvings + 3


def test_a_reject_names_table_column_and_path(connection: TargetConnection) -> None:
    (outcome,) = loader_of(connection).load([bad_order(1)])
    failure = outcome.failure
    assert failure is not None
    assert (failure.stage, failure.code) == (Stage.LOAD, "missing_value")
    assert (failure.table, failure.column, failure.path) == ("lines", "article", "@article")
    (entry,) = read_log(connection)
    assert entry.reason == failure.reason
    assert entry.reason.startswith("missing_value at lines.article (@article): ")


@pytest.mark.constraints
def test_a_missing_parent_is_blamed_on_the_column_that_refers_to_it(connection: TargetConnection) -> None:
    document = order(1)
    orphan = document._replace(rows=((), document.rows[1], ()))
    (outcome,) = loader_of(connection).load([orphan])
    assert outcome.failure is not None
    assert (outcome.failure.code, outcome.failure.table, outcome.failure.column, outcome.failure.path) == (
        "missing_parent",
        "lines",
        "order_id",
        "../@id",
    )


def test_no_value_of_a_rejected_document_gets_into_the_log(connection: TargetConnection) -> None:
    loader_of(connection).load([order(1, order_id=987654321, article="secret"), order(2, order_id=987654321)])
    assert "987654321" not in repr(list(read_log(connection)))


@pytest.mark.constraints
@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "in two batches"])
def test_of_two_documents_with_one_key_the_first_is_loaded(connection: TargetConnection, *, together: bool) -> None:
    first, second = order(1, order_id=77), order(2, order_id=77)
    loader = loader_of(connection)
    outcomes = loader.load([first, second]) if together else [*loader.load([first]), *loader.load([second])]
    assert statuses(outcomes) == ["loaded", "rejected"]
    assert outcomes[1].failure is not None
    assert outcomes[1].failure.code == "duplicate_key"
    assert (outcomes[1].failure.table, outcomes[1].failure.column, outcomes[1].failure.path) == (
        "orders",
        "order_id",
        "@id",
    )


@pytest.mark.constraints
@pytest.mark.parametrize(
    ("on_conflict", "customer"), [("keep", "customer 1"), ("replace", "customer 2"), ("fail", "customer 1")]
)
def test_a_table_says_what_happens_to_a_row_that_is_there(
    connection: TargetConnection, on_conflict: OnConflict, customer: str
) -> None:
    tables = [replace(ORDERS, on_conflict=on_conflict), LINES, NOTES]
    outcomes = loader_of(connection, tables).load([order(1, lines=0, order_id=5), order(2, lines=0, order_id=5)])
    assert list(connection.read_rows(ORDERS)) == [(5, customer)]
    assert statuses(outcomes) == ["loaded", "rejected" if on_conflict == "fail" else "loaded"]


@pytest.mark.parametrize("run_id", ["run 2", "run 3"])
def test_documents_that_another_run_has_done_are_left_alone(connection: TargetConnection, run_id: str) -> None:
    loader_of(connection, run_id="run 1").load([order(1), unreadable_order(2), bad_order(3)])
    before = sorted(read_log(connection), key=repr)
    outcomes = loader_of(connection, run_id=run_id).load([order(1), order(2), order(3), order(4), unreadable_order(5)])
    assert statuses(outcomes) == ["already_done", "already_done", "already_done", "loaded", "rejected"]
    assert [entry for entry in read_log(connection) if entry.run_id == "run 1"] == before
    assert order_ids(connection) == [1, 4]


@pytest.mark.parametrize("done", BAD_POSITIONS, ids=lambda done: "-".join(map(str, done)))
def test_the_log_holds_back_documents_wherever_they_are_in_a_batch(
    connection: TargetConnection, done: tuple[int, ...]
) -> None:
    loader_of(connection, run_id="another").load([order(number) for number in done])
    outcomes = loader_of(connection).load([order(number) for number in range(BATCH)])
    assert [outcome.key for outcome in outcomes if outcome.status is Status.ALREADY_DONE] == list(done)
    assert order_ids(connection) == list(range(BATCH))
    assert count(connection, LINES) == 2 * BATCH


def test_a_batch_can_hold_done_bad_and_good_documents(connection: TargetConnection) -> None:
    loader_of(connection, run_id="another").load([order(2), order(5)])
    documents: list[ProcessedDocument] = [
        order(1),
        order(2),
        bad_order(3),
        order(4),
        bad_order(5),
        unreadable_order(6),
        order(7),
    ]
    outcomes = loader_of(connection).load(documents)
    assert statuses(outcomes) == [
        "loaded",
        "already_done",
        "rejected",
        "loaded",
        "already_done",
        "rejected",
        "loaded",
    ]


def test_a_key_that_is_twice_in_a_batch_is_loaded_once(connection: TargetConnection) -> None:
    assert statuses(loader_of(connection).load([order(1), order(2), order(1)])) == ["loaded", "loaded", "already_done"]
    assert order_ids(connection) == [1, 2]


def test_other_contracts_have_log_rows_of_their_own(connection: TargetConnection) -> None:
    entry = next(iter(_entries_of(connection, order(1))))
    with connection.transaction():
        insert_log(connection, [entry._replace(contract="invoices", document_key="2")])
    assert statuses(loader_of(connection).load([order(2)])) == ["loaded"]


def _entries_of(connection: TargetConnection, document: MappedDocument) -> list[LogEntry]:
    loader_of(connection).load([document])
    return list(read_log(connection))


@pytest.mark.usefixtures("no_pauses")
def test_a_commit_whose_answer_was_lost_counts_as_loaded(watched: Watched) -> None:
    watched.errors_after_commit = [LOST]
    documents: list[ProcessedDocument] = [order(1), unreadable_order(2), order(3)]
    outcomes = loader_of(watched).load(documents)
    assert statuses(outcomes) == ["loaded", "rejected", "loaded"]
    assert outcomes[0].rows == (1, 2, 1)
    assert order_ids(watched) == [1, 3]


@pytest.mark.usefixtures("no_pauses")
def test_a_rejects_commit_whose_answer_was_lost_counts_as_rejected(watched: Watched) -> None:
    watched.errors_after_commit = [LOST]
    (outcome,) = loader_of(watched).load([bad_order(1)])
    assert outcome.status is Status.REJECTED
    assert outcome.failure is not None
    assert outcome.failure.code == "missing_value"


def test_documents_handed_over_again_by_the_same_run_get_the_same_outcome(connection: TargetConnection) -> None:
    documents: list[ProcessedDocument] = [order(1), unreadable_order(2), bad_order(3)]
    loader = loader_of(connection)
    first, second = loader.load(documents), loader.load(documents)
    assert statuses(second) == statuses(first) == ["loaded", "rejected", "rejected"]
    assert second[0] == first[0]
    for before, again in zip(first, second, strict=True):
        if before.failure is not None and again.failure is not None:
            assert (again.failure.stage, again.failure.code) == (before.failure.stage, before.failure.code)


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("times", [1, 2, 5])
def test_what_the_moment_refuses_is_tried_again(watched: Watched, times: int) -> None:
    watched.errors_before_begin = [LOST for _ in range(times)]
    loader = loader_of(watched)
    assert statuses(loader.load([order(1), order(2)])) == ["loaded", "loaded"]
    assert loader.statistics.retries == times
    assert watched.transactions == 1


@pytest.mark.usefixtures("no_pauses")
def test_a_moment_that_does_not_pass_ends_the_run(watched: Watched) -> None:
    watched.errors_before_begin = [LOST for _ in range(100)]
    with pytest.raises(TargetError, match="the connection was lost") as ended:
        loader_of(watched).load([order(1)])
    assert ended.value.tip
    assert order_ids(watched) == []
    assert 90 < len(watched.errors_before_begin) < 100


def test_what_the_database_refuses_ends_the_run_at_once_and_says_what_to_do(watched: Watched) -> None:
    watched.errors_before_begin = [DENIED for _ in range(2)]
    with pytest.raises(TargetError, match="this user may not insert") as ended:
        loader_of(watched).load([order(1), order(2)])
    assert ended.value.tip == "grant it"
    assert len(watched.errors_before_begin) == 1


def test_a_missing_table_ends_the_run_and_rejects_nothing(connection: TargetConnection) -> None:
    tables = [ORDERS, LINES, replace(NOTES, table="demo_absent")]
    with pytest.raises(TargetError):
        loader_of(connection, tables).load([order(1), order(2)])
    assert order_ids(connection) == []
    assert logged(connection) == {}


def test_a_defect_of_the_program_is_no_reject(watched: Watched) -> None:
    watched.errors_before_begin = [ZeroDivisionError()]
    with pytest.raises(ZeroDivisionError):
        loader_of(watched).load([order(1)])


def test_a_loader_counts_what_it_did(connection: TargetConnection) -> None:
    loader = loader_of(connection)
    loader.load([order(1), order(2)])
    assert loader.statistics.transactions == 1
    assert loader.statistics.insert_seconds > 0
    assert loader.statistics.commit_seconds > 0


def test_two_runs_at_once_load_each_document_once(target: Target) -> None:
    documents = [bad_order(number) if number % 40 == 7 else order(number) for number in range(200)]
    outcomes: dict[str, list[Outcome]] = {}
    barrier = threading.Barrier(2)

    def load(run_id: str, batch: int) -> None:
        with closing(target.connect()) as connection:
            loader = loader_of(connection, run_id=run_id)
            barrier.wait()
            outcomes[run_id] = [
                outcome for first in range(0, 200, batch) for outcome in loader.load(documents[first : first + batch])
            ]

    runs = [threading.Thread(target=load, args=arguments) for arguments in (("run 1", 7), ("run 2", 11))]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    done = [
        outcome.key for of_run in outcomes.values() for outcome in of_run if outcome.status is not Status.ALREADY_DONE
    ]
    assert sorted(map(int, done)) == list(range(200))
    with closing(target.connect()) as connection:
        assert order_ids(connection) == [number for number in range(200) if number % 40 != 7]
        assert count(connection, NOTES) == 195
        by_log = {entry.document_key: entry.run_id for entry in read_log(connection)}
    assert by_log == {
        str(outcome.key): run_id
        for run_id, of_run in outcomes.items()
        for outcome in of_run
        if outcome.status is not Status.ALREADY_DONE
    }


def _load_until_killed(address: str, in_transaction: threading.Event) -> None:
    with closing(open_target(address, CONTRACT).connect()) as connection:
        loader_of(connection).load([order(1)])
        with connection.transaction():
            insert_rows(connection, ORDERS, [(number, "lost") for number in range(100, 20000)])
            in_transaction.set()
            threading.Event().wait()


def test_a_process_killed_within_a_transaction_leaves_nothing_of_it(target: Target, target_address: str) -> None:
    context = get_context("spawn")
    in_transaction = context.Event()
    process = context.Process(target=_load_until_killed, args=(target_address, in_transaction))
    process.start()
    assert in_transaction.wait(60)
    process.kill()
    process.join()
    with closing(target.connect()) as connection:
        assert order_ids(connection) == [1]
        outcomes = loader_of(connection, run_id="run 2").load([order(1), order(100)])
        assert statuses(outcomes) == ["already_done", "loaded"]
        assert len(TABLES) == len(outcomes[1].rows)
