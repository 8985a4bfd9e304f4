"""Invoices in UBL 2.1: 5 to 60 lines with consistent totals."""

import re
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from random import Random
from typing import NamedTuple
from uuid import UUID

from xml_extractor.reasons import Reason, Stage
from xml_extractor.samples.model import FaultKind, SampleKind, parse_faults
from xml_extractor.samples.ubl_parts import (
    COUNTRIES,
    Adjustment,
    Company,
    Line,
    Tax,
    address,
    adjustment_markup,
    aggregate,
    allowance,
    basic,
    cents,
    charge,
    company,
    content,
    digits,
    line,
    line_markup,
    money,
    party,
    subtotal_markup,
)

FEWEST_LINES = 5
MOST_LINES = 60

_NAMESPACES = (
    ("xmlns", "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"),
    ("xmlns:cac", "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"),
    ("xmlns:cbc", "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"),
)
_ROOT = " ".join(("Invoice", *(f'{prefix}="{name}"' for prefix, name in _NAMESPACES)))
_FIRST_DAY = date(2023, 1, 2)
_NOTES = (("en", "Thank you for your order."), ("de", "Es gelten unsere AGB & Lieferbedingungen."), ("fr", "Merci !"))


class _Totals(NamedTuple):
    taxes: dict[Tax, Decimal]
    lines: Decimal
    allowances: Decimal
    charges: Decimal
    tax: Decimal
    prepaid: Decimal
    rounding: Decimal

    @property
    def without_tax(self) -> Decimal:
        return self.lines - self.allowances + self.charges

    @property
    def with_tax(self) -> Decimal:
        return self.without_tax + self.tax

    @property
    def payable(self) -> Decimal:
        return self.with_tax - self.prepaid + self.rounding


class _Invoice(NamedTuple):
    key: int
    seller: Company
    buyer: Company
    currency: str
    tax_rate: Decimal | None
    """Units of the seller's currency for one unit of the invoice's currency, if they differ."""
    issued: date
    lines: tuple[Line, ...]
    adjustments: tuple[Adjustment, ...]
    totals: _Totals


def document(key: int, random: Random) -> bytes:
    """Generate a valid invoice; its ID is `INV-` and the key in seven digits."""
    invoice = _invoice(key, random)
    parts = (
        *_head(random, invoice),
        *_references(random, invoice),
        *_parties(random, invoice),
        *_sums(random, invoice),
    )
    lines = (line_markup(random, each, invoice.currency) for each in invoice.lines)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{_ROOT}>{content(*parts, *lines)}</Invoice>\n'.encode()


def _invoice(key: int, random: Random) -> _Invoice:
    seller = company(random, random.choice(COUNTRIES))
    buyer = company(random, seller.country if random.randrange(4) else random.choice(COUNTRIES))
    currency = random.choice(("EUR", seller.country.currency, seller.country.currency))
    abroad = _tax_abroad(seller, buyer)
    count = min(random.randrange(FEWEST_LINES, MOST_LINES + 1), random.randrange(FEWEST_LINES, MOST_LINES + 1))
    lines = tuple(line(random, number, seller.country, abroad=abroad) for number in range(1, count + 1))
    adjustments = _adjustments(random, lines)
    rate = None if currency == seller.country.currency else Decimal(random.randrange(40000, 1200000)) / 100000
    issued = _FIRST_DAY + timedelta(days=random.randrange(700))
    totals = _totals(random, lines, adjustments)
    return _Invoice(key, seller, buyer, currency, rate, issued, lines, adjustments, totals)


def _tax_abroad(seller: Company, buyer: Company) -> Tax | None:
    if seller.country == buyer.country:
        return None
    if seller.country.in_vat_area and buyer.country.in_vat_area:
        return Tax("K", Decimal(0), "Intra-community supply")
    return Tax("G", Decimal(0), "Export outside the VAT area")


def _adjustments(random: Random, lines: tuple[Line, ...]) -> tuple[Adjustment, ...]:
    tax = lines[0].tax
    base = sum((each.net for each in lines if each.tax == tax), Decimal(0))
    found = []
    if not random.randrange(3):
        found.append(allowance(random, base, Decimal(random.choice(("2", "3", "7.5"))), tax))
    if not random.randrange(3):
        found.append(charge(random, tax))
    return tuple(found)


def _totals(random: Random, lines: tuple[Line, ...], adjustments: tuple[Adjustment, ...]) -> _Totals:
    taxable: dict[Tax, Decimal] = {}
    for each in lines:
        taxable[each.tax] = taxable.get(each.tax, Decimal(0)) + each.net
    for adjustment in adjustments:
        if adjustment.tax is not None:
            taxable[adjustment.tax] += adjustment.signed
    totals = _Totals(
        taxes=taxable,
        lines=sum((each.net for each in lines), Decimal(0)),
        allowances=sum((each.amount for each in adjustments if not each.is_charge), Decimal(0)),
        charges=sum((each.amount for each in adjustments if each.is_charge), Decimal(0)),
        tax=sum((tax.of(amount) for tax, amount in taxable.items()), Decimal(0)),
        prepaid=Decimal(0),
        rounding=Decimal(0),
    )
    if not random.randrange(8):
        totals = totals._replace(prepaid=cents(totals.with_tax / 4))
    if not random.randrange(5):
        totals = totals._replace(rounding=totals.payable.quantize(Decimal(1)) - totals.payable)
    return totals


