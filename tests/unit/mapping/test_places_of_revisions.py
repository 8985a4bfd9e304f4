"""The place of a document in the source's order, which decides between revisions of equal order."""

import json
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from tests.unit.records.conftest import contract
from xml_extractor.documents import DocumentKey, RecordKey, RunValues, SourceDocument
from xml_extractor.mapping import compile_plan, read_revision
from xml_extractor.parsing import DocumentParser, parsing_rules
from xml_extractor.records import RecordSource
from xml_extractor.sources.rejects import RejectsSource

CONTRACT = contract('{root: "m:S", records: "m:R", key: "@id", revision: {of: "@id", order: source}}')
RUN = RunValues("run-1", datetime(2026, 1, 1), "rejects")  # noqa: DTZ001 - the clock of a run is UTC without a zone
CONTENT = '<m:S xmlns:m="urn:m"><m:R id="7"/></m:S>'


@pytest.mark.parametrize("file", ["a.xml", 12])
def test_a_record_in_a_directory_of_rejects_has_its_place_in_the_file_it_came_from(
    tmp_path: Path, file: DocumentKey
) -> None:
    (tmp_path / "r.xml").write_text(CONTENT, encoding="utf-8")
    listed = {"key": f"{file}#7", "file": "r.xml", "source_file": file, "record": 3}
    (tmp_path / "rejects.jsonl").write_text(json.dumps(listed), encoding="utf-8")
    with closing(RecordSource(RejectsSource(str(tmp_path), 1000), CONTRACT)) as source:
        listed_keys = [key for page in source.key_pages(9) for key in page.keys if isinstance(key, RecordKey)]
        (record,) = source.fetch([key for key in listed_keys if not key.place.is_complete])
    assert isinstance(record, SourceDocument)
    root = DocumentParser(parsing_rules(CONTRACT)).parse(record.content, record.envelope)
    revision = read_revision(compile_plan(CONTRACT), root, record.key, RUN)
    assert revision is not None
    assert (str(record.key), revision.position) == (f"{file}#7", (file, 3))
