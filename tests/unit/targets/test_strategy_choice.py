"""How a run chooses between JSON and arrays."""

import pytest

pytest.importorskip("pyodbc", reason="pyodbc cannot be loaded: unixODBC is missing", exc_type=ImportError)
knowledge = pytest.importorskip("xml_extractor.targets.sqlserver.knowledge", exc_type=ImportError)

TABLES, ROWS = 12, 8000


def chosen(json: float, arrays: float, round_trip: float = 0.0005, batches: int = 12) -> list[str]:
    """Return how each batch is sent to a server that takes this number of seconds for one."""
    choice = knowledge.StrategyChoice()
    used = []
    for _ in range(batches):
        used.append(choice.strategy)
        choice.note(choice.strategy, TABLES, ROWS, json if choice.strategy == "json" else arrays, lambda: round_trip)
    return used


def test_a_few_hundred_documents_are_sent_as_json() -> None:
    assert chosen(json=0.6, arrays=0.1, batches=3) == ["json"] * 3


def test_a_longer_run_tries_arrays_and_keeps_what_is_faster() -> None:
    assert chosen(json=1.2, arrays=0.8) == ["json"] * 3 + ["executemany"] * 9
    assert chosen(json=1.2, arrays=2.0) == ["json"] * 3 + ["executemany"] * 4 + ["json"] * 5


def test_arrays_are_not_tried_if_their_round_trips_alone_take_longer() -> None:
    assert chosen(json=1.2, arrays=0.1, round_trip=0.0845) == ["json"] * 12
