"""What SQL Server's catalog says of tables, and how they differ from what a contract needs."""

import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests import sqlserver
from tests.database.demo_tables import LINES, NOTES, ORDERS, TABLES
from xml_extractor.contract.layout import ColumnLayout, TableLayout, layouts
from xml_extractor.contract.reading import check_text, read_contract, shipped_contracts
from xml_extractor.documents import Value
from xml_extractor.processing_log.log_table import LOG_TABLE
from xml_extractor.schema.comparison import differences
from xml_extractor.schema.ddl import create_statements
from xml_extractor.schema.model import ActualColumn, ActualForeignKey, Difference
from xml_extractor.values.sqltypes import TYPES, parse_type

pytest.importorskip("pyodbc", reason=sqlserver.NO_DRIVER_MANAGER, exc_type=ImportError)

import pyodbc

from xml_extractor.targets.sqlserver.address import read_address
from xml_extractor.targets.sqlserver.catalog import missing_codes, read_catalog
from xml_extractor.targets.sqlserver.connection import SqlServerConnection
from xml_extractor.targets.sqlserver.statements import OdbcType

pytestmark = pytest.mark.mssql

GUIDE = Path(__file__).parents[2] / "documentation/how-to/check-a-contract-against-the-target.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def connection() -> Iterator[SqlServerConnection]:
    """A connection to the server."""
    with closing(SqlServerConnection(read_address(sqlserver.server_url()))) as opened:
        yield opened


@pytest.fixture
def schema() -> Iterator[str]:
    """A schema of the test's own."""
    with sqlserver.scratch_schema() as name:
        yield name


def run(connection: SqlServerConnection, *statements: str) -> None:
    for statement in statements:
        connection.last_row(statement)


def compare(
    connection: SqlServerConnection, schema: str, tables: Sequence[TableLayout], code_page: str = "cp1252"
) -> list[Difference]:
    """All differences, as a target finds them."""
    return differences(
        tables,
        read_catalog(connection, [table.table for table in tables], schema),
        dialect_name="mssql",
        code_page=code_page,
        missing_codes=partial(missing_codes, connection),
    )


def test_tables_of_all_types_that_we_make_do_not_differ(connection: SqlServerConnection, schema: str) -> None:
    columns = tuple(ColumnLayout(f"c_{name}", parse_type(name)) for name in TYPES)
    table = TableLayout("types", "all_types", columns, (), (), (), "fail")
    tables = (*TABLES, table)
    run(connection, *create_statements(tables, "mssql", schema))
    assert compare(connection, schema, (LOG_TABLE, *tables)) == []


@pytest.mark.parametrize("name", shipped_contracts())
def test_tables_of_shipped_contracts_do_not_differ(connection: SqlServerConnection, schema: str, name: str) -> None:
    contract = read_contract(name)
    tables = layouts(contract)
    run(connection, *create_statements(tables, "mssql", schema))
    assert compare(connection, schema, (LOG_TABLE, *tables), contract.code_page) == []


def test_the_guides_statements_have_the_differences_that_it_shows(connection: SqlServerConnection, schema: str) -> None:
    blocks = dict(BLOCK.findall(GUIDE.read_text(encoding="utf-8")))
    contract, _ = check_text("orders.yaml", blocks["yaml"])
    assert contract is not None
    statements = re.sub(r"\b(customer_order|order_state)\b", rf"{schema}.\1", blocks["tsql"])
    run(connection, *statements.split(";\n\n"))
    found = compare(connection, schema, (LOG_TABLE, *layouts(contract)), contract.code_page)
    assert [str(difference).replace(schema, "dbo") for difference in found] == blocks["text"].splitlines()[1:-1]


