"""What a run counts besides loaded documents, and which exit code it has, by the real commands."""

import json
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Command

TARGET = "sqlite:///t.db"
OLD_COLUMNS = ("kept_count", "replaced_count", "left_out_count", "tolerated_count", "counts")
"""What a processing log of an earlier version lacks."""

TOLERATED = """
contract: tolerated
version: 1
document: {root: R}
lookups:
  st: {values: {A: 1, B: 2}, unknown: 99}
tables:
  r:
    rows: X
    when: ISNULL(kind, '') <> 'draft'
    columns:
      f: {run: source_key, key: true}
      n: {position: true, key: true}
      kind: {path: "@kind", type: varchar(9)}
      amt: {path: "@amt", type: "decimal(9,2)", on_invalid: "null"}
      d: {path: "@d", type: date, on_invalid: default, default: "1900-01-01"}
      name: {path: "@name", type: varchar(5), on_invalid: truncate}
      st: {path: "@st", type: int, lookup: st}
"""
INVALID = 'amt="12,50" d="20.05.2024" name="Alexander" st="C"'

CUSTOMERS = """
contract: customers
version: 1
document: {root: Feed}
tables:
  customer:
    rows: Customer
    distinct: {by: [id], keep: KEEP, children: CHILDREN}
    columns:
      id: {path: "@id", type: int, key: true}
  ord:
    parent: customer
    rows: Order
    columns:
      no: {path: "@no", type: int, key: true}
      customer_id: {parent: customer.id}
      position: {position: true}
  line:
    parent: ord
    rows: Line
    columns:
      id: {path: "@id", type: int, key: true}
      no: {parent: ord.no}
"""
FEED = """<Feed><Customer id="1"><Order no="10"/></Customer><Customer id="2"><Order no="20"/></Customer>
<Customer id="1"><Order no="11"><Line id="7"/></Order><Order no="12"/></Customer></Feed>"""

PRODUCTS = """
contract: products
version: 1
document: {root: Feed}
tables:
  product:
    rows: Product
    on_conflict: CONFLICT
    columns:
      code: {path: Code, type: varchar(20), key: true}
      name: {path: Name, type: nvarchar(40)}
"""

NIGHTS = """
contract: nights
version: 1
document: {root: P}
tables:
  p:
    rows: "."
    columns:
      f: {run: source_key, key: true}
      n: {path: N, type: nvarchar(50)}
"""


def write(directory: Path, contract: str, *documents: str) -> None:
    (directory / "contract.yaml").write_text(contract, encoding="utf-8")
    (directory / "d").mkdir(exist_ok=True)
    for number, document in enumerate(documents, 1):
        (directory / "d" / f"{number}.xml").write_text(document, encoding="utf-8")


def run(command: Command, directory: Path, *options: str) -> tuple[int, str, dict[str, Any]]:
    """Exit code, output and metrics of a run."""
    arguments = ("--contract", "contract.yaml", "--source", "d", "--target", TARGET, "--workers", "1", "--no-progress")
    completed = command("run", *arguments, *options)
    (line,) = (line for line in completed.stdout.splitlines() if line.startswith("Metrics: "))
    metrics = (directory / line.removeprefix("Metrics: ")).read_text(encoding="utf-8")
    return completed.returncode, completed.stdout, json.loads(metrics)


def rows(directory: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(directory / "t.db")) as database:
        return database.execute(query).fetchall()


def test_tolerated_values_are_counted_by_column_in_summary_metrics_log_and_status(
    xml_extractor: Command, tmp_path: Path
) -> None:
    document = f'<R><X {INVALID}/><X kind="draft" {INVALID}/><X amt="1" st="A"/></R>'
    write(tmp_path, TOLERATED, document, document, "<R/>")
    code, summary, metrics = run(xml_extractor, tmp_path)
    assert code == 0
    assert metrics["tolerated_values"] == {
        "r": {"amt": {"null": 2}, "d": {"default": 2}, "name": {"truncated": 2}, "st": {"unknown_code": 2}}
    }
    assert metrics["rows_not_inserted"] == {"r": {"when": 2}}
    assert metrics["documents_without_rows"] == 1
    assert "r.amt            invalid values made NULL                     2" in summary
    assert "1 of the loaded documents has no rows by this contract, such as 3.xml" in summary
    log = rows(tmp_path, "SELECT row_count, left_out_count, tolerated_count, counts FROM processing_log ORDER BY 1")
    counts = "r when=1; r.amt null=1; r.d default=1; r.name truncated=1; r.st unknown_code=1"
    assert [(*numbers, "; ".join(sorted((text or "").split("; ")))) for *numbers, text in log] == [
        (0, 0, 0, ""),
        (2, 1, 4, counts),
        (2, 1, 4, counts),
    ]
    status = json.loads(xml_extractor("status", "--json", "--contract", "contract.yaml", "--target", TARGET).stdout)
    assert (status["tolerated_values"], status["rows_not_inserted"]) == (
        metrics["tolerated_values"],
        metrics["rows_not_inserted"],
    )


