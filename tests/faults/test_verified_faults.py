"""A sample of `tests.faults.verify`."""

import random
from pathlib import Path

from tests.faults.verify import one_round


def test_changes_of_loaded_tables_are_found_and_nothing_else(tmp_path: Path) -> None:
    counts = one_round("linked", 60, 40, random.Random(7), f"sqlite:///{tmp_path / 'target.db'}", tmp_path)
    assert counts["wrong"] == 0
    assert {kind for kind, number in counts.items() if number} >= {"cell", "deleted", "added", "moved"}
