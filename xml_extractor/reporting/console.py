"""What people read on a terminal or in a file: log lines, the progress bar and tables."""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

from xml_extractor.escaping import escaped

if TYPE_CHECKING:
    from rich.console import JustifyMethod, RenderableType
    from rich.table import Table
    from rich.text import Text

FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)-7s %(processName)s %(message)s"

FILE_WIDTH = 10_000
"""Characters per line outside of a terminal; only longer values are folded."""

Advance = Callable[[int], None]


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


def configure_logging(level: str) -> None:
    """Send log lines of this level and above to standard error, with UTC times."""
    formatter = LineFormatter(FORMAT, datefmt="%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = StandardErrorHandler()
    handler.setFormatter(formatter)
    package = logging.getLogger("xml_extractor")
    package.handlers = [handler]
    package.setLevel(level)
    package.propagate = False


@contextmanager
def progress_bar(
    stream: TextIO | None, description: str, *, total: int | None, shown: bool = True
) -> Iterator[Advance]:
    """Show a progress bar on a terminal while the block runs.

    Args:
        stream: Where to draw; nothing is drawn unless it is a terminal.
        description: What is counted.
        total: The expected number of documents, if known.
        shown: Whether to draw the bar at all.

    Yields:
        A function to call with the number of documents that are finished since the last call.
    """
    if not shown or stream is None or not stream.isatty():
        yield lambda _: None
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[rate]}"),
        progress.TimeElapsedColumn(),
    )
    with progress.Progress(*columns, console=Console(file=stream), transient=True) as bar:
        task = bar.add_task(description, total=total, rate="")
        began_at = time.perf_counter()

        def advance(documents: int) -> None:
            done = bar.tasks[0].completed + documents
            rate = done / (time.perf_counter() - began_at) * 60
            bar.update(task, advance=documents, rate=f"{rate:,.0f} a minute")

        yield advance


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
