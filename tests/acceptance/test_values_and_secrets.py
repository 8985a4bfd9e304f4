"""Whatever happens to a run, no value of a document and no secret is anywhere but in the tables themselves."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.conftest import ROOT, Completed, posix_only

pytestmark = posix_only("kills processes")

MARK = "Zq7mark"
"""Stands in all values of documents."""

PASSWORD = "Zq7password"

CONTRACT = """
contract: marked
version: 1
document: {root: order, key: "@id", key_type: int}
lookups: {states: {OPEN: 1}}
tables:
  orders:
    rows: "."
    columns:
      order_id: {path: "@id", type: int, key: true}
      customer: {path: customer, type: nvarchar(40), required: true}
      placed_at: {path: "@placed", type: datetime2(0)}
      state: {path: "@state", type: tinyint, lookup: states}
      price: {path: price, type: "decimal(9,2)"}
      zip: {path: zip, type: varchar(10)}
      digest: {path: "@digest", type: binary(4)}
      reference: {path: "@reference", type: uniqueidentifier}
      days:
        type: int
        inputs: {days: {path: days, type: nvarchar(40)}}
        expression: CAST(days AS int)
  note:
    rows: note
    columns:
      note: {path: ".", type: nvarchar(40), key: true}
      order_id: {parent: orders.order_id}
"""

BODIES = (
    *("<customer>{mark}</customer><note>{mark}</note>", "<customer>{mark}</customer><!-- {mark} --><?{mark} {mark}?>"),
    *("<customer>{mark}</customer><price>{mark}</price>", "<customer>{mark}{mark}{mark}{mark}{mark}{mark}</customer>"),
    *("<customer>{mark}</customer><zip>{mark}{mark}</zip>", "<customer>{mark}</customer><days>{mark}</days>"),
    *("<customer>{mark}<{mark}></customer>", "<customer>{mark}</{mark}>", "<customer>&{mark};</customer>"),
    *(
        "<customer>{mark}</customer><{mark}:x/>",
        '<customer {mark}="{mark}" {mark}="1"/>',
        "<customer>{mark}&#1;</customer>",
    ),
    *("<customer>{mark}\x0b</customer>", "<customer {mark}={mark}/>", "<customer>{mark}]]></customer>", "{mark}"),
    *("<customer>{mark}</customer><note>{same}</note>", "<customer>{mark}</customer><note>{same}</note>"),
    *("<!-- {mark} -- {mark} --><customer/>", "<![CDATA[{mark}", "<!-- {mark}", "<?{mark}", "<{mark} a='<{mark}'/>"),
    *("<customer>{mark}</customer><price>12345678901.{mark}</price>", "<{mark}" + "<b>" * 300),
)
ATTRIBUTES = ('placed="{mark}"', 'state="{mark}"', 'digest="{mark}"', 'reference="{mark}"', 'xmlns:{mark}=""', "{mark}")
PROLOGS = ('<!DOCTYPE {mark} SYSTEM "{mark}">', '<?xml version="1.0" encoding="{mark}"?>', "{mark}", "<other/>")
GOOD = '<order id="{id}"><customer>{mark}</customer><note>{mark} {id}</note></order>'

FAULTY_PROGRAM = """
import os, signal
from xml_extractor.targets.interfaces import parts
from xml_extractor.processing import worker
map_document = worker.map_document
def fail(plan, root, key, run, *more):
    if root.get("crash"):
        raise KeyError(root.findtext("customer"))
    if root.get("kill"):
        os.kill(os.getpid(), signal.SIGKILL)
    return map_document(plan, root, key, run, *more)
