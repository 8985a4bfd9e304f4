"""Invented people of card applications, with addresses and employments."""

from datetime import date, timedelta
from random import Random

from xml_extractor.samples.formats import amount, any_case, day, element, sometimes, telephone

_GIVEN = (
    "Avelina", "Brimley", "Corvane", "Dorelle", "Éloïse", "Fennick", "Günhilde", "Hollis", "Ibbie", "Jörvan", "Kestra",
    "Łucjana", "Marlowe", "Nyköla", "Orsolya", "Pernille", "Quillan", "Renée-Zoë", "Şirvan", "Tobiah", "Ulla", "Verity",
)  # fmt: skip
_FAMILY = (
    "Applebramble", "Brackenwhistle", "Cobbleshank", "Dunderfield", "Eiderquill", "Fåborgsson", "Gorsemantle", "Hütt",
    "Inglewhim", "Jamberry", "Kettlethorn", "Larkspindle", "Mossgrove", "Nettlecombe", "O&apos;Quibble", "Pöppelmeyer",
    "Quartermoon", "Rumblecroft", "Świetliczko", "Thistlewick", "Underbough", "Vandersnoot", "Wobbleton-Ñandú",
)  # fmt: skip
_STREETS = ("Imaginary Lane", "Nonesuch Street", "Fable Court", "Paper Moon Road", "Unwritten Avenue", "Café Row")
_TOWNS = ("Nowhereville", "Port Imaginary", "Lower Fabledon", "Saint-Élan", "Ångström Falls", "Żabkowo Nigdzie")
_STATES = ("QX", "XJ", "ZZ", "qx")
_EMPLOYERS = ("Quill &amp; Thimble", "Moonbeam Bottling", "Nobody &lt;Brothers&gt;", "Ōkina Kites", "Fabulae GmbH")
_TITLES = ("Cartographer", "Beekeeper", "Bell founder", "Night clerk", "Ærostat pilot", "")

_HIGHEST_PAY = {"ANNUAL": 25_000_000, "MONTHLY": 2_000_000, "WEEKLY": 450_000, "HOURLY": 12_000, "": 500_000}
"""Cents, by pay period."""

_WRITTEN_ON = date(2025, 6, 30)
"""Ages and employments are relative to this day, so that the same seed gives the same bytes on any day."""


def contact(random: Random, number: int, role: str, *, draft: bool = False) -> str:
    """Generate the element `Contact` of a person.

    Args:
        random: The random number generator.
        number: The id of the contact.
        role: PR (primary), AU (authorized user), SP (spouse) or RF (reference).
        draft: Whether the date of birth is missing.
    """
    pick = random.choice
    born = day(random, _WRITTEN_ON - timedelta(days=random.randrange(18 * 366, 90 * 365)))
    attributes: dict[str, str | int] = {
        "id": number,
        "role": role,
        "taxId": _tax_id(random),
        "born": "" if draft else born,
        "citizenship": pick(("QX", "XJ", "")),
        "residency": pick(("C", "P", "N", "c", "")),
        "marital": pick(("S", "M", "D", "W", "U", "")),
        "dependents": pick(("0", "1", "2", "3", "")),
        "language": pick(("en", "EN", "es", "")),
        "consent": pick("YYYN"),
    }
    parts = _particulars(random, number), *_addresses(random), *_employments(random)
    return element("Contact", attributes, *parts, "\n")


def _particulars(random: Random, number: int) -> str:
    pick = random.choice
    name = {
        "given": pick(_GIVEN),
        "middle": sometimes(random, pick("ABCDEÉ"), 40),
        "family": pick(_FAMILY),
        "suffix": pick(("", "", "", "JR", "sr", "III")),
    }
    phones = {
        "home": sometimes(random, telephone(random)),
        "mobile": telephone(random),
        "work": sometimes(random, telephone(random), 40),
    }
    identification = {
        "type": pick(("DL", "PP", "ID", "")),
        "number": f"X{random.randrange(10**7):07}",
        "state": pick(_STATES),
        "expires": day(random, _WRITTEN_ON + timedelta(days=random.randrange(2000))),
    }
    basis = pick(tuple(_HIGHEST_PAY))
    income = {
        "amount": sometimes(random, amount(random, random.randrange(1_000, _HIGHEST_PAY[basis])), 92),
        "basis": any_case(random, basis),
        "other": sometimes(random, amount(random, random.randrange(500_000)), 30),
    }
    housing = {
        "payment": sometimes(random, amount(random, random.randrange(400_000))),
        "kind": pick(("OWN", "RENT", "PARENTS", "")),
    }
    return "".join(
        (
            element("Name", name),
            element("Email", {}, f"person{number}@example.{pick(('com', 'org', 'COM'))}"),
            element("Phones", phones),
            element("Identification", identification),
            element("Income", income),
            element("Housing", housing),
        )
    )


def _tax_id(random: Random) -> str:
    """Generate a social security number from the ranges that are never issued."""
    area = random.choice(("000", "666", f"{random.randrange(900, 1000)}"))
    hyphen = random.choice(("-", "-", ""))
    return f"{area}{hyphen}{random.randrange(1, 100):02}{hyphen}{random.randrange(1, 10_000):04}"


def _addresses(random: Random) -> list[str]:
    kinds = ("CURRENT", "PREVIOUS", "MAILING")[: random.choice((1, 1, 2, 2, 3))]
    return [_address(random, kind) for kind in kinds]


def _address(random: Random, kind: str) -> str:
    pick = random.choice
    house = f"{random.randrange(1, 9999)} {pick(_STREETS)}"
    attributes = {
        "type": any_case(random, kind),
        "line1": pick((house, house, f"P.O. Box {random.randrange(1000)}")),
        "line2": sometimes(random, "Unit ½", 15),
        "city": pick(_TOWNS),
        "state": pick(_STATES),
        "zip": pick(("000{:02}", "000{:02}-0001", "000{:02}0001")).format(random.randrange(100)),
        "country": pick(("QX", "", "qx")),
        "years": random.randrange(30),
        "months": pick(("", f"{random.randrange(12)}")),
        "verified": pick(("Y", "N", "")),
    }
    return element("Address", attributes)


def _employments(random: Random) -> list[str]:
    return [_employment(random, status) for status in random.choice(("E", "EP", "S", "R", "U", ""))]


def _employment(random: Random, status: str) -> str:
    if status == "U":
        return element("Employment", {"status": status, "employer": "", "title": " ", "salary": "", "basis": ""})
    pick = random.choice
    started = _WRITTEN_ON - timedelta(days=random.randrange(400, 9000))
    basis = pick(("ANNUAL", "MONTHLY", "WEEKLY"))
    attributes = {
        "status": status,
        "employer": pick(_EMPLOYERS),
        "title": pick(_TITLES),
        "salary": amount(random, random.randrange(20_000, _HIGHEST_PAY[basis])),
        "basis": any_case(random, basis),
        "from": day(random, started),
        "to": day(random, started + timedelta(days=300)) if status == "P" else "",
        "industry": pick(("MFG", "RET", "GOV", "EDU", "")),
        "phone": telephone(random),
        "verified": pick(("Y", "N", "")),
    }
    return element("Employment", attributes)
