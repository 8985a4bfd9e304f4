"""The rows of invoices and credit notes in UBL, extracted with plain lxml: what the shipped contract must give."""

import re
from base64 import b64decode
from datetime import date, time
from decimal import ROUND_HALF_UP, Decimal
from itertools import chain

from lxml import etree

from xml_extractor.documents import Value

Element = etree._Element
Rows = list[dict[str, Value]]

NAMESPACES = {
    "cac": "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2",
    "cbc": "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2",
}
REFERENCES = {
    "cac:OrderReference": "order",
    "cac:BillingReference/cac:InvoiceDocumentReference": "invoice",
    "cac:BillingReference/cac:CreditNoteDocumentReference": "credit note",
    "cac:DespatchDocumentReference": "despatch",
    "cac:ReceiptDocumentReference": "receipt",
    "cac:OriginatorDocumentReference": "tender or lot",
    "cac:ContractDocumentReference": "contract",
    "cac:AdditionalDocumentReference": "additional",
    "cac:ProjectReference": "project",
}
PARTIES = {
    "cac:AccountingSupplierParty/cac:Party": "supplier",
    "cac:AccountingCustomerParty/cac:Party": "customer",
    "cac:PayeeParty": "payee",
    "cac:TaxRepresentativeParty": "tax agent",
}
ITEM_IDS = ("Buyers", "Sellers", "Manufacturers", "Standard", "Catalogue", "Additional")

Codes = dict[str, dict[str, Value]]
"""Names of codes by list, from the contract's lookups: what they are is not this module's to say."""


def found(element: Element | None, path: str) -> list[Element]:
    return [] if element is None else element.findall(path, NAMESPACES)


def first(element: Element | None, path: str) -> Element | None:
    return next(iter(found(element, path)), None)


def own_text(element: Element | None) -> str | None:
    return ("".join(map(str, element.itertext())).strip() or None) if element is not None else None


def text(element: Element | None, path: str) -> str | None:
    return own_text(first(element, path))


def texts(element: Element | None, path: str, separator: str) -> str | None:
    return separator.join(filter(None, map(own_text, found(element, path)))) or None


def attribute(element: Element | None, name: str) -> str | None:
    return ((element.get(name) or "").strip() or None) if element is not None else None


def upper(value: str | None) -> str | None:
    return value and value.upper()


def collapsed(value: str | None) -> str | None:
    return value and " ".join(value.split())


def compact(value: str | None) -> str | None:
    return value and "".join(value.split()).upper()


def number(value: str | None, places: int = 2, otherwise: int | None = None) -> Decimal | None:
    if value is None:
        return None if otherwise is None else Decimal(otherwise)
    return Decimal(value).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def day(value: str | None) -> date | None:
    return date.fromisoformat(value[:10]) if value else None


def truth(value: str | None) -> bool | None:
    return value in ("true", "1") if value else None


def vat_number(party: Element | None) -> str | None:
    for scheme in found(party, "cac:PartyTaxScheme"):
        if text(scheme, "cac:TaxScheme/cbc:ID") == "VAT":
            return re.sub("[^0-9A-Z]", "", (text(scheme, "cbc:CompanyID") or "").upper()) or None
    return None


def own_id(party: Element | None) -> Element | None:
    ids = found(party, "cac:PartyIdentification/cbc:ID")
    return next((each for each in ids if each.get("schemeID") != "SEPA"), None)


def supplier_id(party: Element | None) -> str | None:
    legal = first(first(party, "cac:PartyLegalEntity"), "cbc:CompanyID")
    endpoint = first(party, "cbc:EndpointID")
    for scheme, value in (
        ("VAT", vat_number(party)),
        (attribute(legal, "schemeID") or "LEGAL", own_text(legal)),
        (attribute(own_id(party), "schemeID") or "PARTY", own_text(own_id(party))),
        (attribute(endpoint, "schemeID") or "ENDPOINT", own_text(endpoint)),
        ("TAX", text(party, "cac:PartyTaxScheme/cbc:CompanyID")),
        ("NAME", text(first(party, "cac:PartyLegalEntity"), "cbc:RegistrationName")),
        ("NAME", text(party, "cac:PartyName/cbc:Name")),
    ):
        if value:
            return f"{scheme}:{value}"
    return None


