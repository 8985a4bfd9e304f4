"""The commands `status`, `rejects` and `retry`: show the processing log, and retry rejected documents."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xml_extractor.cli.boundary import counted, say
from xml_extractor.cli.command import NotEmpty, OneOf, WholeNumber, command
from xml_extractor.cli.options import (
    CONTRACT_OPTION,
    REJECTS_DIR_OPTION,
    SOURCE_OPTIONS,
    TARGET_OPTIONS,
    added,
    with_addresses,
    with_target,
)
from xml_extractor.cli.run_options import config_option
from xml_extractor.documents import LEFT_OUT, NOT_INSERTED, TOLERATED, Counted, CountKey, Status
from xml_extractor.escaping import escaped
from xml_extractor.reasons import Reason, Stage
from xml_extractor.reporting.console import cell, plain_table, rendered

if TYPE_CHECKING:
    from xml_extractor.processing_log.log import ProcessingLog
    from xml_extractor.processing_log.log_table import LogCount, LogEntry, RejectSelection

MAX_ATTEMPTS = 5

_LOGGED = [status for status in Status if status is not Status.ALREADY_DONE]

TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"])

SELECTION_OPTIONS = (
    click.option("--key", "keys", metavar="KEY", multiple=True, help="Only the document with this key; repeatable."),
    click.option("--reason", type=OneOf("CODE", Reason), default=None, help="Only documents with this reason code."),
    click.option("--stage", type=OneOf("STAGE", Stage), help="Only documents rejected at this stage."),
    click.option(
        "--run",
        cls=NotEmpty,
        metavar="RUN",
        help="Only documents rejected by this run: the beginning of its id.",
    ),
    click.option(
        "--since", type=TIME, metavar="TIME", help="Only documents rejected by runs started since TIME (UTC)."
    ),
    click.option(
        "--before", type=TIME, metavar="TIME", help="Only documents rejected by runs started before TIME (UTC)."
    ),
)


@command("retry", "--contract orders.yaml --target sqlite:///orders.db --reason overflow")
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
def retry_command(contract: str, target: str, max_attempts: int, **selection: Any) -> None:
    """Mark rejected documents so that the next run retries them.

    This command loads nothing. Without options, it marks all rejected documents of the contract that were attempted
    fewer than 5 times.
    """
    with _opened(contract, target) as (name, log):
        marked, exhausted = log.retry(_selection(name, **selection), max_attempts)
        versions = {} if marked or exhausted else log.by_version()
    others = len(set(selection["keys"])) - marked - exhausted
    if others > 0:
        say(f"{others:,} of the named documents {'does' if others == 1 else 'do'} not match")
    if marked:
        say(f"{counted(marked, 'document')} marked for retry by the next run")
    else:
        matching = " that matches" if any(selection.values()) else ""
        attempts = " with attempts left" if exhausted else ""
        say(f"0 documents marked for retry: {name} has no rejected document{matching}{attempts}")
    if exhausted:
        skipped = counted(exhausted, "document")
        say(f"{skipped} skipped after {max_attempts} attempts; a higher --max-attempts includes them")
    _name_known(name, versions)


@command("rejects", "--contract orders.yaml --target sqlite:///orders.db --summary")
@config_option
@added(CONTRACT_OPTION, *TARGET_OPTIONS, *SELECTION_OPTIONS)
@REJECTS_DIR_OPTION
@click.option("--summary", is_flag=True, help="Count documents by reason instead.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@with_target
def rejects_command(
    contract: str, target: str, rejects_dir: Path | None, *, summary: bool, as_json: bool, **selection: Any
) -> None:
    """List rejected documents with their reasons and files.

    The list contains no values of documents.
    """
    with _opened(contract, target) as (name, log):
        entries = log.rejected(_selection(name, **selection))
        versions = {} if entries else log.by_version()
    if summary:
        _summarise(entries, as_json=as_json)
    elif as_json:
        for entry in entries:
            _print_json(_reject_as_json(entry, rejects_dir))
    else:
        _show_rejects(entries, rejects_dir)
    _name_known(name, versions, err=as_json)


@command("status", "--contract orders.yaml --target sqlite:///orders.db")
@config_option
@added(CONTRACT_OPTION, *SOURCE_OPTIONS, *TARGET_OPTIONS)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_addresses
def status_command(contract: str, source: str, target: str, *, as_json: bool) -> None:
    """Count documents by contract, version and status, and those that wait at the source."""
    with _opened(contract, target) as (name, log):
        counts, others, versions = log.counts(name), dict(log.other_counts(name)), log.by_version()
    waiting = _waiting(contract, source, target)
    if as_json:
        click.echo(json.dumps(_status_as_json(name, counts, others, versions) | {"waiting": waiting}, indent=2))
    else:
        _show_status(name, counts, others, versions)
        if waiting is not None:
            say(f"Waiting at the source: {counted(waiting, 'document')}")
    _name_known(name, versions, err=as_json)


Versions = Mapping[tuple[str, int], Mapping[Status, int]]
"""Documents by contract and version, and by status."""


def _name_known(contract: str, versions: Versions, *, err: bool = False) -> None:
    """If the log has no documents of a contract, name those of which it has."""
    known = sorted({name for name, _ in versions})
    if known and contract not in known:
        say(f"The processing log has documents of: {', '.join(known)}", err=err)


def _waiting(contract: str, source: str, target: str) -> int | None:
    """Return how many documents wait; None if no source is named and the target has no documents."""
    from xml_extractor.errors import SourceError, UsageError
    from xml_extractor.pipeline import count_waiting
    from xml_extractor.settings import RunSettings

    try:
        return count_waiting(RunSettings(contract, source, target))
    except (SourceError, UsageError):
        if source != target:
            raise
        return None


@contextmanager
def _opened(contract: str, target: str) -> Iterator[tuple[str, "ProcessingLog"]]:
    """Open the processing log; gives the contract's name and the log."""
    from xml_extractor.contract.reading import read_contract
    from xml_extractor.targets.registry import open_processing_log, open_target

    checked = read_contract(contract)
    with open_processing_log(open_target(target, checked)) as log:
        yield checked.contract, log