def test_what_is_wrong_with_tables_is_found_and_nothing_else(connection: SqlServerConnection, schema: str) -> None:
    run(
        connection,
        f"CREATE TABLE {schema}.demo_notes (order_id int NOT NULL UNIQUE, text nvarchar(20), note_id bigint NOT NULL)",
        f"CREATE TABLE {schema}.demo_orders (customer AS 'nobody', order_id bigint NOT NULL PRIMARY KEY,"
        f" note_of int REFERENCES {schema}.demo_notes (order_id), since date NOT NULL DEFAULT GETDATE())",
        f"CREATE TABLE {schema}.demo_lines (order_id int NOT NULL REFERENCES {schema}.demo_notes (order_id),"
        " line_no int NOT NULL, article varchar(30) COLLATE Polish_CI_AS NOT NULL)",
    )
    *found, rule = compare(connection, schema, [ORDERS, replace(LINES, on_conflict="keep"), NOTES])
    assert (rule.table, rule.found.startswith("unique index "), rule.found.endswith(" (order_id)")) == (
        "notes",
        True,
        True,
    )
    order_key = f"FOREIGN KEY (order_id) REFERENCES {schema}"
    assert [(difference.severity, difference.table, difference.column, difference.found) for difference in found] == [
        ("error", "orders", "customer", "the computed column customer, which only the database writes"),
        ("error", "lines", "article", "cp1250"),
        ("error", "lines", "", "none"),
        ("error", "lines", "order_id", f"{order_key}.demo_notes"),
        ("error", "notes", "text", "nvarchar(20), which is shorter"),
        ("error", "notes", "note_id", "bigint without IDENTITY or default"),
        ("warning", "lines", "", "none, so rows without a parent are accepted"),
        ("warning", "notes", "", "UNIQUE (order_id)"),
        ("warning", "notes", "", "none, so rows without a parent are accepted"),
    ]


def test_only_tables_that_are_there_are_found_in_whatever_case(connection: SqlServerConnection, schema: str) -> None:
    run(connection, f"CREATE TABLE {schema}.[Some Orders] (a int)", f"CREATE TABLE {schema}.[it's] (b int)")
    names = ["SOME ORDERS", f"{schema.upper()}.it's", "absent", f"{schema}.absent"]
    found = read_catalog(connection, names, schema)
    assert [(name, table.schema, table.columns[0].name) for name, table in sorted(found.items())] == sorted(
        [("SOME ORDERS", schema, "a"), (f"{schema.upper()}.it's", schema, "b")]
    )
    assert read_catalog(connection, [], schema) == {}


def test_tables_without_a_schema_are_in_that_of_the_login(connection: SqlServerConnection) -> None:
    name = f"catalog_{uuid4().hex[:12]}"
    run(connection, f"CREATE TABLE {name} (a int)")
    try:
        (found,) = read_catalog(connection, [name], "").values()
        assert found.schema == connection.last_row("SELECT SCHEMA_NAME()")[0]
    finally:
        run(connection, f"DROP TABLE {name}")


def test_all_tables_are_read_by_one_statement(connection: SqlServerConnection, schema: str) -> None:
    run(connection, *(f"CREATE TABLE {schema}.t{number} (a int PRIMARY KEY)" for number in range(20)))

    class Counting(SqlServerConnection):
        statements = 0

        def query(
            self, statement: str, values: Sequence[Any] = (), types: Sequence[OdbcType] | None = None
        ) -> Generator[pyodbc.Row]:
            self.statements += 1
            return super().query(statement, values, types)

        def results(
            self, statement: str, values: Sequence[Any] = (), types: Sequence[OdbcType] | None = None
        ) -> list[list[Sequence[Any]]]:
            self.statements += 1
            return super().results(statement, values, types)

    counting = Counting(read_address(sqlserver.server_url()))
    found = read_catalog(counting, [f"t{number}" for number in range(20)], schema)
    assert [found[f"t{number}"].key for number in range(20)] == [("a",)] * 20
    assert counting.statements == 1
    counting.close()


def test_columns_say_who_fills_them(connection: SqlServerConnection, schema: str) -> None:
    run(
        connection,
        f"CREATE TABLE {schema}.t (id bigint IDENTITY NOT NULL, a int NOT NULL, b decimal(9,2) DEFAULT 0,"
        " c AS a * 2 PERSISTED, v sql_variant, d char(5) COLLATE Latin1_General_100_BIN2)",
    )
    found = read_catalog(connection, ["t"], schema)["t"]
    assert found.columns == (
        ActualColumn("id", parse_type("bigint"), "bigint", nullable=False, identity=True),
        ActualColumn("a", parse_type("int"), "int", nullable=False),
        ActualColumn("b", parse_type("decimal(9,2)"), "decimal(9,2)", has_default=True),
        ActualColumn(
            "c", parse_type("int"), "the computed column c", computed=True, has_default=found.columns[3].has_default
        ),
        replace(found.columns[4], name="v", type=None, declared="sql_variant"),
        ActualColumn("d", parse_type("char(5)"), "char(5)", code_page=1252, collation=found.columns[5].collation),
    )


