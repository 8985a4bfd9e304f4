"""The tutorial, followed to the letter: its files are written, its commands are run, its outputs must appear."""

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import posix_only

TUTORIAL = Path(__file__).parents[2] / "documentation" / "tutorial" / "first-load.md"

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE_NAME = re.compile(r"`([\w./-]+\.(?:xml|yaml))`")
FEW = "20"
"""Documents in place of the thousand that `demo` makes."""


class Block(NamedTuple):
    """A fenced block: its language, its text, and the text between it and the block before."""

    language: str
    text: str
    before: str


def blocks() -> list[Block]:
    page = TUTORIAL.read_text(encoding="utf-8")
    found, position = [], 0
    for match in BLOCK.finditer(page):
        found.append(Block(match[1], match[2], page[position : match.start()]))
        position = match.end()
    return found


class Reader:
    """Somebody who follows the tutorial in a directory of their own."""

    def __init__(self, home: Path) -> None:
        self._directory = home / "home"
        self._directory.mkdir()
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("XML_EXTRACTOR_")}
        self._environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.exit_codes: list[int] = []

    def save(self, name: str, text: str) -> None:
        """Save a file, or change the part of it that a block shows again."""
        path = self._directory / name
        if path.exists():
            part = re.compile(rf"^{text.partition(':')[0]}:.*\n(?: .*\n)*", re.MULTILINE)
            path.write_text(part.sub(lambda _: text, path.read_text(encoding="utf-8")), encoding="utf-8")
        else:
            path.write_text(text, encoding="utf-8")

    def run(self, command: str) -> str:
        """Run a command in the shell that all commands share, by handing on its directory and variables."""
        script = self._directory.parent / "state.sh"
        line = f"{{ {command}\n}}; code=$?; {{ pwd; export -p; }} > {script}.new; exit $code"
        before = f". {script}; " if script.exists() else ""
        completed = subprocess.run(
            ["bash", "-c", before + line],
            cwd=self._directory,
            env=self._environment | {"COLUMNS": "120"},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        self.exit_codes.append(completed.returncode)
        directory, _, variables = Path(f"{script}.new").read_text(encoding="utf-8").partition("\n")
        self._directory = Path(directory)
        script.write_text(variables, encoding="utf-8")
        return completed.stdout + completed.stderr


def commands(text: str) -> Iterator[str]:
    for line in text.splitlines():
        assert line.startswith("$ "), f"a command line begins with a dollar sign: {line}"
        yield line.removeprefix("$ ")


def without_ends(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


@posix_only("types the commands into a POSIX shell")
@pytest.mark.slow
def test_a_reader_who_follows_the_tutorial_sees_what_it_shows(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    output = ""
    shown = 0
    for block in blocks():
        match block.language:
            case "xml" | "yaml":
                reader.save(FILE_NAME.findall(block.before)[-1], block.text)
            case "console":
                output = ""
                for command in commands(block.text):
                    is_demo = command == "xml-extractor demo"
                    shown_now = reader.run(f"{command} --documents {FEW}" if is_demo else command)
                    output += shown_now.replace(f" {FEW} ", " 1,000 ") if is_demo else shown_now
            case "text":
                shown += 1
                missing = [line for line in without_ends(block.text) if line not in without_ends(output)]
                assert not missing, output
            case language:
                pytest.fail(f"nobody knows what to do with a block of {language}")
    assert shown >= 5
    assert set(reader.exit_codes) == {0, 1}
    assert reader.exit_codes.count(1) == 2, "the run that rejects a document, and its preview"
    with closing(sqlite3.connect(tmp_path / "home" / "first-load" / "orders.db")) as database:
        assert database.execute("SELECT order_id, state_id FROM customer_order ORDER BY 1").fetchall() == [
            (1001, 1),
            (1002, 0),
        ]
        assert database.execute("SELECT count(*), sum(amount) FROM order_line").fetchall() == [(3, 2038.25)]
