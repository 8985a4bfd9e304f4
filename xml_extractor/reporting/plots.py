"""Plots of HTML pages as inline SVG: bars in the rows of a table, and progress over time.

What is compared has one scale. Plots are as wide as the screen allows, and their texts keep their size.
"""

from collections.abc import Iterable, Sequence
from itertools import count, takewhile
from math import ceil, floor, log10
from typing import NamedTuple

from xml_extractor.reporting.html import SERIES, Html, element, joined, table

MINUTE, HOUR, DAY = 60, 3600, 86_400
_TIME_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, *(step * MINUTE for step in (1, 2, 5, 10, 15, 30)))
_LONG_STEPS = (*(step * HOUR for step in (1, 2, 3, 6, 12)), *(step * DAY for step in (1, 2, 7)))

TICKS = 4
"""The most intervals of an axis."""

SMALLEST = 1e-9
"""Lengths below are shown as 0."""

TIME_TICKS = 6
WINDOWS = 60
"""The most intervals of time into which a run is divided to show its rate."""


MIN_WINDOW = 1.0
"""The shortest interval in seconds of which a rate is shown."""


class Scale(NamedTuple):
    """An axis from 0 to its last tick."""

    ticks: tuple[float, ...]

    @property
    def top(self) -> float:
        """The end of the axis."""
        return self.ticks[-1]

    def share(self, value: float) -> float:
        """Return the position of a value in percent."""
        return round(100 * value / self.top, 2)

    def label(self, tick: float) -> str:
        """Return the label of a tick, with thousands as k and so on if the axis is long."""
        for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
            if self.top >= 10 * size:
                return f"{tick / size:,.12g}{unit if tick else ''}"
        return f"{tick:,.12g}"


def scale(largest: float, *, whole: bool = False, most: int = TICKS) -> Scale:
    """Return an axis for values up to the largest one, with ticks at 1, 2 or 5 times a power of ten.

    Args:
        largest: Not negative.
        whole: Whether values are whole numbers, so that ticks are.
        most: The most intervals.
    """
    if whole or largest < SMALLEST:
        largest = max(largest, 1)
    power = floor(log10(largest / most))
    steps = (factor * 10.0**exponent for exponent in (power, power + 1) for factor in (1, 2, 5))
    step = next(step for step in steps if largest / step <= most + 1e-9 and (not whole or step >= 1))
    return Scale(tuple(float(f"{position * step:.12g}") for position in range(ceil(largest / step - 1e-9) + 1)))


class Bar(NamedTuple):
    """A row with a bar.

    Attributes:
        cells: What is in front of the bar.
        segments: Lengths with the CSS class of their colour.
        value: The number, as text.
        note: A line below the bar.
    """

    cells: Sequence[object]
    segments: Sequence[tuple[str, float]]
    value: str
    note: str = ""


def colour(series: int) -> str:
    """Return the CSS class of a series."""
    return f"s{series % SERIES}"


def bars(headings: Sequence[object], rows: Iterable[Bar], meaning: str, *, whole: bool = True) -> Html:
    """Return a table with a bar in each row, all of one scale.

    Args:
        headings: Of the cells in front of the bars.
        rows: The bars.
        meaning: What the length of a bar means.
        whole: Whether lengths are whole numbers.
    """
    drawn = list(rows)
    axis = scale(max((sum(length for _, length in row.segments) for row in drawn), default=0), whole=whole)
    body = [[*row.cells, _bar(axis, row), row.value] for row in drawn]
    number = element("span", meaning, class_="hidden")
    return table([*headings, _axis(axis, meaning), number], body, numbers=1, kind="bars")


def legend(entries: Iterable[tuple[str, object]]) -> Html:
    """Return a legend of colours, by their CSS classes."""
    swatch = {"width": "100%", "height": "100%"}
    return element(
        "ul",
        *(
            element("li", element("svg", element("rect", class_=kind, **swatch), aria_hidden="true"), label)
            for kind, label in entries
        ),
        class_="legend",
    )


def _bar(axis: Scale, row: Bar) -> Html:
    parts = [_line("grid", x=axis.share(tick)) for tick in axis.ticks]
    start = 0.0
    for kind, length in row.segments:
        # A value that is not 0 is visible.
        width = max(axis.share(length), 0.4) if length else 0
        parts.append(
            element("rect", class_=kind, x=f"{start}%", y="18%", width=f"{width}%", height="64%", stroke="none")
        )
        start = round(start + axis.share(length), 2)
    return joined((element("svg", *parts, aria_hidden="true"), element("small", row.note) if row.note else ""))


def _axis(axis: Scale, meaning: str) -> Html:
    labels = [
        element(
            "text",
            axis.label(tick),
            x=f"{axis.share(tick)}%",
            y="0.9em",
            text_anchor=_anchor(number, axis),
            class_=_minor(number),
        )
        for number, tick in enumerate(axis.ticks)
    ]
    return joined((meaning, element("svg", *labels, class_="axis", aria_hidden="true")))


def _anchor(number: int, axis: Scale) -> str:
    return "start" if number == 0 else "end" if number == len(axis.ticks) - 1 else "middle"


def _minor(number: int) -> str | None:
    return "minor" if number % 2 else None


