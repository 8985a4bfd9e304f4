"""What a run tells those who watch it: log lines, files for monitoring, and how long it keeps them."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.accounts import order, write_orders
from tests.conftest import Command
from xml_extractor.pipeline import run
from xml_extractor.settings import RunSettings, Shard

RUN = (
    "--contract",
    "orders.yaml",
    "--source",
    "sqlite:///orders.db",
    "--target",
    "sqlite:///loaded.db",
    "--workers",
    "1",
)


def test_at_level_info_a_run_logs_its_start_with_all_settings_and_its_end(
    production_processor: Command, tmp_path: Path
) -> None:
    write_orders(tmp_path, 5)
    lines = production_processor(*RUN, "--log-level", "INFO", "--limit", "3").stderr.splitlines()
    (start,) = [line for line in lines if " started: " in line]
    (end,) = [line for line in lines if " finished (exit code 0): " in line]
    assert "contract orders version 1, sqlite:///orders.db -> sqlite:///loaded.db" in start
    assert "workers=1" in start
    assert "limit=3" in start
    assert end.endswith("Documents: 3 in = 3 loaded + 0 rejected + 0 already done")
    assert start.split(" Run ")[1].split()[0] == end.split(" Run ")[1].split()[0]


def test_json_lines_follow_each_document_through_the_run(production_processor: Command, tmp_path: Path) -> None:
    write_orders(tmp_path, 5)
    lines = production_processor(*RUN, "--log-level", "DEBUG", "--log-format", "json").stderr.splitlines()
    entries = [json.loads(line) for line in lines]
    (run_id,) = {entry["run_id"] for entry in entries}
    assert (tmp_path / "metrics" / f"metrics_{run_id}.json").exists()
    messages = [entry["message"].partition(" (")[0] for entry in entries if entry.get("document") == 3]
    assert messages == ["Document 3: loaded"]
    assert any(entry["message"].startswith("Committed a batch (chunks=") for entry in entries)


def test_the_file_for_prometheus_is_replaced_by_each_run(production_processor: Command, tmp_path: Path) -> None:
    write_orders(tmp_path, 5)
    for _ in range(2):
        assert production_processor(*RUN, "--metrics-prom", "run.prom").returncode == 0
    text = (tmp_path / "run.prom").read_text()
    assert 'xml_extractor_run_documents{contract="orders",outcome="already_done"} 5\n' in text
    assert text.endswith("# EOF\n")


def test_a_file_for_prometheus_that_cannot_be_written_is_one_line_and_exit_code_3(
    production_processor: Command, tmp_path: Path
) -> None:
    write_orders(tmp_path, 5)
    (tmp_path / "run.prom").mkdir()
    failed = production_processor(*RUN, "--metrics-prom", "run.prom")
    assert failed.returncode == 3
    assert "cannot be written" in failed.stderr.splitlines()[-2]
    assert production_processor(*RUN).returncode == 0


def test_metrics_and_rejects_are_kept_as_long_as_the_user_says(production_processor: Command, tmp_path: Path) -> None:
    write_orders(tmp_path, 5)
    old = "20200101T000000000-0a1b2c3d"
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / f"metrics_{old}.json").touch()
    (tmp_path / "rejects" / old).mkdir(parents=True)
    assert production_processor(*RUN, "--keep-metrics", "30").returncode == 0
    assert not (tmp_path / "metrics" / f"metrics_{old}.json").exists()
    assert (tmp_path / "rejects" / old).exists()
    assert production_processor(*RUN, "--keep-rejects", "30").returncode == 0
    assert not (tmp_path / "rejects" / old).exists()


@pytest.mark.parametrize(
    ("settings", "totals"),
    [({}, {40}), ({"limit": 15}, {15}), ({"shard": Shard(1, 4)}, {10}), ({"source": "files"}, {7})],
)
def test_the_total_is_known_while_a_run_is_running(
    settings: dict[str, Any], totals: set[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_orders(tmp_path, 40)
    (tmp_path / "files").mkdir()
    for number in range(7):
        (tmp_path / "files" / f"{number}.xml").write_text(order(number))
    values: dict[str, Any] = {
        "source": "sqlite:///orders.db",
        "target": "sqlite:///loaded.db",
        "workers": 1,
        "metrics_dir": None,
    }
    seen: set[int | None] = set()
    run(RunSettings("orders.yaml", **values | settings), on_poll=lambda statistics: seen.add(statistics.progress.total))
    assert seen - {None} == totals
