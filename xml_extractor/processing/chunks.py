"""Chunks of documents: how a run chooses and divides them, and where each of them is."""

import logging
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, auto
from typing import NamedTuple
from zlib import crc32

from xml_extractor.contract.model import Contract
from xml_extractor.documents import DocumentKey, Failure, Outcome, RecordKey, Replaced
from xml_extractor.errors import RunError, XmlExtractorError, system_error
from xml_extractor.reasons import Reason, Stage
from xml_extractor.settings import RunSettings, Shard
from xml_extractor.sources.interfaces import KeyPage

logger = logging.getLogger(__name__)

MAX_CHUNK = 32
"""Documents in a chunk at most. Smaller chunks cost more messages between processes."""

LARGE_CHUNK = 1024
"""The same for a worker that loads its chunks by itself, into a target where each transaction makes files."""

CHUNKS_PER_WORKER = 4
"""Chunks into which a page is divided for each worker at least, so that all workers end at about the same time. Also
the number of chunks that may be waiting for or at each worker: a run that is asked to stop still finishes them."""

MAX_WINDOW = 1024
"""Chunks in flight at most, those in the insert queue included."""

DEATHS_OF_A_POISON_DOCUMENT = 2
"""Incidents in which workers must die at a document before it is rejected."""

POISON_DOCUMENT = Failure(Stage.MAP, Reason.WORKER_DIED, "two worker processes died while they worked on the document")
"""Why a document is rejected at which workers died."""

LOADING = -1
"""The position in a crash marker while a worker loads documents."""

OF_THE_DOCUMENT = (Stage.PARSE, Stage.MAP)
"""Stages at which a document is rejected for its time. What hangs at other stages is no document's fault."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """What all processes of a run know. Addresses may hold secrets.

    Attributes:
        started_at: Naive UTC in whole milliseconds; the clock of the contract's expressions.
        source_address: The address by which workers open the source; it may differ from the user's.
        examined: What the source found when it was opened; see `ExaminedSource`.
    """

    run_id: str
    started_at: datetime
    settings: RunSettings
    contract: Contract
    contract_hash: str
    source_name: str
    source_address: str
    examined: object = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Documents that a worker processes at once.

    Attributes:
        sequence: Its number, from 0, in the order of the source's keys.
        keys: The keys of its documents.
        rejected: Documents that are not processed but rejected, because workers died at them or they took too long.
        replaced: Documents to reprocess.
    """

    sequence: int
    keys: tuple[DocumentKey, ...]
    rejected: Mapping[DocumentKey, Failure] = field(default_factory=dict)
    replaced: Mapping[DocumentKey, Replaced] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorkerFailure:
    """An error that ends the run, as data: not every exception can be pickled."""

    kind: type[XmlExtractorError]
    message: str
    tip: str

    @classmethod
    def of(cls, error: XmlExtractorError) -> "WorkerFailure":
        """Convert an exception."""
        return cls(type(error), error.message, error.tip)

    def exception(self) -> XmlExtractorError:
        """Return the exception."""
        return self.kind(self.message, self.tip)


@dataclass(frozen=True, slots=True)
class ChunkReport:
    """What a worker reports about a chunk, whatever it does with documents.

    Attributes:
        worker: The worker's process id.
        failure: Why no further document can be processed.
        retires: Whether the worker ends after this chunk because it holds too much memory.
    """

    sequence: int
    worker: int
    failure: WorkerFailure | None = None
    retires: bool = False


@dataclass(frozen=True, slots=True)
class ChunkResult(ChunkReport):
    """What a worker of a run reports about a chunk.

    Attributes:
        outcomes: The outcome of each document, committed; None if the documents are in the insert queue.
        stage_seconds: Seconds by step.
        slowest: The documents that took this worker longest so far, with their seconds.
    """

    outcomes: Sequence[Outcome] | None = None
    stage_seconds: Mapping[str, float] = field(default_factory=dict)
    slowest: Mapping[str, float] = field(default_factory=dict)


class CrashMarker(NamedTuple):
    """What a worker is doing.

    Attributes:
        sequence: The number of its chunk.
        position: The position of the document in the chunk, from 0; -1 while the worker loads documents itself.
        stage: The stage of the document; `LOAD` while the whole chunk is put into the insert queue, or loaded.
        since: When it began, by `time.monotonic`. Parsing and mapping count as one.
    """

    sequence: int
    position: int
    stage: Stage
    since: float

    @property
    def is_loading(self) -> bool:
        """Whether the worker waits for the target."""
        return self.position == LOADING


class Selection(NamedTuple):
    """Documents of one page: how many are already done, and the keys of the others."""

    done: int
    keys: list[DocumentKey]


