"""Documents in tables and views of SQL Server, by keys and in columns of all the types that may hold them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from lxml import etree

from tests import sqlserver
from tests.database.binding import read_log
from tests.table_hashes import table_hashes
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.model import Contract, SourceTable
from xml_extractor.contract.reading import read_contract
from xml_extractor.documents import DocumentKey, Rejection, SourceDocument
from xml_extractor.errors import SourceError
from xml_extractor.pipeline import run
from xml_extractor.processing.chunks import select
from xml_extractor.processing_log.log_keys import Digest, KeyBlocks, LoggedKeys, UnusableKey, repeated_key
from xml_extractor.settings import KeyRange, RunSettings
from xml_extractor.sources.interfaces import KeyPage, Source
from xml_extractor.sources.registry import open_source, open_source_writer
from xml_extractor.targets.registry import open_target

pytestmark = pytest.mark.mssql

MAX_BYTES = 100_000
ACCENTS = ["cafe", "caf\u00e9", "CAF\u00c8", "Caf\u00eb", "d", "e"]
CASE_INSENSITIVE = "varchar(10) COLLATE Latin1_General_CI_AS NOT NULL"

Keys = list[DocumentKey]
MakeSource = Callable[..., Source]


def contract(table: SourceTable, **document: Any) -> Contract:
    return Contract.model_validate(
        {
            "contract": "notes",
            "version": 1,
            "document": {"root": "note", **document},
            "source": table.model_dump(),
            "tables": {"note": {"rows": ".", "columns": {"text": {"path": "text", "type": "nvarchar(100)"}}}},
        }
    )


@pytest.fixture(scope="module")
def schema() -> Iterator[str]:
    """A schema that all tests of the module share; each has tables of its own in it."""
    with sqlserver.scratch_schema() as made:
        yield made


@pytest.fixture(scope="module")
def execute() -> Callable[..., None]:
    return lambda statement, *values: sqlserver.administrator().execute(statement, *values).close()


numbers = count(1)


@pytest.fixture
def table(schema: str) -> str:
    """The name of a table that is not there yet, with its schema."""
    return f"{schema}.documents{next(numbers)}"


@pytest.fixture
def make_source(schema: str, table: str, execute: Callable[..., None]) -> Iterator[MakeSource]:
    """Makes a table of documents and opens it as a source."""
    opened: list[Source] = []

    def make(
        key_type: str = "int NOT NULL PRIMARY KEY",
        rows: Sequence[tuple[Any, Any]] = (),
        xml_type: str = "nvarchar(max)",
        where: str | None = None,
        **document: Any,
    ) -> Source:
        execute(f"CREATE TABLE {table} (doc_id {key_type}, body {xml_type})")
        for key, content in rows:
            given = "CAST(? AS varbinary(max))" if isinstance(content, bytes) else "CAST(? AS nvarchar(max))"
            execute(f"INSERT INTO {table} VALUES (?, {given})", key, content)
        condition = None if where is None else where.replace("{table}", table.rpartition(".")[2])
        place = SourceTable(table=table, key="doc_id", xml="body", where=condition)
        opened.append(open_source(sqlserver.in_schema(schema), contract(place, **document), MAX_BYTES))
        return opened[-1]

    yield make
    for source in opened:
        source.close()


def pages(source: Source, size: int, key_range: KeyRange | None = None, log: LoggedKeys | None = None) -> list[KeyPage]:
    return list(source.key_pages(size, key_range, log))


def listed(source: Source, size: int = 2, key_range: KeyRange | None = None) -> Keys:
    return [key for page in pages(source, size, key_range) for key in page.keys]


GUIDS: Keys = ["FFFFFFFF-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"]

KEYS: dict[str, Keys] = {
    "int": [-(2**31), -1, 0, 7, 10, 2**31 - 1],
    "bigint": [-(2**63), 9, 2**53 + 1, 2**63 - 1],
    "smallint": [-32768, 3, 20, 32767],
    "tinyint": [0, 9, 10, 255],
    "decimal(18,0)": [-999_999_999_999_999_999, 8, 70, 999_999_999_999_999_999],
    "decimal(38,0)": [-(10**37), 2**63, 10**37],
    "varchar(20)": ["1", "10", "9", "a b", "it's", "z%"],
    "varchar(20) COLLATE Latin1_General_100_BIN2": ["A", "B", "a", "\u00e9"],
    "nvarchar(20)": ["100", "2", "a.xml", "\u65e5\u672c"],
    "nvarchar(300)": ["a" * 300, "b" * 299],
    "char(6)": ["1", "ab", "abcdef"],
    "nchar(6)": ["1", "ab", "abcdef"],
}
"""Keys in ascending order, by the type of their column."""


class Keyed(NamedTuple):
    """A source whose keys have one type, and these keys in the order of the server."""

    source: Source
    keys: Keys
    table: str


@pytest.fixture(scope="module", params=[*KEYS, "uniqueidentifier"])
def keyed(request: pytest.FixtureRequest, schema: str, execute: Callable[..., None]) -> Iterator[Keyed]:
    """A source for each type of keys."""
    table = f"{schema}.keyed{next(numbers)}"
    keys = KEYS.get(request.param, GUIDS)
    execute(f"CREATE TABLE {table} (doc_id {request.param} NOT NULL PRIMARY KEY, body nvarchar(max))")
    for key in reversed(keys):
        # Numbers that are too large for the driver's integers go as text.
        given = key if isinstance(key, str) or abs(key) < 2**63 else str(key)
        execute(f"INSERT INTO {table} VALUES (?, ?)", given, f"<note>{key}</note>")
    if request.param == "uniqueidentifier":  # in an order that nobody but the server knows
        found = sqlserver.administrator().execute(f"SELECT doc_id FROM {table} ORDER BY doc_id").fetchall()
        keys = [str(key).upper() for (key,) in found]
    place = SourceTable(table=table, key="doc_id", xml="body")
    with closing(open_source(sqlserver.in_schema(schema), contract(place), MAX_BYTES)) as source:
        yield Keyed(source, keys, table.rpartition(".")[2])


def test_keys_of_every_type_are_listed_in_the_servers_order_page_by_page(keyed: Keyed) -> None:
    for size in (1, 2, 100):
        found = pages(keyed.source, size)
        assert [key for page in found for key in page.keys] == keyed.keys
        assert [len(page.keys) for page in found[:-1]] == [size] * (len(found) - 1)
        assert {page.logged is None for page in found} == {True}


def test_documents_are_fetched_by_keys_of_every_type(keyed: Keyed) -> None:
    backwards = keyed.keys[::-1]
    assert list(keyed.source.fetch(backwards)) == [SourceDocument(key, f"<note>{key}</note>") for key in backwards]


def test_the_log_is_asked_for_keys_of_every_type_as_the_program_writes_them(keyed: Keyed) -> None:
    done = [str(key) for key in keyed.keys[::2]]
    for size in (1, 2, 100):
        logged = [page.logged for page in pages(keyed.source, size, log=Log(done))]
        assert None not in logged
        assert set().union(*(keys or () for keys in logged)) == set(done)


def test_every_key_is_a_range_of_its_own(keyed: Keyed) -> None:
    for key in keyed.keys:
        assert listed(keyed.source, 2, KeyRange(str(key), str(key))) == [key]


def test_the_condition_of_a_source_may_use_the_name_of_its_table(make_source: MakeSource) -> None:
    where = "{table}.doc_id = 2 AND EXISTS (SELECT 1 FROM sys.tables AS t WHERE t.object_id > {table}.doc_id)"
    source = make_source(rows=[(1, "<note/>"), (2, "<note/>")], where=where)
    assert listed(source, 5) == [2]
    assert listed(source, 5, KeyRange("1", "1")) == []


@pytest.mark.parametrize("where", ["state = 1", "doc_id IN (SELECT x FROM nowhere)", "body = CAST('secret' AS int)"])
def test_an_error_of_the_condition_names_it_and_quotes_the_server(make_source: MakeSource, where: str) -> None:
    source = make_source(rows=[(1, "<note/>")], where=where)
    with pytest.raises(SourceError, match=r"^source\.where is refused by mssql:.*: error \d+: \w+") as refused:
        listed(source, 5)
    assert "secret" not in str(refused.value)


class Log:
    """A processing log that has these keys, for a source of too few documents for blocks."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = frozenset(keys)

    def done(self, keys: Sequence[str]) -> set[str]:
        return {*keys} & self._keys

    def done_blocks(self, blocks: KeyBlocks, listed: Mapping[int, Digest]) -> set[int]:
        raise AssertionError((blocks, listed))