worker.map_document = fail
"""
"""What Python runs first in each process, in the place of a defect that nobody knows."""


def documents() -> Iterator[tuple[int, str | bytes]]:
    """Good ones, and one of each fault."""
    shapes = [f'<order id="{{id}}">{body}</order>' for body in BODIES]
    shapes += [f'<order id="{{id}}" {attribute}><customer>{{mark}}</customer></order>' for attribute in ATTRIBUTES]
    shapes += [prolog + GOOD for prolog in PROLOGS]
    shapes += [
        '<order id="{mark}"/>',
        '<order {mark}="{mark}"/>',
        "<other><customer>{mark}</customer></other>",
        "{mark}",
    ]
    shapes += [GOOD] * 5
    for key, shape in enumerate(shapes, start=1):
        yield key, shape.format(id=key, mark=f"{MARK}{key}", same=f"{MARK}same")
    yield 1000, GOOD.format(id=1000, mark=f"{MARK}é").encode("latin-1")
    yield 1001, GOOD.format(id=1001, mark=f"{MARK}\U0001f98a").encode("utf-16")[:-3]


class Marked:
    """A directory with documents full of marks, and runs in it."""

    def __init__(self, directory: Path, temporary: Path) -> None:
        self.directory = directory
        self.temporary = temporary
        (directory / "marked.yaml").write_text(CONTRACT, encoding="utf-8")
        with closing(sqlite3.connect(directory / "source.db")) as database, database:
            database.execute("CREATE TABLE app_xml (app_id INTEGER PRIMARY KEY, xml)")
            database.executemany("INSERT INTO app_xml VALUES (?, ?)", documents())

    def add(self, *contents: str) -> None:
        """More documents."""
        with closing(sqlite3.connect(self.directory / "source.db")) as database, database:
            database.executemany("INSERT INTO app_xml (xml) VALUES (?)", [(content,) for content in contents])

    def has_log(self) -> bool:
        """Whether a run has committed anything."""
        with closing(sqlite3.connect(self.directory / "target.db")) as database, suppress(sqlite3.OperationalError):
            return bool(database.execute("SELECT COUNT(*) FROM processing_log").fetchone()[0])
        return False

    def change(self) -> None:
        """Break one document, and give others another key."""
        with closing(sqlite3.connect(self.directory / "source.db")) as database, database:
            database.execute("UPDATE app_xml SET xml = xml || '<' WHERE app_id = 1")
            database.execute("UPDATE app_xml SET xml = replace(xml, 'order id=\"', 'order id=\"9') WHERE app_id <> 1")

    def start(self, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        """A command with all its log lines."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("XML_EXTRACTOR_")}
        environment |= {"TMPDIR": str(self.temporary), "XML_EXTRACTOR_LOG_LEVEL": "DEBUG", **variables}
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.directory,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def load(self, *options: str, **variables: str) -> Completed:
        """A run to its end."""
        given = ["--contract", "marked.yaml", "--source", "sqlite:///source.db", "--workers", "2", *options]
        with self.start(str(ROOT / "production_processor.py"), *given, **variables) as process:
            stdout, stderr = process.communicate(timeout=300)
        return Completed(given, process.returncode, stdout, stderr)

    def told(self) -> str:
        """All that is left of runs, except documents and the tables they were loaded into."""
        rejects = self.directory / "rejects"
        files = [path for path in self.directory.rglob("*") if path.is_file() and ".db" not in path.name]
        # Rejected documents are kept as they came, for those who may see them; what is said of them is not.
        files = [path for path in files if rejects not in path.parents or path.name == "rejects.jsonl"]
        kept = [path for path in files if path.name not in ("marked.yaml", "sitecustomize.py")]
        text = [path.read_bytes().decode(errors="replace") for path in kept if "__pycache__" not in path.parts]
        for target in self.directory.glob("target*.db"):
            with closing(sqlite3.connect(target)) as database:
                text += map(str, database.execute("SELECT * FROM processing_log"))
        return "\n".join([*map(str, kept), *text])


@pytest.fixture
def marked(tmp_path: Path) -> Iterator[Marked]:
    # The system limits the length of a socket's path, so the temporary directory is not below tmp_path.
    with TemporaryDirectory(prefix="marked-") as temporary:
        yield Marked(tmp_path, Path(temporary))


def reasons(marked: Marked) -> set[str]:
    with closing(sqlite3.connect(marked.directory / "target.db")) as database:
        found = database.execute("SELECT reason FROM processing_log WHERE status = 'rejected'")
        return {reason.replace(":", " ").split(" ")[0] for (reason,) in found}


