"""`python -m metrics.benchmarks.page`: write the recorded tables into the page on speed, and draw the plots."""

import re
import sys
from collections.abc import Mapping
from typing import Any

from metrics.benchmarks.command import PLOTS, RESULTS, draw
from metrics.benchmarks.record import ROOT, read, tables
from metrics.measurements.tables import markdown

PAGE = ROOT / "documentation" / "explanation" / "speed.md"
MARKED = re.compile(r"(<!-- results of (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
BENCHMARKS = (
    "map",
    "trees",
    "transport",
    "load",
    "run",
    "run_cpu",
    "run_server",
    "round_trips",
    "quality",
    "memory",
    "records",
    "peers",
)
"""In the order of the page."""


def page(text: str) -> str:
    """Return the text of the page, with what is between its markers replaced by the recorded results."""
    return MARKED.sub(lambda found: f"{found[1]}\n{_results(found[2])}\n\n{found[3]}", text)


def results(found: Mapping[str, Any]) -> str:
    """Render a record for the page: tables, plot, notes, and the conditions of the measurement."""
    name = found["benchmark"]
    parts = [markdown(table) for table in tables(found)]
    if (PLOTS / f"{name}.svg").exists():
        parts.append(f"![Medians and single figures of the benchmark {name}](plots/{name}.svg)")
    parts += ["\n".join(f"- {note}" for note in found["notes"]), _measured_on(found)]
    return "\n\n".join(parts)


def _results(name: str) -> str:
    found = read(RESULTS, name)
    if found is None:
        return f"Not recorded yet; `python -m metrics.benchmarks.{name}` does it."
    return results(found)


def _measured_on(found: Mapping[str, Any]) -> str:
    machine = found["machine"]
    given = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in found["inputs"].items())
    databases = "; ".join(found["databases"]) or "no database"
    command = found["command"].partition(" --")[0]
    return (
        f"Measured by `{command}` ({given}) at commit {found['commit']}, {found['measured_at'][:10]}; "
        f"{machine['cpus']} processors, {machine['system']} {machine['architecture']}, Python {machine['python']}, "
        f"lxml {machine['packages']['lxml']}; {databases}."
    )


def main() -> int:
    """Write the page, and draw its plots."""
    for found in filter(None, (read(RESULTS, name) for name in BENCHMARKS)):
        draw(found, PLOTS)
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"Written: {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
