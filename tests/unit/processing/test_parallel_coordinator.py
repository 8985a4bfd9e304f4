"""The coordinator tells workers that died from those that were replaced."""

import time
from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.accounts import write_orders
from xml_extractor.pipeline import run
from xml_extractor.processing import worker_supervisor
from xml_extractor.processing.worker_pool import GRACE_SECONDS, WorkerPool
from xml_extractor.settings import RunSettings


def test_a_replaced_worker_is_not_taken_for_dead_while_the_main_process_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_orders(tmp_path, 4)
    monkeypatch.setattr(worker_supervisor, "WorkerPool", partial(WorkerPool, tasks_per_process=1))
    settings = RunSettings(
        contract=str(tmp_path / "orders.yaml"),
        source=f"sqlite:///{tmp_path / 'orders.db'}",
        target=f"sqlite:///{tmp_path / 'target.db'}",
        workers=4,
        insert_mode="blocking",
    )
    pauses = iter([2 * GRACE_SECONDS, 1.5 * GRACE_SECONDS])
    result = run(settings, on_progress=lambda _: time.sleep(next(pauses, 0)))
    assert result.failure is None
    assert result.statistics.loaded == 4
    assert [message for message in caplog.messages if "ended unexpectedly" in message] == []
