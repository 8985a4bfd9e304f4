"""Faults in loaded tables that `verify` must find: `python -m tests.faults.verify [--faults 10000] [--seed S]`.

Each round loads documents of one kind, changes single rows of the tables behind the program's back, each in another
document, and compares. Every change must be reported with its document, table and column, and nothing else.
"""

import argparse
import random
import sqlite3
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from tests import sqlserver
from tests.faults.verified_kinds import KINDS, write_documents
from tests.in_process import RUN_ID, STARTED_AT, load, outcomes, verify
from xml_extractor.contract.layout import ColumnLayout, TableLayout, layouts
from xml_extractor.contract.own_rows import key_columns
from xml_extractor.contract.reading import read_contract
from xml_extractor.documents import Row, RunValues, SourceDocument, Value
from xml_extractor.mapping import compile_plan, map_document
from xml_extractor.parsing import DocumentParser, parsing_rules
from xml_extractor.processing_log.log import ProcessingLog
from xml_extractor.quality.differences import Difference, Kind
from xml_extractor.quality.verification_report import VerificationReport
from xml_extractor.records import open_documents
from xml_extractor.targets.registry import open_target
from xml_extractor.targets.sqlite.values import storage
from xml_extractor.values.sqltypes import INTEGER_RANGES, Family, SqlType


class Place(NamedTuple):
    """A row of a table, and its document."""

    document: str
    table: TableLayout
    row: Row


class Fault(NamedTuple):
    """A change of a table.

    Attributes:
        kind: `cell`, `deleted`, `added`, `duplicated` or `moved`.
        columns: The columns that were changed.
        has_owner: Whether the table says which document a row belongs to.
        other: The document that a row was moved to.
    """

    kind: str
    document: str
    table: str
    columns: tuple[str, ...] = ()
    has_owner: bool = True
    other: str = ""


@dataclass
class Loaded:
    """Documents that were loaded, and the target.

    Attributes:
        places: What the documents have in the tables, computed without the code under test.
    """

    contract_path: str
    source: str
    target: str
    places: list[Place] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.contract = read_contract(self.contract_path)
        self.tables = {table.name: table for table in layouts(self.contract)}
        self.columns = key_columns(self.contract)

    def load(self) -> None:
        """Load all documents, and map them once more to know what is where."""
        target = open_target(self.target, self.contract)
        target.create(list(self.tables.values()))
        assert outcomes(load(self.contract_path, self.source, self.target))["loaded"]
        plan, parser = compile_plan(self.contract), DocumentParser(parsing_rules(self.contract))
        with closing(open_documents(self.source, self.contract)) as source, closing(target.connect()) as connection:
            log, values = ProcessingLog(connection), RunValues(RUN_ID, STARTED_AT, source.name)
            for page in source.key_pages(1000):
                logged = log.find(self.contract.contract, [str(key) for key in page.keys])
                for document in source.fetch(page.keys, whole=True):
                    entry = logged.get(str(document.key))
                    if entry is not None and entry.status == "loaded" and isinstance(document, SourceDocument):
                        root = parser.parse(document.content, document.envelope)
                        mapped = map_document(plan, root, document.key, values)
                        self.places += [
                            Place(str(document.key), table, row)
                            for table, rows in zip(self.tables.values(), mapped, strict=True)
                            for row in rows
                        ]

    def verify(self) -> VerificationReport:
        """Compare source and target."""
        return verify(self.contract_path, self.source, self.target)


