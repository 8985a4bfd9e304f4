"""Whatever breaks: each document is loaded once and whole, and the run ends with a code that tells the truth.

A fixed sample of what `make faults` tries.
"""

import json
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.faults.again import AgainBench
from tests.faults.bench import (
    GOOD,
    NO_MOUNT,
    Bench,
    Fault,
    Launcher,
    happenings,
    logged,
    metrics,
    see_that_it_ended,
    see_that_rejects_can_be_read,
)
from tests.faults.other_sources import OTHER_SOURCES
from tests.faults.side_by_side import kill_at_a_moment, run_side_by_side
from tests.faults.stops import signal_at_a_moment, stop_behind_a_lock, stop_in_a_hang

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")

RECOVERED = [
    Fault("begin", "before", "locked", 3),
    Fault("insert log", "before", "cut", 2),
    Fault("insert line", "before", "constraint", 2),
    Fault("commit", "before", "cut", 2),
    Fault("commit", "after", "cut", 2),
    Fault("map", "before", "kill", 8),
    Fault("enqueue", "after", "kill", 3),
]
RESUMED = [
    Fault("insert orders", "after", "disk full", 1),
    Fault("commit", "before", "kill", 2),
    Fault("commit", "after", "kill", 3),
    Fault("commit", "after", "disk lost", 2),
    Fault("acknowledge", "before", "unexpected", 1),
    Fault("hold", "before", "kill", 2),
    Fault("hand over", "after", "kill", 1),
    Fault("count", "before", "stop", 1),
    Fault("metrics", "before", "stop", 1),
    Fault("count", "after", "stop twice", 1),
]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Launcher() as launcher:
        yield Bench(tmp_path_factory.mktemp("faults"), launcher)


def name(fault: Fault) -> str:
    return f"{fault.kind}-{fault.when}-{fault.point}-{fault.number}".replace(" ", "_")


@pytest.mark.parametrize("fault", RECOVERED, ids=name)
def test_a_run_gets_over_a_passing_fault_by_itself(bench: Bench, fault: Fault) -> None:
    result = bench.try_out([fault])
    assert result[:3] == ("recovered", 1, "")


@pytest.mark.parametrize("fault", RESUMED, ids=name)
def test_the_next_run_completes_what_a_fault_has_ended(bench: Bench, fault: Fault) -> None:
    result = bench.try_out([fault])
    assert result.detail == ""
    assert result.happened == 1
    assert result.outcome in ("recovered", "resumed")


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgainBench]:
    with Launcher() as launcher:
        yield AgainBench(tmp_path_factory.mktemp("again"), launcher)


@pytest.mark.parametrize("fault", RECOVERED[::2], ids=name)
def test_a_run_that_does_documents_again_gets_over_a_passing_fault(again: AgainBench, fault: Fault) -> None:
    result = again.try_out([fault])
    assert result[:3] == ("recovered", 1, "")


@pytest.mark.parametrize("fault", RESUMED[::2], ids=name)
def test_the_next_run_does_again_what_a_fault_has_left_undone(again: AgainBench, fault: Fault) -> None:
    result = again.try_out([fault])
    assert (result.detail, result.happened, result.outcome in GOOD) == ("", 1, True)


def test_a_worker_killed_behind_its_own_commit_does_not_load_twice(bench: Bench) -> None:
    result = bench.try_out([Fault("commit", "after", "kill", 4)], ["--insert-mode", "blocking"])
    assert (result.detail, result.happened) == ("", 1)


@pytest.mark.parametrize(
    ("point", "when", "outcome"),
    [
        ("fetch", "before", "recovered"),
        ("parse", "after", "rejected"),
        ("map", "before", "rejected"),
        ("enqueue", "before", "recovered"),
        ("enqueue", "after", "recovered"),
    ],
)
def test_what_hangs_is_ended_and_costs_at_most_its_document(bench: Bench, point: str, when: str, outcome: str) -> None:
    result = bench.try_out([Fault(point, when, "hang", 2)], ["--document-timeout", "1"])
    assert result[:3] == (outcome, 1, "")


@pytest.mark.parametrize(("point", "mode"), [("insert line", "queue"), ("commit", "queue"), ("commit", "blocking")])
def test_a_target_that_never_answers_ends_the_run_and_costs_no_document(bench: Bench, point: str, mode: str) -> None:
    result = bench.try_out([Fault(point, "before", "hang", 4)], ["--insert-mode", mode])
    assert result[:3] == ("resumed", 1, "")


def test_a_reject_whose_writing_hangs_costs_no_other_document(bench: Bench) -> None:
    result = bench.try_out([Fault("reject", "before", "hang", 2)], ["--document-timeout", "1"])
    assert result[:3] == ("recovered", 1, "")


@pytest.mark.parametrize("point", ["write reject", "list reject", "write metrics"])
def test_a_full_disk_under_rejects_or_metrics_costs_no_document(bench: Bench, point: str) -> None:
    result = bench.try_out([Fault(point, "before", "no space", 1)])
    assert (result.detail, result.happened, result.outcome in GOOD) == ("", 1, True)


