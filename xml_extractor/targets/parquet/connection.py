"""Connections that append documents to Parquet datasets, and decide by the processing log which files belong to them.

A transaction of the log's database is a batch:

1. The rows of the log are inserted first; an existing key refuses the batch, as with any target.
2. At the end of the block, the rows of each table are written to a file in `_pending/BATCH`, which no reader looks
   into, and the files are flushed to the disk.
3. A row for the batch is inserted beside the log, and the transaction commits. That decides.
4. The files are renamed into their datasets, where they appear complete.

`settle` finishes what a killed process has left: files of a committed batch are renamed, others are deleted.
"""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from xml_extractor.connections import Batch, DatabaseError, ErrorClass, RowBinder
from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.documents import Row
from xml_extractor.processing_log.own_tables import own_tables
from xml_extractor.reasons import Reason
from xml_extractor.schema.names import database_name
from xml_extractor.targets.delete_plan import DeletePlan
from xml_extractor.targets.interfaces import Insertion, TableRows, TargetConnection, joined
from xml_extractor.targets.parquet.address import PARTITION, SCHEMA_FILE, SUFFIX, batches_table, dataset_name
from xml_extractor.targets.parquet.values import UNFIT, arrow_schema, arrow_table, in_schema, rows_of, unfit_column

PENDING = "_pending"
"""The directory of batches that are not settled."""

NO_RUN = "none"
"""The value of the partition column for files without a run."""

COMPRESSION = "zstd"


