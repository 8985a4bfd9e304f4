"""What is special about files as documents: which ones count, and what the file system can do to them."""

import os
from contextlib import closing
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.database.demo_tables import CONTRACT
from xml_extractor.documents import DocumentKey, Rejection, SourceDocument
from xml_extractor.errors import SourceError
from xml_extractor.processing_log.log_keys import UnusableKey
from xml_extractor.sources.registry import open_source

MAX_BYTES = 100


def make(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"<a/>")


def keys_at(address: str | Path) -> list[DocumentKey]:
    with closing(open_source(str(address), CONTRACT, MAX_BYTES)) as source:
        return [key for page in source.key_pages(100) for key in page.keys]


def test_only_files_that_end_in_xml_are_documents_of_a_directory(tmp_path: Path) -> None:
    make(tmp_path, "a.xml", "b.XML", "c.xml.bak", "d.txt", "xml", "e/f.Xml", ".hidden.xml")
    (tmp_path / "directory.xml").mkdir()
    assert keys_at(tmp_path) == [".hidden.xml", "a.xml", "b.XML", "e/f.Xml"]


def test_names_that_are_equal_but_for_case_or_unicode_normalisation_are_several_documents(tmp_path: Path) -> None:
    names = ["A.xml", "a.xml", "cafe\u0301.xml", "caf\u00e9.xml"]
    folder, archive = tmp_path / "folder", tmp_path / "all.zip"
    make(folder, *names)
    with ZipFile(archive, "w") as packed:
        for name in names:
            (folder / name).write_text(f"<{name}/>")
            packed.writestr(name, f"<{name}/>")
    if len(list(folder.iterdir())) < len(names):
        pytest.skip("this file system takes them for the same name")
    for address in (folder, archive):
        assert keys_at(address) == names
        with closing(open_source(str(address), CONTRACT, MAX_BYTES)) as source:
            assert list(source.fetch(names)) == [SourceDocument(name, f"<{name}/>".encode()) for name in names]


@pytest.mark.parametrize("form", ["{}", "{}/", "{}/.", "{}/sub/.."])
def test_keys_do_not_depend_on_how_the_directory_is_written(tmp_path: Path, form: str) -> None:
    make(tmp_path, "a.xml", "sub/b.xml")
    assert keys_at(form.format(tmp_path)) == ["a.xml", "sub/b.xml"]


def test_keys_do_not_depend_on_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "docs/a.xml", "docs/sub/b.xml")
    monkeypatch.chdir(tmp_path)
    assert keys_at("docs") == keys_at("docs/**/*.xml") == keys_at(tmp_path / "docs") == ["a.xml", "sub/b.xml"]
    monkeypatch.chdir(tmp_path / "docs")
    assert keys_at(".") == keys_at("**/*.xml") == ["a.xml", "sub/b.xml"]


@pytest.mark.parametrize(
    ("pattern", "keys"),
    [
        ("*.xml", ["a.xml", "b.xml"]),
        ("**/*.xml", ["2024/c.xml", "2025/d.xml", "a.xml", "b.xml"]),
        ("202?/*.xml", ["2024/c.xml", "2025/d.xml"]),
        ("2024/*", ["c.xml", "notes.txt"]),
        ("[ab].xml", ["a.xml", "b.xml"]),
        ("202*/c.xml", ["2024/c.xml"]),
    ],
)
def test_a_pattern_takes_all_files_that_match(tmp_path: Path, pattern: str, keys: list[DocumentKey]) -> None:
    make(tmp_path, "a.xml", "b.xml", "2024/c.xml", "2024/notes.txt", "2025/d.xml")
    assert keys_at(f"{tmp_path}/{pattern}") == keys


def test_one_file_of_any_ending_is_a_source_of_one_document(tmp_path: Path) -> None:
    make(tmp_path, "order.data")
    with closing(open_source(str(tmp_path / "order.data"), CONTRACT, MAX_BYTES)) as source:
        assert [page.keys for page in source.key_pages(10)] == [["order.data"]]
        assert list(source.fetch(["order.data"])) == [SourceDocument("order.data", b"<a/>")]


