"""`xml-extractor check --target`: what is printed, and the exit code."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from xml_extractor.cli.commands import cli
from xml_extractor.errors import TargetError

CONTRACT = """
contract: orders
version: 1
document: {root: Order, key: "@id", key_type: int}
lookups:
  state: {OPEN: 1, SHIPPED: 2}
tables:
  customer_order:
    rows: "."
    on_conflict: keep
    columns:
      order_id: {path: "@id", type: int, key: true}
      state_id: {path: State, type: tinyint, lookup: state}
"""


@pytest.fixture(autouse=True)
def _in_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XML_EXTRACTOR_TARGET", raising=False)
    Path("orders.yaml").write_text(CONTRACT, encoding="utf-8")


def check(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["check", "orders.yaml", *arguments], standalone_mode=False)


def make(statement: str) -> None:
    with closing(sqlite3.connect("orders.db")) as database:
        database.executescript(statement)


def test_without_a_target_only_the_contract_is_checked() -> None:
    result = check()
    assert (result.return_value, result.output) == (0, "orders version 1: 1 table, 2 columns, no faults\n")


def test_errors_come_first_and_have_the_exit_code_of_a_faulty_contract() -> None:
    make(
        "CREATE TABLE states (id INTEGER PRIMARY KEY); INSERT INTO states VALUES (1);"
        "CREATE TABLE customer_order (order_id INTEGER, state_id INTEGER NOT NULL REFERENCES states);"
    )
    result = check("--target", "sqlite:///orders.db")
    assert result.return_value == 2
    assert result.stdout.splitlines()[1:] == [
        (
            "error: customer_order: expected a primary key or unique index over (order_id) and no other column, "
            "found none; CREATE UNIQUE INDEX ux_customer_order_key ON customer_order (order_id)"
        ),
        (
            "error: customer_order.state_id: expected all values of the contract in states (id), found "
            "1 of 2 missing: 2; add them to that table, or remove them from the contract"
        ),
        "warning: processing_log: expected a table, found none; the next run creates it",
        "warning: processing_log_runs: expected a table, found none; the next run creates it",
        (
            "warning: customer_order.state_id: expected a nullable column, found NOT NULL, so documents "
            "without a value are rejected; set `required: true` or a `default` in the contract"
        ),
    ]
    assert result.stderr == "2 errors and 3 warnings in sqlite:///orders.db\n"


def test_warnings_do_not_change_the_exit_code_and_nothing_is_made() -> None:
    result = check("--target", "sqlite:///absent.db")
    assert result.return_value == 0
    assert result.stdout.splitlines()[-1] == "0 errors and 3 warnings in sqlite:///absent.db"
    assert result.stderr == ""
    assert not Path("absent.db").exists()


def test_a_target_that_fits_has_no_differences() -> None:
    CliRunner().invoke(cli, ["init", "--contract", "orders.yaml", "--target", "sqlite:///orders.db"])
    result = check("--target", "sqlite:///orders.db")
    assert result.return_value == 0
    assert result.output.splitlines()[1:] == ["0 errors and 0 warnings in sqlite:///orders.db"]


def test_the_target_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XML_EXTRACTOR_TARGET", "sqlite:///absent.db")
    assert "3 warnings in sqlite:///absent.db" in check().output


def test_of_a_faulty_contract_no_target_is_compared() -> None:
    Path("orders.yaml").write_text(CONTRACT.replace("tinyint", "tinny"), encoding="utf-8")
    result = check("--target", "sqlite:///absent.db")
    assert result.return_value == 2
    assert result.stderr == "1 fault in orders.yaml\n"


def test_a_target_that_cannot_be_read_ends_the_check() -> None:
    Path("orders.db").write_bytes(b"no database " * 100)
    result = check("--target", "sqlite:///orders.db")
    assert isinstance(result.exception, TargetError)
