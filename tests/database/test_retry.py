"""Documents marked for retry, on every target: they are retried once, and their attempts are counted."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

import pytest

from tests.database.binding import insert_log, read_log
from tests.database.demo_tables import (
    CONTRACT,
    LINES,
    loader_of,
    order,
    order_ids,
    unreadable_order,
)
from tests.database.test_loader_guarantees import DENIED, LOST, Watched, bad_order, no_pauses
from tests.database.test_target_conformance import ENTRY
from xml_extractor.documents import MappedDocument, Outcome, Status
from xml_extractor.errors import TargetError
from xml_extractor.processing_log.log import ProcessingLog
from xml_extractor.processing_log.log_table import LogEntry, RejectSelection
from xml_extractor.targets.interfaces import Target, TargetConnection
from xml_extractor.targets.registry import open_processing_log, open_target

WITH_PARQUET = True

__all__ = ["no_pauses"]

ALL = RejectSelection("orders")


def mark_for_retry(connection: TargetConnection, selection: RejectSelection = ALL) -> int:
    return ProcessingLog(connection).retry(selection, 100).documents


def by_key(connection: TargetConnection) -> dict[str, tuple[str, int, str]]:
    """Status, attempts and run of each document, by the log."""
    return {entry.document_key: (entry.status.value, entry.attempts, entry.run_id) for entry in read_log(connection)}


def write_log(connection: TargetConnection, *entries: LogEntry) -> None:
    with connection.transaction():
        insert_log(connection, entries)


def keys_of(entries: Sequence[LogEntry]) -> list[str]:
    return sorted(entry.document_key for entry in entries)


def test_a_rejected_document_that_is_marked_for_retry_keeps_all_but_its_status(connection: TargetConnection) -> None:
    write_log(connection, ENTRY)
    assert mark_for_retry(connection) == 1
    assert list(read_log(connection)) == [ENTRY._replace(status=Status.RETRY)]


def test_a_document_that_was_marked_for_retry_is_not_done(connection: TargetConnection) -> None:
    write_log(connection, ENTRY, ENTRY._replace(document_key="8"))
    mark_for_retry(connection, RejectSelection("orders", keys=("7",)))
    assert set(ProcessingLog(connection).done("orders", ["7", "8", "9"])) == {"8"}
    assert ProcessingLog(connection).entries("orders", ["7", "9"]).keys() == {"7"}


def test_only_rejected_documents_of_the_contract_are_marked_for_retry(connection: TargetConnection) -> None:
    write_log(
        connection,
        ENTRY,
        ENTRY._replace(document_key="8", status=Status.LOADED, stage="", reason=""),
        ENTRY._replace(contract="invoices"),
    )
    assert mark_for_retry(connection) == 1
    assert mark_for_retry(connection) == 0
    statuses = {(entry.contract, entry.document_key): entry.status for entry in read_log(connection)}
    assert statuses == {
        ("orders", "7"): Status.RETRY,
        ("orders", "8"): Status.LOADED,
        ("invoices", "7"): Status.REJECTED,
    }


MAPPED = ENTRY._replace(document_key="mapped", reason="unknown_code: the lookup has no such code")
MAPPED_TOO = ENTRY._replace(document_key="it's", reason="unknown_code_of_another_kind: it has a longer name")
LOADED = ENTRY._replace(document_key="Load", stage="load", reason="duplicate_key at orders.id (@id): it is there")
TIRED = ENTRY._replace(document_key="tired", stage="load", reason="duplicate_key at orders: it is there", attempts=5)


SELECTIONS: tuple[tuple[RejectSelection, list[str]], ...] = (
    (ALL, ["Load", "it's", "mapped", "tired"]),
    (RejectSelection("invoices"), []),
    (RejectSelection("orders", keys=("mapped", "it's", "absent", "mapped")), ["it's", "mapped"]),
    (RejectSelection("orders", keys=("load",)), []),
    (RejectSelection("orders", code="unknown_code"), ["mapped"]),
    (RejectSelection("orders", code="duplicate_key"), ["Load", "tired"]),
    (RejectSelection("orders", code="duplicate%"), []),
    (RejectSelection("orders", code="duplicate.key"), []),
    (RejectSelection("orders", code="[a-z]uplicate_key"), []),
    (RejectSelection("orders", stage="load"), ["Load", "tired"]),
    (RejectSelection("orders", below_attempts=5), ["Load", "it's", "mapped"]),
    (RejectSelection("orders", stage="load", below_attempts=5), ["Load"]),
    (RejectSelection("orders", keys=("mapped",), stage="load"), []),
)


def test_rejects_are_chosen_by_key_reason_stage_and_attempts(connection: TargetConnection) -> None:
    write_log(connection, MAPPED, MAPPED_TOO, LOADED, TIRED)
    for selection, keys in SELECTIONS:
        assert keys_of(ProcessingLog(connection).rejected(selection)) == keys, selection
    assert (
        mark_for_retry(
            connection, RejectSelection("orders", ("Load", "mapped"), "duplicate_key", "load", below_attempts=5)
        )
        == 1
    )
    assert {key for key, (status, *_) in by_key(connection).items() if status == "retry"} == {"Load"}


def test_any_number_of_keys_can_be_marked_for_retry(connection: TargetConnection) -> None:
    write_log(connection, *(ENTRY._replace(document_key=str(number)) for number in range(1200)))
    assert mark_for_retry(connection, RejectSelection("orders", keys=tuple(map(str, range(1100))))) == 1100
    assert len(ProcessingLog(connection).rejected(ALL)) == 100


def test_a_document_that_was_marked_for_retry_is_loaded_and_its_log_row_replaced(connection: TargetConnection) -> None:
    loader_of(connection).load([bad_order(1), order(2)])
    mark_for_retry(connection)
    outcomes = loader_of(connection, run_id="run 2").load([order(1)])
    assert outcomes == [Outcome(1, Status.LOADED, (1, 2, 1))]
    assert by_key(connection) == {"1": ("loaded", 2, "run 2"), "2": ("loaded", 1, "run 1")}
    (entry,) = ProcessingLog(connection).entries("orders", ["1"]).values()
    assert (entry.stage, entry.reason, entry.row_count) == ("", "", 4)
    assert order_ids(connection) == [1, 2]


def test_a_document_that_is_rejected_again_counts_its_attempts(connection: TargetConnection) -> None:
    loader_of(connection).load([unreadable_order(1)])
    for attempts in (2, 3, 4):
        mark_for_retry(connection)
        (outcome,) = loader_of(connection, run_id=f"run {attempts}").load([bad_order(1)])
        assert outcome.status is Status.REJECTED
        assert by_key(connection) == {"1": ("rejected", attempts, f"run {attempts}")}
    (entry,) = read_log(connection)
    assert (entry.stage, entry.reason.partition(" ")[0]) == ("load", "missing_value")


def test_documents_marked_for_retry_new_ones_and_done_ones_may_be_in_one_batch(connection: TargetConnection) -> None:
    loader_of(connection).load([bad_order(1), bad_order(2), order(3), bad_order(4)])
    mark_for_retry(connection, RejectSelection("orders", keys=("1", "2")))
    documents = [order(number) for number in range(1, 4)] + [order(4), bad_order(5), order(6)]
    outcomes = loader_of(connection, run_id="run 2").load(documents)
    assert [outcome.status.value for outcome in outcomes] == [
        "loaded",
        "loaded",
        "already_done",
        "already_done",
        "rejected",
        "loaded",
    ]
    assert by_key(connection) == {
        "1": ("loaded", 2, "run 2"),
        "2": ("loaded", 2, "run 2"),
        "3": ("loaded", 1, "run 1"),
        "4": ("rejected", 1, "run 1"),
        "5": ("rejected", 1, "run 2"),
        "6": ("loaded", 1, "run 2"),
    }
    assert order_ids(connection) == [1, 2, 3, 6]


def test_a_run_without_documents_marked_for_retry_sends_no_statement_for_them(connection: TargetConnection) -> None:
    watched = Watched(connection)
    loader_of(watched).load([order(1)])
    assert watched.calls == [("log", 1), ("orders", 1), ("lines", 2), ("notes", 1)]


def test_a_transaction_that_is_refused_keeps_the_row_that_was_marked_for_retry(connection: TargetConnection) -> None:
    loader_of(connection).load([bad_order(1)])
    mark_for_retry(connection)
    before = list(read_log(connection))
    watched = Watched(connection)
    watched.errors_before_begin = [DENIED]
    with pytest.raises(TargetError):
        loader_of(watched, run_id="run 2").load([order(1)])
    assert list(read_log(connection)) == before
    assert order_ids(connection) == []


@pytest.mark.usefixtures("no_pauses")
def test_a_commit_whose_answer_was_lost_counts_once_for_a_document_marked_for_retry(
    connection: TargetConnection,
) -> None:
    loader_of(connection).load([bad_order(1)])
    mark_for_retry(connection)
    watched = Watched(connection)
    loader = loader_of(watched, run_id="run 2")
    loader.load([order(7)])
    watched.errors_after_commit = [LOST]
    assert loader.load([order(1)]) == [Outcome(1, Status.LOADED, (1, 2, 1))]
    assert by_key(connection)["1"] == ("loaded", 2, "run 2")
    assert sum(1 for _ in connection.read_rows(LINES)) == 4


class Overtaken(Watched):
    """A connection before whose third transaction something happens: after the log was read, before it is replaced."""

    def __init__(self, connection: TargetConnection, event: Callable[[], object]) -> None:
        super().__init__(connection)
        self._event = event
        self._begun = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._begun += 1
        if self._begun == 3:
            self._event()
        with super().transaction():
            yield


@pytest.mark.parametrize("rivals_document", [order(1), bad_order(1)], ids=["loads it", "rejects it again"])
def test_of_two_runs_only_one_takes_a_document_that_was_marked_for_retry(
    target: Target, connection: TargetConnection, rivals_document: MappedDocument
) -> None:
    loader_of(connection).load([bad_order(1)])
    mark_for_retry(connection)
    rival = loader_of(connection, run_id="run 2")
    with closing(target.connect()) as other:
        overtaken = Overtaken(other, lambda: rival.load([rivals_document]))
        (outcome,) = loader_of(overtaken, run_id="run 3").load([order(1)])
    assert outcome == Outcome(1, Status.ALREADY_DONE)
    assert by_key(connection)["1"][1:] == (2, "run 2")
    assert len(order_ids(connection)) == (by_key(connection)["1"][0] == "loaded")


def test_a_log_row_is_deleted_only_as_it_was_read(connection: TargetConnection) -> None:
    write_log(connection, ENTRY)
    for changed in (
        ENTRY._replace(attempts=2),
        ENTRY._replace(status=Status.RETRY),
        ENTRY._replace(run_id="another"),
        ENTRY._replace(document_key="8"),
        ENTRY._replace(contract="invoices"),
    ):
        with connection.transaction():
            ProcessingLog(connection).delete([changed])
        assert list(read_log(connection)) == [ENTRY]
    with connection.transaction():
        ProcessingLog(connection).delete([ENTRY._replace(document_key="8"), ENTRY])
    assert list(read_log(connection)) == []


def test_the_log_is_counted_by_run_and_status(connection: TargetConnection) -> None:
    loader_of(connection).load([order(1), bad_order(2), order(3)])
    loader_of(connection, run_id="run 2").load([order(4)])
    write_log(connection, ENTRY._replace(contract="invoices"))
    counts = sorted(ProcessingLog(connection).counts("orders"))
    assert [(count.run_id, count.status.value, count.contract_version, count.documents) for count in counts] == [
        ("run 1", "loaded", 3, 2),
        ("run 1", "rejected", 3, 1),
        ("run 2", "loaded", 3, 1),
    ]
    last = {entry.run_id: entry.finished_at for entry in read_log(connection) if entry.contract == "orders"}
    assert counts[-1].finished_at == last["run 2"]


def test_documents_that_were_tried_too_often_stay_rejected_and_are_counted(target: Target) -> None:
    with closing(target.connect()) as connection:
        write_log(connection, MAPPED, LOADED, TIRED)
    with open_processing_log(target) as log:
        assert log.retry(ALL, 5) == (2, 1)
        assert log.retry(ALL, 5) == (0, 1)
        assert [entry.document_key for entry in log.rejected(ALL)] == ["tired"]
        assert log.retry(ALL, 6) == (1, 0)


def test_a_target_without_a_processing_log_is_said_to_have_none(target_address: str) -> None:
    empty = open_target(target_address, CONTRACT)
    with pytest.raises(TargetError, match="no table processing_log in"), open_processing_log(empty):
        pass
