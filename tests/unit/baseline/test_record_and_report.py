"""The stored figures, and the page that shows them."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from env_prep.baseline import report
from env_prep.baseline.comparing import with_stored, within
from env_prep.baseline.record import Baseline, Database, read_baseline, write_baseline
from env_prep.baseline.report import Findings
from env_prep.baseline.variants import parse
from tests.unit.baseline.conftest import metrics
from xml_extractor.errors import RunError, UsageError

MakeBaseline = Callable[..., Baseline]


def test_what_is_stored_is_read_again(make_baseline: MakeBaseline, tmp_path: Path) -> None:
    made = make_baseline({"--workers 2": [200, 220, 180], "--workers 1": [100]})
    write_baseline(tmp_path / "baseline.json", made)
    assert read_baseline(tmp_path / "baseline.json") == made
    assert (made.variants[0].median, made.variants[0].spread, made.documents) == (200, 0.1, 100)
    assert [*tmp_path.iterdir()] == [tmp_path / "baseline.json"]


def test_where_nothing_is_stored_there_is_no_baseline(tmp_path: Path) -> None:
    assert read_baseline(tmp_path / "baseline.json") is None


@pytest.mark.parametrize("text", ["", "{}", '{"format_version": 2}'])
def test_a_file_that_is_no_baseline_is_refused_and_left_alone(text: str, tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="is not a baseline that this version can read"):
        read_baseline(path)
    assert path.read_text() == text


def test_runs_that_loaded_something_else_make_no_baseline() -> None:
    fewer = {"seen": 90, "loaded": 90, "rejected": 0, "already_done": 0}
    runs = [metrics(100), metrics(100, documents=fewer)]
    with pytest.raises(RunError, match="did not load the same: 100 and 90 documents"):
        Baseline.of("orders.yaml", Database(kind="sqlite", name="x"), [(parse("--a", ""), runs)])


def findings(make_baseline: MakeBaseline) -> Findings:
    now = make_baseline({"--workers 2": [200, 220, 180], "--workers 1": [100, 90, 110]})
    stored = make_baseline({"--workers 2": [210, 190, 200]})
    return Findings(now, stored, [*with_stored(now, stored), *within(now)], ["lxml differs: <1> then, 2 now"])


def test_the_text_has_medians_spreads_ratios_and_warnings(make_baseline: MakeBaseline) -> None:
    heading, first, second, since, between, warning = report.lines(findings(make_baseline))
    assert heading == "100 documents of orders into sqlite:///scratch.db, documents a minute:"
    assert first.split() == ["--workers", "2", "median", "200", "spread", "10.0%", "runs", "200,", "220,", "180"]
    assert second.split()[:4] == ["--workers", "1", "median", "100"]
    assert since.startswith("--workers 2 now / stored = 1.00 (95 % interval ")
    assert between.startswith("--workers 2 / --workers 1 = 2.00 (95 % interval ")
    assert warning == "Warning: lxml differs: <1> then, 2 now"


def test_the_page_shows_figures_ratios_and_plots_of_all_sets_of_options(make_baseline: MakeBaseline) -> None:
    page = report.page(findings(make_baseline))
    headings = re.findall(r"<h2>(.*?)</h2>", page)
    assert headings == [
        "Documents a minute",
        "Ratios",
        "Throughput by run",
        "Throughput over time",
        "Queue depth over time",
        "Time by stage",
        "Rows by table",
        "Machine, versions and settings",
    ]
    assert "&lt;1&gt; then" in page
    text = re.sub(r"(<[^>]*>)+", "|", page)
    assert "|A --workers 2|200|10.0%|180|220|3|" in text
    assert "|--workers 2|stored on 2" in text
    assert "|--workers 2 / --workers 1|2.00|" in text
    assert "|A --workers 2|1|200|2|220|3|180|B --workers 1|1|100|2|90|3|110|" in text
    assert page.count("<figure>") == 4
