"""What is SQLite's own in a table of documents: types of keys and contents, and faults of the table."""

import gzip
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.database.demo_tables import CONTRACT
from xml_extractor.contract.model import SourceTable
from xml_extractor.documents import DocumentKey, Rejection, SourceDocument
from xml_extractor.errors import SourceError, TargetError, UsageError
from xml_extractor.processing_log.log_keys import UnusableKey, is_fetchable, log_key, repeated_key
from xml_extractor.reasons import Reason
from xml_extractor.settings import KeyRange
from xml_extractor.sources.document_keys import unusable_key
from xml_extractor.sources.interfaces import Source
from xml_extractor.sources.registry import open_source, open_source_writer

MAX_BYTES = 100


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "documents.db"


@pytest.fixture
def database(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as opened:
        yield opened


def opened(path: Path, table: SourceTable | None = None) -> Source:
    contract = CONTRACT if table is None else CONTRACT.model_copy(update={"source": table})
    return open_source(f"sqlite:///{path}", contract, MAX_BYTES)


def keys_of(path: Path, key_range: KeyRange | None = None, page_size: int = 2) -> list[DocumentKey]:
    with closing(opened(path)) as source:
        return [key for page in source.key_pages(page_size, key_range) for key in page.keys]


def fetched(path: Path, key: DocumentKey) -> SourceDocument | Rejection:
    with closing(opened(path)) as source:
        (document,) = source.fetch([key])
        return document


def write(path: Path, *documents: SourceDocument) -> None:
    with open_source_writer(f"sqlite:///{path}") as writer:
        for document in documents:
            writer.write(document)


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory by what Linux says of it")
@pytest.mark.parametrize("kind", ["TEXT", "BLOB"])
def test_a_document_that_is_far_too_large_is_rejected_and_not_read(
    path: Path, database: sqlite3.Connection, kind: str
) -> None:
    database.execute(f"CREATE TABLE app_xml (app_id INTEGER PRIMARY KEY, xml {kind})")
    database.execute(f"INSERT INTO app_xml VALUES (1, CAST(zeroblob(100000000) AS {kind})), (2, '<a/>')")
    limited = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from tests.unit.sources.test_sqlite_documents import fetched\n"
        "pages = int(Path('/proc/self/statm').read_text().split()[0])\n"
        "limit = pages * resource.getpagesize() + 50_000_000\n"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
        "print(fetched(Path(sys.argv[1]), 1).failure.code, fetched(Path(sys.argv[1]), 2).content)"
    )
    command = [sys.executable, "-c", limited, str(path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("too_large <a/>\n", "")


def test_whole_numbers_are_ordered_as_numbers(path: Path) -> None:
    write(path, *(SourceDocument(key, b"<a/>") for key in (10, 9, -1, 100, 2**40)))
    assert keys_of(path) == [-1, 9, 10, 100, 2**40]


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [("9", "10", [9, 10]), ("10", "", [10, 100]), ("", "9", [1, 9]), ("-5", "5", [1]), ("11", "99", [])],
)
def test_a_range_of_whole_numbers_compares_as_numbers(
    path: Path, first: str, last: str, expected: list[DocumentKey]
) -> None:
    write(path, *(SourceDocument(key, b"<a/>") for key in (1, 9, 10, 100)))
    assert keys_of(path, KeyRange(first, last)) == expected


COLLATED = ["A", "Z", "_", "a", "a ", "aB", "ab", "b", "z", "ß", "é"]


@pytest.mark.parametrize("index", ["", "CREATE INDEX by_key ON app_xml (app_id)"])
@pytest.mark.parametrize("collation", ["BINARY", "NOCASE", "RTRIM", "OTHER"])
@pytest.mark.parametrize("page_size", [1, 2, 3, 20])
def test_keys_are_listed_and_fetched_exactly_whatever_the_collation_of_their_column(
    path: Path, database: sqlite3.Connection, collation: str, index: str, page_size: int
) -> None:
    database.create_collation("OTHER", lambda one, other: (one.lower() > other.lower()) - (one.lower() < other.lower()))
    database.execute(f"CREATE TABLE app_xml (app_id TEXT COLLATE {collation}, xml TEXT)")
    database.execute(index)
    database.executemany("INSERT INTO app_xml VALUES (?, ?)", [(key, f"<{key}/>") for key in reversed(COLLATED)])
    listed = keys_of(path, page_size=page_size)
    assert sorted(map(str, listed)) == COLLATED
    assert [fetched(path, key) for key in listed] == [SourceDocument(key, f"<{key}/>") for key in listed]
    in_range = keys_of(path, KeyRange("Z", "ab"), page_size=page_size)
    assert sorted(map(str, in_range)) == ["Z", "_", "a", "a ", "aB", "ab"]


@pytest.mark.parametrize("collation", ["BINARY", "NOCASE"])
def test_numbers_and_texts_are_keys_of_one_column(path: Path, database: sqlite3.Connection, collation: str) -> None:
    database.execute(f"CREATE TABLE app_xml (app_id COLLATE {collation}, xml TEXT)")
    keys: list[DocumentKey] = [-5, 3, 20, "007", "20x", "3 ", "B", "b"]
    database.executemany("INSERT INTO app_xml VALUES (?, ?)", [(key, f"<{key}/>") for key in keys])
    found = keys_of(path)
    assert {*map(repr, found)} == {*map(repr, keys)}
    assert [fetched(path, key) for key in keys] == [SourceDocument(key, f"<{key}/>") for key in keys]
    assert keys_of(path, KeyRange("3", "20")) == [3, 20]
    assert keys_of(path, KeyRange("3", "9")) == [3]
    assert {*map(repr, keys_of(path, KeyRange("20", "B")))} == {"20", "'007'", "'20x'", "'3 '", "'B'"}


def test_a_number_and_the_same_number_as_text_are_no_two_keys(path: Path, database: sqlite3.Connection) -> None:
    database.execute("CREATE TABLE app_xml (app_id, xml TEXT)")
    database.executemany("INSERT INTO app_xml VALUES (?, '<a/>')", [(1,), (2,), (3,), ("2",)])
    for page_size in (1, 2, 3, 4, 5):
        *numbers, text = keys_of(path, page_size=page_size)
        assert numbers == [1, 2, 3]
        assert isinstance(text, UnusableKey)
        assert text.startswith("2~")
        assert unusable_key(text).code is Reason.DUPLICATE_KEY


@pytest.mark.parametrize("page_size", [1, 2, 5])
def test_a_repeated_key_in_a_column_without_case_costs_one_document(
    path: Path, database: sqlite3.Connection, page_size: int
) -> None:
    database.execute("CREATE TABLE app_xml (app_id TEXT COLLATE NOCASE, xml TEXT)")
    database.executemany("INSERT INTO app_xml VALUES (?, '<a/>')", [(key,) for key in ("a", "A", "b", "a")])
    assert keys_of(path, page_size=page_size) == ["A", "a", repeated_key("a", 2), "b"]


def test_a_range_of_words_over_keys_that_are_numbers_is_refused(path: Path) -> None:
    write(path, SourceDocument(1, b"<a/>"))
    with pytest.raises(SourceError, match="its keys are numbers"):
        keys_of(path, KeyRange("a", "b"))


def test_an_empty_table_is_no_error(path: Path, database: sqlite3.Connection) -> None:
    database.execute("CREATE TABLE app_xml (app_id INTEGER PRIMARY KEY, xml TEXT)")
    assert keys_of(path) == []
    assert keys_of(path, KeyRange("1", "2")) == []


@pytest.mark.parametrize("content", ["<a>é</a>", b"<a>\xe9</a>", "", b"", None], ids=ascii)
def test_text_bytes_and_null_come_as_they_are(path: Path, content: str | bytes | None) -> None:
    write(path, SourceDocument(1, content))
    assert fetched(path, 1) == SourceDocument(1, content)


def test_text_that_is_not_utf_8_comes_as_bytes(path: Path, database: sqlite3.Connection) -> None:
    database.execute("CREATE TABLE app_xml (app_id INTEGER PRIMARY KEY, xml TEXT)")
    database.execute("INSERT INTO app_xml VALUES (1, CAST(? AS TEXT))", (b"<a>\xe9</a>",))
    assert fetched(path, 1) == SourceDocument(1, b"<a>\xe9</a>")


@pytest.mark.parametrize("number", [5, 1.5])
def test_a_number_is_no_document(path: Path, database: sqlite3.Connection, number: float) -> None:
    database.execute("CREATE TABLE app_xml (app_id INTEGER PRIMARY KEY, xml)")
    database.execute("INSERT INTO app_xml VALUES (1, ?)", (number,))
    rejection = fetched(path, 1)
    assert isinstance(rejection, Rejection)
    assert rejection.failure.code == "unreadable"


@pytest.mark.parametrize(
    ("content", "code"),
    [("x" * 100, ""), ("x" * 101, "too_large"), ("é" * 50, ""), ("é" * 51, "too_large"), (b"x" * 101, "too_large")],
    ids=["100 bytes", "101 bytes", "50 letters of 2 bytes", "51 letters of 2 bytes", "101 bytes of BLOB"],
)
def test_the_limit_of_size_counts_bytes(path: Path, content: str | bytes, code: str) -> None:
    write(path, SourceDocument(1, content))
    document = fetched(path, 1)
    assert (document.failure.code if isinstance(document, Rejection) else "") == code


@pytest.mark.parametrize("page_size", [1, 2, 3, 10])
def test_keys_that_the_log_cannot_hold_have_others_that_stand_for_them(
    path: Path, database: sqlite3.Connection, page_size: int
) -> None:
    long = "k" * 301
    database.execute("CREATE TABLE app_xml (app_id, xml)")
    values = [(None, "1"), (None, "2"), (7, "3"), (1.5, "4"), ("", "5"), ("a", "6"), (long, "7"), (b"\x00\xff", "8")]
    database.executemany("INSERT INTO app_xml VALUES (?, ?)", values)
    for raw in (b"\xed\xa0\x80", b"b\xff", b"b\xfe", b"z"):
        database.execute("INSERT INTO app_xml VALUES (CAST(? AS TEXT), '9')", (raw,))
    database.commit()
    keys = keys_of(path, page_size=page_size)
    assert len(set(map(str, keys))) == len(keys) == 12
    assert [key for key in keys if not isinstance(key, UnusableKey)] == [7, "a", "z"]
    assert keys[:2] == ["NULL~0000000000000001", "NULL~0000000000000002"]
    standing = [(str(key).rpartition("~")[0], key.original) for key in keys[2:] if isinstance(key, UnusableKey)]
    assert standing == [
        ("1.5", None),
        ("", ""),
        ("b\\udcfe", None),
        ("b\\udcff", None),
        ("k" * 283, long),
        ("\\udced\\udca0\\udc80", None),
        ("\\u0000\\udcff", None),
    ]
    for key in keys:
        if is_fetchable(key) and isinstance(key, UnusableKey):
            document = fetched(path, key)
            assert isinstance(document, SourceDocument)
            assert document.key == key


@pytest.mark.parametrize(
    "values",
    [
        [1, 2, 2, 3],
        [1, 2, 3, 3],
        [1, 1, 1, 1, 1, 2],
        ["a", "b", "b", "c", "c"],
        [2, 2.0, 3],
        [0.5, 0.5, 1],
        [b"a", b"a"],
    ],
)
@pytest.mark.parametrize("page_size", [1, 2, 3, 4, 10])
def test_each_further_document_with_a_key_has_another_key(
    path: Path, database: sqlite3.Connection, values: list[object], page_size: int
) -> None:
    database.execute("CREATE TABLE app_xml (app_id, xml)")
    database.executemany("INSERT INTO app_xml VALUES (?, ?)", [(key, f"<r n='{n}'/>") for n, key in enumerate(values)])
    first = [log_key(key) for number, key in enumerate(values) if key not in values[:number]]
    again = [
        repeated_key(log_key(values[values.index(key)]), values[: number + 1].count(key))
        for number, key in enumerate(values)
    ]
    found = keys_of(path, page_size=page_size)
    assert [key for key in found if key in first] == first
    repeated = [key for number, key in enumerate(again) if values[number] in values[:number]]
    assert [key for key in found if key not in first] == repeated
    assert {unusable_key(key).code for key in found if isinstance(key, UnusableKey) and key in repeated} == {
        Reason.DUPLICATE_KEY
    }
    if isinstance(first[-1], int):
        assert fetched(path, first[-1]) == SourceDocument(first[-1], f"<r n='{values.index(first[-1])}'/>")


def test_another_table_or_view_with_other_columns_can_be_named(path: Path, database: sqlite3.Connection) -> None:
    database.execute('CREATE TABLE "my docs" ("order" TEXT PRIMARY KEY, "the xml" TEXT, state TEXT)')
    database.execute("""INSERT INTO "my docs" VALUES ('a', '<a/>', 'new'), ('b', '<b/>', 'old')""")
    database.execute("""CREATE VIEW new_docs AS SELECT "order", "the xml" FROM "my docs" WHERE state = 'new'""")
    for table, keys in (("dbo.my docs", ["a", "b"]), ("new_docs", ["a"])):
        with closing(opened(path, SourceTable(table=table, key="order", xml="the xml"))) as source:
            assert [page.keys for page in source.key_pages(10)] == [keys]
            assert list(source.fetch(["a"])) == [SourceDocument("a", "<a/>")]


def test_a_file_that_is_not_there_is_not_made(path: Path) -> None:
    with pytest.raises(SourceError, match="there is no file") as refused:
        opened(path)
    assert f"xml-extractor sample card_application 1000 --to sqlite:///{path}" in refused.value.tip
    assert not path.exists()


def test_a_file_without_the_table_says_how_to_make_samples(path: Path, database: sqlite3.Connection) -> None:
    database.execute("CREATE TABLE other (a)")
    with pytest.raises(SourceError, match="there is no table app_xml") as refused:
        opened(path)
    assert "xml-extractor sample" in refused.value.tip


@pytest.mark.parametrize(("columns", "absent"), [("app_id", "xml"), ("xml", "app_id"), ("APP_ID, other", "xml")])
def test_a_table_without_the_columns_names_them(
    path: Path, database: sqlite3.Connection, columns: str, absent: str
) -> None:
    database.execute(f"CREATE TABLE app_xml ({columns})")
    with pytest.raises(SourceError, match=f"no column {absent}") as refused:
        opened(path)
    assert "`source`" in refused.value.tip


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_text("<order/>" * 1000)
    with pytest.raises(SourceError, match="not a SQLite database"):
        opened(path)


def test_a_table_that_goes_away_ends_the_run(path: Path, database: sqlite3.Connection) -> None:
    write(path, SourceDocument(1, b"<a/>"))
    with closing(opened(path)) as source:
        database.execute("DROP TABLE app_xml")
        with pytest.raises(SourceError):
            list(source.fetch([1]))
        with pytest.raises(SourceError):
            list(source.key_pages(10))


def test_documents_can_be_read_while_the_same_file_is_written(path: Path, database: sqlite3.Connection) -> None:
    write(path, SourceDocument(1, b"<a/>"))
    database.execute("CREATE TABLE t (a)")
    database.execute("BEGIN IMMEDIATE")
    database.execute("INSERT INTO t VALUES (1)")
    assert keys_of(path) == [1]
    assert fetched(path, 1) == SourceDocument(1, b"<a/>")
    database.execute("COMMIT")


def test_documents_are_added_to_those_that_are_there(path: Path) -> None:
    write(path, SourceDocument(1, b"<a/>"))
    write(path, SourceDocument(2, b"<b/>"))
    assert keys_of(path) == [1, 2]


def test_a_key_that_is_there_is_not_written_over(path: Path) -> None:
    write(path, SourceDocument(1, b"<a/>"))
    with pytest.raises(UsageError, match="already has some of the keys from 0 to 1") as refused:
        write(path, SourceDocument(0, b"<b/>"), SourceDocument(1, b"<b/>"))
    assert refused.value.tip
    assert fetched(path, 1) == SourceDocument(1, b"<a/>")


def test_documents_are_committed_in_batches(path: Path) -> None:
    with pytest.raises(UsageError):
        write(path, *(SourceDocument(key, b"<a/>") for key in [*range(250), 0]))
    assert keys_of(path, page_size=1000) == list(range(200))


@pytest.mark.parametrize("name", ["absent/documents.db", "."])
def test_a_place_that_cannot_be_written_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(TargetError, match="cannot be written"):
        write(tmp_path / name, SourceDocument(1, b"<a/>"))


def test_documents_can_go_to_a_table_with_other_names(path: Path) -> None:
    table = SourceTable(table="docs", key="name", xml="body")
    with open_source_writer(f"sqlite:///{path}", table) as writer:
        writer.write(SourceDocument("a", "<a/>"))
    with closing(opened(path, table)) as source:
        assert list(source.fetch(["a"])) == [SourceDocument("a", "<a/>")]


def test_the_condition_of_a_source_may_use_the_name_of_its_table(path: Path, database: sqlite3.Connection) -> None:
    write(path, SourceDocument(1, b"<a/>"), SourceDocument(2, b"<b/>"))
    table = SourceTable(
        where="app_xml.app_id = 2 AND EXISTS (SELECT 1 FROM app_xml AS o WHERE o.app_id < app_xml.app_id)"
    )
    with closing(opened(path, table)) as source:
        assert [page.keys for page in source.key_pages(5)] == [[2]]


def test_an_error_of_the_condition_names_it_and_quotes_the_database(path: Path) -> None:
    write(path, SourceDocument(1, b"<a/>"))
    with (
        closing(opened(path, SourceTable(where="state = 1"))) as source,
        pytest.raises(SourceError, match=r"source\.where is refused by sqlite:.*: 1 no such column: state"),
    ):
        list(source.key_pages(5))


class TestReadUntil:
    """Of a large document, only what comes before the first end tag that may be the last one needed is read."""

    HEAD = "<note><head>é</head>"
    BULK = f"<body>{'x' * 200_000}</body>"
    WHOLE = f"{HEAD}{BULK}</note>"

    @pytest.fixture
    def source(self, path: Path, database: sqlite3.Connection) -> Iterator[Callable[..., Source]]:
        """Opens a source of documents, which `definition` makes a table."""
        with ExitStack() as opened_sources:

            def make(*documents: object, definition: str = "TABLE app_xml (app_id INTEGER PRIMARY KEY, xml)") -> Source:
                database.execute(f"CREATE {definition}")
                for number, document in enumerate(documents, 1):
                    database.execute("INSERT INTO app_xml VALUES (?, ?)", (number, document))
                rules = CONTRACT.document.model_copy(update={"read_until": "part/head"})
                contract = CONTRACT.model_copy(update={"document": rules})
                return opened_sources.enter_context(closing(open_source(f"sqlite:///{path}", contract, 1_000_000)))

            yield make

    @pytest.mark.parametrize("whole", [WHOLE, WHOLE.encode()], ids=["text", "bytes"])
    def test_a_large_document_is_read_up_to_the_end_tag(
        self, source: Callable[..., Source], whole: str | bytes
    ) -> None:
        head = self.HEAD if isinstance(whole, str) else self.HEAD.encode()
        opened_source = source(whole)
        assert list(opened_source.fetch([1])) == [SourceDocument(1, head, is_cut=True)]
        assert list(opened_source.fetch([1], whole=True)) == [SourceDocument(1, whole)]

    @pytest.mark.parametrize("before", [16 * 1024 - 3, 32 * 1024 - 3, 60_000], ids="{} bytes".format)
    def test_the_end_tag_may_lie_anywhere(self, source: Callable[..., Source], before: int) -> None:
        head = b"<note><a/>".ljust(before, b" ") + b"</head>"
        assert list(source(head + b"<b/>" * 50_000 + b"</note>").fetch([1])) == [SourceDocument(1, head, is_cut=True)]

    @pytest.mark.parametrize(
        "whole",
        [
            f"<note><head>a</head >{BULK}</note>",
            f"<p:note xmlns:p='urn:n'><p:head>a</p:head>{BULK}</p:note>",
            WHOLE.encode("utf-16"),
            b"<?xml version='1.0' encoding='iso-8859-1'?><note>\xe9" + b"x" * 100_000 + b"</note>",
            None,
            "",
            HEAD.encode(),
        ],
        ids=["space", "prefix", "UTF-16", "no end tag", "NULL", "empty", "small"],
    )
    def test_a_document_without_this_very_end_tag_comes_whole(
        self, source: Callable[..., Source], whole: str | bytes | None
    ) -> None:
        assert list(source(whole).fetch([1])) == [SourceDocument(1, whole)]

    def test_compressed_documents_come_whole(self, source: Callable[..., Source]) -> None:
        packed = gzip.compress(self.HEAD.encode() + secrets.token_hex(100_000).encode() + b"</head>")
        documents = [SourceDocument(key, gzip.decompress(packed)) for key in range(1, 13)]
        last = SourceDocument(13, self.HEAD.encode(), is_cut=True)
        found = source(*[packed] * 12, self.WHOLE.encode()).fetch([*range(1, 14)])
        assert list(found) == [*documents, last], "they do not count as documents without the end tag"

    @pytest.mark.parametrize(
        "definition",
        [
            "TABLE app_xml (app_id INTEGER PRIMARY KEY, xml) WITHOUT ROWID",
            "TABLE app_xml (app_id INTEGER PRIMARY KEY, xml, rowid AS (1), _rowid_ AS (1), oid AS (1))",
        ],
        ids=["without rowid", "other columns of its names"],
    )
    def test_tables_without_a_rowid_give_whole_documents(self, source: Callable[..., Source], definition: str) -> None:
        assert list(source(self.WHOLE, definition=definition).fetch([1])) == [SourceDocument(1, self.WHOLE)]

    def test_views_give_whole_documents(self, source: Callable[..., Source], database: sqlite3.Connection) -> None:
        database.execute("CREATE TABLE documents (app_id INTEGER PRIMARY KEY, xml)")
        database.execute("INSERT INTO documents VALUES (1, ?)", (self.WHOLE,))
        opened_source = source(definition="VIEW app_xml AS SELECT app_id, xml FROM documents")
        assert list(opened_source.fetch([1])) == [SourceDocument(1, self.WHOLE)]

    def test_a_document_that_is_too_large_is_rejected_even_if_what_is_needed_is_small(
        self, source: Callable[..., Source]
    ) -> None:
        (large,) = source(self.HEAD.encode() + b"x" * 1_000_000).fetch([1])
        assert isinstance(large, Rejection)
        assert large.failure.code == "too_large"

    def test_documents_are_read_whole_at_once_if_the_end_tag_is_nowhere(self, source: Callable[..., Source]) -> None:
        documents = [self.BULK.encode()] * 12 + [self.WHOLE.encode()]
        found = list(source(*documents).fetch([*range(1, 14)]))
        assert [document.content for document in found if isinstance(document, SourceDocument)] == documents
