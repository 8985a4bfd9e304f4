"""An examination finds what would stop a run, and changes nothing."""

import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.database.demo_tables import CONTRACT
from xml_extractor.doctor.examination import Finding, Role, State, examine
from xml_extractor.errors import UsageError

BOTH: Sequence[Role] = ("target", "source")


def states(findings: Sequence[Finding]) -> list[State]:
    return [finding.state for finding in findings]


def of_target(path: Path) -> Finding:
    return list(examine(f"sqlite:///{path}", CONTRACT, ["target"]))[-1]


def with_documents(path: Path) -> Path:
    source = CONTRACT.source
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"CREATE TABLE {source.table} ({source.key} INTEGER PRIMARY KEY, {source.xml} TEXT)")
        database.execute(f"INSERT INTO {source.table} VALUES (1, '<order/>')")
        database.commit()
    return path


def test_a_file_that_can_be_written_and_has_documents_is_in_order(tmp_path: Path) -> None:
    path = with_documents(tmp_path / "a.db")
    before = path.read_bytes()
    assert list(examine(f"sqlite:///{path}", CONTRACT, BOTH)) == [
        Finding(State.OK, f"SQLite {sqlite3.sqlite_version}"),
        Finding(State.OK, f"sqlite:///{path} can be written"),
        Finding(State.OK, f"sqlite:///{path} can be read; it has documents"),
    ]
    assert path.read_bytes() == before


def test_a_target_that_is_not_there_yet_is_in_order_and_still_not_there(tmp_path: Path) -> None:
    assert of_target(tmp_path / "a.db") == Finding(
        State.OK, f"sqlite:///{tmp_path}/a.db does not exist yet; a run creates it"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_target_in_a_directory_that_is_not_there_cannot_be_created(tmp_path: Path) -> None:
    found = of_target(tmp_path / "absent" / "a.db")
    assert found.state is State.FAILED
    assert "cannot be created: No such file or directory" in found.text


@pytest.mark.parametrize("content", [b"this is no database at all", b"SQLite format 3\x00" + b"\xff" * 1000])
def test_a_file_that_is_no_database_is_said(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(content)
    found = of_target(path)
    assert found.state is State.FAILED
    assert f"sqlite:///{path} cannot be written: " in found.text
    assert found.tip


def test_a_file_that_another_program_keeps_locked_is_said(tmp_path: Path) -> None:
    path = with_documents(tmp_path / "a.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        (_, found) = examine(f"sqlite:///{path}?timeout=0.01", CONTRACT, ["target"])
    assert found.text == f"sqlite:///{path} cannot be written: another program has locked the database"
    assert found.tip == "stop other programs that write to it, and try again"


def test_a_source_without_its_table_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    sqlite3.connect(path).close()
    findings = list(examine(f"sqlite:///{path}", CONTRACT, BOTH))
    assert states(findings) == [State.OK, State.OK, State.FAILED]
    assert findings[-1].text.startswith(f"there is no table {CONTRACT.source.table}")


def test_a_directory_of_documents_is_a_source(tmp_path: Path) -> None:
    (none,) = examine(str(tmp_path), CONTRACT, ["source"])
    assert (none.state, none.text) == (State.OK, f"{tmp_path} can be read; it has no documents")
    (tmp_path / "1.xml").write_text("<order/>")
    assert list(examine(str(tmp_path), CONTRACT, ["source"]))[-1].text.endswith("can be read; it has documents")


@pytest.mark.parametrize("address", ["oracle://u:hunter2@host/db", "mssql://", "sqlite://", "/no/such/place"])
def test_a_wrong_address_is_wrong_usage(address: str) -> None:
    with pytest.raises(UsageError) as refused:
        list(examine(address, CONTRACT, ["source"]))
    assert "hunter2" not in refused.value.message + refused.value.tip


def test_without_unixodbc_a_server_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyodbc", None)
    (found,) = examine("mssql://user:hunter2@host/db", CONTRACT, BOTH)
    assert found == Finding(State.FAILED, "mssql://host/db cannot be reached", "install what is missing; see above")
