"""A benchmark's record as small tables: the same cells on screen and in pages."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

THOUSAND = 1000
HUNDRED = 100
TEN = 10


class Cells(NamedTuple):
    """A table: the first column is text, the others are numbers."""

    headings: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def tables(found: Mapping[str, Any]) -> Iterator[Cells]:
    """The tables of a record: one for each group of figures, one for ratios, one for facts."""
    for group in found["groups"]:
        rows = [(one["name"], number(one["median"]), percent(one["spread"])) for one in group["series"]]
        yield Cells((group["title"], f"{group['unit']}, median", "spread"), rows)
    if found["ratios"]:
        rows = [
            (one["name"], number(one["median"]), f"{number(one['low'])} to {number(one['high'])}", *_judgement(one))
            for one in found["ratios"]
        ]
        yield Cells(("Ratio", "of medians", "95 % interval", "target", "met"), rows)
    if found["facts"]:
        rows = [(one["name"], _value(one), one["unit"], *_judgement(one)) for one in found["facts"]]
        yield Cells(("Figure", "value", "unit", "target", "met"), rows)


def show(found: Mapping[str, Any]) -> None:
    """Print the tables and notes of a record."""
    console = Console()
    console.print(found["command"], style="bold")
    for cells in tables(found):
        table = Table(box=None, header_style="bold", pad_edge=False)
        for position, heading in enumerate(cells.headings):
            table.add_column(heading, justify="right" if position else "left", overflow="fold")
        for row in cells.rows:
            table.add_row(*row)
        console.print(table)
    for note in found["notes"]:
        console.print(f"- {note}")


def markdown(cells: Cells) -> str:
    """A table as a page has it."""
    rule = ("---", *("---:" for _ in cells.headings[1:]))
    return "\n".join(f"| {' | '.join(row)} |" for row in (cells.headings, rule, *cells.rows))


def number(value: float) -> str:
    """With three digits, or all of a whole part that has more."""
    size = abs(value)
    if value == int(value) and size < THOUSAND:
        return str(int(value))
    if size >= HUNDRED:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= TEN else f"{value:.2f}" if size >= 1 else f"{value:.3g}"


def percent(share: float) -> str:
    """A share of one."""
    return f"{share:.0%}".replace("%", " %")


def _value(fact: Mapping[str, Any]) -> str:
    error = fact.get("standard_error")
    return number(fact["value"]) + ("" if error is None else f" ± {number(error)}")


def _judgement(found: Mapping[str, Any]) -> Sequence[str]:
    if "limit" not in found:
        return "", ""
    ((kind, value),) = found["limit"].items()
    sign = "≤" if kind == "at_most" else "≥"
    return f"{sign} {number(value)}", "yes" if found["met"] else "no"
