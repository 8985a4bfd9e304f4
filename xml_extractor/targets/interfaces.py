"""The interface of targets. One suite of tests runs against all of them."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar, runtime_checkable

from xml_extractor.connections import Batch, Connection, DatabaseError, RowBinder
from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.documents import Row
from xml_extractor.errors import UsageError
from xml_extractor.schema.model import Difference
from xml_extractor.settings import ChosenStrategy, InsertStrategy
from xml_extractor.targets.delete_plan import DeletePlan, Dialect

Item = TypeVar("Item")

TableRows = Sequence[Sequence[Row]]
"""Bound rows of one document, by table."""


ExistingRows = Mapping[int, Sequence[Row]]
"""Bound rows that are there in place of those that were kept, by the position of a table whose rows are shared."""


class Insertion(NamedTuple):
    """The outcome of inserting documents.

    Attributes:
        errors: The data errors of documents that were not inserted, by position.
        not_inserted: How many rows of the others were kept or replaced, by positions of the document and the table.
        existing: What is there in place of rows that were kept; None if it has to be read.
    """

    errors: Mapping[int, DatabaseError]
    not_inserted: Mapping[tuple[int, int], int]
    existing: ExistingRows | None = None


class RowForm(NamedTuple):
    """How rows that a database holds are compared with those that documents are mapped to.

    Attributes:
        select: The expressions that read the columns.
        held: Converts a row that was read to the form in which rows are compared.
        expected: Converts a mapped row to the same form.
    """

    select: str
    held: Callable[[Sequence[Any]], Row]
    expected: RowBinder


class RowHash(NamedTuple):
    """How the rows of a document are hashed by the database, and mapped rows alike.

    Attributes:
        row: The expression of the hash of a row.
        sums: The expressions of the sums of such hashes, under the name `hashed`.
        sums_of: Returns the sums for mapped rows.
    """

    row: str
    sums: str
    sums_of: Callable[[Sequence[Row]], tuple[int, ...]]


KeyPart = tuple[str, TableLayout, ColumnLayout]
"""A column of a key: its name in a query, the table that it is from, and the column there."""


class ComparingConnection(Connection, Protocol):
    """A connection that reads rows to compare them."""

    @property
    def names(self) -> Dialect:
        """How names are written in statements."""
        ...

    def row_form(self, table: TableLayout) -> RowForm:
        """Return how rows of a table are compared."""
        ...

    def row_hash(self, table: TableLayout) -> RowHash | None:
        """Return how the database hashes rows of a table; None if reading them is as good, or if it cannot.

        Raises:
            DatabaseError: The database cannot be asked.
        """
        ...

    def query_keys(
        self, query: str, columns: Sequence[KeyPart], keys: Sequence[Row], rest: str = ""
    ) -> Iterator[Sequence[Any]]:
        """Execute a query for the rows with these keys, by one statement or several, and yield what it returns.

        Args:
            query: Ends where the condition of its WHERE clause begins.
            columns: The columns of a key.
            keys: Mapped values of these columns; never NULL.
            rest: What follows the condition.
        """
        ...


class TargetConnection(Connection, Protocol):
    """A connection that loads."""

    def insert_documents(
        self, tables: Sequence[TableLayout], documents: Sequence[TableRows], batch_rows: int = 500
    ) -> "Insertion":
        """Insert those documents that the database accepts, within a transaction.

        Of two documents that cannot both be inserted, the first one is accepted.

        Args:
            tables: In load order.
            documents: The rows of each document, by table.
            batch_rows: Rows in one call at most, where a call takes the rows of one table.

        Raises:
            DatabaseError: A transient or fatal error; or a data error, such as of the processing log, after which the
                transaction must be rolled back. A retry may then reject single documents.
        """
        ...

    def existing_rows(self, table: TableLayout, rows: Sequence[Row]) -> Iterator[Row]:
        """Yield the rows of a table, bound, that are there under the keys of these bound rows."""
        ...

    def delete_documents(self, plan: DeletePlan, keys: Sequence[Row]) -> list[int]:
        """Delete the rows of documents, and return how many each had.

        Args:
            plan: How they are found, in the order to delete them in.
            keys: For each document, its key as each column of the plan holds it; never NULL.
        """
        ...


@runtime_checkable
class DatabaseConnection(TargetConnection, ComparingConnection, Protocol):
    """A connection that loads and compares: to a database, whose tables can be queried."""


def joined(tables: Sequence[TableLayout], documents: Sequence[TableRows]) -> Batch:
    """Return the rows of documents by table."""
    return [(table, list(chain.from_iterable(map(itemgetter(index), documents)))) for index, table in enumerate(tables)]


def whole_insertion(
    documents: Sequence[TableRows], positions: Sequence[Sequence[int]], existing: ExistingRows | None = None
) -> Insertion:
    """Return the insertion of documents without errors.

    Args:
        documents: The rows of each document, by table.
        positions: What `TargetConnection.insert_batch` returned for them.
        existing: What is there in place of rows that were kept, if that is known.
    """
    found: Counter[tuple[int, int]] = Counter()
    for index, of_table in enumerate(positions):
        if of_table:
            owners = [number for number, rows in enumerate(documents) for _ in rows[index]]
            found.update((owners[position], index) for position in of_table)
    return Insertion({}, found, existing)


def keys_of(table: TableLayout, rows: Sequence[Row]) -> list[Row]:
    """Return the values of the key columns of rows, in the order of `table.key`."""
    positions = [[column.name for column in table.columns].index(name) for name in table.key]
    return [tuple(row[position] for position in positions) for row in rows]


def parts(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Cut a sequence into pieces of at most `size` items."""
    return (items[first : first + size] for first in range(0, len(items), size))


