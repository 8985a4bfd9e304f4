"""Connections to SQL Server that are lost, and what crosses them: the server is behind a proxy that counts and cuts."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests import sqlserver
from tests.database.demo_tables import CONTRACT, TABLES, loader_of, order, order_ids
from tests.tcp_proxy import TcpProxy, tcp_proxy
from xml_extractor.contract.model import Contract
from xml_extractor.documents import Rejection, SourceDocument, Status
from xml_extractor.sources.interfaces import Source
from xml_extractor.sources.registry import open_source, open_source_writer
from xml_extractor.targets.registry import open_target

pytestmark = pytest.mark.mssql

MAX_BYTES = 2_000_000
HEAD = "<order><head>a</head>"
DOCUMENTS = dict.fromkeys(range(1, 41), f"{HEAD}{'x' * 40000}</order>")
"""More than the buffers of a connection hold."""
TOO_LARGE = 99


def needs_head_only() -> Contract:
    document = CONTRACT.document.model_copy(update={"read_until": "head"})
    return CONTRACT.model_copy(update={"document": document})


@pytest.fixture(scope="module")
def proxy() -> Iterator[TcpProxy]:
    with tcp_proxy(*sqlserver.place()) as started:
        yield started


@pytest.fixture(scope="module")
def schema() -> Iterator[str]:
    with sqlserver.scratch_schema() as made:
        with open_source_writer(sqlserver.in_schema(made)) as writer:
            for number, content in DOCUMENTS.items():
                writer.write(SourceDocument(number, content))
            writer.write(SourceDocument(TOO_LARGE, "x" * (2 * MAX_BYTES + 2)))
        open_target(sqlserver.in_schema(made), CONTRACT).create(TABLES)
        yield made


@pytest.fixture
def source(proxy: TcpProxy, schema: str) -> Iterator[Source]:
    with closing(open_source(sqlserver.through(proxy.port, schema), CONTRACT, MAX_BYTES)) as opened:
        yield opened


def expected(*numbers: int) -> list[SourceDocument]:
    return [SourceDocument(number, DOCUMENTS[number]) for number in numbers]


class TestSource:
    def test_a_connection_that_was_lost_before_a_query_is_opened_again(self, source: Source, proxy: TcpProxy) -> None:
        assert proxy.cut() == 1
        assert [page.keys for page in source.key_pages(30)] == [[*range(1, 31)], [*range(31, 41), TOO_LARGE]]
        assert proxy.cut() == 1
        assert list(source.fetch([1, 2])) == expected(1, 2)

    @pytest.mark.parametrize("received", [1, 50_000, 400_000, 1_000_000])
    def test_a_connection_that_is_lost_while_documents_come_is_opened_again(
        self, source: Source, proxy: TcpProxy, received: int
    ) -> None:
        before = proxy.connections()
        proxy.cut_after(received)
        assert list(source.fetch(list(DOCUMENTS))) == expected(*DOCUMENTS)
        assert proxy.connections() == before + 1

    def test_a_connection_that_is_lost_between_two_pages_is_opened_again(self, source: Source, proxy: TcpProxy) -> None:
        keys = []
        for page in source.key_pages(7):
            keys += page.keys
            proxy.cut()
        assert keys == [*DOCUMENTS, TOO_LARGE]

    def test_a_connection_that_is_lost_while_the_source_is_looked_at_is_opened_again(
        self, proxy: TcpProxy, schema: str
    ) -> None:
        address = sqlserver.through(proxy.port, schema)
        before = proxy.received()
        open_source(address, CONTRACT, MAX_BYTES).close()
        proxy.cut_after(proxy.received() - before - 100)
        connections = proxy.connections()
        with closing(open_source(address, CONTRACT, MAX_BYTES)) as opened:
            assert proxy.connections() == connections + 2
            assert list(opened.fetch([1])) == expected(1)

    def test_a_document_that_is_too_large_does_not_cross_the_network(self, source: Source, proxy: TcpProxy) -> None:
        list(source.fetch([1]))  # before the first document, the server is asked what it returns
        before = proxy.received()
        (large,) = source.fetch([TOO_LARGE])
        assert isinstance(large, Rejection)
        assert large.failure.code == "too_large"
        assert proxy.received() - before < 20_000

    def test_what_the_server_cuts_off_does_not_cross_the_network(self, proxy: TcpProxy, schema: str) -> None:
        address = sqlserver.through(proxy.port, schema)
        with closing(open_source(address, needs_head_only(), MAX_BYTES)) as opened:
            list(opened.fetch([1]))
            before = proxy.received()
            assert list(opened.fetch(list(DOCUMENTS))) == [SourceDocument(key, HEAD, is_cut=True) for key in DOCUMENTS]
            cut = proxy.received() - before
        assert cut < 40_000 < sum(map(len, DOCUMENTS.values())) / 20


class TestTarget:
    def test_a_connection_that_is_lost_while_a_batch_is_sent_is_opened_again_and_nothing_is_doubled(
        self, proxy: TcpProxy, schema: str
    ) -> None:
        target = open_target(sqlserver.through(proxy.port, schema), CONTRACT)
        with closing(target.connect()) as connection:
            loader = loader_of(connection)
            for first, received in ((0, 1), (100, 500), (200, 2_000), (300, 4_000), (400, 6_000)):
                proxy.cut_after(received)
                outcomes = loader.load([order(number) for number in range(first, first + 100)])
                assert {outcome.status for outcome in outcomes} == {Status.LOADED}
            assert order_ids(connection) == [*range(500)]
            assert loader.statistics.retries > 0
