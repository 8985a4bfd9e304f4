"""The metrics of a run: its file, the figures for Prometheus, and how long they are kept.

`documentation/reference/metrics.md` describes the fields of the file. The figures for the textfile collector of
Prometheus' node exporter are gauges, because each run starts at 0. Their text is valid OpenMetrics and in the older
text format.

Source: "OpenMetrics 1.0" and "Exposition formats", prometheus.io.
"""

import json
import logging
import os
import platform
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NamedTuple

from xml_extractor.atomic_files import write_text
from xml_extractor.distribution import DISTRIBUTION, VERSION
from xml_extractor.documents import LEFT_OUT, NOT_INSERTED, TOLERATED, Counted, CountKey
from xml_extractor.errors import RunError
from xml_extractor.processing_log.log_table import LOG_TABLE, LOG_TABLE_KEY
from xml_extractor.reporting.result import RunResult
from xml_extractor.settings import RunSettings
from xml_extractor.targets.parquet.address import LOG_TARGET_KEY
from xml_extractor.urls import parse_url

FORMAT_VERSION = 1

LATEST = "latest.json"

PACKAGES = ("lxml", "pyodbc", "sqlalchemy", "sqlglot", "pydantic")


def metrics(result: RunResult) -> dict[str, Any]:
    """Return counts, seconds and settings of a run as JSON-ready data, without secrets and values of documents."""
    statistics, settings = result.statistics, result.settings
    return {
        "format_version": FORMAT_VERSION,
        "run_id": result.run_id,
        "contract": {"name": result.contract, "version": result.contract_version, "hash": result.contract_hash},
        "source": result.source,
        "target": result.target,
        "started_at": result.started_at.isoformat(timespec="milliseconds") + "Z",
        "finished_at": None if result.is_running else result.finished_at.isoformat(timespec="milliseconds") + "Z",
        "status": result.status,
        "exit_code": None if result.is_running else result.exit_code,
        "elapsed_seconds": round(result.elapsed_seconds, 3),
        "documents_per_minute": round(result.documents_per_minute, 1),
        "interrupted": result.interrupted,
        "failure": result.failure.message if result.failure else None,
        "documents": {
            "seen": statistics.seen,
            "loaded": statistics.loaded,
            "rejected": statistics.rejected,
            "skipped": statistics.skipped,
            "superseded": statistics.superseded,
            "deleted": statistics.deleted,
            "already_done": statistics.already_done,
        },
        "earlier_rejects": result.earlier_rejects,
        "files_without_records": result.files_without_records,
        "files_too_new": result.files_too_new,
        "documents_without_rows": statistics.without_rows,
        "rows": statistics.rows_by_table,
        "rows_disagreeing": counts_by_place(statistics.counted((Counted.DISAGREED,))),
        "rows_not_inserted": counts_by_place(statistics.counted((*NOT_INSERTED, *LEFT_OUT))),
        "tolerated_values": counts_by_place(statistics.counted(TOLERATED)),
        "unread": {path: number for (_, path, _), number in statistics.counted((Counted.UNREAD,)).items()},
        "rejects": [
            {"stage": stage, "code": code, "documents": count, "example_key": statistics.examples[stage, code]}
            for (stage, code), count in statistics.reasons.most_common()
        ],
        "slowest": [{"key": key, "seconds": round(seconds, 3)} for key, seconds in statistics.slowest.items()],
        "stage_seconds": {stage: round(seconds, 3) for stage, seconds in statistics.stage_seconds.items()},
        "queue": dict(result.queue),
        "insert_threads": [dict(counts) for counts in result.insert_threads],
        "series": {
            "seconds": statistics.series.seconds,
            "documents": statistics.series.documents,
            "queued": statistics.series.queued,
        },
        "settings": shown_settings(settings),
        "machine": machine(),
    }


def counts_by_place(counts: Mapping[CountKey, int]) -> dict[str, Any]:
    """Return counts by table, column if there is one, and what is counted, as JSON-ready data."""
    found: dict[str, Any] = {}
    for (table, column, what), number in counts.items():
        place = found.setdefault(table, {})
        (place.setdefault(column, {}) if column else place)[what.value] = number
    return found


