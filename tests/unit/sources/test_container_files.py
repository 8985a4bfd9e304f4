"""Containers among files: compressed files, archives in directories, members by pattern, standard input."""

import bz2
import gzip
import io
import lzma
import os
import struct
import tarfile
import time
import zipfile
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from tests.archives import tar_of, zip_of
from tests.database.demo_tables import CONTRACT
from xml_extractor.contract.model import Contract
from xml_extractor.documents import ArchiveKey, DocumentKey, Rejection, Skipped, SourceDocument
from xml_extractor.errors import SourceError, UsageError
from xml_extractor.processing_log.log_keys import UnusableKey
from xml_extractor.settings import KeyRange
from xml_extractor.sources import archives
from xml_extractor.sources.files import FileSource
from xml_extractor.sources.registry import open_source

MAX_BYTES = 1000
ORDER = b"<order id='1'/>"


PACKED: dict[str, Callable[[Mapping[str, bytes]], bytes]] = {
    "zip": zip_of,
    "tar": tar_of,
    "tar.gz": lambda members: gzip.compress(tar_of(members)),
    "tar.bz2": lambda members: bz2.compress(tar_of(members)),
    "tar.xz": lambda members: lzma.compress(tar_of(members)),
}


def write(root: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def listed(address: str | Path, key_range: KeyRange | None = None, contract: Contract = CONTRACT) -> list[DocumentKey]:
    """The keys of documents, and of archives that are rejected."""
    with closing(open_source(str(address), contract, MAX_BYTES)) as source:
        keys = [key for page in source.key_pages(100, key_range) for key in page.keys]
    return [key for key in keys if not (isinstance(key, ArchiveKey) and key.place.is_complete)]


def documents(address: str | Path) -> dict[str, bytes | str]:
    """The contents of all documents by their keys; of those that are rejected, the explanation."""
    found: dict[str, bytes | str] = {}
    with closing(open_source(str(address), CONTRACT, MAX_BYTES)) as source:
        for page in source.key_pages(100):
            for document in source.fetch(page.keys):
                if isinstance(document, Rejection):
                    if not isinstance(document, Skipped):
                        found[str(document.key)] = document.failure.explanation
                else:
                    assert isinstance(document.content, bytes)
                    found[str(document.key)] = document.content
    return found


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("name", ["feed", "feed.xml", "feed.zip", "feed.tar.gz", "feed.dat"])
def test_an_archive_is_recognized_by_its_content_whatever_its_name(tmp_path: Path, kind: str, name: str) -> None:
    write(tmp_path, {name: PACKED[kind]({"a.xml": ORDER, "b/c.XML": ORDER, "readme": b"text"})})
    assert documents(tmp_path / name) == {"a.xml": ORDER, "b/c.XML": ORDER}


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("name", ["a.xml", "a.xml.gz", "a", "a.bz2"])
def test_a_compressed_file_is_one_document(tmp_path: Path, compress: Callable[[bytes], bytes], name: str) -> None:
    write(tmp_path, {name: compress(ORDER)})
    assert documents(tmp_path / name) == {name: ORDER}
    assert documents(tmp_path) == {name: ORDER}
    assert documents(tmp_path / "*") == {name: ORDER}


def test_a_gzip_file_may_consist_of_several_streams_and_end_in_zeros(tmp_path: Path) -> None:
    write(tmp_path, {"a.xml.gz": gzip.compress(ORDER[:5]) + gzip.compress(ORDER[5:]) + bytes(100)})
    assert documents(tmp_path) == {"a.xml.gz": ORDER}


def test_the_start_of_a_short_gzip_stream_that_was_cut_can_be_read(tmp_path: Path) -> None:
    write(tmp_path, {"a.xml.gz": gzip.compress(ORDER + bytes(range(200)))[:-30]})
    with closing(FileSource(str(tmp_path), MAX_BYTES)) as source:
        opened = source.open_file("a.xml.gz")
        assert not isinstance(opened, Rejection)
        with opened:
            assert cast("io.BufferedIOBase", opened).read1(len(ORDER)) == ORDER


def test_a_directory_reads_its_xml_files_and_the_archives_in_it(tmp_path: Path) -> None:
    files = {
        "a.xml": ORDER,
        "day/b.zip": zip_of({"x.xml": ORDER, "y/z.xml": ORDER}),
        "day/c.dat": gzip.compress(tar_of({"x.xml": ORDER})),
        "day/d.xml.gz": gzip.compress(ORDER),
        "day/e.gz": gzip.compress(b"no XML"),
        "notes.txt": b"text",
    }
    expected = ["a.xml", "day/b.zip!x.xml", "day/b.zip!y/z.xml", "day/c.dat!x.xml", "day/d.xml.gz"]
    write(tmp_path, files)
    assert listed(tmp_path) == expected
    assert documents(tmp_path) == dict.fromkeys(expected, ORDER)


def test_keys_of_members_among_those_of_files_are_in_order(tmp_path: Path) -> None:
    write(tmp_path, dict.fromkeys(("a.xml", "b.zip 2.xml", "b.zip-.xml", "b.xml", "b.zip#.xml", "c.xml"), ORDER))
    write(tmp_path, {"b.zip": zip_of({"z.xml": ORDER, "a.xml": ORDER})})
    keys = listed(tmp_path)
    assert keys == sorted(map(str, keys))
    assert len(keys) == 8
    assert listed(tmp_path, KeyRange("b.zip!b", "b.zip-.xml")) == ["b.zip!z.xml", "b.zip#.xml", "b.zip-.xml"]


@pytest.mark.parametrize(
    ("address", "keys"),
    [
        ("feed-*.zip", ["feed-1.zip!data/a.xml", "feed-1.zip!data/deep/b.xml", "feed-2.zip!data/a.xml"]),
        ("feed-*.zip!data/*.xml", ["feed-1.zip!data/a.xml", "feed-2.zip!data/a.xml"]),
        ("feed-*.zip!**/b.xml", ["feed-1.zip!data/deep/b.xml"]),
        ("feed-[!2].zip!data/?.xml", ["feed-1.zip!data/a.xml"]),
        ("feed-1.zip!data/a.xml", ["data/a.xml"]),
        ("feed-1.zip!data/*", ["data/a.xml", "data/n.cda"]),
        ("feed-1.zip!**/*.cda", ["data/n.cda"]),
        ("feed-[!1].zip", ["feed-2.zip!data/a.xml"]),
        (".!data/[a-m].xml", ["feed-1.zip!data/a.xml", "feed-2.zip!data/a.xml"]),
    ],
)
def test_members_are_chosen_by_a_pattern_behind_an_exclamation_mark(
    tmp_path: Path, address: str, keys: list[str]
) -> None:
    one = zip_of({"data/a.xml": ORDER, "data/deep/b.xml": ORDER, "data/n.cda": ORDER})
    write(tmp_path, {"feed-1.zip": one, "feed-2.zip": zip_of({"data/a.xml": ORDER}), "other.xml": ORDER})
    assert listed(f"{tmp_path}/{address}") == keys
    assert documents(f"{tmp_path}/{address}") == dict.fromkeys(keys, ORDER)


def test_a_pattern_that_no_member_matches_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, {"a.zip": zip_of({"a.xml": ORDER})})
    with pytest.raises(SourceError, match="no XML files") as refused:
        listed(tmp_path / "a.zip!b/*.xml")
    assert "pattern" in refused.value.tip


