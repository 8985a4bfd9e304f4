"""What nothing reads, in the summary, the metrics and the processing log of a run."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import Completed, called_in

CONTRACT = """
contract: customers
version: 1
document: {root: Customer, key: "@id", key_type: int}
ignore: Raw
unread: UNREAD
tables:
  customer:
    rows: "."
    columns:
      id: {run: document_key, key: true}
      email: {path: Email, type: nvarchar(20)}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "1.xml").write_text("<Customer id='1'><Email>a</Email><Raw><X/></Raw></Customer>")
    (documents / "2.xml").write_text("<Customer id='2'><EMail x='1'>a</EMail><Email kind='b'/></Customer>")
    return tmp_path


def run(folder: Path, unread: str) -> Completed:
    (folder / "contract.yaml").write_text(CONTRACT.replace("UNREAD", unread), encoding="utf-8")
    words = ["--contract", "contract.yaml", "--source", "documents", "--target", "sqlite:///t.db", "--workers", "1"]
    return called_in(folder, "run")(*words)


def test_what_nothing_reads_is_counted_by_path(folder: Path) -> None:
    ended = run(folder, "report")
    assert ended.returncode == 0, ended.stderr
    assert "/Customer/EMail        elements or attributes that nothing reads" in ended.stdout
    (metrics,) = (folder / "metrics").glob("metrics_*.json")
    found = json.loads(metrics.read_text(encoding="utf-8"))
    assert found["unread"] == {"/Customer/EMail": 1, "/Customer/Email/@kind": 1}
    assert found["tolerated_values"] == {}
    with closing(sqlite3.connect(folder / "t.db")) as database:
        log = database.execute("SELECT tolerated_count, counts FROM processing_log ORDER BY document_key").fetchall()
    assert log == [(0, None), (0, ".%2FCustomer%2FEMail unread=1; .%2FCustomer%2FEmail%2F%40kind unread=1")]


def test_documents_with_something_that_nothing_reads_are_rejected_on_request(folder: Path) -> None:
    ended = run(folder, "reject")
    assert ended.returncode == 1, ended.stderr
    with closing(sqlite3.connect(folder / "t.db")) as database:
        log = database.execute("SELECT status, reason FROM processing_log ORDER BY document_key").fetchall()
    explanation = "the document has an element or attribute that nothing reads"
    assert log == [("loaded", ""), ("rejected", f"unread (/Customer/EMail): {explanation}")]
