"""The commands `status`, `rejects` and `retry`: show the processing log, and retry rejected documents."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from xml_extractor.cli.boundary import say
from xml_extractor.cli.configuration import config_option
from xml_extractor.cli.options import CONTRACT_OPTION, TARGET_OPTIONS, added, with_target
from xml_extractor.cli.parameters import OneOf, WholeNumber
from xml_extractor.documents import LEFT_OUT, NOT_INSERTED, TOLERATED, Counted, CountKey, Status
from xml_extractor.escaping import escaped
from xml_extractor.reasons import Reason, Stage
from xml_extractor.reporting.console import cell, plain_table, rendered

if TYPE_CHECKING:
    from rich.table import Table

    from xml_extractor.processing_log.log import ProcessingLog
    from xml_extractor.processing_log.log_table import LogCount, LogEntry, RejectSelection

MAX_ATTEMPTS = 5

SELECTION_OPTIONS = (
    click.option("--key", "keys", metavar="KEY", multiple=True, help="Only the document with this key; repeatable."),
    click.option("--reason", type=OneOf("CODE", Reason), default=None, help="Only documents with this reason code."),
    click.option("--stage", type=OneOf("STAGE", Stage), help="Only documents rejected at this stage."),
)


@click.command("retry")
@config_option
@added(CONTRACT_OPTION, *TARGET_OPTIONS, *SELECTION_OPTIONS)
@click.option(
    "--max-attempts",
    type=WholeNumber(1),
    default=MAX_ATTEMPTS,
    show_default=True,
    help="Skip documents that were attempted N times or more.",
    metavar="N",
)
@with_target
def retry_command(
    contract: str, target: str, keys: Sequence[str], reason: str | None, stage: str | None, max_attempts: int
) -> None:
    """Mark rejected documents so that the next run retries them.

    This command loads nothing. Without options it marks all rejected documents of the contract.
    """
    with _opened(contract, target) as (name, log):
        marked, exhausted = log.retry(_selection(name, keys, reason, stage), max_attempts)
    others = len(set(keys)) - marked - exhausted
    if others > 0:
        say(f"{others:,} of the named documents {'does' if others == 1 else 'do'} not match")
    if marked:
        say(f"{_documents(marked)} marked for retry by the next run")
    else:
        matching = " that matches" if keys or reason or stage else ""
        attempts = " with attempts left" if exhausted else ""
        say(f"0 documents marked for retry: {name} has no rejected document{matching}{attempts}")
    if exhausted:
        say(f"{_documents(exhausted)} skipped after {max_attempts} attempts; a higher --max-attempts includes them")


@click.command("rejects")
@config_option
@added(CONTRACT_OPTION, *TARGET_OPTIONS, *SELECTION_OPTIONS)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@with_target
def rejects_command(
    contract: str, target: str, keys: Sequence[str], reason: str | None, stage: str | None, *, as_json: bool
) -> None:
    """List rejected documents with their reasons.

    The list contains no values of documents.
    """
    with _opened(contract, target) as (name, log):
        entries = log.rejected(_selection(name, keys, reason, stage))
    if as_json:
        for entry in entries:
            click.echo(escaped(json.dumps(_reject_as_json(entry), ensure_ascii=False)))
    else:
        _show_rejects(list(entries))


@click.command("status")
@config_option
@added(CONTRACT_OPTION, *TARGET_OPTIONS)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_target
def status_command(contract: str, target: str, *, as_json: bool) -> None:
    """Count documents by status and run."""
    with _opened(contract, target) as (name, log):
        counts, others = log.counts(name), dict(log.other_counts(name))
        known = [] if counts else log.contracts()
    if as_json:
        click.echo(json.dumps(_status_as_json(name, counts, others), indent=2))
    else:
        _show_status(name, counts, others)
    if known:
        say(f"The processing log has documents of: {', '.join(known)}", err=as_json)


@contextmanager
def _opened(contract: str, target: str) -> Iterator[tuple[str, "ProcessingLog"]]:
    """Open the processing log; gives the contract's name and the log."""
    from xml_extractor.contract.reading import read_contract
    from xml_extractor.targets.registry import open_processing_log, open_target

    checked = read_contract(contract)
    with open_processing_log(open_target(target, checked)) as log:
        yield checked.contract, log


