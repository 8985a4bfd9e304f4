"""Sample invoices are UBL 2.1, and their figures add up."""

from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from random import Random
from xml.etree import ElementTree as ET

import pytest

from xml_extractor.reasons import Stage
from xml_extractor.samples import KINDS, samples
from xml_extractor.samples.model import FaultKind
from xml_extractor.samples.ubl_invoice import FEWEST_LINES, KIND, MOST_LINES, document

CAC = "{urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2}"
CBC = "{urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2}"
INVOICE = "{urn:oasis:names:specification:ubl:schema:xsd:Invoice-2}Invoice"
KEYS = range(1, 41)
MAP_FAULTS = [fault for fault in KIND.faults if fault.stage is Stage.MAP]

SCHEMA_ORDER = {
    "Invoice": "UBLVersionID CustomizationID ProfileID ID UUID IssueDate IssueTime DueDate InvoiceTypeCode Note "
    "DocumentCurrencyCode TaxCurrencyCode AccountingCost LineCountNumeric BuyerReference InvoicePeriod OrderReference "
    "DespatchDocumentReference ContractDocumentReference AdditionalDocumentReference AccountingSupplierParty "
    "AccountingCustomerParty PayeeParty Delivery PaymentMeans PaymentTerms AllowanceCharge TaxExchangeRate TaxTotal "
    "LegalMonetaryTotal InvoiceLine",
    "InvoiceLine": "ID Note InvoicedQuantity LineExtensionAmount OrderLineReference DespatchLineReference "
    "AllowanceCharge TaxTotal Item Price",
    "Item": "Description Name BuyersItemIdentification SellersItemIdentification StandardItemIdentification "
    "OriginCountry CommodityClassification ClassifiedTaxCategory AdditionalItemProperty",
    "Party": "EndpointID PartyIdentification PartyName PostalAddress PartyTaxScheme PartyLegalEntity Contact",
    "PostalAddress": "StreetName AdditionalStreetName CityName PostalZone Country",
    "PaymentMeans": "PaymentMeansCode PaymentID PayeeFinancialAccount",
    "PaymentTerms": "Note SettlementDiscountPercent SettlementPeriod",
    "AllowanceCharge": "ChargeIndicator AllowanceChargeReasonCode AllowanceChargeReason MultiplierFactorNumeric Amount "
    "BaseAmount TaxCategory",
    "TaxSubtotal": "TaxableAmount TaxAmount TaxCategory",
    "TaxCategory": "ID Percent TaxExemptionReason TaxScheme",
    "LegalMonetaryTotal": "LineExtensionAmount TaxExclusiveAmount TaxInclusiveAmount AllowanceTotalAmount "
    "ChargeTotalAmount PrepaidAmount PayableRoundingAmount PayableAmount",
}


@cache
def invoice(key: int) -> ET.Element:
    return ET.fromstring(document(key, Random(key)))


def amount(element: ET.Element, path: str) -> Decimal:
    found = element.find("/".join(f"{CAC if step[0] == '+' else CBC}{step.lstrip('+')}" for step in path.split("/")))
    return Decimal(0) if found is None else Decimal(found.text or "")


def adjustments(element: ET.Element) -> Decimal:
    return sum(
        (
            amount(each, "Amount") * (1 if each.findtext(f"{CBC}ChargeIndicator") == "true" else -1)
            for each in element.findall(f"{CAC}AllowanceCharge")
        ),
        Decimal(0),
    )


def cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), ROUND_HALF_UP)


def local_name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


@pytest.fixture(scope="module", params=KEYS)
def sample(request: pytest.FixtureRequest) -> ET.Element:
    return invoice(int(request.param))


def test_the_same_seed_gives_the_same_invoices() -> None:
    first, second = (list(samples("ubl_invoice", 30, seed=7)) for _ in range(2))

    assert first == second
    assert first != list(samples("ubl_invoice", 30, seed=8))


def test_invoices_are_a_kind_of_sample() -> None:
    assert KINDS["ubl_invoice"] is KIND


def test_an_invoice_is_identified_by_its_key() -> None:
    assert invoice(17).findtext(f"{CBC}ID") == "INV-0000017"


def test_an_invoice_has_5_to_60_lines_and_says_how_many(sample: ET.Element) -> None:
    lines = sample.findall(f"{CAC}InvoiceLine")

    assert sample.tag == INVOICE
    assert FEWEST_LINES <= len(lines) <= MOST_LINES
    assert sample.findtext(f"{CBC}LineCountNumeric") == str(len(lines))
    assert [line.findtext(f"{CBC}ID") for line in lines] == [str(number + 1) for number in range(len(lines))]


def test_elements_stand_in_the_order_of_the_schema(sample: ET.Element) -> None:
    for element in sample.iter():
        if local_name(element) in SCHEMA_ORDER:
            order = SCHEMA_ORDER[local_name(element)].split()
            positions = [order.index(local_name(child)) for child in element]
            assert positions == sorted(positions)