def _head(random: Random, invoice: _Invoice) -> tuple[str, ...]:
    language, note = random.choice(_NOTES)
    due = invoice.issued + timedelta(days=random.choice((10, 14, 30, 30, 60)))
    start = invoice.issued.replace(day=1)
    return (
        basic("UBLVersionID", "2.1"),
        basic("CustomizationID", "urn:cen.eu:en16931:2017"),
        basic("ProfileID", "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"),
        basic("ID", f"INV-{invoice.key:07}"),
        basic("UUID", UUID(int=random.getrandbits(128), version=4)),
        basic("IssueDate", invoice.issued),
        basic("IssueTime", f"{random.randrange(7, 19):02}:{random.randrange(60):02}:{random.randrange(60):02}")
        if not random.randrange(3)
        else "",
        basic("DueDate", due) if random.randrange(6) else "",
        basic("InvoiceTypeCode", random.choice(("380", "380", "380", "384", "389"))),
        basic("Note", note, languageID=language) if random.randrange(2) else "",
        basic("Note", f"Projet {digits(random, 4)}\u2009: délai 30 jours") if not random.randrange(4) else "",
        basic("DocumentCurrencyCode", invoice.currency),
        basic("TaxCurrencyCode", invoice.seller.country.currency) if invoice.tax_rate is not None else "",
        basic("AccountingCost", f"4{digits(random, 3)}:{digits(random, 3)}") if not random.randrange(3) else "",
        basic("LineCountNumeric", len(invoice.lines)),
        basic("BuyerReference", f"BR-{digits(random, 5)}") if random.randrange(3) else "",
        aggregate("InvoicePeriod", basic("StartDate", start), basic("EndDate", invoice.issued))
        if not random.randrange(3)
        else "",
    )


def _references(random: Random, invoice: _Invoice) -> tuple[str, ...]:
    ordered = invoice.issued - timedelta(days=random.randrange(3, 40))
    sent = invoice.issued - timedelta(days=random.randrange(3))
    despatches = (
        aggregate("DespatchDocumentReference", basic("ID", f"DN-{digits(random, 7)}"), basic("IssueDate", sent))
        for _ in range(random.randrange(4))
    )
    return (
        aggregate(
            "OrderReference",
            basic("ID", f"PO-{digits(random, 6)}"),
            basic("SalesOrderID", f"SO-{digits(random, 6)}") if random.randrange(2) else "",
            basic("IssueDate", ordered),
        )
        if random.randrange(5)
        else "",
        *despatches,
        aggregate("ContractDocumentReference", basic("ID", f"C{digits(random, 4)}")) if not random.randrange(4) else "",
        aggregate(
            "AdditionalDocumentReference",
            basic("ID", f"TS-{digits(random, 4)}"),
            basic("DocumentDescription", "Time sheet"),
        )
        if not random.randrange(5)
        else "",
    )


def _parties(random: Random, invoice: _Invoice) -> tuple[str, ...]:
    payee = company(random, invoice.seller.country) if not random.randrange(10) else None
    delivered = invoice.issued - timedelta(days=random.randrange(10))
    return (
        aggregate("AccountingSupplierParty", party(random, invoice.seller)),
        aggregate("AccountingCustomerParty", party(random, invoice.buyer)),
        aggregate(
            "PayeeParty",
            aggregate("PartyName", basic("Name", payee.name)),
            aggregate("PartyLegalEntity", basic("RegistrationName", payee.legal_name)),
        )
        if payee is not None
        else "",
        aggregate(
            "Delivery",
            basic("ActualDeliveryDate", delivered),
            aggregate("DeliveryLocation", aggregate("Address", *address(random, invoice.buyer))),
        )
        if random.randrange(4)
        else "",
    )


def _sums(random: Random, invoice: _Invoice) -> tuple[str, ...]:
    currency, totals = invoice.currency, invoice.totals
    subtotals = (subtotal_markup(tax, amount, tax.of(amount), currency) for tax, amount in totals.taxes.items())
    return (
        _payment_means(random, invoice),
        _payment_terms(random, invoice),
        *(adjustment_markup(each, currency) for each in invoice.adjustments),
        *_exchange_rate(invoice),
        aggregate("TaxTotal", money("TaxAmount", totals.tax, currency), *subtotals),
        *_tax_in_own_currency(invoice),
        aggregate(
            "LegalMonetaryTotal",
            money("LineExtensionAmount", totals.lines, currency),
            money("TaxExclusiveAmount", totals.without_tax, currency),
            money("TaxInclusiveAmount", totals.with_tax, currency),
            money("AllowanceTotalAmount", totals.allowances, currency) if totals.allowances else "",
            money("ChargeTotalAmount", totals.charges, currency) if totals.charges else "",
            money("PrepaidAmount", totals.prepaid, currency) if totals.prepaid else "",
            money("PayableRoundingAmount", totals.rounding, currency) if totals.rounding else "",
            money("PayableAmount", totals.payable, currency),
        ),
    )


