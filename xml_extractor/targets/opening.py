"""Opens the target of a run while the run opens its source and starts its processes."""

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from xml_extractor.contract.layout import TableLayout
from xml_extractor.errors import UsageError
from xml_extractor.settings import ChosenStrategy
from xml_extractor.targets.interfaces import Target, TargetConnection

POLL_SECONDS = 0.1


class TargetOpening:
    """Connects to a target and prepares it, in a thread unless it is embedded.

    A context manager. A connection that nobody takes is closed.

    Args:
        target: The target.
        tables: The contract's tables.
        strategy: How the connection sends rows.

    Raises:
        UsageError: The target does not support the strategy.
    """

    def __init__(self, target: Target, tables: Sequence[TableLayout], strategy: ChosenStrategy) -> None:
        if strategy not in ("auto", *target.strategies):
            raise UsageError(
                f"{target.name} does not support the insert strategy '{strategy}'",
                f"choose {' or '.join(target.strategies)}, or omit the option",
            )
        self._target = target
        self._tables = tables
        self._strategy = strategy
        self._connection: TargetConnection | None = None
        self._error: BaseException | None = None
        self._is_abandoned = False
        # A daemon, so that a run that must stop at once does not wait for the target.
        self._thread = threading.Thread(target=self._run, name="target opening", daemon=True)

    def __enter__(self) -> Self:
        if not self._target.is_embedded:
            self._thread.start()
        return self

    def take(self) -> TargetConnection:
        """Return the connection to the prepared target. The caller closes it.

        Raises:
            TargetError: The target cannot be used.
        """
        if self._target.is_embedded:
            self._run()
        while self._thread.is_alive():
            self._thread.join(POLL_SECONDS)
        if self._error is not None:
            raise self._error
        connection, self._connection = self._connection, None
        if connection is None:
            raise RuntimeError
        return connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_abandoned = True
        if self._connection is not None and not self._thread.is_alive():
            self._connection.close()

    def _run(self) -> None:
        connection = None
        try:
            if self._target.is_embedded:
                self._target.prepare(self._tables)
            connection = self._target.connect(self._strategy)
            if not self._target.is_embedded:
                self._target.prepare(self._tables, connection)
            self._connection = connection
        except BaseException as error:  # noqa: BLE001 - raised again by `take`
            self._error = error
        if connection is not None and (self._error is not None or self._is_abandoned):
            connection.close()
