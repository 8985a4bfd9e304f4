"""The `run` command: the nightly load."""

import sys
from typing import Any

import click
from rich.console import Console

from xml_extractor.cli.boundary import EXIT_INTERRUPTED, EXIT_OK, EXIT_REJECTS
from xml_extractor.cli.options import config_option, run_options
from xml_extractor.processing.run import run
from xml_extractor.reporting.logs import configure_logging
from xml_extractor.reporting.metrics import write_metrics
from xml_extractor.reporting.progress import progress_bar
from xml_extractor.reporting.result import RunResult
from xml_extractor.reporting.summary import print_summary
from xml_extractor.settings import RunSettings


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
    errors = Console(stderr=True)
    shown = settings.progress and settings.log_level in {"WARNING", "ERROR"}
    with progress_bar(errors, limit=settings.limit, shown=shown) as advance:
        result = run(settings, advance)
    metrics_path = write_metrics(result)
    print_summary(result, metrics_path, Console(file=sys.stdout, soft_wrap=True, highlight=False))
    if result.failure is not None:
        raise result.failure
    return exit_code(result)


def exit_code(result: RunResult) -> int:
    """What a scheduler is told about a run that came to its end."""
    if result.interrupted:
        return EXIT_INTERRUPTED
    return EXIT_REJECTS if result.statistics.rejected else EXIT_OK


def _settings(options: dict[str, Any]) -> RunSettings:
    key_range = options.pop("range")
    source = options.pop("source") or options["target"]
    log_level = options.pop("log_level").upper()
    return RunSettings(key_range=key_range, source=source, log_level=log_level, **options)
