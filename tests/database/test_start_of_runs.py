"""The start of a run does not compare all keys one by one, and finds every document that is not done."""

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests import sqlserver
from tests.database.demo_tables import CONTRACT
from xml_extractor.connections import Connection
from xml_extractor.contract.model import SourceTable
from xml_extractor.processing.chunks import RunContext
from xml_extractor.processing.logged_documents import LoggedDocuments
from xml_extractor.processing_log.log import ProcessingLog
from xml_extractor.processing_log.log_keys import KeyBlocks
from xml_extractor.settings import KeyRange, RunSettings, Shard
from xml_extractor.sources.registry import open_source
from xml_extractor.targets.registry import open_target

MOST_ROWS = 200
"""Rows that the databases return, of 400,000 documents that are done: 3 queries, and a row for each of 40 blocks."""

LOG = (
    "contract, document_key, status, stage, reason, attempts, row_count, seconds, content_hash, contract_version, "
    "contract_hash, run_id, started_at, finished_at"
)


class Counts:
    """Statements and rows since the last time somebody asked."""

    def __init__(self) -> None:
        self.statements = self.rows = 0

    def count(self, query: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        def counted(connection: Connection, *arguments: Any, **others: Any) -> Iterator[Any]:
            self.statements += 1
            for row in query(connection, *arguments, **others):
                self.rows += 1
                yield row

        return counted


class Start(NamedTuple):
    """What the start of a run found: keys to process, and how many documents are done."""

    keys: list[int]
    done: int
    outdated: int
    statements: int
    rows: int


class Databases(NamedTuple):
    """Addresses of source and target, and what changes them."""

    documents: int
    source: str
    target: str
    at_source: Callable[[str], None]
    at_target: Callable[[str], None]
    counts: Counts

    def start(self, key_range: KeyRange | None = None, shard: Shard | None = None) -> Start:
        settings = RunSettings("orders.yaml", self.source, self.target, key_range=key_range, shard=shard)
        contract = CONTRACT.model_copy(update={"source": SourceTable(where="hidden = 0")})
        context = RunContext("c", datetime(2026, 1, 1), settings, contract, "new", "in", "in")  # noqa: DTZ001
        with (
            closing(open_source(self.source, contract, 100)) as source,
            closing(open_target(self.target, contract).connect()) as connection,
        ):
            documents = LoggedDocuments(connection, context)
            self.counts.statements = self.counts.rows = 0
            keys, done = [], 0
            for page in source.key_pages(1000, key_range, documents):
                assert page.logged is not None
                keys += [int(key) for key in page.keys if str(key) not in page.logged]
                done += page.done + len(page.logged)
            return Start(keys, done, documents.outdated, self.counts.statements, self.counts.rows)


@pytest.fixture(scope="module")
def counts() -> Iterator[Counts]:
    counts = Counts()
    with pytest.MonkeyPatch.context() as patch:
        from xml_extractor.targets.sqlite.connection import SqliteConnection

        patch.setattr(SqliteConnection, "query", counts.count(SqliteConnection.query))
        if os.environ.get(sqlserver.VARIABLE):
            from xml_extractor.targets.sqlserver.connection import SqlServerConnection

            patch.setattr(SqlServerConnection, "query", counts.count(SqlServerConnection.query))
        yield counts


@pytest.fixture(scope="module", params=["sqlite", pytest.param("mssql", marks=pytest.mark.mssql)])
def databases(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, counts: Counts
) -> Iterator[Databases]:
    """Databases in which all documents are done."""
    if request.param == "sqlite":
        directory = tmp_path_factory.mktemp("start")
        yield prepared(
            f"sqlite:///{directory / 'in.db'}", f"sqlite:///{directory / 'out.db'}", in_file(directory), counts
        )
        return
    with sqlserver.scratch_schema() as one, sqlserver.scratch_schema() as other:
        yield prepared(sqlserver.in_schema(one), sqlserver.in_schema(other), in_schemas(one, other), counts)


Execute = Callable[[str, str], None]


def in_file(directory: Path) -> Execute:
    def execute(place: str, statement: str) -> None:
        with closing(sqlite3.connect(directory / f"{place}.db", isolation_level=None)) as database:
            database.execute(statement)

    return execute


def in_schemas(source: str, target: str) -> Execute:
    schemas = {"in": source, "out": target}

    def execute(place: str, statement: str) -> None:
        for table in ("app_xml", "processing_log"):
            statement = statement.replace(f" {table}", f" {schemas[place]}.{table}")
        sqlserver.administrator().execute(statement).close()

    return execute


TEN = " UNION ALL ".join(f"SELECT {digit} AS d" for digit in range(10))


def prepared(source: str, target: str, execute: Execute, counts: Counts) -> Databases:
    """Fill source and log; the server takes longer, and so has fewer documents."""
    open_target(target, CONTRACT).create([])
    if source.startswith("sqlite"):
        documents, text = 400_000, "TEXT"
        listed = (
            f"(WITH RECURSIVE n (k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < {documents}) SELECT k FROM n)"
        )
    else:
        documents, text = 100_000, "nvarchar(300)"
        sums = " + ".join(f"d{power}.d * {10**power}" for power in range(5))
        listed = f"(SELECT {sums} + 1 AS k FROM {', '.join(f'({TEN}) AS d{power}' for power in range(5))})"
    execute("in", "CREATE TABLE app_xml (app_id INT NOT NULL PRIMARY KEY, xml VARCHAR(10), hidden INT NOT NULL)")
    execute("in", f"INSERT INTO app_xml SELECT k, '<a/>', 0 FROM {listed} AS n")
    row = f"'orders', CAST(k AS {text}), 'loaded', '', '', 1, 1, 0.1, 'a', 1, 'new', 'r', '2026-01-01', '2026-01-01'"
    execute("out", f"INSERT INTO processing_log ({LOG}) SELECT {row} FROM {listed} AS n")
    return Databases(documents, source, target, partial(execute, "in"), partial(execute, "out"), counts)


def test_the_start_of_a_run_takes_a_few_statements_whatever_the_number_of_documents(databases: Databases) -> None:
    started = databases.start()
    assert (started.keys, started.done, started.outdated) == ([], databases.documents, 0)
    assert started.statements == 3
    assert started.rows <= MOST_ROWS


def test_new_late_retried_and_forgotten_documents_are_found_among_many_others(databases: Databases) -> None:
    size = databases.documents
    databases.at_source(f"UPDATE app_xml SET app_id = -7 WHERE app_id = {size // 2}")  # deleted, and added late
    databases.at_source(f"INSERT INTO app_xml VALUES ({size + 5}, '<a/>', 0)")
    databases.at_source(f"INSERT INTO app_xml VALUES ({size + 6}, '<a/>', 1)")
    databases.at_source(f"UPDATE app_xml SET hidden = 1 WHERE app_id = {size // 4}")
    databases.at_target("UPDATE processing_log SET status = 'retry' WHERE document_key = '12'")
    databases.at_target("DELETE FROM processing_log WHERE document_key = '12345'")
    databases.at_target("UPDATE processing_log SET contract_hash = 'old' WHERE document_key IN ('13', '70000')")
    databases.at_target("UPDATE processing_log SET document_key = '077' WHERE document_key = '77'")
    undone = [-7, 12, 77, 12345, size + 5]
    try:
        started = databases.start()
        assert (started.keys, started.done, started.outdated) == (undone, size - 5, 2)
        assert started.statements < 300  # 6 blocks of 10,000, page by page
        assert databases.start(KeyRange("12", "12344")).keys == [12, 77]
        assert databases.start(KeyRange("", "-1")).keys == [-7]
        assert databases.start(KeyRange("12346", "")).keys == [size + 5]
        assert databases.start(KeyRange("12346", str(size))).done == size - 12345 - 2
        in_shards = databases.start(KeyRange("", "50000"), Shard(1, 2))  # the coordinator chooses among the keys
        assert in_shards.keys == undone[:-1]
    finally:
        databases.at_source("UPDATE app_xml SET hidden = 0")
        databases.at_source(f"DELETE FROM app_xml WHERE app_id > {size}")
        databases.at_source(f"UPDATE app_xml SET app_id = {size // 2} WHERE app_id = -7")


def test_a_source_of_few_documents_does_not_read_a_log_of_many(tmp_path: Path, databases: Databases) -> None:
    """The plan of the log's query is a search of its index by contract and key."""
    if databases.source.startswith("mssql"):
        pytest.skip("SQLite shows its plan")
    blocks = KeyBlocks.of(300_000, 319_999, 20_000)
    assert blocks is not None
    with closing(open_target(databases.target, CONTRACT).connect()) as connection:
        log = ProcessingLog(connection)
        assert sum(digest[0] for digest, _ in log.blocks("orders", "new", blocks).values()) == 20_000
        with pytest.MonkeyPatch.context() as patch:
            plans: list[str] = []

            def explain(statement: str, values: Sequence[Any] = ()) -> Iterator[Any]:
                plans.extend(row[3] for row in connection.driver.execute(f"EXPLAIN QUERY PLAN {statement}", values))  # type: ignore[attr-defined]
                return iter(())

            patch.setattr(connection, "query", explain)
            log.blocks("orders", "new", blocks)
    assert "(contract=? AND document_key>? AND document_key<?)" in plans[0]
