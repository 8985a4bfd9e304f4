"""Load by Apache Spark while executors and drivers are killed; the tables must equal those of a run on one machine.

    python -m tests.faults.spark --documents 20000 --executors 4 --kills 30 --speculated 10 --records 100000

Spark runs in its local-cluster mode: each executor is a process of its own, with Python processes of its own. A round
loads the same documents into an empty target. A round kills an executor or the driver at a random moment, and in the
second case runs the command again. A speculated round stops the processes of an executor for a while, so that Spark
executes its tasks a second time. Nothing in the product knows of this.
"""

import argparse
import ctypes
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.table_hashes import table_hashes
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.reading import read_contract
from xml_extractor.reasons import Stage
from xml_extractor.samples import samples
from xml_extractor.sources.registry import open_source_writer
from xml_extractor.targets.registry import open_target

ROOT = Path(__file__).parent.parent.parent
JAVA = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
"""Options of Java for short runs: its compiler and its collector would take more time than they save."""

MEMORY = 1024
"""Megabytes of an executor's Java, which does little here: Python does the work."""

STOPPED_SECONDS = 15.0
"""How long the processes of an executor stand still at least, so that Spark gives its tasks to another."""

ATTEMPTS = 5
"""How often a round is begun until a process is killed before the run has ended, or a second copy of a task runs."""

RECORDS = """
contract: readings
version: 1
document: {root: readings, records: [station], key: "@id", key_type: int}
tables:
  station:
    rows: "."
    columns:
      station_id: {path: "@id", type: int, key: true}
      name: {path: name, type: nvarchar(40), required: true}
  reading:
    rows: value
    columns:
      station_id: {parent: station.station_id, key: true}
      number: {position: true, key: true}
      value: {path: ".", type: "decimal(9,2)"}
"""


def is_there() -> bool:
    """Whether Spark can run here."""
    return find_spec("pyspark") is not None and shutil.which("java") is not None


class Ended(NamedTuple):
    """How a command ended: its exit code and metrics, what it and its children printed and took, and whether one of
    them was killed or stopped before the end."""

    code: int
    metrics: Mapping[str, object]
    output: str
    cpu_seconds: float
    is_disturbed: bool = False


