"""The command `verify`, with its worker processes."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.conftest import Completed, called_in
from xml_extractor.cli.commands import cli

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
      loaded_by: {run: run_id}
      loaded_from: {run: source_name}
  phone:
    rows: Phone
    columns:
      id: {parent: customer.id, key: true}
      number: {position: true, key: true}
      phone: {path: ".", type: varchar(20)}
"""


def command(folder: Path, *arguments: str) -> Completed:
    words = [*arguments, "--contract", "contract.yaml", "--source", "documents", "--target", "sqlite:///target.db"]
    return called_in(folder)(*words)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Customers in files, of which one is rejected, loaded by two runs."""
    folder = tmp_path_factory.mktemp("verify")
    (folder / "contract.yaml").write_text(CONTRACT, encoding="utf-8")
    documents = folder / "documents"
    documents.mkdir()
    for numbers in (range(100, 120), range(120, 140)):
        for number in numbers:
            email = "x" * 30 if number == 130 else f"secret{number}"
            text = f"<Customer id='{number}'><Email>{email}</Email><Phone>1</Phone><Phone>2</Phone></Customer>"
            (documents / f"{number}.xml").write_text(text)
        ended = command(folder, "run", "--workers", "1", "--no-progress")
        assert ended.returncode == (1 if 130 in numbers else 0), ended.stderr
    return folder


@pytest.fixture
def folder(loaded: Path, tmp_path: Path) -> Path:
    """A copy of the above, to be changed."""
    shutil.copytree(loaded, tmp_path / "copy")
    return tmp_path / "copy"


def change(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "target.db")) as database:
        for statement in statements:
            assert database.execute(statement).rowcount != 0
        database.commit()


def verify(folder: Path, *arguments: str) -> Completed:
    return command(folder, "verify", "--workers", "1", *arguments)


def as_json(folder: Path, *arguments: str) -> dict[str, Any]:
    ended = verify(folder, "--json", *arguments)
    found: dict[str, Any] = json.loads(ended.stdout)
    assert ended.returncode == (0 if found["holds"] else 1), ended.stderr
    return found


def test_a_load_holds_with_the_values_of_its_runs(folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.db")}
    ended = verify(folder)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Compared 39 documents with 117 rows" in ended.stdout
    assert "Not compared: documents that are rejected: 1" in ended.stdout
    assert "The target holds what the documents say" in ended.stdout
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.db")} == before


@pytest.mark.parametrize("expected", [["--source", "documents"], ["--against", "sqlite:///copy.db"]])
def test_progress_counts_all_documents_compared_so_far(
    expected: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("xml_extractor.reporting.console.LINE_SECONDS", 0.0)
    shutil.copy("target.db", "copy.db")
    words = ["verify", "--contract", "contract.yaml", *expected, "--target", "sqlite:///target.db"]
    ended = CliRunner().invoke(cli, [*words, "--batch-size", "10", "--workers", "1"])
    counts = [int(line.split()[1]) for line in ended.stderr.splitlines() if line.startswith("Comparing: ")]
    assert counts == sorted(counts)
    assert counts[-1] in {39, 40}


def test_differences_are_named_by_document_table_and_column_and_values_only_on_request(folder: Path) -> None:
    change(
        folder,
        "UPDATE customer SET email = 'wrong', loaded_by = 'nobody' WHERE id = 104",
        "DELETE FROM phone WHERE id = 105 AND number = 2",
        "INSERT INTO phone VALUES (106, 3, 'added')",
        "UPDATE phone SET id = 139 + id WHERE id = 107 AND number = 1",
        "DELETE FROM processing_log WHERE document_key = '108.xml'",
        "DELETE FROM customer WHERE id = 109",
    )
    (folder / "documents" / "110.xml").unlink()
    found = as_json(folder)
    kinds = [(each["kind"], each["document"], each["table"], each["columns"]) for each in found["listed"]]
    assert sorted(kinds, key=repr) == sorted(
        [
            ("changed", "104.xml", "customer", ["email", "loaded_by"]),
            ("missing", "105.xml", "phone", []),
            ("added", "106.xml", "phone", []),
            ("moved", "107.xml", "phone", ["id"]),
            ("not_loaded", "108.xml", None, []),
            ("missing", "109.xml", "customer", []),
            ("orphaned", "109.xml", "phone", []),
            ("orphaned", "109.xml", "phone", []),
            ("not_in_source", "110.xml", None, []),
            ("unknown_row", "110", "customer", []),
            ("unknown_row", "110", "phone", []),
            ("unknown_row", "110", "phone", []),
        ],
        key=repr,
    )
    assert found["differences"]["missing"] == 2
    ended = verify(folder, "--max-differences", "10")
    assert ended.returncode == 1
    assert "secret" not in ended.stdout + ended.stderr
    assert "wrong" not in ended.stdout + ended.stderr
    assert "and 2 differences more" in ended.stdout
    assert max(map(len, ended.stdout.splitlines())) <= 80
    assert "email: expected 'secret104', found 'wrong'" in verify(folder, "--values").stdout


def test_a_part_is_compared_and_columns_are_left_out(folder: Path) -> None:
    change(folder, "UPDATE customer SET email = 'x', loaded_by = 'y' WHERE id = 104")
    assert as_json(folder, "--range", ":104.xml")["documents"] == {"compared": 5, "equal": 4, "different": 1}
    assert as_json(folder, "--sample", "8", "--range", ":119.xml")["documents"]["compared"] == 8
    with closing(sqlite3.connect(folder / "target.db")) as database:
        runs = [run for (run,) in database.execute("SELECT DISTINCT run_id FROM processing_log ORDER BY 1")]
    assert as_json(folder, "--run", runs[1])["documents"] == {"compared": 19, "equal": 19, "rejected": 1}
    found = as_json(folder, "--ignore", "customer.email", "--ignore", "*.loaded_by")
    assert found["holds"]
    assert "customer.email: left out by --ignore" in found["not_compared"]


def test_a_changed_contract_is_no_difference_unless_the_rows_are_others(folder: Path) -> None:
    path = folder / "contract.yaml"
    path.write_text(CONTRACT.replace("version: 1", "version: 2"), encoding="utf-8")
    assert as_json(folder)["holds"]
    path.write_text(path.read_text().replace("{path: Email,", "{path: Email, transform: [upper],"), encoding="utf-8")
    found = as_json(folder)
    assert found["differences"] == {"other_contract": 39}
    assert found["listed"][0]["columns"] == ["customer.email"]
    assert found["listed"][0]["detail"] == "loaded with version 1 of the contract"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--ignore", "customer.emial"], 2, "did you mean customer.email?"),
        (["--run", "1999"], 2, "no run has an id that begins with 1999"),
        (["--run", "2"], 2, "several runs have an id that begins with 2"),
    ],
)
def test_what_cannot_be_compared_is_refused(loaded: Path, arguments: list[str], code: int, message: str) -> None:
    ended = verify(loaded, *arguments)
    assert (ended.returncode, message in ended.stderr) == (code, True), ended.stderr


def test_a_target_without_the_tables_is_refused(folder: Path) -> None:
    change(folder, "DROP TABLE phone")
    ended = verify(folder)
    assert ended.returncode == 3
    assert "there is no table phone in sqlite:///target.db" in ended.stderr
    assert verify(folder, "--ignore", "phone").returncode == 0


def against(folder: Path, other: str, *arguments: str) -> Completed:
    words = ["--contract", "contract.yaml", "--against", other, "--target", "sqlite:///target.db", *arguments]
    return called_in(folder, "verify")(*words)


def test_two_databases_are_compared_without_documents(folder: Path) -> None:
    shutil.copy(folder / "target.db", folder / "old.db")
    shutil.rmtree(folder / "documents")
    with closing(sqlite3.connect(folder / "old.db")) as database:
        database.execute("DROP TABLE processing_log")  # another loader has none
        database.execute("UPDATE customer SET loaded_by = 'old', loaded_from = 'elsewhere'")
        database.execute("DELETE FROM customer WHERE id = 103")
        database.execute("DELETE FROM phone WHERE id = 103")
        database.commit()
    change(
        folder,
        "UPDATE customer SET email = 'wrong' WHERE id = 104",
        "DELETE FROM phone WHERE id = 105",
        "DELETE FROM customer WHERE id = 105",
        "INSERT INTO phone VALUES (106, 3, 'added')",
    )
    ended = against(folder, "sqlite:///old.db", "--json")
    found = json.loads(ended.stdout)
    assert ended.returncode == 1, ended.stderr
    assert [(each["kind"], each["document"], each["table"], each["columns"]) for each in found["listed"]] == [
        ("not_in_source", "103", None, []),
        ("changed", "104", "customer", ["email"]),
        ("not_loaded", "105", None, []),
        ("added", "106", "phone", []),
    ]
    assert found["not_compared"] == [
        "customer.loaded_by: depends on the run",
        "customer.loaded_from: depends on the run",
    ]
    ended = against(folder, "sqlite:///target.db")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "The target holds what the other database holds" in ended.stdout
    ended = against(folder, "sqlite:///old.db", "--sample", "3")
    assert ended.returncode == 2
    assert "--against and --sample exclude each other" in ended.stderr
