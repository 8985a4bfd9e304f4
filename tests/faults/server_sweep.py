"""Broken connections to a SQL Server: `python -m tests.faults.server_sweep`, with the server that tests are given."""

import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

from tests import sqlserver
from tests.faults.bench import GOOD, Launcher, Result
from tests.faults.lost_statements import lose_every_statement
from tests.faults.server_bench import ServerBench, ServerFault, faults_of_run

FAULTS = 100
FAULTS_OF_A_RUN = 20
AS_JSON = ("--insert-strategy", "json")
QUEUE = ("--insert-threads", "2", "--queue-size", "1")
OPTIONS = (("--insert-mode", "blocking"), QUEUE, (*QUEUE, *AS_JSON), ("--insert-mode", "blocking", *AS_JSON))

ALONE = [
    [ServerFault(event, number, action)]
    for event, number in (("commit", 1), ("request", 25))
    for action in ("cut before", "cut after")
]


def main() -> int:
    """Break connections until there were enough, and print what came of it; 1 if a promise was broken."""
    if not sqlserver.is_there():
        print(sqlserver.REASON)
        return 0
    began_at = time.monotonic()
    outcomes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    results: list[Result] = []
    chance = random.Random(1)
    print(f"connections lost at {lose_every_statement()} statements of loads and commands", flush=True)
    with Launcher() as launcher, sqlserver.scratch_schema() as schema:
        bench = ServerBench(Path(tempfile.mkdtemp(prefix="faults-")), launcher, schema)
        while sum(result.happened for result in results) < FAULTS:
            number = len(results)
            faults = ALONE[number] if number < len(ALONE) else faults_of_run(chance, FAULTS_OF_A_RUN)
            result = bench.try_out(faults, OPTIONS[number % len(OPTIONS)])
            results.append(result)
            for fault in faults:
                outcomes[f"{fault.event}, {fault.action}"][result.outcome] += 1
            if result.outcome not in GOOD:
                print(faults, result, flush=True)
            print(f"{sum(each.happened for each in results)} faults", file=sys.stderr, flush=True)
    for row, counts in sorted(outcomes.items()):
        print(f"{row:26}{dict(counts)}")
    print(f"{sum(result.happened for result in results)} broken connections in {len(results)} runs")
    print(f"longest run with faults: {max(result.seconds for result in results):.1f} s")
    print(f"took {time.monotonic() - began_at:.0f} s")
    return int(any(result.outcome not in GOOD for result in results))


if __name__ == "__main__":
    sys.exit(main())
