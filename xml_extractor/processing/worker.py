"""What a worker process does with documents: fetch, parse and map them; and load those that the queue cannot take."""

import logging
import time
import traceback
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from hashlib import sha256
from multiprocessing.util import Finalize
from pathlib import Path

from xml_extractor.contract.layout import layouts
from xml_extractor.contract.model import Contract
from xml_extractor.documents import (
    DocumentKey,
    Failure,
    MappedDocument,
    Outcome,
    ProcessedDocument,
    Rejection,
    Replaced,
    RunValues,
    SourceDocument,
    Unchanged,
)
from xml_extractor.errors import RunError, XmlExtractorError
from xml_extractor.mapping import MappingError, compile_plan, map_document, own_key
from xml_extractor.parsing import DocumentParser, ParseError, parsing_rules
from xml_extractor.processing.insert_queue import InsertQueue
from xml_extractor.processing.marks import Mark, OwnMark
from xml_extractor.processing.processes import resident_bytes
from xml_extractor.processing.work import RunContext, WorkItem
from xml_extractor.processing.worker_pool import MAX_GROWTH
from xml_extractor.reasons import Reason, Stage
from xml_extractor.settings import RunSettings
from xml_extractor.sources.registry import open_source
from xml_extractor.targets.delete_plan import DeletePlan, delete_plan
from xml_extractor.targets.loader import Loader, LogIdentity
from xml_extractor.targets.registry import open_target

logger = logging.getLogger(__name__)

DEADLY = Failure(
    Stage.MAP, Reason.WORKER_DIED, "two worker processes ended by themselves while they worked on the document"
)

LONGEST_VALUE = 200
"""Characters of a refused value that are kept."""


def plan_of_deletion(contract: Contract, settings: RunSettings) -> DeletePlan:
    """Return how a run deletes the rows of documents that it reprocesses; rejected documents have none.

    Raises:
        UsageError: They cannot be found in all tables.
    """
    return delete_plan(contract) if settings.reprocess not in (None, "rejected") else ()


@contextmanager
def open_loader(context: RunContext) -> Iterator[Loader]:
    """Open a loader on a connection of its own.

    Raises:
        TargetError: The target cannot be opened.
    """
    contract, settings = context.contract, context.settings
    identity = LogIdentity(contract.contract, contract.version, context.contract_hash, context.run_id)
    target = open_target(settings.target, contract)
    plan = plan_of_deletion(contract, settings)
    with closing(target.connect(context.inserts.strategy)) as connection:
        yield Loader(connection, layouts(contract), identity, settings.insert_batch_rows, plan)


