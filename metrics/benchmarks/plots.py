"""A benchmark's record as a plot. matplotlib, which the extra `bench` brings, is imported when there is one to draw."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

BAR_INCHES = 0.34
MARGIN_INCHES = 0.75
WIDTH_INCHES = 7.2
BAR_COLOUR = "#9bbcd6"
POINT_COLOUR = "#1f3b57"


def draw(found: Mapping[str, Any], directory: Path) -> Path:
    """Draw `NAME.svg` into a directory: the median of each thing as a bar, its single figures as points.

    The same record gives the same bytes.

    Raises:
        ImportError: matplotlib is not installed.
    """
    import matplotlib as mpl  # noqa: PLC0415 - only who draws needs it

    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the choice of what it draws with

    groups = found["groups"]
    heights = [len(group["series"]) * BAR_INCHES + MARGIN_INCHES for group in groups]
    style = {"svg.hashsalt": found["benchmark"], "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9}
    with plt.rc_context(style):
        figure, axes = plt.subplots(
            len(groups), 1, figsize=(WIDTH_INCHES, sum(heights)), height_ratios=heights, squeeze=False
        )
        for group, (axis,) in zip(groups, axes, strict=True):
            _draw_group(axis, group)
        figure.tight_layout()
        path = directory / f"{found['benchmark']}.svg"
        figure.savefig(path, metadata={"Date": None, "Creator": None}, bbox_inches="tight")
        plt.close(figure)
    _trim(path)
    return path


def _draw_group(axis: Any, group: Mapping[str, Any]) -> None:
    series = group["series"]
    places = range(len(series))
    axis.barh(places, [one["median"] for one in series], color=BAR_COLOUR, height=0.62)
    for place, one in zip(places, series, strict=True):
        axis.plot(one["figures"], [place] * len(one["figures"]), "|", color=POINT_COLOUR, markersize=9)
    axis.set_yticks(places, [one["name"] for one in series])
    axis.invert_yaxis()
    axis.set_xlim(left=0)
    axis.set_title(f"{group['title']} ({group['unit']})", loc="left", fontsize=9, fontweight="bold")
    axis.spines[["top", "right"]].set_visible(False)


def _trim(path: Path) -> None:
    """Without spaces at the ends of lines, which matplotlib leaves."""
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(line.rstrip() for line in lines) + "\n", encoding="utf-8")