def _selection(
    contract: str,
    keys: Sequence[str],
    reason: str | None,
    stage: str | None,
    run: str | None,
    since: datetime | None,
    before: datetime | None,
) -> "RejectSelection":
    from xml_extractor.processing_log.log_keys import log_key
    from xml_extractor.processing_log.log_table import RejectSelection

    log_keys = tuple(str(log_key(key)) for key in keys)
    return RejectSelection(contract, log_keys, reason or "", stage or "", run or "", since, before)


def _time(when: datetime) -> str:
    return f"{when.isoformat(sep=' ', timespec='seconds')} UTC"


def _file_of(entry: "LogEntry", rejects_dir: Path | None) -> str | None:
    """Return the file of a rejected document, if the run has written one and it is still there."""
    from xml_extractor.sources.rejects import file_names

    if rejects_dir is None:
        return None
    files = [rejects_dir / entry.run_id / name for name in file_names(entry.document_key)]
    return next((str(file) for file in files if file.is_file()), None)


def _print_json(value: Mapping[str, Any]) -> None:
    click.echo(escaped(json.dumps(value, ensure_ascii=False)))


def _reject_as_json(entry: "LogEntry", rejects_dir: Path | None) -> dict[str, Any]:
    return {
        "key": entry.document_key,
        "attempts": entry.attempts,
        "stage": entry.stage,
        "reason": entry.reason,
        "run_id": entry.run_id,
        "contract_version": entry.contract_version,
        "finished_at": _iso(entry.finished_at),
        "file": _file_of(entry, rejects_dir),
    }


def _summarise(entries: Sequence["LogEntry"], *, as_json: bool) -> None:
    """Count rejected documents by stage and reason code, the most frequent first."""
    by_reason: dict[tuple[str, str], list[LogEntry]] = {}
    for entry in entries:
        by_reason.setdefault((entry.stage, entry.failure.code), []).append(entry)
    for (stage, code), rejected in sorted(by_reason.items(), key=lambda item: -len(item[1])):
        latest = max(rejected, key=lambda entry: entry.finished_at)
        if as_json:
            _print_json(
                {
                    "stage": stage,
                    "code": code,
                    "documents": len(rejected),
                    "latest_at": _iso(latest.finished_at),
                    "example_key": latest.document_key,
                }
            )
        else:
            # Lines of their own, so that no terminal folds a key.
            say(f"{len(rejected):>7,}  {stage}: {code}, the latest at {_time(latest.finished_at)}")
            say(f"{'':7}  {latest.document_key}")
    if not as_json:
        say(f"{counted(len(entries), 'document')} rejected for {counted(len(by_reason), 'reason')}")


def _status_as_json(
    contract: str, counts: Sequence["LogCount"], others: Mapping[CountKey, int], versions: Versions
) -> dict[str, Any]:
    from xml_extractor.reporting.metrics import counts_by_place

    def of(kinds: Sequence[Counted]) -> dict[str, Any]:
        return counts_by_place({key: number for key, number in others.items() if key[2] in kinds})

    return {
        "contract": contract,
        "documents": {status.value: count for status, count in _by_status(counts).items()},
        "versions": [
            {"contract": name, "version": version} | {status.value: of_version.get(status, 0) for status in _LOGGED}
            for (name, version), of_version in versions.items()
        ],
        "rows_not_inserted": of((*NOT_INSERTED, *LEFT_OUT)),
        "tolerated_values": of(TOLERATED),
        "runs": [count._asdict() | {"finished_at": _iso(count.finished_at)} for count in counts],
    }


def _iso(when: datetime) -> str:
    return when.isoformat(timespec="milliseconds") + "Z"


def _by_status(counts: Iterable["LogCount"]) -> dict[Status, int]:
    sums = Counter[Status](dict.fromkeys(_LOGGED, 0))
    for count in counts:
        sums[count.status] += count.documents
    return dict(sums)


def _show_rejects(entries: Sequence["LogEntry"], rejects_dir: Path | None) -> None:
    """Show each reject in lines of its own, so that no terminal folds a key, a run id or the name of a file."""
    for entry in entries:
        attempts = counted(entry.attempts, "attempt")
        say(entry.document_key)
        say(f"  {_time(entry.finished_at)}, run {entry.run_id}, {attempts}")
        say(f"  {entry.stage}: {entry.reason}")
        file = _file_of(entry, rejects_dir)
        if file is not None:
            say(f"  file {file}")
    say(f"{counted(len(entries), 'document')} rejected")


def _show_status(
    contract: str, counts: Sequence["LogCount"], others: Mapping[CountKey, int], versions: Versions
) -> None:
    from xml_extractor.reporting.summary import counts_table

    if versions:
        seen = {status for of_version in versions.values() for status in of_version}
        shown = [status for status in _LOGGED if status in seen or status in (Status.LOADED, Status.REJECTED)]
        headings = ("Contract", "Version", *(status.value.capitalize() for status in shown))
        table = plain_table(*headings, numbers=len(shown) + 1)
        for (name, version), of_version in versions.items():
            numbers = (f"{of_version.get(status, 0):,}" for status in shown)
            table.add_row(cell(name), f"{version}", *numbers)
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
