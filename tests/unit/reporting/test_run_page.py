"""The page of runs says how they ended, compares them on one scale, and reads what earlier versions have written."""

import json
import os
import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tests.unit.reporting.conftest import MakeResult
from xml_extractor.documents import Counted
from xml_extractor.errors import UsageError
from xml_extractor.processing_log.run_history import RunEntry, RunStatus
from xml_extractor.reporting.metrics import metrics
from xml_extractor.reporting.reported_runs import ReportedRun
from xml_extractor.reporting.run_page import run_page

MakeRun = Callable[..., ReportedRun]


@pytest.fixture
def make_run(make_result: MakeResult) -> MakeRun:
    """Make a run from its counts, and from fields of its metrics that are replaced."""

    def make(counts: dict[str, Any] | None = None, **fields: Any) -> ReportedRun:
        return ReportedRun.model_validate_json(json.dumps(metrics(make_result(**counts or {})) | fields))

    return make


def lines(*runs: ReportedRun) -> list[str]:
    """The texts of a page, a line for each element."""
    page = re.sub(r"<style>.*?</style>", "", run_page(runs), flags=re.DOTALL)
    return [unescape(line) for line in re.sub(r"<[^>]*>", "\n", page).split("\n") if line]


@pytest.mark.parametrize(
    ("counts", "fields", "outcome"),
    [
        ({"loaded": 3}, {}, "Finished; everything is loaded."),
        ({"already_done": 3}, {}, "Finished; there was nothing to do."),
        ({"loaded": 3, "reasons": {"overflow": 7}}, {}, "Finished; 1 document is rejected."),
        ({"loaded": 3, "earlier_rejects": 2}, {}, "Finished; 2 documents are still rejected from earlier runs."),
        ({"interrupted": True}, {}, "Interrupted. The next run resumes after its last commit."),
        ({}, {"status": "failed", "failure": "the disk is full"}, "Failed: the disk is full."),
        ({"is_running": True}, {}, "Running; it has not ended."),
    ],
)
def test_the_page_begins_with_how_the_run_ended(
    make_run: MakeRun, counts: dict[str, Any], fields: dict[str, Any], outcome: str
) -> None:
    assert outcome in lines(make_run(counts, **fields))[:6]


def test_a_run_that_stopped_reporting_is_lost(make_run: MakeRun) -> None:
    run = make_run({"is_running": True})
    started = datetime.fromisoformat("2026-03-05T01:30:00")
    text = run.model_dump_json(exclude={"host", "reported_at"})
    row = (
        run.run_id,
        "orders",
        7,
        "running",
        None,
        "etl-1",
        "1.0",
        started,
        started + timedelta(seconds=5),
        None,
        0,
        0,
    )
    found = lines(ReportedRun.of(RunEntry.of((*row, text))))
    lost = "Lost: it was killed, or lost its machine; its last report is of 2026-03-05 01:30:05 UTC."
    assert f"{lost} The next run resumes after its last commit." in found
    assert "etl-1" in found


def test_a_metrics_file_that_says_running_and_no_longer_changes_is_of_a_lost_run(
    make_run: MakeRun, tmp_path: Path
) -> None:
    path = tmp_path / "metrics.json"
    path.write_text(make_run({"is_running": True}).model_dump_json())
    assert ReportedRun.read(path).status is RunStatus.RUNNING
    os.utime(path, (0, time.time() - 121))
    assert ReportedRun.read(path).status is RunStatus.LOST


def test_counts_of_all_kinds_are_shown_with_what_they_mean(make_run: MakeRun) -> None:
    run = make_run(
        {"loaded": 5, "reasons": {"overflow": "K-7"}},
        tolerated_values={"orders": {"price": {"null": 12}}},
        rows_not_inserted={"orders": {"kept": 34}},
        rows_disagreeing={"orders": {"disagreed": 5}},
        unread={"/order/note": 67},
        slowest=[{"key": "K-1", "seconds": 1.25}],
        stage_seconds={"map": 2.5},
    )
    text = "\n".join(lines(run))
    for expected in (
        "orders.price\ninvalid values made NULL\n12",
        "orders\nrows not inserted, existing ones kept\n34",
        "orders\nrows not inserted that differ from the existing ones\n5",
        "/order/note\n67",
        "map: overflow\nA number or a date is outside the range of the type. Use a larger type.\nfirst: K-7\n1",
        "K-1\n1.250",
        "map\n2.50",
        "order_line\n6,000",
        "metrics prom",
    ):
        assert expected in text, expected
    assert "hunter2" not in text


@pytest.mark.parametrize("what", Counted)
def test_each_kind_of_count_has_a_meaning(make_run: MakeRun, what: Counted) -> None:
    assert what.value not in lines(make_run(tolerated_values={"orders": {"price": {what.value: 1}}}))


def test_runs_are_compared_by_letters_and_settings_that_are_equal_are_named_once(make_run: MakeRun) -> None:
    first = make_run({"loaded": 5, "settings": {"workers": 2}})
    second = make_run({"loaded": 9, "settings": {"workers": 4}}, run_id="20260306T013000000-0a1b2c3d")
    text = "\n".join(lines(first, second))
    assert "2 runs of orders, compared" in text
    assert "orders\nA\n5\nB\n9\norder_line\nA\n6,000\nB\n10,800" in text
    assert "workers\nA\n2\nB\n4\nThe same in all runs" in text
    assert text.count("batch size") == 1


def test_metrics_of_an_earlier_version_are_shown_without_what_they_lack(make_run: MakeRun, tmp_path: Path) -> None:
    given = json.loads(make_run({"loaded": 5}).model_dump_json())
    for name in ("unread", "slowest", "earlier_rejects", "series", "queue", "host", "reported_at", "rows_disagreeing"):
        del given[name]
    path = tmp_path / "old.json"
    path.write_text(json.dumps(given))
    assert "Finished; everything is loaded." in lines(ReportedRun.read(path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 2}, "format_version: Input should be 1"),
        ({"rows": {"orders": -1}}, "rows.orders: Input should be greater than or equal to 0"),
        ({"series": {"seconds": [1], "documents": []}}, "the lists of the series have different lengths"),
        ({"elapsed_seconds": "soon"}, "elapsed_seconds: Input should be a valid number"),
    ],
)
def test_a_file_that_has_no_metrics_of_a_run_is_refused_without_its_content(
    make_run: MakeRun, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(json.loads(make_run().model_dump_json()) | change))
    with pytest.raises(UsageError) as raised:
        ReportedRun.read(path)
    assert message in raised.value.message
    assert "soon" not in raised.value.message
    path.write_text("[]")
    with pytest.raises(UsageError, match="no metrics that this version can read"):
        ReportedRun.read(path)
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        ReportedRun.read(tmp_path / "none.json")