def test_every_amount_names_its_currency(sample: ET.Element) -> None:
    currencies = {sample.findtext(f"{CBC}DocumentCurrencyCode"), sample.findtext(f"{CBC}TaxCurrencyCode")} - {None}

    named = {element.get("currencyID") for element in sample.iter() if local_name(element).endswith("Amount")}

    assert named == currencies


def test_a_line_is_quantity_times_price_with_allowances_and_charges(sample: ET.Element) -> None:
    for line in sample.findall(f"{CAC}InvoiceLine"):
        base = amount(line, "+Price/BaseQuantity") or 1
        gross = cents(amount(line, "InvoicedQuantity") * amount(line, "+Price/PriceAmount") / base)
        assert amount(line, "LineExtensionAmount") == gross + adjustments(line)


def test_taxes_are_percentages_of_taxable_amounts_and_sum_up(sample: ET.Element) -> None:
    for total in sample.iter(f"{CAC}TaxTotal"):
        subtotals = total.findall(f"{CAC}TaxSubtotal")
        for subtotal in subtotals:
            percent = amount(subtotal, "+TaxCategory/Percent")
            assert amount(subtotal, "TaxAmount") == cents(amount(subtotal, "TaxableAmount") * percent / 100)
        if subtotals:
            assert amount(total, "TaxAmount") == sum(amount(subtotal, "TaxAmount") for subtotal in subtotals)


def test_taxable_amounts_of_an_invoice_sum_up_to_its_amount_without_tax(sample: ET.Element) -> None:
    subtotals = sample.findall(f"{CAC}TaxTotal/{CAC}TaxSubtotal")

    assert sum(amount(each, "TaxableAmount") for each in subtotals) == amount(
        sample, "+LegalMonetaryTotal/TaxExclusiveAmount"
    )


def test_the_payable_amount_follows_from_lines_taxes_and_payments(sample: ET.Element) -> None:
    total = sample.find(f"{CAC}LegalMonetaryTotal")
    assert total is not None
    lines = sum(amount(line, "LineExtensionAmount") for line in sample.findall(f"{CAC}InvoiceLine"))
    tax = amount(sample, "+TaxTotal/TaxAmount")

    assert amount(total, "LineExtensionAmount") == lines
    assert amount(total, "ChargeTotalAmount") - amount(total, "AllowanceTotalAmount") == adjustments(sample)
    assert amount(total, "TaxExclusiveAmount") == lines + adjustments(sample)
    assert amount(total, "TaxInclusiveAmount") == amount(total, "TaxExclusiveAmount") + tax
    assert amount(total, "PayableAmount") == (
        amount(total, "TaxInclusiveAmount") - amount(total, "PrepaidAmount") + amount(total, "PayableRoundingAmount")
    )


def test_tax_is_stated_in_the_sellers_currency_too_where_the_invoice_is_in_another() -> None:
    seen = 0
    for sample in map(invoice, KEYS):
        if sample.find(f"{CBC}TaxCurrencyCode") is not None:
            seen += 1
            in_invoice, in_own = (amount(total, "TaxAmount") for total in sample.findall(f"{CAC}TaxTotal"))
            assert in_own == cents(in_invoice * amount(sample, "+TaxExchangeRate/CalculationRate"))
    assert seen


@pytest.mark.parametrize(
    "path",
    [
        f"{CAC}AllowanceCharge",
        f"{CAC}PayeeParty",
        f"{CAC}DespatchDocumentReference[2]",
        f"{CAC}TaxTotal/{CAC}TaxSubtotal[2]",
        f"{CAC}LegalMonetaryTotal/{CBC}PrepaidAmount",
        f"{CAC}LegalMonetaryTotal/{CBC}PayableRoundingAmount",
        f"{CAC}PaymentTerms/{CAC}SettlementPeriod",
    ],
)
def test_some_invoices_have_what_others_lack(path: str) -> None:
    having = sum(sample.find(path) is not None for sample in map(invoice, KEYS))

    assert 0 < having < len(KEYS)


@pytest.mark.parametrize("fault", MAP_FAULTS, ids=[fault.code for fault in MAP_FAULTS])
def test_a_fault_of_mapping_changes_one_element_of_a_well_formed_invoice(fault: FaultKind) -> None:
    for key in KEYS:
        good = document(key, Random(key))
        bad = fault.spoil(good)
        assert bad is not None
        assert bad != good
        texts, spoilt = ([element.text for element in ET.fromstring(content).iter()] for content in (good, bad))
        assert len(texts) - len(spoilt) in (0, 1)


def test_lines_have_allowances_and_several_properties_here_and_there() -> None:
    lines = [line for sample in map(invoice, KEYS) for line in sample.findall(f"{CAC}InvoiceLine")]

    for path in (f"{CAC}AllowanceCharge", f"{CAC}Item/{CAC}AdditionalItemProperty[2]"):
        assert 0 < sum(line.find(path) is not None for line in lines) < len(lines)


def test_every_way_of_spoiling_has_a_word_of_its_own() -> None:
    codes = [fault.code for fault in KIND.faults]

    assert len(set(codes)) == len(codes)
