"""Of sample documents with known faults exactly these are rejected, each at its stage and for its reason."""

import json
import sqlite3
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.accounts import Accounts, accounts, query
from tests.conftest import Command
from xml_extractor.samples import KINDS

DOCUMENTS = 400
SHARE = "7%"
FAULTY = int(DOCUMENTS * Fraction(7, 100))

DESTINATIONS = {"zip archive": "cards.zip", "table": "sqlite:///cards.db?timeout=20"}
LISTS = {"zip archive": "cards.zip", "table": "cards.db"}


def listed_faults(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def rejects(target: Path) -> dict[str, tuple[str, str]]:
    """Stage and reason code of each rejected document, by key."""
    found = query(target, "SELECT document_key, stage, reason FROM processing_log WHERE status = 'rejected'")
    return {key: (stage, reason.replace(":", " ").split(" ")[0]) for key, stage, reason in found}


@pytest.mark.parametrize("kind", DESTINATIONS)
def test_exactly_the_listed_documents_are_rejected_each_at_its_stage_for_its_reason(
    kind: str, xml_extractor: Command, production_processor: Command, tmp_path: Path
) -> None:
    made = xml_extractor("sample", "card_application", str(DOCUMENTS), "--faulty", SHARE, "--to", DESTINATIONS[kind])
    assert (made.returncode, made.stderr) == (0, "")
    faults = listed_faults(tmp_path / f"{LISTS[kind]}.faults.jsonl")
    assert len(faults) == FAULTY
    assert {fault["fault"] for fault in faults} == {
        "duplicate_key",
        *(fault.code for fault in KINDS["card_application"].faults),
    }

    options = ["--source", DESTINATIONS[kind], "--target", "sqlite:///loaded.db", "--workers", "2"]
    ran = production_processor("--contract", "card_application", *options)
    assert (ran.returncode, ran.stderr) == (1, "")
    target = tmp_path / "loaded.db"
    assert accounts(ran.stdout, tmp_path, target) == Accounts(DOCUMENTS, DOCUMENTS - FAULTY, FAULTY, 0)

    found = rejects(target)
    for fault in faults:
        possible = {str(fault["key"]), str(fault["duplicate_of"] or fault["key"])}
        (key,) = possible & set(found)
        assert found.pop(key) == (fault["stage"], fault["reason"]), fault
    assert found == {}


def test_a_document_in_a_table_that_was_mended_is_loaded_when_its_row_of_the_log_is_deleted(
    xml_extractor: Command, production_processor: Command, tmp_path: Path
) -> None:
    xml_extractor("sample", "ubl_invoice", "20", "--faulty", "20%", "--to", "sqlite:///invoices.db")
    options = ["--contract", "ubl_invoice", "--source", "sqlite:///invoices.db", "--target", "sqlite:///loaded.db"]
    target = tmp_path / "loaded.db"
    first = production_processor(*options, "--workers", "1")
    assert accounts(first.stdout, tmp_path, target) == Accounts(20, 16, 4, 0)
    again = production_processor(*options, "--workers", "1")
    assert again.returncode == 1, "a rejected document is done while it does not change, and is still reported"
    assert accounts(again.stdout, tmp_path, target) == Accounts(20, 0, 0, 20)

    mended = next(iter(rejects(target)))
    xml_extractor("sample", "ubl_invoice", "20", "--to", "sqlite:///good.db")
    ((good,),) = query(tmp_path / "good.db", f"SELECT xml FROM app_xml WHERE app_id = {mended}")
    with closing(sqlite3.connect(tmp_path / "invoices.db")) as database, database:
        database.execute("UPDATE app_xml SET xml = ? WHERE app_id = ?", (good, mended))
    with closing(sqlite3.connect(target)) as database, database:
        database.execute("DELETE FROM processing_log WHERE document_key = ?", (mended,))
    last = production_processor(*options, "--workers", "1")
    assert last.returncode == 1, "three documents are still rejected"
    assert accounts(last.stdout, tmp_path, target) == Accounts(20, 1, 0, 19)
