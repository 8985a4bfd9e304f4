"""A load of a few dozen small documents, some of them bad, and what is left of it after faults."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.conftest import ROOT
from tests.table_hashes import table_hashes
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.reading import read_contract
from xml_extractor.pipeline import run
from xml_extractor.settings import RunSettings
from xml_extractor.targets.registry import open_target

HERE = Path(__file__).parent
DOCUMENTS = 40
MALFORMED, REFUSED, OVERFLOW, INCOMPLETE, REFUSED_TOO, EMPTY = 7, 13, 19, 23, 31, 37
REJECTED = {MALFORMED, REFUSED, OVERFLOW, INCOMPLETE, REFUSED_TOO, EMPTY}

TIME_LIMIT_SECONDS = 60.0
"""A run that takes longer hangs."""

END_SECONDS = 10.0
"""How long processes may take to end after the main process."""

MOST_RESUMES = 3

NO_MOUNT = 99
SMALL_DISK = f"""
mkdir small && mount -t tmpfs -o size=$0 small small || exit {NO_MOUNT}
"$@"
code=$?
cp -r small/rejects small/metrics . 2>/dev/null
exit $code
"""
"""Runs a command beside the directory `small`, a small file system, and copies what it has written there."""

HANGS_OF_A_DOCUMENT = [[point, when, "hang"] for point in ("parse", "map") for when in ("before", "after")]
"""Faults for which a document is rejected as one that takes too long."""

SHORT_TIMEOUT = "?timeout=2"
"""Of a target whose lock somebody holds: the seconds that a statement waits for it."""

SILENCE_SECONDS = 4.0
"""How long the target may be silent before a run ends, if a fault makes it hang; in the product it is hours."""

ENDED_IN_ORDER = (0, 1)
ENDED = (0, 1, 3, 130)

CONTRACT = """
contract: orders
version: 1
document:
  root: order
  key: "@id"
  key_type: int
tables:
  orders:
    rows: "."
    columns:
      order_id: {path: "@id", type: int, key: true}
      customer: {path: customer, type: nvarchar(20), required: true}
  line:
    rows: "line"
    columns:
      order_id: {parent: orders.order_id, key: true}
      line_no: {position: true, key: true}
      price: {path: "@price", type: "decimal(9,2)"}
  remark:
    rows: "line"
    columns:
      order_id: {parent: orders.order_id}
      text: {path: "@price", type: varchar(20)}
"""
"""`remark` has no key: nothing but the processing log keeps its rows from being there twice."""

RAISING_TRIGGER = f"""
CREATE TRIGGER raising BEFORE INSERT ON line WHEN CAST(NEW.{{column}} AS INTEGER) IN ({REFUSED}, {REFUSED_TOO})
BEGIN SELECT RAISE(ABORT, 'refused'); END
"""

OUTCOMES = ("loaded", "rejected", "superseded", "deleted")


def order(number: int) -> str | None:
    """The document of this number."""
    price = "12345678.90" if number == OVERFLOW else f"{number}.50"
    customer = "" if number == INCOMPLETE else f"<customer>Customer {number}</customer>"
    end = "</order" if number == MALFORMED else "</order>"
    lines = f'<line price="{price}"/>' * (1 + number % 3)
    return None if number == EMPTY else f'<order id="{number}">{customer}{lines}{end}'


def make_source(path: Path, documents: int = DOCUMENTS) -> None:
    """Write the documents into a table."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE app_xml (app_id INTEGER PRIMARY KEY, xml TEXT)")
        rows = ((number, order(number)) for number in range(1, documents + 1))
        database.executemany("INSERT INTO app_xml VALUES (?, ?)", rows)


class Fault(NamedTuple):
    """What is to happen where, at which occurrence; see `hook/sitecustomize.py`."""

    point: str
    when: str
    kind: str
    number: int = 1


class Ended(NamedTuple):
    """How a run ended: its exit code, negative for a signal, or None if it did not."""

    code: int | None
    seconds: float


class Result(NamedTuple):
    """What became of a run with faults.

    Attributes:
        outcome: `recovered` by itself, `resumed` by a later run, `rejected` the document of an injected constraint
            error and loaded it later, `untouched` by a fault; or what went wrong.
        happened: Faults that happened.
    """

    outcome: str
    happened: int
    detail: str = ""
    seconds: float = 0.0


GOOD = ("recovered", "resumed", "rejected", "untouched")


