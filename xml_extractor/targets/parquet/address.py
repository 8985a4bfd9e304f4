"""The address of a directory of Parquet datasets, and the tables of its log. Nothing here needs pyarrow."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from xml_extractor.contract.layout import ColumnLayout, TableLayout, layouts
from xml_extractor.contract.model import Contract
from xml_extractor.errors import UsageError
from xml_extractor.processing_log.log_table import LOG_TABLE, LOG_TABLE_KEY
from xml_extractor.schema.names import database_name
from xml_extractor.schema.shared_tables import merged_tables
from xml_extractor.urls import URL
from xml_extractor.values.sqltypes import parse_type

LOG_TARGET_KEY = "log_target"
"""The key of the address for the address of the database with the processing log."""

LOG_FILE = "_processing_log.db"
"""The SQLite file with the log if the address names no other database. Readers of datasets ignore names with `_`."""

PARTITION = "load_run"
"""The column by which datasets are partitioned: the id of the run that loaded a row."""

SUFFIX = ".parquet"
SCHEMA_FILE = Path(f"{PARTITION}=none", f"schema{SUFFIX}")
"""The file without rows that each dataset has from the start on, so that it can be read with its types."""

BATCHES_SUFFIX = "_batches"

_UNUSABLE = '/\\:*?"<>|%' + "".join(map(chr, range(32)))
"""Characters that names of directories cannot have everywhere."""


@dataclass(frozen=True, slots=True, repr=False)
class ParquetAddress:
    """A directory of datasets, and the database with its processing log.

    Attributes:
        directory: Need not exist yet.
        log_address: The address of the database with the log. It may hold a password.
    """

    directory: Path
    log_address: str

    @property
    def name(self) -> str:
        """The address without the one of the log."""
        return f"parquet:{self.directory}"


def read_address(url: URL) -> ParquetAddress:
    """Return what an address such as `parquet:DIR` names.

    Raises:
        UsageError: It names no directory, or has an unknown option.
    """
    if url.host or not url.database:
        raise UsageError("the address names no directory", "write parquet:DIR")
    unknown = set(url.query) - {LOG_TARGET_KEY, LOG_TABLE_KEY}
    if unknown:
        raise UsageError(f"Parquet has no option '{min(unknown)}'", "give the database of the log with --log-target")
    directory = Path(url.database)
    log = url.query.get(LOG_TARGET_KEY)
    if log is not None:
        return ParquetAddress(directory, str(log))
    table = url.query.get(LOG_TABLE_KEY)
    beside = URL("sqlite", database=str(directory / LOG_FILE), query={LOG_TABLE_KEY: table} if table else {})
    return ParquetAddress(directory, beside.render_as_string(hide_password=False))


@cache
def batches_table(log: TableLayout = LOG_TABLE) -> TableLayout:
    """Return the table beside a processing log that decides which files belong to the datasets.

    A batch is one transaction, and has at most one file in each dataset. Its row is inserted with the rows of the log:
    whoever inserts the row first decides whether the batch is committed or given up.
    """
    columns = (
        ColumnLayout("batch_id", parse_type("varchar(64)"), required=True),
        ColumnLayout("is_committed", parse_type("bit"), required=True),
    )
    name, table = f"{log.name}{BATCHES_SUFFIX}", f"{log.table}{BATCHES_SUFFIX}"
    return TableLayout(name, table, columns, (), ("batch_id",), (), "fail")


def dataset_name(table: TableLayout) -> str:
    """Return the name of a table's directory, without the schema of SQL Server."""
    name = database_name(table.table, embedded=True)[1]
    shown = "".join(f"%{ord(character):02X}" if character in _UNUSABLE else character for character in name)
    return f"%2E{shown[1:]}" if shown.startswith(".") else shown


def check_contract(contract: Contract) -> None:
    """Check that a contract needs nothing that files cannot do: rows are appended, and none is ever changed.

    Raises:
        UsageError: It does.
    """
    if contract.document.revision is not None:
        raise UsageError(
            "Parquet datasets cannot hold revisions: newer documents would have to replace rows",
            "load revisions into a database, or remove document.revision from the contract",
        )
    tables = layouts(contract)
    for table in tables:
        if table.on_conflict != "fail":
            raise UsageError(
                f"Parquet datasets cannot {table.on_conflict} rows whose key exists (on_conflict of {table.name})",
                "load into a database, or remove on_conflict from the contract",
            )
        if any(column.name.casefold() == PARTITION for column in table.columns):
            message = f"the column {PARTITION} of {table.name} has the name by which Parquet datasets are partitioned"
            raise UsageError(message, "rename the column in the contract")
    if len(merged_tables(tables, embedded=True)) < len(set(map(dataset_name, tables))):
        raise UsageError("tables of the contract have names that differ only in case", "write the same name alike")
