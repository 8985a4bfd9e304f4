"""Plots of a baseline as SVG, to stand in an HTML page. The only user of matplotlib, which need not be there."""

import re
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from io import StringIO
from typing import TYPE_CHECKING, Any

from env_prep.baseline.record import Baseline, MeasuredRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#2a78d6", "#d8642a", "#1b8f6a")
"""Of the first, second and third variant; they can be told apart by those who do not see all colours."""

STORED, INK, FAINT, GRID = "#8a8a86", "#2b2b2a", "#6b6b68", "#e4e4e0"
WIDTH, HEIGHT = 8.0, 3.0
"""Inches."""

CHARACTERS_IN_A_LINE = 90
"""Of all names in a legend, to stand beside each other."""

STAGES = ("fetch", "parse", "map", "enqueue", "insert", "commit")

STYLE: dict[Any, Any] = {
    "svg.fonttype": "path",
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


def throughput_by_run(now: Baseline, stored: Baseline | None) -> "Figure":
    """Documents a minute of each run, beside the stored median."""
    figure, axes = _figure()
    for variant, colour in zip(now.variants, COLOURS, strict=False):
        runs = range(1, len(variant.figures) + 1)
        axes.plot(runs, variant.figures, "o-", color=colour, linewidth=2, markersize=6, label=variant.options)
    if stored is not None:
        then = stored.variants[0]
        axes.axhline(then.median, color=STORED, linewidth=1.5, dashes=(4, 3), label=f"stored: {then.options}")
    axes.set_xticks(range(1, max(len(variant.runs) for variant in now.variants) + 1))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("run")
    axes.set_ylabel("documents a minute")
    axes.yaxis.set_major_formatter(_thousands)
    axes.grid(axis="y")
    _legend(axes)
    return figure


def time_by_stage(now: Baseline) -> "Figure":
    """Seconds of each step, added over processes and threads, per thousand documents."""
    stages = [stage for stage in STAGES if any(stage in run.stage_seconds for run in _typical(now))]
    figure, axes = _figure(0.7 + 0.26 * len(stages) * len(now.variants))
    height = 0.8 / len(now.variants)
    for number, (variant, colour) in enumerate(zip(now.variants, COLOURS, strict=False)):
        seconds = [variant.typical_run.stage_seconds.get(stage, 0.0) / now.documents * 1000 for stage in stages]
        places = [place + number * height for place in range(len(stages))]
        bars = axes.barh(places, seconds, height=height * 0.86, color=colour, label=variant.options)
        axes.bar_label(bars, labels=[f"{value:.2f}" if value else "" for value in seconds], padding=3, color=FAINT)
    axes.set_yticks([place + 0.4 - height / 2 for place in range(len(stages))], stages)
    axes.invert_yaxis()
    axes.margins(x=0.08)
    axes.set_xlabel("seconds for 1,000 documents, added over processes and threads")
    axes.grid(axis="x")
    _legend(axes)
    return figure


def queue_over_time(now: Baseline) -> "Figure":
    """Documents done, and chunks in the insert queue, while the typical run of each variant ran."""
    series = [run.series for run in _typical(now)]
    figure, panels = _panels(2 if any(each.queued for each in series) else 1)
    for variant, each, colour in zip(now.variants, series, COLOURS, strict=False):
        panels[0].plot(each.seconds, each.documents, color=colour, linewidth=2, label=variant.options)
        if each.queued:
            panels[1].plot(each.seconds, each.queued, color=colour, linewidth=2)
    for axes, label in zip(panels, ("documents done", "chunks in the queue"), strict=False):
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
        axes.set_xlim(left=0)
        axes.yaxis.set_major_locator(_whole_numbers())
        axes.yaxis.set_major_formatter(_thousands)
        axes.grid(axis="y")
    panels[-1].set_xlabel("seconds since the start of the run")
    figure.align_ylabels()
    _legend(panels[0])
    return figure


def rows_by_table(now: Baseline) -> "Figure":
    """Rows that each run inserted."""
    figure, axes = _figure(0.7 + 0.26 * len(now.rows))
    bars = axes.barh(range(len(now.rows)), list(now.rows.values()), height=0.7, color=COLOURS[0])
    axes.bar_label(bars, labels=[f"{rows:,}" for rows in now.rows.values()], padding=3, color=FAINT)
    axes.set_yticks(range(len(now.rows)), list(now.rows))
    axes.invert_yaxis()
    axes.margins(x=0.08)
    axes.set_xlabel("rows")
    axes.xaxis.set_major_formatter(_thousands)
    axes.grid(axis="x")
    return figure


def can_plot() -> bool:
    """Whether matplotlib is there."""
    return find_spec("matplotlib") is not None


def svg(draw: Callable[[], "Figure"], name: str) -> str:
    """A plot as an `svg` element.

    Args:
        draw: Makes the figure.
        name: Unlike that of other plots in the page, so that their parts have other ids.
    """
    from matplotlib import rc_context  # noqa: PLC0415 - an extra

    with rc_context({**STYLE, "svg.hashsalt": name}), StringIO() as file:
        draw().savefig(file, format="svg", metadata={"Date": None, "Creator": None})
        text = file.getvalue()
    element = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    return re.sub(r'(<svg\b[^>]*?) height="[^"]*"', r"\1", element.strip(), count=1)


def _figure(height: float = HEIGHT) -> tuple["Figure", "Axes"]:
    figure, (axes,) = _panels(1, height)
    return figure, axes


def _panels(number: int, height: float | None = None) -> tuple["Figure", Sequence["Axes"]]:
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra

    figure = Figure(figsize=(WIDTH, height or 2.3 * number), facecolor="none")
    axes: Any = figure.subplots(number, 1, sharex=True, squeeze=False)
    return figure, list(axes[:, 0])


def _legend(axes: "Axes") -> None:
    labels = axes.get_legend_handles_labels()[1]
    columns = len(labels) if sum(map(len, labels)) <= CHARACTERS_IN_A_LINE else 1
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, borderaxespad=0, handlelength=1.4)


def _typical(now: Baseline) -> list[MeasuredRun]:
    return [variant.typical_run for variant in now.variants]


def _thousands(value: float, _position: float) -> str:
    return f"{value:,.0f}"


def _whole_numbers() -> Any:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - an extra

    return MaxNLocator(nbins=5, integer=True)
