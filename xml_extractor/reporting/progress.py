"""The progress of a run or of another long command: a bar on a terminal, elsewhere a line now and then."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

LINE_SECONDS = 30.0
"""How often a line is written where there is no terminal."""

RATE_SECONDS = 30.0
"""The current rate is the average of this time."""


class Progress(NamedTuple):
    """How far a long command is.

    Attributes:
        done: Documents that are finished, also those that were finished before the command started.
        processed: Documents that the command itself has finished.
        total: The expected value of `done` at the end; None if it is unknown.
        rejected: Rejected documents.
        queued: Chunks in the insert queue; None if there is no queue.
    """

    done: int
    processed: int
    total: int | None = None
    rejected: int = 0
    queued: int | None = None


Show = Callable[[Progress], None]


class Rate:
    """The current rate of documents.

    Args:
        clock: Returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque([(clock(), 0)])

    def per_second(self, processed: int) -> float:
        """Note how many documents are processed by now, and return the current rate per second."""
        now = self._clock()
        while len(self._seen) > 1 and now - self._seen[1][0] >= RATE_SECONDS:
            self._seen.popleft()
        since, before = self._seen[0]
        if now - self._seen[-1][0] >= 1 or len(self._seen) == 1:
            self._seen.append((now, processed))
        return (processed - before) / (now - since) if now > since else 0.0


def described(progress: Progress, per_second: float) -> str:
    """Return progress in words, such as `1,200 of 5,000 documents, 8,400 a minute, 3 rejected, 1 min left`."""
    of_all = "" if progress.total is None else f" of {max(progress.total, progress.done):,}"
    parts = [f"{progress.done:,}{of_all} documents", f"{per_second * 60:,.0f} a minute"]
    if progress.rejected:
        parts.append(f"{progress.rejected:,} rejected")
    if progress.queued:
        parts.append(f"{progress.queued:,} chunks queued")
    if progress.total is not None and per_second and progress.total > progress.done:
        parts.append(f"{_duration((progress.total - progress.done) / per_second)} left")
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    """Return a duration that nobody knows exactly, such as `40 s`, `12 min` or `3:05 h`."""
    if seconds < 100:  # noqa: PLR2004 - up to here, seconds are easier to read
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours}:{minutes:02} h" if hours else f"{minutes} min"


@contextmanager
def shown_progress(stream: TextIO | None, description: str, *, shown: bool = True) -> Iterator[Show]:
    """Show progress while the block runs.

    Args:
        stream: Where to show it; on a terminal as a bar, elsewhere as a line every `LINE_SECONDS`.
        description: What the command does, such as `loading`.
        shown: Whether to show anything.

    Yields:
        A function to call with the progress whenever it changes.
    """
    if not shown or stream is None:
        yield lambda _: None
    elif stream.isatty():
        with _bar(stream) as bar:
            yield _updates(bar, description)
    else:
        yield _lines(stream, description)


def _bar(stream: TextIO) -> "Bar":
    from rich import progress
    from rich.console import Console

    return progress.Progress(
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}"),
        progress.BarColumn(bar_width=None),
        progress.TextColumn("{task.fields[words]}"),
        console=Console(file=stream),
        transient=True,
        expand=True,
    )


def _updates(bar: "Bar", description: str) -> Show:
    rate = Rate()
    task = bar.add_task(description, total=None, words="")

    def update(progress: Progress) -> None:
        words = described(progress, rate.per_second(progress.processed))
        bar.update(task, completed=progress.done, total=progress.total, words=words)

    return update


def _lines(stream: TextIO, description: str) -> Show:
    rate = Rate()
    next_at = time.monotonic() + LINE_SECONDS

    def write(progress: Progress) -> None:
        nonlocal next_at
        per_second = rate.per_second(progress.processed)
        if time.monotonic() >= next_at:
            next_at = time.monotonic() + LINE_SECONDS
            stream.write(f"{description}: {described(progress, per_second)}\n")
            stream.flush()

    return write
