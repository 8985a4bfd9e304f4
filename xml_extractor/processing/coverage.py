"""Observe all documents of a source with worker processes, and load nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from xml_extractor.documents import DocumentKey, Failure, Rejection, RunValues, SourceDocument
from xml_extractor.parsing import DocumentParser, parsing_rules
from xml_extractor.processing.looking import LookingContext, LookingWorker, for_each_chunk, key_chunks
from xml_extractor.processing.worker import skip_by_root
from xml_extractor.quality.observation import Observer
from xml_extractor.quality.tallies import Observed
from xml_extractor.records import open_documents
from xml_extractor.sources.interfaces import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageContext(LookingContext):
    """What all processes know.

    Attributes:
        started_at: Naive UTC; the clock of the contract's expressions.
        limit: Documents to observe at most, from the first; None for all.
    """

    started_at: datetime
    limit: int | None = None


class _CoverageWorker(LookingWorker):
    def __init__(self, context: CoverageContext, markers: Path) -> None:
        super().__init__(open_documents(context.source_address, context.contract), markers)
        run = RunValues("coverage", context.started_at, context.source_name)
        self._observer = Observer(context.contract, run, lambda key: next(self.source.fetch([key], whole=True)))
        self._parser = DocumentParser(parsing_rules(context.contract))

    def look_at(self, document: SourceDocument | Rejection, order: tuple[int, int]) -> None:
        self._observer.observe(skip_by_root(document, self.source, self._parser), order, self.enter)

    def reject(self, key: DocumentKey, failure: Failure, order: tuple[int, int]) -> None:
        self._observer.fail([failure], (order, str(key)))

    def take(self) -> Observed:
        return self._observer.take()


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
    all_observed = Observed()

    def add(observed: Observed) -> None:
        all_observed.add(observed)
        on_progress(sum(observed.documents.values()))

    pages = (page.keys for page in source.key_pages(context.batch_size))
    chunks = key_chunks(pages, context.workers, limit=context.limit, sample=context.sample)
    interrupted = for_each_chunk(context, _CoverageWorker, chunks, add)
    return all_observed, interrupted