RANGES: dict[str, list[tuple[str, str, Keys]]] = {
    "int": [
        ("0", "9", [0, 7]),
        ("-99999999999999999999", "-1", [-(2**31), -1]),
        ("99999999999999999999", "", []),
    ],
    "smallint": [("4", "", [20, 32767])],
    "decimal(18,0)": [("8", "70", [8, 70]), ("9" * 40, "", [])],
    "decimal(38,0)": [
        ("9223372036854775808", "", [2**63, 10**37]),
        ("", "-9999999999999999999", [-(10**37)]),
        ("-" + "9" * 60, "9" * 60, [-(10**37), 2**63, 10**37]),
    ],
    "varchar(20)": [("10", "a", ["10", "9"]), ("9" + "0" * 50, "", ["a b", "it's", "z%"])],
    "nvarchar(20)": [("2", "b", ["2", "a.xml"]), ("a.xml" * 9, "", ["\u65e5\u672c"])],
    "char(6)": [("ab", "abc", ["ab"])],
    "uniqueidentifier": [(str(GUIDS[1]).lower(), str(GUIDS[1]).lower(), [GUIDS[1]])],
}


def test_a_range_takes_keys_as_the_server_compares_them(keyed: Keyed, request: pytest.FixtureRequest) -> None:
    for first, last, expected in RANGES.get(request.node.callspec.params["keyed"], []):
        assert listed(keyed.source, 2, KeyRange(first, last)) == expected


