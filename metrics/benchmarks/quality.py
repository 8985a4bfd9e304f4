"""`python -m metrics.benchmarks.quality`: CPU of coverage over mapping, of `unread` and of verify over loading."""

import gc
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

from metrics.benchmarks import inputs
from metrics.benchmarks.command import Options, run_benchmark
from metrics.benchmarks.record import Limit, Record
from metrics.measurements.figures import alternately
from xml_extractor.contract.model import Contract
from xml_extractor.contract.reading import contract_hash, read_contract
from xml_extractor.documents import SourceDocument
from xml_extractor.mapping import compile_plan, map_document
from xml_extractor.parsing import DocumentParser, parsing_rules
from xml_extractor.pipeline import run
from xml_extractor.processing.chunks import MAX_CHUNK, Chunk
from xml_extractor.processing.looking import key_chunks
from xml_extractor.processing.verification import VerificationContext, VerifyingWorker, reconcile
from xml_extractor.quality.differences import Verified
from xml_extractor.quality.observation import Observer
from xml_extractor.quality.seen_things import seen_things
from xml_extractor.quality.unread import unread_counter
from xml_extractor.records import open_documents
from xml_extractor.samples import samples
from xml_extractor.settings import DEFAULT_START_METHOD, RunSettings

KINDS = ("card_application", "ubl_invoice")
MAP, COVERAGE, UNREAD, LOAD, VERIFY = "map", "coverage", "unread: report", "load", "verify"
COVERAGE_LIMIT, UNREAD_LIMIT = Limit(at_most=1.5), Limit(at_most=0.03)


@contextmanager
def cpu(taken: list[float]) -> Iterator[None]:
    """Add the CPU seconds of the block."""
    began_at = time.process_time()
    yield
    taken.append(time.process_time() - began_at)


class Kind:
    """What is measured of documents of one kind."""

    def __init__(self, name: str, documents: int, directory: Path) -> None:
        self.name = name
        self._directory = directory
        self._contract = read_contract(name)
        self._source = inputs.write_source(inputs.sqlite_address(directory / f"{name}.db"), samples(name, documents))
        self._contents = [sample.content or b"" for sample in samples(name, documents)]
        self._parser, self._plan = DocumentParser(parsing_rules(self._contract)), compile_plan(self._contract)
        self._observer = Observer(self._contract, inputs.RUN)
        self._unread_of = unread_counter(self._contract.model_copy(update={"unread": "report"}))
        self._numbers = count()
        self._target = ""

    def measures(self) -> dict[str, Callable[[], float]]:
        """Return what is measured alternately. What is loaded is verified next."""
        each = {MAP: self.map, COVERAGE: self.cover, UNREAD: self.find_unread, LOAD: self.load, VERIFY: self.verify}
        return {f"{what}, {self.name}": partial(self._milliseconds, measure) for what, measure in each.items()}

    def _milliseconds(self, measure: Callable[[], Sequence[float]]) -> float:
        gc.collect()
        return sum(measure()) * 1000 / len(self._contents)

    def map(self) -> Sequence[float]:
        """Parse and map."""
        taken: list[float] = []
        with cpu(taken):
            for content in self._contents:
                map_document(self._plan, self._parser.parse(content), 0, inputs.RUN)
        return taken

    def cover(self) -> Sequence[float]:
        """Do what a worker of `coverage` does."""
        taken: list[float] = []
        with cpu(taken):
            for number, content in enumerate(self._contents):
                self._observer.observe(SourceDocument(number, content), (0, number))
                if number % MAX_CHUNK == MAX_CHUNK - 1:
                    self._observer.take()
            self._observer.take()
        return taken

    def find_unread(self) -> Sequence[float]:
        """Do what `unread: report` adds to a run, between parsing and mapping."""
        taken: list[float] = []
        for content in self._contents:
            root = self._parser.parse(content)
            with cpu(taken):
                if self._unread_of is not None:
                    self._unread_of(root, None)
        return taken

    def load(self) -> Sequence[float]:
        """Run in this process, without others."""
        taken: list[float] = []
        self._target = inputs.sqlite_address(self._directory / f"{self.name}-{next(self._numbers)}.db")
        inputs.make_tables(self._target, self._contract)
        settings = RunSettings(self.name, self._source, self._target, workers=1, progress=False, rejects_dir=None)
        with cpu(taken):
            run(replace(settings, in_process=True, metrics_dir=None))
        return taken

    def verify(self) -> Sequence[float]:
        """Compare what was loaded last, in this process.

        Raises:
            RuntimeError: It differs.
        """
        taken: list[float] = []
        verified = Verified()
        with cpu(taken), closing(open_documents(self._source, self._contract)) as source, seen_things() as things:
            context = _context(self._contract, source.name, self._source, self._target)
            worker = VerifyingWorker(context, self._directory)
            chunks = key_chunks((page.keys for page in source.key_pages(context.batch_size)), 1)
            for number, keys in enumerate(chunks):
                found = worker.look_at_all(Chunk(number, keys))
                things.add(found.seen)
                found.seen.clear()
                verified.add(found)
            worker.close()
            reconcile(context, things, verified)
        if verified.kinds or not verified.rows:
            raise RuntimeError(f"{self.name}: {verified.kinds}")
        return taken


def _context(contract: Contract, name: str, source: str, target: str) -> VerificationContext:
    return VerificationContext(
        contract=contract,
        contract_hash=contract_hash(contract),
        source_name=name,
        source_address=source,
        target=target,
        workers=1,
        batch_size=1000,
        document_timeout=300,
        start_method=DEFAULT_START_METHOD,
    )


def benchmark(options: Options) -> Record:
    """Measure the same documents of each kind, alternately.

    Raises:
        RuntimeError: What was loaded differs from the documents.
    """
    with inputs.temporary_directory() as directory:
        kinds = [Kind(name, options.documents, directory) for name in KINDS]
        measures = {name: measure for kind in kinds for name, measure in kind.measures().items()}
        for measure in measures.values():
            measure()
        gc.freeze()
        taken = alternately(measures, options.rounds)
    record = Record("quality", options.command, [inputs.sqlite_name()], {"documents": options.documents})
    for name in KINDS:
        of_kind = {what: figures for what, figures in taken.items() if what.endswith(f", {name}")}
        record.group(f"CPU of a document, {name}", "ms", of_kind)
        for what, base, limit in ((COVERAGE, MAP, COVERAGE_LIMIT), (UNREAD, LOAD, UNREAD_LIMIT), (VERIFY, LOAD, None)):
            record.ratio(f"{what} / {base}, {name}", taken[f"{what}, {name}"], taken[f"{base}, {name}"], limit)
    record.note(
        "Sample documents, by the shipped contracts of their kind. All of it is measured in one process.",
        "Map is parse and map; coverage is what its workers do, with the statistics of columns and elements.",
        "Load is a run in one process, from table to table of SQLite. Unread is what `unread: report` would add to it.",
        "Verify compares what was loaded, also rows that belong to no document. As a run, it compiles the contract.",
    )
    return record


def main() -> int:
    """Measure as the command line says."""
    return run_benchmark(benchmark, description=__doc__ or "", usual=Options(200, 7), quick=Options(20, 1, quick=True))


if __name__ == "__main__":
    sys.exit(main())
