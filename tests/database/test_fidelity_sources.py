"""Documents of one character to megabytes come out of a table as they were put in, whatever the type of its column."""

import gzip
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests import sqlserver
from tests.database.independent import canonical
from xml_extractor.contract.model import Contract
from xml_extractor.documents import Rejection, SourceDocument
from xml_extractor.sources.registry import open_source

pytestmark = pytest.mark.mssql

MEGABYTES = 5 * 2**20
MAX_BYTES = 64 * 2**20
END = "</order>"
TEXT_TYPES = ("nvarchar(max)", "varchar(max)", "ntext", "text", "nvarchar(4000)", "varchar(8000)")
BINARY_TYPES = ("varbinary(max)", "image", "varbinary(8000)")
CODE_PAGE_TYPES = ("varchar(max)", "text", "varchar(8000)")
LENGTHS = [1, 2, 1023, 1024, 1025, 2047, 2048, 3999, 4000, 4001, 4095, 4096, 4097, 7999, 8000, 8001, 65_535, 65_536]

Contents = list[str | bytes | None]


def repeated(part: str, length: int) -> str:
    return (part * (length // len(part) + 1))[:length]


def texts(type_name: str) -> Contents:
    """Of all lengths at which a buffer may end, with characters of one to four bytes across its end."""
    limit = {"nvarchar(4000)": 4000, "varchar(8000)": 8000}.get(type_name, 10**9)
    parts = ["<a>0123456789\r\n\t</a> ", "é€ß"] + ([] if type_name in CODE_PAGE_TYPES else ["ж日", "x😀", "😀"])
    found: Contents = [repeated(part, length) for part in parts for length in LENGTHS]
    found += ["", " ", "trailing  ", "\ufeff<a/>" if type_name not in CODE_PAGE_TYPES else "ÿ<a/>", None]
    found += [repeated(part, MEGABYTES // 2) for part in parts[1:3]] + ["x" * MEGABYTES]
    return [text for text in found if not isinstance(text, str) or len(text.encode("utf-16-le")) // 2 <= limit]


def binaries(type_name: str) -> Contents:
    limit = 8000 if type_name == "varbinary(8000)" else 10**9
    every_byte = bytes(range(256))
    found: Contents = [(every_byte * (length // 256 + 1))[:length] for length in [*LENGTHS, MEGABYTES]]
    found += [b"", b"\0", b"\0" * 8000, b"\xff\xfe<\0a\0/\0>\0", "<a>ж😀</a>".encode(), None]
    return [content for content in found if content is None or len(content) <= limit]


def contract_of(table: str, *, read_until: bool = False) -> Contract:
    columns = {"order_id": {"path": "@id", "type": "int", "key": True}}
    until = {"read_until": "order"} if read_until else {}
    return Contract.model_validate(
        {
            "contract": "orders",
            "version": 1,
            "document": {"root": "orders", **until},
            "source": {"table": table, "key": "no", "xml": "content"},
            "tables": {"orders": {"rows": ".", "columns": columns}},
        }
    )


@pytest.fixture(scope="module")
def schema() -> Iterator[str]:
    with sqlserver.scratch_schema() as name:
        yield name


def store(schema: str, table: str, type_name: str, contents: Contents) -> None:
    """Put documents into a new table, without the product."""
    import pyodbc

    with closing(pyodbc.connect(sqlserver.connection_string(), autocommit=True)) as session:
        session.execute(f"CREATE TABLE {schema}.{table} (no int PRIMARY KEY, content {type_name})").close()
        for number, content in enumerate(contents):
            is_binary = type_name in BINARY_TYPES
            with closing(session.cursor()) as cursor:
                cursor.setinputsizes([None, (pyodbc.SQL_VARBINARY if is_binary else pyodbc.SQL_WVARCHAR, 0, 0)])
                cursor.execute(f"INSERT INTO {schema}.{table} VALUES (?, ?)", number, content)


def fetched(schema: str, contract: Contract, count: int) -> list[SourceDocument | Rejection]:
    with closing(open_source(sqlserver.in_schema(schema), contract, MAX_BYTES)) as source:
        keys = [key for page in source.key_pages(1000) for key in page.keys]
        assert keys == list(range(count))
        return list(source.fetch(keys))


def described(content: str | bytes | None) -> str:
    """So that pytest need not compare megabytes."""
    return (
        repr(content) if content is None or len(content) < 100 else f"{content[:20]!r} {len(content)} {hash(content)}"
    )


@pytest.mark.parametrize("type_name", [*TEXT_TYPES, *BINARY_TYPES])
def test_a_document_comes_out_of_its_column_as_it_went_in(schema: str, type_name: str) -> None:
    contents = binaries(type_name) if type_name in BINARY_TYPES else texts(type_name)
    table = f"as_{''.join(filter(str.isalnum, type_name))}"
    store(schema, table, type_name, contents)
    for document, content in zip(fetched(schema, contract_of(table), len(contents)), contents, strict=True):
        assert isinstance(document, SourceDocument)
        assert type(document.content) is type(content)
        assert described(document.content) == described(content)


def test_a_column_of_bytes_may_hold_compressed_documents(schema: str) -> None:
    document = "<a>é</a>".encode()
    store(schema, "compressed", "varbinary(max)", [gzip.compress(document), document, gzip.compress(document)[:-9]])
    first, second, broken = fetched(schema, contract_of("compressed"), 3)
    assert isinstance(first, SourceDocument)
    assert isinstance(second, SourceDocument)
    assert first.content == second.content == document
    assert isinstance(broken, Rejection)
    assert broken.failure.code == "unreadable"


XML: Contents = [
    "<a/>",
    "<a> <b> </b>ж😀</a>",
    *(f"<a>{'x' * (length - 7)}</a>" for length in LENGTHS if length > 7),
    *(f"<a>{repeated('x😀', length)}</a>" for length in LENGTHS),
    "<a>" + "<b c='1'>0123456789</b>" * (MEGABYTES // 23) + "</a>",
    None,
]


def test_a_document_in_a_column_of_xml_comes_out_with_all_its_content(schema: str) -> None:
    store(schema, "as_xml", "xml", XML)
    for document, content in zip(fetched(schema, contract_of("as_xml"), len(XML)), XML, strict=True):
        assert isinstance(document, SourceDocument)
        assert described(canonical(str(document.content))) == described(canonical(str(content)))


@pytest.mark.parametrize("filling", ["x", "é", "x😀"])
def test_a_document_that_is_cut_is_whole_up_to_the_end_of_what_is_needed(schema: str, filling: str) -> None:
    starts = [f"<orders><order>{repeated(filling, length)}" for length in (1, 3990, 4000, 8000, 65_536, MEGABYTES // 2)]
    table = f"cut_{len(filling.encode())}"
    store(schema, table, "nvarchar(max)", [f"{start}{END}<rest>{END}{'y' * 5000}</orders>" for start in starts])
    contract = contract_of(table, read_until=True)
    for document, start in zip(fetched(schema, contract, len(starts)), starts, strict=True):
        assert isinstance(document, SourceDocument)
        assert document.is_cut
        assert described(document.content) == described(f"{start}{END}")


def test_text_that_is_no_utf_16_costs_its_document(schema: str) -> None:
    if not sqlserver.is_sql_server():
        pytest.skip("this server is no SQL Server and takes no half of a character")
    store(schema, "halves", "nvarchar(max)", ["<a/>", "<b/>", "<c/>"])
    sqlserver.administrator().execute(f"UPDATE {schema}.halves SET content = NCHAR(55357) WHERE no = 1").close()
    good, bad, other = fetched(schema, contract_of("halves"), 3)
    assert isinstance(bad, Rejection)
    assert bad.failure.code == "unreadable"
    assert [good, other] == [SourceDocument(0, "<a/>"), SourceDocument(2, "<c/>")]
