"""A sample of `tests.faults.verify`."""

import random
from pathlib import Path

import pytest

from tests.faults.verify import one_round, target_of


@pytest.mark.parametrize("is_server", [False, pytest.param(True, marks=pytest.mark.mssql)])
def test_changes_of_loaded_tables_are_found_and_nothing_else(tmp_path: Path, *, is_server: bool) -> None:
    documents, faults = (20, 12) if is_server else (60, 40)
    with target_of(tmp_path, is_server=is_server) as target:
        counts = one_round("linked", documents, faults, random.Random(7), target, tmp_path)
    assert counts["wrong"] == 0
    assert {kind for kind, number in counts.items() if number} >= {"cell", "deleted", "added"}
