"""Let worker processes look at the documents of a source, chunk by chunk, where nothing is loaded."""

import os
import queue
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from xml_extractor.contract.model import Contract
from xml_extractor.documents import DocumentKey, RecordKey
from xml_extractor.errors import WorkerDiedError
from xml_extractor.processing.chunks import MAX_CHUNK, WorkerFailure, as_run_error, divide
from xml_extractor.processing.processes import (
    MAX_GROWTH,
    NO_MEMORY,
    WorkerPool,
    check_system,
    process_context,
    retire,
    shared_plan,
)
from xml_extractor.processing.worker import resident_bytes
from xml_extractor.settings import StartMethod
from xml_extractor.stopping import stop_requests

POLL_SECONDS = 0.1
CHUNKS_PER_WORKER = 4
"""Chunks that wait for or are with each worker at most."""

Found = TypeVar("Found")


class KeyChunk(NamedTuple):
    """Documents that a worker looks at, with the number of the chunk in the order of the source."""

    number: int
    keys: tuple[DocumentKey, ...]


class LookedAt(NamedTuple):
    """What a worker has found in a chunk, or why it could not go through it."""

    worker: int
    documents: int
    found: Any
    failure: WorkerFailure | None = None
    retires: bool = False


class PoolContext(Protocol):
    """What all processes know about the work."""

    @property
    def contract(self) -> Contract:
        """The contract that the fork server compiles."""
        ...

    @property
    def workers(self) -> int:
        """Number of worker processes."""
        ...

    @property
    def start_method(self) -> StartMethod:
        """How they are started."""
        ...


def look_at(look: Callable[[KeyChunk], Found], chunk: KeyChunk, resident_at_start: int) -> LookedAt:
    """Return what a function finds in a chunk, in a worker; its errors are data."""
    try:
        found = look(chunk)
    except MemoryError:
        os._exit(NO_MEMORY)
    except Exception as error:  # noqa: BLE001 - reported as data
        return LookedAt(os.getpid(), 0, None, WorkerFailure.of(as_run_error(error)))
    retires = resident_bytes() - resident_at_start > MAX_GROWTH
    if retires:
        retire()
    return LookedAt(os.getpid(), len(chunk.keys), found, None, retires)


def for_each_chunk(
    context: PoolContext,
    init_worker: Callable[..., None],
    task: Callable[[KeyChunk], LookedAt],
    chunks: Iterable[KeyChunk],
    on_result: Callable[[LookedAt], None],
) -> bool:
    """Have worker processes look at chunks.

    Args:
        context: The argument of `init_worker`.
        init_worker: Sets up a worker process.
        task: What a worker does with a chunk.
        chunks: The chunks, taken as workers become free.
        on_result: Called with each result.

    Returns:
        Whether the command was asked to stop before all documents were seen.

    Raises:
        XmlExtractorError: A worker failed.
    """
    check_system(context.workers)
    results = queue.SimpleQueue[LookedAt | BaseException]()
    with stop_requests(is_orderly=False) as stop, shared_plan(context.start_method, context.contract):
        with WorkerPool(process_context(context.start_method), context.workers, init_worker, (context,)) as pool:
            in_flight = 0
            for chunk in chunks:
                while in_flight >= context.workers * CHUNKS_PER_WORKER:
                    in_flight -= _receive(pool, results, on_result)
                if stop.requested:
                    break
                pool.submit(task, chunk, results.put, results.put)
                in_flight += 1
            while in_flight:
                in_flight -= _receive(pool, results, on_result)
        return stop.requested


def _receive(
    pool: WorkerPool,
    results: "queue.SimpleQueue[LookedAt | BaseException]",
    on_result: Callable[[LookedAt], None],
) -> int:
    """Wait for a result; return how many have arrived."""
    try:
        result = results.get(timeout=POLL_SECONDS)
    except queue.Empty:
        if dead := pool.find_dead():
            message = f"a worker process died ({dead[0].exit}) while it looked at documents"
            raise WorkerDiedError(message, "run with --workers 1, or leave the document out") from None
        return 0
    if isinstance(result, BaseException):
        raise result
    pool.note_result(result.worker, retires=result.retires)
    if result.failure is not None:
        raise result.failure.exception()
    on_result(result)
    return 1


def key_chunks(
    pages: Iterable[Sequence[DocumentKey]], workers: int, *, limit: int | None = None, sample: int | None = None
) -> Iterator[KeyChunk]:
    """Yield the documents of a source in chunks, without the keys of files of records that are no documents.

    Args:
        pages: The keys of the source.
        workers: Number of worker processes.
        limit: Documents at most, from the first; None for all.
        sample: Documents at most, evenly from all; None for all.
    """
    documents = map(_documents, pages)
    number = 0
    for keys in _sampled(documents, sample) if sample is not None else _limited(documents, limit):
        for chunk in divide(keys, workers):
            yield KeyChunk(number, chunk)
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
