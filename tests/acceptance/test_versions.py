"""One contract loads the versions of a format, and skips documents of other kinds."""

import json
from pathlib import Path

import pytest

from tests.acceptance.accounts import last_metrics, query
from tests.conftest import Command

CONTRACT = """
contract: pay
version: 1
document: {root: ["p:Document", "p:Update"], other_roots: OTHER, max_bytes: 1000}
namespaces: {p: ["urn:pay:v1", "urn:pay:v2", "urn:common:v2", ""]}
tables:
  pay:
    rows: "p:Tx"
    columns:
      f: {run: source_key, key: true}
      n: {position: true, key: true}
      amount: {path: "p:Amt", type: "decimal(9,2)"}
"""

DOCUMENTS = {
    "1-default.xml": '<Document xmlns="urn:pay:v1"><Tx><Amt>1.00</Amt></Tx></Document>',
    "2-prefixed.xml": '<n:Document xmlns:n="urn:pay:v1"><n:Tx><n:Amt>2.00</n:Amt></n:Tx></n:Document>',
    "3-new-version.xml": '<Document xmlns="urn:pay:v2"><Tx><Amt>3.00</Amt></Tx></Document>',
    "4-inner-version.xml": '<Document xmlns="urn:pay:v1"><Tx><Amt xmlns="urn:common:v2">4.00</Amt></Tx></Document>',
    "5-undeclared-inner.xml": '<Document xmlns="urn:pay:v1"><Tx xmlns=""><Amt>5.00</Amt></Tx></Document>',
    "6-no-namespace.xml": "<Update><Tx><Amt>6.00</Amt></Tx></Update>",
    "7-other.xml": '<!DOCTYPE html [<!ENTITY a "b">]><html><p>not closed',
    "9-large.xml": "<html>" + " " * 2000,
    "8-other-namespace.xml": '<Document xmlns="urn:pay:v9"/>',
}


@pytest.mark.parametrize("other_roots", ["skip", "reject"])
def test_all_versions_load_and_other_roots_are_skipped_or_rejected(
    tmp_path: Path, xml_extractor: Command, other_roots: str
) -> None:
    (tmp_path / "d").mkdir()
    for name, content in DOCUMENTS.items():
        (tmp_path / "d" / name).write_text(content, encoding="utf-8")
    (tmp_path / "pay.yaml").write_text(CONTRACT.replace("OTHER", other_roots), encoding="utf-8")
    load = ("--contract", "pay.yaml", "--target", "sqlite:///out.db")
    run = ("run", *load, "--source", "d", "--workers", "1")
    result = xml_extractor(*run)
    skips = other_roots == "skip"
    assert result.returncode == (0 if skips else 1), result.stderr
    sums = "0 rejected + 3 skipped" if skips else "3 rejected"
    assert f"Documents: 9 in = 6 loaded + {sums} + 0 already done" in result.stdout
    amounts = query(tmp_path / "out.db", "SELECT CAST(amount AS INTEGER) FROM pay ORDER BY f")
    assert amounts == [(number,) for number in range(1, 7)]
    status = "skipped" if skips else "rejected"
    logged = query(tmp_path / "out.db", f"SELECT document_key FROM processing_log WHERE status = '{status}' ORDER BY 1")
    assert logged == [("7-other.xml",), ("8-other-namespace.xml",), ("9-large.xml",)]
    assert last_metrics(tmp_path)["documents"]["skipped"] == (3 if skips else 0)
    if skips:
        again = xml_extractor(*run)
        assert (again.returncode, "9 already done" in again.stdout) == (0, True)
        assert json.loads(xml_extractor("status", *load, "--json").stdout)["documents"]["skipped"] == 3
