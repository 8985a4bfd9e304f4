"""What the connections of a run know about a server, and how they choose the way in which rows are sent.

Servers that are not SQL Server are asked about functions of which a load could not notice wrong results: conversions of
parameters, and OPENJSON. Those that a source relies on are in `sources.sqlserver_queries`.

A run begins with JSON, which takes few round trips: a few hundred documents are loaded before there is anything to
measure. A longer run then sends some batches as arrays, unless their round trips alone would take longer.
"""

import json
import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from xml_extractor.connections import DatabaseError, ErrorClass
from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.documents import Row
from xml_extractor.schema.model import ActualTable, Difference, Severity
from xml_extractor.settings import InsertStrategy
from xml_extractor.targets.sqlserver.catalog import read_catalog
from xml_extractor.targets.sqlserver.connection import SqlServerConnection
from xml_extractor.targets.sqlserver.json_batches import JSON, LONGEST_TEXT, Collations, given_query, json_rows
from xml_extractor.targets.sqlserver.statements import parameter, restore_columns, row_binder, select_columns
from xml_extractor.values.sqltypes import Family, SqlType, parse_type
from xml_extractor.values.times import parse_datetime, parse_time

_ANY_TEXT = '"\\/\n\t\x1f' + "€" * (LONGEST_TEXT + 1)
_BYTES = bytes(range(240, 256))

_XML = "<a> <b>Ünï€ 𝄞</b>  </a>"

SAMPLES: Sequence[tuple[str, Any]] = (
    ("bit", True),
    ("bigint", -(2**63)),
    ("decimal(28,9)", Decimal("-1234567890123456789.123456789")),
    ("money", Decimal("-922337203685477.5807")),
    ("float", 0.1 + 0.2),
    ("nvarchar(20)", "Ünï€ 𝄞 ''"),
    ("varbinary(16)", _BYTES),
    ("varbinary(max)", _BYTES),
    ("date", date(2026, 3, 25)),
    ("time(7)", parse_time("09:30:59.1234560")),
    ("datetime", parse_datetime("2026-03-25T09:30:59.123")),
    ("datetime2(6)", parse_datetime("2026-03-25T09:30:59.123456")),
    ("datetime2(7)", parse_datetime("2026-03-25T09:30:59.1234560")),
    ("datetimeoffset(7)", parse_datetime("2026-03-25T09:30:59.1234560-05:30")),
    ("uniqueidentifier", "6F9619FF-8B86-D011-B42D-00C04FC964FF"),
    ("xml", _XML),
)
"""Types, and values that a wrong conversion would change."""

_NESTED = (
    "SELECT d.[key], t.[key], r.n, r.x FROM OPENJSON(?) AS d CROSS APPLY OPENJSON(d.value) AS t "
    "CROSS APPLY OPENJSON(t.value) WITH (n int '$[0]', x nvarchar(9) '$[1]') AS r WHERE t.value <> N'[]'"
)
_DOCUMENTS = [[[], [[1, "€"]]], [[[2, "[]"], [3, None]], []]]
_DOCUMENTS_READ = {(0, 1, 1, "€"), (1, 0, 2, "[]"), (1, 0, 3, None)}


class JsonSupport(NamedTuple):
    """What the server's functions do with JSON.

    Attributes:
        any_text: Whether it reads escapes and long texts.
        families: The types whose values arrive unchanged.
        nested: Whether it reads arrays within arrays.
    """

    any_text: bool
    families: frozenset[Family]
    nested: bool

    def carries(self, table: TableLayout) -> bool:
        """Return whether the values of all columns arrive unchanged."""
        return all(column.type.family in self.families for column in table.columns)


def json_support(connection: SqlServerConnection) -> JsonSupport:
    """Ask the server what it does with JSON, by one statement; outside a transaction, because it may fail.

    Raises:
        DatabaseError: A transient error.
    """
    table, values = probed_table([(parse_type(name), value) for name, value in SAMPLES])
    read = f"SELECT {select_columns(table)} FROM ({given_query(table, {}, 'OPENJSON(?)')}) AS probed"  # noqa: S608 - constants
    statement = f"SELECT c0 FROM OPENJSON(?) WITH (c0 nvarchar(max) '$[0]'); {read}; {_NESTED}"  # noqa: S608 - constants
    parameters = (
        json.dumps([[_ANY_TEXT]]),
        json_rows(table, [row_binder(table)(values)], only_plain=False),
        json.dumps(_DOCUMENTS, ensure_ascii=False),
    )
    try:
        text, [row], nested = connection.results(statement, parameters, [JSON] * len(parameters))
    except (DatabaseError, ValueError) as error:
        if isinstance(error, DatabaseError) and error.error_class is ErrorClass.TRANSIENT:
            raise
        return JsonSupport(any_text=False, families=frozenset(), nested=False)
    changed = _changed(table, values, row)
    return JsonSupport(
        any_text=[tuple(row) for row in text] == [(_ANY_TEXT,)],
        families=frozenset({column.type.family for column in table.columns} - {each.family for each in changed}),
        nested={(int(d), int(t), *others) for d, t, *others in nested} == _DOCUMENTS_READ,
    )


