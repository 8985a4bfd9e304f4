"""A run from its settings to its result.

`run` opens source and target, and gives the source's key pages to `ParallelCoordinator.process_xml_batch`, which is the
path of the documents. `LoggedDocuments` decides what is already done.
"""

import logging
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import NamedTuple

from xml_extractor.contract.layout import TableLayout, layouts
from xml_extractor.contract.model import Contract
from xml_extractor.contract.reading import contract_hash, read_contract
from xml_extractor.documents import Outcome
from xml_extractor.errors import UsageError, XmlExtractorError, system_error
from xml_extractor.processing.chunks import RunContext, select
from xml_extractor.processing.insert_queue import InsertQueueStats
from xml_extractor.processing.insert_threads import delete_plan
from xml_extractor.processing.logged_documents import LoggedDocuments
from xml_extractor.processing.parallel_coordinator import ParallelCoordinator
from xml_extractor.processing.processes import fork_server
from xml_extractor.processing.reject_writer import RejectWriter
from xml_extractor.processing.run_reporter import RunReporter
from xml_extractor.records import RecordSource, open_documents
from xml_extractor.reporting.console import name_run_in_log
from xml_extractor.reporting.result import ProgressSeries, RunResult, RunStatistics
from xml_extractor.settings import RunSettings
from xml_extractor.sources.files import FileSource
from xml_extractor.sources.interfaces import ExaminedSource, KeyPage, Source
from xml_extractor.sources.registry import import_source
from xml_extractor.sources.rejects import RejectFiles
from xml_extractor.targets.interfaces import Target
from xml_extractor.targets.registry import TargetOpening, open_target
from xml_extractor.telemetry import Telemetry

logger = logging.getLogger(__name__)


def run(
    settings: RunSettings,
    on_progress: Callable[[int], None] = lambda _: None,
    on_poll: Callable[[RunStatistics], None] = lambda _: None,
    contract: Contract | None = None,
) -> RunResult:
    """Load all documents of the source that are not done yet.

    Args:
        settings: The settings of the run.
        on_progress: Called with the number of documents that were committed or rejected since the last call.
        on_poll: Called several times a second with the counts so far.
        contract: The contract; by default, it is read.

    Returns:
        The result. If the run could not continue, it has a `failure`.

    Raises:
        XmlExtractorError: The run could not start.
        KeyboardInterrupt: It was asked to stop before any document was in flight.
    """
    started_at, began_at = _now(), time.perf_counter()
    uses_pool = settings.engine == "processes" and not settings.in_process
    # It imports while the contract is read.
    with fork_server(settings.start_method, settings.workers if uses_pool else 0) as share_plan:
        contract = contract or read_contract(settings.contract)
        _check_limits(settings, tables := layouts(contract))
        # Fails before anything else if the contract does not allow documents to be reprocessed.
        delete_plan(contract, settings)
        (engine, application), target = _engine(settings), _open_target(settings, contract)
        statistics = RunStatistics(tuple(table.name for table in tables), series=ProgressSeries(began_at))
        with suppress(XmlExtractorError):  # which is explained when the source is opened
            import_source(settings.source)
        share_plan(contract)
        # On a server, connecting and reading the catalog take long: meanwhile, the source is opened.
        with (
            application,
            TargetOpening(target, tables, settings.insert_strategy) as opening,
            closing(_open_source(settings, contract)) as source,
        ):
            context = _context(settings, contract, source, started_at)
            name_run_in_log(context.run_id)
            return _Run(context, source, target, statistics).load(opening, engine, on_progress, on_poll)


