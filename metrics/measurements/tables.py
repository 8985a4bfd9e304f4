"""Tables of measurements, rendered for the screen and for Markdown."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table as ScreenTable

THOUSAND = 1000
HUNDRED = 100
TEN = 10


class Table(NamedTuple):
    """A table whose first column is text; the others are numbers."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


def show(title: str, tables: Iterable[Table], notes: Iterable[str]) -> None:
    """Print tables and notes."""
    console = Console()
    console.print(title, style="bold")
    for table in tables:
        shown = ScreenTable(box=None, header_style="bold", pad_edge=False)
        for position, heading in enumerate(table.headings):
            shown.add_column(heading, justify="right" if position else "left", overflow="fold")
        for row in table.rows:
            shown.add_row(*row)
        console.print(shown)
    for note in notes:
        console.print(f"- {note}")


def markdown(table: Table) -> str:
    """Render a table as Markdown."""
    rule = ("---", *("---:" for _ in table.headings[1:]))
    return "\n".join(f"| {' | '.join(row)} |" for row in (table.headings, rule, *table.rows))


def number(value: float) -> str:
    """Format a number with three digits, or with all digits before the point if it has more."""
    size = abs(value)
    if value == int(value) and size < THOUSAND:
        return str(int(value))
    if size >= HUNDRED:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= TEN else f"{value:.2f}" if size >= 1 else f"{value:.3g}"


def percent(share: float) -> str:
    """Format a share of one."""
    return f"{share:.0%}".replace("%", " %")
