"""What is rejected is tried again by every run once it has changed, and by none before, wherever it is read from."""

import sqlite3
import tarfile
from contextlib import closing
from io import BytesIO
from pathlib import Path

import pytest

from tests.acceptance.accounts import ORDERS, Accounts, accounts, last_metrics, order, query, summed
from tests.conftest import Command

TARGET = ("--contract", "orders.yaml", "--target", "sqlite:///loaded.db")
MAX_BYTES = 5000

REJECTED = {
    1: None,
    2: "",
    3: " \n",
    4: b"\xff<order",
    5: "<order id='5'>",
    6: "<order id='6'><customer>" + "x" * MAX_BYTES + "</customer></order>",
    7: 3.5,
    8: "<order id='8'/>",
    9: "<other/>",
}
"""Documents that are rejected, each for a reason of its own."""


def with_rejects(directory: Path) -> Path:
    """A table in which all documents but one are rejected: by content, or by a key that is NULL or not unique."""
    contract = ORDERS.replace("  root: order\n", f"  root: order\n  max_bytes: {MAX_BYTES}\n")
    (directory / "orders.yaml").write_text(contract, encoding="utf-8")
    with closing(sqlite3.connect(directory / "orders.db")) as database, database:
        database.execute("CREATE TABLE app_xml (app_id, xml)")
        rows = [*REJECTED.items(), (None, order(10)), (None, order(11)), ("", order(12)), ("x" * 400, order(13))]
        rows += [(20, order(20)), (20, order(21)), (20, order(22)), ("20", order(23))]
        database.executemany("INSERT INTO app_xml VALUES (?, ?)", rows)
    return directory / "orders.db"


def attempts(directory: Path) -> set[tuple[str, int]]:
    return {*query(directory / "loaded.db", "SELECT status, attempts FROM processing_log")}


def rejects_of_last_run(directory: Path) -> str:
    return f"rejects/{last_metrics(directory)['run_id']}"


@pytest.fixture
def first_night(tmp_path: Path, xml_extractor: Command) -> Path:
    with_rejects(tmp_path)
    first = xml_extractor("run", *TARGET, "--source", "sqlite:///orders.db", "--max-rejects", "100")
    assert first.returncode == 1, first.stderr
    found = accounts(first.stdout, tmp_path, tmp_path / "loaded.db")
    assert found == Accounts(17, 1, 16, 0)
    assert "duplicate_key" in first.stdout
    assert query(tmp_path / "loaded.db", "SELECT order_id FROM orders") == [(20,)]
    return tmp_path


@pytest.mark.parametrize(
    "options", [(), ("--reprocess", "changed-documents"), ("--reprocess", "changed-contract"), ("--batch-size", "1")]
)
def test_unchanged_rejects_of_every_kind_are_not_tried_again(
    options: tuple[str, ...], first_night: Path, xml_extractor: Command
) -> None:
    again = xml_extractor(
        "run", *TARGET, "--source", "sqlite:///orders.db", "--workers", "1", "--max-rejects", "100", *options
    )
    assert again.returncode == 1, again.stderr
    assert accounts(again.stdout, first_night, first_night / "loaded.db") == Accounts(17, 0, 0, 17)
    assert "16 documents are still rejected from earlier runs" in again.stdout
    assert attempts(first_night) == {("loaded", 1), ("rejected", 1)}


@pytest.mark.parametrize("options", [(), ("--reprocess", "loaded"), ("--reprocess", "changed-documents")])
def test_unchanged_copies_of_every_kind_are_not_tried_again(
    options: tuple[str, ...], first_night: Path, xml_extractor: Command
) -> None:
    copies = rejects_of_last_run(first_night)
    again = xml_extractor("run", *TARGET, "--source", copies, "--max-rejects", "100", *options)
    assert again.returncode == 1, again.stderr
    assert accounts(again.stdout, first_night, first_night / "loaded.db") == Accounts(16, 0, 0, 16)
    assert attempts(first_night) == {("loaded", 1), ("rejected", 1)}


