"""What was found out about a card applicant: scores, indicators, events and the gist of the bureau reports."""

from datetime import datetime, timedelta
from random import Random

from xml_extractor.samples.card_reports import BUREAUS
from xml_extractor.samples.card_sections import NOTES
from xml_extractor.samples.formats import element, moment

_SCORES = ("ficoTu", "ficoEx", "ficoEq", "bankcard", "fraud", "bankruptcy", "income", "custom")
_INDICATORS = (
    "fraudAlert", "activeDuty", "deceased", "freeze", "mismatch", "thinFile", "student", "employee", "vip", "highRisk",
)  # fmt: skip
_COUNTS = ("open", "closed", "delinquent", "inquiries", "collections", "oldestMonths", "utilization", "balance")


def scores(random: Random) -> str:
    """Scores by name; some are blank, some say `N/A`."""
    values = {name: random.choice((f"{random.randrange(300, 850)}", "", "N/A")) for name in _SCORES}
    return element("Scores", {"primary": random.randrange(300, 850), **values})


def indicators(random: Random) -> str:
    """Yes or no by name."""
    return element("Indicators", {name: random.choice(("N", "N", "Y", "", "y")) for name in _INDICATORS})


def history(random: Random, received: datetime) -> str:
    """What happened to the application, in order of time."""
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
        events.append(element("Event", attributes, element("Note", {}, pick(NOTES))))
        at += timedelta(minutes=random.randrange(1, 900))
    return element("History", {}, *events, "\n")


def report_summary(random: Random) -> str:
    """A few counts of each bureau's report."""
    bureaus = [
        element("Bureau", {"code": code, **{name: random.choice((random.randrange(100), "")) for name in _COUNTS}})
        for code in BUREAUS
    ]
    return element("ReportSummary", {}, *bureaus, "\n")