class BrokenPromiseError(Exception):
    """What the product promises does not hold; `outcome` says in a word how."""

    def __init__(self, outcome: str, detail: str) -> None:
        super().__init__(outcome, detail)
        self.outcome = outcome
        self.detail = detail


class Running:
    """A run of the real command in a session and a process group of its own, both of which have its process id."""

    def __init__(self, process_id: int, wait: Callable[[], int]) -> None:
        self.process_id = process_id
        self._wait = wait
        self._began_at = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long ago it was started."""
        return time.monotonic() - self._began_at

    def wait(self, limit: float = TIME_LIMIT_SECONDS) -> Ended:
        """Wait for its end; kill it if it takes more seconds than this."""
        # The launcher tells the end only to who asks; meanwhile the process itself is watched.
        deadline = self._began_at + limit
        hangs = False
        while is_running(self.process_id) and not hangs:
            time.sleep(0.02)
            hangs = time.monotonic() > deadline
        if hangs:
            kill_session(self.process_id)
        code = self._wait()
        return Ended(None if hangs else code, self.seconds)


class Launcher:
    """Starts runs by `launcher.py`, or as the processes that a user starts; a context manager."""

    def __enter__(self) -> Self:
        # A shell has jobs in the background ignore it, and a run would inherit that.
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        path = os.pathsep.join([str(HERE / "hook"), str(ROOT)])
        self._launchers: list[subprocess.Popen[str]] = []
        self._idle: list[subprocess.Popen[str]] = []
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("XML_EXTRACTOR_")},
            "PYTHONPATH": path,
            "COLUMNS": "120",
        }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for launcher in self._launchers:
            launcher.communicate()

    def start(
        self, arguments: Sequence[str], directory: Path, environment: dict[str, str], standard_input: str = os.devnull
    ) -> Running:
        """Start the nightly command in a directory; `stdout` and `stderr` there are what it prints."""
        launcher = self._idle.pop() if self._idle else self._new()
        if launcher.stdin is None or launcher.stdout is None:
            raise AssertionError
        request = {
            "arguments": arguments,
            "directory": str(directory),
            "environment": environment,
            "input": standard_input,
        }
        launcher.stdin.write(json.dumps(request) + "\n")
        launcher.stdin.flush()
        process_id = int(launcher.stdout.readline())
        answers = launcher.stdout

        def wait() -> int:
            code = int(answers.readline())
            self._idle.append(launcher)
            return code

        return Running(process_id, wait)

    def start_anew(
        self, arguments: Sequence[str], directory: Path, environment: dict[str, str], command: Sequence[str] = ()
    ) -> Running:
        """Start the nightly command as a user does, or within another command."""
        with (directory / "stdout").open("wb") as output, (directory / "stderr").open("wb") as errors:
            process = subprocess.Popen(
                [*command, sys.executable, str(ROOT / "production_processor.py"), *arguments],
                cwd=directory,
                env=self._environment | environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
        return Running(process.pid, process.wait)

    def _new(self) -> subprocess.Popen[str]:
        launcher = subprocess.Popen(
            [sys.executable, str(HERE / "launcher.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self._environment,
        )
        self._launchers.append(launcher)
        return launcher


class Bench:
    """The source, what an undisturbed run makes of it, and runs with faults, each into a target of its own.

    Attributes:
        contract_text: The contract.
        own_column: The column of each table that has the number of the document.
        rejected: The numbers of the documents that an undisturbed run rejects.
        own_options: Options of all its runs with faults.
        has_revisions: Whether one run may undo what another has loaded.
        expected: Hashes of what an undisturbed run leaves.
        outcomes: How many documents the processing log has then.
    """

    contract_text = CONTRACT
    own_column = "order_id"
    rejected = frozenset(REJECTED)
    has_revisions = False
    own_options: Sequence[str] = ()

    def __init__(self, directory: Path, launcher: Launcher, documents: int = DOCUMENTS) -> None:
        self.directory = directory
        self.documents = documents
        self._launcher = launcher
        self._numbers = count(1)
        self._contract = directory / "orders.yaml"
        self._contract.write_text(self.contract_text)
        self._source = directory / "source.db"
        self._make_source()
        self._empty = directory / "empty.db"
        self._make_empty()
        undisturbed = self.new_place("undisturbed")
        self.resume(undisturbed)
        self.expected = self.hashes(undisturbed)
        self.expected_rows = self.rows_by_document(undisturbed)
        ((self.outcomes,),) = query(undisturbed / "target.db", "SELECT count(*) FROM processing_log")
        found = set(logged(undisturbed, "rejected"))
        if found != self.rejected:
            raise BrokenPromiseError("rejected", f"{sorted(found)} by a run without faults")

    def new_place(self, name: str = "") -> Path:
        """A directory with a target, without documents yet."""
        place = self.directory / (name or f"{next(self._numbers):04}")
        for part in ("temporary", "faults"):
            (place / part).mkdir(parents=True)
        shutil.copy(self._empty, place / "target.db")
        return place

    def start(
        self,
        place: Path,
        faults: Sequence[Fault] = (),
        options: Sequence[str] = (),
        target: Path | None = None,
        *,
        anew: bool = False,
        target_options: str = "",
        on_small_disk: int = 0,
    ) -> Running:
        """Start a run with faults.

        Args:
            place: Where it runs.
            faults: What is to happen.
            options: Of the command.
            target: A place whose target it has; by default its own.
            anew: Whether its start-up is that of an interpreter.
            target_options: Of the target's address.
            on_small_disk: The size in bytes of a file system that it writes rejects and metrics to; 0 for none.
        """
        silence = SILENCE_SECONDS if any(map(_is_silence, faults)) else 0
        target_options = target_options or (SHORT_TIMEOUT if silence else "")
        arguments = [
            *("--contract", str(self._contract), "--source", self._address),
            *("--target", f"sqlite:///{(target or place) / 'target.db'}{target_options}"),
            *("--workers", "2", "--batch-size", "20"),
            *("--insert-batch-rows", "20", *self.own_options, *options),
        ]
        plan = json.dumps({"directory": str(place / "faults"), "faults": faults})
        environment = {"FAULTS": plan, "TMPDIR": str(place / "temporary"), "FAULTS_SILENCE": str(silence)}
        if on_small_disk:
            small = ["--rejects-dir", "small/rejects", "--metrics-dir", "small/metrics"]
            command = ["unshare", "-rm", "sh", "-c", SMALL_DISK, str(on_small_disk)]
            return self._launcher.start_anew([*arguments, *small], place, environment, command)
        if anew:
            return self._launcher.start_anew(arguments, place, environment)
        return self._launcher.start(arguments, place, environment, self._input)

    def try_out(self, faults: Sequence[Fault], options: Sequence[str] = ()) -> Result:
        """Run with faults, then without until all is loaded, and judge what is left."""
        place = self.new_place()
        running = self.start(place, faults, options)
        ended = running.wait()
        happened = happenings(place)
        try:
            outcome = self.judge(place, running, ended)
        except BrokenPromiseError as broken:
            return Result(broken.outcome, len(happened), f"{place.name}: {broken.detail}", ended.seconds)
        shutil.rmtree(place)
        return Result(outcome if happened else "untouched", len(happened), seconds=ended.seconds)

    def judge(
        self, place: Path, running: Running, ended: Ended, killed: Sequence[int] = (), *, exactly: bool = True
    ) -> str:
        """Say what became of a run, and complete it.

        Args:
            place: Where it ran.
            running: The run.
            ended: Its end.
            killed: Processes that were killed from outside.
            exactly: Whether its metrics must count all that it has loaded, because nobody stopped it at once.

        Raises:
            BrokenPromiseError: Something is not as promised.
        """
        dead = {int(line.split()[0]) for line in happenings(place) if line.endswith(" kill")} | set(killed)
        is_killed = running.process_id in dead
        see_that_it_ended(ended, running.process_id, is_killed=is_killed)
        if not is_killed:
            see_that_no_file_is_left(place)
        see_that_rejects_can_be_read(place)
        self.see_that_documents_are_whole(place)
        if ended.code in (*ENDED_IN_ORDER, 130):
            see_that_the_sum_is_right(place, exactly=exactly and "stop twice" not in str(happenings(place)))
        if ended.code in ENDED_IN_ORDER and self.hashes(place) == self.expected:
            self.resume(place)
            if self.hashes(place) == self.expected:
                return "recovered"
            raise BrokenPromiseError("doubled", "by a run that had nothing to do")
        return self.complete(place)

    def resume(self, place: Path) -> None:
        """Run undisturbed.

        Raises:
            BrokenPromiseError: It could not go on.
        """
        settings = RunSettings(
            str(self._contract), self._address, f"sqlite:///{place / 'target.db'}", 1, 20, rejects_dir=None
        )
        failure = run(settings).failure
        if failure is not None:
            raise BrokenPromiseError("not resumed", f"{failure}")

    def hashes(self, place: Path) -> dict[str, str]:
        """Hashes of all tables."""
        contract = read_contract(str(self._contract))
        database = open_target(f"sqlite:///{place / 'target.db'}", contract)
        with closing(database.connect()) as connection:
            return table_hashes(connection, layouts(contract))

    def see_that_documents_are_whole(self, place: Path) -> None:
        """See that each document has all of its rows if the log says that it is loaded, and else none.

        Raises:
            BrokenPromiseError: Of one this does not hold.
        """
        loaded = set(logged(place, "loaded"))
        there = self.rows_by_document(place)
        for key in loaded | set(there):
            rows, wanted = there.get(key, {}), self.rows_of(key) if key in loaded else {}
            if rows != wanted:
                more = any(number > self.rows_of(key).get(table, 0) for table, number in rows.items())
                raise BrokenPromiseError("doubled" if more else "lost" if not rows else "half", f"document {key}")

    def complete(self, place: Path) -> str:
        """Run until all is as an undisturbed run leaves it.

        Raises:
            BrokenPromiseError: It does not become so.
        """
        for _ in range(MOST_RESUMES):
            self.resume(place)
            self.see_that_documents_are_whole(place)
            if self.hashes(place) == self.expected:
                return "resumed"
            blamed = [key for key in logged_keys(place, "rejected") if number_of(key) not in self.rejected]
            if len(blamed) == 1 and any(map(is_blamed_on_a_document, happenings(place))):
                change(place / "target.db", f"DELETE FROM processing_log WHERE document_key = '{blamed[0]}'")
                self.resume(place)
                if self.hashes(place) == self.expected:
                    return "rejected"
        raise BrokenPromiseError("different", f"{self.hashes(place)}, wanted {self.expected}")

    def rows_of(self, number: int) -> dict[str, int]:
        """How many rows a document has in each table once it is loaded."""
        return self.expected_rows[number]

    def rows_by_document(self, place: Path) -> dict[int, dict[str, int]]:
        """How many rows each document has in each table."""
        return rows_by_document(place / "target.db", self.own_column)

    _input = os.devnull
    """What a run reads as its standard input."""

    @property
    def _address(self) -> str:
        """The address of the source."""
        return f"sqlite:///{self._source}"

    def _make_source(self) -> None:
        make_source(self._source, self.documents)

    def _make_empty(self) -> None:
        """A target with tables, of which one refuses some documents."""
        contract = read_contract(str(self._contract))
        open_target(f"sqlite:///{self._empty}", contract).create(layouts(contract))
        change(self._empty, RAISING_TRIGGER.format(column=self.own_column))


def change(path: Path, statement: str) -> None:
    """Change a database."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(statement)


