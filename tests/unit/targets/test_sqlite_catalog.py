"""What SQLite says of its tables, and how it differs from what a contract needs."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from tests.database.demo_tables import CONTRACT, LINES, NOTES, ORDERS, TABLES
from xml_extractor.contract.layout import ColumnLayout, layouts
from xml_extractor.contract.reading import read_contract, shipped_contracts
from xml_extractor.documents import Value
from xml_extractor.errors import TargetError
from xml_extractor.schema.model import ActualForeignKey, ActualTable
from xml_extractor.targets.interfaces import Target
from xml_extractor.targets.registry import open_target
from xml_extractor.targets.sqlite.connection import SqliteConnection, SqliteFile
from xml_extractor.targets.sqlite.target import missing_codes, read_catalog
from xml_extractor.values.sqltypes import parse_type


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "target.db"


@pytest.fixture
def database(path: Path) -> Iterator[SqliteConnection]:
    with closing(SqliteFile(path).connect()) as opened:
        yield opened


@pytest.fixture
def target(path: Path) -> Target:
    return open_target(f"sqlite:///{path}", CONTRACT)


def table(database: SqliteConnection, definition: str) -> ActualTable:
    """A table `t` as the catalog has it."""
    database.execute(f"CREATE TABLE t ({definition})")
    return read_catalog(database, ["t"])["t"]


def test_tables_that_a_run_made_do_not_differ(target: Target) -> None:
    target.create(TABLES)
    assert target.differences(TABLES) == []


@pytest.mark.parametrize("name", shipped_contracts())
def test_tables_of_shipped_contracts_do_not_differ(target: Target, name: str) -> None:
    tables = layouts(read_contract(name))
    target.create(tables)
    assert target.differences(tables) == []


def test_what_the_next_run_makes_is_a_warning_and_nothing_is_made_by_looking(path: Path, target: Target) -> None:
    found = target.differences(TABLES)
    assert [str(difference) for difference in found] == [
        f"warning: {where}: expected a table, found none; the next run creates it"
        for where in (
            "processing_log",
            "processing_log_runs",
            "orders in demo_orders",
            "lines in demo_lines",
            "notes in demo_notes",
        )
    ]
    assert not path.exists()


def test_all_differences_are_found_errors_first(database: SqliteConnection, target: Target) -> None:
    database.execute("CREATE TABLE Demo_Orders (order_id INTEGER PRIMARY KEY, region TEXT NOT NULL)")
    database.execute("CREATE TABLE demo_lines (order_id INT, line_no INT, article TEXT NOT NULL)")
    database.execute("CREATE TABLE demo_notes (order_id INT NOT NULL, text TEXT NOT NULL, note_id INTEGER)")
    found = target.differences([ORDERS, replace(LINES, on_conflict="replace"), NOTES])
    assert [str(difference).partition("; ")[0] for difference in found] == [
        "error: orders.customer in Demo_Orders: expected a column of type nvarchar(40), found none",
        (
            "error: orders.region in Demo_Orders: expected a column that can be omitted, "
            "found TEXT NOT NULL without a default"
        ),
        (
            "error: lines in demo_lines: expected a primary key or unique index over (order_id, line_no) and no other "
            "column, found none"
        ),
        (
            "error: notes.note_id in demo_notes: expected a column that the database fills, "
            "found INTEGER without IDENTITY or default"
        ),
        "warning: processing_log: expected a table, found none",
        "warning: processing_log_runs: expected a table, found none",
        (
            'warning: lines in demo_lines: expected FOREIGN KEY (order_id) REFERENCES "Demo_Orders" (order_id), found '
            "none, so rows without a parent are accepted"
        ),
        (
            "warning: notes.text in demo_notes: expected a nullable column, found NOT NULL, so documents "
            "without a value are rejected"
        ),
        (
            "warning: notes in demo_notes: expected a primary key or unique index over (note_id) and no other column, "
            "found none"
        ),
        (
            'warning: notes in demo_notes: expected FOREIGN KEY (order_id) REFERENCES "Demo_Orders" (order_id), found '
            "none, so rows without a parent are accepted"
        ),
    ]


def test_remedies_are_statements_that_sqlite_takes(database: SqliteConnection, target: Target) -> None:
    target.create(TABLES)
    database.execute("DROP TABLE demo_lines")
    database.execute("CREATE TABLE demo_lines (order_id INTEGER REFERENCES demo_orders, line_no INTEGER)")
    for difference in target.differences([ORDERS, replace(LINES, on_conflict="keep"), NOTES]):
        database.execute(difference.remedy)
    assert target.differences(TABLES) == []


@pytest.mark.parametrize("declared", ["", "ANY", "TEXT", "NVARCHAR(40)", "CLOB", "BLOB"])
def test_types_that_change_no_value_are_not_compared(database: SqliteConnection, target: Target, declared: str) -> None:
    database.execute(f"CREATE TABLE demo_orders (order_id BLOB PRIMARY KEY, customer {declared})")
    target.create(TABLES)
    assert target.differences(TABLES) == []


@pytest.mark.parametrize("declared", ["INTEGER", "REAL", "NUMERIC", "STRING", "CHARINT"])
def test_a_column_that_makes_numbers_of_texts_is_an_error(
    database: SqliteConnection, target: Target, declared: str
) -> None:
    database.execute(f"CREATE TABLE demo_orders (order_id INTEGER PRIMARY KEY, customer {declared})")
    target.create(TABLES)
    assert [str(difference) for difference in target.differences(TABLES)] == [
        (
            f"error: orders.customer in demo_orders: expected nvarchar(40), found {declared}, which changes text that "
            "looks like a number; load into a new file"
        )
    ]
    database.execute("INSERT INTO demo_orders VALUES (1, '007')")
    assert next(database.query("SELECT customer FROM demo_orders"))[0] == 7


def test_a_file_that_is_no_database_cannot_be_compared(path: Path, target: Target) -> None:
    path.write_bytes(b"no database " * 100)
    with pytest.raises(TargetError, match="is not a SQLite database"):
        target.differences(TABLES)


def test_a_view_is_told_from_a_table(database: SqliteConnection, target: Target) -> None:
    target.create(TABLES)
    database.execute("ALTER TABLE demo_notes RENAME TO notes_behind")
    database.execute("CREATE VIEW demo_notes AS SELECT order_id, text, note_id FROM notes_behind")
    (found,) = target.differences(TABLES)
    assert found.found == "a view, whose keys, defaults and IDENTITY columns are not visible"


def test_a_single_integer_key_is_numbered_by_sqlite(database: SqliteConnection) -> None:
    found = table(database, "id INTEGER PRIMARY KEY NOT NULL, v INT")
    assert found.key == ("id",)
    assert [(column.name, column.has_default, column.nullable) for column in found.columns] == [
        ("id", True, True),
        ("v", False, True),
    ]


@pytest.mark.parametrize("declared", ["INT PRIMARY KEY", "TEXT PRIMARY KEY", "INTEGER PRIMARY KEY DESC"])
def test_another_key_is_not_numbered(database: SqliteConnection, declared: str) -> None:
    (column,) = table(database, f"id {declared} NOT NULL").columns
    assert (column.has_default, column.nullable) == (False, False)


def test_keys_have_their_columns_in_their_order_and_partial_indexes_are_none(database: SqliteConnection) -> None:
    database.execute("CREATE TABLE t (a, b, c, UNIQUE (c, a), PRIMARY KEY (b, a))")
    database.execute("CREATE INDEX plain ON t (a)")
    database.execute("CREATE UNIQUE INDEX partial ON t (b) WHERE b IS NOT NULL")
    database.execute("CREATE UNIQUE INDEX computed ON t (lower(c))")
    found = read_catalog(database, ["t"])["t"]
    assert (found.key, found.unique_keys) == (("b", "a"), (("c", "a"),))


def test_generated_columns_and_defaults_are_known(database: SqliteConnection) -> None:
    found = table(database, "a INT, b INT AS (a + 1), c INT AS (a + 2) STORED, d INT NOT NULL DEFAULT 0")
    assert [(column.name, column.computed, column.has_default) for column in found.columns] == [
        ("a", False, False),
        ("b", True, False),
        ("c", True, False),
        ("d", False, True),
    ]


def test_foreign_keys_have_their_references_even_where_they_name_none(database: SqliteConnection) -> None:
    database.execute("CREATE TABLE parent (x, y, PRIMARY KEY (y, x))")
    found = table(
        database,
        "a, b, c REFERENCES codes (code), d REFERENCES absent, FOREIGN KEY (a, b) REFERENCES parent",
    )
    assert sorted(found.foreign_keys, key=lambda key: key.table) == [
        ActualForeignKey(("c",), "", "codes", ("code",)),
        ActualForeignKey(("a", "b"), "", "parent", ("y", "x")),
    ]


CODES: list[tuple[str, str, list[Value], list[Value]]] = [
    ("tinyint", "INTEGER", [1, 2, 3], [2]),
    ("varchar(5)", "TEXT COLLATE NOCASE", ["a", "b", "C"], ["b"]),
    ("decimal(5,2)", "DECIMAL(5, 2)", [Decimal("1.00"), Decimal("2.50"), Decimal("3.00")], [Decimal("2.50")]),
    ("decimal(20,2)", "TEXT", [Decimal("1.00"), Decimal("2.50"), Decimal("3.00")], [Decimal("2.50")]),
    ("bit", "INTEGER", [True, False], [False]),
]


@pytest.mark.parametrize(("type_name", "declared", "codes", "missing"), CODES)
def test_codes_are_looked_for_as_the_database_keeps_them(
    database: SqliteConnection, type_name: str, declared: str, codes: list[Value], missing: list[Value]
) -> None:
    there = {"tinyint": (1, 3), "varchar(5)": ("A", "c"), "decimal(20,2)": ("1.00", "3.00")}.get(type_name, (1, 3))
    database.execute(f"CREATE TABLE codes (code {declared})")
    database.driver.executemany("INSERT INTO codes VALUES (?)", [(value,) for value in there])
    key = ActualForeignKey(("v",), "", "codes", ("code",))
    assert missing_codes(database, key, parse_type(type_name), codes) == missing


def test_a_run_is_refused_while_a_lookup_table_lacks_codes(database: SqliteConnection, target: Target) -> None:
    state = ColumnLayout("state", parse_type("tinyint"), constants=(1, 2, 3))
    tables = [replace(ORDERS, columns=(*ORDERS.columns, state)), LINES, NOTES]
    database.execute("CREATE TABLE states (id INTEGER PRIMARY KEY)")
    database.execute("INSERT INTO states VALUES (1)")
    database.execute("CREATE TABLE demo_orders (order_id INTEGER PRIMARY KEY, customer TEXT, state REFERENCES states)")
    with pytest.raises(TargetError, match="found 2 of 3 missing: 2, 3"):
        target.prepare(tables)
    database.execute("INSERT INTO states VALUES (2), (3)")
    target.prepare(tables)
    assert target.differences(tables) == []


def test_a_run_is_refused_where_tables_refer_to_later_ones(database: SqliteConnection, target: Target) -> None:
    database.execute(
        "CREATE TABLE demo_orders (order_id INTEGER PRIMARY KEY REFERENCES demo_notes (order_id), customer TEXT)"
    )
    with pytest.raises(TargetError, match="move table notes before table orders in the contract"):
        target.prepare(TABLES)
