"""The settings of a run, checked where they are made; and where runs look when nothing is said."""

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
StartMethod = Literal["spawn", "forkserver"]
Reprocess = Literal["loaded", "rejected", "changed-contract", "changed-documents", "all"]
"""Which documents that are done are done again."""

DEFAULT_START_METHOD: StartMethod = "spawn" if sys.platform == "win32" else "forkserver"
"""Never plain fork, which would copy the locks of the main process's threads."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several equal shares of the source's documents, for runs side by side: `number` of `count`, from 1."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `K/N`.

        Raises:
            UsageError: It is not two whole numbers with 1 <= K <= N.
        """
        number, slash, count = text.partition("/")
        if not (slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
            raise UsageError(f"'{text}' is not a shard", "write it as K/N, such as 1/4 for the first of four shares")
        return cls(int(number), int(count))


@dataclass(frozen=True, slots=True)
class KeyRange:
    """Document keys from `first` to `last`, both included; empty text leaves an end open."""

    first: str
    last: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `A:B`, `A:` or `:B`.

        Raises:
            UsageError: There is no colon, or nothing on either side of it.
        """
        first, colon, last = text.partition(":")
        if not colon or not (first or last):
            raise UsageError(f"'{text}' is not a range of keys", "write it as FIRST:LAST; either end may be left out")
        return cls(first, last)


@dataclass(frozen=True, slots=True)
class RejectLimit:
    """How many rejected documents end a run: a count, or a share of the documents processed so far."""

    count: int | None = None
    share: Fraction | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a count such as `100`, or a share such as `2%`.

        Raises:
            UsageError: It is neither.
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
        """Whether the run should end. A share is judged from 100 processed documents on."""
        if self.count is not None:
            return rejected > self.count
        enough_to_judge = 100
        return self.share is not None and processed >= enough_to_judge and rejected > self.share * processed


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What one run does. Addresses may hold secrets: show `Source.name` and `Target.name` instead.

    Attributes:
        contract: A path, or the name of a shipped contract.
        source: Where documents are: a URL, a directory, a glob or an archive.
        target: A SQLAlchemy URL.
        workers: Parse-and-map processes.
        batch_size: Document keys listed at a time.
        limit: Documents to process at most, not counting those already done.
        reprocess: Documents that are done and are to be done again; None: none are.
        reprocess_version: Of these, those that were done by this version of the contract; None: by any.
        insert_batch_rows: Rows in one `executemany` call at most.
        queue_size: Items in the insert queue at most; an item is a chunk of whole documents.
        insert_threads: Background insert threads; `auto`: as many as suit the way to the target.
        insert_strategy: How rows are sent; `auto`: as suits the way to the target.
        insert_mode: `queue`, or `blocking`: each worker loads its own documents, one transaction each.
        metrics_dir: Where the metrics file goes.
        rejects_dir: Where rejected documents go, in a directory for the run; None: nowhere.
        reject_values: Whether the list of rejects has the values that were refused.
        start_method: How worker processes are started.
    """

    contract: str
    source: str = field(repr=False)
    target: str = field(repr=False)
    workers: int = 4
    batch_size: int = 1000
    limit: int | None = None
    key_range: KeyRange | None = None
    shard: Shard | None = None
    reprocess: Reprocess | None = None
    reprocess_version: int | None = None
    insert_batch_rows: int = 500
    queue_size: int = 10000
    insert_threads: int | Literal["auto"] = "auto"
    insert_strategy: InsertStrategy | Literal["auto"] = "auto"
    insert_mode: InsertMode = "queue"
    max_rejects: RejectLimit | None = None
    log_level: str = "WARNING"
    progress: bool = True
    metrics_dir: Path = Path("metrics")
    rejects_dir: Path | None = Path("rejects")
    reject_values: bool = False
    start_method: StartMethod = DEFAULT_START_METHOD
