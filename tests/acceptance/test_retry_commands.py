"""Rejected documents are marked for retry, retried and listed by the real commands."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.acceptance.accounts import ORDERS, Accounts, accounts, order, query
from tests.conftest import Command, posix_only

RUN = ("--contract", "orders.yaml", "--source", "orders", "--target", "sqlite:///loaded.db", "--workers", "1")
LOG = ("--contract", "orders.yaml", "--target", "sqlite:///loaded.db")
SECRET = "Ada Lovelace of Marylebone"
BAD = f'<order id="3"><customer>{SECRET}</customer></order>'
BROKEN = "<order"


@pytest.fixture
def rejected(production_processor: Command, tmp_path: Path) -> Path:
    """The target of a run that loaded two documents and rejected two: too long a name, and a broken one."""
    (tmp_path / "orders.yaml").write_text(ORDERS, encoding="utf-8")
    (tmp_path / "orders").mkdir()
    for number, text in enumerate((order(1), order(2), BAD, BROKEN), 1):
        (tmp_path / "orders" / f"{number}.xml").write_text(text, encoding="utf-8")
    completed = production_processor(*RUN)
    assert completed.returncode == 1, completed.stderr
    return tmp_path / "loaded.db"


def attempts(target: Path) -> dict[str, tuple[str, int]]:
    rows = query(target, "SELECT document_key, status, attempts FROM processing_log")
    return {key: (status, count) for key, status, count in rows}


def test_documents_that_are_marked_for_retry_are_loaded_by_the_next_run(
    rejected: Path, xml_extractor: Command, production_processor: Command, tmp_path: Path
) -> None:
    marked = xml_extractor("retry", *LOG)
    assert (marked.returncode, marked.stderr) == (0, "")
    assert marked.stdout == "2 documents marked for retry by the next run\n"
    assert attempts(rejected)["3.xml"] == ("retry", 1)

    (tmp_path / "orders" / "3.xml").write_text(order(3), encoding="utf-8")
    again = production_processor(*RUN)
    assert again.returncode == 1, again.stderr
    assert accounts(again.stdout, tmp_path, rejected) == Accounts(4, 1, 1, 2)
    assert attempts(rejected) == {
        "1.xml": ("loaded", 1),
        "2.xml": ("loaded", 1),
        "3.xml": ("loaded", 2),
        "4.xml": ("rejected", 2),
    }
    assert query(rejected, "SELECT order_id FROM orders ORDER BY 1") == [(1,), (2,), (3,)]

    third = production_processor(*RUN)
    assert third.returncode == 1, "4.xml is still rejected"
    assert accounts(third.stdout, tmp_path, rejected) == Accounts(4, 0, 0, 4)


def test_documents_are_chosen_by_key_reason_and_stage(rejected: Path, xml_extractor: Command) -> None:
    nothing = xml_extractor("retry", *LOG, "--reason", "overflow")
    assert nothing.stdout == "0 documents marked for retry: orders has no rejected document that matches\n"
    one = xml_extractor("retry", *LOG, "--stage", "parse")
    assert one.stdout == "1 document marked for retry by the next run\n"
    assert attempts(rejected)["4.xml"] == ("retry", 1)
    named = xml_extractor("retry", *LOG, "--key", "3.xml", "--key", "1.xml", "--reason", "too_long")
    assert named.stdout.splitlines() == [
        "1 of the named documents does not match",
        "1 document marked for retry by the next run",
    ]
    assert attempts(rejected)["3.xml"] == ("retry", 1)
    assert xml_extractor("retry", *LOG, "--stage", "typing").returncode == 2


def test_a_document_that_was_tried_as_often_as_allowed_stays_rejected(
    rejected: Path, xml_extractor: Command, production_processor: Command
) -> None:
    assert xml_extractor("retry", *LOG, "--max-attempts", "2").returncode == 0
    assert production_processor(*RUN).returncode == 1
    limited = xml_extractor("retry", *LOG, "--max-attempts", "2")
    assert limited.returncode == 0
    assert limited.stdout.splitlines() == [
        "0 documents marked for retry: orders has no rejected document with attempts left",
        "2 documents skipped after 2 attempts; a higher --max-attempts includes them",
    ]
    assert attempts(rejected)["3.xml"] == ("rejected", 2)


def test_rejects_lists_reasons_and_files_and_no_value(rejected: Path, xml_extractor: Command, tmp_path: Path) -> None:
    shown = xml_extractor("rejects", *LOG)
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = shown.stdout.splitlines()
    assert [line for line in lines if not line.startswith("  ")] == ["3.xml", "4.xml", "2 documents rejected"]
    assert "  map: too_long at orders.customer (customer): " in shown.stdout
    for line in lines:
        if line.startswith("  file "):
            assert (tmp_path / line.removeprefix("  file ")).is_file()
    assert sum(line.startswith("  file ") for line in lines) == 2
    as_json = xml_extractor("rejects", *LOG, "--json", "--stage", "map")
    (found,) = map(json.loads, as_json.stdout.splitlines())
    assert (found["key"], found["stage"], found["attempts"]) == ("3.xml", "map", 1)
    assert found["reason"].startswith("too_long at orders.customer")
    assert (tmp_path / found["file"]).is_file()
    assert SECRET not in shown.stdout + as_json.stdout
    assert (
        json.loads(xml_extractor("rejects", *LOG, "--json", "--key", "3.xml", "--rejects-dir", "").stdout)["file"]
        is None
    )
    assert rejected.exists()


def test_rejects_are_summarised_by_reason(rejected: Path, xml_extractor: Command) -> None:
    lines = xml_extractor("rejects", *LOG, "--summary").stdout.splitlines()
    assert [line.partition(",")[0].strip() for line in lines[:-1]] == [
        "1  map: too_long",
        "3.xml",
        "1  parse: malformed",
        "4.xml",
    ]
    assert lines[-1] == "2 documents rejected for 2 reasons"
    found = [json.loads(line) for line in xml_extractor("rejects", *LOG, "--summary", "--json").stdout.splitlines()]
    assert [(reason["code"], reason["example_key"]) for reason in found] == [
        ("too_long", "3.xml"),
        ("malformed", "4.xml"),
    ]
    assert rejected.exists()


def test_rejects_and_retry_take_the_rejects_of_a_run_or_of_a_time(rejected: Path, xml_extractor: Command) -> None:
    (run_id,) = query(rejected, "SELECT DISTINCT run_id FROM processing_log")[0]
    day = f"{run_id[:4]}-{run_id[4:6]}-{run_id[6:8]}"

    def found(*options: str) -> str:
        return xml_extractor("rejects", *LOG, *options).stdout.splitlines()[-1]

    assert found("--run", run_id) == found("--run", run_id[:15]) == "2 documents rejected"
    assert found("--run", "2020") == "0 documents rejected"
    assert found("--since", day) == found("--since", f"{day}T00:00") == "2 documents rejected"
    assert found("--since", "2019-12-31", "--before", day) == "0 documents rejected"
    assert found("--run", "%") == "0 documents rejected"
    assert xml_extractor("rejects", *LOG, "--since", "yesterday").returncode == 2
    nothing = xml_extractor("retry", *LOG, "--before", day)
    assert nothing.stdout == "0 documents marked for retry: orders has no rejected document that matches\n"
    assert xml_extractor("retry", *LOG, "--run", run_id).stdout == "2 documents marked for retry by the next run\n"


def test_status_counts_documents_by_run(
    rejected: Path, xml_extractor: Command, production_processor: Command, tmp_path: Path
) -> None:
    xml_extractor("retry", *LOG, "--key", "4.xml")
    (tmp_path / "orders" / "4.xml").write_text(order(4), encoding="utf-8")
    assert production_processor(*RUN).returncode == 1, "3.xml is still rejected"
    xml_extractor("retry", *LOG)
    shown = xml_extractor("status", *LOG)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.splitlines()[-1] == "Documents of orders: 3 loaded, 0 rejected, 1 marked for retry"
    found = json.loads(xml_extractor("status", *LOG, "--json").stdout)
    assert {status: number for status, number in found["documents"].items() if number} == {"loaded": 3, "retry": 1}
    assert [(run["status"], run["documents"]) for run in found["runs"]] == [("loaded", 1), ("retry", 1), ("loaded", 2)]
    (last,) = query(rejected, "SELECT run_id FROM processing_log WHERE document_key = '4.xml'")
    assert found["runs"][0]["run_id"] == last[0]


def test_status_counts_documents_that_wait_at_the_source(
    rejected: Path, xml_extractor: Command, tmp_path: Path
) -> None:
    assert "Waiting" not in xml_extractor("status", *LOG).stdout
    for number in (5, 6):
        (tmp_path / "orders" / f"{number}.xml").write_text(order(number), encoding="utf-8")
    shown = xml_extractor("status", *LOG, "--source", "orders")
    assert shown.stdout.splitlines()[-1] == "Waiting at the source: 2 documents"
    xml_extractor("retry", *LOG)
    assert json.loads(xml_extractor("status", *LOG, "--source", "orders", "--json").stdout)["waiting"] == 4
    assert xml_extractor("status", *LOG, "--source", "absent").returncode == 2
    assert rejected.exists()


@pytest.mark.parametrize("command", ["retry", "rejects", "status"])
def test_a_target_without_a_log_is_said_to_have_none_and_is_not_made(
    command: str, xml_extractor: Command, tmp_path: Path
) -> None:
    (tmp_path / "orders.yaml").write_text(ORDERS, encoding="utf-8")
    completed = xml_extractor(command, *LOG)
    assert completed.returncode == 3
    assert completed.stderr.startswith("Error: there is no table processing_log in sqlite:///loaded.db\nHint: ")
    assert not (tmp_path / "loaded.db").exists()


@pytest.mark.parametrize("command", ["retry", "rejects", "status"])
def test_an_empty_log_has_nothing_to_say(command: str, xml_extractor: Command, tmp_path: Path) -> None:
    (tmp_path / "orders.yaml").write_text(ORDERS, encoding="utf-8")
    assert xml_extractor("init", *LOG).returncode == 0
    completed = xml_extractor(command, *LOG)
    assert (completed.returncode, completed.stderr) == (0, "")
    assert "0 " in completed.stdout
    with closing(sqlite3.connect(tmp_path / "loaded.db")) as database:
        assert database.execute("SELECT count(*) FROM processing_log").fetchone() == (0,)


def test_status_counts_documents_by_contract_and_version(
    rejected: Path, xml_extractor: Command, production_processor: Command, tmp_path: Path
) -> None:
    contract = tmp_path / "orders.yaml"
    contract.write_text(contract.read_text().replace("version: 1", "version: 12"))
    (tmp_path / "orders" / "5.xml").write_text(order(5), encoding="utf-8")
    assert production_processor(*RUN).returncode == 1, "documents are still rejected"
    lines = xml_extractor("status", *LOG).stdout.splitlines()
    assert [line.split() for line in lines[:3]] == [
        ["Contract", "Version", "Loaded", "Rejected"],
        ["orders", "1", "2", "2"],
        ["orders", "12", "1", "0"],
    ]
    versions = json.loads(xml_extractor("status", *LOG, "--json").stdout)["versions"]
    nothing = dict.fromkeys(("retry", "skipped", "superseded", "deleted"), 0)
    assert versions == [
        {"contract": "orders", "version": 1, "loaded": 2, "rejected": 2, **nothing},
        {"contract": "orders", "version": 12, "loaded": 1, "rejected": 0, **nothing},
    ]
    assert rejected.exists()


@pytest.mark.parametrize("command", ["retry", "rejects", "status", "runs"])
def test_a_contract_that_the_log_does_not_know_is_answered_with_those_it_knows(
    command: str, rejected: Path, xml_extractor: Command, tmp_path: Path
) -> None:
    contract = tmp_path / "orders.yaml"
    contract.write_text(contract.read_text().replace("contract: orders", "contract: ordres"))
    shown = xml_extractor(command, *LOG)
    assert (shown.returncode, rejected.exists()) == (0, True)
    assert (shown.stdout + shown.stderr).splitlines()[-1].endswith(" of: orders")


def on_a_terminal(directory: Path, *arguments: str) -> str:
    """What a command shows on a terminal of 80 columns."""
    import pty

    master, slave = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "TERM": "xterm"}
    command = [sys.executable, "-m", "xml_extractor", *arguments]
    with subprocess.Popen(command, cwd=directory, stdin=slave, stdout=slave, env=environment) as running:
        os.close(slave)
        shown = b""
        with suppress(OSError):
            while part := os.read(master, 4096):
                shown += part
        os.close(master)
        assert running.wait() == 0
    return shown.decode()


@posix_only("a pseudo terminal")
def test_a_narrow_terminal_folds_neither_a_key_nor_the_id_of_a_run(
    rejected: Path, xml_extractor: Command, tmp_path: Path
) -> None:
    name = "a-long-directory/" * 4 + "document.xml"
    (tmp_path / "orders" / name).parent.mkdir(parents=True)
    (tmp_path / "orders" / name).write_text("<order", encoding="utf-8")
    xml_extractor("run", *RUN)
    run_ids = [run_id for (run_id,) in query(rejected, "SELECT run_id FROM processing_log_runs")]
    for arguments in (("rejects",), ("rejects", "--summary"), ("runs",), ("runs", *run_ids)):
        shown = on_a_terminal(tmp_path, arguments[0], *LOG, *arguments[1:])
        wanted = [name] if arguments[0] == "rejects" else run_ids
        assert [text for text in wanted if text not in shown] == [], shown
