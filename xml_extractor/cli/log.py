"""The commands `status`, `rejects` and `retry`: what the processing log says, and trying rejected documents again."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from xml_extractor.cli.options import WholeNumber, added, config_option, contract_option, target_option
from xml_extractor.contract.reading import read_contract
from xml_extractor.documents import Status
from xml_extractor.processing_log.log import ProcessingLog
from xml_extractor.processing_log.log_table import LogCount, LogEntry, RejectSelection
from xml_extractor.reasons import Stage
from xml_extractor.reporting.screen import rendered
from xml_extractor.targets.registry import open_processing_log, open_target

MAX_ATTEMPTS = 5

SELECTION_OPTIONS = (
    click.option(
        "--key", "keys", metavar="KEY", multiple=True, help="Only the document with this key; can be repeated."
    ),
    click.option("--reason", metavar="CODE", default="", help="Only documents rejected for this reason."),
    click.option(
        "--stage", type=click.Choice([stage.value for stage in Stage]), help="Only documents rejected at this stage."
    ),
)


@click.command("retry")
@config_option
@contract_option
@target_option
@added(*SELECTION_OPTIONS)
@click.option(
    "--max-attempts",
    type=WholeNumber(1),
    default=MAX_ATTEMPTS,
    show_default=True,
    help="Leave documents rejected that were tried so often.",
)
def retry_command(
    contract: str, target: str, keys: Sequence[str], reason: str, stage: str | None, max_attempts: int
) -> None:
    """Put rejected documents back, so that the next run tries them again.

    This command loads nothing. Without options it marks all rejected documents of the contract.
    """
    with _opened(contract, target) as (name, log):
        retried, exhausted = log.retry(RejectSelection(name, tuple(keys), reason, stage or ""), max_attempts)
    others = len(set(keys)) - retried - exhausted
    if others > 0:
        click.echo(f"{others:,} of the named documents {'is' if others == 1 else 'are'} not rejected in this way")
    click.echo(f"{_documents(retried)} marked for retry: the next run tries {'it' if retried == 1 else 'them'} again")
    if exhausted:
        click.echo(
            f"{_documents(exhausted)} stay{'s' if exhausted == 1 else ''} rejected after {max_attempts} attempts"
        )


@click.command("rejects")
@config_option
@contract_option
@target_option
@added(*SELECTION_OPTIONS)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, an object in each line.")
def rejects_command(
    contract: str, target: str, keys: Sequence[str], reason: str, stage: str | None, *, as_json: bool
) -> None:
    """List rejected documents with their reasons. No value of a document is shown."""
    with _opened(contract, target) as (name, log):
        entries = log.rejected(RejectSelection(name, tuple(keys), reason, stage or ""))
    if as_json:
        for entry in entries:
            click.echo(json.dumps(_reject_as_json(entry), ensure_ascii=False))
    else:
        _show_rejects(list(entries))


@click.command("status")
@config_option
@contract_option
@target_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status_command(contract: str, target: str, *, as_json: bool) -> None:
    """Show how many documents are loaded, rejected or marked for retry, and by which runs."""
    with _opened(contract, target) as (name, log):
        counts = log.counts(name)
    if as_json:
        click.echo(json.dumps(_status_as_json(name, counts), indent=2))
    else:
        _show_status(name, counts)


@contextmanager
def _opened(contract: str, target: str) -> Iterator[tuple[str, ProcessingLog]]:
    """The name of the contract, and the processing log."""
    checked = read_contract(contract)
    with open_processing_log(open_target(target, checked)) as log:
        yield checked.contract, log


def _documents(count: int) -> str:
    return f"{count:,} document{'' if count == 1 else 's'}"


def _time(when: datetime) -> str:
    return f"{when.isoformat(sep=' ', timespec='seconds')} UTC"


def _reject_as_json(entry: LogEntry) -> dict[str, Any]:
    return {
        "key": entry.document_key,
        "attempts": entry.attempts,
        "stage": entry.stage,
        "reason": entry.reason,
        "run_id": entry.run_id,
        "contract_version": entry.contract_version,
        "finished_at": _iso(entry.finished_at),
    }


def _status_as_json(contract: str, counts: Sequence[LogCount]) -> dict[str, Any]:
    return {
        "contract": contract,
        "documents": {status.value: count for status, count in _by_status(counts).items()},
        "runs": [count._asdict() | {"finished_at": _iso(count.finished_at)} for count in counts],
    }


def _iso(when: datetime) -> str:
    return when.isoformat(timespec="milliseconds") + "Z"


def _by_status(counts: Iterable[LogCount]) -> dict[Status, int]:
    sums = Counter({Status.LOADED: 0, Status.REJECTED: 0, Status.RETRY: 0})
    for count in counts:
        sums[count.status] += count.documents
    return dict(sums)


def _show_rejects(entries: Sequence[LogEntry]) -> None:
    if entries:
        table = _table("Document", "Attempts", "Stage", "Reason", "Rejected at")
        for entry in entries:
            shown = (entry.document_key, f"{entry.attempts}", entry.stage, entry.reason, _time(entry.finished_at))
            table.add_row(*map(Text, shown))
        click.echo(rendered(table, sys.stdout), nl=False)
    click.echo(f"{_documents(len(entries))} rejected")


def _show_status(contract: str, counts: Sequence[LogCount]) -> None:
    if counts:
        table = _table("Run", "Last document done at", "Contract version", "Status", "Documents")
        for count in counts:
            shown = (count.run_id, _time(count.finished_at), f"{count.contract_version}", count.status)
            table.add_row(*map(Text, (*shown, f"{count.documents:,}")))
        click.echo(rendered(table, sys.stdout), nl=False)
    sums = _by_status(counts)
    click.echo(
        f"Documents of {contract}: {sums[Status.LOADED]:,} loaded, {sums[Status.REJECTED]:,} rejected, "
        f"{sums[Status.RETRY]:,} marked for retry"
    )


def _table(*headings: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
