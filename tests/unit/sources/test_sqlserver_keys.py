"""A SQL Server source compares keys exactly, whatever its key column's collation says is equal."""

import operator
import random
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import pytest

from tests.database.demo_tables import CONTRACT
from xml_extractor.documents import SourceDocument
from xml_extractor.errors import SourceError
from xml_extractor.processing_log.log_keys import is_fetchable
from xml_extractor.schema.model import ActualColumn, ActualTable
from xml_extractor.values.sqltypes import parse_type

pytest.importorskip("pyodbc", reason="pyodbc cannot be loaded: unixODBC is missing", exc_type=ImportError)
sqlserver = pytest.importorskip("xml_extractor.sources.sqlserver", exc_type=ImportError)
registry = pytest.importorskip("xml_extractor.sources.registry", exc_type=ImportError)

Fold = Callable[[str], str]


def without_accents(text: str) -> str:
    return "".join(part for part in unicodedata.normalize("NFD", text) if not unicodedata.combining(part))


COLLATIONS: dict[str, tuple[Fold, list[str]]] = {
    "case": (str.casefold, ["a", "A", "b", "B", "c", "ab", "aB", "Ab", "AB"]),
    "accents": (without_accents, ["cafe", "café", "cafë", "cafè", "d", "e", "é"]),
    "trailing spaces": (lambda text: text.rstrip(" "), ["a", "a ", "a  ", "a   ", "b", "b "]),
    "width": (lambda text: unicodedata.normalize("NFKC", text), ["a", "\uff41", "b", "\uff42", "\ufb01", "fi"]),
    "no weight": (lambda text: "".join(c for c in text if c < "\U00010000"), ["a", "a😀", "a😁", "😀a", "b"]),
    "everything": (lambda text: without_accents(text.casefold()).strip(" "), ["É", "é ", "e", "E  ", "f", "F"]),
    "nothing": (lambda text: text, ["a", "A", "a ", "é", "e"]),
}


