"""Records see a large header without parsing it anew for each of them."""

from datetime import datetime

import pytest

from tests.unit.records.conftest import FilesInMemory, contract, listed
from xml_extractor.documents import EnvelopeRanges, RecordKey, RunValues, SourceDocument
from xml_extractor.mapping import compile_plan, map_document
from xml_extractor.parsing import DocumentParser, parsing_rules
from xml_extractor.records import RecordSource

RUN = RunValues("run", datetime(2026, 1, 1), "memory")  # noqa: DTZ001 - the clock of a run is UTC without a zone
PEOPLE = "".join(f'<p:Person id="{number}">Person {number}</p:Person>' for number in range(500))
HEAD = f'<m:Set xmlns:m="urn:m" xmlns:p="urn:m"><m:People>{PEOPLE}</m:People>'
CONTRACT = contract(
    '{root: "m:Set", records: "//m:R", header: ["m:People", "m:Note"], key: "@id"}',
    columns="""
      person: {path: "//m:Person[@id = '9']", type: varchar(20)}
      note: {path: "../m:Note", type: varchar(20)}
      others: {path: "count(//m:R)", type: int}
      before: {path: "count(preceding-sibling::*)", type: int}
      markup: {path: "m:Text", type: xml}
""",
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_each_record_sees_the_header_and_no_other_record(encoding: str) -> None:
    text = '<m:Text><x xmlns="urn:x"/>t</m:Text>'
    units = "".join(
        f'<m:U><m:Note>{unit}</m:Note><m:R id="{unit}a">{text}</m:R><m:R id="{unit}b">{text}</m:R></m:U>'
        for unit in "xyz"
    )
    source = RecordSource(FilesInMemory({"f": f"{HEAD}{units}</m:Set>".encode(encoding)}), CONTRACT)
    keys = listed(source)
    assert all(isinstance(key, RecordKey) and isinstance(key.place.envelope, EnvelopeRanges) for key in keys)
    parser, plan = DocumentParser(parsing_rules(CONTRACT)), compile_plan(CONTRACT)
    # Out of order, as after an error.
    for key in [*keys, keys[0], keys[4], keys[1]]:
        (document,) = source.fetch([key])
        assert isinstance(document, SourceDocument)
        ((row,),) = map_document(plan, parser.parse(document.content, document.envelope), key, RUN)
        name = str(key).removeprefix("f#")
        assert row[:5] == (key, "Person 9", name[0], 1, 1)
        assert '<x xmlns="urn:x"' in str(row[5])
        assert document.whole is not None
        assert b"Person 499" in bytes(document.whole)  # type: ignore[arg-type]
