"""What one worker makes of documents."""

import logging
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.conftest import posix_only
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.reading import read_contract
from xml_extractor.documents import (
    DocumentKey,
    Failure,
    MappedDocument,
    Outcome,
    ProcessedDocument,
    RecordKey,
    Rejection,
    Replaced,
    Status,
    Unchanged,
)
from xml_extractor.errors import RunError, TargetError, UsageError
from xml_extractor.processing import worker as worker_module
from xml_extractor.processing.chunks import POISON_DOCUMENT, Chunk, CrashMarker, RunContext, as_run_error
from xml_extractor.processing.insert_queue import InsertQueue
from xml_extractor.processing.parallel_coordinator import _queue_mapped_data
from xml_extractor.processing.processes import MAX_GROWTH
from xml_extractor.processing.worker import OwnCrashMarker, Worker, content_hash
from xml_extractor.processing.worker_supervisor import CrashMarkers
from xml_extractor.reasons import Reason, Stage
from xml_extractor.records import open_documents
from xml_extractor.settings import InsertMode, RunSettings
from xml_extractor.targets.registry import open_target

CONTRACT = """
contract: notes
version: 1
document: {root: note, key: "@id", key_type: int}
tables:
  note:
    rows: "."
    columns:
      note_id: {path: "@id", type: int, key: true}
      text: {path: ".", type: nvarchar(20)}
"""

VALUE = "Jane Doe"
"""Stands for a value of a document that an exception quotes."""


TIMED_OUT = Failure(Stage.MAP, Reason.TIMEOUT, "it took too long")


def chunk(*keys: str, rejected: Mapping[DocumentKey, Failure] | None = None) -> Chunk:
    return Chunk(7, keys, rejected or {})


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    (tmp_path / "notes.yaml").write_text(CONTRACT)
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "1.xml").write_text('<note id="1">first</note>')
    (documents / "2.xml").write_text('<note id="2">second')
    (documents / "3.xml").write_text('<note id="three">third</note>')
    settings = RunSettings(str(tmp_path / "notes.yaml"), str(documents), f"sqlite:///{tmp_path / 'target.db'}")
    contract = read_contract(settings.contract)
    open_target(settings.target, contract).prepare(layouts(contract))
    started_at = datetime(2026, 1, 1)  # noqa: DTZ001 - naive UTC
    return RunContext("run", started_at, settings, contract, "0" * 64, "documents", settings.source)


@pytest.fixture
def worker(context: RunContext, tmp_path: Path) -> Iterator[Worker]:
    with closing(Worker(context, None, tmp_path)) as worker:
        yield worker


def test_a_good_document_is_mapped_and_has_the_hash_of_its_bytes(worker: Worker) -> None:
    (document,) = worker.map_documents(chunk("1.xml"))
    assert isinstance(document, MappedDocument)
    assert document.rows == (((1, "first"),),)
    assert document.content_hash == sha256(b'<note id="1">first</note>').hexdigest()[:32]
    assert document.seconds > 0


def test_what_is_wrong_with_a_document_is_a_rejection_with_its_stage(worker: Worker) -> None:
    documents = list(worker.map_documents(chunk("2.xml", "3.xml", "4.xml")))
    assert [document.key for document in documents] == ["2.xml", "3.xml", "4.xml"]
    stages = [document.failure.stage for document in documents if isinstance(document, Rejection)]
    assert stages == [Stage.PARSE, Stage.MAP, Stage.FETCH]


def test_a_rejected_record_that_came_with_its_key_takes_its_content_along(context: RunContext, tmp_path: Path) -> None:
    text = CONTRACT.replace("root: note,", "root: notes, records: note,")
    (tmp_path / "notes.yaml").write_text(text, encoding="utf-8")
    content = '<notes><note id="1">first</note><note id="x">second</note></notes>'
    (tmp_path / "documents" / "1.xml").write_text(content, encoding="utf-16")
    contract = read_contract(context.settings.contract)
    with closing(open_documents(context.source_address, contract)) as source:
        keys = [key for page in source.key_pages(9) for key in page.keys if str(key).startswith("1.xml#")]
    with closing(Worker(replace(context, contract=contract), None, tmp_path)) as worker:
        good, bad = worker.map_documents(Chunk(7, tuple(keys)))
    assert isinstance(good.key, RecordKey)
    assert isinstance(bad.key, RecordKey)
    assert (good.key.place.content, bad.key.place.content) == (None, b'<note id="x">second</note>')


def test_refused_values_leave_the_worker_only_if_the_run_is_to_keep_them(context: RunContext, tmp_path: Path) -> None:
    (tmp_path / "documents" / "5.xml").write_text(f'<note id="5">{"x" * 500}</note>')
    for keeps in (False, True):
        given = replace(context, settings=replace(context.settings, reject_values=keeps))
        with closing(Worker(given, None, tmp_path)) as worker:
            documents = list(worker.map_documents(chunk("2.xml", "3.xml", "5.xml")))
        values = [document.value for document in documents if isinstance(document, Rejection)]
        assert values == ([None, "three", "x" * 200] if keeps else [None] * 3)


