"""Runs as their metrics describe them, read from the run history or from metrics files, to be reported."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from xml_extractor.errors import UsageError
from xml_extractor.processing_log.run_history import SILENT_AFTER, RunEntry, RunStatus

Number = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]
Key = str | int
Counts = dict[str, dict[str, Number | dict[str, Number]]]
"""Counts by table, column if there is one, and what is counted."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class ContractOfRun(_Part):
    """The contract of a run."""

    name: str
    version: int


class RejectsOfRun(_Part):
    """The documents that a run rejected for one reason."""

    stage: str
    code: str
    documents: Number
    example_key: Key = ""


class SlowDocument(_Part):
    """One of the slowest documents of a run."""

    key: Key
    seconds: Seconds


class SeriesOfRun(_Part):
    """Samples of a run's progress, of equal number; `queued` is empty if there is no queue."""

    seconds: list[Seconds] = []
    documents: list[Number] = []
    queued: list[Number] = []

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if not len(self.seconds) == len(self.documents) or len(self.queued) not in (0, len(self.seconds)):
            raise ValueError("the lists of the series have different lengths")
        return self


class MachineOfRun(_Part):
    """The machine of a run."""

    cpus: int | None = None
    system: str = ""
    architecture: str = ""
    python: str = ""
    packages: dict[str, str] = {}


class ReportedRun(_Part):
    """A run; `documentation/reference/metrics.md` describes its fields.

    Those that earlier versions do not write have a default.

    Attributes:
        host: The name of the machine; empty if it is unknown.
        reported_at: UTC, when the run has last reported.
    """

    format_version: Literal[1]
    run_id: str
    contract: ContractOfRun
    source: str
    target: str
    started_at: datetime
    finished_at: datetime | None
    status: RunStatus
    exit_code: int | None
    elapsed_seconds: Seconds
    documents_per_minute: Seconds
    failure: str | None = None
    documents: dict[str, Number]
    earlier_rejects: Number = 0
    files_without_records: Number = 0
    files_too_new: Number = 0
    documents_without_rows: Number = 0
    rows: dict[str, Number]
    rows_disagreeing: Counts = {}
    rows_not_inserted: Counts = {}
    tolerated_values: Counts = {}
    unread: dict[str, Number] = {}
    rejects: list[RejectsOfRun] = []
    slowest: list[SlowDocument] = []
    stage_seconds: dict[str, Seconds] = {}
    queue: dict[str, int | float] = {}
    insert_threads: list[dict[str, int | float]] = []
    series: SeriesOfRun = SeriesOfRun()
    settings: dict[str, bool | int | str | None] = {}
    machine: MachineOfRun = MachineOfRun()
    host: str = ""
    reported_at: datetime | None = None

    @classmethod
    def of(cls, entry: RunEntry) -> Self:
        """Return the run of a row of the run history.

        Raises:
            UsageError: Its metrics are not those of this version.
        """
        run = cls._parsed(entry.metrics, f"the run history's row of {entry.run_id}")
        return run.model_copy(
            update={
                "status": entry.status,
                "host": entry.host,
                "reported_at": entry.reported_at.replace(tzinfo=UTC),
            }
        )

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the run of a metrics file; it is lost if the file says that it is running, and no longer changes.

        Raises:
            UsageError: It cannot be read, or is not a metrics file.
        """
        try:
            text = path.read_bytes()
            reported_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}", "name a metrics file, or a run id") from error
        run = cls._parsed(text, str(path)).model_copy(update={"reported_at": reported_at})
        is_lost = run.status is RunStatus.RUNNING and datetime.now(UTC) - reported_at > SILENT_AFTER
        return run.model_copy(update={"status": RunStatus.LOST}) if is_lost else run

    @classmethod
    def _parsed(cls, text: str | bytes, name: str) -> Self:
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            place = ".".join(map(str, first["loc"])) or "the text"
            raise UsageError(
                f"{name} has no metrics that this version can read: {place}: {first['msg']}",
                "name a run id, or a file metrics_<run id>.json that a run has written",
            ) from None

    @property
    def processed(self) -> int:
        """The number of documents that the run is done with."""
        return sum(number for what, number in self.documents.items() if what not in ("seen", "already_done"))


def by_place(counts: Counts) -> dict[tuple[str, str], int]:
    """Return counts by table or column, and by what is counted."""
    return {(place, what): number for table, found in counts.items() for place, what, number in _flat(table, found)}


def _flat(table: str, found: Mapping[str, int | dict[str, int]]) -> Iterator[tuple[str, str, int]]:
    for name, value in found.items():
        if isinstance(value, int):
            yield table, name, value
        else:
            yield from ((f"{table}.{name}", what, number) for what, number in value.items())
