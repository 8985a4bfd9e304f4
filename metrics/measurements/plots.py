"""Plots of measurements as SVG. The only user of matplotlib, which is optional and imported to draw."""

import re
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from io import StringIO
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#2a78d6", "#d8642a", "#1b8f6a")
"""Of the first, second and third series; they are distinct for colour-blind readers too."""

STORED, INK, FAINT, GRID = "#8a8a86", "#2b2b2a", "#6b6b68", "#e4e4e0"
BAR, POINT = "#9bbcd6", "#1f3b57"
WIDTH, HEIGHT = 8.0, 3.0
"""Inches."""

BAR_INCHES, MARGIN_INCHES = 0.34, 0.75
CHARACTERS_IN_A_LINE = 90
"""The longest legend that fits in one line."""

STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.edgecolor": GRID,
    "axes.facecolor": "none",
    "axes.labelcolor": FAINT,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


def can_plot() -> bool:
    """Return whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def svg(draw: Callable[[], "Figure"], name: str, *, text: Literal["path", "none"] = "path") -> str:
    """Render a plot as an `svg` element; the same plot gives the same bytes.

    Args:
        draw: Makes the figure.
        name: A name that is unique in a page, so that the ids of its elements are too.
        text: `path` draws text as paths, so that no font is needed; `none` keeps text.
    """
    from matplotlib import rc_context  # noqa: PLC0415 - an extra

    with rc_context({**STYLE, "svg.hashsalt": name, "svg.fonttype": text}), StringIO() as file:
        draw().savefig(file, format="svg", metadata={"Date": None, "Creator": None})
        rendered = file.getvalue()
    element = re.sub(r"<metadata>.*?</metadata>", "", rendered[rendered.index("<svg") :], flags=re.DOTALL)
    return re.sub(r"[ \t]+$", "", element.strip(), flags=re.MULTILINE)


def medians(groups: Sequence[Mapping[str, Any]]) -> "Figure":
    """Draw the groups of a benchmark's record: a bar for the median of each series, a mark for each figure."""
    heights = [len(group["series"]) * BAR_INCHES + MARGIN_INCHES for group in groups]
    figure, panels = figure_of(len(groups), sum(heights), sharex=False, height_ratios=heights)
    for group, axes in zip(groups, panels, strict=True):
        series = group["series"]
        rows = range(len(series))
        axes.barh(rows, [one["median"] for one in series], color=BAR, height=0.62)
        for row, one in zip(rows, series, strict=True):
            axes.plot(one["figures"], [row] * len(one["figures"]), "|", color=POINT, markersize=9)
        axes.set_yticks(rows, [one["name"] for one in series])
        axes.invert_yaxis()
        axes.set_xlim(left=0)
        axes.set_title(f"{group['title']} ({group['unit']})", loc="left", fontsize=9, fontweight="bold")
    return figure


def figure_of(panels: int = 1, height: float = HEIGHT, **options: Any) -> tuple["Figure", Sequence["Axes"]]:
    """Return a figure with panels one below the other."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra

    figure = Figure(figsize=(WIDTH, height), facecolor="none")
    axes: Any = figure.subplots(panels, 1, squeeze=False, **{"sharex": True, **options})
    return figure, list(axes[:, 0])


def legend(axes: "Axes") -> None:
    """Add a legend above the axes, in one line if it fits."""
    labels = axes.get_legend_handles_labels()[1]
    columns = len(labels) if sum(map(len, labels)) <= CHARACTERS_IN_A_LINE else 1
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, borderaxespad=0, handlelength=1.4)


def thousands(value: float, _position: float) -> str:
    """Format a tick with separators for thousands."""
    return f"{value:,.0f}"


def whole_numbers() -> Any:
    """Return a locator of ticks at whole numbers."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - an extra

    return MaxNLocator(nbins=5, integer=True)
