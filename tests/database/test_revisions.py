"""Revisions on every target: the newest one remains, with exactly its own rows, in whatever order they arrive."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import permutations
from typing import Any, NamedTuple

import pytest

from tests.database.binding import read_log
from tests.database.test_loader_guarantees import no_pauses
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.model import Contract
from xml_extractor.documents import (
    Deletion,
    Failure,
    MappedDocument,
    Rejection,
    Replaced,
    Revision,
    Status,
)
from xml_extractor.processing_log.log import ProcessingLog
from xml_extractor.processing_log.log_table import RejectSelection
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
        "document": {
            "root": "order",
            "key": "@id",
            "key_type": "int",
            "revision": {"of": "@no", "order": {"path": "@rev", "type": "int"}},
        },
        "tables": {
            "customer": {
                "rows": "customer",
                "on_conflict": "keep",
                "columns": {
                    "customer_id": {"path": "@id", "type": "int", "key": True},
                    "name": {"path": "@name", "type": "nvarchar(20)"},
                },
            },
            "orders": {
                "rows": ".",
                "columns": {
                    "order_id": {"path": "@id", "type": "int", "key": True},
                    "rev": {"path": "@rev", "type": "int"},
                },
            },
            "line": {
                "rows": "line",
                "columns": {
                    "line_id": {"derived": True, "type": "bigint", "key": True},
                    "order_id": {"parent": "orders.order_id", "required": True},
                },
            },
        },
    }
)
TABLES = layouts(CONTRACT)


def order(
    key: str,
    rev: int | str,
    thing: str = "A",
    own: int = 1,
    lines: int = 2,
    customer: int | None = None,
    content: str = "",
    replaced: str = "",
) -> MappedDocument:
    """A revision with lines whose keys come from the document's key; `replaced` names the run that loaded it before."""
    line_ids = [own * 1000 + sum(map(ord, key)) * 10 + line for line in range(lines)]
    customers = () if customer is None else ((customer, key),)
    rows = (customers, ((own, int(rev)),), tuple((line, own) for line in line_ids))
    of_run = Replaced(replaced, "", own) if replaced else None
    return MappedDocument(key, rows, content or f"{key} {rev}", 0.25, of_run, (), revision(key, rev, thing, own))


def revision(key: str, rev: int | str, thing: str = "A", own: int | None = None, *, deletes: bool = False) -> Revision:
    ranked = (("number", str(rev)),)
    return Revision(thing.ljust(32, "0"), (thing,), ranked, (key, 0), None if own is None else str(own), deletes)


def deletion(key: str, rev: int, thing: str = "A", replaced: str = "") -> Deletion:
    of_run = Replaced(replaced, "") if replaced else None
    return Deletion(key, ((), (), ()), f"{key} {rev}", 0.25, of_run, (), revision(key, rev, thing, deletes=True))


def broken(key: str, rev: int, thing: str = "A", replaced: str = "") -> Rejection:
    failure = Failure(Stage.MAP, Reason.OVERFLOW, "the number is too large")
    of_run = Replaced(replaced, "") if replaced else None
    return Rejection(key, failure, f"{key} {rev}", 0.25, of_run, revision=revision(key, rev, thing))


def loader_of(connection: TargetConnection, run_id: str = "run 1") -> Loader:
    identity = LogIdentity("orders", 1, "c0ffee", run_id)
    return Loader(connection, TABLES, identity, 500, plan_deletion(CONTRACT), has_revisions=True)


@pytest.fixture
def connection(target_address: str) -> Iterator[TargetConnection]:
    target = open_target(target_address, CONTRACT)
    target.create(TABLES)
    with closing(target.connect()) as opened:
        yield opened


APART = 1_000_000
"""Between the keys of two things."""


class Found(NamedTuple):
    """What is in tables and log.

    Attributes:
        orders: Own key and revision of each order.
        lines: Line and order.
        statuses: By document.
    """

    orders: list[Any]
    lines: list[Any]
    statuses: dict[str, str]


def found(connection: TargetConnection) -> Found:
    customers, orders, lines = TABLES
    assert customers.is_shared
    statuses = {entry.document_key: entry.status.value for entry in read_log(connection)}
    return Found(sorted(connection.read_rows(orders)), sorted(connection.read_rows(lines)), statuses)


def remains(connection: TargetConnection, *documents: MappedDocument) -> bool:
    """Whether the tables have the rows of these documents and no others, and the log says so."""
    there = found(connection)
    loaded = {str(document.key): sum(map(len, document.rows)) for document in documents}
    counted = {entry.document_key: entry.row_count for entry in read_log(connection) if entry.row_count}
    return (
        there.orders == sorted(row for document in documents for row in document.rows[1])
        and there.lines == sorted(row for document in documents for row in document.rows[2])
        and {key for key, status in there.statuses.items() if status == "loaded"} == loaded.keys()
        and counted == loaded
    )


