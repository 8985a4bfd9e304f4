"""Log lines, the same in every process of a run."""

import logging
import sys
import time

FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)-7s %(processName)s %(message)s"


def configure_logging(level: str) -> None:
    """Send log lines of at least this level to standard error, with UTC times."""
    formatter = logging.Formatter(FORMAT, datefmt="%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    package = logging.getLogger("xml_extractor")
    package.handlers = [handler]
    package.setLevel(level)
    package.propagate = False