class Seeder:
    """Changes rows, each in a document that nothing else has changed.

    Args:
        loaded: Where.
        chance: Decides what.
        execute: Executes a statement that changes one row of the target; returns False if the target refuses it.
        is_server: Whether the target is a server.
    """

    def __init__(
        self, loaded: Loaded, chance: random.Random, execute: Callable[[str, Sequence[Any]], bool], *, is_server: bool
    ) -> None:
        self._loaded = loaded
        self._chance = chance
        self._execute = execute
        self._is_server = is_server
        self._used: set[str] = set()
        self._unowned: dict[str, Callable[[Place], Fault | None]] = {}
        self._by_table: dict[str, list[Place]] = defaultdict(list)
        self._owners: Counter[tuple[str, Row]] = Counter()
        for place in loaded.places:
            self._by_table[place.table.name].append(place)
            self._owners[place.table.name, self._key(place)] += 1
        self._names = [name for name, places in self._by_table.items() if places]
        self._makers = (self._cell, self._cell, self._delete, self._add, self._duplicate, self._move)

    def faults(self, number: int) -> list[Fault]:
        """Make up to this many faults."""
        found: list[Fault] = []
        for _ in range(number * 30):
            if len(found) == number:
                break
            place = self._chance.choice(self._by_table[self._chance.choice(self._names)])
            if place.document in self._used or self._owners[place.table.name, self._key(place)] > 1:
                continue  # of a row that documents share, nobody knows whose it is
            make = self._chance.choice(self._makers)
            if (
                self._loaded.columns[place.table.name] is None
                and self._unowned.setdefault(place.table.name, make) != make
            ):
                continue  # a row deleted and one added, of which nobody knows whose they are, are one row that changed
            fault = make(place)
            if fault is not None:
                self._used.add(place.document)
                found.append(fault)
        return found

    def _cell(self, place: Place) -> Fault | None:
        """Change one value."""
        position = self._chance.randrange(len(place.table.columns))
        column = place.table.columns[position]
        value = place.row[position]
        is_free = not column.required and column.name not in place.table.key
        if value is not None and is_free and self._chance.random() < 0.2:
            changed: Value = None
        elif value is None:
            changed = ANY_VALUE[column.type.family]
        else:
            changed = self._other(column.type, value)
        if (changed is None and value is None) or changed == value:
            return None
        if self._leads_to_document(place.table, column.name):
            there = {other.document for other in self._by_table[place.table.name] if other.row[position] == changed}
            if there & self._used:
                return None
            self._used |= there
        return self._update(place, {position: changed}, "cell")

    def _delete(self, place: Place) -> Fault | None:
        where, values = self._where(place)
        return self._done(place, "deleted", f"DELETE FROM {self._name(place.table)} WHERE {where}", values)

    def _add(self, place: Place) -> Fault | None:
        """Insert a copy that differs in a column of the key, or in some column if there is no key."""
        table = place.table
        free = [
            position
            for position, column in enumerate(table.columns)
            if (column.name in table.key or not table.key) and not self._leads_to_document(table, column.name)
        ]
        if not free:
            return None
        position = self._chance.choice(free)
        if place.row[position] is None:
            return None
        other = self._other(table.columns[position].type, place.row[position])
        return self._insert(place, {position: other}, "added")

    def _duplicate(self, place: Place) -> Fault | None:
        return self._insert(place, {}, "duplicated") if not place.table.key else None

    def _move(self, place: Place) -> Fault | None:
        """Let a row belong to a row of another document."""
        table = place.table
        foreign_keys = [key for key in table.foreign_keys if key.table != table.name]
        if not foreign_keys:
            return None
        key = self._chance.choice(foreign_keys)
        other = self._chance.choice(self._by_table[key.table])
        if other.document == place.document or other.document in self._used:
            return None
        parent = dict(zip((column.name for column in other.table.columns), other.row, strict=True))
        changed: dict[int, Value] = {}
        pairs = dict(zip(key.columns, key.references, strict=True))
        own = self._loaded.columns[table.name]
        theirs = self._loaded.columns[key.table]
        if own is not None and theirs is not None and not own.links and not theirs.links:
            pairs.setdefault(own.column.name, theirs.column.name)
        for position, column in enumerate(table.columns):
            if column.name in pairs and place.row[position] != parent[pairs[column.name]]:
                changed[position] = parent[pairs[column.name]]
        if not changed:
            return None
        fault = self._update(place, changed, "moved")
        if fault is not None:
            self._used.add(other.document)
            fault = fault._replace(other=other.document)
        return fault

    def _leads_to_document(self, table: TableLayout, column: str) -> bool:
        """Whether a column says which document or parent row a row belongs to."""
        own = self._loaded.columns[table.name]
        is_key = own is not None and not own.links and own.column.name == column
        return is_key or any(column in key.columns for key in table.foreign_keys)

    def _update(self, place: Place, changed: dict[int, Value], kind: str) -> Fault | None:
        columns = place.table.columns
        assigned = ", ".join(
            f"{self._quoted(columns[position].name)} = {self._place(columns[position])}" for position in changed
        )
        values = [self._bound(columns[position], value) for position, value in changed.items()]
        where, key = self._where(place)
        names = tuple(columns[position].name for position in changed)
        return self._done(
            place, kind, f"UPDATE {self._name(place.table)} SET {assigned} WHERE {where}", [*values, *key], names
        )

    def _insert(self, place: Place, changed: dict[int, Value], kind: str) -> Fault | None:
        columns = place.table.columns
        row = [changed.get(position, value) for position, value in enumerate(place.row)]
        names = ", ".join(self._quoted(column.name) for column in columns)
        places = ", ".join(map(self._place, columns))
        bound = [self._bound(column, value) for column, value in zip(columns, row, strict=True)]
        return self._done(place, kind, f"INSERT INTO {self._name(place.table)} ({names}) VALUES ({places})", bound)

    def _done(
        self, place: Place, kind: str, statement: str, values: Sequence[Any], columns: tuple[str, ...] = ()
    ) -> Fault | None:
        if not self._execute(statement, values):
            return None
        has_owner = self._loaded.columns[place.table.name] is not None
        return Fault(kind, place.document, place.table.name, columns, has_owner)

    def _where(self, place: Place) -> tuple[str, list[Any]]:
        table = place.table
        known = [
            (column, value)
            for column, value in zip(table.columns, place.row, strict=True)
            if column.name in table.key or not table.key
        ]
        if self._is_server:
            same = " AND ".join(
                f"{self._quoted(column.name)} = {self._place(column)}"
                if value is not None
                else f"{self._quoted(column.name)} IS NULL"
                for column, value in known
            )
            return same, [self._bound(column, value) for column, value in known if value is not None]
        same = " AND ".join(f"{self._quoted(column.name)} IS ?" for column, _ in known)
        one = f"rowid = (SELECT rowid FROM {self._name(table)} WHERE {same} LIMIT 1)"
        return one, [self._bound(column, value) for column, value in known]

    def _key(self, place: Place) -> Row:
        names = place.table.key
        return tuple(
            value
            for column, value in zip(place.table.columns, place.row, strict=True)
            if column.name in names or not names
        )

    def _bound(self, column: ColumnLayout, value: Value) -> Any:
        convert = None if self._is_server else storage(column.type).to_sqlite
        if (
            value is not None
            and self._is_server
            and column.type.family in (Family.DATETIME, Family.OFFSET, Family.TIME)
        ):
            return str(value)
        return convert(value) if convert and value is not None else value

    def _place(self, column: ColumnLayout) -> str:
        return f"CAST(? AS {column.type})" if self._is_server else "?"

    def _name(self, table: TableLayout) -> str:
        name = table.table.rpartition(".")[2]
        return f"[{sqlserver.schema_of(self._loaded.target)}].[{name}]" if self._is_server else self._quoted(name)

    def _quoted(self, name: str) -> str:
        return f"[{name}]" if self._is_server else f'"{name}"'

    def _other(self, sql_type: SqlType, value: Any) -> Value:
        """Another value of a type."""
        other = OTHERS.get(sql_type.family)
        return self._other_text(str(value)) if other is None else other(sql_type, value)

    def _other_text(self, text: str) -> str:
        if not text:
            return "x"
        position = self._chance.randrange(len(text))
        letter = text[position]
        swapped = letter.swapcase()
        new = (
            swapped
            if swapped != letter and len(swapped) == 1 and swapped.isascii() and self._chance.random() < 0.3
            else "x"
            if letter != "x"
            else "y"
        )
        if self._is_server and new == swapped:  # in a key it may be the same to the server
            new = "x" if letter.lower() != "x" else "y"
        return text[:position] + new + text[position + 1 :]


