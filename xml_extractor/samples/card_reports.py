"""Bureau reports: the deep and long part of a card application, of which a load needs nothing."""

from functools import cache
from random import Random

BUREAUS = ("TU", "EX", "EQ")

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
    """The element `BureauReports`, of about `size` bytes and not less than one account in each report."""
    reports = BUREAUS[:1] if size < _SEVERAL_REPORTS_BYTES else BUREAUS
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
    """Accounts and inquiries that all reports draw from; writing each report afresh would cost most of the time."""
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
