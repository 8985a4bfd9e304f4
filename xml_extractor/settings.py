"""The settings of a run and their defaults."""

import os
import sys
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal, Self

from xml_extractor.errors import UsageError

DEFAULT_CONTRACT = "card_application"
DEFAULT_TARGET = "sqlite:///xml_extractor.db"

InsertMode = Literal["queue", "blocking"]
InsertStrategy = Literal["executemany", "json"]
ChosenStrategy = InsertStrategy | Literal["auto"]
LogFormat = Literal["text", "json"]
StartMethod = Literal["spawn", "forkserver"]
Engine = Literal["processes", "spark"]
"""Who maps and loads: worker processes of this machine, or the executors of Apache Spark."""
Reprocess = Literal["loaded", "rejected", "changed-contract", "changed-documents", "all"]
"""Which of the documents that are already done are reprocessed."""

DEFAULT_START_METHOD: StartMethod = "spawn" if sys.platform == "win32" else "forkserver"
"""Never plain fork, which would copy locks held by threads of the main process."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Shard `number` of `count`, counted from 1: one of several equal shares of the source's documents."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `K/N`.

        Raises:
            UsageError: The text is not two integers with 1 <= K <= N.
        """
        number, slash, count = text.partition("/")
        if not (slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
            raise UsageError(f"'{text}' is not a shard", "write it as K/N, such as 1/4 for the first of four shares")
        return cls(int(number), int(count))


@dataclass(frozen=True, slots=True)
class KeyRange:
    """Document keys from `first` to `last`, both inclusive; empty text leaves an end open."""

    first: str
    last: str

    def __str__(self) -> str:
        return f"{self.first}:{self.last}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `A:B`, `A:` or `:B`.

        Raises:
            UsageError: There is no colon, or both sides are empty.
        """
        first, colon, last = text.partition(":")
        if not colon or not (first or last):
            raise UsageError(f"'{text}' is not a range of keys", "write it as FIRST:LAST; either end may be left out")
        return cls(first, last)


@dataclass(frozen=True, slots=True)
class RejectLimit:
    """The number of rejected documents that ends a run: a count, or a share of the documents processed so far."""

    count: int | None = None
    share: Fraction | None = None

    def __str__(self) -> str:
        return f"{self.count}" if self.share is None else f"{float(self.share * 100):g}%"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a count such as `100`, or a share such as `2%`.

        Raises:
            UsageError: The text is neither.
        """
        try:
            if text.endswith("%"):
                share = Fraction(text[:-1]) / 100
                if 0 <= share <= 1:
                    return cls(share=share)
            elif int(text) >= 0:
                return cls(count=int(text))
        except (ValueError, ZeroDivisionError):
            pass
        raise UsageError(f"'{text}' is not a limit of rejects", "write a count such as 100, or a share such as 2%")

    def exceeded(self, rejected: int, processed: int) -> bool:
        """Return whether the run should end. A share applies from 100 processed documents on."""
        if self.count is not None:
            return rejected > self.count
        enough_to_judge = 100
        return self.share is not None and processed >= enough_to_judge and rejected > self.share * processed


DEFAULT_REJECT_LIMIT = RejectLimit(share=Fraction(1, 2))
"""Ends a run in which nothing fits, such as after a change of the source or the target."""


LIMITS: dict[str, tuple[int, int | None]] = {
    "workers": (1, 256),
    "batch_size": (1, 100_000),
    "limit": (0, None),
    "reprocess_version": (1, None),
    "insert_batch_rows": (1, 100_000),
    "queue_size": (1, 1_000_000),
    "insert_threads": (1, 64),
    "min_age": (0, None),
    "document_timeout": (0, None),
    "keep_metrics": (1, None),
    "keep_rejects": (1, None),
}
"""The least and the greatest value of the settings that are numbers."""


def automatic_workers() -> int:
    """Return the number of processors that this process may use, within the limits of `workers`.

    The main process needs little besides: its insert threads wait for the target.
    """
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return min(usable, LIMITS["workers"][1] or usable)


@dataclass(frozen=True, slots=True)
class ToleranceLimits:
    """The number of values of a column that a run may tolerate: made NULL, defaulted, truncated and so on.

    Attributes:
        limits: Limits by column, as `TABLE.COLUMN`; that of the name `` holds for all others. A share is one of the
            rows of the table.
    """

    limits: tuple[tuple[str, RejectLimit], ...]

    def __str__(self) -> str:
        return ",".join(f"{name}={limit}" if name else f"{limit}" for name, limit in self.limits)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read limits such as `1%,customer.email=20%,orders.amount=0`.

        Raises:
            UsageError: A part is no limit, or there are two for a column.
        """
        limits: dict[str, RejectLimit] = {}
        for part in text.split(","):
            name, equals, limit = part.strip().rpartition("=")
            tip = "write a count such as 100, a share such as 2%, or TABLE.COLUMN=2%; separate several with commas"
            if name.strip() in limits:
                raise UsageError(f"'{text}' has two limits for {name.strip() or 'all columns'}", tip)
            try:
                limits[name.strip()] = RejectLimit.parse(limit.strip())
            except UsageError:
                raise UsageError(f"'{part}' is not a limit of tolerated values", tip) from None
            if equals and not all(name.strip().rpartition(".")[::2]):
                raise UsageError(f"'{name.strip()}' is not a column", tip)
        return cls(tuple(limits.items()))

    @property
    def columns(self) -> list[str]:
        """The columns that have a limit of their own."""
        return [name for name, _ in self.limits if name]

    def of(self, table: str, column: str) -> RejectLimit | None:
        """Return the limit of a column; None if it has none."""
        limits = dict(self.limits)
        return limits.get(f"{table}.{column}", limits.get(""))


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The settings of one run. Addresses may hold secrets: show `Source.name` and `Target.name` instead.

    Attributes:
        contract: A path, or the name of a shipped contract.
        source: A SQLAlchemy URL, a directory, a glob, an archive, members of archives, or `-` for standard input.
        target: A SQLAlchemy URL.
        workers: Number of worker processes, which parse and map; by default, that of the processors.
        batch_size: Document keys in a page.
        limit: Documents to process at most; documents already done do not count.
        reprocess: Which documents that are already done to reprocess; None for none.
        reprocess_version: Reprocess only documents done by this version of the contract; None for any version.
        insert_batch_rows: Rows in one `executemany` call at most.
        queue_size: Items in the insert queue at most; an item is a chunk of whole documents.
        insert_threads: Number of background insert threads; `auto` begins with one and adds more while that helps.
        insert_strategy: How rows are sent; `auto` measures the ways that the target supports, and chooses the fastest.
        insert_mode: `queue`; or `blocking`, where each worker loads its documents, each in its own transaction.
        document_timeout: Seconds that a document may take in a worker, loading excluded; 0 for no limit.
        min_age: Seconds that a file must not have changed to be read; 0 to read all files.
        ignore_earlier_rejects: Whether rejects of earlier runs have no effect on the exit code.
        metrics_dir: Directory of metrics files; None to write none.
        rejects_dir: Directory in which each run makes a directory for its rejected documents; None to write none.
        reject_values: Whether the list of rejects includes rejected values.
        log_format: How log lines are written.
        progress: Whether to show the progress on standard error.
        metrics_prom: A file for the figures of the run in the format of Prometheus; None to write none.
        keep_metrics, keep_rejects: Days after which what a run wrote to these directories is deleted; None for never.
        start_method: How worker processes are started.
        in_process: Whether the main process maps and loads by itself, without worker processes and insert threads.
            `document_timeout` limits only the writing of rejects then.
        engine: Who maps and loads.
        master: The master of Spark; None for what `spark-submit` says, or all cores of this machine.
    """

    contract: str
    source: str = field(repr=False)
    target: str = field(repr=False)
    workers: int = field(default_factory=automatic_workers)
    batch_size: int = 1000
    limit: int | None = None
    key_range: KeyRange | None = None
    shard: Shard | None = None
    reprocess: Reprocess | None = None
    reprocess_version: int | None = None
    insert_batch_rows: int = 500
    queue_size: int = 10000
    insert_threads: int | Literal["auto"] = "auto"
    insert_strategy: ChosenStrategy = "auto"
    insert_mode: InsertMode = "queue"
    min_age: int = 0
    ignore_earlier_rejects: bool = False
    max_rejects: RejectLimit = DEFAULT_REJECT_LIMIT
    max_tolerated: ToleranceLimits | None = None
    document_timeout: int = 300
    log_level: str = "WARNING"
    log_format: LogFormat = "text"
    progress: bool = True
    metrics_dir: Path | None = Path("metrics")
    rejects_dir: Path | None = Path("rejects")
    metrics_prom: Path | None = None
    keep_metrics: int | None = None
    keep_rejects: int | None = None
    reject_values: bool = False
    start_method: StartMethod = DEFAULT_START_METHOD
    in_process: bool = False
    engine: Engine = "processes"
    master: str | None = None