def _other_integer(sql_type: SqlType, value: int) -> int:
    return value + (1 if value < INTEGER_RANGES[sql_type.name][1] else -1)


def _other_decimal(sql_type: SqlType, value: Decimal) -> Decimal:
    least = Decimal(1).scaleb(-(4 if sql_type.family is Family.MONEY else sql_type.scale))
    return value - least if value > 0 else value + least


OTHERS: dict[Family, Callable[[SqlType, Any], Value]] = {
    Family.BIT: lambda _, value: not value,
    Family.INTEGER: _other_integer,
    Family.DECIMAL: _other_decimal,
    Family.MONEY: _other_decimal,
    Family.FLOAT: lambda _, value: float(value) * 1.5 + 1,
    Family.DATE: lambda _, value: value + timedelta(days=1 if value.year < 9000 else -1),
    Family.DATETIME: lambda _, value: value - timedelta(minutes=1),
    Family.OFFSET: lambda _, value: value - timedelta(minutes=1),
    Family.TIME: lambda _, value: value.replace(minute=(value.minute + 1) % 60),
    Family.BINARY: lambda _, value: bytes([value[0] ^ 1]) + value[1:] if value else b"\1",
    Family.GUID: lambda _, value: f"{'1' if value[0] == '0' else '0'}{value[1:]}",
    Family.XML: lambda _, value: f"{value}<changed/>",
}
"""Functions that give another value of a type."""