THREE = (order("a.xml", 9), order("b.xml", 10, lines=3), order("c.xml", 8, lines=1))
DELETED = (order("a.xml", 1), deletion("b.xml", 3), order("c.xml", 2))
CREATED_AGAIN = (order("a.xml", 1), deletion("b.xml", 2), order("c.xml", 3, own=7))
MOVED = (order("a.xml", 1, own=1), order("b.xml", 2, own=2), order("c.xml", 3, own=1))
TIES = (order("a.xml", 5), order("c.xml", 5, lines=3), order("b.xml", 5, lines=1))
REPEATED = (order("a.xml", 5, content="same"), order("b.xml", 5, content="same"), order("c.xml", 4))


@pytest.mark.parametrize(
    ("documents", "newest"),
    [
        pytest.param(THREE, THREE[1], id="numbers"),
        pytest.param(DELETED, None, id="a deletion"),
        pytest.param(CREATED_AGAIN, CREATED_AGAIN[2], id="created again"),
        pytest.param(MOVED, MOVED[2], id="other own keys"),
        pytest.param(TIES, TIES[1], id="equal numbers"),
        pytest.param(REPEATED, REPEATED[0], id="equal content"),
    ],
)
def test_the_newest_revision_remains_in_whatever_order_they_arrive(
    connection: TargetConnection, documents: Sequence[MappedDocument], newest: MappedDocument | None
) -> None:
    orders = list(permutations(documents))
    run = loader_of(connection)
    # Each order is one of another thing: first one document of each thing in a batch, then all of them in one.
    for step in range(len(documents)):
        run.load([of_thing(order[step], number) for number, order in enumerate(orders)])
    run.load([of_thing(document, len(orders) + number) for number, order in enumerate(orders) for document in order])
    there = found(connection)
    for number, order in enumerate(orders * 2):
        expected = {f"{number}/{document.key}": "superseded" for document in documents}
        expected[f"{number}/{'b.xml' if newest is None else newest.key}"] = "deleted" if newest is None else "loaded"
        rows = ((), (), ()) if newest is None else of_thing(newest, number).rows
        assert {key: status for key, status in there.statuses.items() if key.startswith(f"{number}/")} == expected, (
            order
        )
        assert rows_of(there, number) == [sorted(rows[1]), sorted(rows[2])], order


def of_thing(document: MappedDocument, number: int) -> MappedDocument:
    """The document as a revision of another thing, with keys of its own."""
    shift = (number + 1) * APART
    key, about = f"{number}/{document.key}", document.revision
    assert about is not None
    by_table: Any = document.rows
    _, orders, lines = by_table
    rows: Any = (
        (),
        tuple((own + shift, rev) for own, rev in orders),
        tuple((line + shift, own + shift) for line, own in lines),
    )
    own_key = None if about.own_key is None else str(int(about.own_key) + shift)
    thing = f"{number}".ljust(32, "x")
    moved = about._replace(thing=thing, of=(thing,), position=(key, 0), own_key=own_key)
    return document._replace(key=key, rows=rows, revision=moved)


def rows_of(there: Found, number: int) -> list[Any]:
    """The rows of the thing of a number."""
    keys = range((number + 1) * APART, (number + 2) * APART)
    return [[row for row in there.orders if row[0] in keys], [row for row in there.lines if row[1] in keys]]


def test_what_a_run_superseded_after_it_was_committed_is_reported_with_the_revision_that_did(
    connection: TargetConnection,
) -> None:
    run = loader_of(connection)
    run.load([order("a.xml", 1), order("x.xml", 1, thing="X", own=9)])
    (newer, other) = run.load([order("b.xml", 2), order("y.xml", 1, thing="Y", own=8)])
    assert (newer.status, newer.superseded, other.superseded) == (Status.LOADED, (Status.LOADED,), ())
    (again,) = loader_of(connection, "run 2").load([order("c.xml", 3)])
    assert again.superseded == ()


def test_a_newer_revision_that_the_database_rejects_leaves_the_older_one_in_place(connection: TargetConnection) -> None:
    kept = order("a.xml", 1)
    taken = order("t.xml", 1, thing="T", own=2)
    loader_of(connection).load([kept, taken])
    clashing, fine = order("b.xml", 2, own=2), order("c.xml", 1, thing="C", own=5)
    outcomes = loader_of(connection, "run 2").load([clashing, fine])
    assert [(outcome.key, outcome.status, outcome.leaves_older) for outcome in outcomes] == [
        ("b.xml", Status.REJECTED, True),
        ("c.xml", Status.LOADED, False),
    ]
    assert remains(connection, kept, taken, fine)


