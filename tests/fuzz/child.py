"""Fuzz one share of the documents in a separate process, with bounded memory, and bounded time for each document.

A crash, a hang or a lack of memory ends this process; the last seed that it wrote to standard error is that of the
document.
"""

import argparse
import faulthandler
import resource
import sys
import time
import traceback
from collections.abc import Iterable
from datetime import datetime

from tests.fuzz.documents import FuzzedDocument, fuzzed_document
from tests.fuzz.driver import Driver, Outcome, drivers, outcome_of
from tests.fuzz.report import Report
from xml_extractor.documents import RunValues

MEMORY_LIMIT = 2**30
"""Bytes of address space; the program alone takes a quarter of it."""

SECONDS_FOR_A_DOCUMENT = 60
"""Far more than any document takes on a busy machine; it catches documents that never finish."""

RUN = RunValues("fuzz", datetime(2026, 1, 1, 12, 30), "fuzz")  # noqa: DTZ001 - naive UTC


def fuzz(seeds: Iterable[int]) -> Report:
    """Fuzz the documents of these seeds."""
    known = drivers()
    report = Report()
    for seed in seeds:
        sys.stderr.write(f"{seed}\n")
        document = fuzzed_document(seed)
        faulthandler.dump_traceback_later(SECONDS_FOR_A_DOCUMENT, exit=True)
        began_at = time.perf_counter()
        outcome = _outcome(document, known)
        report.slowest = max(report.slowest, (time.perf_counter() - began_at, seed))
        if isinstance(outcome, Outcome):
            report.reasons[outcome.stage, outcome.code] += 1
            report.rows += outcome.rows
        else:
            report.faults.append(f"seed {seed} ({document.corpus}): {outcome}")
    faulthandler.cancel_dump_traceback_later()
    report.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return report


def _outcome(document: FuzzedDocument, known: dict[str, Driver]) -> Outcome | str:
    try:
        return outcome_of(document, known, RUN)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a defect to report with its seed
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} at {place.filename}:{place.lineno}: {error!s:.200}"


def main() -> None:
    """Write the report as JSON."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("first", type=int)
    arguments.add_argument("documents", type=int)
    given = arguments.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    sys.stdout.write(fuzz(range(given.first, given.first + given.documents)).to_json())


if __name__ == "__main__":
    main()