@pytest.mark.parametrize("keep", ["first", "last"])
def test_children_of_rows_that_distinct_leaves_out_are_dropped_and_counted_or_attached(
    xml_extractor: Command, tmp_path: Path, keep: str
) -> None:
    write(tmp_path, CUSTOMERS.replace("KEEP", keep).replace("CHILDREN", "drop"), FEED)
    left_out = {"ord": {"parent": 2}, "line": {"parent": 1}} if keep == "first" else {"ord": {"parent": 1}}
    assert run(xml_extractor, tmp_path)[2]["rows_not_inserted"] == {"customer": {"distinct": 1}, **left_out}
    (tmp_path / "t.db").unlink()
    write(tmp_path, CUSTOMERS.replace("KEEP", keep).replace("CHILDREN", "attach"))
    _, _, metrics = run(xml_extractor, tmp_path)
    assert metrics["rows_not_inserted"] == {"customer": {"distinct": 1}}
    assert metrics["rows"] == {"customer": 2, "ord": 4, "line": 1}
    assert rows(tmp_path, "SELECT no, customer_id, position FROM ord ORDER BY no") == [
        (10, 1, 1),
        (11, 1, 2),
        (12, 1, 3),
        (20, 2, 1),
    ]


@pytest.mark.parametrize(("conflict", "what", "name"), [("keep", "kept", "b"), ("replace", "replaced", "b again")])
def test_rows_that_are_kept_or_replaced_are_not_counted_as_inserted(
    xml_extractor: Command, tmp_path: Path, conflict: str, what: str, name: str
) -> None:
    product = "<Product><Code>{}</Code><Name>{}</Name></Product>"
    write(
        tmp_path,
        PRODUCTS.replace("CONFLICT", conflict),
        f"<Feed>{product.format('a1', 'first')}{product.format('a1', 'second')}</Feed>",
        f"<Feed>{product.format('b', 'b')}</Feed>",
        f"<Feed>{product.format('b', 'b again')}</Feed>",
    )
    code, _, metrics = run(xml_extractor, tmp_path)
    assert (code, metrics["rows"], metrics["documents_without_rows"]) == (0, {"product": 2}, 0)
    assert metrics["rows_not_inserted"] == {"product": {what: 2}}
    assert [counts["inserted"] for counts in metrics["insert_threads"]] == [2]
    log = rows(tmp_path, f"SELECT row_count, {what}_count, counts FROM processing_log ORDER BY document_key")
    assert log == [(1, 1, f"product {what}=1"), (1, 0, None), (0, 1, f"product {what}=1")]
    assert rows(tmp_path, "SELECT name FROM product WHERE code = 'b'") == [(name,)]


def test_a_rejected_document_is_retried_once_it_has_changed_and_reported_until_then(
    xml_extractor: Command, tmp_path: Path
) -> None:
    write(tmp_path, NIGHTS, "<P><N>a</N></P>", "<P><N>b</N>")
    assert run(xml_extractor, tmp_path)[0] == 1
    code, summary, metrics = run(xml_extractor, tmp_path)
    assert (code, metrics["earlier_rejects"]) == (1, 1)
    assert {name: metrics["documents"][name] for name in ("seen", "loaded", "rejected", "skipped", "already_done")} == {
        "seen": 2,
        "loaded": 0,
        "rejected": 0,
        "skipped": 0,
        "already_done": 2,
    }
    assert "1 document is still rejected from earlier runs; `xml-extractor rejects` lists them" in summary
    assert run(xml_extractor, tmp_path, "--ignore-earlier-rejects")[0] == 0
    assert rows(tmp_path, "SELECT attempts FROM processing_log WHERE status = 'rejected'") == [(1,)]

    write(tmp_path, NIGHTS, "<P><N>a</N></P>", "<P><N>b</N></P>", "<P><N>c</N></P>")
    code, summary, metrics = run(xml_extractor, tmp_path, "--limit", "1")
    assert (code, metrics["documents"]["loaded"], metrics["earlier_rejects"]) == (0, 2, 0)
    assert rows(tmp_path, "SELECT document_key, status, attempts FROM processing_log ORDER BY 1") == [
        ("1.xml", "loaded", 1),
        ("2.xml", "loaded", 2),
        ("3.xml", "loaded", 1),
    ]


