"""The place that a baseline empties between its runs: nothing is dropped that no baseline has made."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from env_prep.baseline.places import Place, open_place
from env_prep.baseline.scratch import MARKER, Scratch
from tests import sqlserver
from tests.database.conftest import TARGETS
from xml_extractor.errors import RunError, UsageError

TABLES = ("documents", "processing_log", "orders")


@pytest.fixture(params=TARGETS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A place that is there already, and empty."""
    if request.param == "sqlite":
        (tmp_path / "scratch.db").touch()
        yield open_place(f"sqlite:///{tmp_path / 'scratch.db'}")
        return
    with ExitStack() as schemas:
        yield open_place(sqlserver.in_schema(schemas.enter_context(sqlserver.scratch_schema())))


def make_table(place: Place, name: str) -> None:
    place.change([(f"CREATE TABLE {place.quoted(name)} (a int)", [()])])


def claimed(place: Place) -> Scratch:
    scratch = Scratch(place, TABLES)
    scratch.claim()
    for name in TABLES:
        make_table(place, name)
    return scratch


def test_a_place_with_a_table_of_somebody_else_is_refused_and_left_as_it_is(place: Place) -> None:
    make_table(place, "orders")
    with pytest.raises(
        UsageError, match=r"holds what no baseline has made \(orders\), so it is left as it is"
    ) as error:
        Scratch(place, TABLES).claim()
    assert "--scratch FILE" in error.value.tip
    assert place.names() == {"orders"}


def test_a_table_that_somebody_put_beside_those_of_a_baseline_is_refused_too(place: Place) -> None:
    claimed(place)
    make_table(place, "precious")
    with pytest.raises(UsageError, match=r"no baseline has made \(precious\)"):
        Scratch(place, TABLES).claim()
    assert place.names() == {MARKER, "precious", *TABLES}


def test_emptying_keeps_the_documents_and_removing_leaves_the_place_as_it_was(place: Place) -> None:
    scratch = claimed(place)
    scratch.empty(kept=["documents"])
    assert place.names() == {MARKER, "documents"}
    scratch.empty(kept=["documents"])
    scratch.remove()
    assert place.names() == frozenset()
    assert place.make() is False


def test_what_a_killed_baseline_left_behind_is_cleared_by_the_next_one(place: Place) -> None:
    Scratch(place, [*TABLES, "of_another_contract"]).claim()
    make_table(place, "of_another_contract")
    make_table(place, "orders")
    Scratch(place, TABLES).claim()
    assert place.names() == {MARKER}


def test_two_baselines_do_not_share_a_place(place: Place) -> None:
    first = claimed(place)
    second = claimed(place)
    with pytest.raises(RunError, match="another baseline uses"):
        first.empty()
    with pytest.raises(RunError, match="another baseline uses"):
        first.remove()
    assert place.names() == {MARKER, *TABLES}
    second.remove()
    assert place.names() == frozenset()


def test_a_file_that_was_not_there_is_not_there_afterwards(tmp_path: Path) -> None:
    place = open_place(f"sqlite:///{tmp_path / 'new' / 'scratch.db'}")
    claimed(place).remove()
    assert [*(tmp_path / "new").iterdir()] == []


@pytest.mark.mssql
def test_a_schema_that_was_not_there_is_not_there_afterwards() -> None:
    with sqlserver.scratch_schema() as schema:
        name = f"{schema}_new"
    claimed(open_place(sqlserver.in_schema(name))).remove()
    assert sqlserver.administrator().execute("SELECT SCHEMA_ID(?)", name).fetchval() is None


@pytest.mark.parametrize("content", [b"text", b"SQLite format 2"])
def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="is no SQLite file, so no baseline made it"):
        Scratch(open_place(f"sqlite:///{path}"), TABLES).claim()
    assert path.read_bytes() == content


def test_a_directory_is_no_place(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: "):
        open_place(f"sqlite:///{tmp_path}").names()
