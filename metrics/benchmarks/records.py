"""`python -m metrics.benchmarks.records`: files of many records, compared with the same records as separate files."""

import gzip
import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from pathlib import Path
from tempfile import TemporaryDirectory

from metrics.benchmarks import inputs, whole_runs
from metrics.benchmarks.command import NothingToMeasureError, Options, run_benchmark
from metrics.benchmarks.record import ROOT, Limit, Record
from metrics.measurements.figures import alternately
from tests.soak.resident import Sampler
from xml_extractor.pipeline import run

SIZE = 11_000
"""Bytes of a record without reports of its own length; about 10 KB on average."""
TEMPLATES = 100
BAD_EVERY = 1000
SHARE = 5
"""The number of records for each one that is compared with a separate file."""
MOST_MEBIBYTES = 250_000_000 // 2**20
ID = re.compile(rb'(<(?:CardApplication|Contact) id=")(\d+)(?=")')

LIGHT = """
contract: application
version: 1
document: {root: Samples, records: CardApplication, key: "@id"}
tables:
  application:
    rows: "."
    columns:
      app_id:      {path: "@id", type: int, key: true}
      received_at:
        path: Application/@received
        type: datetime2(3)
        formats: ["%Y-%m-%dT%H:%M:%S.%f", "%m/%d/%Y %I:%M:%S %p"]
      channel:     {path: Application/@channel, type: varchar(20)}
      number:      {run: record_number}
  contact:
    rows: Application/Contact
    distinct: {by: [contact_id], keep: last}
    columns:
      contact_id:  {path: "@id", type: int, key: true}
      app_id:      {parent: application.app_id}
      family_name: {path: Name/@family, type: nvarchar(60)}
"""
TABLES = ("application", "contact")


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds that a run takes: from start to end, and of processor time in its main process and in all others."""

    wall: float
    main: float
    others: float


def benchmark(options: Options) -> Record:
    """Load a large file from several containers, with kills; compare a smaller one with separate files.

    Raises:
        NothingToMeasureError: The system does not report memory in /proc.
    """
    if sys.platform != "linux":
        raise NothingToMeasureError("Memory is read from /proc, which only Linux has.")
    few = max(options.documents // SHARE, 1)
    with inputs.temporary_directory() as directory:
        large = write_file(directory / "large.xml", options.documents)
        record = Record(
            "records",
            options.command,
            [inputs.sqlite_name()],
            {"records": options.documents, "bytes": large.stat().st_size, "records_compared": few, "workers": 2},
        )
        for title, source in islice(containers(large), 1 if options.quick else None):
            load_and_kill(record, title, source, options.documents)
        large.unlink()
        compare(record, directory, few, options.rounds)
    record.note(
        "Records are card applications with a part of a bureau report. One in 1,000 has a date that does not exist.",
        "The large file is loaded into two tables by 2 workers, once undisturbed; and once killed (SIGKILL to all "
        "processes) when half of the records are logged, and resumed. The tables of both are compared.",
        "Separate files and one file are compared with the shipped contract without `read_until`, with twelve tables. "
        "Processor time includes the start of all processes.",
        "The main process scans and checks the file, and loads the rows.",
        "With as many processors as workers, the main process takes its time from the workers. The gain that processor "
        "time allows there is twice that of the workers over the sum of both; with more processors it is 2, as long "
        "as the main process needs less than half of the workers' time.",
    )
    return record


def records(number: int) -> Iterator[bytes]:
    """Yield records with different keys; every 1,000th has a date that does not exist."""
    found = [inputs.resized(sample, SIZE).content or b"" for sample in inputs.documents(TEMPLATES)]
    templates = [content.partition(b"?>")[2] if content.startswith(b"<?xml") else content for content in found]
    for new in range(1, number + 1):
        old = (new - 1) % TEMPLATES + 1
        content = ID.sub(partial(_renumbered, old, new), templates[old - 1])
        if new % BAD_EVERY == 0:
            content = re.sub(rb' received="[^"]*"', b' received="2024-02-30T00:00:00.000"', content, count=1)
        yield content


def _renumbered(old: int, new: int, tag: re.Match[bytes]) -> bytes:
    """Return a start tag with another id; those of contacts begin with that of the document."""
    found = int(tag[2])
    return b"%s%d" % (tag[1], new if found == old else new * 10 + found - old * 10)


def write_file(path: Path, number: int) -> Path:
    """Write a file of records."""
    with path.open("wb") as file:
        file.write(b"<Samples>\n")
        file.writelines(records(number))
        file.write(b"</Samples>\n")
    return path


def containers(large: Path) -> Iterator[tuple[str, Path]]:
    """Yield the large file, and the same in containers."""
    yield "file", large
    compressed = large.with_suffix(".xml.gz")
    with large.open("rb") as file, gzip.open(compressed, "wb", compresslevel=1) as stream:
        shutil.copyfileobj(file, stream, 2**20)
    yield "gzip stream", compressed
    compressed.unlink()
    archive = large.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as members:
        members.write(large, large.name)
    yield "archive member", archive
    archive.unlink()


def load_and_kill(record: Record, title: str, source: Path, number: int) -> None:
    """Load a source, and again with a kill halfway; record the memory, and what differs from what is expected."""
    with TemporaryDirectory(dir=source.parent) as name:
        whole, killed = Path(name, "whole.db"), Path(name, "killed.db")
        for role, peak in load(source, whole).items():
            record.fact(f"{title}: peak, {role}", peak, "MiB", Limit(at_most=MOST_MEBIBYTES))
        bad = set(range(BAD_EVERY, number + 1, BAD_EVERY))
        loaded, rejected = outcomes(whole)
        wrong = len(bad ^ rejected) + abs(number - len(bad) - loaded)
        record.fact(f"{title}: unexpected outcomes", wrong, "records", Limit(at_most=0))
        kill_halfway(source, killed, number)
        load(source, killed)
        differing = differences(whole, killed) + len(bad ^ outcomes(killed)[1])
        record.fact(f"{title}: rows that differ after a kill", differing, "rows", Limit(at_most=0))


def start(source: Path, target: Path, errors: int) -> subprocess.Popen[bytes]:
    """Start a run with 2 workers, in a process group of its own."""
    contract = target.with_name("light.yaml")
    contract.write_text(LIGHT, encoding="utf-8")
    command = [sys.executable, str(ROOT / "production_processor.py"), "--no-progress", "--contract", str(contract)]
    command += ["--source", str(source), "--target", inputs.sqlite_address(target), "--workers", "2"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XML_EXTRACTOR_")}
    environment = {**kept, "TMPDIR": str(target.parent), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(  # noqa: S603 - our own command
        command,
        cwd=target.parent,
        env=environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=errors,
    )


def load(source: Path, target: Path) -> dict[str, float]:
    """Load a source, and return the peak of each kind of process in MiB.

    Raises:
        RuntimeError: The run could not continue.
    """
    log = target.with_suffix(".txt")
    with (
        log.open("wb") as errors,
        start(source, target, errors.fileno()) as started,
        Sampler(started.pid, target.parent) as sampler,
    ):
        code = started.wait()
    if code not in (0, 1):
        raise RuntimeError(log.read_text(encoding="utf-8"))
    return {role: growth.peak for role, growth in sampler.growth().items()}


def kill_halfway(source: Path, target: Path, number: int) -> None:
    """Start a run, and kill all its processes when half of the records are logged."""
    with start(source, target, subprocess.DEVNULL) as started:
        while started.poll() is None and sum(map(len, queried(target, LOGGED))) < number // 2:
            time.sleep(0.05)
        os.killpg(started.pid, signal.SIGKILL)


LOGGED = "SELECT 1 FROM processing_log"
OUTCOMES = "SELECT status, document_key FROM processing_log"


def queried(path: Path, query: str) -> list[tuple[str, ...]]:
    """Return the rows of a query; none if there are no tables yet."""
    if not path.exists():
        return []
    with closing(sqlite3.connect(path)) as database, suppress(sqlite3.OperationalError):
        return database.execute(query).fetchall()
    return []


def outcomes(path: Path) -> tuple[int, set[int]]:
    """Return how many records are loaded, and the keys of those that are rejected."""
    found = queried(path, OUTCOMES)
    rejected = {int(key.rpartition("#")[2]) for status, key in found if status == "rejected"}
    return sum(status == "loaded" for status, _ in found), rejected


def differences(first: Path, second: Path) -> int:
    """Count the rows that are in only one of two databases."""
    with closing(sqlite3.connect(first)) as database:
        database.execute("ATTACH DATABASE ? AS other", (str(second),))
        return sum(
            database.execute(f"SELECT count(*) FROM (SELECT * FROM {one} EXCEPT SELECT * FROM {two})").fetchone()[0]  # noqa: S608 - constants
            for table in TABLES
            for one, two in ((f"main.{table}", f"other.{table}"), (f"other.{table}", f"main.{table}"))
        )


def compare(record: Record, directory: Path, number: int, rounds: int) -> None:
    """Compare a file of records with the same records as separate files, and 2 workers with 1."""
    one = inputs.contract_file(directory)
    text = Path(one).read_text(encoding="utf-8")
    many = directory / "many.yaml"
    many.write_text(
        text.replace("root: CardApplication", "root: Samples\n  records: CardApplication"), encoding="utf-8"
    )
    file = write_file(directory / "some.xml", number)
    separate = directory / "separate"
    separate.mkdir()
    for key, content in enumerate(records(number), 1):
        (separate / f"{key}.xml").write_bytes(content)
    numbers = count()
    costs: dict[str, list[Costs]] = {SEPARATE: [], ONE: [], TWO: []}

    def measure(name: str, contract: str, source: Path, workers: int) -> float:
        target = directory / f"{next(numbers)}.db"
        costs[name].append(cost(contract, source, target, workers, number))
        target.unlink()
        return costs[name][-1].wall

    measures: Mapping[str, Callable[[], float]] = {
        SEPARATE: partial(measure, SEPARATE, one, separate, 2),
        ONE: partial(measure, ONE, str(many), file, 1),
        TWO: partial(measure, TWO, str(many), file, 2),
    }
    taken = alternately(measures, rounds)
    record.group(
        "Runs", "records a minute", {name: [number * 60 / wall for wall in walls] for name, walls in taken.items()}
    )
    workers = {name: [each.others for each in found] for name, found in costs.items()}
    mains = {name: [each.main for each in found] for name, found in costs.items()}
    for title, seconds in (("workers and manager", workers), ("main process", mains)):
        figures = {name: [each / number * 1000 for each in taken_by] for name, taken_by in seconds.items()}
        record.group(f"Processor time, {title}", "ms a record", figures)
    record.ratio("parse and map: records / separate files", workers[TWO], workers[SEPARATE], Limit(at_most=1.3))
    both = {name: [each.others + each.main for each in found] for name, found in costs.items()}
    record.ratio("all processes: records / separate files", both[TWO], both[SEPARATE])
    record.ratio("main process: records / separate files", mains[TWO], mains[SEPARATE])
    record.ratio("2 workers / 1, as measured", taken[ONE], taken[TWO], Limit(at_least=1.8))
    allowed = [2 * each.others / (each.others + each.main) for each in costs[TWO]]
    record.ratio("2 workers / 1, as processor time allows with 2 processors", allowed, [1.0] * len(allowed))


SEPARATE, ONE, TWO = "separate files, 2 workers", "1 file, 1 worker", "1 file, 2 workers"


def cost(contract: str, source: Path, target: Path, workers: int, number: int) -> Costs:
    """Run in this process, with worker processes of its own, and return what that takes.

    Raises:
        RuntimeError: Not all records are loaded or rejected.
    """
    changes = {"workers": workers, "start_method": "spawn", "metrics_dir": target.parent}
    chosen = whole_runs.settings(contract, str(source), inputs.sqlite_address(target), changes)
    before = _processor_seconds()
    result = run(chosen)
    main, others = (after - earlier for after, earlier in zip(_processor_seconds(), before, strict=True))
    if result.failure is not None or result.statistics.processed != number:
        raise RuntimeError(f"a run processed {result.statistics.processed} of {number} records: {result.failure}")
    return Costs(result.elapsed_seconds, main, others)


def _processor_seconds() -> tuple[float, float]:
    """Return the processor time of this process, and of all child processes that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    main, others = (each.ru_utime + each.ru_stime for each in used)
    return main, others


def main() -> int:
    """Measure as the command line says."""
    return run_benchmark(
        benchmark, description=__doc__ or "", usual=Options(100_000, 3), quick=Options(1000, 1, quick=True)
    )


if __name__ == "__main__":
    sys.exit(main())
