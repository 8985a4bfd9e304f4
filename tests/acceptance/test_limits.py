"""One document costs one document: those that never finish, those without a usable key, and workers that die."""

import errno
import json
import multiprocessing.synchronize
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.accounts import write_orders
from tests.conftest import ROOT, Command, posix_only
from xml_extractor.errors import RunError, system_error
from xml_extractor.processing.chunks import as_run_error
from xml_extractor.processing.processes import check_system

DOCUMENTS = 12

TEXT = "{path: N, type: nvarchar(100)}"
PATTERN = r"{path: N, type: nvarchar(100), transform: [{replace: {pattern: '^(\w+\s?)+$', with: ''}}]}"
COUNT = "count(//x[count(preceding::*) > 1])"
MANY = "<N>1</N>" + "<x/>" * 100_000

HANGS = {
    "regular expression": (PATTERN, "", f"<N>{'a' * 46}!</N>"),
    "XPath": (f"{{path: '{COUNT}', type: int}}", "", MANY),
    "row condition": (TEXT, f"rows: 'N[{COUNT} > 2]'", MANY),
}
"""Columns and rows that never end, and the document at which they do not."""


def write(directory: Path, column: str, rows: str, content: str) -> None:
    (directory / "contract.yaml").write_text(f"""
contract: hang
version: 1
document: {{root: P}}
tables:
  p:
    {rows or "rows: '.'"}
    columns:
      f: {{run: source_key, key: true}}
      n: {column}
""")
    (directory / "d").mkdir()
    for number in range(DOCUMENTS):
        (directory / "d" / f"{number:02}.xml").write_text(f"<P>{content if number == 5 else '<N>1</N>'}</P>")


OPTIONS = ("--contract", "contract.yaml", "--source", "d", "--target", "sqlite:///target.db", "--no-progress")


def log(directory: Path, status: str = "rejected") -> dict[str, str]:
    with closing(sqlite3.connect(directory / "target.db")) as database:
        return dict(
            database.execute("SELECT document_key, reason FROM processing_log WHERE status = ?", (status,)).fetchall()
        )


@pytest.mark.parametrize("options", [("--workers", "1"), ("--workers", "2", "--insert-mode", "blocking")])
@pytest.mark.parametrize(("column", "rows", "content"), HANGS.values(), ids=HANGS)
def test_a_document_that_never_finishes_costs_that_document(
    tmp_path: Path, production_processor: Command, column: str, rows: str, content: str, options: Sequence[str]
) -> None:
    write(tmp_path, column, rows, content)
    completed = production_processor(*OPTIONS, *options, "--document-timeout", "1")
    assert completed.returncode == 1, completed.stderr
    assert "it took more than 1 s for document 05.xml at stage map" in completed.stderr
    ((key, reason),) = log(tmp_path).items()
    assert (key, reason.partition(":")[0]) == ("05.xml", "timeout")
    assert len(log(tmp_path, "loaded")) == DOCUMENTS - 1
    (listing,) = tmp_path.glob("rejects/*/rejects.jsonl")
    reject = json.loads(listing.read_text())
    assert (reject["key"], reject["stage"], reject["code"]) == ("05.xml", "map", "timeout")
    assert (listing.parent / reject["file"]).read_text() == f"<P>{content}</P>"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems take names in Unicode only")
