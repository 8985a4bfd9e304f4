"""Rejected documents as files, and as a source with the keys that they had."""

import json
import stat
import subprocess
import sys
from contextlib import closing
from hashlib import blake2b
from pathlib import Path

import pytest

from tests.conftest import ROOT, posix_only
from tests.database.demo_tables import CONTRACT
from xml_extractor.documents import DocumentKey, Failure, Outcome, Rejection, SourceDocument, Status
from xml_extractor.errors import RunError, SourceError
from xml_extractor.processing_log.log_keys import REPEATED, UnusableKey
from xml_extractor.reasons import Reason, Stage
from xml_extractor.settings import KeyRange
from xml_extractor.sources.registry import open_source
from xml_extractor.sources.rejects import LISTING, RejectFiles, file_name, prepare_rejects_directory

FAILURE = Failure(
    Stage.MAP, Reason.TOO_LONG, "the text is too long for its column", "orders", "customer", "Customer/@name"
)
KEYS = [
    "../../etc/passwd",
    "..",
    "",
    "a/b.xml",
    "a\\b.xml",
    "A/b.xml",
    "a_b.xml",
    "a_b",
    "CON",
    "x" * 300,
    "x" * 299 + "X",
    "Größe😀 \n\0\t.xml",
    "c:stream",
]


def reject(key: DocumentKey, attempts: int = 1) -> Outcome:
    return Outcome(key, Status.REJECTED, failure=FAILURE, attempts=attempts, content_hash="ab" * 16)


def listed(directory: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (directory / LISTING).read_text(encoding="utf-8").splitlines()]


def test_the_list_has_refused_values_only_where_it_is_to_have_them(tmp_path: Path) -> None:
    refused = reject(1)._replace(value="Grüße")
    RejectFiles(tmp_path / "without", "orders", 3).write(refused, None)
    assert "value" not in listed(tmp_path / "without")[0]
    files = RejectFiles(tmp_path / "with", "orders", 3, with_values=True)
    files.write(refused, None)
    files.write(reject(2), None)
    assert [line["value"] for line in listed(tmp_path / "with")] == ["Grüße", None]


@pytest.fixture
def files(tmp_path: Path) -> RejectFiles:
    return RejectFiles(tmp_path / "run", "orders", 3)


def test_names_of_files_are_harmless_short_and_different_on_every_file_system() -> None:
    names = [file_name(key) for key in KEYS]
    assert len({name.lower() for name in names}) == len(KEYS)
    for name in names:
        assert Path(name).name == name
        assert ".." not in name
        assert name.isascii()
        assert not set(name) & set('/\\:*?"<>| \n\t\0')
        assert len(name) <= 120
    assert file_name(4711) == "4711.xml"
    assert file_name(-5) == "-5.xml"


def test_a_document_is_written_as_it_came_with_its_reason(files: RejectFiles) -> None:
    content = b"<?xml version='1.0' encoding='iso-8859-1'?><order name='\xe9'/>"
    files.write(reject("a/1.xml", attempts=3), content)
    (line,) = listed(files.directory)
    assert (files.directory / str(line["file"])).read_bytes() == content
    assert line == {
        "key": "a/1.xml",
        "file": file_name("a/1.xml"),
        "text": False,
        "stage": "map",
        "code": Reason.TOO_LONG,
        "table": "orders",
        "column": "customer",
        "path": "Customer/@name",
        "explanation": "the text is too long for its column",
        "attempts": 3,
        "content_hash": "ab" * 16,
        "file_hash": blake2b(content, digest_size=16).hexdigest(),
        "contract": "orders",
        "version": 3,
    }


def test_a_document_that_is_null_has_a_line_and_no_file(files: RejectFiles) -> None:
    files.write(reject(1), None)
    assert [line["file"] for line in listed(files.directory)] == [None]
    assert [path.name for path in files.directory.iterdir()] == [LISTING]


@posix_only("Windows has no such permissions")
def test_nobody_else_may_read_the_files(files: RejectFiles, tmp_path: Path) -> None:
    prepare_rejects_directory(tmp_path / "new" / "rejects")
    files.write(reject(1), "<a/>")
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (files.directory, *files.directory.iterdir())}
    assert modes == {files.directory: 0o700, files.directory / LISTING: 0o600, files.directory / "1.xml": 0o600}
    assert stat.S_IMODE((tmp_path / "new" / "rejects").stat().st_mode) == 0o700


def test_a_document_that_cannot_be_written_still_has_its_line(files: RejectFiles) -> None:
    files.directory.mkdir()
    (files.directory / "1.xml").mkdir()
    with pytest.raises(OSError, match=r"1\.xml"):
        files.write(reject(1), b"<a/>")
    files.write(reject(2), b"<b/>")
    assert [(line["key"], line["file"]) for line in listed(files.directory)] == [(1, None), (2, "2.xml")]


