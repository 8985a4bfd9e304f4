"""A sample of the changes that `mutations.py` makes."""

import pytest

from tests.unit.quality.mutations import DOMAINS, failures


@pytest.mark.parametrize("kind", DOMAINS)
def test_each_change_of_a_document_is_reported_and_nothing_else(kind: str) -> None:
    assert list(failures(kind, 12)) == []
