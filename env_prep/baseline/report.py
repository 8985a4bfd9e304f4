"""Render a baseline as text, and as one self-contained HTML page."""

import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from env_prep.baseline.comparing import Comparison
from env_prep.baseline.record import Baseline, MeasuredVariant
from xml_extractor.reporting import html
from xml_extractor.reporting.html import Html, element, key, section, table
from xml_extractor.reporting.plots import (
    MIN_WINDOW,
    WINDOWS,
    Bar,
    Panel,
    bars,
    colour,
    legend,
    panels,
    windows,
)

FILE = "baseline.html"
STAGES = ("fetch", "parse", "map", "enqueue", "insert", "commit")
TYPICAL = "Of the run of each set of options that is closest to the median."
STORED = "rest"
"""The colour of stored figures."""


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
    """Return the HTML page."""
    now = findings.now
    facts = (
        f"{now.made_at:%Y-%m-%d %H:%M} UTC",
        f"{now.documents:,} documents of {now.contract.name} (version {now.contract.version})",
        now.database.name,
    )
    parts = (
        element("p", " · ".join(facts), class_="faint"),
        *(element("p", warning, class_="state warn") for warning in findings.warnings),
        _figures(now, findings.stored),
        *_ratios(findings.comparisons),
        _throughput(now, findings.stored),
        *_progress(now),
        _stages(now),
        section("Rows by table", bars(["Table"], _rows(now), "rows inserted by each run")),
        _circumstances(now),
    )
    return html.page("Baseline of xml_extractor", parts)


def _lettered(now: Baseline) -> list[tuple[int, str, MeasuredVariant]]:
    """Return the variants with their numbers and letters."""
    return [(number, string.ascii_uppercase[number], variant) for number, variant in enumerate(now.variants)]


def _named(now: Baseline, stored: Baseline | None) -> list[tuple[object, str, MeasuredVariant]]:
    """Return the variants, now and stored, with their names and colours."""
    measured: list[tuple[object, str, MeasuredVariant]] = [
        (f"{letter} {variant.options}", colour(number), variant) for number, letter, variant in _lettered(now)
    ]
    if stored is None:
        return measured
    when = element("small", f"stored on {stored.made_at:%Y-%m-%d}")
    return measured + [(html.joined((variant.options, when)), STORED, variant) for variant in stored.variants]


def _figures(now: Baseline, stored: Baseline | None) -> Html:
    rows = [
        [
            name,
            f"{variant.median:,.0f}",
            f"{variant.spread:.1%}",
            f"{min(variant.figures):,.0f}",
            f"{max(variant.figures):,.0f}",
            f"{len(variant.runs)}",
        ]
        for name, _, variant in _named(now, stored)
    ]
    return section(
        "Documents a minute", table(["Options", "Median", "Spread", "Least", "Most", "Runs"], rows, numbers=5)
    )


def _ratios(comparisons: Sequence[Comparison]) -> Iterator[Html]:
    rows = [
        [f"{each.first} / {each.second}", f"{each.ratio.median:.2f}", each.interval or "too few runs"]
        for each in comparisons
    ]
    if rows:
        yield section("Ratios", table(["Of medians", "Ratio", "95 % interval"], rows, numbers=2))


def _throughput(now: Baseline, stored: Baseline | None) -> Html:
    drawn = [
        Bar([name, key(f"{run}")], [(kind, figure)], f"{figure:,.0f}")
        for name, kind, variant in _named(now, stored)
        for run, figure in enumerate(variant.figures, start=1)
    ]
    content = bars(["Options", key("Run")], drawn, "documents a minute", whole=False)
    return section("Throughput by run", content, explained="Runs took turns.")


def _progress(now: Baseline) -> Iterator[Html]:
    longest = max(variant.typical_run.elapsed_seconds for variant in now.variants)
    rates, depths = [], []
    for number, letter, variant in _lettered(now):
        run, title = variant.typical_run, f"{letter} {variant.options}"
        series = run.series
        found = windows(series.seconds, series.documents, series.queued, max(longest / WINDOWS, MIN_WINDOW))
        steps = [(each.start, each.end, each.rate) for each in found]
        rates.append(Panel(title, steps, number, run.documents_per_minute))
        if series.queued:
            depths.append(Panel(title, [(each.start, each.end, each.queued or 0) for each in found], number))
    plots = panels(rates, "documents a minute", longest)
    yield section("Throughput over time", plots, explained=TYPICAL)
    if depths:
        plots = panels(depths, "chunks in the insert queue", longest)
        yield section("Queue depth over time", plots, explained=TYPICAL)


def _stages(now: Baseline) -> Html:
    drawn = [
        Bar([stage, key(letter)], [(colour(number), seconds)], f"{seconds:.2f}")
        for stage in STAGES
        if any(stage in variant.typical_run.stage_seconds for variant in now.variants)
        for number, letter, variant in _lettered(now)
        for seconds in [variant.typical_run.stage_seconds.get(stage, 0.0) / now.documents * 1000]
    ]
    colours = legend((colour(number), f"{letter} {variant.options}") for number, letter, variant in _lettered(now))
    content = bars(["Stage", key("Set")], drawn, "seconds for 1,000 documents", whole=False)
    explained = f"Summed over processes and threads. {TYPICAL}"
    return section("Time by stage", colours, content, explained=explained)


def _rows(now: Baseline) -> list[Bar]:
    return [Bar([name], [(colour(0), rows)], f"{rows:,}") for name, rows in now.rows.items()]


def _circumstances(now: Baseline) -> Html:
    packages = now.machine["packages"]
    found = [
        *((name, f"{value}") for name, value in now.machine.items() if name != "packages"),
        *packages.items(),
        ("contract hash", now.contract.hash),
    ]
    settings = [
        [name.replace("_", " "), key(letter), f"{value}"]
        for name in now.variants[0].settings
        for _, letter, variant in _lettered(now)
        for value in [variant.settings[name]]
    ]
    listed = table(["Setting", key("Set"), "Value"], settings)
    return section("Machine, versions and settings", html.pairs(found), listed)
