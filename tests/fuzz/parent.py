"""Divide fuzzed documents among processes and add up the outcomes."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.report import Report

ROOT = Path(__file__).parents[2]
SHARE = 2_000
"""Documents for one process."""


def fuzz(first: int, documents: int, processes: int, share: int = SHARE) -> Report:
    """Fuzz the documents of the seeds from `first` on.

    Args:
        first: The first seed.
        documents: How many.
        processes: How many work at once.
        share: Documents that a process has before the next takes its place.
    """
    starts = range(first, first + documents, share)
    counts = [min(share, first + documents - start) for start in starts]
    total = Report()
    with ThreadPoolExecutor(processes) as threads:
        for report in threads.map(_fuzz_share, starts, counts):
            total.add(report)
    return total


def _fuzz_share(first: int, documents: int) -> Report:
    command = [sys.executable, "-m", "tests.fuzz.child", str(first), str(documents)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ended.returncode == 0:
        return Report.from_json(ended.stdout)
    *seeds, last = [number for number, line in enumerate(ended.stderr.splitlines()) if line.isdigit()] or [0]
    lines = "\n".join(ended.stderr.splitlines()[last:][:40])
    return Report(
        faults=[f"a process ended with code {ended.returncode} after {len(seeds)} documents, at seed {lines}"]
    )
