"""`report` writes a page of runs that the run history or metrics files name."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.acceptance.accounts import write_orders
from tests.conftest import Command

OPTIONS = ("--contract", "orders.yaml", "--target", "sqlite:///loaded.db")
RUN = ("run", *OPTIONS, "--source", "sqlite:///orders.db", "--workers", "1", "--no-progress")


def test_runs_are_named_by_id_as_the_latest_or_by_file(xml_extractor: Command, tmp_path: Path) -> None:
    write_orders(tmp_path, 30)
    for limit in ("10", "20"):
        assert xml_extractor(*RUN, "--limit", limit).returncode == 0
    with closing(sqlite3.connect(tmp_path / "loaded.db")) as database:
        rows = database.execute("SELECT run_id FROM processing_log_runs ORDER BY started_at").fetchall()
    first, second = [run_id for (run_id,) in rows]

    written = xml_extractor("report", *OPTIONS)
    assert (written.returncode, written.stdout) == (0, f"Written: report.html ({second})\n"), written.stderr
    assert f"<h1>Run {second}</h1>" in (tmp_path / "report.html").read_text(encoding="utf-8")

    compared = xml_extractor("report", *OPTIONS, second[:-2], "latest", first, "--html", "two.html", "--json")
    assert json.loads(compared.stdout) == {"file": "two.html", "runs": [second, first]}
    assert "<h1>2 runs of orders, compared</h1>" in (tmp_path / "two.html").read_text(encoding="utf-8")

    last = xml_extractor("report", *OPTIONS, "--last", "7", "--html", "two.html", "--json")
    assert json.loads(last.stdout)["runs"] == [first, second]

    # Metrics files need neither contract nor target.
    of_files = xml_extractor("report", f"metrics/metrics_{first}.json", "metrics/latest.json", "--json")
    assert json.loads(of_files.stdout)["runs"] == [first, second]
    assert sorted(path.suffix for path in tmp_path.iterdir() if "report" in path.name) == [".html"]

    for run, message in (("2019", "no run of the contract begins with"), ("none.json", "none.json cannot be read")):
        refused = xml_extractor("report", *OPTIONS, run)
        assert (refused.returncode, message in refused.stderr) == (2, True), refused.stderr
    refused = xml_extractor("report", *OPTIONS, "--html", "missing/report.html")
    assert (refused.returncode, "the page cannot be written to missing/report.html" in refused.stderr) == (3, True)


def test_a_contract_without_runs_is_reported(xml_extractor: Command, tmp_path: Path) -> None:
    write_orders(tmp_path, 1)
    xml_extractor("init", *OPTIONS)
    refused = xml_extractor("report", *OPTIONS)
    assert refused.stderr.splitlines() == [
        "Error: there is no run of orders",
        "Hint: name a metrics file, or another target",
    ]
    assert not (tmp_path / "report.html").exists()
