"""Retry where documents, tables and log are in one database on a SQL Server, by the real commands."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.accounts import ORDERS, Accounts, order, summed
from tests.conftest import Command

pytest.importorskip("pyodbc", reason="pyodbc cannot be loaded: unixODBC is missing", exc_type=ImportError)

from tests import sqlserver

BAD = "<order"


@pytest.mark.mssql
def test_documents_and_log_on_one_sql_server_are_retried_too(
    xml_extractor: Command, production_processor: Command, tmp_path: Path
) -> None:
    (tmp_path / "orders.yaml").write_text(ORDERS, encoding="utf-8")
    with sqlserver.scratch_schema() as schema, closing(sqlserver.session()) as session:
        target = {"XML_EXTRACTOR_TARGET": sqlserver.in_schema(schema), "XML_EXTRACTOR_CONTRACT": "orders.yaml"}
        session.execute(f"CREATE TABLE {schema}.app_xml (app_id int PRIMARY KEY, xml nvarchar(max))").close()
        session.execute(f"INSERT {schema}.app_xml VALUES (1, ?), (2, ?), (3, ?)", order(1), order(2), BAD).close()
        assert xml_extractor("init", **target).returncode == 0
        assert production_processor("--workers", "1", **target).returncode == 1
        (listing,) = (tmp_path / "rejects").glob("*/rejects.jsonl")
        rejected = json.loads(listing.read_text(encoding="utf-8"))
        assert (rejected["key"], rejected["file"], rejected["text"]) == (3, "3.xml", True)
        assert (listing.parent / "3.xml").read_text(encoding="utf-8") == BAD
        assert xml_extractor("retry", **target).stdout == "1 document marked for retry by the next run\n"
        session.execute(f"UPDATE {schema}.app_xml SET xml = ? WHERE app_id = 3", order(3)).close()
        again = production_processor("--workers", "1", **target)
        assert (again.returncode, again.stderr) == (0, "")
        assert summed(again.stdout) == Accounts(3, 1, 0, 2)
        statement = f"SELECT document_key, status, attempts FROM {schema}.processing_log ORDER BY document_key"
        found = [tuple(row) for row in session.execute(statement)]
    assert found == [("1", "loaded", 1), ("2", "loaded", 1), ("3", "loaded", 2)]
