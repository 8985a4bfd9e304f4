"""Addresses of sources and targets: what is known, what was meant, and that no secret is repeated."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.database.demo_tables import CONTRACT
from xml_extractor.errors import UsageError, XmlExtractorError
from xml_extractor.sources.registry import open_source, open_source_writer
from xml_extractor.targets.registry import open_target


def open_as_source(address: str) -> object:
    return open_source(address, CONTRACT, 1000)


def open_as_target(address: str) -> object:
    return open_target(address, CONTRACT)


ROLES = [open_as_source, open_as_target, open_source_writer]


@pytest.mark.parametrize("opener", ROLES)
def test_an_unknown_kind_of_database_is_refused_with_those_that_are_known(opener: Callable[[str], object]) -> None:
    with pytest.raises(UsageError, match="'oracle' addresses") as refused:
        opener("oracle://host/db")
    assert "supported: " in refused.value.tip
    assert "sqlite" in refused.value.tip
    assert "did you mean" not in refused.value.tip


@pytest.mark.parametrize("opener", ROLES)
@pytest.mark.parametrize("scheme", ["sqllite", "sqlite3", "sqlit", "sqlitee"])
def test_a_misspelt_kind_of_database_gets_a_suggestion(opener: Callable[[str], object], scheme: str) -> None:
    with pytest.raises(UsageError) as refused:
        opener(f"{scheme}:///documents.db")
    assert "did you mean sqlite?" in refused.value.tip


@pytest.mark.parametrize("address", ["documents.db", "", "sqlite:", "://x"])
def test_a_target_that_is_no_url_is_refused_with_an_example(address: str) -> None:
    with pytest.raises(UsageError) as refused:
        open_as_target(address)
    assert "sqlite" in refused.value.tip


def test_a_driver_in_the_address_does_not_matter_to_the_kind(tmp_path: Path) -> None:
    assert open_target(f"sqlite+pysqlite:///{tmp_path}/a.db", CONTRACT).name == f"sqlite:///{tmp_path}/a.db"


@pytest.mark.parametrize("opener", [open_as_source, open_as_target])
@pytest.mark.parametrize(
    "address",
    [
        "mysql://user:hunter2@host/db",
        "user:hunter2@host/db",
        "mysql//user:hunter2@host",
        "mysql://user:hunter2@[host/db",
        "sqlite://user:hunter2@host/file.db",
        "mysql://host:hunter2/db",
    ],
)
def test_no_message_repeats_a_password(opener: Callable[[str], object], address: str) -> None:
    with pytest.raises(XmlExtractorError) as refused:
        opener(address)
    assert "hunter2" not in refused.value.message + refused.value.tip
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_a_place_where_nothing_is_gets_a_list_of_what_could_be(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no source at") as refused:
        open_as_source(str(tmp_path / "absent"))
    for possible in ("directory", "glob", "zip or tar", "standard input", "sqlite:///FILE"):
        assert possible in refused.value.tip


@pytest.mark.parametrize("name", ["absent.zip", "absent.tar.gz", "absent.xml"])
def test_a_file_that_is_not_there_is_a_wrong_use(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=name):
        open_as_source(str(tmp_path / name))


def test_a_target_is_named_by_its_file(tmp_path: Path) -> None:
    target = open_target(f"sqlite:///{tmp_path}/my file.db?timeout=3", CONTRACT)
    assert target.name == f"sqlite:///{tmp_path}/my file.db"


def test_opening_a_target_touches_nothing(tmp_path: Path) -> None:
    open_target(f"sqlite:///{tmp_path}/a.db", CONTRACT)
    assert list(tmp_path.iterdir()) == []
