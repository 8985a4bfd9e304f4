"""The processing log for people: what it says, and putting rejected documents back, without a run."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import NamedTuple

from xml_extractor.errors import TargetError
from xml_extractor.schema.comparison import NO_TABLE, refuse_errors
from xml_extractor.targets.interfaces import Connection, LogCount, LogEntry, RejectSelection, Target
from xml_extractor.targets.retrying import Answer, answered


class PutBack(NamedTuple):
    """What became of rejected documents that were to be put back.

    Attributes:
        documents: Those that the next run tries again.
        exhausted: Those that were tried as often as was allowed, and stay rejected.
    """

    documents: int
    exhausted: int


class ProcessingLog:
    """The processing log of a target.

    Args:
        connection: The caller closes it.
        name: What to call the target in messages.
    """

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._name = name

    def put_back(self, selection: RejectSelection, max_attempts: int) -> PutBack:
        """Have rejected documents tried again by the next run, unless they were tried as often as is allowed.

        Raises:
            TargetError: The log cannot be written.
        """

        def change() -> PutBack:
            with self._connection.transaction():
                changed = self._connection.put_back(replace(selection, below_attempts=max_attempts))
                return PutBack(changed, sum(1 for _ in self._connection.rejected(selection)))

        return self._answer(change)

    def counts(self, contract: str) -> list[LogCount]:
        """How many documents the log has of each run, the run that ended last first.

        Raises:
            TargetError: The log cannot be read.
        """
        found = self._answer(lambda: self._connection.log_counts(contract))
        ended = {count.run_id: count.finished_at for count in sorted(found, key=lambda count: count.finished_at)}
        return sorted(found, key=lambda count: (ended[count.run_id], count.run_id, count.status), reverse=True)

    def rejected(self, selection: RejectSelection) -> Iterator[LogEntry]:
        """Rejected documents, in the order of their keys as text.

        Raises:
            TargetError: The log cannot be read.
        """
        found = self._answer(lambda: list(self._connection.rejected(selection)))
        return iter(sorted(found, key=lambda entry: entry.document_key))

    def _answer(self, action: Callable[[], Answer]) -> Answer:
        return answered(action, self._connection.explain, f"the processing log of {self._name} cannot be used")


@contextmanager
def processing_log(target: Target) -> Iterator[ProcessingLog]:
    """Open the processing log of a target, which must be there.

    Raises:
        TargetError: There is none, or the target cannot be reached.
    """
    found = target.differences(())
    if any(not difference.column and difference.found == NO_TABLE for difference in found):
        tip = "see that the target is the one that was loaded; `xml-extractor init` makes what is missing"
        raise TargetError(f"there is no processing log in {target.name}", tip)
    refuse_errors(target.name, found)
    with closing(target.connect()) as connection:
        yield ProcessingLog(connection, target.name)
