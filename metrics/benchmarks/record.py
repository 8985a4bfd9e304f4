"""The record of a benchmark: figures, ratios, single facts, and the machine and versions; as JSON and as tables."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from metrics.measurements.figures import ratio, spread
from metrics.measurements.tables import Table, number, percent
from xml_extractor.reporting.metrics import machine

ROOT = Path(__file__).parents[2]
FORMAT_VERSION = 1
SIGNIFICANT = 5
"""Significant digits that are kept, more than the precision of any measurement."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The target of a figure: an upper or a lower bound."""

    at_most: float | None = None
    at_least: float | None = None

    def as_json(self) -> dict[str, float]:
        """Return the bound that is set."""
        return {"at_most": self.at_most} if self.at_most is not None else {"at_least": self.at_least or 0.0}

    def is_kept(self, value: float) -> bool:
        """Return whether a value meets the target."""
        return (self.at_most is None or value <= self.at_most) and (self.at_least is None or value >= self.at_least)


class Record:
    """Collects the results of one benchmark.

    Args:
        name: The module's name.
        command: Options of the command, without those for the destination of the results.
        databases: The target databases, such as `SQLite 3.45.1`.
        inputs: The input: documents, bytes, rows and the like.
    """

    def __init__(self, name: str, command: str, databases: Sequence[str], inputs: Mapping[str, Any]) -> None:
        self.name = name
        self._command = f"python -m metrics.benchmarks.{name} {command}".strip()
        self._databases = list(databases)
        self._inputs = dict(inputs)
        self._groups: list[dict[str, Any]] = []
        self._ratios: list[dict[str, Any]] = []
        self._facts: list[dict[str, Any]] = []
        self._notes: list[str] = []
        self._packages: list[str] = []

    def group(self, title: str, unit: str, figures: Mapping[str, Sequence[float]]) -> None:
        """Add series that were measured alternately, in one unit."""
        series = [
            {
                "name": name,
                "figures": [_rounded(figure) for figure in taken],
                "median": _rounded(median(taken)),
                "spread": _rounded(spread(taken)),
            }
            for name, taken in figures.items()
        ]
        self._groups.append({"title": title, "unit": unit, "series": series})

    def ratio(self, name: str, first: Sequence[float], second: Sequence[float], limit: Limit | None = None) -> None:
        """Add the ratio of two series; the limit applies to the ratio of their medians."""
        found = ratio(first, second)
        self._ratios.append(
            {
                "name": name,
                "median": _rounded(found.median),
                "low": _rounded(found.low),
                "high": _rounded(found.high),
                **_judged(found.median, limit),
            }
        )

    def fact(
        self, name: str, value: float, unit: str, limit: Limit | None = None, *, standard_error: float | None = None
    ) -> None:
        """Add a single figure, such as a count."""
        error = {} if standard_error is None else {"standard_error": _rounded(standard_error)}
        self._facts.append({"name": name, "value": _rounded(value), "unit": unit, **error, **_judged(value, limit)})

    def note(self, *sentences: str) -> None:
        """Add notes for the reader."""
        self._notes.extend(sentences)

    def with_packages(self, *packages: str) -> None:
        """Add the versions of further packages."""
        self._packages.extend(packages)

    def as_json(self) -> dict[str, Any]:
        """Return the record as JSON-ready data."""
        here = machine()
        here["packages"] |= {package: version(package) for package in self._packages}
        return {
            "format_version": FORMAT_VERSION,
            "benchmark": self.name,
            "command": self._command,
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": _commit(),
            "machine": here,
            "databases": self._databases,
            "inputs": self._inputs,
            "groups": self._groups,
            "ratios": self._ratios,
            "facts": self._facts,
            "notes": self._notes,
        }


def write(found: Mapping[str, Any], directory: Path) -> Path:
    """Write `NAME.json` into a directory."""
    path = directory / f"{found['benchmark']}.json"
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def read(directory: Path, name: str) -> dict[str, Any] | None:
    """Read a benchmark's record from a directory; None if there is none."""
    path = directory / f"{name}.json"
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def tables(found: Mapping[str, Any]) -> Iterator[Table]:
    """Return the tables of a record: one for each group of figures, one for ratios, one for facts."""
    for group in found["groups"]:
        rows = [(one["name"], number(one["median"]), percent(one["spread"])) for one in group["series"]]
        yield Table((group["title"], f"{group['unit']}, median", "spread"), rows)
    if found["ratios"]:
        rows = [
            (one["name"], number(one["median"]), f"{number(one['low'])} to {number(one['high'])}", *_judgement(one))
            for one in found["ratios"]
        ]
        yield Table(("Ratio", "of medians", "95 % interval", "target", "met"), rows)
    if found["facts"]:
        rows = [(one["name"], _value(one), one["unit"], *_judgement(one)) for one in found["facts"]]
        yield Table(("Figure", "value", "unit", "target", "met"), rows)


def _value(fact: Mapping[str, Any]) -> str:
    error = fact.get("standard_error")
    return number(fact["value"]) + ("" if error is None else f" ± {number(error)}")


def _judgement(found: Mapping[str, Any]) -> Sequence[str]:
    if "limit" not in found:
        return "", ""
    ((kind, value),) = found["limit"].items()
    sign = "≤" if kind == "at_most" else "≥"
    return f"{sign} {number(value)}", "yes" if found["met"] else "no"


def _judged(value: float, limit: Limit | None) -> dict[str, Any]:
    return {} if limit is None else {"limit": limit.as_json(), "met": limit.is_kept(value)}


def _rounded(figure: float) -> float:
    return float(f"{figure:.{SIGNIFICANT}g}")


def _commit() -> str:
    """Return the measured commit, with a plus sign if the package has uncommitted changes."""
    git = shutil.which("git")
    if git is None:
        return "unknown"

    def output(*arguments: str) -> str:
        done = subprocess.run(  # noqa: S603 - constants
            [git, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    changed = output("status", "--porcelain", "--", "xml_extractor")
    return (output("rev-parse", "--short=12", "HEAD") or "unknown") + ("+" if changed else "")
