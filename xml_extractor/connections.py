"""Connections to databases: what each kind must be able to do, what errors mean, and how transient ones are retried."""

import logging
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from enum import Enum
from typing import Any, NamedTuple, Protocol, TypeVar

from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.documents import Row
from xml_extractor.errors import RunError, StopRequestedError, TargetError
from xml_extractor.stopping import pauses_end, stops_at_once

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

ATTEMPTS = 9
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 30.0
"""Doubled each time, the pauses add up to about a minute: long enough for a database to move to another server."""

RowBinder = Callable[[Row], Row]
"""Converts a mapped row to the values that a driver inserts; `Connection.read_rows` converts them back."""


Convert = Callable[[Any], Any]
"""Converts a value; never called with None."""


class ErrorClass(Enum):
    """The class of a database error, which decides what to do about it."""

    TRANSIENT = "transient"
    """A lock, a timeout, a lost connection: the same statement may succeed when it is retried."""
    DATA = "data"
    """A constraint or a value: the document is at fault. Never retried."""
    FATAL = "fatal"
    """A missing permission or table, a full disk: the run ends."""


class DatabaseError(Exception):
    """A classified error of a database. It holds no value of a document.

    It never reaches the user: a data error becomes a rejection, and any other ends as a `RunError`.

    Attributes:
        error_class: What to do about it.
        code: The reason code, such as `duplicate_key`, `missing_parent` or `deadlock`.
        explanation: What happened, in words for the user.
        column: The column at fault, if the database names it.
        tip: For fatal errors, what the user can do.
        table: The table that rows were inserted into.
        server_text: Number and text of the database's message, without values, if it refuses the statement itself.
    """

    server_text = ""

    def __init__(
        self,
        error_class: ErrorClass,
        code: str,
        explanation: str,
        column: str = "",
        tip: str = "",
        table: TableLayout | None = None,
    ) -> None:
        super().__init__(error_class, code, explanation, column, tip, table)
        self.error_class = error_class
        self.code = code
        self.explanation = explanation
        self.column = column
        self.tip = tip
        self.table = table

    def __str__(self) -> str:
        return f"{self.code}: {self.explanation}"


Batch = Sequence[tuple[TableLayout, Sequence[Row]]]
"""Rows of whole documents by table, in load order, bound. In a load the processing log is the first table: its primary
key holds back documents that another run has loaded."""


