"""Card applications: some 7 KB that are needed, and bureau reports of up to 2 MB behind them."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from math import log
from random import Random
from uuid import UUID

from xml_extractor.reasons import Reason, Stage
from xml_extractor.samples.card_findings import history, indicators, report_summary, scores
from xml_extractor.samples.card_people import contact
from xml_extractor.samples.card_reports import bureau_reports
from xml_extractor.samples.card_sections import operational, pricing, product, solicitation, transactional
from xml_extractor.samples.faults import parse_faults, remove_attribute, set_attribute
from xml_extractor.samples.formats import amount, any_case, element, moment, sometimes
from xml_extractor.samples.model import FaultKind, SampleKind

_CONTACT_IDS_PER_APPLICATION = 10

_MEDIAN_BYTES = 145_000
_SIGMA = 1.08
"""Of the log-normal distribution of sizes: it puts the mean at 250 KB."""
_SMALLEST_BYTES = 20_000
_LARGEST_BYTES = 1_950_000

_FIRST_DAY = datetime(2024, 1, 1, 6)  # noqa: DTZ001 - the documents write local time without a zone
_DAYS = 540


def document(key: int, random: Random) -> bytes:
    """One good application; contacts have ids from ten times its key on."""
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
        product(random),
        pricing(random, received),
        operational(random, received),
        transactional(random),
        solicitation(random, received),
        *_contacts(random, key * _CONTACT_IDS_PER_APPLICATION),
        scores(random),
        indicators(random),
        history(random, received),
        report_summary(random),
        "\n",
    )


def _contacts(random: Random, first_id: int) -> list[str]:
    """The primary contact, authorized users and people of other roles.

    In one of six documents the primary contact comes twice, at first as a draft.
    """
    roles = random.choice(((), ("AU",), ("AU", "AU"), ("SP",), ("AU", "RF"), ("SP", "RF")))
    others = [contact(random, first_id + number, role) for number, role in enumerate(roles, start=1)]
    primary = contact(random, first_id, "PR")
    if random.randrange(6):
        return [primary, *others]
    return [contact(random, first_id, "PR", draft=True), *others, primary]


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
