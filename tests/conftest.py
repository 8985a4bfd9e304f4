"""Fixtures that tests of several kinds share."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

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


@pytest.fixture(autouse=True)
def package_logging() -> Iterator[None]:
    """Leave the logging of the package as it was: commands that run in this process configure it."""
    package = logging.getLogger("xml_extractor")
    before = package.handlers, package.level, package.propagate
    yield
    package.handlers, package.level, package.propagate = before


@pytest.fixture
def production_processor(tmp_path: Path) -> Command:
    """The nightly command as a subprocess in an empty directory."""
    return command_in([str(ROOT / "production_processor.py")], tmp_path)


@pytest.fixture
def xml_extractor(tmp_path: Path) -> Command:
    """`python -m xml_extractor` as a subprocess in an empty directory."""
    return command_in(["-m", "xml_extractor"], tmp_path)
