"""Observe all documents of a source with worker processes, and load nothing."""

import gc
import os
import queue
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.util import Finalize
from typing import NamedTuple

from xml_extractor.contract.model import Contract
from xml_extractor.documents import DocumentKey, RecordKey, Rejection, RunValues, Skipped
from xml_extractor.errors import WorkerDiedError
from xml_extractor.processing.chunks import MAX_CHUNK, WorkerFailure, as_run_error, divide
from xml_extractor.processing.processes import (
    MAX_GROWTH,
    NO_MEMORY,
    WorkerPool,
    check_system,
    process_context,
    retire,
    set_up_child,
    shared_plan,
)
from xml_extractor.processing.worker import resident_bytes
from xml_extractor.processing_log.log_keys import UnusableKey
from xml_extractor.quality.observation import Observed, Observer
from xml_extractor.records import open_documents
from xml_extractor.settings import StartMethod
from xml_extractor.sources.document_keys import unusable_key
from xml_extractor.sources.interfaces import Source
from xml_extractor.stopping import stop_requests

POLL_SECONDS = 0.1
CHUNKS_PER_WORKER = 4
"""Chunks that wait for or are with each worker at most."""


@dataclass(frozen=True, slots=True)
class CoverageContext:
    """What all processes know. The address may hold secrets.

    Attributes:
        started_at: Naive UTC; the clock of the contract's expressions.
        limit: Documents to observe at most, from the first; None for all.
        sample: Documents to observe at most, evenly from all; None for all.
    """

    contract: Contract
    source_name: str
    source_address: str
    started_at: datetime
    workers: int
    batch_size: int
    start_method: StartMethod
    limit: int | None = None
    sample: int | None = None


class ObservedChunk(NamedTuple):
    """What a worker has seen in a chunk, or why it could not go through it."""

    worker: int
    documents: int
    observed: Observed | None
    failure: WorkerFailure | None = None
    retires: bool = False


class _Chunk(NamedTuple):
    number: int
    keys: tuple[DocumentKey, ...]


class _CoverageWorker:
    """The parts that one worker process uses for all its documents."""

    def __init__(self, context: CoverageContext) -> None:
        run = RunValues("coverage", context.started_at, context.source_name)
        self.observer = Observer(context.contract, run)
        self.source = open_documents(context.source_address, context.contract)
        self.resident_at_start = resident_bytes()
        Finalize(None, self.source.close, exitpriority=10)

    def observe(self, chunk: _Chunk) -> Observed:
        """Observe the documents of a chunk."""
        keys = [key for key in chunk.keys if not isinstance(key, UnusableKey)]
        fetched = self.source.fetch(keys)
        for position, key in enumerate(chunk.keys):
            order = (chunk.number, position)
            if isinstance(key, UnusableKey):
                self.observer.fail([unusable_key(key)], (order, str(key)))
                continue
            document = next(fetched)
            if isinstance(document, Skipped):
                self.observer.observed.documents["skipped"] += 1
            elif isinstance(document, Rejection):
                self.observer.fail([document.failure], (order, str(key)))
            else:
                self.observer.observe(document, order)
        return self.observer.take()


_worker: ContextVar[_CoverageWorker | WorkerFailure] = ContextVar("coverage_worker")


def _init_worker(context: CoverageContext) -> None:
    set_up_child()
    try:
        _worker.set(_CoverageWorker(context))
    except Exception as error:  # noqa: BLE001 - reported with the first chunk
        _worker.set(WorkerFailure.of(as_run_error(error)))
    gc.collect()
    gc.freeze()


def _observe_chunk(chunk: _Chunk) -> ObservedChunk:
    worker = _worker.get()
    if isinstance(worker, WorkerFailure):
        return ObservedChunk(os.getpid(), 0, None, worker)
    try:
        observed = worker.observe(chunk)
    except MemoryError:
        os._exit(NO_MEMORY)
    except Exception as error:  # noqa: BLE001 - reported as data
        return ObservedChunk(os.getpid(), 0, None, WorkerFailure.of(as_run_error(error)))
    retires = resident_bytes() - worker.resident_at_start > MAX_GROWTH
    if retires:
        retire()
    return ObservedChunk(os.getpid(), len(chunk.keys), observed, None, retires)


def observe_source(
    context: CoverageContext, source: Source, on_progress: Callable[[int], None] = lambda _: None
) -> tuple[Observed, bool]:
    """Observe the documents of a source.

    Args:
        context: What to observe.
        source: The source, already open.
        on_progress: Called with the number of documents that were observed since the last call.

    Returns:
        What was seen, and whether the command was asked to stop before all documents were seen.

    Raises:
        XmlExtractorError: The documents cannot be observed.
    """
    check_system(context.workers)
    observed, results = Observed(), queue.SimpleQueue[ObservedChunk | BaseException]()
    with stop_requests(is_orderly=False) as stop, shared_plan(context.start_method, context.contract):
        initargs = (context,)
        with WorkerPool(process_context(context.start_method), context.workers, _init_worker, initargs) as pool:
            in_flight = 0
            for chunk in _chunks(context, source):
                while in_flight >= context.workers * CHUNKS_PER_WORKER:
                    in_flight -= _receive(pool, results, observed, on_progress)
                if stop.requested:
                    break
                pool.submit(_observe_chunk, chunk, results.put, results.put)
                in_flight += 1
            while in_flight:
                in_flight -= _receive(pool, results, observed, on_progress)
        return observed, stop.requested


def _receive(
    pool: WorkerPool,
    results: "queue.SimpleQueue[ObservedChunk | BaseException]",
    observed: Observed,
    on_progress: Callable[[int], None],
) -> int:
    """Wait for a result; return how many have arrived."""
    try:
        result = results.get(timeout=POLL_SECONDS)
    except queue.Empty:
        if dead := pool.find_dead():
            message = f"a worker process died ({dead[0].exit}) while it observed documents"
            raise WorkerDiedError(message, "run with --workers 1, or leave the document out with --limit") from None
        return 0
    if isinstance(result, BaseException):
        raise result
    pool.note_result(result.worker, retires=result.retires)
    if result.failure is not None:
        raise result.failure.exception()
    if result.observed is not None:
        observed.add(result.observed)
    on_progress(result.documents)
    return 1


def _chunks(context: CoverageContext, source: Source) -> Iterator[_Chunk]:
    pages = (_documents(page.keys) for page in source.key_pages(context.batch_size))
    number = 0
    for keys in _sampled(pages, context.sample) if context.sample is not None else _limited(pages, context.limit):
        for chunk in divide(keys, context.workers):
            yield _Chunk(number, chunk)
            number += 1


def _documents(keys: Iterable[DocumentKey]) -> list[DocumentKey]:
    return [key for key in keys if not (isinstance(key, RecordKey) and key.place.is_complete)]


def _limited(pages: Iterable[list[DocumentKey]], limit: int | None) -> Iterator[Sequence[DocumentKey]]:
    left = limit
    for page in pages:
        yield page if left is None else page[:left]
        if left is not None:
            left -= len(page)
            if left <= 0:
                return


def _sampled(pages: Iterable[list[DocumentKey]], sample: int) -> Iterator[Sequence[DocumentKey]]:
    """Yield keys that are spread evenly over all pages."""
    keys = [key.without_content() if isinstance(key, RecordKey) else key for page in pages for key in page]
    chosen = (
        [keys[number * len(keys) // sample] for number in range(min(sample, len(keys)))] if sample < len(keys) else keys
    )
    for first in range(0, len(chosen), MAX_CHUNK * 8):
        yield chosen[first : first + MAX_CHUNK * 8]
