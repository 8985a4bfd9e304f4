"""Starts runs of the real command quickly: forks, for each line of input, a process that has imported the product.

A line is JSON: `arguments` of the nightly command, `directory` to run in, `environment`. Answers are lines of JSON: the
process id, then, when it has ended, its exit code as `subprocess` has it. Each run has a session of its own.

A run's fork server is forked from its main process too, because starting it anew would only import the same again; that
is half of the time of a small run. It is left with nothing of the main process but its modules.
"""

import json
import multiprocessing.util
import os
import runpy
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import sitecustomize

COMMAND = Path(__file__).parents[2] / "production_processor.py"


spawn = multiprocessing.util.spawnv_passfds


def start_server(path: bytes, arguments: Sequence[str | bytes], kept: Sequence[int]) -> int:
    """In place of `multiprocessing.util.spawnv_passfds`: what starts as a fork server is forked."""
    code = os.fsdecode(arguments[-1])
    if "multiprocessing.forkserver" not in code:
        return spawn(path, arguments, kept)
    process_id = os.fork()
    if process_id:
        return process_id
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    wanted = {0, 1, 2, *kept}
    for file in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        if file not in wanted:
            with suppress(OSError):
                os.close(file)
    sitecustomize.note("roles", f"{os.getpid()} fork-server\n")
    try:
        exec(code, {})
    finally:
        # It ends with SystemExit, and must not come back to what the main process was at.
        os._exit(0)


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
    multiprocessing.util.spawnv_passfds = start_server
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
