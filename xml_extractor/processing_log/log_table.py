"""The processing log as a table: the same DDL, binding and reading as for the contract's tables."""

from datetime import datetime
from typing import Any

from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.documents import Failure, Row, Status
from xml_extractor.reasons import Reason, Stage
from xml_extractor.targets.interfaces import LogCount, LogEntry
from xml_extractor.values.sqltypes import parse_type

KEY_LENGTH = 300
"""UTF-16 code units of a document's key at most, so that SQL Server can index it."""

REASON_LENGTH = 2000


def _column(name: str, type_name: str) -> ColumnLayout:
    return ColumnLayout(name, parse_type(type_name), required=True)


LOG_TABLE = TableLayout(
    name="processing_log",
    table="processing_log",
    columns=(
        _column("contract", "nvarchar(100)"),
        _column("document_key", f"nvarchar({KEY_LENGTH})"),
        _column("status", "varchar(10)"),
        _column("stage", "varchar(10)"),
        _column("reason", f"nvarchar({REASON_LENGTH})"),
        _column("attempts", "int"),
        _column("row_count", "int"),
        _column("seconds", "float"),
        _column("content_hash", "varchar(32)"),
        _column("contract_version", "int"),
        _column("contract_hash", "varchar(64)"),
        _column("run_id", "varchar(32)"),
        _column("started_at", "datetime2(3)"),
        _column("finished_at", "datetime2(3)"),
    ),
    generated=(),
    key=("contract", "document_key"),
    foreign_keys=(),
    on_conflict="fail",
)
"""Its columns are the fields of `LogEntry`, in the same order."""


def log_row(entry: LogEntry) -> Row:
    """The row of a log entry."""
    return (*entry[:2], entry.status.value, entry.stage, entry.reason[:REASON_LENGTH], *entry[5:])


def log_entry(row: tuple[Any, ...]) -> LogEntry:
    """The log entry of a row."""
    contract, document_key, status, *others = row
    return LogEntry(contract, document_key, Status(status), *others)


def log_count(row: tuple[Any, ...]) -> LogCount:
    """The counts of a row."""
    run_id, status, *others = row
    return LogCount(run_id, Status(status), *others)


def logged_failure(entry: LogEntry) -> Failure:
    """The failure of a rejected document, as far as the log keeps it; its explanation says where, too."""
    code, _, explanation = entry.reason.partition(" ")
    return Failure(Stage(entry.stage), Reason(code.removesuffix(":")), explanation)


def log_time(when: datetime) -> datetime:
    """A time as the log keeps it: naive UTC, whole milliseconds."""
    return when.replace(tzinfo=None, microsecond=when.microsecond // 1000 * 1000)
