"""Every target and every kind of source, for the tests that all of them must pass."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.database.demo_tables import CONTRACT, TABLES
from xml_extractor.database import open_target
from xml_extractor.database.interfaces import Connection, Target

MSSQL = "XML_EXTRACTOR_TEST_MSSQL"
TARGETS = ["sqlite", *([pytest.param("mssql", marks=pytest.mark.mssql)] if MSSQL in os.environ else [])]


@pytest.fixture(params=TARGETS)
def target_address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty target."""
    return f"sqlite:///{tmp_path / 'target.db'}" if request.param == "sqlite" else os.environ[MSSQL]


@pytest.fixture
def target(target_address: str) -> Target:
    """A target with the demo tables."""
    opened = open_target(target_address, CONTRACT)
    opened.prepare(TABLES)
    return opened


@pytest.fixture
def connection(target: Target) -> Iterator[Connection]:
    """A connection to it."""
    with closing(target.connect()) as opened:
        yield opened
