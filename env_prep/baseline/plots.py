"""The plots of a baseline."""

from typing import TYPE_CHECKING

from env_prep.baseline.record import Baseline, MeasuredRun
from metrics.measurements.plots import COLOURS, FAINT, STORED, figure_of, legend, thousands, whole_numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STAGES = ("fetch", "parse", "map", "enqueue", "insert", "commit")


def throughput_by_run(now: Baseline, stored: Baseline | None) -> "Figure":
    """Draw the documents a minute of each run, and the stored median."""
    figure, (axes,) = figure_of()
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
    axes.yaxis.set_major_formatter(thousands)
    axes.grid(axis="y")
    legend(axes)
    return figure


def time_by_stage(now: Baseline) -> "Figure":
    """Draw the seconds of each stage, summed over processes and threads, per thousand documents."""
    stages = [stage for stage in STAGES if any(stage in run.stage_seconds for run in _typical(now))]
    figure, (axes,) = figure_of(1, 0.7 + 0.26 * len(stages) * len(now.variants))
    height = 0.8 / len(now.variants)
    for number, (variant, colour) in enumerate(zip(now.variants, COLOURS, strict=False)):
        seconds = [variant.typical_run.stage_seconds.get(stage, 0.0) / now.documents * 1000 for stage in stages]
        positions = [position + number * height for position in range(len(stages))]
        bars = axes.barh(positions, seconds, height=height * 0.86, color=colour, label=variant.options)
        axes.bar_label(bars, labels=[f"{value:.2f}" if value else "" for value in seconds], padding=3, color=FAINT)
    axes.set_yticks([position + 0.4 - height / 2 for position in range(len(stages))], stages)
    axes.invert_yaxis()
    axes.margins(x=0.08)
    axes.set_xlabel("seconds for 1,000 documents, summed over processes and threads")
    axes.grid(axis="x")
    legend(axes)
    return figure


def queue_over_time(now: Baseline) -> "Figure":
    """Draw the documents done and the chunks in the insert queue over time, of the typical run of each variant."""
    series = [run.series for run in _typical(now)]
    count = 2 if any(each.queued for each in series) else 1
    figure, panels = figure_of(count, 2.3 * count)
    for variant, each, colour in zip(now.variants, series, COLOURS, strict=False):
        panels[0].plot(each.seconds, each.documents, color=colour, linewidth=2, label=variant.options)
        if each.queued:
            panels[1].plot(each.seconds, each.queued, color=colour, linewidth=2)
    for axes, label in zip(panels, ("documents done", "chunks in the queue"), strict=False):
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
        axes.set_xlim(left=0)
        axes.yaxis.set_major_locator(whole_numbers())
        axes.yaxis.set_major_formatter(thousands)
        axes.grid(axis="y")
    panels[-1].set_xlabel("seconds since the start of the run")
    figure.align_ylabels()
    legend(panels[0])
    return figure


def rows_by_table(now: Baseline) -> "Figure":
    """Draw the rows that each run inserted."""
    figure, (axes,) = figure_of(1, 0.7 + 0.26 * len(now.rows))
    bars = axes.barh(range(len(now.rows)), list(now.rows.values()), height=0.7, color=COLOURS[0])
    axes.bar_label(bars, labels=[f"{rows:,}" for rows in now.rows.values()], padding=3, color=FAINT)
    axes.set_yticks(range(len(now.rows)), list(now.rows))
    axes.invert_yaxis()
    axes.margins(x=0.08)
    axes.set_xlabel("rows")
    axes.xaxis.set_major_formatter(thousands)
    axes.grid(axis="x")
    return figure


def _typical(now: Baseline) -> list[MeasuredRun]:
    return [variant.typical_run for variant in now.variants]
