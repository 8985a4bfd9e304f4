"""Addresses of SQL Servers: what ODBC gets for them, and that no secret is shown."""

import copy
import pickle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from xml_extractor.errors import UsageError
from xml_extractor.targets.sqlserver.address import (
    ODBC,
    SqlServerAddress,
    read_address,
    read_connection_string,
    read_odbc,
    server_address,
)
from xml_extractor.urls import URL, parse_url

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.text("{};=@%:/+ é中😀", max_size=12)
DRIVER = "ODBC Driver 18 for SQL Server"


def of_url(address: str) -> SqlServerAddress:
    return read_address(parse_url(address))


@pytest.mark.parametrize("scheme", ["mssql", "mssql+pyodbc"])
@pytest.mark.parametrize(
    ("rest", "words"),
    [
        ("host/db", {"SERVER": "host", "DATABASE": "db", "TRUSTED_CONNECTION": "yes"}),
        ("host", {"SERVER": "host", "TRUSTED_CONNECTION": "yes"}),
        ("user@host:1444/db", {"SERVER": "host,1444", "DATABASE": "db", "UID": "user"}),
        ("user:p%40%3B%7D%25@host/db", {"SERVER": "host", "DATABASE": "db", "UID": "user", "PWD": "p@;}%"}),
        ("user:@host/db", {"SERVER": "host", "DATABASE": "db", "UID": "user", "PWD": ""}),
        ("user@HOST\\SALES/db", {"SERVER": "HOST\\SALES", "DATABASE": "db", "UID": "user"}),
        ("user@[::1]:1444/db", {"SERVER": "::1,1444", "DATABASE": "db", "UID": "user"}),
        ("user@host,1444/db", {"SERVER": "host,1444", "DATABASE": "db", "UID": "user"}),
        ("?dsn=warehouse", {"DSN": "warehouse"}),
        ("host/db?Trusted_Connection=no", {"SERVER": "host", "DATABASE": "db", "TRUSTED_CONNECTION": "no"}),
        (
            "host/db?Authentication=ActiveDirectoryMsi&UID=client",
            {"SERVER": "host", "DATABASE": "db", "AUTHENTICATION": "ActiveDirectoryMsi", "UID": "client"},
        ),
        (
            "host/db?driver={ODBC+Driver+17+for+SQL+Server}&encrypt=no&SOMETHING=new&something_else=1%2C2",
            {
                "SERVER": "host",
                "DATABASE": "db",
                "TRUSTED_CONNECTION": "yes",
                "DRIVER": "ODBC Driver 17 for SQL Server",
                "ENCRYPT": "no",
                "SOMETHING": "new",
                "SOMETHING_ELSE": "1,2",
            },
        ),
        ("/?odbc_connect=SERVER%3Dtcp%3Ahost%2C1%3BPWD%3D%7Ba%2B%2541%7D", {"SERVER": "tcp:host,1", "PWD": "a+%41"}),
    ],
)
def test_a_url_becomes_keywords_of_odbc(scheme: str, rest: str, words: dict[str, str]) -> None:
    assert of_url(f"{scheme}://{rest}").words == words


@pytest.mark.parametrize(
    ("server", "word", "name"),
    [
        ("host", "host", "host"),
        ("host,1433", "host,1433", "host:1433"),
        ("host, 1433", "host,1433", "host:1433"),
        ("host:1433", "host,1433", "host:1433"),
        ("HOST\\SALES", "HOST\\SALES", "HOST\\SALES"),
        ("tcp:host,1433", "tcp:host,1433", "host:1433"),
        ("tcp:host:1433", "tcp:host,1433", "host:1433"),
        ("np:\\\\host\\pipe\\sql\\query", "np:\\\\host\\pipe\\sql\\query", "np:\\\\host\\pipe\\sql\\query"),
        ("(localdb)\\MSSQLLocalDB", "(localdb)\\MSSQLLocalDB", "(localdb)\\MSSQLLocalDB"),
        ("::1", "::1", "[::1]"),
        ("[::1]:1433", "::1,1433", "[::1]:1433"),
        ("[2001:db8::7]", "2001:db8::7", "[2001:db8::7]"),
        ("fe80::1%eth0,1433", "fe80::1%eth0,1433", "[fe80::1%eth0]:1433"),
    ],
)
def test_a_server_is_written_as_the_driver_wants_it(server: str, word: str, name: str) -> None:
    address = server_address(server, "db", "user")
    assert address.words == {"SERVER": word, "DATABASE": "db", "UID": "user"}
    assert address.name == f"mssql://{name}/db"
    assert read_odbc(f"SERVER={{{server}}}").words["SERVER"] == word


@pytest.mark.parametrize(
    "server", ["user:hunter2@host", "http://hunter2", "host;PWD=hunter2", "host:hunter2", "a hunter2", "host,hunter2"]
)
def test_what_is_no_server_is_refused_without_repeating_it(server: str) -> None:
    with pytest.raises(UsageError, match="the name of the server is not valid") as refused:
        server_address(server)
    assert "hunter2" not in refused.value.message + refused.value.tip


def test_a_server_without_a_user_name_is_logged_in_to_by_the_operating_system() -> None:
    assert server_address("host").words == {"SERVER": "host", "TRUSTED_CONNECTION": "yes"}


