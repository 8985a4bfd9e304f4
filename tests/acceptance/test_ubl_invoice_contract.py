"""The shipped contract for UBL invoices: a small invoice to the last column, and samples against their own figures."""

import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from xml_extractor.contract.layout import layouts
from xml_extractor.contract.model import Contract
from xml_extractor.contract.reading import read_contract
from xml_extractor.documents import Failure, Row, RunValues, Value
from xml_extractor.mapping import MappingError, Plan, compile_plan, map_document
from xml_extractor.parsing import DocumentParser, ParseError, parsing_rules
from xml_extractor.reasons import Stage
from xml_extractor.samples import KINDS, samples
from xml_extractor.values.sqltypes import Family

NAMESPACES = {
    "cac": "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2",
    "cbc": "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2",
}
RUN = RunValues("test", datetime(2024, 1, 1), "invoices")  # noqa: DTZ001 - UTC without a zone, as a run has it
GOOD_SAMPLES = 120

ROWS = {
    "invoice": (".",),
    "invoice_note": ("cbc:Note",),
    "document_reference": (
        "cac:OrderReference",
        "cac:DespatchDocumentReference",
        "cac:ContractDocumentReference",
        "cac:AdditionalDocumentReference",
    ),
    "party": ("cac:AccountingSupplierParty", "cac:AccountingCustomerParty", "cac:PayeeParty"),
    "party_identifier": (".//cbc:EndpointID", ".//cac:PartyIdentification/cbc:ID", ".//cbc:CompanyID"),
    "delivery": ("cac:Delivery",),
    "payment_means": ("cac:PaymentMeans",),
    "payment_terms": ("cac:PaymentTerms",),
    "tax_subtotal": ("cac:TaxTotal/cac:TaxSubtotal",),
    "invoice_line": ("cac:InvoiceLine",),
    "line_tax_subtotal": ("cac:InvoiceLine/cac:TaxTotal/cac:TaxSubtotal",),
    "item_property": ("cac:InvoiceLine/cac:Item/cac:AdditionalItemProperty",),
    "allowance_charge": ("cac:AllowanceCharge",),
    "line_allowance_charge": ("cac:InvoiceLine/cac:AllowanceCharge",),
    "item_identification": (
        "cac:InvoiceLine/cac:Item/cac:BuyersItemIdentification",
        "cac:InvoiceLine/cac:Item/cac:SellersItemIdentification",
        "cac:InvoiceLine/cac:Item/cac:StandardItemIdentification",
    ),
    "item_classification": ("cac:InvoiceLine/cac:Item/cac:CommodityClassification",),
}

Tables = Mapping[str, list[dict[str, Value]]]

