"""Render a baseline as one self-contained HTML page: no script, no other file, no network."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape

from env_prep.baseline import plots as draw
from env_prep.baseline.comparing import Comparison
from env_prep.baseline.record import Baseline
from metrics.measurements import plots
from metrics.measurements.tables import Table, html

FILE = "baseline.html"
HOW_TO_PLOT = "The plots need matplotlib: `pip install --editable '.[report]'` in the checkout, then run this again."

CSS = """
body { font: 15px/1.5 system-ui, sans-serif; color: #2b2b2a; background: #fcfcfb;
  margin: 2rem auto; max-width: 56rem; padding: 0 1rem }
h1 { font-size: 1.5rem; margin-bottom: 0 }
h2 { font-size: 1.1rem; margin: 2rem 0 .3rem }
p { margin: .3rem 0 }
table { border-collapse: collapse; margin: .5rem 0 }
th, td { padding: .25rem 1.2rem .25rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid #e4e4e0 }
th { font-weight: 600 }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
.faint { color: #6b6b68 }
.warning { border-left: 4px solid #d8642a; padding: .2rem .8rem; background: #fbf1eb }
figure { margin: .5rem 0 }
svg { width: 100%; height: auto; display: block }
"""


@dataclass(frozen=True, slots=True)
class Findings:
    """A measurement and its comparison.

    Attributes:
        stored: The baseline that it was compared with.
        comparisons: Ratios, those to the stored baseline first.
        warnings: Differences that limit the comparison.
    """

    now: Baseline
    stored: Baseline | None
    comparisons: Sequence[Comparison]
    warnings: Sequence[str]


def lines(findings: Findings) -> list[str]:
    """Return the figures as lines of text."""
    now = findings.now
    width = max(len(variant.options) for variant in now.variants)
    return [
        f"{now.documents:,} documents of {now.contract.name} into {now.database.name}, documents a minute:",
        *(
            f"  {variant.options:{width}}  median {variant.median:9,.0f}  spread {variant.spread:6.1%}  "
            f"runs {', '.join(f'{figure:,.0f}' for figure in variant.figures)}"
            for variant in now.variants
        ),
        *map(str, findings.comparisons),
        *(f"Warning: {warning}" for warning in findings.warnings),
    ]


def page(findings: Findings) -> str:
    """Render the HTML page; without matplotlib it has no plots, but the command that installs it."""
    now = findings.now
    documents = f"{now.documents:,} documents of {escape(now.contract.name)} (version {now.contract.version})"
    made_at = f"{now.made_at:%Y-%m-%d %H:%M} UTC"
    parts = [
        "<h1>Baseline of xml_extractor</h1>",
        f'<p class="faint">{made_at} &middot; {documents} &middot; {escape(now.database.name)}</p>',
        *(f'<p class="warning">{escape(warning)}</p>' for warning in findings.warnings),
        _figures(now, findings.stored),
        _ratios(findings.comparisons),
        *_plots(now, findings.stored),
        _circumstances(now),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Baseline of xml_extractor</title>'
        f"<style>{CSS}</style></head><body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _figures(now: Baseline, stored: Baseline | None) -> str:
    measured = [(variant.options, variant) for variant in now.variants]
    if stored is not None:
        measured += [
            (f"stored on {stored.made_at:%Y-%m-%d}: {variant.options}", variant) for variant in stored.variants
        ]
    rows = [
        [
            name,
            f"{variant.median:,.0f}",
            f"{variant.spread:.1%}",
            f"{min(variant.figures):,.0f}",
            f"{max(variant.figures):,.0f}",
            str(len(variant.runs)),
        ]
        for name, variant in measured
    ]
    return "<h2>Documents a minute</h2>" + html(Table(["options", "median", "spread", "least", "most", "runs"], rows))


def _ratios(comparisons: Sequence[Comparison]) -> str:
    rows = [
        [
            f"{each.first} / {each.second}",
            f"{each.ratio.median:.2f}",
            each.interval or "too few runs",
        ]
        for each in comparisons
    ]
    return "<h2>Ratios</h2>" + html(Table(["of medians", "ratio", "95 % interval"], rows)) if rows else ""


def _plots(now: Baseline, stored: Baseline | None) -> Iterable[str]:
    if not plots.can_plot():
        yield f'<p class="warning">{escape(HOW_TO_PLOT)}</p>'
        return
    typical = "Of the run of each set of options closest to the median"
    for heading, caption, plot in (
        ("Throughput by run", "Runs took turns.", partial(draw.throughput_by_run, now, stored)),
        ("Time by stage", f"{typical}.", partial(draw.time_by_stage, now)),
        ("Queue depth over time", f"{typical}; a sample a second at most.", partial(draw.queue_over_time, now)),
        ("Rows by table", "The same in each run.", partial(draw.rows_by_table, now)),
    ):
        figure = f'<figure role="img" aria-label="{heading}">{plots.svg(plot, heading)}</figure>'
        yield f'<h2>{heading}</h2><p class="faint">{caption}</p>{figure}'


def _circumstances(now: Baseline) -> str:
    rows = [
        *([name, str(value)] for name, value in now.machine.items() if name != "packages"),
        *([name, str(version)] for name, version in now.machine["packages"].items()),
        ["contract hash", now.contract.hash],
        *(
            [variant.options, ", ".join(f"{name} {value}" for name, value in variant.settings.items())]
            for variant in now.variants
        ),
    ]
    return "<h2>Machine, versions and settings</h2>" + html(Table(["", ""], rows, numbers=False))
