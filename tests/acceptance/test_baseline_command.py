"""`env_prep/establish_baseline.py`: real runs, measured, stored and compared."""

import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from env_prep.baseline.command import baseline_command
from tests import sqlserver
from tests.conftest import ROOT, Command, Completed, called_in, posix_only
from xml_extractor.contract.reading import contract_hash, read_contract

pytestmark = pytest.mark.slow

PROGRAM = str(ROOT / "env_prep" / "establish_baseline.py")
STORED = Path("metrics") / "baseline.json"
REPORT = Path("metrics") / "baseline.html"


class Measured(NamedTuple):
    """A command, and what was stored after it."""

    completed: Completed
    stored: dict[str, Any]


def measured(directory: Path, *options: str, **variables: str) -> Measured:
    completed = called_in(directory, command=baseline_command)(*options, **variables)
    return Measured(completed, json.loads((directory / STORED).read_text(encoding="utf-8")))


@pytest.fixture
def establish_baseline(tmp_path: Path) -> Command:
    """The command in an empty directory."""
    return called_in(tmp_path, command=baseline_command)


class Story(NamedTuple):
    """Measurements one after the other, in one directory."""

    directory: Path
    first: Measured
    slower: Measured
    replaced: Measured


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A first baseline; one that is much too slow; one with other options that replaces it."""
    directory = tmp_path_factory.mktemp("baseline")
    first = measured(directory, "--runs", "2", "--documents", "20")
    slower = measured(directory, "--runs", "1", "--fail-below", "1000", "--store")
    options = ["--runs", "1", "--a", "--workers 1", "--fail-below", "0.000001", "--store"]
    return Story(directory, first, slower, measured(directory, *options))


def test_a_first_measurement_needs_no_options_and_is_stored(story: Story) -> None:
    completed, stored = story.first
    assert completed.returncode == 0
    assert f"The baseline is stored in {STORED}" in completed.stdout
    assert (stored["documents"], stored["rows"]["application"]) == (20, 20)
    assert stored["contract"]["hash"] == contract_hash(read_contract("card_application"))
    assert stored["database"] == {"kind": "sqlite", "name": "SQLite in a temporary directory"}
    assert {"cpus", "system", "architecture", "python", "packages"} == set(stored["machine"])
    queue, blocking = stored["variants"]
    assert (queue["options"], blocking["options"]) == ("--insert-mode queue", "--insert-mode blocking")
    assert (queue["settings"]["insert_mode"], blocking["settings"]["insert_mode"]) == ("queue", "blocking")
    for variant in (queue, blocking):
        assert len({run["run_id"] for run in variant["runs"]}) == 2
        assert all(run["series"]["documents"][-1] == 20 for run in variant["runs"])
        figures = [run["documents_per_minute"] for run in variant["runs"]]
        assert min(figures) <= variant["median"] <= max(figures)


def test_runs_take_turns_after_one_to_warm_up(story: Story) -> None:
    told = [line.partition(": ")[0] for line in story.first.completed.stderr.splitlines()]
    assert told == ["run to warm up", *(f"run {number} of 4" for number in (1, 2, 3, 4))]
    queue, blocking = ([run["run_id"] for run in variant["runs"]] for variant in story.first.stored["variants"])
    assert sorted([*queue, *blocking]) == [queue[0], blocking[0], blocking[1], queue[1]]


def test_what_is_below_fail_below_ends_with_1_and_never_replaces_the_baseline(story: Story) -> None:
    completed, stored = story.slower
    assert completed.returncode == 1
    assert "--insert-mode queue now / stored = " in completed.stdout
    assert "of the stored baseline, below 1000" in completed.stdout
    assert "because this is below --fail-below" in completed.stdout
    assert stored == story.first.stored


def test_stored_settings_are_run_again_beside_others_and_replaced_on_request(story: Story) -> None:
    completed, stored = story.replaced
    assert completed.returncode == 0
    assert "--insert-mode queue now / stored = " in completed.stdout
    assert "--workers 1 / --insert-mode queue = " in completed.stdout
    assert "Warning" not in completed.stdout
    assert [variant["options"] for variant in stored["variants"]] == ["--workers 1", "--insert-mode queue"]
    assert stored["documents"] == 20


def test_a_report_is_written_that_needs_nothing_else(story: Story) -> None:
    page = (story.directory / REPORT).read_text(encoding="utf-8")
    assert "A --workers 1" in page
    assert "Throughput over time" in page
    assert not re.search(r"<(script|link|img)\b|\b(src|href)=", page)


def test_nothing_is_left_behind(story: Story) -> None:
    assert [path.name for path in story.directory.iterdir()] == ["metrics"]
    assert {path.name for path in (story.directory / "metrics").iterdir()} == {STORED.name, REPORT.name}


def test_a_database_that_no_baseline_made_is_refused_before_anything_runs(
    establish_baseline: Command, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "own.db")) as database:
        database.execute("CREATE TABLE application (app_id int)")
        database.commit()
    for place in (["--scratch", "own.db"], ["--target", "sqlite:///own.db"]):
        completed = establish_baseline(*place, "--runs", "1", "--documents", "5")
        assert completed.returncode == 2
        assert "contains objects that no baseline created (application), so it is not used" in completed.stderr
    with closing(sqlite3.connect(tmp_path / "own.db")) as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("application",)]
    assert not (tmp_path / STORED).exists()


def test_documents_and_contract_of_ones_own_are_measured_in_a_file_of_ones_own(
    establish_baseline: Command, tmp_path: Path, xml_extractor: Command
) -> None:
    assert xml_extractor("sample", "ubl_invoice", "12", "--to", "invoices").returncode == 0
    options = ["--contract", "ubl_invoice", "--source", "invoices", "--limit", "9", "--scratch", "scratch.db"]
    completed = establish_baseline(*options, "--runs", "1", "--a", "--workers 1")
    assert completed.returncode == 0, completed.stderr
    stored = json.loads((tmp_path / STORED).read_text(encoding="utf-8"))
    assert (stored["contract"]["name"], stored["documents"]) == ("ubl_invoice", 9)
    assert not (tmp_path / "scratch.db").exists()
    other = establish_baseline("--contract", "card_application", "--fail-below", "0.9", "--runs", "1")
    assert other.returncode == 2
    assert "the stored baseline is of the contract ubl_invoice, this is card_application" in other.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fail-below", "0.9"], "there is no baseline at"),
        (["--a", "--target sqlite:///x.db"], "--a '--target sqlite:///x.db' cannot be used"),
        (["--a", "--workers 1", "--b", "--workers 1"], "--a and --b are the same"),
        (["--scratch", "x.db", "--target", "sqlite:///y.db"], "--scratch is given together with another target"),
        (["--contract", "cldr_locale"], "there are no sample documents for the contract cldr_locale"),
        (["--contract", "no_such"], "no_such"),
    ],
)
def test_wrong_usage_ends_with_2_and_one_message(
    establish_baseline: Command, tmp_path: Path, options: list[str], message: str
) -> None:
    completed = establish_baseline(*options)
    assert completed.returncode == 2
    assert message in completed.stderr
    assert "Traceback" not in completed.stderr
    assert not (tmp_path / STORED).exists()


def test_a_run_that_cannot_go_on_ends_with_3_and_its_reason(establish_baseline: Command, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    completed = establish_baseline("--source", "nothing", "--runs", "1")
    assert completed.returncode == 3
    assert "Error: a run found no document to load" in completed.stderr


@posix_only("Windows has no SIGTERM")
def test_an_interrupted_measurement_leaves_no_run_and_nothing_in_its_place(tmp_path: Path) -> None:
    command = [sys.executable, PROGRAM, "--scratch", "scratch.db", "--documents", "30", "--runs", "50"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("run to warm up: ")
        process.terminate()
        errors = process.stderr.read()
    assert (process.returncode, errors.strip().splitlines()[-1]) == (130, "Error: interrupted")
    assert [path.name for path in tmp_path.iterdir()] == ["metrics"]
    assert [*(tmp_path / "metrics").iterdir()] == []


@pytest.mark.mssql
def test_a_schema_of_a_server_is_used_and_taken_away(tmp_path: Path) -> None:
    with sqlserver.scratch_schema() as schema:
        name = f"{schema}_baseline"
    options, secrets = sqlserver.options(name)
    measurement = ["--runs", "1", "--documents", "10", "--a", "--workers 1"]
    completed, stored = measured(tmp_path, *options, *measurement, **secrets)
    assert completed.returncode == 0, completed.stderr
    assert stored["database"]["kind"] == "mssql"
    assert stored["database"]["name"].endswith(f"?schema={name}")
    assert stored["rows"]["application"] == 10
    assert sqlserver.administrator().execute("SELECT SCHEMA_ID(?)", name).fetchval() is None
    shown = [completed.stdout, completed.stderr, (tmp_path / REPORT).read_text(encoding="utf-8"), json.dumps(stored)]
    assert not [text for text in shown for secret in secrets.values() if secret in text]


@pytest.mark.mssql
def test_a_contract_that_names_a_schema_is_not_measured_on_a_server(tmp_path: Path) -> None:
    contract = """
contract: orders
version: 1
document: {root: order, key: "@id", key_type: int}
tables:
  orders:
    table: dbo.orders
    rows: "."
    columns:
      order_id: {path: "@id", type: int, key: true}
"""
    (tmp_path / "orders.yaml").write_text(contract, encoding="utf-8")
    options, secrets = sqlserver.options("test_never_made")
    command = called_in(tmp_path, command=baseline_command)
    completed = command(*options, "--contract", "orders.yaml", "--source", "orders", **secrets)
    assert completed.returncode == 2
    assert "the contract orders names schemas (dbo.orders) and would load there" in completed.stderr
