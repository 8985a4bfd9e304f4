"""The figures of a run for Prometheus: a file for the textfile collector of its node exporter.

All figures are gauges, because each run starts at 0. The text is valid OpenMetrics and in the older text format.

Source: "OpenMetrics 1.0" and "Exposition formats", prometheus.io.
"""

from collections.abc import Iterator, Mapping

from xml_extractor.documents import LEFT_OUT, NOT_INSERTED, TOLERATED, Counted
from xml_extractor.reporting.result import RunResult

PREFIX = "xml_extractor_run_"

Labels = tuple[tuple[str, str], ...]
Samples = Mapping[Labels, float]


def prometheus_text(result: RunResult) -> str:
    """Return the figures of a run in the text format of OpenMetrics."""
    return "".join([*_families(result), "# EOF\n"])


def _families(result: RunResult) -> Iterator[str]:
    statistics = result.statistics
    documents = {
        "loaded": statistics.loaded,
        "rejected": statistics.rejected,
        "skipped": statistics.skipped,
        "already_done": statistics.already_done,
    }
    run = {"contract": result.contract}
    yield _family("start_timestamp_seconds", "Time at which the run started.", {(): result.started_at_timestamp}, run)
    yield _family("duration_seconds", "Duration of the run so far.", {(): result.elapsed_seconds}, run)
    yield _family("running", "Whether the run is running.", {(): int(result.is_running)}, run)
    if not result.is_running:
        yield _family("exit_code", "Exit code of the run.", {(): result.exit_code}, run)
    outcomes: Samples = {(("outcome", name),): number for name, number in documents.items()}
    yield _family("documents", "Documents by outcome.", outcomes, run)
    yield _family("earlier_rejects", "Documents still rejected by earlier runs.", {(): result.earlier_rejects}, run)
    rows: Samples = {(("table", name),): number for name, number in statistics.rows_by_table.items()}
    yield _family("rows", "Rows inserted.", rows, run)
    reasons: Samples = {
        (("stage", stage), ("reason", code)): number for (stage, code), number in statistics.reasons.items()
    }
    yield _family("rejects", "Rejected documents by reason.", reasons, run)
    for name, description, kinds in (
        ("tolerated_values", "Invalid values that the contract tolerates.", TOLERATED),
        ("rows_not_inserted", "Rows kept, replaced or left out.", (*NOT_INSERTED, *LEFT_OUT)),
    ):
        counts: Samples = {
            (("table", table), *((("column", column),) if column else ()), ("kind", kind.value)): number
            for (table, column, kind), number in statistics.counted(kinds).items()
        }
        yield _family(name, description, counts, run)
    unread: Samples = {
        (("path", path),): number for (_, path, _), number in statistics.counted((Counted.UNREAD,)).items()
    }
    yield _family("unread", "Elements and attributes that nothing reads.", unread, run)
    stages: Samples = {(("stage", stage),): round(seconds, 3) for stage, seconds in statistics.stage_seconds.items()}
    yield _family("stage_seconds", "Time spent, summed over processes and threads.", stages, run)
    if statistics.series.queued:
        yield _family("queued_chunks", "Chunks in the insert queue.", {(): statistics.series.queued[-1]}, run)


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
