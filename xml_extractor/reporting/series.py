"""How a run went on while it ran: samples of its progress, few enough to keep."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

SAMPLE_SECONDS = 1.0
"""The shortest time between two samples."""

MAX_SAMPLES = 600
"""With so many, every second one is dropped, and those to come are half as frequent."""


@dataclass(slots=True)
class ProgressSeries:
    """Samples of a run, taken by its main process.

    Attributes:
        began_at: When the run began, by `time.perf_counter`.
        seconds: Since then, for each sample.
        documents: Documents loaded or rejected until then.
        queued: Chunks in the insert queue then; empty if there is no queue.
    """

    began_at: float = field(default_factory=time.perf_counter)
    seconds: list[float] = field(default_factory=list)
    documents: list[int] = field(default_factory=list)
    queued: list[int] = field(default_factory=list)
    _interval: float = SAMPLE_SECONDS
    _next_at: float = 0.0

    def sample(self, documents: int, queue_size: Callable[[], int] | None, now: float | None = None) -> None:
        """Take a sample if it is time for one.

        Args:
            documents: Documents loaded or rejected so far.
            queue_size: Says how many chunks are in the queue; asked only when it is time. None if there is no queue.
            now: By `time.perf_counter`, which is asked where this is left out.
        """
        since = (time.perf_counter() if now is None else now) - self.began_at
        if since < self._next_at:
            return
        self._add(since, documents, None if queue_size is None else queue_size())
        if len(self.seconds) >= MAX_SAMPLES:
            for figures in (self.seconds, self.documents, self.queued):
                del figures[1::2]
            self._interval *= 2
        self._next_at = self.seconds[-1] + self._interval

    def end(self, documents: int, elapsed: float) -> None:
        """Add a last sample: what the run came to after so many seconds; its queue is empty then."""
        self._add(elapsed, documents, 0 if self.queued else None)

    def _add(self, seconds: float, documents: int, queued: int | None) -> None:
        self.seconds.append(round(seconds, 3))
        self.documents.append(documents)
        if queued is not None:
            self.queued.append(queued)