class Spark:
    """Loads of one source, by Spark and without it.

    Args:
        directory: For targets, and for what Spark writes.
        contract: The contract.
        source: The source's address.
        executors: Executors of one core.
        seed: Decides when which process is killed.
        adopts: Whether this process has no other children than those of commands, and adopts what these leave behind.
    """

    def __init__(
        self, directory: Path, contract: str, source: str, executors: int, seed: int = 1, *, adopts: bool = False
    ) -> None:
        self._directory = directory
        self._contract = contract
        self._source = source
        self._executors = executors
        self._random = random.Random(seed)
        self._rounds = 0
        self._adopts = adopts
        self._home = _spark_home(directory)
        self._events = directory / "events"
        self._events.mkdir()
        self._seconds = 8.0
        """From the start of Python in an executor to the end of the run, if nothing disturbs it."""

    def speculated(self) -> int:
        """How many second copies of running tasks Spark has started so far, by its log of events."""
        logs = [path for path in self._events.rglob("events*") if path.is_file()]
        events = [line for path in logs for line in path.read_text(errors="replace").splitlines()]
        return sum('"Event":"SparkListenerTaskStart"' in line and '"Speculative":true' in line for line in events)

    def new_target(self) -> str:
        """The address of an empty target."""
        self._rounds += 1
        return f"sqlite:///{self._directory / f'round{self._rounds}.db'}"

    def hashes(self, target: str) -> dict[str, str]:
        """What a target holds."""
        contract = read_contract(self._contract)
        with closing(open_target(target, contract).connect()) as connection:
            return table_hashes(connection, layouts(contract))

    def load(self, target: str, *, spark: bool = True, disturb: str = "", options: Sequence[str] = ()) -> Ended:
        """Run the command, and kill or stop one of its processes at a random moment if that is asked for."""
        metrics = self._directory / f"metrics{time.monotonic_ns()}"
        engine = ("--engine", "spark", "--master", f"local-cluster[{self._executors},1,{MEMORY}]") if spark else ()
        command = [sys.executable, str(ROOT / "production_processor.py"), "--contract", self._contract]
        command += ["--source", self._source, "--metrics-dir", str(metrics), "--rejects-dir", ""]
        command += ["--log-level", "INFO", *engine, *options]
        is_disturbed = False
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with (self._directory / "output").open("w+") as output:
            process = subprocess.Popen(
                command,
                cwd=self._directory,
                env={**self._environment(disturb), "XML_EXTRACTOR_TARGET": target},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            try:
                if spark:
                    self._wait_for_python(process)
                began_at = time.monotonic()
                if disturb:
                    is_disturbed = self._disturb(process, disturb)
                code = process.wait()
                if spark and not disturb:
                    self._seconds = time.monotonic() - began_at
                _reap(process.pid, is_all=self._adopts)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            output.seek(0)
            text = output.read()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = sorted(metrics.glob("metrics_*.json"))
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Ended(code, json.loads(found[-1].read_text()) if found else {}, text, seconds, is_disturbed)

    def _environment(self, disturb: str) -> dict[str, str]:
        conf = ["spark.ui.enabled=false", *(f"spark.{each}.extraJavaOptions={JAVA}" for each in ("driver", "executor"))]
        if disturb == "speculation":
            conf += [
                "spark.speculation=true",
                "spark.speculation.interval=100ms",
                "spark.speculation.multiplier=1.01",
                "spark.speculation.quantile=0.2",
                "spark.speculation.minTaskRuntime=100ms",
                "spark.speculation.efficiency.enabled=false",
                "spark.eventLog.enabled=true",
                "spark.eventLog.compress=false",
                f"spark.eventLog.dir={self._events.as_uri()}",
            ]
        given = " ".join(f"--conf '{each}'" for each in conf)
        return {
            **os.environ,
            **({"JAVA_HOME": str(_java_of_many_hosts(self._directory))} if disturb == "speculation" else {}),
            "PYTHONPATH": str(ROOT),
            "SPARK_HOME": str(self._home),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYSPARK_SUBMIT_ARGS": f"{given} pyspark-shell",
        }

    def _wait_for_python(self, process: subprocess.Popen[bytes]) -> None:
        while process.poll() is None and len(_executors(process.pid)) < self._executors:
            time.sleep(0.2)
        while process.poll() is None and not _workers(process.pid):
            time.sleep(0.2)

    def _disturb(self, process: subprocess.Popen[bytes], what: str) -> bool:
        """Kill or stop one process at a random moment; return whether there still was one."""
        if what == "speculation":
            # One that has no task yet would get none while it stands still.
            while process.poll() is None and not all(map(_workers, _executors(process.pid))):
                time.sleep(0.1)
        time.sleep(self._random.uniform(0, 2 if what == "speculation" else self._seconds))
        executors = _executors(process.pid)
        if process.poll() is not None or not executors:
            return False
        chosen = self._random.choice(executors)
        with suppress(ProcessLookupError, IndexError):
            match what:
                case "driver":
                    os.kill(process.pid, signal.SIGKILL)
                case "executor":
                    os.kill(chosen, signal.SIGKILL)
                case "worker":
                    os.kill(self._random.choice(_pythons(chosen)), signal.SIGKILL)
                case "speculation":
                    with _stopped(_below(chosen)):
                        time.sleep(max(STOPPED_SECONDS, self._seconds))
            return True
        return False


def _adopt_orphans() -> None:
    """Become the parent of processes whose parent has ended, so that their CPU time is known. Source: prctl(2)."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def _reap(group: int, *, is_all: bool) -> None:
    """Wait for what a command has left behind, also outside its group; end the group after half a minute."""
    until = time.monotonic() + 30
    while True:
        try:
            found, _ = os.waitpid(-1 if is_all else -group, os.WNOHANG)
        except ChildProcessError:
            return
        if not found:
            time.sleep(0.1)
            if time.monotonic() > until:
                with suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGKILL)


def _spark_home(directory: Path) -> Path:
    """A home of Spark whose directory for work is not that of the installation."""
    spec = find_spec("pyspark")
    assert spec is not None
    assert spec.origin is not None
    home = directory / "spark"
    home.mkdir()
    for path in Path(spec.origin).parent.iterdir():
        if path.name != "work":
            (home / path.name).symlink_to(path)
    return home


def _java_of_many_hosts(directory: Path) -> Path:
    """A home of Java that gives each executor a host of its own: Spark starts no second copy on the same host."""
    program = directory / "java" / "bin" / "java"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(
        f"""#!/bin/bash
given=("$@")
for index in "${{!given[@]}}"; do
    case "${{given[index]}}" in
        --executor-id) host="127.0.0.$((given[index + 1] % 250 + 2))" ;;
        --hostname) given[index + 1]="$host" ;;
    esac