def _line(kind: str, *, x: float | None = None, y: float | None = None) -> Html:
    across = {"x1": "0", "x2": "100%"} if x is None else {"x1": f"{x}%", "x2": f"{x}%"}
    along = {"y1": "0", "y2": "100%"} if y is None else {"y1": f"{y}%", "y2": f"{y}%"}
    return element("line", class_=kind, **across, **along)


class Window(NamedTuple):
    """An interval of a run.

    Attributes:
        start, end: Seconds since the start of the run.
        documents: Processed until its end.
        rate: Documents a minute within it.
        queued: The most chunks in the insert queue within it; None if there is no queue.
    """

    start: float
    end: float
    documents: int
    rate: float
    queued: int | None


def windows(seconds: Sequence[float], documents: Sequence[int], queued: Sequence[int], width: float) -> list[Window]:
    """Join samples of a run's progress to intervals.

    Args:
        seconds: Of the samples, since the start of the run.
        documents: Processed until then.
        queued: Chunks in the insert queue; empty if there is none.
        width: The least length of an interval in seconds.
    """
    found: list[Window] = []
    start, done, first = 0.0, 0, 0
    for position, (end, processed) in enumerate(zip(seconds, documents, strict=True)):
        is_last = position == len(seconds) - 1
        if end - start >= width or (is_last and end > start):
            rate = (processed - done) / (end - start) * MINUTE
            depths = queued[first : position + 1]
            found.append(Window(start, end, processed, rate, max(depths) if depths else None))
            start, done, first = end, processed, position + 1
    return found


class Panel(NamedTuple):
    """The course of a figure over time.

    Attributes:
        title: What or whose it is.
        steps: Start, end and value of each interval.
        series: The number of its colour.
        mean: Drawn as a line, if there is one.
    """

    title: str
    steps: Sequence[tuple[float, float, float]]
    series: int = 0
    mean: float | None = None


def panels(drawn: Sequence[Panel], figure: str, duration: float) -> Html:
    """Return plots of one figure over time, side by side and with the same scales.

    Args:
        drawn: The plots.
        figure: What the vertical axis shows.
        duration: Of the longest, in seconds.
    """
    highest = max((value for panel in drawn for _, _, value in panel.steps), default=0)
    vertical = scale(max([highest, *(panel.mean or 0 for panel in drawn)]), whole=True)
    return element("div", *(_panel(panel, figure, vertical, duration) for panel in drawn), class_="plots")


def _panel(panel: Panel, figure: str, vertical: Scale, duration: float) -> Html:
    rows = [
        element("text", vertical.label(tick), x="-8", y=f"{100 - vertical.share(tick)}%", dy=".32em", text_anchor="end")
        for tick in vertical.ticks
    ]
    times = [
        element("text", label, x=f"{position}%", y="100%", dy="1.5em", text_anchor="middle", class_=_minor(number))
        for number, (position, label) in enumerate(time_ticks(duration))
    ]
    grid = [_line("grid", y=100 - vertical.share(tick)) for tick in vertical.ticks]
    mean = [] if panel.mean is None else [_line("mean", y=100 - vertical.share(panel.mean))]
    curve = _curve(panel, vertical, duration)
    title = f"{panel.title}: {figure}" if panel.title else figure
    largest = max((value for _, _, value in panel.steps), default=0)
    said = f"Over {duration_text(panel.steps[-1][1] if panel.steps else 0)}; at most {largest:,.0f}."
    svg = element(
        "svg",
        element("title", title),
        element("desc", said),
        *grid,
        element("g", *rows, *times, class_="axis"),
        curve,
        *mean,
        role="img",
    )
    shown = f"{title[0].upper()}{title[1:]}"
    if panel.mean is not None:
        shown += f"; dashed: mean of the run, {panel.mean:,.0f}"
    return element("figure", element("figcaption", shown), svg)


def _curve(panel: Panel, vertical: Scale, duration: float) -> Html:
    points = [
        f"{1000 * at / duration:.1f} {1000 - 10 * vertical.share(value):.1f}"
        for start, end, value in panel.steps
        for at in (start, end)
    ]
    if not points:
        return Html()
    line = f"M{' L'.join(points)}"
    first, last = points[0].split()[0], points[-1].split()[0]
    return element(
        "svg",
        element("path", d=f"{line} L{last} 1000 L{first} 1000 Z", class_=f"area {colour(panel.series)}"),
        element("path", d=line, class_=f"curve {colour(panel.series)}"),
        viewBox="0 0 1000 1000",
        preserveAspectRatio="none",
        width="100%",
        height="100%",
    )


def time_ticks(duration: float) -> list[tuple[float, str]]:
    """Return ticks of an axis of time: position in percent, and label."""
    fitting = (step for step in (*_TIME_STEPS, *_LONG_STEPS) if duration / step <= TIME_TICKS)
    step = next(fitting, ceil(duration / TIME_TICKS / DAY) * DAY)
    size, unit = next(
        (size, unit) for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (1, "s"), (0, "s")) if step >= size
    )
    times = takewhile(lambda at: at <= duration, (number * step for number in count()))
    return [(round(100 * at / duration, 2), f"{at / max(size, 1):.6g} {unit}") for at in times]


def duration_text(seconds: float) -> str:
    """Return a duration for people."""
    if seconds < MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), MINUTE)
    hours, minutes = divmod(minutes, MINUTE)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
