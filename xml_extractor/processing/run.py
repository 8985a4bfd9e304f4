"""A run from its settings to its result."""

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime

from xml_extractor.contract import contract_hash, read_contract
from xml_extractor.contract.layout import layouts
from xml_extractor.database import open_source, open_target
from xml_extractor.database.interfaces import Connection
from xml_extractor.database.retrying import retrying
from xml_extractor.errors import TargetError, XmlExtractorError
from xml_extractor.processing.parallel_coordinator import ParallelCoordinator
from xml_extractor.processing.work import RunContext
from xml_extractor.reporting.result import RunResult
from xml_extractor.reporting.statistics import RunStatistics
from xml_extractor.settings import RunSettings


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
    target = open_target(settings.target, contract)
    with closing(open_source(settings.source, contract, contract.document.max_bytes)) as source:
        target.prepare(tables)
        started_at = _now()
        context = RunContext(
            run_id=f"{started_at:%Y%m%dT%H%M%S}{started_at.microsecond // 1000:03}-{secrets.token_hex(4)}",
            started_at=started_at,
            settings=settings,
            contract=contract,
            contract_hash=contract_hash(contract),
            source_name=source.name,
            source_address=source.address,
        )
        coordinator = ParallelCoordinator(context, RunStatistics(tuple(table.name for table in tables)), on_progress)
        queue_stats, failure = None, None
        with closing(target.connect()) as connection:
            try:
                with coordinator:
                    log = target.log_place(contract.contract)
                    pages = source.key_pages(settings.batch_size, settings.key_range, log)
                    queue_stats = coordinator.process_xml_batch(pages, _logged_keys(connection, contract.contract))
            except XmlExtractorError as error:
                failure = error
            # Where both are one SQLite file, the last to close tidies up its write-ahead log, which a reader may not.
            source.close()
    return RunResult(
        run_id=context.run_id,
        contract=contract.contract,
        contract_version=contract.version,
        contract_hash=context.contract_hash,
        source=source.name,
        target=target.name,
        started_at=started_at,
        finished_at=_now(),
        elapsed_seconds=time.perf_counter() - began_at,
        settings=settings,
        statistics=coordinator.statistics,
        queue=queue_stats._asdict() if queue_stats else {},
        insert_threads=tuple(stats._asdict() for stats in coordinator.insert_thread_stats),
        interrupted=coordinator.interrupted,
        failure=failure,
    )


def _now() -> datetime:
    now = datetime.now(UTC)
    return now.replace(tzinfo=None, microsecond=now.microsecond // 1000 * 1000)


def _logged_keys(connection: Connection, contract: str) -> Callable[[Sequence[str]], set[str]]:
    tries = retrying(connection.explain)

    def logged_keys(keys: Sequence[str]) -> set[str]:
        try:
            return tries(connection.logged_keys, contract, keys)
        except Exception as error:
            refusal = connection.explain(error)
            if refusal is None:
                raise
            raise TargetError(f"the processing log cannot be read: {refusal.explanation}", refusal.tip) from None

    return logged_keys
