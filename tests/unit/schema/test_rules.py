"""Rules of tables that a contract does not know."""

import pytest

from xml_extractor.processing_log.log_table import log_table
from xml_extractor.schema.model import ActualColumn, ActualTable
from xml_extractor.schema.rules import rules_beside_the_contract


@pytest.mark.parametrize(
    ("collation", "is_exact"),
    [
        ("Latin1_General_100_BIN2", True),
        ("Latin1_General_BIN", True),
        ("", True),
        ("SQL_Latin1_General_CP1_CI_AS", False),
        ("Latin1_General_100_CS_AS", False),
    ],
)
def test_a_log_that_ignores_differences_between_keys_is_reported(collation: str, *, is_exact: bool) -> None:
    for name in ("", "etl.loads"):
        log = log_table(name)
        there = ActualTable(log.table, (ActualColumn("document_key", collation=collation),), key=log.key)
        found = [rule for rule in rules_beside_the_contract(log, there, ()) if "collation" in rule]
        assert len(found) == (not is_exact)
        assert all(collation in rule for rule in found)
