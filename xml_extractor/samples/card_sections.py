"""What a card application says about the card itself, and how it was handled."""

from datetime import datetime, timedelta
from random import Random

from xml_extractor.samples.formats import amount, day, element, moment, percentage, sometimes

NOTES = (
    "Called back, no answer",
    "Applicant sent a &lt;scan&gt; &amp; a letter",
    "Customer says “thank you” 🦊",
    "Zażółć gęślą jaźń 🏦🗝",
    "",
)
"""Free text with characters that code pages, or UTF-16 in one unit, do not have."""


def product(random: Random) -> str:
    """What was asked for, the reasons for the decision and free text with a comment in its middle."""
    pick = random.choice
    attributes = {
        "code": pick(("gold", "PLAT", "BASIC", "STUDENT")),
        "network": pick("VMA"),
        "secured": pick("YN"),
        "cobrand": pick(("", "ACME-AIR")),
    }
    reasons = [element("Reason", {"code": f"R{random.randrange(1, 40):02}"}) for _ in range(random.randrange(4))]
    remarks = element("Remarks", {}, pick(NOTES), "<!-- free text -->", pick(NOTES))
    return element("Product", attributes) + element("Reasons", {}, *reasons) + remarks


def pricing(random: Random, received: datetime) -> str:
    """Rates, fees and limits."""
    pick = random.choice
    limit = random.randrange(5, 500) * 10_000
    rates = {
        "purchase": percentage(random, random.randrange(9_000, 30_000)),
        "cash": percentage(random, random.randrange(20_000, 32_000)),
        "penalty": percentage(random, 29_990),
        "transfer": sometimes(random, percentage(random, random.randrange(9_000, 25_000))),
        "intro": sometimes(random, percentage(random, 0), 40),
        "introMonths": pick(("", "6", "12", "18")),
    }
    fees = {
        "annual": sometimes(random, amount(random, pick((0, 3_900, 9_500)))),
        "late": amount(random, 3_900),
        "cash": percentage(random, 5_000),
        "foreign": sometimes(random, percentage(random, 3_000)),
        "transfer": percentage(random, 3_000),
        "overLimit": pick(("", "0.00")),
    }
    limits = {
        "credit": amount(random, limit),
        "cash": amount(random, limit // 5),
        "minimumPayment": amount(random, 2_500),
        "graceDays": pick(("21", "25", "")),
    }
    validity = {"from": day(random, received), "to": day(random, received + timedelta(days=1095))}
    attributes = {
        "tier": pick(("A1", "A2", "B1", "c1")),
        "index": "PRIME",
        "margin": percentage(random, 11_490),
        "fixed": pick(("Y", "N", "")),
    }
    parts = element("Rates", rates), element("Fees", fees), element("Limits", limits), element("Validity", validity)
    return element("Pricing", attributes, *parts, "\n")


def operational(random: Random, received: datetime) -> str:
    """Who worked on the application, when, and what was verified."""
    pick = random.choice
    opened = received + timedelta(minutes=random.randrange(600))
    closed = opened + timedelta(minutes=random.randrange(1, 3000))
    attributes = {
        "queue": pick(("NEW", "Verify", "FRAUD")),
        "center": "Montréal-Nulle-Part",
        "workItem": random.randrange(10**10, 10**11),
        "assigned": f"u{random.randrange(900):03}",
        "reviewer": pick(("", "u901")),
        "opened": moment(random, opened),
        "closed": sometimes(random, moment(random, closed)),
        "batch": f"B{random.randrange(10**5)}",
        "override": pick(("", "", "LIM", "POL")),
        "overrideReason": pick(("", "known customer")),
    }
    verification = {
        "income": pick(("Y", "N", "")),
        "identity": pick("YN"),
        "method": pick(("DOC", "CALL", "NONE", "??")),
        "fraud": pick("PRF"),
        "watchList": pick(("N", "")),
    }
    documents = {
        "received": random.randrange(6),
        "pending": random.randrange(3),
        "pages": pick(("", "12")),
        "image": f"IMG{random.getrandbits(40):010X}",
    }
    handling = {
        "exceptions": pick(("0", "1", "")),
        "escalated": pick(("true", "false", "1")),
        "serviceHours": pick(("4", "24.5", "72")),
    }
    parts = element("Verification", verification), element("Documents", documents), element("Handling", handling)
    return element("Operational", attributes, *parts, "\n")


def transactional(random: Random) -> str:
    """Transfers, payments and the card's making; nothing but blanks in one of five applications."""
    pick = random.choice
    if random.randrange(5) == 0:
        return element("Transactional", {}, element("Transfer", {"amount": "", "bank": " "}))
    transfer = {
        "amount": sometimes(random, amount(random, random.randrange(900_000)), 60),
        "bank": "Bank of Nowhere",
        "account": f"XXXX{random.randrange(10**4):04}",
        "second": sometimes(random, amount(random, random.randrange(300_000)), 20),
    }
    payments = {
        "automatic": pick("YN"),
        "day": pick(("", "1", "15")),
        "kind": pick(("MIN", "FULL", "")),
        "statementDay": random.randrange(1, 29),
        "paperless": pick("YN"),
    }
    deposit = {"amount": sometimes(random, amount(random, 50_000), 25), "method": pick(("ACH", "CHECK", ""))}
    card = {
        "design": pick(("Forêt", "Żubr", "")),
        "delivery": pick(("STD", "EXP")),
        "embossed": "INVENTED PERSON",
        "checks": pick(("", "3")),
        "protection": pick(("Y", "N", "")),
        "cashAdvance": sometimes(random, amount(random, 20_000), 20),
        "promotion": pick(("", "SPRING")),
    }
    parts = element("Transfer", transfer), element("Payments", payments), element("Deposit", deposit)
    return element("Transactional", {}, *parts, element("Card", card), "\n")


def solicitation(random: Random, received: datetime) -> str:
    """The mailing that the application answers; two of five answer none."""
    pick = random.choice
    if pick((True, True, False, False, False)):
        return element("Solicitation", {"campaign": ""})
    mailed = received - timedelta(days=random.randrange(5, 90))
    attributes = {
        "campaign": f"CMP{random.randrange(1000):04}",
        "cell": pick("ABCD"),
        "offer": f"OF-{random.randrange(100)}",
        "mailed": day(random, mailed),
        "responded": day(random, received),
        "expires": day(random, mailed + timedelta(days=120)),
        "list": pick(("ALUMNI", "MEMBERS", "")),
        "via": pick(("WEB", "MAIL", "CARRIER PIGEON")),
        "version": random.randrange(1, 9),
        "household": random.randrange(10**8),
    }
    prescreen = {
        "score": sometimes(random, f"{random.randrange(500, 850)}"),
        "bureau": pick(("TU", "EX", "EQ")),
        "limit": amount(random, 1_000_000),
        "on": day(random, mailed - timedelta(days=30)),
    }
    return element("Solicitation", attributes, element("Prescreen", prescreen), "\n")