def test_a_pattern_of_members_needs_an_archive(tmp_path: Path) -> None:
    write(tmp_path, {"a.xml": ORDER})
    with pytest.raises(SourceError, match="cannot be read as an archive"):
        listed(tmp_path / "a.xml!b.xml")
    with pytest.raises(UsageError, match="no source"):
        listed(tmp_path / "b.zip!b.xml")


def test_a_file_whose_name_has_an_exclamation_mark_is_a_file(tmp_path: Path) -> None:
    write(tmp_path, {"a!b.xml": ORDER, "d!/c.xml": ORDER})
    assert documents(tmp_path / "a!b.xml") == {"a!b.xml": ORDER}
    assert documents(tmp_path / "d!") == {"c.xml": ORDER}
    assert documents(tmp_path) == {"a!b.xml": ORDER, "d!/c.xml": ORDER}


def test_a_file_with_the_key_of_a_member_is_loaded_and_the_member_rejected(tmp_path: Path) -> None:
    write(tmp_path, {"a.zip": zip_of({"x.xml": b"<member/>", "y.xml": ORDER}), "a.zip!x.xml": ORDER})
    keys = listed(tmp_path)
    assert [isinstance(key, UnusableKey) for key in keys] == [True, False, False]
    with closing(open_source(str(tmp_path), CONTRACT, MAX_BYTES)) as source:
        contents = [one.content for one in source.fetch(keys[1:]) if isinstance(one, SourceDocument)]
    assert contents == [ORDER, ORDER]


