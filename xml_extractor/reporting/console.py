"""What people read on a terminal or in a file: log lines, tables and progress."""

import json
import logging
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple, TextIO

from xml_extractor.escaping import escaped
from xml_extractor.settings import LogFormat

if TYPE_CHECKING:
    from rich.console import JustifyMethod, RenderableType
    from rich.progress import Progress as Bar
    from rich.table import Table
    from rich.text import Text

FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)-7s %(processName)s %(message)s"

FILE_WIDTH = 10_000
"""Characters per line outside of a terminal; only longer values are folded."""


class StandardErrorHandler(logging.Handler):
    """Write each line to the current `sys.stderr`, which a progress bar replaces while it is shown."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line. Without a standard error, or if its reader has closed it, the line is dropped."""
        stream = sys.stderr
        if stream is None:
            return
        try:
            stream.write(f"{self.format(record)}\n")
            stream.flush()
        except OSError:
            discard(sys.__stderr__)


class LineFormatter(logging.Formatter):
    """Format a record as one line, whatever its message quotes."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - a name of logging
        """Insert the escaped message into the line."""
        record.message = escaped(record.message)
        return super().formatMessage(record)


class JsonFormatter(logging.Formatter):
    """Format a record as a JSON object in one line, with the run, and with document and stage where they are known.

    Args:
        run_id: The run; empty before it has an id.
    """

    def __init__(self, run_id: str = "") -> None:
        super().__init__(datefmt="%Y-%m-%dT%H:%M:%S")
        self.run_id = run_id

    def format(self, record: logging.LogRecord) -> str:
        """Return the object."""
        values = {
            "time": f"{self.formatTime(record, self.datefmt)}.{int(record.msecs):03}Z",
            "level": record.levelname,
            "process": record.processName,
            "run_id": self.run_id or None,
            "message": record.getMessage(),
            "document": getattr(record, "document", None),
            "stage": getattr(record, "stage", None),
        }
        return escaped(json.dumps({name: value for name, value in values.items() if value is not None}))


def name_run_in_log(run_id: str) -> None:
    """Add the id of a run to the JSON log lines of this process."""
    for handler in logging.getLogger("xml_extractor").handlers:
        if isinstance(handler.formatter, JsonFormatter):
            handler.formatter.run_id = run_id


def configure_logging(level: str, log_format: LogFormat = "text", run_id: str = "") -> None:
    """Send log lines of this level and above to standard error, with UTC times.

    Args:
        level: The lowest level.
        log_format: How lines are written.
        run_id: The run, for JSON; empty before it has an id.
    """
    formatter = LineFormatter(FORMAT, "%Y-%m-%dT%H:%M:%S") if log_format == "text" else JsonFormatter(run_id)
    formatter.converter = time.gmtime
    handler = StandardErrorHandler()
    handler.setFormatter(formatter)
    package = logging.getLogger("xml_extractor")
    package.handlers = [handler]
    package.setLevel(level)
    package.propagate = False


def cell(value: object, style: str = "") -> "Text":
    """Return a line, or the content of a table's cell, that has no markup and no characters that are not printable."""
    from rich.text import Text

    return Text(escaped(str(value)), style)


def plain_table(*headings: str, numbers: int = 0) -> "Table":
    """Return a table without lines. The first column is never folded; others are rather than truncated.

    Args:
        headings: The columns.
        numbers: How many columns at the end are aligned to the right.
    """
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    texts = len(headings) - numbers
    for position, heading in enumerate(headings):
        justify: JustifyMethod = "right" if position >= texts else "left"
        table.add_column(heading, overflow="fold", justify=justify, no_wrap=position == 0)
    return table


def rendered(renderable: "RenderableType", stream: TextIO | None) -> str:
    """Render text and tables for a stream.

    On a terminal, tables fit its width and have colours. Elsewhere nothing is cut, wrapped or coloured.

    Args:
        renderable: What to show.
        stream: Where it will be written; None if there is no such stream.
    """
    from rich.console import Console

    width = None if stream is not None and stream.isatty() else FILE_WIDTH
    console = Console(file=stream, width=width, highlight=False, soft_wrap=True)
    with console.capture() as capture:
        console.print(renderable)
    return "\n".join(line.rstrip(" ") for line in capture.get().split("\n"))


def discard(stream: TextIO | None) -> None:
    """Redirect a stream to the null device, because its reader has closed it.

    Otherwise Python fails to flush the stream at exit, reports that, and changes the exit code.
    """
    if stream is None:
        return
    with suppress(OSError, ValueError):
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, stream.fileno())
        os.close(descriptor)


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