def query(path: Path, statement: str) -> list[tuple[Any, ...]]:
    """The rows that a statement finds."""
    with closing(sqlite3.connect(path)) as database:
        return database.execute(statement).fetchall()


def rows_by_document(target: Path, column: str = Bench.own_column) -> dict[int, dict[str, int]]:
    """How many rows each document has in each table."""
    found: dict[int, dict[str, int]] = {}
    for table in ("orders", "line", "remark"):
        for key, number in query(target, f"SELECT {column}, count(*) FROM {table} GROUP BY {column}"):
            found.setdefault(int(key), {})[table] = number
    return found


def number_of(key: str) -> int:
    """The number of a document in its key, as in `17`, `a.zip!17.xml` or `a.xml#17`."""
    return int(re.findall(r"\d+", key)[-1])


def logged_keys(place: Path, status: str) -> list[str]:
    """The keys of the documents with this status in the processing log."""
    statement = f"SELECT document_key FROM processing_log WHERE status = '{status}'"
    return [key for (key,) in query(place / "target.db", statement)]


def logged(place: Path, status: str) -> list[int]:
    """The numbers of the documents with this status in the processing log."""
    return [number_of(key) for key in logged_keys(place, status)]


def happenings(place: Path) -> list[str]:
    """The faults that happened: process, point, when and kind of each."""
    try:
        return (place / "faults" / "happened").read_text().splitlines()
    except FileNotFoundError:
        return []


