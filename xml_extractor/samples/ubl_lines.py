"""Lines of an invoice: what is sold, its price, allowances and charges, and its tax."""

from decimal import Decimal
from random import Random
from typing import NamedTuple

from xml_extractor.samples.ubl_companies import Country, digits
from xml_extractor.samples.ubl_markup import aggregate, basic, cents, money

_HUNDRED = Decimal(100)


class Tax(NamedTuple):
    """A category of tax (UN/CEFACT code list 5305), its percentage, and why there is none."""

    category: str
    percent: Decimal
    exemption: str = ""

    def of(self, amount: Decimal) -> Decimal:
        """The tax on an amount."""
        return cents(amount * self.percent / _HUNDRED)


class Adjustment(NamedTuple):
    """An allowance or a charge; `percent` of `base`, or an amount of its own."""

    is_charge: bool
    reason_code: str
    reason: str
    amount: Decimal
    base: Decimal | None = None
    percent: Decimal | None = None
    tax: Tax | None = None

    @property
    def signed(self) -> Decimal:
        """What it adds to a sum."""
        return self.amount if self.is_charge else -self.amount


class Item(NamedTuple):
    """Something to sell; `price_cents` are the lowest price and the end of the range."""

    name: str
    unit: str
    commodity: str
    price_cents: tuple[int, int]
    reduced: bool = False
    exempt: bool = False
    properties: tuple[tuple[str, str], ...] = ()


class Line(NamedTuple):
    """A line; `net` is its amount after allowances and charges, before tax."""

    number: int
    item: Item
    quantity: Decimal
    price: Decimal
    base_quantity: int
    adjustments: tuple[Adjustment, ...]
    net: Decimal
    tax: Tax


ITEMS = (
    Item(
        "Copy paper A4, 80 g/m²", "BX", "14111507", (1800, 3200), properties=(("Colour", "white"), ("Sheets", "2500"))
    ),
    Item("Ballpoint pen", "C62", "44121704", (40, 250), properties=(("Colour", "blue"),)),
    Item("Desk lamp", "C62", "39111500", (2500, 12000), properties=(("Power", "9 W"), ("Socket", "E27"))),
    Item("Cable, 3 x 1.5 mm²", "MTR", "26121600", (60, 260)),
    Item("Bolt M8 x 40", "C62", "31161600", (4, 30), properties=(("Steel", "A2"), ("Thread", "M8"))),
    Item("Olive oil", "LTR", "50151513", (550, 1400), reduced=True),
    Item("Coffee beans", "KGM", "50201706", (900, 2600), reduced=True, properties=(("Roast", "dark"),)),
    Item("Oat flour", "KGM", "50221101", (80, 240), reduced=True),
    Item("Consulting", "HUR", "80101500", (7000, 19000)),
    Item("Training course", "DAY", "86101700", (60000, 140000), exempt=True),
    Item("Software subscription", "MON", "43230000", (1500, 90000), properties=(("Plan", "Team"), ("Seats", "25"))),
    Item("Carpet tile", "MTK", "52101500", (1200, 4800), properties=(("Colour", "anthracite"),)),
    Item("Pallet <reusable>", "ZZ", "24112700", (900, 2100)),
    Item("Work gloves, size 10", "PR", "46181504", (300, 1500)),
)

_ALLOWANCES = (("95", "Discount"), ("100", "Special rebate"), ("71", "Volume discount"))
_CHARGES = (("FC", "Freight"), ("PC", "Packing"), ("ABL", "Additional packaging"))


def line(random: Random, number: int, seller: Country, *, abroad: Tax | None) -> Line:
    """A line; `abroad` is the tax of everything that leaves the seller's country."""
    item = random.choice(ITEMS)
    quantity = Decimal(random.randrange(1, 200))
    if item.unit in ("HUR", "KGM", "LTR", "MTR", "MTK"):
        quantity += Decimal(random.choice(("0", "0", "0.5", "0.25", "0.125")))
    base_quantity = random.choice((1, 1, 1, 1, 10, 100)) if item.unit == "C62" else 1
    price = cents(Decimal(random.randrange(*item.price_cents)) * base_quantity / _HUNDRED)
    gross = cents(quantity * price / base_quantity)
    adjustments = _adjustments(random, gross)
    net = gross + sum(adjustment.signed for adjustment in adjustments)
    return Line(number, item, quantity, price, base_quantity, adjustments, net, abroad or _domestic_tax(item, seller))


def allowance(random: Random, base: Decimal, percent: Decimal, tax: Tax | None = None) -> Adjustment:
    """An allowance of so many percent."""
    return Adjustment(False, *random.choice(_ALLOWANCES), cents(base * percent / _HUNDRED), base, percent, tax)


