"""What a finished run was, as the summary shows it and the metrics file keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from xml_extractor.errors import XmlExtractorError
from xml_extractor.reporting.statistics import RunStatistics
from xml_extractor.settings import RunSettings

Counts = Mapping[str, int | float]


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run from its start to its end.

    Attributes:
        source, target: Their names, without secrets.
        started_at, finished_at: Naive UTC.
        queue: Counts of the insert queue; empty in blocking mode and for a run that could not go on.
        insert_threads: Counts of each background insert thread.
        interrupted: Whether the run was asked to stop before its end.
        failure: Why the run could not go on; None if it came to its end.
        rejects_dir: Where its rejected documents are; None if it wrote none.
        outdated: Documents that were done by another contract of this name before the run.
    """

    run_id: str
    contract: str
    contract_version: int
    contract_hash: str
    source: str
    target: str
    started_at: datetime
    finished_at: datetime
    elapsed_seconds: float
    settings: RunSettings
    statistics: RunStatistics
    queue: Counts
    insert_threads: tuple[Counts, ...]
    interrupted: bool = False
    failure: XmlExtractorError | None = None
    rejects_dir: Path | None = None
    outdated: int = 0

    @property
    def documents_per_minute(self) -> float:
        """Documents loaded or rejected by this run, over its whole duration."""
        return self.statistics.processed / self.elapsed_seconds * 60 if self.elapsed_seconds else 0.0