def extract(content: bytes, source_key: str, codes: Codes) -> dict[str, Rows]:
    """Return the rows of a document by table."""
    root = etree.fromstring(content, etree.XMLParser(huge_tree=True, remove_comments=True, remove_pis=True))
    key: dict[str, Value] = {
        "supplier_id": supplier_id(first(root, "cac:AccountingSupplierParty/cac:Party")),
        "invoice_number": text(root, "cbc:ID"),
    }
    tables: dict[str, Rows] = {
        "invoice": [{**key, **invoice(root, codes), "source_key": source_key}],
        "invoice_note": [{**key, **each} for each in notes(root)],
        "document_reference": [{**key, **each} for each in references(root)],
        "party": [],
        "party_identifier": [],
        "party_contact": [],
        "delivery": [{**key, "delivery_no": no, **delivery(each)} for no, each in counted(root, "cac:Delivery")],
        "payment_means": [
            {**key, "payment_means_no": no, **payment_means(each, codes)}
            for no, each in counted(root, "cac:PaymentMeans")
        ],
        "payment_terms": [
            {**key, "payment_terms_no": no, **payment_terms(each)} for no, each in counted(root, "cac:PaymentTerms")
        ],
        "tax_subtotal": [
            {**key, "tax_subtotal_no": no, **tax_subtotal(each, codes)}
            for no, each in counted(root, "cac:TaxTotal/cac:TaxSubtotal")
        ],
        "allowance_charge": [{**key, **each} for each in allowances(root, codes)],
    }
    for path, role in PARTIES.items():
        for element in found(root, path):
            own = {**key, "role": role}
            tables["party"].append({**own, **party(element)})
            tables["party_identifier"] += [{**own, **each} for each in identifiers(element)]
            tables["party_contact"] += [{**own, **each} for each in contacts(element)]
    tables.update(lines(root, key, codes))
    return tables


def counted(element: Element, path: str) -> list[tuple[int, Element]]:
    return list(enumerate(found(element, path), 1))


def invoice(root: Element, codes: Codes) -> dict[str, Value]:
    total, period = first(root, "cac:LegalMonetaryTotal"), first(root, "cac:InvoicePeriod")
    type_code = text(root, "cbc:InvoiceTypeCode") or text(root, "cbc:CreditNoteTypeCode")
    issued = day(text(root, "cbc:IssueDate"))
    due = day(text(root, "cbc:DueDate") or text(root, "cac:PaymentMeans/cbc:PaymentDueDate"))
    at = re.fullmatch(r"([\d:.]+)(Z|[+-]\d\d:\d\d)?", text(root, "cbc:IssueTime") or "")
    currency, tax_currency = text(root, "cbc:DocumentCurrencyCode"), text(root, "cbc:TaxCurrencyCode")
    taxes = {
        amount.get("currencyID"): number(own_text(amount))
        for amount in reversed(found(root, "cac:TaxTotal/cbc:TaxAmount"))
    }
    tax = taxes.get(currency)

    def amount(name: str, otherwise: int | None = None) -> Decimal | None:
        return number(text(total, f"cbc:{name}"), 2, otherwise)

    net, prepaid = amount("TaxExclusiveAmount"), amount("PrepaidAmount", 0)
    rounding, payable = amount("PayableRoundingAmount", 0), amount("PayableAmount")
    assert net is not None
    assert prepaid is not None
    assert rounding is not None
    assert payable is not None
    return {
        "document_kind": etree.QName(root).localname,
        "uuid": text(root, "cbc:UUID"),
        "customization_id": text(root, "cbc:CustomizationID"),
        "profile_id": text(root, "cbc:ProfileID"),
        "type_code": type_code,
        "type": name_of(codes, "document_type", type_code),
        "issue_date": issued,
        "issue_time": time.fromisoformat(at[1]) if at else None,
        "issue_time_zone": at[2] if at else None,
        "due_date": due,
        "days_to_pay": (due - issued).days if due and issued else None,
        "tax_point_date": day(text(root, "cbc:TaxPointDate")),
        "tax_point_date_code": text(period, "cbc:DescriptionCode"),
        "currency_code": upper(currency),
        "currency_number": codes["currency_number"][upper(currency) or ""],
        "tax_currency_code": upper(tax_currency),
        "tax_exchange_rate": number(text(root, "cac:TaxExchangeRate/cbc:CalculationRate"), 6),
        "accounting_cost": text(root, "cbc:AccountingCost"),
        "buyer_reference": text(root, "cbc:BuyerReference"),
        "period_start": day(text(period, "cbc:StartDate")),
        "period_end": day(text(period, "cbc:EndDate")),
        "line_count": len(found(root, "cac:InvoiceLine") + found(root, "cac:CreditNoteLine")),
        "line_extension_amount": amount("LineExtensionAmount"),
        "allowance_total": amount("AllowanceTotalAmount", 0),
        "charge_total": amount("ChargeTotalAmount", 0),
        "tax_exclusive_amount": net,
        "tax_amount": tax,
        "tax_inclusive_amount": amount("TaxInclusiveAmount"),
        "prepaid_amount": prepaid,
        "rounding_amount": rounding,
        "payable_amount": payable,
        "tax_amount_in_tax_currency": taxes.get(tax_currency) if tax_currency != currency else None,
        "difference": payable - (net + (tax or 0) - prepaid + rounding),
    }


