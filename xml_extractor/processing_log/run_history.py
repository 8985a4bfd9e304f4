"""The run history: a table beside the processing log with a row for each run, from its start on."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from xml_extractor.connections import Answer, Connection, DatabaseError, Retrying, errors_end_the_run
from xml_extractor.contract.layout import TableLayout
from xml_extractor.documents import Row
from xml_extractor.errors import TargetError
from xml_extractor.processing_log.log_table import own_column
from xml_extractor.reasons import Reason

SILENT_AFTER = timedelta(minutes=2)
"""A run that has not reported for this long has ended without a word, for example because it was killed."""


HOST_LENGTH = 255


class RunStatus(StrEnum):
    """How far a run is.

    `LOST` is not in the run history: it stands for a `RUNNING` run that has stopped reporting.
    """

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    LOST = "lost"


HISTORY_TABLE = TableLayout(
    name="",
    table="",
    columns=(
        own_column("run_id", "varchar(32)"),
        own_column("contract", "nvarchar(100)"),
        own_column("contract_version", "int"),
        own_column("status", "varchar(12)"),
        own_column("exit_code", "int", required=False),
        own_column("host", f"nvarchar({HOST_LENGTH})"),
        own_column("program_version", "varchar(40)"),
        own_column("started_at", "datetime2(3)"),
        own_column("reported_at", "datetime2(3)"),
        own_column("finished_at", "datetime2(3)", required=False),
        own_column("loaded", "int"),
        own_column("rejected", "int"),
        own_column("metrics", "nvarchar(max)"),
    ),
    generated=(),
    key=("run_id",),
    foreign_keys=(),
    on_conflict="fail",
)
"""Its columns are the fields of `RunEntry`, in the same order; its name follows that of the processing log."""


class RunEntry(NamedTuple):
    """A row of the run history.

    Attributes:
        exit_code: None until the run has ended.
        host: The name of the machine.
        program_version: Of this package.
        started_at, reported_at, finished_at: In UTC without a zone; `finished_at` is None until the run has ended.
        loaded, rejected: Documents so far.
        metrics: What the metrics file has, as JSON.
    """

    run_id: str
    contract: str
    contract_version: int
    status: RunStatus
    exit_code: int | None
    host: str
    program_version: str
    started_at: datetime
    reported_at: datetime
    finished_at: datetime | None
    loaded: int
    rejected: int
    metrics: str

    @classmethod
    def of(cls, row: Sequence[Any], now: datetime | None = None) -> "RunEntry":
        """Return the entry of a row, whose status is `lost` if the run has stopped reporting."""
        entry = cls(*row)._replace(status=RunStatus(row[3]))
        now = now or datetime.now(UTC).replace(tzinfo=None)
        is_lost = entry.status is RunStatus.RUNNING and now - entry.reported_at > SILENT_AFTER
        return entry._replace(status=RunStatus.LOST) if is_lost else entry

    @property
    def row(self) -> Row:
        """The row of the entry."""
        return (*self[:3], self.status.value, *self[4:])


class RunHistory:
    """The run history of a target.

    Args:
        connection: To the target. The caller closes it.
        layout: Its table.
        name: The target's name for messages.
    """

    def __init__(self, connection: Connection, layout: TableLayout, name: str = "the target") -> None:
        self._connection = connection
        self._name = name
        self._layout = layout
        self._bind = connection.row_binder(self._layout)
        self._table = connection.table_name(layout)

    def start(self, entry: RunEntry) -> None:
        """Insert the row of a run.

        Raises:
            TargetError: The history cannot be written.
        """
        values = self._values(entry)
        statement = f"INSERT INTO {self._table} ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})"  # noqa: S608 - names are constants

        def write() -> None:
            try:
                self._connection.execute(statement, [*values.values()])
            except DatabaseError as error:
                # No other run has this id: an attempt was committed whose answer was lost.
                if error.code != Reason.DUPLICATE_KEY:
                    raise

        self._answer(write)

    def update(self, entry: RunEntry, attempts: int = 1) -> None:
        """Change the row of a run.

        Raises:
            TargetError: The history cannot be written.
        """
        values = self._values(entry)
        assigned = ", ".join(f"{name} = ?" for name in values)
        statement = f"UPDATE {self._table} SET {assigned} WHERE run_id = ?"  # noqa: S608 - names are constants
        self._answer(lambda: self._connection.execute(statement, [*values.values(), entry.run_id]), attempts)

    def entries(self, contract: str = "") -> list[RunEntry]:
        """Return the runs of a contract, or of all contracts, the one that was started last first.

        Raises:
            TargetError: The history cannot be read.
        """
        condition, values = ("contract = ?", (contract,)) if contract else ("", ())

        def read() -> list[RunEntry]:
            return [RunEntry.of(row) for row in self._connection.read_rows(self._layout, condition, values)]

        return sorted(self._answer(read), key=lambda entry: (entry.started_at, entry.run_id), reverse=True)

    def _values(self, entry: RunEntry) -> dict[str, Any]:
        """Return the values of a row, bound, by column; without NULL, for whose type a driver asks the server."""
        names = (column.name for column in self._layout.columns)
        return {name: value for name, value in zip(names, self._bind(entry.row), strict=True) if value is not None}

    def _answer(self, action: Callable[[], Answer], attempts: int | None = None) -> Answer:
        retrying = Retrying() if attempts is None else Retrying(attempts=attempts)
        with errors_end_the_run(TargetError, f"the run history of {self._name} cannot be used"):
            return retrying(action)
