"""What a person reads at the end of a run."""

from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from xml_extractor.reporting.result import RunResult

REASONS_SHOWN = 10


def print_summary(result: RunResult, metrics_path: Path, console: Console) -> None:
    """Print rows by table, reasons of rejection, and the sum that proves that no document is missing."""
    console.print(summary(result, metrics_path))


def summary(result: RunResult, metrics_path: Path) -> RenderableType:
    """The summary of a run, to print."""
    statistics = result.statistics
    parts: list[RenderableType] = [
        Text(f"Run {result.run_id}: contract {result.contract} version {result.contract_version}"),
        Text(f"{result.source} -> {result.target}"),
    ]
    if statistics.loaded:
        parts.append(_rows_by_table(result))
    if statistics.reasons:
        parts.append(_reasons(result))
    parts.append(Text(documents_line(result), style="bold"))
    if result.interrupted:
        parts.append(Text("Interrupted: what is counted here is committed; run the same command again to go on."))
    elif statistics.processed:
        rate = f"{result.documents_per_minute:,.0f} documents a minute"
        parts.append(Text(f"Took {result.elapsed_seconds:.1f} s, {rate}."))
    elif result.failure is None:
        parts.append(Text("Nothing to do: the source has no document that the processing log does not have."))
    parts.append(Text(f"Metrics: {metrics_path}"))
    if statistics.rejected:
        parts.append(Text("Reasons: SELECT document_key, stage, reason FROM processing_log WHERE status = 'rejected'"))
    return Group(*parts)


def documents_line(result: RunResult) -> str:
    """The sum of all documents in one line, for people and for log searches."""
    counts = result.statistics
    pending = f" + {counts.unaccounted:,} not finished" if counts.unaccounted else ""
    return (
        f"Documents: {counts.seen:,} in = {counts.loaded:,} loaded + {counts.rejected:,} rejected"
        f" + {counts.already_done:,} already done{pending}"
    )


def _rows_by_table(result: RunResult) -> Table:
    table = Table("Table", box=None, header_style="bold", pad_edge=False)
    table.add_column("Rows loaded", justify="right")
    for name, rows in zip(result.statistics.tables, result.statistics.rows, strict=True):
        table.add_row(name, f"{rows:,}")
    table.add_row("total", f"{sum(result.statistics.rows):,}", style="bold")
    return table


def _reasons(result: RunResult) -> Table:
    table = Table("Rejected at", "Reason", "First document", box=None, header_style="bold", pad_edge=False)
    table.add_column("Documents", justify="right")
    shown = result.statistics.reasons.most_common(REASONS_SHOWN)
    for (stage, code), count in shown:
        table.add_row(stage, code, str(result.statistics.examples[stage, code]), f"{count:,}")
    if len(result.statistics.reasons) > len(shown):
        table.add_row("...", f"{len(result.statistics.reasons) - len(shown)} more reasons in the metrics file", "", "")
    return table
