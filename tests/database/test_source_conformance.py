"""What every source of documents must do: a table, a directory, a glob pattern, archives, the rejects of a run."""

import bz2
import gzip
import io
import lzma
import pickle
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests import sqlserver
from tests.database.demo_tables import CONTRACT
from xml_extractor.documents import DocumentKey, Failure, Outcome, Rejection, SourceDocument, Status
from xml_extractor.errors import SourceError
from xml_extractor.processing_log.log_keys import UnusableKey
from xml_extractor.reasons import Reason, Stage
from xml_extractor.settings import KeyRange
from xml_extractor.sources.interfaces import Source
from xml_extractor.sources.registry import open_source, open_source_writer
from xml_extractor.sources.rejects import RejectFiles

MAX_BYTES = 1000
CONTENTS = {
    "2024/a.xml": b"<order id='1'/>",
    "2024/b.xml": b"<?xml version='1.0' encoding='iso-8859-1'?><order name='\xe9'/>",
    "2024/big.xml": b"<order>" + b" " * MAX_BYTES + b"</order>",
    "2024/empty.xml": b"",
    "2024/full.xml": b"<order>" + b"x" * (MAX_BYTES - 15) + b"</order>",
    "2025/UPPER.XML": b"<order id='2'/>",
    "2025/deep/er/c d.xml": b"<order id='3'/>",
    "Z.xml": "<order name='é'/>".encode(),
    "a.xml": b"<order id='4'/>",
    "ä.xml": b"<order id='5'/>",
}
KEYS: list[DocumentKey] = sorted(CONTENTS)
READABLE = [key for key in KEYS if key != "2024/big.xml"]

Store = Callable[[Path, Mapping[str, bytes]], str]
"""Puts documents where a source finds them, and says by what address."""


def in_table(directory: Path, contents: Mapping[str, bytes]) -> str:
    address = f"sqlite:///{directory / 'documents.db'}"
    with open_source_writer(address) as writer:
        for key, content in contents.items():
            writer.write(SourceDocument(key, content))
    return address


def in_sql_server(contents: Mapping[str, bytes], schema: str) -> str:
    """A table of binary documents, whose keys are in the order of their code points."""
    key = "nvarchar(310) COLLATE Latin1_General_100_BIN2 NOT NULL PRIMARY KEY"
    with closing(sqlserver.session()) as session:
        session.execute(f"CREATE TABLE {schema}.app_xml (app_id {key}, xml varbinary(max))").close()
        for document_key, content in contents.items():
            session.execute(f"INSERT INTO {schema}.app_xml VALUES (?, ?)", document_key, content).close()
    return sqlserver.in_schema(schema)


def in_directory(directory: Path, contents: Mapping[str, bytes]) -> str:
    root = directory / "documents"
    for key, content in contents.items():
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return str(root)


def in_glob(directory: Path, contents: Mapping[str, bytes]) -> str:
    return f"{in_directory(directory, contents)}/**/*.[xX][mM][lL]"


def in_zip(directory: Path, contents: Mapping[str, bytes]) -> str:
    path = directory / "documents.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, content in contents.items():
            archive.writestr(key, content)
    return str(path)


def in_tar(directory: Path, contents: Mapping[str, bytes], ending: str) -> str:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:") as archive:
        for key, content in contents.items():
            member = tarfile.TarInfo(key)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    path = directory / f"documents.{ending}"
    path.write_bytes(COMPRESSIONS[ending](packed.getvalue()))
    return str(path)


def in_rejects(directory: Path, contents: Mapping[str, bytes]) -> str:
    """The directory of a run that rejected these documents."""
    files = RejectFiles(directory / "rejected", "orders", 3)
    failure = Failure(Stage.PARSE, Reason.MALFORMED, "the document is not well-formed")
    for key, content in contents.items():
        files.write(Outcome(key, Status.REJECTED, failure=failure), content)
    return str(files.directory)


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "tar.gz": gzip.compress,
    "tgz": gzip.compress,
    "tar.bz2": bz2.compress,
    "tar.xz": lzma.compress,
}
STORES: dict[str, Store] = {
    "table": in_table,
    "directory": in_directory,
    "glob": in_glob,
    "zip": in_zip,
    "rejects": in_rejects,
    **{ending: partial(in_tar, ending=ending) for ending in COMPRESSIONS},
}


@pytest.fixture(params=[*STORES, pytest.param("mssql", marks=pytest.mark.mssql)])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param != "mssql":
        yield STORES[request.param]
        return
    with sqlserver.scratch_schema() as schema:
        yield lambda _directory, contents: in_sql_server(contents, schema)


@pytest.fixture
def address(store: Store, tmp_path: Path) -> str:
    return store(tmp_path, CONTENTS)


@pytest.fixture
def source(address: str) -> Iterator[Source]:
    with closing(open_source(address, CONTRACT, MAX_BYTES)) as opened:
        yield opened


def keys_of(source: Source, page_size: int = 3, key_range: KeyRange | None = None) -> list[DocumentKey]:
    return [key for page in source.key_pages(page_size, key_range) for key in page.keys]


def test_all_kinds_of_sources_give_the_same_keys_in_the_same_order(source: Source) -> None:
    assert keys_of(source) == KEYS