class ParquetConnection:
    """A `TargetConnection` to a directory of datasets.

    Args:
        directory: The directory.
        log: A connection to the database with the processing log; closed with this one.
    """

    def __init__(self, directory: Path, log: TargetConnection) -> None:
        self._directory = directory
        self._log = log
        self.dialect = log.dialect
        self.log_table = log.log_table
        self._batches = batches_table(log.log_table)
        own = (*own_tables(log.log_table, has_revisions=True), self._batches)
        self._names_of_log = {_bare(table) for table in own}
        self._run = ""
        self._schemas: dict[str, pa.Schema] = {}
        self._written: dict[str, list[pa.Table]] = {}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end of the block, and then show the files; roll back if it raises."""
        self._written.clear()
        batch = ""
        with self._log.transaction():
            yield
            if self._written:
                batch = self._stage()
        if batch:
            with _disk_errors():
                publish(self._directory, batch)

    def query(self, statement: str, values: Sequence[Any] = ()) -> Iterator[Sequence[Any]]:
        """Execute a query in the database of the log and yield its rows."""
        return self._log.query(statement, values)

    def execute(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Execute a statement in the database of the log and return the number of rows that it changed."""
        return self._log.execute(statement, values)

    def execute_many(self, statement: str, columns: Sequence[ColumnLayout], rows: Sequence[Row]) -> None:
        """Execute a statement in the database of the log with each of these rows, by one call."""
        self._log.execute_many(statement, columns, rows)

    def update_rows(self, table: TableLayout, names: Sequence[str], rows: Sequence[Row]) -> None:
        """Set columns of rows in the database of the log."""
        self._log.update_rows(table, names, rows)

    def table_name(self, table: TableLayout) -> str:
        """Return the quoted name of a table in the database of the log."""
        return self._log.table_name(table)

    def row_binder(self, table: TableLayout) -> RowBinder:
        """Return the function that binds rows of a table; those of datasets stay as they are."""
        return self._log.row_binder(table) if self._is_in_log(table) else tuple

    def read_rows(self, table: TableLayout, condition: str = "", values: Sequence[Any] = ()) -> Iterator[Row]:
        """Yield rows of a table, in no particular order; of a dataset, those of settled batches."""
        if self._is_in_log(table):
            yield from self._log.read_rows(table, condition, values)
            return
        if condition:
            raise NotImplementedError("conditions in SQL on Parquet datasets")
        with _disk_errors():
            found = ds.dataset(self._directory / dataset_name(table), arrow_schema(table), partitioning="hive")
            for batch in found.to_batches():
                yield from rows_of(table, pa.Table.from_batches([batch]))

    def insert_batch(self, batch: Batch, batch_rows: int = 500) -> list[list[int]]:
        """Insert rows; those of datasets are written at the end of the transaction."""
        converted = [(table, _arrow_table(table, rows)) for table, rows in batch if rows and not self._is_in_log(table)]
        for table, rows in batch:
            if self._is_in_log(table):
                self._log.insert_batch([(table, rows)], batch_rows)
                self._note_run(table, rows)
        for table, written in converted:
            self._written.setdefault(dataset_name(table), []).append(in_schema(written, self._schema(table)))
        return [[] for _ in batch]

    def insert_documents(
        self, tables: Sequence[TableLayout], documents: Sequence[TableRows], batch_rows: int = 500
    ) -> Insertion:
        """Insert those documents whose values the datasets can hold."""
        errors: dict[int, DatabaseError] = {}
        try:
            self.insert_batch(joined(tables, documents), batch_rows)
        except DatabaseError as error:
            if error.error_class is not ErrorClass.DATA or len(documents) == 1 or self._is_in_log(error.table):
                raise
            errors = {number: found for number, rows in enumerate(documents) if (found := _unfit(tables, rows))}
            accepted = [rows for number, rows in enumerate(documents) if number not in errors]
            self.insert_batch(joined(tables, accepted), batch_rows)
        return Insertion(errors, {})

    def delete_documents(self, plan: DeletePlan, keys: Sequence[Row]) -> list[int]:
        """Refuse: rows of datasets are never deleted, which is checked before a run."""
        raise NotImplementedError("rows of Parquet datasets are not deleted")

    def existing_rows(self, _table: TableLayout, _rows: Sequence[Row]) -> Iterator[Row]:
        """Yield nothing: a dataset holds back no rows."""
        return iter(())

    def close(self) -> None:
        """Close without committing."""
        self._log.close()

    def settle(self) -> None:
        """Finish all batches that are not settled: show the files of committed ones, and give up the others.

        A batch of another process that is still alive is given up too. Its commit then fails, and is retried.

        Raises:
            DatabaseError: The log cannot be written, or the files cannot be renamed.
        """
        pending = self._directory / PENDING
        for batch in _listed(pending):
            if self._is_committed(batch):
                with _disk_errors():
                    publish(self._directory, batch)
            else:
                shutil.rmtree(pending / batch, ignore_errors=True)

    def _is_committed(self, batch: str) -> bool:
        """Return whether a batch is committed; give it up if nobody has decided that yet."""
        try:
            self._decide(batch, is_committed=False)
        except DatabaseError as error:
            if error.code != Reason.DUPLICATE_KEY:
                raise
        return any(is_committed for _, is_committed in self._log.read_rows(self._batches, "batch_id = ?", (batch,)))

    def _decide(self, batch: str, *, is_committed: bool) -> None:
        with ExitStack() as parts:
            if not is_committed:
                parts.enter_context(self._log.transaction())
            self._log.insert_batch([(self._batches, [self._log.row_binder(self._batches)((batch, is_committed))])])

    def _stage(self) -> str:
        """Write the files of a batch where no reader looks, and insert its row, which the transaction commits."""
        batch = f"{self._run}-{secrets.token_hex(8)}"
        directory = self._directory / PENDING / batch
        try:
            with _disk_errors():
                (directory / (self._run or NO_RUN)).mkdir(parents=True)
                for name, tables in self._written.items():
                    write_file(directory / (self._run or NO_RUN) / f"{name}{SUFFIX}", pa.concat_tables(tables))
                for changed in (directory / (self._run or NO_RUN), directory, directory.parent):
                    _flush(changed)
            self._decide(batch, is_committed=True)
        except BaseException as error:
            is_given_up = not directory.is_dir() or getattr(error, "code", "") == Reason.DUPLICATE_KEY
            shutil.rmtree(directory, ignore_errors=True)
            if is_given_up and isinstance(error, DatabaseError):
                explanation = "a run that started meanwhile has given up the batch"
                raise DatabaseError(ErrorClass.TRANSIENT, Reason.DUPLICATE_KEY, explanation) from None
            raise
        return batch

    def _schema(self, table: TableLayout) -> pa.Schema:
        """Return the schema of a dataset, which its file without rows has."""
        name = dataset_name(table)
        if name not in self._schemas:
            try:
                self._schemas[name] = pq.read_schema(self._directory / name / SCHEMA_FILE)
            except FileNotFoundError:
                explanation = f"there is no dataset {name} in {self._directory}"
                tip = "check the directory; `xml-extractor init` creates what is missing"
                raise DatabaseError(ErrorClass.FATAL, "no_dataset", explanation, tip=tip, table=table) from None
        return self._schemas[name]

    def _note_run(self, table: TableLayout, rows: Sequence[Row]) -> None:
        names = [column.name for column in table.columns]
        if rows and table.key == self.log_table.key and "run_id" in names:
            self._run = str(rows[0][names.index("run_id")])

    def _is_in_log(self, table: TableLayout | None) -> bool:
        return table is not None and _bare(table) in self._names_of_log


