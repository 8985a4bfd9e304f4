"""The commands as a user and a scheduler see them: what is on the screen, and the exit code."""

import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.acceptance.accounts import Accounts, accounts, last_metrics, order, query, summed, write_orders
from tests.conftest import ROOT, Command, Completed, called_in, command_in, posix_only
from xml_extractor.contract.reading import shipped_contracts

PROGRAM = [sys.executable, "-m", "xml_extractor"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("XML_EXTRACTOR_")}
ENVIRONMENT["PYTHONPATH"] = str(ROOT)

ORDERS_RUN = ("--contract", "orders.yaml", "--source", "sqlite:///orders.db", "--target", "sqlite:///loaded.db")


def call(directory: Path, *arguments: str, **variables: str) -> Completed:
    return subprocess.run(
        [*PROGRAM, *arguments],
        cwd=directory,
        env={**ENVIRONMENT, **variables},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


class TestNightlyRun:
    def test_runs_with_a_limit_load_the_next_documents_until_nothing_is_left(
        self, xml_extractor: Command, tmp_path: Path
    ) -> None:
        production_processor = command_in([str(ROOT / "production_processor.py")], tmp_path)
        assert xml_extractor("sample", "card_application", "250").returncode == 0
        options = ["--workers", "4", "--batch-size", "100", "--log-level", "INFO"]
        target = tmp_path / "xml_extractor.db"

        first = production_processor(*options, "--limit", "100")
        assert first.returncode == 0
        assert accounts(first.stdout, tmp_path, target) == Accounts(100, 100, 0, 0)
        assert_known_log_lines(first.stderr, documents=100, rows=sum(last_metrics(tmp_path)["rows"].values()))

        next_hundred = production_processor(*options, "--limit", "100")
        assert next_hundred.returncode == 0
        assert accounts(next_hundred.stdout, tmp_path, target) == Accounts(200, 100, 0, 100)

        rest = production_processor(*options)
        assert rest.returncode == 0
        assert accounts(rest.stdout, tmp_path, target) == Accounts(250, 50, 0, 200)

        nothing = production_processor(*options)
        assert nothing.returncode == 0
        assert accounts(nothing.stdout, tmp_path, target) == Accounts(250, 0, 0, 250)
        assert "Nothing to do: the source has no new documents." in nothing.stdout
        assert query(target, "SELECT count(*), count(DISTINCT run_id) FROM processing_log") == [(250, 3)]


def assert_known_log_lines(text: str, *, documents: int, rows: int) -> None:
    line = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO    (\w+(?:-\d+)?) (.+)")
    found = [match.groups() for match in map(line.fullmatch, text.splitlines()) if match]
    assert len(found) == len(text.splitlines()), text
    assert re.fullmatch(r"Run \S+ started: contract card_application version 1, .+", found.pop(0)[1])
    assert re.fullmatch(r"Run \S+ finished \(exit code 0\): Documents: .+", found.pop()[1])
    assert found[0] == ("MainProcess", "Insert queue created (max_size=10000)")
    assert found[1] == ("MainProcess", "Background insert thread started")
    queued = [re.fullmatch(r"Queued insert \(documents=(\d+), rows=(\d+)\)", message) for _, message in found[2:-1]]
    assert sum(int(match[1]) for match in queued if match) == documents
    assert sum(int(match[2]) for match in queued if match) == rows
    assert {process.partition("-")[0] for process, _ in found[2:-1]} == {"ForkServerPoolWorker"}
    process, last = found[-1]
    assert process == "MainProcess"
    assert re.fullmatch(rf"Background thread final stats: batches=\d+, inserted={rows}, elapsed=\d+\.\d\d", last)


class TestParts:
    def test_shards_share_the_documents_and_a_range_takes_those_between_its_keys(
        self, production_processor: Command, tmp_path: Path
    ) -> None:
        write_orders(tmp_path, 90)
        target = tmp_path / "loaded.db"
        options = [*ORDERS_RUN, "--workers", "1"]

        part = production_processor(*options, "--range", "11:20")
        assert accounts(part.stdout, tmp_path, target) == Accounts(10, 10, 0, 0)
        assert query(target, "SELECT min(order_id), max(order_id), count(*) FROM orders") == [(11, 20, 10)]

        again = production_processor(*options, "--range", "11:20")
        assert accounts(again.stdout, tmp_path, target) == Accounts(10, 0, 0, 10)
        assert "Nothing to do" in again.stdout
        assert "Nothing to do: the source has no document" not in again.stdout

        shards = [production_processor(*options, "--shard", f"{number}/2") for number in (1, 2)]
        sums = [summed(shard.stdout) for shard in shards]
        assert [shard.returncode for shard in shards] == [0, 0]
        assert sum(found.seen for found in sums) == 90
        assert all(found.loaded > 20 for found in sums)
        assert query(target, "SELECT count(*) FROM orders") == [(90,)]

    def test_two_runs_at_once_load_each_document_once(self, tmp_path: Path) -> None:
        write_orders(tmp_path, 600)
        with ThreadPoolExecutor(2) as pool:
            runs = [pool.submit(call, tmp_path, "run", *ORDERS_RUN, "--workers", "1") for _ in range(2)]
            first, second = [each.result() for each in runs]
        assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
        assert summed(first.stdout).loaded + summed(second.stdout).loaded == 600
        assert query(tmp_path / "loaded.db", "SELECT count(*), count(DISTINCT order_id) FROM orders") == [(600, 600)]
        assert query(tmp_path / "loaded.db", "SELECT count(*) FROM line") == [(600,)]


class TestRejects:
    def test_more_rejects_than_allowed_end_the_run_with_its_summary_and_metrics(
        self, production_processor: Command, tmp_path: Path
    ) -> None:
        write_orders(tmp_path, 0)
        (tmp_path / "orders").mkdir()
        for number in range(1, 41):
            (tmp_path / "orders" / f"{number:03}.xml").write_text(order(number).replace("customer>", "buyer>"))
        completed = production_processor(
            *("--contract", "orders.yaml", "--source", "orders", "--target", "sqlite:///loaded.db"),
            *("--workers", "1", "--max-rejects", "5"),
        )
        assert completed.returncode == 4
        metrics = last_metrics(tmp_path)
        rejected = metrics["documents"]["rejected"]
        message = f"{rejected} of {rejected} documents were rejected, more than --max-rejects allows"
        assert completed.stderr == (
            f"Error: {message}\nHint: the reasons are in the processing log; what was loaded stays\n"
        )
        assert rejected > 5
        assert metrics["failure"] == message
        assert metrics["rejects"] == [
            {"stage": "map", "code": "missing_value", "documents": rejected, "example_key": "001.xml"}
        ]
        assert summed(completed.stdout) == Accounts(rejected, 0, rejected, 0)

    def test_documents_of_another_contract_are_all_rejected(
        self, production_processor: Command, tmp_path: Path
    ) -> None:
        write_orders(tmp_path, 5)
        completed = production_processor(
            "--contract", "card_application", "--source", "sqlite:///orders.db", "--workers", "1"
        )
        assert (completed.returncode, completed.stderr) == (1, "")
        found = accounts(completed.stdout, tmp_path, tmp_path / "xml_extractor.db")
        assert found == Accounts(5, 0, 5, 0)
        assert re.search(r"^ +5  parse: wrong_root\n +1$", completed.stdout, re.MULTILINE)


class TestMetrics:
    def test_the_metrics_file_says_what_ran_and_where_and_holds_no_path_to_a_secret(
        self, production_processor: Command, tmp_path: Path
    ) -> None:
        write_orders(tmp_path, 30)
        completed = production_processor(*ORDERS_RUN, "--workers", "2", "--metrics-dir", "metrics/nightly")
        (path,) = (tmp_path / "metrics" / "nightly").glob("metrics_*.json")
        metrics = json.loads(path.read_text(encoding="utf-8"))
        assert path.name == f"metrics_{metrics['run_id']}.json"
        assert f"Metrics: {path.relative_to(tmp_path)}" in completed.stdout.splitlines()
        assert completed.stdout.startswith(f"Run {metrics['run_id']}: contract orders version 1\n")
        assert metrics["contract"]["name"] == "orders"
        assert re.fullmatch(r"[0-9a-f]{64}", metrics["contract"]["hash"])
        assert (metrics["source"], metrics["target"]) == ("sqlite:///orders.db", "sqlite:///loaded.db")
        assert metrics["rows"] == {"orders": 30, "line": 30}
        assert (metrics["interrupted"], metrics["failure"], metrics["rejects"]) == (False, None, [])
        assert metrics["documents_per_minute"] == pytest.approx(30 / metrics["elapsed_seconds"] * 60, rel=0.01)
        assert set(metrics["stage_seconds"]) == {"fetch", "parse", "map", "enqueue", "insert", "commit"}
        assert metrics["queue"]["enqueued"] == metrics["queue"]["dequeued"] > 0
        (thread,) = metrics["insert_threads"]
        assert (thread["documents"], thread["inserted"]) == (30, 60)
        assert metrics["settings"]["workers"] == 2
        assert metrics["started_at"].endswith("Z")
        assert metrics["started_at"] <= metrics["finished_at"]


class TestConfiguration:
    def test_the_command_line_goes_before_the_environment_and_that_before_the_file(
        self, production_processor: Command, tmp_path: Path
    ) -> None:
        write_orders(tmp_path, 20)
        (tmp_path / "xml_extractor.toml").write_text(
            'contract = "orders.yaml"\nsource = "sqlite:///orders.db"\ntarget = "sqlite:///loaded.db"\n'
            "workers = 1\nlimit = 2\nbatch_size = 3\nprogress = false\n",
            encoding="utf-8",
        )
        completed = production_processor("--limit", "4", XML_EXTRACTOR_LIMIT="3", XML_EXTRACTOR_BATCH_SIZE="7")
        assert (completed.returncode, completed.stderr) == (0, "")
        assert summed(completed.stdout) == Accounts(4, 4, 0, 0)
        settings = last_metrics(tmp_path)["settings"]
        assert (settings["workers"], settings["batch_size"], settings["limit"]) == (1, 7, 4)


@posix_only("sends signals to processes")
class TestInterruption:
    def test_a_signal_ends_the_run_in_order_and_the_next_run_completes(
        self, production_processor: Command, tmp_path: Path
    ) -> None:
        write_orders(tmp_path, 8_000)
        target = tmp_path / "loaded.db"
        for number in (signal.SIGINT, signal.SIGTERM):
            before = loaded_so_far(target)
            code, summary, errors = interrupted_run(tmp_path, number, partial(has_more_than, target, before))
            assert code == 130
            assert "Error" not in errors
            assert "Interrupted: what is counted here is committed; run the same command again to continue." in summary
            found = accounts(summary, tmp_path, target)
            assert 0 < found.loaded < 8_000
            assert found.already_done == before
            assert last_metrics(tmp_path)["interrupted"] is True
        rest = production_processor(*ORDERS_RUN, "--workers", "2")
        assert rest.returncode == 0
        assert accounts(rest.stdout, tmp_path, target).seen == 8_000
        assert query(target, "SELECT count(*), count(DISTINCT order_id) FROM orders") == [(8_000, 8_000)]
        assert query(target, "SELECT count(*) FROM line") == [(8_000,)]


def loaded_so_far(target: Path) -> int:
    if not target.exists():
        return 0
    with suppress(sqlite3.OperationalError):
        ((loaded,),) = query(target, "SELECT count(*) FROM processing_log")
        return int(loaded)
    return 0


def has_more_than(target: Path, documents: int) -> bool:
    return loaded_so_far(target) > documents


def interrupted_run(directory: Path, number: signal.Signals, is_time: Callable[[], bool]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a run that gets a signal when it is time."""
    arguments = [*PROGRAM, "run", *ORDERS_RUN, "--workers", "2", "--batch-size", "500"]
    pipe = subprocess.PIPE
    with subprocess.Popen(arguments, cwd=directory, env=ENVIRONMENT, stdout=pipe, stderr=pipe, text=True) as process:
        while process.poll() is None and not is_time():
            time.sleep(0.02)
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors


@posix_only("sends signals to processes")
@pytest.mark.skipif(
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="the tests run in the background, where Ctrl-C is ignored"
)
def test_a_command_that_is_ended_by_a_signal_says_so_in_one_line(tmp_path: Path) -> None:
    arguments = [*PROGRAM, "sample", "card_application", "100000", "--to", "cards.zip"]
    for number in (signal.SIGINT, signal.SIGTERM):
        with subprocess.Popen(arguments, cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as process:
            while process.poll() is None and not list(tmp_path.iterdir()):
                time.sleep(0.02)
            process.send_signal(number)
            _, errors = process.communicate(timeout=30)
        assert (process.returncode, errors.lstrip()) == (130, "Error: interrupted\n")
        assert list(tmp_path.iterdir()) == []


class TestOutput:
    @posix_only("Windows reports a reader that has gone in another way")
    @pytest.mark.parametrize(
        ("command", "code"),
        [
            ("schema", 0),
            ("init --sql", 0),
            ("preview orders --contract orders.yaml --json", 0),
            ("run --contract card_application --source orders --target sqlite:///rejects.db --workers 1", 1),
        ],
    )
    def test_a_reader_that_has_gone_changes_no_exit_code(self, command: str, code: int, tmp_path: Path) -> None:
        write_orders(tmp_path, 0)
        (tmp_path / "orders").mkdir()
        (tmp_path / "orders" / "1.xml").write_text(order(1), encoding="utf-8")
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "wb") as output:
            completed = subprocess.run(
                [*PROGRAM, *command.split()],
                cwd=tmp_path,
                env=ENVIRONMENT,
                stdout=output,
                stderr=subprocess.PIPE,
                check=False,
                timeout=60,
            )
        assert (completed.returncode, completed.stderr) == (code, b"")

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no file that is always full")
    def test_a_full_disk_below_the_output_is_a_failure_in_one_line(self, tmp_path: Path) -> None:
        with Path("/dev/full").open("w", encoding="utf-8") as full:
            completed = subprocess.run(
                [*PROGRAM, "schema"],
                cwd=tmp_path,
                env=ENVIRONMENT,
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
                timeout=60,
            )
        assert completed.returncode == 3
        assert completed.stderr == (
            "Error: the output cannot be written: No space left on device\nHint: redirect it to another file system\n"
        )

    def test_nothing_is_cut_or_wrapped_where_no_terminal_is(self, xml_extractor: Command, tmp_path: Path) -> None:
        write_orders(tmp_path, 0)
        name = f"{'long ' * 40}name.xml"
        (tmp_path / name).write_text(order(1).replace("Customer 1", "x" * 200), encoding="utf-8")
        (tmp_path / "wide.yaml").write_text(
            (tmp_path / "orders.yaml").read_text(encoding="utf-8").replace("nvarchar(20)", "nvarchar(max)"),
            encoding="utf-8",
        )
        shown = xml_extractor("preview", name, "--contract", "wide.yaml", COLUMNS="40")
        assert shown.returncode == 0
        assert f"1         {'x' * 200}" in shown.stdout.splitlines()
        refused = xml_extractor(
            "run", "--contract", "card_application", "--source", name, "--workers", "1", COLUMNS="40"
        )
        assert refused.returncode == 1
        assert re.search(rf"^ +1  parse: wrong_root\n +{name}$", refused.stdout, re.MULTILINE)

    @posix_only("opens a pseudo-terminal")
    def test_a_terminal_gets_a_bar_that_lines_do_not_garble(self, tmp_path: Path) -> None:
        write_orders(tmp_path, 300)
        shown = on_a_terminal(tmp_path, "run", *ORDERS_RUN, "--workers", "1")
        assert "Loading" in shown
        assert summed(shown.replace("\r\n", "\n")) == Accounts(300, 300, 0, 0)
        quiet = on_a_terminal(tmp_path, "run", *ORDERS_RUN, "--workers", "1", "--log-level", "INFO")
        assert "Loading" not in quiet
        assert "Insert queue created" in quiet


def on_a_terminal(directory: Path, *arguments: str) -> str:
    """What a terminal shows, without colours and movements of the cursor."""
    import pty  # not on Windows

    main, terminal = pty.openpty()
    environment = {**ENVIRONMENT, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
    with subprocess.Popen(
        [*PROGRAM, *arguments], cwd=directory, env=environment, stdout=terminal, stderr=terminal, close_fds=True
    ) as process:
        os.close(terminal)
        shown = bytearray()
        # Linux ends a terminal that nobody writes to any more with an error.
        with suppress(OSError):
            while part := os.read(main, 65536):
                shown += part
        process.wait(timeout=60)
    os.close(main)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())


class TestPreview:
    def test_a_document_is_shown_as_rows_as_json_and_step_by_step(self, xml_extractor: Command, tmp_path: Path) -> None:
        write_orders(tmp_path, 3)
        options = ["preview", "sqlite:///orders.db", "--contract", "orders.yaml", "--key", "2"]
        rows = xml_extractor(*options)
        assert (rows.returncode, rows.stderr) == (0, "")
        assert rows.stdout == (
            "orders: 1 row\norder_id  customer\n2         Customer 2\n"
            "\nline: 1 row\norder_id  line_no  price\n2         1        2.50\n"
        )
        as_json = xml_extractor(*options, "--json")
        assert json.loads(as_json.stdout) == {
            "orders": [{"order_id": 2, "customer": "Customer 2"}],
            "line": [{"order_id": 2, "line_no": 1, "price": "2.50"}],
        }
        steps = xml_extractor(*options, "--explain", "price")
        assert steps.stdout.startswith("line.price, row 1\nstep ")
        assert "convert to decimal(9,2)  2.50" in steps.stdout
        assert not (tmp_path / "xml_extractor.db").exists()

    def test_a_document_that_would_be_rejected_is_shown_with_its_reason_and_without_its_values(
        self, xml_extractor: Command, tmp_path: Path
    ) -> None:
        write_orders(tmp_path, 0)
        (tmp_path / "1.xml").write_text('<order id="hunter2"><customer>x</customer></order>', encoding="utf-8")
        shown = xml_extractor("preview", "1.xml", "--contract", "orders.yaml")
        assert (shown.returncode, shown.stderr) == (1, "")
        assert shown.stdout.startswith("Rejected at stage map: not_a_number")
        as_json = xml_extractor("preview", "1.xml", "--contract", "orders.yaml", "--json")
        assert as_json.returncode == 1
        assert json.loads(as_json.stdout)["rejected"]["code"] == "not_a_number"
        assert "hunter2" not in shown.stdout + as_json.stdout


def test_tables_are_made_once_and_their_statements_run_as_they_are_printed(
    xml_extractor: Command, tmp_path: Path
) -> None:
    write_orders(tmp_path, 0)
    made = xml_extractor("init", "--contract", "orders.yaml", "--target", "sqlite:///made.db")
    again = xml_extractor("init", "--contract", "orders.yaml", "--target", "sqlite:///made.db")
    no_differences = "0 errors and 0 warnings in sqlite:///made.db\n"
    said = f"{no_differences}sqlite:///made.db has the 2 tables of orders and the processing log\n"
    assert (made.stdout, again.stdout) == (said, said)
    script = xml_extractor("init", "--contract", "orders.yaml", "--sql").stdout
    with closing(sqlite3.connect(tmp_path / "printed.db")) as database:
        database.executescript(script)
    names = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
    assert query(tmp_path / "printed.db", names) == query(tmp_path / "made.db", names)


class Usage(NamedTuple):
    """Arguments, the exit code and the lines on standard error."""

    arguments: str
    code: int
    errors: tuple[str, ...]


def shown_by(command: str) -> str:
    return f"Hint: xml-extractor {command} --help lists the options"


USAGE = {
    "unknown command": Usage(
        "rnu",
        2,
        ("Error: No such command 'rnu'. Did you mean 'run'?", "Hint: xml-extractor --help lists the options"),
    ),
    "misspelt option": Usage(
        "run --wrokers 3",
        2,
        ("Error: No such option '--wrokers'.", shown_by("run")),
    ),
    "a pattern that the shell expanded": Usage(
        "run --contract orders.yaml --source orders.yaml faulty.yaml",
        2,
        (
            "Error: Got unexpected extra argument (faulty.yaml)",
            "Hint: the shell has expanded a pattern; quote it, as in --source 'documents/*.xml'",
        ),
    ),
    "no contract": Usage(
        "run --source orders",
        2,
        ("Error: --source is given, but no contract", "Hint: give --contract FILE, or --contract NAME "),
    ),
    "no source": Usage(
        "run --contract orders.yaml --target sqlite:///empty.db",
        3,
        (
            "Error: there is no table app_xml in sqlite:///empty.db; the target is read because no --source is given",
            "Hint: name the documents with --source, or ",
        ),
    ),
    "samples over documents": Usage(
        "sample card_application 2 --to orders.zip",
        2,
        ("Error: orders.zip exists, and samples overwrite nothing", "Hint: name another destination, or remove it"),
    ),
    "superfluous argument": Usage("run now", 2, ("Error: Got unexpected extra argument (now)", shown_by("run"))),
    "too few workers": Usage(
        "run --workers 0",
        2,
        ("Error: Invalid value for '--workers': 0 is not in the range 1<=x<=256.", shown_by("run")),
    ),
    "workers in words": Usage(
        "run --workers many",
        2,
        ("Error: Invalid value for '--workers': 'many' is not a valid integer or auto.", shown_by("run")),
    ),
    "no shard": Usage(
        "run --shard 5/4",
        2,
        (
            (
                "Error: Invalid value for '--shard': '5/4' is not a shard; "
                "write it as K/N, such as 1/4 for the first of four shares"
            ),
            shown_by("run"),
        ),
    ),
    "no range": Usage(
        "run --range 5",
        2,
        (
            (
                "Error: Invalid value for '--range': '5' is not a range of keys; "
                "write it as FIRST:LAST; either end may be left out"
            ),
            shown_by("run"),
        ),
    ),
    "no limit of rejects": Usage(
        "run --max-rejects 101%",
        2,
        (
            (
                "Error: Invalid value for '--max-rejects': '101%' is not a limit of rejects; "
                "write a count such as 100, or a share such as 2%"
            ),
            shown_by("run"),
        ),
    ),
    "unknown mode": Usage(
        "run --insert-mode fast",
        2,
        ("Error: Invalid value for '--insert-mode': 'fast' is not one of 'queue', 'blocking'.", shown_by("run")),
    ),
    "a kind of target that is not known": Usage(
        "run --contract card_application --source orders.db --target oracle://user:hunter2@host/db",
        2,
        ("Error: unsupported target: 'oracle' addresses", "Hint: supported: "),
    ),
    "a target that is no address": Usage(
        "run --contract card_application --target user:hunter2@host",
        2,
        ("Error: the target is not a database address", "Hint: write it as sqlite:///FILE"),
    ),
    "an unknown source": Usage(
        "run --contract card_application --source missing",
        2,
        ("Error: there is no source at 'missing'", "Hint: name a directory, a glob pattern, a file, "),
    ),
    "a source with a password that is no address": Usage(
        "run --contract card_application --source oracle:/user:hunter2@host/db?driver=x",
        2,
        ("Error: there is no source at this address", "Hint: name a directory, a glob pattern, a file, "),
    ),
    "no database of documents": Usage(
        "run --contract card_application --source sqlite:///missing.db",
        3,
        ("Error: there is no file missing.db", "Hint: create sample documents with `xml-extractor sample "),
    ),
    "no table of documents": Usage(
        "run --contract card_application --source sqlite:///empty.db",
        3,
        ("Error: there is no table app_xml in sqlite:///empty.db", "Hint: create sample documents with "),
    ),
    "a target that is a directory": Usage(
        "run --contract card_application --source orders --target sqlite:///empty",
        3,
        ("Error: sqlite:///empty cannot be used: it cannot be opened", "Hint: check that "),
    ),
    "a target below a file": Usage(
        "run --contract card_application --source orders --target sqlite:///orders.yaml/a.db",
        3,
        ("Error: sqlite:///orders.yaml/a.db cannot be used: it cannot be opened", "Hint: check that "),
    ),
    "a target that is no database": Usage(
        "run --contract card_application --source orders --target sqlite:///orders.yaml",
        3,
        ("Error: sqlite:///orders.yaml cannot be used: the file is not a SQLite database", "Hint: name another file"),
    ),
    "a target on a full disk": Usage(
        "run --contract card_application --source orders --target sqlite:////dev/full",
        3,
        ("Error: sqlite:////dev/full cannot be used: the disk is full", "Hint: free space on the disk, "),
    ),
    "metrics below a file": Usage(
        "run --contract card_application --source orders --metrics-dir orders.yaml/metrics --target sqlite:///unused.db",
        3,
        (
            "Error: metrics cannot be written to orders.yaml/metrics: Not a directory",
            "Hint: nothing was loaded; give a writable directory with --metrics-dir",
        ),
    ),
    "an unknown contract": Usage(
        "run --contract card_aplication",
        2,
        (
            (
                "Error: there is no contract file and no shipped contract 'card_aplication'; "
                "did you mean 'card_application'?"
            ),
            f"Hint: the shipped contracts are {', '.join(shipped_contracts())}",
        ),
    ),
    "a contract with faults": Usage(
        "run --contract faulty.yaml --source orders",
        2,
        (
            "Error: faulty.yaml:3:37: document.key_typ: found the unknown key 'key_typ', ",
            "faulty.yaml:8:48: tables.orders.columns.order_id.type: found 'intt', ",
            "Hint: correct these 2 faults, then run: xml-extractor check faulty.yaml",
        ),
    ),
    "faults alone": Usage("check faulty.yaml", 2, ("2 faults in faulty.yaml",)),
    "unknown key in the configuration": Usage(
        "run --config misspelt.toml",
        2,
        ("Error: misspelt.toml: unknown key 'workrs'", "Hint: did you mean workers?"),
    ),
    "wrong value in the configuration": Usage(
        "run --config wrong.toml",
        2,
        (
            "Error: Invalid value for '--limit': '1.5' is not a valid integer.",
            "Hint: the value comes from the key limit of the configuration file",
        ),
    ),
    "a list in the configuration": Usage(
        "run --config list.toml",
        2,
        (
            "Error: list.toml: the value of 'contract' is not a string, a number or a boolean",
            "Hint: write a single value",
        ),
    ),
    "no configuration": Usage(
        "run --config missing.toml",
        2,
        (
            "Error: the configuration file missing.toml cannot be read: No such file or directory",
            "Hint: name another file with --config",
        ),
    ),
    "a configuration that is no TOML": Usage(
        "run --config orders.yaml", 2, ("Error: orders.yaml is not valid TOML: ", "Hint: write one line per option")
    ),
    "preview of nothing": Usage(
        "preview missing.xml --contract orders.yaml",
        2,
        ("Error: there is no source at 'missing.xml'", "Hint: name a directory, "),
    ),
    "preview of no such key": Usage(
        "preview orders --key 9.xml --contract orders.yaml",
        2,
        ("Error: orders has no document with this key", "Hint: give another source, --key or --record"),
    ),
    "a column in two tables": Usage(
        "preview orders --contract orders.yaml --explain order_id",
        2,
        ("Error: several tables have a column 'order_id'", "Hint: write orders.order_id or line.order_id"),
    ),
    "a misspelt column": Usage(
        "preview orders --contract orders.yaml --explain line.prise",
        2,
        ("Error: no column 'line.prise' of the contract has values from documents", "Hint: did you mean line.price?"),
    ),
    "too many faulty samples": Usage(
        "sample ubl_invoice 5 --faulty 51%",
        2,
        ("Error: the share of faulty samples is not between 0% and 50%", "Hint: write a share such as 3%"),
    ),
    "an unknown kind of samples": Usage(
        "sample ubl 5",
        2,
        ("Error: Invalid value for 'KIND': 'ubl' is not one of 'card_application', 'ubl_invoice'.", shown_by("sample")),
    ),
    "samples to a database that is no address": Usage(
        "sample ubl_invoice 5 --to samples.db",
        2,
        ("Error: samples cannot be written to 'samples.db'", "Hint: name a directory, a file or an archive "),
    ),
    "samples to nowhere": Usage(
        "sample ubl_invoice 5 --to .", 2, ("Error: samples cannot be written to '.'", "Hint: name a directory, ")
    ),
    "samples below a file": Usage(
        "sample ubl_invoice 5 --to orders.yaml/samples",
        2,
        ("Error: samples cannot be written to orders.yaml/samples: ", "Hint: name another destination"),
    ),
    "samples that are there already": Usage(
        "sample ubl_invoice 5 --to sqlite:///orders.db",
        2,
        (
            "Error: app_xml in sqlite:///orders.db already has some of the keys from 1 to",
            "Hint: write to another database",
        ),
    ),
    "samples to a kind of database that is not known": Usage(
        "sample ubl_invoice 5 --to oracle://user:hunter2@host/db",
        2,
        ("Error: unsupported database for documents: 'oracle' addresses", "Hint: supported: "),
    ),
}
"""A line of errors that ends in a space or without a full sentence is the beginning of the line."""

OTHERWISE_ON_WINDOWS = ("metrics below a file", "samples below a file")
"""Cases whose message holds a path or a reason in the system's own words."""

FAULTY = """contract: faulty
version: 1
document: {root: order, key: "@id", key_typ: int}
tables:
  orders:
    rows: "."
    columns:
      order_id: {path: "@id", key: true, type: intt}
"""


@pytest.fixture(scope="module")
def usages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Completed]:
    """All commands of the table, in one directory."""
    directory = tmp_path_factory.mktemp("usage")
    write_orders(directory, 1)
    (directory / "faulty.yaml").write_text(FAULTY, encoding="utf-8")
    (directory / "misspelt.toml").write_text("workrs = 3\n", encoding="utf-8")
    (directory / "wrong.toml").write_text("limit = 1.5\n", encoding="utf-8")
    (directory / "list.toml").write_text('contract = ["orders.yaml"]\n', encoding="utf-8")
    (directory / "empty.db").touch()
    (directory / "orders.zip").touch()
    (directory / "empty").mkdir()
    (directory / "orders").mkdir()
    (directory / "orders" / "1.xml").write_text(order(1), encoding="utf-8")
    call = called_in(directory)
    return {name: call(*usage.arguments.split()) for name, usage in USAGE.items()}


@pytest.mark.parametrize("name", USAGE)
def test_wrong_use_is_answered_by_what_is_wrong_and_what_to_do(name: str, usages: dict[str, Completed]) -> None:
    completed, expected = usages[name], USAGE[name]
    if os.name != "posix" and name in OTHERWISE_ON_WINDOWS:
        pytest.skip("Windows says it in other words")
    if "/dev/full" in expected.arguments and not Path("/dev/full").exists():
        pytest.skip("the system has no file that is always full")
    lines = completed.stderr.splitlines()
    assert completed.returncode == expected.code, completed.stderr
    assert len(lines) == len(expected.errors), completed.stderr
    for line, beginning in zip(lines, expected.errors, strict=True):
        assert line.startswith(beginning)
    assert "hunter2" not in completed.stdout + completed.stderr


def test_wrong_use_leaves_nothing_loaded(
    usages: dict[str, Completed], tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = next(tmp_path_factory.getbasetemp().glob("usage*"))
    assert not (directory / "unused.db").exists()


def test_the_demo_loads_what_it_makes_and_never_overwrites(xml_extractor: Command, tmp_path: Path) -> None:
    ran = xml_extractor(
        "demo", "--documents", "40", "--faulty", "--workers", "1", XML_EXTRACTOR_TARGET="mssql://nowhere/x"
    )
    assert ran.returncode == 1, ran.stderr
    assert "40 in = 39 loaded + 1 rejected" in ran.stdout
    found = xml_extractor(*shlex.split(ran.stdout.splitlines()[-1])[1:])
    assert found.returncode == 0
    assert "1" in found.stdout
    again = xml_extractor("demo")
    assert (again.returncode, again.stderr.splitlines()[0]) == (2, "Error: demo exists already")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo"]
