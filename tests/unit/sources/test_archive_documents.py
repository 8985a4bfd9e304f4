"""What is special about archives: damage, lies, links and other things that are no documents."""

import gzip
import io
import os
import pickle
import shutil
import stat
import tarfile
import tempfile
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.database.demo_tables import CONTRACT
from xml_extractor.documents import DocumentKey, Rejection, SourceDocument
from xml_extractor.errors import SourceError
from xml_extractor.processing_log.log_keys import repeated_key
from xml_extractor.sources import archives
from xml_extractor.sources.registry import open_source

MAX_BYTES = 1000
ORDER = b"<order>" + b"1" * 80 + b"</order>"


def keys_at(path: Path) -> list[DocumentKey]:
    with closing(open_source(str(path), CONTRACT, MAX_BYTES)) as source:
        return [key for page in source.key_pages(100) for key in page.keys]


def fetched(path: Path, *keys: str) -> list[SourceDocument | Rejection]:
    with closing(open_source(str(path), CONTRACT, MAX_BYTES)) as source:
        return list(source.fetch(keys))


def codes(documents: list[SourceDocument | Rejection]) -> list[str]:
    return [document.failure.code if isinstance(document, Rejection) else "" for document in documents]


@pytest.fixture
def zip_path(tmp_path: Path) -> Path:
    return tmp_path / "documents.zip"


@pytest.fixture
def tar_path(tmp_path: Path) -> Path:
    return tmp_path / "documents.tar"


def make_zip(path: Path, *names: str, content: bytes = ORDER, method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name in names:
            archive.writestr(name, content)


def make_tar(path: Path, *members: tarfile.TarInfo) -> None:
    with tarfile.TarFile(path, "w") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))


def member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 9, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    made.size = size if kind == tarfile.REGTYPE else 0
    return made


def patch(path: Path, find: bytes, replacement: bytes, count: int = -1) -> None:
    content = path.read_bytes()
    assert find in content
    path.write_bytes(content.replace(find, replacement, count))


def test_directories_links_and_other_files_are_no_documents_of_a_zip(zip_path: Path) -> None:
    make_zip(zip_path, "a.xml", "b.txt", "c/d.XML")
    with zipfile.ZipFile(zip_path, "a") as archive:
        archive.mkdir("folder.xml/")
        link = zipfile.ZipInfo("link.xml")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert keys_at(zip_path) == ["a.xml", "c/d.XML"]
    assert codes(fetched(zip_path, "link.xml")) == ["missing"]


def test_directories_links_and_other_files_are_no_documents_of_a_tar(tar_path: Path) -> None:
    make_tar(
        tar_path,
        member("a.xml"),
        member("b.txt"),
        member("folder.xml", tarfile.DIRTYPE),
        member("soft.xml", tarfile.SYMTYPE, target="/etc/passwd"),
        member("hard.xml", tarfile.LNKTYPE, target="a.xml"),
        member("device.xml", tarfile.CHRTYPE),
        member("pipe.xml", tarfile.FIFOTYPE),
    )
    assert keys_at(tar_path) == ["a.xml"]
    assert codes(fetched(tar_path, "soft.xml", "hard.xml")) == ["missing", "missing"]


@pytest.mark.parametrize("name", ["/etc/absolute.xml", "../../above.xml", "C:/windows.xml", "./here.xml"])
def test_names_that_point_elsewhere_are_only_names(tmp_path: Path, zip_path: Path, tar_path: Path, name: str) -> None:
    make_zip(zip_path, name)
    make_tar(tar_path, member(name))
    before = sorted(tmp_path.rglob("*"))
    for path in (zip_path, tar_path):
        assert keys_at(path) == [name]
        assert codes(fetched(path, name)) == [""]
    assert sorted(tmp_path.rglob("*")) == before


def test_of_members_of_a_zip_with_one_name_the_first_is_the_document(zip_path: Path) -> None:
    make_zip(zip_path, "a.xml", "b.xml")
    patch(zip_path, b"b.xml", b"a.xml")
    assert keys_at(zip_path) == ["a.xml", repeated_key("a.xml", 2)]


def test_of_members_of_a_tar_with_one_name_the_first_is_the_document(tar_path: Path) -> None:
    make_tar(tar_path, member("a.xml"), member("a.xml"))
    assert keys_at(tar_path) == ["a.xml", repeated_key("a.xml", 2)]


def test_an_encrypted_member_is_rejected_and_others_are_not(zip_path: Path) -> None:
    make_zip(zip_path, "a.xml", "b.xml", method=zipfile.ZIP_STORED)
    with zipfile.ZipFile(zip_path) as archive:
        offset = archive.start_dir
    content = bytearray(zip_path.read_bytes())
    content[offset + 8] |= 1
    zip_path.write_bytes(content)
    encrypted, plain = fetched(zip_path, "a.xml", "b.xml")
    assert isinstance(encrypted, Rejection)
    assert encrypted.failure.code == "unreadable"
    assert "encrypted" in encrypted.failure.explanation
    assert plain == SourceDocument("b.xml", ORDER)


def test_a_member_whose_content_is_damaged_is_rejected_and_others_are_not(zip_path: Path) -> None:
    make_zip(zip_path, "a.xml", "b.xml", method=zipfile.ZIP_STORED)
    patch(zip_path, ORDER, b"<order>" + b"2" * 80 + b"</order>", count=1)
    assert codes(fetched(zip_path, "a.xml", "b.xml")) == ["unreadable", ""]


