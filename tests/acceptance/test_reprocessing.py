"""Documents that are done are done again by the real commands, and their rows change places."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests import sqlserver
from tests.acceptance.accounts import ORDERS, Accounts, accounts, order, query, summed, write_orders
from tests.acceptance.loads import EMBEDDED, SERVER, Kinds, Load, good_order, on, opened
from tests.conftest import ROOT, Command, posix_only

RUN = (
    "--contract",
    "orders.yaml",
    "--source",
    "sqlite:///orders.db",
    "--target",
    "sqlite:///loaded.db",
    "--workers",
    "2",
)
LOGGED = "SELECT CAST(document_key AS int), status, attempts, row_count FROM processing_log ORDER BY 1"


class Orders:
    """Five orders in a source, a contract, and a target that has them all."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.target = directory / "loaded.db"
        write_orders(directory, 5)

    def change(self, number: int, text: str) -> None:
        """Put another document into the place of one."""
        with closing(sqlite3.connect(self.directory / "orders.db")) as database, database:
            database.execute("UPDATE app_xml SET xml = ? WHERE app_id = ?", (text, number))

    def write_contract(self, text: str) -> None:
        """Change the contract."""
        (self.directory / "orders.yaml").write_text(text, encoding="utf-8")

    def customers(self) -> list[str]:
        """The customers of all orders, in the order of their numbers."""
        return [name for (name,) in query(self.target, "SELECT customer FROM orders ORDER BY order_id")]

    def attempts(self) -> list[int]:
        """How often each document was done."""
        return [attempts for _, _, attempts, _ in query(self.target, LOGGED)]


@pytest.fixture
def orders(tmp_path: Path, production_processor: Command) -> Orders:
    made = Orders(tmp_path)
    completed = production_processor(*RUN)
    assert completed.returncode == 0, completed.stderr
    return made


def longer_order(number: int, lines: int = 3) -> str:
    lines_of_order = "".join(f'<line price="{line}.25"/>' for line in range(lines))
    return f'<order id="{number}"><customer>Another {number}</customer>{lines_of_order}</order>'


def test_documents_of_a_range_are_done_again_with_more_or_fewer_rows_than_before(
    orders: Orders, production_processor: Command
) -> None:
    for number in (2, 3, 4):
        orders.change(number, longer_order(number, lines=number - 2))
    again = production_processor(*RUN, "--reprocess", "loaded", "--range", "2:3")
    assert (again.returncode, again.stderr) == (0, "")
    assert accounts(again.stdout, orders.directory, orders.target) == Accounts(2, 2, 0, 0)
    assert orders.customers() == ["Customer 1", "Another 2", "Another 3", "Customer 4", "Customer 5"]
    assert query(orders.target, LOGGED) == [
        (1, "loaded", 1, 2),
        (2, "loaded", 2, 1),
        (3, "loaded", 2, 2),
        (4, "loaded", 1, 2),
        (5, "loaded", 1, 2),
    ]
    lines = query(orders.target, "SELECT order_id, line_no FROM line ORDER BY 1, 2")
    assert lines == [(1, 1), (3, 1), (4, 1), (5, 1)]


def test_a_run_that_does_documents_again_loads_new_ones_too(orders: Orders, production_processor: Command) -> None:
    with closing(sqlite3.connect(orders.directory / "orders.db")) as database, database:
        database.execute("INSERT INTO app_xml VALUES (6, ?)", (order(6),))
    again = production_processor(*RUN, "--reprocess", "rejected")
    assert accounts(again.stdout, orders.directory, orders.target) == Accounts(6, 1, 0, 5)