class Connection(Protocol):
    """A connection to a database that can be loaded, used by one thread at a time.

    Every method raises the driver's errors as `DatabaseError`. After the connection was lost, the next transaction, or
    the next statement outside one, connects again.
    """

    @property
    def dialect(self) -> str:
        """SQLAlchemy's name of the database's dialect, such as `sqlite` or `mssql`."""
        ...

    @property
    def log_table(self) -> TableLayout:
        """The processing log, under the name that the address gives it, with its schema where databases have them."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Commit at the end of the block, roll back if it raises. Connects again first if the connection was lost."""
        ...

    def query(self, statement: str, values: Sequence[Any] = ()) -> Iterator[Sequence[Any]]:
        """Execute a query and yield its rows as the driver reads them.

        Args:
            statement: With a `?` for each parameter.
            values: The parameters.
        """
        ...

    def execute(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Execute a statement and return the number of rows that it changed."""
        ...

    def execute_many(self, statement: str, columns: Sequence[ColumnLayout], rows: Sequence[Row]) -> None:
        """Execute a statement with each of these rows, by one call, within a transaction.

        Args:
            statement: With a `?` for each column.
            columns: The columns that the parameters belong to; their types decide how values are sent.
            rows: Bound by `row_binder`.
        """
        ...

    def insert_batch(self, batch: Batch, batch_rows: int = 500) -> list[list[int]]:
        """Insert rows, with each table's way of treating conflicts, within a transaction.

        Args:
            batch: What to insert.
            batch_rows: Rows in one call at most, where a call takes the rows of one table.

        Returns:
            For each table, the positions of the rows that it kept or replaced instead of inserting them.
        """
        ...

    def update_rows(self, table: TableLayout, names: Sequence[str], rows: Sequence[Row]) -> None:
        """Set columns of rows, which are found by their keys, by one call within a transaction.

        Args:
            table: The table.
            names: The columns to set.
            rows: Whole rows, bound by `row_binder`.
        """
        ...

    def table_name(self, table: TableLayout) -> str:
        """Return the quoted name of a table, with its schema if it has one."""
        ...

    def row_binder(self, table: TableLayout) -> RowBinder:
        """Return the function that binds rows of a table."""
        ...

    def read_rows(self, table: TableLayout, condition: str = "", values: Sequence[Any] = ()) -> Iterator[Row]:
        """Yield rows of a table, in no particular order, with values as they were before they were bound.

        Args:
            table: What to read.
            condition: Of the WHERE clause, with a `?` for each parameter; empty for all rows.
            values: The parameters.
        """
        ...

    def close(self) -> None:
        """Close without committing."""
        ...


def update_by_key(
    name: str, table: TableLayout, names: Sequence[str], rows: Sequence[Row]
) -> tuple[str, list[ColumnLayout], list[Row]]:
    """Return the statement of `Connection.update_rows` with its columns, and its parameters for each row.

    Args:
        name: The quoted name of the table.
        table: The table.
        names: The columns to set.
        rows: Whole rows.
    """
    by_name = {column.name: position for position, column in enumerate(table.columns)}
    positions = [by_name[column] for column in (*names, *table.key)]
    assigned = ", ".join(f"{column} = ?" for column in names)
    same = " AND ".join(f"{column} = ?" for column in table.key)
    statement = f"UPDATE {name} SET {assigned} WHERE {same}"  # noqa: S608 - names are quoted, values bound
    columns = [table.columns[position] for position in positions]
    return statement, columns, [tuple(row[position] for position in positions) for row in rows]


def row_converter(conversions: Sequence[Convert | None]) -> Callable[[Sequence[Any]], Row]:
    """Return a function that applies conversions, by position, to the values of a row that are not NULL."""
    needed = [(index, convert) for index, convert in enumerate(conversions) if convert is not None]
    if not needed:
        return tuple

    def convert_row(row: Sequence[Any]) -> Row:
        values = [*row]
        for index, convert in needed:
            value = values[index]
            if value is not None:
                values[index] = convert(value)
        return tuple(values)

    return convert_row


class Retrying(NamedTuple):
    """Calls functions, retries them after transient errors, with back-off, and raises the last error.

    The package does this itself because a library for it would take several times as long to import as this module.

    Attributes:
        note: Called before each pause.
        attempts: Attempts at most.
        longest_pause: Seconds.
    """

    note: Callable[[], None] = lambda: None
    attempts: int = ATTEMPTS
    longest_pause: float = LONGEST_PAUSE_SECONDS

    def __call__(self, function: Callable[..., Answer], *arguments: Any, **options: Any) -> Answer:
        """Call a function with these arguments and return its result."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return function(*arguments, **options)
            except DatabaseError as error:
                if error.error_class is not ErrorClass.TRANSIENT or attempt >= self.attempts:
                    raise
                pause = min(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1), self.longest_pause)
                pause += random.uniform(0, min(FIRST_PAUSE_SECONDS, self.longest_pause))  # noqa: S311 - no secret
                self.note()
                message = "Attempt %d of %d failed: %s; retried in %.1f s"
                logger.warning(message, attempt, self.attempts, error.explanation, pause)
                if pauses_end.wait(pause):
                    raise StopRequestedError(f"stopped before another attempt: {error.explanation}") from None


def check_before_commit() -> None:
    """Raise if the run must stop at once: nobody would count what is committed from now on.

    Raises:
        StopRequestedError: It was asked to stop a second time.
    """
    if stops_at_once.is_set():
        raise StopRequestedError("stopped before a commit")


def answered(action: Callable[[], Answer], trouble: str) -> Answer:
    """Call a function, retry it after transient errors, and return its result.

    Args:
        action: The function.
        trouble: What cannot be done if it fails, such as `the processing log cannot be read`.

    Raises:
        TargetError: The database fails; other errors of the function pass.
    """
    with errors_end_the_run(TargetError, trouble, "run the same command again"):
        return Retrying()(action)


@contextmanager
def errors_end_the_run(kind: type[RunError], trouble: str, tip: str = "") -> Iterator[None]:
    """Raise a database error of the block as an error that ends the run.

    Args:
        kind: The class of the error to raise.
        trouble: What cannot be done, such as `mssql://host/db cannot be read`.
        tip: What to do next, where the database error has no tip of its own.

    Raises:
        RunError: Of this kind.
    """
    try:
        yield
    except DatabaseError as error:
        raise kind(f"{trouble}: {error.explanation}", error.tip or tip) from None