SMALL = """<?xml version="1.0" encoding="UTF-8"?>
<i:Invoice xmlns:i="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
  xmlns:a="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
  xmlns="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2">
  <ID> A-1 </ID>
  <IssueDate>2024-02-28</IssueDate>
  <DueDate>2024-03-01</DueDate>
  <Note>first</Note><Note> </Note><Note languageID="fr">troisième</Note>
  <DocumentCurrencyCode>eur</DocumentCurrencyCode>
  <a:AccountingSupplierParty><a:Party>
    <a:PostalAddress><StreetName> Mill  Lane 1 </StreetName><PostalZone> 1000 </PostalZone></a:PostalAddress>
    <a:PartyTaxScheme><CompanyID>TAX 7</CompanyID><a:TaxScheme><ID>TAX</ID></a:TaxScheme></a:PartyTaxScheme>
    <a:PartyTaxScheme><CompanyID>be 0123.456-789</CompanyID><a:TaxScheme><ID>VAT</ID></a:TaxScheme></a:PartyTaxScheme>
    <a:PartyLegalEntity><RegistrationName>Seller NV</RegistrationName></a:PartyLegalEntity>
    <a:Contact><ID>7</ID></a:Contact>
  </a:Party></a:AccountingSupplierParty>
  <a:AccountingCustomerParty><a:Party>
    <a:PartyName><Name>Buyer</Name></a:PartyName>
    <a:Contact><ElectronicMail> AP@Buyer.example </ElectronicMail></a:Contact>
  </a:Party></a:AccountingCustomerParty>
  <a:AllowanceCharge><ChargeIndicator>false</ChargeIndicator><Amount currencyID="EUR">1.50</Amount></a:AllowanceCharge>
  <a:LegalMonetaryTotal>
    <LineExtensionAmount currencyID="EUR">10.00</LineExtensionAmount>
    <TaxExclusiveAmount currencyID="EUR">8.50</TaxExclusiveAmount>
    <TaxInclusiveAmount currencyID="EUR">8.50</TaxInclusiveAmount>
    <PayableAmount currencyID="EUR">8.75</PayableAmount>
  </a:LegalMonetaryTotal>
  <a:InvoiceLine>
    <ID>10</ID><InvoicedQuantity unitCode="XYZ">3</InvoicedQuantity>
    <LineExtensionAmount currencyID="EUR">10</LineExtensionAmount>
    <a:AllowanceCharge><ChargeIndicator>1</ChargeIndicator><Amount currencyID="EUR">2</Amount></a:AllowanceCharge>
    <a:TaxTotal><TaxAmount currencyID="EUR">2.10</TaxAmount></a:TaxTotal>
    <a:Item><Name>Thing</Name></a:Item>
    <a:Price><PriceAmount currencyID="EUR">8</PriceAmount><BaseQuantity>3</BaseQuantity></a:Price>
  </a:InvoiceLine>
</i:Invoice>"""


@pytest.fixture(scope="module")
def contract() -> Contract:
    return read_contract("ubl_invoice")


@pytest.fixture(scope="module")
def parser(contract: Contract) -> DocumentParser:
    return DocumentParser(parsing_rules(contract))


@pytest.fixture(scope="module")
def plan(contract: Contract) -> Plan:
    return compile_plan(contract)


@pytest.fixture(scope="module")
def good() -> list[bytes]:
    return [sample.content for sample in samples("ubl_invoice", GOOD_SAMPLES) if sample.content is not None]


@pytest.fixture(scope="module")
def loaded(contract: Contract, parser: DocumentParser, plan: Plan, good: list[bytes]) -> Tables:
    found: dict[str, list[dict[str, Value]]] = {layout.name: [] for layout in layouts(contract)}
    for number, content in enumerate(good):
        rows = as_tables(contract, map_document(plan, parser.parse(content), number, RUN))
        for table, more in rows.items():
            found[table].extend(more)
    return found


@pytest.fixture(scope="module")
def small(contract: Contract, parser: DocumentParser, plan: Plan) -> Tables:
    return as_tables(contract, map_document(plan, parser.parse(SMALL.encode()), "small.xml", RUN))


def as_tables(contract: Contract, mapped: tuple[tuple[Row, ...], ...]) -> Tables:
    return {
        layout.name: [dict(zip([column.name for column in layout.columns], row, strict=True)) for row in rows]
        for layout, rows in zip(layouts(contract), mapped, strict=True)
    }


def failure(parser: DocumentParser, plan: Plan, content: bytes | None) -> Failure | None:
    try:
        map_document(plan, parser.parse(content), "sample", RUN)
    except (ParseError, MappingError) as error:
        return error.failure
    return None


def test_an_invoice_row_holds_dates_codes_and_totals(small: Tables) -> None:
    (invoice,) = small["invoice"]

    assert {name: value for name, value in invoice.items() if value is not None} == {
        "supplier_id": "VAT:BE0123456789",
        "invoice_number": "A-1",
        "document_kind": "Invoice",
        "issue_date": date(2024, 2, 28),
        "due_date": date(2024, 3, 1),
        "days_to_pay": 2,
        "currency_code": "EUR",
        "currency_number": 978,
        "line_count": 1,
        "line_extension_amount": Decimal("10.00"),
        "allowance_total": Decimal(0),
        "charge_total": Decimal(0),
        "tax_exclusive_amount": Decimal("8.50"),
        "tax_inclusive_amount": Decimal("8.50"),
        "prepaid_amount": Decimal(0),
        "rounding_amount": Decimal(0),
        "payable_amount": Decimal("8.75"),
        "difference": Decimal("0.25"),
        "source_key": "small.xml",
    }


