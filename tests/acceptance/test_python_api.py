"""The Python API: the examples of its page are executed, and a run in this process loads what the command loads."""

import asyncio
import doctest
import gc
import os
import pickle
import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import xml_extractor
from tests.conftest import ROOT, Command
from tests.table_hashes import table_hashes
from xml_extractor.api.running import RunOptions
from xml_extractor.cli.options import SOURCE_OPTIONS, TARGET_OPTIONS, names_of
from xml_extractor.cli.run_options import RUN_OPTIONS
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.reading import read_contract
from xml_extractor.documents import Outcome, ProcessedDocument
from xml_extractor.parsing.cutting import _names_in_scope
from xml_extractor.targets.loader import Loader
from xml_extractor.targets.registry import open_target

PAGE = ROOT / "documentation" / "reference" / "python-api.md"
TUTORIAL = ROOT / "documentation" / "tutorial" / "first-load.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
MOST_NAMES = 12

CONTRACT = """
contract: notes
version: 1
document: {root: [note, gone], other_roots: skip, deleted: "self::gone", revision: {of: "@id", order: source}}
tables:
  note:
    rows: "."
    columns:
      id: {path: "@id", type: int, key: true}
      source_key: {run: source_key}
      run: {run: run_id}
"""


@pytest.fixture
def orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the contract and the documents of the tutorial."""
    monkeypatch.chdir(tmp_path)
    found = BLOCK.findall(TUTORIAL.read_text(encoding="utf-8"))
    (tmp_path / "orders").mkdir()
    for number, text in zip((1001, 1002), (text for kind, text in found if kind == "xml"), strict=True):
        (tmp_path / "orders" / f"{number}.xml").write_text(text, encoding="utf-8")
    (contract,) = (text for kind, text in found if kind == "yaml" and text.startswith("contract:"))
    (tmp_path / "orders.yaml").write_text(contract, encoding="utf-8")
    return tmp_path


@pytest.mark.usefixtures("orders")
def test_the_examples_of_the_page_give_what_it_shows() -> None:
    examples = "\n".join(text for kind, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")) if kind == "pycon")
    test = doctest.DocTestParser().get_doctest(examples, {}, PAGE.name, str(PAGE), 0)
    assert len(test.examples) > 10
    assert doctest.DocTestRunner().run(test).failed == 0


def test_the_page_names_each_name_and_they_are_few() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("\n## ")[0]
    named = {name.partition("(")[0] for name in re.findall(r"^\| `(.+?)` \|", table, re.MULTILINE)}
    assert named == set(xml_extractor.__all__)
    assert len(xml_extractor.__all__) <= MOST_NAMES
    assert all(hasattr(xml_extractor, name) and name in dir(xml_extractor) for name in xml_extractor.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Pipeline'"):
        _ = xml_extractor.Pipeline


def test_the_import_alone_imports_no_library() -> None:
    program = "import sys, xml_extractor; print(*{name.split('.')[0] for name in sys.modules})"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    shown = subprocess.run([sys.executable, "-S", "-c", program], env=environment, check=True, capture_output=True)
    assert set(shown.stdout.decode().split()) <= {*sys.stdlib_module_names, "xml_extractor", "__main__"}


def test_one_worker_loads_the_same_rows_without_a_main_guard_or_a_process(
    tmp_path: Path, xml_extractor: Command
) -> None:
    documents = f"sqlite:///{tmp_path / 'documents.db'}"
    assert xml_extractor("sample", "card_application", "60", "--faulty", "5%", "--to", documents).returncode == 0
    options = ["--contract", "card_application", "--source", documents, "--workers", "2", "--no-progress"]
    command = xml_extractor("run", *options, "--target", f"sqlite:///{tmp_path / 'command.db'}")
    program = (
        "import sys, xml_extractor\n"
        "from multiprocessing import active_children, resource_tracker\n"
        f"addresses = {documents!r}, 'sqlite:///program.db'\n"
        "result = xml_extractor.run('card_application', *addresses, metrics_dir='figures')\n"
        "print(result.statistics.documents_line, result.exit_code)\n"
        "sys.exit(bool(active_children() or resource_tracker._resource_tracker._pid))\n"
    )
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    called = [sys.executable, "-W", "error", "program.py"]
    shown = subprocess.run(called, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True)
    assert (shown.returncode, shown.stderr) == (0, "")
    (line,) = [line for line in command.stdout.splitlines() if line.startswith("Documents: ")]
    assert shown.stdout.strip() == f"{line} {command.returncode}"
    assert hashes(tmp_path / "program.db") == hashes(tmp_path / "command.db")
    assert (tmp_path / "figures" / "latest.json").is_file()
    assert len(list((tmp_path / "rejects").iterdir())) == 1, "the program writes none"


@pytest.mark.parametrize(
    ("target", "options", "transactions"),
    [
        ("sqlite:///notes.db", {}, [2, 2, 2]),
        ("sqlite:///notes.db", {"insert_mode": "blocking"}, [1, 1, 1, 1, 1, 1]),
        ("parquet:lake", {}, [6]),
    ],
)
def test_a_run_in_this_process_commits_what_the_insert_mode_and_the_target_ask_for(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    target: str,
    options: dict[str, Any],
    transactions: list[int],
) -> None:
    if target.startswith("parquet:"):
        pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    monkeypatch.chdir(tmp_path)
    contract = re.sub(r"document: .*", "document: {root: note}", CONTRACT)
    (tmp_path / "notes.yaml").write_text(contract, encoding="utf-8")
    (tmp_path / "notes").mkdir()
    for number in range(6):
        (tmp_path / "notes" / f"{number}.xml").write_text(f"<note id='{number}'/>")
    loaded: list[int] = []
    load = Loader.load

    def counted(self: Loader, documents: Sequence[ProcessedDocument]) -> list[Outcome]:
        loaded.append(len(documents))
        return load(self, documents)

    monkeypatch.setattr(Loader, "load", counted)
    assert xml_extractor.run("notes.yaml", "notes", target, **options).exit_code == 0
    assert loaded == transactions


def hashes(database: Path) -> dict[str, str]:
    contract = read_contract("card_application")
    with closing(open_target(f"sqlite:///{database}", contract).connect()) as connection:
        return table_hashes(connection, layouts(contract))


def test_a_run_that_cannot_continue_raises_its_error(orders: Path) -> None:
    with pytest.raises(xml_extractor.XmlExtractorError, match="were rejected") as stopped:
        xml_extractor.run("orders.yaml", "orders/1002.xml", "sqlite:///orders.db", max_rejects=0)
    assert stopped.value.exit_code == 4
    with pytest.raises(xml_extractor.RunError, match="there is no file"):
        xml_extractor.run("orders.yaml", f"sqlite:///{orders / 'nothing.db'}", "sqlite:///orders.db")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"limit": -1}, "limit is -1"),
        ({"workers": 0}, "workers is 0"),
        ({"batch_size": "many"}, "batch_size is 'many'"),
        ({"range": "1"}, "'1' is not a range"),
        ({"shard": "3/2"}, "'3/2' is not a shard"),
        ({"max_tolerated": "a=b"}, "is not a limit of tolerated values"),
        ({"engine": "hadoop"}, "engine is 'hadoop'"),
        ({"reprocess": "nothing"}, "reprocess is 'nothing'"),
        ({"reprocess_version": 1}, "reprocess_version requires reprocess"),
        ({"in_process": True}, "no option 'in_process'"),
        ({"limit": True}, "limit is True"),
        ({"workers": "auto"}, "workers is 'auto'"),
        ({"batch_size": None}, "batch_size is None"),
        ({"range": (1, 2)}, "range has the type tuple"),
        ({"max_rejects": 0.5}, "max_rejects has the type float"),
        ({"reject_values": "no"}, "reject_values is 'no'"),
        ({"metrics_dir": b"metrics"}, "metrics_dir has the type bytes"),
        ({"rejects_dir": "\0"}, "rejects_dir has a NUL"),
        ({"on_progress": None}, "on_progress has the type NoneType"),
        ({"contract": 5}, "contract has the type int"),
        ({"source": b"notes"}, "source has the type bytes"),
        ({"target": None}, "target has the type NoneType"),
        ({"source": "n" * 300}, "cannot be used: File name too long"),
    ],
)
def test_an_argument_that_cannot_be_used_is_an_error(option: dict[str, Any], message: str) -> None:
    arguments = {"contract": "card_application", "source": "nowhere", "target": "sqlite:///nothing.db"} | option
    with pytest.raises(xml_extractor.XmlExtractorError, match=message) as error:
        xml_extractor.run(**arguments)
    assert error.value.tip


@pytest.mark.parametrize("path", [None, 5, b"orders.yaml", ["orders.yaml"], "orders\0.yaml", "n" * 300])
def test_a_path_that_cannot_be_used_is_an_error(path: Any, orders: Path) -> None:
    contract = xml_extractor.read_contract(orders / "orders.yaml")
    calls = (xml_extractor.read_contract, lambda path: list(contract.iterate(path)))
    for call in calls if isinstance(path, str | bytes) else (*calls, contract.map):
        with pytest.raises(xml_extractor.XmlExtractorError):
            call(path)


def test_a_system_without_threads_is_an_error_with_a_hint(orders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(xml_extractor.RunError, match="no thread can be started") as error:
        xml_extractor.run("orders.yaml", "orders", f"sqlite:///{orders / 'orders.db'}")
    assert "`ulimit -u`" in error.value.tip


def test_a_run_has_the_contract_that_was_read(orders: Path) -> None:
    contract = xml_extractor.read_contract("orders.yaml")
    (orders / "orders.yaml").unlink()
    assert xml_extractor.run(contract, "orders", "sqlite:///orders.db").statistics.loaded == 1


def test_one_worker_with_a_document_timeout_is_a_process_that_can_be_ended(tmp_path: Path) -> None:
    path = "a[count(//b[following::b[following::b[following::b]]]) > 1]"
    slow = re.sub(r"document: .*", "document: {root: note}", CONTRACT)
    slow = slow.replace("source_key: {run: source_key}", f'a: {{path: "{path}", type: int}}')
    (tmp_path / "notes.yaml").write_text(slow, encoding="utf-8")
    (tmp_path / "notes").mkdir()
    for number, elements in enumerate((0, 20_000)):
        text = f"<note id='{number}'><a>1</a>{'<b/>' * elements}</note>"
        (tmp_path / "notes" / f"{number}.xml").write_text(text, encoding="utf-8")
    target = f"sqlite:///{tmp_path / 'notes.db'}"
    result = xml_extractor.run(tmp_path / "notes.yaml", tmp_path / "notes", target, document_timeout=1)
    assert (result.statistics.loaded, result.statistics.rejected) == (1, 1)
    assert [code for _, code in result.statistics.reasons] == ["timeout"]


def test_runs_at_once_in_threads_leave_the_process_as_it_was(orders: Path) -> None:
    gc.unfreeze()  # Python 3.12 starts with some objects frozen
    before = gc.get_threshold(), 0, threading.active_count()

    async def runs() -> list[xml_extractor.RunResult]:
        calls = (partial(xml_extractor.run, "orders.yaml", "orders", f"sqlite:///{n}.db") for n in range(3))
        return await asyncio.gather(*map(asyncio.to_thread, calls))

    assert [result.statistics.loaded for result in asyncio.run(runs())] == [1, 1, 1]
    assert (gc.get_threshold(), gc.get_freeze_count(), threading.active_count()) == before


def test_nothing_of_the_documents_is_kept_but_their_names(tmp_path: Path) -> None:
    text = re.sub(r"document: .*", 'namespaces: {x: "urn:x"}\\ndocument: {root: note}\\nignore: "x:y"', CONTRACT)
    (tmp_path / "notes.yaml").write_text(text, encoding="utf-8")
    contract = xml_extractor.read_contract(tmp_path / "notes.yaml")
    for number in range(600):
        contract.map(f"<note id='1' xmlns:a='urn:{number}' xmlns:x='urn:x'><x:y/></note>", key=1)
    assert 0 < _names_in_scope.cache_info().currsize < 600


def test_all_options_of_the_command_are_there_but_for_addresses_and_what_only_a_command_shows() -> None:
    of_command = {"progress", "log_level", "log_format", "log_table", "log_target", "contract", "workers"}
    addresses = {*names_of(SOURCE_OPTIONS), *names_of(TARGET_OPTIONS)}
    assert set(RunOptions.__annotations__) == set(names_of(RUN_OPTIONS)) - addresses - of_command


def test_a_contract_maps_bytes_text_and_files_in_other_processes_too(orders: Path) -> None:
    contract = pickle.loads(pickle.dumps(xml_extractor.read_contract(orders / "orders.yaml")))
    path = orders / "orders" / "1001.xml"
    assert contract.map(path) == contract.map(path.read_bytes()) == contract.map(path.read_text(encoding="utf-8"))
    with pytest.raises(xml_extractor.UsageError, match="no XML document") as error:
        contract.map(str(path))
    assert "pathlib.Path" in error.value.tip
    with pytest.raises(xml_extractor.UsageError, match=r"nothing\.xml cannot be read"):
        contract.map(orders / "nothing.xml")
    with pytest.raises(xml_extractor.RejectedError) as rejected:
        contract.map(b"<Order number='1'/>")
    assert pickle.loads(pickle.dumps(rejected.value)).failure == rejected.value.failure


def test_iterating_gives_each_document_its_status(tmp_path: Path) -> None:
    (tmp_path / "notes.yaml").write_text(CONTRACT, encoding="utf-8")
    (tmp_path / "notes").mkdir()
    for name, text in {"a": "<note id='1'/>", "b": "<gone id='1'/>", "c": "<letter/>", "d": "<note", "e": ""}.items():
        (tmp_path / "notes" / f"{name}.xml").write_text(text, encoding="utf-8")
    contract = xml_extractor.read_contract(tmp_path / "notes.yaml")
    found = {document.key: document for document in contract.iterate(tmp_path / "notes", run_id="night")}
    statuses = [document.status for document in found.values()]
    assert statuses == ["mapped", "deleted", "skipped", "rejected", "rejected"]
    assert found["a.xml"].rows == {"note": [{"id": 1, "source_key": "a.xml", "run": "night"}]}
    assert [document.failure is None for document in found.values()] == [True, True, False, False, False]
    assert found["b.xml"].revision is not None
    assert found["b.xml"].revision.of == ("1",)
    with pytest.raises(xml_extractor.UsageError, match="reads no key"):
        contract.map(b"<note id='1'/>")
    assert contract.map(b"<gone id='1'/>", key=7) == {"note": []}


def test_records_of_a_file_are_iterated_not_mapped(tmp_path: Path) -> None:
    text = CONTRACT.replace(
        'root: [note, gone], other_roots: skip, deleted: "self::gone", revision: {of: "@id", order: source}',
        "root: notes, records: note",
    )
    (tmp_path / "notes.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "notes.xml").write_text("<notes><note id='1'/><note id='x'/></notes>", encoding="utf-8")
    contract = xml_extractor.read_contract(tmp_path / "notes.yaml")
    assert [document.status for document in contract.iterate(tmp_path / "notes.xml")] == ["mapped", "rejected"]
    with pytest.raises(xml_extractor.UsageError, match="records of files"):
        contract.map(tmp_path / "notes.xml")


@pytest.mark.parametrize(("name", "message"), [("daemon", "a daemonic process"), ("_inheriting", "imported the main")])
def test_a_process_that_may_start_no_processes_uses_one_worker(
    name: str, message: str, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import multiprocessing

    process = multiprocessing.current_process()
    if name == "daemon":
        monkeypatch.setitem(process._config, name, True)  # type: ignore[attr-defined]
    else:
        monkeypatch.setattr(process, name, True, raising=False)
    target = f"sqlite:///{orders / 'orders.db'}"
    with pytest.raises(xml_extractor.UsageError, match=message):
        xml_extractor.run("orders.yaml", "orders", target, workers=2)
    assert xml_extractor.run("orders.yaml", "orders", target).statistics.loaded == 1
