from collections.abc import Callable

import pytest

from metrics.measurements.figures import alternately, ratio, spread


def test_measures_are_taken_in_turns_and_each_is_first_as_often() -> None:
    taken: list[str] = []

    def measure(name: str) -> Callable[[], float]:
        def take() -> float:
            taken.append(name)
            return float(len(taken))

        return take

    figures = alternately({"a": measure("a"), "b": measure("b")}, rounds=4)
    assert "".join(taken) == "abbaabba"
    assert figures == {"a": [1, 4, 5, 8], "b": [2, 3, 6, 7]}


def test_a_ratio_is_that_of_the_medians_and_lies_within_its_interval() -> None:
    found = ratio([8, 10, 12, 10, 9], [4, 5, 6, 5, 5])
    assert found.median == 2
    assert found.low <= 2 <= found.high
    assert ratio([8, 10, 12, 10, 9], [4, 5, 6, 5, 5]) == found


def test_the_interval_of_a_ratio_is_wider_the_more_the_figures_scatter() -> None:
    steady, scattered = [10, 10, 10, 10, 10], [5, 8, 10, 14, 20]
    assert ratio(steady, steady).low == ratio(steady, steady).high == 1
    found = ratio(scattered, steady)
    assert found.low < 1 < found.high


@pytest.mark.parametrize(("figures", "expected"), [([7], 0), ([3, 3, 3], 0), ([8, 10, 12], 0.2)])
def test_the_spread_is_the_distance_of_the_quartiles_over_the_median(figures: list[float], expected: float) -> None:
    assert spread(figures) == pytest.approx(expected)
