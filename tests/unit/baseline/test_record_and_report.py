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
from metrics.measurements import plots
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


def test_the_page_needs_nothing_else_and_has_all_plots(make_baseline: MakeBaseline) -> None:
    pytest.importorskip("matplotlib", reason="plots need the extra `report`")
    page = report.page(findings(make_baseline))
    assert page.count("<svg") == page.count("</svg>") == 4
    headings = re.findall(r"<h2>(.*?)</h2>", page)
    assert {"Throughput by run", "Time by stage", "Queue depth over time", "Rows by table"} <= set(headings)
    assert "&lt;1&gt; then" in page
    assert not re.search(r"<(script|link|img)\b|\b(src|href)=\"(?!#)", page)
    clips = [set(re.findall(r'<clipPath id="(.*?)"', plot)) for plot in page.split("<svg")[1:]]
    assert len(set().union(*clips)) == sum(map(len, clips))


def test_without_matplotlib_the_page_has_the_figures_and_says_how_to_get_the_plots(
    make_baseline: MakeBaseline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "can_plot", lambda: False)
    page = report.page(findings(make_baseline))
    assert "<svg" not in page
    assert "pip install --editable &#x27;.[report]&#x27;" in page
    assert "<td>--workers 2 / --workers 1</td>" in page