class TestFilesWithUnusableNames:
    @pytest.fixture
    def directory(self, tmp_path: Path) -> Path:
        write(tmp_path, TEXT, "", "<N>1</N>")
        deep = tmp_path / "d" / ("p" * 120) / ("q" * 120) / ("r" * 120)
        deep.mkdir(parents=True)
        (deep / "deep.xml").write_text("<P><N>deep</N></P>")
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/d/\xff\xfe.xml")).write_text("<P><N>bytes</N></P>")
        (tmp_path / "d" / ("n" * 250 + ".xml")).write_text("<P><N>long</N></P>")
        (tmp_path / "d" / "loop.xml").symlink_to("loop.xml")
        return tmp_path

    @pytest.mark.parametrize("options", [("--workers", "2"), ("--insert-mode", "blocking")])
    def test_each_costs_its_document_and_the_key_can_be_used_everywhere(
        self, directory: Path, production_processor: Command, xml_extractor: Command, options: Sequence[str]
    ) -> None:
        completed = production_processor(*OPTIONS, *options)
        assert completed.returncode == 1, completed.stderr
        assert len(log(directory, "loaded")) == DOCUMENTS + 1
        rejected = log(directory)
        assert rejected.pop("loop.xml").startswith("unreadable")
        undecodable, long = sorted(rejected)
        assert undecodable.startswith("\\udcff\\udcfe.xml~")
        assert len(long) == 300
        assert {reason.partition(":")[0] for reason in rejected.values()} == {"unusable_key"}
        place = ("--contract", "contract.yaml", "--target", "sqlite:///target.db")
        for key, own in ((undecodable, os.fsdecode(b"\xff\xfe.xml")), (long, "")):
            for given in filter(None, (key, own)):
                assert json.loads(xml_extractor("rejects", *place, "--json", "--key", given).stdout)["key"] == key
                shown = xml_extractor("preview", "d", "--contract", "contract.yaml", "--key", given)
                assert (shown.returncode, "unusable_key" in shown.stdout) == (1, True)
        (listing,) = directory.glob("rejects/*/rejects.jsonl")
        lines = {line["key"]: line for line in map(json.loads, listing.read_text().splitlines())}
        assert (listing.parent / lines[undecodable]["file"]).read_text() == "<P><N>bytes</N></P>"
        assert f"{DOCUMENTS + 4} already done" in production_processor(*OPTIONS).stdout
        for key in rejected:
            assert "1 document marked" in xml_extractor("retry", *place, "--key", key).stdout
        from_rejects = ("--source", str(listing.parent))
        assert production_processor(*OPTIONS, *from_rejects).returncode in (0, 1)
        assert set(rejected) <= set(log(directory, "loaded"))


def test_keys_of_a_table_that_the_log_cannot_hold_cost_their_documents(
    tmp_path: Path, production_processor: Command
) -> None:
    write(tmp_path, TEXT, "", "<N>1</N>")
    with closing(sqlite3.connect(tmp_path / "source.db")) as database, database:
        database.execute("CREATE TABLE app_xml (app_id, xml)")
        keys = [None, None, "", "a", "A", "a ", "\ta", "k" * 301, 1.5, b"x", 7]
        database.executemany("INSERT INTO app_xml VALUES (?, '<P><N>1</N></P>')", [(key,) for key in keys])
    source = ("--source", "sqlite:///source.db")
    completed = production_processor(*OPTIONS, *source)
    assert completed.returncode == 1, completed.stderr
    assert set(log(tmp_path, "loaded")) == {"a", "A", "a ", "\ta", "7"}
    assert len(log(tmp_path)) == 6
    assert "11 already done" in production_processor(*OPTIONS, *source).stdout


def test_keys_that_a_log_with_another_collation_takes_for_equal_cost_one_document(
    tmp_path: Path, production_processor: Command
) -> None:
    write(tmp_path, TEXT, "", "<N>1</N>")
    assert production_processor(*OPTIONS, "--limit", "0").returncode == 0
    with closing(sqlite3.connect(tmp_path / "target.db")) as database, database:
        ((statement,),) = database.execute("SELECT sql FROM sqlite_master WHERE name = 'processing_log'").fetchall()
        database.execute("DROP TABLE processing_log")
        changed = re.sub(r"(document_key\W+\w+(?:\(\d+\))?)", r"\1 COLLATE NOCASE", statement, count=1)
        assert changed != statement
        database.execute(changed)
    (tmp_path / "d" / "key.xml").write_text("<P><N>1</N></P>")
    (tmp_path / "d" / "KEY.xml").write_text("<P><N>2</N></P>")
    for rejected, done in ((1, 0), (0, DOCUMENTS + 2)):
        completed = production_processor(*OPTIONS)
        assert f"{rejected} rejected + {done} already done" in completed.stdout, completed.stderr
    ((key, reason),) = log(tmp_path).items()
    assert key.casefold().startswith("key.xml~")
    assert reason.startswith("unusable_key")
    assert len(log(tmp_path, "loaded")) == DOCUMENTS + 1