class _Run(NamedTuple):
    """A run whose source and target are open."""

    context: RunContext
    source: Source
    target: Target
    statistics: RunStatistics

    def load(
        self,
        opening: TargetOpening,
        engine: type[ParallelCoordinator],
        on_progress: Callable[[int], None],
        on_poll: Callable[[RunStatistics], None],
    ) -> RunResult:
        """Load the documents, and return the result."""
        context, source, statistics = self.context, self.source, self.statistics
        settings = context.settings
        rejects = None if settings.rejects_dir is None else settings.rejects_dir / context.run_id
        # The writer of rejects reads the source.
        with ExitStack() as readers, ExitStack() as processes:
            readers.enter_context(closing(source))
            on_reject = readers.enter_context(_reject_writer(context, rejects))
            reporter = RunReporter(self.target, self.describe, on_poll, Telemetry(context.contract))
            coordinator = engine(context, self.target, statistics, on_progress, on_reject, reporter.report)
            # Workers start, and connect to the source, while a server is asked about its tables.
            if not self.target.is_embedded:
                processes.enter_context(coordinator)
            connection = opening.take()
            # The connection is for the processing log and the run history.
            logged = LoggedDocuments(connection, context)
            with reporter.over(connection):
                queue_stats, earlier_rejects, failure = self._process(processes.pop_all(), coordinator, logged)
                # Where source and target are one SQLite file, the last connection to close removes the write-ahead
                # log, which a reader may not.
                readers.close()
                result = replace(
                    self.describe(),
                    is_running=False,
                    queue=queue_stats._asdict() if queue_stats else {},
                    insert_threads=tuple(stats._asdict() for stats in coordinator.insert_thread_stats),
                    interrupted=coordinator.interrupted,
                    failure=failure,
                    rejects_dir=rejects if rejects is not None and rejects.is_dir() else None,
                    files_without_records=source.files_without_records if isinstance(source, RecordSource) else 0,
                    files_too_new=_files_too_new(source),
                    outdated=logged.report_outdated(),
                    earlier_rejects=earlier_rejects,
                )
                statistics.series.end(statistics.processed, result.elapsed_seconds)
                reporter.finish(result)
            return result
        raise KeyboardInterrupt  # while the target was opened

    def describe(self) -> RunResult:
        """Return what the run has done so far."""
        context, statistics = self.context, self.statistics
        elapsed = round(time.perf_counter() - statistics.series.began_at, 3)
        settings = context.settings
        if settings.insert_strategy == "auto":
            settings = replace(settings, insert_strategy=self.target.strategy_in_use)
        return RunResult(
            run_id=context.run_id,
            contract=context.contract.contract,
            contract_version=context.contract.version,
            contract_hash=context.contract_hash,
            source=self.source.name,
            target=self.target.name,
            started_at=context.started_at,
            # The clock of the system may have been set meanwhile.
            finished_at=context.started_at + timedelta(seconds=elapsed),
            elapsed_seconds=elapsed,
            settings=replace(settings, insert_threads=statistics.insert_threads or settings.insert_threads),
            statistics=statistics,
            queue={},
            insert_threads=(),
            is_running=True,
        )

    def _process(
        self, processes: ExitStack, coordinator: ParallelCoordinator, logged: LoggedDocuments
    ) -> tuple[InsertQueueStats | None, int, XmlExtractorError | None]:
        """Process all documents that are not done, and end the processes.

        Returns:
            The counts of the queue, the number of documents that earlier runs rejected, and why the run failed.
        """
        settings = self.context.settings
        queue_stats, earlier_rejects = None, 0
        listed = self.source.key_pages(settings.batch_size, settings.key_range, logged.for_sources)
        pages = _noting_total(logged.without_complete(listed), self.source, self.statistics, settings)
        try:
            with processes:
                if self.target.is_embedded:
                    processes.enter_context(coordinator)
                queue_stats = coordinator.process_xml_batch(pages, logged.done, logged.take_replaced, logged.is_retried)
            self.target.settle()
            earlier_rejects = 0 if coordinator.interrupted else logged.earlier_rejects()
        except Exception as error:
            failure = error if isinstance(error, XmlExtractorError) else system_error(error)
            if failure is None:
                raise
            return queue_stats, earlier_rejects, failure
        return queue_stats, earlier_rejects, None


def _check_limits(settings: RunSettings, tables: Sequence[TableLayout]) -> None:
    """Check that the columns of `--max-tolerated` exist.

    Raises:
        UsageError: One does not.
    """
    known = [f"{table.name}.{column.name}" for table in tables for column in table.columns]
    for name in settings.max_tolerated.columns if settings.max_tolerated is not None else ():
        if name not in known:
            near = get_close_matches(name, known, 1)
            tip = f"did you mean {near[0]}?" if near else "write it as TABLE.COLUMN, by the names of the contract"
            raise UsageError(f"the contract has no column {name}, for which --max-tolerated has a limit", tip)


