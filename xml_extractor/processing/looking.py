"""Let worker processes look at the documents of a source, chunk by chunk, where nothing is loaded."""

import os
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xml_extractor.contract.model import Contract
from xml_extractor.documents import DocumentKey, Failure, RecordKey, Rejection, SourceDocument
from xml_extractor.errors import XmlExtractorError
from xml_extractor.processing.chunks import (
    MAX_CHUNK,
    Chunk,
    ChunkReport,
    ChunksInFlight,
    divide,
    internal_error,
)
from xml_extractor.processing.parallel_coordinator import start_worker
from xml_extractor.processing.processes import fork_server
from xml_extractor.processing.worker import ChunkWorker, rejected_keys, reported
from xml_extractor.processing.worker_supervisor import WorkerSupervisor
from xml_extractor.reasons import Stage
from xml_extractor.settings import StartMethod
from xml_extractor.sources.interfaces import Source
from xml_extractor.stopping import stop_requests


@dataclass(frozen=True, slots=True)
class LookedAt(ChunkReport):
    """What a worker has found in a chunk; None if it could not go through it."""

    found: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LookingContext:
    """What all processes know about the work. The address may hold secrets.

    Attributes:
        sample: Documents to look at at most, evenly from all; None for all.
    """

    contract: Contract
    source_name: str
    source_address: str
    workers: int
    batch_size: int
    document_timeout: int
    start_method: StartMethod
    sample: int | None = None


class LookingWorker(ChunkWorker):
    """The parts that one worker process uses for all its documents. Each document costs at most itself.

    Args:
        source: The source, opened by this process.
        markers: The directory for the worker's crash marker.
    """

    def __init__(self, source: Source, markers: Path) -> None:
        super().__init__(markers)
        self.source = source
        self._stage = Stage.FETCH

    @abstractmethod
    def look_at(self, document: SourceDocument | Rejection, order: tuple[int, int]) -> None:
        """Look at a document, given its place in the order of the source; call `enter` for each stage."""

    @abstractmethod
    def reject(self, key: DocumentKey, failure: Failure, order: tuple[int, int]) -> None:
        """Take note of a document that cannot be looked at."""

    def left_out(self, keys: Sequence[DocumentKey]) -> Collection[DocumentKey]:
        """Return those documents of a chunk that need not be fetched. Called once for each chunk, before all others."""
        del keys
        return ()

    @abstractmethod
    def take(self) -> Any:
        """Return what was found since the last call."""

    def enter(self, stage: Stage) -> None:
        """Record the next stage of the document, so that it is rejected there if it takes too long."""
        self._stage = stage
        self._marker.enter(stage)

    def close(self) -> None:
        """Close the source and the crash marker."""
        super().close()
        self.source.close()

    def look_at_all(self, chunk: Chunk) -> Any:
        """Fetch the documents of a chunk, look at each, and return what was found.

        Raises:
            XmlExtractorError: The source cannot be read any more.
        """
        rejected, left_out = rejected_keys(chunk), self.left_out(chunk.keys)
        fetched = self.source.fetch([key for key in chunk.keys if key not in rejected and key not in left_out])
        for position, key in enumerate(chunk.keys):
            order = (chunk.sequence, position)
            if key in left_out:
                continue
            if key in rejected:
                self.reject(key, rejected[key], order)
                continue
            self._stage = Stage.FETCH
            self._marker.set(chunk.sequence, position, Stage.FETCH)
            try:
                self.look_at(next(fetched), order)
            except (MemoryError, XmlExtractorError):
                raise
            except Exception as error:  # noqa: BLE001 - costs the document, as in a run
                self.reject(key, internal_error(error, key, self._stage), order)
            self._marker.clear()
        return self.take()


def _look_at(chunk: Chunk) -> ChunkReport:
    return reported(chunk, lambda worker, chunk: LookedAt(chunk.sequence, os.getpid(), found=worker.look_at_all(chunk)))


def for_each_chunk(
    context: LookingContext,
    make: Callable[[Any, Path], LookingWorker],
    chunks: Iterable[tuple[DocumentKey, ...]],
    on_found: Callable[[Any], None],
) -> bool:
    """Have worker processes look at chunks of documents.

    Args:
        context: What all processes know.
        make: Makes the worker in its process, of the context and the directory for crash markers.
        chunks: The keys of the documents, taken as workers become free.
        on_found: Called with what `LookingWorker.take` returned for each chunk, once, in any order.

    Returns:
        Whether the command was asked to stop before all documents were seen.

    Raises:
        XmlExtractorError: The documents cannot be looked at.
    """
    in_flight = ChunksInFlight(context.workers)

    def handle(result: ChunkReport) -> None:
        if isinstance(result, LookedAt) and in_flight.acknowledge(result.sequence):
            on_found(result.found)

    with stop_requests(is_orderly=False) as stop, fork_server(context.start_method, context.workers) as share:
        share(context.contract)
        parts = (in_flight, start_worker, (make, context), _look_at, handle, stop)
        with WorkerSupervisor(context, *parts) as workers:
            for keys in chunks:
                workers.poll_until(in_flight.has_room)
                if stop.requested:
                    break
                workers.submit(in_flight.hand_out(keys, {}))
            workers.poll_until(in_flight.are_all_finished)
        return stop.requested


def key_chunks(
    pages: Iterable[Sequence[DocumentKey]], workers: int, *, limit: int | None = None, sample: int | None = None
) -> Iterator[tuple[DocumentKey, ...]]:
    """Yield the documents of a source in chunks, without the keys of files of records that are no documents.

    Args:
        pages: The keys of the source.
        workers: Number of worker processes.
        limit: Documents at most, from the first; None for all.
        sample: Documents at most, evenly from all; None for all.
    """
    documents = map(_documents, pages)
    for keys in _sampled(documents, sample) if sample is not None else _limited(documents, limit):
        yield from divide(keys, workers)


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