def is_blamed_on_a_document(happening: str) -> bool:
    """Whether a fault is of those for which one document is rejected."""
    kinds = (" constraint", " map before unexpected", " map after unexpected")
    return happening.endswith(kinds) or happening.split()[1:] in HANGS_OF_A_DOCUMENT


def _is_silence(fault: Fault) -> bool:
    """Whether a fault is a target that does not answer."""
    return fault.kind == "hang" and (fault.point.startswith("insert") or fault.point == "commit")


def roles(place: Path) -> dict[int, str]:
    """What the child processes of a run are, by their ids."""
    try:
        lines = (place / "faults" / "roles").read_text().splitlines()
    except FileNotFoundError:
        return {}
    return {int(process_id): role for process_id, role in map(str.split, lines)}


def see_that_it_ended(ended: Ended, session: int, *, is_killed: bool) -> None:
    """See that a run ended with a code that is documented, and all its processes with it.

    Raises:
        BrokenPromiseError: It did not.
    """
    if ended.code is None:
        raise BrokenPromiseError("hang", f"after {ended.seconds:.0f} s")
    if ended.code not in ENDED and not (is_killed and ended.code == -signal.SIGKILL):
        raise BrokenPromiseError("exit code", str(ended.code))
    deadline = time.monotonic() + END_SECONDS
    while left := processes_of(session):
        if time.monotonic() > deadline:
            kill_session(session)
            raise BrokenPromiseError("process left", ", ".join(map(str, left)))
        time.sleep(0.02)


