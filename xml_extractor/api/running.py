"""Run loads from a program."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack, get_args, get_type_hints

from xml_extractor import pipeline
from xml_extractor.api.mapping import Contract, text_of
from xml_extractor.contract.faults import did_you_mean
from xml_extractor.errors import StopRequestedError, UsageError, shortened, system_errors_converted
from xml_extractor.processing.processes import check_caller
from xml_extractor.reporting.metrics import (
    delete_old_runs,
    metrics_text,
    prepare_directory,
    prometheus_text,
    write_metrics,
)
from xml_extractor.reporting.result import RunResult
from xml_extractor.settings import (
    LIMITS,
    Engine,
    InsertMode,
    InsertStrategy,
    KeyRange,
    RejectLimit,
    Reprocess,
    RunSettings,
    Shard,
    StartMethod,
    ToleranceLimits,
)
from xml_extractor.sources.rejects import prepare_rejects_directory


class RunOptions(TypedDict, total=False):
    """Options of a run: those of the command with the same names, and with the same meaning.

    `metrics_dir` and `rejects_dir` are None unless they are given.
    """

    batch_size: int
    limit: int | None
    range: str | None
    shard: str | None
    min_age: int
    reprocess: Reprocess | None
    reprocess_version: int | None
    insert_batch_rows: int
    queue_size: int
    insert_threads: int | Literal["auto"]
    insert_strategy: InsertStrategy | Literal["auto"]
    insert_mode: InsertMode
    engine: Engine
    master: str | None
    max_rejects: int | str
    max_tolerated: int | str | None
    ignore_earlier_rejects: bool
    document_timeout: int
    metrics_dir: str | os.PathLike[str] | None
    metrics_prom: str | os.PathLike[str] | None
    keep_metrics: int | None
    keep_rejects: int | None
    rejects_dir: str | os.PathLike[str] | None
    reject_values: bool
    start_method: StartMethod


@system_errors_converted()
def run(
    contract: str | os.PathLike[str] | Contract,
    source: str | os.PathLike[str],
    target: str,
    *,
    workers: int = 1,
    on_progress: Callable[[int], None] = lambda _: None,
    **options: Unpack[RunOptions],
) -> RunResult:
    """Load all documents of a source that are not loaded yet, as `xml-extractor run` does.

    One worker runs in this process, so that no main guard is needed. More workers are processes, and so is one with a
    `document_timeout`: the call must be below `if __name__ == "__main__":` in the main module.

    Neither environment variables nor a configuration file have an effect, and nothing is printed.

    Args:
        contract: A file, the name of a shipped contract, or a `Contract`.
        source: A directory, a glob pattern, an archive, a file, or the URL of a database.
        target: The URL of a database. It may contain a password.
        workers: Number of workers that parse and map documents.
        on_progress: Called with the number of documents that were committed or rejected since the last call. An
            exception that it raises ends the run, and is raised here.
        options: See `RunOptions`.

    Returns:
        Counts, times and exit code. Rejected documents are no error: `exit_code` is 1, and `statistics` counts them.

    Raises:
        UsageError: An option, an address or a file cannot be used.
        ContractError: The contract has faults.
        RunError: The run could not start or continue; what was committed stays.
        StopRequestedError: A signal asked the run to stop.
    """
    settings = _settings(contract, source, target, workers, options)
    if not callable(on_progress):
        raise UsageError(f"on_progress has the type {type(on_progress).__name__}", "give a function of one number")
    if not settings.in_process:
        check_caller()
    prepare_directories(settings)
    checked = contract.checked if isinstance(contract, Contract) else None
    result = pipeline.run(settings, on_progress, contract=checked)
    record(result)
    if result.failure is not None:
        raise result.failure
    if result.interrupted:
        raise StopRequestedError("the run was asked to stop", "what was committed stays; run it again to continue")
    return result


def prepare_directories(settings: RunSettings) -> None:
    """Create the directories that a run writes to, and delete what is too old in them.

    Raises:
        RunError: A directory cannot be written.
    """
    if settings.metrics_dir is not None:
        prepare_directory(settings.metrics_dir)
    if settings.rejects_dir is not None:
        prepare_rejects_directory(settings.rejects_dir)
    now = datetime.now(UTC).replace(tzinfo=None)
    delete_old_runs(settings.metrics_dir, settings.keep_metrics, now)
    delete_old_runs(settings.rejects_dir, settings.keep_rejects, now)


def record(result: RunResult) -> Path | None:
    """Write the metrics of a run that has ended, and return the path of the file; None if there is none.

    Raises:
        RunError: They cannot be written.
    """
    return write_metrics(result.settings, result.run_id, metrics_text(result), prometheus_text(result))


_PARSED: dict[str, Callable[[str], Any]] = {
    "range": KeyRange.parse,
    "shard": Shard.parse,
    "max_rejects": RejectLimit.parse,
    "max_tolerated": ToleranceLimits.parse,
    **dict.fromkeys(("metrics_dir", "metrics_prom", "rejects_dir"), lambda path: Path(path) if path else None),
}
_CHOICES: dict[str, tuple[object, ...]] = {
    "reprocess": get_args(Reprocess),
    "insert_strategy": ("auto", *get_args(InsertStrategy)),
    "insert_mode": get_args(InsertMode),
    "start_method": get_args(StartMethod),
    "engine": get_args(Engine),
    "ignore_earlier_rejects": (True, False),
    "reject_values": (True, False),
}
_OPTIONS = {**get_type_hints(RunOptions), "workers": int}


def _settings(
    contract: str | os.PathLike[str] | Contract,
    source: str | os.PathLike[str],
    target: str,
    workers: int,
    options: RunOptions,
) -> RunSettings:
    given: dict[str, Any] = {"metrics_dir": None, "rejects_dir": None, **options, "workers": workers}
    values = {name: _checked(name, value) for name, value in given.items()}
    if values.get("reprocess_version") is not None and values.get("reprocess") is None:
        raise UsageError("reprocess_version requires reprocess", 'add it, for example reprocess="loaded"')
    if "range" in values:
        values["key_range"] = values.pop("range")
    # Only a process can be ended, whatever it does.
    needs_process = bool(values.get("document_timeout")) or values.get("engine") == "spark"
    return RunSettings(
        contract.path if isinstance(contract, Contract) else text_of("contract", contract),
        text_of("source", source),
        text_of("target", target),
        **values,
        progress=False,
        in_process=workers == 1 and not needs_process,
    )


def _checked(name: str, value: Any) -> Any:
    if name not in _OPTIONS:
        meant = did_you_mean(name, (*_OPTIONS,))
        tip = f"did you mean {meant}?" if meant else f"the options are {', '.join(sorted(_OPTIONS))}"
        raise UsageError(f"a run has no option '{name}'", tip)
    if value is None and type(None) in get_args(_OPTIONS[name]):
        return None
    if name in LIMITS and not (name == "insert_threads" and value == "auto"):
        least, most = LIMITS[name]
        if type(value) is not int or value < least or (most is not None and value > most):
            tip = f"give a whole number from {least}{f' to {most}' if most else ' on'}"
            raise UsageError(f"{name} is {_shown(value)}", tip)
    if name in _CHOICES and value not in _CHOICES[name]:
        raise UsageError(f"{name} is {_shown(value)}", f"choose {' or '.join(map(str, _CHOICES[name]))}")
    if name in LIMITS or name in _CHOICES:
        return value
    is_number = type(value) is int and int in get_args(_OPTIONS[name])
    return _PARSED.get(name, str)(str(value) if is_number else text_of(name, value))


def _shown(value: object) -> str:
    return f"'{shortened(value)}'" if isinstance(value, str) else shortened(repr(value))