done
exec {shutil.which("java")} "${{given[@]}}"
"""
    )
    program.chmod(0o755)
    return program.parent.parent


@contextmanager
def _stopped(processes: Sequence[int]) -> Iterator[None]:
    for number in processes:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGSTOP)
    try:
        yield
    finally:
        for number in processes:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGCONT)


def _executors(driver: int) -> list[int]:
    return [number for number in _below(driver) if b"CoarseGrainedExecutorBackend" in _command(number)]


def _workers(process: int) -> list[int]:
    return [number for number in _below(process) if b"pyspark.daemon" in _command(number)]


def _pythons(executor: int) -> list[int]:
    """The processes of Python of an executor that process documents: Spark's own, and the product's workers."""
    forking = [number for number in _below(executor) if b"forkserver" in _command(number)]
    return _workers(executor) + [worker for number in forking for worker in _below(number)]


def _command(number: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{number}/cmdline").read_bytes()
    return b""


def _below(process: int) -> list[int]:
    """The processes that a process has started, and those that these have started."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            parents.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found, waiting = [], [process]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found += children
        waiting += children
    return found


def sample_source(directory: Path, documents: int) -> str:
    """Make documents of which some are faulty, and return their address."""
    source = f"sqlite:///{directory / 'documents.db'}"
    with open_source_writer(source) as writer:
        for document in samples("card_application", documents, faulty=0.02):
            # Of two documents with rows of one key that are near each other, either may be loaded.
            if document.fault is None or document.fault.stage is not Stage.LOAD:
                writer.write(document)
    return source


def record_source(directory: Path, records: int, size: int) -> tuple[str, str]:
    """Make a file of records, and return the contract's path and the file's."""
    contract, path = directory / "readings.yaml", directory / "readings.xml"
    contract.write_text(RECORDS)
    values = "".join(f"<value>{number}.25</value>" for number in range(5))
    with path.open("w") as file:
        file.write("<readings>")
        for number in range(records):
            filling = "x" * (size - len(values) - 60)
            file.write(f'<station id="{number}"><name>S {number}</name>{values}<!--{filling}--></station>\n')
        file.write("</readings>")
    return str(contract), str(path)


def counts_of(ended: Ended) -> object:
    """What a run says that it did."""
    return ended.metrics.get("documents")


def check(spark: Spark, expected: dict[str, str], target: str, ended: Ended, counts: object, what: str) -> str:
    """What is wrong after a round; empty if nothing is."""
    if ended.code not in (0, 1):
        return f"exit code {ended.code}"
    wrong = [name for name, found in spark.hashes(target).items() if found != expected[name]]
    if wrong:
        return f"other rows in {', '.join(wrong)}"
    return "" if what == "driver" or counts_of(ended) == counts else f"counts {counts_of(ended)}"


def rounds(spark: Spark, whats: Sequence[str]) -> int:
    """Load once without Spark, once with it, and then with each disturbance; return how many rounds are wrong."""
    alone = spark.new_target()
    without = spark.load(alone, spark=False)
    expected = spark.hashes(alone)
    faults = 0
    for number, what in enumerate(("", *whats)):
        for _ in range(ATTEMPTS):
            target, copies = spark.new_target(), spark.speculated()
            first = ended = spark.load(target, disturb=what)
            copies = spark.speculated() - copies
            if not what or (ended.is_disturbed and (copies or what != "speculation")):
                break
        if what == "driver":
            ended = spark.load(target, spark=False)
        wrong = check(spark, expected, target, ended, counts_of(without), what)
        if what and not first.is_disturbed:
            wrong = wrong or "the run ended before a process was killed"
        if what == "speculation" and not copies:
            wrong = wrong or "no second copy of a task ran"
        faults += bool(wrong)
        note = f", {copies} second copies of tasks" if what == "speculation" else ""
        print(f"{number:3} {what or 'undisturbed':12} {wrong or 'equal'}{note}", flush=True)
        if wrong:
            print(first.output[-4000:])
        if not what:
            work = [line.partition("Executor ")[2] for line in ended.output.splitlines() if " Executor " in line]
            print(f"    CPU {ended.cpu_seconds / without.cpu_seconds:.2f} of the run without Spark; {'; '.join(work)}")
    return faults


def main() -> int:
    """Run the rounds that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--executors", type=int, default=4)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--speculated", type=int, default=1)
    parser.add_argument("--records", type=int, default=0)
    parser.add_argument("--record-size", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    _adopt_orphans()
    kinds = ("executor", "driver", "worker")
    whats = [kinds[number % len(kinds)] for number in range(given.kills)] + ["speculation"] * given.speculated
    with TemporaryDirectory(prefix="spark-") as name:
        directory = Path(name)
        faults = 0
        if given.documents:
            source = sample_source(directory, given.documents)
            faults = rounds(
                Spark(directory, "card_application", source, given.executors, given.seed, adopts=True), whats
            )
        if given.records:
            (directory / "records").mkdir()
            contract, source = record_source(directory / "records", given.records, given.record_size)
            print(f"{given.records} records in {Path(source).stat().st_size / 2**20:.0f} MiB")
            faults += rounds(
                Spark(directory / "records", contract, source, given.executors, given.seed, adopts=True), ()
            )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