def name_of(codes: Codes, of_list: str, code: str | None) -> Value:
    name = codes[of_list].get(code or "")
    assert name is None or isinstance(name, str)
    return name


def notes(root: Element) -> Rows:
    rows: Rows = []
    for number_, element in counted(root, "cbc:Note"):
        note = own_text(element)
        if note:
            subject = re.match("#([A-Z]{3})#", note)
            rows.append(
                {
                    "note_no": number_,
                    "language": attribute(element, "languageID"),
                    "subject_code": subject[1] if subject else None,
                    "note": note,
                }
            )
    return rows


def references(root: Element) -> Rows:
    rows: Rows = []
    of_kinds = chain.from_iterable(((kind, each) for each in found(root, path)) for path, kind in REFERENCES.items())
    for number_, (kind, element) in enumerate(of_kinds, 1):
        attachment = first(element, "cac:Attachment/cbc:EmbeddedDocumentBinaryObject")
        rows.append(
            {
                "reference_no": number_,
                "kind": kind,
                "reference": text(element, "cbc:ID"),
                "scheme": attribute(first(element, "cbc:ID"), "schemeID"),
                "type_code": text(element, "cbc:DocumentTypeCode"),
                "sales_order_id": text(element, "cbc:SalesOrderID"),
                "issue_date": day(text(element, "cbc:IssueDate")),
                "description": texts(element, "cbc:DocumentDescription", "; "),
                "uri": text(element, "cac:Attachment/cac:ExternalReference/cbc:URI"),
                "file_name": attribute(attachment, "filename"),
                "mime_code": attribute(attachment, "mimeCode"),
                "attachment": b64decode(content) if (content := own_text(attachment)) else None,
            }
        )
    return rows


def address_of(element: Element | None) -> dict[str, Value]:
    return {
        "street": collapsed(text(element, "cbc:StreetName")),
        "additional_street": collapsed(text(element, "cbc:AdditionalStreetName")),
        "address_line": collapsed(text(element, "cac:AddressLine/cbc:Line")),
        "city": collapsed(text(element, "cbc:CityName")),
        "postal_zone": text(element, "cbc:PostalZone"),
        "country_subdivision": text(element, "cbc:CountrySubentity"),
        "country_code": upper(text(element, "cac:Country/cbc:IdentificationCode")),
    }


def party(element: Element) -> dict[str, Value]:
    legal, endpoint = first(element, "cac:PartyLegalEntity"), first(element, "cbc:EndpointID")
    registration = first(legal, "cbc:CompanyID")
    legal_name = text(legal, "cbc:RegistrationName")
    others = [
        text(scheme, "cbc:CompanyID")
        for scheme in found(element, "cac:PartyTaxScheme")
        if text(scheme, "cac:TaxScheme/cbc:ID") not in ("VAT", None)
    ]
    return {
        "endpoint_scheme": attribute(endpoint, "schemeID"),
        "endpoint_id": own_text(endpoint),
        "party_id": own_text(own_id(element)),
        "name": text(element, "cac:PartyName/cbc:Name") or legal_name,
        "legal_name": legal_name,
        "legal_form": text(legal, "cbc:CompanyLegalForm"),
        "registration_no": own_text(registration),
        "registration_scheme": attribute(registration, "schemeID"),
        "vat_number": vat_number(element),
        "tax_registration": others[0] if others else None,
        **address_of(first(element, "cac:PostalAddress")),
    }


def identifiers(element: Element) -> Rows:
    kinds = {
        "cbc:EndpointID": "endpoint",
        "cac:PartyIdentification/cbc:ID": "party",
        "cac:PartyTaxScheme/cbc:CompanyID": "tax",
        "cac:PartyLegalEntity/cbc:CompanyID": "legal",
    }
    pairs = [(kind, each) for path, kind in kinds.items() for each in found(element, path)]
    return [
        {
            "identifier_no": number_,
            "kind": kind,
            "scheme": attribute(each, "schemeID") or text(each.getparent(), "cac:TaxScheme/cbc:ID"),
            "identifier": own_text(each),
        }
        for number_, (kind, each) in enumerate(pairs, 1)
        if own_text(each)
    ]


