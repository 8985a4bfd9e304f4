"""A run from its settings to its result."""

import logging
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from xml_extractor.contract.layout import layouts
from xml_extractor.contract.model import Contract, contract_hash
from xml_extractor.contract.reading import read_contract
from xml_extractor.documents import Outcome
from xml_extractor.errors import XmlExtractorError
from xml_extractor.processing.insert_plan import InsertPlan, plan_inserts
from xml_extractor.processing.logged import LoggedDocuments
from xml_extractor.processing.parallel_coordinator import ParallelCoordinator
from xml_extractor.processing.reject_writer import RejectWriter
from xml_extractor.processing.work import RunContext
from xml_extractor.processing.worker import places_of_replaced
from xml_extractor.reporting.result import RunResult
from xml_extractor.reporting.series import ProgressSeries
from xml_extractor.reporting.statistics import RunStatistics
from xml_extractor.settings import RunSettings
from xml_extractor.sources.interfaces import KeyPage, Source
from xml_extractor.sources.registry import open_source
from xml_extractor.sources.rejects import RejectFiles
from xml_extractor.targets.interfaces import Target
from xml_extractor.targets.registry import open_target

logger = logging.getLogger(__name__)


def run(settings: RunSettings, on_progress: Callable[[int], None] = lambda _: None) -> RunResult:
    """Load all documents of the source that the processing log does not have.

    Args:
        settings: What to do.
        on_progress: Called with a number of documents each time that so many are committed or rejected.

    Returns:
        What the run did; also of a run that could not go on, with its `failure`.

    Raises:
        XmlExtractorError: The run could not start.
        KeyboardInterrupt: It was asked twice to stop.
    """
    began_at = time.perf_counter()
    contract = read_contract(settings.contract)
    tables = layouts(contract)
    # Sees whether documents could be done again at all, before anything else.
    places_of_replaced(contract, settings)
    target = open_target(settings.target, contract)
    with closing(open_source(settings.source, contract, contract.document.max_bytes)) as source:
        target.prepare(tables)
        context = _context(settings, contract, source, plan_inserts(settings, target))
        names, rejects_dir = tuple(table.name for table in tables), _rejects_dir(context)
        statistics = RunStatistics(names, series=ProgressSeries(began_at))
        queue_stats, failure, outdated = None, None, 0
        with closing(target.connect()) as connection, _reject_writer(context, rejects_dir) as on_reject:
            coordinator = ParallelCoordinator(context, statistics, on_progress, on_reject)
            try:
                logged = LoggedDocuments(connection, context)
                outdated = _say_what_is_outdated(logged, settings)
                with coordinator:
                    pages = _pages(source, target, context)
                    queue_stats = coordinator.process_xml_batch(pages, logged.done, logged.take_replaced)
            except XmlExtractorError as error:
                failure = error
            # Where both are one SQLite file, the last to close tidies up its write-ahead log, which a reader may not.
            source.close()
    elapsed = time.perf_counter() - began_at
    statistics.series.end(statistics.processed, elapsed)
    return RunResult(
        run_id=context.run_id,
        contract=contract.contract,
        contract_version=contract.version,
        contract_hash=context.contract_hash,
        source=source.name,
        target=target.name,
        started_at=context.started_at,
        finished_at=_now(),
        elapsed_seconds=elapsed,
        settings=replace(settings, insert_strategy=context.inserts.strategy, insert_threads=context.inserts.threads),
        statistics=statistics,
        queue=queue_stats._asdict() if queue_stats else {},
        insert_threads=tuple(stats._asdict() for stats in coordinator.insert_thread_stats),
        interrupted=coordinator.interrupted,
        failure=failure,
        rejects_dir=rejects_dir if rejects_dir is not None and rejects_dir.is_dir() else None,
        outdated=outdated,
    )


def _pages(source: Source, target: Target, context: RunContext) -> Iterator[KeyPage]:
    """The keys of the source. For documents that are done again rows of the log are needed, which no source gives."""
    settings = context.settings
    log = target.log_place(context.contract.contract) if settings.reprocess is None else None
    return source.key_pages(settings.batch_size, settings.key_range, log)


def _say_what_is_outdated(logged: LoggedDocuments, settings: RunSettings) -> int:
    """Say how many documents another contract has done; of a run that does documents again, none."""
    outdated = logged.by_another_contract() if settings.reprocess is None else 0
    if outdated:
        logger.info("Done by another contract of this name: %d documents (--reprocess changed-contract)", outdated)
    return outdated


def _context(settings: RunSettings, contract: Contract, source: Source, inserts: InsertPlan) -> RunContext:
    started_at = _now()
    return RunContext(
        run_id=f"{started_at:%Y%m%dT%H%M%S}{started_at.microsecond // 1000:03}-{secrets.token_hex(4)}",
        started_at=started_at,
        settings=settings,
        contract=contract,
        contract_hash=contract_hash(contract),
        inserts=inserts,
        source_name=source.name,
        source_address=source.address,
    )


def _rejects_dir(context: RunContext) -> Path | None:
    directory = context.settings.rejects_dir
    return None if directory is None else directory / context.run_id


@contextmanager
def _reject_writer(context: RunContext, directory: Path | None) -> Iterator[Callable[[Outcome], None]]:
    """What takes the rejects of a run, to write them into this directory if there is to be one."""
    if directory is None:
        yield lambda _: None
        return
    contract = context.contract
    settings = context.settings
    files = RejectFiles(directory, contract.contract, contract.version, with_values=settings.reject_values)
    with RejectWriter(
        files, partial(open_source, context.source_address, contract, contract.document.max_bytes)
    ) as writer:
        yield writer.add


def _now() -> datetime:
    now = datetime.now(UTC)
    return now.replace(tzinfo=None, microsecond=now.microsecond // 1000 * 1000)