def charge(random: Random, tax: Tax | None = None) -> Adjustment:
    """A charge of a fixed amount."""
    return Adjustment(True, *random.choice(_CHARGES), Decimal(random.randrange(200, 4000)) / _HUNDRED, tax=tax)


def line_markup(random: Random, subject: Line, currency: str) -> str:
    """The line as an element."""
    tax = subject.tax.of(subject.net)
    return aggregate(
        "InvoiceLine",
        basic("ID", subject.number),
        basic("Note", "Partial delivery") if not random.randrange(12) else "",
        basic("InvoicedQuantity", subject.quantity, unitCode=subject.item.unit),
        money("LineExtensionAmount", subject.net, currency),
        aggregate("OrderLineReference", basic("LineID", subject.number * 10)) if random.randrange(3) else "",
        aggregate("DespatchLineReference", basic("LineID", subject.number)) if not random.randrange(4) else "",
        *(adjustment_markup(adjustment, currency) for adjustment in subject.adjustments),
        aggregate(
            "TaxTotal",
            money("TaxAmount", tax, currency),
            subtotal_markup(subject.tax, subject.net, tax, currency),
        ),
        _item_markup(random, subject),
        aggregate(
            "Price",
            money("PriceAmount", subject.price, currency),
            basic("BaseQuantity", subject.base_quantity, unitCode=subject.item.unit)
            if subject.base_quantity > 1
            else "",
        ),
    )


def adjustment_markup(subject: Adjustment, currency: str) -> str:
    """An allowance or a charge as an element."""
    return aggregate(
        "AllowanceCharge",
        basic("ChargeIndicator", str(subject.is_charge).lower()),
        basic("AllowanceChargeReasonCode", subject.reason_code),
        basic("AllowanceChargeReason", subject.reason),
        basic("MultiplierFactorNumeric", subject.percent) if subject.percent is not None else "",
        money("Amount", subject.amount, currency),
        money("BaseAmount", subject.base, currency) if subject.base is not None else "",
        category_markup("TaxCategory", subject.tax) if subject.tax is not None else "",
    )


def subtotal_markup(tax: Tax, taxable: Decimal, amount: Decimal, currency: str) -> str:
    """The tax of one category as an element."""
    return aggregate(
        "TaxSubtotal",
        money("TaxableAmount", taxable, currency),
        money("TaxAmount", amount, currency),
        category_markup("TaxCategory", tax),
    )


def category_markup(name: str, tax: Tax) -> str:
    """A category of tax as an element."""
    return aggregate(
        name,
        basic("ID", tax.category),
        basic("Percent", tax.percent),
        basic("TaxExemptionReason", tax.exemption) if tax.exemption else "",
        aggregate("TaxScheme", basic("ID", "VAT")),
    )


def _domestic_tax(item: Item, seller: Country) -> Tax:
    if item.exempt:
        return Tax("E", Decimal(0), "Exempt: education")
    return Tax("S", seller.rates[item.reduced])


def _adjustments(random: Random, gross: Decimal) -> tuple[Adjustment, ...]:
    match random.randrange(10):
        case 0 | 1:
            return (allowance(random, gross, Decimal(random.choice(("5", "10", "12.5")))),)
        case 2:
            return (charge(random),)
        case 3:
            return allowance(random, gross, Decimal(15)), charge(random)
        case _:
            return ()


def _item_markup(random: Random, subject: Line) -> str:
    item = subject.item
    described = f"{item.name}, see <catalogue> p. {random.randrange(1, 400)} & price list"
    parts = (
        basic("Description", described) if not random.randrange(3) else "",
        basic("Name", item.name),
        aggregate("BuyersItemIdentification", basic("ID", f"B{digits(random, 5)}")) if not random.randrange(3) else "",
        aggregate("SellersItemIdentification", basic("ID", f"{item.commodity[:4]}-{digits(random, 4)}")),
        aggregate("StandardItemIdentification", basic("ID", f"2{digits(random, 13)}", schemeID="0160"))
        if random.randrange(2)
        else "",
        aggregate("OriginCountry", basic("IdentificationCode", random.choice(("DE", "CN", "IT", "VN")))),
        aggregate("CommodityClassification", basic("ItemClassificationCode", item.commodity, listID="TST")),
        category_markup("ClassifiedTaxCategory", subject.tax._replace(exemption="")),
        *(
            aggregate("AdditionalItemProperty", basic("Name", name), basic("Value", value))
            for name, value in item.properties
        ),
    )
    return aggregate("Item", *parts)