NO_KEYS = {"int": "a", "decimal(18,0)": "1.5", "uniqueidentifier": "not a guid"}


def test_an_end_of_a_range_that_is_no_key_is_said_to_be_none(keyed: Keyed, request: pytest.FixtureRequest) -> None:
    end = NO_KEYS.get(request.node.callspec.params["keyed"])
    if end is not None:
        with pytest.raises(SourceError, match=f"'{end}' is not a key of"):
            listed(keyed.source, 2, KeyRange("", end))


CONTENTS: dict[str, str | bytes] = {
    "nvarchar(max)": "<note>\u65e5\u672c \U0001f600 " + "x" * 20_000 + "</note>",
    "nvarchar(200)": "<note>\u0416</note>",
    "ntext": "<note>\u65e5\u672c \U0001f600 " + "x" * 20_000 + "</note>",
    "varchar(max)": "<note>\u00e9\u20ac " + "x" * 20_000 + "</note>",
    "varchar(200)": "<note>\u00e9</note>",
    "text": "<note>\u00e9\u20ac " + "x" * 20_000 + "</note>",
    "varbinary(max)": b"<?xml version='1.0' encoding='iso-8859-1'?><note>\xe9 " + b"x" * 20_000 + b"</note>",
    "image": b"<note>\xc3\xa9 " + b"x" * 20_000 + b"</note>",
}


@pytest.mark.parametrize("xml_type", CONTENTS)
def test_documents_come_from_columns_of_every_type_as_they_are(make_source: MakeSource, xml_type: str) -> None:
    content = CONTENTS[xml_type]
    source = make_source(rows=[(1, content), (2, None), (3, content[:0])], xml_type=xml_type)
    assert list(source.fetch([1, 2, 3])) == [
        SourceDocument(1, content),
        SourceDocument(2, None),
        SourceDocument(3, content[:0]),
    ]


def test_documents_come_from_xml_columns(make_source: MakeSource) -> None:
    text = "<note a='1'>\u65e5\u672c &amp; <b/> " + "x" * 20_000 + "</note>"
    source = make_source(rows=[(1, text), (2, None)], xml_type="xml")
    first, second = source.fetch([1, 2])
    assert isinstance(first, SourceDocument)
    assert isinstance(first.content, str)
    assert etree.canonicalize(first.content) == etree.canonicalize(text)
    assert second == SourceDocument(2, None)


def test_a_view_is_a_source(make_source: MakeSource, schema: str, table: str, execute: Callable[..., None]) -> None:
    make_source(rows=[(number, f"<note>{number}</note>") for number in range(1, 8)])
    execute(f"CREATE VIEW {table}_seen AS SELECT doc_id AS app_id, body AS xml FROM {table} WHERE doc_id <> 4")
    seen = contract(SourceTable(table=f"{table}_seen"))
    with closing(open_source(sqlserver.in_schema(schema), seen, MAX_BYTES)) as source:
        assert listed(source) == [1, 2, 3, 5, 6, 7]
        good, gone = source.fetch([5, 4])
        assert good == SourceDocument(5, "<note>5</note>")
        assert isinstance(gone, Rejection)