def test_a_rejected_revision_of_equal_order_is_newer_if_it_comes_later_in_the_source(
    connection: TargetConnection,
) -> None:
    loader_of(connection).load([order("b.xml", 1)])
    outcomes = loader_of(connection, "run 2").load([broken("a.xml", 1), broken("c.xml", 1)])
    assert [outcome.leaves_older for outcome in outcomes] == [False, True]


def test_of_two_revisions_in_a_batch_the_older_one_remains_if_the_newer_one_is_rejected(
    connection: TargetConnection,
) -> None:
    taken = order("t.xml", 1, thing="T", own=2)
    older, newer = order("a.xml", 1), order("b.xml", 2, own=2)
    outcomes = loader_of(connection).load([taken, older, newer, order("c.xml", 1, thing="C", own=5)])
    assert [outcome.status.value for outcome in outcomes] == ["loaded", "loaded", "rejected", "loaded"]
    assert found(connection).orders == [(1, 1), (2, 1), (5, 1)]


def test_a_revision_that_cannot_be_mapped_supersedes_nothing_until_it_is_corrected(
    connection: TargetConnection,
) -> None:
    older, corrected = order("a.xml", 1), order("b.xml", 2, lines=1)
    loader_of(connection).load([older])
    (outcome,) = loader_of(connection, "run 2").load([broken("b.xml", 2)])
    assert (outcome.status, outcome.leaves_older) == (Status.REJECTED, True)
    assert remains(connection, older)
    (outcome,) = loader_of(connection, "run 3").load([broken("z.xml", 0)])
    assert not outcome.leaves_older
    ProcessingLog(connection).retry(RejectSelection("orders", ("b.xml",)), 5)
    (outcome,) = loader_of(connection, "run 4").load([corrected])
    assert (outcome.status, outcome.attempts) == (Status.LOADED, 1)
    assert remains(connection, corrected)


def test_rows_that_documents_share_stay_when_a_revision_is_superseded_or_deleted(connection: TargetConnection) -> None:
    first = order("a.xml", 1, customer=5)
    loader_of(connection).load([first])
    loader_of(connection).load([order("b.xml", 2, customer=6)])
    loader_of(connection).load([deletion("c.xml", 3)])
    assert sorted(connection.read_rows(TABLES[0])) == [(5, "a.xml"), (6, "b.xml")]
    assert found(connection).orders == found(connection).lines == []


def test_a_document_that_is_done_again_replaces_its_own_rows_whatever_its_order_is_now(
    connection: TargetConnection,
) -> None:
    loader_of(connection).load([order("a.xml", 1), order("b.xml", 3, customer=5)])
    again = order("b.xml", 2, own=4, lines=1, customer=5, replaced="run 1")
    (outcome,) = loader_of(connection, "run 2").load([again])
    assert outcome.status is Status.LOADED
    there = found(connection)
    assert (there.orders, there.lines) == (list(again.rows[1]), list(again.rows[2]))
    # The other revision may be the newest one now: the next run looks.
    assert there.statuses == {"a.xml": "retry", "b.xml": "loaded"}
    loader_of(connection, "run 3").load([order("a.xml", 1)])
    assert found(connection).statuses == {"a.xml": "superseded", "b.xml": "loaded"}


def test_a_document_that_is_about_another_thing_now_leaves_the_first_one(connection: TargetConnection) -> None:
    older = order("a.xml", 1)
    loader_of(connection).load([older, order("b.xml", 3)])
    moved = order("b.xml", 3, thing="B", own=2, replaced="run 1")
    loader_of(connection, "run 2").load([moved])
    assert found(connection).statuses == {"a.xml": "retry", "b.xml": "loaded"}
    assert found(connection).orders == [(2, 3)]
    loader_of(connection, "run 3").load([older])
    assert remains(connection, older, moved)


def test_a_document_that_is_done_again_and_rejected_loses_its_rows(connection: TargetConnection) -> None:
    older = order("a.xml", 1)
    loader_of(connection).load([older, order("b.xml", 3)])
    (outcome,) = loader_of(connection, "run 2").load([broken("b.xml", 3, replaced="run 1")])
    assert outcome.status is Status.REJECTED
    assert found(connection) == Found([], [], {"a.xml": "retry", "b.xml": "rejected"})
    loader_of(connection, "run 3").load([older])
    assert remains(connection, older)


