"""What a run did: its counts, its progress over time, and its result."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from heapq import nlargest
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from xml_extractor.documents import (
    NOT_INSERTED,
    TOLERATED,
    Counted,
    CountKey,
    DocumentKey,
    Outcome,
    Revision,
    RevisionRank,
    Status,
)
from xml_extractor.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_REJECTS, XmlExtractorError
from xml_extractor.processing_log.run_history import RunStatus
from xml_extractor.reasons import Reason, Stage
from xml_extractor.reporting.console import Progress
from xml_extractor.settings import RunSettings, ToleranceLimits

Counts = Mapping[str, int | float]

SLOWEST = 10
"""How many of the slowest documents are kept."""

StageReason = tuple[Stage, Reason]
"""The stage and the reason code of a rejection."""

SAMPLE_SECONDS = 1.0
"""The initial interval between two samples."""

MAX_SAMPLES = 600
"""The number of samples at which every second one is dropped and the interval is doubled."""


@dataclass(slots=True)
class ProgressSeries:
    """Samples of a run's progress, taken by the main process.

    Attributes:
        began_at: The start of the run, by `time.perf_counter`.
        seconds: For each sample, the seconds since the start.
        documents: For each sample, the documents loaded or rejected so far.
        queued: For each sample, the chunks in the insert queue; empty if there is no queue.
    """

    began_at: float = field(default_factory=time.perf_counter)
    seconds: list[float] = field(default_factory=list)
    documents: list[int] = field(default_factory=list)
    queued: list[int] = field(default_factory=list)
    _interval: float = SAMPLE_SECONDS
    _next_at: float = 0.0

    def sample(self, documents: int, queue_size: Callable[[], int] | None, now: float | None = None) -> None:
        """Take a sample if the interval has passed.

        Args:
            documents: Documents loaded or rejected so far.
            queue_size: Returns the number of chunks in the queue; called only when a sample is taken. None if there is
                no queue.
            now: The time by `time.perf_counter`; by default the current time.
        """
        since = (time.perf_counter() if now is None else now) - self.began_at
        if since < self._next_at:
            return
        self._add(since, documents, None if queue_size is None else queue_size())
        if len(self.seconds) >= MAX_SAMPLES:
            for figures in (self.seconds, self.documents, self.queued):
                del figures[1::2]
            self._interval *= 2
        self._next_at = self.seconds[-1] + self._interval

    def end(self, documents: int, elapsed: float) -> None:
        """Add the last sample, at the end of the run, when the queue is empty.

        Args:
            documents: Documents loaded or rejected by the run.
            elapsed: The duration of the run in seconds.
        """
        self._add(elapsed, documents, 0 if self.queued else None)

    def _add(self, seconds: float, documents: int, queued: int | None) -> None:
        self.seconds.append(round(seconds, 3))
        self.documents.append(documents)
        if queued is not None:
            self.queued.append(queued)


class ToleratedValues(NamedTuple):
    """Values of a column that were tolerated, among the rows of its table."""

    column: str
    tolerated: int
    rows: int


@dataclass(slots=True)
class RunStatistics:
    """The counts of one run, kept by the main process from acknowledged outcomes only.

    Attributes:
        tables: Names of the contract's tables.
        seen: Documents that the source listed, including those already done.
        without_rows: Loaded documents for which the contract found no row.
        first_without_rows: The key of the first of them.
        rows: Rows inserted, in the order of `tables`.
        counts: Tolerated values, and rows that were left out, kept or replaced.
        examples: For each reason, the key of the first document rejected for it.
        superseded: Revisions that are older than the one that remains, those among them that were loaded before.
        deleted: Revisions that delete their thing.
        stage_seconds: Seconds spent in each step, summed over processes and threads.
        series: Samples of the progress.
        slowest: Seconds of the documents that took longest to fetch, parse and map, by key; the slowest first.
        total: The number of documents that the source has; None if it is unknown.
        insert_threads: The number of background insert threads now; 0 before they start.
    """

    tables: tuple[str, ...]
    seen: int = 0
    loaded: int = 0
    rejected: int = 0
    skipped: int = 0
    superseded: int = 0
    deleted: int = 0
    already_done: int = 0
    without_rows: int = 0
    first_without_rows: DocumentKey | None = None
    rows: list[int] = field(default_factory=list)
    counts: Counter[CountKey] = field(default_factory=Counter)
    reasons: Counter[StageReason] = field(default_factory=Counter)
    examples: dict[StageReason, DocumentKey] = field(default_factory=dict)
    stage_seconds: Counter[str] = field(default_factory=Counter)
    series: ProgressSeries = field(default_factory=ProgressSeries)
    slowest: Mapping[str, float] = field(default_factory=dict)
    total: int | None = None
    insert_threads: int = 0
    _rejected_revisions: dict[str, RevisionRank] = field(default_factory=dict)
    _left_older: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.rows = self.rows or [0] * len(self.tables)

    @property
    def processed(self) -> int:
        """The number of documents that this run is done with."""
        return self.loaded + self.rejected + self.skipped + self.superseded + self.deleted

    @property
    def unaccounted(self) -> int:
        """The number of documents without an outcome: 0 at the end of a run that was not interrupted."""
        return self.seen - self.processed - self.already_done

    @property
    def progress(self) -> Progress:
        """The progress for people."""
        queued = self.series.queued[-1] if self.series.queued else None
        return Progress(self.already_done + self.processed, self.processed, self.total, self.rejected, queued)

    @property
    def documents_line(self) -> str:
        """The reconciliation of all documents in one line, for people and for log searches."""
        pending = f" + {self.unaccounted:,} not finished" if self.unaccounted else ""
        others = (("superseded", self.superseded), ("deleted", self.deleted), ("skipped", self.skipped))
        besides = "".join(f" + {number:,} {name}" for name, number in others if number)
        return (
            f"Documents: {self.seen:,} in = {self.loaded:,} loaded + {self.rejected:,} rejected"
            f"{besides} + {self.already_done:,} already done{pending}"
        )

    def record(self, outcome: Outcome) -> None:
        """Count a document whose transaction has committed, or that another run has processed."""
        if outcome.revision is not None:
            self._record_revision(outcome, outcome.revision)
        match outcome.status:
            case Status.LOADED:
                self.loaded += 1
                self._record_rows(outcome)
            case Status.REJECTED:
                self.rejected += 1
                if outcome.failure is not None:
                    reason = (outcome.failure.stage, outcome.failure.code)
                    self.reasons[reason] += 1
                    self.examples.setdefault(reason, outcome.key)
            case Status.SKIPPED:
                self.skipped += 1
            case Status.SUPERSEDED:
                self.superseded += 1
            case Status.DELETED:
                self.deleted += 1
            case Status.ALREADY_DONE:
                self.already_done += 1

    def _record_rows(self, outcome: Outcome) -> None:
        self.rows = [total + rows for total, rows in zip(self.rows, outcome.rows, strict=True)]
        self.counts.update(dict(outcome.counts))
        if not any(outcome.rows) and not any(what in NOT_INSERTED for (_, _, what), _ in outcome.counts):
            self.without_rows += 1
            if self.first_without_rows is None:
                self.first_without_rows = outcome.key

    @property
    def left_older(self) -> int:
        """The number of things of which a newer revision is rejected than the one that remains."""
        return len(self._left_older)

    def _record_revision(self, outcome: Outcome, revision: Revision) -> None:
        """Count those that it superseded as superseded, and note whether the newest revision is rejected."""
        for status in outcome.superseded:
            self.superseded += 1
            self.loaded -= status is Status.LOADED
            self.deleted -= status is Status.DELETED
        thing, rank = revision.thing, revision.rank
        newest = self._rejected_revisions.get(thing)
        if outcome.status is Status.REJECTED:
            self._rejected_revisions[thing] = rank if newest is None else max(newest, rank)
            if outcome.leaves_older:
                self._left_older.add(thing)
        elif newest is not None and newest > rank and outcome.status is Status.LOADED:
            self._left_older.add(thing)
        else:
            self._left_older.discard(thing)

    @property
    def rows_by_table(self) -> dict[str, int]:
        """Rows inserted, by table."""
        return dict(zip(self.tables, self.rows, strict=True))

    def tolerated(self, limits: ToleranceLimits) -> ToleratedValues | None:
        """Return the first column of which more values were tolerated than limits allow; None if there is none."""
        tolerated, rows = Counter[tuple[str, str]](), Counter(self.rows_by_table)
        for (table, column, what), number in self.counts.items():
            tolerated[table, column] += number * (what in TOLERATED)
            rows[table] += number * (what in NOT_INSERTED)
        for (table, column), number in tolerated.items():
            limit = limits.of(table, column)
            if limit is not None and limit.exceeded(number, rows[table]):
                return ToleratedValues(f"{table}.{column}", number, rows[table])
        return None

    def counted(self, kinds: Collection[Counted]) -> dict[CountKey, int]:
        """Return the counts of these kinds, by the order of the tables."""
        found = ((key, number) for key, number in self.counts.items() if key[2] in kinds)
        order = {name: number for number, name in enumerate((*self.tables, ""))}
        return dict(sorted(found, key=lambda count: (order[count[0][0]], count[0])))

    def note_slow(self, seconds: Mapping[str, float]) -> None:
        """Take those of some documents that are among the slowest."""
        self.slowest = dict(nlargest(SLOWEST, {**self.slowest, **seconds}.items(), key=itemgetter(1)))

    def skip(self, documents: int) -> None:
        """Count documents that the source listed and that are already done by the processing log."""
        self.seen += documents
        self.already_done += documents


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of a run.

    Attributes:
        source, target: Their names, without secrets.
        started_at, finished_at: Naive UTC.
        is_running: Whether the run has not ended, so that `finished_at` is the current time.
        queue: Counts of the insert queue; empty in blocking mode and if the run could not continue.
        insert_threads: Counts of each background insert thread.
        interrupted: Whether the run was stopped before its end.
        failure: The error that ended the run; None if it finished.
        rejects_dir: The directory with its rejected documents; None if there are none.
        files_without_records: Files that were read to their end and have no record.
        files_too_new: Files that were not read because they had changed less than `min_age` seconds ago.
        earlier_rejects: Documents of the contract that earlier runs rejected, and that are still rejected.
        outdated: Documents that were processed with another version of the contract before the run.
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
    files_without_records: int = 0
    files_too_new: int = 0
    outdated: int = 0
    earlier_rejects: int = 0
    is_running: bool = False

    @property
    def started_at_timestamp(self) -> float:
        """`started_at` as seconds since 1970."""
        return self.started_at.replace(tzinfo=UTC).timestamp()

    @property
    def status(self) -> RunStatus:
        """How far the run is."""
        if self.is_running:
            return RunStatus.RUNNING
        if self.interrupted:
            return RunStatus.INTERRUPTED
        return RunStatus.FINISHED if self.failure is None else RunStatus.FAILED

    @property
    def exit_code(self) -> int:
        """The exit code of the command at the end of the run."""
        if self.interrupted:
            return EXIT_INTERRUPTED
        if self.failure is not None:
            return self.failure.exit_code
        earlier = 0 if self.settings.ignore_earlier_rejects else self.earlier_rejects
        return EXIT_REJECTS if self.statistics.rejected or earlier else EXIT_OK

    @property
    def documents_per_minute(self) -> float:
        """The documents loaded or rejected by this run, divided by its whole duration."""
        return self.statistics.processed / self.elapsed_seconds * 60 if self.elapsed_seconds else 0.0
