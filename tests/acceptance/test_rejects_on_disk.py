"""What a run rejects is on disk after it, as it came, and can be mended and loaded from there."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.accounts import ORDERS, Accounts, last_metrics, order, query, summed
from tests.conftest import Command

TARGET = ("--contract", "orders.yaml", "--target", "sqlite:///loaded.db")
WITHOUT_KEY_RULE = ORDERS.replace('  key: "@id"\n  key_type: int\n', "")
NAME = "Ada Lovelace of Marylebone"
TOO_LONG = f'<?xml version="1.0" encoding="iso-8859-1"?><order id="3"><customer>é {NAME}</customer></order>'


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    """A table with good documents, one with too long a name, NULL, and bytes that are no XML."""
    (tmp_path / "orders.yaml").write_text(ORDERS, encoding="utf-8")
    with closing(sqlite3.connect(tmp_path / "orders.db")) as database, database:
        database.execute("CREATE TABLE app_xml (app_id INTEGER PRIMARY KEY, xml)")
        rows = [(1, order(1)), (2, order(2)), (3, TOO_LONG), (4, None), (5, b"\xff<order"), (6, order(6))]
        database.executemany("INSERT INTO app_xml VALUES (?, ?)", rows)
    return tmp_path / "orders.db"


def run_id(directory: Path) -> str:
    return str(last_metrics(directory)["run_id"])


def listed(directory: Path) -> dict[int, dict[str, Any]]:
    lines = (directory / "rejects.jsonl").read_text(encoding="utf-8").splitlines()
    return {line["key"]: line for line in map(json.loads, lines)}


@pytest.mark.parametrize("mode", ["queue", "blocking"])
def test_each_rejected_document_is_written_as_it_came_with_its_reason(
    mode: str, orders: Path, production_processor: Command, tmp_path: Path
) -> None:
    completed = production_processor(*TARGET, "--source", f"sqlite:///{orders.name}", "--insert-mode", mode)
    assert (completed.returncode, completed.stderr) == (1, "")
    directory = tmp_path / "rejects" / run_id(tmp_path)
    assert f"Rejected documents: rejects/{run_id(tmp_path)}\n" in completed.stdout.replace("\\", "/")
    rejects = listed(directory)
    assert sorted(rejects) == [3, 4, 5]
    assert (directory / rejects[3]["file"]).read_text(encoding="utf-8") == TOO_LONG
    assert rejects[4]["file"] is None
    assert (directory / rejects[5]["file"]).read_bytes() == b"\xff<order"
    assert (rejects[3]["table"], rejects[3]["column"], rejects[3]["path"]) == ("orders", "customer", "customer")
    logged = query(
        tmp_path / "loaded.db",
        "SELECT CAST(document_key AS int), stage, attempts, content_hash, contract_version "
        "FROM processing_log WHERE status = 'rejected' ORDER BY 1",
    )
    assert [
        (key, line["stage"], line["attempts"], line["content_hash"], line["version"])
        for key, line in sorted(rejects.items())
    ] == logged
    assert NAME not in (directory / "rejects.jsonl").read_text(encoding="utf-8")


def test_documents_that_were_mended_on_disk_are_loaded_under_their_keys(
    orders: Path, production_processor: Command, xml_extractor: Command, tmp_path: Path
) -> None:
    assert production_processor(*TARGET, "--source", f"sqlite:///{orders.name}").returncode == 1
    directory = tmp_path / "rejects" / run_id(tmp_path)
    (directory / listed(directory)[3]["file"]).write_text(TOO_LONG.replace(NAME, "Ada"), encoding="utf-8")
    (directory / listed(directory)[5]["file"]).write_text(order(5), encoding="utf-8")

    mended = ("--source", f"rejects/{directory.name}")
    done = production_processor(*TARGET, *mended)
    assert (done.returncode, summed(done.stdout)) == (1, Accounts(3, 2, 0, 1)), "only changed documents are retried"
    assert xml_extractor("retry", *TARGET).returncode == 0
    again = production_processor(*TARGET, *mended)
    assert (again.returncode, summed(again.stdout)) == (1, Accounts(3, 0, 1, 2)), "marked documents are retried"
    assert query(
        tmp_path / "loaded.db", "SELECT order_id, customer FROM orders WHERE order_id IN (3, 5) ORDER BY 1"
    ) == [
        (3, "é Ada"),
        (5, "Customer 5"),
    ]
    found = query(tmp_path / "loaded.db", "SELECT document_key, status, attempts FROM processing_log ORDER BY 1")
    assert found == [
        ("1", "loaded", 1),
        ("2", "loaded", 1),
        ("3", "loaded", 2),
        ("4", "rejected", 2),
        ("5", "loaded", 2),
        ("6", "loaded", 1),
    ]
    assert listed(tmp_path / "rejects" / run_id(tmp_path))[4]["attempts"] == 2


def test_a_run_that_rejects_nothing_leaves_no_directory_of_its_own(
    orders: Path, production_processor: Command, tmp_path: Path
) -> None:
    completed = production_processor(*TARGET, "--source", f"sqlite:///{orders.name}", "--range", "1:2")
    assert completed.returncode == 0
    assert "Rejected documents" not in completed.stdout
    assert list((tmp_path / "rejects").iterdir()) == []


def test_an_empty_name_switches_it_off(orders: Path, production_processor: Command, tmp_path: Path) -> None:
    completed = production_processor(*TARGET, "--source", f"sqlite:///{orders.name}", "--rejects-dir", "")
    assert (completed.returncode, completed.stderr) == (1, "")
    assert not (tmp_path / "rejects").exists()


def test_rejects_of_files_have_the_paths_as_keys(production_processor: Command, tmp_path: Path) -> None:
    (tmp_path / "orders.yaml").write_text(WITHOUT_KEY_RULE, encoding="utf-8")
    for name in ("a/1.xml", "b/1.xml", "c/..x.xml"):
        path = tmp_path / "orders" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"<order" + name.encode())
    completed = production_processor(*TARGET, "--source", "orders", "--rejects-dir", "bad/orders")
    assert (completed.returncode, completed.stderr) == (1, "")
    directory = tmp_path / "bad" / "orders" / run_id(tmp_path)
    lines = (directory / "rejects.jsonl").read_text(encoding="utf-8").splitlines()
    contents = {line["key"]: (directory / line["file"]).read_bytes() for line in map(json.loads, lines)}
    assert contents == {name: b"<order" + name.encode() for name in ("a/1.xml", "b/1.xml", "c/..x.xml")}


def test_a_directory_that_cannot_be_made_ends_the_run_before_anything_is_loaded(
    orders: Path, production_processor: Command, tmp_path: Path
) -> None:
    completed = production_processor(
        *TARGET, "--source", f"sqlite:///{orders.name}", "--rejects-dir", "orders.yaml/rejects"
    )
    assert completed.returncode == 3
    assert completed.stderr.startswith("Error: rejected documents cannot be written to orders.yaml")
    assert not (tmp_path / "loaded.db").exists()


def test_many_rejects_are_all_written(production_processor: Command, tmp_path: Path) -> None:
    (tmp_path / "orders.yaml").write_text(ORDERS, encoding="utf-8")
    with closing(sqlite3.connect(tmp_path / "orders.db")) as database, database:
        database.execute("CREATE TABLE app_xml (app_id INTEGER PRIMARY KEY, xml)")
        database.executemany("INSERT INTO app_xml VALUES (?, ?)", ((key, f"<order {key}") for key in range(3000)))
    completed = production_processor(*TARGET, "--source", "sqlite:///orders.db", "--max-rejects", "3000")
    assert (completed.returncode, completed.stderr) == (1, "")
    directory = tmp_path / "rejects" / run_id(tmp_path)
    rejects = listed(directory)
    assert sorted(rejects) == list(range(3000))
    assert all(
        (directory / line["file"]).read_text(encoding="utf-8") == f"<order {key}" for key, line in rejects.items()
    )
