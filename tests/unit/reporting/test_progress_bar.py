"""The bar of long work: on a terminal only."""

from io import StringIO

import pytest

from xml_extractor.reporting.console import progress_bar


class Terminal(StringIO):
    """A terminal that nobody sees."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the terminal wide enough for the whole bar."""
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")


def drawn(*, terminal: bool, total: int | None = 40, shown: bool = True) -> str:
    screen = Terminal() if terminal else StringIO()
    with progress_bar(screen, "documents committed", total=total, shown=shown) as advance:
        advance(10)
        advance(20)
    return screen.getvalue()


def test_a_terminal_shows_how_many_documents_of_how_many_are_done() -> None:
    text = drawn(terminal=True)
    assert "documents committed" in text
    assert "30/40" in text


def test_a_bar_without_a_total_counts_all_the_same() -> None:
    assert "30/?" in drawn(terminal=True, total=None)


@pytest.mark.parametrize(("terminal", "shown"), [(False, True), (True, False), (False, False)])
def test_nothing_is_drawn_elsewhere_or_when_it_is_not_wanted(*, terminal: bool, shown: bool) -> None:
    assert drawn(terminal=terminal, shown=shown).strip() == ""
