"""However a database is named, the run gets one address for it, and no password comes from the command line."""

import os
import stat
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from xml_extractor.cli.addresses import PREFIX, shown_address
from xml_extractor.cli.options import (
    DESTINATION_OPTIONS,
    SOURCE_PASSWORD_OPTION,
    added,
    with_destination,
    with_documents,
)
from xml_extractor.cli.run_options import config_option, run_options, setting_names
from xml_extractor.errors import UsageError
from xml_extractor.settings import DEFAULT_TARGET
from xml_extractor.targets.sqlserver.address import read_address
from xml_extractor.urls import parse_url

SECRET = "hunter2"
LOGIN = {"SERVER": "host", "DATABASE": "db", "UID": "user"}


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty directory, with no settings of this machine."""
    monkeypatch.chdir(tmp_path)
    for variable in os.environ:
        if variable.startswith(PREFIX):
            monkeypatch.delenv(variable)


class Called:
    """What a command with these options is called by."""

    def __init__(self) -> None:
        self.by: dict[str, Any] = {}

        @click.command
        @config_option
        @run_options
        def run(**options: Any) -> None:
            self.by = options

        @click.command
        @added(*DESTINATION_OPTIONS)
        @with_destination
        def sample(**options: Any) -> None:
            self.by = options

        @click.command
        @config_option
        @click.argument("source")
        @SOURCE_PASSWORD_OPTION
        @with_documents
        def preview(**options: Any) -> None:
            self.by = options

        self._commands = {"run": run, "sample": sample, "preview": preview}

    def result(self, *arguments: str, command: str = "run", **variables: str) -> Result:
        variables = {"CONTRACT": "card_application"} | variables
        environment = {f"{PREFIX}{name}": value for name, value in variables.items()}
        return CliRunner().invoke(self._commands[command], arguments, env=environment)

    def with_(self, *arguments: str, command: str = "run", **variables: str) -> dict[str, Any]:
        result = self.result(*arguments, command=command, **variables)
        assert result.exit_code == 0, result.exception or result.output
        return self.by

    def target(self, *arguments: str, **variables: str) -> dict[str, str]:
        return words(self.with_(*arguments, **variables)["target"])

    def source(self, *arguments: str, **variables: str) -> dict[str, str]:
        return words(self.with_(*arguments, **variables)["source"])

    def refused(self, *arguments: str, command: str = "run", **variables: str) -> UsageError:
        error = self.result(*arguments, command=command, **variables).exception
        assert isinstance(error, UsageError)
        assert error.tip
        assert SECRET not in error.message + error.tip
        return error


@pytest.fixture
def called() -> Called:
    """Call commands."""
    return Called()


def words(address: str) -> dict[str, str]:
    return dict(read_address(parse_url(address)).words)


def config(text: str) -> None:
    Path("xml_extractor.toml").write_text(text, encoding="utf-8")


def password_file(content: str | bytes, mode: int = 0o600) -> str:
    path = Path("password")
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return str(path)


SERVER = ("--server", "host", "--database", "db", "--username", "user")


class TestTarget:
    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            (SERVER, {**LOGIN, "PWD": SECRET}),
            (("--server", "host:1444", "--username", "user"), {"SERVER": "host,1444", "UID": "user", "PWD": SECRET}),
            (("--server", "HOST\\SALES", "--trusted"), {"SERVER": "HOST\\SALES", "TRUSTED_CONNECTION": "yes"}),
            (("--target", "mssql://user@host/db"), {**LOGIN, "PWD": SECRET}),
            (("--target", "mssql+pyodbc://user@host/db?Encrypt=strict"), {**LOGIN, "ENCRYPT": "strict", "PWD": SECRET}),
            (("--odbc", "Server=host;Database=db;UID=user"), {**LOGIN, "PWD": SECRET}),
            (("--odbc", "DSN=warehouse"), {"DSN": "warehouse"}),
            (("--odbc", "DSN=warehouse;UID=user"), {"DSN": "warehouse", "UID": "user", "PWD": SECRET}),
            (
                ("--target", "mssql://client@host/db?Authentication=ActiveDirectoryMsi"),
                {"AUTHENTICATION": "ActiveDirectoryMsi", "SERVER": "host", "DATABASE": "db", "UID": "client"},
            ),
            ((*SERVER, "--trust-certificate"), {**LOGIN, "TRUSTSERVERCERTIFICATE": "yes", "PWD": SECRET}),
        ],
    )
    def test_each_form_becomes_one_address(
        self, arguments: tuple[str, ...], expected: dict[str, str], called: Called
    ) -> None:
        assert called.target(*arguments, PASSWORD=SECRET) == expected

    def test_a_schema_is_a_part_of_the_address(self, called: Called) -> None:
        for arguments in (SERVER, ("--target", "mssql://user@host/db?schema=other")):
            target = called.with_(*arguments, "--schema", "o'hara", PASSWORD=SECRET)["target"]
            assert read_address(parse_url(target)).schema == "o'hara"
        target = called.with_("--target", "mssql://host/db?schema=etl")["target"]
        assert read_address(parse_url(target)).schema == "etl"

    def test_without_any_the_embedded_database_serves(self, called: Called) -> None:
        assert called.with_()["target"] == DEFAULT_TARGET
        assert called.with_("--target", "sqlite:///x.db")["target"] == "sqlite:///x.db"

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("server", "host"),
            ("odbc", "SERVER=host"),
            ("database", "db"),
            ("username", "user"),
            ("trusted", "true"),
            ("schema", "etl"),
            ("trust_certificate", "true"),
            ("password_file", "password"),
        ],
    )
    def test_each_option_is_a_variable_and_a_key_too(self, name: str, value: str, called: Called) -> None:
        assert name in setting_names()
        password_file(SECRET)
        base = {"server": "host", "username": "user", "password_file": "password"}
        base = (
            {"odbc": value} if name == "odbc" else {"server": "host", "trusted": "true"} if name == "trusted" else base
        )
        variables = {key.upper(): text for key, text in {**base, name: value}.items()}
        by_variables = called.with_(**variables)["target"]
        config("".join(f"{key} = '{text}'\n" for key, text in {**base, name: value}.items()))
        assert called.with_()["target"] == by_variables

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--target", "sqlite:///x.db", "--server", "h"), "--target and --server exclude each other"),
            (("--server", "h", "--odbc", "SERVER=h"), "--server and --odbc exclude each other"),
            (("--server", "h", "--username", "u", "--trusted"), "--username and --trusted exclude each other"),
            (("--server", "h"), "--server requires --username or --trusted"),
            (("--database", "d"), "--database requires --server"),
            (("--odbc", "SERVER=h;UID=u", "--username", "u"), "--username requires --server"),
            (("--target", "mssql://u@h/d", "--trusted"), "--trusted requires --server"),
            (("--schema", "s"), "--schema requires --server, --odbc or a mssql:// address"),
            (
                ("--target", "sqlite:///x.db", "--trust-certificate"),
                "--trust-certificate requires --server, --odbc or a mssql:// address",
            ),
            (("--server", "mssql://u:hunter2@h/d", "--trusted"), "the name of the server is not valid"),
            (("--odbc", "hunter2"), "the ODBC connection string cannot be read: character 1"),
            (("--target", "mssql://host/db?User%20ID=hunter2"), "USER ID is not a keyword of ODBC connection strings"),
        ],
    )
    def test_options_that_do_not_go_together_are_refused(
        self, arguments: tuple[str, ...], message: str, called: Called
    ) -> None:
        assert called.refused(*arguments, PASSWORD=SECRET).message.startswith(message)

    def test_the_tip_says_where_what_is_too_much_comes_from(self, called: Called) -> None:
        assert called.refused("--server", "h", "--odbc", "x").tip == "remove --odbc"
        assert called.refused(SERVER="h", ODBC="x").tip == f"unset the environment variable {PREFIX}ODBC"
        config("server = 'h'\ntarget = 'sqlite:///x.db'\n")
        assert called.refused().tip == "remove the key server from the configuration file"

    def test_the_command_line_goes_before_the_environment_and_that_before_the_file(self, called: Called) -> None:
        config("server = 'from.file'\ndatabase = 'db'\nusername = 'user'\nschema = 'etl'\n")
        assert called.target(PASSWORD=SECRET)["SERVER"] == "from.file"
        by_environment = called.target(SERVER="from.environment", PASSWORD=SECRET)
        assert by_environment == {**LOGIN, "SERVER": "from.environment", "PWD": SECRET}
        assert called.target("--odbc", "DSN=x", SERVER="from.environment") == {"DSN": "x"}
        assert called.target("--trusted")["TRUSTED_CONNECTION"] == "yes"
        assert called.with_("--target", "sqlite:///x.db", SERVER="h")["target"] == "sqlite:///x.db"


class TestPasswords:
    @pytest.mark.parametrize(
        "arguments",
        [
            ("--target", f"mssql://user:{SECRET}@host/db"),
            ("--target", f"mssql://user@host/db?PWD={SECRET}"),
            ("--target", f"mssql://?odbc_connect=SERVER%3Dh%3BPWD%3D{SECRET}"),
            ("--odbc", f"SERVER=h;UID=u;PWD={{{SECRET}}}"),
            ("--odbc", f"SERVER=h;KeystoreSecret={SECRET}"),
            ("--source", f"mssql://user:{SECRET}@host/db"),
            ("--source-odbc", f"SERVER=h;UID=u;PWD={SECRET}"),
        ],
    )
    def test_one_on_the_command_line_is_refused_and_accepted_from_elsewhere(
        self, arguments: tuple[str, str], called: Called
    ) -> None:
        flag, value = arguments
        refused = called.refused(*arguments)
        assert refused.message.startswith(f"{flag} contains a password")
        variable = "XML_EXTRACTOR_SOURCE_PASSWORD" if flag.startswith("--source") else "XML_EXTRACTOR_PASSWORD"
        assert f"set {variable}, or give --" in refused.tip
        name = flag.removeprefix("--").replace("-", "_")
        by_environment = called.with_(**{name.upper(): value})
        config(f"{name} = '{value}'\n")
        assert called.with_() == by_environment
        assert any(SECRET in by_environment[role] for role in ("source", "target"))

    def test_there_is_no_option_for_one(self, called: Called) -> None:
        result = called.result("--password", SECRET)
        assert result.exit_code == 2
        assert "No such option" in result.output
        assert SECRET not in result.output
        config(f"password = '{SECRET}'\n")
        assert called.refused().tip == "did you mean password_file?"

    def test_one_in_the_address_is_not_replaced(self, called: Called) -> None:
        config("target = 'mssql://user:own@host/db'\n")
        assert called.target(PASSWORD=SECRET)["PWD"] == "own"
        config("target = 'mssql://user:@host/db'\n")
        assert called.target(PASSWORD=SECRET)["PWD"] == ""

    @pytest.mark.parametrize(
        ("content", "password"),
        [
            ("s3cret", "s3cret"),
            ("s3cret\nnext line\n", "s3cret"),
            ("s3cret\r\n", "s3cret"),
            (" with spaces \n", " with spaces "),
            ("\ufeffs3cret\n", "s3cret"),
            ("}a;b{=%@é中😀\n", "}a;b{=%@é中😀"),
        ],
    )
    def test_the_first_line_of_a_file_is_one(self, content: str, password: str, called: Called) -> None:
        path = password_file(content)
        assert called.target(*SERVER, "--password-file", path)["PWD"] == password
        assert called.target(*SERVER, PASSWORD=password)["PWD"] == password

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("", "the first line of the password file password is empty"),
            ("\nhunter2", "the first line of the password file password is empty"),
            (b"hunter2\xff", "the password file password is not UTF-8"),
        ],
    )
    def test_a_file_without_one_is_refused(self, content: str | bytes, message: str, called: Called) -> None:
        password_file(content)
        assert called.refused(*SERVER, "--password-file", "password").message == message

    @pytest.mark.skipif(os.name != "posix", reason="other systems have other permissions")
    def test_a_file_that_all_can_read_is_used_with_a_warning(self, called: Called) -> None:
        path = password_file(SECRET, 0o640)
        assert called.result(*SERVER, "--password-file", path).stderr == ""
        Path(path).chmod(stat.S_IRUSR | stat.S_IROTH)
        result = called.result(*SERVER, "--password-file", path)
        assert result.exit_code == 0
        assert (
            result.stderr == "Warning: every user of this machine can read password; `chmod o= password` prevents it\n"
        )

    @pytest.mark.parametrize("arguments", [(), ("--server", "h", "--trusted"), ("--target", "sqlite:///a.db"), SERVER])
    def test_a_missing_file_is_refused_whatever_the_target(self, arguments: tuple[str, ...], called: Called) -> None:
        for option in ("--password-file", "--source-password-file"):
            result = called.result(*arguments, option, "absent")
            assert result.exit_code == 2
            assert "'absent' does not exist" in result.output

    def test_a_file_is_read_only_when_it_is_needed(self, called: Called) -> None:
        path = password_file(b"hunter2\xff")
        assert "PWD" not in called.target("--server", "h", "--trusted", "--password-file", path)
        called.with_("--password-file", path)

    def test_a_file_on_the_command_line_goes_before_the_variable_and_that_before_the_configuration(
        self, called: Called
    ) -> None:
        path = password_file("from file")
        assert called.target(*SERVER, "--password-file", path, PASSWORD="variable")["PWD"] == "from file"
        config(f"password_file = '{path}'\n")
        assert called.target(*SERVER, PASSWORD="variable")["PWD"] == "variable"
        assert called.target(*SERVER)["PWD"] == "from file"
        refused = called.refused(*SERVER, PASSWORD=SECRET, PASSWORD_FILE=path)
        assert refused.message == "XML_EXTRACTOR_PASSWORD and XML_EXTRACTOR_PASSWORD_FILE exclude each other"

    def test_a_user_name_without_one_is_refused_before_anything_is_connected(self, called: Called) -> None:
        refused = called.refused(*SERVER)
        assert refused.message == "no password is given for user at mssql://host/db"
        assert refused.tip == "set XML_EXTRACTOR_PASSWORD, or give --password-file"

    def test_one_that_is_not_utf_8_is_refused(self, called: Called) -> None:
        refused = called.refused(*SERVER, PASSWORD="hunter2\udcff")
        assert refused.message == "the value of XML_EXTRACTOR_PASSWORD is not UTF-8"


class TestSource:
    def test_it_is_the_target_unless_it_is_said(self, called: Called) -> None:
        addresses = called.with_(*SERVER, "--schema", "etl", PASSWORD=SECRET)
        assert addresses["source"] == addresses["target"]
        assert called.with_("--source", "a/*.xml")["source"] == "a/*.xml"
        assert called.with_("--source", "sqlite:///x.db")["source"] == "sqlite:///x.db"

    @pytest.mark.parametrize(
        "form", [("--source", "mssql://reader@other/in"), ("--source-odbc", "SERVER=other;UID=reader")]
    )
    def test_it_may_be_another_server_with_a_password_of_its_own(self, form: tuple[str, str], called: Called) -> None:
        variables = {"PASSWORD": "of target", "SOURCE_PASSWORD": "of source"}
        source = called.source(*SERVER, *form, **variables)
        assert (source["SERVER"], source["UID"], source["PWD"]) == ("other", "reader", "of source")
        assert called.target(*SERVER, *form, **variables)["PWD"] == "of target"
        path = password_file("of file")
        assert called.source(*form, "--source-password-file", path)["PWD"] == "of file"

    def test_the_password_of_the_target_serves_only_the_same_login(self, called: Called) -> None:
        for same in ("mssql://user@host/other", "mssql://user@HOST/other"):
            assert called.source(*SERVER, "--source", same, PASSWORD=SECRET)["PWD"] == SECRET
        for other in ("mssql://user@elsewhere/db", "mssql://reader@host/db", "mssql://user@host:1444/db"):
            refused = called.refused(*SERVER, "--source", other, PASSWORD=SECRET)
            assert refused.message.startswith("no password is given for ")
            assert refused.tip == "set XML_EXTRACTOR_SOURCE_PASSWORD, or give --source-password-file"
        called.refused("--source", "mssql://user@host/db", PASSWORD=SECRET)
        own = called.source(*SERVER, "--source", "mssql://user@host/db", PASSWORD=SECRET, SOURCE_PASSWORD="own")
        assert own["PWD"] == "own"

    def test_only_one_form_may_be_given(self, called: Called) -> None:
        refused = called.refused("--source", "x", "--source-odbc", "DSN=x")
        assert refused.message == "--source and --source-odbc exclude each other"

    def test_an_argument_is_treated_as_the_option_is(self, called: Called) -> None:
        def preview(address: str, **variables: str) -> dict[str, str]:
            return words(called.with_(address, command="preview", **variables)["source"])

        assert preview("mssql://user@host/db", SOURCE_PASSWORD=SECRET) == {**LOGIN, "PWD": SECRET}
        assert called.with_("a.xml", command="preview")["source"] == "a.xml"
        refused = called.refused(f"mssql://user:{SECRET}@host/db", command="preview")
        assert refused.message.startswith("SOURCE contains a password")
        assert refused.tip == "remove it and set XML_EXTRACTOR_SOURCE_PASSWORD, or give --source-password-file"


class TestDestination:
    def test_it_is_said_on_the_command_line_only(self, called: Called) -> None:
        variables = {"SERVER": "production", "ODBC": "DSN=x", "DATABASE": "db", "USERNAME": "user", "SCHEMA": "etl"}
        config("server = 'production'\n")
        assert called.with_(command="sample", **variables) == {"destination": DEFAULT_TARGET}
        assert called.with_("--to", "samples", command="sample", **variables) == {"destination": "samples"}
        address = called.with_("--server", "host", command="sample", PASSWORD=SECRET, **variables)["destination"]
        assert words(address) == {**LOGIN, "PWD": SECRET}

    def test_it_may_be_a_server_in_all_forms(self, called: Called) -> None:
        for arguments in (("--to", "mssql://user@host/db"), ("--odbc", "SERVER=host;DATABASE=db;UID=user"), SERVER):
            address = called.with_(*arguments, command="sample", PASSWORD=SECRET)["destination"]
            assert words(address) == {**LOGIN, "PWD": SECRET}
        assert called.refused("--to", "a", *SERVER, command="sample").message == "--to and --server exclude each other"
        assert called.refused("--database", "d", command="sample").message == "--database requires --server"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("mssql://user:hunter2@host/db", "mssql://host/db"),
        ("mssql+pyodbc://?odbc_connect=SERVER%3Dhost%3BPWD%3Dhunter2", "mssql://host/"),
        ("sqlite:///a.db", "sqlite:///a.db"),
        ("mysql://user:hunter2@host/db", "mysql://user:***@host/db"),
        ("a directory", "a directory"),
    ],
)
def test_addresses_are_shown_without_secrets(address: str, shown: str) -> None:
    assert shown_address(address) == shown