def test_a_column_whose_type_is_an_alias_has_the_type_behind_it(connection: SqlServerConnection, schema: str) -> None:
    run(connection, f"CREATE TYPE {schema}.zip_code FROM varchar(11)", f"CREATE TABLE {schema}.t (z {schema}.zip_code)")
    try:
        (column,) = read_catalog(connection, ["t"], schema)["t"].columns
        assert (column.type, column.declared) == (parse_type("varchar(11)"), "varchar(11)")
    finally:
        run(connection, f"DROP TABLE {schema}.t", f"DROP TYPE {schema}.zip_code")


def test_keys_have_their_columns_in_their_order(connection: SqlServerConnection, schema: str) -> None:
    run(
        connection,
        f"CREATE TABLE {schema}.parent (x int NOT NULL, y int NOT NULL, code varchar(5) NOT NULL UNIQUE,"
        " PRIMARY KEY (y, x))",
        f"CREATE TABLE {schema}.t (a int, b int, c varchar(5) REFERENCES {schema}.parent (code), d int,"
        f" FOREIGN KEY (a, b) REFERENCES {schema}.parent (y, x))",
        f"CREATE UNIQUE INDEX ux_t ON {schema}.t (d, b) INCLUDE (a)",
        f"CREATE INDEX ix_t ON {schema}.t (c)",
    )
    found = read_catalog(connection, ["t", "parent"], schema)
    assert (found["parent"].key, found["parent"].unique_keys) == (("y", "x"), (("code",),))
    assert (found["t"].key, found["t"].unique_keys) == ((), (("d", "b"),))
    assert sorted(found["t"].foreign_keys, key=lambda key: key.columns) == [
        ActualForeignKey(("a", "b"), schema, "parent", ("y", "x")),
        ActualForeignKey(("c",), schema, "parent", ("code",)),
    ]
    assert not found["t"].drops_duplicates


def test_a_view_is_told_from_a_table(connection: SqlServerConnection, schema: str) -> None:
    run(
        connection,
        f"CREATE TABLE {schema}.t (order_id int NOT NULL PRIMARY KEY, customer nvarchar(40))",
        f"CREATE VIEW {schema}.demo_orders AS SELECT order_id, customer FROM {schema}.t",
    )
    found = compare(connection, schema, [ORDERS])
    assert [difference.found for difference in found] == [
        "a view, whose keys, defaults and IDENTITY columns are not visible"
    ]


CODES: list[tuple[str, str, list[Value], list[Value]]] = [
    ("tinyint", "(1), (3)", [1, 2, 3, 4], [2, 4]),
    ("bit", "(1)", [True, False], [False]),
    ("varchar(5)", "('A'), ('c')", ["a", "b", "C "], ["b"]),
    ("char(3)", "('A'), ('c')", ["A  ", "b  "], ["b  "]),
    ("nvarchar(5)", "(N'Ł'), ('c')", ["ł", "Ń"], ["Ń"]),
    ("decimal(5,2)", "(1), (2.25)", [Decimal("1.00"), Decimal("2.50")], [Decimal("2.50")]),
    ("date", "('2026-01-02')", [date(2026, 1, 2), date(2026, 1, 3)], [date(2026, 1, 3)]),
]


@pytest.mark.parametrize(("type_name", "there", "codes", "missing"), CODES, ids=[case[0] for case in CODES])
def test_codes_are_compared_as_the_server_compares_them(
    connection: SqlServerConnection, schema: str, type_name: str, there: str, codes: list[Value], missing: list[Value]
) -> None:
    run(
        connection,
        f"CREATE TABLE {schema}.[the codes] ([a code] {type_name} NOT NULL)",
        f"INSERT INTO {schema}.[the codes] VALUES {there}",
    )
    key = ActualForeignKey(("v",), schema, "the codes", ("a code",))
    assert missing_codes(connection, key, parse_type(type_name), codes) == missing


def test_more_codes_than_a_statement_may_have_are_compared(connection: SqlServerConnection, schema: str) -> None:
    run(connection, f"CREATE TABLE {schema}.codes (code int)", f"INSERT INTO {schema}.codes VALUES (2500)")
    key = ActualForeignKey(("v",), schema, "codes", ("code",))
    codes = list(range(2600))
    assert missing_codes(connection, key, parse_type("int"), codes) == [code for code in codes if code != 2500]
