"""Card applications: about 7 KB that contracts read, followed by bureau reports of up to 2 MB."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache, partial
from math import log
from random import Random
from uuid import UUID

from xml_extractor.reasons import Reason, Stage
from xml_extractor.samples.card_people import contact
from xml_extractor.samples.formats import amount, any_case, day, element, moment, percentage, sometimes
from xml_extractor.samples.model import FaultKind, SampleKind, parse_faults, remove_attribute, set_attribute

_CONTACT_IDS_PER_APPLICATION = 10

_MEDIAN_BYTES = 145_000
_SIGMA = 1.08
"""Of the log-normal distribution of sizes. The mean is 250 KB."""
_SMALLEST_BYTES = 20_000
_LARGEST_BYTES = 1_950_000

_FIRST_DAY = datetime(2024, 1, 1, 6)  # noqa: DTZ001 - the documents write local time without a zone
_DAYS = 540


def document(key: int, random: Random) -> bytes:
    """Generate a valid application; the ids of its contacts start at ten times its key."""
    declaration = random.choice(('<?xml version="1.0" encoding="UTF-8"?>\n', '<?xml version="1.0"?>\n', "", ""))
    size = min(max(random.lognormvariate(log(_MEDIAN_BYTES), _SIGMA), _SMALLEST_BYTES), _LARGEST_BYTES)
    source = random.choice(("intake", "BATCH"))
    start = f'{declaration}<CardApplication id="{key}" version="4.2" source="{source}">\n<!-- all of it is invented -->'
    needed = f"{start}{_application(random, key)}".encode()
    return b"".join((needed, bureau_reports(random, int(size) - len(needed)), b"\n</CardApplication>\n"))


def _application(random: Random, key: int) -> str:
    pick = random.choice
    received = _FIRST_DAY + timedelta(milliseconds=random.randrange(_DAYS * 86_400_000))
    decided = received + timedelta(minutes=random.randrange(1, 20_000))
    attributes = {
        "received": moment(random, received),
        "submitted": received.isoformat(timespec="milliseconds") + pick(("-06:00", "+02:00", "Z")),
        "decided": sometimes(random, moment(random, decided), 90),
        "decision": any_case(random, pick(("APPROVE", "APPROVE", "DECLINE", "PENDING", "COUNTER"))),
        "channel": pick(("WEB", "BRANCH", "MAIL", "PHONE", "KIOSK", "")),
        "status": pick("ORCX"),
        "language": pick(("en", "ES", "")),
        "branch": f"BR-{random.randrange(1000):04}",
        "agent": pick(("", "Ł. Wick")),
        "priority": pick(("1", "3", "", "high")),
        "currency": pick(("USD", "usd", "")),
        "requested": amount(random, random.randrange(50_000, 5_000_000)),
        "test": pick(("0", "false")),
        "reference": str(UUID(int=random.getrandbits(128))),
        "digest": f"{random.getrandbits(128):032x}",
    }
    return element(
        "Application",
        attributes,
        _product(random),
        _pricing(random, received),
        _operational(random, received),
        _transactional(random),
        _solicitation(random, received),
        *_contacts(random, key * _CONTACT_IDS_PER_APPLICATION),
        _scores(random),
        _indicators(random),
        _history(random, received),
        _report_summary(random),
        "\n",
    )


def _contacts(random: Random, first_id: int) -> list[str]:
    """Generate the primary contact, authorized users and people in other roles.

    One document in six has the primary contact twice, first as a draft.
    """
    roles = random.choice(((), ("AU",), ("AU", "AU"), ("SP",), ("AU", "RF"), ("SP", "RF")))
    others = [contact(random, first_id + number, role) for number, role in enumerate(roles, start=1)]
    primary = contact(random, first_id, "PR")
    if random.randrange(6):
        return [primary, *others]
    return [contact(random, first_id, "PR", draft=True), *others, primary]


_NOTES = (
    "Called back, no answer",
    "Applicant sent a &lt;scan&gt; &amp; a letter",
    "Customer says “thank you” 🦊",
    "Zażółć gęślą jaźń 🏦🗝",
    "",
)
"""Free text with characters outside code pages and outside the Basic Multilingual Plane."""


def _product(random: Random) -> str:
    """Generate the requested product, the reasons for the decision and free text with a comment inside."""
    pick = random.choice
    attributes = {
        "code": pick(("gold", "PLAT", "BASIC", "STUDENT")),
        "network": pick("VMA"),
        "secured": pick("YN"),
        "cobrand": pick(("", "ACME-AIR")),
    }
    reasons = [element("Reason", {"code": f"R{random.randrange(1, 40):02}"}) for _ in range(random.randrange(4))]
    remarks = element("Remarks", {}, pick(_NOTES), "<!-- free text -->", pick(_NOTES))
    return element("Product", attributes) + element("Reasons", {}, *reasons) + remarks


def _pricing(random: Random, received: datetime) -> str:
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


def _operational(random: Random, received: datetime) -> str:
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


def _transactional(random: Random) -> str:
    """Generate transfers, payments and card details; one application in five has only blanks."""
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


def _solicitation(random: Random, received: datetime) -> str:
    """Generate the mailing that the application responds to; two applications in five have none."""
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


_SCORES = ("ficoTu", "ficoEx", "ficoEq", "bankcard", "fraud", "bankruptcy", "income", "custom")
_INDICATORS = (
    "fraudAlert", "activeDuty", "deceased", "freeze", "mismatch", "thinFile", "student", "employee", "vip", "highRisk",
)  # fmt: skip
_COUNTS = ("open", "closed", "delinquent", "inquiries", "collections", "oldestMonths", "utilization", "balance")


def _scores(random: Random) -> str:
    """Generate scores by name; some are blank or `N/A`."""
    values = {name: random.choice((f"{random.randrange(300, 850)}", "", "N/A")) for name in _SCORES}
    return element("Scores", {"primary": random.randrange(300, 850), **values})


def _indicators(random: Random) -> str:
    return element("Indicators", {name: random.choice(("N", "N", "Y", "", "y")) for name in _INDICATORS})


def _history(random: Random, received: datetime) -> str:
    """Generate the events of the application in chronological order."""
    pick = random.choice
    kinds = ["RECEIVED", *random.choices(("SCORED", "REVIEWED", "PRINTED", "NOTED"), k=random.randrange(2, 12))]
    at = received
    events = []
    for kind in kinds:
        attributes = {
            "at": moment(random, at),
            "type": kind,
            "by": pick(("system", "u017", "u333")),
            "from": pick(("", "O")),
            "to": pick("ORC"),
        }
        events.append(element("Event", attributes, element("Note", {}, pick(_NOTES))))
        at += timedelta(minutes=random.randrange(1, 900))
    return element("History", {}, *events, "\n")


def _report_summary(random: Random) -> str:
    bureaus = [
        element("Bureau", {"code": code, **{name: random.choice((random.randrange(100), "")) for name in _COUNTS}})
        for code in _BUREAUS
    ]
    return element("ReportSummary", {}, *bureaus, "\n")


_BUREAUS = ("TU", "EX", "EQ")

_SEVERAL_REPORTS_BYTES = 60_000
_TRADELINES = 600
_LENDERS = ("BANK OF NOWHERE", "IMAGINARY CARD SVC", "FABLE MOTOR CREDIT", "UNREAL HOME LOANS", "PAPER MOON STORES")
_TERMS = ("REV", "012", "036", "060", "360")
_KINDS = ("CC", "AU", "MT", "CH", "ED")
_HEADER = """
    <Report bureau="{bureau}" format="4.{number}" segment="FULL">
      <Subject><Identity><Name given="WITHHELD" family="WITHHELD"/><Match level="{level}"/></Identity></Subject>
      <Accounts>
        <Group kind="OPEN">"""
_FOOTER = """
        </Group>
      </Accounts>
      <Summary><Totals><Count of="tradelines">{count}</Count></Totals></Summary>
    </Report>"""


def bureau_reports(random: Random, size: int) -> bytes:
    """Generate the element `BureauReports` of about `size` bytes, with at least one account in each report."""
    reports = _BUREAUS[:1] if size < _SEVERAL_REPORTS_BYTES else _BUREAUS
    blocks = _blocks()
    average = sum(map(len, blocks)) / len(blocks)
    accounts = max(1, round(size / len(reports) / average))
    parts = [b"\n  <BureauReports>"]
    for number, bureau in enumerate(reports):
        parts.append(_HEADER.format(bureau=bureau, number=number, level=random.randrange(1, 5)).encode())
        parts.extend(random.choices(blocks, k=accounts))
        parts.append(_FOOTER.format(count=accounts).encode())
    parts.append(b"\n  </BureauReports>")
    return b"".join(parts)


@cache
def _blocks() -> list[bytes]:
    """Return the accounts that all reports draw from. Generating them for each report would dominate the cost."""
    random = Random("accounts of bureau reports")  # noqa: S311 - samples need no secrecy
    return [_account(random, number).encode() for number in range(_TRADELINES)]


def _account(random: Random, number: int) -> str:
    opened = random.randrange(2005, 2023)
    limit = random.randrange(5, 300) * 100
    inquiries = "".join(
        f'\n              <Inquiry date="{opened}-{random.randrange(1, 13):02}-15" by="{random.choice(_LENDERS)}"/>'
        for _ in range(random.randrange(3))
    )
    return f"""
          <Tradeline sequence="{number}" type="{random.choice(_KINDS)}" opened="{opened}-{random.randrange(1, 10):02}">
            <Creditor><Name>{random.choice(_LENDERS)}</Name><Account masked="X{random.randrange(10**4):04}"/></Creditor>
            <Terms code="{random.choice(_TERMS)}" limit="{limit}" high="{random.randrange(limit)}" currency="USD"/>
            <Inquiries>{inquiries}
            </Inquiries>
            <PaymentHistory>{_payment_history(random, limit)}
            </PaymentHistory>
          </Tradeline>"""


def _payment_history(random: Random, limit: int) -> str:
    years = []
    for year in range(2025 - random.randrange(1, 8), 2025):
        months = "".join(
            f'\n                <Month n="{month:02}" status="{random.choice("0000001")}">'
            f"<Balance>{random.randrange(limit)}</Balance><PastDue>0</PastDue></Month>"
            for month in range(1, 13)
        )
        years.append(f'\n              <Year of="{year}">{months}\n              </Year>')
    return "".join(years)


def _set(element_name: bytes, attribute: bytes, value: bytes) -> Callable[[bytes], bytes]:
    return partial(set_attribute, element=element_name, attribute=attribute, value=value)


_MAP_FAULTS: tuple[tuple[str, Reason, Callable[[bytes], bytes]], ...] = (
    ("missing_key", Reason.MISSING_KEY, partial(remove_attribute, element=b"CardApplication", attribute=b"id")),
    ("unknown_code", Reason.UNKNOWN_CODE, _set(b"Application", b"decision", b"PERHAPS")),
    ("amount_overflow", Reason.OVERFLOW, _set(b"Limits", b"credit", b"$12,345,678,901.00")),
    ("missing_value", Reason.MISSING_VALUE, _set(b"Application", b"received", b" ")),
    ("impossible_date", Reason.IMPOSSIBLE_DATE, _set(b"Validity", b"from", b"2025-02-30")),
    ("integer_overflow", Reason.OVERFLOW, _set(b"Documents", b"pages", b"70000")),
    ("text_too_long", Reason.TOO_LONG, _set(b"Pricing", b"tier", b"platinum")),
    ("not_a_number", Reason.NOT_A_NUMBER, _set(b"Limits", b"graceDays", b"three weeks")),
)

KIND = SampleKind(
    name="card_application",
    document=document,
    faults=(
        *parse_faults(root=b"CardApplication", inside=b"Application"),
        *(FaultKind(code, Stage.MAP, reason, spoil) for code, reason, spoil in _MAP_FAULTS),
    ),
)
