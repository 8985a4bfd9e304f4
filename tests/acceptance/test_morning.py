"""The runbook for the morning answers its questions."""

from pathlib import Path

from tests.acceptance.morning import Operator, commands
from tests.conftest import posix_only


@posix_only("SIGKILL")
def test_the_runbook_leads_from_a_killed_night_to_a_proof(tmp_path: Path) -> None:
    operator = Operator(tmp_path, documents=200)
    assert [screen.exit_code for screen in operator.night()] == [0, 1, -9, 1]
    screens = list(operator.morning())
    assert [screen.exit_code for screen in screens] == [0, 0, 0, 0, 1, 0, 0, 0, 0], screens
    runs, status, summary, reject, preview, loaded, compared, report, verified = (screen.shown for screen in screens)
    assert [line.split()[1] for line in runs.splitlines()[1:-1]] == ["finished", "lost", "finished"]
    assert status.splitlines()[-1] == "Waiting at the source: 0 documents"
    assert summary.splitlines()[-1].startswith("7 documents rejected for ")
    key, _, reason, file = reject.splitlines()[:4]
    assert (key, file.startswith("  file rejects/")) == (reason and key, True)
    assert preview.startswith(f"Rejected at stage {reason.strip().partition(': ')[0]}: ")
    assert "= 7 loaded + 0 rejected + 233 already done" in loaded
    assert "documents per minute" in compared
    assert report.startswith("Written: night.html")
    assert verified.endswith("The target holds what the documents say\n")


def test_every_question_of_the_runbook_but_the_fix_has_a_command() -> None:
    assert sorted({heading[0] for heading, _ in commands()}) == ["1", "2", "3", "4", "6", "7", "8"]
