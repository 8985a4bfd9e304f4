"""The figures of a baseline, as stored in `metrics/baseline.json`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from env_prep.baseline.scratch import Kind
from env_prep.baseline.variants import Settings, Variant
from env_prep.baseline.workload import Metrics, done
from metrics.measurements.figures import spread
from xml_extractor.atomic_files import write_text
from xml_extractor.errors import RunError, UsageError
from xml_extractor.reporting.metrics import machine

FILE = "baseline.json"
EMBEDDED = "SQLite in a temporary directory"


class Part(BaseModel):
    """A part of a baseline."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Series(Part):
    """The progress of a run; see `series` of the metrics file."""

    seconds: list[float]
    documents: list[int]
    queued: list[int]


class MeasuredRun(Part):
    """One run: the part of its metrics file that concerns speed."""

    run_id: str
    documents_per_minute: float
    elapsed_seconds: float
    stage_seconds: dict[str, float]
    queue: dict[str, int]
    series: Series

    @classmethod
    def of(cls, metrics: Metrics) -> Self:
        """Return the stored part of a metrics file."""
        return cls.model_validate({name: metrics[name] for name in cls.model_fields})


class MeasuredVariant(Part):
    """A variant with all its runs.

    Attributes:
        median: Documents a minute.
        spread: Distance of the quartiles over the median.
    """

    options: str
    settings: Settings
    median: float
    spread: float
    runs: list[MeasuredRun]

    @classmethod
    def of(cls, variant: Variant, runs: Sequence[Metrics]) -> Self:
        """Return the figures of runs."""
        figures = [float(run["documents_per_minute"]) for run in runs]
        kept = [MeasuredRun.of(run) for run in runs]
        return cls(
            options=variant.options,
            settings=variant.settings,
            median=round(median(figures), 1),
            spread=round(spread(figures), 4),
            runs=kept,
        )

    @property
    def variant(self) -> Variant:
        """The variant to run again."""
        return Variant(self.options, self.settings)

    @property
    def figures(self) -> list[float]:
        """Documents a minute, by run."""
        return [run.documents_per_minute for run in self.runs]

    @property
    def typical_run(self) -> MeasuredRun:
        """The run closest to the median."""
        return min(self.runs, key=lambda run: abs(run.documents_per_minute - self.median))


class MeasuredContract(Part):
    """A contract; see `contract` of the metrics file.

    Attributes:
        read_from: The file, or the name of a shipped contract.
    """

    read_from: str
    name: str
    version: int
    hash: str


class Database(Part):
    """The target database."""

    kind: Kind
    name: str


class Baseline(Part):
    """All figures, with the conditions of their measurement.

    Attributes:
        made_at: UTC.
        documents: Documents that each run loaded or rejected.
        rows: Rows that each run inserted, by table.
        variants: Later figures are compared with the first.
    """

    format_version: Literal[1] = 1
    made_at: datetime
    contract: MeasuredContract
    database: Database
    documents: int
    rows: dict[str, int]
    machine: dict[str, Any]
    variants: list[MeasuredVariant]

    @classmethod
    def of(cls, read_from: str, database: Database, runs: Sequence[tuple[Variant, Sequence[Metrics]]]) -> Self:
        """Return the figures of runs that all loaded the same.

        Raises:
            RunError: They did not.
        """
        all_runs = [metrics for _, of_variant in runs for metrics in of_variant]
        first = all_runs[0]
        for metrics in all_runs:
            if metrics["rows"] != first["rows"] or metrics["documents"] != first["documents"]:
                raise RunError(
                    f"the runs {first['run_id']} and {metrics['run_id']} did not load the same: "
                    f"{done(first)} and {done(metrics)} documents",
                    "measure with a source that does not change",
                )
        return cls(
            made_at=datetime.now(UTC).replace(microsecond=0),
            contract=MeasuredContract(read_from=read_from, **first["contract"]),
            database=database,
            documents=done(first),
            rows=first["rows"],
            machine=machine(),
            variants=[MeasuredVariant.of(variant, of_variant) for variant, of_variant in runs],
        )

    def measured(self, settings: Settings) -> MeasuredVariant | None:
        """Return the variant with these settings, if measured."""
        return next((variant for variant in self.variants if variant.settings == settings), None)


def read_baseline(path: Path) -> Baseline | None:
    """Read the stored baseline; None if there is none.

    Raises:
        UsageError: The file is not a baseline.
    """
    try:
        return Baseline.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", "name another --metrics-dir") from error
    except ValidationError:
        raise UsageError(
            f"{path} is not a baseline that this version can read", "move it away, or name another --metrics-dir"
        ) from None


def write_file(path: Path, text: str) -> None:
    """Write a file atomically.

    Raises:
        RunError: It cannot be written.
    """
    try:
        write_text(path, text)
    except OSError as error:
        raise RunError(
            f"{path} cannot be written: {error.strerror}", "make room, or name another --metrics-dir"
        ) from error


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Store a baseline.

    Raises:
        RunError: It cannot be written.
    """
    write_file(path, baseline.model_dump_json(indent=1) + "\n")