def test_superseded_documents_and_deletions_are_superseded_again_when_they_are_done_again(
    connection: TargetConnection,
) -> None:
    newest = order("c.xml", 3)
    loader_of(connection).load([order("a.xml", 1), deletion("b.xml", 2), newest])
    again = [order("a.xml", 1, replaced="run 1"), deletion("b.xml", 2, replaced="run 1")]
    outcomes = loader_of(connection, "run 2").load(again)
    assert [outcome.status for outcome in outcomes] == [Status.SUPERSEDED] * 2
    assert remains(connection, newest)


def test_a_document_whose_row_in_the_log_is_deleted_is_loaded_again(connection: TargetConnection) -> None:
    newest = order("b.xml", 2)
    loader_of(connection).load([order("a.xml", 1), newest])
    with connection.transaction():
        log = connection.table_name(connection.log_table)
        connection.execute(f"DELETE FROM {log} WHERE document_key = 'b.xml'")
    loader_of(connection, "run 2").load([newest])
    assert remains(connection, newest)


def test_a_revision_whose_rows_are_not_those_that_were_loaded_stays(connection: TargetConnection) -> None:
    loader_of(connection).load([order("a.xml", 1)])
    with connection.transaction():
        lines = connection.table_name(TABLES[2])
        connection.execute(f"DELETE FROM {lines} WHERE line_id = (SELECT MIN(line_id) FROM {lines})")
    outcomes = loader_of(connection, "run 2").load([order("b.xml", 2), order("c.xml", 1, thing="C", own=5)])
    assert [(outcome.status, outcome.failure and outcome.failure.code) for outcome in outcomes] == [
        (Status.REJECTED, Reason.NOT_REPLACED),
        (Status.LOADED, None),
    ]
    assert found(connection).orders == [(1, 1), (5, 1)]


def test_what_another_run_has_loaded_meanwhile_is_already_done(connection: TargetConnection) -> None:
    documents = [order("a.xml", 1), order("b.xml", 2)]
    loader_of(connection).load(documents)
    outcomes = loader_of(connection, "run 2").load(documents)
    assert [outcome.status for outcome in outcomes] == [Status.ALREADY_DONE] * 2
    assert remains(connection, documents[1])


def test_the_same_shared_row_of_several_documents_is_sent_once_and_others_are_counted(
    connection: TargetConnection,
) -> None:
    sent: list[int] = []
    insert = connection.insert_documents

    def watched(tables: Any, documents: Any, batch_rows: int = 500) -> Any:
        (customer,) = (at for at, table in enumerate(tables) if table.name == "customer")
        sent.append(sum(len(rows[customer]) for rows in documents))
        return insert(tables, documents, batch_rows)

    connection.insert_documents = watched  # type: ignore[method-assign]
    same = [order(key, 1, thing=key, own=own) for own, key in enumerate("abc", start=1)]
    shared = [document._replace(rows=(((5, "Ada"),), *document.rows[1:])) for document in same]
    other = order("d", 1, thing="d", own=4)._replace(rows=(((5, "Bob"),), *order("d", 1, thing="d", own=4).rows[1:]))
    outcomes = loader_of(connection).load([*shared, other])
    assert list(connection.read_rows(TABLES[0])) == [(5, "Ada")]
    assert [outcome.rows[0] for outcome in outcomes] == [1, 0, 0, 0]
    counted = [{what.value: number for (_, _, what), number in outcome.counts} for outcome in outcomes]
    assert counted == [{}, {"kept": 1}, {"kept": 1}, {"kept": 1, "disagreed": 1}]
    assert sent == [2]


@pytest.mark.parametrize("rev", [5, 4])
def test_the_last_document_of_equal_content_may_change(connection: TargetConnection, rev: int) -> None:
    first, between = order("a.xml", 5, content="same"), order("b.xml", 5, lines=3)
    loader_of(connection).load([first, order("c.xml", 5, content="same")])
    loader_of(connection, "run 2").load([between])
    assert remains(connection, first)
    changed = order("c.xml", rev, lines=1, replaced="run 1")
    loader_of(connection, "run 3").load([changed])
    if rev == 5:
        assert remains(connection, changed)
        return
    assert found(connection).statuses == {"a.xml": "loaded", "b.xml": "retry", "c.xml": "superseded"}
    loader_of(connection, "run 4").load([between])
    assert remains(connection, between)


def test_a_revision_that_is_reprocessed_unchanged_keeps_the_last_place_of_its_content(
    connection: TargetConnection,
) -> None:
    first, last = order("a.xml", 5, content="same"), order("c.xml", 5, content="same")
    loader_of(connection).load([first, last])
    again = order("a.xml", 5, content="same", replaced="run 1")
    loader_of(connection, "run 2").load([again])
    assert found(connection).statuses == {"a.xml": "loaded", "c.xml": "superseded"}
    loader_of(connection, "run 3").load([order("b.xml", 5, lines=3)])
    assert remains(connection, again)
