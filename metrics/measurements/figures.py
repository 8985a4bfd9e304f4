"""Alternating measurements: medians, spreads, and ratios with a confidence interval."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from statistics import median, quantiles

RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Ratio:
    """The ratio of the figures of two measured things.

    Attributes:
        median: The median of the first over the median of the second.
        low, high: The confidence interval of 95 %.
    """

    median: float
    low: float
    high: float


def alternately(measures: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Take each measure once a round, in reversed order in every other round, so that drift affects all equally."""
    taken: dict[str, list[float]] = {name: [] for name in measures}
    order = list(measures)
    for _ in range(rounds):
        for name in order:
            taken[name].append(measures[name]())
        order.reverse()
    return taken


def spread(figures: Sequence[float]) -> float:
    """Return the distance between the quartiles over the median; 0 for a single figure."""
    if len(figures) < 2:  # noqa: PLR2004 - quartiles need two
        return 0.0
    lower, _, upper = quantiles(figures, n=4, method="inclusive")
    return (upper - lower) / median(figures)


def ratio(first: Sequence[float], second: Sequence[float]) -> Ratio:
    """Return the ratio of two medians, with the interval of a deterministic percentile bootstrap (Efron 1979)."""
    random = Random(0)  # noqa: S311 - no secret

    def resampled(figures: Sequence[float]) -> float:
        return median(random.choices(figures, k=len(figures)))

    ratios = sorted(resampled(first) / resampled(second) for _ in range(RESAMPLES))
    tail = round(RESAMPLES * (1 - CONFIDENCE) / 2)
    return Ratio(median(first) / median(second), ratios[tail], ratios[-1 - tail])
