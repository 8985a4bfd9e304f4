"""Parquet as a target: a directory of datasets, of which the processing log is in a database."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from xml_extractor.connections import Retrying, RowBinder, errors_end_the_run
from xml_extractor.contract.layout import TableLayout
from xml_extractor.contract.model import Contract
from xml_extractor.errors import TargetError
from xml_extractor.schema.comparison import NO_COLUMN, raise_errors
from xml_extractor.schema.model import Difference, Severity
from xml_extractor.schema.shared_tables import merged_tables
from xml_extractor.settings import ChosenStrategy, InsertStrategy
from xml_extractor.targets.interfaces import Target, TargetConnection
from xml_extractor.targets.parquet.address import (
    SCHEMA_FILE,
    ParquetAddress,
    batches_table,
    check_contract,
    dataset_name,
    read_address,
)
from xml_extractor.targets.parquet.connection import PENDING, ParquetConnection, write_file
from xml_extractor.targets.parquet.values import arrow_schema, contract_types
from xml_extractor.targets.registry import open_target as open_log_target
from xml_extractor.urls import URL


def open_target(url: URL, contract: Contract, /) -> "ParquetTarget":
    """Return the target that an address names.

    Raises:
        UsageError: The address is wrong, or the contract needs what files cannot do.
    """
    address = read_address(url)
    check_contract(contract)
    return ParquetTarget(address, open_log_target(address.log_address, contract))


@dataclass(frozen=True, slots=True)
class ParquetTarget(Target):
    """A directory of datasets that documents are appended to.

    Attributes:
        log: The database with the processing log, as a target.
    """

    address: ParquetAddress
    log: Target

    only_appends = True
    is_embedded = True

    @property
    def name(self) -> str:
        """The directory."""
        return self.address.name

    @property
    def directory(self) -> Path:
        """The directory."""
        return self.address.directory

    @property
    def log_table(self) -> TableLayout:
        """The processing log."""
        return self.log.log_table

    @property
    def strategies(self) -> tuple[InsertStrategy, ...]:
        """The ways in which the rows of the log can be sent."""
        return self.log.strategies

    @property
    def strategy_in_use(self) -> InsertStrategy:
        """The way in which the rows of the log are sent now."""
        return self.log.strategy_in_use

    def create_statements(self, tables: Sequence[TableLayout]) -> list[str]:
        """Return the statements that create the processing log in its database; datasets need none."""
        del tables
        return self.log.create_statements([self._batches])

    def create(self, tables: Sequence[TableLayout]) -> None:
        """Create the directory, the processing log, and a file without rows in each missing dataset.

        Raises:
            TargetError: The directory or the database cannot be written.
        """
        self._make_directory()
        self.log.create([self._batches])
        self._write_schemas(tables)

    def differences(self, tables: Sequence[TableLayout]) -> list[Difference]:
        """Return the differences between the datasets and the tables, errors first; and those of the log.

        Raises:
            TargetError: The directory or the database cannot be read.
        """
        of_log = self.log.differences([self._batches])
        with self._errors_end_the_run():
            return [*of_log, *(each for table in _datasets(tables) for each in self._differences(table))]

    def prepare(self, tables: Sequence[TableLayout], _connection: TargetConnection | None = None) -> None:
        """Create what is missing, check that the datasets fit, and settle what earlier runs have left.

        Raises:
            TargetError: A dataset does not fit, or the directory or the database cannot be written.
        """
        self._make_directory()
        self.log.prepare([self._batches])
        with self._errors_end_the_run():
            raise_errors(self.name, [each for table in _datasets(tables) for each in self._differences(table)])
        self._write_schemas(tables)
        self.settle()

    def settle(self) -> None:
        """Show the files of committed batches that a killed process has left, and delete those of others.

        Raises:
            TargetError: The log or the directory cannot be written.
        """
        with closing(self.connect()) as connection, self._errors_end_the_run():
            Retrying()(connection.settle)

    def row_binders(self, tables: Sequence[TableLayout]) -> tuple[RowBinder, ...]:
        """Return the functions that bind the rows of each table; rows of datasets stay as they are."""
        return (tuple,) * len(tables)

    def connect(self, strategy: ChosenStrategy = "executemany") -> ParquetConnection:
        """Open a connection.

        Raises:
            TargetError: The database of the log cannot be opened.
        """
        log = self.log.connect(strategy)
        if log.dialect == "sqlite":
            # Files that are renamed must not outlast the rows of the log that they belong to.
            log.execute("PRAGMA synchronous = FULL")
        return ParquetConnection(self.directory, log)

    @property
    def _batches(self) -> TableLayout:
        return batches_table(self.log_table)

    def _make_directory(self) -> None:
        with self._errors_end_the_run():
            (self.directory / PENDING).mkdir(parents=True, exist_ok=True)

    def _schema_file(self, table: TableLayout) -> Path:
        return self.directory / dataset_name(table) / SCHEMA_FILE

    def _write_schemas(self, tables: Sequence[TableLayout]) -> None:
        with self._errors_end_the_run():
            for table in _datasets(tables):
                path = self._schema_file(table)
                if not path.exists():
                    path.parent.mkdir(parents=True, exist_ok=True)
                    temporary = path.with_name(f"_{secrets.token_hex(8)}")
                    write_file(temporary, arrow_schema(table).empty_table())
                    temporary.replace(path)

    def _differences(self, table: TableLayout) -> Iterator[Difference]:
        """Yield the differences of a dataset that exists; files are never changed, so that all are errors."""
        path = self._schema_file(table)
        if not path.exists():
            return
        there = contract_types(pq.read_schema(path))
        needed = {column.name: column.type for column in table.columns}
        remedy = "load into another directory, or change the contract"
        for name in [*needed, *(name for name in there if name not in needed)]:
            if name not in there or needed.get(name) != there[name]:
                wanted = str(needed[name]) if name in needed else "no such column"
                found = str(there[name] or "another type") if name in there else NO_COLUMN
                yield Difference(Severity.ERROR, table.name, path.parent.parent.name, name, wanted, found, remedy)

    @contextmanager
    def _errors_end_the_run(self) -> Iterator[None]:
        trouble = f"{self.name} cannot be used"
        try:
            with errors_end_the_run(TargetError, trouble, "run the same command again"):
                yield
        except (OSError, pa.ArrowException) as error:
            what = getattr(error, "strerror", None) or type(error).__name__
            raise TargetError(
                f"{self.name} cannot be used: {what}", "check the directory and the rights to it"
            ) from None


def _datasets(tables: Sequence[TableLayout]) -> tuple[TableLayout, ...]:
    """Return one layout for each dataset, which several tables of a contract may fill."""
    return merged_tables(tables, embedded=True)
