"""`python -m tests.fuzz`: fuzz many documents and report the outcomes.

`--first SEED --documents 1` shows one again, with its content in `--save FILE`.
"""

import argparse
import os
import sys
from pathlib import Path

from tests.fuzz.child import fuzzed
from tests.fuzz.contracts import FuzzedContract
from tests.fuzz.parent import fuzz


def main() -> int:
    """Return exit code 0 if the product kept all its guarantees, otherwise 1."""
    options = argparse.ArgumentParser(description="parse and map broken documents")
    options.add_argument("--first", type=int, default=0, help="the first seed")
    options.add_argument("--documents", type=int, default=20_000)
    options.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options.add_argument("--save", type=Path, help="write the first document to this file")
    given = options.parse_args()
    if given.save:
        subject = fuzzed(given.first)
        content = subject.text if isinstance(subject, FuzzedContract) else subject.content
        given.save.write_bytes(content.encode(errors="surrogatepass") if isinstance(content, str) else content)
    report = fuzz(given.first, given.documents, given.processes)
    sys.stdout.write("\n".join([*report.lines(), ""]))
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