def count_waiting(settings: RunSettings) -> int:
    """Return how many documents of the source are not done; rejected ones are. Nothing is written.

    Raises:
        XmlExtractorError: The contract has faults, or source or target cannot be read.
    """
    contract = read_contract(settings.contract)
    target = open_target(settings.target, contract)
    with closing(open_documents(settings.source, contract)) as source, closing(target.connect()) as connection:
        logged = LoggedDocuments(connection, _context(settings, contract, source, _now()))
        pages = logged.without_complete(source.key_pages(settings.batch_size, settings.key_range, logged.for_sources))
        waiting = select(pages, logged.done, settings.shard, None, logged.is_retried)
        return sum(not logged.is_retried(key) for selection in waiting for key in selection.keys)


def _noting_total(
    pages: Iterable[KeyPage], source: Source, statistics: RunStatistics, settings: RunSettings
) -> Iterator[KeyPage]:
    """Yield pages, and note how many documents the run will have listed at its end, as far as that is known."""
    for page in pages:
        totals = (
            [] if source.documents is None else [source.documents // (settings.shard.count if settings.shard else 1)]
        )
        if settings.limit is not None:
            totals.append(statistics.already_done + settings.limit)
        statistics.total = min(totals, default=None)
        yield page


def _engine(settings: RunSettings) -> tuple[type[ParallelCoordinator], AbstractContextManager[object]]:
    """Return what hands the documents to whoever maps and loads them, and the context in which it can.

    Raises:
        UsageError: Spark or Java is not installed.
    """
    if settings.engine == "processes":
        return ParallelCoordinator, nullcontext()
    try:
        from xml_extractor.processing import spark  # noqa: PLC0415 - it needs pyspark
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("pyspark", "py4j"):
            raise
        tip = "install it with pip install 'xml-extractor-etl[spark]'"
        raise UsageError("--engine spark needs the package pyspark, which is not installed", tip) from None
    spark.check_installation()
    return spark.SparkCoordinator, spark.application(settings)


def _open_target(settings: RunSettings, contract: Contract) -> Target:
    target = open_target(settings.target, contract)
    if target.only_appends and settings.reprocess not in (None, "rejected"):
        raise UsageError(
            f"{target.name} cannot replace the rows of documents that are reprocessed",
            "reprocess rejected documents only, or load into a database",
        )
    return target


def _open_source(settings: RunSettings, contract: Contract) -> Source:
    try:
        return open_documents(settings.source, contract, min_age=settings.min_age)
    except XmlExtractorError as error:
        if settings.source != settings.target:
            raise
        message = f"{error.message}; the target is read because no --source is given"
        tip = f"name the documents with --source{f', or {error.tip}' if error.tip else ''}"
        raise type(error)(message, tip) from None


def _files_too_new(source: Source) -> int:
    files = source.files if isinstance(source, RecordSource) else source
    return files.too_new if isinstance(files, FileSource) else 0


def _context(settings: RunSettings, contract: Contract, source: Source, started_at: datetime) -> RunContext:
    files = source.files if isinstance(source, RecordSource) else source
    return RunContext(
        run_id=f"{started_at:%Y%m%dT%H%M%S}{started_at.microsecond // 1000:03}-{secrets.token_hex(4)}",
        started_at=started_at,
        settings=settings,
        contract=contract,
        contract_hash=contract_hash(contract),
        source_name=source.name,
        source_address=source.address,
        examined=files.examined if isinstance(files, ExaminedSource) else None,
    )


@contextmanager
def _reject_writer(context: RunContext, directory: Path | None) -> Iterator[Callable[[Outcome], None]]:
    """Yield the function that takes rejects and writes them to the directory, if there is one."""
    if directory is None:
        yield lambda _: None
        return
    contract = context.contract
    settings = context.settings
    files = RejectFiles(directory, contract.contract, contract.version, with_values=settings.reject_values)
    opener = partial(open_documents, context.source_address, contract, examined=context.examined)
    with RejectWriter(files, opener, settings.document_timeout) as writer:
        yield writer.add


def _now() -> datetime:
    now = datetime.now(UTC)
    return now.replace(tzinfo=None, microsecond=now.microsecond // 1000 * 1000)
