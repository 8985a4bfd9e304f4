"""Each record, member and revision is loaded once, in whatever parts: by limits, ranges, shards and runs at once.

What is left is compared with what one run leaves that does everything.
"""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.faults.bench import ENDED_IN_ORDER, Bench, Launcher, logged_keys, number_of
from tests.faults.other_sources import OTHER_SOURCES

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")

IN_PARTS = ("--limit", "7"), ("--shard", "1/2"), ("--range",), ("--shard", "2/2")


@pytest.fixture(scope="module")
def benches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Bench]]:
    with Launcher() as launcher:

        @cache
        def bench_of(name: str) -> Bench:
            return OTHER_SOURCES[name](tmp_path_factory.mktemp("once"), launcher)

        yield bench_of


def middle_keys(bench: Bench) -> str:
    """A range of keys, which has a quarter of the documents."""
    keys = sorted(logged_keys(bench.directory / "undisturbed", "loaded"))
    if bench.has_revisions:
        keys = sorted(keys, key=number_of)
    return f"{keys[len(keys) // 3]}:{keys[len(keys) * 7 // 12]}"


@pytest.mark.parametrize("source", OTHER_SOURCES)
def test_documents_loaded_in_parts_and_by_runs_at_once_are_loaded_once(
    benches: Callable[[str], Bench], source: str
) -> None:
    bench = benches(source)
    place = bench.new_place()
    first = bench.start(place, options=IN_PARTS[0])
    assert first.wait().code in ENDED_IN_ORDER
    bench.see_that_documents_are_whole(place)
    assert len(logged_keys(place, "loaded")) <= 7
    others = [bench.new_place() for _ in IN_PARTS[1:]]
    parts = [(*options, middle_keys(bench)) if len(options) == 1 else options for options in IN_PARTS[1:]]
    runs = [bench.start(own, options=options, target=place) for own, options in zip(others, parts, strict=True)]
    codes = [run.wait().code for run in runs]
    assert all(code in ENDED_IN_ORDER for code in codes), [(own / "stderr").read_text() for own in others]
    bench.see_that_documents_are_whole(place)
    assert bench.hashes(place) == bench.expected
    bench.resume(place)
    assert bench.hashes(place) == bench.expected
