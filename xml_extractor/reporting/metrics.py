"""The metrics file of a run. `documentation/reference/metrics.md` describes its fields."""

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

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
