"""Opens targets by their address. A new kind of target is a module and a line in `TARGETS`."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Protocol, Self

from xml_extractor.contract.layout import TableLayout
from xml_extractor.contract.model import Contract
from xml_extractor.errors import TargetError, UsageError
from xml_extractor.processing_log.log import ProcessingLog
from xml_extractor.processing_log.log_table import ADDED_COLUMNS
from xml_extractor.processing_log.own_tables import history_table, own_tables
from xml_extractor.processing_log.run_history import RunHistory
from xml_extractor.schema.comparison import NO_COLUMN, NO_TABLE, NO_VISIBLE_TABLE, raise_errors
from xml_extractor.settings import ChosenStrategy
from xml_extractor.stopping import pauses_end
from xml_extractor.targets.interfaces import Target, TargetConnection
from xml_extractor.urls import URL, parse_url


class TargetModule(Protocol):
    """A module of one kind of target."""

    def open_target(self, url: URL, contract: Contract, /) -> Target:
        """Return the target of an address; nothing is connected yet."""
        ...


PARQUET = "parquet"

EXTRAS = {"pyarrow": "parquet"}
"""The extras of the installation that have a module."""

TARGETS = {
    "sqlite": "xml_extractor.targets.sqlite.target",
    "mssql": "xml_extractor.targets.sqlserver.target",
    "parquet": "xml_extractor.targets.parquet.target",
}
"""Modules by the dialect in the address; each is a `TargetModule`, imported when an address needs it."""


def open_target(address: str, contract: Contract) -> Target:
    """Return the target that a SQLAlchemy URL names; nothing is connected yet.

    Raises:
        UsageError: The address is wrong, or targets of this kind are not supported.
    """
    url = read_url(address, "target")
    module: TargetModule = module_for(TARGETS, url, "target")
    target = module.open_target(url, contract)
    own = {table.table.casefold() for table in own_tables(target.log_table, has_revisions=True)}
    for name, table in contract.tables.items():
        if (table.table or name).casefold() in own:
            message = f"{table.table or name} is a table of the contract and cannot belong to the processing log"
            raise UsageError(message, "name another log with --log-table")
    return target


@contextmanager
def open_processing_log(target: Target) -> Iterator[ProcessingLog]:
    """Open the processing log of a target, which must exist. An earlier version may have created it.

    Raises:
        TargetError: There is none, or the target cannot be reached.
    """
    log = target.log_table
    with _own_table_of(target, log) as (connection, lacking):
        there = tuple(column for column in log.columns if column.name not in lacking)
        yield ProcessingLog(connection, target.name, replace(connection.log_table, columns=there) if lacking else None)


@contextmanager
def open_run_history(target: Target) -> Iterator[RunHistory]:
    """Open the run history of a target, which must exist.

    Raises:
        TargetError: There is none, or the target cannot be reached.
    """
    history = history_table(target.log_table)
    with _own_table_of(target, history) as (connection, _):
        yield RunHistory(connection, history_table(connection.log_table), target.name)


@contextmanager
def _own_table_of(target: Target, table: TableLayout) -> Iterator[tuple[TargetConnection, set[str]]]:
    """Check one of the tables beside those of the contract, and connect.

    Yields:
        The connection, and the names of columns that the table of an earlier version lacks.
    """
    found = [difference for difference in target.differences(()) if difference.table == table.name]
    if any(not each.column and each.found in (NO_TABLE, NO_VISIBLE_TABLE) for each in found):
        tip = "check that the target is the one that was loaded; `xml-extractor init` creates what is missing"
        hidden = any(each.found == NO_VISIBLE_TABLE for each in found)
        raise TargetError(
            f"there is no table {table.table} in {target.name}"
            f"{', or this user has no permission on it' if hidden else ''}",
            tip,
        )
    added = {column.name for column in ADDED_COLUMNS}
    lacking = {each.column for each in found if each.found == NO_COLUMN and each.column in added}
    raise_errors(target.name, [each for each in found if each.column not in lacking])
    with closing(target.connect()) as connection:
        yield connection, lacking


def read_url(address: str, role: str) -> URL:
    """Read a SQLAlchemy URL, or `parquet:DIR`. The address may hold a password, so no message repeats it.

    Raises:
        UsageError: It is not one.
    """
    kind, colon, directory = address.partition(":")
    if kind == PARQUET and colon and not directory.startswith("//"):
        return URL(PARQUET, database=directory)
    try:
        return parse_url(address)
    except ValueError:
        raise UsageError(
            f"the {role} is not a database address", "write it as sqlite:///FILE, mssql://HOST/DATABASE or parquet:DIR"
        ) from None


def dialect_of(kinds: Mapping[str, str], url: URL, role: str) -> str:
    """Return the dialect of an address.

    Raises:
        UsageError: It is not supported; the tip suggests another.
    """
    dialect = url.get_backend_name()
    if dialect not in kinds:
        close = get_close_matches(dialect, kinds, n=1)
        meant = f"did you mean {close[0]}? " if close else ""
        supported = ", ".join(sorted(kinds))
        raise UsageError(f"unsupported {role}: '{dialect}' addresses", f"{meant}supported: {supported}")
    return dialect


def module_for(kinds: Mapping[str, str], url: URL, role: str) -> Any:
    """Return the module that is registered for the dialect of an address.

    Raises:
        UsageError: There is none, or its driver cannot be loaded.
    """
    dialect = dialect_of(kinds, url, role)
    try:
        return import_module(kinds[dialect])
    except ImportError as error:
        name = (error.name or "").partition(".")[0]
        if name in EXTRAS:
            tip = f"install it with pip install 'xml-extractor-etl[{EXTRAS[name]}]'"
            raise UsageError(f"'{dialect}' addresses need the package {name}, which is not installed", tip) from None
        if (error.name or "").startswith(__package__):
            raise
        raise UsageError(
            f"the driver for '{dialect}' addresses cannot be loaded: {error.msg}", "`xml-extractor doctor` reports why"
        ) from error


POLL_SECONDS = 0.1


class TargetOpening:
    """Connects to a target and prepares it, in a thread unless it is embedded.

    A context manager. A connection that nobody takes is closed.

    Args:
        target: The target.
        tables: The contract's tables.
        strategy: How the run sends rows.

    Raises:
        UsageError: The target does not support the strategy.
    """

    def __init__(self, target: Target, tables: Sequence[TableLayout], strategy: ChosenStrategy) -> None:
        if strategy not in ("auto", *target.strategies):
            raise UsageError(
                f"{target.name} does not support the insert strategy '{strategy}'",
                f"choose {' or '.join(target.strategies)}, or omit the option",
            )
        self._target = target
        self._tables = tables
        self._connection: TargetConnection | None = None
        self._error: BaseException | None = None
        self._is_abandoned = False
        # A daemon, so that a run that must stop at once does not wait for the target.
        self._thread = threading.Thread(target=self._run, name="target opening", daemon=True)

    def __enter__(self) -> Self:
        if not self._target.is_embedded:
            self._thread.start()
        return self

    def take(self) -> TargetConnection:
        """Return the connection to the prepared target. The caller closes it.

        Raises:
            TargetError: The target cannot be used.
            KeyboardInterrupt: The process was asked to stop.
        """
        if self._target.is_embedded:
            self._run()
        while self._thread.is_alive():
            if pauses_end.is_set():
                raise KeyboardInterrupt
            self._thread.join(POLL_SECONDS)
        if self._error is not None:
            raise self._error
        connection, self._connection = self._connection, None
        if connection is None:
            raise RuntimeError
        return connection

    def __exit__(self, *_: object) -> None:
        self._is_abandoned = True
        if self._connection is not None and not self._thread.is_alive():
            self._connection.close()

    def _run(self) -> None:
        connection = None
        try:
            if self._target.is_embedded:
                self._target.prepare(self._tables)
            connection = self._target.connect()
            if not self._target.is_embedded:
                self._target.prepare(self._tables, connection)
            self._connection = connection
        except BaseException as error:  # noqa: BLE001 - raised again by `take`
            self._error = error
        if connection is not None and (self._error is not None or self._is_abandoned):
            connection.close()