@pytest.mark.parametrize("options", [(), ("--reprocess", "loaded"), ("--reprocess", "changed-contract")])
def test_changed_rejects_of_every_kind_are_tried_again_whatever_is_reprocessed(
    options: tuple[str, ...], first_night: Path, xml_extractor: Command
) -> None:
    with closing(sqlite3.connect(first_night / "orders.db")) as database, database:
        for number in REJECTED:
            database.execute("UPDATE app_xml SET xml = ? WHERE app_id = ?", (order(number), number))
    again = xml_extractor("run", *TARGET, "--source", "sqlite:///orders.db", *options)
    assert again.returncode == 1, again.stderr
    is_loaded_again = "loaded" in options
    expected = Accounts(17, 9 + is_loaded_again, 0, 8 - is_loaded_again)
    assert accounts(again.stdout, first_night, first_night / "loaded.db") == expected
    assert "7 documents are still rejected from earlier runs" in again.stdout
    assert query(first_night / "loaded.db", "SELECT COUNT(*) FROM orders") == [(10,)]


def test_a_limit_counts_no_rejects_that_are_unchanged(first_night: Path, xml_extractor: Command) -> None:
    with closing(sqlite3.connect(first_night / "orders.db")) as database, database:
        database.executemany("INSERT INTO app_xml VALUES (?, ?)", [(number, order(number)) for number in range(30, 40)])
    options = ("--limit", "3", "--max-rejects", "100")
    again = xml_extractor("run", *TARGET, "--source", "sqlite:///orders.db", *options, "--reprocess", "rejected")
    assert summed(again.stdout).rejected == 3
    again = xml_extractor("run", *TARGET, "--source", "sqlite:///orders.db", *options, "--reprocess", "loaded")
    assert summed(again.stdout).loaded == 3, "one of them again"
    again = xml_extractor("run", *TARGET, "--source", "sqlite:///orders.db", *options)
    assert summed(again.stdout).loaded == 3


def test_members_of_an_archive_with_one_name_cost_one_document(tmp_path: Path, xml_extractor: Command) -> None:
    (tmp_path / "orders.yaml").write_text(ORDERS, encoding="utf-8")
    with tarfile.open(tmp_path / "orders.tar", "w") as archive:
        for number, name in enumerate(("a.xml", "b.xml", "a.xml", "c.xml", "a.xml"), 1):
            member = tarfile.TarInfo(name)
            member.size = len(order(number))
            archive.addfile(member, BytesIO(order(number).encode()))
    first = xml_extractor("run", *TARGET, "--source", "orders.tar", "--max-rejects", "10")
    assert first.returncode == 1
    assert accounts(first.stdout, tmp_path, tmp_path / "loaded.db") == Accounts(5, 3, 2, 0)
    assert query(tmp_path / "loaded.db", "SELECT order_id FROM orders ORDER BY 1") == [(1,), (2,), (4,)]
    rejected = query(
        tmp_path / "loaded.db",
        "SELECT substr(document_key, 1, 6), stage, reason FROM processing_log WHERE status = 'rejected'",
    )
    explanation = "another document of the source, which is listed before, has the same key; this one stands for it"
    assert rejected == [("a.xml~", "fetch", f"duplicate_key: {explanation}")] * 2
    again = xml_extractor("run", *TARGET, "--source", "orders.tar")
    assert accounts(again.stdout, tmp_path, tmp_path / "loaded.db") == Accounts(5, 0, 0, 5)


def test_copies_of_records_have_the_hashes_of_the_log(tmp_path: Path, xml_extractor: Command) -> None:
    contract = ORDERS.replace("  root: order\n", "  root: orders\n  records: order\n")
    (tmp_path / "orders.yaml").write_text(contract, encoding="utf-8")
    (tmp_path / "orders.xml").write_text(f"<orders><order id='1'/>{order(2)}</orders>", encoding="utf-8")
    first = xml_extractor("run", *TARGET, "--source", "orders.xml")
    assert summed(first.stdout) == Accounts(2, 1, 1, 0)
    copies = rejects_of_last_run(tmp_path)
    again = xml_extractor("run", *TARGET, "--source", copies)
    assert accounts(again.stdout, tmp_path, tmp_path / "loaded.db") == Accounts(1, 0, 0, 1)
    (copy,) = (tmp_path / copies).glob("*.xml")
    copy.write_text(f"<orders>{order(1)}</orders>", encoding="utf-8")
    mended = xml_extractor("run", *TARGET, "--source", copies)
    assert accounts(mended.stdout, tmp_path, tmp_path / "loaded.db") == Accounts(1, 1, 0, 0)
    assert mended.returncode == 0
