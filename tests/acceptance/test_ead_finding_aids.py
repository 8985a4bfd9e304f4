"""Finding aids in EAD 2002, cell by cell: the shipped contract, loaded by a run, against an extraction with plain lxml.

Real finding aids, which are not part of the repository, are tested too if XML_EXTRACTOR_TEST_EAD names their directory.
"""

import os
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.ead_extraction import Rows, extract

OWN = Path(__file__).parent / "ead_documents"
REAL = os.environ.get("XML_EXTRACTOR_TEST_EAD")
DIRECTORIES = [OWN, *([Path(REAL)] if REAL else [])]
TABLES = ("finding_aid", "component", "container", "digital_object", "note", "access_point", "link")

Command = Callable[..., subprocess.CompletedProcess[str]]


def loaded(path: Path) -> dict[str, Rows]:
    """Return all rows; keys that are hashes become the places of their rows in the tree."""
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        tables = {name: [dict(row) for row in database.execute(f"SELECT * FROM {name}")] for name in TABLES}
    places = {row["component_id"]: f"{row['finding_aid_id']}/{row['number_path']}" for row in tables["component"]}
    for row in tables["container"]:
        places[row["container_id"]] = f"{places[row['component_id']]}/{row['container_no']}"
    for name, rows in tables.items():
        for row in rows:
            row.pop({"note": "note_id", "access_point": "access_point_id"}.get(name, ""), None)
            for column, value in row.items():
                if value is not None and column.endswith(("component_id", "container_id", "within_id")):
                    row[column] = places[value]
    return tables


def in_order(rows: Rows) -> list[list[tuple[str, str]]]:
    return sorted(sorted((name, repr(value)) for name, value in row.items()) for row in rows)


@pytest.mark.parametrize("directory", DIRECTORIES, ids=lambda path: path.name)
def test_each_cell_is_what_plain_lxml_extracts(xml_extractor: Command, tmp_path: Path, directory: Path) -> None:
    options = ["--contract", "ead_finding_aid", "--source", str(directory), "--target", "sqlite:///rows.db"]
    run = xml_extractor("run", *options)

    assert run.returncode == 0, run.stdout + run.stderr
    expected: dict[str, Rows] = {name: [] for name in TABLES}
    for path in sorted(directory.iterdir()):
        for table, rows in extract(path).items():
            expected[table] += rows
    found = loaded(tmp_path / "rows.db")
    for table, rows in found.items():
        assert in_order(rows) == in_order(expected[table]), table
        if directory == OWN:
            for column in rows[0]:
                assert any(row[column] is not None for row in rows), f"{table}.{column}"


def test_containers_and_links_lead_to_rows_and_dangling_ones_are_counted(
    xml_extractor: Command, tmp_path: Path
) -> None:
    options = ["--contract", "ead_finding_aid", "--source", str(OWN / "schema.xml"), "--target", "sqlite:///rows.db"]
    run = xml_extractor("run", *options)

    found = loaded(tmp_path / "rows.db")
    within = {row["container"]: row["within_id"] for row in found["container"] if row["type"] == "folder"}
    assert within == {"1": "UT-X papers 1/1/1", "9": None, "2": "UT-X papers 1/2/1"}
    links = [(row["from_component_id"], row["to_component_id"]) for row in found["link"]]
    within_letters = "UT-X papers 1/1.1"
    assert links == [(None, within_letters), (within_letters, "UT-X papers 1/2"), (within_letters, None)]
    assert run.stdout.count("dangling") == 2
