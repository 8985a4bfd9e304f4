"""A run as the main process knows it at its end."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from xml_extractor.documents import DocumentKey, Failure, Outcome, Status
from xml_extractor.reasons import Reason, Stage
from xml_extractor.reporting.result import RunResult, RunStatistics
from xml_extractor.settings import RunSettings

MakeResult = Callable[..., RunResult]


@pytest.fixture
def make_result(tmp_path: Path) -> MakeResult:
    """Make the result of a run from counts of documents, reasons of rejection and settings."""

    def make(
        loaded: int = 0,
        already_done: int = 0,
        unfinished: int = 0,
        reasons: dict[str, DocumentKey] | None = None,
        settings: dict[str, Any] | None = None,
        **fields: Any,
    ) -> RunResult:
        rejects = reasons or {}
        statistics = RunStatistics(("orders", "order_line"), seen=loaded + unfinished + len(rejects))
        statistics.skip(already_done)
        for key in range(loaded):
            statistics.record(Outcome(key, Status.LOADED, (1, 1200)))
        for code, rejected_key in rejects.items():
            statistics.record(
                Outcome(rejected_key, Status.REJECTED, failure=Failure(Stage.MAP, Reason(code), "it is so"))
            )
        defaults: dict[str, Any] = {
            "run_id": "20260305T013000000-0a1b2c3d",
            "contract": "orders",
            "contract_version": 7,
            "contract_hash": "ab" * 32,
            "source": "incoming",
            "target": "sqlite:///loaded.db",
            "started_at": datetime.fromisoformat("2026-03-05T01:30:00"),
            "finished_at": datetime.fromisoformat("2026-03-05T01:30:02.500"),
            "elapsed_seconds": 2.5,
            "settings": RunSettings(
                "orders.yaml",
                "mssql://user:hunter2@host/in",
                "mssql://user:hunter2@host/out",
                **{"metrics_dir": tmp_path, **(settings or {})},
            ),
            "statistics": statistics,
            "queue": {},
            "insert_threads": (),
        }
        return RunResult(**defaults | fields)

    return make
