"""Reads each hostile input in a process of its own, with limits, and writes what became of it as lines of JSON.

`python -m tests.acceptance.hostile_probe DIRECTORY`; the directory has to be empty.
"""

import json
import os
import resource
import signal
import socket
import sys
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path

from tests.acceptance.hostile_inputs import ADDRESS, CONTRACT, INPUTS, MAPPED
from xml_extractor.contract.model import Contract
from xml_extractor.contract.reading import contract_hash, read_contract
from xml_extractor.documents import MappedDocument, ProcessedDocument
from xml_extractor.errors import XmlExtractorError
from xml_extractor.processing.chunks import Chunk, RunContext
from xml_extractor.processing.worker import Worker, resident_bytes
from xml_extractor.settings import RunSettings
from xml_extractor.sources.registry import open_source

MEMORY_LIMIT = 400 * 2**20
"""Bytes of address space beyond those that the program has at its start."""

SECONDS = 120
"""After so long the process is killed; the machine may be busy."""


def read(directory: Path, contract: Contract, address: str) -> str:
    """Fetch, parse and map all documents at an address as a worker does; what became of the first."""
    settings = RunSettings("hostile.yaml", address, "sqlite:///unused.db")
    with closing(open_source(address, contract, contract.document.max_bytes)) as source:
        keys = tuple(key for page in source.key_pages(100) for key in page.keys)
        started_at = datetime(2026, 1, 1)  # noqa: DTZ001 - naive UTC
        context = RunContext("run", started_at, settings, contract, contract_hash(contract), "hostile", source.address)
        with closing(Worker(context, None, directory)) as worker:
            return _said(next(worker.map_documents(Chunk(0, keys))))


def _said(document: ProcessedDocument) -> str:
    return MAPPED if isinstance(document, MappedDocument) else f"{document.failure.stage} {document.failure.code}"


def _in_child(directory: Path, contract: Contract, address: str) -> None:
    """Write a line and end."""
    signal.alarm(SECONDS)
    before = resident_bytes()
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY_LIMIT
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    began_at = time.perf_counter()
    try:
        said = read(directory, contract, address)
    except XmlExtractorError as error:
        said = error.message.removeprefix(f"{directory}/")
    seconds = time.perf_counter() - began_at
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    sys.stdout.write(json.dumps([said, seconds, grown / 2**20]))
    sys.stdout.flush()


def main() -> None:
    """Probe all inputs; the last line says how often the server was called."""
    directory = Path(sys.argv[1]).resolve()
    (directory / "hostile.yaml").write_text(CONTRACT, encoding="utf-8")
    contract = read_contract(str(directory / "hostile.yaml"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/".encode()
        for name in INPUTS:
            place = directory / name.replace(":", "").replace("/", "")
            place.mkdir()
            address = _built_in_child(place, name, url)
            sys.stdout.write(f"{name}\t")
            sys.stdout.flush()
            if not (child := os.fork()):
                try:
                    _in_child(place, contract, address)
                finally:
                    os._exit(0)
            os.waitpid(child, 0)
            sys.stdout.write("\n")
        try:
            server.accept()
        except BlockingIOError:
            sys.stdout.write("nobody called\n")


def _built_in_child(place: Path, name: str, url: bytes) -> str:
    """Build an input in another process, because that takes memory too, and its peak would be inherited."""
    reading, writing = os.pipe()
    if not (child := os.fork()):
        try:
            address = INPUTS[name].build(place)
            for path in place.glob("*.xml"):
                if path.stat().st_size < 2**20:
                    path.write_bytes(path.read_bytes().replace(ADDRESS, url))
            os.write(writing, address.encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as pipe:
        return pipe.read().decode()


if __name__ == "__main__":
    main()