def contacts(element: Element) -> Rows:
    rows: Rows = []
    for contact in found(element, "cac:Contact"):
        email = text(contact, "cbc:ElectronicMail")
        row: dict[str, Value] = {
            "name": text(contact, "cbc:Name"),
            "telephone": text(contact, "cbc:Telephone"),
            "email": email and email.lower(),
        }
        if any(row.values()):
            rows.append(row)
    return rows


def delivery(element: Element) -> dict[str, Value]:
    return {
        "delivery_date": day(text(element, "cbc:ActualDeliveryDate")),
        "name": text(element, "cac:DeliveryParty/cac:PartyName/cbc:Name"),
        "location_id": text(element, "cac:DeliveryLocation/cbc:ID"),
        "location_scheme": attribute(first(element, "cac:DeliveryLocation/cbc:ID"), "schemeID"),
        **address_of(first(element, "cac:DeliveryLocation/cac:Address")),
    }


def payment_means(element: Element, codes: Codes) -> dict[str, Value]:
    account, card = first(element, "cac:PayeeFinancialAccount"), first(element, "cac:CardAccount")
    code = text(element, "cbc:PaymentMeansCode")
    return {
        "code": code,
        "means": name_of(codes, "payment_means", code),
        "means_text": attribute(first(element, "cbc:PaymentMeansCode"), "name"),
        "payment_id": texts(element, "cbc:PaymentID", "; "),
        "due_date": day(text(element, "cbc:PaymentDueDate")),
        "account_id": compact(text(account, "cbc:ID")),
        "account_name": text(account, "cbc:Name"),
        "bank_id": text(account, "cac:FinancialInstitutionBranch/cbc:ID"),
        "card_number": text(card, "cbc:PrimaryAccountNumberID"),
        "card_network": text(card, "cbc:NetworkID"),
        "card_holder": text(card, "cbc:HolderName"),
        "mandate_id": text(element, "cac:PaymentMandate/cbc:ID"),
        "debited_account": compact(text(element, "cac:PaymentMandate/cac:PayerFinancialAccount/cbc:ID")),
    }


def payment_terms(element: Element) -> dict[str, Value]:
    return {
        "note": texts(element, "cbc:Note", "\n"),
        "discount_percent": number(text(element, "cbc:SettlementDiscountPercent"), 4),
        "surcharge_percent": number(text(element, "cbc:PenaltySurchargePercent"), 4),
        "discount_until": day(text(element, "cac:SettlementPeriod/cbc:EndDate")),
    }


def tax_subtotal(element: Element, codes: Codes) -> dict[str, Value]:
    category = first(element, "cac:TaxCategory")
    code = text(category, "cbc:ID")
    return {
        "tax_scheme": text(category, "cac:TaxScheme/cbc:ID"),
        "category_code": code,
        "category": name_of(codes, "tax_category", code),
        "tax_percent": number(text(category, "cbc:Percent"), 4),
        "currency_code": attribute(first(element, "cbc:TaxAmount"), "currencyID"),
        "taxable_amount": number(text(element, "cbc:TaxableAmount")),
        "tax_amount": number(text(element, "cbc:TaxAmount")),
        "exemption_reason_code": text(category, "cbc:TaxExemptionReasonCode"),
        "exemption_reason": text(category, "cbc:TaxExemptionReason"),
    }


def allowances(element: Element, codes: Codes) -> Rows:
    rows: Rows = []
    for number_, each in counted(element, "cac:AllowanceCharge"):
        is_charge, amount = truth(text(each, "cbc:ChargeIndicator")), number(text(each, "cbc:Amount"))
        assert amount is not None
        reason_code, category = text(each, "cbc:AllowanceChargeReasonCode"), first(each, "cac:TaxCategory")
        rows.append(
            {
                "allowance_charge_no": number_,
                "is_charge": is_charge,
                "reason_code": reason_code,
                "reason_name": name_of(codes, "adjustment_reason", reason_code),
                "reason": texts(each, "cbc:AllowanceChargeReason", "; "),
                "percent": number(text(each, "cbc:MultiplierFactorNumeric"), 4),
                "currency_code": attribute(first(each, "cbc:Amount"), "currencyID"),
                "amount": amount,
                "base_amount": number(text(each, "cbc:BaseAmount")),
                "signed_amount": amount if is_charge else -amount,
                "tax_category_code": text(category, "cbc:ID"),
                "tax_percent": number(text(category, "cbc:Percent"), 4),
            }
        )
    return rows


