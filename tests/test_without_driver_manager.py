"""On a machine whose driver manager is missing, pyodbc cannot be imported, and only SQL Server is out of reach."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, command_in

MISSING = "libodbc.so.2: cannot open shared object file: No such file or directory"


@pytest.fixture
def without_pyodbc(tmp_path: Path) -> dict[str, str]:
    """Environment variables of processes in which pyodbc cannot be imported."""
    (tmp_path / "shadow").mkdir()
    (tmp_path / "shadow" / "pyodbc.py").write_text(f"raise ImportError({MISSING!r}, name='pyodbc')", encoding="utf-8")
    return {"PYTHONPATH": os.pathsep.join([str(tmp_path / "shadow"), str(ROOT)])}


def test_an_address_of_a_server_gives_one_line_that_names_what_is_missing(
    tmp_path: Path, without_pyodbc: dict[str, str]
) -> None:
    ran = command_in([str(ROOT / "production_processor.py")], tmp_path)(
        "--contract",
        "card_application",
        XML_EXTRACTOR_TARGET="mssql://nobody:secret@localhost/nothing",
        **without_pyodbc,
    )
    assert ran.returncode == 2
    assert ran.stderr.splitlines() == [
        f"Error: the driver for 'mssql' addresses cannot be loaded: {MISSING}",
        "Hint: `xml-extractor doctor` reports why",
    ]


@pytest.mark.slow
def test_every_test_is_collected_and_those_of_the_server_are_skipped(without_pyodbc: dict[str, str]) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XML_EXTRACTOR_")}
    suite = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "mssql"],
        cwd=ROOT,
        env={**environment, **without_pyodbc},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert suite.returncode in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}, suite.stdout
    assert "passed" not in suite.stdout.splitlines()[-1]