def test_no_value_is_told_when_documents_are_rejected_at_any_stage(marked: Marked) -> None:
    ended = marked.load("--target", "sqlite:///target.db")
    assert ended.returncode == 1
    assert {
        "malformed",
        "entity",
        "namespace",
        "doctype",
        "wrong_root",
        "wrong_encoding",
        "control_character",
    } <= reasons(marked)
    assert {
        "not_a_number",
        "too_long",
        "unknown_date_format",
        "unknown_code",
        "not_a_uuid",
        "conversion_failed",
    } <= reasons(marked)
    assert "duplicate_key" in reasons(marked)
    assert "Queued insert" in ended.stderr
    assert MARK not in ended.stdout + ended.stderr + marked.told()


def test_refused_values_are_in_the_list_of_rejects_and_nowhere_else_if_they_are_asked_for(marked: Marked) -> None:
    ended = marked.load("--target", "sqlite:///target.db", "--reject-values")
    assert ended.returncode == 1
    (listing,) = (marked.directory / "rejects").glob("*/rejects.jsonl")
    rejects = [json.loads(line) for line in listing.read_text(encoding="utf-8").splitlines()]
    listing.unlink()
    assert MARK not in ended.stdout + ended.stderr + marked.told()
    at_columns = [reject for reject in rejects if reject["stage"] == "map" and reject["column"]]
    assert len(at_columns) >= 8
    assert all(MARK in reject["value"] for reject in at_columns if reject["code"] != "missing_value")
    assert all(reject["value"] is None for reject in rejects if reject["stage"] != "map")


def test_no_value_is_told_when_documents_are_done_again(marked: Marked) -> None:
    assert marked.load("--target", "sqlite:///target.db").returncode == 1
    marked.change()
    ended = marked.load("--target", "sqlite:///target.db", "--reprocess", "all")
    assert ended.returncode == 1
    assert "not_replaced" in ended.stdout
    assert MARK not in ended.stdout + ended.stderr + marked.told()


def test_no_value_is_told_when_the_program_has_a_defect_or_workers_are_killed(marked: Marked) -> None:
    marked.add(*(f'<order id="{number}" {fate}="1"><customer>{MARK}</customer></order>' for number, fate in FATES))
    hook = marked.directory / "hook"  # nothing in the working directory itself is imported
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(FAULTY_PROGRAM, encoding="utf-8")
    path = os.pathsep.join([str(hook), str(ROOT)])
    ended = marked.load("--target", "sqlite:///target.db", PYTHONPATH=path)
    assert ended.returncode == 1
    assert {"internal_error", "worker_died"} <= reasons(marked)
    assert "Internal error: KeyError" in ended.stderr
    assert "signal 9" in ended.stderr or "exit code 255" in ended.stderr
    assert MARK not in ended.stdout + ended.stderr + marked.told()


FATES = ((3000, "crash"), (3001, "kill"), (3002, "crash"))


def test_no_value_is_told_when_the_whole_run_is_killed(marked: Marked) -> None:
    marked.add(*(GOOD.format(id=number, mark=f"{MARK}{number}") for number in range(5000, 7000)))
    options = ["--contract", "marked.yaml", "--source", "sqlite:///source.db", "--target", "sqlite:///target.db"]
    with marked.start(str(ROOT / "production_processor.py"), *options) as process:
        deadline = time.monotonic() + 60
        while not marked.has_log() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.kill()
        stdout, stderr = process.communicate(timeout=60)
    assert MARK not in stdout + stderr + marked.told()


ADDRESSES = (
    f"mssql://marked:{PASSWORD}@127.0.0.1:9/marked?LoginTimeout=1",
    f"mssql+pyodbc://marked:{PASSWORD}@127.0.0.1:9/marked?driver=none",
    f"postgresql://marked:{PASSWORD}@127.0.0.1/marked",
    f"sqlite://marked:{PASSWORD}@127.0.0.1/target.db",
    f"mssql://marked:{PASSWORD}@[::1/marked",
)


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_password_is_told_when_a_target_cannot_be_reached(marked: Marked, address: str) -> None:
    ended = marked.load(XML_EXTRACTOR_TARGET=address)
    assert ended.returncode in (2, 3)
    assert ended.stderr.count("Error: ") == 1
    assert PASSWORD not in ended.stdout + ended.stderr + marked.told()
    with marked.start("-m", "xml_extractor", "doctor", XML_EXTRACTOR_TARGET=address) as doctor:
        stdout, stderr = doctor.communicate(timeout=120)
    assert PASSWORD not in stdout + stderr
