"""Parts of an invoice in UBL: invented companies, lines with prices, adjustments and taxes, and their markup."""

from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from xml_extractor.samples.formats import telephone

_CENT = Decimal("0.01")


def cents(amount: Decimal) -> Decimal:
    """Round an amount to two decimals, half away from zero."""
    return amount.quantize(_CENT, ROUND_HALF_UP)


def basic(name: str, value: object, **attributes: str) -> str:
    """Return an element of the namespace of basic components, with text and attributes."""
    written = "".join(f" {attribute}={quoteattr(text)}" for attribute, text in attributes.items())
    return f"<cbc:{name}{written}>{escape(str(value))}</cbc:{name}>"


def money(name: str, amount: Decimal, currency: str) -> str:
    """Return a basic component with an amount."""
    return basic(name, amount, currencyID=currency)


def aggregate(name: str, *parts: str) -> str:
    """Return an element of the namespace of aggregate components; empty parts are left out."""
    return f"<cac:{name}>{content(*parts)}</cac:{name}>"


def content(*parts: str) -> str:
    """Return elements, one per line and indented."""
    return "".join(f"\n{part}" for part in parts if part).replace("\n", "\n  ") + "\n"


class Country(NamedTuple):
    """The country of a company.

    Attributes:
        code: ISO 3166-1 alpha-2.
        currency: ISO 4217.
        in_vat_area: Whether it belongs to the VAT area of the European Union.
        rates: Percentages of VAT, the standard rate first.
        legal_forms: Suffixes of company names.
        places: Postal zones and cities.
        vat_digits: Digits in a VAT number.
    """

    code: str
    currency: str
    in_vat_area: bool
    rates: tuple[Decimal, Decimal]
    legal_forms: tuple[str, ...]
    places: tuple[tuple[str, str], ...]
    vat_digits: int


class Company(NamedTuple):
    """An invented company."""

    name: str
    legal_form: str
    country: Country
    postal_zone: str
    city: str

    @property
    def legal_name(self) -> str:
        """The registered name."""
        return f"{self.name} {self.legal_form}"


def _rates(standard: str, reduced: str) -> tuple[Decimal, Decimal]:
    return Decimal(standard), Decimal(reduced)


COUNTRIES = (
    Country(
        "DE", "EUR", True, _rates("19", "7"), ("GmbH", "AG", "KG"), (("20095", "Hamburg"), ("80331", "München")), 9
    ),
    Country(
        "NL", "EUR", True, _rates("21", "9"), ("B.V.", "N.V."), (("1012 AB", "Amsterdam"), ("9711 LM", "Groningen")), 9
    ),
    Country("FR", "EUR", True, _rates("20", "5.5"), ("S.A.", "SARL"), (("69001", "Lyon"), ("35000", "Rennes")), 11),
    Country("SE", "SEK", True, _rates("25", "12"), ("AB",), (("411 05", "Göteborg"), ("903 26", "Umeå")), 12),
    Country("DK", "DKK", True, _rates("25", "25"), ("A/S", "ApS"), (("8000", "Aarhus"), ("5000", "Odense")), 8),
    Country(
        "PL", "PLN", True, _rates("23", "8"), ("Sp. z o.o.", "S.A."), (("90-001", "Łódź"), ("80-001", "Gdańsk")), 10
    ),
    Country("CZ", "CZK", True, _rates("21", "12"), ("s.r.o.", "a.s."), (("602 00", "Brno"), ("301 00", "Plzeň")), 8),
    Country("NO", "NOK", False, _rates("25", "15"), ("AS",), (("5003", "Bergen"), ("7010", "Trondheim")), 9),
    Country("CH", "CHF", False, _rates("8.1", "2.6"), ("AG", "SA"), (("3011", "Bern"), ("1201", "Genève")), 9),
    Country("GB", "GBP", False, _rates("20", "5"), ("Ltd", "plc"), (("LS1 1AA", "Leeds"), ("BS1 1AA", "Bristol")), 9),
)

_NAME_STARTS = ("Var", "Nol", "Quer", "Bryn", "Tessel", "Orv", "Kald", "Mirr", "Sund", "Elb", "Fjor", "Dru")
_NAME_ENDS = ("ando", "eken", "ovia", "mark", "isto", "øna", "berga", "ux", "elle", "ström", "ický", "wen")
_TRADES = ("Paper & Print", "Tools", "Logistics", "Lighting", "Foods", "Software", "Textiles", "<Studio>", "Energy")
_STREETS = ("Harbour Street", "Mill Lane", "Station Road", "Kirkegate", "Lindenweg", "Rue du Pont", "Parkvägen")
_FIRST_NAMES = ("Aino", "Bartosz", "Chloé", "Dirk", "Elif", "Freya", "Göran", "Hana", "Ines", "Jiří")
_LAST_NAMES = ("Aldermoor", "Brzoza", "Carpentier", "Düring", "Ellingsen", "Fárník", "Grönlund", "O'Hanrahan")


def company(random: Random, country: Country) -> Company:
    """Generate a company in a country."""
    name = f"{random.choice(_NAME_STARTS)}{random.choice(_NAME_ENDS)} {random.choice(_TRADES)}"
    return Company(name, random.choice(country.legal_forms), country, *random.choice(country.places))


