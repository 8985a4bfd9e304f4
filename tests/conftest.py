"""Fixtures that tests of several kinds share."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, chdir, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import TextIO
from unittest.mock import patch

import click
import pytest
from hypothesis import HealthCheck, settings

from xml_extractor.cli.boundary import execute
from xml_extractor.cli.commands import cli

# A busy machine draws examples slowly, and is no defect.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

ROOT = Path(__file__).parent.parent

Completed = subprocess.CompletedProcess[str]
Command = Callable[..., Completed]

TIME_LIMIT_SECONDS = 300

SERVER_VARIABLE = "XML_EXTRACTOR_TEST_MSSQL"
NO_SERVER = f"SQL Server tests are not collected: {SERVER_VARIABLE} is not set"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that need a SQL Server, unless one is configured."""
    if os.environ.get(SERVER_VARIABLE):
        return
    needs_server = [item for item in items if item.get_closest_marker("mssql")]
    items[:] = [item for item in items if not item.get_closest_marker("mssql")]
    config.hook.pytest_deselected(items=needs_server)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line that no SQL Server was tested."""
    if not os.environ.get(SERVER_VARIABLE):
        terminalreporter.write_line(NO_SERVER)


def posix_only(reason: str) -> pytest.MarkDecorator:
    """Skip a test on Windows, and say why."""
    return pytest.mark.skipif(os.name != "posix", reason=reason)


def command_in(arguments: list[str], directory: Path) -> Command:
    """Calls a command in a directory, without the settings of this process's environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XML_EXTRACTOR_")}

    def call(*options: str | Path, stdin: str = "", **variables: str) -> Completed:
        return subprocess.run(
            [sys.executable, *arguments, *map(str, options)],
            cwd=directory,
            env={**environment, "COLUMNS": "120", **variables},
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=TIME_LIMIT_SECONDS,
            check=False,
        )

    return call


def called_in(directory: Path, *first: str, command: click.Command = cli) -> Command:
    """Calls a command in a directory like `command_in`, but in this process, which need not start and import.

    The processes that it starts are real. Use `command_in` where the process itself is tested: its start, its signals,
    log lines of its workers.
    """

    def call(*options: str | Path, stdin: str = "", **variables: str) -> Completed:
        arguments = [*first, *map(str, options)]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("XML_EXTRACTOR_")}
        with ExitStack() as restored:
            restored.enter_context(chdir(directory))
            restored.enter_context(patch.dict(os.environ, {**kept, "COLUMNS": "120", **variables}, clear=True))
            restored.enter_context(own_logging())
            given = restored.enter_context(TemporaryFile("w+", encoding="utf-8"))
            given.write(stdin)
            given.seek(0)
            restored.enter_context(patch.object(sys, "stdin", given))
            written = [restored.enter_context(redirected(name)) for name in ("stdout", "stderr")]
            try:
                execute(command, arguments, "xml-extractor")
            except SystemExit as ended:
                code = ended.code
            texts = []
            for file in written:
                file.seek(0)
                texts.append(file.read())
        return Completed(arguments, int(code or 0), *texts)

    return call


@contextmanager
def redirected(name: str) -> Iterator[TextIO]:
    """Redirect a standard stream of this process and its children to a file."""
    standard: TextIO = getattr(sys, f"__{name}__")
    before = os.dup(standard.fileno())
    with TemporaryFile("w+", encoding="utf-8") as file:
        os.dup2(file.fileno(), standard.fileno())
        try:
            with os.fdopen(os.dup(file.fileno()), "w", encoding="utf-8") as stream, patch.object(sys, name, stream):
                yield file
        finally:
            os.dup2(before, standard.fileno())
            os.close(before)


@contextmanager
def own_logging() -> Iterator[None]:
    """Leave the logging of the package as it was: commands that run in this process configure it."""
    package = logging.getLogger("xml_extractor")
    before = package.handlers, package.level, package.propagate
    yield
    package.handlers, package.level, package.propagate = before


@pytest.fixture(autouse=True)
def package_logging() -> Iterator[None]:
    """Let each test begin with the logging that the package has when it is imported."""
    with own_logging():
        package = logging.getLogger("xml_extractor")
        package.handlers, package.level, package.propagate = [], logging.NOTSET, True
        yield


@pytest.fixture
def production_processor(tmp_path: Path) -> Command:
    """The nightly command in an empty directory."""
    return called_in(tmp_path, "run")


@pytest.fixture
def xml_extractor(tmp_path: Path) -> Command:
    """`xml-extractor` in an empty directory."""
    return called_in(tmp_path)
