"""The command `report`: an HTML page of runs."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xml_extractor.cli.addresses import contract_given, database_address
from xml_extractor.cli.boundary import say
from xml_extractor.cli.configuration import config_option
from xml_extractor.cli.help import command
from xml_extractor.cli.options import CONTRACT_OPTION, TARGET_OPTIONS, added
from xml_extractor.cli.parameters import WholeNumber
from xml_extractor.cli.runs import MOST_COMPARED as MOST_RUNS
from xml_extractor.cli.runs import history_of, named_run
from xml_extractor.errors import UsageError
from xml_extractor.escaping import escaped

if TYPE_CHECKING:
    from xml_extractor.processing_log.run_history import RunEntry
    from xml_extractor.reporting.reported_runs import ReportedRun

LATEST_RUN = "latest"


@command("report", "--contract orders.yaml --target sqlite:///orders.db --last 7")
@config_option
@added(CONTRACT_OPTION, *TARGET_OPTIONS)
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.option(
    "--html",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default="report.html",
    show_default=True,
    metavar="FILE",
    help="Write the page to this file.",
)
@click.option(
    "--last",
    type=WholeNumber(1, MOST_RUNS),
    default=1,
    show_default=True,
    metavar="N",
    help="Without RUN: report the last N runs, the earliest first.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the file and the run ids as a JSON object.")
def report_command(runs: Sequence[str], path: Path, last: int, *, as_json: bool, **_options: Any) -> None:
    """Write an HTML page of a run, or of several compared.

    RUN is a run id of the contract or the beginning of one, `latest`, or a metrics file. The page needs no other file,
    and has keys of documents but no values.
    """
    from xml_extractor.reporting.html import write_page
    from xml_extractor.reporting.run_page import run_page

    reported = {run.run_id: run for run in (_named_runs(runs) if runs else _last_runs(last))}
    if len(reported) > MOST_RUNS:
        raise UsageError(f"{len(reported)} runs cannot be compared", f"name at most {MOST_RUNS}")
    write_page(path, run_page([*reported.values()]))
    if as_json:
        click.echo(escaped(json.dumps({"file": str(path), "runs": [*reported]}, ensure_ascii=False)))
    else:
        say(f"Written: {path} ({', '.join(reported)})")


def _last_runs(last: int) -> "list[ReportedRun]":
    from xml_extractor.reporting.reported_runs import ReportedRun

    return [ReportedRun.of(entry) for entry in reversed(_history()[:last])]


def _named_runs(runs: Sequence[str]) -> "list[ReportedRun]":
    """Return the named runs; the target is read only if one of them is not a file."""
    from xml_extractor.reporting.reported_runs import ReportedRun

    entries = [] if all(map(_is_file, runs)) else _history()
    return [
        ReportedRun.read(Path(run))
        if _is_file(run)
        else ReportedRun.of(entries[0] if run == LATEST_RUN else named_run(run, entries))
        for run in runs
    ]


def _history() -> "list[RunEntry]":
    """Return the runs of the contract, the latest first; there is at least one."""
    context = click.get_current_context()
    name, entries = history_of(contract_given(context), database_address(context))
    if not entries:
        raise UsageError(f"there is no run of {name}", "name a metrics file, or another target")
    return entries


def _is_file(run: str) -> bool:
    return run.endswith(".json") or os.sep in run or "/" in run
