"""Each run has a row in the run history, however it ends, and `runs` lists and compares them."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests import sqlserver
from tests.acceptance.accounts import write_orders
from tests.acceptance.loads import EMBEDDED, SERVER, Kinds, Load, on
from tests.conftest import Command, posix_only
from xml_extractor.errors import TooManyRejectsError
from xml_extractor.processing import run_reporter
from xml_extractor.processing_log.run_history import RunHistory

ROOT = Path(__file__).parents[2]
RUN = ("run", "--contract", "orders.yaml", "--source", "sqlite:///orders.db", "--target", "sqlite:///loaded.db")
RUNS = ("runs", "--contract", "orders.yaml", "--target", "sqlite:///loaded.db")


@pytest.fixture(params=on(EMBEDDED, SERVER))
def load(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Load]:
    kinds: Kinds = request.param
    with sqlserver.scratch_schema() if "mssql" in kinds else nullcontext("") as schema:
        yield Load(tmp_path, kinds, schema)


def history(directory: Path, columns: str = "status, exit_code, loaded, rejected") -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(directory / "loaded.db")) as database:
        return database.execute(f"SELECT {columns} FROM processing_log_runs ORDER BY started_at").fetchall()


def test_runs_that_load_or_do_nothing_have_a_row(load: Load) -> None:
    load.run(limit=20)
    load.run()
    load.run()
    table = load.table("processing_log_runs")
    rows = load.query(f"SELECT status, exit_code, loaded, rejected FROM {table} ORDER BY started_at")
    assert [tuple(row) for row in rows] == [("finished", 1, 18, 2), ("finished", 1, 38, 2), ("finished", 1, 0, 0)]


def test_a_run_that_stops_because_of_rejects_is_failed(load: Load) -> None:
    with pytest.raises(TooManyRejectsError):
        load.run(max_rejects=load.settings().max_rejects.parse("0"))
    ((status, code, failure),) = load.query(
        f"SELECT status, exit_code, metrics FROM {load.table('processing_log_runs')}"
    )
    assert (status, code) == ("failed", 4)
    assert "more than --max-rejects allows" in json.loads(failure)["failure"]


def test_history_and_metrics_are_written_while_a_run_is_running(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_reporter, "REPORT_SECONDS", 0.0)
    latest = tmp_path / "metrics" / "latest.json"
    (tmp_path / "metrics").mkdir()
    seen: list[tuple[str, str]] = []

    def look(_documents: int) -> None:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and not seen:
            ((status, code),) = load.query(f"SELECT status, exit_code FROM {load.table('processing_log_runs')}")
            if latest.exists():
                seen.append((status, json.loads(latest.read_text())["status"]))
            assert (status, code) == ("running", None)

    load.run(look, metrics_dir=tmp_path / "metrics", batch_size=5)
    assert seen == [("running", "running")]


def test_a_run_continues_without_its_history(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    is_dropped = False

    def drop(_documents: int) -> None:
        nonlocal is_dropped
        if not is_dropped:
            is_dropped = True
            load.execute(f"DROP TABLE {load.table('processing_log_runs')}")

    assert load.run(drop).statistics.loaded == 56
    (message,) = [message for message in caplog.messages if "not reported" in message]
    assert "the run history of" in message


def test_a_history_that_never_answers_does_not_keep_a_run_from_ending(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go_on = threading.Event()
    monkeypatch.setattr(run_reporter, "LAST_REPORT_SECONDS", 0.2)
    monkeypatch.setattr(RunHistory, "update", lambda *_: may_go_on.wait(60))
    load = Load(tmp_path, EMBEDDED, "")
    try:
        assert load.run().statistics.loaded == 56
    finally:
        may_go_on.set()
    assert "The progress of the run is not reported: the target does not answer" in caplog.messages


@posix_only("kills a process group")
def test_a_killed_run_is_shown_as_lost_once_it_has_not_reported_for_two_minutes(
    xml_extractor: Command, tmp_path: Path
) -> None:
    write_orders(tmp_path, 20_000)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XML_EXTRACTOR_")}
    command = [sys.executable, "-m", "xml_extractor", *RUN, "--no-progress"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, start_new_session=True) as process:
        while process.poll() is None and not (tmp_path / "loaded.db").exists():
            time.sleep(0.05)
        while process.poll() is None and not rows_loaded(tmp_path):
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    assert [row[:2] for row in history(tmp_path)] == [("running", None)]
    assert " running " in xml_extractor(*RUNS).stdout
    with closing(sqlite3.connect(tmp_path / "loaded.db")) as database, database:
        database.execute("UPDATE processing_log_runs SET reported_at = datetime(reported_at, '-121 seconds')")
    assert " lost " in xml_extractor(*RUNS).stdout
    assert xml_extractor("report", *RUNS[1:]).returncode == 0
    assert "Lost: it was killed, or lost its machine; its last report is of " in (tmp_path / "report.html").read_text()


def rows_loaded(directory: Path) -> bool:
    try:
        with closing(sqlite3.connect(directory / "loaded.db")) as database:
            return bool(database.execute("SELECT 1 FROM processing_log LIMIT 1").fetchall())
    except sqlite3.OperationalError:
        return False


def test_runs_are_listed_and_compared(xml_extractor: Command, tmp_path: Path) -> None:
    write_orders(tmp_path, 30)
    for limit in ("10", "20"):
        assert xml_extractor(*RUN, "--workers", "1", "--limit", limit).returncode == 0
    first, second = [run_id for (run_id,) in history(tmp_path, "run_id")]

    listed = xml_extractor(*RUNS).stdout.splitlines()
    assert [line.split()[:4] for line in listed[1:3]] == [
        [second, "finished", "0", "20"],
        [first, "finished", "0", "10"],
    ]
    assert all(len(line) <= 80 for line in listed)
    assert xml_extractor(*RUNS, "--last", "1").stdout.splitlines()[-1] == "2 runs of orders, 1 older not shown"

    compared = [" ".join(line.split()) for line in xml_extractor(*RUNS, first, second).stdout.splitlines()]
    assert compared[:2] == [f"A {first}", f"B {second}"]
    assert "documents loaded 10 20" in compared
    assert "settings limit 10 20" in compared
    assert not any(line.startswith("settings workers") for line in compared)

    (entry,) = [json.loads(line) for line in xml_extractor(*RUNS, "--json", "--last", "1").stdout.splitlines()]
    assert (entry["run_id"], entry["loaded"], entry["metrics"]["documents"]["loaded"]) == (second, 20, 20)


def test_an_unknown_run_is_refused(xml_extractor: Command, tmp_path: Path) -> None:
    write_orders(tmp_path, 3)
    xml_extractor(*RUN, "--workers", "1")
    refused = xml_extractor(*RUNS, "2019")
    assert refused.returncode == 2
    assert refused.stderr.splitlines() == [
        "Error: the id of no run of the contract begins with '2019'",
        "Hint: `xml-extractor runs` lists their ids",
    ]
