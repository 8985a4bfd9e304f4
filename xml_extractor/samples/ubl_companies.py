"""Invented companies of a few countries, as parties of an invoice."""

from decimal import Decimal
from random import Random
from typing import NamedTuple

from xml_extractor.samples.formats import telephone
from xml_extractor.samples.ubl_markup import aggregate, basic


class Country(NamedTuple):
    """Where a company is.

    Attributes:
        code: ISO 3166-1 alpha-2.
        currency: ISO 4217.
        in_vat_area: Whether it is in the VAT area of the European Union.
        rates: Percentages of VAT, the standard rate first.
        legal_forms: What follows a company's name.
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
        """The name in the register of companies."""
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
    """A company of a country."""
    name = f"{random.choice(_NAME_STARTS)}{random.choice(_NAME_ENDS)} {random.choice(_TRADES)}"
    return Company(name, random.choice(country.legal_forms), country, *random.choice(country.places))


def party(random: Random, subject: Company) -> str:
    """The party of a seller or buyer. Mail addresses end in `.example` and telephone numbers are kept for fiction."""
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
    """An address of a company."""
    return (
        basic("StreetName", f"{random.choice(_STREETS)} {random.randrange(1, 200)}"),
        basic("AdditionalStreetName", f"Gate {random.randrange(1, 9)}") if not random.randrange(4) else "",
        basic("CityName", subject.city),
        basic("PostalZone", subject.postal_zone),
        aggregate("Country", basic("IdentificationCode", subject.country.code)),
    )


def digits(random: Random, count: int) -> str:
    """So many decimal digits."""
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
