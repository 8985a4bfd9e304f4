"""Nothing that the author of a document chooses changes how a terminal or a log shows the rest."""

import json
import logging
import os
import sqlite3
import sys
import unicodedata
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import Command, called_in, command_in
from xml_extractor.contract.faults import Fault
from xml_extractor.escaping import escaped
from xml_extractor.reporting.console import FORMAT, LineFormatter

PROCESS = partial(command_in, ["-m", "xml_extractor"])
HOSTILE = "a\x1b[31m\r\n\x00\x07\x7f\x85\x9b2J\u2028\u2029\u202e\u2066\u200e\ufeff\udcff\U000e0041b"
"""Controls, escape sequences, separators of lines, marks of direction, half a character, an invisible tag."""


def test_whatever_is_not_printable_is_escaped_as_in_json() -> None:
    assert escaped("Köln, 北京 🦊 \\n") == "Köln, 北京 🦊 \\n"
    assert escaped("a\x1b[31m\n\u2028\udcff") == r"a\u001b[31m\n\u2028\udcff"
    shown = escaped(HOSTILE)
    assert shown.isprintable()
    assert json.loads(f'"{shown}"') == HOSTILE
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code)) in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
            assert escaped(chr(code)).isprintable()


def test_a_log_line_is_one_line() -> None:
    record = logging.LogRecord("xml_extractor", logging.WARNING, "", 0, "%s is bad", (HOSTILE,), None)
    assert LineFormatter(FORMAT).format(record).isprintable()


def test_a_fault_of_a_contract_is_one_line() -> None:
    assert str(Fault(HOSTILE, 1, 1, HOSTILE, HOSTILE, HOSTILE)).isprintable()


@pytest.mark.skipif(os.name != "posix", reason="other systems refuse such names of files")
def test_keys_and_names_in_the_output_of_all_commands_are_escaped(tmp_path: Path) -> None:
    hostile = HOSTILE.replace("\0", "").replace("\udcff", "")
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / f"{hostile}.xml").write_text("<a>\x1b</a>", encoding="utf-8")
    (documents / f"{hostile}2.xml").write_text(f"<{'a' * 300}\u0301 xmlns:b='\u202e'/>", encoding="utf-8")
    options = ["--contract", "card_application", "--target", "sqlite:///a.db"]
    source = ["--source", "documents"]
    outputs = [
        _output(
            tmp_path,
            "run",
            *options,
            *source,
            "--log-level",
            "DEBUG",
            call=partial(command_in, ["-m", "xml_extractor"]),
        ),
        _output(tmp_path, "rejects", *options),
        _output(tmp_path, "rejects", *options, "--json"),
        _output(tmp_path, "status", *options),
        _output(tmp_path, "preview", f"documents/{hostile}.xml", *options[:2]),
        _output(tmp_path, "run", *options, "--source", hostile),
        _output(tmp_path, "run", "--contract", hostile),
        _output(tmp_path, "run", "--workers", hostile),
        _output(tmp_path, "check", hostile),
        *(path.read_text(encoding="utf-8") for path in tmp_path.glob("metrics/*.json")),
        *(path.read_text(encoding="utf-8") for path in tmp_path.glob("rejects/*/rejects.jsonl")),
    ]
    for output in outputs:
        assert all(line.isprintable() for line in output.split("\n")), output
    with closing(sqlite3.connect(tmp_path / "a.db")) as database:
        keys = {key for (key,) in database.execute("SELECT document_key FROM processing_log")}
    assert keys == {f"{hostile}.xml", f"{hostile}2.xml"}


def _output(directory: Path, *arguments: str, call: Callable[[Path], Command] = called_in) -> str:
    completed = call(directory)(*arguments)
    return completed.stdout + completed.stderr