def in_shard(key: DocumentKey, shard: Shard) -> bool:
    """Return whether a document belongs to a shard: the same on every machine and in every run."""
    return crc32(str(key).encode("utf-8", "surrogatepass")) % shard.count == shard.number - 1


def select(
    pages: Iterable[KeyPage],
    logged_keys: Callable[[Sequence[str]], set[str]],
    shard: Shard | None = None,
    limit: int | None = None,
    is_retried: Callable[[DocumentKey], bool] = lambda _: False,
) -> Iterator[Selection]:
    """Choose the documents of a run, page by page. No further page is listed once the limit is reached.

    Args:
        pages: All keys of the source.
        logged_keys: Returns which of the given keys, as text, are done; called for pages without this information.
        shard: The shard to take documents from.
        limit: Number of documents to choose at most; documents already done do not count.
        is_retried: Returns whether a document was rejected before, and is done unless it has changed; those do not
            count either.
    """
    wanted = limit
    remaining = iter(pages)
    while wanted != 0 and (page := next(remaining, None)) is not None:
        mine = [key for key in page.keys if shard is None or in_shard(key, shard)]
        logged = page.logged
        if logged is None:
            logged = logged_keys([str(key) for key in mine]) if mine else set()
        selection = _up_to(wanted, mine, logged, is_retried)
        selection = selection._replace(done=selection.done + page.done)
        if wanted is not None:
            wanted -= sum(not is_retried(key) for key in selection.keys)
        yield selection


def _up_to(
    wanted: int | None, keys: Sequence[DocumentKey], logged: set[str], is_retried: Callable[[DocumentKey], bool]
) -> Selection:
    done = counted = 0
    chosen: list[DocumentKey] = []
    for key in keys:
        if counted == wanted:
            break
        if str(key) in logged:
            done += 1
        else:
            chosen.append(key)
            counted += not is_retried(key)
    return Selection(done, chosen)


