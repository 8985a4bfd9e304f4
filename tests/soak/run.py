"""A real run over documents made of ever new names, and what it does to the memory of its processes."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.soak.resident import Growth, Sampler

ROOT = Path(__file__).parents[2]
NAMES = 400
"""Elements, and attributes, of a document that no other document has."""

CONTRACT = """
contract: names
version: 1
document: {root: names, key: "@id", key_type: int}
tables:
  names:
    rows: "."
    columns:
      names_id: {path: "@id", type: int, key: true}
      elements: {path: count(*), type: int}
      last_name: {path: "name(*[last()])", type: nvarchar(40)}
  name:
    rows: "*[position() <= 5]"
    columns:
      names_id: {parent: names.names_id, key: true}
      number: {position: true, key: true}
      name: {path: name(), type: nvarchar(40), required: true}
"""

LIMITS = {"main": 300.0, "manager": 200.0, "worker": 200.0, "fork server": 200.0}
"""Megabytes that a process may have at most."""

NEGLIGIBLE = 12.0
"""Megabytes by which a role may have grown, or seem to grow, over the whole run."""


class Soaked(NamedTuple):
    """How a run ended: its exit code, what it printed, and the memory of its processes."""

    code: int
    output: str
    growth: dict[str, Growth]

    def lines(self) -> list[str]:
        """The memory of each role, in megabytes, for a person."""
        heading = f"{'process':<14}{'processes':>10}{'samples':>9}{'peak':>8}{'2nd quarter':>13}{'last':>8}{'drift':>8}"
        return [
            heading,
            *(
                f"{role:<14}{found.processes:>10}{found.samples:>9}{found.peak:>8.1f}{found.second_quarter:>13.1f}"
                f"{found.last_quarter:>8.1f}{found.drift:>8.1f}"
                for role, found in self.growth.items()
            ),
        ]

    def faults(self) -> list[str]:
        """What is not as it should be; empty if memory is bounded and flat."""
        found = [] if self.code == 0 else [f"the run ended with exit code {self.code}: {self.output}"]
        for role, limit in LIMITS.items():
            growth = self.growth.get(role)
            if growth is None:
                found.append(f"no process was seen that is the {role}")
                continue
            if growth.peak > limit:
                found.append(f"{role}: {growth.peak:.0f} MB, more than {limit:.0f}")
            grown = growth.last_quarter - growth.second_quarter
            if grown > NEGLIGIBLE or growth.drift > NEGLIGIBLE:
                found.append(f"{role}: grows, by {grown:.1f} MB from second to last quarter, drift {growth.drift:.1f}")
        return found


def soak(directory: Path, documents: int, workers: int = 2, names: int = NAMES) -> Soaked:
    """Load documents in an empty directory and watch the processes; see `NAMES`."""
    (directory / "names.yaml").write_text(CONTRACT, encoding="utf-8")
    _write_documents(directory / "source.db", documents, names)
    command = [sys.executable, str(ROOT / "production_processor.py"), "--contract", "names.yaml", "--no-progress"]
    command += ["--source", "sqlite:///source.db", "--target", "sqlite:///target.db", "--workers", str(workers)]
    with (
        # The system limits the length of a socket's path, so this directory is not below the other.
        TemporaryDirectory(prefix="soak-") as temporary,
        (directory / "output.txt").open("wb") as output,
        subprocess.Popen(
            command, cwd=directory, env={**os.environ, "TMPDIR": temporary}, stdout=output, stderr=output
        ) as run,
        Sampler(run.pid, Path(temporary)) as sampler,
    ):
        code = run.wait()
    return Soaked(code, (directory / "output.txt").read_text(encoding="utf-8"), sampler.growth())


def _write_documents(path: Path, documents: int, names: int) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE app_xml (app_id INTEGER PRIMARY KEY, xml TEXT)")
        database.executemany("INSERT INTO app_xml VALUES (?, ?)", _documents(documents, names))


def _documents(documents: int, names: int) -> Iterator[tuple[int, str]]:
    for key in range(1, documents + 1):
        numbers = range(key * names, (key + 1) * names)
        yield key, f'<names id="{key}">{"".join(f"""<e{name} a{name}="{name}"/>""" for name in numbers)}</names>'
