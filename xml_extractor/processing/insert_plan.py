"""How a run sends its rows, chosen by how far away the target is."""

import logging
from typing import NamedTuple

from xml_extractor.errors import UsageError
from xml_extractor.settings import InsertStrategy, RunSettings
from xml_extractor.targets.interfaces import Target

logger = logging.getLogger(__name__)

FAR = 0.002
"""Seconds of a round trip from which on round trips, rather than statements, take most of the time."""

THREADS_FOR_FAR = 4
"""Insert threads that wait for a far target at the same time."""


class InsertPlan(NamedTuple):
    """How rows are sent.

    Attributes:
        strategy: By arrays of one table's rows, or as JSON of all tables.
        threads: Background insert threads.
    """

    strategy: InsertStrategy
    threads: int


TABLE_BY_TABLE = InsertPlan("executemany", 1)
"""What suits a target that is near."""


def plan_inserts(settings: RunSettings, target: Target) -> InsertPlan:
    """What the settings say, and else what suits a target at this distance.

    Raises:
        UsageError: The target does not know the strategy.
        TargetError: The target cannot be reached.
    """
    wanted = settings.insert_strategy
    if wanted not in ("auto", *target.strategies):
        raise UsageError(
            f"{target.name} does not take rows by '{wanted}'",
            f"choose {' or '.join(target.strategies)}, or leave it out",
        )
    seconds = target.round_trip()
    suitable = TABLE_BY_TABLE if seconds < FAR else InsertPlan(target.strategies[-1], THREADS_FOR_FAR)
    plan = InsertPlan(
        suitable.strategy if wanted == "auto" else wanted,
        suitable.threads if settings.insert_threads == "auto" else settings.insert_threads,
    )
    if seconds:
        message = "Round trip to the target %.1f ms: insert strategy %s, insert threads %d"
        logger.info(message, seconds * 1000, plan.strategy, plan.threads)
    return plan