class Target(Protocol):
    """A database that documents are loaded into. Connections are opened in the process that uses them.

    Attributes:
        is_embedded: Whether this process itself writes files, and one thread at a time.
        only_appends: Whether rows cannot be deleted or changed, so that documents cannot be reprocessed.
    """

    is_embedded: ClassVar[bool] = False
    only_appends: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """The name in messages, without secrets."""
        ...

    @property
    def log_table(self) -> TableLayout:
        """The processing log, under the name that the address gives it."""
        ...

    @property
    def strategies(self) -> tuple[InsertStrategy, ...]:
        """The ways in which connections can send rows."""
        return ("executemany",)

    @property
    def strategy_in_use(self) -> InsertStrategy:
        """The way that connections with the strategy `auto` use, as far as it is chosen."""
        return "executemany"

    def create_statements(self, tables: Sequence[TableLayout]) -> list[str]:
        """Return the statements that create missing tables and the processing log; each can be repeated."""
        ...

    def create(self, tables: Sequence[TableLayout]) -> None:
        """Create missing tables and the processing log.

        Raises:
            TargetError: The database cannot be written.
        """
        ...

    def differences(self, tables: Sequence[TableLayout]) -> list[Difference]:
        """Return the differences between the tables, the processing log among them, and the needed ones, errors first.

        Raises:
            TargetError: The database cannot be read.
        """
        ...

    def prepare(self, tables: Sequence[TableLayout], connection: TargetConnection | None = None) -> None:
        """Check that tables and processing log exist and fit; the embedded target creates missing ones.

        Args:
            tables: The contract's tables.
            connection: To the target; one to a server is used.

        Raises:
            TargetError: A table is missing or does not fit, or the database cannot be written.
        """
        ...

    def settle(self) -> None:
        """Complete what killed processes have committed, where a commit is not the last step. The end of a run does it.

        Raises:
            TargetError: The target cannot be written.
        """
        return

    def row_binders(self, tables: Sequence[TableLayout]) -> tuple[RowBinder, ...]:
        """Return the functions that bind the rows of each table. No connection is needed."""
        ...

    def connect(self, strategy: ChosenStrategy = "executemany") -> TargetConnection:
        """Open a connection.

        Args:
            strategy: How it sends rows: one of `strategies`, or `auto` for the one that proves fastest.

        Raises:
            TargetError: It cannot be opened.
        """
        ...


def connect_to_database(target: Target) -> DatabaseConnection:
    """Open a connection to the tables of a target.

    Raises:
        UsageError: They cannot be queried.
        TargetError: It cannot be opened.
    """
    connection = target.connect()
    if isinstance(connection, DatabaseConnection):
        return connection
    connection.close()
    tip = "verify a load of the same documents into a database, and compare its tables with the datasets"
    raise UsageError(f"verify cannot read {target.name}: it has no tables that can be queried", tip)
