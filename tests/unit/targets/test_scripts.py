"""What an administrator is given to run: tables, and the least that a user of runs must be permitted."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.database.demo_tables import CONTRACT, LINES, NOTES, ORDERS
from xml_extractor.contract.reading import read_contract
from xml_extractor.errors import UsageError
from xml_extractor.processing_log.log_table import LOG_TABLE
from xml_extractor.targets.scripts import creation_script, grant_statements, script


def test_a_user_may_read_and_insert_and_change_nothing_but_the_log() -> None:
    assert grant_statements([LOG_TABLE, LINES], "app_xml", "etl") == [
        "GRANT SELECT, INSERT, UPDATE, DELETE ON [processing_log] TO [etl]",
        "GRANT SELECT, INSERT ON [demo_lines] TO [etl]",
        "IF OBJECT_ID(N'[app_xml]') IS NOT NULL\nGRANT SELECT ON [app_xml] TO [etl]",
    ]


def test_a_table_whose_rows_are_replaced_may_be_updated() -> None:
    assert grant_statements([LOG_TABLE, replace(LINES, on_conflict="replace")], "x", "etl")[1] == (
        "GRANT SELECT, INSERT, UPDATE ON [demo_lines] TO [etl]"
    )
    assert "UPDATE" not in grant_statements([LOG_TABLE, replace(LINES, on_conflict="keep")], "x", "etl")[1]


def test_a_table_may_be_altered_only_to_insert_into_its_identity_column() -> None:
    identity = replace(ORDERS, columns=(replace(ORDERS.columns[0], identity=True), *ORDERS.columns[1:]))
    _, orders, notes, _ = grant_statements([LOG_TABLE, identity, NOTES], "x", "etl")
    assert orders == "GRANT SELECT, INSERT, ALTER ON [demo_orders] TO [etl]"
    assert "ALTER" not in notes


def test_names_are_quoted_whatever_is_in_them() -> None:
    lines = replace(LINES, table="o'hara.[lines]")
    assert grant_statements([LOG_TABLE, lines], "in.documents", "DOMAIN\\o'hara [etl]", "a]b") == [
        "GRANT SELECT, INSERT, UPDATE, DELETE ON [a]]b].[processing_log] TO [DOMAIN\\o'hara [etl]]]",
        "GRANT SELECT, INSERT ON [o'hara].[[lines]]] TO [DOMAIN\\o'hara [etl]]]",
        "IF OBJECT_ID(N'[in].[documents]') IS NOT NULL\nGRANT SELECT ON [in].[documents] TO [DOMAIN\\o'hara [etl]]]",
    ]
    assert "N'[o''hara].[x]'" in grant_statements([LOG_TABLE], "o'hara.x", "etl")[-1]


def test_each_statement_is_a_batch_of_its_own_for_the_tools_of_sql_server() -> None:
    assert script(["A", "B"], "mssql") == "A;\nGO\n\nB;\nGO\n"
    assert script(["A", "B"], "sqlite") == "A;\n\nB;\n"


def test_a_script_needs_neither_server_nor_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyodbc", None)
    text = creation_script("mssql://nowhere.invalid/db?schema=etl", CONTRACT, "loader")
    batches = text.split(";\nGO\n")
    assert batches[0] == "IF SCHEMA_ID(N'etl') IS NULL EXEC(N'CREATE SCHEMA etl')"
    created_and_granted = ["processing_log", "processing_log_runs", "orders"] * 2
    for batch, table in zip(batches[1:], created_and_granted, strict=False):
        assert table in batch
    assert (len(batches), batches[-1]) == (1 + len(created_and_granted) + 2, "")
    assert "GRANT SELECT, INSERT, UPDATE, DELETE ON [etl].[processing_log] TO [loader]" in text
    assert "GRANT" not in creation_script("mssql://nowhere.invalid/db", CONTRACT)


def test_sqlite_has_tables_but_no_users(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/a.db"
    text = creation_script(address, read_contract("card_application"))
    assert text.endswith(";\n")
    assert "GO" not in text.split()
    with pytest.raises(UsageError, match="'sqlite' databases have no users"):
        creation_script(address, CONTRACT, "loader")


def test_a_kind_of_database_that_is_not_known_is_refused() -> None:
    with pytest.raises(UsageError, match="unsupported target: 'oracle' addresses"):
        creation_script("oracle://host/db", CONTRACT)
