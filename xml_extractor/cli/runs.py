"""The commands `runs` and `report`: list and compare the runs of a contract, on the terminal or as an HTML page."""

import json
import os
import string
import sys
from collections.abc import Iterator, Mapping, Sequence, Sized
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xml_extractor.cli.addresses import contract_given, database_address
from xml_extractor.cli.boundary import say
from xml_extractor.cli.command import WholeNumber, command
from xml_extractor.cli.options import CONTRACT_OPTION, TARGET_OPTIONS, added, with_target
from xml_extractor.cli.run_options import config_option
from xml_extractor.errors import UsageError
from xml_extractor.escaping import escaped
from xml_extractor.reporting.console import cell, plain_table, rendered

if TYPE_CHECKING:
    from xml_extractor.processing_log.run_history import RunEntry
    from xml_extractor.reporting.reported_runs import ReportedRun

LAST_RUNS = 20

COMPARED_COUNTS = ("documents", "stage_seconds", "rows")
"""The counts of a metrics file of which each is compared."""

MOST_COMPARED = len(string.ascii_uppercase)


@command("runs", "--contract orders.yaml --target sqlite:///orders.db --last 7")
@config_option
@added(CONTRACT_OPTION, *TARGET_OPTIONS)
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.option(
    "--last", type=WholeNumber(1), default=LAST_RUNS, show_default=True, metavar="N", help="List at most N runs."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per run, with its metrics.")
@with_target
def runs_command(contract: str, target: str, runs: Sequence[str], last: int, *, as_json: bool) -> None:
    """List the runs of the contract, or compare runs.

    RUN is a run id or the beginning of one. A run that has stopped reporting, for example because it was killed, is
    shown as `lost`.
    """
    name, entries = history_of(contract, target)
    chosen = [named_run(run, entries) for run in runs] if runs else entries[:last]
    if as_json:
        for entry in chosen:
            click.echo(escaped(json.dumps(_as_json(entry), ensure_ascii=False)))
    elif runs:
        _compare(chosen)
    else:
        _list(chosen)
        left_out = len(entries) - len(chosen)
        older = f", {left_out:,} older not shown" if left_out else ""
        say(f"{len(entries):,} run{'' if len(entries) == 1 else 's'} of {name}{older}")


def history_of(contract: str, target: str) -> tuple[str, "list[RunEntry]"]:
    """Return the contract's name and its runs, the latest first."""
    from xml_extractor.contract.reading import read_contract
    from xml_extractor.targets.registry import open_run_history, open_target

    checked = read_contract(contract)
    with open_run_history(open_target(target, checked)) as history:
        entries = history.entries(checked.contract)
        known = [] if entries else sorted({entry.contract for entry in history.entries()})
    if known:
        say(f"The run history has runs of: {', '.join(known)}", err=True)
    return checked.contract, entries


def named_run(run: str, entries: "Sequence[RunEntry]") -> "RunEntry":
    """Return the run with this id, or with an id that begins so.

    Raises:
        UsageError: There is none, or there are several.
    """
    found = [entry for entry in entries if entry.run_id.startswith(run)]
    if len(found) == 1:
        return found[0]
    what = "several runs of the contract" if found else "no run of the contract"
    raise UsageError(f"the id of {what} begins with '{run}'", "`xml-extractor runs` lists their ids")


def _as_json(entry: "RunEntry") -> dict[str, Any]:
    times = {name: _iso(getattr(entry, name)) for name in ("started_at", "reported_at", "finished_at")}
    return entry._asdict() | times | {"metrics": json.loads(entry.metrics)}


def _iso(when: datetime | None) -> str | None:
    return None if when is None else when.isoformat(timespec="milliseconds") + "Z"


def _list(entries: "Sequence[RunEntry]") -> None:
    if not entries:
        return
    table = plain_table("Run", "Status", "Exit", "Loaded", "Rejected", "Seconds", "A minute", numbers=5)
    for entry in entries:
        metrics = json.loads(entry.metrics)
        table.add_row(
            cell(entry.run_id),
            entry.status,
            "" if entry.exit_code is None else f"{entry.exit_code}",
            f"{entry.loaded:,}",
            f"{entry.rejected:,}",
            f"{metrics['elapsed_seconds']:,.1f}",
            f"{metrics['documents_per_minute']:,.0f}",
        )
    click.echo(rendered(table, sys.stdout), nl=False)


def _compare(entries: "Sequence[RunEntry]") -> None:
    """Show runs side by side; of settings, those that differ."""
    _check_number(entries)
    letters = string.ascii_uppercase[: len(entries)] if len(entries) > 1 else [""]
    for letter, entry in zip(letters, entries, strict=True):
        say(f"{letter} {entry.run_id}".lstrip())
    table = plain_table("", *letters, numbers=len(entries))
    for label, values in _compared(entries):
        table.add_row(cell(label), *map(cell, values))
    click.echo(rendered(table, sys.stdout), nl=False)


def _check_number(compared: Sized) -> None:
    if len(compared) > MOST_COMPARED:
        raise UsageError(f"{len(compared)} runs cannot be compared", f"name at most {MOST_COMPARED}")


def _compared(entries: "Sequence[RunEntry]") -> Iterator[tuple[str, list[str]]]:
    """Yield what is compared, with the value of each run."""
    all_metrics = [json.loads(entry.metrics) for entry in entries]
    yield "started at (UTC)", [entry.started_at.isoformat(sep=" ", timespec="seconds") for entry in entries]
    yield "status", [entry.status.value for entry in entries]
    yield "exit code", ["" if entry.exit_code is None else f"{entry.exit_code}" for entry in entries]
    yield "host", [entry.host for entry in entries]
    yield "program version", [entry.program_version for entry in entries]
    yield "contract version", [f"{entry.contract_version}" for entry in entries]
    for name in ("source", "target", "failure"):
        values = [f"{metrics[name] or ''}" for metrics in all_metrics]
        if any(values) and (name == "failure" or len({*values}) > 1 or len(values) == 1):
            yield name, values
    for name in ("elapsed_seconds", "documents_per_minute", "earlier_rejects"):
        yield name.replace("_", " "), [f"{metrics[name]:,}" for metrics in all_metrics]
    for group in COMPARED_COUNTS:
        yield from _counts(group, [metrics[group] for metrics in all_metrics])
    rejects = [{f"{each['stage']} {each['code']}": each["documents"] for each in m["rejects"]} for m in all_metrics]
    yield from _counts("rejects", rejects)
    settings = [metrics["settings"] for metrics in all_metrics]
    for name in dict.fromkeys(name for each in settings for name in each):
        values = [f"{each.get(name)}" for each in settings]
        if len({*values}) > 1 or len(values) == 1:
            yield f"settings {name}", values


def _counts(group: str, counts: Sequence[Mapping[str, float]]) -> Iterator[tuple[str, list[str]]]:
    for name in dict.fromkeys(name for each in counts for name in each):
        yield f"{group} {name}", [f"{each.get(name, 0):,}" for each in counts]


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
    type=WholeNumber(1, MOST_COMPARED),
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
    _check_number(reported)
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