def test_documents_of_an_older_contract_are_noticed_and_done_again(
    orders: Orders, production_processor: Command
) -> None:
    upper = ORDERS.replace("type: nvarchar(20)", "type: nvarchar(20), transform: [upper]")
    orders.write_contract(upper.replace("version: 1", "version: 2"))
    noticed = production_processor(*RUN, "--log-level", "INFO")
    assert "Processed by another contract of this name: 5 documents (--reprocess changed-contract)" in noticed.stderr
    hint = (
        "Hint: 5 documents were processed before the contract changed; "
        "--reprocess changed-contract processes them again\n"
    )
    assert hint in noticed.stdout
    assert orders.customers() == [f"Customer {number}" for number in range(1, 6)]

    none = production_processor(*RUN, "--reprocess", "changed-contract", "--reprocess-version", "2")
    assert accounts(none.stdout, orders.directory, orders.target) == Accounts(5, 0, 0, 5)
    some = production_processor(*RUN, "--reprocess", "changed-contract", "--reprocess-version", "1", "--limit", "2")
    assert summed(some.stdout) == Accounts(2, 2, 0, 0)
    others = production_processor(*RUN, "--reprocess", "changed-contract")
    assert accounts(others.stdout, orders.directory, orders.target) == Accounts(5, 3, 0, 2)
    assert orders.customers() == [f"CUSTOMER {number}" for number in range(1, 6)]
    assert orders.attempts() == [2] * 5
    assert "another contract" not in production_processor(*RUN).stdout


def test_only_documents_that_have_changed_at_their_source_are_done_again(
    orders: Orders, production_processor: Command
) -> None:
    orders.change(4, longer_order(4))
    nightly = production_processor(*RUN)
    assert summed(nightly.stdout) == Accounts(5, 0, 0, 5)
    again = production_processor(*RUN, "--reprocess", "changed-documents")
    assert (again.returncode, again.stderr) == (0, "")
    assert accounts(again.stdout, orders.directory, orders.target) == Accounts(5, 1, 0, 4)
    assert orders.customers()[3] == "Another 4"
    assert orders.attempts() == [1, 1, 1, 2, 1]
    third = production_processor(*RUN, "--reprocess", "changed-documents", "--insert-mode", "blocking")
    assert accounts(third.stdout, orders.directory, orders.target) == Accounts(5, 0, 0, 5)


def test_a_document_that_is_now_rejected_loses_its_rows_and_one_without_its_key_keeps_them(
    orders: Orders, production_processor: Command
) -> None:
    orders.change(2, '<order id="2"><customer>A name with more than twenty characters</customer></order>')
    orders.change(3, "<order")
    orders.change(4, longer_order(44))
    again = production_processor(*RUN, "--reprocess", "changed-documents")
    assert again.returncode == 1
    assert summed(again.stdout) == Accounts(5, 0, 3, 2)
    assert orders.customers() == [f"Customer {number}" for number in (1, 3, 4, 5)]
    assert query(orders.target, LOGGED)[1:4] == [(2, "rejected", 2, 0), (3, "loaded", 1, 2), (4, "loaded", 1, 2)]
    (listing,) = (orders.directory / "rejects").glob("*/rejects.jsonl")
    rejects = {line["key"]: line for line in map(json.loads, listing.read_text(encoding="utf-8").splitlines())}
    assert {key: line["code"] for key, line in rejects.items()} == {2: "too_long", 3: "malformed", 4: "not_replaced"}
    assert "its old rows stay" in rejects[3]["explanation"]
    assert "0 are there by the document's key, and 2 by the processing log" in rejects[4]["explanation"]


SHARED = """
  article:
    rows: line
    on_conflict: keep
    columns:
      price: {path: "@price", type: "decimal(9,2)", key: true}
"""


def test_rows_that_documents_share_stay_when_documents_are_reprocessed(
    orders: Orders, production_processor: Command
) -> None:
    orders.write_contract(ORDERS + SHARED)
    for _ in range(2):
        again = production_processor(*RUN, "--reprocess", "all")
        assert again.returncode == 0, again.stderr
    prices = query(orders.target, "SELECT count(*), count(DISTINCT price) FROM article")
    assert prices == query(orders.target, "SELECT count(DISTINCT price), count(DISTINCT price) FROM line")


def test_a_version_alone_is_refused(orders: Orders, production_processor: Command) -> None:
    refused = production_processor(*RUN, "--reprocess-version", "1")
    assert refused.returncode == 2
    assert refused.stderr.startswith("Error: --reprocess-version requires --reprocess\nHint: ")
    assert production_processor(*RUN, "--reprocess", "changed").returncode == 2
    assert orders.attempts() == [1] * 5


