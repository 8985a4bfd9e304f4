"""What the connections of a run know about a server, and how they choose the way in which rows are sent.

A run begins with JSON, which takes few round trips: a few hundred documents are loaded before there is anything to
measure. A longer run then sends some batches as arrays, unless their round trips alone would take longer.
"""

import logging
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from xml_extractor.contract.layout import TableLayout
from xml_extractor.schema.model import ActualTable
from xml_extractor.settings import InsertStrategy
from xml_extractor.targets.sqlserver.catalog import read_catalog
from xml_extractor.targets.sqlserver.connection import SqlServerConnection
from xml_extractor.targets.sqlserver.json_batches import Collations
from xml_extractor.targets.sqlserver.probes import JsonSupport

logger = logging.getLogger(__name__)

MEASURED_SECONDS = 3.0
"""How long batches are sent as JSON before arrays are tried."""

BATCHES_COMPARED = 3
"""The last batches of each strategy that are compared; the first batch by arrays, which prepares statements, is not."""

ROUND_TRIPS_OF_ARRAY = 3
"""Round trips that the rows of one table take at least."""


class StrategyChoice:
    """The choice of a run between JSON and arrays; all its connections share it.

    Attributes:
        strategy: How the next batch is sent.
        chosen: The choice so far.
        round_trip: Seconds of a round trip, as far as known.
    """

    def __init__(self) -> None:
        self.strategy: InsertStrategy = "json"
        self.chosen: InsertStrategy = "json"
        self.round_trip = 0.0
        self._is_made = False
        self._lock = threading.Lock()
        self._seconds = 0.0
        self._batches: defaultdict[InsertStrategy, list[tuple[int, float]]] = defaultdict(list)

    def note(self, strategy: InsertStrategy, tables: int, rows: int, seconds: float) -> None:
        """Note a batch that was inserted without errors, and choose once both strategies are measured.

        Args:
            strategy: How it was sent.
            tables: The number of tables that it filled.
            rows: The number of rows.
            seconds: How long it took.
        """
        with self._lock:
            if self._is_made:
                return
            batches = self._batches[strategy]
            batches.append((rows, seconds))
            self._seconds += seconds
            if self.strategy == "json":
                if self._seconds < MEASURED_SECONDS or len(batches) < BATCHES_COMPARED:
                    return
                least = tables * ROUND_TRIPS_OF_ARRAY * self.round_trip
                if least > min(taken for _, taken in batches[-BATCHES_COMPARED:]):
                    self._choose("json", f"arrays would take {least:.1f} s for round trips")
                else:
                    self.strategy = "executemany"
            elif strategy == "executemany" and len(batches) > BATCHES_COMPARED:
                rates = {name: _rows_a_second(of_strategy) for name, of_strategy in self._batches.items()}
                chosen = max(rates, key=lambda name: rates[name])
                self._choose(chosen, ", ".join(f"{name} {rate:.0f} rows a second" for name, rate in rates.items()))

    def _choose(self, strategy: InsertStrategy, why: str) -> None:
        self.strategy, self.chosen, self._is_made = strategy, strategy, True
        logger.info("Insert strategy %s chosen: %s", strategy, why)


def _rows_a_second(batches: list[tuple[int, float]]) -> float:
    last = batches[-BATCHES_COMPARED:]
    return sum(rows for rows, _ in last) / max(sum(seconds for _, seconds in last), 1e-9)


@dataclass
class ServerKnowledge:
    """What the connections of a run learn about the server, so that each of them need not ask.

    Attributes:
        schema: Of tables without one; empty for the login's.
        json_support: What the server does with JSON.
        log_table: The name of the processing log, with its schema; empty if it is not known yet.
        choice: How rows are sent.
    """

    schema: str
    json_support: JsonSupport | None = None
    log_table: str = ""
    choice: StrategyChoice = field(default_factory=StrategyChoice)
    _collations: dict[str, dict[str, str]] = field(default_factory=dict)

    def note_tables(self, tables: Mapping[str, ActualTable]) -> None:
        """Note the collations of tables that were read from the catalog, by the names that the contract uses."""
        for name, table in tables.items():
            collations = {column.name.casefold(): column.collation for column in table.columns}
            self._collations |= dict.fromkeys((name, f"{table.schema}.{table.name}"), collations)

    def collation(self, connection: SqlServerConnection, table: TableLayout, column: str) -> str:
        """Return the collation that a column has in the database; empty for none."""
        self._read(connection, [table])
        return self._collations.get(table.table, {}).get(column.casefold(), "")

    def key_collations(self, connection: SqlServerConnection, tables: Sequence[TableLayout]) -> tuple[Collations, ...]:
        """Return the collations of the keys of those tables whose rows may be there already."""
        self._read(connection, [table for table in tables if not table.inserts_always])
        return tuple(
            () if table.inserts_always else tuple((key, self.collation(connection, table, key)) for key in table.key)
            for table in tables
        )

    def _read(self, connection: SqlServerConnection, tables: Sequence[TableLayout]) -> None:
        missing = [table.table for table in tables if table.table not in self._collations]
        if missing:
            self.note_tables(read_catalog(connection, missing, self.schema))
            for name in missing:
                self._collations.setdefault(name, {})
