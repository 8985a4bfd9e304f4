"""What a run decides before its first document: which documents are done or reprocessed, and how rows are sent."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from tests.database.binding import insert_log
from tests.database.demo_tables import CONTRACT, TABLES
from tests.database.test_target_conformance import ENTRY
from xml_extractor.contract.reading import read_contract
from xml_extractor.documents import RecordKey, RecordPlace, Replaced, Status
from xml_extractor.errors import TargetError, UsageError
from xml_extractor.processing.chunks import RunContext
from xml_extractor.processing.logged_documents import LoggedDocuments
from xml_extractor.settings import Reprocess, RunSettings
from xml_extractor.sources.interfaces import KeyPage
from xml_extractor.targets.interfaces import TargetConnection
from xml_extractor.targets.registry import TargetOpening, open_target

LOADED = ENTRY._replace(document_key="1", status=Status.LOADED, contract_version=3, contract_hash="new", run_id="b")
LOG = (
    LOADED,
    LOADED._replace(document_key="2", contract_version=2, contract_hash="old", run_id="a"),
    LOADED._replace(document_key="3", contract_hash="edited"),
    LOADED._replace(document_key="4", status=Status.REJECTED),
    LOADED._replace(document_key="5", status=Status.REJECTED, contract_version=2, contract_hash="old"),
    LOADED._replace(document_key="6", status=Status.RETRY, contract_hash="old"),
    LOADED._replace(document_key="7", contract="invoices", contract_hash="another"),
)
KEYS = [*"123456789"]


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[TargetConnection]:
    target = open_target(f"sqlite:///{tmp_path / 'target.db'}", CONTRACT)
    target.create(TABLES)
    with closing(target.connect()) as opened:
        with opened.transaction():
            insert_log(opened, LOG)
        yield opened


@pytest.mark.parametrize("reprocess", [None, "all", "rejected", "changed-contract"])
def test_a_file_that_was_read_to_its_end_is_looked_at_if_the_log_has_a_reject_of_it(
    connection: TargetConnection, reprocess: Reprocess | None
) -> None:
    files = [RecordKey(key, RecordPlace(key, key, 1, is_complete=True)) for key in "146"]
    pages = [KeyPage([files[0], "1#1", files[1], "9", files[2]]), KeyPage(["2"], {"2"}, 3)]
    expected = [KeyPage(["1#1", "4", "9", "6"]), KeyPage(["2"], {"2"}, 3)]
    assert list(logged(connection, reprocess).without_complete(pages)) == expected


def logged(
    connection: TargetConnection, reprocess: Reprocess | None = None, version: int | None = None
) -> LoggedDocuments:
    settings = RunSettings("orders.yaml", "in", "out", reprocess=reprocess, reprocess_version=version)
    started_at = datetime(2026, 1, 1)  # noqa: DTZ001 - naive UTC
    return LoggedDocuments(connection, RunContext("c", started_at, settings, CONTRACT, "new", "in", "in"))


@pytest.mark.parametrize(
    ("reprocess", "version", "again"),
    [
        (None, None, "45"),
        ("loaded", None, "123"),
        ("rejected", None, "45"),
        ("changed-contract", None, "235"),
        ("changed-documents", None, "12345"),
        ("all", None, "12345"),
        ("all", 2, "25"),
        ("loaded", 2, "2"),
        ("changed-contract", 3, "3"),
        ("rejected", 9, ""),
    ],
)
def test_documents_are_chosen_by_what_became_of_them_and_by_contract(
    connection: TargetConnection, reprocess: Reprocess | None, version: int | None, again: str
) -> None:
    documents = logged(connection, reprocess, version)
    others = set("45") - set(again)
    assert documents.done(KEYS) == set("12345") - set(again) - others
    if reprocess is not None:
        assert {key for key in KEYS if documents.is_retried(key)} == others, "rejects are tried if they have changed"
    replaced = documents.take_replaced(KEYS)
    assert replaced.keys() == set(again) | others
    only_if_changed = others if reprocess not in (None, "changed-documents") else replaced.keys()
    assert {key for key, known in replaced.items() if known.only_if_changed} == only_if_changed


def test_each_document_is_told_once_with_its_run_and_its_hash(connection: TargetConnection) -> None:
    documents = logged(connection, "all")
    documents.done(KEYS)
    assert documents.take_replaced([2, 8]) == {2: Replaced("a", LOADED.content_hash)}
    assert documents.take_replaced([2]) == {}


def test_documents_that_another_contract_has_done_are_counted(connection: TargetConnection) -> None:
    documents = logged(connection)
    documents.done(KEYS)
    assert documents.outdated == 3


def test_a_log_that_cannot_be_read_ends_the_run(connection: TargetConnection, tmp_path: Path) -> None:
    empty = open_target(f"sqlite:///{tmp_path / 'empty.db'}", CONTRACT)
    with closing(empty.connect()) as other:
        with pytest.raises(TargetError, match="the processing log of the target cannot be used"):
            logged(other).done(KEYS)
        with pytest.raises(TargetError, match="the processing log of the target cannot be used"):
            logged(other, "all").done(KEYS)
    assert logged(connection).done(KEYS)


def test_the_embedded_target_takes_no_json() -> None:
    target = open_target("sqlite:///never-opened.db", read_contract("card_application"))
    with pytest.raises(UsageError, match="does not support the insert strategy 'json'") as refused:
        TargetOpening(target, (), "json")
    assert refused.value.tip == "choose executemany, or omit the option"
