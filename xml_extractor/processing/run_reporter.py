"""Reports a run while it runs: its row in the run history and its metrics file."""

import logging
import queue
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple, Self

from xml_extractor.connections import ATTEMPTS
from xml_extractor.distribution import VERSION
from xml_extractor.errors import RunError, XmlExtractorError, system_error
from xml_extractor.processing_log.log_table import log_time
from xml_extractor.processing_log.own_tables import history_table
from xml_extractor.processing_log.run_history import HOST_LENGTH, RunEntry, RunHistory
from xml_extractor.reporting.metrics import metrics_text, prometheus_text, shown_settings, write_metrics
from xml_extractor.reporting.result import RunResult, RunStatistics
from xml_extractor.settings import RunSettings
from xml_extractor.stopping import stops_at_once
from xml_extractor.targets.interfaces import Target, TargetConnection
from xml_extractor.telemetry import Telemetry

logger = logging.getLogger(__name__)

REPORT_SECONDS = 5.0

REPORTS_WITHOUT_ROW = 2
"""Reports at the start of a run that are not written to its row, because a short run is not worth another session."""

LAST_REPORT_SECONDS = 20.0
"""How long a run waits at its end until its row is updated; less if it failed or was interrupted."""

IMPATIENT_SECONDS = 5.0
AT_ONCE_SECONDS = 1.0
POLL_SECONDS = 0.05


class RunReporter:
    """A context manager that inserts the run's row at the start of its block, and updates it until the run has ended.

    A thread updates the row, and writes the metrics file meanwhile, so that no lock of the target keeps the run from
    continuing or ending. Its failures are warnings. While the run needs the connection of `over`, it opens another one
    when a report is due.

    Args:
        target: Where the run history is.
        describe: Returns what the run has done so far.
        show: Called by `report` with the counts so far.
        telemetry: Reports the run to other systems.

    Raises:
        TargetError: On entering: the run history cannot be written.
    """

    def __init__(
        self,
        target: Target,
        describe: Callable[[], RunResult],
        show: Callable[[RunStatistics], None] = lambda _: None,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._target = target
        self._telemetry = telemetry
        self._connection: TargetConnection
        self._describe = describe
        self._show = show
        self._statistics = describe().statistics
        self._next_at = time.monotonic() + REPORT_SECONDS
        self._reports: queue.SimpleQueue[Report | None] = queue.SimpleQueue()
        self._without_row = REPORTS_WITHOUT_ROW
        self._warned: set[str] = set()
        # A daemon, so that a run that must stop at once does not wait for the target.
        self._thread = threading.Thread(target=self._run, name="run reporter", daemon=True)

    def over(self, connection: TargetConnection) -> Self:
        """Use this connection at the start and, once the run has ended, in the thread, which closes it."""
        self._connection = connection
        return self

    def __enter__(self) -> Self:
        result = self._describe()
        given = (f"{name}={value}" for name, value in shown_settings(result.settings).items() if value is not None)
        message = "Run %s started: contract %s version %d, %s -> %s, %s"
        of_contract = result.contract, result.contract_version
        logger.info(message, result.run_id, *of_contract, result.source, result.target, ", ".join(given))
        try:
            self._history_of(self._connection).start(Report.of(result).entry)
            self._thread.start()
        except BaseException:
            self._connection.close()
            raise
        if self._telemetry is not None:
            self._telemetry.start(result)
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        """Record the end of a run that an exception ends."""
        if isinstance(error, KeyboardInterrupt):
            self.finish(replace(self._describe(), is_running=False, interrupted=True))
        elif error is not None:
            defect = RunError(f"internal error: {type(error).__name__}", "please report it with the lines of the log")
            failure = error if isinstance(error, XmlExtractorError) else system_error(error) or defect
            self.finish(replace(self._describe(), is_running=False, failure=failure))

    def report(self) -> None:
        """Show the progress, and have the thread write a report if the last one is some seconds old."""
        self._show(self._statistics)
        if time.monotonic() >= self._next_at:
            self._next_at = time.monotonic() + REPORT_SECONDS
            result = self._describe()
            if self._reports.empty():
                self._reports.put(Report.of(result))
            if self._telemetry is not None:
                self._telemetry.report(result)

    def finish(self, result: RunResult) -> None:
        """Record the end of the run."""
        message = "Run %s %s (exit code %d): %s"
        logger.info(message, result.run_id, result.status, result.exit_code, result.statistics.documents_line)
        self._reports.put(Report.of(result))
        self._reports.put(None)
        is_patient = not result.failure and not result.interrupted
        deadline = time.monotonic() + (LAST_REPORT_SECONDS if is_patient else IMPATIENT_SECONDS)
        while self._thread.is_alive() and time.monotonic() < deadline and not stops_at_once.is_set():
            self._thread.join(POLL_SECONDS)
        if stops_at_once.is_set():
            self._thread.join(AT_ONCE_SECONDS)
        if self._thread.is_alive():
            self._warn("the target does not answer")
        if self._telemetry is not None:
            self._telemetry.finish(result)

    def _run(self) -> None:
        with ExitStack() as parts:
            parts.enter_context(closing(self._connection))
            history = None
            for report in iter(self._reports.get, None):
                has_ended = report.entry.finished_at is not None
                try:
                    if not has_ended:
                        write_metrics(report.settings, report.entry.run_id, report.entry.metrics, report.prometheus)
                    if history is None and has_ended:
                        history = self._history_of(self._connection)
                    elif history is None and self._without_row:
                        self._without_row -= 1
                        continue
                    elif history is None:
                        history = self._history_of(parts.enter_context(closing(self._target.connect())))
                    history.update(report.entry, ATTEMPTS if has_ended else 1)
                except XmlExtractorError as error:
                    self._warn(error.message)

    def _history_of(self, connection: TargetConnection) -> RunHistory:
        return RunHistory(connection, history_table(connection.log_table), self._target.name)

    def _warn(self, reason: str) -> None:
        """Log a warning, once for each reason."""
        if reason not in self._warned:
            self._warned.add(reason)
            logger.warning("The progress of the run is not reported: %s", reason)


class Report(NamedTuple):
    """What a run had done at one moment.

    Attributes:
        entry: Its row in the run history.
        settings: The run's settings, which say where its files are.
        prometheus: The content of its file for Prometheus; empty if it has none.
    """

    entry: RunEntry
    settings: RunSettings
    prometheus: str

    @classmethod
    def of(cls, result: RunResult) -> Self:
        """Return the report of a run."""
        now = log_time(datetime.now(UTC))
        statistics = result.statistics
        entry = RunEntry(
            run_id=result.run_id,
            contract=result.contract,
            contract_version=result.contract_version,
            status=result.status,
            exit_code=None if result.is_running else result.exit_code,
            host=socket.gethostname()[:HOST_LENGTH],
            program_version=VERSION,
            started_at=result.started_at,
            reported_at=now,
            finished_at=None if result.is_running else max(result.finished_at, result.started_at),
            loaded=statistics.loaded,
            rejected=statistics.rejected,
            metrics=metrics_text(result),
        )
        return cls(entry, result.settings, prometheus_text(result) if result.settings.metrics_prom else "")
