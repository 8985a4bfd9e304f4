"""What is said of figures, and of what they are compared with."""

from collections.abc import Callable
from typing import Any

import pytest

from env_prep.baseline.comparing import warnings, why_not, with_stored, within
from env_prep.baseline.record import Baseline, Database
from xml_extractor.distribution import DISTRIBUTION

MakeBaseline = Callable[..., Baseline]


def test_the_first_set_of_options_is_compared_with_the_other(make_baseline: MakeBaseline) -> None:
    made = make_baseline({"--workers 2": [200, 220, 180], "--workers 1": [100, 110, 90]})
    (comparison,) = within(made)
    assert str(comparison).startswith("--workers 2 / --workers 1 = 2.00 (95 % interval ")
    assert comparison.ratio.low <= 2 <= comparison.ratio.high


def test_a_few_runs_pretend_no_interval(make_baseline: MakeBaseline) -> None:
    (comparison,) = within(make_baseline({"--workers 2": [200, 220], "--workers 1": [100, 110, 90]}))
    assert str(comparison) == "--workers 2 / --workers 1 = 2.10 (too few runs for an interval)"


def test_each_set_of_options_is_compared_with_its_own_stored_figures(make_baseline: MakeBaseline) -> None:
    stored = make_baseline({"--workers 1": [100], "--workers 2": [200]})
    now = make_baseline({"--workers 2": [150], "--workers 8": [500], "--workers 1": [90]})
    assert [(each.first, each.ratio.median) for each in with_stored(now, stored)] == [
        ("--workers 1 now", 0.9),
        ("--workers 2 now", 0.75),
    ]


def test_other_contracts_and_other_kinds_of_databases_are_not_compared(make_baseline: MakeBaseline) -> None:
    stored = make_baseline({"": [100]})
    here, server = Database(kind="sqlite", name="x"), Database(kind="mssql", name="mssql://host/db")
    assert why_not("orders", here, stored) == ""
    assert why_not("invoices", here, stored) == "the stored baseline is of the contract orders, this is invoices"
    assert why_not("orders", server, stored).endswith("sqlite:///scratch.db, this is mssql://host/db")


def test_the_same_on_the_same_machine_is_compared_without_a_warning(make_baseline: MakeBaseline) -> None:
    assert list(warnings(make_baseline({"": [100]}), make_baseline({"": [90]}))) == []


@pytest.mark.parametrize(
    ("changed", "warning"),
    [
        ({"documents": 50}, "the number of documents differs: 50 then, 100 now"),
        ({"rows": {"orders": 1}}, "the rows of the documents differ"),
        ({"database": Database(kind="sqlite", name="x")}, "the database differs: x then, sqlite:///scratch.db now"),
    ],
)
def test_a_warning_says_what_else_has_changed(
    make_baseline: MakeBaseline, changed: dict[str, Any], warning: str
) -> None:
    assert list(warnings(make_baseline({"": [100]}), make_baseline({"": [90]}, **changed))) == [warning]


def test_another_machine_and_other_versions_are_warned_of(make_baseline: MakeBaseline) -> None:
    now, stored = make_baseline({"": [100]}), make_baseline({"": [100]})
    packages = now.machine["packages"]
    stored.machine.update(cpus=96, python="3.14.0", packages={**packages, "lxml": "1.0", DISTRIBUTION: "0.0.1"})
    assert list(warnings(now, stored)) == [
        f"the machine's cpus differs: 96 then, {now.machine['cpus']} now",
        f"Python differs: 3.14.0 then, {now.machine['python']} now",
        f"lxml differs: 1.0 then, {packages['lxml']} now",
    ]


def test_another_version_of_the_contract_is_warned_of(make_baseline: MakeBaseline) -> None:
    stored = make_baseline({"": [100]})
    changed = stored.model_copy(update={"contract": stored.contract.model_copy(update={"hash": "cd" * 32})})
    assert list(warnings(stored, changed)) == ["the contract orders has changed (its hash is another one)"]
