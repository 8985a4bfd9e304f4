"""One document costs one document: those that never finish, those without a usable key, and workers that die."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import Command

DOCUMENTS = 12

TEXT = "{path: N, type: nvarchar(100)}"
PATTERN = r"{path: N, type: nvarchar(100), transform: [{replace: {pattern: '^(\w+\s?)+$', with: ''}}]}"
COUNT = "count(//x[count(preceding::*) > 1])"
LONG = "a" * 400
LIKE = f"'{'%a' * 20}%b'"
MANY = "<N>1</N>" + "<x/>" * 100_000

HANGS = {
    "regular expression": (PATTERN, "", f"<N>{'a' * 46}!</N>"),
    "XPath": (f"{{path: '{COUNT}', type: int}}", "", MANY),
    "row condition": (TEXT, f"rows: 'N[{COUNT} > 2]'", MANY),
    "LIKE": (
        f'{{inputs: {{n: N}}, type: int, expression: "CASE WHEN n LIKE {LIKE} THEN 1 ELSE 0 END"}}',
        "",
        f"<N>{LONG}</N>",
    ),
}
"""Columns and rows that never end, and the document at which they do not."""


def write(directory: Path, column: str, rows: str, content: str) -> None:
    (directory / "contract.yaml").write_text(f"""
contract: hang
version: 1
document: {{root: P}}
tables:
  p:
    {rows or "rows: '.'"}
    columns:
      f: {{run: source_key, key: true}}
      n: {column}
""")
    (directory / "d").mkdir()
    for number in range(DOCUMENTS):
        (directory / "d" / f"{number:02}.xml").write_text(f"<P>{content if number == 5 else '<N>1</N>'}</P>")


OPTIONS = ("--contract", "contract.yaml", "--source", "d", "--target", "sqlite:///target.db", "--no-progress")


def log(directory: Path, status: str = "rejected") -> dict[str, str]:
    with closing(sqlite3.connect(directory / "target.db")) as database:
        return dict(
            database.execute("SELECT document_key, reason FROM processing_log WHERE status = ?", (status,)).fetchall()
        )


@pytest.mark.parametrize("options", [("--workers", "1"), ("--workers", "2", "--insert-mode", "blocking")])
@pytest.mark.parametrize(("column", "rows", "content"), HANGS.values(), ids=HANGS)
def test_a_document_that_never_finishes_costs_that_document(
    tmp_path: Path, production_processor: Command, column: str, rows: str, content: str, options: Sequence[str]
) -> None:
    write(tmp_path, column, rows, content)
    completed = production_processor(*OPTIONS, *options, "--document-timeout", "1")
    assert completed.returncode == 1, completed.stderr
    assert "it took more than 1 s for document 05.xml at stage map" in completed.stderr
    ((key, reason),) = log(tmp_path).items()
    assert (key, reason.partition(":")[0]) == ("05.xml", "timeout")
    assert len(log(tmp_path, "loaded")) == DOCUMENTS - 1
    (listing,) = tmp_path.glob("rejects/*/rejects.jsonl")
    reject = json.loads(listing.read_text())
    assert (reject["key"], reject["stage"], reject["code"]) == ("05.xml", "map", "timeout")
    assert (listing.parent / reject["file"]).read_text() == f"<P>{content}</P>"
