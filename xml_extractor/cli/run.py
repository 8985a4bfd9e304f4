"""The `run` command: the nightly load."""

import sys
from typing import Any

import click
from rich.console import Console

from xml_extractor.cli.boundary import EXIT_INTERRUPTED, EXIT_OK, EXIT_REJECTS, output
from xml_extractor.cli.options import config_option, run_options
from xml_extractor.errors import RunError, UsageError
from xml_extractor.pipeline import run
from xml_extractor.processing.processes import stop_requests
from xml_extractor.reporting.logs import configure_logging
from xml_extractor.reporting.metrics import prepare_directory, write_metrics
from xml_extractor.reporting.progress import progress_bar
from xml_extractor.reporting.result import RunResult
from xml_extractor.reporting.screen import rendered
from xml_extractor.reporting.summary import summary
from xml_extractor.settings import RunSettings
from xml_extractor.sources.rejects import prepare_rejects_directory


@click.command("run")
@config_option
@run_options
def run_command(**options: Any) -> int:
    """Load all documents of the source that are not done yet.

    Exit codes: 0 all loaded or nothing to do, 1 some documents rejected, 2 wrong usage or contract, 3 the run could
    not go on, 130 interrupted.
    """
    settings = _settings(options)
    configure_logging(settings.log_level)
    prepare_directory(settings.metrics_dir)
    if settings.rejects_dir is not None:
        prepare_rejects_directory(settings.rejects_dir)
    # Worker processes write their log lines past the bar; at these levels they hardly ever have any.
    shown = settings.progress and settings.log_level in {"WARNING", "ERROR"}
    with progress_bar(Console(stderr=True), "documents committed", total=settings.limit, shown=shown) as advance:
        result = run(settings, advance)
    unwritten = _report(result)
    failure = result.failure or unwritten
    if failure is not None:
        raise failure
    return exit_code(result)


def exit_code(result: RunResult) -> int:
    """What a scheduler is told about a run that came to its end."""
    if result.interrupted:
        return EXIT_INTERRUPTED
    return EXIT_REJECTS if result.statistics.rejected else EXIT_OK


def _settings(options: dict[str, Any]) -> RunSettings:
    key_range = options.pop("range")
    log_level = options.pop("log_level").upper()
    if options["reprocess_version"] is not None and options["reprocess"] is None:
        raise UsageError("--reprocess-version goes with --reprocess", "say which documents, such as --reprocess loaded")
    return RunSettings(key_range=key_range, log_level=log_level, **options)


def _report(result: RunResult) -> RunError | None:
    """Write the metrics and show the summary. The run is what it was, even if nobody reads its summary.

    What is asked to stop now ends with the metrics written, and at once when asked twice.

    Returns:
        Why the metrics could not be written, if so.
    """
    metrics_path, unwritten = None, None
    with stop_requests():
        try:
            metrics_path = write_metrics(result)
        except RunError as error:
            unwritten = error
    with output():
        click.echo(rendered(summary(result, metrics_path), sys.stdout), nl=False)
    return unwritten
