"""The summary that a run prints at its end."""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table

from xml_extractor.documents import Counted, CountKey
from xml_extractor.reasons import Reason
from xml_extractor.reporting.console import cell, plain_table
from xml_extractor.reporting.result import RunResult
from xml_extractor.settings import RunSettings

REASONS_SHOWN = 20
COUNTS_SHOWN = 40


def summary(result: RunResult, metrics_path: Path | None) -> RenderableType:
    """Return rows by table, reasons of rejection, and the sum of all documents.

    Args:
        result: The run.
        metrics_path: The metrics file; None if it could not be written.
    """
    statistics = result.statistics
    parts: list[RenderableType] = [
        cell(f"Run {result.run_id}: contract {result.contract} version {result.contract_version}"),
        cell(f"{result.source} -> {result.target}"),
    ]
    if statistics.loaded:
        parts.append(_rows_by_table(result))
    parts += [*counts_table(statistics.counted(tuple(Counted))), *_reasons(result)]
    parts.append(cell(result.statistics.documents_line, style="bold"))
    if result.files_without_records:
        parts.append(cell(f"Files without records: {result.files_without_records:,}"))
    if result.files_too_new:
        age = f"changed less than {result.settings.min_age} s ago"
        parts.append(cell(f"Files not read yet: {result.files_too_new:,}, {age}; the next run reads them"))
    if result.interrupted:
        parts.append(cell("Interrupted: what is counted here is committed; run the same command again to continue."))
    elif statistics.processed:
        rate = f"{result.documents_per_minute:,.0f} documents a minute"
        parts.append(cell(f"Took {result.elapsed_seconds:.1f} s, {rate}."))
    elif result.failure is None:
        parts.append(cell(f"Nothing to do: {_nothing_left(result.settings)}."))
    if metrics_path is not None:
        parts.append(cell(f"Metrics: {metrics_path}"))
    if result.rejects_dir is not None:
        parts.append(cell(f"Rejected documents: {result.rejects_dir}"))
    return Group(*parts, *map(cell, _hints(result)))


def _hints(result: RunResult) -> Iterator[str]:
    """Yield hints at what to do next."""
    statistics = result.statistics
    if statistics.rejected:
        yield "`xml-extractor rejects` lists what was rejected and why, `xml-extractor retry` marks it for the next run"
    if result.earlier_rejects:
        earlier = "1 document is" if result.earlier_rejects == 1 else f"{result.earlier_rejects:,} documents are"
        yield f"{earlier} still rejected from earlier runs; `xml-extractor rejects` lists them"
    if statistics.left_older:
        what = "A newer revision of 1 document is rejected; the older one stays until it is corrected and retried"
        if statistics.left_older > 1:
            some = f"{statistics.left_older:,} documents"
            what = f"Newer revisions of {some} are rejected; the older ones stay until they are corrected and retried"
        yield what
    if statistics.without_rows:
        some = (
            f"{statistics.without_rows:,} of the loaded documents" if statistics.loaded > 1 else "The loaded document"
        )
        verb = "have" if statistics.without_rows > 1 else "has"
        yield f"{some} {verb} no rows by this contract, such as {statistics.first_without_rows}"
    if result.outdated:
        done = "1 document was" if result.outdated == 1 else f"{result.outdated:,} documents were"
        yield f"Hint: {done} processed before the contract changed; --reprocess changed-contract processes them again"
    if not statistics.loaded and [code for (_, code), _ in statistics.reasons.most_common(1)] == [Reason.WRONG_ROOT]:
        yield f"Hint: is {result.contract} the contract for these documents? `xml-extractor preview` shows what differs"


def _nothing_left(settings: RunSettings) -> str:
    if settings.limit == 0:
        return "the limit is 0"
    whole = settings.key_range is None and settings.shard is None
    new = "new documents" if settings.reprocess is None else "documents that are new or to be reprocessed"
    return f"{'the' if whole else 'this part of the'} source has no {new}"


def _rows_by_table(result: RunResult) -> Table:
    table = plain_table("Table", "Rows inserted", numbers=1)
    for name, rows in zip(result.statistics.tables, result.statistics.rows, strict=True):
        table.add_row(cell(name), f"{rows:,}")
    table.add_row("total", f"{sum(result.statistics.rows):,}", style="bold")
    return table


MEANINGS = {
    Counted.NULL: "invalid values made NULL",
    Counted.DEFAULT: "invalid values replaced by the default",
    Counted.TRUNCATED: "values truncated",
    Counted.ROUNDED: "values rounded",
    Counted.UNKNOWN_CODE: "unknown codes",
    Counted.DANGLING: "dangling references made NULL",
    Counted.UNREAD: "elements or attributes that nothing reads",
    Counted.AT_LEAST_ONE: "rows left out by at_least_one",
    Counted.WHEN: "rows left out by when",
    Counted.DISTINCT: "rows left out by distinct",
    Counted.PARENT: "rows left out with their parent row",
    Counted.KEPT: "rows not inserted, existing ones kept",
    Counted.DISAGREED: "rows not inserted that differ from the existing ones",
    Counted.REPLACED: "existing rows replaced",
}
"""What is counted besides inserted rows, for people."""


def counts_table(counts: Mapping[CountKey, int]) -> list[RenderableType]:
    """Return a table of what happened to values and rows besides insertion; nothing if there are no counts."""
    if not counts:
        return []
    table = plain_table("Table or column", "What happened", "Number", numbers=1)
    for (name, column, what), number in islice(counts.items(), COUNTS_SHOWN):
        table.add_row(cell(".".join(filter(None, (name, column)))), MEANINGS[what], f"{number:,}")
    left_out = len(counts) - COUNTS_SHOWN
    return [table] if left_out <= 0 else [table, cell(f"and {left_out} more counts in the metrics file")]


def _reasons(result: RunResult) -> list[RenderableType]:
    """Return the reasons, each with its first document on a line of its own, which no terminal folds."""
    reasons, examples = result.statistics.reasons, result.statistics.examples
    lines = ["Rejected documents by reason, with the first one of each"] if reasons else []
    for stage, code in islice(dict(reasons.most_common()), REASONS_SHOWN):
        lines += [f"{reasons[stage, code]:7,}  {stage}: {code}", f"{'':9}{examples[stage, code]}"]
    if len(reasons) > REASONS_SHOWN:
        lines.append(f"and {len(reasons) - REASONS_SHOWN} more reasons in the metrics file")
    return list(map(cell, lines))
