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
from random import Random

from tests.fuzz.contracts import FuzzedContract, fuzzed_contract, outcome_of_contract
from tests.fuzz.documents import FuzzedDocument, fuzzed_document
from tests.fuzz.driver import Driver, Outcome, drivers, outcome_of
from tests.fuzz.files import FuzzedFile, fuzzed_file, outcomes_of_file
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
        document = fuzzed(seed)
        faulthandler.dump_traceback_later(SECONDS_FOR_A_DOCUMENT, exit=True)
        began_at = time.perf_counter()
        outcomes = _outcomes(document, known)
        report.slowest = max(report.slowest, (time.perf_counter() - began_at, seed))
        if isinstance(outcomes, str):
            report.faults.append(f"seed {seed} ({document.corpus}): {outcomes}")
            continue
        for outcome in outcomes:
            report.reasons[outcome.stage, outcome.code] += 1
            report.rows += outcome.rows
    faulthandler.cancel_dump_traceback_later()
    report.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return report


Fuzzed = FuzzedDocument | FuzzedContract | FuzzedFile


def fuzzed(seed: int) -> Fuzzed:
    """Return what a seed stands for: mostly a document, else a contract or a file of records."""
    match seed % 10:
        case 8:
            return fuzzed_file(Random(seed))
        case 9:
            return fuzzed_contract(Random(seed))
    return fuzzed_document(seed)


def _outcomes(document: Fuzzed, known: dict[str, Driver]) -> list[Outcome] | str:
    try:
        match document:
            case FuzzedContract():
                return [outcome_of_contract(document, RUN)]
            case FuzzedFile():
                return list(outcomes_of_file(document, RUN))
        return [outcome_of(document, known, RUN)]
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
