"""The scratch database of a baseline: only what a baseline created is dropped."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from env_prep.baseline.scratch import MARKER, Scratch, ScratchDatabase, open_scratch_database
from env_prep.baseline.workload import table_names
from tests import sqlserver
from tests.database.conftest import TARGETS
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.reading import read_contract
from xml_extractor.errors import RunError, UsageError
from xml_extractor.targets.registry import open_target

TABLES = ("documents", "processing_log", "orders")


@pytest.fixture(params=TARGETS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ScratchDatabase]:
    """An empty scratch database that exists."""
    if request.param == "sqlite":
        (tmp_path / "scratch.db").touch()
        yield open_scratch_database(f"sqlite:///{tmp_path / 'scratch.db'}")
        return
    with ExitStack() as schemas:
        yield open_scratch_database(sqlserver.in_schema(schemas.enter_context(sqlserver.scratch_schema())))


def make_table(database: ScratchDatabase, name: str) -> None:
    database.change([(f"CREATE TABLE {database.quoted(name)} (a int)", [()])])


def claimed(database: ScratchDatabase) -> Scratch:
    scratch = Scratch(database, TABLES)
    scratch.claim()
    for name in TABLES:
        make_table(database, name)
    return scratch


def test_a_database_with_a_table_of_somebody_else_is_refused_and_left_as_it_is(database: ScratchDatabase) -> None:
    make_table(database, "orders")
    with pytest.raises(
        UsageError, match=r"contains objects that no baseline created \(orders\), so it is not used"
    ) as error:
        Scratch(database, TABLES).claim()
    assert "--scratch FILE" in error.value.tip
    assert database.names() == {"orders"}


def test_a_table_that_somebody_put_beside_those_of_a_baseline_is_refused_too(database: ScratchDatabase) -> None:
    claimed(database)
    make_table(database, "precious")
    with pytest.raises(UsageError, match=r"no baseline created \(precious\)"):
        Scratch(database, TABLES).claim()
    assert database.names() == {MARKER, "precious", *TABLES}


def test_emptying_keeps_the_documents_and_removing_leaves_the_database_as_it_was(database: ScratchDatabase) -> None:
    scratch = claimed(database)
    scratch.empty(kept=["documents"])
    assert database.names() == {MARKER, "documents"}
    scratch.empty(kept=["documents"])
    scratch.remove()
    assert database.names() == frozenset()
    assert database.create() is False


def test_what_a_killed_baseline_left_behind_is_cleared_by_the_next_one(database: ScratchDatabase) -> None:
    Scratch(database, [*TABLES, "of_another_contract"]).claim()
    make_table(database, "of_another_contract")
    make_table(database, "orders")
    Scratch(database, TABLES).claim()
    assert database.names() == {MARKER}


def test_two_baselines_do_not_share_a_database(database: ScratchDatabase) -> None:
    first = claimed(database)
    second = claimed(database)
    with pytest.raises(RunError, match="another baseline uses"):
        first.empty()
    with pytest.raises(RunError, match="another baseline uses"):
        first.remove()
    assert database.names() == {MARKER, *TABLES}
    second.remove()
    assert database.names() == frozenset()


def test_a_file_that_was_not_there_is_not_there_afterwards(tmp_path: Path) -> None:
    database = open_scratch_database(f"sqlite:///{tmp_path / 'new' / 'scratch.db'}")
    claimed(database).remove()
    assert [*(tmp_path / "new").iterdir()] == []


@pytest.mark.mssql
def test_a_schema_that_was_not_there_is_not_there_afterwards() -> None:
    with sqlserver.scratch_schema() as schema:
        name = f"{schema}_new"
    claimed(open_scratch_database(sqlserver.in_schema(name))).remove()
    assert sqlserver.administrator().execute("SELECT SCHEMA_ID(?)", name).fetchval() is None


@pytest.mark.parametrize("content", [b"text", b"SQLite format 2"])
def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="is not a SQLite file, so no baseline created it"):
        Scratch(open_scratch_database(f"sqlite:///{path}"), TABLES).claim()
    assert path.read_bytes() == content


def test_a_directory_is_no_scratch_database(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: "):
        open_scratch_database(f"sqlite:///{tmp_path}").names()


def test_everything_that_a_run_creates_is_taken_away(database: ScratchDatabase) -> None:
    contract = read_contract("tests/cases/two-tables-fill-one-table-of-the-database/contract.yaml")
    tables = layouts(contract)
    scratch = Scratch(database, table_names(tables))
    scratch.claim()
    target = open_target(database.address, contract)
    target.create(tables)
    target.prepare(tables)
    assert database.names() > {MARKER, "processing_log"}
    scratch.remove()
    assert database.names() == frozenset()
