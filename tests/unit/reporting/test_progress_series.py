"""How a run went on: a sample a second, fewer of a long run."""

from itertools import pairwise

from xml_extractor.reporting.result import MAX_SAMPLES, ProgressSeries


def test_a_sample_is_taken_at_most_once_a_second() -> None:
    series = ProgressSeries(began_at=100.0)
    for tenth in range(31):
        series.sample(tenth, lambda: 7, now=100.0 + tenth / 10)
    assert series.seconds == [0, 1, 2, 3]
    assert series.documents == [0, 10, 20, 30]
    assert series.queued == [7, 7, 7, 7]


def test_the_queue_is_asked_only_for_a_sample() -> None:
    asked: list[int] = []

    def queue_size() -> int:
        asked.append(1)
        return 0

    series = ProgressSeries(began_at=0.0)
    for now in (0.0, 0.3, 0.6, 0.9, 1.2):
        series.sample(0, queue_size, now=now)
    assert len(asked) == 2


def test_a_night_of_samples_is_thinned_out_evenly_and_keeps_its_beginning() -> None:
    series = ProgressSeries(began_at=0.0)
    seconds = 8 * 3600
    for now in range(seconds):
        series.sample(now * 60, lambda: 3, now=float(now))
    assert MAX_SAMPLES / 2 <= len(series.seconds) <= MAX_SAMPLES
    assert len(series.seconds) == len(series.documents) == len(series.queued)
    assert series.seconds[0] == 0
    assert len({later - earlier for earlier, later in pairwise(series.seconds)}) == 1
    assert series.documents == [second * 60 for second in series.seconds]


def test_the_last_sample_is_the_end_of_the_run() -> None:
    series = ProgressSeries(began_at=0.0)
    series.sample(10, lambda: 5, now=1.0)
    series.end(12, elapsed=1.25)
    assert (series.seconds, series.documents, series.queued) == ([1.0, 1.25], [10, 12], [5, 0])


def test_a_run_without_a_queue_has_no_queue_in_its_samples() -> None:
    series = ProgressSeries(began_at=0.0)
    series.sample(10, None, now=1.0)
    series.end(12, elapsed=1.25)
    assert (series.documents, series.queued) == ([10, 12], [])
