"""Each benchmark runs, as small as can be, and records what it finds; the page on speed says what is recorded."""

import json
import re
import sys
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from metrics.benchmarks.command import PLOTS, RESULTS, draw
from metrics.benchmarks.memory import least_squares
from metrics.benchmarks.page import BENCHMARKS, MARKED, PAGE, page, results
from metrics.benchmarks.plot import plot
from metrics.benchmarks.record import Limit, Record
from tests.conftest import ROOT, Completed, command_in

ON_SERVER = {"run_server", "round_trips"}
SERIES = {
    "map": {"parse and map", "parse and map, whole document", "lxml.etree.fromstring"},
    "trees": {"tree, 3 wide: 20 rows", "tree, 3 wide: 200 rows", "reference: 200 rows"},
    "transport": {"parse and map", "queue, both sides", "queue, manager process"},
    "load": {"loader", "bare executemany"},
    "run": {"blocking", "parse and map is the bound: 2 workers"},
    "run_cpu": {"all processes of a run, 2 workers", "parse, map and insert"},
    "quality": {"coverage, card_application", "unread: report, ubl_invoice", "verify, ubl_invoice"},
    "memory": {"main", "manager", "worker"},
    "records": {"separate files, 2 workers", "1 file, 1 worker", "1 file, 2 workers"},
    "peers": {"xml_extractor", "script with lxml"},
}
"""Some of what each has to have measured."""


def quick(name: str, directory: Path, *options: str) -> Completed:
    call = command_in(["-m", f"metrics.benchmarks.{name}", "--quick"], directory)
    return call(*options, PYTHONPATH=str(ROOT))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """What a quick benchmark records; each runs once."""

    @cache
    def record_of(name: str) -> dict[str, Any]:
        directory = tmp_path_factory.mktemp(name)
        completed = quick(name, directory, "--to", str(directory))
        assert completed.returncode == 0, completed.stderr
        text = (directory / f"{name}.json").read_text(encoding="utf-8")
        assert str(directory) not in text
        found: dict[str, Any] = json.loads(text)
        return found

    return record_of


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in BENCHMARKS if name not in ON_SERVER])
def test_a_benchmark_measures_and_records_figures_ratios_and_what_they_were_measured_on(
    name: str, recorded: Callable[[str], dict[str, Any]]
) -> None:
    if name in {"memory", "records", "transport"} and sys.platform != "linux":
        pytest.skip("Linux tells what a process uses")
    found = recorded(name)
    series = {one["name"]: one for group in found["groups"] for one in group["series"]}
    assert set(series) >= SERIES[name]
    assert all(one["median"] > 0 for one in series.values())
    assert all(one["low"] <= one["median"] <= one["high"] for one in found["ratios"])
    assert {"command", "commit", "machine", "measured_at", "databases", "inputs"} <= set(found)


def test_peers_fill_the_same_rows_as_far_as_they_say(recorded: Callable[[str], dict[str, Any]]) -> None:
    found = recorded("peers")
    shares = {fact["name"].rpartition("that ")[2]: fact["value"] for fact in found["facts"]}
    assert shares["xml_extractor fills"] == shares["script with lxml fills"] == 100
    if any(find_spec(package) is None for package in ("pandas", "xml2db")):
        assert any(note.startswith("Skipped: ") for note in found["notes"])
        pytest.skip("pandas and xml2db are not both installed: the extra `bench` brings them")
    assert shares["pandas fills"] > 90


@pytest.mark.parametrize("name", sorted(ON_SERVER))
def test_a_benchmark_on_a_server_is_skipped_and_says_why_where_there_is_none(name: str, tmp_path: Path) -> None:
    completed = quick(name, tmp_path, "--to", str(tmp_path))
    assert completed.returncode == 0
    assert "XML_EXTRACTOR_TEST_MSSQL" in completed.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_quick_benchmark_leaves_what_is_recorded_as_it_is(tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in ROOT.glob("metrics/benchmarks/results/*")}
    assert "Not recorded" in quick("map", tmp_path).stdout
    assert {path: path.read_bytes() for path in ROOT.glob("metrics/benchmarks/results/*")} == before


def test_the_page_on_speed_has_the_recorded_results_of_each_benchmark() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "python -m metrics.benchmarks.page writes it anew"
    assert [match[2] for match in MARKED.finditer(text)] == list(BENCHMARKS)


def test_make_and_the_readme_know_each_benchmark() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    readme = (ROOT / "metrics" / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^BENCHMARKS := (.+)$", makefile, re.MULTILINE) == [" ".join(BENCHMARKS)]
    assert re.findall(r"^\| `(\w+)` \|", readme, re.MULTILINE)[: len(BENCHMARKS)] == list(BENCHMARKS)


def a_record() -> dict[str, Any]:
    record = Record("map", "--rounds 3", [], {"documents": 1})
    record.group("CPU", "ms", {"ours": [1.0, 1.1, 1.2], "theirs": [2.0, 2.2, 2.4]})
    record.ratio("ours / theirs", [1.0, 1.1, 1.2], [2.0, 2.2, 2.4], Limit(at_most=0.45))
    record.fact("waits", 7, "round trips", Limit(at_most=8))
    record.fact("slope", 0.25, "MiB", standard_error=0.5)
    record.note("On paper.")
    return record.as_json()


def test_a_record_becomes_tables_with_targets_met_and_not() -> None:
    text = results(a_record())
    assert "| ours | 1.10 | 9 % |" in text
    assert re.search(r"\| ours / theirs \| 0\.5 \| 0\.4\S+ to 0\.\d+ \| ≤ 0\.45 \| no \|", text)
    assert "| waits | 7 | round trips | ≤ 8 | yes |" in text
    assert "| slope | 0.25 ± 0.5 | MiB |  |  |" in text
    assert "- On paper." in text


def test_the_same_record_gives_the_same_plot(tmp_path: Path) -> None:
    found = a_record()
    first = draw(found, tmp_path).read_bytes()
    assert draw(found, tmp_path).read_bytes() == first
    assert b"ours" in first
    assert len(first) < 10_000


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_each_recorded_benchmark_has_its_plot(path: Path) -> None:
    drawn = (PLOTS / f"{path.stem}.svg").read_text(encoding="utf-8")
    assert drawn == plot(json.loads(path.read_text(encoding="utf-8"))), "python -m metrics.benchmarks.page draws it"


def test_groups_of_one_unit_share_a_scale_unless_one_would_be_invisible() -> None:
    record = Record("run", "", [], {})
    for title, unit, figure in (
        ("near", "rows", 900.0),
        ("far", "rows", 200.0),
        ("slow", "rows", 3.0),
        ("CPU", "ms", 7),
    ):
        record.group(title, unit, {"one": [figure]})
    drawn = plot(record.as_json())
    labels = re.findall(r'text-anchor="middle">([^<]*)<', drawn)
    assert labels == [*("0 500 1,000 " * 2 + "0 1 2 3 0 2 4 6 8").split()]
    assert [heading for heading in re.findall(r"font-weight=.*?>([^<]*)<", drawn) if "of its own" in heading] == [
        "slow: rows; bar: the single figure; scale of its own"
    ]


def test_a_slope_is_found_with_its_standard_error() -> None:
    # The line of Anscombe's first data set (1973), whose coefficients and errors are known.
    x = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5]
    y = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68]
    slope = least_squares([(float(a), b) for a, b in zip(x, y, strict=True)])
    assert (round(slope.rise, 4), round(slope.standard_error, 4)) == (0.5001, 0.1179)