def test_a_directory_whose_name_has_wildcards_is_a_directory(tmp_path: Path) -> None:
    make(tmp_path, "[x]/a.xml", "x/b.xml")
    assert keys_at(tmp_path / "[x]") == ["a.xml"]


def test_links_to_files_are_followed_and_links_to_directories_are_not(tmp_path: Path) -> None:
    make(tmp_path, "real/a.xml")
    (tmp_path / "real" / "link.xml").symlink_to("a.xml")
    (tmp_path / "real" / "loop").symlink_to(tmp_path / "real")
    assert keys_at(tmp_path / "real") == ["a.xml", "link.xml"]


def test_a_link_to_nothing_is_rejected_and_not_left_out(tmp_path: Path) -> None:
    make(tmp_path, "a.xml")
    (tmp_path / "gone.xml").symlink_to("absent")
    assert keys_at(tmp_path) == ["a.xml", "gone.xml"]
    with closing(open_source(str(tmp_path), CONTRACT, MAX_BYTES)) as source:
        (rejection,) = source.fetch(["gone.xml"])
    assert isinstance(rejection, Rejection)
    assert rejection.failure.code == "missing"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_is_no_document(tmp_path: Path) -> None:
    make(tmp_path, "a.xml")
    os.mkfifo(tmp_path / "pipe.xml")
    assert keys_at(tmp_path) == ["a.xml"]


def test_a_link_to_itself_is_rejected_and_ends_nothing(tmp_path: Path) -> None:
    make(tmp_path, "a.xml")
    (tmp_path / "loop.xml").symlink_to("loop.xml")
    assert keys_at(tmp_path) == ["a.xml", "loop.xml"]
    with closing(open_source(str(tmp_path), CONTRACT, MAX_BYTES)) as source:
        (rejection,) = source.fetch(["loop.xml"])
    assert isinstance(rejection, Rejection)
    assert rejection.failure.code == "unreadable"


def test_a_name_that_is_not_unicode_text_has_another_key_by_which_it_is_fetched(tmp_path: Path) -> None:
    make(tmp_path, "a.xml")
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.xml")).write_text("<a/>")
    except (OSError, UnicodeDecodeError):
        pytest.skip("this file system takes Unicode names only")
    key = keys_at(tmp_path)[0]
    assert isinstance(key, UnusableKey)
    assert key.startswith("\\udcff.xml~")
    with closing(open_source(str(tmp_path), CONTRACT, MAX_BYTES)) as source:
        assert [document[:2] for document in source.fetch([key])] == [(key, b"<a/>")]


def test_what_cannot_be_opened_as_a_file_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "directory.xml").mkdir()
    with closing(open_source(str(tmp_path), CONTRACT, MAX_BYTES)) as source:
        (rejection,) = source.fetch(["directory.xml"])
    assert isinstance(rejection, Rejection)
    assert rejection.failure.code == "unreadable"
    assert str(tmp_path) not in rejection.failure.reason


def test_a_directory_that_goes_away_ends_the_run_and_rejects_nothing(tmp_path: Path) -> None:
    root = tmp_path / "docs"
    make(root, "a.xml", "b.xml")
    with closing(open_source(str(root), CONTRACT, MAX_BYTES)) as source:
        root.rename(tmp_path / "elsewhere")
        with pytest.raises(SourceError, match="does not exist any more"):
            list(source.fetch(["a.xml"]))


def test_a_large_file_is_not_read_whole(tmp_path: Path) -> None:
    try:
        with (tmp_path / "large.xml").open("wb") as file:
            file.truncate(2**40)
    except OSError:
        pytest.skip("this file system stores the zeros of a file")
    with closing(open_source(str(tmp_path), CONTRACT, MAX_BYTES)) as source:
        (rejection,) = source.fetch(["large.xml"])
    assert isinstance(rejection, Rejection)
    assert rejection.failure.code == "too_large"
