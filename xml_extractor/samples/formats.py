"""How values are written by systems that never agreed on it: amounts, dates, codes, telephone numbers; and elements."""

from collections.abc import Mapping
from datetime import date, datetime
from random import Random


def element(name: str, attributes: Mapping[str, str | int], *content: str) -> str:
    """An element on a new line. Values and content must have their markup characters escaped."""
    start = " ".join((name, *[f'{attribute}="{value}"' for attribute, value in attributes.items()]))
    return f"\n<{start}>{''.join(content)}</{name}>" if content else f"\n<{start}/>"


def amount(random: Random, cents: int) -> str:
    """An amount such as `1234.50`, `$1,234.50` or ` 1,234.50 `."""
    match random.randrange(10):
        case 0:
            return f" {cents // 100:,}.{cents % 100:02} "
        case 1 | 2 | 3:
            return f"${cents // 100:,}.{cents % 100:02}"
        case _:
            return f"{cents // 100}.{cents % 100:02}"


def percentage(random: Random, thousandths: int) -> str:
    """A rate such as `19.990`, or `19.990 %`."""
    mark = random.choice(("", "", "", "", " %"))
    return f"{thousandths // 1000}.{thousandths % 1000:03}{mark}"


def day(random: Random, value: date) -> str:
    """A date as ISO 8601, as `MM/DD/YYYY` or as `YYYYMMDD`."""
    match random.randrange(8):
        case 0:
            return f"{value.year}{value.month:02}{value.day:02}"
        case 1 | 2:
            return f"{value.month:02}/{value.day:02}/{value.year}"
        case _:
            return f"{value.year}-{value.month:02}-{value.day:02}"


def moment(random: Random, value: datetime) -> str:
    """A date and time with milliseconds as ISO 8601, or to the second as `MM/DD/YYYY hh:mm:ss AM`."""
    if random.randrange(5):
        return value.isoformat(timespec="milliseconds")
    return value.strftime("%m/%d/%Y %I:%M:%S ") + ("PM" if value.hour // 12 else "AM")


def any_case(random: Random, code: str) -> str:
    """A code in capitals, or as people type it."""
    match random.randrange(10):
        case 0:
            return code.lower()
        case 1:
            return code.capitalize()
        case _:
            return code


def telephone(random: Random) -> str:
    """A number from 555-0100 to 555-0199, which are kept for fiction, under an area code that is not given out."""
    style = random.choice(("(200) 555-01{:02}", "200-555-01{:02}", "+1 200 555 01{:02}", "20055501{:02}"))
    return style.format(random.randrange(100))


def sometimes(random: Random, text: str, percent: int = 85) -> str:
    """The text in so many of a hundred cases, else nothing or only spaces."""
    return text if random.randrange(100) < percent else random.choice(("", "", " "))