DOCUMENTS = 150


def changed(number: int) -> str:
    """The document that takes the place of `good_order`: other values, and another number of lines."""
    return good_order(number).replace("Customer", "Client").replace("</order>", "<line/>" * (number % 3) + "</order>")


@pytest.fixture(params=on(EMBEDDED, SERVER))
def load(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Load]:
    """A target into which documents were loaded that have all changed since."""
    kinds: Kinds = request.param
    with opened(kinds, tmp_path, DOCUMENTS, good_order) as made:
        made.run()
        replace_documents(made, tmp_path)
        yield made


def replace_documents(load: Load, directory: Path) -> None:
    rows = [(changed(number), number) for number in range(1, DOCUMENTS + 1)]
    if load.on_server:
        schema = load.table("app_xml").partition(".")[0]
        with closing(sqlserver.administrator().cursor()) as cursor:
            cursor.executemany(f"UPDATE {schema}.app_xml SET xml = ? WHERE app_id = ?", rows)
        return
    with closing(sqlite3.connect(directory / "source.db")) as database, database:
        database.executemany("UPDATE app_xml SET xml = ? WHERE app_id = ?", rows)


def held(load: Load) -> tuple[dict[str, str], list[tuple[Any, ...]]]:
    """What the target holds in tables, and in the log of all but runs, times and attempts."""
    tables = {name: digest for name, digest in load.hashes().items() if name != "processing_log"}
    log = load.query(f"SELECT document_key, status, row_count, content_hash FROM {load.table('processing_log')}")
    return tables, sorted(log)


def assert_as_loaded_anew(load: Load) -> None:
    """See that the target holds what a first load of the documents gives, as they are now."""
    found = held(load)
    load.empty_target()
    load.run()
    assert found == held(load)


@pytest.mark.parametrize("settings", [{}, {"insert_mode": "blocking"}, {"insert_threads": 3}], ids=str)
def test_all_documents_done_again_give_the_tables_of_a_first_load(load: Load, settings: dict[str, Any]) -> None:
    result = load.run(reprocess="changed-documents", **settings)
    assert (result.statistics.loaded, result.statistics.already_done) == (DOCUMENTS, 0)
    assert load.query(f"SELECT DISTINCT attempts FROM {load.table('processing_log')}") == [(2,)]
    assert_as_loaded_anew(load)


def test_two_runs_at_once_do_each_document_again_once(load: Load) -> None:
    with ThreadPoolExecutor(2) as runs:
        results = list(runs.map(lambda _: load.run(reprocess="changed-documents", workers=1), range(2)))
    assert sum(result.statistics.loaded for result in results) == DOCUMENTS
    assert sum(result.statistics.rejected for result in results) == 0
    assert load.query(f"SELECT DISTINCT attempts FROM {load.table('processing_log')}") == [(2,)]
    assert_as_loaded_anew(load)


PROGRAM = """
import sys
from pathlib import Path
from xml_extractor.pipeline import run
from xml_extractor.settings import RunSettings

if __name__ == "__main__":
    contract, source, target = sys.stdin.readline().split()
    settings = RunSettings(contract, source, target, workers=2, batch_size=25, rejects_dir=None,
                           insert_mode="blocking", reprocess="changed-documents")
    run(settings, lambda documents: print("committed", flush=True))
"""


@posix_only("kills a process")
def test_a_run_that_is_killed_while_it_does_documents_again_is_completed_by_the_next(
    load: Load, tmp_path: Path
) -> None:
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    settings = load.settings()
    command = [sys.executable, str(tmp_path / "program.py")]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{settings.contract} {settings.source} {settings.target}\n")
        process.stdin.close()
        assert process.stdout.readline() == "committed\n"
        process.kill()
    result = load.run(reprocess="changed-documents")
    assert 0 < result.statistics.loaded < DOCUMENTS
    assert load.query(f"SELECT DISTINCT attempts FROM {load.table('processing_log')}") == [(2,)]
    assert_as_loaded_anew(load)
