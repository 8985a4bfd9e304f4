"""`python -m metrics.benchmarks.run_cpu`: CPU time of all processes of a run, compared with the bare work."""

import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from sqlite3 import connect

from metrics.benchmarks import inputs
from metrics.benchmarks.command import NothingToMeasureError, Options, run_benchmark
from metrics.benchmarks.record import ROOT, Limit, Record
from metrics.measurements.figures import alternately
from xml_extractor.contract.layout import layouts
from xml_extractor.mapping import compile_plan, map_document
from xml_extractor.parsing import DocumentParser, parsing_rules
from xml_extractor.processing.insert_queue import MAX_BATCH_DOCUMENTS
from xml_extractor.settings import automatic_workers
from xml_extractor.targets.registry import open_target

WORKERS = (2, 4)

MOST = Limit(at_most=1.25)

BECOMES_PARENT_OF_ORPHANS = 36
"""PR_SET_CHILD_SUBREAPER. Source: prctl(2)."""


def command_seconds(source: Path, target: Path, workers: int) -> float:
    """Return the CPU seconds of all processes of the command.

    The fork server's children outlive it, so a process of its own takes them over and waits for all.
    """
    arguments = ["--contract", inputs.KIND, "--source", inputs.sqlite_address(source)]
    arguments += ["--target", inputs.sqlite_address(target), "--workers", str(workers), "--no-progress"]
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        ctypes.CDLL(None).prctl(BECOMES_PARENT_OF_ORPHANS, 1, 0, 0, 0)
        command = [sys.executable, str(ROOT / "production_processor.py"), *arguments, "--metrics-dir", ""]
        code = subprocess.run(command, cwd=target.parent, stdout=subprocess.DEVNULL, check=False).returncode  # noqa: S603 - constants
        while True:
            try:
                os.wait()
            except ChildProcessError:
                break
        times = os.times()
        os.write(writer, f"{code} {times.children_user + times.children_system}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    code_text, seconds = os.read(reader, 100).split()
    os.close(reader)
    os.close(writer)
    if int(code_text):
        raise RuntimeError(f"the command ended with {int(code_text)}")
    return float(seconds)


def bare_seconds(source: Path, target: Path) -> float:
    """Return the CPU seconds of parsing, mapping and inserting the rows in one process, without anything else."""
    contract = inputs.contract()
    tables = inputs.make_tables(inputs.sqlite_address(target), contract)
    binders = open_target(inputs.sqlite_address(target), contract).row_binders(layouts(contract))
    parser, plan = DocumentParser(parsing_rules(contract)), compile_plan(contract)
    inserts = [
        f"INSERT INTO {table.table} ({', '.join(column.name for column in table.columns)}) "  # noqa: S608 - names of a shipped contract
        f"VALUES ({', '.join('?' * len(table.columns))})"
        for table in tables
    ]
    with closing(connect(source)) as documents, closing(connect(target, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA foreign_keys = ON")
        database.execute("PRAGMA synchronous = NORMAL")
        began_at = time.process_time()
        found = documents.execute("SELECT app_id, xml FROM app_xml ORDER BY app_id")
        while some := found.fetchmany(MAX_BATCH_DOCUMENTS):
            mapped = [map_document(plan, parser.parse(content), key, inputs.RUN) for key, content in some]
            database.execute("BEGIN IMMEDIATE")
            for at, (insert, bind) in enumerate(zip(inserts, binders, strict=True)):
                database.executemany(insert, [bind(row) for rows in mapped for row in rows[at]])
            database.execute("COMMIT")
        return time.process_time() - began_at


def benchmark(options: Options) -> Record:
    """Measure the same small documents, alternately.

    Raises:
        NothingToMeasureError: The system cannot report the CPU time of all processes.
    """
    if sys.platform != "linux":
        raise NothingToMeasureError("The CPU time of all processes of a command is measured on Linux only.")
    with inputs.temporary_directory() as directory:
        source = directory / "source.db"
        small = (inputs.resized(sample, 0) for sample in inputs.documents(options.documents))
        inputs.write_source(inputs.sqlite_address(source), small)
        numbers = count()

        def new(measure: Callable[[Path], float]) -> float:
            seconds = measure(directory / f"target{next(numbers)}.db")
            for path in directory.glob("target*"):
                path.unlink()
            return seconds

        runs = {
            f"all processes of a run, {workers} workers": partial(
                new, partial(command_seconds, source, workers=workers)
            )
            for workers in WORKERS
        }
        bare = "parse, map and insert"
        taken = alternately({bare: partial(new, partial(bare_seconds, source)), **runs}, options.rounds)
    record = Record("run_cpu", options.command, [inputs.sqlite_name()], {"documents": options.documents})
    record.group("CPU time", "seconds", taken)
    for name in runs:
        record.ratio(f"{name} / {bare}", taken[name], taken[bare], MOST)
    record.note(
        "The documents have no bureau reports. The bare work is what a run cannot do without: parse with read_until, "
        "map, bind and insert with a commit for each batch, in one process. The run also starts its processes, hashes "
        "and hands over documents, and writes the processing log. "
        f"By default, a run starts {automatic_workers()} workers here."
    )
    return record


def main() -> int:
    """Measure as the command line says."""
    return run_benchmark(
        benchmark, description=__doc__ or "", usual=Options(20_000, 3), quick=Options(20, 1, quick=True)
    )


if __name__ == "__main__":
    sys.exit(main())
