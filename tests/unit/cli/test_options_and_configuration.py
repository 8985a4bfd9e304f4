"""Options come from the command line, the environment, a file, or their defaults, in this order."""

import os
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from xml_extractor.cli.addresses import PREFIX
from xml_extractor.cli.commands import cli
from xml_extractor.cli.options import SOURCE_OPTIONS, TARGET_OPTIONS, names_of
from xml_extractor.cli.run_options import config_option, run_options, setting_names
from xml_extractor.errors import UsageError
from xml_extractor.settings import (
    DEFAULT_TARGET,
    KeyRange,
    RejectLimit,
    RunSettings,
    Shard,
    ToleranceLimits,
    automatic_workers,
)


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Options:
    """Reads options as `run` does."""

    def __init__(self) -> None:
        self.read: dict[str, Any] = {}

        @click.command
        @config_option
        @run_options
        def command(**options: Any) -> None:
            self.read = options

        self._command = command

    def call(self, *arguments: str, **variables: str) -> Result:
        environment = {f"{PREFIX}{name}": value for name, value in variables.items()}
        return CliRunner().invoke(self._command, arguments, env=environment)

    def of(self, *arguments: str, **variables: str) -> dict[str, Any]:
        result = self.call(*arguments, **variables)
        assert result.exit_code == 0, result.output
        return self.read

    def refused(self, *arguments: str, **variables: str) -> UsageError:
        error = self.call(*arguments, **variables).exception
        assert isinstance(error, UsageError)
        return error


@pytest.fixture
def options() -> Options:
    """Read options."""
    return Options()


def write(text: str, name: str = "xml_extractor.toml") -> None:
    Path(name).write_text(text, encoding="utf-8")


def test_every_setting_of_a_run_has_an_option_with_the_same_default(options: Options) -> None:
    read = options.of()
    read["key_range"] = read.pop("range")
    assert read["source"] == read["target"] == DEFAULT_TARGET
    assert RunSettings(**read) == RunSettings(read["contract"], read["source"], read["target"])


SETTINGS = [name for name in setting_names() if name not in names_of((*SOURCE_OPTIONS, *TARGET_OPTIONS))]
"""All but those that say where databases are, which have tests of their own."""


@pytest.mark.parametrize("name", ["source", "target", *SETTINGS])
def test_every_option_is_a_variable_and_a_key_too(name: str, options: Options) -> None:
    values = {
        "range": ("1:5", KeyRange("1", "5")),
        "shard": ("1/2", Shard(1, 2)),
        "max_rejects": ("5", RejectLimit(count=5)),
        "max_tolerated": ("1%,a.b=2", ToleranceLimits.parse("1%,a.b=2")),
        "insert_mode": ("blocking", "blocking"),
        "reprocess": ("changed-contract", "changed-contract"),
        "reject_values": ("true", True),
        "ignore_earlier_rejects": ("true", True),
        "insert_strategy": ("json", "json"),
        "start_method": ("spawn", "spawn"),
        "engine": ("spark", "spark"),
        "master": ("local[2]", "local[2]"),
        "log_level": ("ERROR", "ERROR"),
        "log_format": ("json", "json"),
        "progress": ("false", False),
        "metrics_prom": ("run.prom", Path("run.prom")),
        "metrics_dir": ("elsewhere", Path("elsewhere")),
        "rejects_dir": ("elsewhere", Path("elsewhere")),
        "contract": ("a.yaml", "a.yaml"),
        "source": ("a", "a"),
        "target": ("sqlite:///b.db", "sqlite:///b.db"),
    }
    text, value = values.get(name, ("7", 7))
    others = {} if name == "contract" else {"CONTRACT": "ubl_invoice"}
    assert options.of(**{name.upper(): text}, **others)[name] == value
    write(f'{name} = "{text}"\n')
    assert options.of(**others)[name] == value
    if value not in (True, False):
        assert options.of(f"--{name.replace('_', '-')}", text, **others)[name] == value


