"""Tools that spoil a document change the place they are told, and nothing else."""

import pytest

from xml_extractor.parsing import DocumentParser, ParseError, ParsingRules
from xml_extractor.samples import FaultKind
from xml_extractor.samples.model import insert_into, parse_faults, remove_attribute, set_attribute

NEEDED = b'<a id="1"\n  ab="2"><aa x="0"/><b x="y" id="3">text<c/></b></a>'
DOCUMENTS = {
    "bare": b"<r>" + NEEDED + b"<a/><rest/></r>",
    "declared": b'<?xml version="1.0" encoding="UTF-8"?>\n<r k="v">' + NEEDED + b"<rest/></r>\n",
    "long": b"<r>" + NEEDED + b"<rest/>" * 10_000 + b"</r>",
}
FAULTS = parse_faults(root=b"r", inside=b"a")
READ_PART = DocumentParser(ParsingRules(("r",), read_until=(("a",),)))
READ_ALL = DocumentParser(ParsingRules(("r",)))


def test_text_is_put_behind_the_first_start_tag_of_that_very_name() -> None:
    assert insert_into(b"<r><aa/><a x='1'>t</a><a/></r>", element=b"a", text=b"!") == b"<r><aa/><a x='1'>!t</a><a/></r>"


def test_an_attribute_of_that_very_name_is_changed() -> None:
    document = b'<r><b id="0"/><a grid="1"\n id="2"><a id="3"/></a></r>'

    changed = set_attribute(document, element=b"a", attribute=b"id", value=rb"\1 $4.00")

    assert changed == rb'<r><b id="0"/><a grid="1"' + b"\n" + rb' id="\1 $4.00"><a id="3"/></a></r>'


def test_an_attribute_is_taken_away() -> None:
    assert remove_attribute(b'<r a="1" b="2"/>', element=b"r", attribute=b"a") == b'<r b="2"/>'


def test_what_is_not_there_cannot_be_spoilt() -> None:
    with pytest.raises(ValueError, match="no element x"):
        insert_into(b"<r/>", element=b"x", text=b"!")
    with pytest.raises(ValueError, match="0 times"):
        set_attribute(b'<r ab="2"/>', element=b"r", attribute=b"a", value=b"1")


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_the_good_documents_of_this_test_are_good(document: bytes) -> None:
    assert READ_ALL.parse(document).tag == "r"
    assert READ_PART.parse(document).tag == "r"


@pytest.mark.parametrize("parser", [READ_ALL, READ_PART], ids=["all", "needed part"])
@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.code)
def test_the_parser_gives_the_reason_that_the_fault_names(
    fault: FaultKind, document: bytes, parser: DocumentParser
) -> None:
    with pytest.raises(ParseError) as caught:
        parser.parse(fault.spoil(document))

    assert (caught.value.failure.stage, caught.value.failure.code) == (fault.stage, fault.reason)


def test_all_ways_in_which_hostile_xml_comes_are_there() -> None:
    assert {"entity_expansion", "external_entity", "parameter_entity", "too_deep"} <= {fault.code for fault in FAULTS}
