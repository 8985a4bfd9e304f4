"""However a command ends, there is one line, a hint, and the documented exit code."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import StringIO, TextIOWrapper
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from xml_extractor.cli.boundary import execute, output
from xml_extractor.cli.commands import cli
from xml_extractor.errors import (
    ContractError,
    RunError,
    SourceError,
    TargetError,
    UsageError,
    WorkerDiedError,
    XmlExtractorError,
)


class Ended(NamedTuple):
    """What a scheduler and a person see."""

    code: object
    stdout: str
    stderr: str


End = Callable[..., Ended]


@pytest.fixture(autouse=True)
def untouched_signals() -> Iterator[None]:
    """Leave the answer to SIGTERM as it was."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def end(capsys: pytest.CaptureFixture[str]) -> End:
    """Execute a command whose body is a function."""

    def run(body: Callable[[], object], *arguments: str) -> Ended:
        with pytest.raises(SystemExit) as ended:
            execute(click.command("work")(body), arguments, "program")
        return Ended(ended.value.code, *capsys.readouterr())

    return run


def raising(error: BaseException) -> Callable[[], object]:
    def body() -> None:
        raise error

    return body


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("no such file", "name another"), 2),
        (ContractError("no such file", "name another"), 2),
        (XmlExtractorError("no such file", "name another"), 3),
        (RunError("no such file", "name another"), 3),
        (SourceError("no such file", "name another"), 3),
        (TargetError("no such file", "name another"), 3),
        (WorkerDiedError("no such file", "name another"), 3),
    ],
)
def test_an_expected_failure_is_one_line_and_a_hint(end: End, error: XmlExtractorError, code: int) -> None:
    assert end(raising(error)) == (code, "", "Error: no such file\nHint: name another\n")


def test_a_failure_without_a_hint_is_one_line(end: End) -> None:
    assert end(raising(RunError("no such file"))).stderr == "Error: no such file\n"


@pytest.mark.parametrize("result", [0, 1, 2, 130])
def test_the_code_of_a_command_is_that_of_the_program(end: End, result: int) -> None:
    assert end(lambda: result).code == result


def test_a_command_without_a_code_has_done_its_work(end: End) -> None:
    assert end(lambda: click.echo("done")) == (0, "done\n", "")


@pytest.mark.parametrize(
    "command",
    [
        ["run", "--contract", "card_application", "--source"],
        ["preview", "--contract", "card_application"],
        ["status", "--contract", "card_application", "--target", "sqlite:///{}"],
        ["sample", "card_application", "1", "--to"],
    ],
)
def test_a_path_that_the_system_refuses_is_no_defect(
    command: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    *words, last = command if "{}" in command[-1] else [*command, "{}"]
    with pytest.raises(SystemExit) as ended:
        execute(cli, [*words, last.format("n" * 300)], "xml-extractor")
    assert ended.value.code == 3
    assert re.search(r"^Error: \S*n{300}\S* cannot be used: File name too long\nHint: ", capsys.readouterr().err)


@pytest.mark.parametrize("command", [["check", ""], ["preview", "--contract", "card_application", ""]])
def test_an_empty_argument_is_refused_like_an_empty_option(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        execute(cli, command, "xml-extractor")
    assert ended.value.code == 2
    assert "the value is empty" in capsys.readouterr().err


def test_of_a_defect_only_kind_and_place_are_shown_and_never_its_text(end: End) -> None:
    ended = end(raising(ValueError("Jane Doe earns 51234")))
    assert ended.code == 3
    assert re.fullmatch(
        r"Error: internal error: ValueError at test_exit_codes_and_messages\.py:\d+ in body\n"
        r"Hint: please report it with this line and the command\n",
        ended.stderr,
    )


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interruption_has_its_own_code(end: End, error: BaseException) -> None:
    ended = end(raising(error))
    assert (ended.code, ended.stdout, ended.stderr.lstrip()) == (130, "", "Error: interrupted\n")


def test_an_end_of_input_is_a_defect_and_no_interruption(end: End) -> None:
    ended = end(raising(EOFError()))
    assert ended.code == 3
    assert ended.stderr.lstrip().startswith("Error: internal error: EOFError at ")


def test_a_request_to_terminate_is_answered_like_an_interruption(end: End) -> None:
    ended = end(lambda: signal.raise_signal(signal.SIGTERM))
    assert (ended.code, ended.stderr.lstrip()) == (130, "Error: interrupted\n")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (click.UsageError("two\n\tlines"), "Error: two lines"),
        (click.BadParameter("is odd", param_hint="'--size'"), "Error: Invalid value for '--size': is odd"),
    ],
)
def test_messages_about_usage_are_one_line(end: End, error: click.UsageError, line: str) -> None:
    ended = end(raising(error))
    assert ended.code == 2
    assert ended.stderr == f"{line}\nHint: program --help lists the options\n"


