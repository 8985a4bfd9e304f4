"""The soak test sees what it has to see. `make soak` is the soak test itself, and takes minutes."""

import mmap
import os
import sys
from pathlib import Path

import pytest

from tests.soak.resident import MEGABYTE, ROLES, family, growth_of, memory_of
from tests.soak.run import LIMITS, Soaked, soak

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

FLAT = [(float(second), 80.0 + second % 7) for second in range(400)]
GROWING = [(float(second), 80.0 + second / 8) for second in range(400)]
SAW = [(float(second), 80.0 + second % 50) for second in range(400)]
WARM = [(float(second), 80.0 + min(second, 90)) for second in range(400)]


def soaked(samples: list[tuple[float, float]], peak: float = 170.0) -> Soaked:
    growth = growth_of(samples, [peak])
    return Soaked(0, "", dict.fromkeys(LIMITS, growth))


def test_a_run_is_watched_and_a_worker_that_is_full_of_names_makes_way_for_another(tmp_path: Path) -> None:
    found = soak(tmp_path, documents=40, workers=1, names=40_000)
    assert (found.code, "40 loaded" in found.output) == (0, True)
    assert set(found.growth) == set(ROLES)
    assert [found.growth[role].processes for role in ("main", "manager", "fork server")] == [1, 1, 1]
    assert found.growth["worker"].processes >= 2
    assert all(growth.peak > 20 for growth in found.growth.values())
    assert len(found.lines()) == 1 + len(ROLES)


@pytest.mark.parametrize("samples", [FLAT, SAW, WARM], ids=["flat", "saw", "warming up"])
def test_memory_that_stays_where_it_is_passes(samples: list[tuple[float, float]]) -> None:
    assert soaked(samples).faults() == []


def test_memory_that_grows_slowly_does_not_pass() -> None:
    assert len(soaked(GROWING).faults()) == len(LIMITS)


def test_a_large_process_does_not_pass() -> None:
    assert [fault.partition(":")[0] for fault in soaked(FLAT, 301).faults()] == list(LIMITS)


def test_a_run_that_fails_or_a_process_that_is_not_seen_does_not_pass() -> None:
    assert len(Soaked(3, "no", {}).faults()) == 1 + len(LIMITS)


def test_the_memory_of_this_process_is_known() -> None:
    (own, *_) = family(os.getpid())
    before, _ = memory_of(own.number)
    # A mapping of its own: the heap of a process that was larger before may hold so much memory already.
    with mmap.mmap(-1, 64 * MEGABYTE) as ballast:
        for page in range(0, len(ballast), mmap.PAGESIZE):
            ballast[page] = 1
        after, peak = memory_of(own.number)
    assert after - before > 50
    assert peak >= after
