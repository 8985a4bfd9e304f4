"""Documents that are done again, on every target: their old rows and new ones change places in one transaction."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from tests.database.binding import insert_rows, read_log
from tests.database.test_loader_guarantees import LOST, Watched, no_pauses
from xml_extractor.contract.layout import TableLayout, layouts
from xml_extractor.contract.model import Contract
from xml_extractor.documents import (
    Failure,
    MappedDocument,
    Outcome,
    ProcessedDocument,
    Rejection,
    Replaced,
    Status,
    Unchanged,
    Value,
)
from xml_extractor.reasons import Reason, Stage
from xml_extractor.targets.delete_plan import plan_deletion
from xml_extractor.targets.interfaces import TargetConnection
from xml_extractor.targets.loader import Loader, LogIdentity
from xml_extractor.targets.registry import open_target

__all__ = ["no_pauses"]

CONTRACT = Contract.model_validate(
    {
        "contract": "orders",
        "version": 1,
        "document": {"root": "order", "key": "@id", "key_type": "int"},
        "tables": {
            "orders": {
                "rows": ".",
                "columns": {
                    "order_id": {"path": "@id", "type": "int", "key": True},
                    "customer": {"path": "customer", "type": "nvarchar(40)"},
                },
            },
            "line": {
                "rows": "line",
                "columns": {
                    "line_id": {"derived": True, "type": "bigint", "key": True},
                    "order_id": {"parent": "orders.order_id", "required": True},
                },
            },
            "part": {
                "parent": "line",
                "rows": "part",
                "columns": {
                    "line_id": {"parent": "line.line_id", "key": True},
                    "part_no": {"position": True, "key": True},
                },
            },
        },
    }
)
TABLES = layouts(CONTRACT)


def order(
    number: int, lines: int = 2, order_id: int | None = None, customer: str = "Ada", replaced: str = ""
) -> MappedDocument:
    """A document with some lines of one part each; `replaced` names the run whose rows it takes the place of."""
    own = number if order_id is None else order_id
    ids = [number * 100 + line for line in range(lines)]
    rows = (((own, customer),), tuple((line, own) for line in ids), tuple((line, 1) for line in ids))
    return MappedDocument(number, rows, f"{number:032x}", 0.25, replacing(replaced, own))


def broken(number: int, replaced: str = "", own_key: Value = None) -> Rejection:
    failure = Failure(Stage.PARSE, Reason.MALFORMED, "the document is not well-formed")
    return Rejection(number, failure, "", 0.125, replacing(replaced, own_key))


def replacing(run_id: str, own_key: Value) -> Replaced | None:
    return Replaced(run_id, "", own_key) if run_id else None


def loader_of(connection: TargetConnection, run_id: str = "run 2", contract: Contract = CONTRACT) -> Loader:
    identity = LogIdentity("orders", 1, "c0ffee", run_id)
    return Loader(connection, layouts(contract), identity, 500, plan_deletion(contract))


@pytest.fixture
def connection(target_address: str) -> Iterator[TargetConnection]:
    target = open_target(target_address, CONTRACT)
    target.create(TABLES)
    with closing(target.connect()) as opened:
        yield opened


@pytest.fixture
def loaded(connection: TargetConnection) -> TargetConnection:
    """A target into which `run 1` has loaded the orders 1 to 4, with as many lines."""
    loader_of(connection, "run 1").load([order(number, number) for number in range(1, 5)])
    return connection


def content(connection: TargetConnection) -> dict[str, list[Any]]:
    """All rows of all tables."""
    return {table.name: sorted(connection.read_rows(table)) for table in TABLES}


def by_key(connection: TargetConnection) -> dict[str, tuple[str, int, str, int]]:
    """Status, attempts, run and rows of each document, by the log."""
    return {
        entry.document_key: (entry.status.value, entry.attempts, entry.run_id, entry.row_count)
        for entry in read_log(connection)
    }


def only(connection: TargetConnection, *documents: MappedDocument) -> bool:
    """Whether the tables have the rows of these documents and no others."""
    return content(connection) == {
        table.name: sorted(row for document in documents for row in document.rows[number])
        for number, table in enumerate(TABLES)
    }


def test_a_document_that_is_done_again_has_its_new_rows_and_none_of_the_old(loaded: TargetConnection) -> None:
    again = order(2, lines=1, customer="Grace", replaced="run 1")
    assert loader_of(loaded).load([again]) == [Outcome(2, Status.LOADED, (1, 1, 1), attempts=1)]
    assert only(loaded, order(1, 1), again, order(3, 3), order(4, 4))
    assert by_key(loaded)["2"] == ("loaded", 2, "run 2", 3)
    assert by_key(loaded)["1"] == ("loaded", 1, "run 1", 3)


def test_many_documents_are_done_again_in_one_transaction_beside_new_ones(loaded: TargetConnection) -> None:
    watched = Watched(loaded)
    documents = [order(number, 2, replaced="run 1") for number in range(1, 5)] + [order(5, 2)]
    loader_of(watched).load(documents)
    assert only(loaded, *documents)
    assert watched.calls == [
        ("log deletion", 4),
        ("deletion", 4),
        ("log", 5),
        ("orders", 5),
        ("line", 10),
        ("part", 10),
    ]
    assert watched.transactions == 2, "the log was read in the first"


def test_more_documents_than_fit_into_a_statement_are_done_again(loaded: TargetConnection) -> None:
    loader_of(loaded, "run 1").load([order(number, 1) for number in range(5, 400)])
    documents = [order(number, 2, customer="Grace", replaced="run 1") for number in range(1, 400)]
    outcomes = loader_of(loaded).load(documents)
    assert {outcome.status for outcome in outcomes} == {Status.LOADED}
    assert only(loaded, *documents)


def test_a_document_that_is_now_rejected_loses_its_rows(loaded: TargetConnection) -> None:
    (outcome,) = loader_of(loaded).load([broken(3, "run 1", own_key=3)])
    assert (outcome.status, outcome.attempts) == (Status.REJECTED, 2)
    assert only(loaded, order(1, 1), order(2, 2), order(4, 4))
    assert by_key(loaded)["3"] == ("rejected", 2, "run 2", 0)


def test_a_document_whose_new_rows_the_database_refuses_loses_its_rows(loaded: TargetConnection) -> None:
    good, bad = order(1, 1, replaced="run 1"), order(2, 2, replaced="run 1")
    twice = bad._replace(rows=(bad.rows[0], bad.rows[1] * 2, ()))
    outcomes = loader_of(loaded).load([good, twice])
    assert [outcome.status.value for outcome in outcomes] == ["loaded", "rejected"]
    assert outcomes[1].failure is not None
    assert outcomes[1].failure.stage is Stage.LOAD
    assert only(loaded, order(1, 1), order(3, 3), order(4, 4))
    assert by_key(loaded)["2"] == ("rejected", 2, "run 2", 0)


def test_a_rejected_document_that_is_done_again_is_loaded(connection: TargetConnection) -> None:
    loader_of(connection, "run 1").load([broken(1)])
    loader_of(connection).load([order(1, replaced="run 1")])
    assert only(connection, order(1))
    assert by_key(connection) == {"1": ("loaded", 2, "run 2", 5)}


def test_a_document_that_cannot_be_told_by_its_key_any_more_stays_as_it_was(loaded: TargetConnection) -> None:
    loader_of(loaded, "run 1").load([order(5, 4)])
    before = content(loaded), list(read_log(loaded))
    documents: list[ProcessedDocument] = [
        broken(1, "run 1"),
        order(2, order_id=77, replaced="run 1"),
        order(3, order_id=4, replaced="run 1"),
        order(5, order_id=4, replaced="run 1"),
    ]
    outcomes = loader_of(loaded).load(documents)
    assert [(outcome.status, outcome.attempts) for outcome in outcomes] == [(Status.REJECTED, 1)] * 4
    failures = [outcome.failure for outcome in outcomes if outcome.failure is not None]
    assert [failure.code for failure in failures] == ["malformed", *["not_replaced"] * 3]
    assert "its old rows stay" in failures[0].explanation
    assert "0 are there by the document's key, and 5 by the processing log" in failures[1].explanation
    assert "the document has the key of another one now" in failures[2].explanation
    assert (content(loaded), list(read_log(loaded))) == before


def test_one_document_that_stays_as_it_was_keeps_no_other_from_being_done_again(loaded: TargetConnection) -> None:
    documents = [
        order(number, 1, order_id=77 if number == 3 else None, customer="Grace", replaced="run 1")
        for number in range(1, 5)
    ]
    outcomes = loader_of(loaded).load(documents)
    assert [outcome.status.value for outcome in outcomes] == ["loaded", "loaded", "rejected", "loaded"]
    assert only(loaded, documents[0], documents[1], order(3, 3), documents[3])


def test_rows_that_were_added_by_somebody_else_are_not_deleted(loaded: TargetConnection) -> None:
    line = TABLES[1]
    with loaded.transaction():
        insert_rows(loaded, line, [(999, 2)])
    (outcome,) = loader_of(loaded).load([order(2, replaced="run 1")])
    assert outcome.failure is not None
    assert outcome.failure.code == "not_replaced"
    assert (999, 2) in content(loaded)["line"]


REFERRING = TableLayout(
    name="comment",
    table="comment_of_order",
    columns=(TABLES[0].columns[0],),
    generated=(),
    key=("order_id",),
    foreign_keys=(layouts(CONTRACT)[1].foreign_keys[0],),
    on_conflict="fail",
)


def test_rows_to_which_rows_of_other_tables_refer_are_not_deleted(
    loaded: TargetConnection, target_address: str
) -> None:
    open_target(target_address, CONTRACT).create((*TABLES, REFERRING))
    with loaded.transaction():
        insert_rows(loaded, REFERRING, [(2,)])
    outcomes = loader_of(loaded).load([order(1, replaced="run 1"), order(2, replaced="run 1")])
    assert [outcome.status.value for outcome in outcomes] == ["loaded", "rejected"]
    assert outcomes[1].failure is not None
    assert outcomes[1].failure.reason == "not_replaced: its old rows stay: the database refuses to delete them"
    assert only(loaded, order(1), order(2, 2), order(3, 3), order(4, 4))
    assert by_key(loaded)["2"] == ("loaded", 1, "run 1", 5)


def test_a_document_that_is_as_it_was_is_left_alone(loaded: TargetConnection) -> None:
    before = content(loaded), list(read_log(loaded))
    unchanged = Unchanged(1, (), "", 0.0, replacing("run 1", 1))
    watched = Watched(loaded)
    assert loader_of(watched).load([unchanged]) == [Outcome(1, Status.ALREADY_DONE)]
    assert (watched.calls, watched.transactions) == ([], 0)
    assert (content(loaded), list(read_log(loaded))) == before


@pytest.mark.parametrize("replaced", ["run 1", "another run"])
def test_what_another_run_has_done_again_meanwhile_is_left_to_it(loaded: TargetConnection, replaced: str) -> None:
    loader_of(loaded, "run 2").load([order(2, 1, customer="Grace", replaced="run 1")])
    outcomes = loader_of(loaded, "run 3").load([order(1, replaced="run 1"), order(2, 5, replaced=replaced)])
    assert [outcome.status.value for outcome in outcomes] == ["loaded", "already_done"]
    assert only(loaded, order(1), order(2, 1, customer="Grace"), order(3, 3), order(4, 4))
    assert by_key(loaded)["2"] == ("loaded", 2, "run 2", 3)


class Eventful(Watched):
    """A connection at which something happens before or after its second transaction, which is the first to replace."""

    def __init__(self, connection: TargetConnection, before: Callable[[], object] = list, after: str = "") -> None:
        super().__init__(connection)
        self._before = before
        self._after = after
        self._begun = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._begun += 1
        is_second = self._begun == 2
        if is_second:
            self._before()
        with super().transaction():
            yield
        if is_second and self._after:
            raise LOST


def test_of_two_runs_only_one_does_a_document_again(loaded: TargetConnection, target_address: str) -> None:
    rival = loader_of(loaded, "run 2")
    document = order(2, 1, customer="Grace", replaced="run 1")
    with closing(open_target(target_address, CONTRACT).connect()) as other:
        overtaken = Eventful(other, lambda: rival.load([document]))
        outcomes = loader_of(overtaken, "run 3").load([order(1, 2, replaced="run 1"), order(2, 7, replaced="run 1")])
    assert [outcome.status.value for outcome in outcomes] == ["loaded", "already_done"]
    assert only(loaded, order(1, 2), document, order(3, 3), order(4, 4))


@pytest.mark.usefixtures("no_pauses")
def test_a_commit_whose_answer_was_lost_replaces_once(loaded: TargetConnection) -> None:
    document = order(2, 1, replaced="run 1")
    loader = loader_of(Eventful(loaded, after="the answer is lost"))
    assert loader.load([document]) == [Outcome(2, Status.LOADED, (1, 1, 1))]
    assert only(loaded, order(1, 1), document, order(3, 3), order(4, 4))
    assert by_key(loaded)["2"] == ("loaded", 2, "run 2", 3)
