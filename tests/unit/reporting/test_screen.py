"""Text for terminals and for files."""

import os
import re
from io import StringIO
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

from xml_extractor.reporting.console import FILE_WIDTH, discard, rendered


class Terminal(StringIO):
    """A terminal that nobody sees."""

    def isatty(self) -> bool:
        return True


def table(value: str) -> Table:
    shown = Table(box=None, pad_edge=False)
    shown.add_column("name", overflow="fold")
    shown.add_column("value", overflow="fold")
    shown.add_row("a", Text(value))
    return shown


def test_a_file_gets_lines_as_long_as_they_are_without_colours_and_spaces_at_their_ends() -> None:
    assert rendered(table("x" * 500), StringIO()) == f"name  value\na     {'x' * 500}\n"
    assert rendered(Text("bold", style="bold red"), StringIO()) == "bold\n"


def test_a_terminal_gets_tables_as_wide_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    lines = re.sub(r"\x1b\[[\d;]*m", "", rendered(table("x" * 100), Terminal())).splitlines()
    assert [line.count("x") for line in lines] == [0, 34, 34, 32]


def test_values_of_several_lines_stay_as_they_are() -> None:
    assert rendered(Text("one\x85two\u2028three"), StringIO()) == "one\x85two\u2028three\n"


def test_a_value_longer_than_any_line_is_folded_and_not_cut() -> None:
    text = rendered(table("x" * (FILE_WIDTH + 1)), StringIO())
    assert text.count("x") == FILE_WIDTH + 1


def test_no_stream_at_all_is_treated_like_a_file() -> None:
    assert rendered(Text("line"), None) == "line\n"


def test_what_is_written_to_a_discarded_stream_goes_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "output"
    with path.open("w", encoding="utf-8") as stream:
        discard(stream)
        stream.write("late")
    assert path.read_text(encoding="utf-8") == ""


def test_a_pipe_without_reader_can_be_discarded() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        stream.write("late")
        discard(stream)


def test_a_stream_without_a_descriptor_is_left_alone() -> None:
    discard(StringIO())
    discard(None)