class TestContract:
    """No documents are loaded by a contract that nobody chose."""

    def test_only_a_bare_command_has_a_default(self, options: Options) -> None:
        assert options.of()["contract"] == options.of("--limit", "5")["contract"] == "card_application"

    @pytest.mark.parametrize(
        "arguments",
        [
            ("--source", "documents"),
            ("--source-odbc", "SERVER=h;Trusted_Connection=yes"),
            ("--target", "sqlite:///a.db"),
            ("--server", "h", "--trusted"),
            ("--odbc", "SERVER=h;Trusted_Connection=yes"),
        ],
    )
    def test_with_a_source_or_a_target_it_must_be_given(self, arguments: tuple[str, ...], options: Options) -> None:
        error = options.refused(*arguments)
        assert error.message == f"{arguments[0]} is given, but no contract"
        assert error.tip.startswith("give --contract FILE")
        name = arguments[0].removeprefix("--").replace("-", "_")
        trusted = {"TRUSTED": "yes"} if name == "server" else {}
        error = options.refused(**{name.upper(): arguments[1]}, **trusted)
        assert error.message == f"the environment variable {PREFIX}{name.upper()} is given, but no contract"
        write(f"{name} = '{arguments[1]}'\n" + "trusted = true\n" * bool(trusted))
        error = options.refused()
        assert error.message == f"the key {name} of the configuration file is given, but no contract"
        assert options.of(CONTRACT="c.yaml")["contract"] == "c.yaml"

    @pytest.mark.parametrize("command", ["check", "init", "preview", "rejects", "retry", "run", "status"])
    def test_every_command_has_the_same_rule(self, command: str) -> None:
        argument = ["documents"] if command == "preview" else []
        error = CliRunner().invoke(cli, [command, *argument], env={f"{PREFIX}SOURCE": "documents"}).exception
        assert isinstance(error, UsageError)
        assert "is given, but no contract" in error.message

    @pytest.mark.parametrize("command", ["check", "init", "preview", "rejects", "retry", "run", "status", "doctor"])
    def test_every_command_takes_it_as_an_option_a_variable_and_a_key(self, command: str) -> None:
        arguments = [command, *(["documents"] if command == "preview" else [])]
        variable = f"{PREFIX}CONTRACT"
        results = [
            CliRunner().invoke(cli, [*arguments, "--contract", "absent"]),
            CliRunner().invoke(cli, arguments, env={variable: "absent"}),
        ]
        write("contract = 'absent'\n")
        for result in (*results, CliRunner().invoke(cli, arguments)):
            assert isinstance(result.exception, UsageError)
            assert result.exception.message.startswith("there is no contract file and no shipped contract 'absent'")

    def test_check_takes_it_as_an_argument_too(self) -> None:
        write("contract = 'absent'\n")
        assert CliRunner().invoke(cli, ["check", "ubl_invoice"], standalone_mode=False).return_value == 0
        error = CliRunner().invoke(cli, ["check", "ubl_invoice", "--contract", "ubl_invoice"]).exception
        assert isinstance(error, UsageError)
        assert error.message == "CONTRACT and --contract exclude each other"


@pytest.mark.parametrize("name", sorted({*setting_names(), "config"} - {"rejects_dir", "metrics_dir"}))
def test_an_empty_value_is_refused_wherever_it_is_set(name: str, options: Options) -> None:
    outcomes = [options.call(**{name.upper(): ""})]
    if name not in ("trusted", "trust_certificate", "progress", "reject_values", "ignore_earlier_rejects"):
        outcomes.append(options.call(f"--{name.replace('_', '-')}", ""))
    if name != "config":
        write(f"{name} = ''\n")
        outcomes.append(options.call())
    for result in outcomes:
        assert result.exit_code == 2
        assert "the value is empty" in result.output


@pytest.mark.parametrize("name", ["PASSWORD", "SOURCE_PASSWORD"])
def test_an_empty_password_is_refused(name: str, options: Options) -> None:
    assert options.refused(**{name: ""}).message == f"the environment variable {PREFIX}{name} is empty"


@pytest.mark.parametrize("command", ["rejects", "retry"])
@pytest.mark.parametrize(
    ("option", "value", "tip"),
    [
        ("--reason", "too_lagre", "'too_lagre' is unknown; did you mean too_large?"),
        ("--reason", "zzz", "'zzz' is unknown; choose one of "),
        ("--stage", "LOAD", "'LOAD' is unknown; did you mean load?"),
        ("--stage", "", "'' is unknown; choose one of fetch, load, map, parse"),
    ],
)
def test_an_unknown_reason_or_stage_is_refused_with_a_suggestion(
    command: str, option: str, value: str, tip: str
) -> None:
    result = CliRunner().invoke(cli, [command, option, value])
    assert result.exit_code == 2
    assert tip in result.output


def test_the_command_line_goes_before_the_environment_and_that_before_the_file(options: Options) -> None:
    write("workers = 2\nlimit = 2\nbatch_size = 2\n")
    read = options.of("--workers", "4", WORKERS="3", LIMIT="3")
    assert (read["workers"], read["limit"], read["batch_size"]) == (4, 3, 2)


def test_a_file_that_is_named_takes_the_place_of_the_usual_one(options: Options) -> None:
    write("workers = 2\n")
    write("limit = 9\n", "other.toml")
    for read in (options.of("--config", "other.toml"), options.of(CONFIG="other.toml")):
        assert (read["workers"], read["limit"]) == (automatic_workers(), 9)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("workers = 8", "workers", 8),
        ('workers = "8"', "workers", 8),
        ("max_rejects = 5", "max_rejects", RejectLimit(count=5)),
        ("progress = false", "progress", False),
        ("progress = true", "progress", True),
        ("source = 2026", "source", "2026"),
        ("metrics_dir = 2026", "metrics_dir", Path("2026")),
    ],
)
def test_values_of_the_file_are_read_as_those_of_the_command_line(
    text: str, name: str, value: object, options: Options
) -> None:
    write(text)
    assert options.of(CONTRACT="card_application")[name] == value


