"""The command `coverage`, with its worker processes."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.acceptance.killing import whoever_is_at_dies
from tests.conftest import Completed, called_in, command_in

CONTRACT = """
contract: customers
version: 1
document: {root: Customer, key: "@id", key_type: int}
tables:
  customer:
    rows: "."
    columns:
      id: {run: document_key, key: true}
      email: {path: Email, type: nvarchar(20)}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "contract.yaml").write_text(CONTRACT, encoding="utf-8")
    documents = tmp_path / "documents"
    documents.mkdir()
    for number in range(100, 140):
        name = "EMail" if number == 120 else "Email"
        text = "x" * 30 if number == 130 else "secret"
        (documents / f"{number}.xml").write_text(f"<Customer id='{number}'><{name}>{text}</{name}></Customer>")
    return tmp_path


OPTIONS = ("--contract", "contract.yaml", "--source", "documents", "--workers", "2")


def coverage(folder: Path, *arguments: str) -> Completed:
    return called_in(folder, "coverage")(*OPTIONS, *arguments)


def test_all_documents_are_observed_and_none_is_loaded(folder: Path) -> None:
    before = sorted(folder.iterdir())
    ended = coverage(folder, "--html", "coverage.html")
    assert ended.returncode == 1, ended.stderr
    assert ended.stdout.endswith("Written: coverage.html\n")
    page = (folder / "coverage.html").read_text(encoding="utf-8")
    assert "1 of 40 documents would be rejected." in page
    assert "similar to Email (other case)" in page
    assert "secret" not in page
    (folder / "coverage.html").unlink()
    assert "Documents: 40 = 39 would load, 1 would be rejected" in ended.stdout
    assert "too_long" in ended.stdout
    assert "(at most 30 characters, in 130.xml)" in ended.stdout
    assert "/Customer/EMail  Email (other case)" in ended.stdout
    assert "secret" not in ended.stdout + ended.stderr
    assert sorted(folder.iterdir()) == before


def test_a_sample_is_spread_evenly_and_a_limit_takes_the_first(folder: Path) -> None:
    def observed(*arguments: str) -> dict[str, Any]:
        ended = coverage(folder, "--json", *arguments)
        found: dict[str, Any] = json.loads(ended.stdout)
        return found

    assert observed("--limit", "7")["documents"]["accepted"] == 7
    sample = observed("--sample", "8")
    assert sample["documents"] == {"accepted": 7, "rejected": 1, "skipped": 0, "deleted": 0}
    assert sample["faults"][0]["first_document"] == "130.xml"
    assert [element["path"] for element in sample["elements"]] == [
        "/Customer",
        "/Customer/@id",
        "/Customer/EMail",
        "/Customer/Email",
    ]


def test_limit_and_sample_exclude_each_other(folder: Path) -> None:
    ended = coverage(folder, "--limit", "1", "--sample", "1")
    assert (ended.returncode, "exclude each other" in ended.stderr) == (2, True)


def test_documents_that_never_finish_or_kill_workers_cost_those_documents(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = CONTRACT.replace("nvarchar(20)", "nvarchar(20), transform: [{replace: {pattern: '(a+)+b', with: ''}}]")
    (folder / "contract.yaml").write_text(endless, encoding="utf-8")
    for number in (104, 110):
        text = "a" * 40
        (folder / "documents" / f"{number}.xml").write_text(f"<Customer id='{number}'><Email>{text}</Email></Customer>")
    # A worker gets five documents at once: the first that never finishes is the last of the first five.
    with TemporaryDirectory() as marks:
        monkeypatch.setenv("TMPDIR", marks)
        with whoever_is_at_dies(Path(marks), (0, 4)):
            command = command_in(["-m", "xml_extractor", "coverage"], folder)
            ended = command(*OPTIONS, "--json", "--document-timeout", "2")
    assert ended.returncode == 1, ended.stderr
    report = json.loads(ended.stdout)
    assert report["documents"] == {"accepted": 37, "rejected": 3, "skipped": 0, "deleted": 0}
    reasons = {fault["reason"]: fault["first_document"] for fault in report["faults"]}
    assert reasons == {"worker_died": "104.xml", "timeout": "110.xml", "too_long": "130.xml"}
    assert next(column["counts"] for column in report["columns"] if column["column"] == "id") == {"filled": 38}
    assert "Traceback" not in ended.stderr