@posix_only("sends signals to processes")
@posix_only("Windows has no such limit")
def test_a_system_on_which_no_file_can_grow_is_one_line(xml_extractor: Command, tmp_path: Path) -> None:
    write_orders(tmp_path, documents=1)
    xml_extractor("init", "--contract", "orders.yaml", "--target", "sqlite:///loaded.db")
    run = "run --contract orders.yaml --source sqlite:///orders.db --target sqlite:///loaded.db"
    options = "--metrics-dir '' --rejects-dir ''"
    command = f"ulimit -f 0; exec {sys.executable} -m xml_extractor {run} {options}"
    ended = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 3
    error, hint = ended.stderr.splitlines()
    assert error == "Error: there is no temporary directory that can be written"
    assert hint.startswith("Hint: ")


@pytest.mark.skipif(sys.platform != "linux", reason="Other systems limit the size of stacks to what they can give")
def test_a_system_that_starts_no_thread_is_two_lines(xml_extractor: Command, tmp_path: Path) -> None:
    write_orders(tmp_path, documents=1)
    run = "run --contract orders.yaml --source sqlite:///orders.db --target sqlite:///loaded.db"
    # Each thread reserves memory for its stack: 64 TB are too much for any.
    command = f"ulimit -s {2**36}; exec {sys.executable} -m xml_extractor {run} --metrics-dir '' --rejects-dir ''"
    ended = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 3
    error, hint = ended.stderr.splitlines()
    assert error == "Error: the system has no resources left: no thread can be started"
    assert "`ulimit -u`" in hint


def test_a_missing_temporary_directory_is_an_error_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/no/such/directory"])
    monkeypatch.setattr(tempfile, "tempdir", None)
    with pytest.raises(FileNotFoundError) as raised:
        tempfile.gettempdir()
    explained = system_error(raised.value)
    assert explained is not None
    assert explained.message == "there is no temporary directory that can be written"
    assert system_error(FileNotFoundError(2, "No such file or directory", "a.xml")) is None


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("can't start new thread"), *(OSError(n, "") for n in (errno.EMFILE, errno.EAGAIN))],
)
def test_what_a_system_has_no_more_of_is_no_defect(error: Exception) -> None:
    for explained in (system_error(error), as_run_error(error)):
        assert explained is not None
        assert "left" in explained.message
        assert "fewer workers" in explained.tip
    assert system_error(RuntimeError("anything else")) is None


@posix_only("Windows has semaphores of its own")
def test_a_system_without_semaphores_is_an_error_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(multiprocessing.synchronize.SemLock, "__init__", refuse)
    with pytest.raises(RunError, match="no semaphores for processes: Read-only") as raised:
        check_system(workers=1)
    assert "/dev/shm" in raised.value.tip


@posix_only("sets handlers of signals")
def test_the_process_of_the_queue_ends_if_a_thread_of_it_fails_because_clients_would_wait_forever() -> None:
    program = (
        "import threading, time; from xml_extractor.processing import insert_queue\n"
        "insert_queue._set_up_manager(); threading.Thread(target=lambda: 1 / 0).start(); time.sleep(60)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 3


def test_a_preview_that_never_finishes_can_be_interrupted(tmp_path: Path) -> None:
    write(tmp_path, *HANGS["XPath"])
    command = [sys.executable, "-m", "xml_extractor", "preview", "d/05.xml", "--contract", "contract.yaml"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(6)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) in (130, -signal.SIGINT)
        assert "Traceback" not in (process.stderr.read() if process.stderr else "")
