"""The automatic number of insert threads."""

import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from xml_extractor.processing import insert_threads
from xml_extractor.processing.insert_threads import BACKLOG, MOST_THREADS, InsertThreads


class Thread:
    """A thread that loads nothing."""

    def __init__(self, *_: object) -> None:
        self.abandoned = SimpleNamespace(set=lambda: None)
        self.is_alive = True

    def start(self) -> None:
        pass

    def stop(self, *, drain: bool = True) -> None:
        pass

    def get_stats(self) -> Any:
        return SimpleNamespace(transactions=1)


def threads_at(
    speeds: dict[int, float], monkeypatch: pytest.MonkeyPatch, number: Any = "auto", backlog: int = 1000
) -> int:
    """Return the number of threads after two minutes, if so many of them load these documents a second."""
    clock = 0.0
    monkeypatch.setattr(insert_threads, "BackgroundInsertThread", Thread)
    monkeypatch.setattr(time, "monotonic", lambda: 1.0 + clock)
    committed = 0.0
    with InsertThreads(cast("Any", None), cast("Any", None), lambda _: None, number) as threads:
        for _ in range(1200):
            clock += 0.1
            committed += speeds[threads.number] / 10
            threads.adjust(backlog, int(committed))
        assert threads.are_alive
        return threads.number


def test_a_thread_that_makes_loading_faster_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    assert threads_at({1: 100, 2: 180, 3: 185}, monkeypatch) == 2
    assert threads_at({1: 100, 2: 180, 3: 260, 4: 340}, monkeypatch) == MOST_THREADS


def test_one_thread_remains_if_two_are_not_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    assert threads_at({1: 100, 2: 70}, monkeypatch) == 1
    assert threads_at({1: 100, 2: 105}, monkeypatch) == 1


def test_no_thread_is_added_while_none_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert threads_at({1: 100}, monkeypatch, backlog=BACKLOG - 1) == 1


def test_a_given_number_of_threads_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    assert threads_at({3: 100}, monkeypatch, number=3) == 3