def shown_settings(settings: RunSettings) -> dict[str, Any]:
    """Return all settings by the names of their options, except for the addresses, which may hold secrets."""
    names = {"key_range": "range"}
    values = {name: getattr(settings, name) for name in (field.name for field in fields(settings))}
    return {
        names.get(name, name): value if isinstance(value, int | str | None) else str(value)
        for name, value in values.items()
        if name not in ("source", "target")
    } | {"log_table": _log_table(settings.target)}


def _log_table(target: str) -> str:
    """Return the name of the processing log, which is a part of the target's address."""
    try:
        query = parse_url(target).query
    except ValueError:
        query = {}
    if LOG_TARGET_KEY in query:
        return _log_table(str(query[LOG_TARGET_KEY]))
    return str(query.get(LOG_TABLE_KEY, LOG_TABLE.table))


@cache
def machine() -> dict[str, Any]:
    """Return the machine and the versions that a measurement depends on, as JSON-ready data."""
    return {
        "cpus": os.cpu_count(),
        "system": platform.system(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "packages": {DISTRIBUTION: VERSION} | {package: version(package) for package in PACKAGES},
    }


def prepare_directory(directory: Path) -> None:
    """Create the directory of metrics files and check that it is writable, before a run starts.

    Raises:
        RunError: It cannot be created or written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise RunError(
            f"metrics cannot be written to {directory}: {error.strerror}",
            "nothing was loaded; give a writable directory with --metrics-dir",
        ) from error


def metrics_text(result: RunResult) -> str:
    """Return the content of a run's metrics file."""
    return json.dumps(metrics(result), indent=2) + "\n"


def write_metrics(settings: RunSettings, run_id: str, text: str, prometheus: str = "") -> Path | None:
    """Write the files of a run that its settings name, each atomically.

    Args:
        settings: Of the run.
        run_id: Its id.
        text: For `metrics_<run id>.json` and its copy `latest.json`.
        prometheus: For the file of Prometheus.

    Returns:
        The metrics file; None if the run has none.

    Raises:
        RunError: A file cannot be written; what the run loaded stays committed.
    """
    directory = settings.metrics_dir
    path = None if directory is None else directory / f"metrics_{run_id}.json"
    files = {} if path is None else {path: text, path.with_name(LATEST): text}
    if settings.metrics_prom is not None:
        files[settings.metrics_prom] = prometheus
    for file, content in files.items():
        try:
            write_text(file, content)
        except OSError as error:
            raise RunError(
                f"the metrics of run {run_id} cannot be written to {file.parent}: {error.strerror}",
                "what was loaded is committed; free disk space, or give another directory with --metrics-dir",
            ) from error
    return path


logger = logging.getLogger(__name__)

_NAME_OF_A_RUN = re.compile(r"(?:metrics_)?(\d{8}T\d{6})\d{3}-[0-9a-f]{8}(?:\.json)?")
"""A metrics file or a directory of rejects. Other files are left alone."""


def delete_old_runs(directory: Path | None, days: int | None, now: datetime) -> None:
    """Delete what runs have written to a directory that started more than some days before `now`.

    Args:
        directory: Of metrics or of rejects; None for none.
        days: How long to keep them; None for ever.
        now: Naive UTC.
    """
    if directory is None or days is None:
        return
    deleted = 0
    for path in sorted(directory.iterdir()) if directory.is_dir() else ():
        named = _NAME_OF_A_RUN.fullmatch(path.name)
        if named is None or now - datetime.strptime(named[1], "%Y%m%dT%H%M%S") <= timedelta(days=days):  # noqa: DTZ007 - naive UTC
            continue
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        except OSError as error:
            logger.warning("%s is older than %d days and cannot be deleted: %s", path, days, error.strerror)
        else:
            deleted += 1
    if deleted:
        logger.info("Deleted what %d runs older than %d days had written to %s", deleted, days, directory)


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
