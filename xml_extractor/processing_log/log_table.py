"""The processing log as a table, with the same DDL, binding and reading as the contract's tables; and its rows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.documents import LEFT_OUT, TOLERATED, Counted, CountKey, Counts, Failure, Row, Status
from xml_extractor.reasons import Reason, Stage
from xml_extractor.values.sqltypes import parse_type

KEY_LENGTH = 300
"""UTF-16 code units of a document's key at most, so that SQL Server can index it."""

REASON_LENGTH = 2000

CASE_SENSITIVE = "Latin1_General_100_BIN2"
"""SQL Server's collation for document keys: `A.xml` and `a.xml` are two documents."""


def own_column(name: str, type_name: str, *, required: bool = True) -> ColumnLayout:
    """Return a column of one of this program's tables."""
    return ColumnLayout(name, parse_type(type_name), required=required)


ADDED_COLUMNS = (
    own_column("kept_count", "int", required=False),
    own_column("replaced_count", "int", required=False),
    own_column("left_out_count", "int", required=False),
    own_column("tolerated_count", "int", required=False),
    own_column("counts", "nvarchar(max)", required=False),
    own_column("shared_count", "int", required=False),
    own_column("thing", "varchar(32)", required=False),
)
"""Columns that a log may lack that was created by an earlier version; `init` adds them."""

COUNT_COLUMNS = ("row_count", *(column.name for column in ADDED_COLUMNS if column.name != "thing"))

LOG_TABLE = TableLayout(
    name="processing_log",
    table="processing_log",
    columns=(
        own_column("contract", "nvarchar(100)"),
        own_column("document_key", f"nvarchar({KEY_LENGTH})"),
        own_column("status", "varchar(10)"),
        own_column("stage", "varchar(10)"),
        own_column("reason", f"nvarchar({REASON_LENGTH})"),
        own_column("attempts", "int"),
        own_column("row_count", "int"),
        own_column("seconds", "float"),
        own_column("content_hash", "varchar(32)"),
        own_column("contract_version", "int"),
        own_column("contract_hash", "varchar(64)"),
        own_column("run_id", "varchar(32)"),
        own_column("started_at", "datetime2(3)"),
        own_column("finished_at", "datetime2(3)"),
        *ADDED_COLUMNS,
    ),
    generated=(),
    key=("contract", "document_key"),
    foreign_keys=(),
    on_conflict="fail",
)
"""Its columns are the fields of `LogEntry`, in the same order; under its default name."""

LOG_TABLE_KEY = "log_table"
"""The key of a target's address for the name of the processing log, if it is not the default one."""


@cache
def log_table(name: str = "") -> TableLayout:
    """Return the processing log under a name, with or without a schema; the default one if it is empty."""
    return replace(LOG_TABLE, table=name) if name else LOG_TABLE


KEYS_KEPT = 4096
"""Names of counts that are not encoded again. Documents may have any number of elements that nothing reads."""


