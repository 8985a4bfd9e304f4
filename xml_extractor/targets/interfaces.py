"""What a target database must be able to do. One suite of tests runs against all of them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import NamedTuple, Protocol

from xml_extractor.contract.layout import TableLayout
from xml_extractor.documents import Row, Status
from xml_extractor.schema.model import Difference
from xml_extractor.settings import InsertStrategy
from xml_extractor.targets.document_rows import KeyPlace


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Where the processing log of a contract is, for a source in the same database.

    Attributes:
        database: `SqlServerAddress.database_name`: equal for addresses of the same database.
        table: The name of the log's table, quoted, with its schema.
        contract: The contract's name.
    """

    database: str
    table: str
    contract: str


class LogEntry(NamedTuple):
    """A row of the processing log: its columns, in this order.

    Attributes:
        stage: A member of `Stage`, or empty if the document was loaded.
        reason: `Failure.reason`, or empty.
        attempts: How often the document was loaded or rejected, this time included.
        row_count: Rows in all tables.
        seconds: From fetching the document to its mapped rows.
        started_at: `finished_at` less `seconds`; what the document waited in between is not in it.
        finished_at: When its transaction began to insert, in UTC without a zone.
    """

    contract: str
    document_key: str
    status: Status
    stage: str
    reason: str
    attempts: int
    row_count: int
    seconds: float
    content_hash: str
    contract_version: int
    contract_hash: str
    run_id: str
    started_at: datetime
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class RejectSelection:
    """Rejected documents of a contract: those for which all holds that is said.

    Attributes:
        contract: The contract's name.
        keys: Documents with one of these keys; empty for any.
        code: Those that were rejected for this reason, a `Failure.code`; empty for any.
        stage: Those that were rejected at this stage; empty for any.
        below_attempts: Those that were tried less often than this; None for any.
    """

    contract: str
    keys: tuple[str, ...] = ()
    code: str = ""
    stage: str = ""
    below_attempts: int | None = None


class LogCount(NamedTuple):
    """How many documents of a contract one run left with one status.

    Attributes:
        finished_at: When the last of them was done, in UTC without a zone.
    """

    run_id: str
    status: Status
    contract_version: int
    contract_hash: str
    documents: int
    finished_at: datetime


class Blame(Enum):
    """Who is at fault when the database refuses, and so what to do."""

    DOCUMENT = auto()
    """A constraint or a value: halve the batch; never the same again."""
    MOMENT = auto()
    """A lock, a timeout, a lost connection: the same again may pass."""
    DATABASE = auto()
    """Permission, missing table, full disk: end the run."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the database's error means, in words that hold no value of a document.

    Attributes:
        code: For `Blame.DOCUMENT` the failure's code: `duplicate_key`, `missing_parent`, `missing_value`, ...
        column: The column at fault, as far as the database says it.
        tip: For `Blame.DATABASE`, what the user can do.
        table: The table that was inserted into.
    """

    blame: Blame
    code: str
    explanation: str
    column: str = ""
    tip: str = ""
    table: TableLayout | None = None


class Batch(NamedTuple):
    """Whole documents to load.

    Attributes:
        log: Their rows of the processing log.
        rows: Their rows of each of the contract's tables, in load order, bound by `Target.row_binders`.
    """

    log: Sequence[LogEntry]
    rows: Sequence[tuple[TableLayout, Sequence[Row]]]


RowBinder = Callable[[Row], Row]
"""From a row as it was mapped to one that a connection inserts; `Connection.read_rows` undoes it."""


