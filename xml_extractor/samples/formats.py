"""Values in inconsistent formats: amounts, dates, codes and telephone numbers; and elements."""

from collections.abc import Mapping
from datetime import date, datetime
from random import Random


def element(name: str, attributes: Mapping[str, str | int], *content: str) -> str:
    """Return an element on a new line. Markup characters in values and content must be escaped."""
    start = " ".join((name, *[f'{attribute}="{value}"' for attribute, value in attributes.items()]))
    return f"\n<{start}>{''.join(content)}</{name}>" if content else f"\n<{start}/>"


def amount(random: Random, cents: int) -> str:
    """Format an amount as `1234.50`, `$1,234.50` or ` 1,234.50 `."""
    match random.randrange(10):
        case 0:
            return f" {cents // 100:,}.{cents % 100:02} "
        case 1 | 2 | 3:
            return f"${cents // 100:,}.{cents % 100:02}"
        case _:
            return f"{cents // 100}.{cents % 100:02}"


def percentage(random: Random, thousandths: int) -> str:
    """Format a rate as `19.990` or `19.990 %`."""
    mark = random.choice(("", "", "", "", " %"))
    return f"{thousandths // 1000}.{thousandths % 1000:03}{mark}"


def day(random: Random, value: date) -> str:
    """Format a date as ISO 8601, `MM/DD/YYYY` or `YYYYMMDD`."""
    match random.randrange(8):
        case 0:
            return f"{value.year}{value.month:02}{value.day:02}"
        case 1 | 2:
            return f"{value.month:02}/{value.day:02}/{value.year}"
        case _:
            return f"{value.year}-{value.month:02}-{value.day:02}"


def moment(random: Random, value: datetime) -> str:
    """Format a date and time as ISO 8601 with milliseconds, or as `MM/DD/YYYY hh:mm:ss AM`."""
    if random.randrange(5):
        return value.isoformat(timespec="milliseconds")
    return value.strftime("%m/%d/%Y %I:%M:%S ") + ("PM" if value.hour // 12 else "AM")


def any_case(random: Random, code: str) -> str:
    """Return a code as it is, in lower case or capitalized."""
    match random.randrange(10):
        case 0:
            return code.lower()
        case 1:
            return code.capitalize()
        case _:
            return code


def telephone(random: Random) -> str:
    """Generate a number from 555-0100 to 555-0199, reserved for fiction, with an unassigned area code."""
    style = random.choice(("(200) 555-01{:02}", "200-555-01{:02}", "+1 200 555 01{:02}", "20055501{:02}"))
    return style.format(random.randrange(100))


def sometimes(random: Random, text: str, percent: int = 85) -> str:
    """Return the text in this percentage of cases, otherwise an empty or blank text."""
    return text if random.randrange(100) < percent else random.choice(("", "", " "))