def see_that_no_file_is_left(place: Path) -> None:
    """See that the directory for temporary files is empty.

    Raises:
        BrokenPromiseError: It is not.
    """
    left = [path.name for path in (place / "temporary").iterdir()]
    if left:
        raise BrokenPromiseError("files left", ", ".join(left))


def see_that_rejects_can_be_read(place: Path) -> None:
    """See that the lists of rejected documents consist of whole lines, and that the files that they name are there.

    Raises:
        BrokenPromiseError: They do not, or are not.
    """
    for listing in place.glob("rejects/*/rejects.jsonl"):
        text = listing.read_text()
        if not text.endswith("\n"):
            raise BrokenPromiseError("torn line", text[-80:])
        names = [json.loads(line)["file"] for line in text.splitlines()]
        if missing := [name for name in names if name and not (listing.parent / name).is_file()]:
            raise BrokenPromiseError("reject lost", ", ".join(missing))


def metrics(place: Path) -> dict[str, Any] | None:
    """The metrics of the only run at a place, if it wrote any."""
    paths = list(place.glob("metrics/*.json"))
    return json.loads(paths[0].read_text()) if paths else None


def see_that_the_sum_is_right(place: Path, *, exactly: bool = True) -> None:
    """See that the metrics of a run count what the log has of it; if not exactly, no more than that.

    Raises:
        BrokenPromiseError: They do not.
    """
    found = metrics(place)
    if found is None:
        if exactly and query(place / "target.db", "SELECT count(*) FROM processing_log") != [(0,)]:
            raise BrokenPromiseError("no metrics", f"{happenings(place)}")
        return
    documents, run_id = found["documents"], found["run_id"]
    counted = dict(
        query(
            place / "target.db",
            f"SELECT status, count(*) FROM processing_log WHERE run_id = '{run_id}' GROUP BY status",
        )
    )
    missing = [counted.get(outcome, 0) - documents[outcome] for outcome in OUTCOMES]
    if any(missing) and (exactly or min(missing) < 0):
        raise BrokenPromiseError("miscounted", f"{documents} but the log has {counted}")


def is_running(process_id: int) -> bool:
    """Whether a process has not ended."""
    state = _state(process_id)
    return bool(state) and state[0] != "Z"


def processes_of(session: int) -> list[int]:
    """What runs in a session, zombies left out."""
    return [
        int(process.name)
        for process in Path("/proc").glob("[0-9]*")
        if (fields := _state(int(process.name))) and int(fields[3]) == session and fields[0] != "Z"
    ]


def kill_session(session: int) -> None:
    """Kill what runs in a session."""
    for process_id in processes_of(session):
        with suppress(ProcessLookupError):
            os.kill(process_id, signal.SIGKILL)


def _state(process_id: int) -> list[str]:
    """The fields of /proc/ID/stat behind the name: state, parent, group, session."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
