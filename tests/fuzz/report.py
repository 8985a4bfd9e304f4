"""Outcomes of fuzzed documents, as the processes report them and add them up."""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Self


@dataclass
class Report:
    """Counts of documents.

    Attributes:
        reasons: Documents by stage and code.
        rows: Rows of all mapped documents.
        peak: Bytes of resident memory that a process had at most.
        slowest: Seconds that one document took at most, and its seed.
        faults: What the product did wrong, each with the document's seed.
    """

    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    rows: int = 0
    peak: int = 0
    slowest: tuple[float, int] = (0.0, 0)
    faults: list[str] = field(default_factory=list)

    def add(self, other: "Report") -> None:
        """Add the outcomes of other documents."""
        self.reasons += other.reasons
        self.rows += other.rows
        self.peak = max(self.peak, other.peak)
        self.slowest = max(self.slowest, other.slowest)
        self.faults += other.faults

    def to_json(self) -> str:
        """Return the report as text for another process."""
        reasons = [(*reason, count) for reason, count in self.reasons.items()]
        return json.dumps([reasons, self.rows, self.peak, self.slowest, self.faults])

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the report of another process."""
        reasons, rows, peak, (seconds, seed), faults = json.loads(text)
        counts = Counter({(stage, code): count for stage, code, count in reasons})
        return cls(counts, rows, peak, (seconds, seed), faults)

    def lines(self) -> list[str]:
        """Return the report as text for people."""
        table = [f"{stage:<16}{code:<24}{count:>9,}" for (stage, code), count in self.reasons.most_common()]
        seconds, seed = self.slowest
        total = f"{self.reasons.total():,} documents, {self.rows:,} rows, at most {self.peak / 2**20:,.0f} MB"
        heading = f"{'stage':<16}{'code':<24}{'documents':>9}"
        return [heading, *table, f"{total}, at most {seconds:.2f} s (seed {seed})", *self.faults]