@pytest.mark.parametrize("page_size", [1, 2, 3, 9, 10, 11, 1000])
def test_pages_hold_as_many_keys_as_asked_for(source: Source, page_size: int) -> None:
    pages = [page.keys for page in source.key_pages(page_size)]
    assert [key for page in pages for key in page] == KEYS
    assert all(len(page) == page_size for page in pages[:-1])
    assert 0 < len(pages[-1]) <= page_size


def test_keys_can_be_listed_again(source: Source) -> None:
    assert keys_of(source) == keys_of(source)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("2025", "", KEYS[5:]),
        ("", "2025", KEYS[:5]),
        ("2024/b.xml", "2024/full.xml", KEYS[1:5]),
        ("a.xml", "a.xml", ["a.xml"]),
        ("b", "c", []),
        ("ä", "", ["ä.xml"]),
    ],
)
def test_a_range_takes_the_keys_from_its_first_to_its_last(
    source: Source, first: str, last: str, expected: list[DocumentKey]
) -> None:
    assert keys_of(source, 2, KeyRange(first, last)) == expected


def test_documents_come_in_the_order_asked_for(source: Source) -> None:
    asked: list[DocumentKey] = ["a.xml", "2024/a.xml", "ä.xml", "2024/b.xml"]
    fetched = list(source.fetch(asked))
    assert [document.key for document in fetched] == asked


@pytest.mark.parametrize("key", READABLE)
def test_a_document_has_the_bytes_that_were_stored(source: Source, key: str) -> None:
    (document,) = source.fetch([key])
    assert document == SourceDocument(key, CONTENTS[key])


def test_a_document_can_be_fetched_more_than_once(source: Source) -> None:
    first, second = source.fetch(["a.xml", "a.xml"])
    assert first == second


def test_no_documents_are_fetched_for_no_keys(source: Source) -> None:
    assert list(source.fetch([])) == []


def test_a_document_that_is_too_large_is_rejected(source: Source) -> None:
    good, large, other = source.fetch(["2024/a.xml", "2024/big.xml", "2024/full.xml"])
    assert isinstance(good, SourceDocument)
    assert isinstance(other, SourceDocument)
    assert isinstance(large, Rejection)
    assert (large.key, large.failure.stage, large.failure.code) == ("2024/big.xml", Stage.FETCH, "too_large")
    assert str(MAX_BYTES) in large.failure.explanation


def test_a_document_that_is_not_there_is_rejected_and_others_are_not(source: Source) -> None:
    good, absent, other = source.fetch(["a.xml", "absent.xml", "Z.xml"])
    assert isinstance(good, SourceDocument)
    assert isinstance(other, SourceDocument)
    assert isinstance(absent, Rejection)
    assert (absent.key, absent.failure.stage, absent.failure.code) == ("absent.xml", Stage.FETCH, "missing")


def test_a_key_that_is_too_long_for_the_log_has_another_by_which_it_is_fetched(store: Store, tmp_path: Path) -> None:
    key = "/".join(["d" * 149, "e" * 150]) + ".xml"
    with closing(open_source(store(tmp_path, {key: b"<a/>"}), CONTRACT, MAX_BYTES)) as source:
        (listed,) = keys_of(source)
        assert isinstance(listed, UnusableKey)
        assert (listed.original, len(listed), listed[:283]) == (key, 300, key[:283])
        assert "300" in listed.explanation
        assert [document[:2] for document in source.fetch([listed])] == [(listed, b"<a/>")]


def test_a_key_of_just_the_length_that_the_log_takes_is_listed(store: Store, tmp_path: Path) -> None:
    key = "/".join(["d" * 149, "e" * 146]) + ".xml"
    with closing(open_source(store(tmp_path, {key: b"<a/>"}), CONTRACT, MAX_BYTES)) as source:
        assert keys_of(source) == [key]
    assert len(key) == 300


def _content_in_another_process(address: str) -> bytes | str | None:
    with closing(open_source(address, CONTRACT, MAX_BYTES)) as source:
        (document,) = source.fetch(["a.xml"])
        assert isinstance(document, SourceDocument)
        return document.content


def test_other_processes_can_open_the_source_by_its_address(source: Source) -> None:
    address = pickle.loads(pickle.dumps(source.address))
    with get_context("spawn").Pool(1) as pool:
        assert pool.apply(_content_in_another_process, (address,)) == CONTENTS["a.xml"]


def test_a_source_is_called_by_the_address_that_the_user_gave(source: Source, address: str) -> None:
    if address.startswith("mssql"):
        assert source.name.startswith("mssql://")
        assert "PWD" not in source.name.upper()
    else:
        assert source.name == address


def test_two_sources_at_the_same_address_do_not_disturb_each_other(source: Source, address: str) -> None:
    with closing(open_source(address, CONTRACT, MAX_BYTES)) as other:
        assert keys_of(other) == KEYS
    (document,) = source.fetch(["a.xml"])
    assert document == SourceDocument("a.xml", CONTENTS["a.xml"])


def test_a_source_can_be_closed_twice(source: Source) -> None:
    source.close()
    source.close()


@pytest.mark.parametrize("name", [name for name in STORES if name not in ("table", "rejects", "directory", "glob")])
def test_an_archive_without_xml_files_is_said_to_have_none(name: str, tmp_path: Path) -> None:
    contents = {"readme.txt": b"no document"}
    with (
        closing(open_source(STORES[name](tmp_path, contents), CONTRACT, MAX_BYTES)) as source,
        pytest.raises(SourceError, match="no XML files") as ended,
    ):
        keys_of(source)
    assert ".xml" in ended.value.tip
