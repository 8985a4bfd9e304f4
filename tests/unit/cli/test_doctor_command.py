"""`doctor` shows what there is and what is missing, and tells a script by its exit code whether a run could start."""

import os
import sqlite3
import sys
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from xml_extractor.cli.addresses import PREFIX
from xml_extractor.cli.commands import cli
from xml_extractor.distribution import DISTRIBUTION, VERSION
from xml_extractor.doctor import examination
from xml_extractor.doctor.examination import Finding, State
from xml_extractor.errors import UsageError, XmlExtractorError


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty directory, with no settings of this machine."""
    monkeypatch.chdir(tmp_path)
    for variable in os.environ:
        if variable.startswith(PREFIX):
            monkeypatch.delenv(variable)


def call(*arguments: str, **variables: str) -> Result:
    environment = {f"{PREFIX}{name}": value for name, value in variables.items()}
    return CliRunner().invoke(cli, ["doctor", *arguments], env=environment, standalone_mode=False)


def with_documents(name: str) -> str:
    with closing(sqlite3.connect(name)) as database:
        database.execute("CREATE TABLE app_xml (app_id INTEGER PRIMARY KEY, xml TEXT)")
    return f"sqlite:///{name}"


def test_without_an_address_only_this_machine_is_looked_at_and_that_is_no_failure() -> None:
    result = call()
    assert result.return_value == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "This machine"
    assert f"  ok       {DISTRIBUTION} {VERSION}" in lines
    assert f"  ok       lxml {version('lxml')}" in lines
    assert not any(line.startswith(("Target", "Source")) for line in lines)


def test_a_target_that_is_the_source_too_is_examined_once() -> None:
    result = call("--target", with_documents("a.db"), "--contract", "card_application")
    assert result.return_value == 0, result.stdout
    assert result.stdout.count("a.db can be written") == 1
    assert "Target and possible source: sqlite:///a.db" in result.stdout
    assert "sqlite:///a.db can be read" in result.stdout


def test_a_target_alone_needs_neither_documents_nor_a_contract() -> None:
    result = call("--target", "sqlite:///new.db")
    assert result.return_value == 0, result.stdout
    assert result.stdout.splitlines()[-1] == "  ok       sqlite:///new.db does not exist yet; a run creates it"
    result = call("--target", "sqlite:///new.db", "--contract", "card_application")
    assert result.return_value == 0, result.stdout
    assert result.stdout.splitlines()[-2:] == [
        "  note     it cannot be the source: there is no file new.db",
        "           -> give the documents with --source",
    ]


def test_remedies_use_the_interpreter_that_runs() -> None:
    text = call("--all-systems").stdout
    assert f'{sys.executable} -m pip install "{DISTRIBUTION}[odbc-driver]"' in text


def test_target_and_source_are_examined_each_for_itself() -> None:
    result = call("--target", "sqlite:///new.db", SOURCE=with_documents("a.db"), CONTRACT="card_application")
    assert result.return_value == 0, result.stdout
    assert "Target: sqlite:///new.db" in result.stdout
    assert "Source: sqlite:///a.db" in result.stdout


def test_one_that_cannot_be_used_has_its_tip_and_makes_the_exit_code_3() -> None:
    result = call("--source", "sqlite:///a.db", "--contract", "card_application")
    assert result.return_value == 3
    assert result.stdout.splitlines()[-2:] == [
        "  failed   there is no file a.db",
        "           -> create sample documents with `xml-extractor sample card_application 1000 --to sqlite:///a.db`",
    ]


def test_a_tip_for_several_findings_in_a_row_is_shown_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Finding] = [
        Finding(State.MISSING, "a", "make them"),
        Finding(State.MISSING, "b", "make them"),
        Finding(State.FAILED, "c", "mend it"),
        Finding(State.OK, "d"),
    ]
    monkeypatch.setattr(examination, "examine", lambda *_: iter(found))
    result = call("--source", "anything")
    assert result.return_value == 3
    assert result.stdout.splitlines()[-6:] == [
        "  missing  a",
        "  missing  b",
        "           -> make them",
        "  failed   c",
        "           -> mend it",
        "  ok       d",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--target", "a.db"),
        ("--source", "absent"),
        ("--server", "h"),
        ("--database", "d"),
        ("--contract", "absent.yaml"),
        ("--odbc", "SERVER=h;UID=u;PWD=hunter2"),
    ],
)
def test_wrong_usage_has_a_code_of_its_own(arguments: tuple[str, ...]) -> None:
    error = call(*arguments).exception
    assert isinstance(error, XmlExtractorError)
    assert error.exit_code == 2
    assert "hunter2" not in error.message + error.tip


def test_all_systems_are_told_what_to_install() -> None:
    text = call("--all-systems").stdout
    for expected in ("Windows", "Debian and Ubuntu", "Red Hat Enterprise Linux", "macOS", "msodbcsql18", "odbc-driver"):
        assert expected in text


class TestScriptsOfInit:
    def init(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli, ["init", "--contract", "card_application", *arguments], standalone_mode=False)

    def test_a_script_for_sql_server_ends_with_the_permissions_of_its_user(self) -> None:
        result = self.init("--sql", "--server", "h", "--trusted", "--schema", "etl", "--grant-to", "DOMAIN\\loader")
        assert result.exit_code == 0, result.exception
        assert "CREATE TABLE etl.processing_log (" in result.stdout
        assert (
            "GRANT SELECT, INSERT, UPDATE, DELETE ON [etl].[processing_log] TO [DOMAIN\\loader];\nGO\n" in result.stdout
        )
        assert result.stdout.endswith("GRANT SELECT ON [etl].[app_xml] TO [DOMAIN\\loader];\nGO\n")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--grant-to", "u"), "--grant-to requires --sql"),
            (("--sql", "--grant-to", "u"), "'sqlite' databases have no users"),
        ],
    )
    def test_permissions_without_a_server_or_a_script_are_refused(
        self, arguments: tuple[str, ...], message: str
    ) -> None:
        error = self.init(*arguments).exception
        assert isinstance(error, UsageError)
        assert error.message == message
        assert list(Path().iterdir()) == []