def test_only_documents_for_which_the_contracts_condition_holds_are_listed(make_source: MakeSource) -> None:
    rows = [(number, None if number == 3 else f"<note>{number}</note>") for number in range(1, 10)]
    where = "body IS NOT NULL AND (doc_id < 5 OR doc_id = 9) -- the others are old"
    source = make_source(rows=rows, where=where)
    for size in (1, 2, 100):
        assert listed(source, size) == [1, 2, 4, 9]
    assert listed(source, 2, KeyRange("2", "8")) == [2, 4]


@pytest.mark.parametrize(
    ("key_type", "keys"),
    [
        (CASE_INSENSITIVE, ["A", "a", "B", "b", "c", "D", "d"]),
        ("nvarchar(10) COLLATE Latin1_General_CI_AS NULL", ["A", "a", "B", "b", "c", "D", "d"]),
        (
            "nvarchar(10) COLLATE Latin1_General_CI_AI NOT NULL",
            ACCENTS,
        ),
        (
            "nvarchar(10) COLLATE Latin1_General_CS_AI NOT NULL",
            ACCENTS,
        ),
        ("varchar(10) COLLATE SQL_Latin1_General_CP1_CI_AI NOT NULL", ["e", "E", "\u00e9", "\u00c9", "f"]),
        ("nvarchar(10) COLLATE SQL_Latin1_General_CP1_CI_AS NOT NULL", ["a", "a ", "A", "a  ", "b ", "b"]),
        ("varchar(10) COLLATE Latin1_General_100_BIN2 NOT NULL", ["a", "a ", "a  ", "b ", "b"]),
    ],
)
def test_keys_that_the_collation_compares_as_equal_are_different_documents(
    make_source: MakeSource, key_type: str, keys: list[str]
) -> None:
    source = make_source(key_type, [(key, f"<note>{key}</note>") for key in keys])
    for size in (1, 2, 3, 4, 100):
        found = pages(source, size)
        assert sorted(key for page in found for key in page.keys if isinstance(key, str)) == sorted(keys)
        assert {len(page.keys) for page in found[:-1]} <= {size}
    assert list(source.fetch(list(keys))) == [SourceDocument(key, f"<note>{key}</note>") for key in keys]


def test_more_keys_that_are_equal_for_the_collation_than_a_page_holds_are_all_listed(make_source: MakeSource) -> None:
    keys = ["abc", "abC", "aBc", "aBC", "Abc", "AbC", "ABc", "ABC", "b"]
    source = make_source(CASE_INSENSITIVE, [(key, "<note/>") for key in keys])
    for size in (1, 2, 3, 7, 8, 9):
        assert sorted(key for key in listed(source, size) if isinstance(key, str)) == sorted(keys)


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize("keys", [[1, 2, 2, 3], [1, 1], [2, 3, 3]])
def test_each_further_document_with_a_key_has_another_key(make_source: MakeSource, keys: list[int], size: int) -> None:
    source = make_source("int NULL", [(key, "<note/>") for key in keys])
    again = [repeated_key(key, 2) for number, key in enumerate(keys) if key in keys[:number]]
    assert [*map(str, listed(source, size))] == sorted(map(str, [*{*keys}, *again]))
    (document,) = source.fetch([keys[1]])
    assert isinstance(document, SourceDocument)


@pytest.mark.parametrize("size", [1, 2, 100])
def test_keys_that_are_null_have_others_that_stand_for_them(make_source: MakeSource, size: int) -> None:
    source = make_source("int NULL", [(1, "<note/>"), (None, "<note/>"), (None, "<note/>")])
    assert listed(source, size) == ["NULL~0000000000000001", "NULL~0000000000000002", 1]


@pytest.mark.parametrize("size", [1, 2, 100])
def test_keys_that_the_log_cannot_hold_have_others_that_stand_for_them(make_source: MakeSource, size: int) -> None:
    long = "k" * 400
    source = make_source(
        "nvarchar(400) COLLATE Latin1_General_100_BIN2", [("", "<note/>"), ("a", "<note/>"), (long, "<note/>")]
    )
    keys = listed(source, size)
    assert [key.original if isinstance(key, UnusableKey) else key for key in keys] == ["", "a", long]
    assert [document.key for document in source.fetch(keys) if isinstance(document, SourceDocument)] == keys


