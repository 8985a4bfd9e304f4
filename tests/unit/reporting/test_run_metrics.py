"""The metrics file: whole or not at all, and without secrets."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from xml_extractor.errors import RunError
from xml_extractor.reasons import Reason
from xml_extractor.reporting.metrics import metrics, metrics_text, prepare_directory, write_metrics
from xml_extractor.reporting.result import RunResult

MakeResult = Callable[..., RunResult]

CODES = list(Reason)[:30]


def test_the_file_holds_the_counts_times_and_settings_of_the_run(make_result: MakeResult, tmp_path: Path) -> None:
    result = make_result(loaded=2, already_done=4, reasons={"overflow": "a.xml"}, settings={"workers": 3})
    path = write_metrics(result.settings, result.run_id, metrics_text(result))
    assert path == tmp_path / "metrics_20260305T013000000-0a1b2c3d.json"
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written == metrics(result)
    nothing = {"skipped": 0, "superseded": 0, "deleted": 0}
    assert written["documents"] == {"seen": 7, "loaded": 2, "rejected": 1, "already_done": 4, **nothing}
    assert written["rows"] == {"orders": 2, "order_line": 2400}
    assert written["rejects"] == [{"stage": "map", "code": "overflow", "documents": 1, "example_key": "a.xml"}]
    assert (written["started_at"], written["finished_at"]) == ("2026-03-05T01:30:00.000Z", "2026-03-05T01:30:02.500Z")
    assert (written["elapsed_seconds"], written["documents_per_minute"]) == (2.5, 72.0)
    assert written["settings"]["workers"] == 3
    assert sorted(tmp_path.iterdir()) == [tmp_path / "latest.json", path]
    assert (tmp_path / "latest.json").read_bytes() == path.read_bytes()


def test_no_password_of_an_address_is_in_the_file(make_result: MakeResult) -> None:
    assert "hunter2" not in json.dumps(metrics(make_result(loaded=1)))


def test_all_reasons_are_in_the_file_the_most_frequent_first(make_result: MakeResult) -> None:
    result = make_result(reasons={code: number for number, code in enumerate(CODES)})
    result.statistics.reasons.update({next(reversed(result.statistics.reasons)): 5})
    rejects = metrics(result)["rejects"]
    assert len(rejects) == 30
    assert rejects[0]["code"] == CODES[-1]


def test_a_run_that_could_not_go_on_says_why(make_result: MakeResult) -> None:
    assert metrics(make_result(failure=RunError("the disk is full", "make room")))["failure"] == "the disk is full"


def test_a_run_of_no_time_has_no_rate(make_result: MakeResult) -> None:
    assert metrics(make_result(loaded=1, elapsed_seconds=0.0))["documents_per_minute"] == 0


def test_the_directory_is_made_and_left_empty(tmp_path: Path) -> None:
    prepare_directory(tmp_path / "a" / "b")
    assert [*(tmp_path / "a" / "b").iterdir()] == []


def test_a_directory_that_cannot_be_made_is_refused_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="metrics cannot be written to") as error:
        prepare_directory(tmp_path / "file" / "metrics")
    assert error.value.tip == "nothing was loaded; give a writable directory with --metrics-dir"


def test_a_file_that_cannot_be_written_is_said_and_leaves_nothing_behind(
    make_result: MakeResult, tmp_path: Path
) -> None:
    result = make_result(loaded=1)
    (tmp_path / f"metrics_{result.run_id}.json").mkdir()
    with pytest.raises(RunError, match="cannot be written") as error:
        write_metrics(result.settings, result.run_id, metrics_text(result))
    assert "what was loaded is committed" in error.value.tip
    assert [path.name for path in tmp_path.iterdir()] == [f"metrics_{result.run_id}.json"]


def test_the_slowest_documents_are_in_the_file_the_slowest_first(make_result: MakeResult) -> None:
    result = make_result()
    for number in range(30):
        seconds = number * 7 % 30 / 10
        result.statistics.note_slow({str(number): seconds})
    slowest = metrics(result)["slowest"]
    assert [document["seconds"] for document in slowest] == [2.9, 2.8, 2.7, 2.6, 2.5, 2.4, 2.3, 2.2, 2.1, 2.0]
    assert slowest[0]["key"] == "17"