def _payment_means(random: Random, invoice: _Invoice) -> str:
    """Generate a payment account. Its check digits are 00, so it cannot exist."""
    account = f"{invoice.seller.country.code}00 {digits(random, 4)} {digits(random, 4)} {digits(random, 4)}"
    return aggregate(
        "PaymentMeans",
        basic("PaymentMeansCode", random.choice(("30", "58", "59", "48", "ZZZ"))),
        basic("PaymentID", f"{invoice.key:07}/{digits(random, 2)}"),
        aggregate(
            "PayeeFinancialAccount",
            basic("ID", account),
            basic("Name", invoice.seller.legal_name),
            aggregate("FinancialInstitutionBranch", basic("ID", f"XXXX{invoice.seller.country.code}00")),
        ),
    )


def _payment_terms(random: Random, invoice: _Invoice) -> str:
    if not random.randrange(3):
        return ""
    if random.randrange(2):
        return aggregate("PaymentTerms", basic("Note", "Net, no discount"))
    return aggregate(
        "PaymentTerms",
        basic("Note", "2 % discount within ten days"),
        basic("SettlementDiscountPercent", "2.00"),
        aggregate("SettlementPeriod", basic("EndDate", invoice.issued + timedelta(days=10))),
    )


def _exchange_rate(invoice: _Invoice) -> tuple[str, ...]:
    if invoice.tax_rate is None:
        return ()
    rate = (
        basic("SourceCurrencyCode", invoice.currency),
        basic("TargetCurrencyCode", invoice.seller.country.currency),
        basic("CalculationRate", invoice.tax_rate),
    )
    return (aggregate("TaxExchangeRate", *rate),)


def _tax_in_own_currency(invoice: _Invoice) -> tuple[str, ...]:
    if invoice.tax_rate is None:
        return ()
    amount = cents(invoice.totals.tax * invoice.tax_rate)
    return (aggregate("TaxTotal", money("TaxAmount", amount, invoice.seller.country.currency)),)


def _with_text(sample: bytes, element: bytes, text: bytes) -> bytes:
    changed, count = re.subn(rb"(<%b(?: [^>]*)?>)[^<]*" % element, lambda found: found[1] + text, sample, count=1)
    return _if_changed(changed, count, element)


def _without(sample: bytes, element: bytes) -> bytes:
    changed, count = re.subn(rb"\s*<%b(?: [^>]*)?>[^<]*</%b>" % (element, element), b"", sample, count=1)
    return _if_changed(changed, count, element)


def _if_changed(changed: bytes, count: int, element: bytes) -> bytes:
    if count == 0:
        raise ValueError(f"the document has no element {element.decode()}")
    return changed


def _map_fault(code: str, reason: Reason, element: bytes, text: bytes | None) -> FaultKind:
    """Return a fault that replaces the text of the first element with this name, or removes the element."""
    if text is None:
        return FaultKind(code, Stage.MAP, reason, partial(_without, element=element))
    return FaultKind(code, Stage.MAP, reason, partial(_with_text, element=element, text=text))


KIND = SampleKind(
    name="ubl_invoice",
    document=document,
    faults=(
        *parse_faults(root=b"Invoice", inside=b"cac:InvoiceLine"),
        _map_fault("no_key", Reason.MISSING_KEY, b"cbc:ID", None),
        _map_fault("blank_key", Reason.MISSING_KEY, b"cbc:ID", b" "),
        _map_fault("unknown_currency", Reason.UNKNOWN_CODE, b"cbc:DocumentCurrencyCode", b"XQX"),
        _map_fault("amount_overflow", Reason.OVERFLOW, b"cbc:PayableAmount", b"123456789012345.00"),
        _map_fault("decimals", Reason.TOO_MANY_DECIMALS, b"cbc:TaxInclusiveAmount", b"100.005"),
        _map_fault("date", Reason.IMPOSSIBLE_DATE, b"cbc:IssueDate", b"2023-02-30"),
        _map_fault("quantity_in_words", Reason.NOT_A_NUMBER, b"cbc:InvoicedQuantity", b"a dozen"),
        _map_fault("no_amount", Reason.MISSING_VALUE, b"cbc:LineExtensionAmount", None),
        _map_fault("long_postal_zone", Reason.TOO_LONG, b"cbc:PostalZone", b"0123456789" * 3),
        _map_fault("uuid", Reason.NOT_A_UUID, b"cbc:UUID", b"none"),
    ),
)
