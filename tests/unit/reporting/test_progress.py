"""The progress of a long command: a bar on a terminal, elsewhere a line now and then."""

from io import StringIO

import pytest

from xml_extractor.reporting import console
from xml_extractor.reporting.console import Progress, Rate, described, shown_progress


class Terminal(StringIO):
    """A terminal that nobody sees."""

    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the terminal wide enough for the whole bar."""
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")


def shown_on(stream: StringIO, *, shown: bool = True) -> str:
    with shown_progress(stream, "Loading", shown=shown) as show:
        show(Progress(10, 10, 40))
        show(Progress(30, 30, 40, rejected=2, queued=3))
    return stream.getvalue()


def test_a_terminal_shows_documents_total_rejects_and_queue_depth() -> None:
    text = shown_on(Terminal())
    assert "Loading" in text
    assert "30 of 40 documents" in text
    assert "2 rejected" in text
    assert "3 chunks queued" in text


def test_elsewhere_a_line_is_written_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown_on(StringIO()) == ""
    monkeypatch.setattr(console, "LINE_SECONDS", 0.0)
    lines = shown_on(StringIO()).splitlines()
    assert [line.partition(",")[0] for line in lines] == ["Loading: 10 of 40 documents", "Loading: 30 of 40 documents"]


@pytest.mark.parametrize("stream", [StringIO(), Terminal()])
def test_nothing_is_shown_if_it_is_not_wanted(stream: StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "LINE_SECONDS", 0.0)
    assert shown_on(stream, shown=False) == ""


def test_the_rate_is_that_of_the_last_half_minute() -> None:
    clock = Clock()
    rate = Rate(clock)
    assert rate.per_second(0) == 0
    for second in range(1, 61):
        clock.now = second
        found = rate.per_second(100 * second if second <= 20 else 2000 + 10 * (second - 20))
    assert found == pytest.approx(10)


@pytest.mark.parametrize(
    ("done", "total", "per_second", "words"),
    [
        (1200, 5000, 140.0, "1,200 of 5,000 documents, 8,400 a minute, 27 s left"),
        (0, 5000, 0.0, "0 of 5,000 documents, 0 a minute"),
        (0, 90_000, 10.0, "0 of 90,000 documents, 600 a minute, 2:30 h left"),
        (0, 1200, 1.0, "0 of 1,200 documents, 60 a minute, 20 min left"),
        (7, None, 1.0, "7 documents, 60 a minute"),
        (9, 7, 1.0, "9 of 9 documents, 60 a minute"),
    ],
)
def test_progress_in_words(done: int, total: int | None, per_second: float, words: str) -> None:
    assert described(Progress(done, done, total), per_second) == words