@pytest.mark.parametrize("name", ["n" * 256 + ".xml", "n" * 5000 + ".xml", "d/" * 2500 + "a.xml"])
def test_a_member_whose_name_no_file_could_have_is_a_member(tmp_path: Path, name: str) -> None:
    write(tmp_path, {"feed.zip": zip_of({name: ORDER, "z.xml": ORDER})})
    assert ORDER in documents(tmp_path).values()
    with closing(open_source(str(tmp_path), CONTRACT, MAX_BYTES)) as source:
        (found,) = source.fetch([f"feed.zip!{name}"])
    assert isinstance(found, SourceDocument)
    assert found.content == ORDER


def test_what_macos_adds_to_directories_and_archives_is_ignored(tmp_path: Path) -> None:
    members = {"a.xml": ORDER, "._a.xml": b"\0\5\x16\7", "__MACOSX/._a.xml": b"\0", "d/__MACOSX/b.xml": ORDER}
    write(tmp_path / "d", {**members, "z.zip": zip_of(members)})
    assert listed(tmp_path / "d") == ["a.xml", "z.zip!a.xml"]
    assert listed(tmp_path / "d" / "**" / "*.xml") == ["a.xml"]
    assert listed(tmp_path / "d" / "z.zip") == ["a.xml"]
    assert listed(tmp_path / "d" / "z.zip!**") == ["a.xml"]


def test_an_archive_inside_an_archive_is_rejected_with_a_clear_reason(tmp_path: Path) -> None:
    inner = zip_of({"x.xml": ORDER})
    write(tmp_path, {"a.zip": zip_of({"in.zip": inner, "in.dat": tar_of({"x.xml": ORDER}), "b.xml": inner, "c": b"x"})})
    found = documents(tmp_path)
    reason = "it is a {} archive, not a document; extract it, because an archive inside an archive is not opened"
    kinds = {"a.zip!b.xml": "zip", "a.zip!in.dat": "tar", "a.zip!in.zip": "zip"}
    assert found == {key: reason.format(kind) for key, kind in kinds.items()}


def test_compressed_members_are_documents(tmp_path: Path) -> None:
    write(tmp_path, {"a.tar": tar_of({"a.xml.gz": gzip.compress(ORDER), "b.bin": gzip.compress(ORDER), "c": b"x"})})
    assert documents(tmp_path / "a.tar") == {"a.xml.gz": ORDER, "b.bin": ORDER}


def test_an_archive_in_the_place_of_an_xml_file_is_called_what_it_is(tmp_path: Path) -> None:
    workbook = zip_of({"[Content_Types].xml": ORDER, "xl/workbook.xml": ORDER})
    write(tmp_path, {"a.xml": zip_of({"x.xml": ORDER}), "b.xml": gzip.compress(tar_of({"x.xml": ORDER}))})
    write(tmp_path, {"c.xlsx": workbook})
    assert documents(tmp_path) == {
        "a.xml": "it is a zip archive, not a document",
        "b.xml": "it is a tar archive, not a document",
    }
    with pytest.raises(SourceError, match="is an Excel workbook"):
        documents(tmp_path / "c.xlsx")
    assert documents(tmp_path / "*.xlsx") == {"c.xlsx": "the archive is an Excel workbook"}


