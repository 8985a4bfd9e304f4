"""Starts runs of the real command quickly: forks a process that has imported the product already, once for each line of input.

A line is JSON: `arguments` of the nightly command, `directory` to run in, `environment`. Answers are lines of JSON: the
process id, then, when it has ended, its exit code as `subprocess` has it. Each run has a session of its own.
"""

import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any

COMMAND = Path(__file__).parents[2] / "production_processor.py"


def serve() -> dict[str, Any] | None:
    """Fork for each request. In the new process, returns what is to be run; at the end of the input, None."""
    # Unbuffered: what a run has read of the input, no other run would get.
    requests = os.fdopen(os.dup(0), "rb", buffering=0)
    while line := requests.readline():
        process_id = os.fork()
        if process_id == 0:
            request: dict[str, Any] = json.loads(line)
            return request
        print(process_id, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(process_id, 0)[1]), flush=True)
    return None


def become(request: dict[str, Any]) -> None:
    """Be as a process that was just started in the directory."""
    os.setsid()
    os.chdir(request["directory"])
    os.environ.update(request["environment"], FAULTS_MAIN=str(os.getpid()))
    for number, (name, flags) in enumerate(
        [(os.devnull, os.O_RDONLY), *[(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for name in ("stdout", "stderr")]]
    ):
        file = os.open(name, flags, 0o600)
        os.dup2(file, number)
        os.close(file)
    sys.argv = [str(COMMAND), *request["arguments"]]


if __name__ == "__main__":
    import xml_extractor.cli
    import xml_extractor.database.sqlite.source
    import xml_extractor.database.sqlite.target
    import xml_extractor.processing.parallel_coordinator  # noqa: F401 - forked with all that it imports

    wanted = serve()
    if wanted is not None:
        become(wanted)
        runpy.run_path(str(COMMAND), run_name="__main__")