def test_a_member_packed_in_an_unknown_way_is_rejected(zip_path: Path) -> None:
    make_zip(zip_path, "a.xml", method=zipfile.ZIP_STORED)
    with zipfile.ZipFile(zip_path) as archive:
        offset = archive.start_dir
    content = bytearray(zip_path.read_bytes())
    content[offset + 10] = 97
    zip_path.write_bytes(content)
    assert codes(fetched(zip_path, "a.xml")) == ["unreadable"]


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_bomb_is_rejected_by_its_size(zip_path: Path, method: int) -> None:
    make_zip(zip_path, "a.xml", content=bytes(50_000_000), method=method)
    assert codes(fetched(zip_path, "a.xml")) == ["too_large"]


@pytest.mark.parametrize("said", [10, 999])
def test_a_bomb_that_lies_about_its_size_is_rejected_and_not_unpacked(zip_path: Path, said: int) -> None:
    make_zip(zip_path, "a.xml", content=bytes(50_000_000))
    patch(zip_path, (50_000_000).to_bytes(4, "little"), said.to_bytes(4, "little"))
    tracemalloc.start()
    try:
        assert codes(fetched(zip_path, "a.xml")) == ["unreadable"]
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_a_member_that_is_said_to_be_larger_than_the_tar_is_rejected(tar_path: Path) -> None:
    make_tar(tar_path, member("a.xml"), member("b.xml", size=2**20))
    assert codes(fetched(tar_path, "a.xml", "b.xml")) == ["", "too_large"]


@pytest.mark.parametrize("cut", [1, 511, 512, 1024, 1500])
def test_a_tar_that_is_cut_off_is_refused(tar_path: Path, cut: int) -> None:
    make_tar(tar_path, *(member(f"{number}.xml", size=500) for number in range(5)))
    content = tar_path.read_bytes()[: 5 * 1024]
    tar_path.write_bytes(content[:-cut])
    with pytest.raises(SourceError, match=r"cut off or damaged|cannot be read"):
        keys_at(tar_path)


def test_a_tar_with_a_damaged_header_is_refused_and_not_taken_for_shorter(tar_path: Path) -> None:
    make_tar(tar_path, *(member(f"{number}.xml") for number in range(5)))
    patch(tar_path, b"3.xml", b"!.xml")
    with pytest.raises(SourceError, match="cut off or damaged"):
        keys_at(tar_path)


def gzip_cut(path: Path) -> None:
    path.write_bytes(gzip.compress(os.urandom(5000))[:-2000])


def text(path: Path) -> None:
    path.write_text("no XML, and no archive " * 100)


def empty(path: Path) -> None:
    path.touch()


@pytest.mark.parametrize("ending", ["zip", "tar", "tar.gz", "tgz", "tar.bz2", "tar.xz"])
@pytest.mark.parametrize("make", [gzip_cut, text, empty])
def test_a_file_that_is_no_such_archive_is_refused(tmp_path: Path, ending: str, make: Callable[[Path], None]) -> None:
    path = tmp_path / f"documents.{ending}"
    make(path)
    with pytest.raises(SourceError) as refused:
        keys_at(path)
    assert str(path) in refused.value.message
    assert refused.value.tip


def test_the_ending_may_be_in_capitals(tmp_path: Path) -> None:
    make_zip(tmp_path / "DOCUMENTS.ZIP", "a.xml")
    assert keys_at(tmp_path / "DOCUMENTS.ZIP") == ["a.xml"]


def test_a_compressed_tar_is_decompressed_once_and_the_copy_deleted(
    tmp_path: Path, tar_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    make_tar(tar_path, member("a.xml"))
    packed = tmp_path / "documents.tar.gz"
    packed.write_bytes(gzip.compress(tar_path.read_bytes()))
    with closing(open_source(str(packed), CONTRACT, MAX_BYTES)) as source:
        (copy,) = (path for path in scratch.rglob("*") if path.is_file())
        address = pickle.loads(pickle.dumps(source.address))
        written_at = copy.stat().st_mtime_ns
        with closing(open_source(address, CONTRACT, MAX_BYTES)) as other:
            assert other.address == source.address
            assert codes(list(other.fetch(["a.xml"]))) == [""]
        assert [path for path in scratch.rglob("*") if path.is_file()] == [copy]
        assert copy.stat().st_mtime_ns == written_at
    assert list(scratch.iterdir()) == []


def test_a_compressed_tar_is_never_unpacked_until_the_disk_is_full(
    tmp_path: Path, tar_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "KEPT_SHARE", 1)
    monkeypatch.setattr(archives, "KEPT_FREE", shutil.disk_usage(tmp_path).total)
    make_tar(tar_path, member("a.xml"))
    packed = tmp_path / "documents.tar.gz"
    packed.write_bytes(gzip.compress(tar_path.read_bytes()))
    with pytest.raises(SourceError, match="needs more space than the temporary directory has") as refused:
        keys_at(packed)
    assert "TMPDIR" in refused.value.tip


def test_nothing_is_left_in_the_temporary_directory_when_opening_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    gzip_cut(tmp_path / "documents.tar.gz")
    with pytest.raises(SourceError):
        keys_at(tmp_path / "documents.tar.gz")
    assert list(scratch.iterdir()) == []
