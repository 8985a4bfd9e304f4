"""Observe all documents of a source with worker processes, and load nothing."""

import gc
import os
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.util import Finalize

from xml_extractor.contract.model import Contract
from xml_extractor.documents import Rejection, RunValues, Skipped
from xml_extractor.processing.chunk_pool import KeyChunk, LookedAt, for_each_chunk, key_chunks, look_at
from xml_extractor.processing.chunks import WorkerFailure, as_run_error
from xml_extractor.processing.processes import set_up_child
from xml_extractor.processing.worker import resident_bytes
from xml_extractor.processing_log.log_keys import UnusableKey
from xml_extractor.quality.observation import Observed, Observer
from xml_extractor.records import open_documents
from xml_extractor.settings import StartMethod
from xml_extractor.sources.document_keys import unusable_key
from xml_extractor.sources.interfaces import Source


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


class _CoverageWorker:
    """The parts that one worker process uses for all its documents."""

    def __init__(self, context: CoverageContext) -> None:
        run = RunValues("coverage", context.started_at, context.source_name)
        self.observer = Observer(context.contract, run)
        self.source = open_documents(context.source_address, context.contract)
        self.resident_at_start = resident_bytes()
        Finalize(None, self.source.close, exitpriority=10)

    def observe(self, chunk: KeyChunk) -> Observed:
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


def _observe_chunk(chunk: KeyChunk) -> LookedAt:
    worker = _worker.get()
    if isinstance(worker, WorkerFailure):
        return LookedAt(os.getpid(), 0, None, worker)
    return look_at(worker.observe, chunk, worker.resident_at_start)


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
    observed = Observed()

    def add(result: LookedAt) -> None:
        observed.add(result.found)
        on_progress(result.documents)

    pages = (page.keys for page in source.key_pages(context.batch_size))
    chunks = key_chunks(pages, context.workers, limit=context.limit, sample=context.sample)
    return observed, for_each_chunk(context, _init_worker, _observe_chunk, chunks, add)
