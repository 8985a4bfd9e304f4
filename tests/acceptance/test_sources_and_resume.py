"""The same documents give the same tables from wherever they come, and every source is gone on with."""

import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.accounts import Accounts, accounts, order, query, write_orders
from tests.conftest import Command

DOCUMENTS = 30
FIRST = 12
LATER = 31
"""The number of a document that arrives between two runs."""

Write = Callable[[Path, int], None]


def file_name(number: int) -> str:
    """In two directories, so that keys have more than one part."""
    return f"{'even' if number % 2 == 0 else 'odd'}/{number:03}.xml"


def write_table(directory: Path, documents: int) -> None:
    (directory / "orders.db").unlink(missing_ok=True)
    write_orders(directory, documents)


def write_files(directory: Path, documents: int) -> None:
    for number in range(1, documents + 1):
        path = directory / "orders" / file_name(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(order(number), encoding="utf-8")
    (directory / "orders" / "read me.txt").write_text("not a document", encoding="utf-8")


def write_zip(directory: Path, documents: int) -> None:
    with zipfile.ZipFile(directory / "orders.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(1, documents + 1):
            archive.writestr(file_name(number), order(number))


def write_tar(name: str) -> Write:
    def write(directory: Path, documents: int) -> None:
        write_files(directory / "to pack", documents)
        with tarfile.open(directory / name, "w:gz" if name.endswith("gz") else "w") as archive:
            archive.add(directory / "to pack" / "orders", ".")

    return write


SOURCES: dict[str, Write] = {
    "sqlite:///orders.db": write_table,
    "orders": write_files,
    "orders/**/*.xml": write_files,
    "orders.zip": write_zip,
    "orders.tar": write_tar("orders.tar"),
    "orders.tar.gz": write_tar("orders.tar.gz"),
}


@pytest.mark.parametrize("source", SOURCES)
def test_every_kind_of_source_gives_equal_tables_and_is_gone_on_with(
    source: str, production_processor: Command, tmp_path: Path
) -> None:
    write_orders(tmp_path, 0)
    SOURCES[source](tmp_path, DOCUMENTS)
    target = tmp_path / "loaded.db"
    options = ["--contract", "orders.yaml", "--source", source, "--target", "sqlite:///loaded.db", "--workers", "1"]
    options.append("--no-progress")  # which a slow machine shows

    first = production_processor(*options, "--limit", str(FIRST))
    assert (first.returncode, first.stderr) == (0, "")
    assert accounts(first.stdout, tmp_path, target) == Accounts(FIRST, FIRST, 0, 0)

    SOURCES[source](tmp_path, LATER)
    rest = production_processor(*options)
    assert (rest.returncode, rest.stderr) == (0, "")
    assert accounts(rest.stdout, tmp_path, target) == Accounts(LATER, LATER - FIRST, 0, FIRST)

    numbers = range(1, LATER + 1)
    assert query(target, "SELECT * FROM orders ORDER BY order_id") == [(n, f"Customer {n}") for n in numbers]
    assert query(target, "SELECT order_id, line_no, CAST(price AS REAL) FROM line ORDER BY order_id") == [
        (n, 1, n + 0.5) for n in numbers
    ]
    assert query(target, "SELECT count(*), count(DISTINCT run_id) FROM processing_log") == [(LATER, 2)]


def test_documents_and_tables_may_be_in_one_database(production_processor: Command, tmp_path: Path) -> None:
    write_orders(tmp_path, DOCUMENTS)
    completed = production_processor("--contract", "orders.yaml", "--target", "sqlite:///orders.db", "--workers", "2")
    assert completed.returncode == 0
    assert accounts(completed.stdout, tmp_path, tmp_path / "orders.db") == Accounts(DOCUMENTS, DOCUMENTS, 0, 0)


def test_a_source_is_only_read(production_processor: Command, tmp_path: Path) -> None:
    write_orders(tmp_path, DOCUMENTS)
    before = (tmp_path / "orders.db").read_bytes()
    completed = production_processor(
        "--contract", "orders.yaml", "--source", "sqlite:///orders.db", "--target", "sqlite:///loaded.db"
    )
    assert completed.returncode == 0
    assert (tmp_path / "orders.db").read_bytes() == before
    with closing(sqlite3.connect(tmp_path / "orders.db")) as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("app_xml",)]
