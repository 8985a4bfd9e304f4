"""`python -m metrics.benchmarks.transport`: CPU of the insert queue, compared with CPU of parse and map."""

import gc
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from multiprocessing import active_children

from metrics.benchmarks import inputs
from metrics.benchmarks.command import NothingToMeasureError, Options, run_benchmark
from metrics.benchmarks.record import Limit, Record
from metrics.measurements.figures import alternately
from xml_extractor.documents import MappedDocument
from xml_extractor.mapping import compile_plan, map_document
from xml_extractor.parsing import DocumentParser, parsing_rules
from xml_extractor.processing.chunks import MAX_CHUNK
from xml_extractor.processing.insert_queue import InsertQueue, InsertQueueItem
from xml_extractor.settings import DEFAULT_TARGET

MAP, QUEUE = "parse and map", "queue, both sides"
WORKER, MAIN, MANAGER = "queue, worker: pack, enqueue", "queue, main: dequeue, unpack", "queue, manager process"

CHUNKS_QUEUED = 8
"""Chunks in the queue at once, as many as one batch takes."""


class Transport:
    """The transport of mapped documents through an insert queue, with both sides in this process."""

    def __init__(self, insert_queue: InsertQueue, manager: int, documents: Sequence[MappedDocument]) -> None:
        self.sides: defaultdict[str, list[float]] = defaultdict(list)
        self._queue = insert_queue
        self._manager = manager
        self._documents = documents

    def measure(self) -> float:
        """Send all documents through the queue; return the CPU of both sides in milliseconds a document."""
        worker = main = 0.0
        manager = _cpu_seconds(self._manager)
        for chunks in inputs.parts(list(inputs.parts(self._documents, MAX_CHUNK)), CHUNKS_QUEUED):
            began_at = time.process_time()
            for sequence, chunk in enumerate(chunks):
                if not self._queue.enqueue(InsertQueueItem.pack(sequence, chunk)):
                    raise RuntimeError("the queue is full: one batch of these documents is larger than it may be")
            queued_at = time.process_time()
            arrived = 0
            while arrived < sum(map(len, chunks)):
                arrived += sum(len(item.unpack()) for item in self._queue.dequeue_batch())
            worker += queued_at - began_at
            main += time.process_time() - queued_at
        per_document = 1000 / len(self._documents)
        self.sides[WORKER].append(worker * per_document)
        self.sides[MAIN].append(main * per_document)
        self.sides[MANAGER].append((_cpu_seconds(self._manager) - manager) * per_document)
        return (worker + main) * per_document


def benchmark(options: Options) -> Record:
    """Measure processor time: of this process for both sides of the queue, and of the manager process.

    Raises:
        NothingToMeasureError: The system does not report the processor time of another process.
    """
    if sys.platform != "linux":
        raise NothingToMeasureError("The clock of another process is read as Linux numbers it.")
    contract, contents = inputs.contract(), list(inputs.contents(options.documents))
    parser, plan = DocumentParser(parsing_rules(contract)), compile_plan(contract)

    def parse_and_map() -> float:
        began_at = time.process_time()
        for content in contents:
            map_document(plan, parser.parse(content), 0, inputs.RUN)
        return (time.process_time() - began_at) * 1000 / len(contents)

    before = {child.pid for child in active_children()}
    with closing(InsertQueue()) as insert_queue:
        (manager,) = (child.pid for child in active_children() if child.pid is not None and child.pid not in before)
        transport = Transport(
            insert_queue, manager, inputs.bound(DEFAULT_TARGET, contract, inputs.mapped(contract, contents))
        )
        transport.measure()
        transport.sides.clear()
        # As workers do before their first document.
        gc.collect()
        gc.freeze()
        taken = alternately({MAP: parse_and_map, QUEUE: transport.measure}, options.rounds)
    sides = transport.sides
    record = Record("transport", options.command, [], {"documents": len(contents), "documents_in_a_chunk": MAX_CHUNK})
    record.group("CPU of a document", "ms", {**taken, **sides})
    record.ratio(f"{QUEUE} / {MAP}", taken[QUEUE], taken[MAP], Limit(at_most=0.05))
    record.ratio(f"{WORKER} / {MAP}", sides[WORKER], taken[MAP])
    record.ratio(f"{MAIN} / {MAP}", sides[MAIN], taken[MAP])
    record.ratio(f"{MANAGER} / {MAP}", sides[MANAGER], taken[MAP])
    record.note(
        "The manager process runs in parallel to both sides; its CPU is measured separately and is not in their sum.",
        "Here, both sides are in one process, which counts its own CPU only. Parse and map uses read_until.",
    )
    return record


def _cpu_seconds(process: int) -> float:
    """Return the processor time of a process, by its Linux clock (`clock_getcpuclockid(3)`)."""
    return time.clock_gettime(~process << 3 | 2)


def main() -> int:
    """Measure as the command line says."""
    return run_benchmark(
        benchmark, description=__doc__ or "", usual=Options(1024, 15), quick=Options(40, 2, quick=True)
    )


if __name__ == "__main__":
    sys.exit(main())
