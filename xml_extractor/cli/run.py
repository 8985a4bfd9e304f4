"""The `run` command: load the documents of a source."""

import sys
from typing import TYPE_CHECKING, Any

import click

from xml_extractor.cli.boundary import output
from xml_extractor.cli.command import command
from xml_extractor.cli.run_options import config_option, run_options
from xml_extractor.errors import EXIT_INTERRUPTED, RunError, UsageError
from xml_extractor.settings import RunSettings
from xml_extractor.stopping import stop_requests

if TYPE_CHECKING:
    from xml_extractor.reporting.result import RunResult


@command("run", "--contract orders.yaml --source orders --target sqlite:///orders.db")
@config_option
@run_options
def run_command(**options: Any) -> int:
    """Load all documents of the source that are not loaded yet.

    Exit codes: 0 all documents loaded or nothing to do, 1 some documents rejected now or earlier, 2 wrong usage
    or contract, 3 the run failed, 4 more rejected or tolerated than allowed, 130 interrupted.
    """
    return load(_settings(options))


def load(settings: RunSettings) -> int:
    """Run a load, show its progress, print its summary, and return its exit code.

    Raises:
        XmlExtractorError: It failed.
    """
    from xml_extractor.api.running import prepare_directories
    from xml_extractor.pipeline import run
    from xml_extractor.reporting.console import configure_logging, shown_progress

    configure_logging(settings.log_level, settings.log_format)
    prepare_directories(settings)
    # Log lines of worker processes would break the bar; at these levels there are few.
    shown = settings.progress and settings.log_format == "text" and settings.log_level in {"WARNING", "ERROR"}
    with stop_requests(is_orderly=False) as stop:
        with shown_progress(sys.stderr, "Loading", shown=shown) as show:
            result = run(settings, on_poll=lambda statistics: show(statistics.progress))
        unwritten = _report(result)
    failure = result.failure or unwritten
    if failure is not None:
        raise failure
    return EXIT_INTERRUPTED if stop.requested else result.exit_code


def _settings(options: dict[str, Any]) -> RunSettings:
    key_range = options.pop("range")
    log_level = options.pop("log_level").upper()
    if options["reprocess_version"] is not None and options["reprocess"] is None:
        raise UsageError("--reprocess-version requires --reprocess", "add it, for example --reprocess loaded")
    if options["master"] is not None and options["engine"] != "spark":
        raise UsageError("--master requires --engine spark", "add it, or remove --master")
    return RunSettings(key_range=key_range, log_level=log_level, **options)


def _report(result: "RunResult") -> RunError | None:
    """Write the metrics and print the summary. If nobody reads the summary, the exit code stays the same.

    Returns:
        The error if the metrics could not be written.
    """
    from xml_extractor.api.running import record
    from xml_extractor.reporting.console import rendered
    from xml_extractor.reporting.summary import summary

    metrics_path, unwritten = None, None
    try:
        metrics_path = record(result)
    except RunError as error:
        unwritten = error
    with output():
        click.echo(rendered(summary(result, metrics_path), sys.stdout), nl=False)
    return unwritten
