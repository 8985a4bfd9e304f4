"""Axes have sensible ticks, what is compared has one scale, and no sample of a run is lost."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xml_extractor.reporting.plots import SMALLEST, TICKS, Bar, Panel, bars, panels, scale, time_ticks, windows


@pytest.mark.parametrize(
    ("largest", "whole", "labels"),
    [
        (0, True, "0 1"),
        (1, True, "0 1"),
        (3, True, "0 1 2 3"),
        (4.5, True, "0 2 4 6"),
        (0, False, "0 0.5 1"),
        (0.0312, False, "0 0.01 0.02 0.03 0.04"),
        (234_920, True, "0 100k 200k 300k"),
        (7_024, True, "0 2,000 4,000 6,000 8,000"),
        (9_024, True, "0 5k 10k"),
        (45_000_000, True, "0 20M 40M 60M"),
    ],
)
def test_ticks_are_round_numbers(largest: float, labels: str, *, whole: bool) -> None:
    axis = scale(largest, whole=whole)
    assert " ".join(map(axis.label, axis.ticks)) == labels
    assert axis.top >= largest


@given(largest=st.floats(0, 1e15), whole=st.booleans())
def test_an_axis_reaches_the_largest_value_and_no_two_of_its_ticks_read_the_same(
    largest: float, *, whole: bool
) -> None:
    axis = scale(largest, whole=whole)
    labels = [axis.label(tick) for tick in axis.ticks]
    assert len({*labels}) == len(labels) <= TICKS + 1
    assert axis.top >= largest
    assert axis.ticks[0] == 0
    assert axis.ticks[-2] < (largest if largest >= SMALLEST else 1)
    assert not whole or all(tick == int(tick) for tick in axis.ticks)


@given(st.floats(0.1, 1e8))
def test_ticks_of_time_are_few_and_differ(duration: float) -> None:
    ticks = time_ticks(duration)
    assert 2 <= len(ticks) <= 7
    assert len({label for _, label in ticks}) == len(ticks)
    assert all(0 <= position <= 100 for position, _ in ticks)


@pytest.mark.parametrize(
    ("duration", "last"),
    [(0.9, "0.8 s"), (42, "40 s"), (200, "3 min"), (5400, "90 min"), (50_000, "12 h"), (4e5, "4 d")],
)
def test_ticks_of_time_are_labelled_in_the_unit_that_is_usual(duration: float, last: str) -> None:
    assert time_ticks(duration)[-1][1] == last


samples = st.lists(st.tuples(st.floats(0.01, 100), st.integers(0, 50), st.integers(0, 9)), max_size=200)


@given(samples, st.floats(0.5, 500))
def test_intervals_hold_all_documents_and_the_deepest_queue(found: list[tuple[float, int, int]], width: float) -> None:
    seconds, documents, queued = [0.0], [0], [0]
    for step, more, depth in found:
        seconds.append(seconds[-1] + step)
        documents.append(documents[-1] + more)
        queued.append(depth)
    joined = windows(seconds, documents, queued, width)
    assert sum(each.rate / 60 * (each.end - each.start) for each in joined) == pytest.approx(documents[-1])
    assert [each.start for each in joined[1:]] == [each.end for each in joined[:-1]]
    assert max((each.queued or 0 for each in joined), default=0) == (max(queued) if found else 0)
    assert all(each.end - each.start >= width for each in joined[:-1])


def test_bars_of_a_table_have_one_scale() -> None:
    drawn = bars(["Table"], [Bar(["a"], [("s0", 50)], "50"), Bar(["b"], [("s0", 100), ("rest", 100)], "200")], "rows")
    assert re.findall(r'<rect class="(\w+)" x="([\d.]+)%" y="18%" width="([\d.]+)%"', drawn) == [
        ("s0", "0.0", "25.0"),
        ("s0", "0.0", "50.0"),
        ("rest", "50.0", "50.0"),
    ]
    assert re.findall(r"<text [^>]*>([^<]*)</text>", drawn) == ["0", "50", "100", "150", "200"]


def test_a_bar_of_a_small_number_is_visible_and_one_of_zero_is_not() -> None:
    drawn = bars([""], [Bar(["a"], [("s0", value)], "") for value in (1, 0, 1_000_000)], "rows")
    assert re.findall(r'y="18%" width="([\d.]+)%"', drawn) == ["0.4", "0", "100.0"]


def test_plots_that_are_compared_have_the_same_axes() -> None:
    fast = Panel("A", [(0, 5, 4000), (5, 10, 6000)], 0, 5000)
    slow = Panel("B", [(0, 20, 500)], 1, 500)
    first, second = panels([fast, slow], "documents a minute", 20).split("</figure>")[:2]
    labels = [re.findall(r"<text [^>]*>([^<]*)</text>", each) for each in (first, second)]
    assert labels[0] == labels[1] == ["0", "2,000", "4,000", "6,000", "0 s", "5 s", "10 s", "15 s", "20 s"]
    assert 'd="M0.0 333.3 L250.0 333.3 L250.0 0.0 L500.0 0.0"' in first
    assert 'd="M0.0 916.7 L1000.0 916.7"' in second
    assert "<title>A: documents a minute</title><desc>Over 10.0 s; at most 6,000.</desc>" in first