def test_an_option_without_its_value_has_a_hint_that_is_true_for_every_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        execute(click.Command("work", params=[click.Option(["--size"])]), ["--size"], "program")
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "Error: Option '--size' requires an argument.\nHint: the same command with --help lists the options\n"
    )


@pytest.mark.parametrize(
    "address",
    [
        "mssql+pyodbc://user:hunter2@host/db",
        "mssql://user:hunt@er2@host/db",
        "mssql://user:hunter2/@host/db",
        "mssql://:hunter2@host",
        "x://user:hunter2@",
        "mssql://user:hunt er2@host/db",
    ],
)
def test_no_message_repeats_a_password_in_an_address(end: End, address: str) -> None:
    for error in (UsageError(f"no file '{address}'", f"is {address} a file?"), click.UsageError(f"extra ({address})")):
        ended = end(raising(error))
        assert "hunt" not in ended.stderr
        assert "er2" not in ended.stderr
        assert "://***@" in ended.stderr


@pytest.mark.parametrize(
    "connection_string",
    [
        "SERVER=h;PWD=hunter2;UID=u",
        "SERVER=h;pwd = {hunt;er2}};x};UID=u",
        "SERVER=h;Password=hunt er2",
        "SERVER=h;PWD={hunt;er2",
        "odbc_connect=SERVER%3Dh%3BPWD%3Dhunter2",
    ],
)
def test_no_message_repeats_a_password_in_a_connection_string(end: End, connection_string: str) -> None:
    stderr = end(raising(click.UsageError(f"Got unexpected extra argument ({connection_string})"))).stderr
    assert "hunt" not in stderr
    assert "er2" not in stderr
    assert "***" in stderr


def test_addresses_without_a_password_and_xpath_are_shown_whole(end: End) -> None:
    message = "sqlite:///a.db, https://example.com/a and cbc:ID[@id='x']/@y"
    assert end(raising(UsageError(message))).stderr == f"Error: {message}\n"


@pytest.mark.parametrize("command", [["schema"], ["check"], ["init", "--sql"]])
def test_a_reader_that_has_gone_is_no_failure(command: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    arguments = [sys.executable, "-m", "xml_extractor", *command]
    try:
        ended = subprocess.run(arguments, stdout=writer, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_output_to_a_full_disk_is_a_failure() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    with Path("/dev/full").open("w", encoding="utf-8") as full, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", full)
        with pytest.raises(RunError, match="the output cannot be written: No space left on device"), output():
            click.echo("text")


def test_characters_that_the_output_has_not_are_escaped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "output"
    with path.open("wb") as file:
        stream = TextIOWrapper(file, "latin-1")
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(SystemExit) as ended:
            execute(click.command("work")(lambda: click.echo("café Łódź \udcff")), [], "program")
        monkeypatch.undo()
        stream.detach()
    assert ended.value.code == 0
    assert path.read_bytes() == b"caf\xe9 \\u0141\xf3d\\u017a \\udcff\n"


def test_a_standard_error_without_reader_keeps_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Closed())
    with pytest.raises(SystemExit) as ended:
        execute(click.command("work")(raising(UsageError("no such file"))), [], "program")
    assert ended.value.code == 2