@pytest.mark.parametrize("key_type", ["float", "datetime2(3)", "decimal(9,2)", "varchar(max)", "varbinary(20)"])
def test_a_column_whose_type_identifies_no_document_is_refused(make_source: MakeSource, key_type: str) -> None:
    with pytest.raises(SourceError, match="neither an integer, text nor a GUID"):
        make_source(key_type)


@pytest.mark.parametrize("xml_type", ["int", "date", "uniqueidentifier"])
def test_a_column_whose_type_holds_no_document_is_refused(make_source: MakeSource, xml_type: str) -> None:
    with pytest.raises(SourceError, match="neither text nor binary"):
        make_source(xml_type=xml_type)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ({"table": "absent"}, "there is no table absent in"),
        ({"key": "absent"}, "has no column absent"),
        ({"key": "absent", "xml": "missing"}, "has no column absent and no column missing"),
    ],
)
def test_a_table_or_column_that_is_missing_is_named(
    make_source: MakeSource, schema: str, table: str, place: dict[str, str], message: str
) -> None:
    make_source()
    named = contract(SourceTable.model_validate({"table": table, "key": "doc_id", "xml": "body", **place}))
    with pytest.raises(SourceError, match=message) as ended:
        open_source(sqlserver.in_schema(schema), named, MAX_BYTES)
    assert "PWD" not in str(ended.value)


class TestLog:
    """The source asks the processing log which documents are done."""

    def test_looking_into_the_log_selects_the_documents_that_asking_it_selects(
        self, make_source: MakeSource, schema: str
    ) -> None:
        source = make_source(rows=[(number, "<note/>") for number in range(1, 41)])
        done = {str(number) for number in (*range(1, 9), 15, *range(20, 30), 40)}
        place = Log(sorted(done))
        for size in (1, 3, 8, 100):
            for limit in (None, 5):
                looked = list(select(source.key_pages(size, None, place), never_asked, None, limit))
                asked = list(select(source.key_pages(size), lambda keys: done & set(keys), None, limit))
                assert [key for part in looked for key in part.keys] == [key for part in asked for key in part.keys]
                assert sum(part.done for part in looked) == sum(part.done for part in asked)

    def test_pages_grow_as_long_as_all_is_done_and_are_small_again_behind_that(
        self, make_source: MakeSource, schema: str
    ) -> None:
        source = make_source(rows=[(number, "<note/>") for number in range(1, 61)])
        place = Log([str(number) for number in range(1, 31)])
        found = pages(source, 4, log=place)
        assert [len(page.keys) for page in found] == [4, 8, 16, 32]
        assert [len(page.logged or ()) for page in found] == [4, 8, 16, 2]

    def test_pages_of_which_all_is_done_do_not_end_the_listing(self, make_source: MakeSource, schema: str) -> None:
        source = make_source(rows=[(number, "<note/>") for number in range(1, 31)])
        place = Log([str(number) for number in range(1, 30)])
        for size in (1, 5, 29, 30):
            (last,) = [part.keys for part in select(source.key_pages(size, None, place), never_asked) if part.keys]
            assert last == [30]


def never_asked(_: Sequence[str]) -> set[str]:
    raise AssertionError("the log was asked, although the source had looked there")


HEAD = "<note><head><text>a</text></head>"
BULK = "<report/>" * 5_000


