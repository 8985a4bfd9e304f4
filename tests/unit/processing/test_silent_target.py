"""A target that never answers ends the run, whoever waits for it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.accounts import write_orders
from xml_extractor.errors import SilentTargetError
from xml_extractor.pipeline import run
from xml_extractor.processing import processes
from xml_extractor.settings import InsertMode, RunSettings


@pytest.mark.parametrize("mode", ["queue", "blocking"])
def test_a_target_that_does_not_answer_ends_the_run(
    mode: InsertMode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_orders(tmp_path, documents=3000)
    monkeypatch.setattr(processes, "LONGEST_LOAD_SECONDS", 3.0)
    settings = RunSettings(
        contract=str(tmp_path / "orders.yaml"),
        source=f"sqlite:///{tmp_path / 'orders.db'}",
        target=f"sqlite:///{tmp_path / 'loaded.db'}?timeout=60",
        workers=1,
        batch_size=20,
        insert_mode=mode,
        metrics_dir=None,
        rejects_dir=None,
    )
    with closing(sqlite3.connect(tmp_path / "loaded.db", isolation_level=None, timeout=60)) as other:

        def lock(_: int) -> None:
            if not other.in_transaction:
                other.execute("BEGIN IMMEDIATE")

        monkeypatch.setattr("xml_extractor.processing.run_reporter.RunReporter.finish", lambda *_: None)
        result = run(settings, lock)
        other.execute("ROLLBACK")
    assert isinstance(result.failure, SilentTargetError)
    assert result.failure.message == "the target has not answered for 0.05 minutes"
    assert result.statistics.unaccounted > 0
