"""Compare figures: ratios within one measurement, and of a measurement to a stored one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from env_prep.baseline.record import Baseline, Database, MeasuredVariant
from metrics.measurements.figures import Ratio, ratio
from xml_extractor.distribution import DISTRIBUTION

ENOUGH_RUNS = 3
"""With fewer runs, an interval would be meaningless."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The comparison of a variant with another one, or with its stored figures.

    Attributes:
        first, second: The names of the two sides.
        runs: The number of runs of the side that has fewer.
    """

    first: str
    second: str
    ratio: Ratio
    runs: int

    @classmethod
    def of(cls, first: tuple[str, MeasuredVariant], second: tuple[str, MeasuredVariant]) -> Self:
        """Compare two named variants."""
        figures, others = first[1].figures, second[1].figures
        return cls(first[0], second[0], ratio(figures, others), min(len(figures), len(others)))

    @property
    def interval(self) -> str:
        """The confidence interval of 95 %; empty if there are too few runs."""
        return f"{self.ratio.low:.2f} to {self.ratio.high:.2f}" if self.runs >= ENOUGH_RUNS else ""

    def __str__(self) -> str:
        interval = f"95 % interval {self.interval}" if self.interval else "too few runs for an interval"
        return f"{self.first} / {self.second} = {self.ratio.median:.2f} ({interval})"


def within(measured: Baseline) -> list[Comparison]:
    """Compare the first variant with each of the others."""
    first, *others = measured.variants
    return [Comparison.of((first.options, first), (other.options, other)) for other in others]


def with_stored(now: Baseline, stored: Baseline) -> list[Comparison]:
    """Compare each variant with its stored figures, in the order of the stored baseline."""
    pairs = [(now.measured(then.settings), then) for then in stored.variants]
    return [
        Comparison.of((f"{again.options} now", again), ("stored", then)) for again, then in pairs if again is not None
    ]


def why_not(contract: str, database: Database, stored: Baseline) -> str:
    """Return why figures of this contract and database cannot be compared with the stored ones, or an empty text."""
    if contract != stored.contract.name:
        return f"the stored baseline is of the contract {stored.contract.name}, this is {contract}"
    if database.kind != stored.database.kind:
        return f"the stored baseline is of {stored.database.name}, this is {database.name}"
    return ""


def warnings(now: Baseline, stored: Baseline) -> Iterator[str]:
    """Return other differences than those of the program, which may explain a ratio."""
    for name in ("cpus", "system", "architecture", "python"):
        yield from _changed(f"the machine's {name}" if name != "python" else "Python", now, stored, ("machine", name))
    packages = sorted({*now.machine.get("packages", {}), *stored.machine.get("packages", {})} - {DISTRIBUTION})
    for name in packages:
        yield from _changed(name, now, stored, ("machine", "packages", name))
    if now.contract.hash != stored.contract.hash:
        yield f"the contract {now.contract.name} has changed (its hash is another one)"
    if now.documents != stored.documents:
        yield f"the number of documents differs: {stored.documents:,} then, {now.documents:,} now"
    elif now.rows != stored.rows:
        yield "the rows of the documents differ"
    if now.database.name != stored.database.name:
        yield f"the database differs: {stored.database.name} then, {now.database.name} now"


def _changed(what: str, now: Baseline, stored: Baseline, path: Sequence[str]) -> Iterator[str]:
    found: list[object] = [now.machine, stored.machine]
    for name in path[1:]:
        found = [part.get(name) if isinstance(part, dict) else None for part in found]
    if found[0] != found[1]:
        yield f"{what} differs: {found[1]} then, {found[0]} now"