class TestReadUntil:
    """The server leaves out what is behind the first end tag that may be the last one needed."""

    @pytest.mark.parametrize("xml_type", ["nvarchar(max)", "varchar(max)", "text", "ntext", "xml"])
    def test_the_server_cuts_behind_the_end_tag(self, make_source: MakeSource, xml_type: str) -> None:
        whole = f"{HEAD}{BULK}</note>"
        source = make_source(rows=[(1, whole)], xml_type=xml_type, read_until="head")
        assert list(source.fetch([1])) == [SourceDocument(1, HEAD, is_cut=True)]
        assert list(source.fetch([1], whole=True)) == [SourceDocument(1, whole)]

    def test_the_last_name_of_a_chain_is_looked_for(self, make_source: MakeSource) -> None:
        start = "<note><head><a/></head><body><part>b</part>"
        source = make_source(rows=[(1, f"{start}<part/></body></note>")], read_until="body/part")
        assert list(source.fetch([1])) == [SourceDocument(1, start, is_cut=True)]

    @pytest.mark.parametrize(
        "text",
        [
            "<note><head>a</head >and more</note>",
            "<p:note xmlns:p='urn:n'><p:head>a</p:head>and more</p:note>",
            "<note><HEAD>a</HEAD>and more</note>",
            "<note/>",
            "",
        ],
    )
    def test_a_document_without_this_very_end_tag_comes_whole(self, make_source: MakeSource, text: str) -> None:
        source = make_source(rows=[(1, text)], read_until="head")
        assert list(source.fetch([1])) == [SourceDocument(1, text)]

    def test_bytes_are_not_cut(self, make_source: MakeSource) -> None:
        content = f"{HEAD}{BULK}</note>".encode()
        source = make_source(rows=[(1, content)], xml_type="varbinary(max)", read_until="head")
        assert list(source.fetch([1])) == [SourceDocument(1, content)]

    def test_a_document_that_is_too_large_is_rejected_even_if_what_is_needed_is_small(
        self, make_source: MakeSource
    ) -> None:
        source = make_source(rows=[(1, HEAD + "x" * 2 * MAX_BYTES), (2, f"{HEAD}</note>")], read_until="head")
        large, small = source.fetch([1, 2])
        assert isinstance(large, Rejection)
        assert large.failure.code == "too_large"
        assert small == SourceDocument(2, HEAD, is_cut=True)


NOTES = """
contract: notes
version: 1
document: {root: note, key: "@id", key_type: int, read_until: head, preceded_by: [other], max_bytes: 30000}
source: {table: "documents", key: doc_id, xml: body, where: "doc_id <> 99"}
tables:
  note:
    rows: "."
    columns:
      note_id: {path: "@id", type: int, key: true}
      text: {path: "head/text", type: nvarchar(100)}
      others: {path: "count(other/head)", type: int}
"""


def note(number: int, start: str = "", text: str = "a", end: str = "</head>", rest: str = "<rest/></note>") -> str:
    return f"<note id='{number}'>{start}<head><text>{text}</text>{end}{rest}"


DOCUMENTS: dict[int, str | None] = {
    1: note(1),
    2: note(2, start="<!-- before </head> -->"),
    3: note(3, text="<![CDATA[</head>]]>"),
    4: note(4, start="<other><head>nested</head></other>"),
    5: note(5, end="</head\n>"),
    6: note(6, text="<?pi </head> ?>b"),
    7: note(7, rest="<rest> is not <well-formed"),
    8: note(8, text="<not/well-formed"),
    9: None,
    10: "",
    11: " \n",
    12: note(12, rest=f"{'x' * 60_000}</note>"),
    13: "<note id='13'><other/></note>",
    14: note(14, text="\U0001f600 \u65e5\u672c"),
    15: "<?xml version='1.0' encoding='utf-16'?>" + note(15),
    16: note(16, text="\x01"),
    17: "<note id='17'><head/>" + "<rest/></note>",
    99: note(99),
}
REJECTED = {8: "malformed", 9: "empty", 10: "empty", 11: "empty", 12: "too_large", 16: "control_character"}


class TestRun:
    def test_what_the_server_cut_too_early_is_fetched_whole_and_all_is_loaded_as_from_a_file(
        self, schema: str, tmp_path: Path
    ) -> None:
        contract_path = tmp_path / "notes.yaml"
        contract_path.write_text(NOTES)
        notes = read_contract(str(contract_path))
        logs, hashes = [], []
        for kind, source in (
            ("file", f"sqlite:///{tmp_path / 'documents.db'}"),
            ("server", sqlserver.in_schema(schema)),
        ):
            with open_source_writer(source, notes.source) as writer:
                for number, content in DOCUMENTS.items():
                    writer.write(SourceDocument(number, content))
            target = f"sqlite:///{tmp_path / kind}.db"
            result = run(
                RunSettings(
                    str(contract_path), source, target, workers=2, batch_size=3, rejects_dir=tmp_path / "rejects"
                )
            )
            assert result.failure is None
            with closing(open_target(target, notes).connect()) as connection:
                logs.append({int(entry.document_key): (entry.stage, entry.reason) for entry in read_log(connection)})
                hashes.append(table_hashes(connection, layouts(notes))["note"])
        assert logs[0] == logs[1]
        assert {key: reason.partition(":")[0] for key, (_, reason) in logs[1].items() if reason} == REJECTED
        assert set(logs[1]) == set(DOCUMENTS) - {99}
        assert hashes[0] == hashes[1]