class Connection(Protocol):
    """One writer's connection to the target; used by one thread of one process."""

    def transaction(self) -> AbstractContextManager[None]:
        """Commit at the end of the block, roll back when it raises. Connects again first if the connection was lost."""
        ...

    def insert_batch(self, batch: Batch, batch_rows: int) -> None:
        """Insert rows of the log, and then of the tables, parents first.

        Args:
            batch: All of it, within one transaction.
            batch_rows: Rows in one call at most, where a call takes the rows of one table.
        """
        ...

    def insert_rows(self, table: TableLayout, rows: Sequence[Row]) -> None:
        """Insert rows, bound by `Target.row_binders`, by one call, with the table's way of treating conflicts."""
        ...

    def insert_log(self, entries: Sequence[LogEntry]) -> None:
        """Insert rows into the processing log; its primary key refuses documents that are there."""
        ...

    def delete_log(self, entries: Sequence[LogEntry]) -> None:
        """Delete these rows of the processing log; one that is not as it was read stays."""
        ...

    def delete_documents(self, places: Sequence[KeyPlace], keys: Sequence[Row]) -> list[int]:
        """Delete the rows of documents, and say how many each had.

        Args:
            places: How they are found, in the order to delete them in.
            keys: For each document, its key as each place has it; never NULL.
        """
        ...

    def logged_keys(self, contract: str, keys: Sequence[str]) -> set[str]:
        """Those of these document keys that are done: that have a row in the processing log, not to be retried."""
        ...

    def logged(self, contract: str, keys: Sequence[str]) -> dict[str, LogEntry]:
        """The processing log's rows of these documents, by document key."""
        ...

    def read_log(self) -> Iterator[LogEntry]:
        """All rows of the processing log, in no particular order."""
        ...

    def rejected(self, selection: RejectSelection) -> Iterator[LogEntry]:
        """The processing log's rows of rejected documents, in no particular order."""
        ...

    def put_back(self, selection: RejectSelection) -> int:
        """Have rejected documents tried again by the next run, by the status `RETRY`, and say how many."""
        ...

    def log_counts(self, contract: str) -> list[LogCount]:
        """How many documents the processing log has, in no particular order."""
        ...

    def read_rows(self, table: TableLayout) -> Iterator[Row]:
        """All rows of a table, in no particular order, with values as they were inserted."""
        ...

    def explain(self, error: Exception) -> Refusal | None:
        """What an exception raised by this connection means; None if it is not the database's."""
        ...

    def close(self) -> None:
        """Close without committing."""
        ...


class Target(Protocol):
    """A database that documents are loaded into. Connections are opened in the process that uses them."""

    @property
    def name(self) -> str:
        """What to call it in messages, without secrets."""
        ...

    @property
    def strategies(self) -> tuple[InsertStrategy, ...]:
        """The ways in which its connections can send rows, the one of fewest round trips last."""
        ...

    def create_statements(self, tables: Sequence[TableLayout]) -> list[str]:
        """The statements that make what is missing of the processing log and the tables; each can be run again."""
        ...

    def create(self, tables: Sequence[TableLayout]) -> None:
        """Make what is missing of the processing log and the tables.

        Raises:
            TargetError: The database cannot be written, or refuses.
        """
        ...

    def differences(self, tables: Sequence[TableLayout]) -> list[Difference]:
        """All in which tables and processing log are not as needed, errors first. Nothing is changed.

        Raises:
            TargetError: The database cannot be read.
        """
        ...

    def prepare(self, tables: Sequence[TableLayout]) -> None:
        """See that tables and processing log are there and fit; the embedded target makes what is missing.

        Raises:
            TargetError: A table is missing or does not fit, or the database cannot be written.
        """
        ...

    def log_place(self, contract: str) -> LogPlace | None:
        """Where the processing log is, if a source in the same database can look there."""
        ...

    def row_binders(self, tables: Sequence[TableLayout]) -> tuple[RowBinder, ...]:
        """For each table, from a row as it was mapped to what connections insert. No connection is needed."""
        ...

    def round_trip(self) -> float:
        """Seconds until a statement that does nothing is answered; 0 where the database is in this process.

        Raises:
            TargetError: The database cannot be reached.
        """
        ...

    def connect(self, strategy: InsertStrategy = "executemany") -> Connection:
        """Open a connection.

        Args:
            strategy: How it sends rows, where there is a choice.

        Raises:
            TargetError: It cannot be opened.
        """
        ...
