"""Nothing in the working directory is executed."""

import sys
from collections.abc import Iterable
from itertools import cycle
from pathlib import Path

import pytest

from tests.conftest import ROOT, Command, Completed, command_in, posix_only

NAMES = (
    *("lxml", "json", "sqlglot", "random", "click", "pydantic", "sqlite3", "socket", "selectors", "pickle", "struct"),
    *("tempfile", "logging", "queue", "multiprocessing", "rich", "yaml", "tenacity", "sqlalchemy", "pyodbc"),
)
"""Modules of the interpreter and of libraries, which files of the directory have the names of."""

IMPORTED_FIRST = (
    "xml_extractor",
    "sitecustomize",
    "usercustomize",
    "threading",
    "signal",
    "typing",
    "contextlib",
    "re",
)
"""Python imports these as it starts, or the command before it could do anything about it."""

METHODS = ["spawn", *([] if sys.platform == "win32" else ["forkserver"])]


@pytest.fixture
def traps(tmp_path: Path) -> Path:
    """Files that leave a trace when they are executed."""
    for name in (*NAMES, *IMPORTED_FIRST):
        trap = f"open({str(tmp_path / 'executed')!r}, 'a').write({name + ' '!r})\n"
        (tmp_path / f"{name}.py").write_text(trap)
    (tmp_path / "d").mkdir()
    for number in range(3):
        (tmp_path / "d" / f"{number}.xml").write_text("<P><N>x</N></P>")
    (tmp_path / "contract.yaml").write_text(
        "{contract: names, version: 1, document: {root: P}, tables: {p: {rows: '.', columns: "
        "{f: {run: source_key, key: true}, n: {path: N, type: nvarchar(9)}}}}}"
    )
    return tmp_path


@pytest.fixture
def production_processor(tmp_path: Path) -> Command:
    """The nightly command as a process of its own."""
    return command_in([str(ROOT / "production_processor.py")], tmp_path)


OPTIONS = ("--contract", "contract.yaml", "--source", "d", "--target", "sqlite:///target.db")


def assert_nothing_was_executed(directory: Path, completed: Completed) -> None:
    assert completed.returncode == 0, completed.stderr
    assert not (directory / "executed").exists(), (directory / "executed").read_text()


def remove(directory: Path, names: Iterable[str]) -> None:
    for name in names:
        (directory / f"{name}.py").unlink()


@pytest.mark.parametrize("method", METHODS)
def test_the_nightly_command_executes_nothing_in_the_working_directory(
    traps: Path, production_processor: Command, method: str
) -> None:
    completed = production_processor(*OPTIONS, "--workers", "2", "--start-method", method, PYTHONPATH="")
    assert_nothing_was_executed(traps, completed)


@posix_only("os.pathsep")
@pytest.mark.parametrize(
    ("method", "python_path"), [*zip(cycle(METHODS), [":", ".", f":{ROOT}", f"{ROOT}:"], strict=False)]
)
def test_empty_entries_of_the_python_path_are_ignored(
    traps: Path, production_processor: Command, method: str, python_path: str
) -> None:
    remove(traps, IMPORTED_FIRST)
    completed = production_processor(*OPTIONS, "--start-method", method, PYTHONPATH=python_path)
    assert_nothing_was_executed(traps, completed)


@pytest.mark.parametrize("method", METHODS)
def test_neither_does_the_module_as_far_as_it_can(traps: Path, method: str) -> None:
    remove(traps, IMPORTED_FIRST)
    (traps / "threading.py").write_text((traps / "json.py").read_text())
    completed = command_in(["-m", "xml_extractor"], traps)(
        "run", *OPTIONS, "--start-method", method, PYTHONPATH=str(ROOT)
    )
    assert_nothing_was_executed(traps, completed)


def test_the_working_directory_may_be_the_checkout(tmp_path: Path, traps: Path) -> None:
    run = command_in(["production_processor.py"], ROOT)
    target = f"sqlite:///{tmp_path / 'target.db'}"
    completed = run(
        *("--contract", traps / "contract.yaml", "--source", traps / "d", "--target", target),
        *("--metrics-dir", tmp_path, "--rejects-dir", "", "--start-method", "spawn"),
        PYTHONPATH="",
    )
    assert_nothing_was_executed(traps, completed)
