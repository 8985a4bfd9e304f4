"""What all unit tests share."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def untouched_logger() -> Iterator[None]:
    """Leave the package's logger as it was."""
    package = logging.getLogger("xml_extractor")
    before = (package.handlers, package.level, package.propagate)
    yield
    package.handlers, level, package.propagate = before
    package.setLevel(level)
