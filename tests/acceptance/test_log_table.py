"""The processing log has the name that a setting gives it, beside a table of another program with the default name."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import sqlserver
from tests.acceptance.accounts import ORDERS, order
from tests.conftest import Command

FOREIGN = "processing_log (id INT NOT NULL PRIMARY KEY, message VARCHAR(200) NOT NULL)"


class Target(NamedTuple):
    """A target with a foreign table `processing_log`: options that name it, the log's name, and a query."""

    options: tuple[str, ...]
    variables: dict[str, str]
    log: str
    query: Callable[[str], list[tuple[object, ...]]]


@pytest.fixture(params=["sqlite", pytest.param("mssql", marks=pytest.mark.mssql)])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    (tmp_path / "orders.yaml").write_text(ORDERS, encoding="utf-8")
    (tmp_path / "orders").mkdir()
    for number in (1, 2):
        (tmp_path / "orders" / f"{number}.xml").write_text(order(number), encoding="utf-8")
    (tmp_path / "orders" / "bad.xml").write_text("<order", encoding="utf-8")
    if request.param == "sqlite":
        with closing(sqlite3.connect(tmp_path / "loaded.db", isolation_level=None)) as database:
            database.execute(f"CREATE TABLE {FOREIGN}")
            yield Target(
                ("--target", "sqlite:///loaded.db"), {}, "xml_log", lambda query: database.execute(query).fetchall()
            )
        return
    with sqlserver.scratch_schema() as tables, sqlserver.scratch_schema() as logs:
        sqlserver.administrator().execute(f"CREATE TABLE {tables}.{FOREIGN}").close()

        def fetch(query: str) -> list[tuple[object, ...]]:
            query = query.replace("FROM orders", f"FROM {tables}.orders").replace("FROM proc", f"FROM {tables}.proc")
            return [tuple(row) for row in sqlserver.administrator().execute(query).fetchall()]

        yield Target((), {"XML_EXTRACTOR_TARGET": sqlserver.in_schema(tables)}, f"{logs}.xml_log", fetch)


def test_a_log_of_another_name_is_used_beside_a_foreign_table(xml_extractor: Command, target: Target) -> None:
    options = ("--contract", "orders.yaml", *target.options)
    named = ("--log-table", target.log)
    run = ("run", *options, "--source", "orders", "--workers", "1")

    refused = xml_extractor("init", *options, **target.variables)
    assert refused.returncode == 2
    assert "the processing log, found a table of another program; name another table with --log-table" in refused.stdout
    assert "ALTER" not in refused.stdout
    refused = xml_extractor(*run, **target.variables)
    assert (refused.returncode, "a table of another program" in refused.stderr) == (3, True)

    made = xml_extractor("init", *options, *named, **target.variables)
    assert (made.returncode, made.stderr) == (0, "")
    loaded = xml_extractor(*run, *named, **target.variables)
    assert loaded.returncode == 1, loaded.stderr
    assert target.query(f"SELECT COUNT(*) FROM {target.log}") == [(3,)]
    assert target.query("SELECT COUNT(*) FROM orders") == [(2,)]
    assert target.query("SELECT COUNT(*) FROM processing_log") == [(0,)]
    for command in ("status", "rejects", "retry"):
        answer = xml_extractor(command, *options, XML_EXTRACTOR_LOG_TABLE=target.log, **target.variables)
        assert answer.returncode == 0, answer.stderr
    assert "1 document marked" in answer.stdout


@pytest.mark.parametrize("name", ["a.b.c", "[etl].[log]", "x" * 129, ".log", "my log", 'a"b'])
def test_a_name_of_the_log_that_is_none_is_refused(xml_extractor: Command, name: str) -> None:
    refused = xml_extractor("status", "--log-table", name)
    assert (refused.returncode, "NAME or SCHEMA.NAME" in refused.stderr) == (2, True)


def test_a_table_of_the_contract_is_not_the_log(xml_extractor: Command, target: Target) -> None:
    options = ("--contract", "orders.yaml", *target.options, "--log-table", "Orders")
    refused = xml_extractor("status", *options, **target.variables)
    assert (refused.returncode, "is a table of the contract" in refused.stderr) == (2, True)


def test_printing_statements_needs_no_login_and_names_the_log(xml_extractor: Command) -> None:
    server = ("--server", "no.such.host", "--log-table", "etl.xml_log", "--grant-to", "loader")
    for login in ((), ("--username", "sa")):
        printed = xml_extractor("init", "--sql", "--contract", "card_application", *server, *login)
        assert (printed.returncode, printed.stderr) == (0, "")
        assert "CREATE TABLE etl.xml_log" in printed.stdout
        assert "GRANT SELECT, INSERT, UPDATE, DELETE ON [etl].[xml_log] TO [loader]" in printed.stdout
    url = xml_extractor("init", "--sql", "--contract", "card_application", "--target", "mssql://sa@no.such.host/db")
    assert (url.returncode, url.stderr) == (0, "")
