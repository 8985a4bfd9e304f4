"""Contracts of one or two tables."""

from collections.abc import Callable
from datetime import datetime
from textwrap import dedent, indent

import pytest

from xml_extractor.contract.reading import check_text
from xml_extractor.documents import RunValues
from xml_extractor.mapping import Plan, compile_plan

PlanOf = Callable[..., Plan]


@pytest.fixture
def plan_of() -> PlanOf:
    """Compile tables written as YAML; `head` has what stands above them."""

    def compile_tables(tables: str, head: str = "document: {root: Doc}", name: str = "sample") -> Plan:
        text = (
            f"contract: {name}\nversion: 1\n{dedent(head).strip()}\ntables:\n{indent(dedent(tables).strip(), '  ')}\n"
        )
        contract, faults = check_text("sample.yaml", text)
        assert contract is not None, faults
        return compile_plan(contract)

    return compile_tables


@pytest.fixture
def run_values() -> RunValues:
    """A run at a fixed time."""
    return RunValues(run_id="run-1", load_time=datetime(2024, 2, 29, 12, 30), source_name="unit tests")  # noqa: DTZ001 - the clock of a run is UTC without a zone