def _selection(contract: str, keys: Sequence[str], reason: str | None, stage: str | None) -> "RejectSelection":
    from xml_extractor.processing_log.log_keys import log_key
    from xml_extractor.processing_log.log_table import RejectSelection

    return RejectSelection(contract, tuple(str(log_key(key)) for key in keys), reason or "", stage or "")


def _documents(count: int) -> str:
    return f"{count:,} document{'' if count == 1 else 's'}"


def _time(when: datetime) -> str:
    return f"{when.isoformat(sep=' ', timespec='seconds')} UTC"


def _reject_as_json(entry: "LogEntry") -> dict[str, Any]:
    return {
        "key": entry.document_key,
        "attempts": entry.attempts,
        "stage": entry.stage,
        "reason": entry.reason,
        "run_id": entry.run_id,
        "contract_version": entry.contract_version,
        "finished_at": _iso(entry.finished_at),
    }


def _status_as_json(contract: str, counts: Sequence["LogCount"], others: Mapping[CountKey, int]) -> dict[str, Any]:
    from xml_extractor.reporting.metrics import counts_by_place

    def of(kinds: Sequence[Counted]) -> dict[str, Any]:
        return counts_by_place({key: number for key, number in others.items() if key[2] in kinds})

    return {
        "contract": contract,
        "documents": {status.value: count for status, count in _by_status(counts).items()},
        "rows_not_inserted": of((*NOT_INSERTED, *LEFT_OUT)),
        "rows_disagreeing": of((Counted.DISAGREED,)),
        "tolerated_values": of(TOLERATED),
        "runs": [count._asdict() | {"finished_at": _iso(count.finished_at)} for count in counts],
    }


def _iso(when: datetime) -> str:
    return when.isoformat(timespec="milliseconds") + "Z"


def _by_status(counts: Iterable["LogCount"]) -> dict[Status, int]:
    sums = Counter[Status]({status: 0 for status in Status if status is not Status.ALREADY_DONE})
    for count in counts:
        sums[count.status] += count.documents
    return dict(sums)


def _show_rejects(entries: Sequence["LogEntry"]) -> None:
    if entries:
        table = plain_table("Document", "Attempts", "Stage", "Reason", "Rejected at")
        for entry in entries:
            _add(table, entry.document_key, f"{entry.attempts}", entry.stage, entry.reason, _time(entry.finished_at))
        click.echo(rendered(table, sys.stdout), nl=False)
    say(f"{_documents(len(entries))} rejected")


def _show_status(contract: str, counts: Sequence["LogCount"], others: Mapping[CountKey, int]) -> None:
    from xml_extractor.reporting.summary import counts_table

    if counts:
        table = plain_table("Run", "Last document at", "Contract version", "Status", "Documents")
        for count in counts:
            version, documents = f"{count.contract_version}", f"{count.documents:,}"
            _add(table, count.run_id, _time(count.finished_at), version, count.status, documents)
        click.echo(rendered(table, sys.stdout), nl=False)
    for part in counts_table(others):
        click.echo(rendered(part, sys.stdout), nl=False)
    sums = _by_status(counts)
    seldom = (Status.SUPERSEDED, Status.DELETED, Status.SKIPPED)
    besides = "".join(f"{sums[status]:,} {status}, " for status in seldom if sums[status])
    say(
        f"Documents of {contract}: {sums[Status.LOADED]:,} loaded, {sums[Status.REJECTED]:,} rejected, "
        f"{besides}{sums[Status.RETRY]:,} marked for retry"
    )


def _add(table: "Table", *cells: str) -> None:
    """Add a row whose cells are not markup."""
    table.add_row(*map(cell, cells))
