"""What must hold between the parts of a contract, by topic."""

from collections.abc import Callable, Iterable

from xml_extractor.contract.draft import Draft
from xml_extractor.contract.faults import Fault

CHECKS: tuple[Callable[[Draft], Iterable[Fault]], ...] = ()
"""Each finds the faults of one topic; a new one is a function and a line here."""


def faults_of_consistency(draft: Draft) -> list[Fault]:
    """What is wrong between the parts that could be read."""
    return [fault for check in CHECKS for fault in check(draft)]
