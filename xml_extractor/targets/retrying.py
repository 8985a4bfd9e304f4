"""How often and after what pauses something is tried again that a moment refused."""

from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential, wait_random

from xml_extractor.errors import TargetError
from xml_extractor.targets.interfaces import Blame, Refusal

Answer = TypeVar("Answer")

ATTEMPTS = 9
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 30.0
"""Doubled each time, the pauses add up to about a minute: long enough for a database to move to another server."""

Explain = Callable[[Exception], Refusal | None]
"""What an exception of a database means; None if it is not the database's."""


def retrying(explain: Explain, note: Callable[[RetryCallState], None] = lambda _: None) -> Retrying:
    """Calls a function again while what it raises may pass; then raises that.

    Args:
        explain: Says which exceptions may pass.
        note: Called before each pause.
    """

    def may_pass(error: BaseException) -> bool:
        refusal = explain(error) if isinstance(error, Exception) else None
        return refusal is not None and refusal.blame is Blame.MOMENT

    return Retrying(
        retry=retry_if_exception(may_pass),
        wait=wait_exponential(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS) + wait_random(0, FIRST_PAUSE_SECONDS),
        stop=stop_after_attempt(ATTEMPTS),
        before_sleep=note,
        reraise=True,
    )


def answered(action: Callable[[], Answer], explain: Explain, trouble: str) -> Answer:
    """Call a function until it gives an answer.

    Args:
        action: Called again while what it raises may pass.
        explain: Says what exceptions mean.
        trouble: What cannot be done if it gives none.

    Raises:
        TargetError: The database refuses. Whatever else is raised passes.
    """
    try:
        return retrying(explain)(action)
    except Exception as error:
        refusal = explain(error)
        if refusal is None:
            raise
        raise TargetError(f"{trouble}: {refusal.explanation}", refusal.tip or "run the same command again") from None
