"""What runs wrote is deleted after the days that the user names, and nothing else."""

import logging
from datetime import datetime
from pathlib import Path

import pytest

from tests.conftest import posix_only
from xml_extractor.reporting.metrics import delete_old_runs

NOW = datetime.fromisoformat("2026-03-31T12:00:00")
OLD, NEW = "20260301T115959000-0a1b2c3d", "20260301T120000000-0a1b2c3d"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for run_id in (OLD, NEW):
        (tmp_path / run_id).mkdir()
        (tmp_path / run_id / "17.xml").touch()
        (tmp_path / f"metrics_{run_id}.json").touch()
    (tmp_path / "latest.json").touch()
    (tmp_path / "20200101").mkdir()
    return tmp_path


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_older_files_and_directories_of_runs_are_deleted_and_counted(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        delete_old_runs(directory, 30, NOW)
    assert names(directory) == {NEW, f"metrics_{NEW}.json", "latest.json", "20200101"}
    assert caplog.messages == [f"Deleted what 2 runs older than 30 days had written to {directory}"]


def test_without_a_number_of_days_nothing_is_deleted(directory: Path) -> None:
    before = names(directory)
    delete_old_runs(directory, None, NOW)
    delete_old_runs(None, 1, NOW)
    delete_old_runs(directory / "absent", 1, NOW)
    assert names(directory) == before


@posix_only("creates a symbolic link")
def test_a_link_is_removed_and_what_it_leads_to_stays(directory: Path) -> None:
    (directory / OLD / "17.xml").unlink()
    (directory / OLD).rmdir()
    (directory / OLD).symlink_to(directory / "20200101")
    delete_old_runs(directory, 30, NOW)
    assert "20200101" in names(directory)
    assert OLD not in names(directory)
