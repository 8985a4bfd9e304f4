"""Starts runs of the real command quickly: forks, for each line of input, a process that has imported the product.

A line is JSON: `arguments` of the nightly command, `directory` to run in, `environment`. Answers are lines of JSON: the
process id, then, when it has ended, its exit code as `subprocess` has it. Each run has a session of its own.

The process that becomes a run's fork server is forked beforehand too, because starting it anew would only import the
same again: half of the time of a small run. SQLite forbids to fork a process that has opened a database.
"""

import faulthandler
import fcntl
import json
import multiprocessing.util
import os
import runpy
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import xml_extractor.cli.run
import xml_extractor.pipeline
import xml_extractor.processing.preloaded
import xml_extractor.processing.processes
import xml_extractor.sources.sqlite
import xml_extractor.targets.sqlite.target
import xml_extractor.tsql.compiler

HANGS_AFTER_SECONDS = 50.0
"""When a run writes to its standard error where its threads are: it is about to be given up as one that hangs."""

COMMAND = Path(__file__).parents[2] / "production_processor.py"


class ForkServer:
    """A process that waits until it is asked to become a fork server; in it, the constructor does not return."""

    def __init__(self) -> None:
        self._spawn: Any = multiprocessing.util.spawnv_passfds
        self._socket, asked = socket.socketpair()
        self._process_id = os.fork()
        if self._process_id == 0:
            self._socket.close()
            try:
                _become_fork_server(asked)
            finally:
                # It ends with SystemExit, and must not come back to what the main process was at.
                os._exit(0)
        asked.close()

    def start(self, path: bytes, arguments: Sequence[Any], kept: Sequence[int]) -> int:
        """In place of `multiprocessing.util.spawnv_passfds`; what is no fork server, or the second, is started."""
        code = os.fsdecode(arguments[-1])
        if "multiprocessing.forkserver" not in code or not self._process_id:
            started: int = self._spawn(path, arguments, kept)
            return started
        socket.send_fds(self._socket, [json.dumps({"code": code, "files": list(kept)}).encode()], list(kept))
        process_id, self._process_id = self._process_id, 0
        self._socket.close()
        return process_id


def _become_fork_server(asked: socket.socket) -> None:
    message, received, *_ = socket.recv_fds(asked, 1 << 16, 16)
    asked.close()
    if not message:
        return
    request = json.loads(message)
    out_of_the_way = [fcntl.fcntl(file, fcntl.F_DUPFD, 200) for file in received]
    for file in received:
        os.close(file)
    for file, number in zip(out_of_the_way, request["files"], strict=True):
        os.dup2(file, number)
        os.close(file)
    sys.modules["sitecustomize"].note("roles", f"{os.getpid()} fork-server\n")
    exec(request["code"], {})


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
    outputs = [(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for name in ("stdout", "stderr")]
    for number, (name, flags) in enumerate([(request["input"], os.O_RDONLY), *outputs]):
        file = os.open(name, flags, 0o600)
        os.dup2(file, number)
        os.close(file)
    if silence := float(os.environ.get("FAULTS_SILENCE", "0")):
        setattr(xml_extractor.processing.processes, "LONGEST_LOAD_SECONDS", silence)  # noqa: B010 - it is a constant
    setattr(multiprocessing.util, "spawnv_passfds", ForkServer().start)  # noqa: B010 - it has no type to fit
    faulthandler.dump_traceback_later(HANGS_AFTER_SECONDS)
    sys.argv = [str(COMMAND), *request["arguments"]]


if __name__ == "__main__":
    wanted = serve()
    if wanted is not None:
        become(wanted)
        runpy.run_path(str(COMMAND), run_name="__main__")
