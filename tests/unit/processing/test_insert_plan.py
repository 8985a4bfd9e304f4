"""How a run chooses to send its rows."""

import logging
from typing import TYPE_CHECKING, Any, cast

import pytest

from xml_extractor.contract.reading import read_contract
from xml_extractor.errors import UsageError
from xml_extractor.processing.insert_plan import plan_inserts
from xml_extractor.settings import InsertStrategy, RunSettings
from xml_extractor.targets.registry import open_target

if TYPE_CHECKING:
    from xml_extractor.targets.interfaces import Target


class Distant:
    """Of a target only what tells how far away it is."""

    name = "mssql://host/db"
    strategies: tuple[InsertStrategy, ...] = ("executemany", "json")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def round_trip(self) -> float:
        return self._seconds


def plan(seconds: float, **settings: Any) -> tuple[str, int]:
    return plan_inserts(RunSettings("c", "s", "t", **settings), cast("Target", Distant(seconds)))


def test_a_near_target_gets_arrays_of_rows_from_one_thread() -> None:
    assert plan(0.0005) == ("executemany", 1)


def test_a_far_target_gets_one_statement_for_all_tables_from_four_threads() -> None:
    assert plan(0.0845) == ("json", 4)


def test_options_decide_before_the_distance_does() -> None:
    assert plan(0.0845, insert_strategy="executemany", insert_threads=2) == ("executemany", 2)
    assert plan(0.0005, insert_strategy="json") == ("json", 1)


def test_what_was_chosen_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        plan(0.0845)
    assert caplog.messages == ["Round trip to the target 84.5 ms: insert strategy json, insert threads 4"]


def test_the_embedded_target_takes_no_json() -> None:
    target = open_target("sqlite:///never-opened.db", read_contract("card_application"))
    with pytest.raises(UsageError, match="does not take rows by 'json'") as refused:
        plan_inserts(RunSettings("c", "s", "t", insert_strategy="json"), target)
    assert refused.value.tip == "choose executemany, or leave it out"