def test_too_many_rejects_have_an_exit_code_of_their_own(xml_extractor: Command, tmp_path: Path) -> None:
    write(tmp_path, NIGHTS, *["<P>"] * 3)
    arguments = ("--contract", "contract.yaml", "--source", "d", "--target", TARGET, "--max-rejects", "1")
    assert xml_extractor("run", *arguments).returncode == 4


@pytest.mark.parametrize("source", ["d", "d/*.xml"])
def test_an_empty_drop_folder_is_nothing_to_do(xml_extractor: Command, tmp_path: Path, source: str) -> None:
    write(tmp_path, NIGHTS)
    completed = xml_extractor(
        "run", "--contract", "contract.yaml", "--source", source, "--target", TARGET, "--metrics-dir", ""
    )
    assert (completed.returncode, "Metrics" in completed.stdout) == (0, False)
    assert f"There are no XML files in {source}" in completed.stderr
    assert not (tmp_path / "metrics").exists()


def test_metrics_have_every_setting_and_no_run_lasts_longer_than_its_timestamps_say(
    xml_extractor: Command, tmp_path: Path
) -> None:
    write(tmp_path, NIGHTS, "<P/>")
    options = ("--range", "1.xml:", "--shard", "1/1", "--reprocess", "all", "--max-rejects", "2.5%")
    _, _, metrics = run(xml_extractor, tmp_path, *options, "--log-table", "xml_log")
    settings = metrics["settings"]
    assert {
        name: settings[name]
        for name in ("range", "shard", "reprocess", "max_rejects", "rejects_dir", "limit", "log_table")
    } == {
        "range": "1.xml:",
        "shard": "1/1",
        "reprocess": "all",
        "max_rejects": "2.5%",
        "rejects_dir": "rejects",
        "limit": None,
        "log_table": "xml_log",
    }
    started_at, finished_at = (datetime.fromisoformat(metrics[name]) for name in ("started_at", "finished_at"))
    assert metrics["elapsed_seconds"] <= (finished_at - started_at).total_seconds()


def test_a_log_of_an_earlier_version_gets_the_columns_that_it_lacks(xml_extractor: Command, tmp_path: Path) -> None:
    write(tmp_path, NIGHTS, "<P/>")
    run(xml_extractor, tmp_path)
    with closing(sqlite3.connect(tmp_path / "t.db")) as database:
        for column in OLD_COLUMNS:
            database.execute(f"ALTER TABLE processing_log DROP COLUMN {column}")
    write(tmp_path, NIGHTS, "<P/>", "<P/>")
    assert run(xml_extractor, tmp_path)[0] == 0
    assert rows(tmp_path, "SELECT tolerated_count FROM processing_log ORDER BY document_key") == [(None,), (0,)]


@pytest.mark.parametrize("dropped", [OLD_COLUMNS, OLD_COLUMNS[2:], OLD_COLUMNS[:1]])
def test_a_log_of_an_earlier_version_can_be_read_and_its_rejects_be_retried(
    xml_extractor: Command, tmp_path: Path, dropped: tuple[str, ...]
) -> None:
    write(tmp_path, NIGHTS, "<P/>", "<P", "<P")
    assert run(xml_extractor, tmp_path)[0] == 1
    with closing(sqlite3.connect(tmp_path / "t.db")) as database:
        database.execute("DROP TABLE processing_log_runs")
        for column in dropped:
            database.execute(f"ALTER TABLE processing_log DROP COLUMN {column}")
    log = ("--contract", "contract.yaml", "--target", TARGET)
    shown = [xml_extractor("status", *log), xml_extractor("rejects", *log), xml_extractor("retry", *log)]
    assert [(each.returncode, each.stderr) for each in shown] == [(0, "")] * 3
    ends = [each.stdout.splitlines()[-1] for each in shown]
    assert ends == [
        "Documents of nights: 1 loaded, 2 rejected, 0 marked for retry",
        "2 documents rejected",
        "2 documents marked for retry by the next run",
    ]
    assert json.loads(xml_extractor("status", *log, "--json").stdout)["tolerated_values"] == {}
    history = xml_extractor("runs", *log)
    assert history.returncode == 3
    assert history.stderr.splitlines() == [
        "Error: there is no table processing_log_runs in sqlite:///t.db",
        "Hint: check that the target is the one that was loaded; `xml-extractor init` creates what is missing",
    ]
    assert xml_extractor("init", *log).returncode == 0
    assert xml_extractor("runs", *log).returncode == 0