def lines(root: Element, key: dict[str, Value], codes: Codes) -> dict[str, Rows]:
    names = ("invoice_line", "line_allowance_charge", "line_tax_subtotal")
    tables: dict[str, Rows] = {
        name: [] for name in (*names, "item_identification", "item_classification", "item_property")
    }
    for number_, element in enumerate(found(root, "cac:InvoiceLine") + found(root, "cac:CreditNoteLine"), 1):
        own, item = {**key, "line_no": number_}, first(element, "cac:Item")
        tables["invoice_line"].append({**own, **line(element, item)})
        tables["line_allowance_charge"] += [{**own, **each} for each in allowances(element, codes)]
        for no, each in counted(element, "cac:TaxTotal/cac:TaxSubtotal"):
            row = tax_subtotal(each, codes)
            kept = {name: row[name] for name in ("category_code", "tax_percent", "taxable_amount", "tax_amount")}
            tables["line_tax_subtotal"].append({**own, "subtotal_no": no, **kept})
        pairs = [(name, each) for name in ITEM_IDS for each in found(item, f"cac:{name}ItemIdentification")]
        for no, (name, each) in enumerate(pairs, 1):
            scheme, identifier = attribute(first(each, "cbc:ID"), "schemeID"), text(each, "cbc:ID")
            kind = name.lower().removesuffix("s")
            names_: dict[str, Value] = {
                "identification_no": no,
                "kind": kind,
                "scheme": scheme,
                "identifier": identifier,
            }
            tables["item_identification"] += [{**own, **names_}] if identifier else []
        for no, each in enumerate(found(item, "cac:CommodityClassification/cbc:ItemClassificationCode"), 1):
            of_list = {"list_id": attribute(each, "listID"), "list_version": attribute(each, "listVersionID")}
            row = {**own, "classification_no": no, **of_list, "code": own_text(each)}
            tables["item_classification"] += [row] if row["code"] else []
        for no, each in enumerate(found(item, "cac:AdditionalItemProperty"), 1):
            value = {"name": text(each, "cbc:Name"), "value": text(each, "cbc:Value")}
            tables["item_property"].append({**own, "property_no": no, **value})
    return tables


def line(element: Element, item: Element | None) -> dict[str, Value]:
    quantity = next(iter(found(element, "cbc:InvoicedQuantity") + found(element, "cbc:CreditedQuantity")), None)
    documents = found(element, "cac:DocumentReference")
    about = next((each for each in documents if text(each, "cbc:DocumentTypeCode") == "130"), None)
    period, price = first(element, "cac:InvoicePeriod"), first(element, "cac:Price")
    tax, discount = first(item, "cac:ClassifiedTaxCategory"), first(price, "cac:AllowanceCharge")
    net = number(text(element, "cbc:LineExtensionAmount"))
    tax_amount = number(text(element, "cac:TaxTotal/cbc:TaxAmount"))
    amount = number(text(price, "cbc:PriceAmount"), 8)
    base = number(text(price, "cbc:BaseQuantity"), 6, 1)
    assert net is not None
    return {
        "line_id": text(element, "cbc:ID"),
        "note": texts(element, "cbc:Note", "\n"),
        "object_id": text(about, "cbc:ID"),
        "object_scheme": attribute(first(about, "cbc:ID"), "schemeID"),
        "quantity": number(own_text(quantity), 6),
        "unit_code": attribute(quantity, "unitCode"),
        "currency_code": attribute(first(element, "cbc:LineExtensionAmount"), "currencyID"),
        "line_extension_amount": net,
        "tax_amount": tax_amount,
        "tax_inclusive_amount": None if tax_amount is None else net + tax_amount,
        "free_of_charge": truth(text(element, "cbc:FreeOfChargeIndicator")) or False,
        "order_line_id": text(element, "cac:OrderLineReference/cbc:LineID"),
        "despatch_line_id": text(element, "cac:DespatchLineReference/cbc:LineID"),
        "accounting_cost": text(element, "cbc:AccountingCost"),
        "period_start": day(text(period, "cbc:StartDate")),
        "period_end": day(text(period, "cbc:EndDate")),
        "item_name": text(item, "cbc:Name"),
        "item_description": texts(item, "cbc:Description", "\n"),
        "origin_country": upper(text(item, "cac:OriginCountry/cbc:IdentificationCode")),
        "tax_category_code": text(tax, "cbc:ID"),
        "tax_percent": number(text(tax, "cbc:Percent"), 4),
        "price_amount": amount,
        "price_discount": number(text(discount, "cbc:Amount"), 8),
        "gross_price": number(text(discount, "cbc:BaseAmount"), 8),
        "base_quantity": base,
        "base_quantity_unit": attribute(first(price, "cbc:BaseQuantity"), "unitCode"),
        "unit_price": (amount / base).quantize(Decimal("1e-8"), ROUND_HALF_UP) if amount is not None and base else None,
    }