def test_supplier_and_customer_are_rows_of_one_table(small: Tables) -> None:
    supplier, customer = small["party"]

    assert (supplier["role"], supplier["name"], supplier["legal_name"]) == ("supplier", "Seller NV", "Seller NV")
    assert (supplier["street"], supplier["postal_zone"]) == ("Mill Lane 1", "1000")
    assert supplier["vat_number"] == "BE0123456789"
    assert (customer["role"], customer["name"], customer["legal_name"]) == ("customer", "Buyer", None)


def test_an_empty_note_is_left_out_and_keeps_its_number(small: Tables) -> None:
    notes = [(row["note_no"], row["language"], row["note"]) for row in small["invoice_note"]]

    assert notes == [(1, None, "first"), (3, "fr", "troisième")]


def test_a_contact_with_nothing_to_say_is_left_out(small: Tables) -> None:
    assert small["party_contact"] == [
        {
            "supplier_id": "VAT:BE0123456789",
            "invoice_number": "A-1",
            "role": "customer",
            "name": None,
            "telephone": None,
            "email": "ap@buyer.example",
        }
    ]


def test_a_line_has_its_amount_with_tax_and_its_price_for_one(small: Tables) -> None:
    (line,) = small["invoice_line"]

    assert (line["line_id"], line["line_no"], line["unit_code"]) == ("10", 1, "XYZ")
    assert line["tax_inclusive_amount"] == Decimal("12.10")
    assert line["unit_price"] == Decimal("2.66666667")
    assert line["free_of_charge"] is False


def test_allowances_take_away_and_charges_add_on_both_levels(small: Tables) -> None:
    of_invoice = [(row["is_charge"], row["signed_amount"]) for row in small["allowance_charge"]]
    of_lines = [(row["line_no"], row["is_charge"], row["signed_amount"]) for row in small["line_allowance_charge"]]

    assert of_invoice == [(False, Decimal("-1.50"))]
    assert of_lines == [(1, True, Decimal(2))]


def test_no_amount_is_wider_than_a_double_holds(contract: Contract) -> None:
    columns = [column for layout in layouts(contract) for column in layout.columns]
    amounts = [column.type for column in columns if column.type.family is Family.DECIMAL and column.type.scale == 2]

    assert amounts
    assert all(each.precision <= 15 for each in amounts)


def test_samples_give_as_many_rows_as_an_independent_count(loaded: Tables, good: list[bytes]) -> None:
    expected: Counter[str] = Counter()
    for content in good:
        root = ET.fromstring(content)
        for table, paths in ROWS.items():
            expected[table] += sum(len(root.findall(path, NAMESPACES)) for path in paths)
        contacts = root.findall(".//cac:Contact", NAMESPACES)
        expected["party_contact"] += sum(contact.find("cbc:ID", NAMESPACES) is None for contact in contacts)

    assert {table: len(rows) for table, rows in loaded.items()} == expected
    assert all(loaded.values())


def test_keys_of_samples_are_unique(contract: Contract, loaded: Tables) -> None:
    for layout in layouts(contract):
        keys = [tuple(row[name] for name in layout.key) for row in loaded[layout.name]]
        assert len(set(keys)) == len(keys)


def test_a_second_load_gives_the_same_keys(
    contract: Contract, parser: DocumentParser, plan: Plan, good: list[bytes], loaded: Tables
) -> None:
    again = as_tables(contract, map_document(plan, parser.parse(good[0]), 0, RUN))

    for table, rows in again.items():
        assert rows == loaded[table][: len(rows)]


def test_the_totals_of_samples_explain_the_payable_amount(loaded: Tables) -> None:
    assert {row["difference"] for row in loaded["invoice"]} == {Decimal(0)}


