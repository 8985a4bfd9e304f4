"""What a benchmark found: figures, their ratios, single facts and what they were measured on; as JSON."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from xml_extractor.reporting.measuring import ratio, spread
from xml_extractor.reporting.metrics import machine

ROOT = Path(__file__).parents[2]
FORMAT_VERSION = 1
SIGNIFICANT = 5
"""Digits of a figure that are kept: more than any measurement is good for."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What a figure is to be: at most, or at least, so much."""

    at_most: float | None = None
    at_least: float | None = None

    def as_json(self) -> dict[str, float]:
        """The bound that there is."""
        return {"at_most": self.at_most} if self.at_most is not None else {"at_least": self.at_least or 0.0}

    def is_kept(self, value: float) -> bool:
        """Whether the value is within it."""
        return (self.at_most is None or value <= self.at_most) and (self.at_least is None or value >= self.at_least)


class Record:
    """Collects what one benchmark finds.

    Args:
        name: The module's name.
        command: Options of the command, without those that only say where results go.
        databases: What was loaded into, such as `SQLite 3.45.1`.
        inputs: What was measured with: documents, bytes, rows and the like.
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
        """Things that were measured alternately, in one unit."""
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
        """How many times the first is the second; the limit judges the ratio of their medians."""
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
        """A single figure, such as a count."""
        error = {} if standard_error is None else {"standard_error": _rounded(standard_error)}
        self._facts.append({"name": name, "value": _rounded(value), "unit": unit, **error, **_judged(value, limit)})

    def note(self, *sentences: str) -> None:
        """What a reader has to know."""
        self._notes.extend(sentences)

    def with_packages(self, *packages: str) -> None:
        """Record the versions of further packages."""
        self._packages.extend(packages)

    def as_json(self) -> dict[str, Any]:
        """All of it, JSON-ready."""
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
    """What a benchmark recorded in a directory; None if it never ran."""
    path = directory / f"{name}.json"
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _judged(value: float, limit: Limit | None) -> dict[str, Any]:
    return {} if limit is None else {"limit": limit.as_json(), "met": limit.is_kept(value)}


def _rounded(figure: float) -> float:
    return float(f"{figure:.{SIGNIFICANT}g}")


def _commit() -> str:
    """The commit that was measured; with a plus sign if the package is not as it was committed."""
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
