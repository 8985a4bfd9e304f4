"""PubMed citations, cell by cell: the shipped contract, loaded by a run, against an extraction with plain lxml.

Real files, which are not part of the repository, are tested too if XML_EXTRACTOR_TEST_PUBMED names their directory.
"""

import os
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.pubmed_extraction import Rows, extract, newest
from xml_extractor.contract.layout import layouts
from xml_extractor.contract.reading import read_contract

OWN = Path(__file__).parent / "pubmed_documents"
REAL = os.environ.get("XML_EXTRACTOR_TEST_PUBMED")
DIRECTORIES = [OWN, *([Path(REAL)] if REAL else [])]

Command = Callable[..., subprocess.CompletedProcess[str]]


def loaded(path: Path) -> dict[str, Rows]:
    contract = read_contract("pubmed_citation")
    tables: dict[str, Rows] = {}
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        for layout in layouts(contract):
            rows = database.execute(f"SELECT * FROM {layout.name} ORDER BY {', '.join(layout.key)}")
            tables[layout.name] = [dict(row) for row in rows]
    return tables


@pytest.mark.parametrize("directory", DIRECTORIES, ids=lambda path: path.name)
def test_each_cell_of_the_newest_revisions_is_what_plain_lxml_extracts(
    xml_extractor: Command, tmp_path: Path, directory: Path
) -> None:
    options = ["--contract", "pubmed_citation", "--source", str(directory), "--target", "sqlite:///rows.db"]
    run = xml_extractor("run", *options)

    assert run.returncode == 0, run.stdout + run.stderr
    articles, files = newest(sorted(directory.iterdir()))
    expected: dict[str, Rows] = {}
    for pmid in sorted(articles, key=int):
        for table, rows in extract(articles[pmid], files[pmid]).items():
            expected.setdefault(table, []).extend(rows)
    found = loaded(tmp_path / "rows.db")
    assert set(found) == set(expected)
    for table, rows in found.items():
        assert rows == expected[table], table
    if directory == OWN:
        assert {"13", "99"}.isdisjoint(articles)
        for table, rows in found.items():
            for column in rows[0]:
                assert any(row[column] is not None for row in rows), f"{table}.{column}"


def test_a_day_of_updates_that_is_loaded_first_leaves_the_same_articles(xml_extractor: Command, tmp_path: Path) -> None:
    for name in ("pubmed26n0002.xml", "pubmed26n0001.xml"):
        (tmp_path / "feed").mkdir(exist_ok=True)
        (tmp_path / "feed" / name).write_bytes((OWN / name).read_bytes())
        options = ["--contract", "pubmed_citation", "--source", "feed", "--target", "sqlite:///rows.db"]
        run = xml_extractor("run", *options)
        assert run.returncode == 0, run.stdout + run.stderr

    found = {row["pmid"]: row["title"] for row in loaded(tmp_path / "rows.db")["article"]}
    assert found == {11: "[Of H2O & E. coli.]", 12: "Two", 14: "Revised", 15: "Version 2 stays"}
