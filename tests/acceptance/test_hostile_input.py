"""Hostile input is rejected, or harmless, in little memory, and costs no other document."""

import json
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.acceptance.hostile_inputs import CONTRACT, INPUTS
from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits memory by what Linux says of it")

ADDRESS_SPACE = 960 * 2**20
GREEDY = b"<a>" + b"<b/>" * 8_000_000 + b"</a>"
"""An element takes thirty times its four bytes."""


class Became(NamedTuple):
    """What became of an input, in how many seconds, and megabytes beyond those of the program."""

    said: str
    seconds: float
    megabytes: float


class Probed(NamedTuple):
    """What became of each input, by its name, and the last line."""

    inputs: dict[str, Became]
    end: str
    directory: Path


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> Probed:
    directory = tmp_path_factory.mktemp("hostile")
    command = [sys.executable, "-m", "tests.acceptance.hostile_probe", str(directory)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    *lines, end = ended.stdout.splitlines()
    found = [line.split("\t") for line in lines]
    return Probed({name: Became(*json.loads(text or '["killed", 0, 0]')) for name, text in found}, end, directory)


@pytest.mark.parametrize("name", INPUTS)
def test_each_hostile_input_has_its_reason_and_takes_little_memory(name: str, probed: Probed) -> None:
    became, hostile = probed.inputs[name], INPUTS[name]
    assert became.said.startswith(hostile.expected)
    assert became.megabytes < hostile.megabytes


def test_hostile_input_calls_nobody_and_writes_nowhere(probed: Probed) -> None:
    assert probed.end == "nobody called"
    assert not [path for path in probed.directory.parent.rglob("*escaped*") if probed.directory not in path.parents]
    assert not Path("/tmp/escaped.xml").exists()


def _in_limited_space() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))


def run_in_limited_space(directory: Path, options: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "production_processor.py"), *options]
    return subprocess.run(
        command, cwd=directory, capture_output=True, text=True, timeout=600, check=False, preexec_fn=_in_limited_space
    )


def test_a_document_that_needs_more_memory_than_there_is_costs_no_other(tmp_path: Path) -> None:
    (tmp_path / "hostile.yaml").write_text(CONTRACT, encoding="utf-8")
    (tmp_path / "documents").mkdir()
    for number in range(10):
        content = GREEDY if number == 4 else b"<a><b>%d</b></a>" % number
        (tmp_path / "documents" / f"{number}.xml").write_bytes(content)
    options = ["--contract", "hostile.yaml", "--source", "documents", "--target", "sqlite:///loaded.db"]
    ended = run_in_limited_space(tmp_path, [*options, "--workers", "2", "--log-level", "WARNING"])
    assert ended.returncode == 1, ended.stderr
    with closing(sqlite3.connect(tmp_path / "loaded.db")) as database:
        rejected = database.execute("SELECT document_key, stage, reason FROM processing_log WHERE status = 'rejected'")
        ((key, stage, reason),) = rejected.fetchall()
        assert (key, stage, reason.partition(":")[0]) == ("4.xml", "map", "worker_died")
        assert database.execute("SELECT count(*) FROM a").fetchone() == (9,)
    assert "A worker process ended unexpectedly (no memory left)" in ended.stderr