class Server:
    """A connection to a server whose collation folds keys; it returns equal ones in any order."""

    def __init__(self, fold: Fold, keys: Sequence[str], chance: random.Random) -> None:
        self.fold = fold
        self.keys = keys
        self.chance = chance
        self.changes_text = self.cuts_wrong = False

    def query(self, statement: str, values: Sequence[Any], _types: Sequence[Any] | None = None) -> Iterator[Any]:
        if statement.startswith("SELECT TOP (?) [app_id] FROM"):
            count, *bounds = values
            in_order = sorted(self.keys, key=lambda key: (self.fold(key), self.chance.random()))
            compare = operator.eq if "[app_id] = CAST" in statement else operator.gt
            found = [key for key in in_order if not bounds or compare(self.fold(key), self.fold(bounds[-1]))]
            return iter([(key,) for key in found[:count]])
        if "SELECT 1 AS [app_id]" in statement:
            is_cut = "CHARINDEX" in statement
            document = values[1].replace("𝄞", "?") if self.changes_text else values[1]
            content = document[: document.index("</App>") + (3 if self.cuts_wrong else 6)] if is_cut else document
            return iter([(1, len(document), content, int(is_cut))])
        wanted = {self.fold(key) for key in values[1:]}
        found = [key for key in self.keys if self.fold(key) in wanted]
        self.chance.shuffle(found)
        return iter([(key, 9, f"<n>{key}</n>", 0) for key in found])

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def open_source(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    columns = (
        ActualColumn("app_id", parse_type("nvarchar(20)"), "nvarchar(20)", nullable=False, collation="Some_CI_AI"),
        ActualColumn("xml", parse_type("nvarchar(max)"), "nvarchar(max)", nullable=True),
    )
    monkeypatch.setattr(
        sqlserver, "read_catalog", lambda _c, tables, _s, **_: {tables[0]: ActualTable("app_xml", columns)}
    )
    monkeypatch.setattr(sqlserver, "closing", lambda rows: closing(Closable(rows)))

    def opened(server: Server, read_until: str = "") -> Any:
        monkeypatch.setattr(sqlserver, "SqlServerConnection", lambda _address: server)
        document = CONTRACT.document.model_copy(update={"read_until": read_until or None})
        return registry.open_source("mssql://host/db", CONTRACT.model_copy(update={"document": document}), 1000)

    return opened


class Closable:
    def __init__(self, rows: Iterator[Any]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Any]:
        return self._rows

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("name", COLLATIONS)
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_no_document_is_lost_listed_twice_or_mistaken_for_another(
    open_source: Callable[..., Any], name: str, size: int
) -> None:
    fold, keys = COLLATIONS[name]
    for seed in range(5):
        with closing(open_source(Server(fold, keys, random.Random(seed)))) as source:
            listed = [key for page in source.key_pages(size) for key in page.keys]
            assert sorted(listed) == sorted(keys)
            for first in range(0, len(keys), size):
                some = listed[first : first + size]
                assert list(source.fetch(some)) == [SourceDocument(key, f"<n>{key}</n>") for key in some]


def test_a_key_that_is_there_twice_stands_for_one_document(open_source: Callable[..., Any]) -> None:
    keys = ["a", "b", "B", "b", "b", "c", "C", "C"]
    for size in (1, 2, 3, 100):
        for seed in range(5):
            with closing(open_source(Server(str.casefold, keys, random.Random(seed)))) as source:
                listed = [key for page in source.key_pages(size) for key in page.keys]
            assert sorted(filter(is_fetchable, listed)) == sorted(set(keys))
            others = [key for key in listed if not is_fetchable(key)]
            assert sorted(key[:2] for key in others) == ["C~", "b~", "b~"]
            assert len(set(listed)) == len(keys)


def test_keys_that_cannot_be_parameters_are_listed_with_the_others(open_source: Callable[..., Any]) -> None:
    keys = ["\ud800", "a", "b\udc00", "b\udc01", "b\udc02", "c", "d\ud800"]
    for size in (1, 2, 3, 100):
        with closing(open_source(Server(str, keys, random.Random(1)))) as source:
            listed = [key for page in source.key_pages(size) for key in page.keys]
            assert sum(map(is_fetchable, listed)) == 2
            assert len(set(listed)) == len(keys)


def test_a_key_that_is_there_only_in_another_case_has_no_document(open_source: Callable[..., Any]) -> None:
    with closing(open_source(Server(str.casefold, ["a"], random.Random(1)))) as source:
        (rejected,) = source.fetch(["A"])
    assert (rejected.key, rejected.failure.code) == ("A", "missing")


def test_parameters_have_the_collation_of_the_column(open_source: Callable[..., Any]) -> None:
    with closing(open_source(Server(str.casefold, ["a"], random.Random(1)))) as source:
        query, _ = source._queries.documents(whole=True)
    assert query.count("CAST(? COLLATE Some_CI_AI AS nvarchar(20))") == 32


def test_a_server_that_truncates_wrongly_sends_whole_documents(open_source: Callable[..., Any]) -> None:
    server = Server(str, ["a"], random.Random(1))
    with closing(open_source(server, "App")) as source:
        assert "CHARINDEX(N'</App>'" in source._checked().documents(whole=False)[0]
    server.cuts_wrong = True
    with closing(open_source(server, "App")) as source:
        assert "CHARINDEX" not in source._checked().documents(whole=False)[0]
        assert list(source.fetch(["a"])) == [SourceDocument("a", "<n>a</n>")]


@pytest.mark.parametrize("read_until", ["", "App"])
def test_a_server_that_changes_documents_is_no_source(open_source: Callable[..., Any], read_until: str) -> None:
    server = Server(str, ["a"], random.Random(1))
    server.changes_text = True
    with (
        closing(open_source(server, read_until)) as source,
        pytest.raises(SourceError, match="does not return documents unchanged"),
    ):
        list(source.fetch(["a"]))
