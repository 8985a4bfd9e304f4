"""The figures of a run, and the text of a file with them for the textfile collector of Prometheus' node exporter.

All figures are gauges, because each run starts at 0. The text is valid OpenMetrics and in the older text format.

Source: "OpenMetrics 1.0" and "Exposition formats", prometheus.io.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from xml_extractor.documents import LEFT_OUT, NOT_INSERTED, TOLERATED, Counted
from xml_extractor.reporting.result import RunResult

PREFIX = "xml_extractor_run_"

Labels = tuple[tuple[str, str], ...]
Samples = Mapping[Labels, float]


class Figure(NamedTuple):
    """What is counted or measured, by labels."""

    name: str
    description: str
    samples: Samples


def prometheus_text(result: RunResult) -> str:
    """Return the figures of a run in the text format of OpenMetrics."""
    return "".join([*(_family(*figure, {"contract": result.contract}) for figure in figures(result)), "# EOF\n"])


def figures(result: RunResult) -> Iterator[Figure]:
    """Yield the figures of a run."""
    statistics = result.statistics
    documents = {
        "loaded": statistics.loaded,
        "rejected": statistics.rejected,
        "skipped": statistics.skipped,
        "already_done": statistics.already_done,
    }
    yield Figure("start_timestamp_seconds", "Time at which the run started.", {(): result.started_at_timestamp})
    yield Figure("duration_seconds", "Duration of the run so far.", {(): result.elapsed_seconds})
    yield Figure("running", "Whether the run is running.", {(): int(result.is_running)})
    if not result.is_running:
        yield Figure("exit_code", "Exit code of the run.", {(): result.exit_code})
    outcomes: Samples = {(("outcome", name),): number for name, number in documents.items()}
    yield Figure("documents", "Documents by outcome.", outcomes)
    yield Figure("earlier_rejects", "Documents still rejected by earlier runs.", {(): result.earlier_rejects})
    rows: Samples = {(("table", name),): number for name, number in statistics.rows_by_table.items()}
    yield Figure("rows", "Rows inserted.", rows)
    reasons: Samples = {
        (("stage", stage), ("reason", code)): number for (stage, code), number in statistics.reasons.items()
    }
    yield Figure("rejects", "Rejected documents by reason.", reasons)
    for name, description, kinds in (
        ("tolerated_values", "Invalid values that the contract tolerates.", TOLERATED),
        ("rows_not_inserted", "Rows kept, replaced or left out.", (*NOT_INSERTED, *LEFT_OUT)),
    ):
        counts: Samples = {
            (("table", table), *((("column", column),) if column else ()), ("kind", kind.value)): number
            for (table, column, kind), number in statistics.counted(kinds).items()
        }
        yield Figure(name, description, counts)
    unread: Samples = {
        (("path", path),): number for (_, path, _), number in statistics.counted((Counted.UNREAD,)).items()
    }
    yield Figure("unread", "Elements and attributes that nothing reads.", unread)
    stages: Samples = {(("stage", stage),): round(seconds, 3) for stage, seconds in statistics.stage_seconds.items()}
    yield Figure("stage_seconds", "Time spent, summed over processes and threads.", stages)
    if statistics.series.queued:
        yield Figure("queued_chunks", "Chunks in the insert queue.", {(): statistics.series.queued[-1]})


def _family(name: str, description: str, samples: Samples, labels: Mapping[str, str]) -> str:
    if not samples:
        return ""
    lines = [f"# HELP {PREFIX}{name} {description}", f"# TYPE {PREFIX}{name} gauge"]
    for own, value in samples.items():
        shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in (*labels.items(), *own))
        lines.append(f"{PREFIX}{name}{{{shown}}} {value}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