def test_a_real_disk_that_is_full_takes_whole_lines_only(bench: Bench) -> None:
    place = bench.new_place()
    try:
        running = bench.start(place, on_small_disk=8192)
    except OSError as error:
        pytest.skip(f"no file system can be mounted here: {error.strerror}")
    ended = running.wait()
    errors = (place / "stderr").read_text()
    if ended.code == NO_MOUNT:
        pytest.skip("no file system can be mounted here")
    assert ended.code in (1, 3), errors
    assert "No space left on device" in errors
    assert "Traceback" not in errors
    assert list((place / "rejects").iterdir()) != []
    see_that_rejects_can_be_read(place)
    bench.see_that_documents_are_whole(place)
    assert bench.complete(place) == "resumed"


@pytest.mark.parametrize("point", ["fetch", "map", "commit", "reject"])
def test_a_run_that_hangs_ends_when_it_is_asked_to_twice(bench: Bench, point: str) -> None:
    result = stop_in_a_hang(bench, Fault(point, "before", "hang", 6 if point == "commit" else 2))
    assert (result.detail, result.outcome in GOOD) == ("", True)


@pytest.mark.parametrize("times", [1, 2])
def test_a_run_behind_the_lock_of_another_session_ends_when_it_is_asked_to(bench: Bench, times: int) -> None:
    result = stop_behind_a_lock(bench, times, random.Random(times))
    assert (result.detail, result.outcome in GOOD) == ("", True)


@pytest.mark.parametrize("seed", range(3))
def test_signals_to_the_process_group_at_any_moment_end_a_run_with_nothing_left_behind(bench: Bench, seed: int) -> None:
    result = signal_at_a_moment(bench, random.Random(seed))
    assert (result.detail, result.outcome in GOOD) == ("", True)


OF_OTHER_SOURCES = [
    ("records", Fault("commit", "after", "cut", 2), "recovered"),
    ("records", Fault("list record", "before", "kill", 25), "resumed"),
    ("records", Fault("fetch", "before", "hang", 2), "recovered"),
    ("containers", Fault("open file", "before", "unreadable", 12), "recovered"),
    ("containers", Fault("commit", "after", "kill", 3), "resumed"),
    ("standard input", Fault("list record", "before", "stop", 25), "resumed"),
    ("standard input", Fault("commit", "before", "kill", 4), "resumed"),
    ("revisions", Fault("delete line", "after", "kill", 1), "resumed"),
    ("revisions", Fault("update processing_log_revisions", "before", "cut", 2), "recovered"),
    ("revisions", Fault("commit", "after", "cut", 4), "recovered"),
]


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Bench]]:
    with Launcher() as launcher:

        @cache
        def bench_of(name: str) -> Bench:
            return OTHER_SOURCES[name](tmp_path_factory.mktemp("others"), launcher)

        yield bench_of


@pytest.mark.parametrize(("source", "fault", "outcome"), OF_OTHER_SOURCES)
def test_records_containers_and_revisions_get_over_faults(
    others: Callable[[str], Bench], source: str, fault: Fault, outcome: str
) -> None:
    result = others(source).try_out([fault], ["--document-timeout", "1"] if fault.kind == "hang" else [])
    assert result[:3] == (outcome, 1, "")


@pytest.mark.parametrize("source", OTHER_SOURCES)
def test_a_worker_killed_at_any_moment_costs_no_record_and_no_revision(
    others: Callable[[str], Bench], source: str
) -> None:
    result = kill_at_a_moment(others(source), "worker", random.Random(source))
    assert (result.detail, result.outcome in GOOD) == ("", True)


@pytest.mark.parametrize("role", ["main", "manager", "worker", "whole pool", "fork-server"])
def test_a_process_killed_at_any_moment_costs_no_document(bench: Bench, role: str) -> None:
    result = kill_at_a_moment(bench, role, random.Random(role))
    assert (result.detail, result.outcome in GOOD) == ("", True)


def test_of_three_runs_at_once_with_faults_in_two_each_document_is_loaded_by_one(bench: Bench) -> None:
    result = run_side_by_side(bench, 3, random.Random(3))
    assert (result.detail, result.outcome in GOOD) == ("", True)


@pytest.mark.parametrize(("number", "times"), [(signal.SIGINT, 1), (signal.SIGTERM, 2)])
def test_signals_end_a_run_with_nothing_left_behind(bench: Bench, number: signal.Signals, times: int) -> None:
    place = bench.new_place()
    running = bench.start(place, [Fault("commit", "before", "slow", 0)], ["--insert-mode", "blocking"])
    while not logged(place, "loaded"):
        time.sleep(0.01)
    for _ in range(times):
        os.kill(running.process_id, number)
        time.sleep(0.2)
    ended = running.wait()
    assert ended.code == 130
    see_that_it_ended(ended, running.process_id, is_killed=False)
    assert list((place / "temporary").iterdir()) == []
    assert happenings(place) == []
    found = metrics(place)
    if times == 1:
        assert found is not None
        assert found["interrupted"]
        assert found["documents"]["loaded"] == len(logged(place, "loaded"))
    bench.see_that_documents_are_whole(place)
    assert bench.complete(place) == "resumed"


def test_a_fault_is_counted_over_all_processes_of_a_run(bench: Bench) -> None:
    place = bench.new_place()
    faults = [Fault("map", "after", "slow", number) for number in (1, 20, 1000)]
    assert bench.start(place, faults).wait().code == 1
    assert [json.loads(line.split()[0]) > 0 for line in happenings(place)] == [True, True]