DAMAGED: dict[str, bytes] = {
    "cut.zip": zip_of({"a.xml": ORDER})[:-10],
    "empty.zip": b"",
    "cut.tar": tar_of({"a.xml": ORDER})[:700],
    "cut.tar.gz": gzip.compress(tar_of({"a.xml": os.urandom(5000)}))[:-500],
    "text.tgz": b"no archive",
    "cut.xml.gz": gzip.compress(ORDER)[:-6],
    "more.xml.gz": gzip.compress(ORDER) + b"something else",
    "wrong.xml.gz": gzip.compress(ORDER)[:-8] + bytes(8),
    "cut.xml.xz": lzma.compress(ORDER)[:-6],
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_container_costs_its_documents_and_nothing_else(tmp_path: Path, name: str) -> None:
    write(tmp_path, {"a.xml": ORDER, name: DAMAGED[name], "z.zip": zip_of({"b.xml": ORDER})})
    found = documents(tmp_path)
    assert found.keys() == {"a.xml", name, "z.zip!b.xml"}
    assert (found["a.xml"], found["z.zip!b.xml"]) == (ORDER, ORDER)
    assert isinstance(found[name], str) or name in ("empty.zip", "text.tgz")
    assert str(tmp_path) not in str(found[name])


def test_an_archive_that_was_rejected_and_is_complete_is_skipped_once(tmp_path: Path) -> None:
    content = zip_of({"a.xml": ORDER})
    hashes = []
    for part in (content[:-10], content):
        write(tmp_path, {"a.zip": part})
        with closing(open_source(str(tmp_path), CONTRACT, MAX_BYTES)) as source:
            key = next(iter(source.key_pages(10))).keys[0]
            (rejection,) = source.fetch([key])
        assert isinstance(rejection, Rejection)
        hashes.append((str(key), isinstance(rejection, Skipped), rejection.content_hash))
    assert [entry[:2] for entry in hashes] == [("a.zip", False), ("a.zip", True)]
    assert hashes[0][2] != hashes[1][2]


def test_an_archive_of_too_many_members_is_refused_before_its_directory_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytearray(zip_of({"a.xml": ORDER}))
    end = content.rfind(b"PK\x05\x06")
    content[end + 12 : end + 16] = struct.pack("<L", archives.LARGEST_DIRECTORY + 1)
    write(tmp_path, {"a.zip": bytes(content), "b.tar": tar_of({f"{number}.xml": ORDER for number in range(4)})})
    with pytest.raises(SourceError, match="a directory of more than"):
        listed(tmp_path / "a.zip")
    monkeypatch.setattr(archives, "MOST_MEMBERS", 3)
    with pytest.raises(SourceError, match="more than 3 members"):
        listed(tmp_path / "b.tar")


def test_a_zip_with_more_members_than_16_bits_count_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(66_000):
            archive.writestr(f"{number}.txt", b"")
        archive.writestr("a.xml", ORDER)
    assert listed(tmp_path / "a.zip!*.xml") == ["a.xml"]


def test_a_header_of_a_tar_that_declares_a_huge_extension_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("a.xml")
    info.type, info.size = tarfile.XHDTYPE, 2**33
    write(tmp_path, {"a.tar": info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)})
    with pytest.raises(SourceError, match="the extension of a header is too long"):
        listed(tmp_path / "a.tar")


def test_files_that_changed_lately_are_left_to_the_next_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, {"old.xml": ORDER, "new.xml": ORDER, "newer.zip": zip_of({"a.xml": ORDER})})
    os.utime(tmp_path / "old.xml", (time.time() - 100, time.time() - 100))
    for address, left, keys in ((tmp_path, 2, ["old.xml"]), (tmp_path / "new*", 2, []), (tmp_path / "new.xml", 1, [])):
        with closing(open_source(str(address), CONTRACT, MAX_BYTES, min_age=60)) as source:
            assert [key for page in source.key_pages(10) for key in page.keys] == keys
            assert isinstance(source, FileSource)
            assert source.too_new == left
    assert len([message for message in caplog.messages if message.startswith("Not read yet: ")]) == 3


def test_xml_files_that_a_directory_does_not_read_are_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, {"a.xml": ORDER, "b.cda": ORDER, "c": b"\xef\xbb\xbf <?xml version='1.0'?>", "d": b"text"})
    assert listed(tmp_path) == ["a.xml"]
    assert [message for message in caplog.messages if message.startswith("2 files in ")]
    assert listed(tmp_path / "**" / "*.cda") == ["b.cda"]


def piped(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_standard_input_is_a_document_whose_key_depends_on_its_content(
    monkeypatch: pytest.MonkeyPatch, compress: Callable[[bytes], bytes]
) -> None:
    keys = []
    for content in (ORDER, ORDER, ORDER + b" "):
        piped(monkeypatch, compress(content))
        (key,) = documents("-")
        keys.append(key)
    assert keys[0] == keys[1] != keys[2]
    assert all(key.startswith("stdin-") and len(key) == 22 for key in keys)


def test_other_processes_read_the_copy_of_standard_input_which_is_deleted_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    piped(monkeypatch, ORDER)
    with closing(open_source("-", CONTRACT, MAX_BYTES)) as source:
        assert source.name == "standard input"
        (page,) = source.key_pages(10)
        with closing(open_source(source.address, CONTRACT, MAX_BYTES)) as other:
            assert list(other.fetch(page.keys)) == [SourceDocument(page.keys[0], ORDER)]
        assert Path(source.address).is_file()
    assert not Path(source.address).parent.exists()


def test_an_archive_on_standard_input_is_read_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    for pack in (zip_of, PACKED["tar.gz"]):
        piped(monkeypatch, pack({"a.xml": ORDER, "b.xml": ORDER}))
        found = documents("-")
        assert [key.partition("!")[2] for key in found] == ["a.xml", "b.xml"]
        assert len({key.partition("!")[0] for key in found}) == 1


def test_a_terminal_is_no_source(monkeypatch: pytest.MonkeyPatch) -> None:
    piped(monkeypatch, b"")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    with pytest.raises(UsageError, match="standard input is a terminal"):
        documents("-")
