"""What people read on a terminal or in a file: log lines and tables."""

import json
import logging
import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from xml_extractor.escaping import escaped
from xml_extractor.settings import LogFormat

if TYPE_CHECKING:
    from rich.console import JustifyMethod, RenderableType
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
