"""Two logins on one database, as the guide to permissions recommends: one only reads documents, one only loads rows."""

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import sqlserver
from tests.acceptance.accounts import ORDERS, order, summed, write_orders
from tests.conftest import Command, Completed
from xml_extractor.targets.sqlserver.address import SqlServerAddress, read_address

pytestmark = pytest.mark.mssql

CONTRACT = ("--contract", "orders.yaml")
DOCUMENTS = 5


class Login(NamedTuple):
    """A login whose user has a schema of the same name as its default."""

    name: str
    address: SqlServerAddress


class Logins(NamedTuple):
    """The table of documents is in the default schema of the reader, all others are in that of the writer."""

    reader: Login
    writer: Login
    variables: dict[str, str]


def execute(statement: str) -> None:
    sqlserver.administrator().execute(statement).close()


@contextmanager
def new_login() -> Iterator[Login]:
    name, password = f"test_{secrets.token_hex(6)}", f"Aa1;{secrets.token_hex(12)}"
    execute(f"CREATE LOGIN {name} WITH PASSWORD = N'{password}'")
    execute(f"CREATE SCHEMA {name}")
    try:
        execute(f"CREATE USER {name} FOR LOGIN {name} WITH DEFAULT_SCHEMA = {name}")
        yield Login(name, read_address(sqlserver.server_url()).with_words({"UID": name, "PWD": password}))
    finally:
        with closing(sqlserver.session()) as session:
            sqlserver.drop_schema(session, name)
        execute(f"DROP USER {name}")
        execute(f"DROP LOGIN {name}")


@pytest.fixture
def logins(tmp_path: Path, xml_extractor: Command) -> Iterator[Logins]:
    write_orders(tmp_path, 0)
    if not sqlserver.is_sql_server():
        # Other servers may ask for more permissions to check a foreign key.
        (tmp_path / "orders.yaml").write_text(ORDERS.partition("  line:\n")[0], encoding="utf-8")
    with ExitStack() as both:
        reader, writer = both.enter_context(new_login()), both.enter_context(new_login())
        execute(f"CREATE TABLE {reader.name}.app_xml (app_id int NOT NULL PRIMARY KEY, xml nvarchar(max))")
        for number in range(1, DOCUMENTS + 1):
            execute(f"INSERT INTO {reader.name}.app_xml VALUES ({number}, N'{order(number)}')")
        execute(f"GRANT SELECT ON {reader.name}.app_xml TO {reader.name}")
        named = writer.address.with_schema(writer.name).address
        script = xml_extractor("init", "--sql", *CONTRACT, "--grant-to", writer.name, XML_EXTRACTOR_TARGET=named)
        assert script.returncode == 0, script.stderr
        for batch in filter(str.strip, script.stdout.split("\nGO\n")):
            execute(batch)
        addresses = {"XML_EXTRACTOR_SOURCE": reader.address.address, "XML_EXTRACTOR_TARGET": writer.address.address}
        yield Logins(reader, writer, addresses)


def refused(login: Login, table: str) -> bool:
    """Whether a login may not read a table."""
    import pyodbc

    from xml_extractor.targets.sqlserver.connection import open_session

    with closing(open_session(login.address)) as session:
        try:
            session.execute(f"SELECT COUNT(*) FROM {table}").close()
        except pyodbc.Error:
            return True
    return False


def test_a_night_with_two_logins_on_one_database(xml_extractor: Command, logins: Logins) -> None:
    reader, writer, variables = logins
    log = f"{writer.name}.processing_log"
    assert refused(reader, log)
    assert refused(writer, f"{reader.name}.app_xml")

    def command(name: str, *options: str) -> Completed:
        return xml_extractor(name, *CONTRACT, *options, **variables)

    def run(*options: str) -> Completed:
        return command("run", "--workers", "1", *options)

    assert command("doctor").returncode == 0
    execute(f"UPDATE {reader.name}.app_xml SET xml = N'<order' WHERE app_id = 3")
    first = run()
    assert first.returncode == 1, first.stderr
    assert summed(first.stdout)[:4] == (DOCUMENTS, DOCUMENTS - 1, 1, 0)
    assert "`xml-extractor rejects` lists what was rejected and why" in first.stdout

    again = run("--ignore-earlier-rejects")
    assert (again.returncode, summed(again.stdout)[:4]) == (0, (DOCUMENTS, 0, 0, DOCUMENTS)), again.stderr

    execute(f"UPDATE {reader.name}.app_xml SET xml = N'{order(3)}' WHERE app_id = 3")
    assert "3" in command("rejects").stdout
    assert "1 document marked" in command("retry").stdout
    last = run()
    assert (last.returncode, summed(last.stdout)[:4]) == (0, (DOCUMENTS, 1, 0, DOCUMENTS - 1)), last.stderr
    count: Callable[[str], object] = lambda table: (  # noqa: E731
        sqlserver.administrator().execute(f"SELECT COUNT(*) FROM {writer.name}.{table}").fetchval()
    )
    assert (count("orders"), count("processing_log")) == (DOCUMENTS, DOCUMENTS)


def test_statements_about_the_log_name_its_schema(
    logins: Logins, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from xml_extractor.contract.reading import read_contract
    from xml_extractor.processing_log.log import ProcessingLog
    from xml_extractor.processing_log.log_table import RejectSelection
    from xml_extractor.targets.registry import open_target
    from xml_extractor.targets.sqlserver.connection import SqlServerConnection

    statements: list[str] = []
    query, execute_one = SqlServerConnection.query, SqlServerConnection.results

    def watched_query(connection: SqlServerConnection, statement: str, *others: object) -> object:
        statements.append(statement)
        return query(connection, statement, *others)  # type: ignore[arg-type]

    def watched_results(connection: SqlServerConnection, statement: str, *others: object) -> object:
        statements.append(statement)
        return execute_one(connection, statement, *others)  # type: ignore[arg-type]

    target = open_target(logins.writer.address.address, read_contract(str(tmp_path / "orders.yaml")))
    with closing(target.connect()) as connection:
        monkeypatch.setattr(SqlServerConnection, "query", watched_query)
        monkeypatch.setattr(SqlServerConnection, "results", watched_results)
        log = ProcessingLog(connection)
        log.counts("orders")
        log.retry(RejectSelection("orders", ("1",)), 5)
        log.done("orders", ["1", "a\\b"])
        list(log.read())
    about_log = [statement for statement in statements if "processing_log" in statement]
    assert len(about_log) == len(statements) >= 6
    qualified = re.compile(rf"\[{logins.writer.name}\]\.\[processing_log\]")
    assert all(qualified.search(statement) for statement in about_log)
