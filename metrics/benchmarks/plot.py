"""The plot of a benchmark's record as an SVG image: bars of medians, marks of single figures, one scale for each unit.

It has no background, and follows the light or dark mode of the reader.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from metrics.measurements.tables import number
from xml_extractor.reporting.html import COLOURS, Html, element
from xml_extractor.reporting.plots import Scale, scale

WIDTH = 800
LABELS = 270
"""The width of the names of series."""

NUMBERS = 80
"""The width of the medians, at the right."""

ROW, HEAD, GAP = 22, 38, 14
BAR = 12

COMPARABLE = 10
"""A group whose largest figure is smaller than that of another group by this factor has a scale of its own."""


def plot(found: Mapping[str, Any]) -> str:
    """Return the image of a record."""
    groups = found["groups"]
    axes = _scales(groups)
    parts: list[Html] = []
    top = 0
    for group, (axis, is_own) in zip(groups, axes, strict=True):
        has_marks = any(len(one["figures"]) > 1 for one in group["series"])
        bars = "; bar: median, marks: single figures" if has_marks else "; bar: the single figure"
        heading = f"{group['title']}: {group['unit']}{bars}{'; scale of its own' if is_own else ''}"
        parts += [element("text", heading, x="0", y=top + 12, font_weight="bold"), *_group(group, axis, top + HEAD)]
        top += HEAD + ROW * len(group["series"]) + GAP
    title = element("title", f"Medians and single figures of the benchmark {found['benchmark']}")
    described = element("desc", "The figures are in the tables of the page on speed.")
    style = element("style", Html(f"{COLOURS}[font-weight] {{ font-weight: bold }}"))
    svg = element(
        "svg",
        *(title, described, style, *parts),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {top}",
        width=WIDTH,
        height=top,
        role="img",
    )
    return f"{svg}\n"


def _scales(groups: Sequence[Mapping[str, Any]]) -> list[tuple[Scale, bool]]:
    """Return the scale of each group, and whether it is another one than that of its unit."""
    largest = [max(max(one["figures"]) for one in group["series"]) for group in groups]
    found = []
    for group, most in zip(groups, largest, strict=True):
        of_unit = max(other for each, other in zip(groups, largest, strict=True) if each["unit"] == group["unit"])
        is_own = most * COMPARABLE < of_unit
        found.append((scale(most if is_own else of_unit), is_own))
    return found


def _group(group: Mapping[str, Any], axis: Scale, top: int) -> Iterator[Html]:
    series = group["series"]
    bottom = top + ROW * len(series)

    def x(value: float) -> float:
        return round(LABELS + (WIDTH - LABELS - NUMBERS) * value / axis.top, 1)

    for tick in axis.ticks:
        yield element("line", class_="grid", x1=x(tick), x2=x(tick), y1=top - 2, y2=bottom)
        label = element("text", axis.label(tick), x=x(tick), y=top - 6, text_anchor="middle")
        yield element("g", label, class_="axis")
    for position, one in enumerate(series):
        middle = top + ROW * position + ROW // 2
        yield element("text", one["name"], x=LABELS - 8, y=middle + 4, text_anchor="end")
        width = round(x(one["median"]) - LABELS, 1)
        yield element("rect", class_="s0", x=LABELS, y=middle - BAR // 2, width=width, height=BAR, stroke="none")
        for figure in one["figures"] if len(one["figures"]) > 1 else ():
            yield element("line", class_="mark", x1=x(figure), x2=x(figure), y1=middle - 5, y2=middle + 5)
        yield element("text", number(one["median"]), x=WIDTH, y=middle + 4, text_anchor="end")
