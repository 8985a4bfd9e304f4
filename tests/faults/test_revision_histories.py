"""A sample of `python -m tests.faults.revisions`."""

from tests.faults.revisions import try_out


def test_two_runs_at_once_leave_the_newest_revisions_with_exactly_their_rows() -> None:
    assert try_out("sqlite", seed=3, things=20, each=6, workers=2) == []