def test_commands_say_so_where_there_is_nothing(xml_extractor: Command, tmp_path: Path) -> None:
    write(tmp_path, NIGHTS, "<P/>")
    run(xml_extractor, tmp_path)
    log = ("--contract", "contract.yaml", "--target", TARGET)
    assert xml_extractor("retry", *log).stdout == "0 documents marked for retry: nights has no rejected document\n"
    write(tmp_path, NIGHTS.replace("nights", "days"))
    assert xml_extractor("status", *log).stdout.endswith("The processing log has documents of: nights\n")


class TestLimitsOfToleratedValues:
    @pytest.fixture
    def directory(self, tmp_path: Path) -> Path:
        (tmp_path / "contract.yaml").write_text(TOLERATED)
        (tmp_path / "d").mkdir()
        for number in range(600):
            values = INVALID if number < 120 else 'amt="1.5" d="2024-05-20" name="Al" st="A"'
            (tmp_path / "d" / f"{number:03}.xml").write_text(f"<R><X {values}/><X {values}/></R>")
        return tmp_path

    OPTIONS = ("--contract", "contract.yaml", "--source", "d", "--target", TARGET, "--workers", "2")

    def loaded(self, directory: Path) -> tuple[int, int]:
        with closing(sqlite3.connect(directory / "t.db")) as database:
            query = "SELECT COUNT(DISTINCT f), COUNT(*) FROM r"
            return database.execute(query).fetchone()  # type: ignore[no-any-return]

    @pytest.mark.parametrize("options", [("--insert-mode", "blocking"), ("--insert-mode", "queue")])
    def test_more_than_a_column_may_have_end_the_run_and_the_next_one_goes_on(
        self, directory: Path, production_processor: Command, options: tuple[str, str]
    ) -> None:
        ended = production_processor(*self.OPTIONS, *options, "--max-tolerated", "50%,r.amt=100")
        assert ended.returncode == 4, ended.stderr
        assert "values of r.amt were tolerated, more than --max-tolerated allows" in ended.stderr
        before, rows = self.loaded(directory)
        assert 50 < before < 600
        assert rows == 2 * before
        (metrics,) = (directory / "metrics").glob("metrics_*.json")
        described = json.loads(metrics.read_text())
        assert (described["exit_code"], described["settings"]["max_tolerated"]) == (4, "50%,r.amt=100")
        ended = production_processor(*self.OPTIONS, *options, "--max-tolerated", "r.amt=240,r.st=240")
        assert ended.returncode == 0, ended.stderr
        assert self.loaded(directory) == (600, 1200)

    def test_they_also_end_a_run_that_retries_documents_and_the_rest_is_retried_next(
        self, directory: Path, production_processor: Command, xml_extractor: Command
    ) -> None:
        paths = sorted((directory / "d").iterdir())
        contents = [path.read_text() for path in paths]
        for path in paths:
            path.write_text("<R")
        assert production_processor(*self.OPTIONS, "--max-rejects", "600").returncode == 1
        for path, content in zip(paths, contents, strict=True):
            path.write_text(content)
        assert xml_extractor("retry", "--contract", "contract.yaml", "--target", TARGET).returncode == 0
        ended = production_processor(*self.OPTIONS, "--insert-mode", "blocking", "--max-tolerated", "r.amt=100")
        assert ended.returncode == 4, ended.stderr
        loaded, rows = self.loaded(directory)
        assert 50 < loaded < 600
        assert rows == 2 * loaded
        ended = production_processor(*self.OPTIONS, "--max-tolerated", "240")
        assert ended.returncode == 0, ended.stderr
        assert self.loaded(directory) == (600, 1200)

    def test_a_share_is_one_of_the_rows_and_counts_from_a_hundred_of_them(
        self, directory: Path, production_processor: Command
    ) -> None:
        # Of the first 40 documents all 80 values are tolerated; of 300 documents, 240 of 600.
        for limits, limit, code in (("0%", "40", 0), ("r.name=99%", "300", 4), ("40%", "300", 4)):
            target = f"sqlite:///{limits.strip('%')}.db"
            options = (*self.OPTIONS, "--target", target, "--workers", "1")
            ended = production_processor(*options, "--limit", limit, "--max-tolerated", limits)
            assert ended.returncode == code, (limits, ended.stderr)

    def test_a_column_that_the_contract_does_not_have_is_wrong_usage(
        self, directory: Path, production_processor: Command
    ) -> None:
        ended = production_processor(*self.OPTIONS, "--max-tolerated", "r.amount=1")
        assert ended.returncode == 2
        assert "the contract has no column r.amount" in ended.stderr
        assert "did you mean r.amt?" in ended.stderr
        assert not (directory / "t.db").exists()
