"""The statements that make tables, word by word, in both dialects."""

from dataclasses import replace

import pytest

from tests.database.demo_tables import LINES, NOTES, ORDERS, TABLES
from xml_extractor.contract.layout import ColumnLayout, TableLayout
from xml_extractor.errors import UsageError
from xml_extractor.schema.ddl import create_statements
from xml_extractor.values.sqltypes import TYPES, parse_type


def statement(table: TableLayout, dialect: str) -> str:
    """The statement of one table that refers to no other but `orders`."""
    tables = [ORDERS, table] if table.foreign_keys else [table]
    return create_statements(tables, dialect)[-1]


def with_types(*type_names: str) -> TableLayout:
    columns = tuple(ColumnLayout(f"c{number}", parse_type(name)) for number, name in enumerate(type_names))
    return TableLayout("t", "t", columns, (), (), (), "fail")


def test_a_table_with_a_parent_in_sqlite() -> None:
    assert statement(LINES, "sqlite") == (
        "CREATE TABLE IF NOT EXISTS demo_lines (\n"
        "\torder_id INTEGER NOT NULL,\n"
        "\tline_no INTEGER NOT NULL,\n"
        "\tarticle TEXT NOT NULL,\n"
        "\tCONSTRAINT pk_demo_lines PRIMARY KEY (order_id, line_no),\n"
        "\tCONSTRAINT fk_demo_lines_demo_orders FOREIGN KEY(order_id) REFERENCES demo_orders (order_id)\n"
        ")"
    )


def test_a_table_with_a_parent_in_t_sql() -> None:
    assert statement(LINES, "mssql") == (
        "IF OBJECT_ID(N'demo_lines') IS NULL\n"
        "CREATE TABLE demo_lines (\n"
        "\torder_id int NOT NULL,\n"
        "\tline_no smallint NOT NULL,\n"
        "\tarticle varchar(20) NOT NULL,\n"
        "\tCONSTRAINT pk_demo_lines PRIMARY KEY (order_id, line_no),\n"
        "\tCONSTRAINT fk_demo_lines_demo_orders FOREIGN KEY(order_id) REFERENCES demo_orders (order_id)\n"
        ")"
    )


def test_keys_that_the_database_makes() -> None:
    assert "\tnote_id INTEGER NOT NULL,\n" in statement(NOTES, "sqlite")
    assert "PRIMARY KEY (note_id)" in statement(NOTES, "sqlite")
    assert "\tnote_id bigint NOT NULL IDENTITY,\n" in statement(NOTES, "mssql")


def test_a_key_of_the_documents_is_no_identity_unless_the_contract_says_so() -> None:
    assert "IDENTITY" not in statement(ORDERS, "mssql")
    columns = (replace(ORDERS.columns[0], identity=True), *ORDERS.columns[1:])
    assert "order_id int NOT NULL IDENTITY" in statement(replace(ORDERS, columns=columns), "mssql")


def test_a_generated_column_beside_a_key_is_sqlites_primary_key() -> None:
    beside = replace(NOTES, key=("order_id",))
    assert "PRIMARY KEY (note_id)" in statement(beside, "sqlite")
    assert "UNIQUE (order_id)" in statement(beside, "sqlite")
    assert "PRIMARY KEY (order_id)" in statement(beside, "mssql")
    assert "UNIQUE" not in statement(beside, "mssql")


def test_a_table_without_key_has_no_constraint() -> None:
    for dialect in ("sqlite", "mssql"):
        assert "CONSTRAINT" not in statement(with_types("int"), dialect)


def test_schemas_are_for_t_sql_only() -> None:
    orders, lines = replace(ORDERS, table="sales.orders"), replace(LINES, table="sales.lines")
    statements = create_statements([orders, lines], "mssql")
    assert statements[0] == "IF SCHEMA_ID(N'sales') IS NULL EXEC(N'CREATE SCHEMA sales')"
    assert "CREATE TABLE processing_log (" in statements[1]
    assert "CREATE TABLE processing_log_runs (" in statements[2]
    assert "IF OBJECT_ID(N'sales.orders') IS NULL\nCREATE TABLE sales.orders (" in statements[3]
    assert "REFERENCES sales.orders (order_id)" in statements[4]
    assert not any("sales." in statement for statement in create_statements([orders, lines], "sqlite"))