def replacing(content: str, own_key: int | None = None) -> Replaced:
    return Replaced("run 1", content_hash(content), own_key)


def test_a_document_that_is_done_again_takes_its_own_key_along(worker: Worker) -> None:
    replaced: dict[DocumentKey, Replaced] = {
        key: replacing("as it was") for key in ("1.xml", "2.xml", "3.xml", "4.xml")
    }
    documents = worker.map_documents(Chunk(7, tuple(replaced), replaced=replaced))
    found = [document.replaced for document in documents]
    assert found == [replacing("as it was", 1), *[replacing("as it was")] * 3]


def test_only_changed_documents_are_mapped_again_if_the_run_is_to_do_these(context: RunContext, tmp_path: Path) -> None:
    replaced: dict[DocumentKey, Replaced] = {
        "1.xml": replacing('<note id="1">first</note>'),
        "2.xml": replacing('<note id="2">second'),
        "3.xml": replacing('<note id="3">third</note>'),
        "4.xml": Replaced("run 1", ""),
    }
    kinds = {}
    for only_if_changed in (False, True):
        wanted = {key: known._replace(only_if_changed=only_if_changed) for key, known in replaced.items()}
        with closing(Worker(context, None, tmp_path)) as worker:
            documents = worker.map_documents(Chunk(7, (*replaced, "1.xml"), replaced=wanted))
            kinds[only_if_changed] = [type(document) for document in documents]
    assert kinds == {
        False: [MappedDocument, Rejection, Rejection, Rejection, MappedDocument],
        True: [Unchanged, Unchanged, Rejection, Unchanged, Unchanged],
    }


def test_a_document_that_workers_died_of_is_rejected_and_not_looked_at(worker: Worker) -> None:
    first, rejected, third = worker.map_documents(chunk("1.xml", "2.xml", "1.xml", rejected={"2.xml": POISON_DOCUMENT}))
    assert isinstance(rejected, Rejection)
    assert (rejected.key, rejected.failure.code) == ("2.xml", "worker_died")
    assert isinstance(first, MappedDocument)
    assert isinstance(third, MappedDocument)


def test_a_document_that_took_too_long_is_rejected_with_the_hash_of_its_bytes(worker: Worker) -> None:
    (rejected,) = worker.map_documents(chunk("1.xml", rejected={"1.xml": TIMED_OUT}))
    assert isinstance(rejected, Rejection)
    assert rejected.failure is TIMED_OUT
    assert rejected.content_hash == content_hash('<note id="1">first</note>')