ANY_VALUE: dict[Family, Value] = {
    Family.BIT: True,
    Family.INTEGER: 1,
    Family.DECIMAL: Decimal(1),
    Family.MONEY: Decimal(1),
    Family.FLOAT: 1.5,
    Family.TEXT: "x",
    Family.BINARY: b"\1",
    Family.GUID: "00000000-0000-0000-0000-000000000001",
    Family.XML: "<x/>",
}
ANY_VALUE |= dict.fromkeys((Family.DATE, Family.TIME, Family.DATETIME, Family.OFFSET))


KINDS_OF = {
    "cell": {Kind.CHANGED, Kind.MOVED, Kind.ORPHANED},
    "deleted": {Kind.MISSING},
    "added": {Kind.ADDED},
    "duplicated": {Kind.DUPLICATED},
    "moved": {Kind.MOVED, Kind.CHANGED, Kind.ORPHANED},
}


def descendants(loaded: Loaded, table: str) -> set[str]:
    """The tables whose rows lead to rows of a table."""
    found = {table}
    while True:
        more = {
            name for name, each in loaded.tables.items() if any(key.table in found for key in each.foreign_keys)
        } - found
        if not more:
            return found - {table} | (
                {table} if any(k.table == table for k in loaded.tables[table].foreign_keys) else set()
            )
        found |= more


def wrong(loaded: Loaded, faults: Sequence[Fault], differences: Sequence[Difference]) -> tuple[list[str], int]:
    """What is not reported as it should be, and how many rows that moved are reported where they were and are."""
    at: dict[str, list[Difference]] = defaultdict(list)
    for difference in differences:
        at[difference.document].append(difference)
    found, ends = [], 0
    known = {fault for fault in faults if is_known_by_both_ends(fault, at[fault.document], at)}
    for fault in faults:
        there = at.pop(fault.document, [])
        if fault in known:
            ends += fault.has_owner
            continue
        mine = [each for each in there if is_reported_by(fault, each)]
        if not mine:
            found.append(f"not found: {fault}; but {[shown(each) for each in there]}")
            continue
        below = descendants(loaded, fault.table)
        found += [
            f"more than {fault}: {shown(each)}"
            for each in there
            if each is not mine[0] and not (each.table in below and each.kind in (Kind.ORPHANED, Kind.MOVED))
        ]
    return found + [f"not made: {shown(each)}" for rest in at.values() for each in rest], ends


def is_reported_by(fault: Fault, difference: Difference) -> bool:
    """Whether a difference reports a fault."""
    columns = set(difference.columns)
    is_right = columns <= set(fault.columns) if fault.columns else True
    return difference.table == fault.table and difference.kind in KINDS_OF[fault.kind] and is_right


def is_known_by_both_ends(fault: Fault, there: Sequence[Difference], at: dict[str, list[Difference]]) -> bool:
    """Whether a fault is reported as far as it can be, and takes the other half of the report.

    If a row belongs elsewhere now, and other rows that are like it are missing or added, nobody knows which of them it
    is: it is missing in one place and added in the other. A row of a table that does not say whose it is, is added.
    """
    if fault.kind == "added" and not fault.has_owner:
        halves = [each for each in at[""] if (each.kind, each.table) == (Kind.UNKNOWN_ROW, fault.table)][:1]
    elif fault.columns and [(each.kind, each.table) for each in there] == [(Kind.MISSING, fault.table)]:
        kinds = (Kind.ADDED, Kind.UNKNOWN_ROW, Kind.ORPHANED)
        halves = [
            each
            for others in list(at.values())
            for each in others
            if ((each.kind in kinds and not each.expected) or is_alike(fault, each))
            and (each.table, each.likeness) == (fault.table, there[0].likeness)
        ][:1]
    else:
        return False
    for half in halves:
        at[half.document].remove(half)
    return bool(halves)