@given(password=TEXT, user=TEXT.filter(bool), database=TEXT, schema=TEXT)
@example(password="}a;b{=%@é", user="{", database="a b", schema="o'hara")
@example(password="+ %41%", user="x", database="", schema="")
def test_a_password_survives_from_the_address_to_odbc(password: str, user: str, database: str, schema: str) -> None:
    given_as_url = URL("mssql", user, password, "host", 1433, database, {"schema": schema} if schema else {})
    for address in (
        of_url(given_as_url.render_as_string(hide_password=False)),
        server_address("host:1433", database, user).with_words({"PWD": password}).with_schema(schema),
    ):
        again = of_url(address.address)
        assert again == address
        assert again.schema == schema
        words = read_connection_string(again.connection_string(DRIVER))
        assert words.pop("DATABASE", "") == database
        assert words == {
            "SERVER": "host,1433",
            "UID": user,
            "PWD": password,
            "DRIVER": DRIVER,
            "ENCRYPT": "yes",
            "APP": "xml_extractor",
        }


def test_connections_are_encrypted_unless_the_address_says_otherwise() -> None:
    assert read_connection_string(of_url("mssql://host/db").connection_string(DRIVER))["ENCRYPT"] == "yes"
    assert (
        read_connection_string(of_url("mssql://host/db?Encrypt=strict").connection_string(DRIVER))["ENCRYPT"]
        == "strict"
    )
    assert read_connection_string(read_odbc("DSN=warehouse").connection_string(DRIVER)) == {
        "ENCRYPT": "yes",
        "APP": "xml_extractor",
        "DSN": "warehouse",
    }


def test_a_driver_of_the_address_goes_before_the_one_that_was_found() -> None:
    assert read_connection_string(read_odbc("DRIVER={A B};SERVER=h").connection_string(DRIVER))["DRIVER"] == "A B"


@pytest.mark.parametrize(
    "address",
    [
        of_url("mssql://user:hunter2@host/db"),
        of_url("mssql://host/db?PWD=hunter2&UID=user"),
        read_odbc("SERVER=host;DATABASE=db;UID=user;PWD=hunter2"),
        server_address("host", "db", "user").with_words({"PWD": "hunter2"}),
    ],
)
def test_neither_name_nor_repr_show_a_password(address: SqlServerAddress) -> None:
    assert address.name == "mssql://host/db"
    assert repr(address) == str(address) == "SqlServerAddress('mssql://host/db')"
    assert address.has_secret
    assert pickle.loads(pickle.dumps(address)) == copy.copy(address) == address


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("mssql://", "the address names no server"),
        ("mssql://user:hunter2@/db", "the address names no server"),
        ("mssql:///?odbc_connect=DATABASE%3Dhunter2", "the address names no server"),
        ("mssql:///?odbc_connect=hunter2", "the ODBC connection string cannot be read: character 1 of"),
        ("mssql://host?odbc_connect=SERVER%3Dhunter2", "the address has a host besides odbc_connect"),
        ("mssql://host/db?password=hunter2", "PASSWORD is not a keyword of ODBC connection strings"),
        (
            "mssql:///?odbc_connect=SERVER%3Dh%3BUser+Id%3Dhunter2",
            "USER ID is not a keyword of ODBC connection strings",
        ),
        ("mssql://host/db?TrustServerCertificat=hunter2", "a keyword of the ODBC connection string is misspelt"),
        ("mssql:///?odbc_connect=SERVER%3Da%40hunter2", "the name of the server is not valid"),
    ],
)
def test_what_is_wrong_with_an_address_is_said_without_repeating_it(address: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        of_url(address)
    assert refused.value.message.startswith(message)
    assert refused.value.tip
    assert "hunter2" not in refused.value.message + refused.value.tip
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@pytest.mark.parametrize(
    ("connection_string", "takes", "lacks"),
    [
        ("SERVER=h;UID=u", True, True),
        ("SERVER=h;UID=u;PWD=x", False, False),
        ("SERVER=h;UID=u;PWD=", False, False),
        ("SERVER=h;Trusted_Connection=yes", False, False),
        ("SERVER=h;UID=u;Trusted_Connection=Yes", False, False),
        ("SERVER=h;UID=client;Authentication=ActiveDirectoryMsi", False, False),
        ("SERVER=h;UID=app;Authentication=ActiveDirectoryServicePrincipal", True, True),
        ("DSN=d;UID=u", True, False),
        ("DSN=d", False, False),
    ],
)
def test_a_user_name_without_a_password_wants_one(connection_string: str, *, takes: bool, lacks: bool) -> None:
    address = read_odbc(connection_string)
    assert (address.takes_password, address.lacks_password) == (takes, lacks)


def test_logins_are_the_same_where_server_and_user_name_are() -> None:
    address = server_address("Host:1433", "db", "user")
    assert address.has_same_login(read_odbc("SERVER=host,1433;UID=user;DATABASE=other"))
    assert not address.has_same_login(read_odbc("SERVER=host,1434;UID=user"))
    assert not address.has_same_login(read_odbc("SERVER=host,1433;UID=User"))


def test_an_odbc_connection_string_is_an_address() -> None:
    assert read_address(URL("mssql+pyodbc", query={ODBC: "SERVER=h;PWD={a;b}"})).words == {"SERVER": "h", "PWD": "a;b"}
