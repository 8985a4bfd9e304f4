"""Every page that a command writes, and every plot of the documentation, opened in a real browser."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from env_prep.baseline import report as baseline
from env_prep.baseline.comparing import with_stored, within
from env_prep.baseline.record import Baseline, Database
from env_prep.baseline.report import Findings
from env_prep.baseline.variants import parse
from metrics.benchmarks.command import PLOTS
from tests.acceptance.loads import EMBEDDED, Load
from tests.browser import DESKTOP, VIEWS, Browser, Opened, browser, needs_browser
from tests.unit.baseline.conftest import metrics
from tests.unit.quality.test_coverage_report import CONTRACT, contract_of
from xml_extractor.documents import RunValues, SourceDocument
from xml_extractor.processing_log.run_history import RunEntry
from xml_extractor.quality.coverage_page import coverage_page
from xml_extractor.quality.coverage_report import coverage_report
from xml_extractor.quality.observation import Observer
from xml_extractor.quality.tallies import Observed
from xml_extractor.reporting.reported_runs import ReportedRun
from xml_extractor.reporting.run_page import run_page
from xml_extractor.targets.registry import open_run_history, open_target

pytestmark = needs_browser

HOSTILE = (
    "<script>document.title = 'run'</script>",
    "\"><img src=http://127.0.0.1:9/x.png onerror=console.error('run')>",
    "'-->]]></style></title></svg><svg onload=console.error('run')>",
    "\u202edetsrever \x1b[31m \ud800",
    "W" * 3000,
)
"""Names that would be markup, would reverse or break the line, or need more room than there is."""

PAGES = ("one", "several", "killed", "empty", "hostile", "coverage", "coverage-hostile", "coverage-empty", "baseline")
PLOT_FILES = sorted(path.stem for path in PLOTS.glob("*.svg"))


class Story(NamedTuple):
    """A browser, and the directory of all pages."""

    browser: Browser
    directory: Path

    def open(self, name: str, **view: Any) -> Opened:
        """Open a page by its name."""
        return self.browser.open(self.directory / f"{name}.html", **view)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Pages of real runs and documents, of hostile ones, and of none."""
    directory = tmp_path_factory.mktemp("pages")
    load = Load(directory, EMBEDDED, "")
    first = load.run(limit=20).run_id
    load.run(insert_mode="blocking", workers=1)
    load.run()
    with open_run_history(open_target(load._target, load._contract)) as history:
        entries = history.entries()
    latest, second, oldest = runs = [ReportedRun.of(entry) for entry in entries]
    assert oldest.run_id == first
    pages = {
        "one": run_page([second]),
        "several": run_page([second, oldest, *runs, *runs]),
        "killed": run_page([ReportedRun.of(killed(entries[-1]))]),
        "empty": run_page([latest]),
        "hostile": run_page([hostile(second), oldest]),
        "coverage": coverage({"1.xml": "<Order id='1'><name>x</name><Line qty='1' price='123.45'/></Order>"}),
        "coverage-hostile": coverage(dict.fromkeys(HOSTILE, f"<Order id='1'><{'W' * 900} a='1'/></Order>")),
        "coverage-empty": coverage({}),
        "baseline": baseline.page(findings()),
    }
    assert set(pages) == set(PAGES)
    for name, text in pages.items():
        (directory / f"{name}.html").write_text(text, encoding="utf-8")
    with browser() as opened:
        yield Story(opened, directory)


def killed(entry: RunEntry) -> RunEntry:
    """A run that reported once, and then was killed."""
    given = json.loads(entry.metrics) | {"status": "running", "exit_code": None, "finished_at": None, "queue": {}}
    given["series"] = {"seconds": [0.4], "documents": [3], "queued": [7]}
    row = entry._replace(reported_at=entry.started_at + timedelta(seconds=1), metrics=json.dumps(given)).row
    return RunEntry.of((*row[:3], "running", None, *row[5:9], None, *row[10:]), datetime(2100, 1, 1))  # noqa: DTZ001 - naive UTC