def test_a_worker_notes_which_document_it_is_at_and_at_which_stage(
    worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[CrashMarker | None] = []
    with closing(CrashMarkers()) as markers:
        markers.path = tmp_path

        def note(marker: OwnCrashMarker, stage: int) -> None:
            write(marker, stage)
            notes.append(markers.read(os.getpid()))

        write = OwnCrashMarker._write
        monkeypatch.setattr(OwnCrashMarker, "_write", note)
        began_at = time.monotonic()
        for _ in worker.map_documents(chunk("1.xml", "3.xml")):
            assert notes[-1] is None, "loading is not the document's time"
        with worker.enqueuing(7):
            pass
    noted = [marker[:3] if marker else None for marker in notes]
    of_document = [[(7, position, stage) for stage in (Stage.FETCH, Stage.PARSE, Stage.MAP)] for position in (0, 1)]
    assert noted == [*of_document[0], None, *of_document[1], None, (7, 0, Stage.LOAD), None]
    times = [marker.since for marker in notes if marker]
    assert began_at <= times[0] <= times[1] == times[2] <= times[3] <= time.monotonic()


def test_a_defect_costs_one_document_and_its_text_is_nowhere(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise KeyError(VALUE)

    monkeypatch.setattr(worker_module, "map_document", fail)
    rejected, malformed = worker.map_documents(chunk("1.xml", "2.xml"))
    assert isinstance(rejected, Rejection)
    assert (rejected.failure.stage, rejected.failure.code) == (Stage.MAP, "internal_error")
    assert "KeyError" in rejected.failure.explanation
    assert isinstance(malformed, Rejection)
    assert malformed.failure.code != "internal_error"
    assert "Internal error: KeyError while document 1.xml was at stage map" in caplog.text
    assert "in _map" in caplog.text
    assert VALUE not in caplog.text + rejected.failure.reason


def test_a_lack_of_memory_is_not_the_document_s_fault(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(worker_module, "map_document", fail)
    with pytest.raises(MemoryError):
        list(worker.map_documents(chunk("1.xml")))
    assert as_run_error(MemoryError()).message == "a worker process has no memory left"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process holds now")
def test_a_worker_knows_when_it_holds_much_more_memory_than_at_its_start(worker: Worker) -> None:
    found = [worker.is_grown]
    ballast = b"x" * (MAX_GROWTH + 2**20)
    found.append(worker.is_grown)
    del ballast
    found.append(worker.is_grown)
    assert found == [False, True, False]


def test_an_expected_error_ends_the_run_as_it_is_and_any_other_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    expected = TargetError("the disk is full")
    assert as_run_error(expected) is expected
    unexpected = as_run_error(ValueError(VALUE))
    assert type(unexpected) is RunError
    assert unexpected.message == "internal error: ValueError"
    assert VALUE not in caplog.text


def test_a_worker_without_a_source_says_so(context: RunContext, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        Worker(replace(context, source_address="/nowhere/at/all"), None, tmp_path)


def test_seconds_are_counted_by_step_and_given_once(worker: Worker) -> None:
    worker.load(list(worker.map_documents(chunk("1.xml", "2.xml"))))
    assert set(worker.result(chunk("1.xml"), None).stage_seconds) == {"fetch", "parse", "map", "insert", "commit"}
    assert worker.result(chunk("1.xml"), None).stage_seconds == {}


@pytest.mark.parametrize(
    ("mode", "most_rows", "batches"), [("queue", 9, [2]), ("queue", 1, [1, 1]), ("blocking", 9, [1, 1])]
)
def test_a_chunk_is_loaded_in_transactions_of_a_number_of_rows(
    context: RunContext,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: InsertMode,
    most_rows: int,
    batches: list[int],
) -> None:
    monkeypatch.setattr(worker_module, "MAX_BATCH_ROWS", most_rows)
    settings = replace(context.settings, in_process=True, insert_mode=mode)
    sizes: list[int] = []
    load = Worker.load

    def noted(self: Worker, batch: Sequence[ProcessedDocument]) -> list[Outcome]:
        sizes.append(len(batch))
        return load(self, batch)

    monkeypatch.setattr(Worker, "load", noted)
    with (
        closing(CrashMarkers()) as markers,
        closing(Worker(replace(context, settings=settings), None, markers.path)) as worker,
    ):
        outcomes = worker.load_chunk(chunk("1.xml", "2.xml"))
    assert sizes == batches
    assert [outcome.status for outcome in outcomes] == [Status.LOADED, Status.REJECTED]


def test_mapped_documents_are_queued_and_those_that_the_full_queue_refuses_are_loaded(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "xml_extractor")
    documents = list(worker.map_documents(chunk("1.xml", "2.xml")))
    with InsertQueue(max_size=1) as queue:
        assert _queue_mapped_data(queue, worker, 0, documents[1:]) is None
        outcomes = _queue_mapped_data(queue, worker, 1, documents[:1])
        assert outcomes == [Outcome("1.xml", Status.LOADED, (1,))]
        assert [item.sequence for item in queue.dequeue_batch()] == [0]
    assert "Queued insert (documents=1, rows=0)" in caplog.messages
    assert "Queue full, falls back to a blocking insert (documents=1, rows=1)" in caplog.messages


@pytest.mark.parametrize(
    ("content", "data"),
    [(b"\xff\xfe", b"\xff\xfe"), ("ä", b"\xc3\xa4"), ("\udc80", b"\xed\xb2\x80"), ("", b""), (None, b"")],
)
def test_text_is_hashed_as_utf_8_whatever_it_holds(content: bytes | str | None, data: bytes) -> None:
    assert content_hash(content) == sha256(data).hexdigest()[:32]


def _set_markers_and_die(path: Path) -> None:
    marker = OwnCrashMarker(path)
    marker.set(12, 3, Stage.FETCH)
    marker.set(12, 4, Stage.PARSE)
    os.kill(os.getpid(), signal.SIGKILL)


@posix_only("sends signals to processes")
def test_the_marker_of_a_killed_process_can_be_read() -> None:
    with closing(CrashMarkers()) as markers:
        process = get_context("spawn").Process(target=_set_markers_and_die, args=(markers.path,))
        process.start()
        process.join(60)
        marker = markers.read(process.pid or 0)
        assert marker is not None
        assert marker[:3] == (12, 4, Stage.PARSE)


def test_a_process_that_is_at_no_document_has_no_marker() -> None:
    with closing(CrashMarkers()) as markers, closing(OwnCrashMarker(markers.path)) as own:
        assert markers.read(os.getpid()) is None
        own.set(0, 0, Stage.FETCH)
        assert markers.read(os.getpid()) is not None
        own.clear()
        assert markers.read(os.getpid()) is None
        assert markers.read(-1) is None


def test_a_process_that_was_killed_before_it_had_written_a_marker_was_at_no_document() -> None:
    with closing(CrashMarkers()) as markers:
        for content in (b"", b"half"):
            (markers.path / "1").write_bytes(content)
            assert markers.read(1) is None
        markers.clear()
        assert list(markers.path.iterdir()) == []


def test_crash_markers_leave_nothing_behind() -> None:
    with closing(CrashMarkers()) as markers, closing(OwnCrashMarker(markers.path)):
        assert markers.path.is_dir()
    assert not markers.path.exists()