def is_alike(fault: Fault, difference: Difference) -> bool:
    """Whether a row moved to where the same row is already, in a table without a key."""
    return difference.kind is Kind.DUPLICATED and fault.kind == "moved" and difference.document == fault.other


def shown(difference: Difference) -> str:
    """A difference in a line."""
    place = f"{difference.document!r} {difference.table} {difference.key} {difference.columns}"
    return f"{difference.kind} {place} {difference.detail}"


@contextmanager
def seeding(loaded: Loaded) -> Iterator[Callable[[str, Sequence[Any]], bool]]:
    """A function that executes statements in the target, past its foreign keys; it returns False if it is refused."""
    if loaded.target.startswith("sqlite"):
        with closing(sqlite3.connect(loaded.target.removeprefix("sqlite:///"))) as database:

            def execute(statement: str, values: Sequence[Any]) -> bool:
                with suppress(sqlite3.IntegrityError):
                    changed = database.execute(statement, values).rowcount
                    assert changed == 1, (statement, changed)
                    return True
                return False

            yield execute
            database.commit()
        return
    import pyodbc

    with closing(sqlserver.session()) as session:
        schema = sqlserver.schema_of(loaded.target)
        keys = session.execute(
            "SELECT OBJECT_NAME(parent_object_id), name FROM sys.foreign_keys WHERE SCHEMA_NAME(schema_id) = ?", schema
        ).fetchall()
        for table, name in keys:
            session.execute(f"ALTER TABLE [{schema}].[{table}] DROP CONSTRAINT [{name}]")

        def execute_there(statement: str, values: Sequence[Any]) -> bool:
            with suppress(pyodbc.Error):
                changed = session.execute(f"{statement}; SELECT @@ROWCOUNT", *values).fetchval()
                assert changed == 1, (statement, changed)
                return True
            return False

        yield execute_there


def one_round(kind: str, documents: int, faults: int, chance: random.Random, target: str, folder: Path) -> Counter[str]:
    """Load documents of a kind, see that nothing differs, change rows, and see that all changes are found."""
    digits = 7 if target.startswith("sqlite") or sqlserver.is_sql_server() else 6
    contract, source = write_documents(kind, documents, folder, chance.randrange(2**31), digits)
    loaded = Loaded(contract, source, target)
    loaded.load()
    clean = loaded.verify()
    assert clean.holds, [shown(each) for each in clean.differences[:10]]
    with seeding(loaded) as execute:
        seeder = Seeder(loaded, chance, execute, is_server=not target.startswith("sqlite"))
        made = seeder.faults(faults)
    report = loaded.verify()
    problems, ends = wrong(loaded, made, report.differences)
    for problem in problems[:20]:
        print(f"  {kind}: {problem}", flush=True)
    counts = Counter(fault.kind for fault in made)
    counts["wrong"], counts["both ends"] = len(problems), ends
    counts["documents"] = clean.compared
    return counts


def main() -> int:
    """Run rounds until enough faults were made; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=10_000)
    parser.add_argument("--documents", type=int, default=500, help="of each round")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", choices=KINDS, default=None, help="only this kind of documents")
    parser.add_argument("--server", action="store_true", help=f"on the server of {sqlserver.VARIABLE}")
    arguments = parser.parse_args()
    total: Counter[str] = Counter()
    number = 0
    while sum(total[kind] for kind in KINDS_OF) < arguments.faults:
        kind = arguments.kind or KINDS[number % len(KINDS)]
        seed = arguments.seed + number
        per_round = min(arguments.faults, arguments.documents * 2 // 3)
        with (
            tempfile.TemporaryDirectory() as folder,
            target_of(Path(folder), is_server=arguments.server) as target,
        ):
            counts = one_round(kind, arguments.documents, per_round, random.Random(seed), target, Path(folder))
        total += counts
        print(f"{kind} (seed {seed}): {dict(counts)}", flush=True)
        number += 1
    print(f"{sum(total[kind] for kind in KINDS_OF):,} faults: {dict(total)}")
    return 1 if total["wrong"] else 0


@contextmanager
def target_of(folder: Path, *, is_server: bool) -> Iterator[str]:
    """The address of an empty target."""
    if not is_server:
        yield f"sqlite:///{folder / 'target.db'}"
        return
    with sqlserver.scratch_schema() as schema:
        yield sqlserver.in_schema(schema)


if __name__ == "__main__":
    sys.exit(main())
