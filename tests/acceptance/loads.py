"""Orders in a source, a target, and runs from one to the other, whatever databases they are."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests import sqlserver
from tests.table_hashes import table_hashes
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.reading import read_contract
from xml_extractor.documents import SourceDocument
from xml_extractor.pipeline import run
from xml_extractor.reporting.result import RunResult
from xml_extractor.settings import RunSettings
from xml_extractor.sources.registry import open_source_writer
from xml_extractor.targets.registry import open_target

CONTRACT = """
contract: orders
version: 1
document:
  root: order
  key: "@id"
  key_type: int
tables:
  orders:
    rows: "."
    columns:
      order_id: {path: "@id", type: int, key: true}
      customer: {path: customer, type: nvarchar(20), required: true}
      placed_at: {path: "@placed", type: date}
  line:
    rows: "line"
    columns:
      order_id: {parent: orders.order_id, key: true}
      line_no: {position: true, key: true}
      quantity: {path: "@quantity", type: smallint}
      price: {path: "@price", type: "decimal(9,2)"}
"""

DOCUMENTS = 60
MALFORMED, OVERFLOW, WITHOUT_CUSTOMER, EMPTY = 7, 19, 23, 41
REJECTS = {
    (7, "parse", "malformed"),
    (19, "map", "overflow"),
    (23, "map", "missing_value"),
    (41, "parse", "empty"),
}
"""Faulty documents among the first 60: key, stage, code."""

Document = Callable[[int], str | None]


class Kinds(NamedTuple):
    """Which databases source and target are: `sqlite`, or `mssql`, where both are in one schema."""

    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.source}-to-{self.target}"


EMBEDDED = Kinds("sqlite", "sqlite")
SERVER = Kinds("mssql", "mssql")
CROSSED = (Kinds("sqlite", "mssql"), Kinds("mssql", "sqlite"))


def on(*kinds: Kinds) -> Any:
    """Parametrize a fixture or a test by kinds of databases."""
    return [pytest.param(each, id=str(each), marks=pytest.mark.mssql if "mssql" in each else ()) for each in kinds]


def good_order(number: int) -> str:
    """An order with as many lines as its number says, up to four."""
    price = f"{number}.50"
    lines = "".join(f'<line quantity="{line}" price="{price}"/>' for line in range(number % 4))
    return (
        f'<order id="{number}" placed="2026-01-{number % 28 + 1:02d}"><customer>Customer {number}</customer>'
        f'{lines}<line price="{price}"/></order>'
    )


def order(number: int) -> str | None:
    """An order, or what is left of it in `REJECTS`."""
    good = good_order(number)
    match number:
        case 7:
            return good.removesuffix(">")
        case 19:
            return good.replace("19.50", "12345678.90")
        case 23:
            return good.replace("<customer>Customer 23</customer>", "")
        case 41:
            return None
    return good


class Load:
    """A source of orders, a target, and runs from one to the other.

    Args:
        directory: For what is in files.
        kinds: Which databases source and target are.
        schema: Where they are on the server.
        documents: How many.
        document: Gives each by its number, which is its key.
        contract: How it becomes rows.
    """

    def __init__(
        self,
        directory: Path,
        kinds: Kinds,
        schema: str,
        documents: int = DOCUMENTS,
        document: Document = order,
        contract: str = CONTRACT,
    ) -> None:
        self.kinds = kinds
        self.documents = documents
        self._directory = directory
        self._schema = schema
        self._numbers = count(1)
        self._contract_path = directory / "orders.yaml"
        self._contract_path.write_text(contract)
        self._contract = read_contract(str(self._contract_path))
        self._source = self._address(kinds.source, "source.db")
        with open_source_writer(self._source) as writer:
            for number in range(1, documents + 1):
                writer.write(SourceDocument(number, document(number)))
        self.empty_target()

    @property
    def on_server(self) -> bool:
        """Whether the target is on the server."""
        return self.kinds.target == "mssql"

    def empty_target(self) -> None:
        """Begin with an empty target."""
        self._target_file = f"target{next(self._numbers)}.db"
        self._target = self._address(self.kinds.target, self._target_file)
        tables = layouts(self._contract)
        open_target(self._target, self._contract).create(tables)
        if self.on_server:
            for name in (*(table.table for table in reversed(tables)), "processing_log"):
                self.execute(f"DELETE FROM {self.table(name)}")

    def settings(self, **settings: Any) -> RunSettings:
        """The settings of a run; if nothing is said with 2 workers and pages of 25 keys."""
        return RunSettings(
            contract=str(self._contract_path),
            source=self._source,
            target=self._target,
            **{"workers": 2, "batch_size": 25, "rejects_dir": None, "metrics_dir": None, **settings},
        )

    def run(self, on_progress: Callable[[int], None] | None = None, **settings: Any) -> RunResult:
        """A run in this process; raises what it could not go on for."""
        result = run(self.settings(**settings), on_progress or (lambda _: None))
        if result.failure is not None:
            raise result.failure
        return result

    def hashes(self) -> dict[str, str]:
        """What the target holds."""
        with closing(open_target(self._target, self._contract).connect()) as connection:
            return table_hashes(connection, layouts(self._contract))

    def table(self, name: str) -> str:
        """The name of a table of the target in statements."""
        return f"[{self._schema}].[{name}]" if self.on_server else name

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows that a statement finds in the target."""
        if self.on_server:
            return list(map(tuple, sqlserver.administrator().execute(statement).fetchall()))
        with closing(sqlite3.connect(self._directory / self._target_file)) as database:
            return database.execute(statement).fetchall()

    def execute(self, statement: str) -> None:
        """Run a statement in the target."""
        if self.on_server:
            sqlserver.administrator().execute(statement).close()
            return
        with closing(sqlite3.connect(self._directory / self._target_file)) as database, database:
            database.execute(statement)

    def logged(self) -> int:
        """How many documents the processing log has."""
        ((rows,),) = self.query(f"SELECT count(*) FROM {self.table('processing_log')}")
        return int(rows)

    def remove_documents(self) -> None:
        """Empty the table of documents."""
        if self.kinds.source == "mssql":
            sqlserver.administrator().execute(f"DELETE FROM [{self._schema}].app_xml").close()
            return
        with closing(sqlite3.connect(self._directory / "source.db")) as database, database:
            database.execute("DELETE FROM app_xml")

    def rename(self, table: str, name: str) -> None:
        """Give a table of the target another name."""
        if self.on_server:
            # In a session of its own: servers that are no SQL Server may find no table in one that has renamed.
            with closing(sqlserver.session()) as session:
                session.execute(f"EXEC sp_rename '{self._schema}.{table}', '{name}', 'OBJECT'").close()
        else:
            self.execute(f"ALTER TABLE {table} RENAME TO {name}")

    @contextmanager
    def writers_wait(self) -> Iterator[None]:
        """Until the end of the block, which may be in another thread, nobody else can insert an order but the first."""
        if self.on_server:
            with closing(sqlserver.session()) as session:
                session.autocommit = False
                numbers = ", ".join(f"({number}, 'nobody')" for number in range(2, self.documents + 1))
                session.execute(f"INSERT INTO {self.table('orders')} (order_id, customer) VALUES {numbers}").close()
                yield
                session.rollback()
            return
        with closing(
            sqlite3.connect(self._directory / self._target_file, isolation_level=None, check_same_thread=False)
        ) as database:
            database.execute("BEGIN IMMEDIATE")
            yield
            database.execute("ROLLBACK")

    def _address(self, kind: str, file: str) -> str:
        return sqlserver.in_schema(self._schema) if kind == "mssql" else f"sqlite:///{self._directory / file}"


@contextmanager
def opened(
    kinds: Kinds,
    directory: Path,
    documents: int = DOCUMENTS,
    document: Document = order,
    contract: str = CONTRACT,
) -> Iterator[Load]:
    """A load whose schema on the server, if it needs one, is there until the end of the block."""
    if "mssql" not in kinds:
        yield Load(directory, kinds, "", documents, document, contract)
        return
    with sqlserver.scratch_schema() as schema:
        yield Load(directory, kinds, schema, documents, document, contract)
