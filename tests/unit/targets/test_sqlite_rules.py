"""Rules of SQLite's tables beside the contract: `check` warns of each, and a row that violates one is explained."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.database.demo_tables import CONTRACT, LINES, ORDERS
from xml_extractor.connections import DatabaseError
from xml_extractor.schema.model import Severity
from xml_extractor.targets.interfaces import Target
from xml_extractor.targets.registry import open_target


@pytest.fixture
def target(tmp_path: Path) -> Target:
    target = open_target(f"sqlite:///{tmp_path / 'rules.db'}", CONTRACT)
    target.create([ORDERS, LINES])
    return target


@pytest.fixture
def database(target: Target, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "rules.db", isolation_level=None)) as opened:
        yield opened


def test_tables_as_they_are_created_have_no_rule_of_their_own(target: Target) -> None:
    assert target.differences([ORDERS, LINES]) == []


RULES = {
    "CREATE UNIQUE INDEX ux_customer ON demo_orders (customer)": "unique index ux_customer (customer)",
    "CREATE UNIQUE INDEX ux ON demo_orders (customer) WHERE customer <> ''": "filtered unique index ux (customer)",
    "CREATE UNIQUE INDEX ux_lower ON demo_orders (LOWER(customer))": "unique index ux_lower",
    "CREATE TRIGGER watch BEFORE INSERT ON demo_orders BEGIN SELECT 1; END": "trigger watch",
    "ALTER TABLE demo_orders ADD c INT CONSTRAINT never CHECK (c > 5)": "CHECK constraint never",
    "ALTER TABLE demo_orders ADD d INT AS (order_id + 1)": "generated column d",
    "ALTER TABLE demo_orders ADD e INT CHECK (e > 5)": "CHECK constraint",
}


@pytest.mark.parametrize("statement", RULES)
def test_each_rule_that_may_reject_a_row_is_a_warning(
    target: Target, database: sqlite3.Connection, statement: str
) -> None:
    database.execute(statement)
    (found,) = target.differences([ORDERS, LINES])
    assert (found.severity, found.table, found.found) == (Severity.WARNING, "orders", RULES[statement])


def test_indexes_that_the_key_implies_are_no_warning(target: Target, database: sqlite3.Connection) -> None:
    database.execute("CREATE UNIQUE INDEX wide ON demo_orders (customer, order_id)")
    database.execute("CREATE INDEX plain ON demo_orders (customer)")
    assert target.differences([ORDERS, LINES]) == []


def test_a_foreign_key_to_a_table_that_is_not_loaded_is_a_warning(target: Target, database: sqlite3.Connection) -> None:
    database.execute("DROP TABLE demo_lines")
    database.execute("CREATE TABLE articles (name TEXT PRIMARY KEY)")
    columns = ", ".join(f"{column.name} TEXT" for column in LINES.columns if column.name != "article")
    key = f"PRIMARY KEY ({', '.join(LINES.key)}), FOREIGN KEY (order_id) REFERENCES demo_orders (order_id)"
    database.execute(f"CREATE TABLE demo_lines ({columns}, article TEXT REFERENCES articles (name), {key})")
    (found,) = target.differences([ORDERS, LINES])
    assert found.found == "foreign key (article) to articles, which is not loaded"


@pytest.mark.parametrize(
    ("statement", "explanation"),
    [
        ("CREATE UNIQUE INDEX ux_customer ON demo_orders (customer)", "(unique index ux_customer)"),
        ("CREATE UNIQUE INDEX ux_lower ON demo_orders (LOWER(customer))", "(index ux_lower)"),
        ("ALTER TABLE demo_orders ADD c INT DEFAULT 1 CONSTRAINT never CHECK (c > 5)", "(CHECK constraint never)"),
        (
            "CREATE TRIGGER no BEFORE INSERT ON demo_orders BEGIN SELECT RAISE(ABORT, 'secret'); END",
            "a trigger of the table rejects the row",
        ),
    ],
)
def test_a_violated_rule_is_named(
    target: Target, database: sqlite3.Connection, statement: str, explanation: str
) -> None:
    database.execute("DELETE FROM demo_orders")
    database.execute(statement)
    (bind,) = target.row_binders([ORDERS])
    rows = [bind((number, "secret customer")) for number in (1, 2)]
    with closing(target.connect()) as connection, pytest.raises(DatabaseError) as refused, connection.transaction():
        connection.insert_batch([(replace(ORDERS, on_conflict="fail"), rows)])
    assert explanation in refused.value.explanation
    assert "secret" not in refused.value.explanation
