"""What executors of Spark do with the partitions of a run.

Each Python process of an executor has a coordinator, with one worker process, which loads what it maps.
"""

import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from xml_extractor.contract.layout import layouts
from xml_extractor.documents import DocumentKey, Outcome, RecordKey, Replaced
from xml_extractor.errors import XmlExtractorError
from xml_extractor.processing.chunks import Chunk, RunContext, WorkerFailure
from xml_extractor.processing.parallel_coordinator import ParallelCoordinator
from xml_extractor.reporting.result import RunStatistics
from xml_extractor.sources.hadoop import kept_files
from xml_extractor.sources.interfaces import KeyPage
from xml_extractor.targets.registry import open_target


class PartitionResult(NamedTuple):
    """What a task reports about its partition.

    Attributes:
        sequence: The number of the partition.
        executor: Host and process of the task.
        seconds: How long it took.
        outcomes: The outcome of each document, committed.
        stage_seconds: Seconds by step.
        slowest: The documents that took longest.
        failure: Why the run cannot continue.
    """

    sequence: int
    executor: str
    seconds: float
    outcomes: Sequence[Outcome]
    stage_seconds: Mapping[str, float]
    slowest: Mapping[str, float]
    failure: WorkerFailure | None


class OutcomeStatistics(RunStatistics):
    """Counts of a task, and the outcomes that they are made of."""

    def __init__(self, tables: tuple[str, ...]) -> None:
        super().__init__(tables)
        self.outcomes: list[Outcome] = []

    def record(self, outcome: Outcome) -> None:
        """Count an outcome, and keep it."""
        super().record(outcome)
        key = outcome.key
        kept = outcome._replace(key=key.without_content()) if isinstance(key, RecordKey) else outcome
        self.outcomes.append(kept)


_coordinators: dict[str, ParallelCoordinator] = {}
"""In a Python process of an executor: the coordinator of the run, which all its tasks use."""


def process_partitions(shared: Any, chunks: Iterable[Chunk]) -> Iterator[PartitionResult]:
    """Process the partitions of a task: one.

    Args:
        shared: The broadcast context of the run.
        chunks: The partitions.
    """
    return (_result(shared.value, chunk) for chunk in chunks)


def process_files(
    shared: Any, prefix: str, chunks: Sequence[Chunk], index: int, files: Iterable[tuple[str, bytes]]
) -> Iterator[PartitionResult]:
    """Process a partition whose files Spark hands over.

    Args:
        shared: The broadcast context of the run.
        prefix: What the files' addresses begin with, before the names that documents know them by.
        chunks: The partitions of the job.
        index: The number of the partition in the job.
        files: The files' addresses and contents.
    """
    context, directory = shared.value, _local_directory()
    with kept_files(files, prefix, directory):
        yield _result(replace(context, source_address=str(directory / context.source_address)), chunks[index])


@cache
def _local_directory() -> Path:
    """Return a directory for files of this process. Spark deletes it with the executor."""
    return Path(tempfile.mkdtemp("", "xml_extractor_", os.environ["SPARK_LOCAL_DIRS"].partition(",")[0]))


def _result(context: RunContext, chunk: Chunk) -> PartitionResult:
    """Process a partition in an executor. Errors that end the run are returned as data, so that Spark retries none.

    Raises:
        RuntimeError: The executor was asked to stop; Spark retries the task elsewhere.
    """
    began_at = time.perf_counter()
    statistics, failure = OutcomeStatistics(tuple(table.name for table in layouts(context.contract))), None
    try:
        _process(context, chunk, statistics)
    except XmlExtractorError as error:
        failure = WorkerFailure.of(error)
        _forget_coordinators()
    return PartitionResult(
        chunk.sequence,
        f"{socket.gethostname()}:{os.getppid()}",
        time.perf_counter() - began_at,
        statistics.outcomes,
        dict(statistics.stage_seconds),
        dict(statistics.slowest),
        failure,
    )


def _process(context: RunContext, chunk: Chunk, statistics: OutcomeStatistics) -> None:
    coordinator = _coordinators.get(context.run_id)
    if coordinator is None:
        _forget_coordinators()
        # Worker processes must not import Spark's daemon as their main module.
        vars(sys.modules["__main__"]).update(__spec__=None, __file__=None)
        target = open_target(context.settings.target, context.contract)
        coordinator = ParallelCoordinator(context, target, statistics).__enter__()
        _coordinators[context.run_id] = coordinator
    coordinator.statistics = statistics
    page = KeyPage([*chunk.keys], set())
    coordinator.process_xml_batch([page], lambda _: set(), partial(_replaced_of, chunk))
    if coordinator.interrupted:
        _forget_coordinators()
        raise RuntimeError("the executor was asked to stop")


def _replaced_of(chunk: Chunk, keys: Sequence[DocumentKey]) -> dict[DocumentKey, Replaced]:
    return {key: chunk.replaced[key] for key in keys if key in chunk.replaced}


def _forget_coordinators() -> None:
    while _coordinators:
        _, coordinator = _coordinators.popitem()
        coordinator.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
