"""Log lines, the same in every process of a run."""

import logging
import sys
import time

from xml_extractor.reporting.screen import discard

FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)-7s %(processName)s %(message)s"


class StandardErrorHandler(logging.Handler):
    """Writes each line at once to what standard error is at that moment: a progress bar makes way for lines."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line. Where there is no standard error, or nobody reads it any more, the run goes on without."""
        stream = sys.stderr
        if stream is None:
            return
        try:
            stream.write(f"{self.format(record)}\n")
            stream.flush()
        except OSError:
            discard(sys.__stderr__)


def configure_logging(level: str) -> None:
    """Send log lines of at least this level to standard error, with UTC times."""
    formatter = logging.Formatter(FORMAT, datefmt="%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = StandardErrorHandler()
    handler.setFormatter(formatter)
    package = logging.getLogger("xml_extractor")
    package.handlers = [handler]
    package.setLevel(level)
    package.propagate = False
