"""Rejected documents are written beside the run: in bounded memory, and whatever goes wrong is a warning."""

import json
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from xml_extractor.documents import (
    DocumentKey,
    Failure,
    Outcome,
    RecordKey,
    RecordPlace,
    Rejection,
    SourceDocument,
    Status,
)
from xml_extractor.errors import SourceError
from xml_extractor.processing.reject_writer import FETCHED_AT_ONCE, WAITING, RejectWriter
from xml_extractor.processing_log.log_keys import LoggedKeys
from xml_extractor.reasons import Reason, Stage
from xml_extractor.settings import KeyRange
from xml_extractor.sources.interfaces import KeyPage, Source
from xml_extractor.sources.rejects import LISTING, RejectFiles


class Numbers:
    """A source that has a document for each number, and is lost at one of them."""

    name = address = "numbers"
    documents: int | None = None

    def __init__(self, lost_at: int | None = None) -> None:
        self.lost_at = lost_at
        self.asked: list[int] = []
        self.is_whole = True
        self.is_closed = False

    def key_pages(
        self, page_size: int, key_range: KeyRange | None = None, log: LoggedKeys | None = None
    ) -> Iterator[KeyPage]:
        raise NotImplementedError

    def fetch(self, keys: Sequence[DocumentKey], *, whole: bool = False) -> Iterator[SourceDocument | Rejection]:
        self.asked.append(len(keys))
        self.is_whole = self.is_whole and whole
        for key in keys:
            if key == self.lost_at:
                raise SourceError("the numbers are gone")
            yield SourceDocument(key, f"<n>{key}</n>")

    def close(self) -> None:
        self.is_closed = True


def reject(key: int, code: Reason = Reason.OVERFLOW) -> Outcome:
    return Outcome(key, Status.REJECTED, failure=Failure(Stage.MAP, code, "it is so"))


def written(directory: Path) -> dict[int, str | None]:
    """The contents of the files in the list."""
    lines = map(json.loads, (directory / LISTING).read_text(encoding="utf-8").splitlines())
    return {
        line["key"]: (directory / line["file"]).read_text(encoding="utf-8") if line["file"] else None for line in lines
    }


def write(source: Source, directory: Path, *rejects: Outcome) -> None:
    with RejectWriter(RejectFiles(directory, "numbers", 1), lambda: source) as writer:
        for each in rejects:
            writer.add(each)


def test_all_rejects_are_written_when_the_block_ends_however_many_come(tmp_path: Path) -> None:
    source, many = Numbers(), WAITING + 3 * FETCHED_AT_ONCE
    write(source, tmp_path / "run", *map(reject, range(many)))
    assert written(tmp_path / "run") == {key: f"<n>{key}</n>" for key in range(many)}
    assert max(source.asked) <= FETCHED_AT_ONCE
    assert (source.is_whole, source.is_closed) == (True, True)


def test_records_are_fetched_in_the_order_of_their_files(tmp_path: Path) -> None:
    class Positions(Numbers):
        def fetch(self, keys: Sequence[DocumentKey], *, whole: bool = False) -> Iterator[SourceDocument | Rejection]:
            assert whole
            starts = [key.place.start for key in keys if isinstance(key, RecordKey)]
            assert starts == sorted(starts)
            self.asked.append(len(keys))
            return (SourceDocument(key, f"<n>{key}</n>") for key in keys)

    source, directory = Positions(), tmp_path / "run"
    files = RejectFiles(directory, "numbers", 1)
    keys = [RecordKey(f"f#{number}", RecordPlace("f", "f", number, start=number)) for number in range(300)]
    with RejectWriter(files, lambda: source) as writer:
        for key in reversed(keys):
            writer.add(Outcome(key, Status.REJECTED, failure=Failure(Stage.MAP, Reason.OVERFLOW, "it is so")))
    assert set(written(directory).values()) == {f"<n>{key}</n>" for key in keys}
    assert sum(source.asked) == 300


def test_a_run_without_rejects_opens_no_source_and_makes_no_directory(tmp_path: Path) -> None:
    def open_source() -> Source:
        raise AssertionError("nothing is to be fetched")

    with RejectWriter(RejectFiles(tmp_path / "run", "numbers", 1), open_source):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_document_that_workers_died_of_is_listed_and_not_fetched(tmp_path: Path) -> None:
    source = Numbers()
    write(source, tmp_path / "run", reject(1, Reason.WORKER_DIED))
    assert written(tmp_path / "run") == {1: None}
    assert source.asked == []


def test_a_source_that_is_lost_is_a_warning_and_reasons_are_still_listed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(Numbers(lost_at=2), tmp_path / "run", *map(reject, range(100)))
    contents = written(tmp_path / "run")
    assert sorted(contents) == list(range(100))
    assert [key for key, content in contents.items() if content is not None] == [0, 1]
    assert [record.getMessage() for record in caplog.records] == [
        f"Rejected documents are not written to {tmp_path / 'run'}: the numbers are gone"
    ]


def test_a_source_that_cannot_be_opened_is_a_warning_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def open_source() -> Source:
        raise SourceError("there is no such source")

    with RejectWriter(RejectFiles(tmp_path / "run", "numbers", 1), open_source) as writer:
        writer.add(reject(1))
        writer.add(reject(2))
    assert written(tmp_path / "run") == {1: None, 2: None}
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_directory_that_is_gone_is_one_warning_and_no_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(Numbers(), tmp_path / "gone" / "run", *map(reject, range(50)))
    (record,) = caplog.records
    assert record.getMessage().startswith(f"Rejected documents are not written to {tmp_path / 'gone' / 'run'}: ")


class Stuck(Numbers):
    """A source that does not answer until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def fetch(self, keys: Sequence[DocumentKey], *, whole: bool = False) -> Iterator[SourceDocument | Rejection]:
        self.released.wait()
        return super().fetch(keys, whole=whole)


@pytest.mark.parametrize("rejects", [1, WAITING + 2 * FETCHED_AT_ONCE])
def test_a_source_that_does_not_answer_is_a_warning_and_no_run_waits_for_it(
    rejects: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = Stuck()
    with RejectWriter(RejectFiles(tmp_path / "run", "numbers", 1), lambda: source, longest=0.5) as writer:
        for number in range(rejects):
            writer.add(reject(number))
    source.released.set()
    (record,) = caplog.records
    what = "fetching or writing one takes more than 0.5 s (--document-timeout)"
    assert record.getMessage() == f"Rejected documents are not written to {tmp_path / 'run'}: {what}"


def test_a_run_that_is_to_stop_at_once_does_not_wait_for_what_is_still_to_be_written(tmp_path: Path) -> None:
    source = Numbers()
    with suppress(KeyboardInterrupt), RejectWriter(RejectFiles(tmp_path / "run", "numbers", 1), lambda: source):
        raise KeyboardInterrupt
    assert not (tmp_path / "run").exists()