def test_tables_without_a_schema_and_the_log_go_into_the_schema_that_the_address_names() -> None:
    orders = replace(ORDERS, table="sales.orders")
    statements = create_statements([orders, LINES], "mssql", default_schema="o'hara load")
    assert statements[:2] == [
        "IF SCHEMA_ID(N'[o''hara load]') IS NULL EXEC(N'CREATE SCHEMA [o''hara load]')",
        "IF SCHEMA_ID(N'sales') IS NULL EXEC(N'CREATE SCHEMA sales')",
    ]
    assert statements[2].startswith(
        "IF OBJECT_ID(N'[o''hara load].processing_log') IS NULL\nCREATE TABLE [o'hara load]."
    )
    assert "CREATE TABLE [o'hara load].processing_log_runs (" in statements[3]
    assert "CREATE TABLE sales.orders (" in statements[4]
    assert "CREATE TABLE [o'hara load].demo_lines (" in statements[5]
    assert "REFERENCES sales.orders (order_id)" in statements[5]


def test_names_are_quoted_where_they_must_be() -> None:
    table = TableLayout("t", "group", (ColumnLayout("order", parse_type("int")),), (), (), (), "fail")
    assert '"group"' in statement(table, "sqlite")
    assert "[group]" in statement(table, "mssql")
    assert "[order] int" in statement(table, "mssql")


@pytest.mark.parametrize("name", TYPES)
def test_t_sql_has_the_types_as_the_contract_has_them(name: str) -> None:
    assert f"c0 {parse_type(name)} NULL" in statement(with_types(name), "mssql")


@pytest.mark.parametrize(
    ("type_name", "declared"),
    [
        ("bit", "INTEGER"),
        ("bigint", "INTEGER"),
        ("decimal(15,2)", "DECIMAL(15, 2)"),
        ("decimal(16,2)", "TEXT"),
        ("numeric(5,0)", "DECIMAL(5, 0)"),
        ("money", "TEXT"),
        ("float", "REAL"),
        ("real", "REAL"),
        ("nvarchar(max)", "TEXT"),
        ("varbinary(max)", "BLOB"),
        ("datetime2(7)", "TEXT"),
        ("datetimeoffset(3)", "TEXT"),
        ("time(0)", "TEXT"),
        ("uniqueidentifier", "TEXT"),
        ("xml", "TEXT"),
    ],
)
def test_sqlite_declares_the_affinity_that_keeps_values_exact(type_name: str, declared: str) -> None:
    assert statement(with_types(type_name), "sqlite").splitlines()[1] == f"\tc0 {declared}"


def test_the_log_comes_first_and_its_keys_tell_upper_from_lower_case() -> None:
    log = create_statements(TABLES, "mssql")[0]
    assert log.startswith("IF OBJECT_ID(N'processing_log') IS NULL\nCREATE TABLE processing_log (")
    assert "\tdocument_key nvarchar(300) COLLATE Latin1_General_100_BIN2 NOT NULL,\n" in log
    assert "PRIMARY KEY (contract, document_key)" in log


@pytest.mark.parametrize("dialect", ["sqlite", "mssql"])
def test_statements_come_in_load_order(dialect: str) -> None:
    statements = create_statements(TABLES, dialect)
    names = ("processing_log", "processing_log_runs", "demo_orders", "demo_lines", "demo_notes")
    for statement, name in zip(statements, names, strict=True):
        assert f" {name} (" in statement
        assert not any(line.endswith(" ") for line in statement.splitlines())


def test_tables_that_differ_only_in_their_schema_are_refused_by_sqlite() -> None:
    one, other = (replace(NOTES, name=table, table=table, foreign_keys=()) for table in ("x.notes", "y.notes"))
    with pytest.raises(UsageError, match=r"x\.notes and y\.notes would be one table in SQLite"):
        create_statements([one, other], "sqlite")
    assert sum("CREATE TABLE" in created for created in create_statements([one, other], "mssql")[-2:]) == 2


def test_a_column_that_one_of_two_tables_lacks_or_may_leave_empty_can_be_null() -> None:
    number, text = parse_type("int"), parse_type("varchar(10)")
    key = ColumnLayout("id", number, required=True)
    one = TableLayout("one", "t", (key, ColumnLayout("a", text, required=True)), (), ("id",), (), "fail")
    own = (ColumnLayout("A", text), ColumnLayout("b", text, required=True), key)
    (created,) = create_statements([one, TableLayout("other", "T", own, (), ("id",), (), "fail")], "mssql")[-1:]
    assert created == (
        "IF OBJECT_ID(N't') IS NULL\n"
        "CREATE TABLE t (\n"
        "\tid int NOT NULL,\n"
        "\ta varchar(10) NULL,\n"
        "\tb varchar(10) NULL,\n"
        "\tCONSTRAINT pk_t PRIMARY KEY (id)\n"
        ")"
    )
