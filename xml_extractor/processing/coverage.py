"""Observe all documents of a source with worker processes, and load nothing."""

import gc
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.util import Finalize
from pathlib import Path

from xml_extractor.contract.model import Contract
from xml_extractor.documents import DocumentKey, RecordKey, Rejection, RunValues, SourceDocument
from xml_extractor.errors import XmlExtractorError
from xml_extractor.parsing import DocumentParser, parsing_rules
from xml_extractor.processing.chunks import (
    MAX_CHUNK,
    Chunk,
    ChunkReport,
    ChunksInFlight,
    WorkerFailure,
    as_run_error,
    divide,
    internal_error,
)
from xml_extractor.processing.processes import (
    MAX_GROWTH,
    NO_MEMORY,
    check_system,
    retire,
    set_up_child,
    shared_plan,
)
from xml_extractor.processing.worker import OwnCrashMarker, rejected_keys, resident_bytes, skip_by_root
from xml_extractor.processing.worker_supervisor import WorkerSupervisor
from xml_extractor.quality.observation import Observer
from xml_extractor.quality.tallies import Observed
from xml_extractor.reasons import Stage
from xml_extractor.records import open_documents
from xml_extractor.settings import StartMethod
from xml_extractor.sources.interfaces import Source
from xml_extractor.stopping import stop_requests


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
    document_timeout: int
    start_method: StartMethod
    limit: int | None = None
    sample: int | None = None


@dataclass(frozen=True, slots=True)
class ObservedChunk(ChunkReport):
    """What a worker has seen in a chunk; None if it could not go through it."""

    observed: Observed | None = None


class _CoverageWorker:
    """The parts that one worker process uses for all its documents."""

    def __init__(self, context: CoverageContext, markers: Path) -> None:
        run = RunValues("coverage", context.started_at, context.source_name)
        self._source = open_documents(context.source_address, context.contract)
        Finalize(None, self._source.close, exitpriority=10)
        self._observer = Observer(context.contract, run, lambda key: next(self._source.fetch([key], whole=True)))
        self._parser = DocumentParser(parsing_rules(context.contract))
        self._marker = OwnCrashMarker(markers)
        self._resident_at_start = resident_bytes()

    @property
    def is_grown(self) -> bool:
        """Whether this process has grown so much that another should replace it."""
        return resident_bytes() - self._resident_at_start > MAX_GROWTH

    def observe(self, chunk: Chunk) -> Observed:
        """Observe the documents of a chunk."""
        rejected = rejected_keys(chunk)
        fetched = self._source.fetch([key for key in chunk.keys if key not in rejected])
        for position, key in enumerate(chunk.keys):
            order = (chunk.sequence, position)
            if key in rejected:
                self._observer.fail([rejected[key]], (order, str(key)))
                continue
            self._marker.set(chunk.sequence, position, Stage.FETCH)
            document = skip_by_root(next(fetched), self._source, self._parser)
            self._observe(document, order)
            self._marker.clear()
        return self._observer.take()

    def _observe(self, document: SourceDocument | Rejection, order: tuple[int, int]) -> None:
        stage = Stage.FETCH

        def enter(next_stage: Stage) -> None:
            nonlocal stage
            stage = next_stage
            self._marker.enter(stage)

        try:
            self._observer.observe(document, order, enter)
        except (MemoryError, XmlExtractorError):
            raise
        except Exception as error:  # noqa: BLE001 - costs the document, as in a run
            self._observer.fail([internal_error(error, document.key, stage)], (order, str(document.key)))


_worker: ContextVar[_CoverageWorker | WorkerFailure] = ContextVar("coverage_worker")


def _init_worker(context: CoverageContext, markers: Path) -> None:
    set_up_child()
    try:
        _worker.set(_CoverageWorker(context, markers))
    except Exception as error:  # noqa: BLE001 - reported with the first chunk
        _worker.set(WorkerFailure.of(as_run_error(error)))
    gc.collect()
    gc.freeze()


def _observe_chunk(chunk: Chunk) -> ObservedChunk:
    worker = _worker.get()
    if isinstance(worker, WorkerFailure):
        return ObservedChunk(chunk.sequence, os.getpid(), worker)
    observed = failure = None
    try:
        observed = worker.observe(chunk)
    except MemoryError:
        os._exit(NO_MEMORY)
    except Exception as error:  # noqa: BLE001 - reported as data
        failure = WorkerFailure.of(as_run_error(error))
    retires = worker.is_grown
    if retires:
        retire()
    return ObservedChunk(chunk.sequence, os.getpid(), failure, retires, observed)


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
    all_observed, chunks = Observed(), ChunksInFlight(context.workers)

    def handle(result: ObservedChunk) -> None:
        if result.observed is not None and chunks.acknowledge(result.sequence):
            all_observed.add(result.observed)
            on_progress(sum(result.observed.documents.values()))

    with stop_requests(is_orderly=False) as stop, shared_plan(context.start_method, context.contract):
        parts = (chunks, _init_worker, (context,), _observe_chunk, handle, stop)
        with WorkerSupervisor(context, *parts) as workers:
            for keys in _chunks(context, source):
                workers.poll_until(chunks.has_room)
                if stop.requested:
                    break
                workers.submit(chunks.hand_out(keys, {}))
            workers.poll_until(chunks.are_all_finished)
        return all_observed, stop.requested


def _chunks(context: CoverageContext, source: Source) -> Iterator[tuple[DocumentKey, ...]]:
    pages = (_documents(page.keys) for page in source.key_pages(context.batch_size))
    for keys in _sampled(pages, context.sample) if context.sample is not None else _limited(pages, context.limit):
        yield from divide(keys, context.workers)


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
