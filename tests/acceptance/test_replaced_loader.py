"""A loader is replaced as the page says: its statement takes over the log, and nothing is loaded twice."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.acceptance.accounts import query
from tests.conftest import ROOT, Command

PAGE = ROOT / "documentation" / "how-to" / "replace-an-existing-loader.md"
CONTRACT = """
contract: orders
version: 1
document: {root: Order, key: "@id", key_type: int}
tables:
  orders:
    rows: "."
    columns:
      order_id: {run: document_key, key: true}
      customer: {path: Customer, type: nvarchar(40)}
  order_line:
    parent: orders
    rows: Line
    columns:
      order_id: {parent: orders.order_id, key: true}
      line_no: {position: true, key: true}
      amount: {path: "@amount", type: "decimal(9,2)"}
"""
OLD, TRIAL = ("--target", "sqlite:///old.db"), ("--target", "sqlite:///trial.db")
LOAD = ("--contract", "orders.yaml", "--source", "sqlite:///documents.db", "--workers", "1")


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def old_loader(directory: Path, numbers: list[int]) -> None:
    """What the old loader leaves: rows, and a log in which it has given up one document."""
    for number in numbers:
        rows = [f"INSERT INTO order_line VALUES ({number}, {line}, {line}.5)" for line in range(1, number % 3 + 1)]
        done = f"INSERT INTO old_loader_log VALUES ({number}, 'DONE', '2026-03-01 01:30:00')"
        execute(directory / "old.db", f"INSERT INTO orders VALUES ({number}, 'C{number}')", *rows, done)
    execute(directory / "old.db", "INSERT INTO old_loader_log VALUES (6, 'ERROR', '2026-03-01 01:30:00')")


def test_the_log_of_an_old_loader_is_taken_over_by_one_statement(xml_extractor: Command, tmp_path: Path) -> None:
    (tmp_path / "orders.yaml").write_text(CONTRACT, encoding="utf-8")
    execute(tmp_path / "documents.db", "CREATE TABLE app_xml (app_id INTEGER PRIMARY KEY, xml TEXT)")
    for number in range(1, 8):
        lines = "".join(f'<Line amount="{line}.5"/>' for line in range(1, number % 3 + 1))
        document = f'<Order id="{number}"><Customer>C{number}</Customer>{lines}</Order>'
        execute(tmp_path / "documents.db", f"INSERT INTO app_xml VALUES ({number}, '{document}')")
    assert xml_extractor("init", "--contract", "orders.yaml", *OLD).returncode == 0
    execute(tmp_path / "old.db", "CREATE TABLE old_loader_log (order_id INTEGER, status TEXT, loaded_at TEXT)")
    old_loader(tmp_path, [1, 2, 3, 4, 5])

    trial = xml_extractor("run", *LOAD, *TRIAL, "--range", "1:5")
    assert trial.returncode == 0, trial.stderr
    compared = xml_extractor("verify", "--contract", "orders.yaml", *TRIAL, "--against", "sqlite:///old.db")
    assert compared.returncode == 0, compared.stdout + compared.stderr

    (statement,) = re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    execute(tmp_path / "old.db", statement)
    status = xml_extractor("status", *LOAD[:4], *OLD).stdout
    assert "Documents of orders: 5 loaded, 0 rejected" in status
    assert status.endswith("Waiting at the source: 2 documents\n")

    switched = xml_extractor("run", *LOAD, *OLD)
    assert switched.returncode == 0, switched.stderr
    assert "Documents: 7 in = 2 loaded + 0 rejected + 5 already done" in switched.stdout
    assert xml_extractor("run", *LOAD, *OLD, "--reprocess", "loaded").returncode == 0
    verified = xml_extractor("verify", *LOAD, *OLD)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert query(tmp_path / "old.db", "SELECT COUNT(*), SUM(line_no) FROM order_line") == [(7, 9)]
