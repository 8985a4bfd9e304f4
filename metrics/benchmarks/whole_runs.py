"""Whole runs, measured by the documents a minute that they report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from metrics.benchmarks import inputs
from metrics.benchmarks.record import Limit, Record
from xml_extractor.pipeline import run
from xml_extractor.settings import RunSettings

SettingChanges = Mapping[str, Any]
"""The settings that differ from the defaults."""

USUAL: SettingChanges = {}
VARIANTS: Mapping[str, SettingChanges] = {
    "queue, as by default": USUAL,
    "blocking": {"insert_mode": "blocking"},
    "1 worker": {"workers": 1},
    "2 workers": {"workers": 2},
    "4 workers": {"workers": 4},
    "2 insert threads": {"insert_threads": 2},
    "4 insert threads": {"insert_threads": 4},
    "100 rows in a call": {"insert_batch_rows": 100},
    "5,000 rows in a call": {"insert_batch_rows": 5000},
}
"""The changed settings by name; the first has the defaults."""

DEFAULTS = next(iter(VARIANTS))


def settings(contract: str, source: str, target: str, changes: SettingChanges) -> RunSettings:
    """Return the settings of a run that writes only rows, without progress or rejects."""
    return replace(RunSettings(contract, source, target, progress=False, rejects_dir=None), **changes)


def documents_a_minute(chosen: RunSettings, documents: int) -> float:
    """Run in this process, with its own worker processes, and check that all documents are loaded.

    Raises:
        RuntimeError: They are not.
    """
    result = run(chosen)
    if result.failure is not None or result.statistics.loaded != documents:
        raise RuntimeError(f"a run loaded {result.statistics.loaded} of {documents} documents: {result.failure}")
    return result.documents_per_minute


class SqliteRuns:
    """Runs from one SQLite file into a new one each.

    Args:
        directory: For the files.
        source: The address of the documents.
        contract: A name or a path.
        documents: Their number.
    """

    def __init__(self, directory: Path, source: str, contract: str, documents: int) -> None:
        self._directory = directory
        self._source = source
        self._contract = contract
        self._documents = documents
        self._numbers = count()

    def measure(self, changes: SettingChanges) -> float:
        """Measure documents a minute of a run with these settings changed."""
        target = self._directory / f"run{next(self._numbers)}.db"
        address = inputs.sqlite_address(target)
        rate = documents_a_minute(settings(self._contract, self._source, address, changes), self._documents)
        for path in self._directory.glob(f"{target.name}*"):
            path.unlink()
        return rate

    def measures(self, variants: Mapping[str, SettingChanges]) -> dict[str, Callable[[], float]]:
        """Return one measure for each variant."""
        return {name: partial(self.measure, changes) for name, changes in variants.items()}


def compare(record: Record, place: str, taken: Mapping[str, Sequence[float]]) -> None:
    """Record the ratio of each setting to the defaults."""
    for name, rates in taken.items():
        if name == "blocking":
            record.ratio(f"{place}: queue / blocking", taken[DEFAULTS], rates, Limit(at_least=1.25))
        elif name != DEFAULTS:
            record.ratio(f"{place}: {name} / defaults", rates, taken[DEFAULTS])
    if {"2 workers", "4 workers"} <= taken.keys():
        record.ratio(f"{place}: 4 workers / 2", taken["4 workers"], taken["2 workers"], Limit(at_least=0.95))


def doubled(record: Record, name: str, one: Sequence[float], two: Sequence[float]) -> None:
    """Record the gain of a second worker where parse and map is the bottleneck."""
    record.ratio(name, two, one, Limit(at_least=1.8))


def mapping_bound_contract(directory: Path) -> str:
    """Write a contract that reads all bureau reports but maps few rows, and return its path."""
    path = directory / "bureau_report.yaml"
    path.write_text(MAPPING_BOUND, encoding="utf-8")
    return str(path)


MAPPING_BOUND = """
contract: bureau_report
version: 1
document: {root: CardApplication, key: "@id", key_type: int}
tables:
  bureau_report:
    rows: BureauReports/Report
    columns:
      app_id:         {run: document_key, key: true}
      report_no:      {position: true, key: true}
      bureau:         {path: "@bureau", type: char(2), required: true}
      tradelines:     {path: count(Accounts/Group/Tradeline), type: int}
      years:          {path: count(Accounts/Group/Tradeline/PaymentHistory/Year), type: int}
      months:         {path: count(Accounts/Group/Tradeline/PaymentHistory/Year/Month), type: int}
      months_late:    {path: "count(Accounts/Group/Tradeline/PaymentHistory/Year/Month[@status='1'])", type: int}
      inquiries:      {path: count(Accounts/Group/Tradeline/Inquiries/Inquiry), type: int}
"""