@posix_only("a limit on the size of files stands in for a full disk")
def test_a_full_disk_leaves_whole_lines_in_the_list_also_where_it_takes_the_beginning_of_one(tmp_path: Path) -> None:
    program = f"""
import resource, sys
from pathlib import Path
from tests.unit.sources.test_rejects import RejectFiles, reject
files = RejectFiles(Path({str(tmp_path / "r")!r}), "orders", 3)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
failed = 0
for key in range(1, 9):
    try:
        files.write(reject(key), None)
    except OSError:
        failed += 1
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
files.write(reject(9), None)
print(failed)
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    keys = [entry["key"] for entry in listed(tmp_path / "r")]
    assert 0 < int(ended.stdout) < 8
    assert keys == [*range(1, 9 - int(ended.stdout)), 9]


def test_a_place_where_no_directory_can_be_made_is_refused_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(RunError, match="rejected documents cannot be written to") as refused:
        prepare_rejects_directory(tmp_path / "file" / "rejects")
    assert refused.value.tip == "nothing was loaded; name a writable directory with --rejects-dir"


def fetched(files: RejectFiles, key: DocumentKey) -> SourceDocument | Rejection:
    with closing(open_source(str(files.directory), CONTRACT, 1000)) as source:
        return next(source.fetch([key]))


def keys_of(files: RejectFiles, key_range: KeyRange | None = None) -> list[DocumentKey]:
    with closing(open_source(str(files.directory), CONTRACT, 1000)) as source:
        return [key for page in source.key_pages(2, key_range) for key in page.keys]


@pytest.mark.parametrize("text", ["<?xml version='1.0' encoding='iso-8859-1'?><a b='é😀'/>", "", "\ud800"])
def test_text_comes_back_as_text_whatever_encoding_it_declares(files: RejectFiles, text: str) -> None:
    files.write(reject(1), text)
    assert fetched(files, 1) == SourceDocument(1, text, logged_hash="ab" * 16)


def test_numbers_stay_numbers_in_their_order_and_range(files: RejectFiles) -> None:
    for key in (10, 9, -1, 100):
        files.write(reject(key), b"<a/>")
    assert keys_of(files) == [-1, 9, 10, 100]
    assert keys_of(files, KeyRange("9", "10")) == [9, 10]
    assert keys_of(files, KeyRange("", "9")) == [-1, 9]
    assert keys_of(files, KeyRange("10", "")) == [10, 100]
    with pytest.raises(SourceError, match="its keys are numbers"):
        keys_of(files, KeyRange("a", ""))


def test_a_copy_that_is_changed_has_the_hash_of_its_content(files: RejectFiles) -> None:
    files.write(reject(1), b"<a/>")
    (files.directory / "1.xml").write_bytes(b"<b/>")
    changed = fetched(files, 1)
    assert changed == SourceDocument(1, b"<b/>")


def test_a_document_that_was_null_is_null_again(files: RejectFiles) -> None:
    empty = Failure(Stage.PARSE, Reason.EMPTY, "there is no document")
    files.write(reject(1)._replace(failure=empty), None)
    assert fetched(files, 1) == SourceDocument(1, None)


def test_a_document_that_is_listed_twice_is_rejected_once(files: RejectFiles) -> None:
    files.write(reject(1), b"<a/>")
    files.write(reject(1), b"<b/>")
    key, again = keys_of(files)
    assert key == 1
    assert isinstance(again, UnusableKey)
    assert again.explanation == REPEATED


def test_a_document_without_its_file_is_rejected_as_missing(files: RejectFiles) -> None:
    files.write(reject(1), None)
    files.write(reject(2), b"<a/>")
    (files.directory / "2.xml").unlink()
    for key in (1, 2, 3):
        document = fetched(files, key)
        assert isinstance(document, Rejection)
        assert document.failure.code == "missing"


def test_text_that_was_mended_in_another_encoding_is_rejected(files: RejectFiles) -> None:
    files.write(reject(1), "<a/>")
    (files.directory / "1.xml").write_bytes(b"<a b='\xe9'/>")
    document = fetched(files, 1)
    assert isinstance(document, Rejection)
    assert document.failure.explanation == "its file is not valid UTF-8"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "is not a JSON object with `key` and `file`"),
        ("{", "is not a JSON object with `key` and `file`"),
        ("[]", "is not a JSON object with `key` and `file`"),
        ('{"key": 1.5, "file": null}', "is not a JSON object with `key` and `file`"),
        ('{"key": true, "file": null}', "is not a JSON object with `key` and `file`"),
        ('{"key": 2}', "is not a JSON object with `key` and `file`"),
        ('{"key": 2, "file": "../1.xml"}', "names a file that is not in this directory"),
        ('{"key": 2, "file": "/etc/passwd"}', "names a file that is not in this directory"),
        ('{"key": 2, "file": ".."}', "names a file that is not in this directory"),
        ('{"key": 2, "file": "a\\\\b"}', "names a file that is not in this directory"),
    ],
)
def test_a_line_of_the_list_that_makes_no_sense_is_named(files: RejectFiles, line: str, message: str) -> None:
    files.write(reject(1), b"<a/>")
    with (files.directory / LISTING).open("a", encoding="utf-8") as listing:
        listing.write(f"{line}\n")
    with pytest.raises(SourceError, match=message) as refused:
        keys_of(files)
    assert "line 2 of" in refused.value.message


def test_keys_of_two_kinds_and_an_empty_list_are_refused(files: RejectFiles) -> None:
    files.write(reject(1), b"<a/>")
    files.write(reject("b"), b"<a/>")
    with pytest.raises(SourceError, match="has both numbers and texts as keys"):
        keys_of(files)
    (files.directory / LISTING).write_text("", encoding="utf-8")
    with pytest.raises(SourceError, match="has no documents"):
        keys_of(files)