class LogEntry(NamedTuple):
    """A row of the processing log: its columns, in this order.

    Attributes:
        stage: A member of `Stage`, or empty if the document was loaded.
        reason: `Failure.reason`, or empty.
        attempts: How many times the document was loaded or rejected, this time included.
        row_count: Rows inserted into all tables.
        seconds: From fetching the document to its mapped rows.
        started_at: `finished_at` minus `seconds`; the time that the document waited in between is not in it.
        finished_at: When its transaction began to insert, in UTC without a zone.
        kept_count, replaced_count, left_out_count, tolerated_count: Sums of `counts`; None for a row of an earlier
            version, and in a rejected document's row.
        counts: What `counts_text` returns.
        shared_count: How many of the inserted rows are in tables whose rows documents share; None as for the sums.
        thing: What the document is a revision of, as `Revision.thing`; None if it is not known or is none.
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
    kept_count: int | None = None
    replaced_count: int | None = None
    left_out_count: int | None = None
    tolerated_count: int | None = None
    counts: str | None = None
    shared_count: int | None = None
    thing: str | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "LogEntry":
        """Return the entry of a row, whose values are given by column."""
        return cls(**{**row, "status": Status(row["status"])})

    @property
    def row(self) -> Row:
        """The row of the entry; a longer reason is cut."""
        return (*self[:2], self.status.value, self.stage, self.reason[:REASON_LENGTH], *self[5:])

    def with_counts(self, counts: Counts) -> "LogEntry":
        """Return the entry with what is counted besides inserted rows."""
        kept = replaced = left_out = tolerated = 0
        for (_, _, what), number in counts:
            if what in TOLERATED:
                tolerated += number
            elif what in LEFT_OUT:
                left_out += number
            elif what is Counted.KEPT:
                kept += number
            elif what is Counted.REPLACED:
                replaced += number
        return self._replace(
            kept_count=kept,
            replaced_count=replaced,
            left_out_count=left_out,
            tolerated_count=tolerated,
            counts=counts_text(counts),
        )

    @property
    def failure(self) -> Failure:
        """The failure of a rejected document, as far as the log keeps it; its explanation says where, too."""
        code, _, explanation = self.reason.partition(" ")
        return Failure(Stage(self.stage), Reason(code.removesuffix(":")), explanation)


def counts_text(counts: Counts) -> str | None:
    """Return counts as the log keeps them: `table what=number` and `table.column what=number`, separated by `; `.

    Other characters of names than letters, digits, `_` and `-` are percent-encoded. None stands for no counts.
    """
    # Rows that disagree are part of those that are kept; the run reports them.
    parts = [f"{_encoded_key(key)}{number}" for key, number in counts if key[2] is not Counted.DISAGREED]
    return "; ".join(parts) if parts else None


def read_counts(text: str | None) -> Counts:
    """Return the counts of a `counts_text`."""
    found: list[tuple[CountKey, int]] = []
    for part in text.split("; ") if text else ():
        place, _, count = part.rpartition(" ")
        table, _, column = place.partition(".")
        what, _, number = count.partition("=")
        found.append(((unquote(table), unquote(column), Counted(what)), int(number)))
    return tuple(found)


@lru_cache(KEYS_KEPT)
def _encoded_key(key: CountKey) -> str:
    table, column, what = key
    return f"{_encoded(table)}{f'.{_encoded(column)}' if column else ''} {what}="


def _encoded(name: str) -> str:
    return quote(name, safe="").replace(".", "%2E")


class LogCount(NamedTuple):
    """How many documents of a contract one run left with one status.

    Attributes:
        finished_at: When the last of them was finished, in UTC without a zone.
    """

    run_id: str
    status: Status
    contract_version: int
    contract_hash: str
    documents: int
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class RejectSelection:
    """Criteria for rejected documents of a contract; all criteria must match.

    Attributes:
        contract: The contract's name.
        keys: Documents with one of these keys; empty for any.
        code: The reason code, a `Failure.code`; empty for any.
        stage: The stage that rejected them; empty for any.
        run: The beginning of the id of the run that rejected them; empty for any.
        since, before: Times; that run started since the first and before the second. None for any.
        below_attempts: Documents with fewer attempts than this; None for any.
    """

    contract: str
    keys: tuple[str, ...] = ()
    code: str = ""
    stage: str = ""
    run: str = ""
    since: datetime | None = None
    before: datetime | None = None
    below_attempts: int | None = None


class Retried(NamedTuple):
    """The result of marking rejected documents for retry.

    Attributes:
        documents: Documents that the next run retries.
        exhausted: Documents that stay rejected, because they have no attempts left.
    """

    documents: int
    exhausted: int


def log_time(when: datetime) -> datetime:
    """Return a time as the log keeps it: naive UTC, whole milliseconds."""
    return when.replace(tzinfo=None, microsecond=when.microsecond // 1000 * 1000)