@pytest.mark.parametrize(
    ("text", "message", "tip"),
    [
        ("wrokers = 2", "xml_extractor.toml: unknown key 'wrokers'", "did you mean workers?"),
        ("batch-size = 2", "xml_extractor.toml: unknown key 'batch-size'", "did you mean batch_size?"),
        ("[run]\nworkers = 2", "xml_extractor.toml: unknown key 'run'", "known keys: batch_size, contract, "),
        (
            "workers = [2]",
            "xml_extractor.toml: the value of 'workers' is not a string, a number or a boolean",
            "write a single value",
        ),
        (
            "source = 2026-01-01",
            "xml_extractor.toml: the value of 'source' is not a string, a number or a boolean",
            "write a single value",
        ),
        ("workers = ", "xml_extractor.toml is not valid TOML: Invalid value", "write one line per option"),
    ],
)
def test_a_fault_of_the_file_is_named(text: str, message: str, tip: str, options: Options) -> None:
    write(text)
    error = options.refused()
    assert error.message.startswith(message)
    assert error.tip.startswith(tip)


def test_a_file_that_is_not_utf_8_or_not_there_is_refused(options: Options, empty_directory: Path) -> None:
    (empty_directory / "xml_extractor.toml").write_bytes(b'target = "hunter2\xff"')
    error = options.refused()
    assert error.message.startswith("xml_extractor.toml is not valid TOML")
    assert "hunter2" not in error.message
    missing = options.refused("--config", "missing.toml")
    assert missing.message == "the configuration file missing.toml cannot be read: No such file or directory"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("WORKRES", "WORKERS"),
        ("TARGTE", "TARGET"),
        ("NO_PROGRESS", "PROGRESS"),
        ("BATCHSIZE", "BATCH_SIZE"),
        ("PASSWROD", "PASSWORD"),
        ("SOURCE_PASWORD", "SOURCE_PASSWORD"),
        ("USER_NAME", "USERNAME"),
    ],
)
def test_a_variable_that_is_nearly_an_option_is_refused(name: str, meant: str, options: Options) -> None:
    error = options.refused(**{name: "1"})
    assert error.message == f"unknown environment variable {PREFIX}{name}"
    assert error.tip == f"did you mean {PREFIX}{meant}?"


@pytest.mark.parametrize("name", ["TEST_MSSQL", "TEST_TARGET", "HOME", "PASSWORD", "SOURCE_PASSWORD", ""])
def test_variables_of_others_are_left_alone(name: str, options: Options) -> None:
    options.of(**{name: "1"})


@pytest.mark.parametrize(
    "arguments",
    [
        ["--workers", "0"],
        ["--workers", "257"],
        ["--workers", "1.5"],
        ["--batch-size", "0"],
        ["--limit", "-1"],
        ["--queue-size", "0"],
        ["--insert-threads", "65"],
        ["--insert-batch-rows", "0"],
        ["--insert-mode", "fast"],
        ["--start-method", "fork"],
        ["--log-level", "loud"],
        ["--range", "5"],
        ["--shard", "3/2"],
        ["--max-rejects", "-1"],
        ["--unknown"],
    ],
    ids=" ".join,
)
def test_values_out_of_their_range_are_refused(arguments: list[str], options: Options) -> None:
    result = options.call(*arguments)
    assert result.exit_code == 2
    assert arguments[0] in result.output


CONFIGURATIONS = [
    ('target = "mssql://etl:s3cret@host/db"', True),
    ('odbc = "DRIVER={ODBC Driver 18 for SQL Server};SERVER=h;UID=etl;PWD=s3cret"', True),
    ("source_odbc = 'Server=h;Password = {s3;cret}'", True),
    ('target = "mssql://host/db?UID=etl&PWD=s3cret"', True),
    ('target = "mssql://etl@host/db"\npassword_file = "password"', False),
    ('target = "sqlite:///a.db"\nsource = "files/*.xml"', False),
]


@pytest.mark.skipif(os.name != "posix", reason="other systems have other permissions")
@pytest.mark.parametrize(("text", "is_secret"), CONFIGURATIONS)
def test_a_configuration_with_a_password_that_all_can_read_causes_a_warning(
    text: str, options: Options, *, is_secret: bool
) -> None:
    write(text)
    for mode, warns in ((0o604, is_secret), (0o600, False)):
        Path("xml_extractor.toml").chmod(mode)
        result = options.call()
        warning = "Warning: every user of this machine can read xml_extractor.toml; `chmod o= xml_extractor.toml` "
        assert result.stderr.startswith(warning) == warns
        assert "s3" not in result.stderr