class Worker:
    """The parts that one worker process uses for all its documents.

    Args:
        context: What the run knows.
        insert_queue: Where mapped documents go; None if the worker loads all of them itself.
        marks: The directory in which it notes which document it is at.

    Raises:
        XmlExtractorError: The source cannot be opened.
    """

    def __init__(self, context: RunContext, insert_queue: InsertQueue | None, marks: Path) -> None:
        contract = context.contract
        self.insert_queue = insert_queue
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._context = context
        self._parser = DocumentParser(parsing_rules(contract))
        self._plan = compile_plan(contract)
        self._binders = open_target(context.settings.target, contract).row_binders(layouts(contract))
        self._run_values = RunValues(context.run_id, context.started_at, context.source_name)
        self._only_changed = context.settings.reprocess == "changed-documents"
        self._loader: Loader | None = None
        self._open_parts = ExitStack()
        # A Pool's worker leaves by os._exit, which runs these finalizers but nothing registered with atexit.
        Finalize(None, self.close, exitpriority=10)
        self._mark = self._open_parts.enter_context(closing(OwnMark(marks)))
        source = open_source(context.source_address, contract, contract.document.max_bytes)
        self._source = self._open_parts.enter_context(closing(source))
        self._resident_at_start = resident_bytes()

    def map_documents(self, item: WorkItem) -> Iterator[ProcessedDocument]:
        """Fetch, parse and map documents; whatever is wrong with one of them is a rejection.

        Raises:
            SourceError: Nothing can be read from the source any more.
        """
        documents = self._source.fetch([key for key in item.keys if key not in item.deadly])
        for position, key in enumerate(item.keys):
            replaced = item.replaced.get(key)
            if key in item.deadly:
                yield Rejection(key, DEADLY, content_hash=content_hash(None), seconds=0.0, replaced=replaced)
                continue
            began_at = time.perf_counter()
            self._mark.set(Mark(item.sequence, position))
            with self.timed("fetch"):
                document = next(documents)
            yield self._process(document, began_at, replaced)
        self._mark.clear()

    def load(self, documents: Sequence[ProcessedDocument]) -> list[Outcome]:
        """Load documents on this process's own connection, opened when it is first needed.

        Raises:
            TargetError: The target refuses what is not a document's fault.
        """
        if self._loader is None:
            self._loader = self._open_parts.enter_context(open_loader(self._context))
        loads = self._loader.statistics
        before = replace(loads)
        outcomes = self._loader.load(documents)
        self._seconds["insert"] += loads.insert_seconds - before.insert_seconds
        self._seconds["commit"] += loads.commit_seconds - before.commit_seconds
        return outcomes

    def close(self) -> None:
        """Close the source, and the connection to the target."""
        self._open_parts.close()

    @property
    def is_grown(self) -> bool:
        """Whether this process holds so much more memory than at its start that another had better take its place."""
        return resident_bytes() - self._resident_at_start > MAX_GROWTH

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Count the seconds of the block."""
        began_at = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[step] += time.perf_counter() - began_at

    def take_seconds(self) -> dict[str, float]:
        """Seconds by step since this was last asked."""
        seconds = dict(self._seconds)
        self._seconds.clear()
        return seconds

    def _whole(self, key: DocumentKey) -> SourceDocument | Rejection:
        """A document that its source may have cut too early, such as within a comment that quotes an end tag."""
        with self.timed("fetch"):
            return next(self._source.fetch([key], whole=True))

    def _process(
        self, document: SourceDocument | Rejection, began_at: float, replaced: Replaced | None
    ) -> ProcessedDocument:
        if replaced is not None and self._only_changed and _hash_of(document) == replaced.content_hash:
            return Unchanged(document.key, (), replaced.content_hash, time.perf_counter() - began_at)
        if isinstance(document, Rejection):
            return document._replace(replaced=replaced)
        return self._map(document, began_at, replaced)

    def _map(self, document: SourceDocument, began_at: float, replaced: Replaced | None) -> ProcessedDocument:
        stage = Stage.PARSE
        value = None
        try:
            with self.timed("parse"):
                root = self._parser.parse(document.content)
            stage = Stage.MAP
            with self.timed("map"):
                if replaced is not None:
                    replaced = replaced._replace(own_key=own_key(self._plan, root))
                mapped = map_document(self._plan, root, document.key, self._run_values)
                rows = tuple(tuple(map(bind, of_table)) for bind, of_table in zip(self._binders, mapped, strict=True))
        except (ParseError, MappingError) as error:
            if document.is_cut and stage is Stage.PARSE:
                return self._process(self._whole(document.key), began_at, replaced)
            failure, value = error.failure, self._value_of(error)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - one document must not end the run; it is rejected and logged
            _log_defect(error, f"document {document.key} was at stage {stage}")
            failure = Failure(stage, Reason.INTERNAL_ERROR, f"a defect of this program ({type(error).__name__})")
        else:
            seconds = time.perf_counter() - began_at
            return MappedDocument(document.key, rows, content_hash(document.content), seconds, replaced)
        seconds = time.perf_counter() - began_at
        return Rejection(document.key, failure, content_hash(document.content), seconds, replaced, value)

    def _value_of(self, error: ParseError | MappingError) -> str | None:
        """The value that was refused, if there is one and the run keeps such values."""
        if not self._context.settings.reject_values or not isinstance(error, MappingError):
            return None
        value = error.invalid_value()
        return None if value is None else str(value)[:LONGEST_VALUE]


def content_hash(content: bytes | str | None) -> str:
    """The first 128 bits of the SHA-256 of a document's bytes, in hex; text counts as UTF-8."""
    if isinstance(content, str):
        content = content.encode("utf-8", "surrogatepass")
    return sha256(content or b"").hexdigest()[:32]


def _hash_of(document: SourceDocument | Rejection) -> str:
    return document.content_hash if isinstance(document, Rejection) else content_hash(document.content)


def as_run_error(error: Exception) -> XmlExtractorError:
    """What an exception in a worker means for the run."""
    match error:
        case XmlExtractorError():
            return error
        case MemoryError():
            return RunError("a worker process has no memory left", "run again with fewer workers")
        case _:
            _log_defect(error, "documents were processed")
            return RunError(f"internal error: {type(error).__name__}", "please report it with the lines of the log")


def _log_defect(error: Exception, when: str) -> None:
    """Log a defect of this program: the lines of code, and not the exception's text, which may quote a document."""
    lines = "".join(traceback.format_tb(error.__traceback__))
    logger.error("Internal error: %s while %s\n%s", type(error).__name__, when, lines)
