"""What a run did, counted from acknowledged outcomes only."""

from collections import Counter
from dataclasses import dataclass, field

from xml_extractor.documents import DocumentKey, Outcome, Status
from xml_extractor.reasons import Stage
from xml_extractor.reporting.series import ProgressSeries

Reason = tuple[Stage, str]
"""The stage and the code of a failure."""


@dataclass(slots=True)
class RunStatistics:
    """The counts of one run, kept by the main process alone.

    Attributes:
        tables: Names of the contract's tables; `rows` counts by the same order.
        seen: Documents that the run took from the source's list, those already done among them.
        examples: For each reason, the key of the first document rejected for it.
        stage_seconds: Seconds spent in each step, summed over processes and threads.
        series: How it went on.
    """

    tables: tuple[str, ...]
    seen: int = 0
    loaded: int = 0
    rejected: int = 0
    already_done: int = 0
    rows: list[int] = field(default_factory=list)
    reasons: Counter[Reason] = field(default_factory=Counter)
    examples: dict[Reason, DocumentKey] = field(default_factory=dict)
    stage_seconds: Counter[str] = field(default_factory=Counter)
    series: ProgressSeries = field(default_factory=ProgressSeries)

    def __post_init__(self) -> None:
        self.rows = self.rows or [0] * len(self.tables)

    @property
    def processed(self) -> int:
        """Documents loaded or rejected by this run."""
        return self.loaded + self.rejected

    @property
    def unaccounted(self) -> int:
        """Documents seen whose outcome is not known: 0 at the end of a run that was not interrupted."""
        return self.seen - self.processed - self.already_done

    def record(self, outcome: Outcome) -> None:
        """Count a document whose transaction has committed, or which another run had done."""
        match outcome.status:
            case Status.LOADED:
                self.loaded += 1
                self.rows = [total + rows for total, rows in zip(self.rows, outcome.rows, strict=True)]
            case Status.REJECTED:
                self.rejected += 1
                if outcome.failure is not None:
                    reason = (outcome.failure.stage, outcome.failure.code)
                    self.reasons[reason] += 1
                    self.examples.setdefault(reason, outcome.key)
            case Status.ALREADY_DONE:
                self.already_done += 1

    def skip(self, documents: int) -> None:
        """Count documents that were seen and skipped because the processing log has them."""
        self.seen += documents
        self.already_done += documents