def test_line_amounts_and_allowances_of_samples_sum_up_to_the_amount_without_tax(loaded: Tables) -> None:
    net: dict[Value, Decimal] = {row["invoice_number"]: Decimal(0) for row in loaded["invoice"]}
    for row in loaded["invoice_line"]:
        net[row["invoice_number"]] += decimal(row["line_extension_amount"])
    for row in loaded["allowance_charge"]:
        net[row["invoice_number"]] += decimal(row["signed_amount"])

    assert net == {row["invoice_number"]: row["tax_exclusive_amount"] for row in loaded["invoice"]}


def test_tax_in_the_sellers_currency_is_a_column_of_its_own(loaded: Tables) -> None:
    rows = [row for row in loaded["invoice"] if row["tax_currency_code"] is not None]

    assert rows
    for row in rows:
        exact = decimal(row["tax_amount"]) * decimal(row["tax_exchange_rate"])
        assert abs(decimal(row["tax_amount_in_tax_currency"]) - exact) <= Decimal("0.005")


def decimal(value: Value) -> Decimal:
    assert isinstance(value, Decimal)
    return value


def test_each_fault_of_the_samples_is_found_where_it_is_and_for_what_it_is(parser: DocumentParser, plan: Plan) -> None:
    seen = set()
    for sample in samples("ubl_invoice", 2 * len(KINDS["ubl_invoice"].faults) + 2, faulty=Fraction(1, 2)):
        found = failure(parser, plan, sample.content)
        if sample.fault is None or sample.fault.stage is Stage.LOAD:
            assert found is None
        else:
            assert found is not None
            assert (found.stage, found.code) == (sample.fault.stage, sample.fault.reason), sample.fault.code
            seen.add(sample.fault.code)

    assert seen == {fault.code for fault in KINDS["ubl_invoice"].faults}


@pytest.mark.parametrize(
    ("fault", "place"),
    [
        ("unknown_currency", "invoice.currency_number"),
        ("amount_overflow", "invoice.payable_amount"),
        ("decimals", "invoice.tax_inclusive_amount"),
        ("date", "invoice.issue_date"),
        ("uuid", "invoice.uuid"),
        ("no_amount", "invoice.line_extension_amount"),
        ("long_postal_zone", "party.postal_zone"),
        ("quantity_in_words", "invoice_line.quantity"),
    ],
)
def test_a_fault_of_mapping_names_table_and_column(
    parser: DocumentParser, plan: Plan, good: list[bytes], fault: str, place: str
) -> None:
    (kind,) = (kind for kind in KINDS["ubl_invoice"].faults if kind.code == fault)

    found = failure(parser, plan, kind.spoil(good[0]))

    assert found is not None
    assert f"{found.table}.{found.column}" == place
    assert found.path.startswith(("cbc:", "$quantity")) or "/cbc:" in found.path


@pytest.mark.slow
def test_the_commands_make_and_load_invoices_and_reject_the_spoilt_ones(
    xml_extractor: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    expected = {
        f"{sample.key:07}": sample.fault.reason
        for sample in samples("ubl_invoice", 120, faulty=Fraction(1, 4))
        if sample.fault is not None and sample.fault.stage is not Stage.LOAD
    }

    made = xml_extractor("sample", "ubl_invoice", "120", "--to", "invoices", "--faulty", "25%")
    run = xml_extractor("run", "--contract", "ubl_invoice", "--source", "invoices", "--target", "sqlite:///rows.db")

    assert (made.returncode, run.returncode) == (0, 1), made.stderr + run.stderr
    with closing(sqlite3.connect(tmp_path / "rows.db")) as database:
        rejected = database.execute(
            "SELECT document_key, reason FROM processing_log WHERE status = 'rejected' AND stage <> 'load'"
        ).fetchall()
        refused, loaded, invoices, differences = database.execute(
            "SELECT (SELECT COUNT(*) FROM processing_log WHERE status = 'rejected' AND stage = 'load'),"
            " (SELECT COUNT(*) FROM processing_log WHERE status = 'loaded'),"
            " COUNT(*), SUM(difference <> 0) FROM invoice"
        ).fetchone()
    assert {key[-11:-4]: reason.split(maxsplit=1)[0].rstrip(":") for key, reason in rejected} == expected
    assert refused == 30 - len(expected) == 1
    assert loaded == invoices == 90
    assert differences == 0
