"""Every target and every kind of source, for the tests that all of them must pass."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from tests.database.demo_tables import CONTRACT, TABLES
from xml_extractor.database import open_target
from xml_extractor.database.interfaces import Connection, Target

MSSQL = "XML_EXTRACTOR_TEST_MSSQL"
TARGETS = ["sqlite", pytest.param("mssql", marks=pytest.mark.mssql)]


@pytest.fixture(params=TARGETS)
def new_address(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Gives addresses of empty targets."""
    numbers = count(1)
    kind: str = request.param
    if kind == "mssql" and MSSQL not in os.environ:
        pytest.skip(f"{MSSQL} names no SQL Server to test with")
    return lambda: f"sqlite:///{tmp_path / f'target{next(numbers)}.db'}" if kind == "sqlite" else os.environ[MSSQL]


@pytest.fixture
def target_address(new_address: Callable[[], str]) -> str:
    """The address of an empty target."""
    return new_address()


@pytest.fixture
def new_target(new_address: Callable[[], str]) -> Callable[[], Target]:
    """Gives targets with the demo tables."""
    return lambda: _prepared(new_address())


@pytest.fixture
def target(target_address: str) -> Target:
    """A target with the demo tables."""
    return _prepared(target_address)


def _prepared(address: str) -> Target:
    opened = open_target(address, CONTRACT)
    opened.prepare(TABLES)
    return opened


@pytest.fixture
def connection(target: Target) -> Iterator[Connection]:
    """A connection to it."""
    with closing(target.connect()) as opened:
        yield opened