def hostile(run: ReportedRun) -> ReportedRun:
    """The run with hostile names wherever there are any, and with the largest numbers of a year."""
    most = 10**9
    given = json.loads(run.model_dump_json()) | {
        "run_id": HOSTILE[0],
        "contract": {"name": HOSTILE[1], "version": 1},
        "source": HOSTILE[4],
        "target": HOSTILE[2],
        "failure": HOSTILE[1],
        "status": "failed",
        "documents": {"seen": most, "loaded": most, "rejected": most},
        "documents_per_minute": most,
        "rows": dict.fromkeys(HOSTILE, most),
        "tolerated_values": {name: {name: {name: most, "null": 1}} for name in HOSTILE},
        "rows_not_inserted": {name: {"kept": most} for name in HOSTILE},
        "unread": dict.fromkeys(HOSTILE, 1),
        "rejects": [{"stage": name, "code": name, "documents": most, "example_key": name} for name in HOSTILE],
        "slowest": [{"key": name, "seconds": 1e9} for name in HOSTILE],
        "stage_seconds": dict.fromkeys(HOSTILE, 1e9),
        "queue": dict.fromkeys(HOSTILE, most),
        "insert_threads": [dict.fromkeys(HOSTILE, 1e9)] * 8,
        "series": {"seconds": [1, 2, 1e7], "documents": [0, 1, most], "queued": [0, 1_000_000, 0]},
        "settings": dict(zip(HOSTILE, HOSTILE, strict=True)),
        "elapsed_seconds": 1e7,
        "host": HOSTILE[3],
    }
    return ReportedRun.model_validate(given)


def coverage(documents: dict[str, str]) -> str:
    """The page of the coverage of documents."""
    contract = contract_of(CONTRACT)
    observer = Observer(contract, RunValues("coverage", datetime(2026, 1, 1), HOSTILE[0]))  # noqa: DTZ001 - naive UTC
    for position, (key, document) in enumerate(documents.items()):
        observer.observe(SourceDocument(key, document.encode()), (0, position))
    observed = Observed()
    observed.add(observer.take())
    return coverage_page(coverage_report(contract, HOSTILE[0], observed, interrupted=not documents))


def findings() -> Findings:
    """A baseline, and its comparison with a stored one."""
    database = Database(kind="sqlite", name=HOSTILE[0])
    variants = [
        (parse("--a", options), [metrics(figure) for figure in figures])
        for options, figures in (("--workers 2", (200, 220, 180)), ("--insert-mode blocking", (100, 90, 110)))
    ]
    now = Baseline.of("orders.yaml", database, variants)
    stored = Baseline.of("orders.yaml", database, variants[:1])
    return Findings(now, stored, [*with_stored(now, stored), *within(now)], [HOSTILE[1]])


@pytest.mark.parametrize("view", ["desktop-dark", "phone-light", "paper"])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_error_fetches_nothing_and_fits_the_screen_in_its_colours(
    story: Story, page: str, view: str
) -> None:
    found = story.open(page, **VIEWS[view])
    assert (found.faults, found.requests, found.cut) == ([], [], [])
    assert found.title != "run"
    assert found.width == VIEWS[view].get("width", DESKTOP)
    assert_readable(found)
    assert found.backgrounds
    assert [each for each in found.backgrounds if (sum(each) < 3 * 128) is not (view == "desktop-dark")] == []


@pytest.mark.parametrize("name", PLOT_FILES)
def test_a_plot_of_the_documentation_is_an_image_that_needs_nothing_else(story: Story, name: str) -> None:
    found = story.browser.open(PLOTS / f"{name}.svg")
    assert (found.faults, found.requests) == ([], [])
    assert_readable(found)


def assert_readable(found: Opened) -> None:
    """No text of a plot is cut or overlaps the next one."""
    assert [text for text in found.texts if text.left < 0] == []
    lines: dict[float, list[Any]] = {}
    for text in sorted(found.texts, key=lambda text: (text.top, text.left)):
        lines.setdefault(round(text.top), []).append(text)
    assert [(one, two) for line in lines.values() for one, two in pairwise(line) if one.right > two.left + 0.5] == []


def test_faults_requests_and_what_is_too_wide_are_noticed(story: Story) -> None:
    path = story.directory / "faulty.html"
    path.write_text(
        "<main><p style='width: 2000px; background: white'>wide</p><img src='http://127.0.0.1:9/x.png'>"
        "<svg><text y='9'>one</text><text y='9' x='2'>two</text></svg><script>missing()</script>"
    )
    found = story.browser.open(path)
    assert any("missing is not defined" in fault for fault in found.faults)
    assert found.requests == ["http://127.0.0.1:9/x.png"]
    assert found.width > DESKTOP
    assert found.cut
    assert found.backgrounds == [(255, 255, 255)]
    with pytest.raises(AssertionError):
        assert_readable(found)