def publish(directory: Path, batch: str) -> None:
    """Rename the files of a committed batch into their datasets. Several processes may do that at once.

    Raises:
        OSError: A file cannot be renamed.
    """
    pending = directory / PENDING / batch
    for run in _listed(pending):
        for name in _listed(pending / run):
            partition = directory / name.removesuffix(SUFFIX) / f"{PARTITION}={run}"
            partition.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):
                (pending / run / name).replace(partition / f"{batch}{SUFFIX}")
    shutil.rmtree(pending, ignore_errors=True)


def write_file(path: Path, table: pa.Table) -> None:
    """Write a Parquet file and flush it to the disk.

    Raises:
        OSError: It cannot be written.
    """
    with path.open("xb") as file:
        pq.write_table(table, file, compression=COMPRESSION)
        file.flush()
        os.fsync(file.fileno())


def _listed(directory: Path) -> list[str]:
    try:
        return sorted(path.name for path in directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _flush(directory: Path) -> None:
    """Flush the names in a directory to the disk, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _arrow_table(table: TableLayout, rows: Sequence[Row]) -> pa.Table:
    """Return rows as columns; a value that a column cannot hold is a data error, and so is NULL if it is required."""
    try:
        written = arrow_table(table, rows)
    except UNFIT:
        column = unfit_column(table, rows)
        explanation = "the Parquet type of the column cannot hold the value"
        name = column.name if column else ""
        raise DatabaseError(ErrorClass.DATA, Reason.OVERFLOW, explanation, name, table=table) from None
    for column, values in zip(table.columns, written.columns, strict=True):
        if column.required and values.null_count:
            explanation = "the column must have a value"
            raise DatabaseError(ErrorClass.DATA, Reason.MISSING_VALUE, explanation, column.name, table=table)
    return written


def _unfit(tables: Sequence[TableLayout], document: TableRows) -> DatabaseError | None:
    """Return why a document cannot be inserted; None if it can."""
    try:
        for table, rows in list(zip(tables, document, strict=True))[1:]:
            _arrow_table(table, rows)
    except DatabaseError as error:
        return error
    return None


@contextmanager
def _disk_errors() -> Iterator[None]:
    """Raise errors of the file system in the block as `DatabaseError`."""
    try:
        yield
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        explanation = "the disk is full" if is_full else f"files cannot be written or read ({error.strerror or error})"
        tip = "free space on the disk" if is_full else "check the directory and the rights to it"
        raise DatabaseError(ErrorClass.FATAL, "disk", explanation, tip=f"{tip}, and run again") from None


def _bare(table: TableLayout) -> str:
    return database_name(table.table, embedded=True)[1].casefold()