def party(random: Random, subject: Company) -> str:
    """Generate the party of a seller or buyer. Mail domains end in `.example`; telephone numbers are fictitious."""
    country = subject.country
    return aggregate(
        "Party",
        basic("EndpointID", f"2{digits(random, 12)}", schemeID="0088"),
        aggregate("PartyIdentification", basic("ID", f"P-{digits(random, 6)}")) if random.randrange(3) else "",
        aggregate("PartyName", basic("Name", subject.name)) if random.randrange(5) else "",
        aggregate("PostalAddress", *address(random, subject)),
        aggregate(
            "PartyTaxScheme",
            basic("CompanyID", _vat_number(random, country)),
            aggregate("TaxScheme", basic("ID", "VAT")),
        ),
        aggregate(
            "PartyLegalEntity",
            basic("RegistrationName", subject.legal_name),
            basic("CompanyID", digits(random, 8), schemeID="0002"),
        ),
        _contact(random, subject),
    )


def address(random: Random, subject: Company) -> tuple[str, ...]:
    """Generate an address of a company."""
    return (
        basic("StreetName", f"{random.choice(_STREETS)} {random.randrange(1, 200)}"),
        basic("AdditionalStreetName", f"Gate {random.randrange(1, 9)}") if not random.randrange(4) else "",
        basic("CityName", subject.city),
        basic("PostalZone", subject.postal_zone),
        aggregate("Country", basic("IdentificationCode", subject.country.code)),
    )


def digits(random: Random, count: int) -> str:
    """Generate a number of `count` decimal digits."""
    return f"{random.randrange(10**count):0{count}}"


def _vat_number(random: Random, country: Country) -> str:
    number = f"{country.code}{digits(random, country.vat_digits)}"
    return f"{number[:2]} {number[2:5]} {number[5:]}" if not random.randrange(6) else number


def _contact(random: Random, subject: Company) -> str:
    first, last = random.choice(_FIRST_NAMES), random.choice(_LAST_NAMES)
    host = "".join(character for character in subject.name.lower() if "a" <= character <= "z")
    parts = (
        basic("Name", f"{first} {last}") if random.randrange(4) else "",
        basic("Telephone", telephone(random)) if random.randrange(3) else "",
        basic("ElectronicMail", f"Invoices.{digits(random, 3)}@{host}.example") if random.randrange(3) else "",
    )
    return aggregate("Contact", *parts) if any(parts) else aggregate("Contact", basic("ID", digits(random, 4)))


_HUNDRED = Decimal(100)


class Tax(NamedTuple):
    """A tax category (UN/CEFACT code list 5305), its percentage, and the reason for an exemption."""

    category: str
    percent: Decimal
    exemption: str = ""

    def of(self, amount: Decimal) -> Decimal:
        """Calculate the tax on an amount."""
        return cents(amount * self.percent / _HUNDRED)


class Adjustment(NamedTuple):
    """An allowance or a charge: `percent` of `base`, or a fixed amount."""

    is_charge: bool
    reason_code: str
    reason: str
    amount: Decimal
    base: Decimal | None = None
    percent: Decimal | None = None
    tax: Tax | None = None

    @property
    def signed(self) -> Decimal:
        """The amount with its sign."""
        return self.amount if self.is_charge else -self.amount


class Item(NamedTuple):
    """An item for sale; `price_cents` is the range of prices, without its end."""

    name: str
    unit: str
    commodity: str
    price_cents: tuple[int, int]
    reduced: bool = False
    exempt: bool = False
    properties: tuple[tuple[str, str], ...] = ()


class Line(NamedTuple):
    """An invoice line; `net` is its amount after allowances and charges, before tax."""

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
    """Generate a line; `abroad` is the tax on everything that leaves the seller's country."""
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
    """Generate an allowance of this percentage."""
    return Adjustment(False, *random.choice(_ALLOWANCES), cents(base * percent / _HUNDRED), base, percent, tax)


def charge(random: Random, tax: Tax | None = None) -> Adjustment:
    """Generate a charge of a fixed amount."""
    return Adjustment(True, *random.choice(_CHARGES), Decimal(random.randrange(200, 4000)) / _HUNDRED, tax=tax)


def line_markup(random: Random, subject: Line, currency: str) -> str:
    """Return a line as an element."""
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
    """Return an allowance or a charge as an element."""
    return aggregate(
        "AllowanceCharge",
        basic("ChargeIndicator", str(subject.is_charge).lower()),
        basic("AllowanceChargeReasonCode", subject.reason_code),
        basic("AllowanceChargeReason", subject.reason),
        basic("MultiplierFactorNumeric", subject.percent) if subject.percent is not None else "",
        money("Amount", subject.amount, currency),
        money("BaseAmount", subject.base, currency) if subject.base is not None else "",
        _category_markup("TaxCategory", subject.tax) if subject.tax is not None else "",
    )


def subtotal_markup(tax: Tax, taxable: Decimal, amount: Decimal, currency: str) -> str:
    """Return the tax of one category as an element."""
    return aggregate(
        "TaxSubtotal",
        money("TaxableAmount", taxable, currency),
        money("TaxAmount", amount, currency),
        _category_markup("TaxCategory", tax),
    )


def _category_markup(name: str, tax: Tax) -> str:
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
        _category_markup("ClassifiedTaxCategory", subject.tax._replace(exemption="")),
        *(
            aggregate("AdditionalItemProperty", basic("Name", name), basic("Value", value))
            for name, value in item.properties
        ),
    )
    return aggregate("Item", *parts)
