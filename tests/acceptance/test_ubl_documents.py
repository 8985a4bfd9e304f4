"""Invoices and credit notes in UBL, cell by cell: the shipped contract against an extraction with plain lxml.

The official examples of EN 16931 are not part of the repository. To test them, clone
https://github.com/ConnectingEurope/eInvoicing-EN16931 and set XML_EXTRACTOR_TEST_UBL to its directory `ubl/examples`.
"""

import os
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from tests.acceptance.ubl_extraction import Codes, extract
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.model import Contract
from xml_extractor.contract.reading import read_contract
from xml_extractor.documents import RunValues
from xml_extractor.mapping import Plan, compile_plan, map_document
from xml_extractor.parsing import DocumentParser, parsing_rules
from xml_extractor.samples import samples

OWN = Path(__file__).parent / "ubl_documents"
DIRECTORY = os.environ.get("XML_EXTRACTOR_TEST_UBL")
OFFICIAL = sorted(path for path in Path(DIRECTORY).iterdir() if path.suffix.lower() == ".xml") if DIRECTORY else []
RUN = RunValues("test", datetime(2024, 1, 1), "invoices")  # noqa: DTZ001 - UTC without a zone, as a run has it

SAME_SUPPLIER_AND_NUMBER = (
    {"BIS3_Invoice_negativ.XML", "BIS3_Invoice_positive.XML"},
    {"guide-example1.xml", "ubl-tc434-example1.xml", "ubl-tc434-example10.xml"},
    {"guide-example2.xml", "ubl-tc434-example2.xml"},
    {"guide-example3.xml", "ubl-tc434-example3.xml"},
)
"""Official examples with the same supplier and number: one of each group is loaded."""


@pytest.fixture(scope="module")
def contract() -> Contract:
    return read_contract("ubl_invoice")


@pytest.fixture(scope="module")
def plan(contract: Contract) -> Plan:
    return compile_plan(contract)


@pytest.fixture(scope="module")
def codes(contract: Contract) -> Codes:
    return {name: dict(lookup.values) for name, lookup in contract.lookups.items()}


def assert_equal_cells(contract: Contract, plan: Plan, codes: Codes, content: bytes, key: str) -> None:
    mapped = map_document(plan, DocumentParser(parsing_rules(contract)).parse(content), key, RUN)
    expected = extract(content, key, codes)
    found = {
        layout.name: [dict(zip([column.name for column in layout.columns], row, strict=True)) for row in rows]
        for layout, rows in zip(layouts(contract), mapped, strict=True)
    }
    assert set(found) == set(expected)
    for table, rows in found.items():
        shown = [{name: as_stored(name, value) for name, value in row.items()} for row in rows]
        wanted = [{name: as_stored(name, value) for name, value in row.items()} for row in expected[table]]
        assert shown == wanted, table


def as_stored(name: str, value: object) -> object:
    return str(value).upper() if name == "uuid" and value else value


@pytest.mark.parametrize("path", sorted(OWN.iterdir()), ids=lambda path: path.stem)
def test_each_cell_of_an_invented_document_is_what_plain_lxml_extracts(
    contract: Contract, plan: Plan, codes: Codes, path: Path
) -> None:
    assert_equal_cells(contract, plan, codes, path.read_bytes(), path.name)


def test_each_cell_of_samples_is_what_plain_lxml_extracts(contract: Contract, plan: Plan, codes: Codes) -> None:
    for sample in samples("ubl_invoice", 40, seed=5):
        assert_equal_cells(contract, plan, codes, sample.content or b"", sample.name)


def test_every_column_has_a_value_in_an_invented_document(contract: Contract, plan: Plan) -> None:
    parser = DocumentParser(parsing_rules(contract))
    mapped = [map_document(plan, parser.parse(path.read_bytes()), path.name, RUN) for path in sorted(OWN.iterdir())]

    for number, layout in enumerate(layouts(contract)):
        for position, column in enumerate(layout.columns):
            values = {row[position] for tables in mapped for row in tables[number]}
            assert values - {None}, f"{layout.name}.{column.name}"


@pytest.mark.parametrize("path", OFFICIAL, ids=lambda path: path.stem)
def test_each_cell_of_an_official_example_is_what_plain_lxml_extracts(
    contract: Contract, plan: Plan, codes: Codes, path: Path
) -> None:
    assert_equal_cells(contract, plan, codes, path.read_bytes(), path.name)


def test_a_supplier_is_identified_by_the_first_identifier_that_it_states(contract: Contract, plan: Plan) -> None:
    parser = DocumentParser(parsing_rules(contract))
    found = {
        path.stem: map_document(plan, parser.parse(path.read_bytes()), path.name, RUN)[0][0][:2]
        for path in sorted(OWN.iterdir())
    }

    assert found == {
        "credit_note": ("0088:2000000000008", "CN / 7"),
        "everything": ("VAT:SE555555555501", "2024/1"),
        "supplier_by_electronic_address": ("9930:9", "1"),
        "supplier_by_name": ("NAME:Seller", "1"),
        "supplier_by_registration": ("0002:123456789", "1"),
        "supplier_by_registration_without_scheme": ("LEGAL:32081330 Utopia", "1"),
        "supplier_by_tax_registration": ("TAX:77", "1"),
    }


def test_invoices_of_one_number_load_where_their_suppliers_differ(
    xml_extractor: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    run = xml_extractor("run", "--contract", "ubl_invoice", "--source", str(OWN), "--target", "sqlite:///rows.db")

    assert run.returncode == 0, run.stdout + run.stderr
    assert "7 in = 7 loaded + 0 rejected" in run.stdout


@pytest.mark.skipif(not OFFICIAL, reason="XML_EXTRACTOR_TEST_UBL names no directory with the official examples")
def test_all_official_examples_load_except_those_with_the_supplier_and_number_of_another(
    xml_extractor: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    assert len(OFFICIAL) == 19
    xml_extractor("run", "--contract", "ubl_invoice", "--source", str(DIRECTORY), "--target", "sqlite:///rows.db")

    with closing(sqlite3.connect(tmp_path / "rows.db")) as database:
        log = database.execute("SELECT document_key, status, reason FROM processing_log").fetchall()
    loaded = {key for key, status, _reason in log if status == "loaded"}
    rejected = {key: reason for key, status, reason in log if status == "rejected"}
    assert len(loaded) + len(rejected) == 19
    assert all(reason.startswith("duplicate_key") for reason in rejected.values())
    for group in SAME_SUPPLIER_AND_NUMBER:
        assert len(group & loaded) == 1
        loaded -= group
        for key in group:
            rejected.pop(key, None)
    assert rejected == {}
