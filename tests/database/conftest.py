"""Every target and every kind of source, for the tests that all of them must pass."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import pytest

from tests import sqlserver
from tests.database.demo_tables import CONTRACT, TABLES
from xml_extractor.targets.interfaces import Target, TargetConnection
from xml_extractor.targets.registry import open_target

BY_JSON = "mssql by json"
TARGETS = [
    "sqlite",
    *(["parquet"] if find_spec("pyarrow") else []),
    *(pytest.param(kind, marks=pytest.mark.mssql) for kind in ("mssql", BY_JSON)),
]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave Parquet out where a module does not name it, and where a test needs keys or foreign keys to be enforced."""
    left_out = [item for item in items if "parquet" in item.name.partition("[")[2] and not _is_for_datasets(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def _is_for_datasets(item: pytest.Item) -> bool:
    module = getattr(item, "module", None)
    return getattr(module, "WITH_PARQUET", False) and item.get_closest_marker("constraints") is None


@contextmanager
def empty_targets(kind: str, directory: Path) -> Iterator[Callable[[], str]]:
    """Gives addresses of empty targets of a kind, which are there until the end of the block."""
    numbers = count(1)
    if kind == "sqlite":
        yield lambda: f"sqlite:///{directory / f'target{next(numbers)}.db'}"
        return
    if kind == "parquet":
        yield lambda: f"parquet:{directory / f'datasets{next(numbers)}'}"
        return
    with ExitStack() as schemas:
        if kind == BY_JSON:
            schemas.enter_context(rows_are_sent_as_json())
        yield lambda: sqlserver.in_schema(schemas.enter_context(sqlserver.scratch_schema()))


@contextmanager
def rows_are_sent_as_json() -> Iterator[None]:
    """Has all connections to a SQL Server send rows as JSON, where nothing else is asked for."""
    from xml_extractor.targets.sqlserver.target import SqlServerTarget

    connect = SqlServerTarget.connect
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SqlServerTarget, "connect", lambda target: connect(target, "json"))
        yield


@pytest.fixture(params=TARGETS)
def new_address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Gives addresses of empty targets."""
    with empty_targets(request.param, tmp_path) as addresses:
        yield addresses


@pytest.fixture(scope="module", params=TARGETS)
def shared_address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a target that a module's tests share: connecting takes longer than most of them."""
    with empty_targets(request.param, tmp_path_factory.mktemp("shared")) as addresses:
        yield addresses()


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
    opened.create(TABLES)
    opened.prepare(TABLES)
    return opened


@pytest.fixture
def connection(target: Target) -> Iterator[TargetConnection]:
    """A connection to it."""
    with closing(target.connect()) as opened:
        yield opened
