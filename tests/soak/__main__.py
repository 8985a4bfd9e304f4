"""`python -m tests.soak`: a long run over documents full of new names; exit code 1 if the memory is not flat."""

import argparse
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.soak.run import soak


def main() -> int:
    """Exit code 0 if memory is bounded and flat, otherwise 1."""
    options = argparse.ArgumentParser(description="load documents full of new names and watch the memory")
    options.add_argument("--documents", type=int, default=50_000)
    options.add_argument("--workers", type=int, default=2)
    given = options.parse_args()
    began_at = time.monotonic()
    with TemporaryDirectory(prefix="soak-") as directory:
        soaked = soak(Path(directory), given.documents, given.workers)
    seconds = time.monotonic() - began_at
    lines = [f"{given.documents:,} documents in {seconds:.0f} s; megabytes:", *soaked.lines(), *soaked.faults(), ""]
    sys.stdout.write("\n".join(lines))
    return 1 if soaked.faults() else 0


if __name__ == "__main__":
    sys.exit(main())
