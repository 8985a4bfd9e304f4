"""What the coordinator hands out and gets back, and how it chooses what to hand out next."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from zlib import crc32

from xml_extractor.contract.model import Contract
from xml_extractor.documents import DocumentKey, Outcome, Replaced
from xml_extractor.errors import XmlExtractorError
from xml_extractor.processing.insert_plan import TABLE_BY_TABLE, InsertPlan
from xml_extractor.settings import RunSettings, Shard
from xml_extractor.sources.interfaces import KeyPage

MAX_CHUNK = 32
"""Documents in a work item at most; handing over fewer costs more messages."""

CHUNKS_PER_WORKER = 4
"""Work items that a page gives each worker at least, so that workers end at about the same time; and work items that
wait for a worker or are in its hands: what is handed out is finished even when the run is asked to stop."""

MAX_WINDOW = 1024
"""Work items in flight at most, queued ones among them."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """What all processes of a run know. Addresses may hold secrets.

    Attributes:
        source_address: What workers open the source by; it may differ from the user's.
        inserts: How rows are sent.
        started_at: Naive UTC, whole milliseconds; the clock of the contract's expressions.
    """

    run_id: str
    started_at: datetime
    settings: RunSettings
    contract: Contract
    contract_hash: str
    source_name: str
    source_address: str
    inserts: InsertPlan = TABLE_BY_TABLE


@dataclass(frozen=True, slots=True)
class WorkItem:
    """A chunk of documents for one worker; numbered from 0 in the order of the source's keys.

    Attributes:
        deadly: Those of its documents that are to be rejected, because workers have died of them.
        replaced: Those that are done again.
    """

    sequence: int
    keys: tuple[DocumentKey, ...]
    deadly: frozenset[DocumentKey] = frozenset()
    replaced: Mapping[DocumentKey, Replaced] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorkerFailure:
    """An error that ends the run, as data: an exception may not survive the way from one process to another."""

    kind: type[XmlExtractorError]
    message: str
    tip: str

    @classmethod
    def of(cls, error: XmlExtractorError) -> "WorkerFailure":
        """Take an error apart."""
        return cls(type(error), error.message, error.tip)

    def exception(self) -> XmlExtractorError:
        """Put it together again."""
        return self.kind(self.message, self.tip)


@dataclass(frozen=True, slots=True)
class WorkResult:
    """What a worker did with a work item.

    Attributes:
        worker: The worker's process id.
        outcomes: What became of each document; None if the worker did not load them itself.
        stage_seconds: Seconds by step.
        failure: Why the run cannot go on.
        retires: The worker holds too much memory, and another takes its place.
    """

    sequence: int
    worker: int
    outcomes: Sequence[Outcome] | None = None
    stage_seconds: Mapping[str, float] = field(default_factory=dict)
    failure: WorkerFailure | None = None
    retires: bool = False


class Selection(NamedTuple):
    """Documents of one page: how many are done already, and the keys of the others."""

    done: int
    keys: list[DocumentKey]


def in_shard(key: DocumentKey, shard: Shard) -> bool:
    """Whether a document belongs to this share: the same on every machine and in every run."""
    return crc32(str(key).encode("utf-8", "surrogatepass")) % shard.count == shard.number - 1


def select(
    pages: Iterable[KeyPage],
    logged_keys: Callable[[Sequence[str]], set[str]],
    shard: Shard | None = None,
    limit: int | None = None,
) -> Iterator[Selection]:
    """Choose the documents of a run, page by page; lists no further page once the limit is reached.

    Args:
        pages: All keys of the source.
        logged_keys: Says which keys, as text, the processing log has; asked where the source has not said so.
        shard: The share of the documents to take.
        limit: Documents to choose at most, not counting those that are done.
    """
    wanted = limit
    remaining = iter(pages)
    while wanted != 0 and (page := next(remaining, None)) is not None:
        mine = [key for key in page.keys if shard is None or in_shard(key, shard)]
        logged = page.logged
        if logged is None:
            logged = logged_keys([str(key) for key in mine]) if mine else set()
        selection = _up_to(wanted, mine, logged)
        if wanted is not None:
            wanted -= len(selection.keys)
        yield selection


def _up_to(wanted: int | None, keys: Sequence[DocumentKey], logged: set[str]) -> Selection:
    done = 0
    chosen: list[DocumentKey] = []
    for key in keys:
        if len(chosen) == wanted:
            break
        if str(key) in logged:
            done += 1
        else:
            chosen.append(key)
    return Selection(done, chosen)


def chunks(keys: Sequence[DocumentKey], workers: int) -> Iterator[tuple[DocumentKey, ...]]:
    """Divide the keys of a page for the workers, as evenly as chunks of a bounded size allow."""
    size = min(MAX_CHUNK, -(-len(keys) // (workers * CHUNKS_PER_WORKER)))
    return (tuple(keys[first : first + size]) for first in range(0, len(keys), size or 1))


class Window:
    """The work items in flight: the newest is never more than `size` - 1 ahead of the oldest.

    This bounds how far documents can overtake each other: of two documents with rows of one key that are further apart
    in the source than the window, always the earlier is loaded and the later refused.
    """

    def __init__(self, size: int = MAX_WINDOW) -> None:
        self._size = size
        self._unfinished: dict[int, WorkItem] = {}

    def __len__(self) -> int:
        return len(self._unfinished)

    def has_room_for(self, sequence: int) -> bool:
        """Whether this work item may be handed out now."""
        oldest = next(iter(self._unfinished), sequence)
        return sequence - oldest < self._size

    def open(self, item: WorkItem) -> None:
        """Hand out a work item; sequence numbers must rise."""
        self._unfinished[item.sequence] = item

    def item(self, sequence: int) -> WorkItem | None:
        """The work item of this number, if it is in flight."""
        return self._unfinished.get(sequence)

    def close(self, sequence: int) -> bool:
        """All documents of this work item are acknowledged; False if they were so before."""
        return self._unfinished.pop(sequence, None) is not None
