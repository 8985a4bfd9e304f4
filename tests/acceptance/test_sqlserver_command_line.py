"""SQL Server as a user meets it at the command line: what is on the screen when something is wrong, and no secret."""

import os
import platform
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import sqlserver
from tests.acceptance.accounts import ORDERS, order, write_orders
from tests.conftest import Command, Completed, command_in
from xml_extractor.targets.sqlserver.address import SqlServerAddress, read_address

CONTRACT = ("--contract", "orders.yaml")

pytestmark = [
    pytest.mark.mssql,
]

COMMANDS = [
    ("doctor", *CONTRACT),
    ("run", *CONTRACT, "--workers", "1"),
    ("init", *CONTRACT),
    ("check", "orders.yaml"),
]
"""Commands that connect, and end with 3 when they cannot."""


@pytest.fixture(scope="module")
def address() -> SqlServerAddress:
    """The database to test in."""
    return read_address(sqlserver.server_url())


@pytest.fixture(scope="module")
def administrator() -> Iterator[Callable[[str], None]]:
    """Runs statements as the user of the tests."""
    with closing(sqlserver.session()) as connection:
        yield lambda statement: connection.execute(statement).close()


def without_secrets(completed: Completed, address: SqlServerAddress, *others: str) -> str:
    """All that is on the screen."""
    shown = completed.stdout + completed.stderr
    for secret in (address.words.get("PWD", ""), *others):
        assert not secret or secret not in shown
    return shown


def odbc(address: SqlServerAddress, words: Mapping[str, str | None]) -> str:
    """The connection string with some words replaced or left out."""
    changed = {**address.words, **words}
    kept = {word: value for word, value in changed.items() if value is not None}
    return SqlServerAddress(kept).connection_string("").replace("DRIVER=;", "")


class Fault(NamedTuple):
    """What is wrong with an address, and what is said: one of these explanations, and the tip."""

    words: Mapping[str, str | None]
    explanations: tuple[str, ...]
    tip: str


FAULTS = {
    "wrong password": Fault({"PWD": "hunter2"}, ("the server refuses the login",), "check user and password"),
    "unknown user": Fault({"UID": "nobody_of_this_name"}, ("the server refuses the login",), "check user and password"),
    "unknown database": Fault(
        {"DATABASE": "no_such_database"},
        ("the database does not exist", "the database cannot be opened"),
        "",
    ),
    "untrusted certificate": Fault(
        {"TRUSTSERVERCERTIFICATE": "no", "ENCRYPT": "yes"},
        ("this machine does not trust its certificate", "the server does not encrypt connections"),
        "where the network is trusted, add ",
    ),
    "unknown driver": Fault(
        {"DRIVER": "no such driver"},
        (
            "the ODBC driver, or a library that it needs, cannot be loaded",
            "this machine has no ODBC data source (DSN) or driver with this name",
        ),
        "",
    ),
    "unknown data source": Fault(
        {"DSN": "no_such_source", "DRIVER": None, "SERVER": None},
        ("this machine has no ODBC data source (DSN) or driver with this name",),
        "odbc.ini",
    ),
    "wrong value of a keyword": Fault(
        {"ENCRYPT": "perhaps"}, ("a keyword of its address has an invalid value",), "Encrypt"
    ),
}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("name", FAULTS)
def test_what_is_wrong_is_one_line_with_a_tip_and_exit_code_3(
    name: str, command: tuple[str, ...], address: SqlServerAddress, xml_extractor: Command, tmp_path: Path
) -> None:
    write_orders(tmp_path, 0)
    fault = FAULTS[name]
    completed = xml_extractor(*command, XML_EXTRACTOR_ODBC=odbc(address, fault.words))
    shown = without_secrets(completed, address, "hunter2")
    assert completed.returncode == 3, shown
    (line,) = [line for line in shown.splitlines() if "mssql://" in line and "cannot be " in line]
    assert any(explanation in line for explanation in fault.explanations), line
    assert fault.tip in shown


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_server_that_is_not_there_ends_the_command_in_bounded_time(
    command: tuple[str, ...], address: SqlServerAddress, xml_extractor: Command, tmp_path: Path
) -> None:
    write_orders(tmp_path, 0)
    completed = xml_extractor(*command, XML_EXTRACTOR_ODBC=odbc(address, {"SERVER": "127.0.0.1,1"}))
    shown = without_secrets(completed, address)
    assert completed.returncode == 3, shown
    assert "mssql://127.0.0.1:1/" in shown
    assert "the server cannot be reached" in shown or "the server did not answer in time" in shown


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_password_on_the_command_line_is_refused_before_anything_is_connected(
    command: tuple[str, ...], address: SqlServerAddress, xml_extractor: Command
) -> None:
    for arguments in (("--odbc", odbc(address, {})), ("--target", address.address)):
        completed = xml_extractor(*command, *arguments)
        assert completed.returncode == 2
        assert completed.stderr.startswith(f"Error: {arguments[0]} contains a password")
        without_secrets(completed, address)