def conversion_differences(connection: SqlServerConnection, tables: Sequence[TableLayout]) -> list[Difference]:
    """Return the columns whose parameters the server converts to other values than SQL Server does.

    Raises:
        DatabaseError: The server cannot be reached, or rejects a conversion.
    """
    converted = [(table, column) for table in tables for column in table.columns if parameter(column.type).place != "?"]
    types = list(dict.fromkeys(column.type for _, column in converted))
    if not types:
        return []
    probed, values = probed_table([(each, _sample(each)) for each in types])
    bound = [parameter(each) for each in types]
    places = ", ".join(f"{each.place} AS [{column.name}]" for each, column in zip(bound, probed.columns, strict=True))
    statement = f"SELECT {select_columns(probed)} FROM (SELECT {places}) AS probed"  # noqa: S608 - constants
    odbc_types = [each.odbc_type for each in bound]
    [[read]] = connection.results(statement, row_binder(probed)(values), odbc_types)
    changed = _changed(probed, values, read)
    return [
        Difference(
            Severity.ERROR,
            table.name,
            table.table,
            column.name,
            f"a server that converts text to {column.type} as SQL Server does",
            "one that returns another value",
            "choose another type for the column",
        )
        for table, column in converted
        if column.type in changed
    ]


def probed_table(samples: Sequence[tuple[SqlType, Any]]) -> tuple[TableLayout, Row]:
    """Return a table with a column for each of these types and values, and the row of the values."""
    columns = tuple(ColumnLayout(f"v{position}", sql_type) for position, (sql_type, _) in enumerate(samples))
    return TableLayout("probe", "probe", columns, (), (), (), "fail"), tuple(value for _, value in samples)


def _changed(table: TableLayout, values: Row, read: Sequence[Any]) -> set[SqlType]:
    return {
        column.type
        for column, value, found in zip(table.columns, values, restore_columns(table)(read), strict=True)
        if (str(found).upper() if column.type.family is Family.GUID else found) != value
    }


def _sample(sql_type: SqlType) -> Any:
    """Return a value of a type whose parameters are converted."""
    fraction = f".{'1234560'[: sql_type.scale]}" if sql_type.scale else ""
    match sql_type.family:
        case Family.DECIMAL:
            return Decimal("-0.25")
        case Family.TIME:
            return parse_time(f"09:30:59{fraction}")
        case Family.DATETIME:
            return parse_datetime(f"2026-03-25T09:30:59{fraction}")
        case Family.OFFSET:
            return parse_datetime(f"2026-03-25T09:30:59{fraction}-05:30")
        case _:
            return _XML


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
    """

    def __init__(self) -> None:
        self.strategy: InsertStrategy = "json"
        self.chosen: InsertStrategy = "json"
        self._is_made = False
        self._lock = threading.Lock()
        self._seconds = 0.0
        self._batches: defaultdict[InsertStrategy, list[tuple[int, float]]] = defaultdict(list)

    def note(
        self, strategy: InsertStrategy, tables: int, rows: int, seconds: float, measure_round_trip: Callable[[], float]
    ) -> None:
        """Note a batch that was inserted without errors, and choose once both strategies are measured.

        Args:
            strategy: How it was sent.
            tables: The number of tables that it filled.
            rows: The number of rows.
            seconds: How long it took.
            measure_round_trip: Returns the seconds of a round trip; called before arrays are tried.
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
                round_trip = measure_round_trip()
                logger.info("Round trip to the target %.1f ms", round_trip * 1000)
                least = tables * ROUND_TRIPS_OF_ARRAY * round_trip
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
            self.note_tables(read_catalog(connection, missing, self.schema, with_rules=False))
            for name in missing:
                self._collations.setdefault(name, {})