def divide(keys: Sequence[DocumentKey], workers: int, size: int | None = None) -> Iterator[tuple[DocumentKey, ...]]:
    """Divide the keys of a page into chunks of a size, by default for the workers, as evenly as `MAX_CHUNK` allows."""
    size = size or min(MAX_CHUNK, -(-len(keys) // (workers * CHUNKS_PER_WORKER)))
    return (tuple(keys[first : first + size]) for first in range(0, len(keys), size or 1))


class Place(Enum):
    """Where a chunk in flight is."""

    AT_WORKER = auto()
    """Handed out; the worker has not reported yet."""
    IN_QUEUE = auto()
    """The worker has put it into the insert queue; no insert thread has acknowledged it yet."""
    COMMITTED = auto()
    """Acknowledged by an insert thread before the worker's report arrived."""


class ChunksInFlight:
    """Knows where every chunk is, from the time it is handed out until it is acknowledged and its worker has reported.

    Chunks are handed out in the order of their numbers, and the newest is at most `window` - 1 ahead of the oldest that
    is not acknowledged. This bounds how far documents can overtake each other: of two documents with rows of one key
    that are further apart in the source, always the earlier one is loaded and the later one rejected.

    Args:
        workers: Number of worker processes.
        window: Chunks in flight at most.
    """

    def __init__(self, workers: int, window: int = MAX_WINDOW) -> None:
        self._max_at_workers = CHUNKS_PER_WORKER * workers
        self._window = window
        self._next_sequence = 0
        self._chunks: dict[int, Chunk] = {}
        self._places: dict[int, Place] = {}
        self._at_workers = 0
        self._deaths: Counter[DocumentKey] = Counter()
        self._rejected: dict[DocumentKey, Failure] = {}
        self.incidents_in_a_row = 0
        """How often workers died since a chunk was last acknowledged; those that die at the same time count once."""
        self.hangs_in_a_row = 0
        """How often workers hung outside of a document since a chunk was last acknowledged."""

    def are_all_finished(self) -> bool:
        """Return whether no chunk is in flight."""
        return not self._places

    def waiting_for_commit(self) -> int:
        """Return the number of chunks in the insert queue, and in batches that are not committed."""
        return sum(place is Place.IN_QUEUE for place in self._places.values())

    def has_room(self) -> bool:
        """Return whether another chunk may be handed out."""
        oldest = next(iter(self._chunks), self._next_sequence)
        return self._at_workers < self._max_at_workers and self._next_sequence - oldest < self._window

    def hand_out(self, keys: tuple[DocumentKey, ...], replaced: Mapping[DocumentKey, Replaced]) -> Chunk:
        """Make the next chunk; it is at a worker now."""
        chunk = Chunk(self._next_sequence, keys, replaced=replaced)
        self._next_sequence += 1
        # Records are fetched again if their worker dies, so that those that wait to be loaded take no memory here.
        without = tuple(key.without_content() if isinstance(key, RecordKey) else key for key in keys)
        self._chunks[chunk.sequence] = replace(chunk, keys=without)
        self._places[chunk.sequence] = Place.AT_WORKER
        self._at_workers += 1
        return chunk

    def reported(self, sequence: int) -> None:
        """Record that a worker is done with a chunk: it is in the queue, unless it is committed already."""
        match self._places.get(sequence):
            case Place.AT_WORKER:
                self._places[sequence] = Place.IN_QUEUE
                self._at_workers -= 1
            case Place.COMMITTED:
                del self._places[sequence]
                self._at_workers -= 1

    def acknowledge(self, sequence: int) -> bool:
        """Record that a chunk is committed; return False if it was before, because it was handed out twice."""
        if self._chunks.pop(sequence, None) is None:
            return False
        if self._places[sequence] is Place.AT_WORKER:
            self._places[sequence] = Place.COMMITTED
        else:
            del self._places[sequence]
        self.incidents_in_a_row = self.hangs_in_a_row = 0
        return True

    def record_deaths(self, markers: Collection[CrashMarker | None], *, is_whole_pool: bool = False) -> None:
        """Record that workers died at the same time.

        Args:
            markers: The document at which each of them died; None for one that died between documents.
            is_whole_pool: Whether all workers died. This is blamed on their documents only if it happens again before
                any document is loaded: what ends all workers at once is rarely a document.
        """
        self.incidents_in_a_row += 1
        if is_whole_pool and self.incidents_in_a_row == 1:
            return
        for marker in markers:
            if marker is not None and marker.stage is not Stage.LOAD and (key := self._key_at(marker)) is not None:
                self._deaths[key] += 1
                if self._deaths[key] >= DEATHS_OF_A_POISON_DOCUMENT:
                    # Rejecting it needs the hash of its content, unless a worker died at that too.
                    is_fetched = self._deaths[key] == DEATHS_OF_A_POISON_DOCUMENT
                    self._rejected[key] = POISON_DOCUMENT if is_fetched else replace(POISON_DOCUMENT, stage=Stage.FETCH)

    def record_timeout(self, marker: CrashMarker, seconds: int) -> DocumentKey | None:
        """Record that a worker was killed because it took too long; return the document, or None if it was finished.

        A document is rejected the first time, unless it was being fetched: a source that does not answer is not the
        document's fault.
        """
        key = self._key_at(marker)
        if key is not None and marker.stage in OF_THE_DOCUMENT:
            explanation = f"it took more than {seconds} s to parse and map the document (`--document-timeout`)"
            self._rejected[key] = Failure(marker.stage, Reason.TIMEOUT, explanation)
        elif key is not None:
            self.hangs_in_a_row += 1
        return key

    def _key_at(self, marker: CrashMarker) -> DocumentKey | None:
        chunk = self._chunks.get(marker.sequence)
        return None if chunk is None else chunk.keys[marker.position]

    def take_back(self) -> list[Chunk]:
        """Return the chunks to hand out again after all workers were killed, with the documents to reject."""
        for sequence in [sequence for sequence, place in self._places.items() if place is Place.COMMITTED]:
            del self._places[sequence]
            self._at_workers -= 1
        chunks = [self._chunks[sequence] for sequence, place in self._places.items() if place is Place.AT_WORKER]
        return [
            replace(chunk, rejected={key: self._rejected[key] for key in chunk.keys if key in self._rejected})
            for chunk in chunks
        ]


def as_run_error(error: Exception) -> XmlExtractorError:
    """Convert an exception of a worker into the error that ends the run."""
    match error:
        case XmlExtractorError():
            return error
        case MemoryError():
            return RunError("a worker process has no memory left", "run again with fewer workers")
        case _ if (exhausted := system_error(error)) is not None:
            return exhausted
        case _:
            _log_defect(error, "documents were processed")
            return RunError(f"internal error: {type(error).__name__}", "please report it with the lines of the log")


def internal_error(error: Exception, document: DocumentKey, stage: Stage) -> Failure:
    """Log a defect of this program that a document brought to light, and return why the document is rejected."""
    _log_defect(error, f"document {document} was at stage {stage}", document, stage)
    return Failure(stage, Reason.INTERNAL_ERROR, f"a defect of this program ({type(error).__name__})")


def _log_defect(error: Exception, when: str, document: DocumentKey | None = None, stage: Stage | None = None) -> None:
    """Log a defect of this program with its stack, without the exception's text, which may quote a document."""
    extra = {"document": document, "stage": stage}
    logger.error("Internal error: %s while %s", type(error).__name__, when, extra=extra)
    for line in "".join(traceback.format_tb(error.__traceback__)).splitlines():
        logger.error("%s", line)
