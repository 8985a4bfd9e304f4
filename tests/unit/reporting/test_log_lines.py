"""Log lines go to standard error, one whole line each."""

import json
import logging
import re
import sys
from io import StringIO

import pytest

from xml_extractor.reporting.console import configure_logging, name_run_in_log


def test_a_line_has_time_level_process_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO")
    logging.getLogger("xml_extractor.processing").info("Queued insert (documents=%d, rows=%d)", 3, 8)
    line = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO    MainProcess Queued insert \(documents=3, rows=8\)\n"
    assert re.fullmatch(line, capsys.readouterr().err)


def test_lines_below_the_level_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("WARNING")
    logging.getLogger("xml_extractor").info("quiet")
    logging.getLogger("xml_extractor").warning("loud")
    assert capsys.readouterr().err.endswith(" WARNING MainProcess loud\n")


def test_configuring_again_does_not_double_the_lines(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO")
    configure_logging("INFO")
    logging.getLogger("xml_extractor").info("once")
    assert capsys.readouterr().err.count("once") == 1


def test_lines_go_to_what_standard_error_is_at_that_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    configure_logging("INFO")
    bar = StringIO()
    monkeypatch.setattr(sys, "stderr", bar)
    logging.getLogger("xml_extractor").info("above the bar")
    assert bar.getvalue().endswith("above the bar\n")


def test_without_standard_error_the_program_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    configure_logging("INFO")
    monkeypatch.setattr(sys, "stderr", None)
    logging.getLogger("xml_extractor").info("nowhere")


def test_json_lines_have_run_document_and_stage_where_they_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", "json")
    logger = logging.getLogger("xml_extractor")
    logger.info("before")
    name_run_in_log("20260305T013000000-0a1b2c3d")
    logger.warning("a\u2028%s", "b", extra={"document": 17, "stage": "map"})
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("time"))
    assert first == {"level": "INFO", "process": "MainProcess", "message": "before"}
    assert (second["run_id"], second["document"], second["stage"]) == ("20260305T013000000-0a1b2c3d", 17, "map")
    assert second["message"] == "a\u2028b"