def test_a_library_that_the_package_brings_and_a_password_in_a_file_connect_to_a_server_named_by_its_parts(
    address: SqlServerAddress, tmp_path: Path
) -> None:
    library = Path(address.words.get("DRIVER", ""))
    if platform.system() != "Linux" or not library.is_file() or library.parent.name != "lib":
        pytest.skip("the tests' address names no library of a driver")
    for kind in ("debian_ubuntu", "rhel", "suse", "alpine"):
        for machine in ("x86_64", "arm64"):
            where = tmp_path / "library" / "mssql_python_odbc" / "libs" / "linux" / kind
            where.mkdir(parents=True, exist_ok=True)
            (where / machine).symlink_to(library.parent.parent)
    (tmp_path / "library" / "mssql_python_odbc" / "__init__.py").touch()
    (tmp_path / "password").write_text(address.words["PWD"] + "\n")
    (tmp_path / "password").chmod(0o600)
    write_orders(tmp_path, 0)
    path = os.pathsep.join([str(tmp_path / "library"), *filter(None, [os.environ.get("PYTHONPATH")])])
    parts = ("--server", address.words["SERVER"], "--database", address.words["DATABASE"])
    login = ("--username", address.words["UID"], "--password-file", "password")
    xml_extractor = command_in(["-m", "xml_extractor"], tmp_path)  # another process, which searches another path
    completed = xml_extractor("doctor", *CONTRACT, *parts, *login, "--trust-certificate", PYTHONPATH=path)
    shown = without_secrets(completed, address)
    if "the server does not encrypt connections" in shown:
        assert not sqlserver.is_sql_server()
        assert f"  ok       {tmp_path / 'library'}" in shown
        return
    assert "  ok       connected to mssql://" in shown, shown
    assert "encrypted; the server's certificate was not checked" in shown


class TestPermissions:
    @pytest.fixture
    def login(
        self, address: SqlServerAddress, administrator: Callable[[str], None]
    ) -> Iterator[tuple[SqlServerAddress, str]]:
        """A login of its own that may nothing yet, and the name of a schema for it."""
        name, password = f"test_{secrets.token_hex(6)}", f"Aa1}};{secrets.token_hex(12)}"
        administrator(f"CREATE LOGIN {name} WITH PASSWORD = N'{password}'")
        try:
            administrator(f"CREATE USER {name} FOR LOGIN {name}")
            administrator(f"CREATE SCHEMA {name}")
            yield address.with_words({"UID": name, "PWD": password}).with_schema(name), name
        finally:
            with closing(sqlserver.session()) as connection:
                sqlserver.drop_schema(connection, name)
            administrator(f"DROP USER {name}")
            administrator(f"DROP LOGIN {name}")

    def test_the_script_of_init_gives_a_user_what_doctor_finds_missing(
        self,
        login: tuple[SqlServerAddress, str],
        administrator: Callable[[str], None],
        xml_extractor: Command,
        tmp_path: Path,
    ) -> None:
        address, name = login
        write_orders(tmp_path, 0)
        administrator(f"CREATE TABLE {name}.app_xml (app_id int NOT NULL PRIMARY KEY, xml nvarchar(max))")
        administrator(f"INSERT INTO {name}.app_xml VALUES (1, N'{order(1)}')")

        def doctor() -> Completed:
            completed = xml_extractor("doctor", *CONTRACT, XML_EXTRACTOR_TARGET=address.address)
            without_secrets(completed, address)
            return completed

        nothing = doctor()
        assert nothing.returncode == 3
        absent = "does not exist, or this user has no permission on it"
        assert f"  missing  [{name}].[processing_log] {absent}" in nothing.stdout

        def run_script(*options: str) -> None:
            script = xml_extractor("init", "--sql", *CONTRACT, *options, XML_EXTRACTOR_TARGET=address.address)
            assert script.returncode == 0, script.stderr
            without_secrets(script, address)
            for batch in script.stdout.split("\nGO\n"):
                if batch.strip():
                    administrator(batch)

        run_script()
        no_permission = doctor()
        assert no_permission.returncode == 3
        for table in ("processing_log", "orders", "line"):
            # A server may hide tables on which a user has no permission.
            lacks = f"  failed   [{name}].[{table}]: this user lacks SELECT, INSERT"
            assert lacks in no_permission.stdout or f"  missing  [{name}].[{table}] {absent}" in no_permission.stdout

        refused = xml_extractor("run", *CONTRACT, "--workers", "1", XML_EXTRACTOR_TARGET=address.address)
        assert refused.returncode == 3
        message, hint = without_secrets(refused, address).splitlines()
        assert message.startswith("Error: ")
        assert address.name in message
        assert hint.startswith("Hint: ")

        run_script("--grant-to", name)
        in_order = doctor()
        assert in_order.returncode == 0, in_order.stdout
        for line in (f"[{name}].[line]: SELECT, INSERT", f"[{name}].[app_xml]: SELECT", f"user {name} in database"):
            assert line in in_order.stdout
        (tmp_path / "one_table.yaml").write_text(ORDERS.partition("  line:\n")[0], encoding="utf-8")
        options = ("--contract", "one_table.yaml", "--workers", "1")
        loaded = xml_extractor("run", *options, XML_EXTRACTOR_TARGET=address.address)
        assert loaded.returncode == 0, loaded.stderr
        assert "1 in = 1 loaded" in without_secrets(loaded, address)
