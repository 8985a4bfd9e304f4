"""Runs at once on the same documents: each document is loaded once and whole, whoever waits for whom."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import sqlserver
from tests.acceptance.loads import EMBEDDED, SERVER, Load, on, opened
from xml_extractor.reporting.result import RunStatistics
from xml_extractor.settings import InsertMode

SHARED_ROWS = """
contract: shared_rows
version: 1
document: {root: order, key: "@id", key_type: int}
tables:
  article:
    rows: line/article
    distinct: {by: [article_no]}
    on_conflict: replace
    columns:
      article_no: {path: "@no", type: int, key: true}
      title: {path: ".", type: nvarchar(40), required: true}
  customer:
    rows: customer
    on_conflict: keep
    columns:
      customer_no: {path: "@no", type: int, key: true}
      name: {path: ".", type: nvarchar(40), required: true}
  orders:
    parent: customer
    rows: ".."
    columns:
      order_id: {path: "@id", type: int, key: true, identity: true}
      customer_no: {parent: customer.customer_no}
  line:
    parent: orders
    rows: line
    columns:
      line_id: {generated: true, type: bigint, key: true}
      order_id: {parent: orders.order_id}
      article_no: {path: "article/@no", type: int, required: true}
      quantity: {path: "@quantity", type: smallint}
"""

OWN_ROWS = """
contract: own_rows
version: 1
document: {root: order, key: "@id", key_type: int}
tables:
  orders:
    rows: "."
    columns:
      order_id: {path: "@id", type: int, key: true, identity: true}
      customer_no: {path: customer/@no, type: int}
  line:
    parent: orders
    rows: line
    columns:
      line_id: {generated: true, type: bigint, key: true}
      order_id: {parent: orders.order_id}
      article_no: {path: "article/@no", type: int, required: true}
"""

DOCUMENTS = 400
CUSTOMERS, ARTICLES = 7, 11
"""So few that every batch has most of them, in an order of its own."""

MODES: list[tuple[InsertMode, int]] = [("blocking", 1), ("queue", 1), ("queue", 4)]


def order(number: int) -> str:
    customer = number % CUSTOMERS
    articles = (number * 5 % ARTICLES, number * 7 % ARTICLES, number * 3 % ARTICLES)
    lines = "".join(f"<line quantity='{n}'><article no='{n}'>Article {n}</article></line>" for n in articles)
    return f"<order id='{number}'><customer no='{customer}'>Customer {customer}</customer>{lines}</order>"


@pytest.fixture(scope="module", params=[SHARED_ROWS, OWN_ROWS], ids=["shared rows", "own rows"])
def contract(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def expected(contract: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The tables of an undisturbed run of one worker from SQLite to SQLite."""
    load = Load(tmp_path_factory.mktemp("expected"), EMBEDDED, "", DOCUMENTS, order, contract)
    load.run(workers=1)
    return load.hashes()


@pytest.fixture(scope="module", params=on(EMBEDDED, SERVER))
def shared_load(
    request: pytest.FixtureRequest, contract: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Load]:
    with opened(request.param, tmp_path_factory.mktemp("orders"), DOCUMENTS, order, contract) as shared:
        yield shared


@pytest.fixture
def load(shared_load: Load) -> Load:
    shared_load.empty_target()
    return shared_load


@pytest.mark.parametrize(("mode", "threads"), MODES)
def test_two_runs_at_once_lose_nothing_and_load_nothing_twice(
    load: Load, contract: str, expected: dict[str, str], mode: InsertMode, threads: int
) -> None:
    def run(_: int) -> RunStatistics:
        return load.run(workers=4, insert_mode=mode, insert_threads=threads).statistics

    with ThreadPoolExecutor(2) as pool:
        shares = list(pool.map(run, range(2)))
    for share in shares:
        assert share.seen == share.loaded + share.rejected + share.already_done == DOCUMENTS
    assert sum(share.loaded + share.rejected for share in shares) == load.logged() == DOCUMENTS
    if contract == SHARED_ROWS and load.on_server and not sqlserver.is_sql_server():
        load_what_collided(load)
    else:
        assert [share.rejected for share in shares] == [0, 0]
        # Which of the documents inserts a shared row depends on their order.
        ((inserted,),) = load.query(f"SELECT SUM(row_count) FROM {load.table('processing_log')}")
        rows = {table: int(found.split("-")[0]) for table, found in load.hashes().items()}
        assert inserted == sum(rows.values()) - rows["processing_log"]
        assert contract == SHARED_ROWS or load.hashes() == expected
    for table in set(expected) - {"processing_log"}:
        assert load.hashes()[table] == expected[table], table


def load_what_collided(load: Load) -> None:
    """Load the documents that were rejected because two sessions inserted a shared row at the same moment.

    SQL Server's UPDLOCK and HOLDLOCK make the second one wait; servers that pass over these hints refuse it.
    """
    log = load.table("processing_log")
    for (reason,) in load.query(f"SELECT reason FROM {log} WHERE status = 'rejected'"):
        assert reason.startswith(("duplicate_key at article.", "duplicate_key at customer."))
    load.execute(f"DELETE FROM {log} WHERE status = 'rejected'")
    assert load.run(workers=1).statistics.rejected == 0
