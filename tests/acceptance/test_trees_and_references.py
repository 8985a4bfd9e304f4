"""Trees, keys and references through the real commands: files with many records, and a target with foreign keys."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.accounts import last_metrics, query
from tests.conftest import Command

CONTRACT = """
contract: report
version: 1
document: {root: Report, key: "@id"}
keys: {section: {match: Section, use: "@id"}}
tables:
  section:
    rows: Section
    recursive: Section
    columns:
      section_id: {derived: true, type: bigint, key: true}
      report_id: {run: document_key}
      within_id: {parent: section.section_id}
      name: {path: "@id", type: varchar(5)}
      see_id: {reference: section.section_id, at: "key('section', @see)"}
"""

TARGET = """
CREATE TABLE section (
    section_id INTEGER NOT NULL PRIMARY KEY,
    report_id TEXT,
    within_id INTEGER REFERENCES section (section_id),
    name TEXT,
    see_id INTEGER REFERENCES section (section_id)
)
"""

DOCUMENTS = {
    "1.xml": "<Report id='1'><Section id='a' see='d'><Section id='b' see='c'/></Section><Section id='c' see='d'/>"
    "<Section id='d' see='none'/></Report>",
    "2.xml": "<Report id='2'><Section id='a' see='b'/><Section id='b' see='a'/></Report>",
    "3.xml": "<Report id='3'><Section id='a' see='a'/></Report>",
}


@pytest.fixture
def load(tmp_path: Path) -> tuple[str, ...]:
    """The options of a run from the documents into a table that refers to itself."""
    (tmp_path / "d").mkdir()
    for name, content in DOCUMENTS.items():
        (tmp_path / "d" / name).write_text(content, encoding="utf-8")
    (tmp_path / "report.yaml").write_text(CONTRACT, encoding="utf-8")
    with closing(sqlite3.connect(tmp_path / "out.db")) as connection:
        connection.execute(TARGET)
    return ("--contract", "report.yaml", "--target", "sqlite:///out.db")


def test_rows_come_in_an_order_that_foreign_keys_to_their_own_table_accept(
    tmp_path: Path, xml_extractor: Command, load: tuple[str, ...]
) -> None:
    xml_extractor("init", *load)
    result = xml_extractor("run", *load, "--source", "d", "--workers", "1")
    assert result.returncode == 1, result.stderr
    assert "3 in = 2 loaded + 1 rejected" in result.stdout
    found = query(
        tmp_path / "out.db",
        "SELECT s.report_id, s.name, w.name, o.name FROM section s LEFT JOIN section w ON w.section_id = s.within_id "
        "LEFT JOIN section o ON o.section_id = s.see_id ORDER BY 1, 2",
    )
    assert found == [
        ("1", "a", None, "d"),
        ("1", "b", "a", "c"),
        ("1", "c", None, "d"),
        ("1", "d", None, None),
        ("3", "a", None, "a"),
    ]
    rejected = query(tmp_path / "out.db", "SELECT document_key, reason FROM processing_log WHERE status = 'rejected'")
    assert [key for key, _ in rejected] == ["2.xml"]
    assert str(rejected[0][1]).startswith("missing_parent at section")


def test_dangling_references_are_counted_like_tolerated_values(
    tmp_path: Path, xml_extractor: Command, load: tuple[str, ...]
) -> None:
    result = xml_extractor("run", *load, "--source", "d", "--workers", "1")
    assert "dangling references made NULL" in result.stdout
    assert last_metrics(tmp_path)["tolerated_values"] == {"section": {"see_id": {"dangling": 1}}}
    logged = query(
        tmp_path / "out.db", "SELECT tolerated_count, counts FROM processing_log WHERE document_key = '1.xml'"
    )
    assert logged == [(1, "section.see_id dangling=1")]


def test_a_tree_is_reprocessed_with_its_own_rows_only(
    tmp_path: Path, xml_extractor: Command, load: tuple[str, ...]
) -> None:
    xml_extractor("run", *load, "--source", "d", "--workers", "1")
    (tmp_path / "d" / "1.xml").write_text("<Report id='1'><Section id='x'><Section id='y'/></Section></Report>")
    again = xml_extractor("run", *load, "--source", "d", "--workers", "1", "--reprocess", "changed-documents")
    assert "1 loaded" in again.stdout, again.stderr
    assert query(tmp_path / "out.db", "SELECT name FROM section WHERE report_id = '1' ORDER BY 1") == [("x",), ("y",)]


def test_preview_explains_a_deferred_reference_and_a_value_of_a_containing_row(
    tmp_path: Path, xml_extractor: Command, load: tuple[str, ...]
) -> None:
    assert load
    shown = xml_extractor("preview", "d/1.xml", "--contract", "report.yaml", "--explain", "section.see_id")
    assert shown.returncode == 0, shown.stderr
    assert "reference section.section_id at key('section', @see)" in shown.stdout
    inner = xml_extractor("preview", "d/1.xml", "--contract", "report.yaml", "--explain", "section.within_id")
    assert "parent section.section_id" in inner.stdout


def test_records_find_elements_of_the_header_they_share(tmp_path: Path, xml_extractor: Command) -> None:
    people = "".join(f"<Person id='p{number}'><Name>N{number}</Name></Person>" for number in range(300))
    records = "".join(f"<Task id='t{number}' by='p{299 - number}' then='t{number}'/>" for number in range(300))
    (tmp_path / "tasks.xml").write_text(f"<Tasks>{people}{records}</Tasks>", encoding="utf-8")
    (tmp_path / "tasks.yaml").write_text(
        """
contract: tasks
version: 1
document: {root: Tasks, records: Task, header: Person, key: "@id"}
keys:
  person: {match: Person, use: "@id"}
  task: {match: Task, use: "@id"}
tables:
  task:
    rows: "."
    columns:
      id: {path: "@id", type: varchar(5), key: true}
      name: {path: "key('person', @by)/Name", type: varchar(5)}
      own: {path: "key('task', @then)/@id", type: varchar(5)}
      others: {path: "count(key('task', 't0'))", type: int}
""",
        encoding="utf-8",
    )
    load = ("--contract", "tasks.yaml", "--source", "tasks.xml", "--target", "sqlite:///out.db")
    result = xml_extractor("run", *load, "--workers", "1")
    assert result.returncode == 0, result.stderr
    found = query(tmp_path / "out.db", "SELECT id, name, own, others FROM task")
    assert sorted(found) == sorted((f"t{n}", f"N{299 - n}", f"t{n}", int(n == 0)) for n in range(300))
