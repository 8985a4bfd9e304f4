"""Baselines of runs that never were."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from env_prep.baseline.record import Baseline, Database
from env_prep.baseline.variants import Variant, parse
from env_prep.baseline.workload import Metrics

MakeBaseline = Callable[..., Baseline]


def metrics(documents_per_minute: float, **fields: Any) -> Metrics:
    """What a baseline takes from a metrics file."""
    taken: Metrics = {
        "run_id": "20260305T013000000-0a1b2c3d",
        "contract": {"name": "orders", "version": 7, "hash": "ab" * 32},
        "documents_per_minute": documents_per_minute,
        "elapsed_seconds": 6.0,
        "documents": {"seen": 100, "loaded": 98, "rejected": 2, "already_done": 0},
        "rows": {"orders": 98, "order_line": 300},
        "stage_seconds": {"fetch": 0.5, "parse": 1.0, "map": 2.0, "insert": 1.5, "commit": 0.2},
        "queue": {"max_size": 10, "enqueued": 4, "refused": 0, "dequeued": 4, "largest": 2},
        "series": {"seconds": [1.0, 2.0, 6.0], "documents": [0, 30, 100], "queued": [1, 2, 0]},
    }
    return taken | fields


@pytest.fixture
def make_baseline() -> MakeBaseline:
    """Make a baseline from figures by options."""

    def make(figures: dict[str, Sequence[float]], **fields: Any) -> Baseline:
        variants: list[tuple[Variant, list[Metrics]]] = [
            (parse("--a", options), [metrics(figure) for figure in taken]) for options, taken in figures.items()
        ]
        made = Baseline.of("orders.yaml", Database(kind="sqlite", name="sqlite:///scratch.db"), variants)
        return made.model_copy(update=fields)

    return make
